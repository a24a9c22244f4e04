"""The tables of the lineage store; docs/why/lineage-store.md says why they look as they do.

Times are integer microseconds, keys their interned text, blobs msgpack.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy import Text as AnyText
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from throughline.core.sql import Dialect

metadata = MetaData()

# An INTEGER PRIMARY KEY is SQLite's rowid; elsewhere it needs eight bytes.
_Id = BigInteger().with_variant(Integer, "sqlite")
# Texts are compared and ordered by code point everywhere, as Python and SQLite do.
Text = AnyText().with_variant(AnyText(collation="C"), "postgresql")
DIALECTS = {"sqlite": sqlite.dialect, "postgresql": postgresql.dialect}


def _table(
    name: str, *columns: Column[Any] | Index | PrimaryKeyConstraint | UniqueConstraint, rowid: bool = False
) -> Table:
    return Table(name, metadata, *columns, sqlite_with_rowid=rowid)


def _key(name: str, kind: Any = _Id) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _required(name: str, kind: Any = _Id) -> Column[Any]:
    return Column(name, kind, nullable=False)


process_name = _table(
    "process_name", _key("id", Integer), Column("name", Text, nullable=False, unique=True), rowid=True
)
block = _table("block", _key("first"), _required("count"), _required("content", LargeBinary), rowid=True)
# Which events count (lineage/seen.py): of one writer in rows of many events, of several in one for each.
counted = _table("counted", _key("first"), _required("marks", LargeBinary), rowid=True)
counted_index = _table("counted_index", _key("part"), _required("entries", LargeBinary), rowid=True)
seen = _table(
    "seen",
    _key("bucket"),
    _key("digest", LargeBinary),
    _required("seq"),
    _required("received"),
    _required("content", LargeBinary),
)
other_content = _table(
    "other_content",
    _key("digest", LargeBinary),
    _key("content", LargeBinary),
    _required("received"),
    _required("event", LargeBinary),
)
# Of one writer, who finds texts by their hashes; of several, who find out by the index who was first.
value = _table(
    "value", _key("id"), _required("text", Text), UniqueConstraint("text").ddl_if(dialect="postgresql"), rowid=True
)
value_hash = _table("value_hash", _key("bucket"), _key("hash"), _key("id"))  # lineage/texts.py
cases = _table(
    "cases",
    _key("id"),
    _required("process", Integer),
    _required("name", Text),
    _required("facts", LargeBinary),
    _required("state", Text),
    Column("step", Text),
    Column("waits_for", Text),
    Column("due", _Id),
    Column("began", _Id),
    Column("last", _Id),
    Column("held", Integer),  # 0: nothing is held; 1: held, the amount may be unknown
    Column("amount", Text),
    Column("currency", Text),
    Column("hours", Text),
    Column("synthetic", Integer),
    Column("wake_at", _Id),
    _required("marks", Integer),  # Mark of lineage/saving.py
    Index("cases_by_name", "process", "name", unique=True),
    Index("cases_by_state", "process", "state", "name"),
    rowid=True,
)
Index(
    "cases_by_wake",
    cases.c.wake_at,
    sqlite_where=cases.c.wake_at.is_not(None),
    postgresql_where=cases.c.wake_at.is_not(None),
)
near = _table(
    "near",
    _key("value"),
    _key("process", Integer),
    _key("role", Integer),
    _key("case_id"),
    Column("since", _Id),  # ties: the earliest time of an event that draws it
)
edge = _table(
    "edge",
    _key("process", Integer),
    _key("kind", Integer),
    _key("a"),
    _key("b"),
    _key("seq"),
    Index("edge_back", "process", "kind", "b", "a"),
)
posted = _table("posted", _key("value"), _key("process", Integer), _key("seq"), _required("fact", LargeBinary))
deviation = _table(
    "deviation",
    _key("case_id"),
    _key("kind", Text),
    _key("step", Text),
    _key("round"),
    _required("since"),
    Index("deviation_by_kind", "kind", "case_id"),
)
belief = _table(
    "belief",
    _key("case_id"),
    _key("kind", Text),
    _key("step", Text),
    _key("round"),
    _required("opened_at"),
    Column("closed_at", _Id),
    Column("closed_as", Text),  # resolved, restated, ended, accepted, retired
)
sight = _table("sight", _key("source", Text), _key("at"), _key("case_id"), Index("sight_of_case", "case_id"))
waiting = _table(
    "waiting",
    _key("value"),
    _key("process", Integer),
    _required("since"),
    Column("orphan", Integer, nullable=False, default=0),  # Patience of lineage/store.py
    Index("waiting_by_age", "orphan", "since"),
)
bulk = _table("bulk", _key("value"), _key("process", Integer))
# Places that events have left, though they are kept for others: by process and key, as texts.
retired = _table("retired", _key("seq"), _key("process", Text), _key("at", Text))
stale = _table("stale", _key("case_id"), rowid=True)
# Who follows reads on from where it was (lineage/changes.py). Numbers are never given twice, as the last row stays.
# Below 0 it is no case, but the seq of an event, of whose trace spans have come since.
changed = _table("changed", Column("seq", _Id, Identity(), primary_key=True), _required("case_id"), rowid=True)
watermark = _table("watermark", _key("source", Text), Column("last_receipt", _Id), Column("until", _Id))
counter = _table("counter", _key("name", Text), _key("label", Text), _required("count"))
event_type = _table(
    "event_type",
    _key("source", Text),
    _key("type", Text),
    _required("count"),
    _required("last"),
    _required("content", LargeBinary),  # the digest of the sample's content, which decides between equal receipts
    _required("fields", Text),  # the names of the sample's fields, as a JSON array
)
# lineage/buckets.py says why rows stand in buckets.
trace = _table("trace", _key("bucket"), _key("trace_id", LargeBinary), _required("spans", LargeBinary))
key_filter = _table("key_filter", _key("name", Text), _key("lane"), _required("bits", LargeBinary), rowid=True)
# The spans that failed of journal records that are no longer kept, while an event of their trace is.
kept_span = _table("kept_span", _key("trace_id", LargeBinary), _required("spans", LargeBinary))
statement = _table("statement", _key("number"), _required("content", LargeBinary), rowid=True)
position = _table("position", _key("name", Text), _required("value"))
meta = _table("meta", _key("name", Text), _required("value", Text))
# The format, as Alembic keeps it.
alembic_version = _table(
    "alembic_version",
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    rowid=True,
)


def schema(dialect: Dialect, tables: MetaData = metadata) -> list[str]:
    """Return the statements that create every table and index, if they are missing."""
    made: list[str] = []
    for table in tables.sorted_tables:
        made.append(str(CreateTable(table, if_not_exists=True).compile(dialect=DIALECTS[dialect]())))
        made.extend(
            str(CreateIndex(index, if_not_exists=True).compile(dialect=DIALECTS[dialect]()))
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        )
    return made
