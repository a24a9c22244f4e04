"""Spots: the cells that an observation is counted in, which are coarser than all of its dimensions; pure.

All dimensions together would give nearly as many cells as there are cases, as a customer has few records a day. So days
have cells without the customer, and months have cells by customer that tell fewer of the others apart. Region, legal
entity and system are in both: they decide a cell's calendar, and whose watermark counts.
"""

from __future__ import annotations

from datetime import date
from enum import IntEnum
from typing import NamedTuple

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


BY_DAY = tuple(dimension for dimension in Dimension if dimension is not Dimension.CUSTOMER)
BY_MONTH = (Dimension.PROCESS, Dimension.SYSTEM, Dimension.REGION, Dimension.LEGAL_ENTITY, Dimension.CUSTOMER)
KEPT = {Grain.DAY: frozenset(BY_DAY), Grain.MONTH: frozenset(BY_MONTH)}
"""The dimensions that the cells of a grain tell apart."""


class Spot(NamedTuple):
    """One cell of a KPI."""

    grain: Grain
    place: Place


def spots_of(declaration: Declaration, observation: Observation) -> tuple[Spot, ...]:
    """Return the cells of a KPI that an observation is counted in."""
    by_day = _spot(Grain.DAY, observation)
    return (by_day, _spot(Grain.MONTH, observation)) if has_months(declaration) else (by_day,)


def has_months(declaration: Declaration) -> bool:
    """Tell whether a KPI has cells by month, which it has where it tells customers apart."""
    return Dimension.CUSTOMER in declaration.dimensions


def grain_for(asked: frozenset[Dimension]) -> Grain | None:
    """Return the finest cells that tell some dimensions apart; None: none do."""
    return next((grain for grain in Grain if asked <= KEPT[grain]), None)


def _spot(grain: Grain, observation: Observation) -> Spot:
    kept, found = KEPT[grain], observation.dimensions
    values = tuple(found.get(dimension) if dimension in kept else None for dimension in Dimension)
    return Spot(grain, Place(grain.begins(observation.day), values))
