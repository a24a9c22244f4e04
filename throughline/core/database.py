"""SQLite files: one writer each, any number of readers, and failures of the disk as errors of our own."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from throughline.core.durable import sync
from throughline.core.errors import StoreDamaged, StoreUnavailable
from throughline.core.sql import Dialect

CACHE_MIB = 64
BUSY_SECONDS = 5
LONGEST_LOG = 256 << 20
"""Bytes of a log from when on readers are waited for, so that it begins anew."""
LOG_KEEPS = 4 << 20
"""Bytes that a log keeps on the disk when it begins anew: of what a larger transaction took the rest is given back."""
_READERS_MAY_TAKE_MS = 500

# Primary result codes that pass when somebody frees space, mounts the disk or lets go of the file.
_PASSING = {
    sqlite3.SQLITE_FULL: "the disk is full: free space",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only: make it writable",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: see that its folder exists and may be used",
    sqlite3.SQLITE_IOERR: "the disk reports an error: check it",
    sqlite3.SQLITE_BUSY: "another process holds the file: see that no other serve uses this data folder",
    sqlite3.SQLITE_LOCKED: "another connection holds a table: try again",
    sqlite3.SQLITE_PERM: "the file may not be used by this user: mend its permissions",
}

# Failures of the system that pass in the same way.
_PASSING_SYSTEM = {
    errno.ENOSPC: "the disk is full: free space",
    errno.EDQUOT: "this user's share of the disk is used up: free space, or have it raised",
    errno.EROFS: "the disk is read-only: see why (`dmesg`), and mount it writable",
    errno.EACCES: "the file or its folder may not be used by this user: mend its permissions",
    errno.EPERM: "the file or its folder may not be used by this user: mend its permissions",
    errno.EIO: "the disk reports an error: check it",
    errno.EMFILE: "this process can open no further file: allow more open files (`ulimit -n`)",
    errno.ENFILE: "this machine can open no further file: end what holds so many",
}

PASSING_SENTENCES = frozenset({*_PASSING.values(), *_PASSING_SYSTEM.values()})

DAMAGED = "the file is damaged: `throughline verify` says where, and docs/how-to/back-up-and-restore.md what to do"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


_json = msgspec.json.Encoder().encode


class SqliteConnection(sqlite3.Connection):
    """A connection to a SQLite file, as throughline.core.sql has it."""

    @property
    def dialect(self) -> Dialect:
        return "sqlite"

    @property
    def driver(self) -> sqlite3.Connection:
        return self

    @property
    def broken(self) -> bool:
        return False

    def array(self, items: Iterable[Any], /) -> str:
        return _json(list(items)).decode()

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        return self.execute(sql)

    def claim(self) -> None:
        """Nothing: whoever has the data folder has its files."""

    def has_table(self, name: str) -> bool:
        return self.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone() is not None

    def has_column(self, table: str, name: str) -> bool:
        columns = "SELECT 1 FROM pragma_table_info(?) WHERE name = ?"
        return self.execute(columns, (table, name)).fetchone() is not None

    def make_durable(self) -> None:
        """Write the file and its log to the disk: its own commits need not survive a power cut."""
        (_, _, path) = self.execute("PRAGMA database_list").fetchone()
        for name in (path, path + "-wal"):
            if os.path.exists(name):
                sync(Path(name))

    def settle(self) -> None:
        """Put the log into the file."""
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def shorten_log(self) -> None:
        (_, _, path) = self.execute("PRAGMA database_list").fetchone()
        log = Path(path + "-wal")
        if not log.exists() or log.stat().st_size <= LONGEST_LOG:
            return
        (patience,) = self.execute("PRAGMA busy_timeout").fetchone()
        self.execute(f"PRAGMA busy_timeout = {_READERS_MAY_TAKE_MS}")
        try:
            self.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self.execute(f"PRAGMA busy_timeout = {patience}")

    def size(self) -> int:
        (size,) = self.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
        return size


class Durability(StrEnum):
    """What survives a power cut: with FULL every commit, with NORMAL all but the last few (never half of one)."""

    FULL = "FULL"
    NORMAL = "NORMAL"


def open_writer(
    path: Path, durability: Durability = Durability.FULL, cache_mib: int = CACHE_MIB, busy_seconds: float = BUSY_SECONDS
) -> SqliteConnection:
    """Open a file for its one writer, made if need be, in WAL mode.

    The connection commits by itself what stands outside BEGIN … COMMIT (autocommit), and may be handed from one
    thread to another, one at a time. Raises StoreUnavailable where the file cannot be opened for writing.
    """
    with failures_named(path), contextlib.ExitStack() as stack:
        connection = sqlite3.connect(
            path, timeout=busy_seconds, isolation_level=None, check_same_thread=False, factory=SqliteConnection
        )
        stack.callback(connection.close)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode not in ("wal", "memory"):  # the latter of a database in memory, which has no other
            raise StoreUnavailable(f"{path}: this file system does not allow WAL ({mode}): use a local disk")
        connection.execute(f"PRAGMA synchronous = {durability.value}")
        connection.execute(f"PRAGMA cache_size = {-cache_mib * 1024}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_KEEPS}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA foreign_keys = ON")
        stack.pop_all()
        return connection


def open_reader(path: Path, cache_mib: int = CACHE_MIB, busy_seconds: float = BUSY_SECONDS) -> SqliteConnection:
    """Open a file read-only, beside its writer; keep transactions short, one to a query.

    Raises StoreUnavailable where there is no such file yet.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro{_unchanging(path)}"
    with failures_named(path), contextlib.ExitStack() as stack:
        connection = sqlite3.connect(
            address,
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            factory=SqliteConnection,
        )
        stack.callback(connection.close)
        connection.execute(f"PRAGMA cache_size = {-cache_mib * 1024}")
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        stack.pop_all()
        return connection


def _unchanging(path: Path) -> str:
    """Return what lets a file be read on a disk that is read-only, where SQLite could not make the index of its log."""
    log = path.with_name(path.name + "-wal")
    with contextlib.suppress(OSError):
        if os.statvfs(path).f_flag & os.ST_RDONLY and not (log.exists() and log.stat().st_size):
            return "&immutable=1"
    return ""


@contextlib.contextmanager
def failures_named(path: object) -> Generator[None]:
    """Turn a failure of the disk or a lock into StoreUnavailable, with the file and what to do; leave others alone.

    A file that is damaged is one, too: StoreDamaged.
    """
    try:
        yield
    except OSError as error:
        sentence = passing_cause(error)
        if sentence is None:
            raise
        raise StoreUnavailable(f"{path}: {sentence} ({error})") from error
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise StoreDamaged(f"{path}: {DAMAGED} ({error})") from error
        sentence = passing_cause(error)
        if sentence is None:
            raise
        raise StoreUnavailable(f"{path}: {sentence} ({error})") from error


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether a file is not as it was written."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


def passing_cause(error: sqlite3.Error | OSError) -> str | None:
    """Return what to do about a failure that may pass; None for one that will not (a fault in a statement)."""
    if isinstance(error, OSError):
        return _PASSING_SYSTEM.get(error.errno or 0)
    code = getattr(error, "sqlite_errorcode", None)
    # An extended code keeps its primary one in its lowest byte.
    return None if code is None else _PASSING.get(code & 0xFF)
