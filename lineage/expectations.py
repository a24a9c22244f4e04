"""Expectations: what should recur in every period, and where it did not; pure.

The rules are those of docs/reference/derived-state.md. A period is a day, week or month of the case's region; it is
overdue once it has passed without its event, as far as we would have seen one.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from lineage.due import Context, Place, why_unconfirmed
from lineage.fact import Calendars, Deviation, DeviationKind, Expected, Fact, StepStatus
from lineage.process import Every, Expectation, Version
from lineage.rounds import Course
from throughline.core.instants import format_instant
from throughline.core.key import Key

MOST_PERIODS = 530  # ten years of weeks: what a sender writes as a first day must not cost without bound
_YEARS = range(1970, 2200)  # of days that business time knows
_ONE_DAY = timedelta(days=1)

Bearing = Mapping[int, tuple[str, ...]]
"""The interned keys that an event bears, of the types by which expectations count; by the event's seq."""


class Awaited(NamedTuple):
    """What expectations say of a case now: where they were not met, and what has yet to come.

    ``unseen``: periods before the end of a case, without their event.
    """

    deviations: tuple[Deviation, ...]
    expected: tuple[Expected, ...]
    unseen: tuple[Expected, ...]

    @property
    def wake_at(self) -> int | None:
        """Return the earliest due time ahead."""
        if not self.expected and not self.unseen:
            return None
        awaited = (*self.expected, *self.unseen)
        return min((each.due for each in awaited if each.status is StepStatus.WAITING), default=None)


NOTHING_AWAITED = Awaited((), (), ())


class _Missing(NamedTuple):
    """A period of one object whose event came late or not at all; ``open``: it has yet to come."""

    due: int
    reason: str
    open: bool
    ended: bool


class _Object:
    """What something is expected of: since when and until when, and when the event of each period first came."""

    def __init__(self, since: int) -> None:
        self.since = since
        self.first: date | None = None
        self.last: date | None = None
        self.over: int | None = None
        self.came: dict[date, int] = {}


def awaited(course: Course, place: Place, context: Context, bearing: Bearing, ended_at: int | None) -> Awaited:
    """Return the periods without their event, the next one ahead included; after ``ended_at`` nothing is expected."""
    deviations: list[Deviation] = []
    outstanding: list[Expected] = []
    unseen: list[Expected] = []
    for expectation in course.version.expects:
        missing: dict[int, list[_Missing]] = {}
        for key, each in sorted(_objects(expectation, course, bearing, place, context.calendars).items()):
            for start, due in _due_periods(expectation, each, place, context.calendars):
                if ended_at is not None and due >= ended_at:
                    break
                came = each.came.get(start)
                status = StepStatus.OVERDUE
                if came is None:
                    found = _expected(expectation, key, start, due, course.version, place, context)
                    (outstanding if ended_at is None else unseen).append(found)
                    status = found.status
                if status is StepStatus.WAITING:
                    break
                if status is StepStatus.OVERDUE and (came is None or came > due):
                    lacking = _missing(expectation, key, start, due, came, ended_at)
                    missing.setdefault(number_of(expectation.every, start), []).append(lacking)
        deviations += (_deviation(expectation, number, some) for number, some in missing.items())
    return Awaited(tuple(deviations), tuple(outstanding), tuple(unseen))


def _expected(
    expectation: Expectation, key: str, start: date, due: int, version: Version, place: Place, context: Context
) -> Expected:
    """Judge a period without its event: past its due time it is overdue only where we would have seen it."""
    watermark = context.sight.watermark(expectation.systems, place.legal_entity)
    status, reason = StepStatus.WAITING, None
    if due <= context.now:
        seen = watermark.declared and watermark.at is not None and watermark.at >= due
        status = StepStatus.OVERDUE if seen else StepStatus.UNCONFIRMED
        reason = None if seen else why_unconfirmed(watermark, expectation.systems)
    return Expected(
        expect=expectation.name,
        period=number_of(expectation.every, start),
        key=key or None,
        status=status,
        waits_for=expectation.waits_for.value,
        systems=expectation.systems,
        owner=expectation.owner or version.owner,
        due=due,
        reason=reason,
        blind_since=watermark.blind_since,
    )


def _missing(
    expectation: Expectation, key: str, start: date, due: int, came: int | None, ended_at: int | None
) -> _Missing:
    whose = ""
    if key:
        named = Key.decode(key)
        whose = f" for {named.type} {named.value}"
    what = f"{' or '.join(sorted(expectation.types))} of {label_of(expectation.every, start)}{whose}"
    if came is not None:
        late = f"{what} came at {format_instant(came)}, after its due time {format_instant(due)}"
        return _Missing(due, late, open=False, ended=False)
    reason = f"no {what} was seen by its due time {format_instant(due)}"
    if ended_at is not None:
        reason += f"; the case ended at {format_instant(ended_at)}"
    return _Missing(due, reason, open=ended_at is None, ended=ended_at is not None)


def _deviation(expectation: Expectation, number: int, found: list[_Missing]) -> Deviation:
    """Return the one deviation of a period: of the objects that still miss it, else of those that did."""
    counting = [each for each in found if each.open] or found
    return Deviation(
        DeviationKind.OVERDUE,
        expectation.name,
        number,
        min(each.due for each in counting),
        "; ".join(sorted(each.reason for each in counting)),
        open=counting[0].open,
        ended=any(each.ended for each in counting),
    )


