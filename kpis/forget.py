"""Forgetting cases that have left the lineage store: what is kept of each goes, what it is in stays as it is.

What such a case contributed can neither be taken back nor looked at again. So it is added to the remnants of the cells
that it is in: what of them is of no case that is kept. A cell stays what it is by that, and where all cases are looked
at anew, or its own are counted anew, it begins with its remnant. There is one a cell at most, however many cases left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from kpis.book import Book, Item
from kpis.codec import Contributed
from kpis.look import cases_there
from kpis.spot import Spot
from kpis.store import KpiWriter, RemnantRow
from lineage.changes import Position, retired_after
from lineage.read import Snapshot
from lineage.store import StoreReader
from lineage.traces import entries_of

_ROWS_AT_ONCE = 1_000


class Leaving:
    """Which cases have left and are still to be forgotten: until then nobody looks at them.

    What is stored of them is as they stood last; a case that began anew under the same id is looked at after that.
    """

    def __init__(self) -> None:
        self._told = 0
        self._last: dict[int, int] = {}

    def among(self, store: StoreReader, position: Position) -> Set[int]:
        """Return the cases that are told after a position to have left."""
        further, self._told = retired_after(store, max(self._told, position.seq))
        if further or self._last:
            self._last = {case: at for case, at in (self._last | further).items() if at > position.seq}
        return self._last.keys()

    def begin_anew(self) -> None:
        """Forget what was told: the position is another."""
        self._told, self._last = 0, {}


class _Left(NamedTuple):
    """What a case that left contributed to a cell."""

    case: int
    item: Item


def forget_cases(store: KpiWriter, books: Mapping[int, Book], before: Mapping[int, Contributed]) -> None:
    """Forget cases that have left, given what they contribute; within a transaction. Those forgotten before have none.

    ``books``: how the versions book that are kept up to date; of others the cells soon go.
    """
    for number, book in books.items():
        left: dict[Spot, list[_Left]] = {}
        for case, contributed in before.items():
            entry = contributed.entries.get(number)
            for item in book.items(entry) if entry is not None else ():
                for spot in book.spots(item):
                    left.setdefault(spot, []).append(_Left(case, item))
        if left:
            _leave_behind(store, number, book, left)
    store.forget_cases(before)


def _leave_behind(store: KpiWriter, number: int, book: Book, left: Mapping[Spot, Sequence[_Left]]) -> None:
    """Add what cases contributed to the remnants of the cells of a version, which they are no longer behind."""
    ids = {spot: known for spot, (known, _) in store.cells_at(number, left.keys()).items()}
    former, now = store.remnants(ids.values()), dict[int, RemnantRow]()
    for spot, cell_id in ids.items():
        row = former.get(cell_id)
        remnant = book.blank() if row is None else book.decode(row.content)
        for each in left[spot]:
            book.enter(remnant, spot, each.item, 1)
        records = (row.records if row is not None else 0) + sum(book.records(each.item) for each in left[spot])
        now[cell_id] = RemnantRow(records, book.standing(remnant), book.encode(remnant))
    store.put_remnants(now)
    store.drop_behind((ids[spot], case) for spot in ids for case in {each.case for each in left[spot]})


class Tidied(NamedTuple):
    """How far spans and whose latencies they split were gone through: the last row of each; None: all were."""

    split_by: tuple[int, int] | None = (-1, -1)
    trace: bytes | None = b""


class Useless(NamedTuple):
    """What no latency is split by any more: rows of cases that are not there, and traces that no event tells."""

    split_by: Sequence[tuple[int, int]] = ()
    traces: Sequence[bytes] = ()


def useless_after(store: KpiWriter, snapshot: Snapshot, tidied: Tidied) -> tuple[Useless, Tidied]:
    """Return what is useless of a piece, and how far that is."""
    if tidied.split_by is not None:
        rows = store.split_by_after(tidied.split_by, _ROWS_AT_ONCE)
        there = cases_there(snapshot, {case for _, case in rows})
        last = rows[-1] if len(rows) == _ROWS_AT_ONCE else None
        return Useless(split_by=[row for row in rows if row[1] not in there]), tidied._replace(split_by=last)
    assert tidied.trace is not None  # there is something left to go through
    traces = store.traces_after(tidied.trace, _ROWS_AT_ONCE)
    known = entries_of(snapshot.store, traces)
    silent = [each for each in traces if not any(entry.seqs for entry in known.get(each, ()))]
    return Useless(traces=silent), tidied._replace(trace=traces[-1] if len(traces) == _ROWS_AT_ONCE else None)
