"""Whether there is room for more: space on the disk, and an engine that folds what is there already.

A slow or stopped engine is no reason to refuse: the journal keeps what comes in. It becomes one where the disk would be
full before the engine could go on, or where what waits has waited too long for anybody to notice in time.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from collector.journal import RETRY_AFTER_SECONDS
from collector.reading import Refusal, Refused
from throughline.core.errors import StoreUnavailable
from throughline.core.journal import JournalReader, position_text
from throughline.core.progress import read_folded

LOOK_EVERY_SECONDS: Final = 1.0
_SAMPLES: Final = 1_000  # of what waits, so that its age is known to a thousandth of what is allowed

_log = structlog.get_logger(__name__)


class Room:
    """Looks at disk and engine now and then; in between, it says what it saw last. Closing is safe twice."""

    def __init__(
        self,
        path: Path,
        free_bytes: int,
        unfolded_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``path`` is the journal's; ``unfolded_seconds`` the longest that a record may wait to be folded."""
        self._path = path
        self._free_bytes = free_bytes
        self._unfolded_seconds = unfolded_seconds
        self._monotonic = monotonic
        self._seen: deque[tuple[int, float]] = deque()  # the last record, and when it was the last; not folded yet
        self._reader = JournalReader(path)
        self._reasons: list[str] = []

    def reasons(self) -> list[str]:
        """Return why there is none; an empty list where there is."""
        return self._reasons

    def check(self) -> None:
        """Raise Refused where there is none."""
        if self._reasons:
            raise Refused(Refusal.UNAVAILABLE, "; ".join(self._reasons), RETRY_AFTER_SECONDS)

    async def watch(self) -> None:
        """Look again and again, in a thread: a disk may take its time."""
        loop = asyncio.get_running_loop()
        while True:
            await loop.run_in_executor(None, self.look)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    def look(self) -> None:
        """Look once."""
        seen = [reason for reason in (self._of_disk(), self._of_engine()) if reason]
        if bool(seen) != bool(self._reasons):
            _log.warning("no_room", reasons=seen) if seen else _log.info("room_again")
        self._reasons = seen

    def close(self) -> None:
        self._reader.close()

    def _of_disk(self) -> str | None:
        try:
            disk = os.statvfs(self._path.parent)
        except OSError:
            return None  # the journal says so itself, and why
        free = disk.f_bavail * disk.f_frsize
        if free >= self._free_bytes:
            return None
        return f"the disk has {free:,} bytes left, and {self._free_bytes:,} are kept free (free_bytes): free space"

    def _of_engine(self) -> str | None:
        folded = read_folded(self._path.parent)
        if folded is None:
            return None
        try:
            last = self._reader.last()
        except (sqlite3.Error, StoreUnavailable):
            return None
        waits = self._waits(folded, last)
        if waits <= self._unfolded_seconds:
            return None
        return (
            f"record {position_text(folded + 1)} has waited for {waits:,.0f} seconds to be folded into cases, which is"
            " longer than unfolded_hours allows: see that the engine runs, and what its log says"
        )

    def _waits(self, folded: int, last: int) -> float:
        """Return for how many seconds at least the first record that is not folded has waited.

        By time as it goes, not by the clock of the events, which may leap where a test or a demo says so.
        """
        now, seen = self._monotonic(), self._seen
        while seen and seen[0][0] <= folded:
            seen.popleft()
        apart = self._unfolded_seconds / _SAMPLES
        if last > folded and (not seen or (last > seen[-1][0] and now - seen[-1][1] >= apart)):
            seen.append((last, now))
        return now - seen[0][1] if seen else 0.0