# --- what is expected of whom


def _objects(
    expectation: Expectation, course: Course, bearing: Bearing, place: Place, calendars: Calendars
) -> dict[str, _Object]:
    """Return what the events of the step say that something is expected of, by interned key; "" is the case itself."""
    prefix = None if expectation.per is None else f"{expectation.per}\x1f"

    def borne(fact: Fact) -> tuple[str, ...]:
        if prefix is None:
            return ("",)
        return tuple(key for key in bearing.get(fact.seq, ()) if key.startswith(prefix))

    found: dict[str, _Object] = {}
    for fact in _facts_of_step(course, expectation.after):
        for key in borne(fact):
            each = found.setdefault(key, _Object(fact.time))
            each.since = min(each.since, fact.time)
    for fact, _, denied in course.members if found else ():
        if not denied and not fact.failed:
            for key in borne(fact):
                if key in found:
                    _tell(expectation, found[key], fact, place, calendars)
    return found


def _facts_of_step(course: Course, step: str) -> Iterator[Fact]:
    """Yield the successful events that reported a step, in any round."""
    index = next((n for n, each in enumerate(course.version.steps) if each.name == step), None)
    for current in course.rounds:
        track = None if index is None else current.tracks[index]
        for position in () if track is None else track.successes:
            yield course.members[position].fact


def _tell(expectation: Expectation, each: _Object, fact: Fact, place: Place, calendars: Calendars) -> None:
    """Take in what one event says of an object: it meets a period, ends the object, or gives its first and last day."""
    if fact.type in expectation.types:
        day = _field_day(expectation.period_field, fact, place, calendars) or calendars.day_of(fact.time, place.region)
        start = first_day(expectation.every, day)
        each.came[start] = min(each.came.get(start, fact.time), fact.time)
    elif fact.type in expectation.ended_by:
        each.over = fact.time if each.over is None else min(each.over, fact.time)
    else:
        each.first = _field_day(expectation.from_field, fact, place, calendars) or each.first
        each.last = _field_day(expectation.until_field, fact, place, calendars) or each.last


def _field_day(field: str | None, fact: Fact, place: Place, calendars: Calendars) -> date | None:
    """Return the day in a field of an event; None where there is none that can be read."""
    day = None if field is None else calendars.field_day(fact.fields.get(field), place.region)
    return day if day is not None and day.year in _YEARS else None


# --- periods


def _due_periods(
    expectation: Expectation, each: _Object, place: Place, calendars: Calendars
) -> Iterator[tuple[date, int]]:
    """Yield the first day and the due time of each period with a business day of the object, oldest first."""
    region = place.region
    begin = each.first or calendars.day_of(each.since, region)
    lasts = [each.last, None if each.over is None else calendars.day_of(each.over, region)]
    last = min((day for day in lasts if day is not None), default=None)
    for start, end in _periods(expectation.every, begin):
        if last is not None and start > last:
            return
        if not calendars.has_business_day(max(start, begin), end if last is None else min(end, last), region):
            continue
        due = calendars.field_due(end.isoformat(), region)
        if due is not None:
            yield start, due if expectation.within is None else calendars.add(due, expectation.within, region)


def _periods(every: Every, begin: date) -> Iterator[tuple[date, date]]:
    """Yield the first and last days of periods, from the one that holds a day on."""
    start = first_day(every, begin)
    for _ in range(MOST_PERIODS):
        end = _last_day(every, start)
        yield start, end
        start = end + _ONE_DAY


def first_day(every: Every, day: date) -> date:
    """Return the first day of the period that holds a day."""
    match every:
        case Every.DAY:
            return day
        case Every.WEEK:
            return day - day.weekday() * _ONE_DAY
        case Every.MONTH:
            return day.replace(day=1)


def _last_day(every: Every, start: date) -> date:
    match every:
        case Every.DAY:
            return start
        case Every.WEEK:
            return start + 6 * _ONE_DAY
        case Every.MONTH:
            return start.replace(day=monthrange(start.year, start.month)[1])


def number_of(every: Every, start: date) -> int:
    """Return the number of the period with this first day: 202645 for week 45 of 2026, 202611 and 20261102 likewise."""
    match every:
        case Every.DAY:
            return int(start.strftime("%Y%m%d"))
        case Every.WEEK:
            year, week, _ = start.isocalendar()
            return year * 100 + week
        case Every.MONTH:
            return start.year * 100 + start.month


def label_of(every: Every, start: date) -> str:
    """Return a period as people write it: week 2026-W45, 2026-11, 2026-11-02."""
    match every:
        case Every.DAY:
            return start.isoformat()
        case Every.WEEK:
            year, week, _ = start.isocalendar()
            return f"week {year}-W{week:02}"
        case Every.MONTH:
            return start.strftime("%Y-%m")


def keys_borne(found: Iterable[tuple[int, str]]) -> dict[int, tuple[str, ...]]:
    """Return the ``Bearing`` of (seq, interned key) pairs."""
    keys: dict[int, set[str]] = {}
    for seq, key in found:
        keys.setdefault(seq, set()).add(key)
    return {seq: tuple(sorted(some)) for seq, some in keys.items()}
