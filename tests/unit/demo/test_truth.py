"""The truth about one life at a time, hand-counted: each kind of fault in its smallest form."""

from datetime import date
from decimal import Decimal

import pytest

from throughline.core.instants import parse_instant
from throughline.demo.chronicle import Life, Weeks
from throughline.demo.truth import UNKNOWN, CaseTruth, DeviationTruth, StepTruth, Turn, tell_truth

FRIDAY = parse_instant("2026-10-09T12:00:00Z")
MONDAY = parse_instant("2026-10-12T08:00:00Z")
TUESDAY = parse_instant("2026-10-13T08:00:00Z")
THURSDAY = parse_instant("2026-10-15T08:00:00Z")
END = parse_instant("2026-10-17T00:00:00Z")


def entry() -> Life:
    life = Life("time-to-bill", "TE-1", "EMEA", "DE01", Decimal("1000.00"), "EUR")
    life.did("time.submitted", FRIDAY, "psa")
    return life


def approved() -> Life:
    life = entry()
    life.did("time.approved", MONDAY, "psa")
    return life


def invoice(paid: str | None = None) -> Life:
    life = Life("invoice-to-cash", "INV-1", "EMEA", "DE01", Decimal("500.00"), "EUR", {"legal_entity": "DE01"})
    life.due_at = THURSDAY
    for step in ("invoice.issued", "invoice.posted", "invoice.sent"):
        life.did(step, MONDAY, "erp")
    if paid is not None:
        life.did("invoice.paid", TUESDAY, "erp")
        life.paid.append(Decimal(paid))
    return life


def truth(life: Life, now: int = END, seen: int | None = None) -> CaseTruth:
    return tell_truth(life, now, lambda role, entity: END if seen is None else seen)


def kinds(told: CaseTruth) -> set[tuple[str, str | None, bool]]:
    return {(each.kind, each.step, each.open) for each in told.deviations}


def test_a_dropped_record_is_overdue_where_it_should_have_arrived():
    told = truth(approved())
    assert told.state == "open"
    assert kinds(told) == {("overdue", "posted", True)}
    assert told.exposure == ("1000.00", "EUR")
    assert told.turn == Turn("posted", 1, "system", parse_instant("2026-10-12T12:00:00Z"))


def test_before_it_is_due_nothing_is_wrong():
    told = truth(approved(), now=parse_instant("2026-10-12T11:59:00Z"))
    assert (told.deviations, told.exposure) == (frozenset(), None)
    assert StepTruth(1, "posted", "waiting", None, None) in told.steps


def test_what_cannot_have_been_seen_is_unconfirmed_and_not_overdue():
    told = truth(approved(), seen=MONDAY)
    assert (told.deviations, told.exposure) == (frozenset(), None)
    assert StepTruth(1, "posted", "unconfirmed", None, None) in told.steps


def test_an_expired_token_leaves_a_failure_and_an_overdue_step():
    life = approved()
    life.failed("time.posted", MONDAY + 1, "erp", "authentication")
    told = truth(life)
    assert kinds(told) == {("failed", "posted", True), ("overdue", "posted", True)}
    assert StepTruth(1, "posted", "failed", None, None) in told.steps


def test_a_renewed_token_closes_the_failure_and_the_lateness():
    life = approved()
    life.failed("time.posted", MONDAY + 1, "erp", "authentication")
    life.did("time.posted", TUESDAY, "erp")
    told = truth(life, now=TUESDAY)
    assert kinds(told) == {("failed", "posted", False), ("overdue", "posted", False)}
    assert told.exposure is None


def test_a_missing_customer_is_missing_master_data():
    life = Life("opportunity-to-project", "006", "EMEA", "DE01", Decimal("9"), "EUR")
    life.did("opportunity.approved", MONDAY, "crm")
    life.failed("customer.validated", MONDAY + 1, "erp", "missing_master_data")
    assert kinds(truth(life)) == {
        ("missing_master_data", "customer_validated", True),
        ("overdue", "customer_validated", True),
    }


def test_a_rejected_entry_waits_for_its_worker_and_keeps_its_exposure():
    life = entry()
    life.rejected(TUESDAY)
    told = truth(life, now=THURSDAY)
    assert told.rounds == 2
    assert told.turn == Turn("submitted", 2, "person", parse_instant("2026-10-16T08:00:00Z"))
    assert told.exposure == ("1000.00", "EUR")
    assert kinds(truth(life)) == {("overdue", "submitted", True)}


def test_a_resubmitted_entry_starts_its_second_round():
    life = entry()
    life.rejected(MONDAY)
    life.did("time.submitted", TUESDAY, "psa")
    told = truth(life, now=TUESDAY)
    assert told.turn == Turn("approved", 2, "person", parse_instant("2026-10-16T08:00:00Z"))
    assert told.exposure is None
    assert StepTruth(1, "submitted", "done", FRIDAY, FRIDAY) in told.steps
    assert StepTruth(2, "submitted", "done", TUESDAY, TUESDAY) in told.steps


def test_a_part_payment_leaves_the_remainder_exposed():
    told = truth(invoice("200.00"))
    assert told.state == "open"
    assert told.exposure == ("300.00", "EUR")
    assert StepTruth(1, "paid", "partial", TUESDAY, TUESDAY) in told.steps
    assert kinds(told) == {("overdue", "paid", True)}


