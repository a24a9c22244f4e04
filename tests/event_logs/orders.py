"""A small object-centric log, written as OCEL 2.0 in JSON and in SQLite by hand."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

BEGINNING = "1970-01-01T00:00:00Z"
OBJECTS: list[dict[str, Any]] = [
    {
        "id": "O-1",
        "type": "Purchase Order",
        "attributes": [
            {"name": "price", "time": BEGINNING, "value": 12.5},
            {"name": "price", "time": "2026-03-03T10:00:00Z", "value": 13.25},
        ],
        "relationships": [{"objectId": "I-1", "qualifier": "comprises"}, {"objectId": "I-2", "qualifier": "comprises"}],
    },
    {"id": "I-1", "type": "item", "attributes": [], "relationships": []},
    {"id": "I-2", "type": "item", "attributes": [], "relationships": []},
    {
        "id": "I-9",
        "type": "item",
        "attributes": [{"name": "colour", "time": BEGINNING, "value": "red"}],
        "relationships": [],
    },
]
EVENTS: list[dict[str, Any]] = [
    {
        "id": "e1",
        "type": "Create Purchase Order",
        "time": "2026-03-02T09:00:00Z",
        "attributes": [{"name": "amount", "value": 3}],
        "relationships": [
            {"objectId": "O-1", "qualifier": "order"},
            {"objectId": "I-1", "qualifier": "first item"},
            {"objectId": "I-2", "qualifier": "other item"},
        ],
    },
    {
        "id": "e2",
        "type": "Ship",
        "time": "2026-03-05T09:00:00Z",
        "attributes": [],
        "relationships": [{"objectId": "I-1", "qualifier": ""}, {"objectId": "gone", "qualifier": ""}],
    },
]


def write_json(path: Path) -> Path:
    """Write it as JSON, events first: the order of members says nothing."""
    document = {
        "eventTypes": [{"name": name, "attributes": []} for name in ("Create Purchase Order", "Ship")],
        "events": EVENTS,
        "objectTypes": [{"name": name, "attributes": []} for name in ("Purchase Order", "item")],
        "objects": OBJECTS,
    }
    path.write_text(json.dumps(document, indent=1))
    return path


def write_sqlite(path: Path) -> Path:
    """Write it as SQLite, without keys or indexes, as tools do."""
    database = sqlite3.connect(path)
    database.executescript(
        """
        CREATE TABLE event (ocel_id TEXT, ocel_type TEXT);
        CREATE TABLE object (ocel_id TEXT, ocel_type TEXT);
        CREATE TABLE event_object (ocel_event_id TEXT, ocel_object_id TEXT, ocel_qualifier TEXT);
        CREATE TABLE object_object (ocel_source_id TEXT, ocel_target_id TEXT, ocel_qualifier TEXT);
        CREATE TABLE event_map_type (ocel_type TEXT, ocel_type_map TEXT);
        CREATE TABLE object_map_type (ocel_type TEXT, ocel_type_map TEXT);
        INSERT INTO event_map_type VALUES ('Create Purchase Order', 'Create'), ('Ship', 'Ship');
        INSERT INTO object_map_type VALUES ('Purchase Order', 'Order'), ('item', 'Item');
        CREATE TABLE event_Create (ocel_id TEXT, ocel_time TIMESTAMP, amount INTEGER);
        CREATE TABLE event_Ship (ocel_id TEXT, ocel_time TIMESTAMP);
        CREATE TABLE object_Order (ocel_id TEXT, ocel_time TIMESTAMP, ocel_changed_field TEXT, price REAL);
        CREATE TABLE object_Item (ocel_id TEXT, ocel_time TIMESTAMP, ocel_changed_field TEXT, colour TEXT);
        """
    )
    for each in OBJECTS:
        database.execute("INSERT INTO object VALUES (?, ?)", (each["id"], each["type"]))
        table = "object_Order" if each["type"] == "Purchase Order" else "object_Item"
        for value in each["attributes"]:
            changed = None if value["time"] == BEGINNING else value["name"]
            database.execute(
                f"INSERT INTO {table} VALUES (?, ?, ?, ?)", (each["id"], value["time"], changed, value["value"])
            )
        database.executemany(
            "INSERT INTO object_object VALUES (?, ?, ?)",
            [(each["id"], other["objectId"], other["qualifier"]) for other in each["relationships"]],
        )
    for each in EVENTS:
        database.execute("INSERT INTO event VALUES (?, ?)", (each["id"], each["type"]))
        table = "event_Create" if each["attributes"] else "event_Ship"
        values = [each["id"], each["time"], *(value["value"] for value in each["attributes"])]
        database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
        database.executemany(
            "INSERT INTO event_object VALUES (?, ?, ?)",
            [(each["id"], other["objectId"], other["qualifier"]) for other in each["relationships"]],
        )
    database.commit()
    database.close()
    return path
