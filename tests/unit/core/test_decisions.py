"""The log of statements: durable, append-only, ordered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from throughline.core.decisions import FILE_NAME, DecisionLog, DecisionReader
from throughline.core.errors import StoreUnavailable
from throughline.core.statement import Draft, End, EventRef, Verb


def unlink(value: str = "INV-1") -> Draft:
    return Draft(
        verb=Verb.UNLINK,
        a=End("time_entry", "TE-1"),
        b=End("invoice", value, {"legal_entity": "DE01"}),
        all=False,
        events=(EventRef("/erp", "e-1"),),
        by="ada",
        authenticated=False,
        why="belongs to another entry",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def log(path: Path) -> Iterator[DecisionLog]:
    ticks = iter([100, 100, 50, 200])
    log = DecisionLog(path, now=lambda: next(ticks))
    yield log
    log.close()


@pytest.fixture
def reader(path: Path) -> Iterator[DecisionReader]:
    reader = DecisionReader(path)
    yield reader
    reader.close()


def test_it_gives_back_what_was_recorded(log: DecisionLog, reader: DecisionReader) -> None:
    recorded = log.append(unlink())
    assert reader.after(0, 10) == [recorded]
    assert (recorded.number, recorded.at, recorded.position) == (1, 100, "s1")
    assert recorded.b == End("invoice", "INV-1", {"legal_entity": "DE01"})
    assert recorded.events == (EventRef("/erp", "e-1"),)


def test_server_time_grows_even_where_the_clock_does_not(log: DecisionLog) -> None:
    recorded = [log.append(unlink()) for _ in range(4)]
    assert [statement.at for statement in recorded] == [100, 101, 102, 200]
    assert sorted(recorded, key=lambda statement: statement.order) == recorded


def test_it_reads_on_from_a_number_and_back_from_a_number(log: DecisionLog, reader: DecisionReader) -> None:
    recorded = [log.append(unlink(f"INV-{n}")) for n in range(4)]
    assert reader.after(1, 2) == recorded[1:3]
    assert reader.before(4, 2) == [recorded[2], recorded[1]]
    assert reader.last_number() == 4


def test_a_log_that_is_not_there_yet_holds_nothing_and_is_read_once_it_is(path: Path, reader: DecisionReader) -> None:
    assert reader.after(0, 10) == []
    assert reader.last_number() == 0
    sqlite3.connect(path).close()  # created, but without its table
    assert reader.after(0, 10) == []
    log = DecisionLog(path, now=lambda: 1)
    recorded = log.append(unlink())
    log.close()
    assert reader.after(0, 10) == [recorded]


def test_numbers_go_on_after_a_restart(path: Path) -> None:
    first = DecisionLog(path, now=lambda: 1)
    first.append(unlink())
    first.close()
    first.close()
    second = DecisionLog(path, now=lambda: 1)
    recorded = second.append(unlink())
    second.close()
    assert (recorded.number, recorded.at) == (2, 2)


@pytest.mark.parametrize("change", ["UPDATE statement SET body = x''", "DELETE FROM statement"])
def test_no_row_can_be_changed(log: DecisionLog, path: Path, change: str) -> None:
    log.append(unlink())
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(change)
    connection.close()


def test_it_syncs_before_it_answers(log: DecisionLog) -> None:
    assert log._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # pyright: ignore[reportPrivateUsage]
    assert log._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)  # pyright: ignore[reportPrivateUsage]


def test_a_folder_that_is_missing_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"missing/decisions\.db: the file cannot be opened"):
        DecisionLog(tmp_path / "missing" / FILE_NAME, now=lambda: 1)
