"""Business time: durations, and the opening hours of one region as instants.

``h`` are elapsed hours within opening hours. ``bd`` is the same local time n business days on, counted from the next
opening. A day's opening and closing are local times of the region's zone, so they move with its daylight saving.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from throughline.core.instants import DAY, HOUR, MINUTE, from_datetime, to_datetime


class Unit(StrEnum):
    HOURS = "h"  # elapsed hours within opening hours
    BUSINESS_DAYS = "bd"  # the same local time, n business days on, counted from the next opening
    ELAPSED_HOURS = "elapsed_h"  # plain hours, nights and weekends included


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of business time, such as 4 h or 3 bd."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit.value}"


_DURATION = re.compile(r"(\d{1,3}) ?(h|bd|elapsed_h)", re.ASCII)


def parse_duration(text: str) -> Duration:
    """Read a duration such as ``4 h``, ``3 bd`` or ``72 elapsed_h``; raise ValueError with what was wanted."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError("a whole number from 1 to 999 and a unit (h, bd or elapsed_h), such as 4 h or 3 bd")
    return Duration(int(match[1]), Unit(match[2]))


class Hours(NamedTuple):
    """Local opening and closing, in minutes after midnight; ``closing`` 1440 is the end of the day."""

    opening: int = 9 * 60
    closing: int = 17 * 60


_HOURS = re.compile(r"(\d\d):(\d\d) ?- ?(\d\d):(\d\d)", re.ASCII)
END_OF_DAY = 24 * 60


def parse_hours(text: str) -> Hours:
    """Read opening hours such as ``09:00-17:00``; raise ValueError with what was wanted."""
    match = _HOURS.fullmatch(text.strip())
    if match is not None and int(match[2]) < 60 and int(match[4]) < 60:
        hours = Hours(int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4]))
        if hours.opening < hours.closing <= END_OF_DAY:
            return hours
    raise ValueError("opening hours within one day, such as 09:00-17:00 (00:00-24:00 for all of it)")


