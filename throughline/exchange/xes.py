"""XES (IEEE 1849): a trace is a case; its events become events. Read by expat, piece by piece.

A document type declaration is refused: nothing in XES needs one, and entities can stand for gigabytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat
from zoneinfo import ZoneInfo

import msgspec

from throughline.exchange.csv_file import CASE, COMPLETE
from throughline.exchange.entry import Entry, LogUnreadable, Tally, Unread, chunks, cloud_event, content_identity
from throughline.exchange.log_file import LogFile
from throughline.exchange.names import ACTIVITY, Names
from throughline.exchange.times import zoned

NAME = "concept:name"
TIME = "time:timestamp"
TRANSITION = "lifecycle:transition"
IDENTITY = "identity:id"
_SCALARS = frozenset({"string", "date", "int", "float", "boolean", "id"})
_NESTED = frozenset({"list", "container"})

Attributes = dict[str, Any]


class XesLog:
    """A XES file; ``left`` counts what events have no place for."""

    def __init__(self, file: LogFile, names: Names, source: str, zone: ZoneInfo | None, key: str, left: Tally) -> None:
        self._file = file
        self._names = names
        self._source = source
        self._zone = zone
        self._key = names.key_of(key)
        self._left = left

    def entries(self) -> Iterator[Entry | Unread]:
        reader = _Reader(self._left)
        with self._file.open() as content:
            for chunk in chunks(content):
                yield from self._made(reader.feed(chunk, self._file))
            yield from self._made(reader.feed(b"", self._file))

    def done(self) -> float:
        return self._file.done()

    def _made(self, found: list[_Found]) -> Iterator[Entry | Unread]:
        for each in found:
            yield self._entry(each)

    def _entry(self, found: _Found) -> Entry | Unread:
        place, event = found.place, dict(found.event)
        case, activity = found.trace.get(NAME), event.pop(NAME, None)
        if case is None or activity is None:
            missing = f"{NAME} of its trace" if case is None else NAME
            return Unread(place, "no_event", f"{missing}: seen none, wanted one on each trace and event")
        case, activity, transition = _text(case), _text(activity), _text(event.get(TRANSITION, ""))
        kind = self._names.type_of(activity, "" if transition.lower() == COMPLETE else transition)
        time, identity = event.pop(TIME, None), event.pop(IDENTITY, None)
        data: dict[str, Any] = {**self._names.add, self._key: case, ACTIVITY: activity}
        data |= {self._names.field_of(f"{CASE}:{name}"): value for name, value in found.trace.items() if name != NAME}
        data |= {self._names.field_of(name): value for name, value in event.items()}
        if identity is None:
            content = content_identity(case, found.event)
            found.seen[content] += 1
            again = found.seen[content]
            identity = content if again == 1 else f"{content}-{again}"
        when = None if time is None else zoned(_text(time), self._zone)
        return Entry(place, cloud_event(self._source, _text(identity), kind, when, data), kind)


class _Found:
    """An event, and the trace it stands in; ``seen`` counts equal events of that trace."""

    __slots__ = ("event", "place", "seen", "trace")

    def __init__(self, place: str, trace: Attributes, event: Attributes, seen: Counter[str]) -> None:
        self.place = place
        self.trace = trace
        self.event = event
        self.seen = seen


class _Reader:
    """Follows the elements of a XES document; what is inside an attribute is not kept, but counted."""

    def __init__(self, left: Tally) -> None:
        self._left = left
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._path: list[str] = []
        self._found: list[_Found] = []
        self._early: list[_Found] = []  # events of a trace that has not said its name yet
        self._trace: Attributes | None = None
        self._event: Attributes | None = None
        self._seen: Counter[str] = Counter()
        self._traces = self._events = 0

    def feed(self, chunk: bytes, file: LogFile) -> list[_Found]:
        """Return the events that are complete with this piece; an empty one is the end."""
        try:
            self._parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            raise LogUnreadable(f"{file.path}:{error.lineno}: no XML ({expat.ErrorString(error.code)})") from error
        found, self._found = self._found, []
        return found

    def _refuse(self, *_: object) -> None:
        raise LogUnreadable("seen a document type declaration (<!DOCTYPE), wanted XES without one: it is not read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        path = self._path
        if not path and tag != "log":
            raise LogUnreadable(f"seen <{name[:64]}> as the outermost element, wanted <log> of XES")
        if tag == "trace" and len(path) == 1:
            self._traces += 1
            self._events = 0
            self._trace, self._seen = {}, Counter()
        elif tag == "event":
            self._events += 1
            self._event = {}
        elif path and path[-1] in ("trace", "event") and tag in _SCALARS | _NESTED:
            self._attribute(tag, attributes)
        elif self._trace is not None and len(path) > 2:
            self._left.add("attributes inside attributes", f"{attributes.get('key', tag)} in {self._place()}")
        elif tag in _SCALARS and path == ["log"]:
            self._left.add("attributes of the log", attributes.get("key", tag))
        path.append(tag)

    def _attribute(self, tag: str, attributes: dict[str, str]) -> None:
        key = attributes.get("key", "")
        into = self._event if self._event is not None else self._trace
        if into is None or not key:
            return
        if tag in _NESTED:
            self._left.add("lists and containers", f"{key} in {self._place()}")
            return
        into[key] = _value(tag, attributes.get("value", ""))

    def _end(self, name: str) -> None:
        tag = name.rpartition(":")[2]
        self._path.pop()
        if tag == "event" and self._event is not None:
            trace = {} if self._trace is None else self._trace
            found = _Found(self._place(), trace, self._event, self._seen)
            named = self._trace is None or NAME in self._trace
            (self._found if named else self._early).append(found)
            self._event = None
        elif tag == "trace" and len(self._path) == 1:
            self._trace = None
        if self._early and (self._trace is None or NAME in self._trace):
            self._found += self._early
            self._early = []

    def _place(self) -> str:
        return f"trace {self._traces} event {self._events}" if self._events else f"trace {self._traces}"


def _text(value: object) -> str:
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)


def _value(tag: str, text: str) -> object:
    """Return a value as the log means it; a number keeps its text, and what is none stays a text."""
    if tag == "boolean":
        return text.strip().lower() == "true" if text.strip().lower() in ("true", "false") else text
    if tag in ("int", "float"):
        try:
            msgspec.json.decode(text.strip().encode(), type=float)
        except (msgspec.DecodeError, UnicodeError):
            return text
        return msgspec.Raw(text.strip().encode())
    return text
