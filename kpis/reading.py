"""Readings: the answer of a KPI from some of its cells, at one moment; pure.

What is too little gives no answer, with the reason; what is left out stands beside every figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from kpis.ageing import Ageing, class_of
from kpis.cell import Cell, Held, Place, Since, Summing, entry_age
from kpis.clock import Counting
from kpis.cycle import cutoff_of, next_cutoff
from kpis.declaration import Declaration, Dimension, Good, Headline, Kind, Unfinished
from kpis.distribution import ACCURACY, EXACT, Distribution, Estimate, bin_of, value_of
from kpis.intervals import Interval, wilson, wilson_around
from kpis.latency import Parts, parts_of
from kpis.money import EXACTLY, Converted, Sums, convert, total
from kpis.observation import Ending, Unknown
from kpis.survival import Curve, Lives, Reached, curve_of, cut, together
from lineage.fact import Sight, Watermark
from throughline.core.business_time import BusinessTime
from throughline.core.instants import HOUR
from throughline.core.rates import Rates, RatesOfDay

SHARES = {Headline.MEDIAN: 0.5, Headline.P90: 0.9, Headline.P99: 0.99}
NO_DATA = "no data"
SILENT = "a source is silent, has never told anything or is not declared, and work is past due for all that is known"
OTHERWISE = "ended otherwise"
"""The word of what had ended otherwise than done at an earlier time: cells count words as of now."""

_HAPPENING = frozenset({Kind.ATTEMPTS, Kind.COUNT})
"""Kinds of what is over at once: nothing of them is unfinished, but a source may have more to tell."""
_SAME = 1e-6  # of a record
_FINEST = Decimal(10) ** 8  # of an amount: curves count in whole numbers
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a reading is made: now, its day, what we see of the sources then, and the rates.

    ``gauges``: what lineage keeps by itself, as it stands then, by KPI. ``calendars``: by which cut-offs come; None: of
    who asks for none. ``names_cutoffs``: they are told by what they are called, and not by when the next one is.
    """

    now: int
    today: date
    sight: Sight
    rates: Rates
    gauges: Mapping[str, Reading] = field(default_factory=dict[str, "Reading"])
    calendars: BusinessTime | None = None
    names_cutoffs: bool = False

    def value(self, place: Place, dimension: Dimension) -> str | None:
        """Return what a place tells of a dimension at this moment: of a cycle of cut-offs the next one, or its name."""
        if dimension is not Dimension.CUTOFF:
            return place.value(dimension)
        if self.names_cutoffs:
            return cutoff_of(place)
        return None if self.calendars is None else next_cutoff(place, self.calendars, self.now)

    def seen_to(self, place: Place) -> int:
        """Return up to when what is unfinished is known to be: its sources' watermark, at most now.

        Of a source that is not declared nobody can say how far it has told, so it is believed up to now.
        """
        watermark = self._watermark(place)
        return min(self.now, watermark.at or 0) if watermark.declared else self.now

    def _watermark(self, place: Place) -> Watermark:
        return self.sight.watermark(place.roles, place.value(Dimension.LEGAL_ENTITY))

    def is_silent(self, place: Place) -> bool:
        """Tell whether a source of a place has told nothing for longer than it ever does, or is not declared."""
        return self.is_blind(place) or not self._watermark(place).declared

    def is_blind(self, place: Place) -> bool:
        """Tell whether a declared source of a place has told nothing for longer than it ever does, or never did."""
        watermark = self._watermark(place)
        return watermark.declared and (watermark.at is None or watermark.blind_since is not None)


class Beside(NamedTuple):
    """What stands beside a figure, as numbers of waits: by ending, the competing by word, the unknown by reason.

    Of what is compared across cases: ``done`` are matched values in the figure, ``open`` those that are not over yet;
    of a balance ``competing`` are the cases in it that were given up, as far as their amount is known.
    """

    began: int
    done: int
    open: int
    competing: Mapping[str, int]
    unknown: Mapping[str, int]


