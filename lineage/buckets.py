"""Rows under keys that come in no order, such as trace ids, kept together by when they came.

In a table under such keys alone each new row is on a page of its own, so that a batch of a thousand writes a thousand
pages, and reads them first once the table is larger than the cache. With the number of a bucket before the key a
batch writes the few pages of the youngest bucket. Which older buckets may hold a key is told from memory: the keys of
the youngest are known, and a Bloom filter stands for those of each older one, which says yes to one foreign key in
5,000. Keys never leave a filter; one that says yes costs a question.

On PostgreSQL there is one bucket and nothing in memory: other engines add keys meanwhile.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from struct import Struct
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar, cast

from throughline.core.sql import Connection

BUCKET_BITS = 16
BUCKET_KEYS = 1 << BUCKET_BITS
"""How many keys a bucket has before the next begins."""

_SLOTS = 1 << 21  # of a filter, unless told otherwise: four of them are set for each key, so that one in eight is
_KIND = "/4"  # after the name of its table: filters of two bits a key, which earlier versions stored, are of no use
_AT_ONCE = 64  # buckets in one word
_LANE = 8  # buckets in one byte of it: what is stored of them once all are full
_LANES = _AT_ONCE // _LANE
_FEW = 1 << 12
"""Keys without which there is no filter: the least of them all takes 16 MiB, of which a small store has no need."""
_TO_READ = 1 << 20
"""Slots of a filter, at most, for who only reads: half the memory, and one foreign key in 450 costs a question."""
_parts: Callable[[bytes], tuple[int, int, int, int]] = Struct("<IIII").unpack  # pyright: ignore[reportAssignmentType]


K = TypeVar("K")  # of keys: bytes, or whatever is spread to bytes


class Places(Protocol[K]):
    """Where the rows of a table may be; a key that is in none of the buckets told is in no other."""

    def where(self, keys: Sequence[K]) -> Mapping[int, Sequence[K]]:
        """Return by bucket which keys may be there."""
        ...


class OneBucket(Generic[K]):
    """All rows are in one bucket, whoever adds some."""

    def where(self, keys: Sequence[K]) -> Mapping[int, Sequence[K]]:
        return {0: keys}

    def next_bucket(self) -> int:
        return 0

    def add(self, bucket: int, keys: Iterable[K]) -> None:
        """Keep nothing."""


class Filters:
    """A Bloom filter for each full bucket, the bits of 64 of them beside each other."""

    def __init__(self, slots: int = _SLOTS) -> None:
        """``slots``: a power of two."""
        self._slots = slots
        self._mask = slots - 1
        self._words: list[array[int]] = []

    def put(self, bucket: int, keys: Iterable[bytes]) -> None:
        """Fill the filter of a bucket; ``keys`` are 16 bytes each, evenly spread."""
        words, bit, mask = self._words_of(bucket), 1 << bucket % _AT_ONCE, self._mask
        for key in keys:
            a, b, c, d = _parts(key)
            words[a & mask] |= bit
            words[b & mask] |= bit
            words[c & mask] |= bit
            words[d & mask] |= bit

    def find(self, keys: Sequence[bytes]) -> Iterator[tuple[int, int]]:
        """Yield the places of keys that a bucket may hold, with it."""
        mask = self._mask
        for index, words in enumerate(self._words):
            for place, key in enumerate(keys):
                a, b, c, d = _parts(key)
                hits = words[a & mask] & words[b & mask]
                if hits:
                    hits &= words[c & mask] & words[d & mask]
                while hits:
                    yield place, index * _AT_ONCE + (hits & -hits).bit_length() - 1
                    hits &= hits - 1

    def lane(self, number: int) -> bytes:
        """Return the filters of eight buckets, to be stored."""
        return self._words_of(number * _LANE).tobytes()[_offset(number) :: _LANES]

    def put_lanes(self, stored: Mapping[int, bytes]) -> None:
        """Take over lanes that were stored, by their numbers; also those of filters with more slots than these."""
        by_word: dict[int, list[int]] = {}
        for number in stored:
            by_word.setdefault(number // _LANES, []).append(number)
        for index, numbers in by_word.items():
            words = bytearray(self._words_of(index * _AT_ONCE).tobytes())
            for number in numbers:
                words[_offset(number) :: _LANES] = _folded(stored[number], self._slots)
            self._words[index] = array("Q", bytes(words))

    def _words_of(self, bucket: int) -> array[int]:
        while len(self._words) <= bucket // _AT_ONCE:
            self._words.append(array("Q", bytes(self._slots * 8)))
        return self._words[bucket // _AT_ONCE]


def _folded(bits: bytes, slots: int) -> bytes:
    """Return eight filters in fewer slots: a slot's number loses its highest bit each time that these are halved."""
    while len(bits) > slots:
        half = len(bits) // 2
        bits = (int.from_bytes(bits[:half], "big") | int.from_bytes(bits[half:], "big")).to_bytes(half, "big")
    return bits


