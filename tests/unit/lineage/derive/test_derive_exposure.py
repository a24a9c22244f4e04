"""Exposure and amounts: what is held up, what payments cover, and what stays unknown."""

from __future__ import annotations

import pytest

from lineage.case_facts import facts_of, seen_by_conditions
from lineage.derive import Conflict
from lineage.fact import CaseState, Exposure, StepStatus, Via
from tests.derived_state.processes import INVOICE_TO_CASH, TIME_TO_BILL
from tests.derived_state.timeline import at, event, failure, stands, status_of, step_of

SUBMITTED = event("time.submitted", "mon 09:00", amount="100.00", hours="7.5")
APPROVED = event("time.approved", "mon 10:00")
LATE = {"erp": "mon 20:00"}
ISSUED = event("invoice.issued", "mon 09:00", amount="100.00", fields={"due_date": "2026-11-04"})
POSTED = event("invoice.posted", "mon 10:00")
SENT = event("invoice.sent", "mon 11:00")


def paid(when: str, amount: str | None, **more: object):
    return event("invoice.paid", when, amount=amount, **more)


def test_a_case_in_time_holds_nothing():
    assert stands(TIME_TO_BILL, [SUBMITTED, APPROVED], "mon 11:00").exposure is None


def test_an_unconfirmed_step_holds_nothing():
    assert stands(TIME_TO_BILL, [SUBMITTED, APPROVED], "mon 20:00").exposure is None


def test_an_overdue_case_holds_its_latest_amount_and_hours():
    more = event("time.approved", "mon 10:00", amount="1125.50")

    assert stands(TIME_TO_BILL, [SUBMITTED, more], "mon 20:00", LATE).exposure == Exposure("1125.50", "EUR", "7.5")


def test_a_failure_a_conflict_and_a_broken_check_hold_too():
    failed = stands(TIME_TO_BILL, [SUBMITTED, failure("time.approved", "mon 10:00")], "mon 11:00")
    in_conflict = stands(TIME_TO_BILL, [SUBMITTED], "mon 11:00", conflict=Conflict((), at("mon 10:00")))
    dear = event("time.approved", "mon 10:00", fields={"rate": 2.0, "rate_card": 1.0})

    assert failed.exposure == Exposure("100.00", "EUR", "7.5")
    assert in_conflict.exposure == Exposure("100.00", "EUR", "7.5")
    assert stands(TIME_TO_BILL, [SUBMITTED, dear], "mon 11:00").exposure == Exposure("100.00", "EUR", "7.5")


def test_a_skipped_step_or_a_duplicate_holds_nothing():
    assert stands(TIME_TO_BILL, [SUBMITTED, event("time.posted", "mon 10:00")], "mon 11:00").exposure is None


def test_a_rejected_case_keeps_its_exposure_until_it_is_resubmitted():
    rejected = [SUBMITTED, APPROVED, event("time.rejected", "mon 11:00")]
    again = [*rejected, event("time.submitted", "mon 12:00", amount="90.00")]

    assert stands(TIME_TO_BILL, rejected, "mon 11:30").exposure == Exposure("100.00", "EUR", "7.5")
    assert stands(TIME_TO_BILL, again, "mon 12:30").exposure is None


def test_an_amount_that_no_event_tells_is_unknown():
    story = [event("time.submitted", "mon 09:00"), APPROVED]

    assert stands(TIME_TO_BILL, story, "mon 20:00", LATE).exposure == Exposure(None, None, None)


def test_a_carriers_total_is_never_the_amount_of_a_case():
    carried = event("time.approved", "mon 10:00", via=Via.CARRIER, amount="9999.00", hours="400")

    assert stands(TIME_TO_BILL, [SUBMITTED, carried], "mon 20:00", LATE).exposure == Exposure("100.00", "EUR", "7.5")


def test_a_carriers_entry_for_the_case_is_its_amount():
    carried = event(
        "time.approved", "mon 10:00", via=Via.CARRIER, amount="9999.00", amounts={"N-1": "110.00", "N-2": "1.00"}
    )

    assert stands(TIME_TO_BILL, [SUBMITTED, carried], "mon 20:00", LATE).exposure == Exposure("110.00", "EUR", "7.5")


