"""Deviations: each kind opening, and closing on evidence."""

from __future__ import annotations

from lineage.derive import Conflict
from lineage.fact import CaseState, DeviationKind, StepStatus, Via
from tests.derived_state.processes import INVOICE_TO_CASH, TIME_TO_BILL
from tests.derived_state.timeline import (
    at,
    deviation_of,
    event,
    failure,
    open_deviations,
    stands,
    status_of,
    step_of,
)
from throughline.core.instants import HOUR
from throughline.core.key import Key

SUBMITTED = event("time.submitted", "mon 09:00")
APPROVED = event("time.approved", "mon 10:00")
D5, D6, X7 = Key("erp_document", "D-5"), Key("erp_document", "D-6"), Key("other", "X-7")
DOCUMENTS = {5: D5, 6: D6, 7: X7}


def test_a_failure_is_told_in_its_systems_own_words():
    broken = stands(
        TIME_TO_BILL,
        [SUBMITTED, failure("time.approved", "mon 11:00", "authentication", message="the access token has expired")],
        "mon 12:00",
    )

    reason = deviation_of(broken, DeviationKind.FAILED).reason
    assert reason.endswith("authentication (the access token has expired)")


def test_a_failed_step_is_open_since_its_first_failure_until_it_succeeds():
    story = [
        SUBMITTED,
        APPROVED,
        failure("time.posted", "mon 11:00"),
        failure("time.posted", "mon 12:00", "authentication", system="erp"),
    ]

    broken = stands(TIME_TO_BILL, story, "mon 13:00")
    mended = stands(TIME_TO_BILL, [*story, event("time.posted", "mon 13:00")], "mon 13:30")

    assert status_of(broken, "time.posted") is StepStatus.FAILED
    assert step_of(broken, "time.posted").reason == "time.posted failed in erp at 2026-11-02T12:00:00Z: authentication"
    assert open_deviations(broken) == [("failed", "time.posted")]
    assert deviation_of(broken, DeviationKind.FAILED).since == at("mon 11:00")
    assert status_of(mended, "time.posted") is StepStatus.DONE
    assert open_deviations(mended) == []
    assert deviation_of(mended, DeviationKind.FAILED).since == at("mon 11:00")


def test_a_failure_closes_on_a_later_step_of_the_round():
    story = [SUBMITTED, APPROVED, failure("time.posted", "mon 11:00"), event("billing.released", "mon 12:00")]

    derived = stands(TIME_TO_BILL, story, "mon 13:00")

    assert open_deviations(derived) == [("skipped", "time.posted")]
    assert status_of(derived, "time.posted") is StepStatus.SKIPPED


def test_a_failure_does_not_close_on_an_earlier_or_an_error_step():
    story = [
        SUBMITTED,
        failure("time.posted", "mon 11:00"),
        event("time.approved", "mon 12:00"),
        event("invoice.disputed", "mon 12:30"),
    ]

    assert open_deviations(stands(TIME_TO_BILL, story, "mon 13:00")) == [("failed", "time.posted")]


def test_a_failure_after_a_success_is_open_and_the_next_step_still_runs():
    story = [SUBMITTED, APPROVED, failure("time.approved", "mon 11:00")]

    derived = stands(TIME_TO_BILL, story, "mon 12:00")

    assert status_of(derived, "time.approved") is StepStatus.FAILED
    assert step_of(derived, "time.posted").due == at("mon 14:00")


def test_a_new_failure_after_a_success_opens_anew():
    story = [
        SUBMITTED,
        APPROVED,
        failure("time.posted", "mon 11:00"),
        event("time.posted", "mon 12:00"),
        failure("time.posted", "mon 13:00"),
    ]

    failed = deviation_of(stands(TIME_TO_BILL, story, "mon 13:30"), DeviationKind.FAILED)

    assert (failed.since, failed.open) == (at("mon 13:00"), True)


def test_a_failure_through_a_carrier_shows_on_the_case():
    story = [SUBMITTED, APPROVED, failure("time.posted", "mon 11:00", via=Via.CARRIER)]

    assert open_deviations(stands(TIME_TO_BILL, story, "mon 13:00")) == [("failed", "time.posted")]


