from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.core.calendar import Hours, RegionCalendar
from throughline.core.cutoff import WEEKDAYS, Cutoffs, MonthDay, Weekday
from throughline.core.instants import DAY, from_datetime, parse_instant, to_datetime

BERLIN = ZoneInfo("Europe/Berlin")
HOLIDAYS = {date(2026, 11, 30), date(2027, 1, 1)}


@dataclass(frozen=True)
class Rule:
    on: Weekday | MonthDay | int
    minutes: int = 17 * 60


def calendar(zone: ZoneInfo = BERLIN) -> RegionCalendar:
    return RegionCalendar(zone, Hours(), lambda day: day.weekday() < 5 and day not in HOLIDAYS)


def first(rule: Rule, start: str) -> int | None:
    return Cutoffs(((rule, calendar()),)).first_from(parse_instant(start))


@pytest.mark.parametrize(
    ("on", "start", "cutoff"),
    [
        (Weekday.FRIDAY, "2026-11-03T10:00:00Z", "2026-11-06T17:00:00+01:00"),
        (Weekday.FRIDAY, "2026-11-06T17:00:00+01:00", "2026-11-06T17:00:00+01:00"),
        (Weekday.FRIDAY, "2026-11-06T17:00:00.000001+01:00", "2026-11-13T17:00:00+01:00"),
        (Weekday.FRIDAY, "2026-10-24T10:00:00Z", "2026-10-30T17:00:00+01:00"),
        (15, "2026-11-15T18:00:00+01:00", "2026-12-15T17:00:00+01:00"),
        (31, "2027-02-01T00:00:00Z", "2027-02-28T17:00:00+01:00"),
        (MonthDay.LAST_DAY, "2026-11-03T10:00:00Z", "2026-11-30T17:00:00+01:00"),
        (MonthDay.LAST_BUSINESS_DAY, "2026-11-03T10:00:00Z", "2026-11-27T17:00:00+01:00"),
        (MonthDay.LAST_BUSINESS_DAY, "2026-11-28T10:00:00Z", "2026-12-31T17:00:00+01:00"),
        (MonthDay.FIRST_BUSINESS_DAY, "2026-12-02T10:00:00Z", "2027-01-04T17:00:00+01:00"),
    ],
)
def test_the_first_cutoff_at_or_after(on: Weekday | MonthDay | int, start: str, cutoff: str) -> None:
    assert first(Rule(on), start) == parse_instant(cutoff)


def test_of_several_rules_the_earliest_counts() -> None:
    twice = Cutoffs(((Rule(15), calendar()), (Rule(MonthDay.LAST_DAY), calendar())))
    found = [twice.first_from(parse_instant(start)) for start in ("2026-11-10T00:00:00Z", "2026-11-20T00:00:00Z")]
    assert found == [parse_instant("2026-11-15T16:00:00Z"), parse_instant("2026-11-30T16:00:00Z")]


def test_each_rule_keeps_its_own_zone() -> None:
    both = Cutoffs(((Rule(Weekday.FRIDAY), calendar()), (Rule(Weekday.FRIDAY), calendar(ZoneInfo("Asia/Tokyo")))))
    assert both.first_from(parse_instant("2026-11-05T00:00:00Z")) == parse_instant("2026-11-06T17:00:00+09:00")


def test_there_is_none_outside_the_years_of_the_calendar() -> None:
    assert first(Rule(15), "1931-01-01T00:00:00Z") is None
    assert first(Rule(15), "2400-01-01T00:00:00Z") is None


@given(st.sampled_from(WEEKDAYS), st.integers(0, 24 * 60), st.integers(2 * DAY, 100 * 365 * DAY))
def test_a_weekly_cutoff_is_found_by_walking_over_days(on: Weekday, minutes: int, start: int) -> None:
    day = to_datetime(start).date() - timedelta(days=2)
    while True:
        local = datetime(day.year, day.month, day.day, tzinfo=BERLIN) + timedelta(minutes=minutes)
        if day.weekday() == WEEKDAYS.index(on) and from_datetime(local) >= start:
            break
        day += timedelta(days=1)
    assert Cutoffs(((Rule(on, minutes), calendar()),)).first_from(start) == from_datetime(local)
