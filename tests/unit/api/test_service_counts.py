"""What is counted at a scrape: what waits, who is silent and how much room there is; no number where nobody can say."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from lineage.engine import Engine, Limits
from lineage.process import Definitions
from tests.unit.core.test_metrics import sample
from throughline.api.service_counts import ServiceCounts
from throughline.api.store_watch import Folded, StoreWatch
from throughline.core.estate import read_estate
from throughline.core.instants import HOUR, MICROSECONDS
from throughline.core.journal import JournalReader, RecordSize
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Meter, Part
from throughline.core.yaml_file import YamlDocument

NOW = 1_800_000_000 * MICROSECONDS
ESTATE = read_estate(
    YamlDocument(
        "estate",
        {
            "sources": [
                {"source": "/psa", "role": "psa", "mode": "push", "every": "1 h"},
                {"source": "/erp", "role": "erp", "mode": "push", "every": "1 h"},
                {"source": "/never", "role": "crm", "mode": "push", "every": "1 h"},
            ]
        },
        {},
        {},
    )
)


class Waiting(JournalReader):
    """A journal of nine records, of which the engine has folded none."""

    def last(self) -> int:
        return 9

    def sizes(self, after: int, until: int, limit: int = -1) -> list[RecordSize]:
        assert (after, until, limit) == (0, 9, 1)
        return [RecordSize(1, NOW - 90 * MICROSECONDS, 10)]


class Seen(NamedTuple):
    folder: Path
    engine: Engine
    watch: StoreWatch

    def text(self, journal: type[JournalReader] = JournalReader) -> str:
        meter = Meter(Part.API, METRICS)
        reader = journal(self.folder / "journal.db")
        ServiceCounts(self.watch, reader, ESTATE.sources, lambda: NOW, self.folder, 128).count(meter)
        return meter.expose()


@pytest.fixture
def seen(tmp_path: Path) -> Generator[Seen]:
    engine = Engine.open(tmp_path / "store.db", Definitions({}, {}), ESTATE, Limits())
    with closing(engine), closing(StoreWatch(tmp_path / "store.db")) as watch:
        yield Seen(tmp_path, engine, watch)


def test_what_is_not_folded_is_counted_with_its_age(seen: Seen) -> None:
    text = seen.text(Waiting)
    assert sample(text, "throughline_fold_lag_records") == 9
    assert sample(text, "throughline_fold_lag_seconds") == 90


def test_where_all_is_folded_nothing_waits(seen: Seen) -> None:
    assert sample(seen.text(), "throughline_fold_lag_seconds") == 0


def test_sources_that_are_silent_for_longer_than_they_say_are_counted(seen: Seen) -> None:
    """One that never spoke is not one of them: nobody knows since when."""
    with seen.engine.transaction():
        seen.engine.store.put_watermarks([("/psa", NOW - 2 * HOUR, None), ("/erp", NOW, None)])
    assert sample(seen.text(), "throughline_blind_sources") == 1


def test_the_room_on_the_disk_is_counted_with_what_is_kept_free(seen: Seen) -> None:
    text = seen.text()
    assert sample(text, "throughline_disk_free_bytes") > 0
    assert sample(text, "throughline_disk_kept_free_bytes") == 128


class Hanging(StoreWatch):
    """A store that answers nothing, and does not say so."""

    def folded(self) -> Future[Folded]:
        return Future()


def test_a_store_that_hangs_is_not_waited_for_long(seen: Seen) -> None:
    began = time.monotonic()
    with closing(Hanging(seen.folder / "store.db")) as watch:
        text = seen._replace(watch=watch).text(Waiting)
    assert time.monotonic() - began < 5.0, "a scrape waits for ten seconds at most"
    for name in ("fold_lag_seconds", "fold_lag_records", "blind_sources"):
        assert math.isnan(sample(text, f"throughline_{name}")), name
    assert sample(text, "throughline_disk_free_bytes") > 0


def test_nobody_can_say_where_there_is_no_store(tmp_path: Path) -> None:
    meter = Meter(Part.API, METRICS)
    with closing(StoreWatch(tmp_path / "none.db")) as watch:
        gone = tmp_path / "gone"
        ServiceCounts(watch, Waiting(gone), ESTATE.sources, lambda: NOW, gone, 128).count(meter)
    text = meter.expose()
    for name in ("fold_lag_seconds", "fold_lag_records", "blind_sources", "disk_free_bytes"):
        assert math.isnan(sample(text, f"throughline_{name}")), name
