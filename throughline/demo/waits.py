"""Waits: how long the firm's work took from one step to another, as the firm itself counts it.

Like the truth, this reads lives, the firm's expectations and its working time, and nothing that any system reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from throughline.core.instants import MICROSECONDS, MINUTE
from throughline.demo.chronicle import Life, last_reading
from throughline.demo.expectations import COURSES, ExpectedStep
from throughline.demo.firm import REGIONS
from throughline.demo.lives.routes import POLLED
from throughline.demo.plan import Plan

SKEW = 5 * MINUTE  # clocks of two systems may differ by as much
DONE, OPEN, REJECTED, BEGUN_AGAIN = "done", "open", "rejected", "begun again"

Spans = Mapping[str, tuple[str, str]]
"""By process, the types of the step with which a wait begins and of that with which it ends."""


class Wait(NamedTuple):
    """One wait of one life: from when to when, how it ended (done, open, or what the firm calls it), and the life."""

    life: Life
    began: int
    until: int
    ending: str


def waits(told: Plan, spans: Spans, *, whole: bool = False) -> Iterator[Wait]:
    """Yield every wait that has begun and can be measured: round by round, or of each life as a ``whole``."""
    for life in told.lives:
        if life.process in spans and life.applies and not life.provisional:
            start, end = spans[life.process]
            if whole:
                yield from _of_life(told, life, start, end)
            else:
                for number in range(1, life.round + 1):
                    yield from _of_round(told, life, start, end, number)


def done(told: Plan, life: Life, kind: str, number: int) -> int | None:
    """Return when a step was done in a round: where two roles must report it, once both have."""
    step = step_of(life, kind)
    marks = [mark for mark in life.marks if (mark.step, mark.round, mark.category) == (kind, number, None)]
    if step is None or step.also is None:
        return min((mark.time for mark in marks), default=None)
    firsts = [min((m.time for m in marks if m.system == role), default=None) for role in (step.role, step.also)]
    first, second = firsts
    return None if first is None or second is None else max(first, second)


def step_of(life: Life, kind: str) -> ExpectedStep | None:
    return next((step for step in COURSES[life.process].path if step.type == kind), None)


def _of_round(told: Plan, life: Life, start: str, end: str, number: int) -> Iterator[Wait]:
    began, ended = done(told, life, start, number), done(told, life, end, number)
    closed = life.closed.get(number)
    if began is None or (ended is not None and ended < began - SKEW) or _is_passed(life, end, number):
        return
    if ended is not None and (closed is None or ended <= closed):
        yield Wait(life, began, ended, DONE)
    elif closed is not None:
        yield Wait(life, began, closed, _word(life, number))
    else:
        yield Wait(life, began, _seen_until(told, life, end), OPEN)


def _word(life: Life, number: int) -> str:
    """Return what closed a round of a life."""
    if number == life.round:
        return life.ended_as or REJECTED
    return BEGUN_AGAIN if number in life.anew else REJECTED


def _of_life(told: Plan, life: Life, start: str, end: str) -> Iterator[Wait]:
    rounds = range(1, life.round + 1)
    began = min((at for n in rounds if (at := done(told, life, start, n)) is not None), default=None)
    if began is not None:
        yield from whole_wait(told, life, began, end)


def whole_wait(told: Plan, life: Life, began: int, end: str) -> Iterator[Wait]:
    """Yield the wait of a whole life from an instant until a step was first done; none where it cannot be measured."""
    rounds = range(1, life.round + 1)
    ends = [at for n in rounds if (at := done(told, life, end, n)) is not None]
    if (ends and max(ends) < began - SKEW) or (not ends and _is_passed(life, end, life.round)):
        return
    ended = min((at for at in ends if at >= began - SKEW), default=None)
    closed = life.closed.get(life.round) if life.ended_as else None
    if ended is not None and (closed is None or ended <= closed):
        yield Wait(life, began, ended, DONE)
    elif closed is not None:
        yield Wait(life, began, closed, life.ended_as or REJECTED)
    else:
        yield Wait(life, began, _seen_until(told, life, end), OPEN)


def _seen_until(told: Plan, life: Life, kind: str) -> int:
    """Return up to when it is known that a step has not come: of the system that is read out at night, its last one."""
    step = step_of(life, kind)
    return last_reading(told.ends) if step is not None and step.role == POLLED else told.ends


def _is_passed(life: Life, kind: str, number: int) -> bool:
    """Tell whether a step was never seen although one that comes after it was."""
    path = [step.type for step in COURSES[life.process].steps]
    seen = {mark.step for mark in life.marks if mark.round == number and mark.category is None}
    return kind not in seen and any(later in seen for later in path[path.index(kind) + 1 :])


def office_seconds(region: str, start: int, end: int) -> int:
    """Count the seconds of open office between two instants, day by day on the wall calendar."""
    place, total = REGIONS[region], 0
    day = place.local(start).date()
    while place.at(day, place.opens) < end:
        if place.is_workday(day):
            total += max(0, min(end, place.at(day, place.closes)) - max(start, place.at(day, place.opens)))
        day += timedelta(days=1)
    return total // MICROSECONDS


def seconds_of(wait: Wait, *, office: bool) -> int:
    """Return how long a wait has lasted, in whole seconds: of open office, or as time goes by."""
    if office:
        return office_seconds(wait.life.region, wait.began, wait.until)
    return max(0, wait.until - wait.began) // MICROSECONDS


def quantile(ages: list[tuple[int, str]], share: float) -> int | None:
    """Return when a share of all was done, from each wait by itself; None: it never was."""
    unfinished, reached = 1.0, 0.0
    for age in sorted({age for age, ending in ages if ending != OPEN}):
        at_risk = sum(1 for other, _ in ages if other >= age)
        here = [ending for other, ending in ages if other == age and ending != OPEN]
        reached += unfinished * here.count(DONE) / at_risk
        unfinished *= 1 - len(here) / at_risk
        if reached >= share - 1e-9:
            return age
    return None
