"""Due: which steps a round expects, until when, and whether we have seen enough to call one overdue.

Pure; the rules are those of docs/reference/derived-state.md. The one instant that counts is ``Context.now``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from lineage.fact import Calendars, Sight, StepStatus, Watermark
from lineage.process import Deadline, Version
from lineage.rounds import Round
from throughline.core.event import FieldValue
from throughline.core.instants import HOUR, MINUTE, format_instant

ORPHAN_TIME = 72 * HOUR
CLOCK_SKEW = 5 * MINUTE

_WAITING: Final = StepStatus.WAITING


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


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a case stands in the firm, by its latest facts: this decides its calendars, cut-offs and sources."""

    facts: Mapping[str, FieldValue]
    region: str | None
    legal_entity: str | None
    billing_calendar: str | None


class Pending(NamedTuple):
    """A step that a round expects next: waiting before its due time, then unconfirmed or overdue.

    ``due`` None: it has no deadline, or its field is not known yet. ``missing``: the roles that have not reported it.
    """

    step: int  # its index in the version
    due: int | None
    missing: tuple[str, ...]
    status: StepStatus
    watermark: Watermark | None


class Missed(NamedTuple):
    """A step that was past due when a rejection or an ending closed its round, and so never came in it.

    ``status`` of the step: overdue where its sources have reported up to the due time, else unconfirmed.
    """

    round: Round
    closed_at: int
    step: Pending


def place_of(facts: Mapping[str, FieldValue]) -> Place:
    return Place(facts, _text(facts, "region"), _text(facts, "legal_entity"), _text(facts, "billing_calendar"))


def _text(facts: Mapping[str, FieldValue], name: str) -> str | None:
    value = facts.get(name)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def expected(version: Version, current: Round, begun: bool, place: Place, calendars: Calendars) -> list[Pending]:
    """Return the steps that a round expects next: its frontier first, then steps with a due date of their own.

    The frontier is the first required step not done at or after the last one seen, or the terminal step where only that
    one was passed over. ``begun``: the case has seen a step in some round; before that nothing is due by a field.
    """
    tracks = current.tracks
    far = current.far
    found: list[Pending] = []
    start: int | None = None
    for index in version.required:
        track = tracks[index]
        if track is not None and track.done_at is not None:
            start = track.done_at
            continue
        if index < far:
            continue
        deadline = version.steps[index].deadline
        if not found:
            if far < 0:
                start = current.rejected_at
                deadline = None if start is None else version.new_round.deadline
        elif deadline is None or deadline.by_field is None:
            continue
        if deadline is None or (deadline.by_field is not None and not begun):
            due = None
        else:
            due = due_at(deadline, start, place, calendars)
        found.append(Pending(index, due, missing_roles(version, current, index), _WAITING, None))
    if not found and version.terminal is not None and not current.is_done(version.terminal):
        missing = missing_roles(version, current, version.terminal)
        found.append(Pending(version.terminal, None, missing, _WAITING, None))
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
    required = version.required
    nth = required.index(index)
    deadline = version.steps[index].deadline
    start: int | None = None
    if nth == 0 and current.rejected_at is not None:
        deadline, start = version.new_round.deadline, current.rejected_at
    elif nth > 0:
        before = current.tracks[required[nth - 1]]
        start = None if before is None else before.done_at
    return None if deadline is None else due_at(deadline, start, place, calendars)


def late_steps(version: Version, current: Round, place: Place, calendars: Calendars) -> list[tuple[int, int, int]]:
    """Return the steps of a round that were done after their due time: index, due time, and when they were done.

    Asks the calendar only where a step can have been late.
    """
    found: list[tuple[int, int, int]] = []
    shortest = version.shortest
    before: int | None = None
    for nth, index in enumerate(version.required):
        track = current.tracks[index]
        done_at = None if track is None else track.done_at
        if done_at is not None and (nth > 0 or current.rejected_at is not None or version.is_due_by_field(index)):
            least = None if nth == 0 else shortest[index]
            if least is None or (before is not None and done_at > before + least):
                due = due_of_seen(version, current, index, place, calendars)
                if due is not None and due < done_at:
                    found.append((index, due, done_at))
        before = done_at
    return found


def why_unconfirmed(watermark: Watermark, roles: tuple[str, ...]) -> str:
    """Return the sentence that says why something past due is not called overdue."""
    if not watermark.declared or watermark.source is None:
        return f"no source is declared for {', '.join(roles) or 'this step'}"
    if watermark.at is None:
        return f"source {watermark.source} has never reported"
    reason = f"source {watermark.source} has reported until {format_instant(watermark.at)}"
    blind = watermark.blind_since
    return reason if blind is None else f"{reason}, and is silent since {format_instant(blind)}"


def judged(steps: list[Pending], place: Place, context: Context) -> list[Pending]:
    """Judge expected steps now: past its due time one is overdue only where its sources have reported that far."""
    now = context.now
    for each in steps:
        if each.due is not None and each.due <= now:
            return [_judged(each, place, context) for each in steps]
    return steps


def _judged(step: Pending, place: Place, context: Context) -> Pending:
    return step if step.due is None or context.now < step.due else _seen_or_not(step, step.due, place, context)


def _seen_or_not(step: Pending, due: int, place: Place, context: Context) -> Pending:
    watermark = context.sight.watermark(step.missing, place.legal_entity)
    seen = watermark.declared and watermark.at is not None and watermark.at >= due
    return step._replace(status=StepStatus.OVERDUE if seen else StepStatus.UNCONFIRMED, watermark=watermark)


def missed_in(
    version: Version, current: Round, closed_at: int, begun: bool, place: Place, context: Context
) -> list[Missed]:
    """Return the steps that were past due when a round closed, each judged by what is seen of its sources by now."""
    return [
        Missed(current, closed_at, _seen_or_not(each, each.due, place, context))
        for each in expected(version, current, begun, place, context.calendars)
        if each.due is not None and each.due < closed_at
    ]
