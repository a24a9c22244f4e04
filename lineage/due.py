"""Due: which steps a round expects, until when, and whether we have seen enough to call one overdue.

Pure; the rules are those of docs/reference/derived-state.md. The one instant that counts is ``Context.now``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lineage.fact import Calendars, Member, Sight, StepStatus, Via, Watermark
from lineage.process import Deadline, Version
from lineage.rounds import Round
from throughline.core.calendar import Duration, Unit
from throughline.core.event import FieldValue
from throughline.core.instants import HOUR, MINUTE

ORPHAN_TIME = 72 * HOUR
CLOCK_SKEW = 5 * MINUTE
_SHORTEST_DAY = 22 * HOUR  # no zone leaps further than two hours into summer time


@dataclass(frozen=True, slots=True)
class Context:
    """What derived state depends on beside facts and definitions: the moment, what we see, business time, settings.

    ``now``, ``orphan_time`` and ``clock_skew`` are microseconds.
    """

    now: int
    sight: Sight
    calendars: Calendars
    orphan_time: int = ORPHAN_TIME
    clock_skew: int = CLOCK_SKEW


class Place(NamedTuple):
    """Where a case stands in the firm, by its latest facts: this decides its calendars, cut-offs and sources."""

    facts: Mapping[str, FieldValue]
    region: str | None
    legal_entity: str | None
    billing_calendar: str | None


class Expected(NamedTuple):
    """A step that a round expects next. ``due`` None: it has no deadline, or its field is not known yet."""

    step: int  # its index in the version
    due: int | None
    missing: tuple[str, ...]  # the roles that have not reported it


class Pending(NamedTuple):
    """An expected step of an open case: waiting before its due time, then unconfirmed or overdue."""

    step: int  # its index in the version
    due: int | None
    missing: tuple[str, ...]
    status: StepStatus
    watermark: Watermark | None


def facts_of(members: list[Member]) -> dict[str, FieldValue]:
    """Return the latest facts of a case: of successful events that name it or its alias, each field's last value.

    Events that came by a carrier fill in only what those leave open.
    """
    carried: dict[str, FieldValue] = {}
    own: dict[str, FieldValue] = {}
    for fact, via, denied in members:
        if not denied and not fact.failed:
            (carried if via is Via.CARRIER else own).update(fact.fields)
    carried.update(own)
    return carried


def place_of(facts: Mapping[str, FieldValue]) -> Place:
    return Place(facts, _text(facts, "region"), _text(facts, "legal_entity"), _text(facts, "billing_calendar"))


def _text(facts: Mapping[str, FieldValue], name: str) -> str | None:
    value = facts.get(name)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def reached(version: Version, current: Round) -> int:
    """Return the index of the last step of the path that was seen, at least in part; -1 where none was."""
    tracks = current.tracks
    for index in reversed(version.path):
        track = tracks[index]
        if track is not None and track.first is not None:
            return index
    return -1


def expected(
    version: Version, current: Round, begun: bool, place: Place, calendars: Calendars, far: int
) -> list[Expected]:
    """Return the steps that a round expects next: its frontier first, then steps with a due date of their own.

    The frontier is the first required step not done at or after the last one seen (``far``), or the terminal step where
    only that one was passed over. ``begun``: the case has seen a step in some round; before that nothing is due by a
    field.
    """
    tracks = current.tracks
    found: list[Expected] = []
    start: int | None = None
    for index in version.required:
        track = tracks[index]
        if track is not None and track.done_at is not None:
            start = track.done_at
        elif index >= far:
            step = version.steps[index]
            if not found:
                deadline = step.deadline
                if far < 0:
                    deadline = None if current.rejected_at is None else version.new_round.deadline
                    start = current.rejected_at
                if deadline is not None and deadline.by_field is not None and not begun:
                    deadline = None
                due = None if deadline is None else due_at(deadline, start, place, calendars)
            elif begun and step.deadline is not None and step.deadline.by_field is not None:
                due = due_at(step.deadline, None, place, calendars)
            else:
                continue
            found.append(Expected(index, due, missing_roles(version, current, index)))
    if not found and version.terminal is not None and not current.is_done(version.terminal):
        found.append(Expected(version.terminal, None, missing_roles(version, current, version.terminal)))
    return found


def missing_roles(version: Version, current: Round, index: int) -> tuple[str, ...]:
    """Return the roles that have yet to report a step."""
    systems = version.steps[index].systems
    track = current.tracks[index]
    if len(systems) < 2 or track is None or not track.systems:
        return systems
    return tuple(role for role in systems if role not in track.systems)


def due_at(deadline: Deadline, start: int | None, place: Place, calendars: Calendars) -> int | None:
    """Return when a deadline falls that runs from ``start``; None where what it runs from is not known."""
    if deadline.by_field is not None:
        value = place.facts.get(deadline.by_field)
        return None if value is None else calendars.field_due(value, place.region)
    if start is None:
        return None
    if deadline.within is not None:
        return calendars.add(start, deadline.within, place.region)
    if deadline.by_cutoff is not None:
        return calendars.cutoff(deadline.by_cutoff, start, place.billing_calendar, place.legal_entity, place.region)
    return None


def due_of_seen(version: Version, current: Round, index: int, place: Place, calendars: Calendars) -> int | None:
    """Return the due time that a required step had which was seen; None where it never had one.

    It had one by its field, from the rejection that opened the round, or from the required step directly before it
    where that was done; a step whose predecessor was passed over never was the next one.
    """
    deadline, start = _deadline_of_seen(version, current, index)
    return None if deadline is None else due_at(deadline, start, place, calendars)


def late_by(version: Version, current: Round, index: int, place: Place, calendars: Calendars) -> int | None:
    """Return the due time of a step that was done after it; None where it was in time, or had none.

    Asks the calendar only where the step can have been late.
    """
    track = current.tracks[index]
    deadline, start = _deadline_of_seen(version, current, index)
    if deadline is None or track is None or track.done_at is None:
        return None
    if deadline.within is not None and start is not None and track.done_at <= start + _least(deadline.within):
        return None
    due = due_at(deadline, start, place, calendars)
    return due if due is not None and due < track.done_at else None


def _deadline_of_seen(version: Version, current: Round, index: int) -> tuple[Deadline | None, int | None]:
    required = version.required
    place = required.index(index)
    if place == 0:
        if current.rejected_at is not None:
            return version.new_round.deadline, current.rejected_at
        deadline = version.steps[index].deadline
        return (deadline, None) if deadline is not None and deadline.by_field is not None else (None, None)
    before = current.tracks[required[place - 1]]
    return version.steps[index].deadline, None if before is None else before.done_at


def _least(duration: Duration) -> int:
    """Return the shortest elapsed time that a length of business time can take."""
    return duration.count * (_SHORTEST_DAY if duration.unit is Unit.BUSINESS_DAYS else HOUR)


def pending(step: Expected, place: Place, context: Context) -> Pending:
    """Judge an expected step now: past its due time it is overdue only where its sources have reported that far."""
    index, due, missing = step
    if due is None or context.now < due:
        return Pending(index, due, missing, StepStatus.WAITING, None)
    watermark = context.sight.watermark(missing, place.legal_entity)
    seen = watermark.declared and watermark.at is not None and watermark.at >= due
    return Pending(index, due, missing, StepStatus.OVERDUE if seen else StepStatus.UNCONFIRMED, watermark)
