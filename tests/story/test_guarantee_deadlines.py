"""G8: a deadline fires once per case, step and round, survives restarts, and closes only on evidence.

Time entries of the firm: approved within 3 business days of being submitted. T1 is submitted on Monday morning, so its
approval is due on Thursday at the same local time. The PSA is a push source: its last receipt is how far it is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guarantees.firm import ERP, FPNA, PSA
from tests.guarantees.story import Belief, Story, open_kinds
from throughline.core.instants import HOUR, format_instant, parse_instant
from throughline.core.statement import End, EventRef, Statement, Verb

SUBMITTED = "2026-03-02T09:00:00Z"
DUE = "2026-03-05T09:00:00Z"
FIRED = "2026-03-05T09:20:00Z"
LATER = "2026-03-06T10:00:00Z"
MUCH_LATER = "2026-03-09T10:00:00Z"


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """T1 was submitted on Monday."""
    told = Story(tmp_path / "store.db")
    told.at(SUBMITTED)
    told.happens("time.submitted", time_entry="T1", legal_entity="DE01")
    yield told
    told.close()


@pytest.fixture
def overdue(story: Story) -> Story:
    """T1 is overdue: the PSA was heard of twenty minutes after the due time."""
    story.at(FIRED)
    story.hear(PSA)
    assert story.beliefs("T1") == [Belief("approved", 1, FIRED, None, None)]
    return story


def hours(start: str, count: int) -> list[str]:
    return [format_instant(parse_instant(start) + hour * HOUR) for hour in range(1, count + 1)]


def test_nothing_fires_before_the_due_time(story: Story) -> None:
    for moment in hours(SUBMITTED, 71):
        story.at(moment)
        story.hear(PSA)
    assert story.beliefs("T1") == []
    assert story.step("T1", "approved")["status"] == "waiting"
    assert story.step("T1", "approved")["due"] == DUE


def test_it_fires_once_whatever_ticks_repetitions_and_restarts_follow(overdue: Story) -> None:
    again = overdue.happens("time.submitted", event_id="time.submitted 1", at=SUBMITTED, time_entry="T1")
    for number, moment in enumerate(hours(FIRED, 100)):
        if number % 7 == 0:
            overdue.opened_anew()
        overdue.at(moment)
        overdue.hear((PSA, ERP)[number % 2])
        overdue.tell(again)
    assert overdue.beliefs("T1") == [Belief("approved", 1, FIRED, None, None)]
    assert open_kinds(overdue.document("T1")) == [("overdue", "approved")]
    assert overdue.status()["counts"]["deviations"]["overdue"] == 1


def test_a_deadline_that_falls_while_nothing_runs_fires_at_the_next_start(story: Story) -> None:
    story.at("2026-03-05T08:59:00Z")
    story.opened_anew()
    story.at(LATER)
    assert story.beliefs("T1") == []  # nobody was heard of since
    story.hear(PSA)
    assert story.beliefs("T1") == [Belief("approved", 1, LATER, None, None)]


def test_where_enough_was_seen_it_fires_by_time_alone(story: Story) -> None:
    """FP&A, which is read out, has told that nothing more will come until Friday; the margin is due on Tuesday."""
    story.happens("billing_schedule.created", opportunity="O1")
    story.hear(FPNA, until="2026-03-06T00:00:00Z")
    due = "2026-03-03T09:00:00Z"
    story.at("2026-03-03T08:59:59Z")
    assert story.beliefs("O1") == []
    story.opened_anew()
    story.at(due)
    assert story.beliefs("O1") == [Belief("margin_baseline_published", 1, due, None, None)]


def test_only_evidence_closes_it(overdue: Story) -> None:
    """Neither time, nor failed attempts, nor what happens to others, nor that all is derived anew."""
    overdue.at(LATER)
    overdue.happens("time.approved", time_entry="T1", failed="timeout")
    overdue.happens("time.approved", time_entry="T2")
    overdue.happens("document.registered", time_entry="T1", erp_document="D1")
    overdue.hear(PSA)
    overdue.engine.derive_all()
    overdue.opened_anew()
    overdue.at("2027-03-05T09:00:00Z")
    assert overdue.beliefs("T1") == [Belief("approved", 1, FIRED, None, None)]
    assert ("overdue", "approved") in open_kinds(overdue.document("T1"))


def test_the_step_itself_resolves_it(overdue: Story) -> None:
    overdue.at(LATER)
    overdue.happens("time.approved", time_entry="T1")
    assert overdue.beliefs("T1") == [Belief("approved", 1, FIRED, LATER, "resolved")]
    (closed,) = [each for each in overdue.document("T1")["deviations"] if each["kind"] == "overdue"]
    assert (closed["open"], closed["since"], closed["step"]) == (False, DUE, "approved")
    overdue.opened_anew()
    overdue.at(MUCH_LATER)
    overdue.happens("time.approved", time_entry="T1")
    assert overdue.beliefs("T1")[0] == Belief("approved", 1, FIRED, LATER, "resolved")


def test_an_event_that_was_in_time_but_came_late_takes_it_back(overdue: Story) -> None:
    overdue.at(LATER)
    overdue.happens("time.approved", at="2026-03-04T15:00:00Z", time_entry="T1")
    assert overdue.beliefs("T1") == [Belief("approved", 1, FIRED, LATER, "restated")]
    assert [each["kind"] for each in overdue.document("T1")["deviations"]] == []


def test_evidence_that_a_person_takes_away_opens_the_same_deadline_again(overdue: Story) -> None:
    overdue.at(LATER)
    late = overdue.happens("time.approved", erp_document="D1")
    overdue.happens("document.registered", time_entry="T1", erp_document="D1")
    assert overdue.beliefs("T1")[0].closed_as == "resolved"
    overdue.at(MUCH_LATER)
    overdue.state(unlinked(EventRef(late.source, late.id), overdue.now))
    assert overdue.beliefs("T1") == [Belief("approved", 1, FIRED, None, None)]
    assert open_kinds(overdue.document("T1")) == [("overdue", "approved")]


def unlinked(event: EventRef, now: int) -> Statement:
    return Statement(
        verb=Verb.UNLINK,
        a=End("time_entry", "T1"),
        b=End("erp_document", "D1"),
        all=False,
        events=(event,),
        by="ana",
        authenticated=True,
        why="the wrong document",
        number=1,
        id="s1",
        at=now,
    )


def test_each_round_has_its_own_deadlines(overdue: Story) -> None:
    """Rejected on Friday morning, due again on Wednesday; submitted on Thursday, to be approved by Tuesday."""
    overdue.at(LATER)
    overdue.happens("time.rejected", time_entry="T1")
    overdue.at("2026-03-11T11:00:00Z")
    overdue.hear(PSA)
    again = "2026-03-12T10:00:00Z"
    overdue.at(again)
    overdue.happens("time.submitted", time_entry="T1")
    overdue.at("2026-03-17T11:00:00Z")
    overdue.opened_anew()
    overdue.hear(PSA)
    first, second, third = overdue.beliefs("T1")
    assert first == ("approved", 1, FIRED, LATER, "ended")
    assert second == ("approved", 2, "2026-03-17T11:00:00Z", None, None)
    assert third == ("submitted", 2, "2026-03-11T11:00:00Z", again, "resolved")
    assert overdue.step("T1", "approved")["due"] == "2026-03-17T10:00:00Z"


def test_an_ending_closes_it_as_ended_not_as_resolved(overdue: Story) -> None:
    overdue.happens("time.approved", time_entry="T1", failed="timeout")
    overdue.at(LATER)
    overdue.happens("time.cancelled", time_entry="T1")
    assert overdue.beliefs("T1") == [Belief("approved", 1, FIRED, LATER, "ended")]
    assert overdue.beliefs("T1", "failed") == [Belief("approved", 1, FIRED, LATER, "ended")]


def test_other_cases_and_steps_have_deadlines_of_their_own(overdue: Story) -> None:
    overdue.happens("time.submitted", at="2026-03-02T10:00:00Z", time_entry="T2")
    overdue.happens("time.approved", at="2026-03-05T09:10:00Z", time_entry="T1")
    overdue.at("2026-03-05T15:00:00Z")
    overdue.hear(PSA)
    overdue.hear(ERP)
    overdue.hear("/firm/erp-emea-archive", until="2026-03-05T15:00:00Z")
    assert [each.step for each in overdue.beliefs("T1")] == ["approved", "posted"]
    assert [each.step for each in overdue.beliefs("T2")] == ["approved"]
