"""Versions, order and rounds: what the events of a case say of its steps."""

from __future__ import annotations

from lineage.fact import CaseState, StepStatus, Via
from lineage.process import Process, Step, StepKind, Version
from lineage.rounds import in_order
from tests.derived_state.processes import PIPELINE_TO_FORECAST, STAFFING, TIME_TO_BILL
from tests.derived_state.timeline import at, event, failure, open_deviations, stands, status_of, step_of


def test_it_takes_the_version_in_force_at_the_earliest_event_that_is_not_denied():
    late = event("staffing.requested", "fri 09:00")

    assert stands(STAFFING, [late], "fri 10:00").version == "2"
    assert stands(STAFFING, [late, event("x.y", "thu 09:00")], "fri 10:00").version == "1"
    assert stands(STAFFING, [late, failure("staffing.requested", "thu 09:00")], "fri 10:00").version == "1"
    assert stands(STAFFING, [late, event("x.y", "thu 09:00", denied=True)], "fri 10:00").version == "2"


def test_it_orders_equal_times_by_step_then_source_then_id():
    story = [
        event("time.rejected", "mon 09:00"),
        event("time.cancelled", "mon 09:00"),
        event("time.posted", "mon 09:00", id="b"),
        event("time.posted", "mon 09:00", id="a"),
        event("time.posted", "mon 09:00", source="/erp", id="c"),
        event("time.submitted", "mon 09:00"),
        event("document.registered", "mon 09:00"),
    ]

    _, ordered = in_order(TIME_TO_BILL, story)

    assert [(each.fact.type, each.fact.id) for each in ordered] == [
        ("document.registered", "document.registered@mon 09:00"),
        ("time.submitted", "time.submitted@mon 09:00"),
        ("time.posted", "c"),
        ("time.posted", "a"),
        ("time.posted", "b"),
        ("time.rejected", "time.rejected@mon 09:00"),
        ("time.cancelled", "time.cancelled@mon 09:00"),
    ]


def test_an_event_that_comes_by_two_ways_counts_once_by_the_most_direct():
    by_carrier = event("time.submitted", "mon 09:00", via=Via.CARRIER)
    by_name = event("time.submitted", "mon 09:00")

    assert in_order(TIME_TO_BILL, [by_carrier, by_name, by_carrier])[1] == [by_name]


def test_an_event_denied_on_one_way_is_denied():
    by_carrier = event("time.submitted", "mon 09:00", via=Via.CARRIER, denied=True)

    (member,) = in_order(TIME_TO_BILL, [event("time.submitted", "mon 09:00"), by_carrier])[1]

    assert member.denied
    assert member.via is Via.NAME


def test_a_step_shows_its_first_and_last_success_and_all_its_events():
    story = [
        event("time.submitted", "mon 09:00", system="psa"),
        failure("time.submitted", "mon 10:00"),
        event("time.submitted", "mon 11:00", system="psa"),
    ]

    step = step_of(stands(TIME_TO_BILL, story, "mon 12:00"), "time.submitted")

    assert (step.status, step.first, step.last) == (StepStatus.DONE, at("mon 09:00"), at("mon 11:00"))
    assert step.events == (0, 1, 2)
    assert step.systems_seen == ("psa",)


def test_a_rejection_closes_the_round_and_opens_the_next():
    story = [
        event("time.submitted", "mon 09:00"),
        event("time.approved", "mon 10:00"),
        event("time.rejected", "mon 11:00"),
        event("time.submitted", "mon 12:00"),
        event("time.approved", "mon 13:00"),
    ]

    derived = stands(TIME_TO_BILL, story, "mon 14:00")

    assert [each.round for each in derived.rounds] == [1, 2]
    assert [each.opened_by for each in derived.rounds] == [None, 2]
    assert [step.step for step in derived.rounds[0].steps] == ["time.submitted", "time.approved"]
    assert status_of(derived, "time.approved", 2) is StepStatus.DONE
    assert status_of(derived, "time.posted", 2) is StepStatus.WAITING


def test_a_failed_rejection_opens_nothing():
    story = [event("time.submitted", "mon 09:00"), failure("time.rejected", "mon 11:00")]

    assert len(stands(TIME_TO_BILL, story, "mon 14:00").rounds) == 1


def test_a_rejection_that_directly_follows_a_rejection_opens_no_empty_round():
    story = [
        event("time.submitted", "mon 09:00"),
        event("time.rejected", "mon 11:00"),
        event("time.rejected", "mon 12:00"),
    ]

    derived = stands(TIME_TO_BILL, story, "mon 14:00")

    assert [each.opened_by for each in derived.rounds] == [None, 1]
    assert derived.waits is not None
    assert derived.waits.due == at("thu 11:00")


def test_a_rejection_after_a_failed_resubmission_opens_a_round():
    story = [
        event("time.submitted", "mon 09:00"),
        event("time.rejected", "mon 11:00"),
        failure("time.submitted", "mon 12:00"),
        event("time.rejected", "mon 13:00"),
    ]

    assert len(stands(TIME_TO_BILL, story, "mon 14:00").rounds) == 3


def test_a_rejection_after_the_end_of_the_process_opens_the_case_again():
    story = [event("invoice.issued", "mon 09:00"), event("time.rejected", "mon 11:00")]

    assert stands(TIME_TO_BILL, story[:1], "mon 14:00").state is CaseState.DONE
    assert stands(TIME_TO_BILL, story, "mon 14:00").state is CaseState.OPEN


