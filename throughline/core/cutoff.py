"""Cut-offs: recurring instants, such as the weekly billing run of a legal entity, in the local time of a region."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol

from throughline.core.calendar import FIRST_INSTANT, LAST_INSTANT, RegionCalendar, local_instant
from throughline.core.instants import DAY, to_datetime


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class MonthDay(StrEnum):
    """A day of a month that the calendar decides."""

    FIRST_BUSINESS_DAY = "first_business_day"
    LAST_BUSINESS_DAY = "last_business_day"
    LAST_DAY = "last_day"


class Rule(Protocol):
    """When a cut-off recurs: ``on`` a day of every week or month, ``minutes`` after local midnight."""

    @property
    def on(self) -> Weekday | MonthDay | int: ...

    @property
    def minutes(self) -> int: ...


WEEKDAYS = list(Weekday)
STRETCH = 64 * DAY
# A stretch is looked at with this much around it: a month, and what zones and months without business days add.
AROUND = timedelta(days=2)
AHEAD = timedelta(days=70)


class Cutoffs:
    """The instants at which any of some rules cuts off, each in the business time of its region."""

    def __init__(self, rules: tuple[tuple[Rule, RegionCalendar], ...]) -> None:
        self._rules = rules
        self._found: dict[int, list[int]] = {}

    def first_from(self, start: int) -> int | None:
        """Return the first cut-off at or after an instant; None outside the years 1970 to 2199."""
        if not FIRST_INSTANT <= start < LAST_INSTANT:
            return None
        stretch = start // STRETCH
        instants = self._found.get(stretch)
        if instants is None:
            instants = self._found[stretch] = self._instants(stretch)
        index = bisect_left(instants, start)
        return instants[index] if index < len(instants) else None

    def _instants(self, stretch: int) -> list[int]:
        first = to_datetime(stretch * STRETCH).date() - AROUND
        last = to_datetime((stretch + 1) * STRETCH).date() + AHEAD
        return sorted(
            {
                local_instant(calendar.zone, day, rule.minutes)
                for rule, calendar in self._rules
                for day in _days(rule.on, first, last, calendar)
            }
        )


def _days(on: Weekday | MonthDay | int, first: date, last: date, calendar: RegionCalendar) -> Iterator[date]:
    """Yield the days between two that a rule means."""
    if isinstance(on, Weekday):
        day = first + timedelta(days=(WEEKDAYS.index(on) - first.weekday()) % 7)
        while day < last:
            yield day
            day += timedelta(days=7)
        return
    month = first.replace(day=1)
    while month < last:
        following = (month + timedelta(days=31)).replace(day=1)
        day = _day_of_month(on, month, following, calendar)
        if day is not None:
            yield day
        month = following


def _day_of_month(on: MonthDay | int, month: date, following: date, calendar: RegionCalendar) -> date | None:
    """Return the day meant in the month from ``month`` to ``following``; the last where it has fewer days."""
    days = [month + timedelta(days=n) for n in range((following - month).days)]
    match on:
        case MonthDay.FIRST_BUSINESS_DAY:
            return next((day for day in days if calendar.is_business_day(day)), None)
        case MonthDay.LAST_BUSINESS_DAY:
            return next((day for day in reversed(days) if calendar.is_business_day(day)), None)
        case MonthDay.LAST_DAY:
            return days[-1]
        case _:
            return days[min(int(on), len(days)) - 1]
