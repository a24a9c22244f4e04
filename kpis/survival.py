"""How long things take when some have not ended yet, some end otherwise, and some were seen late; pure.

Where nothing competes this is Kaplan and Meier's estimator (JASA 53, 1958), else that of Aalen and Johansen (Scand. J.
Statist. 5, 1978), both with delayed entry, from counts by duration. Of equal durations, endings come before cuts: what
was last seen at an age was at risk of ending at that age. What entered late is at risk after its age at entry only.

Only the counts by entry age and by exit age matter, not which entry belongs to which exit, so sums of cases are enough.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from math import sqrt
from typing import NamedTuple

Ages = Mapping[float, int]
"""How many, by age in seconds."""

_NONE: Ages = {}
# Shares are sums of products of floats: a half may come out as 0.5 - 1e-16.
_SLACK = 1e-9


class Lives(NamedTuple):
    """What is known of some waits, as counts by age. ``open`` were last seen unfinished at that age.

    ``entered`` are the ages at which those entered that were not watched from their beginning; all others were. Who
    entered must have been last seen at a greater age.
    """

    done: Ages
    competing: Ages = _NONE
    open: Ages = _NONE
    entered: Ages = _NONE

    @property
    def size(self) -> int:
        return sum(sum(ages.values()) for ages in (self.done, self.competing, self.open))


def together(lives: Iterable[Lives]) -> Lives:
    """Return the sum of what is known of several sets of waits."""
    sums: list[dict[float, int]] = [{}, {}, {}, {}]
    for each in lives:
        for ages, found in zip(each, sums, strict=True):
            for age, count in ages.items():
                found[age] = found.get(age, 0) + count
    return Lives(*sums)


class Point(NamedTuple):
    """The curve from an age on. ``at_risk``: how many were watched and unfinished just before that age.

    ``survival``: the share not ended in any way; ``done`` and ``competing``: the shares that ended so; the three add up
    to 1. ``error``: the standard error of ``survival`` (Greenwood). ``ended``: how many did at that age, in any way.
    """

    age: float
    at_risk: int
    survival: float
    done: float
    competing: float
    error: float
    ended: int


class Reached(NamedTuple):
    """When a share of all was done: at ``age``; where ``beyond``, later than that, as far as anyone could see."""

    age: float
    beyond: bool = False


class Curve(NamedTuple):
    """Shares by age. ``seen_to``: the greatest age at which anything was watched; None: nothing was.

    ``broken_at``: from this age on nobody was at risk though others entered later, so that nothing can be said.
    """

    points: tuple[Point, ...]
    seen_to: float | None
    broken_at: float | None = None

    def at(self, age: float) -> Point | None:
        """Return the shares at an age; None where the curve does not reach so far, and so cannot tell."""
        if self.seen_to is None or (self.broken_at is not None and age >= self.broken_at):
            return None
        place = bisect_right(self.points, age, key=lambda point: point.age)
        point = self.points[place - 1] if place else Point(0.0, 0, 1.0, 0.0, 0.0, 0.0, 0)
        return None if age > self.seen_to and point.survival > _SLACK else point

    def reaches(self, share: float) -> Reached | None:
        """Return the least age at which this share of all was done; None where the curve cannot tell."""
        for point in self.points:
            if point.done >= share - _SLACK:
                return Reached(point.age)
        if self.seen_to is None or self.broken_at is not None:
            return None
        return Reached(self.seen_to, beyond=True)

    def chance(self, age: float, by: float) -> float | None:
        """Return the chance that what is unfinished at an age will be done by a later one; None where unknown."""
        now, then = self.at(age), self.at(by)
        if now is None or then is None or now.survival <= _SLACK:
            return None
        return min(1.0, (then.done - now.done) / now.survival)


def curve_of(lives: Lives) -> Curve:
    """Return the shares that were done, had ended otherwise and were unfinished, by age."""
    exits = _sum(lives.done, lives.competing, lives.open)
    entries = sorted(lives.entered.items())
    at_risk = sum(exits.values()) - sum(lives.entered.values())
    if not at_risk and entries:
        return Curve((), max(exits), broken_at=0.0)
    survival, done, competing, greenwood = 1.0, 0.0, 0.0, 0.0
    points: list[Point] = []
    entered = 0
    for age in sorted(exits):
        while entered < len(entries) and entries[entered][0] < age:
            at_risk += entries[entered][1]
            entered += 1
        if at_risk == exits[age] and entered < len(entries):
            return Curve(tuple(points), age, broken_at=age)
        finished, otherwise = lives.done.get(age, 0), lives.competing.get(age, 0)
        ended = finished + otherwise
        if ended:
            done = min(1.0, done + survival * finished / at_risk)  # of many, sums of floats come out above it
            competing = min(1.0, competing + survival * otherwise / at_risk)
            survival *= (at_risk - ended) / at_risk
            greenwood += ended / (at_risk * (at_risk - ended)) if at_risk > ended else 0.0
            points.append(Point(age, at_risk, survival, done, competing, survival * sqrt(greenwood), ended))
        at_risk -= exits[age]
    return Curve(tuple(points), max(exits, default=None))


def cut(lives: Lives, age: float) -> Lives:
    """Return what was known when each wait was of this age at most: cohorts are compared at equal maturity.

    Who entered later than that is not known then.
    """
    entered = {at: count for at, count in lives.entered.items() if at < age}
    late = sum(lives.entered.values()) - sum(entered.values())
    done, competing, seen = (
        {at: count for at, count in ages.items() if at <= age} for ages in (lives.done, lives.competing, lives.open)
    )
    longer = lives.size - sum(sum(ages.values()) for ages in (done, competing, seen)) - late
    if longer:
        seen[age] = seen.get(age, 0) + longer
    return Lives(done, competing, seen, entered)


def _sum(*several: Ages) -> dict[float, int]:
    total: dict[float, int] = {}
    for ages in several:
        for age, count in ages.items():
            total[age] = total.get(age, 0) + count
    return total
