"""G8, G11, G3: a person may accept an exception; contrary evidence, or a later word, opens it again; order is nothing.

Time entries of the firm. T1 fails to be posted on Tuesday, worth 1,125 EUR; nobody will ever post it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lineage.cases import Filter
from lineage.engine import Engine, Limits
from lineage.fact import DeviationKind
from tests.guarantees.firm import ERP, ESTATE, PSA, happened
from tests.guarantees.shown import DEFAULTS, PACK, Shown, arrive, show, snapshot_of
from tests.guarantees.story import Belief, Story, open_kinds
from tests.guarantees.weeks import LAST, weeks
from tests.identity_model.worlds import Arrival, World, arrivals, seeds
from throughline.core.instants import DAY, HOUR, format_instant, parse_instant
from throughline.core.key import Key
from throughline.core.statement import AcceptedAs, DeviationRef, End, Statement, Verb

SUBMITTED = "2026-03-02T09:00:00Z"
FAILED = "2026-03-03T09:00:00Z"
FAILED_AGAIN = "2026-03-03T09:30:00Z"
SAID = "2026-03-03T10:00:00Z"
LATER = "2026-03-03T10:30:00Z"
POSTING = ("failed", "posted")


@pytest.fixture
def failed(tmp_path: Path) -> Iterator[Story]:
    """T1 was approved, and its posting failed twice."""
    told = Story(tmp_path / "store.db")
    told.at(SUBMITTED)
    told.happens("time.submitted", time_entry="T1", more={"amount": "1125.00", "currency": "EUR"})
    told.happens("time.approved", time_entry="T1")
    for moment in (FAILED, FAILED_AGAIN):
        told.at(moment)
        told.happens("time.posted", source=ERP, time_entry="T1", failed="timeout")
    told.at(SAID)
    yield told
    told.close()


def said(
    number: int, at: str, ref: DeviationRef, verb: Verb = Verb.ACCEPT, case: tuple[str, str] = ("time_entry", "T1")
) -> Statement:
    return Statement(
        verb=verb,
        a=End(*case),
        b=None,
        all=False,
        events=(),
        by="ana",
        authenticated=True,
        why="billed by hand",
        process="time-to-bill",
        accepted_as=AcceptedAs.HANDLED_ELSEWHERE if verb is Verb.ACCEPT else None,
        deviations=(ref,),
        number=number,
        id=f"s{number}",
        at=parse_instant(at),
    )


def posting(since: str = FAILED) -> DeviationRef:
    return DeviationRef("failed", "posted", 1, parse_instant(since))


def test_an_accepted_exception_is_in_no_list_count_or_sum_and_says_who_settled_it_and_why(failed: Story) -> None:
    assert failed.document("T1")["exposure"] == {"amount": "1125.00", "currency": "EUR", "hours": None}
    failed.state(said(1, SAID, posting()))
    document = failed.document("T1")
    assert open_kinds(document) == []
    (deviation,) = document["deviations"]
    assert deviation["accepted"] == {
        "as": "handled_elsewhere",
        "by": "ana",
        "at": SAID,
        "why": "billed by hand",
        "statement": "s1",
    }
    assert document["exposure"] == {}
    assert failed.line("T1")["deviations"] == []
    assert failed.line("T1")["exposure"] == {}
    assert failed.lines(Filter(deviations=(DeviationKind.FAILED,))) == []
    assert failed.status()["counts"]["deviations"].get("failed", 0) == 0
    assert failed.beliefs("T1", "failed") == [Belief("posted", 1, FAILED, SAID, "accepted")]
    assert [each["id"] for each in failed.record("time_entry", "T1")["cases"][0]["statements"]] == ["s1"]


def test_what_a_person_accepts_stays_where_the_case_stands(failed: Story) -> None:
    """The case goes on waiting for its step: it was not seen."""
    failed.state(said(1, SAID, posting()))
    assert failed.document("T1")["state"] == "open"
    assert failed.step("T1", "posted")["status"] == "failed"


def test_a_failure_that_comes_after_the_acceptance_opens_the_exception_again(failed: Story) -> None:
    failed.state(said(1, SAID, posting()))
    failed.at(LATER)
    failed.happens("time.posted", source=ERP, time_entry="T1", failed="timeout")
    assert open_kinds(failed.document("T1")) == [POSTING]
    assert failed.document("T1")["deviations"][0]["accepted"] is None
    assert failed.document("T1")["exposure"]["amount"] == "1125.00"
    assert failed.beliefs("T1", "failed") == [Belief("posted", 1, FAILED, None, None)]
    failed.state(said(2, LATER, posting()))
    assert open_kinds(failed.document("T1")) == []


def test_a_failure_that_began_earlier_than_was_known_opens_it_again(failed: Story) -> None:
    failed.state(said(1, SAID, posting()))
    failed.at(LATER)
    failed.happens("time.posted", "2026-03-03T08:00:00Z", source=ERP, time_entry="T1", failed="timeout")
    assert open_kinds(failed.document("T1")) == [POSTING]


def test_a_failure_in_another_round_is_another_exception(failed: Story) -> None:
    failed.state(said(1, SAID, posting()))
    for minute, kind in enumerate(("time.rejected", "time.submitted", "time.approved")):
        failed.at(f"2026-03-03T10:3{minute}:00Z")
        failed.happens(kind, time_entry="T1")
    failed.at("2026-03-03T10:40:00Z")
    failed.happens("time.posted", source=ERP, time_entry="T1", failed="timeout")
    assert open_kinds(failed.document("T1")) == [POSTING]


def test_an_event_that_says_nothing_of_it_opens_nothing(failed: Story) -> None:
    failed.state(said(1, SAID, posting()))
    failed.at(LATER)
    failed.happens("document.registered", time_entry="T1", erp_document="D1")
    failed.hear(PSA)
    failed.engine.derive_all()
    failed.opened_anew()
    failed.at("2026-03-03T11:00:00Z")
    assert open_kinds(failed.document("T1")) == []


def test_a_success_closes_it_on_evidence(failed: Story) -> None:
    failed.state(said(1, SAID, posting()))
    failed.at(LATER)
    failed.happens("time.posted", source=ERP, time_entry="T1")
    (deviation,) = [each for each in failed.document("T1")["deviations"] if each["kind"] == "failed"]
    assert (deviation["open"], deviation["accepted"]) == (False, None)
    failed.at("2026-03-03T11:00:00Z")
    failed.happens("time.posted", source=ERP, time_entry="T1", failed="timeout")
    assert open_kinds(failed.document("T1")) == [POSTING]


def test_an_acceptance_can_be_withdrawn_and_the_withdrawal_too(failed: Story) -> None:
    failed.state(said(1, SAID, posting()))
    failed.at(LATER)
    failed.state(said(2, LATER, posting(), Verb.WITHDRAW))
    assert open_kinds(failed.document("T1")) == [POSTING]
    assert failed.document("T1")["exposure"]["amount"] == "1125.00"
    assert failed.beliefs("T1", "failed") == [Belief("posted", 1, FAILED, None, None)]
    failed.state(said(3, LATER, posting()))
    assert open_kinds(failed.document("T1")) == []
    assert [each["verb"] for each in failed.record("time_entry", "T1")["cases"][0]["statements"]] == [
        "accept",
        "withdraw",
        "accept",
    ]


def test_a_restart_forgets_no_acceptance(failed: Story) -> None:
    failed.state(said(1, SAID, posting()))
    failed.opened_anew()
    failed.at(LATER)
    failed.happens("time.cancelled", time_entry="T2")
    failed.engine.derive_all()
    failed.at("2026-03-03T12:00:00Z")
    assert open_kinds(failed.document("T1")) == []


def test_a_deadline_is_accepted_for_the_due_time_that_it_had(failed: Story) -> None:
    failed.at("2026-03-04T09:00:00Z")
    failed.happens("time.submitted", time_entry="T2", at=SUBMITTED)
    failed.at("2026-03-09T09:00:00Z")
    failed.hear(PSA)
    due = "2026-03-05T09:00:00Z"
    ref = DeviationRef("overdue", "approved", 1, parse_instant(due))
    failed.state(said(1, "2026-03-09T09:00:00Z", ref, case=("time_entry", "T2")))
    assert open_kinds(failed.document("T2")) == []
    assert failed.beliefs("T2") == [Belief("approved", 1, "2026-03-09T09:00:00Z", "2026-03-09T09:00:00Z", "accepted")]
    failed.happens("time.approved", time_entry="T2", failed="timeout")
    assert open_kinds(failed.document("T2")) == [("failed", "approved")]
    failed.happens("time.approved", time_entry="T2")
    assert open_kinds(failed.document("T2")) == []


def test_an_orphan_can_be_accepted(failed: Story) -> None:
    failed.happens("time.posted", source=ERP, erp_document="D9", more={"amount": "50", "currency": "EUR"})
    failed.at("2026-03-06T10:00:00Z")
    ref = DeviationRef("orphan", None, None, parse_instant("2026-03-06T10:00:00Z"))
    assert failed.document("D9", kind="erp_document")["exposure"] == {"amount": "50", "currency": "EUR", "hours": None}
    failed.state(said(1, "2026-03-06T10:00:00Z", ref, case=("erp_document", "D9")))
    document = failed.document("D9", kind="erp_document")
    assert open_kinds(document) == []
    assert document["exposure"] == {}


def test_a_statement_about_a_case_that_nothing_is_known_of_changes_nothing(failed: Story) -> None:
    before = failed.status()
    failed.state(said(1, SAID, posting(), case=("time_entry", "T9")))
    assert failed.status() == before


def test_every_order_of_events_and_statements_shows_the_same() -> None:
    """The acceptance may even come before the events that it is about: as where a rebuild folds statements first."""
    at = {name: parse_instant(moment) for name, moment in (("t0", SUBMITTED), ("t1", FAILED), ("t2", LATER))}
    events = [
        happened("1", "time.submitted", at["t0"], time_entry="T1", more={"amount": "1125.00", "currency": "EUR"}),
        happened("2", "time.approved", at["t0"] + HOUR, time_entry="T1"),
        happened("3", "time.posted", at["t1"], ERP, failed="timeout", time_entry="T1"),
        happened("4", "time.posted", at["t2"], ERP, failed="timeout", time_entry="T1"),
    ]
    for statements in ([said(1, SAID, posting())], [said(1, "2026-03-03T11:00:00Z", posting())]):
        shown = [
            _shown([Arrival([step], []) if step is not None else Arrival([], statements) for step in order], at["t2"])
            for order in permutations([*events, None])
        ]
        assert all(each == shown[0] for each in shown)


def _shown(steps: list[Arrival], now: int, limits: Limits = DEFAULTS) -> Shown:
    engine = arrive(steps, PACK, ESTATE, limits, [now])
    try:
        return show(engine, snapshot_of(engine, PACK, ESTATE, limits, now), ESTATE)
    finally:
        engine.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(weeks(), seeds, st.integers(0, 20), st.integers(0, 2**16), st.sampled_from((Limits(), Limits(fan_out_limit=0))))
def test_any_arrival_of_accepted_exceptions_shows_the_same(
    week: World, seed: int, days: int, choice: int, limits: Limits
) -> None:
    """What is accepted are deviations that the week has at some moment; half of them are withdrawn again."""
    now = LAST + days * DAY
    plain = arrive(arrivals(week, 0), PACK, ESTATE, limits, [now])
    statements = _accepting(plain, len(week.statements), now, choice)
    plain.close()
    told = week._replace(statements=[*week.statements, *statements])
    wanted = _shown(arrivals(told, 0), now, limits)
    assert _shown(arrivals(told, seed), now, limits) == wanted


def _accepting(engine: Engine, number: int, now: int, choice: int) -> list[Statement]:
    snapshot = snapshot_of(engine, PACK, ESTATE, DEFAULTS, now)
    rows = snapshot.store.rows(
        "SELECT p.name, c.name, d.kind, d.step, d.round, d.since FROM deviation d JOIN cases c ON c.id = d.case_id"
        " JOIN process_name p ON p.id = c.process ORDER BY p.name, c.name, d.kind, d.step, d.round"
    )
    found: list[Statement] = []
    for place, (process, name, kind, step, round, since) in enumerate(rows):
        key = Key.decode(name)
        end = End(key.type, key.value, snapshot.scope(key))
        ref = DeviationRef(kind, step or None, round or None, since)
        for verb in (Verb.ACCEPT, Verb.WITHDRAW)[: 1 + (choice >> place) % 2]:
            number += 1
            at = format_instant(LAST - (choice + place) % 20 * DAY + number)
            found.append(replace(said(number, at, ref, verb), process=process, a=end))
    return found


def test_shown_holds_what_was_accepted() -> None:
    """What the property above compares would differ without the acceptance."""
    events = [
        happened("1", "time.submitted", parse_instant(SUBMITTED), time_entry="T1"),
        happened("3", "time.posted", parse_instant(FAILED), ERP, failed="timeout", time_entry="T1"),
    ]
    now = parse_instant(LATER)
    without = _shown([Arrival(events, [])], now)
    assert _shown([Arrival(events, []), Arrival([], [said(1, SAID, posting())])], now) != without
