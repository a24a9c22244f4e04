"""The firm's business time: its regions' calendars and its cut-offs, by the names that records carry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from throughline.core.calendar import Duration, Hours, RegionCalendar, local_date, local_instant
from throughline.core.cutoff import WEEKDAYS, Cutoffs
from throughline.core.estate_file import Cutoff, CutoffRule, Region
from throughline.core.instants import parse_instant

REMEMBERED = 8_192  # answers to the same question; what records ask varies without bound
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class BusinessTime:
    """Answers in instants when something falls due. A region that is unknown, or None, takes the default one."""

    def __init__(
        self,
        regions: Mapping[str, RegionCalendar],
        default: RegionCalendar,
        entity_regions: Mapping[str, str],
        cutoffs: Mapping[str, Cutoff],
    ) -> None:
        self._regions: dict[str | None, RegionCalendar] = {**regions}
        self._default = default
        self._entity_regions = entity_regions
        self._declared = cutoffs
        self._compiled: dict[tuple[int, int], Cutoffs] = {}
        self._cutoffs = lru_cache(REMEMBERED)(self._choose)
        self._field_due = lru_cache(REMEMBERED)(self._read_field)

    def region(self, name: str | None) -> RegionCalendar:
        """Return the calendar of a region."""
        return self._regions.get(name, self._default)

    def add(self, start: int, duration: Duration, region: str | None) -> int:
        """Return the instant a duration after ``start``, in the business time of a region."""
        return self._regions.get(region, self._default).add(start, duration)

    def open_between(self, start: int, end: int, region: str | None) -> int:
        """Return how many microseconds of a region's opening hours lie between two instants."""
        return self._regions.get(region, self._default).open_between(start, end)

    def cutoff(
        self, name: str, start: int, calendar: str | None, legal_entity: str | None, region: str | None
    ) -> int | None:
        """Return the first cut-off at or after ``start``: of a named calendar, else the entity's, else the region's.

        What is not declared is passed over; the cut-off's default comes last. None where nothing is declared.
        """
        cutoffs = self._cutoffs(name, calendar, legal_entity, region)
        return None if cutoffs is None else cutoffs.first_from(start)

    def next_cutoffs(self, name: str, start: int) -> set[int]:
        """Return the first cut-offs of a name at or after ``start``: of every calendar, entity and region there is."""
        declared = self._declared.get(name)
        if declared is None:
            return set()
        by_calendar = [(calendar, None) for calendar in (None, *declared.calendars)]
        by_entity = [(None, entity) for entity in declared.legal_entities]
        found = (
            self.cutoff(name, start, calendar, entity, region)
            for calendar, entity in (*by_calendar, *by_entity)
            for region in (None, *self._regions)
        )
        return {each for each in found if each is not None}

    def field_due(self, value: object, region: str | None) -> int | None:
        """Return when a field falls due: at its RFC 3339 time, or in the last microsecond of its local date.

        None where it is neither.
        """
        return self._field_due(value, region) if isinstance(value, str) else None

    def field_day(self, value: object, region: str | None) -> date | None:
        """Return the day in a field: its date, or the local day of its RFC 3339 time; None where it is neither."""
        try:
            if not isinstance(value, str):
                return None
            return date.fromisoformat(value) if _DATE.fullmatch(value) else self.day_of(parse_instant(value), region)
        except (ValueError, OverflowError):
            return None

    def day_of(self, instant: int, region: str | None) -> date:
        """Return the local day of an instant."""
        return local_date(self.region(region).zone, instant)

    def has_business_day(self, first: date, last: date, region: str | None) -> bool:
        """Return whether there is a business day from ``first`` to ``last``, both included."""
        is_business_day = self.region(region).is_business_day
        return any(is_business_day(first + timedelta(days=n)) for n in range((last - first).days + 1))

    def _read_field(self, value: str, region: str | None) -> int | None:
        try:
            if _DATE.fullmatch(value):
                day = date.fromisoformat(value)
                return local_instant(self.region(region).zone, day, 24 * 60) - 1
            return parse_instant(value)
        except (ValueError, OverflowError):
            return None

    def _choose(self, name: str, calendar: str | None, legal_entity: str | None, region: str | None) -> Cutoffs | None:
        declared = self._declared.get(name)
        if declared is None:
            return None
        if calendar is not None and calendar in declared.calendars:
            return self._compile(declared.calendars[calendar], region)
        if legal_entity is not None and legal_entity in declared.legal_entities:
            return self._compile(declared.legal_entities[legal_entity], self._entity_regions.get(legal_entity, region))
        if region is not None and region in declared.regions:
            return self._compile(declared.regions[region], region)
        return None if declared.default is None else self._compile(declared.default, region)

    def _compile(self, rules: tuple[CutoffRule, ...], region: str | None) -> Cutoffs:
        key = (id(rules), id(self.region(region)))
        if key not in self._compiled:
            self._compiled[key] = Cutoffs(tuple((rule, self.region(rule.region or region)) for rule in rules))
        return self._compiled[key]


def region_calendar(region: Region) -> RegionCalendar:
    """Return the calendar of a declared region; its country and subdivision must be known (``holiday_fault``)."""
    days_off = frozenset(region.holidays)
    weekend = frozenset(WEEKDAYS.index(day) for day in region.weekend)
    is_public_holiday = _public_holidays(region.country, region.subdivision)

    def is_business_day(day: date) -> bool:
        return day.weekday() not in weekend and day not in days_off and not is_public_holiday(day)

    return RegionCalendar(region.timezone, region.open, is_business_day)


def plain_calendar() -> RegionCalendar:
    """Return the calendar of a firm that declares none: UTC, Monday to Friday, 09:00–17:00, no holidays."""
    return RegionCalendar(ZoneInfo("UTC"), Hours(), lambda day: day.weekday() < 5)


def _public_holidays(country: str | None, subdivision: str | None) -> Callable[[date], bool]:
    if country is None:
        return lambda _: False
    # Its tables take a while to import, and most commands need none.
    import holidays

    return holidays.country_holidays(country, subdiv=subdivision).__contains__


def holiday_fault(country: str | None, subdivision: str | None) -> str | None:
    """Return what is wanted where the holidays of a country or its subdivision are not known; else None."""
    try:
        _public_holidays(country, subdivision)
    except NotImplementedError:
        import holidays

        known = holidays.list_supported_countries()
        if country in known:
            return f"a subdivision of {country}: {', '.join(known[country]) or 'it has none'}"
        return "a country by its ISO 3166 code, such as DE"
    return None