def test_each_initial_step_opens_a_round_where_the_process_says_so():
    story = [
        event("opportunity.committed", "mon 09:00"),
        event("forecast.updated", "mon 12:00"),
        event("opportunity.committed", "tue 09:00"),
        event("demand.forecasted", "tue 10:00"),
    ]

    derived = stands(PIPELINE_TO_FORECAST, story, "tue 11:00")

    assert [each.opened_by for each in derived.rounds] == [None, 2]
    assert status_of(derived, "opportunity.committed", 2) is StepStatus.DONE
    assert derived.state is CaseState.OPEN
    assert derived.waits is not None
    assert (derived.waits.step, derived.waits.round) == ("forecast.updated", 2)


def test_a_new_initial_step_opens_an_ended_case_again_where_each_opens_a_round():
    story = [
        event("opportunity.committed", "mon 09:00"),
        event("opportunity.cancelled", "mon 12:00"),
        event("opportunity.committed", "tue 09:00"),
    ]

    assert stands(PIPELINE_TO_FORECAST, story[:2], "tue 11:00").state is CaseState.ENDED
    assert stands(PIPELINE_TO_FORECAST, story, "tue 11:00").state is CaseState.OPEN


def test_a_step_with_several_systems_is_done_when_each_has_reported():
    story = [
        event("staffing.requested", "mon 09:00"),
        event("assignment.confirmed", "mon 10:00"),
        event("assignment.synced", "mon 11:00", system="psa"),
        event("assignment.synced", "mon 12:00", system="erp"),
    ]

    half = stands(STAFFING, story[:3], "mon 13:00")
    whole = stands(STAFFING, story, "mon 13:00")

    assert status_of(half, "assignment.synced") is StepStatus.WAITING
    assert step_of(half, "assignment.synced").systems_seen == ("psa",)
    assert step_of(half, "assignment.synced").reason == "not reported by erp"
    assert half.waits is not None
    assert half.waits.systems == ("erp",)
    assert status_of(whole, "assignment.synced") is StepStatus.DONE
    assert step_of(whole, "assignment.started").due == at("sat 12:00")


def test_an_event_that_names_no_system_reports_for_none_of_several():
    story = [
        event("staffing.requested", "mon 09:00"),
        event("assignment.confirmed", "mon 10:00"),
        event("assignment.synced", "mon 11:00"),
    ]

    step = step_of(stands(STAFFING, story, "mon 13:00"), "assignment.synced")

    assert (step.status, step.first) == (StepStatus.WAITING, at("mon 11:00"))
    assert step.reason == "not reported by erp, psa"


def test_a_denied_event_counts_for_nothing():
    story = [
        event("time.submitted", "mon 09:00"),
        event("time.approved", "mon 10:00"),
        event("time.posted", "mon 11:00", denied=True, synthetic=True, amount="5.00"),
    ]

    derived = stands(TIME_TO_BILL, story, "mon 12:00")

    assert status_of(derived, "time.posted") is StepStatus.WAITING
    assert step_of(derived, "time.posted").events == ()
    assert derived.last == at("mon 10:00")
    assert not derived.synthetic


def test_a_case_of_denied_events_only_stands_empty():
    derived = stands(TIME_TO_BILL, [event("time.submitted", "mon 09:00", denied=True)], "mon 14:00")

    assert (derived.state, derived.began, derived.last) == (CaseState.OPEN, None, None)
    assert derived.deviations == ()


def test_a_case_is_synthetic_when_an_event_that_came_directly_says_so():
    story = [event("time.submitted", "mon 09:00"), event("time.approved", "mon 10:00", synthetic=True)]
    by_carrier = [story[0], event("time.approved", "mon 10:00", synthetic=True, via=Via.CARRIER)]

    assert stands(TIME_TO_BILL, story, "mon 14:00").synthetic
    assert not stands(TIME_TO_BILL, by_carrier, "mon 14:00").synthetic


def test_an_event_that_names_several_cases_makes_none_of_them_synthetic():
    story = [event("time.submitted", "mon 09:00"), event("time.approved", "mon 10:00", synthetic=True, shared=True)]

    assert not stands(TIME_TO_BILL, story, "mon 14:00").synthetic


def test_an_event_whose_type_reports_several_steps_counts_for_those_of_its_system():
    process = Process(
        "account",
        "Account",
        "account",
        (),
        (),
        (),
        (
            Version(
                "1",
                None,
                (
                    Step("in_erp", StepKind.INITIAL, frozenset({"account.synced"}), ("erp",)),
                    Step("in_psa", StepKind.TERMINAL, frozenset({"account.synced"}), ("psa",)),
                ),
            ),
        ),
    )

    in_erp = stands(process, [event("account.synced", "mon 09:00", system="erp")], "mon 10:00")
    anywhere = stands(process, [event("account.synced", "mon 09:00")], "mon 10:00")

    assert in_erp.state is CaseState.OPEN
    assert anywhere.state is CaseState.DONE


def test_a_step_reported_by_one_of_its_systems_only_and_passed_over_is_skipped():
    story = [
        event("staffing.requested", "mon 09:00"),
        event("assignment.confirmed", "mon 10:00"),
        event("assignment.synced", "mon 11:00", system="psa"),
        event("assignment.started", "mon 12:00"),
    ]

    derived = stands(STAFFING, story, "mon 13:00")

    assert status_of(derived, "assignment.synced") is StepStatus.SKIPPED
    assert open_deviations(derived) == [("skipped", "assignment.synced")]
    assert derived.state is CaseState.DONE
