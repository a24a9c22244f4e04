"""The journal's format, and a read-only reader of it.

``journal.db`` is an append-only SQLite file that one process writes (``collector.journal``); everybody else reads it
through ``JournalReader``. One row of ``record`` is one group commit: the canonical events, span facts and raw
payloads of one or many requests. Each blob is msgpack under zstd; NULL where there is nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import zstandard

from throughline.core.database import failures_named, open_reader
from throughline.core.errors import LastingError
from throughline.core.event import Event, decode_block

JOURNAL_FILE = "journal.db"
CACHE_MIB = 4  # records are written once and read in order: hardly any page is asked for again
FORMAT = 1  # PRAGMA user_version
MAPPING = "canonical/1"  # what turned payloads into events; written beside them, see ``mapping_text``

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS record (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        received INTEGER NOT NULL,
        mapping TEXT NOT NULL,
        event_count INTEGER NOT NULL,
        span_count INTEGER NOT NULL,
        events BLOB,
        spans BLOB,
        logs BLOB,
        raw BLOB)""",
    """CREATE TABLE IF NOT EXISTS quarantine (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        received INTEGER NOT NULL,
        last_received INTEGER NOT NULL,
        times INTEGER NOT NULL,
        door TEXT NOT NULL,
        sender TEXT NOT NULL,
        source TEXT,
        event_id TEXT,
        type TEXT,
        reason TEXT NOT NULL,
        sentence TEXT NOT NULL,
        signal TEXT NOT NULL,
        content_type TEXT NOT NULL,
        body BLOB NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS replay (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        entry INTEGER NOT NULL,
        at INTEGER NOT NULL,
        "by" TEXT NOT NULL,
        outcome TEXT NOT NULL,
        events INTEGER NOT NULL,
        record INTEGER,
        reason TEXT,
        sentence TEXT)""",
    "CREATE INDEX IF NOT EXISTS replay_of_entry ON replay (entry)",
    "CREATE TABLE IF NOT EXISTS trial (id INTEGER PRIMARY KEY CHECK (id = 1), tried INTEGER NOT NULL)",
)


