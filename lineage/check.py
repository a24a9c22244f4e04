"""Check: do the events of a flow report what the processes need; pure, from events and definitions alone.

It draws the links of each event as the fold does (docs/reference/identity.md), and says of each flow how many of its
events reach a process by a key, and what whoever builds the flow has to change for the others: in what is sent, or in
the mapping that made the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from lineage.engine import HEARTBEAT
from lineage.links import Drawing, KeyReader, Keys, Stand, draw
from lineage.process import Definitions, Process
from throughline.core.event import Event
from throughline.core.key import KeyType

CORRELATION_ID = "correlation_id"
_MOST_NAMED = 5


class Finding(StrEnum):
    """What is wrong with an event, or could be better."""

    FITS_NO_MAPPING = "fits_no_mapping"  # mappings are for its type, and it came in as it is
    UNMAPPED = "unmapped"
    NO_KEY = "no_key"
    LACKING_SCOPE = "lacking_scope"
    PLACEHOLDER = "placeholder"
    AMBIGUOUS = "ambiguous"
    UNCORRELATED = "uncorrelated"  # neither trace context nor correlation id


class Origin(NamedTuple):
    """How an event came to be: by a ``mapping``, or as it was sent.

    ``unfit``: why the mappings that are for its type did not take it; ``nearest``: a type like its own that a mapping
    is for. Both are told as sentences, and are None where there is nothing to tell.
    """

    mapping: str | None = None
    unfit: str | None = None
    nearest: str | None = None


AS_SENT = Origin()


class FindingDocument(msgspec.Struct, frozen=True):
    """A finding of a flow: of how many events, the first of them by source and id, and what to change."""

    finding: Finding
    type: str
    events: int
    example_source: str
    example_id: str
    sentence: str


class FlowCheck(msgspec.Struct, frozen=True):
    """How a flow reports, or a source whose events name no flow (``flow`` null).

    ``by_name``, ``by_alias``, ``by_carrier``: events that reach a process so, by their closest key. ``coverage`` is the
    share of events that reach one at all, in percent; ``correlated`` the share with trace context or correlation id.
    """

    flow: str | None
    source: str | None
    events: int
    by_name: int
    by_alias: int
    by_carrier: int
    coverage: str
    correlated: str
    findings: list[FindingDocument]


class MappingCheck(msgspec.Struct, frozen=True):
    """What a mapping took of what was checked: inputs, the events they became, and those that it could not make."""

    mapping: str
    inputs: int
    events: int
    set_aside: int


class CheckDocument(msgspec.Struct, frozen=True):
    """What a check found: the flows that cover least first. ``unreadable``: events that a door would set aside.

    ``inputs`` is what was looked at, ``events`` what it became. ``without_event``: log records and spans that are kept
    for their traces alone. ``mappings`` are those that took an input, by name.
    """

    inputs: int
    events: int
    without_event: int
    unreadable: list[UnreadableDocument]
    mappings: list[MappingCheck]
    flows: list[FlowCheck]


class UnreadableDocument(msgspec.Struct, frozen=True):
    """An event that a door would set aside, by the place of its input in what was checked, counted from 1."""

    place: int
    reason: str
    sentence: str


class _Found(NamedTuple):
    finding: Finding
    type: str
    sentence: str


class Checker:
    """Looks at events one by one, and says in the end how each flow reports."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._reader = KeyReader(definitions.key_types.values())
        self._flows: dict[tuple[str | None, str | None], _Flow] = {}
        self._inputs = self._events = self._without_event = 0
        self._mappings: dict[str, MappingCheck] = {}

    def look(self, events: Sequence[Event], origin: Origin = AS_SENT, set_aside: int = 0) -> None:
        """Take in what one input became, ``set_aside`` events of it left out; heartbeats are none of a flow."""
        self._inputs += 1
        self._without_event += not events and not set_aside
        if origin.mapping is not None:
            name = origin.mapping
            known = self._mappings.get(name, MappingCheck(name, 0, 0, 0))
            made = MappingCheck(name, known.inputs + 1, known.events + len(events), known.set_aside + set_aside)
            self._mappings[name] = made
        for event in events:
            if event.type != HEARTBEAT:
                self._events += 1
                name = (event.flow, None if event.flow is not None else event.source)
                self._flows.setdefault(name, _Flow()).add(event, *self._judge(event, origin))

    def document(self, unreadable: Iterable[UnreadableDocument] = ()) -> CheckDocument:
        flows = [flow.document(*name) for name, flow in self._flows.items()]
        flows.sort(key=lambda each: (float(each.coverage), each.flow or "", each.source or ""))
        mappings = [made for _, made in sorted(self._mappings.items())]
        return CheckDocument(self._inputs, self._events, self._without_event, list(unreadable), mappings, flows)

    def _judge(self, event: Event, origin: Origin) -> tuple[Stand | None, list[_Found]]:
        """Return by which role of key an event reaches a process at its closest, and what is found of it."""
        keys = self._reader.read(event)
        processes = self._definitions.processes_of_type.get(event.type, ())
        drawings = [drawing for each in processes if (drawing := draw(each, keys, event.failed)) is not None]
        found = [*self._of_keys(event, keys, origin), *_of_links(event, processes, drawings, origin)]
        if event.trace_id is None and CORRELATION_ID not in event.fields:
            own = "send a traceparent, or correlation_id in data, so that a run shows as one"
            mapped = f"{_give(origin)} correlation_id, or send a traceparent, so that a run shows as one"
            sentence = own if origin.mapping is None else mapped
            found.append(_Found(Finding.UNCORRELATED, event.type, sentence))
        stands = [drawing.stand for drawing in drawings]
        return next((stand for stand in Stand if stand in stands), None), found

    def _of_keys(self, event: Event, keys: Keys, origin: Origin) -> Iterable[_Found]:
        types = self._definitions.key_types
        here = [types[name] for name in event.fields if name in types]
        if keys.placeholders:
            hollow = ", ".join(kind.name for kind in here if _is_hollow(kind, event)) or "a stated pair"
            sentence = f"{hollow}: leave the field out until it is known; a placeholder is no key{_by(origin)}"
            yield _Found(Finding.PLACEHOLDER, event.type, sentence)
        if keys.lacking_scope:
            give = _give(origin)
            lacking = "; ".join(f"{kind.name}: {give} {', '.join(kind.scope)} beside it" for kind in here if kind.scope)
            sentence = f"{lacking or f'{give} the scope of each end'}, which says who issued the number"
            yield _Found(Finding.LACKING_SCOPE, event.type, sentence)


