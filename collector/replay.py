"""Replay: what a door set aside goes the same way again, once whatever made it unreadable is mended.

A replayed event is read as at its first receipt, so that it keeps its place in time, and a person wants it, however old
it is. What it brings and the mark that
it was replayed are one commit: whenever the process ends, either both are there or neither, and an entry that was taken
is never taken again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from collector.entry import Entry, Replayed
from collector.intake import Incoming, Intake, entry_of
from collector.journal import Journal
from collector.reading import Door, Reading, Refused, Signal
from throughline.core.clock import Clock
from throughline.core.journal import JournalReader, ReplayOutcome, SetAsideEvent, position_text

MOST_ENTRIES: Final = 200  # in one request
_AT_ONCE_BYTES: Final = 4 * 1024 * 1024  # waiting for one commit


class Outcome(StrEnum):
    """What became of one entry that was to be replayed."""

    TAKEN = "taken"
    SET_ASIDE = "set_aside"
    TAKEN_BEFORE = "taken_before"  # nothing was done
    UNKNOWN = "unknown"  # there is no such entry


class Told(msgspec.Struct, frozen=True):
    """What whoever asked is told of one entry; ``position`` is that of the events that were taken."""

    entry: int
    outcome: Outcome
    events: int = 0
    position: str | None = None
    reason: str | None = None
    sentence: str | None = None


class _Stored(NamedTuple):
    entry: SetAsideEvent
    content_type: str
    body: bytes


class _Waiting(NamedTuple):
    """What waits for its commit; ``recorded``: it brings events."""

    replayed: Replayed
    recorded: bool
    size: int
    position: asyncio.Future[int]


class Replayer:
    """Takes entries of the quarantine again, one request at a time. Closing is safe twice."""

    def __init__(
        self, path: Path, intake: Intake, journal: Journal, clock: Clock, count: Callable[[ReplayOutcome], None]
    ) -> None:
        """``count`` is told of each replay once it is durable."""
        self._reader = JournalReader(path)
        self._intake = intake
        self._journal = journal
        self._clock = clock
        self._count = count
        self._one_at_a_time = asyncio.Lock()

    def close(self) -> None:
        self._reader.close()

    async def replay(self, entries: Iterable[int], by: str) -> list[Told]:
        """Return what became of each entry, all of it durable. Raises Refused where the journal can't be written.

        What was taken until then stays taken; asking again does nothing twice.
        """
        async with self._one_at_a_time:
            told: list[Told] = []
            waiting: list[_Waiting] = []
            try:
                for entry in dict.fromkeys(entries):
                    stored = await asyncio.get_running_loop().run_in_executor(None, self._read, entry)
                    if not isinstance(stored, _Stored):
                        told.append(Told(entry, stored))
                        continue
                    if sum(each.size for each in waiting) > _AT_ONCE_BYTES:
                        told += await self._settled(waiting)
                        waiting = []
                    waiting.append(await self._append(stored, by))
            finally:
                told += await self._settled(waiting)
            return told

    async def _append(self, stored: _Stored, by: str) -> _Waiting:
        made, replayed = await self._made_of(stored, by)
        return _Waiting(replayed, made.request is not None, made.size, self._journal.append(made))

    async def _settled(self, waiting: list[_Waiting]) -> list[Told]:
        """Return what is told of entries once they are durable."""
        records = await asyncio.gather(*(each.position for each in waiting))
        for each in waiting:
            self._count(each.replayed.outcome)
        return [_told(each, record) for each, record in zip(waiting, records, strict=True)]

    def _read(self, entry: int) -> _Stored | Outcome:
        stored, body = self._reader.quarantined(entry), self._reader.quarantined_body(entry)
        if stored is None or body is None:
            return Outcome.UNKNOWN
        before = self._reader.replays([entry]).get(entry, [])
        if any(each.outcome is ReplayOutcome.TAKEN for each in before):
            return Outcome.TAKEN_BEFORE
        return _Stored(stored, *body)

    async def _made_of(self, stored: _Stored, by: str) -> tuple[Entry, Replayed]:
        """Return what reading an entry again brings to the journal, with the mark of its replay."""
        entry, now = stored.entry, self._clock.now()
        incoming = Incoming(
            Door(entry.door), Signal(entry.signal), entry.sender, stored.content_type, {}, stored.body, history=True
        )
        try:
            read = await self._intake.read(incoming, entry.received)
        except Refused as refused:
            read = Reading()
            replayed = _set_aside(entry.id, now, by, refused.refusal, refused.sentence)
        else:
            replayed = _replayed(entry.id, now, by, read, stored.body)
        made = entry_of(incoming, _kept(read, stored.body), entry.received)
        return msgspec.structs.replace(made, replayed=replayed), replayed


def _replayed(entry: int, at: int, by: str, read: Reading, body: bytes) -> Replayed:
    """Say what came of it: an input of which only some events can be read stays, with the reason of the others."""
    left = [each for each in read.rejected if each.body == body or not read.events]
    if left:
        first = left[0].set_aside
        return _set_aside(entry, at, by, first.reason, first.sentence, len(read.events))
    return Replayed(entry, at, by, ReplayOutcome.TAKEN, len(read.events))


def _set_aside(entry: int, at: int, by: str, reason: str, sentence: str, events: int = 0) -> Replayed:
    return Replayed(entry, at, by, ReplayOutcome.SET_ASIDE, events, reason, sentence)


def _kept(read: Reading, body: bytes) -> Reading:
    """Return what is new of a reading: its spans and logs are in the journal since the first time.

    What is set aside again is no new entry where its body is that of the old one.
    """
    rejected = [each for each in read.rejected if each.body != body]
    return Reading(events=read.events, rejected=rejected if read.events else [])


def _told(waiting: _Waiting, record: int) -> Told:
    replayed = waiting.replayed
    return Told(
        entry=replayed.entry,
        outcome=Outcome(replayed.outcome),
        events=replayed.events,
        position=position_text(record) if waiting.recorded else None,
        reason=replayed.reason,
        sentence=replayed.sentence,
    )