class Lag(NamedTuple):
    """How long waits take. Of a quantile None: the curve cannot tell. ``by_value``: weighed by amounts.

    ``without_value``: waits whose amount is not known, not above 0 or of a currency without rate. ``error``: how far
    off an age may be, as a share of it. ``parts``: of what latencies consist that are over by now; None of other waits,
    and of what is read as it was known at another time.
    """

    quantiles: Mapping[Headline, Reached | None]
    by_value: Mapping[Headline, Reached | None]
    without_value: int
    curve: Curve
    error: float
    parts: Parts | None = None


class Share(NamedTuple):
    """How many hit. ``interval`` at 95 %. ``pending``: the share of which nobody can say yet whether it will hit.

    Where unfinished waits are censored, ``share`` is that of all that began, ``hits`` and ``of`` are what is decided.
    ``by_value``: the same of the known amounts above 0; None where none is known. ``budget``: how many more may miss
    before the target is missed, below 0 once it is; None without a target that is a high share. ``at_least``: what is
    unfinished counts as missed, and who would tell of it has told nothing for too long, or never.
    """

    share: float
    hits: int
    of: int
    interval: Interval
    pending: float
    by_value: float | None
    without_value: int
    budget: Decimal | None
    at_least: bool = False

    @property
    def counted(self) -> bool:
        """Tell whether the share is just hits over all that are decided."""
        return abs(self.share * self.of - self.hits) < _SAME


class Stock(NamedTuple):
    """What is unfinished: how many, worth what at the rates of the reading, of how many hours, and how old.

    ``at_least``: there may be more, as a source that would tell is silent or none is declared.
    """

    records: int
    amount: Converted
    sums: Sums
    hours: Decimal | None
    hours_unknown: int
    ages: Distribution
    median_age: Estimate | None
    at_least: bool = False


class Total(NamedTuple):
    """What was done in the window: how many, worth what, each at the rate of its day, and of how many hours."""

    records: int
    amount: Converted
    hours: Decimal | None
    hours_unknown: int


class Pace(NamedTuple):
    """How many were done, and how many that is an hour of the ``hours`` that were watched."""

    records: int
    per_hour: float
    hours: float


class Newest(NamedTuple):
    """How many seconds ago it was done last."""

    age: int


class Ratio(NamedTuple):
    """One side over the other: records, hours or money in the reporting currency, each at the rate of its day."""

    ratio: float
    numerator: Decimal
    denominator: Decimal


class Variance(NamedTuple):
    """How near forecasts come: 1 less the sum of all differences over that of all actual values; below 0 where worse.

    ``difference``, ``forecast`` and ``actual``: these sums over all that was matched, at the rates of the reading.
    """

    accuracy: float
    difference: Decimal
    forecast: Decimal
    actual: Decimal
    matched: int


class Balance(NamedTuple):
    """What was lost: ``given_up`` on its day, and what was ``left`` when nothing more was to come, at that day's rates.

    ``sums``: both together by currency.
    """

    amount: Converted
    given_up: Converted
    left: Converted
    sums: Sums


Answer = Lag | Share | Stock | Total | Pace | Newest | Ratio | Variance | Balance


class Asked(NamedTuple):
    """What else a question says. ``looked_at``: how many cases would show what is asked for, if there was any.

    ``maturity``: of a lag, the age in seconds at which all waits are cut; ``as_of``: an instant, instead, up to which
    those that began on a day count as far as each of them had the chance to come. ``hours``: how many of the window
    have passed while anybody watched.
    ``category``: of attempts, the one whose failures hit; all others count as attempts only. ``ageing``: of what
    stands, the class of ages that counts.
    """

    looked_at: int = 0
    maturity: int | None = None
    hours: float | None = None
    category: str | None = None
    as_of: int | None = None
    ageing: str | None = None


class Reading(NamedTuple):
    """An answer, or None and the reason why there is none.

    ``known_to``: up to when we have seen all that could have ended what is unfinished, or have happened, at most the
    moment (G7).
    """

    answer: Answer | None
    why_not: str | None
    beside: Beside
    known_to: int | None = None


Cells = Mapping[Place, Cell]