def test_missing_master_data_is_a_kind_of_its_own():
    story = [SUBMITTED, APPROVED, failure("time.posted", "mon 11:00", "missing_master_data")]

    broken = stands(TIME_TO_BILL, story, "mon 12:00")
    mended = stands(TIME_TO_BILL, [*story, event("time.posted", "mon 13:00")], "mon 13:30")

    assert open_deviations(broken) == [("missing_master_data", "time.posted")]
    assert status_of(broken, "time.posted") is StepStatus.FAILED
    assert open_deviations(mended) == []


def test_failures_of_two_kinds_stand_beside_each_other():
    story = [
        SUBMITTED,
        failure("time.posted", "mon 11:00", "missing_master_data"),
        failure("time.posted", "mon 12:00", "timeout"),
        failure("time.posted", "mon 13:00", "missing_master_data"),
    ]

    derived = stands(TIME_TO_BILL, story, "mon 14:00")

    assert deviation_of(derived, DeviationKind.MISSING_MASTER_DATA).since == at("mon 11:00")
    assert deviation_of(derived, DeviationKind.FAILED).since == at("mon 12:00")


def test_a_failed_step_past_due_is_overdue_as_well():
    story = [SUBMITTED, APPROVED, failure("time.posted", "mon 11:00")]

    derived = stands(TIME_TO_BILL, story, "mon 15:00", {"erp": "mon 15:00"})

    assert open_deviations(derived) == [("failed", "time.posted"), ("overdue", "time.posted")]
    assert status_of(derived, "time.posted") is StepStatus.FAILED


def test_a_failure_closes_with_its_round():
    story = [SUBMITTED, APPROVED, failure("time.posted", "mon 11:00"), event("time.rejected", "mon 12:00")]

    derived = stands(TIME_TO_BILL, story, "mon 13:00")

    assert open_deviations(derived) == []
    assert deviation_of(derived, DeviationKind.FAILED).round == 1


def test_a_step_passed_over_is_skipped_until_it_is_seen():
    story = [SUBMITTED, event("time.posted", "mon 11:00"), event("billing.released", "mon 12:00")]

    skipped = stands(TIME_TO_BILL, story, "sun 13:00", {"psa": "sun 13:00", "erp": "mon 12:00"})
    seen = stands(TIME_TO_BILL, [*story, event("time.approved", "mon 10:00")], "mon 13:00")

    assert open_deviations(skipped) == [("skipped", "time.approved")]
    assert status_of(skipped, "time.approved") is StepStatus.SKIPPED
    assert deviation_of(skipped, DeviationKind.SKIPPED).since == at("mon 11:00")
    assert seen.deviations == ()


def test_an_error_step_passes_nothing_over():
    story = [SUBMITTED, event("invoice.disputed", "mon 11:00")]

    assert stands(TIME_TO_BILL, story, "mon 13:00").deviations == ()


def test_a_step_after_the_terminal_one_passes_it_over_and_the_case_waits_for_it_still():
    story = [SUBMITTED, event("invoice.paid", "mon 11:00")]

    derived = stands(TIME_TO_BILL, story, "mon 13:00")

    assert derived.state is CaseState.OPEN
    assert ("skipped", "invoice.issued") in open_deviations(derived)
    assert derived.waits is not None
    assert (derived.waits.step, derived.waits.due) == ("invoice.issued", None)


def test_out_of_order_is_said_only_beyond_the_clock_skew():
    approved = event("time.approved", "mon 12:00")

    within = stands(TIME_TO_BILL, [SUBMITTED, event("time.posted", "mon 11:55"), approved], "mon 13:00")
    beyond = stands(TIME_TO_BILL, [SUBMITTED, event("time.posted", "mon 11:54"), approved], "mon 13:00")

    assert within.deviations == ()
    found = deviation_of(beyond, DeviationKind.OUT_OF_ORDER)
    assert (found.step, found.since, found.open) == ("time.posted", at("mon 11:54"), True)


def test_out_of_order_compares_first_successes():
    story = [SUBMITTED, APPROVED, event("time.posted", "mon 11:00"), event("time.approved", "mon 15:00")]

    assert stands(TIME_TO_BILL, story, "mon 16:00").deviations == ()


def test_two_documents_for_one_posting_are_a_duplicate():
    story = [
        SUBMITTED,
        APPROVED,
        event("time.posted", "mon 11:00", aliases=(5,)),
        event("time.posted", "mon 12:00", aliases=(6,)),
    ]

    derived = stands(TIME_TO_BILL, story, "mon 13:00", aliases=DOCUMENTS)
    single = stands(TIME_TO_BILL, story[:3], "mon 13:00", aliases=DOCUMENTS)

    found = deviation_of(derived, DeviationKind.DUPLICATE)
    assert (found.round, found.since, found.open) == (1, at("mon 12:00"), True)
    assert found.reason == "got several values in one round: erp_document D-5 and D-6"
    assert single.deviations == ()