def test_the_amount_of_a_failure_does_not_count():
    story = [SUBMITTED, APPROVED, failure("time.posted", "mon 11:00", amount="5.00")]

    assert stands(TIME_TO_BILL, story, "mon 12:00").exposure == Exposure("100.00", "EUR", "7.5")


def test_an_amount_without_currency_tells_nothing():
    story = [event("time.submitted", "mon 09:00", amount="100.00", currency=None), APPROVED]

    assert stands(TIME_TO_BILL, story, "mon 20:00", LATE).exposure == Exposure(None, None, None)


@pytest.mark.parametrize(
    ("written", "shown"),
    [("1E+3", "1000"), ("12.340", "12.340"), ("-5.0", "-5.0"), ("1e-2", "0.01"), ("NaN", None), ("1E+999999", None)],
)
def test_amounts_are_shown_plainly_in_the_scale_given(written: str, shown: str | None):
    story = [event("time.submitted", "mon 09:00", amount=written), APPROVED]

    exposure = stands(TIME_TO_BILL, story, "mon 20:00", LATE).exposure

    assert exposure == Exposure(shown, "EUR" if shown else None, None)


def test_a_synthetic_case_exposes_nothing():
    story = [event("time.submitted", "mon 09:00", amount="100.00", synthetic=True), APPROVED]

    assert stands(TIME_TO_BILL, story, "mon 20:00", LATE).exposure is None


def test_a_part_payment_leaves_the_step_partial_and_the_remainder_exposed():
    derived = stands(INVOICE_TO_CASH, [ISSUED, POSTED, SENT, paid("tue 09:00", "30.00")], "tue 10:00")

    assert status_of(derived, "invoice.paid") is StepStatus.PARTIAL
    assert derived.state is CaseState.OPEN
    assert derived.exposure == Exposure("70.00", "EUR", None)
    assert derived.waits is not None
    assert (derived.waits.step, derived.waits.waits_for) == ("invoice.paid", "customer")


def test_a_part_payment_past_due_is_overdue_and_stays_partial():
    story = [ISSUED, POSTED, SENT, paid("tue 09:00", "30.00")]

    derived = stands(INVOICE_TO_CASH, story, "fri 10:00", {"erp": "fri 10:00"})

    assert status_of(derived, "invoice.paid") is StepStatus.PARTIAL
    assert [(each.kind.value, each.open) for each in derived.deviations] == [("overdue", True)]


def test_payments_that_cover_the_amount_complete_the_step_when_the_sum_reached_it():
    story = [ISSUED, POSTED, SENT, paid("tue 09:00", "30.00"), paid("wed 09:00", "70.00"), paid("thu 09:00", "1.00")]

    derived = stands(INVOICE_TO_CASH, story, "fri 10:00", {"erp": "fri 10:00"})

    assert status_of(derived, "invoice.paid") is StepStatus.DONE
    assert (derived.state, derived.exposure, derived.deviations) == (CaseState.DONE, None, ())
    assert step_of(derived, "invoice.paid").last == at("thu 09:00")


def test_a_cover_reached_after_the_due_time_is_late():
    story = [ISSUED, POSTED, SENT, paid("tue 09:00", "30.00"), paid("thu 09:00", "70.00")]

    (late,) = stands(INVOICE_TO_CASH, story, "fri 10:00").deviations

    assert (late.kind.value, late.open) == ("overdue", False)


def test_one_payment_given_twice_counts_once():
    half = paid("tue 09:00", "50.00")

    derived = stands(INVOICE_TO_CASH, [ISSUED, POSTED, SENT, half, half], "tue 10:00")

    assert derived.exposure == Exposure("50.00", "EUR", None)


def test_a_raised_amount_makes_a_covered_step_partial_again():
    raised = event("invoice.sent", "wed 09:00", amount="120.00")

    derived = stands(INVOICE_TO_CASH, [ISSUED, POSTED, paid("tue 09:00", "100.00"), raised], "wed 10:00")

    assert status_of(derived, "invoice.paid") is StepStatus.PARTIAL
    assert derived.exposure == Exposure("20.00", "EUR", None)


