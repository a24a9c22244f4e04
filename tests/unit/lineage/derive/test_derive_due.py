"""Deadlines: what is expected, until when, and what is said of it once it is past due."""

from __future__ import annotations

import pytest

from lineage.fact import CaseState, DeviationKind, StepStatus, Via
from tests.derived_state.processes import INVOICE_TO_CASH, STAFFING, TIME_TO_BILL
from tests.derived_state.timeline import (
    PlainSight,
    at,
    deviation_of,
    event,
    failure,
    open_deviations,
    stands,
    status_of,
    step_of,
)

SUBMITTED = event("time.submitted", "mon 09:00")
APPROVED = event("time.approved", "mon 10:00")
POSTED = event("time.posted", "mon 11:00")


def test_a_step_is_due_within_its_time_of_the_step_before():
    derived = stands(TIME_TO_BILL, [SUBMITTED, APPROVED], "mon 11:00")

    assert step_of(derived, "time.posted").due == at("mon 14:00")
    assert derived.wake_at == at("mon 14:00")
    assert status_of(derived, "time.posted") is StepStatus.WAITING


def test_only_the_next_step_is_due():
    derived = stands(TIME_TO_BILL, [SUBMITTED], "mon 11:00")

    assert step_of(derived, "time.approved").due == at("thu 09:00")
    assert step_of(derived, "time.posted").due is None
    assert status_of(derived, "time.posted") is StepStatus.WAITING


def test_a_repeated_step_does_not_move_the_next_deadline():
    story = [SUBMITTED, APPROVED, event("time.approved", "mon 13:00")]

    assert step_of(stands(TIME_TO_BILL, story, "mon 13:30"), "time.posted").due == at("mon 14:00")


def test_a_step_is_due_at_the_next_cut_off():
    derived = stands(TIME_TO_BILL, [SUBMITTED, APPROVED, POSTED], "mon 12:00")

    assert step_of(derived, "billing.released").due == at("fri 12:00")
    assert derived.wake_at == at("fri 12:00")


def test_a_cut_off_follows_the_latest_billing_calendar_of_the_case():
    story = [SUBMITTED, APPROVED, event("time.posted", "mon 11:00", fields={"billing_calendar": "none"})]

    assert step_of(stands(TIME_TO_BILL, story, "mon 12:00"), "billing.released").due is None


def test_a_step_due_by_a_field_is_due_whatever_came_before_it():
    issued = event("invoice.issued", "mon 09:00", amount="100.00", fields={"due_date": "2026-11-04"})

    derived = stands(INVOICE_TO_CASH, [issued], "mon 10:00")

    assert step_of(derived, "invoice.paid").due == at("wed 23:59") + 59_000_000
    assert step_of(derived, "invoice.posted").due == at("mon 13:00")
    assert derived.wake_at == at("mon 13:00")


def test_a_step_due_by_a_field_that_is_not_known_has_no_due_time_and_says_so():
    story = [event("invoice.issued", "mon 09:00"), event("invoice.sent", "mon 09:30")]

    step = step_of(stands(INVOICE_TO_CASH, story, "mon 10:00"), "invoice.paid")

    assert step.due is None
    assert step.reason == "its due time is not known: no field due_date can be read"


def test_a_field_that_a_later_event_brings_moves_the_deadline():
    issued = event("invoice.issued", "mon 09:00", fields={"due_date": "2026-11-04"})
    sent = event("invoice.sent", "mon 10:00", fields={"due_date": "2026-11-05"})

    assert step_of(stands(INVOICE_TO_CASH, [issued, sent], "mon 11:00"), "invoice.paid").due == (
        at("thu 23:59") + 59_000_000
    )


