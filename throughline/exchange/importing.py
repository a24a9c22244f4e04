"""Importing: entries in batches to a door, with a note of how far it is after each that is on disk.

An import that was cut off goes on from its note. What was sent but not noted is sent again, and counts once: an event
has the same source and id each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

import msgspec

from throughline.core.errors import LastingError
from throughline.exchange.door import Door, Receipt
from throughline.exchange.entry import Entry, Log, Unread

NOTES = "imports"
BATCH_ENTRIES = 500
BATCH_BYTES = 1 << 20


class Refusals(msgspec.Struct):
    """How many entries were set aside for a reason, and the first of them."""

    count: int = 0
    example: str = ""


class Standing(msgspec.Struct):
    """How far an import is: entries read, and what became of them.

    ``types`` counts what was sent by event type; ``position`` is the door's, of the last batch.
    """

    file: str
    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    set_aside: dict[str, Refusals] = {}
    types: dict[str, int] = {}
    position: str | None = None

    def add(self, batch: list[Entry | Unread], receipt: Receipt, sent: list[Entry]) -> None:
        """Count a batch that is on disk."""
        self.read += len(batch)
        self.accepted += receipt.accepted
        self.duplicates += receipt.duplicates
        self.position = receipt.position or self.position
        for each in sent:
            if each.type is not None:
                self.types[each.type] = self.types.get(each.type, 0) + 1
        for unread in batch:
            if isinstance(unread, Unread):
                self._refuse(unread.reason, f"{unread.place}: {unread.sentence}")
        for refused in receipt.set_aside:
            place = sent[refused.index].place if refused.index < len(sent) else "?"
            self._refuse(refused.reason, f"{place}: {refused.detail or refused.reason}")

    def _refuse(self, reason: str, example: str) -> None:
        refusals = self.set_aside.setdefault(reason, Refusals())
        refusals.count += 1
        refusals.example = refusals.example or example[:500]


class Note:
    """The file that says how far an import of one log, read in one way, is."""

    def __init__(self, folder: Path, what: list[str]) -> None:
        """``what`` tells one import from others: the digest of the log, and every option that changes its events."""
        self._path = folder / f"{sha256(msgspec.json.encode(what)).hexdigest()[:32]}.json"

    def read(self, file: str) -> Standing:
        """Return how far it is; at the beginning where there is no note, or one that cannot be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Standing)
        except (OSError, msgspec.DecodeError, msgspec.ValidationError):
            return Standing(file)

    def write(self, standing: Standing) -> None:
        """Write it atomically. Raises LastingError where it cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(standing))
            os.replace(new, self._path)
        except OSError as error:
            raise LastingError(
                f"{self._path.parent} cannot be written ({error.strerror}): give a folder of this user with --data DIR"
            ) from error

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def import_log(log: Log, door: Door, note: Note, standing: Standing, shown: Callable[[Standing], None]) -> None:
    """Send what is not yet sent of a log; ``standing`` counts on, ``shown`` is told after each batch."""
    rest = islice(log.entries(), standing.read, None)
    for batch in batches(rest):
        sent = [entry for entry in batch if isinstance(entry, Entry)]
        receipt = door.send([entry.body for entry in sent]) if sent else Receipt()
        standing.add(batch, receipt, sent)
        note.write(standing)
        shown(standing)
    note.remove()


def look_at(log: Log, standing: Standing, shown: Callable[[Standing], None]) -> None:
    """Read a log and count what would be sent; nothing is."""
    for batch in batches(log.entries()):
        standing.add(batch, Receipt(), [entry for entry in batch if isinstance(entry, Entry)])
        shown(standing)


def batches(entries: Iterator[Entry | Unread]) -> Iterator[list[Entry | Unread]]:
    """Give entries in batches that are within what a door takes at once."""
    batch: list[Entry | Unread] = []
    size = 0
    for entry in entries:
        length = len(entry.body) if isinstance(entry, Entry) else 0
        if batch and (len(batch) == BATCH_ENTRIES or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch
