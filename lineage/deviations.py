"""Deviations: where a case left its process, each found by one function; pure.

The rules are those of docs/reference/derived-state.md. Of each kind there is at most one for a step of a round; where
several causes fall together (two alias types, two checks) the earliest time counts and the reasons are joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from lineage.amounts import value_of
from lineage.case_facts import facts_of, seen_by_conditions
from lineage.due import Context, Missed, Pending, Place, late_steps
from lineage.fact import Deviation, DeviationKind, Member, StepStatus, Via
from lineage.process import ERROR_KINDS, Check, Version
from lineage.rounds import Course, Round, Track, members_by_round
from throughline.core.instants import MICROSECONDS, format_instant
from throughline.core.key import Key

MISSING_MASTER_DATA = "missing_master_data"
_OVERDUE: Final = StepStatus.OVERDUE
_CARRIER: Final = Via.CARRIER


class Conflict(NamedTuple):
    """Keys (as texts for a person to read) that other names claim as well, and since when (microseconds)."""

    keys: tuple[str, ...]
    since: int


class Streak(NamedTuple):
    """Failures of one kind at a step that no later success has cleared, or the last ones that one did."""

    kind: DeviationKind
    since: int
    last: int  # position of its last failure
    cleared: bool


# --- deadlines


def overdue(course: Course, pendings: list[Pending]) -> Iterable[Deviation]:
    """Yield the steps of the last round that are overdue now."""
    current = course.rounds[-1]
    for index, due, _, status, _ in pendings:
        if status is _OVERDUE and due is not None:
            name = course.version.steps[index].name
            reason = f"{name} was not seen by its due time {format_instant(due)}"
            yield Deviation(DeviationKind.OVERDUE, name, current.number, due, reason)


def late(course: Course, current: Round, place: Place, context: Context) -> Iterable[Deviation]:
    """Yield the steps of a round that were done after their due time."""
    for index, due, done_at in late_steps(course.version, current, place, context.calendars):
        name = course.version.steps[index].name
        reason = f"{name} came at {format_instant(done_at)}, after its due time {format_instant(due)}"
        yield Deviation(DeviationKind.OVERDUE, name, current.number, due, reason, open=False)


def missed(course: Course, steps: list[Missed]) -> Iterable[Deviation]:
    """Yield the steps that were past due when their round closed, where we would have seen them."""
    for current, closed_at, (index, due, _, status, _) in steps:
        if status is StepStatus.OVERDUE and due is not None:
            name = course.version.steps[index].name
            closed = f"the round closed at {format_instant(closed_at)}"
            reason = f"{name} was not seen by its due time {format_instant(due)}; {closed}"
            yield Deviation(DeviationKind.OVERDUE, name, current.number, due, reason, open=False, ended=True)


def begun(course: Course) -> bool:
    """Return whether any step of the path was seen, in any round."""
    rounds = course.rounds
    return rounds[0].far >= 0 or any(each.far >= 0 for each in rounds)


# --- failures


def streaks(course: Course, current: Round, index: int) -> list[Streak]:
    """Return the failures of a step that matter, by kind: since the last success of it or of a later step."""
    track = current.tracks[index]
    if track is None or track.failures is None:
        return []
    members = course.members
    clearing = _clearing(course.version, current, index)
    last: dict[DeviationKind, Streak] = {}
    for position in track.failures:
        fact = members[position].fact
        kind = _kind_of_failure(fact.category)
        before = last.get(kind)
        goes_on = before is not None and not any(before.last < success < position for success in clearing)
        since = before.since if before is not None and goes_on else fact.time
        last[kind] = Streak(kind, since, position, any(success > position for success in clearing))
    return list(last.values())


def _kind_of_failure(category: str | None) -> DeviationKind:
    return DeviationKind.MISSING_MASTER_DATA if category == MISSING_MASTER_DATA else DeviationKind.FAILED


def _clearing(version: Version, current: Round, index: int) -> list[int]:
    """Return the positions of successes that clear failures of a step: its own, and those of later steps."""
    found: list[int] = []
    for later in range(index, len(version.steps)):
        track = current.tracks[later]
        if track is not None and (later == index or version.steps[later].kind not in ERROR_KINDS):
            found.extend(track.successes)
    return found


def failed(course: Course, current: Round, closed: bool) -> Iterable[Deviation]:
    """Yield the failures of a round by step and kind; they are open unless cleared, or the round is closed."""
    for index, track in enumerate(current.tracks):
        if track is None or track.failures is None:
            continue
        name = course.version.steps[index].name
        for streak in streaks(course, current, index):
            reason = failure_reason(course.members[streak.last])
            stands, ended = not streak.cleared and not closed, not streak.cleared and closed
            yield Deviation(streak.kind, name, current.number, streak.since, reason, stands, ended)


def failure_reason(member: Member) -> str:
    """Return the sentence that says what failed last."""
    fact = member.fact
    where = f" in {fact.system}" if fact.system else ""
    words = f" ({fact.message})" if fact.message else ""
    moment = format_instant(fact.time // MICROSECONDS * MICROSECONDS)
    return f"{fact.type} failed{where} at {moment}: {fact.category or 'unknown'}{words}"


# --- order


def skipped(course: Course, current: Round) -> Iterable[Deviation]:
    """Yield the required steps of a round that a later one passed over."""
    version = course.version
    for index in passed_over(version, current):
        name = version.steps[index].name
        since, later = min(
            (track.first, step)
            for step in version.path
            if step > index and (track := current.tracks[step]) is not None and track.first is not None
        )
        reason = f"{version.steps[later].name} was seen without {name}"
        yield Deviation(DeviationKind.SKIPPED, name, current.number, since, reason)


def passed_over(version: Version, current: Round) -> list[int]:
    """Return the required steps before the last one seen that are not done, partly covered ones left out."""
    found: list[int] = []
    for index in version.required:
        if index >= current.far:
            break
        track = current.tracks[index]
        partial = version.steps[index].amount_covers and current.is_seen(index)
        if not partial and (track is None or track.done_at is None):
            found.append(index)
    return found


def out_of_order(course: Course, current: Round, context: Context) -> Iterable[Deviation]:
    """Yield the steps that were first seen before an earlier required one, by more than the clock skew."""
    version = course.version
    latest: Track | None = None
    latest_index = -1
    for index in version.path:
        track = current.tracks[index]
        if track is None or track.first is None:
            continue
        if latest is not None and latest.first is not None and track.first < latest.first - context.clock_skew:
            name, earlier = version.steps[index].name, version.steps[latest_index].name
            reason = f"{name} happened at {format_instant(track.first)}, before {earlier} at "
            reason += format_instant(latest.first)
            yield Deviation(DeviationKind.OUT_OF_ORDER, name, current.number, track.first, reason)
        if index in version.required and (latest is None or latest.first is None or track.first > latest.first):
            latest, latest_index = track, index


# --- keys


def duplicates(course: Course, aliases: Mapping[int, Key]) -> Iterable[Deviation]:
    """Yield the rounds in which the case got two values of one alias type, by successful events.

    All values count of an event that names the case; of one that came by an alias, those new to the case.
    ``aliases`` gives the keys of the values that stand for this case; an id that it lacks does not count.
    """
    if not _has_several_aliases(course.members):
        return
    known: set[int] = set()
    for current, members in members_by_round(course):
        second: dict[str, int] = {}
        values: dict[str, list[Key]] = {}
        for fact, via, denied in members:
            if denied or fact.failed or via is Via.CARRIER:
                continue
            counting = {each for each in fact.aliases if via is Via.NAME or each not in known}
            for key in sorted(aliases[each] for each in counting if each in aliases):
                of_type = values.setdefault(key.type, [])
                if key not in of_type:
                    of_type.append(key)
                    if len(of_type) == 2:
                        second[key.type] = fact.time
            known.update(fact.aliases)
        if second:
            reasons = [f"{kind} {' and '.join(key.value for key in values[kind])}" for kind in sorted(second)]
            reason = f"got several values in one round: {'; '.join(reasons)}"
            yield Deviation(DeviationKind.DUPLICATE, None, current.number, min(second.values()), reason)


def _has_several_aliases(members: list[Member]) -> bool:
    seen: tuple[int, ...] = ()
    for member in members:
        here = member.fact.aliases
        if here and (len(here) > 1 or (seen and seen != here)):
            return True
        seen = seen or here
    return False


def conflicting_keys(course: Course, conflict: Conflict | None) -> Iterable[Deviation]:
    """Yield one deviation where other names claim the case's keys, or a unique key has a second value in its scope."""
    found: list[tuple[int, str]] = []
    if conflict is not None:
        found.append((conflict.since, f"also claimed by another name: {', '.join(sorted(conflict.keys))}"))
    values: dict[tuple[str, str], list[str]] = {}
    for fact, via, denied in course.members:
        if fact.uniques and not denied and not fact.failed and via is not _CARRIER:
            for kind, value, scope in sorted(fact.uniques):
                of_scope = values.setdefault((kind, scope), [])
                if value not in of_scope:
                    of_scope.append(value)
                    if len(of_scope) == 2:
                        found.append((fact.time, f"second {kind} {value_of(value)} beside {value_of(of_scope[0])}"))
    if found:
        found.sort()
        yield Deviation(DeviationKind.CONFLICTING_KEYS, None, None, found[0][0], "; ".join(text for _, text in found))


