"""The look of each step in each round, from what was decided about the case; pure."""

from __future__ import annotations

from lineage.deviations import failure_reason, passed_over, streaks
from lineage.due import Context, Pending, due_of_seen, missing_roles, why_unconfirmed
from lineage.fact import CaseState, Member, RoundState, StepState, StepStatus, Watermark
from lineage.process import ERROR_KINDS
from lineage.rounds import Round, Track
from lineage.standing import Standing, awaits_resubmission


def round_states(standing: Standing, context: Context) -> tuple[RoundState, ...]:
    """Return the rounds of a case with the steps that were seen, or that it may still see."""
    return tuple(_round_state(standing, each, context) for each in standing.course.rounds)


def _round_state(standing: Standing, current: Round, context: Context) -> RoundState:
    version = standing.course.version
    skipped: list[int] = []
    pendings: dict[int, Pending] = {}
    if standing.state is not CaseState.NOT_APPLICABLE:
        skipped = passed_over(version, current)
    if current is standing.course.rounds[-1]:
        pendings = {each.step: each for each in standing.pendings}
    states: list[StepState] = []
    for index in range(len(version.steps)):
        track = current.tracks[index]
        if track is not None or index in skipped or _may_still_come(standing, current, index):
            states.append(_step_state(standing, current, index, pendings.get(index), index in skipped, context))
    return RoundState(current.number, tuple(states), current.opened_by)


def _may_still_come(standing: Standing, current: Round, index: int) -> bool:
    """Return whether a step unseen is shown: no error step, in the last round, of a case that goes on or is done."""
    if current.closed_at is not None or standing.state not in (CaseState.OPEN, CaseState.DONE):
        return False
    return standing.course.version.steps[index].kind not in ERROR_KINDS


def _step_state(
    standing: Standing, current: Round, index: int, pending: Pending | None, skipped: bool, context: Context
) -> StepState:
    version, members = standing.course.version, standing.course.members
    step = version.steps[index]
    track = current.tracks[index]
    watermark = _watermark(standing, pending, context)
    status, reason = _status(standing, current, index, pending, skipped)
    waits_for = step.waits_for
    if pending is not None and index == standing.pendings[0].step and awaits_resubmission(standing):
        waits_for = version.new_round.waits_for
    return StepState(
        step=step.name,
        kind=step.kind.value,
        status=status,
        waits_for=waits_for.value,
        systems=step.systems,
        optional=step.optional,
        first=None if track is None else track.first,
        last=members[track.successes[-1]].fact.time if track is not None and track.successes else None,
        due=_due(standing, current, index, pending, context),
        systems_seen=_systems_seen(members, step.systems, track),
        reason=reason,
        blind_since=None if watermark is None else watermark.blind_since,
        events=_events(track),
    )


def _watermark(standing: Standing, pending: Pending | None, context: Context) -> Watermark | None:
    """Return what we see of the sources of a step that is waited for."""
    if pending is None or pending.watermark is not None:
        return None if pending is None else pending.watermark
    return context.sight.watermark(pending.missing, standing.place.legal_entity)


def _status(
    standing: Standing, current: Round, index: int, pending: Pending | None, skipped: bool
) -> tuple[StepStatus, str | None]:
    version = standing.course.version
    track = current.tracks[index]
    if track is not None and track.failures is not None:
        last = max((each.last for each in streaks(standing.course, current, index) if not each.cleared), default=None)
        if last is not None:
            return StepStatus.FAILED, failure_reason(standing.course.members[last])
    if track is not None and track.done_at is not None:
        return StepStatus.DONE, None
    waiting_reason = None if pending is None else _pending_reason(standing, pending)
    if track is not None and track.first is not None and version.steps[index].amount_covers:
        return StepStatus.PARTIAL, waiting_reason
    if skipped:
        return StepStatus.SKIPPED, None
    if pending is not None:
        return pending.status, waiting_reason or _unreported(standing, current, index)
    if track is not None and track.failures is not None and not _may_still_come(standing, current, index):
        return StepStatus.FAILED, failure_reason(standing.course.members[track.failures[-1]])
    return StepStatus.WAITING, _unreported(standing, current, index)


def _pending_reason(standing: Standing, pending: Pending) -> str | None:
    """Return why a step past due is not called overdue, or why a waiting one has no due time."""
    watermark = pending.watermark
    if pending.status is StepStatus.WAITING:
        return _no_due_reason(standing, pending)
    if pending.status is not StepStatus.UNCONFIRMED or watermark is None:
        return None
    return why_unconfirmed(watermark, pending.missing)


def _no_due_reason(standing: Standing, pending: Pending) -> str | None:
    deadline = standing.course.version.steps[pending.step].deadline
    if pending.due is not None or deadline is None or deadline.by_field is None or awaits_resubmission(standing):
        return None
    return f"its due time is not known: no field {deadline.by_field} can be read"


def _unreported(standing: Standing, current: Round, index: int) -> str | None:
    """Return which roles have yet to report a step that was seen in part."""
    track = current.tracks[index]
    if track is None or track.first is None or track.done_at is not None:
        return None
    return f"not reported by {', '.join(missing_roles(standing.course.version, current, index))}"


def _due(standing: Standing, current: Round, index: int, pending: Pending | None, context: Context) -> int | None:
    if pending is not None:
        return pending.due
    version = standing.course.version
    if standing.state is CaseState.NOT_APPLICABLE or index not in version.required or not current.is_done(index):
        return None
    return due_of_seen(version, current, index, standing.place, context.calendars)


def _systems_seen(members: list[Member], systems: tuple[str, ...], track: Track | None) -> tuple[str, ...]:
    """Return the systems that reported a success, in the order of the step's roles, others after them by name."""
    if track is None:
        return ()
    seen = {members[position].fact.system for position in track.successes} - {None}
    return tuple(sorted((s for s in seen if s), key=lambda s: (systems.index(s) if s in systems else len(systems), s)))


def _events(track: Track | None) -> tuple[int, ...]:
    if track is None:
        return ()
    return tuple(track.successes if track.failures is None else sorted([*track.successes, *track.failures]))
