"""OCEL 2.0 in SQLite: its objects and events, one at a time; no table needs an index."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from throughline.core.errors import LastingError
from throughline.exchange.entry import LogUnreadable, Unread
from throughline.exchange.ocel import Attribute, OcelEvent, OcelObject, Related, grouped

_TABLES = ("event", "object", "event_object", "event_map_type", "object_map_type")


class OcelSqlite:
    """A database of OCEL 2.0, opened for reading only. Raises LastingError where it has not the tables of one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        with self._open() as database:
            names = {row[0] for row in database.execute("SELECT name FROM sqlite_schema")}
            missing = [name for name in _TABLES if name not in names]
            if missing:
                raise LastingError(f"{path}: seen no table {missing[0]}, wanted the tables of OCEL 2.0")
            self._has_object_relations = "object_object" in names
            (self._events,) = database.execute("SELECT count(*) FROM event").fetchone()

    def objects(self) -> Iterator[OcelObject | Unread]:
        with self._open() as database:
            related = _Merge(self._object_relations(database))
            attributes = self._attributes(database)
            for identity, kind in database.execute("SELECT CAST(ocel_id AS TEXT), ocel_type FROM object ORDER BY 1"):
                identity = str(identity)
                values = attributes.get(str(kind))
                yield OcelObject(
                    identity,
                    str(kind),
                    [] if values is None else [each for row in values.take(identity) for each in _changes(row)],
                    [Related(str(target), qualifier or None) for target, qualifier in related.take(identity)],
                )

    def events(self) -> Iterator[OcelEvent | Unread]:
        """Give the events by type, then id."""
        with self._open() as database:
            self._read = 0
            for kind, mapped in _types(database, "event"):
                yield from self._of_type(database, kind, mapped)

    def done(self) -> float:
        return min(1.0, self._read / self._events) if self._events else 1.0

    def _of_type(self, database: sqlite3.Connection, kind: str, mapped: str) -> Iterator[OcelEvent]:
        columns = _columns(database, f"event_{mapped}")
        names = [name for name in columns if name not in ("ocel_id", "ocel_time")]
        rows = database.execute(
            f"SELECT CAST(ocel_id AS TEXT), ocel_time{_listed(names)} FROM {_quoted('event_' + mapped)} ORDER BY 1"
        )
        related = _Merge(
            database.execute(
                "SELECT CAST(r.ocel_event_id AS TEXT), r.ocel_object_id, r.ocel_qualifier FROM event_object r"
                " WHERE r.ocel_event_id IN (SELECT ocel_id FROM event WHERE ocel_type = ?) ORDER BY 1, 2, 3",
                (kind,),
            )
        )
        for identity, time, *values in rows:
            self._read += 1
            yield OcelEvent(
                str(identity),
                kind,
                None if time is None else str(time),
                [Attribute(name, value) for name, value in zip(names, values, strict=True) if value is not None],
                [Related(str(target), qualifier or None) for target, qualifier in related.take(str(identity))],
            )

    def _object_relations(self, database: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
        if not self._has_object_relations:
            return iter(())
        return database.execute(
            "SELECT CAST(ocel_source_id AS TEXT), ocel_target_id, ocel_qualifier FROM object_object ORDER BY 1, 2, 3"
        )

    def _attributes(self, database: sqlite3.Connection) -> dict[str, _Merge]:
        found: dict[str, _Merge] = {}
        for kind, mapped in _types(database, "object"):
            columns = _columns(database, f"object_{mapped}")
            names = [name for name in columns if name not in ("ocel_id", "ocel_time", "ocel_changed_field")]
            # tools leave out what no object of the type needs
            time, changed = (name if name in columns else "NULL" for name in ("ocel_time", "ocel_changed_field"))
            table = _quoted(f"object_{mapped}")
            rows = database.execute(
                f"SELECT CAST(ocel_id AS TEXT), {time}, {changed}{_listed(names)} FROM {table} ORDER BY 1, 2"
            )
            found[kind] = _Merge(_with_names(names, rows))
        return found

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        database = sqlite3.connect(f"file:{quote(str(self._path.absolute()))}?mode=ro", uri=True)
        try:
            yield database
        except sqlite3.Error as error:
            raise LogUnreadable(f"{self._path} cannot be read as OCEL 2.0 in SQLite: {error}") from error
        finally:
            database.close()


class _Merge:
    """Rows sorted by an id, taken in the order of these ids."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._groups = grouped(rows)
        self._next = next(self._groups, None)

    def take(self, identity: str) -> list[tuple[Any, ...]]:
        """Return the rows of an id, without it."""
        while self._next is not None and self._next[0] < identity:
            self._next = next(self._groups, None)
        if self._next is None or self._next[0] != identity:
            return []
        rows = self._next[1]
        self._next = next(self._groups, None)
        return rows


def _with_names(names: list[str], rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    return ((identity, names, *rest) for identity, *rest in rows)


def _changes(row: tuple[Any, ...]) -> list[Attribute]:
    """Return what a row of an object says: one changed field, or all of them."""
    names, time, changed, *values = row
    when = None if time is None else str(time)
    return [
        Attribute(name, value, when)
        for name, value in zip(names, values, strict=True)
        if value is not None and changed in (None, "", name)
    ]


def _types(database: sqlite3.Connection, what: str) -> list[tuple[str, str]]:
    rows = database.execute(f"SELECT ocel_type, ocel_type_map FROM {what}_map_type ORDER BY ocel_type").fetchall()
    return [(str(kind), str(mapped)) for kind, mapped in rows]


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f"PRAGMA table_info({_quoted(table)})")]


def _listed(names: list[str]) -> str:
    return "".join(f", {_quoted(name)}" for name in names)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
