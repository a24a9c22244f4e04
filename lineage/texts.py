"""The texts of keys, interned: from a text to its id.

Correlation ids come in no order, so that in one index over all texts each new one would be on a page of its own. Texts
stand by their ids alone; the way back leads over a hash of eight bytes, in buckets (lineage/buckets.py) of texts that
were interned one after the other. A hash only says where to look: the text itself decides.

On PostgreSQL texts have an index, as several engines intern at the same time and see there who was first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

from lineage.buckets import BUCKET_BITS, EveryBucket, KeyIndex, Lanes, Places
from throughline.core.sql import Connection

_TABLE, _COLUMN = "value_hash", "hash"
_SLOTS = 1 << 20  # of a filter: two bytes a key
_SEPARATOR = "\x1f"  # of a key's type, value and scope
_HALF = 32
_HALF_MASK = (1 << _HALF) - 1
_ODD = 0x9E3779B97F4A7C15F39CC0605CEDC835  # 2^128 over the golden ratio: multiplying by it spreads the bits of a number
_WIDE_MASK = (1 << 128) - 1


class Texts(Protocol):
    """The texts that are interned."""

    def ids(self, texts: Iterable[str]) -> dict[str, int]:
        """Return the ids of those texts that are interned."""
        ...

    def scoped(self, text: str, limit: int) -> list[str]:
        """Return the first texts of one type and value, with whatever scope, in the order of texts."""
        ...

    def add(self, first: int, new: Sequence[str]) -> None:
        """Intern texts that are not yet, with ids from ``first`` on."""
        ...

    def forget(self, gone: Mapping[int, str]) -> None:
        """Intern texts no more, by their ids."""
        ...


class IndexedTexts:
    """Texts with an index of the database's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ids(self, texts: Iterable[str]) -> dict[str, int]:
        sql = "SELECT text, id FROM value WHERE text IN (SELECT value FROM json_each(?))"
        return dict(self._connection.execute(sql, (self._connection.array(texts),)).fetchall())

    def scoped(self, text: str, limit: int) -> list[str]:
        sql = "SELECT text FROM value WHERE text > ? AND text < ? ORDER BY text LIMIT ?"
        rows = self._connection.execute(sql, (text + _SEPARATOR, text + chr(ord(_SEPARATOR) + 1), limit))
        return [row[0] for row in rows]

    def add(self, first: int, new: Sequence[str]) -> None:
        self._connection.executemany("INSERT INTO value (id, text) VALUES (?, ?)", enumerate(new, first))

    def forget(self, gone: Mapping[int, str]) -> None:
        self._connection.executemany("DELETE FROM value WHERE id = ?", ((number,) for number in gone))


class HashedTexts:
    """Texts by their hashes; ``index`` is told of those that are added."""

    def __init__(self, connection: Connection, places: Places[int], index: KeyIndex[int] | None = None) -> None:
        self._connection = connection
        self._places = places
        self._index = index
        self._asked: dict[str, int] = {}  # hashes: of those asked for last, which are those that are added next

    def ids(self, texts: Iterable[str]) -> dict[str, int]:
        self._asked = hashes = {text: text_hash(text) for text in texts}
        found: dict[str, int] = {}
        array = self._connection.array
        for bucket, some in self._places.where(list(hashes.values())).items():
            for text, number in self._connection.execute(_BY_HASHES, (bucket, array(some))):
                if text in hashes:
                    found[text] = number
        return found

    def _every_bucket(self) -> range:
        (last,) = self._connection.execute(f"SELECT max(bucket) FROM {_TABLE}").fetchone()
        return range(0 if last is None else last + 1)

    def scoped(self, text: str, limit: int) -> list[str]:
        first = text_hash(text) >> _HALF << _HALF
        asked = (self._connection.array(self._every_bucket()), first, first | _HALF_MASK)
        start = text + _SEPARATOR
        found = {row[0] for row in self._connection.execute(_BY_HALF, asked)}
        return sorted(each for each in found if each.startswith(start))[:limit]

    def add(self, first: int, new: Sequence[str]) -> None:
        assert self._index is not None
        asked = self._asked
        hashes = [asked[text] for text in new] if asked.keys() >= set(new) else list(map(text_hash, new))
        self._connection.execute(_PUT_TEXTS, (first, self._connection.array(new)))
        while hashes:
            bucket = first >> BUCKET_BITS
            fitting = (bucket + 1 << BUCKET_BITS) - first
            some, hashes = hashes[:fitting], hashes[fitting:]
            self._connection.execute(_PUT_HASHES, (bucket, first, self._connection.array(some)))
            self._index.add(bucket, some)
            first += len(some)

    def forget(self, gone: Mapping[int, str]) -> None:
        self._connection.executemany("DELETE FROM value WHERE id = ?", ((number,) for number in gone))
        self._connection.executemany(
            f"DELETE FROM {_TABLE} WHERE bucket = ? AND {_COLUMN} = ? AND id = ?",
            [(number >> BUCKET_BITS, text_hash(text), number) for number, text in gone.items()],
        )


