"""Capacity: the hours that people could have worked, from what was told of their weekly hours and leave; pure.

A day gives a worker the weekly hours that stand, divided by the weekdays on which the region usually works. Public
holidays and leave give none; who books nothing counts all the same.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from kpis.cell import Place
from kpis.contribution import Leave, Standing
from kpis.money import EXACTLY
from throughline.core.business_time import BusinessTime

_A_YEAR = 366  # days, in which each weekday that is ever worked is worked at least once


class Change(NamedTuple):
    """What was told of a worker, and where."""

    told: Standing
    place: Place


class Share(NamedTuple):
    """The hours that one worker could have worked, while he belonged to one place."""

    place: Place
    hours: Decimal


class Capacity:
    """The capacity of days from ``first`` to ``last``, both included; business days are looked up once a region."""

    def __init__(self, calendars: BusinessTime, first: date, last: date) -> None:
        self._calendars = calendars
        self._first = first
        self._last = last
        self._days: dict[str | None, list[date]] = {}
        self._weekdays: dict[str | None, int] = {}

    def shares(self, changes: Iterable[Change]) -> Iterator[Share]:
        """Yield what one worker's changes give, by stretch: each lasts until the next one that tells hours.

        Nothing where no hours were ever told for a day of the window. Of changes from one day on the last told stands.
        """
        ordered = sorted(changes, key=lambda change: (change.told.since, change.told.at, repr(change)))
        rates = [change for change in ordered if change.told.weekly is not None]
        leaves = list(_leaves(ordered))
        for number, change in enumerate(rates):
            since, after = change.told.since, rates[number + 1].told.since if number + 1 < len(rates) else None
            first = max(since, self._first)
            last = self._last if after is None else min(self._last, after - timedelta(days=1))
            if first <= last and change.told.weekly is not None:
                region = change.told.region
                days = self._worked(region, first, last, leaves)
                hours = EXACTLY.multiply(change.told.weekly, Decimal(days)) / self._weekdays_of(region)
                yield Share(change.place, hours)

    def _worked(self, region: str | None, first: date, last: date, leaves: list[Leave]) -> int:
        """Count the business days of a stretch that are no leave; days that two leaves share are taken off once."""
        count, upto = self._count(region, first, last), first
        for leave in leaves:
            begins, ends = max(leave.first, upto), min(leave.last or last, last)
            if begins <= ends:
                count -= self._count(region, begins, ends)
                upto = ends + timedelta(days=1)
        return count

    def _count(self, region: str | None, first: date, last: date) -> int:
        days = self._days.get(region)
        if days is None:
            is_business_day = self._calendars.region(region).is_business_day
            every = (self._first + timedelta(days=n) for n in range((self._last - self._first).days + 1))
            days = self._days[region] = [day for day in every if is_business_day(day)]
        return bisect_right(days, last) - bisect_left(days, first)

    def _weekdays_of(self, region: str | None) -> int:
        """Return on how many weekdays a region usually works."""
        found = self._weekdays.get(region)
        if found is None:
            is_business_day = self._calendars.region(region).is_business_day
            year = (self._first + timedelta(days=n) for n in range(_A_YEAR))
            found = self._weekdays[region] = len({day.weekday() for day in year if is_business_day(day)}) or 1
        return found


def _leaves(ordered: list[Change]) -> Iterator[Leave]:
    """Yield leave by its first day; one without an end lasts until the worker's next change."""
    found: list[Leave] = []
    for change in ordered:
        leave = change.told.leave
        if leave is not None and leave.last is None:
            later = [each.told.since for each in ordered if each.told.since > leave.first]
            leave = Leave(leave.first, min(later) - timedelta(days=1) if later else None)
        if leave is not None:
            found.append(leave)
    yield from sorted(found, key=lambda leave: (leave.first, leave.last or date.max))
