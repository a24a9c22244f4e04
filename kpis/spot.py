"""Spots: the cells that an observation is counted in, which are coarser than all of its dimensions; pure.

All dimensions together would give nearly as many cells as there are cases, as a customer has few records a day. So days
have cells without the customer, and months have cells by customer that tell fewer of the others apart. Region, legal
entity and system are in both: they decide a cell's calendar, and whose watermark counts.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import date
from enum import IntEnum
from typing import Any, NamedTuple

from kpis.cell import Place
from kpis.declaration import Declaration, Dimension
from kpis.observation import Observation


class Grain(IntEnum):
    """What a cell is of: a day, or of one customer a month."""

    DAY = 0
    MONTH = 1

    def begins(self, day: date) -> date:
        """Return the first day of the cells that a day belongs to."""
        return day if self is Grain.DAY else day.replace(day=1)


AT_READING = frozenset({Dimension.AGEING})
"""What no cell tells apart, and every cell can be parted by when it is read."""

BY_DAY = tuple(dimension for dimension in Dimension if dimension not in {Dimension.CUSTOMER, *AT_READING})
BY_MONTH = (Dimension.PROCESS, Dimension.SYSTEM, Dimension.REGION, Dimension.LEGAL_ENTITY, Dimension.CUSTOMER)
KEPT = {Grain.DAY: frozenset(BY_DAY), Grain.MONTH: frozenset(BY_MONTH)}
"""The dimensions that the cells of a grain tell apart."""


class Spot(NamedTuple):
    """One cell of a KPI."""

    grain: Grain
    place: Place


class Spotting:
    """Tells in which cells of a KPI an observation is counted: they tell apart what it declares, and what they need."""

    def __init__(self, declaration: Declaration) -> None:
        wanted = {*declaration.dimensions, *ALWAYS}
        self._by_day = _keys(wanted & KEPT[Grain.DAY])
        self._by_month = _keys(wanted & KEPT[Grain.MONTH]) if has_months(declaration) else None

    def of(self, observation: Observation) -> tuple[Spot, ...]:
        """Return the cells that an observation is counted in."""
        value, day = observation.dimensions.get, observation.day
        by_day = Spot(Grain.DAY, Place(day, tuple(map(value, self._by_day))))
        if self._by_month is None:
            return (by_day,)
        return by_day, Spot(Grain.MONTH, Place(day.replace(day=1), tuple(map(value, self._by_month))))


ALWAYS = (Dimension.SYSTEM, Dimension.REGION, Dimension.LEGAL_ENTITY)
"""What every cell tells apart, as it decides the calendar and whose watermark counts."""

_NOTHING: Any = ""  # no dimension: nothing has a value of it


def _keys(kept: AbstractSet[Dimension]) -> tuple[Dimension, ...]:
    """Return what to look up for each dimension, in the order of a place's values."""
    return tuple(dimension if dimension in kept else _NOTHING for dimension in Dimension)


def has_months(declaration: Declaration) -> bool:
    """Tell whether a KPI has cells by month, which it has where it tells customers apart."""
    return Dimension.CUSTOMER in declaration.dimensions


def grain_for(asked: frozenset[Dimension]) -> Grain | None:
    """Return the finest cells that tell some dimensions apart; None: none do."""
    return next((grain for grain in Grain if asked - AT_READING <= KEPT[grain]), None)
