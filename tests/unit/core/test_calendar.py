"""Business time of a region, compared with a slow reading of the rules that steps minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.core.calendar import (
    END_OF_DAY,
    LAST_INSTANT,
    Duration,
    Hours,
    RegionCalendar,
    Unit,
    local_date,
    local_instant,
    parse_duration,
    parse_hours,
)
from throughline.core.instants import DAY, HOUR, MINUTE, from_datetime, parse_instant, to_datetime

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Dubai", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"]
# Weeks around changes of the clocks in both hemispheres, a turn of the year, and a month without any of these.
WEEKS = ["2026-03-06", "2026-03-27", "2026-04-03", "2026-09-04", "2026-10-02", "2026-10-23", "2026-10-30", "2026-12-29"]
HOLIDAYS = {date(2026, 3, 30), date(2026, 10, 26), date(2026, 12, 31), date(2027, 1, 1), date(2026, 9, 7)}


def region(
    zone: str | ZoneInfo = BERLIN, hours: str = "09:00-17:00", weekend: tuple[int, ...] = (5, 6)
) -> RegionCalendar:
    zone = ZoneInfo(zone) if isinstance(zone, str) else zone
    return RegionCalendar(zone, parse_hours(hours), lambda day: day.weekday() not in weekend and day not in HOLIDAYS)


def at(text: str) -> int:
    return parse_instant(text)


def hours(count: int) -> Duration:
    return Duration(count, Unit.HOURS)


def days(count: int) -> Duration:
    return Duration(count, Unit.BUSINESS_DAYS)


def is_open(calendar: RegionCalendar, instant: int) -> bool:
    local = to_datetime(instant).astimezone(calendar.zone)
    minutes = local.hour * 60 + local.minute
    return calendar.is_business_day(local.date()) and calendar.hours.opening <= minutes < calendar.hours.closing


def step_by_step(calendar: RegionCalendar, start: int, count: int) -> int:
    """Walk minute by minute until ``count`` hours of open minutes have gone by."""
    left = count * 60
    while left:
        left -= is_open(calendar, start)
        start += MINUTE
    return start


def day_by_day(calendar: RegionCalendar, start: int, count: int) -> int:
    """Walk to the next open minute, then over local dates, keeping the local time."""
    while not is_open(calendar, start):
        start += MINUTE
    local = to_datetime(start).astimezone(calendar.zone)
    day = local.date()
    while count:
        day += timedelta(days=1)
        count -= calendar.is_business_day(day)
    return from_datetime(datetime.combine(day, local.time(), calendar.zone))


calendars = st.builds(
    region,
    st.sampled_from(ZONES),
    st.sampled_from(["09:00-17:00", "08:30-16:15", "06:00-20:00"]),
    st.sampled_from([(5, 6), (4, 5), (6,)]),
)
minutes_of_a_week = st.builds(
    lambda week, minute: at(f"{week}T00:00:00Z") + minute * MINUTE,
    st.sampled_from(WEEKS),
    st.integers(0, 7 * END_OF_DAY),
)
instants = st.integers(at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"))
durations = st.one_of(st.builds(hours, st.integers(1, 100)), st.builds(days, st.integers(1, 30)))


@given(calendars, minutes_of_a_week, st.integers(1, 30))
def test_hours_agree_with_stepping_minute_by_minute(calendar: RegionCalendar, start: int, count: int) -> None:
    assert calendar.add(start, hours(count)) == step_by_step(calendar, start, count)


@given(st.sampled_from(ZONES), minutes_of_a_week, st.integers(1, 30))
def test_hours_agree_where_the_clocks_change_during_opening(zone: str, start: int, count: int) -> None:
    calendar = region(zone, "00:00-24:00", weekend=(2,))
    assert calendar.add(start, hours(count)) == step_by_step(calendar, start, count)


@given(calendars, minutes_of_a_week, st.integers(1, 12))
def test_business_days_agree_with_walking_over_dates(calendar: RegionCalendar, start: int, count: int) -> None:
    assert calendar.add(start, days(count)) == day_by_day(calendar, start, count)


@given(calendars, instants, st.integers(0, 5 * DAY), durations)
def test_a_later_start_never_ends_earlier(calendar: RegionCalendar, start: int, later: int, duration: Duration) -> None:
    assert calendar.add(start, duration) <= calendar.add(start + later, duration)


@given(calendars, instants, durations)
def test_a_longer_duration_ends_later(calendar: RegionCalendar, start: int, duration: Duration) -> None:
    longer = Duration(duration.count + 1, duration.unit)
    assert start < calendar.add(start, duration) < calendar.add(start, longer)


@given(calendars, instants, durations)
def test_it_ends_within_opening_hours_of_a_business_day(
    calendar: RegionCalendar, start: int, duration: Duration
) -> None:
    end = calendar.add(start, duration)
    assert is_open(calendar, end) or is_open(calendar, end - 1)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-11-03T09:00:00+01:00", hours(4), "2026-11-03T13:00:00+01:00"),
        ("2026-11-03T15:00:00+01:00", hours(4), "2026-11-04T11:00:00+01:00"),
        ("2026-11-03T13:00:00+01:00", hours(4), "2026-11-03T17:00:00+01:00"),  # ends as the day closes
        ("2026-11-03T17:00:00+01:00", hours(1), "2026-11-04T10:00:00+01:00"),  # the instant of closing is closed
        ("2026-11-03T03:00:00+01:00", hours(1), "2026-11-03T10:00:00+01:00"),  # at night
        ("2026-11-07T12:00:00+01:00", hours(1), "2026-11-09T10:00:00+01:00"),  # on a Saturday
        ("2026-03-27T16:00:00+01:00", hours(2), "2026-03-31T10:00:00+02:00"),  # over summer time and a holiday
        ("2026-10-23T16:00:00+02:00", hours(2), "2026-10-27T10:00:00+01:00"),  # over winter time and a holiday
        ("2026-03-27T12:30:00+01:00", days(1), "2026-03-31T12:30:00+02:00"),
        ("2026-11-06T12:30:00+01:00", days(1), "2026-11-09T12:30:00+01:00"),
        ("2026-11-06T17:00:00+01:00", days(1), "2026-11-10T09:00:00+01:00"),  # counts from Monday's opening
        ("2026-11-07T12:00:00+01:00", days(3), "2026-11-12T09:00:00+01:00"),
        ("2026-11-06T16:59:59+01:00", days(5), "2026-11-13T16:59:59+01:00"),
        ("2026-11-07T12:00:00+01:00", Duration(72, Unit.ELAPSED_HOURS), "2026-11-10T12:00:00+01:00"),
    ],
)
def test_durations_end_as_the_rules_say(start: str, duration: Duration, end: str) -> None:
    assert region().add(at(start), duration) == at(end)


def test_a_local_time_that_the_clocks_skip_falls_after_the_gap() -> None:
    calendar = region(hours="00:00-24:00", weekend=())
    assert calendar.add(at("2026-03-28T02:30:00+01:00"), days(1)) == at("2026-03-29T03:30:00+02:00")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-28T12:34:56.000007+01:00", "2026-03-29T12:34:56.000007+02:00"),
        ("2026-10-24T12:34:56.000007+02:00", "2026-10-25T12:34:56.000007+01:00"),
        ("2026-10-25T12:34:56.000007+01:00", "2026-10-27T12:34:56.000007+01:00"),
    ],
)
def test_the_local_time_is_kept_where_the_clocks_change_during_opening(start: str, end: str) -> None:
    assert region(hours="00:00-24:00", weekend=()).add(at(start), days(1)) == at(end)


def test_a_local_time_that_comes_twice_is_the_first() -> None:
    calendar = region(hours="00:00-24:00", weekend=())
    assert calendar.add(at("2026-10-24T02:30:00+02:00"), days(1)) == at("2026-10-25T02:30:00+02:00")


def test_a_weekend_may_lie_on_other_days() -> None:
    gulf = region("Asia/Dubai", weekend=(4, 5))
    assert gulf.add(at("2026-11-05T16:00:00+04:00"), hours(2)) == at("2026-11-08T10:00:00+04:00")


def test_a_date_that_the_zone_left_out_is_no_business_day() -> None:
    samoa = region("Pacific/Apia", weekend=())
    ends = [samoa.add(at("2011-12-29T10:00:00-10:00"), days(count)) for count in (1, 2)]
    assert ends == [at("2011-12-31T10:00:00+14:00"), at("2012-01-01T10:00:00+14:00")]


def test_a_day_that_begins_in_a_gap_opens_when_the_gap_ends() -> None:
    santiago = region("America/Santiago", hours="00:00-24:00", weekend=())
    day = date(2026, 9, 6)
    assert local_instant(santiago.zone, day, 0) == at("2026-09-06T04:00:00Z")
    assert santiago.add(at("2026-09-06T03:00:00Z"), hours(24)) == at("2026-09-07T03:00:00Z")


def test_a_long_sum_goes_on_beyond_what_is_looked_at_first() -> None:
    calendar = region(weekend=(0, 1, 2, 3, 4, 5))
    sunday = datetime(2026, 11, 8, 9, tzinfo=BERLIN) + timedelta(weeks=999)
    assert to_datetime(calendar.add(at("2026-11-07T12:00:00Z"), days(999))) == sunday


@pytest.mark.parametrize(
    "start", [at("1912-01-01T00:00:00Z"), LAST_INSTANT, LAST_INSTANT - 2 * DAY, at("9999-01-01T00:00:00Z")]
)
@pytest.mark.parametrize("duration", [hours(100), days(100)])
def test_it_answers_outside_the_years_of_the_calendar_too(start: int, duration: Duration) -> None:
    plain = {Unit.HOURS: HOUR, Unit.BUSINESS_DAYS: DAY}[duration.unit]
    assert region().add(start, duration) == start + duration.count * plain


def test_each_date_is_asked_about_once() -> None:
    asked: list[date] = []

    def is_business_day(day: date) -> bool:
        asked.append(day)
        return True

    calendar = RegionCalendar(BERLIN, Hours(), is_business_day)
    for minute in range(100):
        calendar.add(at("2026-11-03T09:00:00Z") + minute * MINUTE, hours(4))
    assert len(asked) == len(set(asked)) > 0


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("4 h", hours(4)),
        ("12h", hours(12)),
        (" 3 bd ", days(3)),
        ("72 elapsed_h", Duration(72, Unit.ELAPSED_HOURS)),
    ],
)
def test_durations_are_read_as_written(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "4", "h", "0 h", "-1 bd", "1.5 h", "4 d", "4  h", "1000 h", "٤ h", "4 h and more"]
)
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="such as 4 h or 3 bd"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text", ["", "9-17", "17:00-09:00", "09:00-09:00", "09:60-17:00", "09:00-24:01", "09:00–17:00"]
)
def test_other_texts_are_no_opening_hours(text: str) -> None:
    with pytest.raises(ValueError, match="opening hours"):
        parse_hours(text)


def test_opening_hours_may_fill_the_day() -> None:
    assert parse_hours("00:00-24:00") == Hours(0, END_OF_DAY)


def test_the_years_of_the_calendar_end_on_a_whole_day() -> None:
    assert to_datetime(LAST_INSTANT) == datetime(2200, 1, 1, tzinfo=UTC)


def open_minutes(calendar: RegionCalendar, start: int, end: int) -> int:
    return sum(is_open(calendar, minute) for minute in range(start, end, MINUTE))


@given(calendars, minutes_of_a_week, st.integers(0, 4 * 24 * 60))
def test_open_time_between_two_instants_is_counted_minute_by_minute(
    calendar: RegionCalendar, start: int, length: int
) -> None:
    start -= start % MINUTE
    end = start + length * MINUTE
    assert calendar.open_between(start, end) == open_minutes(calendar, start, end) * MINUTE


def test_open_time_adds_up_over_years_and_leaves_the_clocks_changes_out() -> None:
    calendar = region(hours="00:00-24:00", weekend=())
    spring = at("2026-03-28T23:00:00Z")  # midnight in Berlin of the day that lacks an hour
    assert calendar.open_between(spring, spring + 23 * HOUR) == 23 * HOUR
    start, middle, end = at("2020-05-01T10:00:00Z"), at("2024-01-01T00:00:00Z"), at("2027-03-03T11:11:11Z")
    assert region().open_between(start, middle) + region().open_between(middle, end) == region().open_between(
        start, end
    )
    assert region().open_between(end, start) == 0


def test_where_the_years_of_the_calendar_end_time_is_open_as_it_elapses() -> None:
    assert region().open_between(LAST_INSTANT - 1, LAST_INSTANT + DAY) >= DAY
    assert region().open_between(-2 * DAY, -DAY) == DAY


@given(calendars, minutes_of_a_week, st.integers(1, 60))
def test_what_hours_are_added_is_open_time_again(calendar: RegionCalendar, start: int, count: int) -> None:
    assert calendar.open_between(start, calendar.add(start, hours(count))) == count * HOUR


@pytest.mark.parametrize("zone", sorted(available_timezones()))
def test_the_date_is_that_of_the_clock_on_the_wall_to_the_second_around_each_midnight(zone: str) -> None:
    place = ZoneInfo(zone)
    for year in (1979, 1980, 1986, 2007, 2026):
        for month in range(1, 13):
            midnight = datetime(year, month, 1, tzinfo=place)
            for seconds in (-1, 0, 1):
                at = midnight.astimezone(UTC) + timedelta(seconds=seconds)
                assert local_date(place, from_datetime(at)) == at.astimezone(place).date()