@pytest.mark.parametrize("more", [{"amount": None}, {"amount": "30.00", "currency": "USD"}])
def test_a_payment_that_cannot_be_weighed_leaves_the_remainder_unknown(more: dict[str, str | None]):
    story = [ISSUED, POSTED, SENT, event("invoice.paid", "tue 09:00", **more)]

    derived = stands(INVOICE_TO_CASH, story, "tue 10:00")

    assert status_of(derived, "invoice.paid") is StepStatus.PARTIAL
    assert derived.exposure == Exposure(None, None, None)


def test_a_payment_by_a_carrier_counts_with_the_share_of_the_case():
    total = paid("tue 09:00", "500.00", via=Via.CARRIER, amounts={"N-1": "60.00"})
    silent = paid("tue 09:00", "500.00", via=Via.CARRIER)

    known = stands(INVOICE_TO_CASH, [ISSUED, POSTED, SENT, total], "tue 10:00")
    unknown = stands(INVOICE_TO_CASH, [ISSUED, POSTED, SENT, silent], "tue 10:00")

    assert known.exposure == Exposure("40.00", "EUR", None)
    assert unknown.exposure == Exposure(None, None, None)


def test_payments_of_an_unknown_amount_cover_nothing():
    story = [event("invoice.issued", "mon 09:00"), POSTED, SENT, paid("tue 09:00", "30.00")]

    derived = stands(INVOICE_TO_CASH, story, "tue 10:00")

    assert status_of(derived, "invoice.paid") is StepStatus.PARTIAL
    assert derived.exposure == Exposure(None, None, None)


def test_what_was_paid_before_a_rejection_still_counts():
    story = [
        ISSUED,
        POSTED,
        SENT,
        paid("tue 09:00", "30.00"),
        event("invoice.rejected", "tue 10:00"),
        event("invoice.issued", "tue 11:00", amount="100.00", id="again"),
        event("invoice.posted", "tue 12:00", id="again too"),
        event("invoice.sent", "tue 13:00", id="and again"),
        paid("tue 14:00", "70.00"),
    ]

    waiting = stands(INVOICE_TO_CASH, story[:5], "tue 10:30")
    done = stands(INVOICE_TO_CASH, story, "tue 15:00")

    assert waiting.exposure == Exposure("70.00", "EUR", None)
    assert done.state is CaseState.DONE


def test_an_overpaid_case_holds_nothing_below_zero():
    story = [ISSUED, POSTED, SENT, paid("tue 09:00", "130.00"), event("invoice.rejected", "tue 10:00")]

    assert stands(INVOICE_TO_CASH, story, "tue 11:00").exposure == Exposure("0", "EUR", None)


def test_what_came_late_and_came_holds_nothing():
    story = [SUBMITTED, APPROVED, event("time.posted", "mon 16:00")]

    derived = stands(TIME_TO_BILL, story, "mon 20:00", LATE)

    assert derived.exposure is None
    assert [each.open for each in derived.deviations] == [False]


def test_a_cover_counts_in_a_round_from_its_first_payment_there():
    story = [
        ISSUED,
        POSTED,
        SENT,
        paid("tue 09:00", "100.00"),
        event("invoice.rejected", "tue 10:00"),
        event("invoice.issued", "tue 11:00", id="again"),
        event("invoice.posted", "tue 12:00", id="again too"),
        event("invoice.sent", "tue 13:00", id="and again"),
        paid("thu 09:00", "1.00"),
    ]

    derived = stands(INVOICE_TO_CASH, story, "thu 10:00")

    assert stands(INVOICE_TO_CASH, story[:-1], "tue 14:00").state is CaseState.OPEN
    assert derived.state is CaseState.DONE
    assert [(each.step, each.round, each.open) for each in derived.deviations] == [("invoice.paid", 2, False)]


def test_conditions_see_the_amount_of_the_case_and_never_that_of_a_payment():
    members = [ISSUED, paid("tue 09:00", "30.00"), event("invoice.sent", "tue 10:00", hours="7.5")]

    seen = seen_by_conditions(INVOICE_TO_CASH.versions[0], members, "invoice\x1fN-1", facts_of(members))

    assert seen == {"due_date": "2026-11-04", "amount": "100.00", "currency": "EUR", "hours": "7.5"}
