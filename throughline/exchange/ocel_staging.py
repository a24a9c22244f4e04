"""Events on their way to OCEL 2.0: gathered in a temporary database, since types and objects come before events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from throughline.exchange.scratch import scratch
from throughline.exchange.written import Key, KeyUse, Written

STRING, INTEGER, FLOAT, BOOLEAN = "string", "integer", "float", "boolean"
MENTIONED = "mentioned"  # the qualifier of a key that no process gives a role
_SAFE = " /:@+,()[]!$&'*?#"
_ENVELOPE = ("subject", "causationid", "traceparent", "sequence", "synthetic", "recordedtime")
_encode = msgspec.json.Encoder(order="sorted").encode
_SCHEMA = (
    "CREATE TABLE event (id TEXT PRIMARY KEY, type TEXT, time TEXT, attributes BLOB) WITHOUT ROWID",
    "CREATE TABLE object (id TEXT PRIMARY KEY, type TEXT, attributes BLOB) WITHOUT ROWID",
    "CREATE TABLE seen (event TEXT, object TEXT, qualifier TEXT, PRIMARY KEY (event, object, qualifier)) WITHOUT ROWID",
    "CREATE TABLE pair (source TEXT, target TEXT, qualifier TEXT, PRIMARY KEY (source, target, qualifier))"
    " WITHOUT ROWID",
    "CREATE TABLE attribute (what TEXT, type TEXT, name TEXT, form TEXT, PRIMARY KEY (what, type, name)) WITHOUT ROWID",
)


class Kind(NamedTuple):
    """A type of events or objects, and its attributes by name with their forms."""

    name: str
    attributes: dict[str, str]


class Thing(NamedTuple):
    """An event (with its time) or an object (without), its attributes and relations, in the order of the file."""

    id: str
    type: str
    time: str | None
    attributes: dict[str, Any]
    relations: list[tuple[str, str]]


class Staging:
    """The log that is being written; closing it forgets it."""

    def __init__(self) -> None:
        self._rows = scratch()
        for statement in _SCHEMA:
            self._rows.execute(statement)

    def gather(self, events: Iterable[Written]) -> int:
        """Take in events; return how many they are."""
        count = 0
        for written in events:
            self._add(written)
            count += 1
        return count

    def kinds(self, what: str) -> list[Kind]:
        """Return the types of events or objects, in the order of their names."""
        names = self._rows.execute(f"SELECT DISTINCT type FROM {what} ORDER BY type").fetchall()
        question = "SELECT name, form FROM attribute WHERE what = ? AND type = ? ORDER BY name"
        return [Kind(name, dict(self._rows.execute(question, (what, name)).fetchall())) for (name,) in names]

    def events(self, kind: str | None = None) -> Iterator[Thing]:
        """Give events by time, then id; of one type, or all."""
        where, parameters = ("WHERE type = ?", (kind,)) if kind is not None else ("", ())
        rows = self._rows.execute(f"SELECT id, type, time, attributes FROM event {where} ORDER BY time, id", parameters)
        for identity, name, time, attributes in rows:
            yield Thing(identity, name, time, _decoded(attributes), self._related("seen", "event", identity))

    def objects(self, kind: str | None = None) -> Iterator[Thing]:
        """Give objects by id; of one type, or all."""
        where, parameters = ("WHERE type = ?", (kind,)) if kind is not None else ("", ())
        rows = self._rows.execute(f"SELECT id, type, attributes FROM object {where} ORDER BY id", parameters)
        for identity, name, attributes in rows:
            yield Thing(identity, name, None, _decoded(attributes), self._related("pair", "source", identity))

    def close(self) -> None:
        self._rows.close()

    def _related(self, table: str, end: str, identity: str) -> list[tuple[str, str]]:
        other = "object" if table == "seen" else "target"
        question = f"SELECT {other}, qualifier FROM {table} WHERE {end} = ? ORDER BY {other}, qualifier"
        return self._rows.execute(question, (identity,)).fetchall()

    def _add(self, written: Written) -> None:
        event = written.read()
        identity = event_identity(event["source"], event["id"])
        types = {use.key.type for use in written.keys}
        attributes = event_attributes(event, types)
        self._note_forms("event", event["type"], attributes)
        self._rows.execute(
            "INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?)",
            (identity, event["type"], _sortable(event["time"]), _encode(attributes)),
        )
        self._rows.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)",
            [(identity, self._object(use.key), qualifier_of(use)) for use in written.keys],
        )
        for pair in written.pairs:
            ends = self._object(pair.start), self._object(pair.end)
            self._rows.execute("INSERT OR IGNORE INTO pair VALUES (?, ?, ?)", (*ends, pair.qualifier or pair.kind))

    def _object(self, key: Key) -> str:
        identity = object_identity(key)
        attributes = {"value": key.value, **key.scope}
        self._note_forms("object", key.type, attributes)
        self._rows.execute("INSERT OR IGNORE INTO object VALUES (?, ?, ?)", (identity, key.type, _encode(attributes)))
        return identity

    def _note_forms(self, what: str, kind: str, attributes: Mapping[str, Any]) -> None:
        """Keep of each attribute the form that all its values have; a text holds every value."""
        self._rows.executemany(
            "INSERT INTO attribute VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET form ="
            " CASE WHEN form = excluded.form THEN form"
            " WHEN form IN ('integer', 'float') AND excluded.form IN ('integer', 'float') THEN 'float'"
            " ELSE 'string' END",
            ((what, kind, name, form_of(value)) for name, value in attributes.items()),
        )


def event_identity(source: str, identity: str) -> str:
    """Return the one id of an event: its source, percent-encoded as far as needed, a space, and its id."""
    return f"{quote(source, safe=_SAFE.strip())} {identity}"


def object_identity(key: Key) -> str:
    """Return the one id of a key, such as ``invoice=INV-33;legal_entity=DE01``."""
    scope = "".join(f";{name}={quote(value, safe=_SAFE)}" for name, value in key.scope.items())
    return f"{key.type}={quote(key.value, safe=_SAFE)}{scope}"


def qualifier_of(use: KeyUse) -> str:
    """Return the closest of a key's roles: several relations of two things would count the event several times."""
    return use.roles[0] if use.roles else MENTIONED


def event_attributes(event: Mapping[str, Any], key_types: set[str]) -> dict[str, Any]:
    """Return what an event says beside its keys, as scalars; what nests is a JSON text."""
    attributes: dict[str, Any] = {"source": event["source"], "event_id": event["id"]}
    attributes |= {name: event[name] for name in _ENVELOPE if name in event}
    for name, value in event["data"].items():
        if name == "error":
            attributes |= {f"error_{part}": each for part, each in value.items()}
        elif name != "relations" and name not in key_types:
            attributes[name] = _encode(value).decode() if isinstance(value, dict | list) else value
    return attributes


def form_of(value: object) -> str:
    """Return the form of a value; a whole number that needs over 64 bits is a text."""
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INTEGER if -(1 << 63) <= value < 1 << 63 else STRING
    return FLOAT if isinstance(value, msgspec.Raw | float) else STRING


def as_form(value: object, form: str) -> object:
    """Return a value in the form of its attribute: a text where that is a text, else as it is."""
    if form != STRING or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)


def _sortable(time: str) -> str:
    """Return a time in UTC with a fraction, so that equal forms sort as times do."""
    return time if "." in time else time.replace("Z", ".000000Z")


def _decoded(attributes: bytes) -> dict[str, Any]:
    return _attributes.decode(attributes)


_attributes = msgspec.json.Decoder(dict[str, Any], float_hook=lambda text: msgspec.Raw(text.encode()))