def test_facts_of_a_carrier_fill_in_only_what_is_absent():
    issued = event("invoice.issued", "mon 09:00", fields={"due_date": "2026-11-04"})
    carried = event("invoice.sent", "mon 10:00", fields={"due_date": "2026-11-05"}, via=Via.CARRIER)

    kept = stands(INVOICE_TO_CASH, [issued, carried], "mon 11:00")
    filled = stands(INVOICE_TO_CASH, [event("invoice.issued", "mon 09:00"), carried], "mon 11:00")

    assert step_of(kept, "invoice.paid").due == at("wed 23:59") + 59_000_000
    assert step_of(filled, "invoice.paid").due == at("thu 23:59") + 59_000_000


def test_facts_of_a_failure_do_not_count():
    issued = event("invoice.issued", "mon 09:00")
    refused = failure("invoice.sent", "mon 10:00", fields={"due_date": "2026-11-05"})

    assert step_of(stands(INVOICE_TO_CASH, [issued, refused], "mon 11:00"), "invoice.paid").due is None


def test_nothing_is_due_before_a_step_is_seen():
    story = [event("document.registered", "mon 09:00"), failure("time.posted", "mon 10:00")]

    derived = stands(TIME_TO_BILL, story, "sun 09:00", {"psa": "sun 09:00", "erp": "sun 09:00"})

    assert derived.wake_at is None
    assert all(step.due is None for step in derived.rounds[0].steps)
    assert derived.waits is not None
    assert derived.waits.step == "time.submitted"


def test_a_step_past_due_is_unconfirmed_until_its_source_has_reported_that_far():
    story = [SUBMITTED, APPROVED]

    before = stands(TIME_TO_BILL, story, "mon 15:00", {"erp": "mon 13:59"})
    after = stands(TIME_TO_BILL, story, "mon 15:00", {"erp": "mon 14:00"})

    assert status_of(before, "time.posted") is StepStatus.UNCONFIRMED
    assert step_of(before, "time.posted").reason == "source /erp has reported until 2026-11-02T13:59:00Z"
    assert before.sight == (("/erp", at("mon 14:00")),)
    assert open_deviations(before) == []
    assert status_of(after, "time.posted") is StepStatus.OVERDUE
    assert after.sight == ()
    assert open_deviations(after) == [("overdue", "time.posted")]
    assert deviation_of(after, DeviationKind.OVERDUE).since == at("mon 14:00")


def test_a_step_is_not_past_due_before_its_due_time_however_far_its_source_has_reported():
    derived = stands(TIME_TO_BILL, [SUBMITTED, APPROVED], at("mon 14:00") - 1, {"erp": "mon 20:00"})

    assert status_of(derived, "time.posted") is StepStatus.WAITING


def test_a_step_without_a_declared_source_stays_unconfirmed_and_says_so():
    derived = stands(TIME_TO_BILL, [SUBMITTED, APPROVED], "sun 15:00", {"psa": "sun 15:00"})

    assert status_of(derived, "time.posted") is StepStatus.UNCONFIRMED
    assert step_of(derived, "time.posted").reason == "no source is declared for erp"
    assert derived.sight == ()


def test_a_source_that_never_reported_confirms_nothing():
    derived = stands(TIME_TO_BILL, [SUBMITTED, APPROVED], "sun 15:00", {"erp": None})

    assert step_of(derived, "time.posted").reason == "source /erp has never reported"
    assert derived.sight == (("/erp", at("mon 14:00")),)


def test_a_silent_source_shows_as_blind_on_the_step_that_waits_for_it():
    sight = PlainSight({"erp": "mon 12:00"}, {"erp": "mon 13:00"})

    waiting = stands(TIME_TO_BILL, [SUBMITTED, APPROVED], "mon 13:30", sight=sight)
    past = stands(TIME_TO_BILL, [SUBMITTED, APPROVED], "mon 15:00", sight=sight)

    assert step_of(waiting, "time.posted").blind_since == at("mon 13:00")
    assert step_of(past, "time.posted").blind_since == at("mon 13:00")
    assert str(step_of(past, "time.posted").reason).endswith("and is silent since 2026-11-02T13:00:00Z")