# --- policy


def violations(course: Course, seen: Mapping[str, object], name: str) -> Iterable[Deviation]:
    """Yield the checks that the facts break, by step; ``since`` is when the facts began to break them."""
    by_step: dict[str | None, list[tuple[int, str]]] = {}
    for check in course.version.checks:
        began = _first_seen(course, check.step)
        if began is not None and check.condition.holds(seen) is False:
            since = max(_broken_since(course, check, name), began)
            by_step.setdefault(check.step, []).append((since, check.message))
    for step, broken in by_step.items():
        reasons = "; ".join(message for _, message in sorted(broken))
        yield Deviation(DeviationKind.POLICY_VIOLATION, step, None, min(broken)[0], reasons)


def _first_seen(course: Course, step: str | None) -> int | None:
    """Return when a step was first seen in any round, None where it was not; for no step, the epoch."""
    if step is None:
        return 0
    index = next((i for i, each in enumerate(course.version.steps) if each.name == step), None)
    if index is None:
        return None
    tracks = (each.tracks[index] for each in course.rounds)
    return min((track.first for track in tracks if track is not None and track.first is not None), default=None)


def _broken_since(course: Course, check: Check, name: str) -> int:
    """Return the time of the event with which the facts began to break a check that they break now."""
    members = course.members
    after: Mapping[str, object] | None = None
    for end in range(len(members) - 1, 0, -1):
        earlier = members[:end]
        seen = seen_by_conditions(course.version, earlier, name, facts_of(earlier))
        if seen != after and check.condition.holds(seen) is not False:
            return members[end].fact.time
        after = seen
    return members[0].fact.time


# --- orphans


def orphan(members: list[Member], context: Context) -> tuple[Deviation | None, int | None]:
    """Return the orphan deviation of events without a case in any process, or else the instant at which it begins."""
    receipts = [member.fact.received for member in members if not member.denied]
    if not receipts:
        return None, None
    since = min(receipts) + context.orphan_time
    if context.now < since:
        return None, since
    reason = f"no event has named the case it belongs to since {format_instant(min(receipts))}"
    return Deviation(DeviationKind.ORPHAN, None, None, since, reason), None
