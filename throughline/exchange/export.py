"""Exporting: events that count, as NDJSON or OCEL 2.0. A file is there whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import msgspec

from throughline.core.errors import LastingError
from throughline.exchange.ocel_staging import BOOLEAN, Kind, Staging, Thing, as_form
from throughline.exchange.scratch import scratch
from throughline.exchange.written import Written

BEGINNING = "1970-01-01T00:00:00Z"  # OCEL 2.0: the time of the first value of an object's attribute
_SQL_TYPES = {"string": "TEXT", "integer": "INTEGER", "float": "REAL", "boolean": "INTEGER"}


class ExportFormat(StrEnum):
    """What events are written as."""

    NDJSON = "ndjson"
    OCEL_JSON = "ocel-json"
    OCEL_SQLITE = "ocel-sqlite"


def export_events(events: Iterable[Written], path: Path, form: ExportFormat) -> int:
    """Write events to a file; return how many. Raises LastingError where it cannot be written."""
    writers: dict[ExportFormat, Callable[[Iterable[Written], Path], int]] = {
        ExportFormat.NDJSON: _write_ndjson,
        ExportFormat.OCEL_JSON: _write_json,
        ExportFormat.OCEL_SQLITE: _write_sqlite,
    }
    with _whole(path) as new:
        return writers[form](events, new)


@contextmanager
def _whole(path: Path) -> Generator[Path]:
    """Give the name to write under; the file takes its place once it is whole."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        yield new
        os.replace(new, path)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LastingError(f"{path} cannot be written ({reason}): name a file in a folder of this user") from error
    finally:
        new.unlink(missing_ok=True)


def _write_ndjson(events: Iterable[Written], path: Path) -> int:
    count = 0
    with path.open("wb") as file:
        for written in events:
            file.write(bytes(written.event) + b"\n")
            count += 1
    return count


def _write_json(events: Iterable[Written], path: Path) -> int:
    with closing(Staging()) as staging, path.open("wb") as file:
        count = staging.gather(events)
        file.write(b"{")
        for name, what in (("objectTypes", "object"), ("eventTypes", "event")):
            _write_array(file, name, (_json_kind(kind) for kind in staging.kinds(what)))
            file.write(b",")
        forms = {what: {kind.name: kind.attributes for kind in staging.kinds(what)} for what in ("object", "event")}
        _write_array(file, "objects", (_json_thing(each, forms["object"][each.type]) for each in staging.objects()))
        file.write(b",")
        _write_array(file, "events", (_json_thing(each, forms["event"][each.type]) for each in staging.events()))
        file.write(b"}\n")
    return count


def _write_array(file: IO[bytes], name: str, elements: Iterator[dict[str, Any]]) -> None:
    file.write(b'\n"%s": [' % name.encode())
    for index, element in enumerate(elements):
        file.write((b",\n" if index else b"\n") + msgspec.json.encode(element))
    file.write(b"]")


def _json_kind(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.name,
        "attributes": [{"name": name, "type": form} for name, form in kind.attributes.items()],
    }


def _json_thing(thing: Thing, forms: dict[str, str]) -> dict[str, Any]:
    times = {} if thing.time is not None else {"time": BEGINNING}
    document: dict[str, Any] = {"id": thing.id, "type": thing.type}
    if thing.time is not None:
        document["time"] = thing.time
    document["attributes"] = [
        {"name": name, **times, "value": as_form(value, forms[name])} for name, value in thing.attributes.items()
    ]
    document["relationships"] = [{"objectId": other, "qualifier": qualifier} for other, qualifier in thing.relations]
    return document


def _write_sqlite(events: Iterable[Written], path: Path) -> int:
    with closing(Staging()) as staging, closing(scratch(path)) as database:
        count = staging.gather(events)
        for statement in _TABLES:
            database.execute(statement)
        _write_kinds(database, staging, "event", staging.events)
        _write_kinds(database, staging, "object", staging.objects)
        database.commit()
    return count


_TABLES = (
    "CREATE TABLE event (ocel_id TEXT PRIMARY KEY, ocel_type TEXT)",
    "CREATE TABLE object (ocel_id TEXT PRIMARY KEY, ocel_type TEXT)",
    "CREATE TABLE event_object (ocel_event_id TEXT, ocel_object_id TEXT, ocel_qualifier TEXT,"
    " PRIMARY KEY (ocel_event_id, ocel_object_id, ocel_qualifier))",
    "CREATE TABLE object_object (ocel_source_id TEXT, ocel_target_id TEXT, ocel_qualifier TEXT,"
    " PRIMARY KEY (ocel_source_id, ocel_target_id, ocel_qualifier))",
    "CREATE TABLE event_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT)",
    "CREATE TABLE object_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT)",
)


def _write_kinds(
    database: sqlite3.Connection, staging: Staging, what: str, things: Callable[[str], Iterator[Thing]]
) -> None:
    """Write the types of events or objects, each with a table of its own."""
    mapped = _apart(kind.name for kind in staging.kinds(what))
    for kind in staging.kinds(what):
        table, own = f'"{what}_{mapped[kind.name]}"', ["ocel_id", "ocel_time"]
        own += ["ocel_changed_field"] if what == "object" else []
        columns = _apart(kind.attributes, own)
        typed = [f'"{columns[name]}" {_SQL_TYPES[form]}' for name, form in kind.attributes.items()]
        database.execute(f"INSERT INTO {what}_map_type VALUES (?, ?)", (kind.name, mapped[kind.name]))
        database.execute(f"CREATE TABLE {table} ({', '.join([*(f'{name} TEXT' for name in own), *typed])})")
        marks = ", ".join("?" * (len(own) + len(kind.attributes)))
        for thing in things(kind.name):
            times = [thing.time] if what == "event" else [BEGINNING, None]
            values = [_sql_value(thing.attributes.get(name), form) for name, form in kind.attributes.items()]
            database.execute(f"INSERT INTO {table} VALUES ({marks})", [thing.id, *times, *values])
            _write_relations(database, what, thing)


def _write_relations(database: sqlite3.Connection, what: str, thing: Thing) -> None:
    database.execute(f"INSERT INTO {what} VALUES (?, ?)", (thing.id, thing.type))
    rows = [(thing.id, other, qualifier) for other, qualifier in thing.relations]
    database.executemany(f"INSERT INTO {what}_object VALUES (?, ?, ?)", rows)


def _sql_value(value: object, form: str) -> object:
    if value is None:
        return None
    if form == BOOLEAN:
        return int(bool(value))
    written = as_form(value, form)
    return float(bytes(written)) if isinstance(written, msgspec.Raw) else written


def _apart(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Return for each name one that SQLite takes, which knows no case of letters: no two are alike."""
    used = {name.lower() for name in taken}
    given: dict[str, str] = {}
    for name in names:
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
        chosen, number = plain, 1
        while chosen.lower() in used:
            number += 1
            chosen = f"{plain}_{number}"
        used.add(chosen.lower())
        given[name] = chosen
    return given
