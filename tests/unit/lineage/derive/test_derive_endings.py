"""States and endings: when a case is done, ended, or goes on."""

from __future__ import annotations

from lineage.derive import derive
from lineage.fact import CaseState, StepStatus, Via
from tests.derived_state.processes import INVOICE_TO_CASH, STAFFING, TIME_TO_BILL
from tests.derived_state.timeline import at, context, event, failure, open_deviations, stands, status_of
from throughline.core.key import Key

SUBMITTED = event("time.submitted", "mon 09:00", amount="100.00")
APPROVED = event("time.approved", "mon 10:00")


def test_a_terminal_step_makes_a_case_done():
    story = [SUBMITTED, APPROVED, event("invoice.issued", "mon 12:00")]

    derived = stands(TIME_TO_BILL, story, "mon 13:00")

    assert (derived.state, derived.waits, derived.exposure, derived.wake_at) == (CaseState.DONE, None, None, None)
    assert derived.ended_as is None


def test_a_terminal_error_step_ends_a_case_as_that_step():
    story = [event("staffing.requested", "mon 09:00"), event("assignment.refused", "mon 10:00")]

    derived = stands(STAFFING, story, "mon 13:00")

    assert (derived.state, derived.ended_as, derived.waits) == (CaseState.ENDED, "assignment.refused", None)


def test_a_cancelled_case_waits_for_nothing_and_holds_nothing():
    story = [
        SUBMITTED,
        APPROVED,
        failure("time.posted", "mon 11:00"),
        event("time.cancelled", "mon 16:00"),
    ]

    before = stands(TIME_TO_BILL, story[:3], "mon 17:00", {"erp": "mon 17:00"})
    after = stands(TIME_TO_BILL, story, "mon 17:00", {"erp": "mon 17:00"})

    assert open_deviations(before) == [("failed", "time.posted"), ("overdue", "time.posted")]
    assert before.exposure is not None
    assert (after.state, after.ended_as) == (CaseState.ENDED, "cancelled")
    assert (after.waits, after.exposure, after.wake_at, after.sight) == (None, None, None, ())
    assert open_deviations(after) == []
    assert sorted(each.kind.value for each in after.deviations) == ["failed", "overdue"]


def test_the_first_ending_says_how_a_case_ended():
    story = [SUBMITTED, event("time.cancelled", "mon 11:00"), event("time.written_off", "mon 12:00")]

    assert stands(TIME_TO_BILL, story, "mon 13:00").ended_as == "cancelled"


def test_a_failed_ending_ends_nothing():
    assert (
        stands(TIME_TO_BILL, [SUBMITTED, failure("time.cancelled", "mon 11:00")], "mon 13:00").state is CaseState.OPEN
    )


def test_a_rejection_after_an_ending_opens_no_round():
    story = [SUBMITTED, event("time.cancelled", "mon 11:00"), event("time.rejected", "mon 12:00")]

    derived = stands(TIME_TO_BILL, story, "mon 13:00")

    assert derived.state is CaseState.ENDED
    assert len(derived.rounds) == 1


def test_a_done_case_that_is_cancelled_later_has_ended():
    story = [SUBMITTED, event("invoice.issued", "mon 11:00"), event("time.cancelled", "mon 12:00")]

    assert stands(TIME_TO_BILL, story, "mon 13:00").state is CaseState.ENDED


def test_an_ended_case_shows_what_was_seen_only():
    story = [SUBMITTED, event("time.cancelled", "mon 11:00")]

    derived = stands(TIME_TO_BILL, story, "mon 13:00")

    assert [each.step for each in derived.rounds[0].steps] == ["time.submitted"]


def test_a_stated_pair_ends_only_the_case_at_its_end():
    old, new = Key("invoice", "I-1", ("DE01",)).encode(), Key("invoice", "I-2", ("DE01",)).encode()
    corrected = event("invoice.corrected", "mon 12:00", from_names=(old,), to_names=(new,))
    story = [event("invoice.issued", "mon 09:00"), corrected]

    def ended_as(name: Key) -> str | None:
        return derive(INVOICE_TO_CASH, story, None, context("mon 13:00"), name=name.encode()).ended_as

    assert ended_as(Key("invoice", "I-1", ("DE01",))) == "superseded"
    assert ended_as(Key("invoice", "I-2", ("DE01",))) is None
    assert ended_as(Key("invoice", "I-1", ("US01",))) is None


def test_an_ending_through_a_carrier_ends_the_case():
    story = [SUBMITTED, event("time.cancelled", "mon 11:00", via=Via.CARRIER)]

    assert stands(TIME_TO_BILL, story, "mon 13:00").state is CaseState.ENDED


def test_what_happens_after_the_end_is_shown_and_changes_nothing():
    story = [SUBMITTED, event("time.cancelled", "mon 11:00"), failure("time.posted", "mon 12:00"), APPROVED]

    derived = stands(TIME_TO_BILL, story, "sun 13:00", {"erp": "sun 13:00"})

    assert derived.state is CaseState.ENDED
    assert status_of(derived, "time.approved") is StepStatus.DONE
    assert status_of(derived, "time.posted") is StepStatus.FAILED
    assert open_deviations(derived) == []


def test_a_case_waits_for_its_next_step_and_says_whose_turn_it_is():
    waits = stands(TIME_TO_BILL, [SUBMITTED], "mon 13:00").waits

    assert waits is not None
    assert (waits.step, waits.round, waits.waits_for, waits.systems, waits.owner, waits.due) == (
        "time.approved",
        1,
        "person",
        ("psa",),
        "finance-ops",
        at("thu 09:00"),
    )


def test_a_rejected_case_waits_for_its_resubmission():
    waits = stands(TIME_TO_BILL, [SUBMITTED, APPROVED, event("time.rejected", "mon 11:00")], "mon 13:00").waits

    assert waits is not None
    assert (waits.step, waits.round, waits.waits_for, waits.due) == ("time.submitted", 2, "person", at("thu 11:00"))