def test_a_second_document_in_the_next_round_is_no_duplicate():
    story = [
        SUBMITTED,
        APPROVED,
        event("time.posted", "mon 11:00", aliases=(5,)),
        event("time.rejected", "mon 11:30"),
        event("time.posted", "mon 12:00", aliases=(6,)),
        event("time.posted", "mon 12:30", aliases=(5,), via=Via.ALIAS),
    ]

    kinds = [each.kind for each in stands(TIME_TO_BILL, story, "mon 13:00", aliases=DOCUMENTS).deviations]

    assert DeviationKind.DUPLICATE not in kinds


def test_values_of_two_alias_types_are_no_duplicate():
    story = [SUBMITTED, APPROVED, event("time.posted", "mon 11:00", aliases=(5, 7))]

    assert stands(TIME_TO_BILL, story, "mon 13:00", aliases=DOCUMENTS).deviations == ()


def test_an_alias_that_a_person_took_off_is_no_duplicate():
    story = [
        SUBMITTED,
        APPROVED,
        event("time.posted", "mon 11:00", aliases=(5,)),
        event("time.posted", "mon 12:00", aliases=(6,)),
    ]

    assert stands(TIME_TO_BILL, story, "mon 13:00", aliases={5: D5}).deviations == ()


def test_a_failed_second_posting_is_no_duplicate():
    story = [
        SUBMITTED,
        APPROVED,
        event("time.posted", "mon 11:00", aliases=(5,)),
        failure("time.posted", "mon 12:00", aliases=(6,)),
    ]

    derived = stands(TIME_TO_BILL, story, "mon 13:00", aliases=DOCUMENTS)

    assert [each.kind for each in derived.deviations] == [DeviationKind.FAILED]


def test_a_conflict_about_its_keys_shows_on_the_case_while_it_lasts():
    conflict = Conflict(("erp_document=D-5",), at("mon 11:00"))

    derived = stands(TIME_TO_BILL, [SUBMITTED], "mon 13:00", conflict=conflict)

    found = deviation_of(derived, DeviationKind.CONFLICTING_KEYS)
    assert (found.step, found.round, found.since) == (None, None, at("mon 11:00"))
    assert "erp_document=D-5" in found.reason
    assert stands(TIME_TO_BILL, [SUBMITTED], "mon 13:00").deviations == ()


def unique(project: str, scope: str) -> tuple[tuple[str, str, str], ...]:
    return (("project", Key("project", project).encode(), scope),)


def test_a_second_unique_key_within_its_scope_is_a_conflict():
    first = event("time.submitted", "mon 09:00", uniques=unique("PRJ-1", "DE01"))
    other_scope = event("time.approved", "mon 10:00", uniques=unique("PRJ-2", "US01"))
    second = event("time.posted", "mon 11:00", uniques=unique("PRJ-2", "DE01"))

    found = deviation_of(
        stands(TIME_TO_BILL, [first, other_scope, second], "mon 12:00"), DeviationKind.CONFLICTING_KEYS
    )

    assert found.since == at("mon 11:00")
    assert found.reason == "second project PRJ-2 beside PRJ-1"
    assert stands(TIME_TO_BILL, [first, other_scope], "mon 11:00").deviations == ()


def test_a_check_that_the_facts_break_is_a_violation_since_they_break_it():
    story = [
        event("time.submitted", "mon 09:00", fields={"rate": 120.0}),
        event("time.approved", "mon 10:00", fields={"rate_card": 100.0}),
        event("time.posted", "mon 11:00", fields={"memo": "late"}),
    ]
    corrected = event("time.posted", "mon 12:00", fields={"rate": 90.0})

    broken = stands(TIME_TO_BILL, story, "mon 11:30")
    mended = stands(TIME_TO_BILL, [*story, corrected], "mon 12:30")

    found = deviation_of(broken, DeviationKind.POLICY_VIOLATION)
    assert (found.step, found.since, found.reason) == (None, at("mon 10:00"), "the rate is above the rate card")
    assert mended.deviations == ()


def test_a_check_that_the_facts_do_not_allow_breaks_nothing():
    story = [event("time.submitted", "mon 09:00", fields={"rate": 120.0})]

    assert stands(TIME_TO_BILL, story, "mon 11:30").deviations == ()


