"""Changes: which cases were saved since, for those who follow the store and keep figures of their own.

Each save of a case leaves a row. A follower reads on from the last one that it has worked off, in its own time, and
sees each case as it stands then: so one that is named twice, or changed again meanwhile, ends the same. Rows that the
slowest has worked off are dropped, and the oldest where there are too many: who misses some looks at every case anew.

Spans that come after an event of their trace save no case. They leave a row of that event: who splits latencies by
spans knows which cases it is of, and finding that out here would cost more than to fold it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from lineage.store import StoreReader, StoreWriter
from lineage.upgrade import IDENTITY
from throughline.core.database import open_reader
from throughline.core.errors import StoreUnavailable
from throughline.core.sql import Connection

FORGOTTEN = "changes_forgotten"  # the position up to which rows are gone
MOST_KEPT = 4_000_000  # rows, of about 15 bytes
_DROPPED_AT_ONCE = 100_000


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

    ``spans_of``: the events (seqs) of whose traces spans came.
    """

    cases: list[int]
    position: Position
    left: bool
    spans_of: Sequence[int] = ()


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
    named = list(dict.fromkeys(row[1] for row in rows))
    cases, spans_of = [each for each in named if each >= 0], [-each for each in named if each < 0]
    return Changes(cases, position._replace(seq=rows[-1][0]), rows[-1][0] < last, spans_of)


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
