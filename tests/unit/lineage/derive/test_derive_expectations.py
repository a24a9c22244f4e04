"""What should recur: periods, who misses them, and what is said of it once they are past due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lineage.expectations import MOST_PERIODS
from lineage.fact import CaseState, Derived, Deviation, DeviationKind, Via
from lineage.process import Every
from tests.derived_state.processes import DAILY, UPKEEP, upkeep
from tests.derived_state.timeline import at, event, failure, stands
from throughline.core.instants import HOUR
from throughline.core.key import Key

SIGNED = event("contract.signed", "mon 08:00")
INSTALLED = event("machine.installed", "tue 10:00", fields={"last_day": "2026-11-05"})
STORY = [SIGNED, INSTALLED]
HEARD = {"crm": "sun+1 23:00", "erp": "sun+1 23:00", "psa": "sun+1 23:00"}
END_OF_TUESDAY = at("wed 00:00") - 1_000_000  # in these calendars a day ends a second early
DUE_OF_TUESDAY = END_OF_TUESDAY + 4 * HOUR


def visit(when: str, on: str | None = None, **more: object):
    fields = {} if on is None else {"visited_on": on}
    return event("machine.visited", when, fields=fields, via=Via.CARRIER, **more)


def found(derived: Derived) -> list[tuple[int | None, bool]]:
    """Return the number of each period with a deviation, and whether that is open."""
    return [(each.round, each.open) for each in expected(derived)]


def expected(derived: Derived) -> list[Deviation]:
    return [each for each in derived.deviations if each.step == "visited"]


def test_a_period_without_its_event_is_overdue_from_its_due_time_on():
    before, then = (stands(UPKEEP, STORY, DUE_OF_TUESDAY - moment, HEARD) for moment in (1, 0))

    assert (found(before), before.wake_at) == ([], DUE_OF_TUESDAY)
    (deviation,) = then.deviations
    assert (deviation.kind, deviation.step, deviation.round) == (DeviationKind.OVERDUE, "visited", 20261103)
    assert deviation.since == DUE_OF_TUESDAY
    assert deviation.reason == ("no machine.visited of 2026-11-03 was seen by its due time 2026-11-04T03:59:59Z")
    assert then.wake_at == DUE_OF_TUESDAY + 24 * HOUR


def test_a_case_that_is_done_goes_on_expecting_until_the_last_day_and_then_sleeps():
    derived = stands(UPKEEP, STORY, "sun 12:00", HEARD)

    assert derived.state is CaseState.DONE
    assert found(derived) == [(20261103, True), (20261104, True), (20261105, True)]
    assert derived.wake_at is None


def test_an_event_of_the_period_meets_it_and_a_failure_does_not():
    story = [*STORY, visit("tue 18:00"), failure("machine.visited", "wed 18:00"), visit("thu 18:00", denied=True)]

    assert found(stands(UPKEEP, story, "sun 12:00", HEARD)) == [(20261104, True), (20261105, True)]


def test_the_field_of_the_period_counts_before_the_time_of_the_event():
    story = [*STORY, visit("thu 18:00", "2026-11-03"), visit("wed 18:00", "some day")]

    assert found(stands(UPKEEP, story, "sun 12:00", HEARD)) == [(20261103, False), (20261105, True)]


def test_a_period_that_is_met_late_leaves_a_closed_deviation():
    derived = stands(UPKEEP, [*STORY, visit("wed 12:00", "2026-11-03")], "wed 13:00", HEARD)

    (deviation,) = expected(derived)
    assert (deviation.open, deviation.ended, deviation.since) == (False, False, DUE_OF_TUESDAY)
    assert "came at 2026-11-04T12:00:00Z, after its due time" in deviation.reason


def test_a_period_is_overdue_only_where_its_source_would_have_told():
    unheard = stands(UPKEEP, STORY, "wed 12:00", {"psa": DUE_OF_TUESDAY - 1})
    unknown = stands(UPKEEP, STORY, "wed 12:00", {"crm": "wed 12:00"})
    heard = stands(UPKEEP, STORY, "wed 12:00", {"psa": DUE_OF_TUESDAY})

    assert (found(unheard), unheard.sight) == ([], (("/psa", DUE_OF_TUESDAY),))
    assert (found(unknown), unknown.sight) == ([], ())
    assert (found(heard), heard.sight) == ([(20261103, True)], ())


def test_the_first_day_is_that_of_the_field_where_an_event_tells_one():
    story = [*STORY, event("machine.accepted", "wed 09:00", fields={"first_day": "2026-11-05"})]

    assert found(stands(UPKEEP, story, "sun 12:00", HEARD)) == [(20261105, True)]


def test_a_last_day_that_cannot_be_read_is_none():
    story = [SIGNED, event("machine.installed", "sat 10:00", fields={"last_day": "soon"})]

    assert found(stands(UPKEEP, story, "mon+1 12:00", HEARD)) == [(20261107, True), (20261108, True)]


def test_the_expected_events_say_nothing_of_first_and_last_day():
    visited = event("machine.visited", "tue 18:00", fields={"last_day": "2026-11-03"})

    assert found(stands(UPKEEP, [*STORY, visited], "sun 12:00", HEARD)) == [(20261104, True), (20261105, True)]


def test_nothing_is_expected_before_its_step_was_seen():
    story = [SIGNED, failure("machine.installed", "tue 10:00")]

    assert found(stands(UPKEEP, story, "sun 12:00", HEARD)) == []


def test_what_ends_the_object_is_the_last_day():
    story = [*STORY, event("machine.returned", "wed 10:00")]

    assert found(stands(UPKEEP, story, "sun 12:00", HEARD)) == [(20261103, True), (20261104, True)]


def test_an_ended_case_expects_nothing_more_and_keeps_what_was_past_due_as_closed():
    derived = stands(UPKEEP, [*STORY, event("contract.cancelled", "thu 02:00")], "sun 12:00", HEARD)

    assert derived.state is CaseState.ENDED
    assert found(derived) == [(20261103, False)]
    assert expected(derived)[0].ended
    assert derived.wake_at is None


def test_a_rejection_does_not_end_what_is_expected():
    story = [*STORY, event("contract.rejected", "wed 02:00")]

    assert found(stands(UPKEEP, story, "wed 12:00", HEARD)) == [(20261103, True)]


@pytest.mark.parametrize(
    ("every", "numbers", "label"),
    [
        (Every.WEEK, [202645, 202646], "week 2026-W45"),
        (Every.MONTH, [202611, 202612], "2026-11"),
    ],
)
def test_longer_periods_are_whole_ones_around_the_first_and_the_last_day(every: Every, numbers: list[int], label: str):
    process = upkeep(replace(DAILY, every=every, within=None))
    until = "2026-11-09" if every is Every.WEEK else "2026-12-01"
    story = [SIGNED, event("machine.installed", "tue 10:00", fields={"last_day": until})]
    derived = stands(process, story, "mon+9 00:00", {"psa": "mon+9 00:00"})

    assert [each.round for each in expected(derived)] == numbers
    assert label in expected(derived)[0].reason


def test_each_value_has_its_own_periods_and_shares_the_deviation_of_one():
    one, two = Key("machine", "M1").encode(), Key("machine", "M2").encode()
    process = upkeep(replace(DAILY, per="machine"))
    story = [
        SIGNED,
        event("machine.installed", "tue 10:00", seq=1, fields={"last_day": "2026-11-04"}),
        event("machine.installed", "tue 11:00", seq=2, fields={"last_day": "2026-11-04"}),
        visit("wed 10:00", "2026-11-03", seq=3),
        visit("wed 11:00", seq=4),
        visit("wed 12:00", seq=5),
    ]
    bearing = {1: (one,), 2: (two,), 3: (two,), 4: (two,)}
    derived = stands(process, story, "sun 12:00", HEARD, bearing=bearing)

    assert found(derived) == [(20261103, True), (20261104, True)]
    assert [each.reason.count(" for machine M1 ") for each in expected(derived)] == [1, 1]
    assert not any("M2" in each.reason for each in expected(derived))
    assert stands(process, story, "sun 12:00", HEARD).deviations == ()


def test_a_first_day_long_ago_costs_no_more_than_so_many_periods():
    story = [SIGNED, event("machine.installed", "tue 10:00", fields={"first_day": "1999-01-01"})]

    assert len(found(stands(UPKEEP, story, "sun 12:00", HEARD))) == MOST_PERIODS


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_that_no_calendar_knows_is_none(day: str):
    story = [SIGNED, event("machine.installed", "sat 10:00", fields={"first_day": day, "last_day": day})]

    assert found(stands(UPKEEP, story, "sun 12:00", HEARD)) == [(20261107, True)]