def test_of_several_systems_only_those_that_have_not_reported_are_asked():
    story = [
        event("staffing.requested", "mon 09:00"),
        event("assignment.confirmed", "mon 10:00"),
        event("assignment.synced", "mon 11:00", system="psa"),
    ]

    derived = stands(STAFFING, story, "mon 15:00", {"psa": None, "erp": "mon 14:30"})

    assert open_deviations(derived) == [("overdue", "assignment.synced")]


def test_an_overdue_step_closes_once_it_is_seen_and_stays_as_late():
    late = event("time.posted", "mon 16:00")

    derived = stands(TIME_TO_BILL, [SUBMITTED, APPROVED, late], "mon 17:00", {"erp": "mon 17:00"})

    overdue = deviation_of(derived, DeviationKind.OVERDUE)
    assert (overdue.step, overdue.since, overdue.open) == ("time.posted", at("mon 14:00"), False)
    assert step_of(derived, "time.posted").due == at("mon 14:00")


@pytest.mark.parametrize("when", ["mon 13:00", "mon 14:00"])
def test_a_late_arrival_of_a_timely_event_takes_the_deviation_back(when: str):
    derived = stands(TIME_TO_BILL, [SUBMITTED, APPROVED, event("time.posted", when)], "mon 17:00", {"erp": "mon 17:00"})

    assert derived.deviations == ()


def test_a_step_late_in_business_days_is_found_beyond_the_least_time_they_can_take():
    late = event("time.approved", "thu 09:01")
    timely = event("time.approved", "thu 09:00")

    assert deviation_of(stands(TIME_TO_BILL, [SUBMITTED, late], "thu 10:00"), DeviationKind.OVERDUE).since == at(
        "thu 09:00"
    )
    assert stands(TIME_TO_BILL, [SUBMITTED, timely], "thu 10:00").deviations == ()


def test_a_step_whose_predecessor_was_passed_over_had_no_due_time():
    story = [SUBMITTED, event("time.posted", "wed 09:00")]

    derived = stands(TIME_TO_BILL, story, "wed 10:00")

    assert step_of(derived, "time.posted").due is None
    assert open_deviations(derived) == [("skipped", "time.approved")]
    assert step_of(derived, "billing.released").due == at("fri 12:00")


def test_optional_and_error_steps_and_those_after_the_terminal_one_never_fall_due():
    requested = [event("staffing.requested", "mon 09:00")]
    issued = [event("invoice.issued", "mon 09:00")]
    all_heard: dict[str, str | int | None] = dict.fromkeys(("psa", "erp", "scheduling"), "sun 23:00")

    staffing = stands(STAFFING, requested, "tue 23:00", all_heard)
    time = stands(TIME_TO_BILL, issued, "sun 23:00", all_heard)

    assert step_of(staffing, "candidate.proposed").due is None
    assert step_of(staffing, "assignment.confirmed").due == at("sat 09:00")
    assert time.state is CaseState.DONE
    assert status_of(time, "invoice.paid") is StepStatus.WAITING
    assert "overdue" not in [kind for kind, _ in open_deviations(time)]


def test_a_resubmission_is_due_after_the_rejection_and_waits_for_a_person():
    story = [SUBMITTED, event("time.rejected", "tue 09:00")]

    waiting = stands(TIME_TO_BILL, story, "tue 10:00")
    overdue = stands(TIME_TO_BILL, story, "fri 10:00", {"psa": "fri 09:00"})

    assert step_of(waiting, "time.submitted").due == at("fri 09:00")
    assert step_of(waiting, "time.submitted").waits_for == "person"
    assert waiting.wake_at == at("fri 09:00")
    assert open_deviations(overdue) == [("overdue", "time.submitted")]
    assert deviation_of(overdue, DeviationKind.OVERDUE).round == 2


