"""Changes: which cases were saved since, for those who follow the store and keep figures of their own.

Each save of a case leaves a row. A follower reads on from the last one that it has worked off, in its own time, and
sees each case as it stands then: so one that is named twice, or changed again meanwhile, ends the same. Rows that the
slowest has worked off are dropped, and the oldest where there are too many: who misses some looks at every case anew.

Spans that come after an event of their trace save no case. They leave a row of that event: who splits latencies by
spans knows which cases it is of, and finding that out here would cost more than to fold it.

A case that leaves, as it is kept no longer (lineage/retention.py), leaves a row of another kind: what was worked out of
it stands, and the case can no longer be looked at. It leaves once every follower has seen it as it stood last.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple

from lineage.store import StoreReader, StoreWriter
from lineage.upgrade import IDENTITY
from throughline.core.database import open_reader
from throughline.core.errors import StoreUnavailable
from throughline.core.sql import Connection

FORGOTTEN = "changes_forgotten"  # the position up to which rows are gone
MOST_KEPT = 4_000_000  # rows, of about 15 bytes
RETIRED_AT_ONCE = 500  # cases that a follower is told together
_DROPPED_AT_ONCE = 100_000
_RETIRED = -(2**62)  # less the id of a case: it left; rows of spans are above it, as no store has as many events


class Follower(NamedTuple):
    """Who follows: its file in the data folder, or its schema where the store is in a database.

    ``row``: that of its table ``position`` that tells how far it is.
    """

    file: str
    schema: str
    row: str


KPIS = Follower("kpis.db", "throughline_kpis", "changes")
FOLLOWERS = (KPIS,)


class Position(NamedTuple):
    """How far a follower is: the store that it follows (``identity`` in its meta), and the last row worked off."""

    store: str
    seq: int


class Changes(NamedTuple):
    """The cases of the rows after a position, each once, and the position behind them; ``left``: there are more.

    ``first_told``: the row that tells each of them first; ascending. ``spans_of``: the events (seqs) of whose traces
    spans came. ``retired``: cases that left after all that was told before, and before all that is told later; then
    nothing else is told.
    """

    cases: list[int]
    position: Position
    left: bool
    first_told: Sequence[int] = ()
    spans_of: Sequence[int] = ()
    retired: Sequence[int] = ()

    def and_of_spans(self, cases: Iterable[int], since: Position) -> Changes:
        """Return these with the cases that ``spans_of`` turned out to be of before them; told after ``since``."""
        first_told = dict.fromkeys(cases, since.seq + 1)
        for case, row in zip(self.cases, self.first_told, strict=True):
            first_told.setdefault(case, row)
        return self._replace(cases=list(first_told), first_told=list(first_told.values()), spans_of=())

    def split(self, most: int) -> tuple[Changes, Changes | None]:
        """Return so many cases of these, with the position behind which the rest is told, and that rest."""
        if len(self.cases) <= most:
            return self, None
        position = self.position._replace(seq=self.first_told[most] - 1)
        first = Changes(self.cases[:most], position, left=True, first_told=self.first_told[:most])
        return first, self._replace(cases=self.cases[most:], first_told=self.first_told[most:])


def position_of(store: StoreReader) -> Position:
    """Return the position behind everything that was saved so far."""
    return Position(store.meta().get(IDENTITY, ""), store.one("SELECT max(seq) FROM changed") or 0)


def changes_after(store: StoreReader, position: Position, limit: int) -> Changes | None:
    """Return what was saved after a position, of at most so many rows.

    None: that can no longer be told, as rows are gone, or as this is another store. Then every case is to be looked at.
    """
    if store.meta().get(IDENTITY, "") != position.store:
        return None
    last = store.one("SELECT max(seq) FROM changed") or 0
    if last < position.seq or store.positions().get(FORGOTTEN, 0) > position.seq:
        return None
    rows = store.rows("SELECT seq, case_id FROM changed WHERE seq > ? ORDER BY seq LIMIT ?", position.seq, limit)
    if not rows:
        return Changes([], position, left=False)
    retired = _retired_first(rows)
    if retired:
        seq = rows[len(retired) - 1][0]
        return Changes([], position._replace(seq=seq), seq < last, retired=retired)
    rows = list(takewhile(lambda row: row[1] > _RETIRED, rows))
    named = dict[int, int]()
    for seq, of in rows:
        named.setdefault(of, seq)
    cases = {each: seq for each, seq in named.items() if each >= 0}
    behind = position._replace(seq=rows[-1][0])
    spans_of = [-each for each in named if each < 0]
    return Changes(list(cases), behind, behind.seq < last, list(cases.values()), spans_of)


def _retired_first(rows: Iterable[tuple[int, int]]) -> list[int]:
    """Return the cases that left before anything else is told, some of them."""
    first = takewhile(lambda row: row[1] <= _RETIRED, rows)
    return [_RETIRED - row[1] for row in islice(first, RETIRED_AT_ONCE)]


def note_retired(store: StoreWriter, cases: Iterable[int]) -> None:
    """Tell those who follow that cases have left, within the transaction in which they do."""
    store.note_changed(_RETIRED - case_id for case_id in cases)


def retired_after(store: StoreReader, seq: int) -> tuple[dict[int, int], int]:
    """Return the cases that left after a row, each with the row that tells it last, and the last row there is."""
    told = store.rows("SELECT case_id, seq FROM changed WHERE seq > ? AND case_id <= ? ORDER BY seq", seq, _RETIRED)
    return {_RETIRED - case_id: at for case_id, at in told}, store.one("SELECT max(seq) FROM changed") or 0


def not_followed(store: StoreReader, data: Path, cases: Iterable[int]) -> set[int]:
    """Return those among cases that somebody who follows has not looked at since they were saved."""
    identity = store.meta().get(IDENTITY, "")
    following = [each for each in FOLLOWERS if _is_there(store.connection, data, each)]
    worked_off = [_followed(store.connection, data, each, identity) for each in following]
    if not worked_off:
        return set()
    sql = "SELECT DISTINCT case_id FROM changed WHERE seq > ? AND case_id IN (SELECT value FROM json_each(?))"
    return {row[0] for row in store.rows(sql, min(worked_off), store.array(cases))}


def _is_there(connection: Connection, data: Path, follower: Follower) -> bool:
    if connection.dialect == "postgresql":
        return connection.has_table(f"{follower.schema}.position")
    return (data / follower.file).is_file()


def forget_changes(store: StoreWriter, data: Path, most: int = MOST_KEPT) -> None:
    """Drop some of the rows that nobody needs any more; within a transaction."""
    first, last = store.rows("SELECT min(seq), max(seq) FROM changed")[0]
    if first is None:
        return
    identity = store.meta().get(IDENTITY, "")
    worked_off = [_followed(store.connection, data, each, identity) for each in FOLLOWERS]
    until = min(max(min(worked_off), last - most), last - 1, first + _DROPPED_AT_ONCE - 1)
    if until >= first:
        store.connection.execute("DELETE FROM changed WHERE seq <= ?", (until,))
        store.set_position(FORGOTTEN, until)


def _followed(connection: Connection, data: Path, follower: Follower, identity: str) -> int:
    """Return the last row of a store that a follower has worked off; 0 where that cannot be learnt."""
    if connection.dialect == "postgresql":
        return _worked_off(connection, f"{follower.schema}.position", follower.row, identity)
    file = data / follower.file
    if not file.is_file():
        return 0
    try:
        with closing(open_reader(file, cache_mib=1)) as reader:
            return _worked_off(reader, "position", follower.row, identity)
    except (sqlite3.Error, StoreUnavailable):
        return 0


def _worked_off(connection: Connection, table: str, row: str, identity: str) -> int:
    if not connection.has_table(table):
        return 0
    found = connection.execute(f"SELECT value FROM {table} WHERE name = ? AND store = ?", (row, identity)).fetchone()
    return 0 if found is None else found[0]
