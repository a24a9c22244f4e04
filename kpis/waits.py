"""Waits: when one step of a case was done and when another, by round; pure, and free of now."""

from __future__ import annotations

from typing import NamedTuple

from kpis.case import Case
from kpis.declaration import Rounds, Span
from lineage.due import CLOCK_SKEW
from lineage.rounds import Round
from throughline.core.business_time import BusinessTime

REJECTED, BEGUN_AGAIN = "rejected", "begun again"
WHOLE = "whole"


class Otherwise(NamedTuple):
    """What ended a wait other than its end step: cancelled, written_off, rejected, …; and when."""

    word: str
    at: int


class Wait(NamedTuple):
    """One wait as the course of a case has it. Instants are microseconds; None: it was not seen.

    ``part`` tells the waits of a case apart: the number of the round, or ``whole``. ``passed_over``: the end step was
    not seen, but a later one was, so it must have happened. ``round`` is that in which it ended, or goes on.
    """

    part: str
    began: int | None
    done: int | None
    otherwise: Otherwise | None
    passed_over: bool
    round: Round


def waits_of(case: Case, span: Span, rounds: Rounds, calendars: BusinessTime) -> list[Wait]:
    """Return the waits of a span in a case whose version has its steps; one that neither began nor ended is none."""
    asked = span.from_step, span.from_field, span.to_step, rounds
    found: list[Wait] | None = case.memo.get(asked)
    if found is None:
        found = case.memo[asked] = _waits(case, span, rounds, calendars)
    return found


def _waits(case: Case, span: Span, rounds: Rounds, calendars: BusinessTime) -> list[Wait]:
    steps = {step.name: index for index, step in enumerate(case.course.version.steps)}
    end = steps[span.to_step or ""]
    if span.from_field is not None or span.from_step is None:
        began = calendars.field_due(case.facts.get(span.from_field or ""), case.place.region)
        found = [_whole(case, began, end)]
    elif rounds is Rounds.WHOLE:
        first = min(
            (at for each in case.course.rounds if (at := _done(each, steps[span.from_step])) is not None), default=None
        )
        found = [_whole(case, first, end)]
    else:
        found = [_of_round(case, number, steps[span.from_step], end) for number in range(len(case.course.rounds))]
    return [wait for wait in found if wait.began is not None or wait.done is not None]


def _of_round(case: Case, number: int, start: int, end: int) -> Wait:
    rounds = case.course.rounds
    current, last = rounds[number], number == len(rounds) - 1
    done = _done(current, end)
    otherwise = None
    if not last and current.closed_at is not None:
        rejected = rounds[number + 1].rejected_at is not None
        otherwise = Otherwise(REJECTED if rejected else BEGUN_AGAIN, current.closed_at)
    elif last:
        otherwise = _ended(case)
    passed_over = done is None and _is_passed(case, current, end)
    return Wait(str(current.number), _done(current, start), done, otherwise, passed_over, current)


def _whole(case: Case, began: int | None, end: int) -> Wait:
    """Return the wait from a beginning to the first end that came no earlier, in whatever round."""
    rounds = case.course.rounds
    earliest = None if began is None else began - CLOCK_SKEW
    ends = [(at, each) for each in rounds if (at := _done(each, end)) is not None]
    fitting = [found for found in ends if earliest is None or found[0] >= earliest] or ends
    done, current = min(fitting, key=lambda found: found[0]) if fitting else (None, rounds[-1])
    passed_over = done is None and _is_passed(case, rounds[-1], end)
    return Wait(WHOLE, began, done, _ended(case), passed_over, current)


def _done(current: Round, index: int) -> int | None:
    track = current.tracks[index]
    return None if track is None else track.done_at


def _ended(case: Case) -> Otherwise | None:
    return None if case.course.ended is None else Otherwise(*case.course.ended)


def _is_passed(case: Case, current: Round, end: int) -> bool:
    """Tell whether a later step of the path was seen; of a step that is not on the path nobody can say so."""
    path = case.course.version.path
    return end in path and any(index > end and current.is_seen(index) for index in path)
