"""Whether there is room for more: space on the disk, and an engine that folds what is there already.

A slow or stopped engine is no reason to refuse: the journal keeps what comes in. It becomes one where the disk would be
full before the engine could go on, or where what waits has waited too long for anybody to notice in time.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Final

import structlog

from collector.journal import RETRY_AFTER_SECONDS
from collector.reading import Refusal, Refused
from throughline.core.clock import Clock
from throughline.core.errors import StoreUnavailable
from throughline.core.instants import format_instant
from throughline.core.journal import JournalReader
from throughline.core.progress import read_folded

LOOK_EVERY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Room:
    """Looks at disk and engine now and then; in between, it says what it saw last. Closing is safe twice."""

    def __init__(self, path: Path, clock: Clock, free_bytes: int, unfolded: int) -> None:
        """``path`` is the journal's; ``unfolded`` the longest that a record may wait to be folded, in microseconds."""
        self._path = path
        self._clock = clock
        self._free_bytes = free_bytes
        self._unfolded = unfolded
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
            since = self._reader.received(folded + 1)
        except (sqlite3.Error, StoreUnavailable):
            return None
        if since is None or self._clock.now() - since <= self._unfolded:
            return None
        return (
            f"what came in since {format_instant(since)} is not folded into cases yet, which is longer than"
            " unfolded_hours allows: see that the engine runs, and what its log says"
        )
