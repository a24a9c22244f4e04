"""Check: do the events of a flow report what the processes need; pure, from events and definitions alone.

It draws the links of each event as the fold does (docs/reference/identity.md), and says of each flow how many of its
events reach a process by a key, and what whoever builds the flow has to change for the others.
"""

from __future__ import annotations

from collections.abc import Iterable
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

    UNDECLARED_TYPE = "undeclared_type"
    NO_KEY = "no_key"
    LACKING_SCOPE = "lacking_scope"
    PLACEHOLDER = "placeholder"
    AMBIGUOUS = "ambiguous"
    UNCORRELATED = "uncorrelated"  # neither trace context nor correlation id


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


class CheckDocument(msgspec.Struct, frozen=True):
    """What a check found: the flows that cover least first. ``unreadable``: events that a door would set aside."""

    events: int
    unreadable: list[UnreadableDocument]
    flows: list[FlowCheck]


class UnreadableDocument(msgspec.Struct, frozen=True):
    """An event that a door would set aside, by its place in what was checked, counted from 1."""

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
        self._events = 0

    def look(self, events: Iterable[Event]) -> None:
        """Take events in; heartbeats are none of a flow."""
        for event in events:
            if event.type != HEARTBEAT:
                self._events += 1
                name = (event.flow, None if event.flow is not None else event.source)
                self._flows.setdefault(name, _Flow()).add(event, *self._judge(event))

    def document(self, unreadable: Iterable[UnreadableDocument] = ()) -> CheckDocument:
        flows = [flow.document(*name) for name, flow in self._flows.items()]
        flows.sort(key=lambda each: (float(each.coverage), each.flow or "", each.source or ""))
        return CheckDocument(self._events, list(unreadable), flows)

    def _judge(self, event: Event) -> tuple[Stand | None, list[_Found]]:
        """Return by which role of key an event reaches a process at its closest, and what is found of it."""
        keys = self._reader.read(event)
        processes = self._definitions.processes_of_type.get(event.type, ())
        drawings = [drawing for each in processes if (drawing := draw(each, keys, event.failed)) is not None]
        found = [*self._of_keys(event, keys), *_of_links(event, processes, drawings)]
        if event.trace_id is None and CORRELATION_ID not in event.fields:
            sentence = "send a traceparent, or correlation_id in data, so that a run shows as one"
            found.append(_Found(Finding.UNCORRELATED, event.type, sentence))
        stands = [drawing.stand for drawing in drawings]
        return next((stand for stand in Stand if stand in stands), None), found

    def _of_keys(self, event: Event, keys: Keys) -> Iterable[_Found]:
        types = self._definitions.key_types
        here = [types[name] for name in event.fields if name in types]
        if keys.placeholders:
            hollow = ", ".join(kind.name for kind in here if _is_hollow(kind, event)) or "a stated pair"
            sentence = f"{hollow}: leave the field out until it is known; a placeholder is no key"
            yield _Found(Finding.PLACEHOLDER, event.type, sentence)
        if keys.lacking_scope:
            lacking = "; ".join(f"{kind.name}: send {', '.join(kind.scope)} beside it" for kind in here if kind.scope)
            sentence = f"{lacking or 'send the scope of each end'}, which says who issued the number"
            yield _Found(Finding.LACKING_SCOPE, event.type, sentence)


def _is_hollow(kind: KeyType, event: Event) -> bool:
    raw = event.fields[kind.name]
    return any(kind.value(each) is None for each in (raw if isinstance(raw, list) else [event.text(kind.name) or ""]))


def _of_links(event: Event, processes: Iterable[Process], drawings: list[Drawing]) -> Iterable[_Found]:
    declared = list(processes)
    if not declared:
        sentence = f"no process knows {event.type}: send the type of a step, or add it to a process"
        yield _Found(Finding.UNDECLARED_TYPE, event.type, sentence)
    elif not drawings:
        wanted = list(dict.fromkeys(process.name_key for process in declared))[:_MOST_NAMED]
        names = ", ".join(process.name for process in declared[:_MOST_NAMED])
        sentence = f"send {' or '.join(wanted)}, or another key of {names}: without one it reaches no case"
        yield _Found(Finding.NO_KEY, event.type, sentence)
    if any(drawing.ambiguous for drawing in drawings):
        sentence = "several values on both sides: state the pairs in relations, or send one event for each"
        yield _Found(Finding.AMBIGUOUS, event.type, sentence)


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
