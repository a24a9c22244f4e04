"""What should recur, in the engine: it falls due by the index, fires once, and makes no orphans of its events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lineage.engine import Engine, Limits
from tests.guarantees.firm import ESTATE, PSA, happened
from tests.guarantees.shown import PACK
from throughline.core.event import Event
from throughline.core.instants import DAY, parse_instant
from throughline.core.statement import End, Statement, Verb

MONDAY = parse_instant("2026-03-02T09:00:00Z")
WEEK_DUE = parse_instant(
    "2026-03-11T08:00:00Z"
)  # week 10 ends on Sunday; two business days from Monday, nine in Berlin
STAFFED = [
    happened("requested", "staffing.requested", MONDAY, "/firm/scheduling", staffing_request="S1", region="EMEA"),
    happened("proposed", "candidate.proposed", MONDAY, "/firm/scheduling", staffing_request="S1"),
    happened(
        "confirmed",
        "assignment.confirmed",
        MONDAY,
        "/firm/scheduling",
        staffing_request="S1",
        assignment="A1",
        starts_on="2026-03-02",
        ends_on="2026-03-06",
    ),
    happened("in erp", "assignment.synced", MONDAY, "/firm/erp-emea", assignment="A1", more={"system": "erp"}),
    happened("in psa", "assignment.synced", MONDAY, PSA, assignment="A1", more={"system": "psa"}),
]
OVERDUE = ("overdue", "time_submitted", 202610, WEEK_DUE)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine.open(":memory:", PACK, ESTATE, Limits())
    engine.fold(STAFFED, MONDAY)
    yield engine
    engine.close()


def beat(at: int) -> Event:
    return happened(f"beat {at}", "source.heartbeat", at, PSA, received=at)


def submitted(at: int, **fields: Any) -> Event:
    return happened(f"submitted {at}", "time.submitted", at, PSA, time_entry="T1", assignment="A1", **fields)


def deviations(engine: Engine) -> list[tuple[Any, ...]]:
    return engine.store.rows(
        "SELECT d.kind, d.step, d.round, d.since FROM deviation d JOIN cases c ON c.id = d.case_id"
        " WHERE c.name = 'staffing_request\x1fS1' AND d.step = 'time_submitted'"
    )


def wake_at(engine: Engine) -> int | None:
    return engine.store.one("SELECT wake_at FROM cases WHERE name = 'staffing_request\x1fS1'")


def beliefs(engine: Engine) -> list[tuple[Any, ...]]:
    return engine.store.rows("SELECT round, opened_at, closed_at, closed_as FROM belief WHERE step = 'time_submitted'")


def test_a_case_that_is_done_wakes_when_its_week_is_due_and_not_before(engine: Engine) -> None:
    assert engine.store.one("SELECT state FROM cases WHERE name = 'staffing_request\x1fS1'") == "done"
    assert wake_at(engine) == WEEK_DUE
    engine.tick(WEEK_DUE - 1)
    assert engine.store.rows("SELECT at FROM sight") == []
    engine.tick(WEEK_DUE)
    assert engine.store.rows("SELECT at FROM sight") == [(WEEK_DUE,)]
    assert deviations(engine) == []  # PSA may have told; its report is not in yet
    engine.fold([beat(WEEK_DUE)], WEEK_DUE)
    assert deviations(engine) == [OVERDUE]
    assert wake_at(engine) is None


def test_it_fires_once_over_a_restart_and_closes_when_the_event_of_its_week_comes(engine: Engine) -> None:
    engine.fold([beat(WEEK_DUE)], WEEK_DUE)
    engine.tick(WEEK_DUE)
    again = Engine(engine.store.connection, PACK, ESTATE, Limits())
    for now in (WEEK_DUE + DAY, WEEK_DUE + 2 * DAY):
        again.fold([beat(now)], now)
        again.tick(now)
    assert beliefs(again) == [(202610, WEEK_DUE, None, None)]
    late = WEEK_DUE + 3 * DAY
    again.fold([submitted(late, worked_on="2026-03-06")], late)
    assert deviations(again) == []
    assert beliefs(again) == [(202610, WEEK_DUE, late, "resolved")]


def test_an_event_of_another_week_does_not_meet_it(engine: Engine) -> None:
    engine.fold([submitted(WEEK_DUE, worked_on="2026-03-09"), beat(WEEK_DUE)], WEEK_DUE)
    engine.tick(WEEK_DUE)
    assert deviations(engine) == [OVERDUE]


def test_time_for_an_assignment_of_no_case_waits_for_none_and_is_no_orphan(engine: Engine) -> None:
    engine.fold([happened("t", "time.submitted", MONDAY, PSA, time_entry="T9", assignment="A9")], MONDAY)
    value = engine.store.value_ids(["assignment\x1fA9"])["assignment\x1fA9"]
    assert engine.store.one("SELECT count(*) FROM posted WHERE value = ?", value) == 1
    assert engine.store.one("SELECT count(*) FROM waiting WHERE value = ?", value) == 0


def test_an_assignment_that_a_person_takes_off_a_case_expects_nothing_there(engine: Engine) -> None:
    engine.fold([beat(WEEK_DUE)], WEEK_DUE)
    engine.tick(WEEK_DUE)
    assert deviations(engine) == [OVERDUE]
    statement = Statement(
        verb=Verb.UNLINK,
        a=End("staffing_request", "S1", {}),
        b=End("assignment", "A1", {}),
        all=True,
        events=(),
        by="ana",
        authenticated=False,
        why="another request's assignment",
        process="staffing",
        number=1,
        id="s1",
        at=WEEK_DUE,
    )
    engine.state([statement], WEEK_DUE)
    assert deviations(engine) == []