# One array takes half the time of as many rows; those of the index are put in its order.
_PUT_TEXTS = "INSERT INTO value (id, text) SELECT ? + key, value FROM json_each(?)"
_PUT_HASHES = f"INSERT INTO {_TABLE} (bucket, {_COLUMN}, id) SELECT ?, value, ? + key FROM json_each(?) ORDER BY value"
_BY_HASHES = (
    f"SELECT v.text, v.id FROM {_TABLE} h CROSS JOIN value v ON v.id = h.id"
    f" WHERE h.bucket = ? AND h.{_COLUMN} IN (SELECT value FROM json_each(?))"
)
_BY_HALF = (
    f"SELECT v.text FROM {_TABLE} h CROSS JOIN value v ON v.id = h.id"
    f" WHERE h.bucket IN (SELECT value FROM json_each(?)) AND h.{_COLUMN} >= ? AND h.{_COLUMN} <= ?"
)


def text_hash(text: str) -> int:
    """Return 64 bits, as a signed number: the upper half of type and value, the lower one of the whole text.

    So records of one value are found in whatever scope, and no sender can make many texts that stand under one hash.
    It is stored, and never changes.
    """
    end = text.find(_SEPARATOR, text.find(_SEPARATOR) + 1)
    if end < 0:
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
    value, whole = text[:end].encode(), text.encode()
    half = blake2b(value, digest_size=8).digest()[: _HALF // 8] + blake2b(whole, digest_size=_HALF // 8).digest()
    return int.from_bytes(half, "big", signed=True)


def spread_hash(number: int) -> bytes:
    """Return what stands in a filter for a hash: of its upper half alone."""
    return ((number >> _HALF & _HALF_MASK) * _ODD & _WIDE_MASK).to_bytes(16, "little")


def lost_texts(connection: Connection) -> Iterator[int]:
    """Yield the ids of texts that no look-up finds, or that are not there where one leads.

    Whatever bytes a text has become, they are read; ``connection`` is to a file of the present format.
    """
    connection.driver.create_function("hash_of_bytes", 1, _hash_of_bytes, deterministic=True)
    for sql in _LOST:
        yield from (row[0] for row in connection.stream(sql))


_LOST = (
    f"SELECT v.id FROM value v WHERE NOT EXISTS (SELECT 1 FROM {_TABLE} h WHERE h.bucket = v.id >> {BUCKET_BITS}"
    f" AND h.{_COLUMN} = hash_of_bytes(CAST(v.text AS BLOB)) AND h.id = v.id)",
    f"SELECT h.id FROM {_TABLE} h WHERE NOT EXISTS (SELECT 1 FROM value v WHERE v.id = h.id)",
)


def _hash_of_bytes(text: bytes) -> int:
    return text_hash(text.decode("utf-8", "replace"))


def texts_to_read(connection: Connection, lanes: Lanes) -> Texts:
    """Return where interned texts are found, for who only reads."""
    if connection.dialect == "postgresql":
        return IndexedTexts(connection)
    return HashedTexts(connection, EveryBucket(connection, _TABLE, lanes, spread_hash, _SLOTS))


def texts_to_write(connection: Connection) -> Texts:
    """Return where interned texts are found, for the writer; new ones are told to it."""
    if connection.dialect == "postgresql":
        return IndexedTexts(connection)
    index = KeyIndex(connection, _TABLE, _COLUMN, spread_hash, _SLOTS)
    return HashedTexts(connection, index, index)