def beside_of(cells: Cells) -> Beside:
    """Count what stands beside a figure."""
    endings: dict[Ending, dict[str, int]] = {ending: {} for ending in Ending}
    for cell in cells.values():
        for (ending, word), count in cell.endings.items():
            endings[ending][word] = endings[ending].get(word, 0) + count
    done, still, otherwise = (sum(endings[each].values()) for each in (Ending.DONE, Ending.OPEN, Ending.COMPETING))
    unknown = dict(sorted(endings[Ending.UNKNOWN].items()))
    return Beside(done + still + otherwise, done, still, dict(sorted(endings[Ending.COMPETING].items())), unknown)


def _as_stood(beside: Beside, lives: Lives) -> Beside:
    """Return how many waits were done, open and ended otherwise then; of fewer of these nobody knows the words."""
    done, otherwise, still = (sum(ages.values()) for ages in (lives.done, lives.competing, lives.open))
    words = beside.competing if otherwise == sum(beside.competing.values()) else {OTHERWISE: otherwise}
    return beside._replace(done=done, open=still, competing=words if otherwise else {})


def standing_of(cells: Cells) -> Beside:
    """As ``beside_of``, of what is not over: a stock is read from those cells only that hold any of it."""
    whole = beside_of(cells)
    return Beside(whole.open, 0, whole.open, {}, whole.unknown)


class _Ages:
    """Records and their worth by age; what is worth nothing that is known counts apart."""

    def __init__(self) -> None:
        self.records: dict[float, int] = {}
        self.worth: dict[float, Decimal] = {}
        self.size = self.without = 0
        self.total = Decimal(0)

    def add(self, age: float, value: Sums, rates: RatesOfDay) -> None:
        records = without = value.unknown
        for currency, (amount, count) in value.parts.items():
            records += count
            rate = rates[currency]
            if rate is None:
                without += count
                continue
            worth = EXACTLY.multiply(amount, rate)
            self.worth[age] = EXACTLY.add(self.worth.get(age, _NOTHING), worth)
            self.total = EXACTLY.add(self.total, worth)
        self.records[age] = self.records.get(age, 0) + records
        self.size += records
        self.without += without

    def counts(self, exact: bool) -> dict[float, int]:
        """Return the records by age; by what stands for its bin unless ``exact``."""
        return _placed(self.records, exact)

    def weights(self, exact: bool) -> dict[float, int]:
        """Return the worth by age, as whole numbers."""
        whole = {age: round(EXACTLY.multiply(worth, _FINEST)) for age, worth in self.worth.items()}
        return _placed(whole, exact)


def _placed(counts: Mapping[float, int], exact: bool) -> dict[float, int]:
    found: dict[float, int] = {}
    for age, count in counts.items():
        place = age if exact else value_of(bin_of(int(age)))
        found[place] = found.get(place, 0) + count
    return found


class _Known(NamedTuple):
    """What some cells tell at a moment, by age: what hit, what missed, what is pending, and who entered late."""

    hits: _Ages
    misses: _Ages
    pending: _Ages
    entered: _Ages

    @property
    def exact(self) -> bool:
        return self.hits.size + self.misses.size + self.pending.size <= EXACT

    @property
    def without(self) -> int:
        return self.hits.without + self.misses.without + self.pending.without

    @property
    def watched(self) -> int:
        """Return how many ended, or have been seen to last for any time at all."""
        unseen = self.pending.records.get(0, 0)
        return self.hits.size + self.misses.size + self.pending.size - unseen

    def lives(self, exact: bool) -> Lives:
        return Lives(*(ages.counts(exact) for ages in self))

    def lives_by_value(self, exact: bool) -> Lives:
        return Lives(*(ages.weights(exact) for ages in self))

    def curve(self, maturity: int | None = None) -> Curve:
        return _curve(self.lives(self.exact), maturity)

    def curve_by_value(self, maturity: int | None = None) -> Curve:
        return _curve(self.lives_by_value(self.exact), maturity)


def _curve(lives: Lives, maturity: int | None) -> Curve:
    return curve_of(lives if maturity is None else cut(lives, maturity))


class _Stands(NamedTuple):
    """What is unfinished of one beginning, and how old it is, in seconds of the KPI's clock."""

    age: int
    place: Place
    held: Held