def test_a_late_resubmission_stays_as_late():
    story = [SUBMITTED, event("time.rejected", "tue 09:00"), event("time.submitted", "sat 09:00")]

    overdue = deviation_of(stands(TIME_TO_BILL, story, "sat 10:00"), DeviationKind.OVERDUE)

    assert (overdue.step, overdue.round, overdue.since, overdue.open) == ("time.submitted", 2, at("fri 09:00"), False)


def test_each_round_has_its_own_deadlines():
    story = [
        SUBMITTED,
        APPROVED,
        event("time.rejected", "mon 12:00"),
        event("time.submitted", "tue 10:00"),
        event("time.approved", "tue 11:00"),
    ]

    derived = stands(TIME_TO_BILL, story, "tue 12:00")

    assert step_of(derived, "time.posted", 2).due == at("tue 15:00")
    assert derived.deviations == ()


def test_what_was_past_due_when_a_rejection_closed_the_round_is_closed_with_it():
    story = [SUBMITTED, APPROVED, event("time.rejected", "tue 09:00")]

    overdue = deviation_of(stands(TIME_TO_BILL, story, "tue 10:00", {"erp": "tue 10:00"}), DeviationKind.OVERDUE)

    assert (overdue.step, overdue.round, overdue.since, overdue.open) == ("time.posted", 1, at("mon 14:00"), False)


def test_what_was_past_due_when_its_round_closed_is_said_only_of_what_would_have_been_seen():
    rejected = [SUBMITTED, APPROVED, event("time.rejected", "tue 09:00")]
    cancelled = [SUBMITTED, APPROVED, event("time.cancelled", "tue 09:00")]

    for story in (rejected, cancelled):
        undeclared = stands(TIME_TO_BILL, story, "wed 10:00")
        never_heard_of = stands(TIME_TO_BILL, story, "wed 10:00", {"erp": None})
        lagging = stands(TIME_TO_BILL, story, "wed 10:00", {"erp": "mon 13:59"})
        seen_since = stands(TIME_TO_BILL, story, "wed 10:00", {"erp": "mon 14:00"})

        assert undeclared.deviations == never_heard_of.deviations == lagging.deviations == ()
        assert undeclared.sight == ()
        assert never_heard_of.sight == lagging.sight == (("/erp", at("mon 14:00")),)
        assert deviation_of(seen_since, DeviationKind.OVERDUE).since == at("mon 14:00")
        assert seen_since.sight == ()


def test_a_step_that_came_late_is_evidence_whether_or_not_its_source_is_declared():
    story = [SUBMITTED, APPROVED, event("time.posted", "mon 15:00"), event("time.cancelled", "tue 09:00")]

    overdue = deviation_of(stands(TIME_TO_BILL, story, "tue 10:00"), DeviationKind.OVERDUE)

    assert (overdue.step, overdue.since, overdue.open) == ("time.posted", at("mon 14:00"), False)


def test_what_was_not_yet_due_when_the_round_closed_is_no_deviation():
    story = [SUBMITTED, APPROVED, event("time.rejected", "mon 12:00")]

    assert stands(TIME_TO_BILL, story, "tue 10:00", {"erp": "tue 10:00"}).deviations == ()


def test_a_step_is_past_due_at_its_due_time():
    derived = stands(TIME_TO_BILL, [SUBMITTED, APPROVED], "mon 14:00", {"erp": "mon 14:00"})

    assert status_of(derived, "time.posted") is StepStatus.OVERDUE


def test_what_was_due_as_the_round_closed_is_no_deviation():
    story = [SUBMITTED, APPROVED, event("time.rejected", "mon 14:00")]

    assert stands(TIME_TO_BILL, story, "tue 10:00", {"erp": "tue 10:00"}).deviations == ()


def test_nothing_is_due_by_a_field_before_a_step_is_seen():
    story = [event("x.registered", "mon 09:00", fields={"due_date": "2026-11-03"})]

    derived = stands(INVOICE_TO_CASH, story, "sun 09:00", {"erp": "sun 09:00"})

    assert derived.deviations == ()
    assert step_of(derived, "invoice.paid").due is None
