"""What is counted at the moment of a scrape: how far the engine is behind, which sources are silent, room on the disk.

The API counts these, not the part that they are of: an engine that does not run cannot say how far it is behind.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from lineage.sight import blind_sources
from throughline.api.store_watch import StoreWatch
from throughline.core.errors import PassingError
from throughline.core.estate import ReportingSource
from throughline.core.instants import MICROSECONDS
from throughline.core.journal import JournalReader
from throughline.core.metric_names import (
    BLIND_SOURCES,
    DISK_FREE_BYTES,
    DISK_KEPT_FREE_BYTES,
    FOLD_LAG_RECORDS,
    FOLD_LAG_SECONDS,
)
from throughline.core.metrics import Meter

_UNKNOWN = math.nan  # as Prometheus says it: no rule takes it for a number
_ANSWER_SECONDS = 1.0  # a scrape waits for ten at most, and a store that hangs answers nothing


class ServiceCounts:
    """Counts into the API's meter. ``kept_free``: bytes of the disk of ``data`` below which doors refuse."""

    def __init__(
        self,
        watch: StoreWatch,
        journal: JournalReader,
        sources: Iterable[ReportingSource],
        now: Callable[[], int],
        data: Path,
        kept_free: int,
    ) -> None:
        self._watch = watch
        self._journal = journal
        self._sources = tuple(sources)
        self._now = now
        self._data = data
        self._kept_free = kept_free
        self._one_at_a_time = Lock()

    def count(self, meter: Meter) -> None:
        """Set the gauges; to no number where nobody can say."""
        records, seconds = self._lag()
        meter.gauge(FOLD_LAG_RECORDS).set(records)
        meter.gauge(FOLD_LAG_SECONDS).set(seconds)
        meter.gauge(BLIND_SOURCES).set(_UNKNOWN if math.isnan(records) else self._blind())
        meter.gauge(DISK_FREE_BYTES).set(self._free())
        meter.gauge(DISK_KEPT_FREE_BYTES).set(self._kept_free)

    def _lag(self) -> tuple[float, float]:
        with suppress(PassingError, TimeoutError, sqlite3.Error), self._one_at_a_time:
            folded = self._watch.folded().result(_ANSWER_SECONDS).record
            last = self._journal.last()
            if folded >= last:
                return 0, 0
            waiting = self._journal.sizes(folded, last, 1)
            since = waiting[0].received if waiting else self._now()
            return last - folded, max(0, self._now() - since) / MICROSECONDS
        return _UNKNOWN, _UNKNOWN

    def _blind(self) -> float:
        with suppress(PassingError, TimeoutError):
            heard = self._watch.heard().result(_ANSWER_SECONDS)
            return len(blind_sources(self._sources, heard, self._now()))
        return _UNKNOWN

    def _free(self) -> float:
        with suppress(OSError):
            return shutil.disk_usage(self._data).free
        return _UNKNOWN