def test_a_check_of_a_step_waits_until_the_step_is_seen():
    story = [event("time.submitted", "mon 09:00", fields={"approver": "nobody"}), APPROVED]

    before = stands(TIME_TO_BILL, story, "mon 11:00")
    after = stands(TIME_TO_BILL, [*story, event("time.posted", "mon 11:00")], "mon 12:00")

    assert before.deviations == ()
    found = deviation_of(after, DeviationKind.POLICY_VIOLATION)
    assert (found.step, found.since) == ("time.posted", at("mon 11:00"))


def test_a_provisional_case_becomes_an_orphan_by_its_earliest_receipt():
    story = [
        event("time.posted", "mon 11:00", via=Via.ALIAS, received=at("tue 09:00"), amount="10.00", hours="7.5"),
        event("time.posted", "mon 12:00", via=Via.ALIAS, received=at("tue 08:00"), amount="20.00"),
    ]

    young = stands(TIME_TO_BILL, story, at("fri 08:00") - 1, provisional=True, orphan_time=72 * HOUR)
    old = stands(TIME_TO_BILL, story, "fri 08:00", provisional=True, orphan_time=72 * HOUR)

    assert (young.state, young.deviations, young.exposure) == (CaseState.PROVISIONAL, (), None)
    assert young.wake_at == at("fri 08:00")
    assert (young.rounds, young.waits, young.sight) == ((), None, ())
    assert open_deviations(old) == [("orphan", None)]
    assert deviation_of(old, DeviationKind.ORPHAN).since == at("fri 08:00")
    assert old.wake_at is None
    assert old.exposure is not None
    assert (old.exposure.amount, old.exposure.hours) == ("20.00", "7.5")


def test_events_that_another_process_has_a_case_for_are_no_orphans_and_their_amounts_do_not_count():
    lonely = event("time.posted", "tue 11:00", via=Via.ALIAS, seq=1, amount="10.00")
    elsewhere = event("time.posted", "mon 12:00", via=Via.ALIAS, seq=2, amount="20.00")
    later = event("time.posted", "wed 12:00", via=Via.ALIAS, seq=3, amount="30.00")

    derived = stands(TIME_TO_BILL, [lonely, elsewhere, later], "sun 12:00", provisional=True, housed=frozenset({2, 3}))
    none = stands(TIME_TO_BILL, [elsewhere], "sun 12:00", provisional=True, housed=frozenset({2}))

    assert deviation_of(derived, DeviationKind.ORPHAN).since == at("fri 11:00")
    assert derived.exposure is not None
    assert derived.exposure.amount == "10.00"
    assert (none.deviations, none.exposure, none.wake_at) == ((), None, None)


def test_a_case_outside_its_process_has_steps_and_nothing_else():
    story = [
        event("time.submitted", "mon 09:00", fields={"billable": False}, amount="10.00"),
        failure("time.posted", "mon 10:00"),
        event("billing.released", "mon 11:00", aliases=(5, 6)),
    ]

    derived = stands(TIME_TO_BILL, story, "sun 12:00", {"erp": "sun 12:00", "psa": "sun 12:00"}, aliases=DOCUMENTS)

    assert derived.state is CaseState.NOT_APPLICABLE
    assert [(each.step, each.status) for each in derived.rounds[0].steps] == [
        ("time.submitted", StepStatus.DONE),
        ("time.posted", StepStatus.FAILED),
        ("billing.released", StepStatus.DONE),
    ]
    assert (derived.deviations, derived.waits, derived.exposure, derived.wake_at, derived.sight) == (
        (),
        None,
        None,
        None,
        (),
    )


def test_a_case_of_which_it_is_not_known_stays_in_its_process():
    assert stands(TIME_TO_BILL, [SUBMITTED], "mon 12:00").state is CaseState.OPEN


def test_deviations_come_by_time():
    story = [
        event("invoice.issued", "mon 09:00", fields={"due_date": "2026-11-04"}),
        event("invoice.sent", "mon 10:00"),
        failure("invoice.paid", "mon 11:00"),
    ]

    derived = stands(INVOICE_TO_CASH, story, "fri 00:00", {"erp": "fri 00:00"})

    assert [(each.kind.value, each.step) for each in derived.deviations] == [
        ("skipped", "invoice.posted"),
        ("failed", "invoice.paid"),
        ("overdue", "invoice.paid"),
    ]
