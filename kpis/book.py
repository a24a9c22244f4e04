"""Books: how what cases contribute to a KPI is counted in cells, be it observations or halves of a comparison.

Both add and take back in any order; the one that keeps cells up to date (kpis/keep.py) need not know which it has.
"""

from __future__ import annotations

from typing import Any, Protocol

from kpis.cell import Cell, Summing
from kpis.codec import Entry, decode_cell, decode_matched, encode_cell, encode_matched
from kpis.contribution import Contribution
from kpis.declaration import MATCHED, Declaration
from kpis.matched import MatchedCell
from kpis.matched import place_of as matched_place_of
from kpis.observation import Observation
from kpis.spot import Grain, Spot, Spotting

Item = Observation | Contribution
"""What is booked: one thing that a case contributes."""

AnyCell = Any
"""A cell of the kind that a book has."""


class Book(Protocol):
    """How one KPI books what cases contribute."""

    def items(self, entry: Entry) -> tuple[Item, ...]:
        """Return what is booked of an entry."""
        ...

    def spots(self, item: Any) -> tuple[Spot, ...]:
        """Return the cells that an item is counted in."""
        ...

    def blank(self) -> AnyCell:
        """Return a cell that nothing is counted in."""
        ...

    def enter(self, cell: AnyCell, spot: Spot, item: Any, times: int) -> None:
        """Add an item to one of its cells; ``times`` -1 takes it back. Raises ValueError where it was never added."""
        ...

    def records(self, item: Any) -> int:
        """Return how many records an item stands for."""
        ...

    def is_stale(self, cell: AnyCell) -> bool:
        """Tell whether a cell must be counted anew from its items."""
        ...

    def standing(self, cell: AnyCell) -> int:
        """Return how much in a cell is not over."""
        ...

    def encode(self, cell: AnyCell) -> bytes:
        """Return a cell as it is stored."""
        ...

    def decode(self, content: bytes) -> AnyCell:
        """Return a cell that was stored."""
        ...


def book_of(declaration: Declaration, summing: Summing) -> Book:
    """Return how a KPI books."""
    return MatchedBook() if declaration.formula.kind in MATCHED else ObservedBook(declaration, summing)


class ObservedBook:
    """Books observations: waits, and what happened."""

    def __init__(self, declaration: Declaration, summing: Summing) -> None:
        self._summing = summing
        self._spotting = Spotting(declaration)

    def items(self, entry: Entry) -> tuple[Observation, ...]:
        return entry.observations

    def spots(self, item: Observation) -> tuple[Spot, ...]:
        return self._spotting.of(item)

    def blank(self) -> Cell:
        return Cell()

    def enter(self, cell: Cell, spot: Spot, item: Observation, times: int) -> None:
        self._summing.enter(cell, spot.place.day, item, times)

    def records(self, item: Observation) -> int:
        return item.times

    def is_stale(self, cell: Cell) -> bool:
        return cell.stale

    def standing(self, cell: Cell) -> int:
        return cell.standing

    def encode(self, cell: Cell) -> bytes:
        return encode_cell(cell)

    def decode(self, content: bytes) -> Cell:
        return decode_cell(content)


class MatchedBook:
    """Books contributions, each in one cell: by its day and what the KPI is split by."""

    def items(self, entry: Entry) -> tuple[Contribution, ...]:
        return entry.contributions

    def spots(self, item: Contribution) -> tuple[Spot, ...]:
        return (Spot(Grain.DAY, matched_place_of(item)),)

    def blank(self) -> MatchedCell:
        return MatchedCell()

    def enter(self, cell: MatchedCell, spot: Spot, item: Contribution, times: int) -> None:
        cell.enter(item, times)

    def records(self, item: Contribution) -> int:
        return 1

    def is_stale(self, cell: MatchedCell) -> bool:
        return False

    def standing(self, cell: MatchedCell) -> int:
        return 0

    def encode(self, cell: MatchedCell) -> bytes:
        return encode_matched(cell)

    def decode(self, content: bytes) -> MatchedCell:
        return decode_matched(content)