def _offset(lane: int) -> int:
    at = lane % _LANES
    return at if sys.byteorder == "little" else _LANES - 1 - at


Spread = Callable[[K], bytes]


def spread(key: bytes) -> bytes:
    """Return what stands in a filter for a key that senders choose."""
    return blake2b(key, digest_size=16).digest()


class Lanes:
    """The filters that are stored of one store, kept for all who read it: a full bucket gets no further key.

    If one does after all, what is stored of it goes, and is made anew by an engine that opens the store again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._opened: Any = None
        self._filters: dict[str, tuple[Filters, set[int]]] = {}

    def of(self, connection: Connection, table: str, slots: int = _SLOTS) -> tuple[Filters, set[int]]:
        """Return the filters of a table, and of which lanes they say where its keys are, as a connection sees it."""
        name = table + _KIND
        opened = connection.execute("SELECT value FROM meta WHERE name = 'opened'").fetchone()
        stored = {row[0] for row in connection.execute("SELECT lane FROM key_filter WHERE name = ?", (name,))}
        with self._lock:
            if opened != self._opened:
                self._opened, self._filters = opened, {}
            filters, read = self._filters.setdefault(name, (Filters(min(slots, _TO_READ)), set()))
            read &= stored
            missing, question = sorted(stored - read), "SELECT bits FROM key_filter WHERE name = ? AND lane = ?"
            for start in range(0, len(missing), _LANES):
                some = missing[start : start + _LANES]
                filters.put_lanes({lane: connection.execute(question, (name, lane)).fetchone()[0] for lane in some})
                read.update(some)
        return filters, stored


class EveryBucket(Generic[K]):
    """What a reader knows, who is told of no new keys: the filters that are stored, and of which buckets none is."""

    def __init__(
        self, connection: Connection, table: str, lanes: Lanes, spread: Spread[K] | None = None, slots: int = _SLOTS
    ) -> None:
        self._connection = connection
        self._table = table
        self._lanes = lanes
        self._spread = spread
        self._slots = slots

    def where(self, keys: Sequence[K]) -> Mapping[int, Sequence[K]]:
        (last,) = self._connection.execute(f"SELECT max(bucket) FROM {self._table}").fetchone()
        if last is None or not keys:
            return {}
        filters, lanes = self._lanes.of(self._connection, self._table, self._slots)
        found = {bucket: list(keys) for bucket in range(last + 1) if bucket // _LANE not in lanes}
        for place, bucket in filters.find(_spread_by(self._spread, keys)):
            if bucket // _LANE in lanes:
                found.setdefault(bucket, []).append(keys[place])
        return found


class StoredFilters(Generic[K]):
    """The filters of a table's full buckets and of its youngest, kept in the store for the next start, eight at a time.

    ``stored`` gives the keys of a bucket.
    """

    def __init__(
        self,
        connection: Connection,
        table: str,
        stored: Callable[[int], Iterable[K]],
        spread: Spread[K] | None = None,
        slots: int = _SLOTS,
    ) -> None:
        self._connection = connection
        self._name = table + _KIND
        self._stored = stored
        self._spread = spread
        self._asked: dict[K, bytes] = {}  # those asked for last, as they are spread: they are those that are added next
        self._few: list[K] | None = []  # the first keys of the first bucket, which is the youngest while these are all
        self._filters = Filters(slots)
        connection.execute("DELETE FROM key_filter WHERE name = ?", (table,))

    def open(self, youngest: int, young: Iterable[K]) -> None:
        """Read the filters that are stored of buckets before the youngest, and make those that are not."""
        self.drop_lane(youngest)  # which may have been full before, if all that came after it has left
        lanes = dict(self._connection.execute("SELECT lane, bits FROM key_filter WHERE name = ?", (self._name,)))
        self._filters.put_lanes(lanes)
        for bucket in range(youngest):
            if bucket // _LANE not in lanes:
                self.fill(bucket, self._stored(bucket))
                self.seal(bucket)
        self.fill(youngest, young)

    def find(self, keys: Sequence[K]) -> Iterator[tuple[K, int]]:
        """Yield keys with the buckets that may hold them."""
        spread = _spread_by(self._spread, keys)
        if self._spread is not None:
            self._asked = dict(zip(keys, spread, strict=True))
        for place, bucket in self._filters.find(spread):
            yield keys[place], bucket

    def fill(self, bucket: int, keys: Iterable[K]) -> None:
        """Note keys of a bucket; what is found by them is found in the youngest without."""
        few = self._few
        if few is not None:
            if bucket == 0:
                few.extend(keys)
                if len(few) < _FEW:
                    return
                keys = ()
            self._few = None
            self._put(0, few)
        self._put(bucket, keys)

    def _put(self, bucket: int, keys: Iterable[K]) -> None:
        spread, asked = self._spread, self._asked
        if spread is not None:
            self._filters.put(bucket, [asked.get(key) or spread(key) for key in keys])
        else:
            self._filters.put(bucket, _spread_by(None, keys))

    def seal(self, bucket: int) -> None:
        """Store what is known of full buckets, once there are eight."""
        if bucket % _LANE == _LANE - 1:
            lane = bucket // _LANE
            self._connection.execute(
                "INSERT INTO key_filter (name, lane, bits) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (self._name, lane, self._filters.lane(lane)),
            )

    def drop_lane(self, bucket: int) -> None:
        """Store nothing of a bucket that gets further keys; it is made anew at the next start, or once it is full."""
        self._connection.execute("DELETE FROM key_filter WHERE name = ? AND lane = ?", (self._name, bucket // _LANE))


class KeyIndex(Generic[K]):
    """Knows every key of a table ``table`` (bucket, ``column``), whose one writer tells it of each that is added."""

    def __init__(
        self, connection: Connection, table: str, column: str, spread: Spread[K] | None = None, slots: int = _SLOTS
    ) -> None:
        self._connection = connection
        self._table = table
        self._column = column
        self._filters = StoredFilters(connection, table, self._stored, spread, slots)
        self.bucket: int = connection.execute(f"SELECT coalesce(max(bucket), 0) FROM {table}").fetchone()[0]
        self._young: set[K] = set(self._stored(self.bucket))
        self._filters.open(self.bucket, self._young)

    def _stored(self, bucket: int) -> Iterator[K]:
        rows = self._connection.execute(f"SELECT {self._column} FROM {self._table} WHERE bucket = ?", (bucket,))
        return (row[0] for row in rows)

    def next_bucket(self) -> int:
        """Return the bucket for a new key, where they are filled to the brim."""
        return self.bucket + (len(self._young) >= BUCKET_KEYS)

    def where(self, keys: Sequence[K]) -> Mapping[int, Sequence[K]]:
        found: dict[int, list[K]] = {}
        young = [key for key in keys if key in self._young]
        if young:
            found[self.bucket] = young
        for key, bucket in self._filters.find(keys):
            if bucket != self.bucket:
                found.setdefault(bucket, []).append(key)
        return found

    def add(self, bucket: int, keys: Iterable[K]) -> None:
        """Note keys that are new in a bucket; one after the youngest becomes that, an older one is a rare exception."""
        if bucket < self.bucket:
            self._filters.fill(bucket, keys)
            self._filters.drop_lane(bucket)
            return
        if bucket > self.bucket:
            self._filters.seal(self.bucket)
            self.bucket, self._young = bucket, set[K]()
        new = [key for key in keys if key not in self._young]
        self._young.update(new)
        self._filters.fill(bucket, new)


def _spread_by(spread: Spread[K] | None, keys: Iterable[K]) -> Sequence[bytes]:
    """Return what stands in filters for keys; those that are not spread are bytes already."""
    return (
        cast("Sequence[bytes]", keys if isinstance(keys, Sequence) else list(keys))
        if spread is None
        else [*map(spread, keys)]
    )


def places_to_read(connection: Connection, table: str, lanes: Lanes, spread: Spread[bytes]) -> Places[bytes]:
    """Return where the rows of a table may be, for who only reads."""
    return OneBucket() if connection.dialect == "postgresql" else EveryBucket(connection, table, lanes, spread)


def places_to_write(
    connection: Connection, table: str, column: str, spread: Spread[bytes] | None = None
) -> OneBucket[bytes] | KeyIndex[bytes]:
    """Return where the rows of a table may be under keys in ``column``, for its writer; new keys are told to it."""
    return OneBucket() if connection.dialect == "postgresql" else KeyIndex(connection, table, column, spread)
