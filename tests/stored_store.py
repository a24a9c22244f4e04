"""A store as the first released version made it, in tests/cases/stores: its tables and rows as SQL.

``python -m tests.stored_store`` writes the files of the format that the code at hand has; only for a new first version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from lineage.definitions import load_definitions
from lineage.engine import Engine, Limits
from lineage.places import Place, open_writing
from lineage.run import OPENED
from lineage.tables import metadata, schema
from tests.guarantees.firm import happened
from tests.unit.lineage.adapter import settle, tick
from throughline.core.estate import load_estate
from throughline.core.event import Event
from throughline.core.instants import DAY, HOUR, parse_instant
from throughline.core.store_url import Schema

FOLDER = Path(__file__).parent / "cases" / "stores"
DEFINITIONS = load_definitions(FOLDER)
ESTATE = load_estate(FOLDER)
LIMITS = Limits()
BEGAN = parse_instant("2026-03-02T09:00:00Z")
NOW = BEGAN + 5 * DAY


def events() -> list[Event]:
    """Return what a stored store has folded: a case that is done, one that is late, an orphan and an unknown type."""
    return [
        happened("1", "ticket.opened", BEGAN, ticket="T-1", serial_number="SN-1"),
        happened("2", "ticket.repaired", BEGAN + HOUR, source="/erp", serial_number="SN-1"),
        happened("3", "ticket.opened", BEGAN + 2 * HOUR, ticket="T-2"),
        happened("4", "ticket.repaired", BEGAN + 3 * HOUR, source="/erp", serial_number="SN-9"),
        happened("5", "ticket.painted", BEGAN + 3 * HOUR, ticket="T-1"),
    ]


def fold(place: Place | str) -> Engine:
    engine = Engine.open(place, DEFINITIONS, ESTATE, LIMITS)
    engine.fold(events(), BEGAN + 4 * HOUR)
    settle(engine, NOW)
    tick(engine, NOW)
    return engine


def put(place: Place) -> None:
    """Put the stored store of the first version at a place."""
    with closing(sqlite3.connect(":memory:")) as stored:
        stored.executescript((FOLDER / "first.sqlite.sql").read_text())
        if isinstance(place, Path):
            with closing(sqlite3.connect(place)) as copy:
                stored.backup(copy)
            return
        with closing(open_writing(place)) as target:
            for statement in (FOLDER / "first.postgresql.sql").read_text().split(";\n"):
                if statement.strip():
                    target.execute(statement)
            for (table,) in stored.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                rows = stored.execute(f"SELECT * FROM {table}")
                names = [column[0] for column in rows.description]
                target.executemany(_inserting(table, names), rows.fetchall())


def tables_of(place: Place) -> list[tuple[object, ...]]:
    """Return every column and index of a store."""
    with closing(open_writing(place)) as connection:
        asked = _OF_SCHEMA if isinstance(place, Schema) else _OF_FILE
        return [row for sql in asked for row in connection.execute(sql).fetchall()]


_OF_FILE = (
    'SELECT m.name, c.name, c.type, c."notnull", c.pk FROM sqlite_schema m JOIN pragma_table_info(m.name) c'
    " WHERE m.type = 'table' ORDER BY m.name, c.name",
    "SELECT m.name, i.name, c.name, c.seqno FROM sqlite_schema m JOIN pragma_index_list(m.name) i"
    " JOIN pragma_index_info(i.name) c WHERE m.type = 'table' ORDER BY m.name, i.name, c.seqno",
)
_OF_SCHEMA = (
    "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, collation_name::text"
    " FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, column_name",
    "SELECT indexname::text, replace(indexdef, schemaname, '') FROM pg_indexes WHERE schemaname = current_schema()"
    " ORDER BY indexname",
)


def _inserting(table: str, names: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def write() -> None:
    with closing(fold(":memory:")) as engine:
        engine.store.set_meta(OPENED, str(NOW))
        dump = "\n".join(engine.store.connection.iterdump())  # pyright: ignore[reportAttributeAccessIssue]
    (FOLDER / "first.sqlite.sql").write_text(dump + "\n")
    made = [statement.strip() for statement in schema("postgresql", metadata)]
    (FOLDER / "first.postgresql.sql").write_text(";\n".join(made) + ";\n")


if __name__ == "__main__":
    write()
