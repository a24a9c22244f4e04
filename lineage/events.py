"""Events as they were written: canonical events back as CloudEvents, page by page, with their keys and links.

What a page gives can be sent to a door again and means the same: it has the same content, so the same digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from lineage.document import KeyDocument
from lineage.links import Drawing, EdgeKind, KeyReader, Keys, Stand, draw
from lineage.process import Definitions, Process
from lineage.read import Snapshot
from lineage.store import StoreReader
from throughline.core.event import Event, Failure, Relation
from throughline.core.instants import format_instant
from throughline.core.key import Key

MOST_SCANNED = 20_000  # events looked at for one page, so that a narrow filter never holds a reader for long
_CHECKED_AT_ONCE = 500
_ROLES = ("name", "alias", "carrier", "relation")
STATED = "stated"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A canonical event as a CloudEvent; ``data`` holds what was understood of the sender's, numbers as written."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    data: dict[str, Any]
    recordedtime: str | None = None
    subject: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    sequence: str | None = None
    synthetic: bool = False


class KeyUse(msgspec.Struct, frozen=True):
    """A key of an event, and its roles in the processes that declare the event's type; none: it is only mentioned."""

    key: KeyDocument
    roles: list[str]


class PairDocument(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Two keys that an event ties, holds, passes on, relates or states; ``qualifier`` as stated."""

    kind: str
    start: KeyDocument
    end: KeyDocument
    qualifier: str | None


class WrittenEvent(msgspec.Struct, frozen=True):
    """An event that counts: as it can be sent again, when it came in, and what it says of keys."""

    event: CloudEvent
    received: str
    keys: list[KeyUse]
    pairs: list[PairDocument]


class EventList(msgspec.Struct, frozen=True):
    """A page of events in the order in which they were folded; ``next`` is the cursor of the next page.

    A page may have fewer events than were asked for, even none, and still a next one.
    """

    events: list[WrittenEvent]
    next: str | None


class EventFilter(NamedTuple):
    """Which events: those that these processes declare (none: all), of a time from ``since`` and before ``until``.

    ``received``: those whose receipt is at or after it. Times are microseconds; None: any.
    """

    processes: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    received: int | None = None


class EventPage(NamedTuple):
    """Events, and the seq after the last one looked at; None where there are no more."""

    events: list[WrittenEvent]
    next: int | None


def list_events(snapshot: Snapshot, wanted: EventFilter, after: int, limit: int) -> EventPage:
    """Return the next events that count after a seq, at most ``limit``, having looked at MOST_SCANNED at most."""
    writer = _Writer(snapshot.definitions, wanted.processes)
    found: list[WrittenEvent] = []
    last = after
    for seq, event in _standing(snapshot.store, after):
        if len(found) == limit or seq > after + MOST_SCANNED:
            return EventPage(found, last)
        last = seq
        if event is not None and _fits(event, wanted, writer.types):
            found.append(writer.write(event))
    return EventPage(found, None)


def _fits(event: Event, wanted: EventFilter, types: frozenset[str] | None) -> bool:
    return (
        (types is None or event.type in types)
        and (wanted.since is None or event.time >= wanted.since)
        and (wanted.until is None or event.time < wanted.until)
        and (wanted.received is None or event.received >= wanted.received)
    )


def _standing(store: StoreReader, after: int) -> Iterator[tuple[int, Event | None]]:
    """Give every event after a seq, in order; None in place of a content that another one has taken the place of."""
    some: list[tuple[int, Event]] = []
    for each in store.events_after(after):
        some.append(each)
        if len(some) == _CHECKED_AT_ONCE:
            yield from _checked(store, some)
            some = []
    yield from _checked(store, some)


def _checked(store: StoreReader, some: list[tuple[int, Event]]) -> Iterator[tuple[int, Event | None]]:
    standing = store.standing(dict(some))
    for seq, _ in some:
        yield seq, standing.get(seq)


def cloud_event(event: Event) -> CloudEvent:
    """Return the CloudEvent that a door reads as this very event."""
    traced = event.trace_id is not None and event.span_id is not None
    return CloudEvent(
        specversion="1.0",
        id=event.id,
        source=event.source,
        type=event.type,
        time=format_instant(event.time),
        data=_data(event),
        recordedtime=None if event.recorded is None else format_instant(event.recorded),
        subject=event.subject,
        causationid=event.causation_id,
        traceparent=f"00-{event.trace_id}-{event.span_id}-01" if traced else None,
        sequence=event.sequence,
        synthetic=event.synthetic,
    )


def _data(event: Event) -> dict[str, Any]:
    texts = event.texts or {}
    data: dict[str, Any] = {
        name: msgspec.Raw((texts.get(name) or str(value)).encode()) if _is_number(value) else value
        for name, value in event.fields.items()
    }
    for name in ("amount", "currency", "amounts", "hours", "system", "instance", "flow"):
        value = getattr(event, name)
        if value is not None:
            data[name] = value
    if event.failed:
        data["outcome"] = "failure"
    if event.error is not None:
        data["error"] = _error(event.error)
    if event.relations:
        data["relations"] = [_relation(relation) for relation in event.relations]
    return data


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _error(error: Failure) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(error).items() if value is not None}


def _relation(relation: Relation) -> dict[str, Any]:
    pair: dict[str, Any] = {
        "from": _end(relation.from_type, relation.from_value, relation.from_scope),
        "to": _end(relation.to_type, relation.to_value, relation.to_scope),
    }
    return pair if relation.qualifier is None else {**pair, "qualifier": relation.qualifier}


def _end(kind: str, value: str, scope: dict[str, str] | None) -> dict[str, Any]:
    return {kind: value, "scope": scope} if scope else {kind: value}


class _Writer:
    """Writes events with their keys and pairs, as far as some processes (none: all) see them."""

    def __init__(self, definitions: Definitions, processes: Iterable[str]) -> None:
        self._key_types = definitions.key_types
        self._keys = KeyReader(definitions.key_types.values())
        chosen = set(processes)
        self._of_type = {
            kind: tuple(each for each in declaring if not chosen or each.name in chosen)
            for kind, declaring in definitions.processes_of_type.items()
        }
        self.types = frozenset(kind for kind, declaring in self._of_type.items() if declaring) if chosen else None

    def write(self, event: Event) -> WrittenEvent:
        keys = self._keys.read(event)
        processes = self._of_type.get(event.type, ())
        return WrittenEvent(
            cloud_event(event),
            format_instant(event.received),
            [
                KeyUse(self._key(text), [role for role in _ROLES if role in roles])
                for kind, side in sorted(keys.sides.items())
                for roles in [{process.roles.get(kind) for process in processes}]
                for text in side.values
            ],
            self._pairs(event, keys, processes),
        )

    def _pairs(self, event: Event, keys: Keys, processes: Iterable[Process]) -> list[PairDocument]:
        drawn: dict[tuple[str, str, str], None] = {}
        for process in processes:
            drawing = draw(process, keys, event.failed)
            if drawing is not None:
                drawn.update(dict.fromkeys(_drawn(drawing)))
        pairs = [PairDocument(kind, self._key(a), self._key(b), None) for kind, a, b in drawn]
        known = [each for each in event.relations if {each.from_type, each.to_type} <= self._key_types.keys()]
        for relation, stated in zip(known, keys.stated, strict=True):
            if stated.from_value is not None and stated.to_value is not None:
                ends = self._key(stated.from_value), self._key(stated.to_value)
                pairs.append(PairDocument(STATED, *ends, relation.qualifier))
        return pairs

    def _key(self, text: str) -> KeyDocument:
        key = Key.decode(text)
        return KeyDocument(key.type, key.value, dict(zip(self._key_types[key.type].scope, key.scope, strict=True)))


def _drawn(drawing: Drawing) -> Iterator[tuple[str, str, str]]:
    """Give what an event draws in one process as (kind, from, to)."""
    for owned in drawing.owned:
        if drawing.stand is Stand.NAME:
            yield from ((EdgeKind.TIE.value, owned.owner, alias) for alias in owned.aliases)
        yield from ((EdgeKind.HOLD.value, owned.owner, carrier) for carrier in owned.carriers)
        yield from ((EdgeKind.RELATION.value, owned.owner, relation) for relation in owned.relations)
    yield from ((kind.value, a, b) for kind, a, b in drawing.edges)