class _Whole:
    """What is held of several beginnings together: amounts and hours, and of how many records."""

    def __init__(self) -> None:
        self.sums = Sums()
        self.records = self.hours_unknown = 0
        self._hours = _NOTHING

    @property
    def known_hours(self) -> Decimal | None:
        """Return the hours that are known; None where there are records, and none of any."""
        return None if self.records and self.hours_unknown == self.records else self._hours

    def add(self, held: Held) -> int:
        """Add what is held; return of how many records that is."""
        self.sums.merge(held.sums)
        self._hours = EXACTLY.add(self._hours, held.hours)
        self.hours_unknown += held.hours_unknown
        records = held.sums.records
        self.records += records
        return records


class Reader:
    """Makes readings of one KPI at one moment."""

    def __init__(self, declaration: Declaration, counting: Counting, summing: Summing, moment: Moment) -> None:
        self._declaration = declaration
        self._counting = counting
        self._summing = summing
        self._moment = moment

    def value(self, place: Place, dimension: Dimension) -> str | None:
        """Return what a place tells of a dimension at the moment of reading."""
        return self._moment.value(place, dimension)

    def read(self, cells: Cells, asked: Asked) -> Reading:
        """Return the answer of the KPI by its kind; raises ValueError for a kind that cells cannot answer."""
        return self._read(cells, asked)._replace(known_to=self._known_to(cells))

    def by_ageing(self, cells: Cells, asked: Asked) -> dict[Ageing, Reading]:
        """Return what stands by the class of its age: of each class, or of the one that is asked for."""
        beside, known_to = standing_of(cells), self._known_to(cells)
        wanted = list(Ageing) if asked.ageing is None else [Ageing(asked.ageing)]
        if not beside.began and not asked.looked_at:
            return dict.fromkeys(wanted, Reading(None, NO_DATA, beside, known_to))
        silent = self._is_silent(cells)
        standing: dict[str, list[_Stands]] = {each: [] for each in Ageing}
        for each in self._standing(cells):
            standing[self._ageing(each)].append(each)
        if silent and not any(standing.values()):
            return dict.fromkeys(wanted, Reading(None, SILENT, beside, known_to))
        # Of a class that nothing is in that is all that is known: at least nothing would be beyond a target of none.
        return {
            each: self._stock(standing[each], beside, silent and bool(standing[each]))._replace(known_to=known_to)
            for each in wanted
        }

    def _known_to(self, cells: Cells) -> int:
        happening = self._declaration.formula.kind in _HAPPENING
        told = (place for place, cell in cells.items() if happening or cell.pending or _may_be_late(cell))
        return min((self._moment.seen_to(place) for place in told), default=self._moment.now)

    def _read(self, cells: Cells, asked: Asked) -> Reading:
        match self._declaration.formula.kind:
            case Kind.LAG:
                return self.lag(cells, asked.maturity, asked.as_of)
            case Kind.SHARE | Kind.ATTEMPTS:
                return self.share(cells, asked.category)
            case Kind.STOCK | Kind.DEVIATIONS:
                return self.stock(cells, asked.looked_at, asked.ageing)
            case Kind.SUM:
                return self.sum(cells, asked.looked_at)
            case Kind.COUNT:
                return self.pace(cells, asked)
            case Kind.AGE:
                return self.newest(cells)
            case other:
                raise ValueError(f"seen a {other.value}, which cells do not answer")

    def hours(self, first: date, last: date, begun: date | None = None) -> float:
        """Return how many hours of some days have passed, the first and the last included.

        ``begun``: the first day of which anything is known; hours before it nobody watched, so they do not count.
        """
        end = min(self._moment.now, self._summing.begins(last + timedelta(days=1)))
        start = first if begun is None else max(first, begun)
        return max(0, end - self._summing.begins(start)) / HOUR

    def maturity(self, cells: Cells, last: date) -> int:
        """Return the least age, in seconds, that all waits that began up to a day have had the chance to reach.

        Windows are compared by cutting the waits of both at that of the younger one.
        """
        over = self._summing.begins(last + timedelta(days=1))
        ages = (
            self._counting.seconds(over, self._moment.seen_to(place), place.value(Dimension.REGION)) for place in cells
        )
        return min(ages, default=0)

    def lag(self, cells: Cells, maturity: int | None = None, as_of: int | None = None) -> Reading:
        """Return how long waits take; ``maturity``: as it was known when each was of this age at most, in seconds.

        ``as_of``: as it was known at an instant, of each day only what all that began on it had the chance to reach.
        """
        beside, known = beside_of(cells), self._known(cells)
        why_not = self._too_few(known.watched) if known.watched or not beside.began else self._fewer(0)
        if why_not is not None:
            return Reading(None, why_not, beside)
        if as_of is None:
            curve, by_value = known.curve(maturity), known.curve_by_value(maturity)
        else:
            lives, worth = self._lives_as_of(cells, as_of, known.exact)
            beside = _as_stood(beside, lives)
            curve, by_value = curve_of(lives), curve_of(worth)
        error = 0.0 if known.exact else ACCURACY
        parts = None
        if self._declaration.splits and as_of is None and maturity is None:
            splits = (cell.splits for cell in cells.values() if cell.splits is not None)
            parts = parts_of(splits, self._declaration.minimum_sample)
        return Reading(Lag(_quantiles(curve), _quantiles(by_value), known.without, curve, error, parts), None, beside)

    def _lives_as_of(self, cells: Cells, as_of: int, exact: bool) -> tuple[Lives, Lives]:
        """Return what was known by count and by value, each day's waits cut at the age that all of them had reached."""
        days: dict[tuple[date, str | None], dict[Place, Cell]] = {}
        for place, cell in cells.items():
            days.setdefault((place.day, place.value(Dimension.REGION)), {})[place] = cell
        counts, values = list[Lives](), list[Lives]()
        for (day, region), some in days.items():
            known, over = self._known(some), self._summing.begins(day + timedelta(days=1))
            age = self._counting.seconds(over, as_of, region)
            counts.append(cut(known.lives(exact), age))
            values.append(cut(known.lives_by_value(exact), age))
        return together(counts), together(values)

    def share(self, cells: Cells, category: str | None = None) -> Reading:
        """Return how many waits hit, the unfinished counted as the declaration says; of a category, how many of it."""
        beside, counted = beside_of(cells), self._declaration.unfinished
        known = self._known(cells, category)
        of = known.hits.size + known.misses.size
        why_not = self._too_few(of)
        if why_not is not None:
            return Reading(None, why_not, beside)
        interval = wilson(known.hits.size, of)
        assert interval is not None
        share, pending = known.hits.size / of, 0.0
        worth = EXACTLY.add(known.hits.total, known.misses.total)
        by_value = float(known.hits.total / worth) if worth else None
        without = known.hits.without + known.misses.without
        if counted is Unfinished.CENSORED:
            curve, of_value = known.curve(), known.curve_by_value()
            if curve.broken_at is not None or not curve.points:
                return Reading(None, "too few were watched from their beginning", beside)
            share, pending = curve.points[-1].done, curve.points[-1].survival
            interval = wilson_around(min(1.0, share), of)
            by_value = of_value.points[-1].done if of_value.points and of_value.broken_at is None else None
            without = known.without
        at_least = counted is Unfinished.COUNTED and self._is_blind(cells)
        budget, hits = self._budget(known.hits.size, of), known.hits.size
        return Reading(Share(share, hits, of, interval, pending, by_value, without, budget, at_least), None, beside)

    def _is_blind(self, cells: Cells) -> bool:
        """Tell whether something is unfinished of which a declared source has told nothing for too long, or never."""
        return any(self._moment.is_blind(place) for place, cell in cells.items() if cell.pending)

    def _budget(self, hits: int, of: int) -> Decimal | None:
        target = self._declaration.target
        if target is None or target.number is None or self._declaration.good is not Good.HIGH:
            return None
        return (1 - target.number) * of - (of - hits)

    def stock(self, cells: Cells, looked_at: int, ageing: str | None = None) -> Reading:
        """Return what is unfinished; where there was no case to look at nobody can say that there is none.

        ``ageing``: only of that class of ages; what cannot be measured stands beside each.
        """
        beside = standing_of(cells)
        if not beside.began and not looked_at:
            return Reading(None, NO_DATA, beside)
        standing, silent = list(self._standing(cells)), self._is_silent(cells)
        if silent and not standing:
            return Reading(None, SILENT, beside)
        if ageing is not None:
            standing = [each for each in standing if self._ageing(each) == ageing]
        return self._stock(standing, beside, silent and bool(standing))

    def _is_silent(self, cells: Cells) -> bool:
        """Tell whether something may be late, and who would tell has been silent for longer than it ever is."""
        late = (place for place, cell in cells.items() if _may_be_late(cell))
        return any(self._moment.is_silent(place) for place in late)

    def _standing(self, cells: Cells) -> Iterator[_Stands]:
        """Yield what is unfinished and as old as the KPI asks for, with its age."""
        for place, cell in cells.items():
            if not cell.pending:
                continue
            clock, least = self._clock(place, self._moment.now), self._least_age(place)
            for since, held in cell.pending.items():
                age = max(0, clock - since.offset)
                if age >= least:
                    yield _Stands(age, place, held)

    def _stock(self, standing: Iterable[_Stands], beside: Beside, silent: bool) -> Reading:
        ages, whole = Distribution(), _Whole()
        for each in standing:
            ages.add(each.age, whole.add(each.held))
        beside = beside._replace(began=ages.size, open=ages.size)
        amount = convert(whole.sums, self._moment.rates, self._moment.today)
        hours, without = whole.known_hours, whole.hours_unknown
        stock = Stock(ages.size, amount, whole.sums, hours, without, ages, ages.quantile(0.5), silent)
        return Reading(stock, None, beside)

    def sum(self, cells: Cells, looked_at: int) -> Reading:
        """Return what was done and what it is worth; where there was no case to look at there is no answer."""
        beside = beside_of(cells)
        if not beside.began and not looked_at:
            return Reading(None, NO_DATA, beside)
        whole, dated = _Whole(), list[tuple[Sums, date]]()
        for place, since, held in _pending(cells):
            whole.add(held)
            dated.append((held.sums, place.day + timedelta(days=since.offset)))
        amount = total(dated, self._moment.rates)
        return Reading(Total(whole.records, amount, whole.known_hours, whole.hours_unknown), None, beside)

    def pace(self, cells: Cells, asked: Asked) -> Reading:
        """Return how many were done an hour; of a window without end, or without cases to look at, there is none."""
        beside = beside_of(cells)
        if not beside.began and not asked.looked_at:
            return Reading(None, NO_DATA, beside)
        if not asked.hours:
            return Reading(None, "a window that has begun, with a first and a last day", beside)
        return Reading(Pace(beside.done, beside.done / asked.hours, asked.hours), None, beside)

    def newest(self, cells: Cells) -> Reading:
        """Return how long ago it was done last."""
        now = self._moment.now
        ages = [max(0, self._clock(place, now) - since.offset) for place, since, _ in _pending(cells)]
        return Reading(Newest(min(ages)) if ages else None, None if ages else NO_DATA, beside_of(cells))

    def _too_few(self, known: int) -> str | None:
        """Return why there is no answer of so many; None where there is one."""
        wanted = self._declaration.minimum_sample
        if known == 0:
            return NO_DATA
        return self._fewer(known) if known < wanted else None

    def _fewer(self, known: int) -> str:
        return f"{known} of at least {self._declaration.minimum_sample}"

    def _clock(self, place: Place, instant: int) -> int:
        """Return what the clock of a place's day shows at an instant.

        The age of an unfinished wait is that, less what it showed when the wait began (``Since.offset``).
        """
        return self._counting.seconds(self._summing.begins(place.day), instant, place.value(Dimension.REGION))

    def _least_age(self, place: Place) -> int:
        """Return how old at the least is what the KPI asks for, in seconds."""
        least = self._declaration.formula.older_than
        return 0 if least is None else self._counting.seconds_of(least, place.value(Dimension.REGION))

    def _ageing(self, aged: _Stands) -> Ageing:
        return class_of(aged.age, self._counting, aged.place.value(Dimension.REGION))

    def _known(self, cells: Cells, category: str | None = None) -> _Known:
        """Return what cells tell by age, what is unfinished judged by the moment; only hits of a category are some."""
        known = _Known(_Ages(), _Ages(), _Ages(), _Ages())
        for place, cell in cells.items():
            rates = RatesOfDay(self._moment.rates, place.day)
            hits = known.hits if category in (None, place.value(Dimension.CATEGORY)) else known.misses
            for ages, aged in ((hits, cell.hits), (known.misses, cell.misses), (known.entered, cell.entered)):
                for age, value in aged.ages():
                    ages.add(age, value, rates)
            if cell.pending:
                self._judge(known, place, cell, rates)
        return known

    def _judge(self, known: _Known, place: Place, cell: Cell, rates: RatesOfDay) -> None:
        """Add what is unfinished at a place as what it counts as by now: nothing where its sources told nothing yet."""
        seen_to = self._moment.seen_to(place)
        clock = self._clock(place, seen_to)
        counted = self._declaration.unfinished is Unfinished.COUNTED
        for since, held in cell.pending.items():
            ages, age = known.misses if counted else known.pending, max(0, clock - since.offset)
            if not counted and since.due is not None and seen_to > since.due:
                ages, age = known.misses, min(age, since.due_age or 0)
            entry = entry_age(since.gone, age)
            if since.gone and not age:
                continue  # since watching began
            ages.add(age, held.value, rates)
            if entry:
                known.entered.add(entry, held.value, rates)


