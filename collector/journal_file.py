"""The journal's file as its one writer sees it: opened with care, appended to in group commits."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from collector.entry import Entry, Quarantined
from throughline.core.database import open_writer
from throughline.core.durable import sync
from throughline.core.errors import StoreUnavailable
from throughline.core.journal import (
    CACHE_MIB,
    FORMAT,
    MAPPING,
    SCHEMA,
    JournalFormatUnknown,
    compress,
    encode_array,
    join_arrays,
)
from throughline.core.release import Release

_FULL: Final = 2  # PRAGMA synchronous = FULL
_ROOM_BYTES: Final = 1024 * 1024  # beside what is to be written: a page of each table, the WAL's own index
_DIGEST_BYTES: Final = 16
MOST_TRIMMED: Final = 8  # records in one commit: each may have megabytes, and senders wait


class Boundary(StrEnum):
    """Where a test may end the process: what was written then, and what was answered."""

    APPENDED = "appended"  # written in a transaction, not committed
    COMMITTED = "committed"  # durable, nobody told


class Written(NamedTuple):
    """One group commit: its record's id (the last one's, where it wrote only quarantine) and what it added."""

    record: int
    stored_bytes: int


def go_on(boundary: Boundary) -> None:
    """Do nothing at a boundary; tests pass something else."""


class JournalFile:
    """``journal.db``, open for writing or not. Not safe for several threads at a time; closing twice does no harm."""

    def __init__(self, path: Path, at: Callable[[Boundary], None] = go_on, mapping: str = MAPPING) -> None:
        """``mapping`` is written beside each record: what turned its payloads into events."""
        self._path = path
        self._at = at
        self._mapping = mapping
        self._connection: sqlite3.Connection | None = None
        self._wanted_bytes = 0
        self.last = 0

    def open(self) -> None:
        """Open the file, made if need be, and prove by a commit that it can be written.

        Raises StoreUnavailable or sqlite3.Error where it can't be, and JournalFormatUnknown for another version's.
        """
        self.close()
        self._find_room()
        with ExitStack() as stack:
            connection = open_writer(self._path, cache_mib=CACHE_MIB)
            stack.callback(connection.close)
            self._prepare(connection)
            stack.pop_all()
        self._connection = connection
        self._wanted_bytes = 0

    def close(self) -> None:
        """Close the file; what is committed stays."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def write(self, entries: Sequence[Entry]) -> Written:
        """Write a group as one record, in one commit; durable once this returns.

        Raises StoreUnavailable or sqlite3.Error where it may not be durable: then nothing of it may be acknowledged.
        """
        connection = self._connection
        if connection is None:
            raise StoreUnavailable("the journal is not open")
        row = _record_row([entry for entry in entries if entry.request is not None], self._mapping)
        quarantined = [_quarantine_row(event) for entry in entries for event in entry.quarantined]
        record, stored = self.last, 0
        self._wanted_bytes = sum(entry.size for entry in entries)
        connection.execute("BEGIN IMMEDIATE")
        if row is not None:
            record = connection.execute(_INSERT_RECORD, row).lastrowid or 0
            stored = sum(len(blob) for blob in row if isinstance(blob, bytes))
        if quarantined:
            connection.executemany(_INSERT_QUARANTINE, quarantined)
        replayed = [_replay_row(entry, record) for entry in entries if entry.replayed is not None]
        if replayed:
            connection.executemany(_INSERT_REPLAY, replayed)
        self._at(Boundary.APPENDED)
        connection.execute("COMMIT")
        self._at(Boundary.COMMITTED)
        self.last = record
        return Written(record, stored)

    def trim(self, release: Release) -> bool:
        """Remove some of the records that may go, in one commit; return whether more are left.

        The last record stays; nothing goes where the journal is another than the one that was meant. Raises
        StoreUnavailable or sqlite3.Error.
        """
        connection = self._connection
        if connection is None:
            raise StoreUnavailable("the journal is not open")
        received = connection.execute("SELECT received FROM record WHERE id = ?", (release.record,)).fetchone()
        if received != (release.received,):
            return False
        through = min(release.record, self.last - 1)
        removed = connection.execute(
            "DELETE FROM record WHERE id IN (SELECT id FROM record WHERE id <= ? ORDER BY id LIMIT ?)",
            (through, MOST_TRIMMED),
        )
        return removed.rowcount == MOST_TRIMMED

    def _find_room(self) -> None:
        """Raise StoreUnavailable where the disk has no room for what could not be written the last time."""
        if self._wanted_bytes:
            with _named(self._path.parent):
                disk = os.statvfs(self._path.parent)
            free = disk.f_bavail * disk.f_frsize
            if free < self._wanted_bytes + _ROOM_BYTES:
                raise StoreUnavailable(f"the disk is full: free space ({free:,} bytes are left)")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA fullfsync = ON")  # macOS: past the drive's own cache
        connection.execute("PRAGMA checkpoint_fullfsync = ON")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found == 0:
            _create(connection)
        elif found != FORMAT:
            raise JournalFormatUnknown(f"{self._path}: seen journal format {found}, wanted {FORMAT}")
        for statement in SCHEMA:  # tables that came later
            connection.execute(statement)
        _move_log_into_file(connection)
        connection.execute("INSERT INTO trial VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET tried = tried + 1")
        _sync_folder(self._path.parent)
        _sync_folder(self._path.parent.absolute().parent)
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        if synchronous != _FULL:
            raise StoreUnavailable(f"{self._path}: seen synchronous={synchronous}, wanted {_FULL} (FULL)")
        (self.last,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM record").fetchone()


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")


def _move_log_into_file(connection: sqlite3.Connection) -> None:
    """Move all of the write-ahead log into the file, and begin an empty one.

    After an fsync that failed, the log's pages may be marked as written though the disk never had them: a commit that
    followed them in the same log would be lost with the power. Copied into the file they are written and synced anew.
    """
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreUnavailable("a reader holds the journal's log: try again")


def _sync_folder(folder: Path) -> None:
    """Make a file's name durable, not only its content; a folder that is closed to us isn't ours to sync."""
    with _named(folder), suppress(PermissionError):
        sync(folder)


@contextmanager
def _named(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"the folder cannot be used: {error.strerror}") from error


_INSERT_RECORD = """INSERT INTO record (received, mapping, event_count, span_count, events, spans, logs, raw)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""

_INSERT_QUARANTINE = """INSERT INTO quarantine (digest, received, last_received, times, door, sender, source, event_id,
    type, reason, sentence, signal, content_type, body) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET times = times + 1, last_received = max(last_received, excluded.last_received)"""


_INSERT_REPLAY = """INSERT INTO replay (entry, at, "by", outcome, events, record, reason, sentence)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


def _record_row(entries: Sequence[Entry], mapping: str) -> tuple[int | str | bytes | None, ...] | None:
    requests = [entry.request for entry in entries if entry.request is not None]
    if not requests:
        return None
    event_counts = [entry.event_count for entry in entries]
    span_counts = [entry.span_count for entry in entries]
    log_counts = [entry.log_count for entry in entries]
    return (
        max(request.received for request in requests),
        mapping,
        sum(event_counts),
        sum(span_counts),
        _blob([entry.events for entry in entries], event_counts),
        _blob([entry.spans for entry in entries], span_counts),
        _blob([entry.logs for entry in entries], log_counts),
        compress(encode_array(requests)),
    )


def _blob(arrays: list[bytes], lengths: list[int]) -> bytes | None:
    """Return the arrays joined and compressed; None where all of them are empty."""
    return compress(join_arrays(arrays, lengths)) if any(lengths) else None


def _replay_row(entry: Entry, record: int) -> tuple[int | str | None, ...]:
    replayed = entry.replayed
    assert replayed is not None
    return (
        replayed.entry,
        replayed.at,
        replayed.by,
        replayed.outcome,
        replayed.events,
        record if entry.request is not None else None,
        replayed.reason,
        replayed.sentence,
    )


def _quarantine_row(event: Quarantined) -> tuple[int | str | bytes | None, ...]:
    digest = blake2b(event.body, digest_size=_DIGEST_BYTES, key=f"{event.signal} {event.content_type}"[:64].encode())
    return (
        digest.digest(),
        event.received,
        event.received,
        event.door,
        event.sender,
        event.source,
        event.event_id,
        event.type,
        event.reason,
        event.sentence,
        event.signal,
        event.content_type,
        compress(event.body),
    )
