"""G8: what is due comes from an index. A tick reads no case while nothing is due, however many are open.

SQLite itself says what a piece of work cost: how many instructions its machine ran, and which columns it read. Both are
the same for a hundred open cases as for ten thousand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import pytest

from lineage.engine import Engine, Limits
from tests.guarantees.firm import ERP, ESTATE, PSA, happened
from tests.guarantees.shown import PACK
from tests.unit.lineage.adapter import counted, found
from throughline.core.event import Event
from throughline.core.instants import DAY, HOUR, MINUTE, parse_instant

FEW, SOME, MANY = 100, 2_000, 10_000
BATCH = 2_000
BEGAN = parse_instant("2026-03-02T09:00:00Z")
DUE = parse_instant("2026-03-05T09:00:00Z")
CASE_FACTS = ("cases", "facts")
MOST_IDLE_INSTRUCTIONS = 100


class Cost(NamedTuple):
    """What SQLite did: instructions run, and the columns read, as (table, column)."""

    instructions: int
    read: frozenset[tuple[str, str]]


def cost_of(engine: Engine, work: Callable[[], object]) -> Cost:
    connection = engine.store.connection
    read: set[tuple[str, str]] = set()
    instructions = 0

    def note(action: int, table: str | None, column: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ:
            read.add((str(table), str(column)))
        return sqlite3.SQLITE_OK

    def count() -> int:
        nonlocal instructions
        instructions += 1
        return 0

    connection.set_authorizer(note)
    connection.set_progress_handler(count, 1)
    try:
        work()
    finally:
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)
    return Cost(instructions, frozenset(read))


def entries(count: int, first: int = 1, at: int = BEGAN) -> list[Event]:
    """Return submissions of as many time entries, to be approved within three days."""
    return [
        happened(f"submitted {number}", "time.submitted", at, time_entry=f"T{number}", legal_entity="DE01")
        for number in range(first, first + count)
    ]


def fold(engine: Engine, events: list[Event], now: int) -> None:
    for start in range(0, len(events), BATCH):
        engine.fold(events[start : start + BATCH], now)


@pytest.fixture(scope="module")
def engines() -> Iterator[tuple[Engine, Engine]]:
    """An engine with few open cases, and one with many; the due times of all are ahead."""
    both = tuple(Engine.open(":memory:", PACK, ESTATE, Limits()) for _ in range(2))
    for engine, count in zip(both, (FEW, MANY), strict=True):
        fold(engine, entries(count), BEGAN)
        assert engine.store.one("SELECT count(*) FROM cases WHERE state = 'open' AND wake_at = ?", DUE) == count
    yield both
    for engine in both:
        engine.close()


def test_a_tick_with_nothing_due_reads_no_case_however_many_are_open(engines: tuple[Engine, Engine]) -> None:
    few, many = (cost_of(engine, partial(idle, engine)) for engine in engines)
    assert few == many
    assert many.instructions < MOST_IDLE_INSTRUCTIONS
    assert {column for table, column in many.read if table == "cases"} <= {"id", "wake_at"}


def idle(engine: Engine) -> None:
    """Do what the engine does between two batches."""
    assert engine.tick(DUE - 1) is False
    assert engine.next_wake() == DUE


def test_time_that_comes_for_three_cases_reads_these_three_only(engines: tuple[Engine, Engine]) -> None:
    costs: list[Cost] = []
    for engine in engines:
        fold(engine, entries(3, first=MANY + 1, at=BEGAN - DAY), BEGAN)  # on Sunday: due as if on Monday at opening
        soon = engine.next_wake()
        assert soon is not None
        assert soon < DUE
        costs.append(cost_of(engine, partial(engine.tick, soon)))
        assert engine.store.one("SELECT count(*) FROM cases WHERE wake_at IS NULL AND state = 'open'") == 3
        assert engine.store.one("SELECT count(*) FROM sight") == 3
        assert engine.next_wake() == DUE
    few, many = costs
    assert few == many
    assert CASE_FACTS in many.read


def test_a_source_that_reports_reads_only_the_cases_that_waited_for_that_far() -> None:
    """Every case is past due and waits to see the PSA come that far; it reports what confirms only the first."""
    costs: list[Cost] = []
    for count in (FEW, SOME):
        engine = Engine.open(":memory:", PACK, ESTATE, Limits())
        fold(engine, entries(1), BEGAN)
        fold(engine, entries(count, first=2, at=BEGAN + HOUR), BEGAN + HOUR)
        now = DUE + DAY
        while engine.tick(now):
            pass
        assert engine.store.one("SELECT count(*) FROM sight") == count + 1
        assert engine.next_wake() is None
        beat = happened("beat", "source.heartbeat", DUE, PSA, received=DUE + MINUTE)
        costs.append(cost_of(engine, partial(engine.fold, [beat], now)))
        assert engine.store.rows("SELECT kind, count(*) FROM deviation GROUP BY kind") == [("overdue", 1)]
        engine.close()
    few, many = costs
    assert few == many
    assert CASE_FACTS in many.read


def test_invoices_that_wait_for_a_case_cost_a_tick_nothing_before_their_time() -> None:
    """Each payment waits at an invoice that no case holds; until the orphan time a tick does not look at any."""
    costs: list[Cost] = []
    for count in (FEW, SOME):
        engine = Engine.open(":memory:", PACK, ESTATE, Limits())
        paid = [
            happened(
                f"recognised {number}", "revenue.recognised", BEGAN, ERP, invoice=f"I{number}", legal_entity="DE01"
            )
            for number in range(count)
        ]
        fold(engine, paid, BEGAN)
        assert engine.store.one("SELECT count(DISTINCT value) FROM waiting") == count
        aged = engine.next_wake()
        assert aged is not None
        costs.append(cost_of(engine, partial(engine.tick, aged - 1)))
        assert engine.store.one("SELECT count(*) FROM waiting WHERE orphan = 1") == 0
        while engine.tick(aged):
            pass
        assert engine.store.one("SELECT count(DISTINCT value) FROM waiting WHERE orphan = 1") == count
        assert counted(engine) == found(engine)
        engine.close()
    few, many = costs
    assert few == many
    assert many.instructions < MOST_IDLE_INSTRUCTIONS