def local_instant(zone: ZoneInfo, day: date, minutes: int) -> int:
    """Return the instant of a local time, ``minutes`` after midnight of a day (1440: midnight after it).

    A time that a gap of the zone skips is read as the time that many minutes after the gap began; of a time that
    occurs twice, the first counts.
    """
    if minutes == END_OF_DAY:
        day, minutes = day + timedelta(days=1), 0
    return from_datetime(datetime.combine(day, time(minutes // 60, minutes % 60), zone))


def local_date(zone: ZoneInfo, instant: int) -> date:
    """Return the local date of an instant."""
    if instant < _WHOLE_QUARTERS:
        return to_datetime(instant).astimezone(zone).date()
    return _date_of_quarter(zone, instant // _QUARTER)


_QUARTER = 15 * MINUTE
# Since then every zone is whole quarters of an hour off, so that none of these has two dates.
_WHOLE_QUARTERS = from_datetime(datetime(1980, 1, 1, tzinfo=UTC))


@lru_cache(maxsize=65_536)
def _date_of_quarter(zone: ZoneInfo, quarter: int) -> date:
    return to_datetime(quarter * _QUARTER).astimezone(zone).date()


class _Table(NamedTuple):
    """The business days of a stretch of time, oldest first, as instants."""

    opens: list[int]
    closes: list[int]
    before: list[int]  # microseconds open before each day, and one more: those of all days


# A table begins at a multiple of STRETCH and reaches on for REACH; a sum that goes further has it built again, longer.
STRETCH = 366 * DAY
REACH = 800 * DAY
# The opening of a local day lies at most this far from midnight UTC of its date.
ZONE_SLACK = 2 * DAY
# Outside these there is no calendar: hours and days count as they elapse.
FIRST_INSTANT = from_datetime(datetime(1970, 1, 1, tzinfo=UTC))
LAST_INSTANT = from_datetime(datetime(2200, 1, 1, tzinfo=UTC))


class RegionCalendar:
    """The business time of one region, in instants (microseconds since the epoch).

    ``is_business_day`` decides on a local date and must always answer alike: each date is asked about once and the
    answer kept, 15 to 40 kB for each year in which something starts.
    """

    def __init__(self, zone: ZoneInfo, hours: Hours, is_business_day: Callable[[date], bool]) -> None:
        self.zone = zone
        self.hours = hours
        self.is_business_day = is_business_day
        self._usual_length = (hours.closing - hours.opening) * MINUTE
        self._tables: dict[int, _Table] = {}

    def add(self, start: int, duration: Duration) -> int:
        """Return the instant a duration after ``start``.

        A start outside opening hours, the very instant of closing included, counts from the next opening. Hours that
        end as the day closes end at that closing. Where the years of the calendar end, hours and days elapse plainly.
        """
        unit = duration.unit
        if unit is not Unit.ELAPSED_HOURS and FIRST_INSTANT <= start < LAST_INSTANT:
            stretch = start // STRETCH
            table = self._tables.get(stretch) or self._build(stretch, REACH)
            while table is not None:
                if unit is Unit.HOURS:
                    end = _after_hours(table, start, duration.count * HOUR)
                else:
                    end = self._after_days(table, start, duration.count)
                if end is not None:
                    return end
                table = self._longer(stretch, table)
        return start + duration.count * (DAY if unit is Unit.BUSINESS_DAYS else HOUR)

    def open_between(self, start: int, end: int) -> int:
        """Return how many microseconds of opening hours lie between two instants; 0 where the end is not later.

        Times add up: those of two stretches that meet are that of the whole. Where the years of the calendar end, time
        counts as it elapses.
        """
        found = 0
        while start < end:
            if not FIRST_INSTANT <= start < LAST_INSTANT:
                stop = min(end, FIRST_INSTANT) if start < FIRST_INSTANT else end
                found += stop - start
            else:
                stretch = start // STRETCH
                stop = min(end, (stretch + 1) * STRETCH, LAST_INSTANT)
                table = self._tables.get(stretch) or self._build(stretch, REACH)
                found += _open_until(table, stop) - _open_until(table, start)
            start = stop
        return found

    def _after_days(self, table: _Table, start: int, count: int) -> int | None:
        opens, closes, _ = table
        day, offset = _position(table, start)
        target = day + count
        if target >= len(opens):
            return None
        usual = self._usual_length
        if offset == 0 or closes[day] - opens[day] == usual == closes[target] - opens[target]:
            return opens[target] + offset
        # The clocks change during opening hours of one of the two days: go by the local time.
        clock = to_datetime(start).astimezone(self.zone).time()
        moment = datetime.combine(local_date(self.zone, opens[target]), clock, self.zone)
        return min(max(from_datetime(moment), opens[target]), closes[target])

    def _longer(self, stretch: int, table: _Table) -> _Table | None:
        """Return the table of a stretch, reaching twice as far; None where it cannot reach further."""
        reach = REACH
        while stretch * STRETCH + reach < LAST_INSTANT:
            reach *= 2
            longer = self._build(stretch, reach)
            if len(longer.opens) > len(table.opens):
                return longer
        return None

    def _build(self, stretch: int, reach: int) -> _Table:
        opens: list[int] = []
        closes: list[int] = []
        before = [0]
        first = to_datetime(stretch * STRETCH - ZONE_SLACK).date().toordinal()
        last = to_datetime(min(stretch * STRETCH + reach, LAST_INSTANT)).date().toordinal()
        for ordinal in range(first, last):
            day = date.fromordinal(ordinal)
            if not self.is_business_day(day):
                continue
            opening = local_instant(self.zone, day, self.hours.opening)
            if local_date(self.zone, opening) != day:
                continue  # a day that the zone left out, as Samoa did in 2011
            closing = local_instant(self.zone, day, self.hours.closing)
            if closing > opening:
                opens.append(opening)
                closes.append(closing)
                before.append(before[-1] + closing - opening)
        table = self._tables[stretch] = _Table(opens, closes, before)
        return table


def _position(table: _Table, start: int) -> tuple[int, int]:
    """Return the business day on which ``start`` counts, and how far into it: on the next day, none of it."""
    opens, closes, _ = table
    day = bisect_right(opens, start) - 1
    if day >= 0 and start < closes[day]:
        return day, start - opens[day]
    return day + 1, 0


def _open_until(table: _Table, instant: int) -> int:
    """Return the open microseconds of a table before an instant."""
    opens, closes, before = table
    day = bisect_right(opens, instant) - 1
    return 0 if day < 0 else before[day] + min(instant, closes[day]) - opens[day]


def _after_hours(table: _Table, start: int, length: int) -> int | None:
    """Return when ``length`` microseconds of open time after ``start`` have passed; None beyond the table."""
    opens, _, before = table
    day, offset = _position(table, start)
    target = before[day] + offset + length
    if target > before[-1]:
        return None
    end = bisect_left(before, target) - 1
    return opens[end] + target - before[end]
