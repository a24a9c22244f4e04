"""Cells: sums of observations that can be taken apart again, in any order; pure.

A cell belongs to one KPI version, one day (or one month, which its first day stands for) and one set of dimension
values. It holds counts and exact decimals only, so adding and subtracting commute. Nothing in it depends on now: an
unfinished wait is held by when it began.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache, partial
from typing import NamedTuple

from kpis.clock import Counting
from kpis.declaration import Declaration, Dimension, Hit, Kind, Unfinished
from kpis.distribution import EXACT, bin_of, value_of
from kpis.latency import Splits
from kpis.money import EXACTLY, Money, Sums
from kpis.observation import Ending, Observation
from throughline.core.business_time import REMEMBERED, BusinessTime
from throughline.core.calendar import local_instant

STANDING = frozenset({Kind.STOCK, Kind.DEVIATIONS})
"""Kinds that tell what stands: of cells of all days, as it may have begun on any, those that hold some of it."""


class Place(NamedTuple):
    """Whose sum a cell is: a day, and a value of each dimension, in the order of ``Dimension``.

    ``day`` is the first of what a cell counts, where that is a month.
    """

    day: date
    values: tuple[str | None, ...]

    def value(self, dimension: Dimension) -> str | None:
        return self.values[_ORDER[dimension]]

    @property
    def roles(self) -> tuple[str, ...]:
        """Return the systems that would report the end of what is unfinished here."""
        return tuple((self.value(Dimension.SYSTEM) or "").split("+"))


_ORDER = {dimension: n for n, dimension in enumerate(Dimension)}


def place_of(observation: Observation) -> Place:
    """Return the place of an observation: its cell's calendar and sources are those of its region and entity."""
    return Place(observation.day, tuple(observation.dimensions.get(dimension) for dimension in Dimension))


class Verdict(StrEnum):
    """What a wait counts as: ``hit`` is done in time, or just done; ``pending`` is for the moment of reading to say."""

    HIT = "hit"
    MISS = "miss"
    PENDING = "pending"
    NEITHER = "neither"


def judge(declaration: Declaration, observation: Observation) -> tuple[Verdict, int]:
    """Return what a wait counts as in a KPI, and at which age that was decided, in seconds."""
    ending, age = observation.ending, observation.seconds or 0
    if ending is Ending.UNKNOWN:
        return Verdict.NEITHER, 0
    match declaration.formula.kind:
        case Kind.SHARE | Kind.ATTEMPTS:
            return _judge_share(declaration, observation, age)
        case Kind.STOCK | Kind.DEVIATIONS:
            return (Verdict.PENDING if ending is Ending.OPEN else Verdict.NEITHER), 0
        case Kind.AGE | Kind.SUM:
            return Verdict.PENDING, 0  # held with its time or day, all amounts and hours
        case _:
            return _BY_ENDING[ending], age


_BY_ENDING = {
    Ending.DONE: Verdict.HIT,
    Ending.COMPETING: Verdict.MISS,
    Ending.OPEN: Verdict.PENDING,
    Ending.UNKNOWN: Verdict.NEITHER,
}


def _judge_share(declaration: Declaration, observation: Observation, age: int) -> tuple[Verdict, int]:
    counted = declaration.unfinished
    ending, ended, due = observation.ending, observation.ended, observation.due
    if observation.hit is not None:
        if ending is Ending.OPEN and not observation.hit:
            return Verdict.PENDING, 0
        # What was withdrawn had no need to be reached; what is asked of endings is asked of all of them.
        to_reach = counted is not Unfinished.CENSORED and declaration.formula.hit is Hit.REACHED
        if ending is Ending.COMPETING and (to_reach or counted is Unfinished.LEFT_OUT):
            return Verdict.NEITHER, 0
        return (Verdict.HIT if observation.hit else Verdict.MISS), age
    if ended is None or due is None:
        return Verdict.PENDING, 0
    if ending is Ending.DONE and ended <= due:
        return Verdict.HIT, age
    if ended > due:
        return Verdict.MISS, min(age, observation.due_age or 0)
    # It ended otherwise before it was due: nothing had been missed, but it was never done either.
    return (Verdict.MISS if counted is Unfinished.CENSORED else Verdict.NEITHER), age


