"""Cells of what is compared across cases: sums by what is matched, added and taken back in any order; pure.

The two sides of a comparison stand in one cell or in several; they meet at the reading (kpis/reading_matched.py). A
cell holds what was told by what it is matched by, never which case told it, so its size is the number of matched values
of its day and place. Only what must be looked at one by one is kept so: revisions of a forecast, names that count once.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from kpis.cell import Place
from kpis.contribution import (
    Contribution,
    Missing,
    Part,
    Told,
    Unusable,
    Worth,
    plain_number,
    plain_told,
    told_from_plain,
)
from kpis.declaration import Dimension
from kpis.money import Part as Share
from kpis.money import Sums

_Counted = TypeVar("_Counted")
_PARTS = {part.value: part for part in Part}


class Slot(NamedTuple):
    """One side of one matched value."""

    part: Part
    match: tuple[str, ...]


class MatchedCell:
    """The sum of the contributions of one place. No entry is of nothing."""

    __slots__ = ("sums", "told", "unusable")

    def __init__(self) -> None:
        self.sums: dict[Slot, Sums] = {}
        self.told: dict[Slot, dict[Told, int]] = {}
        self.unusable: dict[tuple[Part, Missing], int] = {}

    @property
    def empty(self) -> bool:
        return not (self.sums or self.told or self.unusable)

    def enter(self, contribution: Contribution, times: int = 1) -> None:
        """Add a contribution; ``times`` -1 takes it back. Raises ValueError where it was never added."""
        slot = Slot(contribution.part, contribution.match)
        match contribution.told:
            case Worth(money):
                sums = self.sums.setdefault(slot, Sums())
                try:
                    sums.add(money, times)
                finally:
                    if not sums.records:
                        del self.sums[slot]
            case Unusable(missing):
                _count(self.unusable, (slot.part, missing), times)
            case told:
                entries = self.told.setdefault(slot, {})
                try:
                    _count(entries, told, times)
                finally:
                    if not entries:
                        del self.told[slot]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MatchedCell):
            return False
        return (self.sums, self.told, self.unusable) == (other.sums, other.told, other.unusable)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def to_plain(self) -> list[Any]:
        """Return it as lists, texts, whole numbers and None; equal cells give the same."""
        sums = [[*_plain_slot(slot), *_plain_sums(each)] for slot, each in self.sums.items()]
        told = [
            [*_plain_slot(slot), sorted(([plain_told(each), count] for each, count in entries.items()), key=repr)]
            for slot, entries in self.told.items()
        ]
        unusable = [[part.value, missing.value, count] for (part, missing), count in self.unusable.items()]
        return [sorted(sums, key=_by_slot), sorted(told, key=_by_slot), sorted(unusable)]

    @staticmethod
    def from_plain(plain: list[Any]) -> MatchedCell:
        """Return what ``to_plain`` wrote."""
        cell = MatchedCell()
        for part, match, unknown, shares in plain[0]:
            sums = cell.sums[_slot(part, match)] = Sums()
            sums.unknown = unknown
            sums.parts = {currency: Share(Decimal(amount), records) for currency, amount, records in shares}
        for part, match, entries in plain[1]:
            cell.told[_slot(part, match)] = {told_from_plain(each): count for each, count in entries}
        cell.unusable = {(Part(part), Missing(missing)): count for part, missing, count in plain[2]}
        return cell


def place_of(contribution: Contribution) -> Place:
    """Return whose cell a contribution belongs to."""
    return Place(contribution.day, tuple(contribution.dimensions.get(dimension) for dimension in Dimension))


def matched_cells(contributions: Iterable[Contribution]) -> dict[Place, MatchedCell]:
    """Return the cells of some contributions."""
    cells: dict[Place, MatchedCell] = {}
    for each in contributions:
        cells.setdefault(place_of(each), MatchedCell()).enter(each)
    return cells


def replace_matched(
    cells: dict[Place, MatchedCell], before: Iterable[Contribution], after: Iterable[Contribution]
) -> None:
    """Take back what a case contributed before and add what it does now; cells with nothing left are gone."""
    for contributions, times in ((after, 1), (before, -1)):
        for each in contributions:
            place = place_of(each)
            cell = cells.setdefault(place, MatchedCell())
            cell.enter(each, times)
            if cell.empty:
                del cells[place]


def _count(counts: dict[_Counted, int], entry: _Counted, times: int) -> None:
    left = counts.get(entry, 0) + times
    if left < 0:
        raise ValueError(f"seen {entry} to take back, wanted what was added")
    if left:
        counts[entry] = left
    else:
        del counts[entry]


def _plain_slot(slot: Slot) -> list[Any]:
    return [slot.part.value, list(slot.match)]


def _by_slot(plain: list[Any]) -> list[Any]:
    """Return what entries are ordered by, each of which has a slot of its own."""
    return plain[:2]


def _slot(part: str, match: list[str]) -> Slot:
    return Slot(_PARTS[part], tuple(match))


def _plain_sums(sums: Sums) -> list[Any]:
    shares = [[currency, plain_number(amount), records] for currency, (amount, records) in sorted(sums.parts.items())]
    return [sums.unknown, shares]
