"""The clock of a KPI: whole seconds between two instants, as time elapses or in opening hours; pure."""

from __future__ import annotations

from kpis.declaration import KpiClock
from throughline.core.business_time import BusinessTime
from throughline.core.calendar import Duration, Unit
from throughline.core.instants import DAY, HOUR, MICROSECONDS, MINUTE


class Counting:
    """Counts seconds by one clock. Of stretches that meet the microseconds add up; what is shown is cut to seconds."""

    def __init__(self, clock: KpiClock, calendars: BusinessTime) -> None:
        self._business = clock is KpiClock.BUSINESS
        self._calendars = calendars

    def seconds(self, start: int, end: int, region: str | None) -> int:
        """Return the whole seconds from one instant to a later one; 0 where it is not later."""
        if end <= start:
            return 0
        if self._business:
            return self._calendars.open_between(start, end, region) // MICROSECONDS
        return (end - start) // MICROSECONDS

    @property
    def day_seconds(self) -> int:
        """Return how many seconds a day has, by the business clock that of the default region."""
        return self.day_seconds_of(None)

    def day_seconds_of(self, region: str | None) -> int:
        """Return how many seconds a day has, by the business clock that of a region."""
        one = Duration(1, Unit.BUSINESS_DAYS) if self._business else DAY // MICROSECONDS
        return self.seconds_of(one, region)

    def seconds_of(self, length: Duration | int, region: str | None) -> int:
        """Return how many seconds of this clock a length has: a business day has those of the region's usual day."""
        if not isinstance(length, Duration):
            return length
        hours = self._calendars.region(region).hours
        day = (hours.closing - hours.opening) * MINUTE
        return length.count * (day if length.unit is Unit.BUSINESS_DAYS else HOUR) // MICROSECONDS

    def after(self, start: int, length: Duration | int, region: str | None) -> int:
        """Return the instant a length after another."""
        if isinstance(length, Duration):
            return self._calendars.add(start, length, region)
        return start + length * MICROSECONDS