class RawRequest(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A request as it came in, after its content coding was undone; with it the canonical events can be made again.

    ``signal`` is traces, logs or events; ``headers`` holds what belongs to the content (``ce-`` attributes), else None.
    """

    received: int
    door: str
    signal: str
    sender: str
    content_type: str
    body: bytes
    headers: dict[str, str] | None = None


class SpanKind(IntEnum):
    """OTLP's kinds of span."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class SpanFact(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a trace view and a flow's latency need of one span; ``start`` and ``end`` are microseconds since the epoch.

    ``trace_id`` has 16 bytes, ``span_id`` and ``parent_id`` 8; ``parent_id`` is None for a root. ``message`` is that of
    the status. ``event`` is the event's type where the span is one.
    """

    trace_id: bytes
    span_id: bytes
    start: int
    end: int
    failed: bool
    name: str
    service: str
    kind: int = 0
    parent_id: bytes | None = None
    flow: str | None = None
    system: str | None = None
    instance: str | None = None
    message: str | None = None
    event: str | None = None


class LogFact(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A log record that is no event but belongs to a trace: kept for the trace view only, its text cut to 1,024."""

    trace_id: bytes
    span_id: bytes | None
    time: int
    severity: str
    text: str
    service: str


class Record(msgspec.Struct, frozen=True):
    """One record of the journal, decoded."""

    id: int
    received: int
    mapping: str
    events: list[Event]
    spans: list[SpanFact]
    logs: list[LogFact]


class RecordSize(NamedTuple):
    """A record by its receipt and by what it takes as stored."""

    record: int
    received: int
    bytes: int


class SetAsideEvent(msgspec.Struct, frozen=True):
    """One entry of the door's quarantine: what was set aside, why, and how often the very same came in."""

    id: int
    received: int
    last_received: int
    times: int
    door: str
    sender: str
    source: str | None
    event_id: str | None
    type: str | None
    reason: str
    sentence: str
    signal: str


class ReplayOutcome(StrEnum):
    """What came of taking a set-aside event again."""

    TAKEN = "taken"
    SET_ASIDE = "set_aside"  # it still cannot be read, or not all of it


class Replay(msgspec.Struct, frozen=True):
    """One replay of an entry: when, by whom, what came of it.

    ``record``: the journal's record that holds the ``events`` that were taken. ``reason`` and ``sentence``: why it was
    set aside again.
    """

    at: int
    by: str
    outcome: ReplayOutcome
    events: int
    record: int | None
    reason: str | None
    sentence: str | None


class QuarantineFilter(NamedTuple):
    """Which entries of the quarantine to give; None: any. ``taken``: whether a replay has taken them."""

    reason: str | None = None
    type: str | None = None
    source: str | None = None
    taken: bool | None = None


EVERY_ENTRY = QuarantineFilter()


class JournalFormatUnknown(LastingError):
    """The journal was written by another version of Throughline, in a format that this one does not read."""


def mapping_text(version: str) -> str:
    """Return what is written beside records: our own version, and that of the firm's mappings where it has any."""
    return f"{MAPPING}+{version}" if version else MAPPING


def position_text(record: int) -> str:
    """Return the opaque position that a sender is given for a record."""
    return f"j{record}"


def parse_position(text: str) -> int:
    """Read the record out of a sender's position; raise ValueError where it is none."""
    if not (text.startswith("j") and text[1:].isascii() and text[1:].isdigit()):
        raise ValueError(f"seen {text[:64]!r}, wanted a position as an answer to a sender gives it, such as j17")
    return int(text[1:])


_LEVEL = 3
_LARGEST_BLOB = 1 << 30
_encode = msgspec.msgpack.Encoder().encode
_decode_spans = msgspec.msgpack.Decoder(list[SpanFact]).decode
_decode_logs = msgspec.msgpack.Decoder(list[LogFact]).decode
_decode_raw = msgspec.msgpack.Decoder(list[RawRequest]).decode

T = TypeVar("T")


def encode_array(items: Iterable[msgspec.Struct]) -> bytes:
    """Return structs as one msgpack array."""
    return _encode(list(items))


def join_arrays(arrays: list[bytes], lengths: list[int]) -> bytes:
    """Join msgpack arrays of given lengths into one, without decoding them."""
    bodies = [array[_head_size(length) :] for array, length in zip(arrays, lengths, strict=True)]
    return b"".join((_head(sum(lengths)), *bodies))


def _head(length: int) -> bytes:
    if length < 16:
        return bytes((0x90 | length,))
    if length < 1 << 16:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")


def _head_size(length: int) -> int:
    return 1 if length < 16 else 3 if length < 1 << 16 else 5


def compress(plain: bytes) -> bytes:
    """Return a blob as the journal stores it."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(plain)


def decompress(blob: bytes) -> bytes:
    """Read a stored blob."""
    return zstandard.ZstdDecompressor().decompress(blob, max_output_size=_LARGEST_BLOB)


def _exceeds(amount: int, most: int | None) -> bool:
    return most is not None and amount > most


class JournalReader:
    """Reads a journal while its writer writes; one short read transaction per call.

    The file may not exist yet: then there is nothing to read. Safe to use from several threads, one call at a time
    each. Raises JournalFormatUnknown for a file of another format, StoreUnavailable or sqlite3.Error where the file
    can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file; closing twice, or before anything was read, does no harm."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def last(self) -> int:
        """Return the id of the last record, 0 where there is none."""
        rows = self._rows("SELECT COALESCE(MAX(id), 0) FROM record")
        return rows[0][0] if rows else 0

    def last_given(self) -> int:
        """Return the greatest id that a record ever had, 0 where there was none; ids are not given again."""
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'record'")
        return max(self.last(), rows[0][0] if rows else 0)

    def first(self) -> int:
        """Return the id of the first record that is kept, 0 where there is none."""
        rows = self._rows("SELECT COALESCE(MIN(id), 0) FROM record")
        return rows[0][0] if rows else 0

    def sizes(self, after: int, until: int, limit: int = -1) -> list[RecordSize]:
        """Return the records after one and up to another, in order; all, or at most ``limit``."""
        rows = self._rows(
            "SELECT id, received, coalesce(length(events), 0) + coalesce(length(spans), 0) + coalesce(length(logs), 0)"
            " + coalesce(length(raw), 0) FROM record WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            (after, until, limit),
        )
        return [RecordSize(*row) for row in rows]

    def bytes_in_use(self) -> int:
        """Return what the file takes on disk, without the room that removed records have left in it."""
        rows = self._rows(
            "SELECT (page_count - freelist_count) * page_size"
            " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        )
        return rows[0][0] if rows else 0

    def received(self, record: int) -> int | None:
        """Return when a record was received; None where there is none of that id."""
        rows = self._rows("SELECT received FROM record WHERE id = ?", (record,))
        return rows[0][0] if rows else None

    def after(
        self, position: int, limit: int, most_events: int | None = None, most_bytes: int | None = None
    ) -> list[Record]:
        """Return up to ``limit`` records after one, in order; at least one where there is any.

        Records are taken only while their events together stay within ``most_events``, and what is stored of them,
        compressed, within ``most_bytes``.
        """
        last = events = stored = 0
        for record, count, size in self._rows(
            "SELECT id, event_count, coalesce(length(events), 0) + coalesce(length(spans), 0) FROM record"
            " WHERE id > ? ORDER BY id LIMIT ?",
            (position, limit),
        ):
            events, stored = events + count, stored + size
            if last and (_exceeds(events, most_events) or _exceeds(stored, most_bytes)):
                break
            last = record
        rows = self._rows(f"SELECT {_RECORD} FROM record WHERE id > ? AND id <= ? ORDER BY id", (position, last))
        return [_record(row) for row in rows]

    def record(self, record: int) -> Record | None:
        """Return one record; None where there is none of that id."""
        rows = self._rows(f"SELECT {_RECORD} FROM record WHERE id = ?", (record,))
        return _record(rows[0]) if rows else None

    def requests(self, record: int) -> list[RawRequest]:
        """Return the raw requests of a record; an empty list once they are no longer kept."""
        rows = self._rows("SELECT raw FROM record WHERE id = ?", (record,))
        return _read(rows[0][0], _decode_raw) if rows else []

    def spans_of_trace(self, records: Iterable[int], trace_id: bytes) -> list[SpanFact]:
        """Return the spans of a trace in the given records, each span once, by start."""
        found = {
            span.span_id: span
            for blob in self._blobs("spans", records)
            for span in _read(blob, _decode_spans)
            if span.trace_id == trace_id
        }
        return sorted(found.values(), key=lambda span: (span.start, span.span_id))

    def spans_of(self, record: int) -> list[SpanFact] | None:
        """Return all spans of a record; None where there is no such record any more."""
        rows = self._rows("SELECT spans FROM record WHERE id = ?", (record,))
        return _read(rows[0][0], _decode_spans) if rows else None

    def kept_since(self) -> int | None:
        """Return when the first record that is kept was received; None where there is none."""
        rows = self._rows("SELECT received FROM record ORDER BY id LIMIT 1")
        return rows[0][0] if rows else None

    def logs_of_trace(self, records: Iterable[int], trace_id: bytes) -> list[LogFact]:
        """Return the log records of a trace in the given records, by time."""
        found = [
            log
            for blob in self._blobs("logs", records)
            for log in _read(blob, _decode_logs)
            if log.trace_id == trace_id
        ]
        return sorted(found, key=lambda log: (log.time, log.text))

    def quarantine(
        self, after: int = 0, limit: int = 100, wanted: QuarantineFilter = EVERY_ENTRY
    ) -> list[SetAsideEvent]:
        """Return up to ``limit`` entries of the door's quarantine after an id, in order of ids."""
        conditions, values = _conditions(wanted)
        where = " AND ".join(["id > ?", *conditions])
        rows = self._rows(f"SELECT {_ENTRY} FROM quarantine WHERE {where} ORDER BY id LIMIT ?", (after, *values, limit))
        return [SetAsideEvent(*row) for row in rows]

    def quarantined(self, entry: int) -> SetAsideEvent | None:
        """Return one entry of the door's quarantine; None where there is none of that id."""
        rows = self._rows(f"SELECT {_ENTRY} FROM quarantine WHERE id = ?", (entry,))
        return SetAsideEvent(*rows[0]) if rows else None

    def replays(self, entries: Iterable[int]) -> dict[int, list[Replay]]:
        """Return the replays of entries, first to last."""
        found: dict[int, list[Replay]] = {}
        for entry, at, by, outcome, *rest in self._rows(
            'SELECT entry, at, "by", outcome, events, record, reason, sentence FROM replay'
            " WHERE entry IN (SELECT value FROM json_each(?)) ORDER BY id",
            (msgspec.json.encode(list(entries)).decode(),),
        ):
            found.setdefault(entry, []).append(Replay(at, by, ReplayOutcome(outcome), *rest))
        return found

    def quarantined_body(self, entry: int) -> tuple[str, bytes] | None:
        """Return content type and body of an entry, as a door would take it again; None where there is none."""
        rows = self._rows("SELECT content_type, body FROM quarantine WHERE id = ?", (entry,))
        return (rows[0][0], decompress(rows[0][1])) if rows else None

    def _blobs(self, column: str, records: Iterable[int]) -> list[bytes]:
        wanted = msgspec.json.encode(sorted(records)).decode()
        among = f"{column} IS NOT NULL AND id IN (SELECT value FROM json_each(?))"
        rows = self._rows(f"SELECT {column} FROM record WHERE {among} ORDER BY id", (wanted,))
        return [row[0] for row in rows]

    def _rows(self, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with failures_named(self._path):
            if self._connection is None:
                self._connection = _open_read_only(self._path)
            return self._connection.execute(query, parameters).fetchall() if self._connection is not None else []


def _conditions(wanted: QuarantineFilter) -> tuple[list[str], list[str]]:
    names = [name for name in ("reason", "type", "source") if getattr(wanted, name) is not None]
    conditions = [f"{name} = ?" for name in names]
    if wanted.taken is not None:
        taken = f"EXISTS (SELECT 1 FROM replay WHERE entry = quarantine.id AND outcome = '{ReplayOutcome.TAKEN}')"
        conditions.append(taken if wanted.taken else f"NOT {taken}")
    return conditions, [getattr(wanted, name) for name in names]


_ENTRY = ", ".join(SetAsideEvent.__struct_fields__)
_RECORD = "id, received, mapping, events, spans, logs"


def _record(row: tuple[Any, ...]) -> Record:
    record, received, mapping, events, spans, logs = row
    return Record(
        record,
        received,
        mapping,
        _read(events, decode_block),
        _read(spans, _decode_spans),
        _read(logs, _decode_logs),
    )


def _read(blob: bytes | None, decode: Callable[[bytes], list[T]]) -> list[T]:
    return [] if blob is None else decode(decompress(blob))


def _open_read_only(path: Path) -> sqlite3.Connection | None:
    """Open an existing journal for reading; None while its writer has not made it yet."""
    if not path.exists():
        return None
    connection = open_reader(path, CACHE_MIB)
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == FORMAT:
        return connection
    connection.close()
    if found == 0:  # being made just now
        return None
    raise JournalFormatUnknown(f"{path}: seen journal format {found}, wanted {FORMAT}")
