"""The tables of KPIs; docs/why/kpis.md says what they hold. Loaded only to make them: SQLAlchemy takes its time.

Days are ordinals, times integer microseconds, blobs msgpack.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, LargeBinary, MetaData, Table, func
from sqlalchemy.schema import CreateColumn

from lineage.tables import DIALECTS, Text, schema
from throughline.core.sql import Dialect

metadata = MetaData()

# An INTEGER PRIMARY KEY is SQLite's rowid; elsewhere it needs eight bytes.
_Number = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, *columns: Column[Any], rowid: bool = False) -> Table:
    return Table(name, metadata, *columns, sqlite_with_rowid=rowid)


def _key(name: str, kind: Any = _Number) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _given(name: str) -> Column[Any]:
    """Return a key that the database gives, a greater one each time."""
    return Column(name, _Number, Identity(), primary_key=True)


def _required(name: str, kind: Any = _Number) -> Column[Any]:
    return Column(name, kind, nullable=False)


meta = _table("meta", _key("name", Text), _required("value", Text))
position = _table("position", _key("name", Text), _required("store", Text), _required("value"))
# A version of a KPI; ``complete``: every case has been looked at for it, so that it answers. ``told_as``: its terms
# (kpis/terms.py), as JSON; none: an earlier version of Throughline noted it.
version = _table(
    "version",
    _given("number"),
    _required("kpi", Text),
    _required("version", Text),
    _required("digest", Text),
    _required("since"),
    _required("complete"),
    Column("told_as", Text),
    rowid=True,
)
contributed = _table("contributed", _key("case_id"), _required("content", LargeBinary), rowid=True)
# ``stands``: how many observations in it are not over, by which stocks find their cells among those of all days.
cell = _table(
    "cell",
    _key("id"),
    _required("kpi"),
    _required("grain"),
    _required("day"),
    _required("place", Text),
    _required("stands"),
    _required("content", LargeBinary),
    rowid=True,
)
Index(
    "cell_that_stands",
    cell.c.kpi,
    cell.c.grain,
    sqlite_where=cell.c.stands > 0,
    postgresql_where=cell.c.stands > 0,
)
_BY_PLACE = {
    "sqlite": Index("cell_by_place", cell.c.kpi, cell.c.grain, cell.c.day, cell.c.place, unique=True),
    # Values of dimensions may be longer than PostgreSQL lets a row of an index be.
    "postgresql": Index("cell_by_hash", cell.c.kpi, cell.c.grain, cell.c.day, func.hashtextextended(cell.c.place, 0)),
}
behind = _table("behind", _key("cell"), _key("case_id"))
# How many cases a version concerns, by the reason why they count for nothing; an empty one: they count.
tally = _table("tally", _key("kpi"), _key("label", Text), _required("count"))
# Figures of days and months that are over, and each that took the place of one; nothing here is ever changed.
# ``told_as``: by which clock, in which unit and of which headline, as JSON; none: nobody knows.
published = _table(
    "published",
    _given("id"),
    _required("kpi", Text),
    _required("every", Text),
    _required("day"),
    _required("version", Text),
    _required("at"),
    Column("value", Text),
    _required("at_least"),
    _required("records"),
    Column("as_of", _Number),
    _required("why", Text),
    Column("told_as", Text),
    rowid=True,
)
Index("published_by_day", published.c.kpi, published.c.every, published.c.day, published.c.id)
# Days of which something changed since their published figures were last looked at, and why.
touched = _table("touched", _key("kpi", Text), _key("day"), _required("why", Text))
# The readings of now, as lists show them.
latest = _table("latest", _key("kpi", Text), _required("content", LargeBinary))
# Spans of the traces that latencies were split by: they leave the journal before figures do.
traced = _table("traced", _key("trace_id", LargeBinary), _required("spans", LargeBinary))
# Which cases have latencies that are split by the trace of an event, by its seq in the lineage store.
split_by = _table("split_by", _key("seq"), _key("case_id"))
# Of a cell, what of it is of cases that have left: it is made of nothing else that is kept, and never taken back.
# ``records``: how many these are, ``stands``: how many of them are not over.
remnant = _table(
    "remnant",
    _key("cell"),
    _required("records"),
    _required("stands"),
    _required("content", LargeBinary),
    rowid=True,
)
# Of tallies, what of them is of cases that have left.
tally_left = _table("tally_left", _key("kpi"), _key("label", Text), _required("count"))
# Days of which cases had left that no version counts any more: what was published of them stands.
thinned = _table("thinned", _key("kpi", Text), _key("day"))


def kpi_schema(dialect: Dialect) -> list[str]:
    """Return the statements that create every table and index, if they are missing."""
    others = {f" {each.name} " for name, each in _BY_PLACE.items() if name != dialect}
    return [each for each in schema(dialect, metadata) if not any(name in each for name in others)]


def added_column(dialect: Dialect, table: str, name: str) -> str:
    """Return the statement that adds a column to a table that was made without it."""
    column = CreateColumn(metadata.tables[table].c[name]).compile(dialect=DIALECTS[dialect]())
    return f"ALTER TABLE {table} ADD COLUMN {column}"
