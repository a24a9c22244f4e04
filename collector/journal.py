"""The journal's writer: one thread, one commit for all requests that wait, answers after fsync.

While the disk can't be written, requests are refused at once, and the writer tries the file again by itself, ever more
slowly. Nothing is acknowledged that is not durable: a position is given out after COMMIT with synchronous=FULL only.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import structlog

from collector.entry import Entry
from collector.journal_file import Boundary, JournalFile, Written, go_on
from collector.reading import Refusal, Refused
from throughline.core.database import passing_cause
from throughline.core.errors import StoreUnavailable
from throughline.core.journal import MAPPING
from throughline.core.release import read_release

MOST_GROUP_BYTES: Final = 8 * 1024 * 1024
MOST_GROUP_ENTRIES: Final = 2_000
FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 5.0
RETRY_AFTER_SECONDS: Final = 5
TRIM_LOOK_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class JournalState(NamedTuple):
    """Whether the journal takes entries, and if not why and since when (monotonic seconds)."""

    open: bool
    reason: str
    since: float


class Observer(Protocol):
    """Who counts the commits."""

    def committed(self, entries: int, seconds: float, written: Written) -> None: ...

    def commit_failed(self) -> None: ...


class _Waiting(NamedTuple):
    entry: Entry
    position: asyncio.Future[int]


class Journal:
    """Takes entries from an event loop and writes them in a thread. Closing drains it, safe twice and before opening.

    ``ended`` is done only where the writer ended by a fault of ours: then the process has to start anew.
    """

    def __init__(
        self,
        path: Path,
        most_bytes: int,
        observer: Observer,
        at: Callable[[Boundary], None] = go_on,
        mapping: str = MAPPING,
    ) -> None:
        """``mapping`` is written beside each record: what turned its payloads into events."""
        self._file = JournalFile(path, at, mapping)
        self._folder = path.parent
        self._looked = time.monotonic()
        self._trimming = False  # there is more to remove
        self._most_bytes = most_bytes
        self._observer = observer
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._change = threading.Condition()
        self._stopping = False
        self._state = JournalState(False, "the journal is being opened", time.monotonic())
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Open the file and start writing; a file that can't be written now is tried again in the background.

        Raises JournalFormatUnknown for a file of another version.
        """
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        await self._loop.run_in_executor(None, self._try_file)
        self._thread.start()

    async def close(self) -> None:
        """Write what waits, then close the file."""
        with self._change:
            self._stopping = True
            self._change.notify()
        if self._thread.is_alive():
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._file.close()

    def state(self) -> JournalState:
        """Return whether it takes entries, and why not."""
        return self._state

    def last(self) -> int:
        """Return the last record's id, as far as it is known."""
        return self._file.last

    def waiting(self) -> tuple[int, int]:
        """Return how many entries wait, and their bytes."""
        return len(self._waiting), self._waiting_bytes

    def append(self, entry: Entry) -> asyncio.Future[int]:
        """Take an entry; the future gives its record's id once it is durable, or raises Refused.

        Raises Refused at once where too much waits, or where the file can't be written now.
        """
        if self._stopping:
            raise Refused(Refusal.UNAVAILABLE, "shutting down", RETRY_AFTER_SECONDS)
        if not self._state.open:
            raise _unavailable(self._state.reason)
        assert self._loop is not None
        position: asyncio.Future[int] = self._loop.create_future()
        with self._change:
            if self._waiting and self._waiting_bytes + entry.size > self._most_bytes:
                raise Refused(Refusal.OVERLOADED, "too much waits for the disk", 1)
            self._waiting.append(_Waiting(entry, position))
            self._waiting_bytes += entry.size
            self._change.notify()
        return position

    def _run(self) -> None:
        try:
            self._write_all()
        except BaseException as fault:
            _log.exception("journal_writer_ended")
            self._shut(fault)
            self._refuse_waiting()
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self.ended.set_exception, fault)

    def _write_all(self) -> None:
        wait = FIRST_WAIT_SECONDS
        while True:
            if self._state.open:
                wait = FIRST_WAIT_SECONDS
                group = self._next_group()
                if group:
                    self._write(group)
                elif self._stopping:
                    return
                self._trim()
            else:
                self._refuse_waiting()
                with self._change:
                    self._change.wait_for(lambda: self._stopping, wait)
                if self._stopping:
                    self._refuse_waiting()
                    return
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
                self._try_file()

    def _next_group(self) -> list[_Waiting]:
        """Wait a while for entries and take as many as one commit may hold; none where none came."""
        group: list[_Waiting] = []
        size = 0
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._stopping, 0 if self._trimming else TRIM_LOOK_SECONDS)
            while self._waiting and len(group) < MOST_GROUP_ENTRIES:
                size += self._waiting[0].entry.size
                if group and size > MOST_GROUP_BYTES:
                    break
                group.append(self._waiting.popleft())
                self._waiting_bytes -= group[-1].entry.size
        return group

    def _write(self, group: list[_Waiting]) -> None:
        began = time.monotonic()
        try:
            written = self._file.write([waiting.entry for waiting in group])
        except BaseException as error:
            self._shut(error)
            self._answer(group, _unavailable(self._state.reason))
            if not isinstance(error, (StoreUnavailable, sqlite3.Error)):
                raise
            self._observer.commit_failed()
            return
        self._answer(group, written.record)
        self._observer.committed(len(group), time.monotonic() - began, written)

    def _trim(self) -> None:
        """Remove a few records that nobody needs any more, between groups; look now and then whether there are any."""
        now = time.monotonic()
        if not self._trimming and now - self._looked < TRIM_LOOK_SECONDS:
            return
        self._looked = now
        release = read_release(self._folder)
        try:
            self._trimming = release is not None and self._file.trim(release)
        except (StoreUnavailable, sqlite3.Error) as error:
            self._trimming = False
            self._shut(error)

    def _try_file(self) -> None:
        try:
            self._file.open()
        except (StoreUnavailable, sqlite3.Error) as error:
            self._shut(error)
        else:
            if not self._state.open:
                self._state = JournalState(True, "", time.monotonic())
                _log.info("journal_opened", record=self._file.last)

    def _shut(self, error: BaseException) -> None:
        self._file.close()
        reason = _reason(error)
        if self._state.open or self._state.reason != reason:
            _log.error("journal_refused", reason=reason, error=str(error))
            self._state = JournalState(False, reason, time.monotonic())

    def _refuse_waiting(self) -> None:
        with self._change:
            group = list(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
        if group:
            self._answer(group, _unavailable(self._state.reason))

    def _answer(self, group: list[_Waiting], outcome: int | Refused) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_settle, group, outcome)


def _settle(group: list[_Waiting], outcome: int | Refused) -> None:
    for _, position in group:
        if position.done():  # its connection is gone
            continue
        if isinstance(outcome, int):
            position.set_result(outcome)
        else:
            position.set_exception(outcome)


def _reason(error: BaseException) -> str:
    """Return why the file can't be written, as senders may read it: without the file's path."""
    cause = error if isinstance(error, sqlite3.Error) else error.__cause__
    return (passing_cause(cause) if isinstance(cause, sqlite3.Error) else None) or str(error)


def _unavailable(reason: str) -> Refused:
    return Refused(Refusal.UNAVAILABLE, f"the journal can't be written now: {reason}", RETRY_AFTER_SECONDS)