def test_a_full_payment_ends_it():
    told = truth(invoice("500.00"))
    assert (told.state, told.exposure, told.turn, told.deviations) == ("done", None, None, frozenset())


def test_a_corrected_invoice_is_superseded_without_exposure():
    life = invoice()
    life.end("superseded", TUESDAY)
    told = truth(life)
    assert (told.state, told.ended_as, told.exposure, told.deviations) == ("ended", "superseded", None, frozenset())


def test_an_invoice_that_was_not_posted_is_late_twice_once_it_falls_due():
    life = Life("invoice-to-cash", "INV-1", "EMEA", "DE01", Decimal("5"), "EUR", {"legal_entity": "DE01"})
    life.due_at = THURSDAY
    life.did("invoice.issued", MONDAY, "erp")
    assert kinds(truth(life)) == {("overdue", "posted", True), ("overdue", "paid", True)}


def test_a_step_passed_over_is_skipped_and_not_overdue():
    life = entry()
    life.did("time.posted", MONDAY, "erp")
    told = truth(life, now=MONDAY)
    assert kinds(told) == {("skipped", "approved", True)}
    assert told.exposure is None


def test_a_cancelled_deal_shows_what_was_late_when_it_was_cancelled():
    life = Life("opportunity-to-project", "006", "EMEA", "DE01", Decimal("9"), "EUR")
    life.did("opportunity.approved", MONDAY, "crm")
    life.did("customer.validated", MONDAY + 1, "erp")
    life.end("cancelled", TUESDAY)
    assert truth(life).deviations == {DeviationTruth("overdue", "project_created", 1, False)}


@pytest.mark.parametrize(("now", "deviations"), [(THURSDAY, set()), (END, {("orphan", None, True)})])
def test_a_document_that_belongs_to_nothing_becomes_an_orphan_after_three_days(now: int, deviations: set[str]):
    life = Life("time-to-bill", "AM-D1", "AMER", "US01", Decimal("7"), "USD", provisional=True)
    life.did("time.posted", TUESDAY, "erp")
    told = truth(life, now=now)
    assert told.state == "provisional"
    assert kinds(told) == deviations
    assert told.exposure == (("7", "USD") if deviations else None)


def test_work_that_is_not_billable_does_not_apply():
    life = approved()
    life.applies = False
    told = truth(life)
    assert (told.state, told.deviations, told.exposure) == ("not_applicable", frozenset(), None)


def synced(*systems: str) -> Life:
    life = Life("capacity-sync", "RC-1", "EMEA", "DE01", None, "EUR")
    life.did("resource.changed", FRIDAY, "hcm")
    life.did("availability.updated", FRIDAY, "scheduling")
    for place, system in enumerate(systems):
        life.did("resource.synced", MONDAY + place, system)
    return life


def test_what_two_systems_must_report_is_done_with_the_second():
    told = truth(synced("psa", "erp"))
    assert told.state == "done"
    assert StepTruth(1, "synced", "done", MONDAY, MONDAY + 1) in told.steps


def test_what_one_of_two_systems_reported_is_late_and_worth_nobody_knows_what():
    told = truth(synced("erp"))
    assert StepTruth(1, "synced", "overdue", MONDAY, MONDAY) in told.steps
    assert kinds(told) == {("overdue", "synced", True)}
    assert told.exposure == UNKNOWN


def test_what_begins_again_is_open_though_it_was_through():
    life = Life("pipeline-to-forecast", "O-1", "EMEA", "DE01", Decimal(100), "EUR")
    for step in ("opportunity.committed", "demand.forecasted", "forecast.updated"):
        life.did(step, FRIDAY, "crm")
    life.again(TUESDAY)
    life.did("opportunity.committed", TUESDAY, "crm")
    told = truth(life, now=TUESDAY + 1)
    assert (told.state, told.rounds, told.deviations) == ("open", 2, frozenset())
    assert told.turn == Turn("demand_forecasted", 2, "system", parse_instant("2026-10-13T12:00:00Z"))


def staffed(*came: tuple[date, int]) -> Life:
    life = Life("staffing", "SR-1", "EMEA", "DE01", None, "EUR")
    for step, system in (
        ("staffing.requested", "scheduling"),
        ("candidate.proposed", "scheduling"),
        ("assignment.confirmed", "scheduling"),
        ("assignment.synced", "erp"),
        ("assignment.synced", "psa"),
    ):
        life.did(step, MONDAY, system)
    life.weeks["AS-1"] = Weeks(date(2026, 10, 5))
    for day, time in came:
        life.weeks["AS-1"].did(day, time)
    return life


def test_a_week_whose_time_never_came_is_overdue_two_workdays_after_it_though_all_else_is_through():
    due = parse_instant("2026-10-14T07:00:00Z")  # Wednesday, when the office opens
    assert truth(staffed(), now=due - 1).deviations == frozenset()
    told = truth(staffed(), now=due)
    assert (told.state, told.exposure) == ("done", None)
    assert told.deviations == {DeviationTruth("overdue", "time_submitted", 202641, True)}


def test_time_that_came_late_closes_its_week_and_one_of_another_week_does_not():
    late = staffed((date(2026, 10, 8), THURSDAY), (date(2026, 10, 12), THURSDAY))
    assert truth(late).deviations == {DeviationTruth("overdue", "time_submitted", 202641, False)}
    assert truth(staffed((date(2026, 10, 8), TUESDAY))).deviations == frozenset()