def _may_be_late(cell: Cell) -> bool:
    return (Ending.UNKNOWN, Unknown.NOT_CONFIRMED.value) in cell.endings


def _pending(cells: Cells) -> Iterator[tuple[Place, Since, Held]]:
    return ((place, since, held) for place, cell in cells.items() for since, held in cell.pending.items())


def readings(
    reader: Reader, cells: Cells, by: tuple[Dimension, ...], asked: Asked
) -> dict[tuple[str | None, ...], Reading]:
    """Return a reading for each value of some dimensions.

    Attempts have a category only where they failed: of each, its failures are told as a share of all attempts. What
    stands has an age when it is read: of each class of ages it is told, also where nothing is of it.
    """
    found: dict[tuple[str | None, ...], Reading] = {}
    within = next((dimension for dimension in by if dimension in _WITHIN), None)
    others = tuple(dimension for dimension in by if dimension is not within)
    for values, part in split(cells, others, reader.value).items() if others else [((), dict(cells))]:
        if within is None:
            found[values] = reader.read(part, asked)
            continue
        at = by.index(within)
        for value, reading in _WITHIN[within](reader, part, asked):
            found[*values[:at], value, *values[at:]] = reading
    return found


def _by_category(reader: Reader, cells: Cells, asked: Asked) -> Iterator[tuple[str, Reading]]:
    categories = {place.value(Dimension.CATEGORY) or "" for place in cells} - {""}
    for category in sorted(categories & {asked.category} if asked.category else categories):
        yield category, reader.read(cells, asked._replace(category=category))