def _is_hollow(kind: KeyType, event: Event) -> bool:
    raw = event.fields[kind.name]
    return any(kind.value(each) is None for each in (raw if isinstance(raw, list) else [event.text(kind.name) or ""]))


def _give(origin: Origin) -> str:
    """Say who is to change what: the sender, or the mapping that made the event."""
    return "send" if origin.mapping is None else f"let mapping {origin.mapping} give"


def _by(origin: Origin) -> str:
    return "" if origin.mapping is None else f" (mapping {origin.mapping})"


def _of_links(event: Event, processes: Iterable[Process], drawings: list[Drawing], origin: Origin) -> Iterable[_Found]:
    declared = list(processes)
    if origin.unfit is not None:
        sentence = f"{origin.unfit}; change the mapping, or what is sent"
        yield _Found(Finding.FITS_NO_MAPPING, event.type, sentence)
    if not declared:
        yield _Found(Finding.UNMAPPED, event.type, _unmapped(event.type, origin))
    elif not drawings:
        wanted = list(dict.fromkeys(process.name_key for process in declared))[:_MOST_NAMED]
        names = ", ".join(process.name for process in declared[:_MOST_NAMED])
        sentence = f"{_give(origin)} {' or '.join(wanted)}, or another key of {names}: without one it reaches no case"
        yield _Found(Finding.NO_KEY, event.type, sentence)
    if any(drawing.ambiguous for drawing in drawings):
        each = "send one event for each" if origin.mapping is None else f"make one event for each{_by(origin)}"
        sentence = f"several values on both sides: state the pairs in relations, or {each}"
        yield _Found(Finding.AMBIGUOUS, event.type, sentence)


def _unmapped(kind: str, origin: Origin) -> str:
    if origin.mapping is not None:
        return f"no process knows {kind}: {_give(origin)} the type of a step, or add it to a process"
    nearest = "" if origin.nearest is None else f" ({origin.nearest})"
    return f"no process knows {kind}: send the type of a step, map it to one{nearest}, or add it to a process"


class _Flow:
    def __init__(self) -> None:
        self._events = self._correlated = 0
        self._stands = dict.fromkeys(Stand, 0)
        self._found: dict[_Found, tuple[int, Event]] = {}

    def add(self, event: Event, stand: Stand | None, found: list[_Found]) -> None:
        self._events += 1
        self._correlated += all(each.finding is not Finding.UNCORRELATED for each in found)
        if stand is not None:
            self._stands[stand] += 1
        for each in found:
            count, first = self._found.get(each, (0, event))
            self._found[each] = (count + 1, first)

    def document(self, flow: str | None, source: str | None) -> FlowCheck:
        order = list(Finding)
        findings = [
            FindingDocument(each.finding, each.type, count, first.source, first.id, each.sentence)
            for each, (count, first) in self._found.items()
        ]
        findings.sort(key=lambda each: (order.index(each.finding), -each.events, each.type))
        return FlowCheck(
            flow=flow,
            source=source,
            events=self._events,
            by_name=self._stands[Stand.NAME],
            by_alias=self._stands[Stand.ALIAS],
            by_carrier=self._stands[Stand.CARRIER],
            coverage=_percent(sum(self._stands.values()), self._events),
            correlated=_percent(self._correlated, self._events),
            findings=findings,
        )


def _percent(part: int, whole: int) -> str:
    """Return a share as a decimal text with one digit, cut: only all is 100.0."""
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10}"
