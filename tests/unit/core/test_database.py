"""SQLite files: durable as asked, readable beside the writer, and failing by a name of our own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from throughline.core import database
from throughline.core.database import (
    BUSY_SECONDS,
    Durability,
    SqliteConnection,
    failures_named,
    open_reader,
    open_writer,
    passing_cause,
)
from throughline.core.errors import StoreDamaged, StoreUnavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a file?#%.db"


@pytest.fixture
def writer(path: Path) -> Iterator[SqliteConnection]:
    with closing(open_writer(path)) as connection:
        connection.execute("CREATE TABLE t (v)")
        yield connection


def ask(connection: sqlite3.Connection, statement: str) -> object:
    return connection.execute(statement).fetchone()[0]


@pytest.mark.parametrize(("durability", "number"), [(Durability.FULL, 2), (Durability.NORMAL, 1)])
def test_a_writer_is_as_durable_as_asked(path: Path, durability: Durability, number: int) -> None:
    with closing(open_writer(path, durability)) as connection:
        assert ask(connection, "PRAGMA journal_mode") == "wal"
        assert ask(connection, "PRAGMA synchronous") == number
        assert ask(connection, "PRAGMA cache_size") == -64 * 1024


def test_what_stands_outside_a_transaction_is_committed_at_once(path: Path, writer: sqlite3.Connection) -> None:
    with closing(open_reader(path)) as reader:
        writer.execute("INSERT INTO t VALUES (1)")
        assert ask(reader, "SELECT count(*) FROM t") == 1
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (2)")
        assert ask(reader, "SELECT count(*) FROM t") == 1
        writer.execute("COMMIT")
        assert ask(reader, "SELECT count(*) FROM t") == 2


def test_a_log_that_readers_kept_growing_begins_anew_once_they_let_it(
    path: Path, writer: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LONGEST_LOG", 100_000)
    log = path.with_name(path.name + "-wal")
    with closing(open_reader(path)) as reader:
        for _ in range(3):
            reader.execute("BEGIN")
            assert ask(reader, "SELECT count(*) FROM t") is not None
            writer.execute("INSERT INTO t VALUES (zeroblob(60000))")
            writer.shorten_log()
            writer.execute("INSERT INTO t VALUES (1)")
            reader.execute("COMMIT")
        assert log.stat().st_size > 100_000
        writer.shorten_log()
        assert log.stat().st_size == 0
        assert ask(reader, "SELECT count(*) FROM t") == 6
    assert ask(writer, "PRAGMA busy_timeout") == BUSY_SECONDS * 1000


def test_what_a_large_transaction_took_of_the_log_is_given_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOG_KEEPS", 100_000)
    log = path.with_name(path.name + "-wal")
    with closing(open_writer(path)) as writer:
        writer.execute("CREATE TABLE t (a)")
        writer.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        writer.execute("PRAGMA wal_checkpoint")  # as it is after so many pages
        assert log.stat().st_size > 1_000_000
        writer.execute("INSERT INTO t VALUES (1)")
        assert log.stat().st_size <= 100_000


def test_a_reader_cannot_write(path: Path, writer: sqlite3.Connection) -> None:
    with closing(open_reader(path)) as reader, pytest.raises(StoreUnavailable, match="read-only"), failures_named(path):
        reader.execute("INSERT INTO t VALUES (1)")
    assert ask(writer, "SELECT count(*) FROM t") == 0


def test_a_reader_of_a_file_that_is_not_there_yet_is_told_so_and_makes_none(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        open_reader(path)
    assert not path.exists()


def test_a_writer_in_a_folder_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        open_writer(tmp_path / "absent" / "store.db")


def test_a_full_disk_is_a_passing_failure(path: Path, writer: sqlite3.Connection) -> None:
    pages = ask(writer, "PRAGMA page_count")
    writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="disk is full: free space"), failures_named(path):
        writer.execute("INSERT INTO t VALUES (zeroblob(100000))")
    writer.execute("PRAGMA max_page_count = 100000")
    writer.execute("INSERT INTO t VALUES (zeroblob(100000))")


def test_a_second_writer_is_told_who_is_in_the_way(path: Path, writer: sqlite3.Connection) -> None:
    writer.execute("BEGIN IMMEDIATE")
    with (
        closing(open_writer(path, busy_seconds=0)) as second,
        pytest.raises(StoreUnavailable, match="another process holds the file"),
        failures_named(path),
    ):
        second.execute("BEGIN IMMEDIATE")
    writer.execute("ROLLBACK")


def test_a_fault_in_a_statement_stays_what_it_is(path: Path, writer: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"), failures_named(path):
        writer.execute("SELECT * FROM absent")


def test_a_file_that_is_no_database_is_said_to_be_damaged(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreDamaged, match=r"the file is damaged.*not a database"):
        open_reader(path)


def test_a_detailed_code_of_the_disk_counts_as_what_it_details() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    assert passing_cause(error) == "the disk reports an error: check it"
