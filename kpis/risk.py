"""At risk: the chance that open work misses its deadline, learnt from how long the same step took others.

What has been open for an age *a* misses what is due at an age *d* where it is still open then: of all that were open
at *a* that is S(d) / S(a), S being the survival curve (Kaplan and Meier; an ending of any kind ends a wait). Where too
little like it was seen nothing is said. How good such chances are is told beside them: of what began lately, what
was said of it, by what had been seen before, is held against what happened.

Who has told nothing for a while may have done what is open for all we know: so it is open at the age up to which its
sources have told, and has missed its deadline once they have told beyond that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from kpis.ask import Asker, Question, Window
from kpis.behind import Behind, Finder, Wanted
from kpis.declaration import Dimension
from kpis.intervals import Interval, wilson
from kpis.observation import Ending, Observation
from kpis.reading import Moment
from kpis.survival import Curve, Lives, curve_of
from throughline.core.instants import DAY

LEARNT_DAYS = 120
JUDGED_DAYS = 30
"""What began in the last days is judged by what began before them, of all the days that are learnt from."""

MOST_LEARNT = 20_000  # cases, the latest
FEWEST_LEARNT = 20
BINS = 10
ALIKE: tuple[tuple[Dimension, ...], ...] = (
    (Dimension.PROCESS, Dimension.FLOW, Dimension.SYSTEM, Dimension.REGION),
    (Dimension.PROCESS, Dimension.FLOW, Dimension.SYSTEM),
    (Dimension.PROCESS,),
)
"""What makes waits alike, the narrowest first: the first of which enough is known counts."""


class Chance(NamedTuple):
    """The chance that a wait misses its deadline, and of how many it was learnt."""

    share: float
    learnt_from: int


class Risk(NamedTuple):
    """An open wait that is not known to have missed its deadline. ``chance`` None: too little like it was seen."""

    behind: Behind
    chance: Chance | None


class Bin(NamedTuple):
    """Of waits whose chance was between two shares: how many, the mean of what was said, and the share that missed."""

    low: float
    high: float
    waits: int
    said: float
    missed: float
    interval: Interval


class AtRisk(NamedTuple):
    """Open waits, those most likely to miss their deadline first; how many have missed it; how good chances were.

    ``whole``: every open wait was looked at.
    """

    open: list[Risk]
    missed: int
    calibration: list[Bin]
    whole: bool = True


class NoDeadline(ValueError):
    """A KPI says of no wait when it is due."""


class Assessor:
    """Tells what is at risk of a KPI whose waits have a deadline."""

    def __init__(self, asker: Asker, finder: Finder) -> None:
        self._asker = asker
        self._finder = finder

    def assess(self, kpi: str, only: Mapping[Dimension, str | None], moment: Moment, most: int | None = None) -> AtRisk:
        """Return what is at risk; raises NoDeadline, NoCells and NotTold, and TooMany where ``most`` is None.

        ``most``: look through so many cases at most for what is open, the latest.
        """
        declaration, _ = self._asker.declared(kpi)
        if declaration.formula.in_time is None:
            raise NoDeadline(f"seen {kpi}, wanted a KPI whose formula says what is in time: nothing of it is due")
        window = Window(moment.today - timedelta(days=LEARNT_DAYS), moment.today)
        seen = self._finder.latest(Question(kpi, window), moment, MOST_LEARNT)
        learnt = Learnt(seen)
        question, whole = Question(kpi, window, only=only), True
        if most is None:
            waiting = self._finder.find(question, Wanted(frozenset({Ending.OPEN})), moment)
        else:
            waiting, whole = self._finder.unfinished(question, moment, most)
        dues = [(each, each.observation.due) for each in waiting if each.observation.due is not None]
        risks = [Risk(each, _chance(learnt, each)) for each, due in dues if due >= each.seen_to]
        calibration = calibrated(seen, moment.now)
        return AtRisk(sorted(risks, key=_urgency), len(dues) - len(risks), calibration, whole)


class Learnt:
    """Curves of how long waits last, by what makes them alike."""

    def __init__(self, seen: Iterable[Behind]) -> None:
        self._lives: dict[tuple[str | None, ...], tuple[Counter[float], Counter[float]]] = {}
        self._curves: dict[tuple[str | None, ...], Curve] = {}
        for each in seen:
            ending = each.observation.ending
            if each.watched is None or ending is Ending.UNKNOWN or (ending is Ending.OPEN and not each.watched):
                continue
            for level, alike in enumerate(ALIKE):
                ended, still = self._lives.setdefault(_kind(level, alike, each.observation), (Counter(), Counter()))
                (still if ending is Ending.OPEN else ended)[float(each.watched)] += 1

    def chance(self, like: Observation, age: int, due_age: int) -> Chance | None:
        """Return the chance that a wait that is open at an age still is when it is due; None: nobody can tell."""
        if age >= due_age:
            return Chance(1.0, 0)
        for level, alike in enumerate(ALIKE):
            kind = _kind(level, alike, like)
            known = self._known(kind)
            if known >= FEWEST_LEARNT:
                curve = self._curves.get(kind)
                if curve is None:
                    ended, still = self._lives[kind]
                    curve = self._curves[kind] = curve_of(Lives(ended, open=still))
                here, there = curve.at(float(age)), curve.at(float(due_age))
                if here is not None and there is not None and here.survival > 0:
                    return Chance(min(1.0, there.survival / here.survival), known)
        return None

    def _known(self, kind: tuple[str | None, ...]) -> int:
        ended, still = self._lives.get(kind, (Counter[float](), Counter[float]()))
        return ended.total() + still.total()


def calibrated(seen: Sequence[Behind], now: int) -> list[Bin]:
    """Return what was said of what began lately, at its beginning and by what was seen before, and what came of it."""
    since = now - JUDGED_DAYS * DAY
    before = Learnt(each for each in seen if (each.observation.began or 0) < since)
    said: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for each in seen:
        observation = each.observation
        missed = _missed(each)
        if missed is None or (observation.began or 0) < since or observation.due_age is None:
            continue
        chance = before.chance(observation, 0, observation.due_age)
        if chance is not None:
            said[_bin_of(chance.share)].append((chance.share, missed))
    return [_bin(number, some) for number, some in enumerate(said) if some]


def bin_like(calibration: Iterable[Bin], share: float) -> Bin | None:
    """Return what came of chances like one; None where nothing with such a chance is decided."""
    return next((each for each in calibration if each.low == _bin_of(share) / BINS), None)


def _bin_of(share: float) -> int:
    return min(int(share * BINS), BINS - 1)


def _bin(number: int, some: list[tuple[float, bool]]) -> Bin:
    missed = sum(each for _, each in some)
    interval = wilson(missed, len(some))
    assert interval is not None  # it is of some
    mean = sum(share for share, _ in some) / len(some)
    return Bin(number / BINS, (number + 1) / BINS, len(some), mean, missed / len(some), interval)


def _missed(each: Behind) -> bool | None:
    """Tell whether a wait missed its deadline; None while that is open, and where it is not to be measured."""
    observation = each.observation
    if observation.due is None or observation.ending is Ending.UNKNOWN:
        return None
    if observation.ended is not None:
        return observation.ended > observation.due
    return True if each.seen_to > observation.due else None


def _chance(learnt: Learnt, each: Behind) -> Chance | None:
    observation = each.observation
    if observation.due_age is None or each.watched is None:
        return None
    return learnt.chance(observation, each.watched, observation.due_age)


def _urgency(risk: Risk) -> tuple[float, int]:
    return (-1.0 if risk.chance is None else -risk.chance.share, risk.behind.observation.due or 0)


def _kind(level: int, alike: tuple[Dimension, ...], observation: Observation) -> tuple[str | None, ...]:
    return (str(level), *(observation.dimensions.get(each) for each in alike))
