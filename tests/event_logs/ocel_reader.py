"""A reader of OCEL 2.0 by its specification, for what is exported: it shares nothing with the writer."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

# The shape that the specification gives its JSON.
_NAMED = {
    "type": "object",
    "required": ["name", "attributes"],
    "properties": {
        "name": {"type": "string"},
        "attributes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "type"],
                "properties": {"type": {"enum": ["string", "time", "integer", "float", "boolean"]}},
            },
        },
    },
}
_RELATED = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["objectId", "qualifier"],
        "properties": {"objectId": {"type": "string"}, "qualifier": {"type": "string"}},
    },
}
_VALUE = {"type": "object", "required": ["name", "value"], "properties": {"name": {"type": "string"}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["objectTypes", "eventTypes", "objects", "events"],
    "properties": {
        "objectTypes": {"type": "array", "items": _NAMED},
        "eventTypes": {"type": "array", "items": _NAMED},
        "objects": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "type"],
                "properties": {
                    "attributes": {"type": "array", "items": {**_VALUE, "required": ["name", "value", "time"]}},
                    "relationships": _RELATED,
                },
            },
        },
        "events": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "type", "time"],
                "properties": {
                    "time": {"type": "string", "format": "date-time"},
                    "attributes": {"type": "array", "items": _VALUE},
                    "relationships": _RELATED,
                },
            },
        },
    },
}


class Ocel(NamedTuple):
    """A log: events (type, time, attributes) and objects (type, attributes) by id; relations (from, to, qualifier)."""

    events: dict[str, tuple[str, str, dict[str, Any]]]
    objects: dict[str, tuple[str, dict[str, Any]]]
    event_object: set[tuple[str, str, str]]
    object_object: set[tuple[str, str, str]]


def read_json(path: Path) -> Ocel:
    """Read it from JSON."""
    document = json.loads(path.read_text())
    values = {each["id"]: {a["name"]: a["value"] for a in each["attributes"]} for each in document["events"]}
    return Ocel(
        {each["id"]: (each["type"], each["time"], values[each["id"]]) for each in document["events"]},
        {
            each["id"]: (each["type"], {a["name"]: a["value"] for a in each["attributes"]})
            for each in document["objects"]
        },
        _relations(document["events"]),
        _relations(document["objects"]),
    )


def _relations(things: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(each["id"], to["objectId"], to["qualifier"]) for each in things for to in each["relationships"]}


def read_sqlite(path: Path) -> Ocel:
    """Read it from SQLite."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row

        def ask(question: str) -> list[dict[str, Any]]:
            return [dict(row) for row in database.execute(question)]

        events: dict[str, tuple[str, str, dict[str, Any]]] = {}
        for kind in ask("SELECT * FROM event_map_type"):
            for row in ask(f'SELECT * FROM "event_{kind["ocel_type_map"]}"'):
                identity, time = row.pop("ocel_id"), row.pop("ocel_time")
                events[identity] = (kind["ocel_type"], time, {k: v for k, v in row.items() if v is not None})
        objects: dict[str, tuple[str, dict[str, Any]]] = {}
        for kind in ask("SELECT * FROM object_map_type"):
            for row in ask(f'SELECT * FROM "object_{kind["ocel_type_map"]}"'):
                identity = row.pop("ocel_id")
                del row["ocel_time"], row["ocel_changed_field"]
                objects[identity] = (kind["ocel_type"], {k: v for k, v in row.items() if v is not None})
        assert {(row["ocel_id"], row["ocel_type"]) for row in ask("SELECT * FROM event")} == {
            (identity, event[0]) for identity, event in events.items()
        }
        assert {row["ocel_id"] for row in ask("SELECT * FROM object")} == objects.keys()
        return Ocel(
            events,
            objects,
            {tuple(row.values()) for row in ask("SELECT * FROM event_object")},
            {tuple(row.values()) for row in ask("SELECT * FROM object_object")},
        )
