"""decisions.db: the log of statements, append-only, owned by the API process; read by the engine.

One table, ``statement(number INTEGER PRIMARY KEY, body BLOB)``; the body is the msgpack map of a ``Statement``, so that
fields can be added. The writer answers after fsync (WAL, synchronous=FULL); triggers refuse any change of a row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from uuid import uuid4

import msgspec

from throughline.core.database import Durability, failures_named, open_reader, open_writer
from throughline.core.statement import Draft, Statement

FILE_NAME = "decisions.db"
CACHE_MIB = 2  # statements are few

_SCHEMA = """
CREATE TABLE IF NOT EXISTS statement (number INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS statement_is_not_changed BEFORE UPDATE ON statement
BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;
CREATE TRIGGER IF NOT EXISTS statement_is_not_taken_back BEFORE DELETE ON statement
BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;
"""
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Statement)


class DecisionLog:
    """The one writer of decisions.db. Safe to use from several threads; safe to close twice."""

    def __init__(self, path: Path, now: Callable[[], int]) -> None:
        """Open the log, creating the file where there is none; ``now`` tells the server's time in microseconds.

        Raises StoreUnavailable where the file cannot be created or written.
        """
        self._now = now
        self._lock = Lock()
        self._path = path
        self._connection = open_writer(path, Durability.FULL, cache_mib=CACHE_MIB)
        with failures_named(path):
            self._connection.executescript(_SCHEMA)

    def append(self, draft: Draft) -> Statement:
        """Record a statement and return it once it is durable. Raises StoreUnavailable; then nothing was recorded."""
        with self._lock, failures_named(self._path), self._transaction():
            last = self._last()
            statement = Statement(
                **{name: getattr(draft, name) for name in Draft.__struct_fields__},
                number=last.number + 1 if last else 1,
                id=uuid4().hex,
                at=max(self._now(), last.at + 1 if last else 0),
            )
            self._connection.execute(
                "INSERT INTO statement (number, body) VALUES (?, ?)", (statement.number, _encoder.encode(statement))
            )
        return statement

    def close(self) -> None:
        """Close the file; nothing can be appended afterwards."""
        with self._lock:
            self._connection.close()

    def _last(self) -> Statement | None:
        row = self._connection.execute("SELECT body FROM statement ORDER BY number DESC LIMIT 1").fetchone()
        return _decoder.decode(row[0]) if row else None

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


class DecisionReader:
    """Reads decisions.db without ever writing it; a file that is not there yet holds no statements.

    Safe to use from several threads; safe to close twice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None

    def after(self, number: int, limit: int) -> list[Statement]:
        """Return the statements recorded after a number, oldest first, at most ``limit``."""
        return self._read("SELECT body FROM statement WHERE number > ? ORDER BY number LIMIT ?", (number, limit))

    def before(self, number: int, limit: int) -> list[Statement]:
        """Return the statements recorded before a number, newest first, at most ``limit``."""
        return self._read("SELECT body FROM statement WHERE number < ? ORDER BY number DESC LIMIT ?", (number, limit))

    def last_number(self) -> int:
        """Return the number of the last statement recorded; 0 where there is none."""
        newest = self.before(2**63 - 1, 1)
        return newest[0].number if newest else 0

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _read(self, query: str, arguments: tuple[int, int]) -> list[Statement]:
        with self._lock, failures_named(self._path):
            if self._connection is None:
                if not self._path.exists():
                    return []
                self._connection = open_reader(self._path, cache_mib=CACHE_MIB)
            try:
                rows = self._connection.execute(query, arguments).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # the file is just being created
                    return []
                raise
        return [_decoder.decode(body) for (body,) in rows]
