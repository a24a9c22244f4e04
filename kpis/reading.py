"""Readings: the answer of a KPI from the observations of some cases, at one moment; pure.

The same arithmetic holds for observations one by one and for sums of them. What is too little gives no answer, with
the reason; what is left out stands beside every figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from kpis.clock import Counting
from kpis.declaration import Declaration, Headline, Unfinished
from kpis.distribution import Distribution, Estimate
from kpis.intervals import Interval, wilson
from kpis.money import Converted, Money, Sums, convert, total
from kpis.observe import Ending, Observation
from kpis.survival import Curve, Lives, Reached, curve_of, cut
from lineage.fact import Sight
from throughline.core.rates import Rates

SHARES = {Headline.MEDIAN: 0.5, Headline.P90: 0.9, Headline.P99: 0.99}
_CENTS = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """When a reading is made: now, its day, what we see of the sources then, and the rates."""

    now: int
    today: date
    sight: Sight
    rates: Rates

    def seen_to(self, observation: Observation) -> int:
        """Return up to when a wait that has not ended is known not to have: its sources' watermark, at most now.

        Of a source that is not declared nobody can say how far it has told, so it is believed up to now.
        """
        watermark = self.sight.watermark(observation.roles, observation.legal_entity)
        return min(self.now, watermark.at or 0) if watermark.declared else self.now


class Beside(NamedTuple):
    """What stands beside a figure, as numbers of waits: by ending, the competing by word, the unknown by reason."""

    began: int
    done: int
    open: int
    competing: Mapping[str, int]
    unknown: Mapping[str, int]


class Lag(NamedTuple):
    """How long waits take. Of a quantile None: the curve cannot tell. ``by_value``: weighed by amounts.

    ``without_value``: waits whose amount is not known, not above 0 or of a currency without rate.
    """

    quantiles: Mapping[Headline, Reached | None]
    by_value: Mapping[Headline, Reached | None]
    without_value: int
    curve: Curve


class Share(NamedTuple):
    """How many hit. ``interval`` at 95 %. ``pending``: the share of which nobody can say yet whether it will hit.

    ``by_value``: the same of the known amounts; None where none is known.
    """

    share: float
    hits: int
    of: int
    interval: Interval
    pending: float
    by_value: float | None
    without_value: int


class Stock(NamedTuple):
    """What is unfinished at an instant: how many, worth what, of how many hours, and how old."""

    records: int
    amount: Converted
    sums: Sums
    hours: Decimal | None
    hours_unknown: int
    ages: Distribution
    median_age: Estimate | None


Answer = Lag | Share | Stock


class Reading(NamedTuple):
    """An answer, or None and the reason why there is none."""

    answer: Answer | None
    why_not: str | None
    beside: Beside


def beside_of(observations: Iterable[Observation]) -> Beside:
    """Count what stands beside a figure."""
    endings: Counter[Ending] = Counter()
    competing: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for each in observations:
        endings[each.ending] += 1
        if each.ending is Ending.COMPETING:
            competing[each.word or ""] += 1
        elif each.ending is Ending.UNKNOWN:
            unknown[each.word or ""] += 1
    began = endings[Ending.DONE] + endings[Ending.OPEN] + endings[Ending.COMPETING]
    return Beside(began, endings[Ending.DONE], endings[Ending.OPEN], dict(competing), dict(unknown))


class Reader:
    """Makes readings of one KPI at one moment."""

    def __init__(self, declaration: Declaration, counting: Counting, moment: Moment) -> None:
        self._declaration = declaration
        self._counting = counting
        self._moment = moment

    def lag(self, observations: Sequence[Observation], maturity: int | None = None) -> Reading:
        """Return how long waits take; ``maturity``: as it was known when each was of this age at most, in seconds."""
        beside = beside_of(observations)
        why_not = self._too_few(beside.began)
        if why_not is not None:
            return Reading(None, why_not, beside)
        worth = [(each, self._cents(each)) for each in observations if each.ending is not Ending.UNKNOWN]
        valued = [(each, cents) for each, cents in worth if cents is not None and cents > 0]
        curve = self._curve(((each, 1) for each, _ in worth), maturity)
        by_value = self._curve(valued, maturity)
        return Reading(
            Lag(_quantiles(curve), _quantiles(by_value), len(worth) - len(valued), curve),
            None,
            beside,
        )

    def share(self, observations: Sequence[Observation]) -> Reading:
        """Return how many waits hit, the unfinished counted as the declaration says."""
        beside = beside_of(observations)
        judged = [(each, self._verdict(each)) for each in observations if each.ending is not Ending.UNKNOWN]
        known = [(each, verdict) for each, verdict in judged if verdict is not None]
        why_not = self._too_few(len(known))
        if why_not is not None:
            return Reading(None, why_not, beside)
        hits = sum(verdict for _, verdict in known)
        interval = wilson(hits, len(known))
        assert interval is not None
        share, pending = hits / len(known), 0.0
        if self._declaration.unfinished is Unfinished.CENSORED:
            share, pending = self._incidence(judged)
        by_value, without = self._by_value(known)
        return Reading(Share(share, hits, len(known), interval, pending, by_value, without), None, beside)

    def stock(self, observations: Sequence[Observation], at: int | None = None) -> Reading:
        """Return what is unfinished now, or was at an earlier instant as far as it is known today."""
        instant = self._moment.now if at is None else at
        beside = beside_of(observations)
        why_not = "no data" if not beside.began else None
        if why_not is not None:
            return Reading(None, why_not, beside)
        ages, sums, hours, hours_unknown = Distribution(), Sums(), Decimal(0), 0
        for each in observations:
            age = self._age_at(each, instant)
            if age is not None:
                ages.add(age)
                sums.add(each.amount)
                hours += each.hours or 0
                hours_unknown += each.hours is None
        amount = convert(sums, self._moment.rates, self._moment.today)
        known = hours if hours_unknown < ages.size or not ages.size else None
        stock = Stock(ages.size, amount, sums, known, hours_unknown, ages, ages.quantile(0.5))
        return Reading(stock, None, beside)

    def _too_few(self, known: int) -> str | None:
        """Return why there is no answer of so many; None where there is one."""
        wanted = self._declaration.minimum_sample
        if known == 0:
            return "no data"
        return f"{known} of at least {wanted}" if known < wanted else None

    def _age_at(self, each: Observation, instant: int) -> int | None:
        """Return the age of a wait that was unfinished at an instant, and counts in this stock."""
        if each.ending is Ending.UNKNOWN or each.began is None or each.began > instant:
            return None
        if each.ended is not None and each.ended <= instant:
            return None
        age = self._counting.seconds(each.began, instant, each.region)
        oldest = self._declaration.formula.older_than
        return None if oldest is not None and age < self._counting.seconds_of(oldest, each.region) else age

    def _exit(self, each: Observation) -> int:
        """Return the age at which a wait ended, or was last seen unfinished."""
        if each.seconds is not None:
            return each.seconds
        assert each.began is not None
        return self._counting.seconds(each.began, self._moment.seen_to(each), each.region)

    def _curve(self, weighed: Iterable[tuple[Observation, int]], maturity: int | None) -> Curve:
        lives = _lives((each, self._exit(each), each.ending, weight) for each, weight in weighed)
        return curve_of(lives if maturity is None else cut(lives, maturity))

    def _verdict(self, each: Observation) -> bool | None:
        """Return whether a wait hits; None where that is not known, or it is left out."""
        counted = self._declaration.unfinished
        if each.ending is Ending.OPEN and counted is Unfinished.COUNTED:
            return each.hit is True
        if each.hit is not None:
            if each.ending is Ending.OPEN or (each.ending is Ending.COMPETING and counted is Unfinished.LEFT_OUT):
                return None
            return each.hit
        assert each.due is not None  # else it is unknown
        if each.ending is Ending.OPEN:
            return False if self._moment.seen_to(each) > each.due else None
        assert each.ended is not None
        if each.ending is Ending.DONE:
            return each.ended <= each.due
        # It was ended otherwise: before it was due nothing had been missed, but it was never done either.
        return False if each.ended > each.due or counted is Unfinished.CENSORED else None

    def _incidence(self, judged: Iterable[tuple[Observation, bool | None]]) -> tuple[float, float]:
        """Return the share that hits, by the curve in which all other decisions compete, and what is undecided."""
        curve = curve_of(_lives(self._decided(each, verdict) for each, verdict in judged))
        if not curve.points:
            return 0.0, 1.0
        last = curve.points[-1]
        return last.done, last.survival

    def _decided(self, each: Observation, verdict: bool | None) -> tuple[Observation, int, Ending, int]:
        """Return a wait with the age at which it was decided whether it hits: when it was due, if it missed that."""
        age, ending = self._exit(each), Ending.OPEN
        if verdict is not None:
            ending = Ending.DONE if verdict else Ending.COMPETING
            if not verdict and each.due is not None and each.began is not None:
                age = min(age, self._counting.seconds(each.began, each.due, each.region))
        return each, age, ending, 1

    def _by_value(self, known: Iterable[tuple[Observation, bool]]) -> tuple[float | None, int]:
        """Return the share of the amounts that hit, and how many waits have no known amount."""
        hit = every = without = 0
        for each, verdict in known:
            cents = self._cents(each)
            if cents is None or cents <= 0:
                without += 1
            else:
                every += cents
                hit += cents if verdict else 0
        return (hit / every if every else None), without

    def _cents(self, each: Observation) -> int | None:
        """Return the amount of a wait in hundredths of the reporting currency, at the rate of its day."""
        if each.amount is None:
            return None
        worth = convert(Sums([each.amount]), self._moment.rates, each.day)
        return None if worth.amount is None else round(worth.amount * _CENTS)


def split(
    observations: Iterable[Observation], key: Callable[[Observation], tuple[str | None, ...]]
) -> dict[tuple[str | None, ...], list[Observation]]:
    """Return observations by what a function says of them, in the order of that."""
    found: dict[tuple[str | None, ...], list[Observation]] = {}
    for each in observations:
        found.setdefault(key(each), []).append(each)
    return dict(sorted(found.items(), key=lambda entry: [(part is None, part or "") for part in entry[0]]))


def worth_of(observations: Iterable[Observation], rates: Rates) -> Converted:
    """Return what observations are worth, each at the rate of its day."""
    by_day: dict[date, list[Money | None]] = {}
    for each in observations:
        by_day.setdefault(each.day, []).append(each.amount)
    return total([(Sums(amounts), day) for day, amounts in sorted(by_day.items())], rates)


def _quantiles(curve: Curve) -> dict[Headline, Reached | None]:
    return {name: curve.reaches(share) for name, share in SHARES.items()}


def _lives(found: Iterable[tuple[Observation, int, Ending, int]]) -> Lives:
    """Return the counts by age of waits, each with its age at exit, how it stood then, and its weight."""
    ages: dict[Ending, Counter[float]] = {ending: Counter() for ending in Ending}
    entered: Counter[float] = Counter()
    for each, exit_age, ending, weight in found:
        # Seconds are cut: who entered in the second of the exit entered before it.
        entry = min(each.gone, exit_age - 1)
        if each.gone and exit_age <= 0:
            continue
        if entry > 0:
            entered[entry] += weight
        ages[ending][exit_age] += weight
    return Lives(ages[Ending.DONE], ages[Ending.COMPETING], ages[Ending.OPEN], entered)
