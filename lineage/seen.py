"""Which events count: from the digest of (source, id) to where the content is that stands.

Digests come in no order, so that of a table keyed by them each new row is on a page of its own. In a file they stand
in the order in which the events came, 40 bytes each, so that a batch only appends. The way back from a digest is, for
the youngest bucket of events (lineage/buckets.py), in the engine's memory; for each full one a sorted index is written
once. Which of these to ask is told by filters. For who only reads there is an index of each full run of the youngest.

On PostgreSQL a digest has a row of its own, as several engines see there who was first.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from lineage.buckets import BUCKET_BITS, BUCKET_KEYS, StoredFilters
from throughline.core.event import DIGEST_BYTES
from throughline.core.sql import Connection

ROW_EVENTS = 100
"""Of one row: as many as a page of the file holds."""

RUN_KEYS = 1 << 12
"""How many seqs a run has: a sixteenth of a bucket."""

_CONTENT = DIGEST_BYTES + 8  # where the digest of the content begins
_MARK = _CONTENT + DIGEST_BYTES
_NOTHING = bytes(_MARK)  # in the place of an event that does not count
_PREFIX = 6  # bytes of a digest that the index has; what it says is looked up
_OFFSET = BUCKET_KEYS - 1
_RUN_BITS = 12
_PART_BITS = 4  # there are as many parts of a full bucket as runs of the youngest
_PARTS = 1 << _PART_BITS
_WITHIN_PART = 64 - _PART_BITS


class SeenRow(NamedTuple):
    """What is known of a (source, id): where its standing content is, and that content's (receipt, digest)."""

    seq: int
    received: int
    content: bytes


class Seen(Protocol):
    """The events that count."""

    def find(self, digests: Sequence[bytes]) -> dict[bytes, SeenRow]:
        """Return what is known of (source, id)s by their digests."""
        ...

    def standing(self, digests: Mapping[int, bytes]) -> set[int]:
        """Return which of some stored events, by seq with their digests, stand."""
        ...


class SeenWriter(Seen, Protocol):
    """The events that count, and which do from now on."""

    def put(self, first: int, new: Sequence[tuple[bytes, int, bytes]], replaced: Iterable[SeenRow]) -> None:
        """Let events stand that came with seqs from one on, as (digest, receipt, content's digest); others no more."""
        ...

    def drop(self, digests: Sequence[bytes]) -> None:
        """Forget what is known of (source, id)s."""
        ...