class Aged:
    """Sums by age: by second up to ``EXACT`` records, else by bin (kpis/distribution.py). No part is of no record."""

    __slots__ = ("exact", "size", "sums")

    def __init__(self) -> None:
        self.sums: dict[int, Sums] = {}
        self.exact = True
        self.size = 0

    @property
    def stale(self) -> bool:
        """Tell whether it must be counted anew: it has few records, and holds bins from when it had more."""
        return not self.exact and self.size <= EXACT

    def enter(self, age: int, value: Money | None, times: int) -> None:
        """Count so many records at an age with what each is worth; ``times`` below 0 takes them back."""
        place = age if self.exact else bin_of(age)
        sums = self.sums.setdefault(place, Sums())
        sums.add(value, times)
        if not sums.records:
            del self.sums[place]
        self.size += times
        if self.exact and self.size > EXACT:
            self._to_bins()
        elif not self.size:
            self.exact = True

    def ages(self) -> Iterable[tuple[float, Sums]]:
        """Yield the sums by age; of a bin, by what stands for it."""
        return ((float(place) if self.exact else value_of(place), sums) for place, sums in self.sums.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Aged) and (self.exact, self.sums) == (other.exact, other.sums)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def _to_bins(self) -> None:
        binned: dict[int, Sums] = {}
        for age, sums in self.sums.items():
            binned.setdefault(bin_of(age), Sums()).merge(sums)
        self.sums, self.exact = binned, False


class Since(NamedTuple):
    """When an unfinished wait began: seconds of the KPI's clock after its place's day did. ``due`` in microseconds.

    Of a sum, where only the day matters, ``offset`` is in days. ``due``: None where nothing is due.
    ``due_age``: how old it is when it is due, ``gone``: how old it was when watching began, in seconds of that clock.
    """

    offset: int
    due: int | None
    due_age: int | None
    gone: int


class Held:
    """What unfinished waits of one beginning hold: all amounts, those above nothing (``value``), and hours.

    ``value`` is ``sums`` itself for as long as all amounts are above nothing, as nearly all are: there are very many.
    """

    __slots__ = ("hours", "hours_unknown", "sums", "value")

    def __init__(self) -> None:
        self.sums = self.value = Sums()
        self.hours = Decimal(0)
        self.hours_unknown = 0

    def enter(self, observation: Observation, times: int) -> None:
        """Add a wait so many times; ``times`` below 0 takes it back."""
        value = value_of_wait(observation)
        if self.value is self.sums and value != observation.amount:
            self.value = self.sums.copy()
        self.sums.add(observation.amount, times)
        if self.value is not self.sums:
            self.value.add(value, times)
        hours = observation.hours
        if hours is None:
            self.hours_unknown += times
        else:
            self.hours = EXACTLY.add(self.hours, EXACTLY.multiply(hours, times))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Held):
            return False
        mine, theirs = ((each.sums, each.value, each.hours, each.hours_unknown) for each in (self, other))
        return mine == theirs

    __hash__ = None  # pyright: ignore[reportAssignmentType]


