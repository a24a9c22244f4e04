"""Where a case stands: its state, what it waits for and its deviations, decided from its course; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from lineage.case_facts import facts_of, seen_by_conditions
from lineage.deviations import (
    Conflict,
    begun,
    conflicting_keys,
    duplicates,
    failed,
    late,
    missed,
    out_of_order,
    overdue,
    skipped,
    violations,
)
from lineage.due import Context, Missed, Pending, Place, expected, judged, missed_in, place_of
from lineage.expectations import NOTHING_AWAITED, Awaited, Bearing, awaited
from lineage.fact import CaseState, Deviation, Member, Waits
from lineage.process import Process, Version
from lineage.rounds import Course, follow
from throughline.core.key import Key

_OPEN: Final = CaseState.OPEN


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Everything decided about a case but the look of its rounds.

    ``pendings``: what an open case expects, what it waits for first; empty in any other state. ``missed``: what was
    past due when its round closed. ``awaited``: what should recur, in a case that is done, too.
    """

    course: Course
    place: Place
    state: CaseState
    ended_as: str | None
    pendings: list[Pending]
    missed: list[Missed]
    deviations: tuple[Deviation, ...]
    awaited: Awaited = NOTHING_AWAITED


def stand(
    process: Process,
    version: Version,
    members: list[Member],
    conflict: Conflict | None,
    context: Context,
    name: str,
    aliases: Mapping[int, Key],
    bearing: Bearing,
) -> Standing:
    """Decide about the case of an interned name from its members in order."""
    course = follow(version, members, name)
    facts = facts_of(members)
    place = place_of(facts)
    seen = seen_by_conditions(version, members, name, facts) if version.applies_when or version.checks else {}
    if version.applies_when is not None and version.applies_when.holds(seen) is False:
        return Standing(course, place, CaseState.NOT_APPLICABLE, None, [], [], ())
    state, ended_as, ended_at = _state(course)
    pendings: list[Pending] = []
    if state is _OPEN:
        steps = expected(version, course.rounds[-1], begun(course), place, context.calendars)
        pendings = judged(steps, place, context)
    past_due = _missed(course, ended_at, place, context)
    found = _of_rounds(course, pendings, ended_at, place, context)
    if past_due:
        found.extend(missed(course, past_due))
    found.extend(duplicates(course, aliases))
    if conflict is not None or process.unique:
        found.extend(conflicting_keys(course, conflict))
    if version.checks:
        found.extend(violations(course, seen, name))
    recurring = NOTHING_AWAITED
    if version.expects:
        recurring = awaited(course, place, context, bearing, ended_at)
        found.extend(recurring.deviations)
    if len(found) > 1:
        found.sort(key=_order)
    return Standing(course, place, state, ended_as, pendings, past_due, tuple(found), recurring)


def _missed(course: Course, ended_at: int | None, place: Place, context: Context) -> list[Missed]:
    found: list[Missed] = []
    if ended_at is None and len(course.rounds) == 1:
        return found
    for each in course.rounds:
        closed_at = ended_at if each.closed_at is None else each.closed_at
        if closed_at is not None:
            found += missed_in(course.version, each, closed_at, begun(course), place, context)
    return found


def _of_rounds(
    course: Course, pendings: list[Pending], ended_at: int | None, place: Place, context: Context
) -> list[Deviation]:
    """Return the deviations of steps; what a round cannot have by its marks is not looked for."""
    found = [*overdue(course, pendings)]
    for each in course.rounds:
        found.extend(late(course, each, place, context))
        if each.failed:
            found.extend(failed(course, each, ended_at is not None or each.closed_at is not None))
        if not each.straight:
            found.extend(skipped(course, each))
            found.extend(out_of_order(course, each, context))
    return found


def _order(deviation: Deviation) -> tuple[int, int, str, str]:
    return deviation.since, deviation.round or 0, deviation.kind.value, deviation.step or ""


def _state(course: Course) -> tuple[CaseState, str | None, int | None]:
    if course.ended is not None:
        return CaseState.ENDED, *course.ended
    current = course.rounds[-1]
    for index in course.version.terminals:
        if current.is_done(index):
            return CaseState.DONE, None, None
    return _OPEN, None, None


def awaits_resubmission(standing: Standing) -> bool:
    """Return whether the last round was opened by a rejection and nothing of its path was seen since."""
    current = standing.course.rounds[-1]
    return current.rejected_at is not None and current.far < 0


def waits(standing: Standing) -> Waits | None:
    """Return what an open case waits for, and whose turn it is."""
    if not standing.pendings:
        return None
    index, due, missing, _, _ = standing.pendings[0]
    version = standing.course.version
    step = version.steps[index]
    waits_for = version.new_round.waits_for if awaits_resubmission(standing) else step.waits_for
    number = standing.course.rounds[-1].number
    return Waits(step.name, number, waits_for.value, missing, step.owner or version.owner, due)