class IndexedSeen:
    """A row each, under its digest."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, digests: Sequence[bytes]) -> dict[bytes, SeenRow]:
        rows = self._connection.execute(
            "SELECT digest, seq, received, content FROM seen"
            " WHERE bucket = 0 AND digest IN (SELECT value FROM json_each(?))",
            (self._connection.array(digests),),
        )
        return {digest: SeenRow(*row) for digest, *row in rows}

    def standing(self, digests: Mapping[int, bytes]) -> set[int]:
        wanted = {(seq, digest) for seq, digest in digests.items()}
        found = self.find(list(digests.values()))
        return {row.seq for digest, row in found.items() if (row.seq, digest) in wanted}

    def put(self, first: int, new: Sequence[tuple[bytes, int, bytes]], replaced: Iterable[SeenRow]) -> None:
        self._connection.executemany(
            "INSERT INTO seen (bucket, digest, seq, received, content) VALUES (0, ?, ?, ?, ?)"
            " ON CONFLICT (bucket, digest) DO UPDATE"
            " SET seq = excluded.seq, received = excluded.received, content = excluded.content",
            [(digest, seq, received, content) for seq, (digest, received, content) in enumerate(new, first)],
        )

    def drop(self, digests: Sequence[bytes]) -> None:
        self._connection.executemany(
            "DELETE FROM seen WHERE bucket = 0 AND digest = ?", [(digest,) for digest in digests]
        )


class PackedSeen:
    """In rows of many, in the order of seqs; for who only reads, and seldom knows no more than a digest."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, digests: Sequence[bytes]) -> dict[bytes, SeenRow]:
        return self._at(self._places(digests))

    def standing(self, digests: Mapping[int, bytes]) -> set[int]:
        return {row.seq for row in self._at(digests.items()).values()}

    def rows(self) -> Iterator[tuple[bytes, int, int, bytes]]:
        """Yield (digest, seq, receipt, content's digest) of all events that count, as another database takes them."""
        for bucket in range(self.youngest() + 1):
            for digest, row in self._at((seq, digest) for digest, seq in self.digests(bucket)).items():
                yield digest, row.seq, row.received, row.content

    def _places(self, digests: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """Return at which seqs digests may stand."""
        if not digests:
            return []
        last = self.youngest()
        found = list(self.young_places(last, digests))
        for bucket in range(last):
            found += self.indexed(bucket, digests)
        return found

    def young_places(self, bucket: int, digests: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Yield the seqs at which the youngest bucket may hold digests: by its full runs, and what came since."""
        first, wanted = bucket << BUCKET_BITS, set(digests)
        for part, entries in self._connection.execute(_RUNS, _parts_of(bucket)).fetchall():
            yield from _found(bucket, entries, digests)
            first = part + 1 << _RUN_BITS
        yield from ((seq, digest) for digest, seq in self._digests_from(first, bucket) if digest in wanted)

    def youngest(self) -> int:
        """Return the youngest bucket; those before it are full, and have an index."""
        return self._last_row() >> BUCKET_BITS

    def _last_row(self) -> int:
        (last,) = self._connection.execute("SELECT max(first) FROM counted").fetchone()
        return last or 0

    def digests(self, bucket: int) -> Iterator[tuple[bytes, int]]:
        """Yield the digests of a bucket with their seqs."""
        return self._digests_from(bucket << BUCKET_BITS, bucket)

    def _digests_from(self, seq: int, bucket: int) -> Iterator[tuple[bytes, int]]:
        for first, marks in self._connection.execute(_OF_BUCKET, (seq, bucket + 1 << BUCKET_BITS)):
            for at in range(0, len(marks), _MARK):
                digest = marks[at : at + DIGEST_BYTES]
                if digest != _NOTHING[:DIGEST_BYTES]:
                    yield digest, first + at // _MARK

    def indexed(self, bucket: int, digests: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        """Yield the seqs at which a full bucket may hold digests."""
        for part, some in groupby(sorted(digests), key=_part_of):
            row = self._connection.execute(_PART, (bucket << _PART_BITS | part,)).fetchone()
            if row is not None:
                yield from _found(bucket, row[0], some)

    def _at(self, places: Iterable[tuple[int, bytes]]) -> dict[bytes, SeenRow]:
        """Return what stands at seqs, where it is what is looked for there."""
        found: dict[bytes, SeenRow] = {}
        first, marks = 0, b""
        for seq, digest in sorted(places):
            at = (seq - first) * _MARK
            if at >= len(marks):
                first, marks = self._row_at(seq)
                at = (seq - first) * _MARK
            if marks[at : at + DIGEST_BYTES] == digest:
                received = int.from_bytes(marks[at + DIGEST_BYTES : at + _CONTENT], "big")
                found[digest] = SeenRow(seq, received, marks[at + _CONTENT : at + _MARK])
        return found

    def _row_at(self, seq: int) -> tuple[int, bytes]:
        return self._connection.execute(_ROW_AT, (seq,)).fetchone() or (seq, b"")


class CountedSeen(PackedSeen):
    """For the engine, which knows where the digests of the youngest bucket stand."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._bucket = self.youngest()
        self._seqs = dict(self.digests(self._bucket))
        self._run = max(self._seqs.values(), default=self._bucket << BUCKET_BITS) >> _RUN_BITS
        self._of_run = {digest: seq for digest, seq in self._seqs.items() if seq >> _RUN_BITS == self._run}
        self._filters = StoredFilters(connection, "counted", self._digests_of)
        self._filters.open(self._bucket, self._seqs)

    def _digests_of(self, bucket: int) -> Iterator[bytes]:
        return (digest for digest, _ in self.digests(bucket))

    def _places(self, digests: Sequence[bytes]) -> list[tuple[int, bytes]]:
        seqs = self._seqs
        found = [(seqs[digest], digest) for digest in digests if digest in seqs]
        older: dict[int, list[bytes]] = {}
        for digest, bucket in self._filters.find(digests):
            if bucket != self._bucket:
                older.setdefault(bucket, []).append(digest)
        for bucket, some in older.items():
            found += self.indexed(bucket, some)
        return found

    def put(self, first: int, new: Sequence[tuple[bytes, int, bytes]], replaced: Iterable[SeenRow]) -> None:
        self._void([row.seq for row in replaced])
        rows: list[tuple[int, bytes]] = []
        while new:
            if first >> _RUN_BITS != self._run:
                self._begin_run(first >> _RUN_BITS)
            some = new[: RUN_KEYS - first % RUN_KEYS]
            placed = {digest: seq for seq, (digest, _, _) in enumerate(some, first)}
            self._seqs.update(placed)
            self._of_run.update(placed)
            self._filters.fill(self._bucket, list(placed))
            packed = b"".join([digest + received.to_bytes(8, "big") + content for digest, received, content in some])
            size = ROW_EVENTS * _MARK
            rows += [(first + at // _MARK, packed[at : at + size]) for at in range(0, len(packed), size)]
            first, new = first + len(some), new[len(some) :]
        self._connection.executemany("INSERT INTO counted (first, marks) VALUES (?, ?)", rows)

    def _begin_run(self, run: int) -> None:
        """Write the index of the run that is full, or that of its bucket where that is full with it."""
        if run >> _PART_BITS == self._bucket:
            index = [(self._run, entries_of(self._of_run.items()))]
        else:
            self._drop_index(self._bucket)
            index = index_of(self._bucket, self._seqs.items())
            self._filters.seal(self._bucket)
            self._bucket, self._seqs = run >> _PART_BITS, {}
        self._connection.executemany("INSERT INTO counted_index (part, entries) VALUES (?, ?)", index)
        self._run, self._of_run = run, {}

    def _drop_index(self, bucket: int) -> None:
        self._connection.execute("DELETE FROM counted_index WHERE part >= ? AND part < ?", _parts_of(bucket))

    def drop(self, digests: Sequence[bytes]) -> None:
        self._void([row.seq for row in self.find(digests).values()])
        for digest in digests:
            self._seqs.pop(digest, None)

    def _void(self, seqs: Iterable[int]) -> None:
        """Let nothing stand at seqs; a row of nothing goes, and with the last one of a bucket its index."""
        rows: dict[int, bytearray] = {}
        first, marks = 0, bytearray()
        for seq in sorted(seqs):
            if (seq - first) * _MARK >= len(marks):
                first, stored = self._row_at(seq)
                marks = rows[first] = bytearray(stored)
            at = (seq - first) * _MARK
            marks[at : at + _MARK] = _NOTHING
        for first, marks in rows.items():
            if any(marks) or first == self._last_row():
                self._connection.execute("UPDATE counted SET marks = ? WHERE first = ?", (marks, first))
            else:
                self._drop_row(first)

    def _drop_row(self, first: int) -> None:
        self._connection.execute("DELETE FROM counted WHERE first = ?", (first,))
        bucket = first >> BUCKET_BITS
        bounds = (bucket << BUCKET_BITS, bucket + 1 << BUCKET_BITS)
        if self._connection.execute(_OF_BUCKET + " LIMIT 1", bounds).fetchone() is None:
            self._drop_index(bucket)


_OF_BUCKET = "SELECT first, marks FROM counted WHERE first >= ? AND first < ?"
_ROW_AT = "SELECT first, marks FROM counted WHERE first <= ? ORDER BY first DESC LIMIT 1"
_PART = "SELECT entries FROM counted_index WHERE part = ?"
_RUNS = "SELECT part, entries FROM counted_index WHERE part >= ? AND part < ? ORDER BY part"


def lost_events(connection: Connection) -> Iterator[int]:
    """Yield the seqs of events that count and are not found by their digests, in a file of one writer."""
    seen = PackedSeen(connection)
    last = seen.youngest()
    for bucket in range(last + 1):
        placed = list(seen.digests(bucket))
        find = seen.young_places if bucket == last else seen.indexed
        found = set(find(bucket, [digest for digest, _ in placed]))
        yield from (seq for digest, seq in placed if (seq, digest) not in found)


def rows_of(events: Iterable[tuple[int, bytes, int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of events of one bucket, by (seq, digest, receipt, content's digest); none is of two runs."""
    for _, some in groupby(sorted(events), key=lambda event: (_run_of(event[0]), event[0] % RUN_KEYS // ROW_EVENTS)):
        marks, first = bytearray(), -1
        for seq, digest, received, content in some:
            first = seq if first < 0 else first
            marks += bytes((seq - first) * _MARK - len(marks))
            marks += digest + received.to_bytes(8, "big") + content
        yield first, bytes(marks)


def runs_of(placed: Sequence[tuple[bytes, int]]) -> Iterator[tuple[int, bytes]]:
    """Yield the index of each full run of the youngest bucket, of its digests with their seqs."""
    last = max((_run_of(seq) for _, seq in placed), default=0)
    for run, some in groupby(sorted(placed, key=lambda each: each[1]), key=lambda each: _run_of(each[1])):
        if run < last:
            yield run, entries_of(some)


def index_of(bucket: int, placed: Iterable[tuple[bytes, int]]) -> Iterator[tuple[int, bytes]]:
    """Yield the parts of the index of a full bucket, of its digests with their seqs: by their first four bits."""
    entries = _sorted(placed)
    for part in range(_PARTS):
        begin = bisect_left(entries, part << _WITHIN_PART)
        end = bisect_left(entries, part + 1 << _WITHIN_PART)
        if begin < end:
            yield bucket << _PART_BITS | part, _native(entries[begin:end].tobytes())


def entries_of(placed: Iterable[tuple[bytes, int]]) -> bytes:
    """Return digests with their seqs as sorted little-endian numbers: the first 48 bits of one, and 16 of the other."""
    return _native(_sorted(placed).tobytes())


def _sorted(placed: Iterable[tuple[bytes, int]]) -> array[int]:
    return array("Q", sorted(_prefix(digest) << BUCKET_BITS | seq & _OFFSET for digest, seq in placed))


def _found(bucket: int, stored: bytes, digests: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the seqs at which entries of an index say that digests may stand."""
    entries = memoryview(_native(stored[: len(stored) & -8])).cast("Q")
    for digest in digests:
        prefix = _prefix(digest)
        at = bisect_left(entries, prefix << BUCKET_BITS)
        while at < len(entries) and entries[at] >> BUCKET_BITS == prefix:
            yield bucket << BUCKET_BITS | entries[at] & _OFFSET, digest
            at += 1


def _run_of(seq: int) -> int:
    return seq >> _RUN_BITS


def _parts_of(bucket: int) -> tuple[int, int]:
    """Return the first part of a bucket's index, and the first of the next one's."""
    return bucket << _PART_BITS, bucket + 1 << _PART_BITS


def _prefix(digest: bytes) -> int:
    return int.from_bytes(digest[:_PREFIX], "big")


def _part_of(digest: bytes) -> int:
    return digest[0] >> 8 - _PART_BITS


def _native(entries: bytes) -> bytes:
    """Return 64-bit numbers from little-endian to this machine's order, or back."""
    if sys.byteorder == "little":
        return entries
    swapped = array("Q", entries)
    swapped.byteswap()
    return swapped.tobytes()


def seen_to_read(connection: Connection) -> Seen:
    return IndexedSeen(connection) if connection.dialect == "postgresql" else PackedSeen(connection)


def seen_to_write(connection: Connection) -> SeenWriter:
    return IndexedSeen(connection) if connection.dialect == "postgresql" else CountedSeen(connection)