class Cell:
    """The sum of the observations of one place.

    ``entered``: the ages at which those of hits and misses entered that were not watched from their beginning.
    ``endings``: how many waits there are by ending and word, whatever they count as. ``splits``: of what latencies
    consist; None where there are none that could be asked for it.
    """

    __slots__ = ("endings", "entered", "hits", "misses", "neither", "pending", "splits")

    def __init__(self) -> None:
        self.hits = Aged()
        self.misses = Aged()
        self.entered = Aged()
        self.pending: dict[Since, Held] = {}
        self.neither = 0
        self.endings: dict[tuple[Ending, str], int] = {}
        self.splits: Splits | None = None

    @property
    def empty(self) -> bool:
        return not self.endings

    @property
    def standing(self) -> int:
        """Return how many observations are not over: open, or not to be measured."""
        return sum(count for (ending, _), count in self.endings.items() if ending in (Ending.OPEN, Ending.UNKNOWN))

    @property
    def stale(self) -> bool:
        """Tell whether it must be counted anew from its observations."""
        split_stale = self.splits is not None and self.splits.stale
        return self.hits.stale or self.misses.stale or self.entered.stale or split_stale

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cell) and all(getattr(self, name) == getattr(other, name) for name in Cell.__slots__)

    __hash__ = None  # pyright: ignore[reportAssignmentType]


class Summing:
    """Adds observations of one KPI to cells, and takes them back."""

    def __init__(self, declaration: Declaration, counting: Counting, calendars: BusinessTime) -> None:
        self._declaration = declaration
        self._counting = counting
        self._begins = lru_cache(REMEMBERED)(partial(local_instant, calendars.region(None).zone, minutes=0))

    def begins(self, day: date) -> int:
        """Return the instant at which a day begins, in the zone of the default region."""
        return self._begins(day)

    def enter(self, cell: Cell, day: date, observation: Observation, times: int = 1) -> None:
        """Add an observation to the cell of a place of that day; ``times`` -1 takes it back.

        Raises ValueError where it was never added.
        """
        times *= observation.times
        ending = observation.ending, observation.word or ""
        left = cell.endings.get(ending, 0) + times
        if left < 0:
            raise ValueError(f"seen one {ending[0].value} wait to take back, wanted one that was added")
        cell.endings[ending] = left
        if not left:
            del cell.endings[ending]
        if observation.split is not None:
            splits = cell.splits = cell.splits or Splits()
            splits.enter(observation.split, times)
            if splits.empty:
                cell.splits = None
        verdict, age = judge(self._declaration, observation)
        value = value_of_wait(observation)
        match verdict:
            case Verdict.NEITHER:
                cell.neither += times
            case Verdict.PENDING:
                self._hold(cell, day, observation, times)
            case Verdict.HIT | Verdict.MISS:
                (cell.hits if verdict is Verdict.HIT else cell.misses).enter(age, value, times)
                entry = entry_age(observation.gone, age)
                if entry:
                    cell.entered.enter(entry, value, times)

    def _hold(self, cell: Cell, day: date, observation: Observation, times: int) -> None:
        since = self._since(day, observation)
        held = cell.pending.setdefault(since, Held())
        held.enter(observation, times)
        if not held.sums.records:
            del cell.pending[since]

    def _since(self, day: date, observation: Observation) -> Since:
        if self._declaration.formula.kind is Kind.SUM:
            return Since((observation.day - day).days, None, None, 0)
        assert observation.began is not None
        offset = self._counting.seconds(self.begins(day), observation.began, observation.region)
        return Since(offset, observation.due, observation.due_age, observation.gone)


def entry_age(gone: int, age: int) -> int:
    """Return the age at which a wait is watched from; 0: from its beginning.

    Seconds are cut, so one that ended in the second in which it entered has entered in the second before.
    """
    return max(0, min(gone, age - 1))


def value_of_wait(observation: Observation) -> Money | None:
    """Return the amount by which a wait is weighed: a known one above nothing, as a credit weighs nothing."""
    amount = observation.amount
    return None if amount is None or amount.amount <= 0 else amount


def cells_of(summing: Summing, observations: Iterable[Observation]) -> dict[Place, Cell]:
    """Return the cells of some observations."""
    cells: dict[Place, Cell] = {}
    for each in observations:
        place = place_of(each)
        summing.enter(cells.setdefault(place, Cell()), place.day, each)
    return cells
