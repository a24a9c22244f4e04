"""OCEL 2.0, whatever it is stored in: events with their objects become events with keys.

What a log says of objects by themselves becomes events too, so that it is kept: an object with attributes or relations
is ``<type>.described`` at the time of its first event, and ``<type>.changed`` at each later time of an attribute.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from throughline.core.instants import format_instant, parse_instant
from throughline.exchange.entry import Entry, Tally, Unread, cloud_event
from throughline.exchange.names import ACTIVITY, Names
from throughline.exchange.scratch import scratch
from throughline.exchange.times import zoned

DESCRIBED, CHANGED = "described", "changed"
QUALIFIERS = "qualifiers"
_AT_ONCE = 1_000

Read = TypeVar("Read")


class Attribute(msgspec.Struct, frozen=True):
    """A value of an attribute; of objects with the time from which it holds, 1970 for the first one."""

    name: str
    value: Any = None
    time: str | None = None


def exact_decoder(form: type[Read]) -> msgspec.json.Decoder[Read]:
    """Return a decoder that keeps the text of numbers with a fraction."""
    return msgspec.json.Decoder(form, float_hook=lambda text: msgspec.Raw(text.encode()))


class Related(msgspec.Struct, frozen=True, rename={"object_id": "objectId"}):
    """An object that an event or another object is related to."""

    object_id: str
    qualifier: str | None = None


class OcelObject(msgspec.Struct, frozen=True):
    """An object as a log has it."""

    id: str
    type: str
    attributes: list[Attribute] = []
    relationships: list[Related] = []


class OcelEvent(msgspec.Struct, frozen=True):
    """An event as a log has it."""

    id: str
    type: str
    time: str | None = None
    attributes: list[Attribute] = []
    relationships: list[Related] = []


class OcelSource(Protocol):
    """Where the objects and events of a log come from; each may be read several times."""

    def objects(self) -> Iterator[OcelObject | Unread]: ...

    def events(self) -> Iterator[OcelEvent | Unread]: ...

    def done(self) -> float: ...


class OcelLog:
    """An OCEL 2.0 log; objects are looked up in a temporary database, so that memory stays flat."""

    def __init__(self, read: OcelSource, names: Names, source: str, zone: ZoneInfo | None, left: Tally) -> None:
        self._read = read
        self._names = names
        self._source = source
        self._zone = zone
        self._left = left
        self._phase = 0  # objects, the times of events, events

    def entries(self) -> Iterator[Entry | Unread]:
        objects = _Objects(self._zone)
        try:
            self._phase = 0
            yield from objects.gather(self._read)
            self._phase = 1
            objects.see(self._read)
            self._phase = 2
            for kind in objects.types():
                self._names.key_of(kind)  # before any field, so that no attribute is taken for a key
            for first, each in objects.each():
                yield from self._object(objects, each, first)
            for event in self._read.events():
                yield event if isinstance(event, Unread) else self._event(objects, event)
        finally:
            objects.close()

    def done(self) -> float:
        return (self._phase + self._read.done()) / 3

    def _event(self, objects: _Objects, event: OcelEvent) -> Entry:
        kind = self._names.type_of(event.type)
        data: dict[str, Any] = {**self._names.add, ACTIVITY: event.type}
        data |= self._fields(event.attributes, event.id)
        data |= self._keys(objects, event)
        when = None if event.time is None else zoned(event.time, self._zone)
        return Entry(f"event {event.id}", cloud_event(self._source, event.id, kind, when, data), kind)

    def _fields(self, attributes: list[Attribute], place: str) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for each in attributes:
            if each.value is None:
                continue
            if isinstance(each.value, dict | list):
                self._left.add("values that are no scalars", f"{each.name} of {place}")
            else:
                fields[self._names.field_of(each.name)] = each.value
        return fields

    def _keys(self, objects: _Objects, event: OcelEvent) -> dict[str, Any]:
        """Return the keys of an event, and beside each the qualifiers of its relations where there are any."""
        found: dict[str, list[tuple[str, str]]] = {}
        types = objects.types_of([related.object_id for related in event.relationships])
        for related in event.relationships:
            kind = types.get(related.object_id)
            if kind is None:
                self._left.add("relations to objects that are not there", f"{related.object_id} of event {event.id}")
            else:
                found.setdefault(kind, []).append((related.object_id, related.qualifier or ""))
        keys: dict[str, Any] = {}
        for kind, pairs in found.items():
            name = self._names.key_of(kind)
            keys[name] = _one_or_more([value for value, _ in pairs])
            if any(qualifier for _, qualifier in pairs):
                keys[f"{name}_{QUALIFIERS}"] = _one_or_more([qualifier for _, qualifier in pairs])
        return keys

    def _object(self, objects: _Objects, each: OcelObject, first: int | None) -> Iterator[Entry]:
        """Give the events that tell what the log says of an object by itself."""
        key = self._names.key_of(each.type)
        initial = [attribute for attribute in each.attributes if _is_initial(attribute.time)]
        later = sorted((each for each in each.attributes if not _is_initial(each.time)), key=_time_of)
        relations = self._relations(objects, each, key)
        if initial or relations:
            if first is None:
                self._left.add("attributes and relations of objects without events", each.id)
            else:
                data = {**self._fields(initial, each.id), **({"relations": relations} if relations else {})}
                yield self._told(each, DESCRIBED, format_instant(first), data, "")
        for time, changed in groupby(later, key=_time_of):
            yield self._told(each, CHANGED, zoned(time, self._zone), self._fields(list(changed), each.id), f"@{time}")

    def _told(self, each: OcelObject, what: str, time: str, data: dict[str, Any], suffix: str) -> Entry:
        kind = self._names.type_of(each.type, what)
        data = {**self._names.add, **data, self._names.key_of(each.type): each.id}
        identity = f"object:{each.type}:{each.id}{suffix}"
        return Entry(f"object {each.id}", cloud_event(self._source, identity, kind, time, data), kind)

    def _relations(self, objects: _Objects, each: OcelObject, key: str) -> list[dict[str, Any]]:
        types = objects.types_of([related.object_id for related in each.relationships])
        pairs: list[dict[str, Any]] = []
        for related in each.relationships:
            kind = types.get(related.object_id)
            if kind is None:
                self._left.add("relations to objects that are not there", f"{related.object_id} of object {each.id}")
                continue
            pair: dict[str, Any] = {"from": {key: each.id}, "to": {self._names.key_of(kind): related.object_id}}
            pairs.append({**pair, "qualifier": related.qualifier} if related.qualifier else pair)
        return pairs


def _one_or_more(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _is_initial(time: str | None) -> bool:
    return time is None or time.startswith("1970-01-01")


def _time_of(attribute: Attribute) -> str:
    return attribute.time or ""


class _Objects:
    """The objects of a log and the time of each one's first event, in a database that is gone when it is closed."""

    def __init__(self, zone: ZoneInfo | None) -> None:
        self._zone = zone
        self._rows = scratch()
        self._rows.execute("CREATE TABLE thing (id TEXT PRIMARY KEY, type TEXT, content BLOB) WITHOUT ROWID")
        self._rows.execute("CREATE TABLE sight (id TEXT PRIMARY KEY, at INTEGER) WITHOUT ROWID")

    def gather(self, read: OcelSource) -> Iterator[Unread]:
        """Read all objects; give those that cannot be read."""
        for each in read.objects():
            if isinstance(each, Unread):
                yield each
            else:
                self._rows.execute(
                    "INSERT OR REPLACE INTO thing VALUES (?, ?, ?)", (each.id, each.type, msgspec.json.encode(each))
                )

    def see(self, read: OcelSource) -> None:
        """Read when each object is first seen."""
        for event in read.events():
            if isinstance(event, OcelEvent) and event.time is not None:
                self._see(event, event.time)

    def _see(self, event: OcelEvent, time: str) -> None:
        try:
            at = parse_instant(zoned(time, self._zone))
        except ValueError:
            return  # the door says what is wrong with it
        self._rows.executemany(
            "INSERT INTO sight VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET at = min(at, excluded.at)",
            ((related.object_id, at) for related in event.relationships),
        )

    def types(self) -> list[str]:
        return [row[0] for row in self._rows.execute("SELECT DISTINCT type FROM thing ORDER BY type")]

    def types_of(self, ids: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            found.update(self._rows.execute(f"SELECT id, type FROM thing WHERE id IN ({marks})", some).fetchall())
        return found

    def each(self) -> Iterator[tuple[int | None, OcelObject]]:
        """Give each object with the time of its first event, in the order of their ids."""
        rows = self._rows.execute("SELECT at, content FROM thing LEFT JOIN sight USING (id) ORDER BY id")
        decode = exact_decoder(OcelObject).decode
        for at, content in rows:
            yield at, decode(content)

    def close(self) -> None:
        self._rows.close()


def grouped(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Give rows that are sorted by their first column, by that column; the others of each."""
    for key, some in groupby(rows, key=itemgetter(0)):
        yield str(key), [row[1:] for row in some]
