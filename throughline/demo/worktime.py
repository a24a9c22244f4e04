"""The firm's own working time, told from its wall calendars: the demo's truth counts deadlines with this alone.

It shares nothing with the business time of the product, so that one checks the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from throughline.core.instants import MICROSECONDS, from_datetime, to_datetime

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the firm that keeps one set of office hours; holidays are those of ``country``."""

    name: str
    zone: str
    country: str
    opens: time
    closes: time
    cutoffs: Mapping[str, tuple[int, time]]  # of each kind, every week: the weekday (Monday is 0) and the local time

    def at(self, day: date, clock: time) -> int:
        """Return the instant of a local date and time."""
        return from_datetime(datetime.combine(day, clock, tzinfo=ZoneInfo(self.zone)))

    def local(self, instant: int) -> datetime:
        return to_datetime(instant).astimezone(ZoneInfo(self.zone))

    def is_workday(self, day: date) -> bool:
        return day.weekday() < SATURDAY and day not in public_holidays(self.country, day.year)

    def workday(self, day: date, count: int = 0) -> date:
        """Return the workday ``count`` workdays after the first workday at or after ``day``."""
        while not self.is_workday(day):
            day += timedelta(days=1)
        for _ in range(count):
            day += timedelta(days=1)
            while not self.is_workday(day):
                day += timedelta(days=1)
        return day

    def next_opening(self, instant: int) -> int:
        """Return the instant itself while the office is open, else when it opens next."""
        local = self.local(instant)
        if self.is_workday(local.date()):
            if local.time() < self.opens:
                return self.at(local.date(), self.opens)
            if local.time() < self.closes:
                return instant
        return self.at(self.workday(local.date() + timedelta(days=1)), self.opens)

    def plus_hours(self, start: int, hours: int) -> int:
        """Return the instant at which so many hours of open office have gone by since ``start``."""
        left = hours * 3600 * MICROSECONDS
        instant = self.next_opening(start)
        while True:
            closing = self.at(self.local(instant).date(), self.closes)
            if instant + left <= closing:
                return instant + left
            left -= closing - instant
            instant = self.next_opening(closing)

    def plus_workdays(self, start: int, count: int) -> int:
        """Return the same local time ``count`` workdays after the office is next open."""
        local = self.local(self.next_opening(start))
        return self.at(self.workday(local.date(), count), local.time())

    def cutoff(self, start: int, kind: str = "billing") -> int:
        """Return the first cut-off of a kind at or after ``start``."""
        weekday, at = self.cutoffs[kind]
        day = self.local(start).date()
        while True:
            if day.weekday() == weekday and (found := self.at(day, at)) >= start:
                return found
            day += timedelta(days=1)

    def end_of_day(self, day: date) -> int:
        """Return the last instant of a local day."""
        return self.at(day + timedelta(days=1), time()) - 1


@lru_cache
def public_holidays(country: str, year: int) -> frozenset[date]:
    """Return the public holidays of a country in a year."""
    return frozenset(holidays.country_holidays(country, years=year))
