"""Exposure: money and hours that a case holds up; pure. An unknown amount stays unknown, and is never zero."""

from __future__ import annotations

from lineage.amounts import Share, latest_hours, latest_share, plain
from lineage.fact import CaseState, DeviationKind, Exposure, Member
from lineage.process import Version
from lineage.standing import Standing, awaits_resubmission

HOLDING = frozenset(
    {
        DeviationKind.OVERDUE,
        DeviationKind.FAILED,
        DeviationKind.MISSING_MASTER_DATA,
        DeviationKind.CONFLICTING_KEYS,
        DeviationKind.POLICY_VIOLATION,
    }
)
"""Kinds of deviations that hold up what a case is worth while they are open."""


def exposure(standing: Standing, name: str) -> Exposure | None:
    """Return what an open case holds up; None where it holds nothing."""
    if standing.state is not CaseState.OPEN or not _is_held(standing):
        return None
    course = standing.course
    if not course.purses:
        return exposure_of(course.version, course.members, name)
    remainder = course.purses[max(course.purses)].remainder()
    return _exposure(remainder, course.members)


def exposure_of(version: Version, members: list[Member], name: str) -> Exposure:
    """Return the latest amount and hours that the members tell for the case itself."""
    return _exposure(latest_share(version, reversed(members), name), members)


def _exposure(own: Share | None, members: list[Member]) -> Exposure:
    hours = latest_hours(reversed(members))
    amount = None if own is None else plain(own[0])
    currency = None if own is None or amount is None else own[1]
    return Exposure(amount, currency, None if hours is None else plain(hours))


def _is_held(standing: Standing) -> bool:
    for deviation in standing.deviations:
        if deviation.open and deviation.kind in HOLDING:
            return True
    return awaits_resubmission(standing) or is_partial(standing)


def is_partial(standing: Standing) -> bool:
    """Return whether amounts cover a step of the last round in part only."""
    course = standing.course
    current = course.rounds[-1]
    covering = course.version.covering
    return bool(covering) and any(current.is_seen(index) and not current.is_done(index) for index in covering)