def _by_ageing(reader: Reader, cells: Cells, asked: Asked) -> Iterator[tuple[str, Reading]]:
    return ((ageing.value, reading) for ageing, reading in reader.by_ageing(cells, asked).items())


_WITHIN: Mapping[Dimension, Callable[[Reader, Cells, Asked], Iterator[tuple[str, Reading]]]] = {
    Dimension.CATEGORY: _by_category,
    Dimension.AGEING: _by_ageing,
}
"""Dimensions of which a reading tells apart what lies within cells; no kind of KPI has both."""


def split(
    cells: Cells, by: Iterable[Dimension], value_of: Callable[[Place, Dimension], str | None] = Place.value
) -> dict[tuple[str | None, ...], dict[Place, Cell]]:
    """Return cells by their values of some dimensions, in the order of these, what is unknown last."""
    dimensions = tuple(by)
    found: dict[tuple[str | None, ...], dict[Place, Cell]] = {}
    for place, cell in cells.items():
        values = tuple(value_of(place, dimension) for dimension in dimensions)
        found.setdefault(values, {})[place] = cell
    return dict(sorted(found.items(), key=lambda entry: [(value is None, value or "") for value in entry[0]]))


def _quantiles(curve: Curve) -> dict[Headline, Reached | None]:
    return {name: curve.reaches(share) for name, share in SHARES.items()}
