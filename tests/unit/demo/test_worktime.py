"""The firm's own working time, by hand-counted examples of its calendar."""

from datetime import date, time

import pytest

from throughline.core.instants import format_instant, parse_instant
from throughline.demo.firm import REGIONS

EMEA, AMER, APAC = REGIONS["EMEA"], REGIONS["AMER"], REGIONS["APAC"]


def test_hours_count_while_the_office_is_open():
    assert format_instant(EMEA.plus_hours(parse_instant("2026-10-06T08:00:00Z"), 4)) == "2026-10-06T12:00:00Z"


def test_hours_go_on_with_the_next_opening():
    # Friday 16:30 in Berlin: an hour is left, three more from Monday 09:00 on.
    assert format_instant(EMEA.plus_hours(parse_instant("2026-10-09T14:30:00Z"), 4)) == "2026-10-12T10:00:00Z"


def test_hours_leave_out_public_holidays_of_the_region():
    # Monday 12 October is a holiday in the United States and in Japan, not in Germany.
    friday_evening = parse_instant("2026-10-09T23:00:00Z")
    assert format_instant(AMER.plus_hours(friday_evening, 1)) == "2026-10-13T14:00:00Z"
    assert format_instant(APAC.plus_hours(friday_evening, 1)) == "2026-10-13T01:00:00Z"
    assert format_instant(EMEA.plus_hours(friday_evening, 1)) == "2026-10-12T08:00:00Z"


def test_workdays_keep_the_local_time_over_the_end_of_summer_time():
    # Berlin goes back an hour on Sunday 25 October: the same local time is an hour later in UTC.
    assert format_instant(EMEA.plus_workdays(parse_instant("2026-10-23T08:00:00Z"), 1)) == "2026-10-26T09:00:00Z"


def test_workdays_count_from_the_next_opening():
    # Saturday noon counts from Monday 09:00.
    assert format_instant(EMEA.plus_workdays(parse_instant("2026-10-10T10:00:00Z"), 3)) == "2026-10-15T07:00:00Z"


@pytest.mark.parametrize(
    ("start", "cutoff"),
    [
        ("2026-10-07T10:00:00Z", "2026-10-09T16:00:00Z"),
        ("2026-10-09T16:00:00Z", "2026-10-09T16:00:00Z"),
        ("2026-10-09T16:00:01Z", "2026-10-16T16:00:00Z"),
        ("2026-10-24T10:00:00Z", "2026-10-30T17:00:00Z"),
    ],
)
def test_the_cutoff_is_the_first_friday_evening_from_then_on(start: str, cutoff: str):
    assert format_instant(EMEA.cutoff(parse_instant(start))) == cutoff


def test_a_day_ends_with_its_last_instant():
    assert format_instant(AMER.end_of_day(date(2026, 11, 1))) == "2026-11-02T04:59:59.999999Z"


def test_a_workday_is_found_from_a_holiday_on():
    assert AMER.workday(date(2026, 10, 10)) == date(2026, 10, 13)
    assert AMER.workday(date(2026, 10, 9), 1) == date(2026, 10, 13)


def test_a_local_time_is_told_in_the_zone_of_the_region():
    assert format_instant(APAC.at(date(2026, 10, 6), time(9))) == "2026-10-06T00:00:00Z"
