"""Traces as documents: the spans and log records that the journal keeps of one, its events, and the cases of these."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from threading import Lock

import msgspec

from lineage.document import Time
from lineage.lookup import Found, Part, cases_of
from lineage.plans import Wiring
from lineage.read import Snapshot
from lineage.traces import entries_of, kept_spans
from throughline.core.event import Event
from throughline.core.instants import format_instant
from throughline.core.journal import JournalReader, LogFact, SpanFact, SpanKind
from throughline.core.key import Key
from throughline.core.problem import Problem, ProblemKind

MOST_SPANS = 1_000
MOST_CASES = 10_000  # behind one value of an event
_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)
_KINDS = {kind.value: kind.name.lower() for kind in SpanKind}


class SpanDocument(msgspec.Struct, frozen=True):
    """One span. ``parent_id`` null: a root. ``event``: the event's type where the span is one."""

    span_id: str
    parent_id: str | None
    name: str
    service: str
    kind: str
    start: Time
    end: Time
    outcome: str
    message: str | None
    flow: str | None
    system: str | None
    instance: str | None
    event: str | None


class LogDocument(msgspec.Struct, frozen=True):
    """A log record that is no event but belongs to the trace."""

    span_id: str | None
    time: Time
    severity: str
    text: str
    service: str


class TraceEventDocument(msgspec.Struct, frozen=True):
    """An event of the trace, one without any key included."""

    source: str
    event_id: str
    type: str
    time: Time
    received: Time
    outcome: str
    system: str | None
    span_id: str | None


class TraceDocument(msgspec.Struct, frozen=True):
    """A trace: spans by start, log records and events by time. ``more``: there are more spans than shown."""

    trace_id: str
    spans: list[SpanDocument]
    logs: list[LogDocument]
    events: list[TraceEventDocument]
    more: bool


def parse_trace_id(text: str) -> str:
    """Return a trace id in lower case; raises Problem for any other text."""
    if not _TRACE_ID.fullmatch(text) or not int(text, 16):
        raise Problem(ProblemKind.INVALID, f"seen {text[:64]!r}, wanted a trace id: 32 hexadecimal digits, not all 0")
    return text.lower()


class TraceReader:
    """Reads traces for several threads at once: where they are from the store, what they say from the journal."""

    def __init__(self, journal: JournalReader) -> None:
        self._journal = journal
        self._one_at_a_time = Lock()

    def documents(self, snapshot: Snapshot, trace_ids: Sequence[str]) -> list[TraceDocument]:
        """Return those of the traces of which anything is known, in the order given."""
        raws = [bytes.fromhex(trace_id) for trace_id in trace_ids]
        known, kept = entries_of(snapshot.store, raws), kept_spans(snapshot.store, raws)
        found: list[TraceDocument] = []
        for trace_id in trace_ids:
            entries = known.get(bytes.fromhex(trace_id))
            if entries:
                records = {entry.record for entry in entries} - {0}
                events = snapshot.store.events(seq for entry in entries for seq in entry.seqs)
                kept_of_it = kept.get(bytes.fromhex(trace_id), [])
                found.append(self._document(trace_id, records, kept_of_it, events.values()))
        return found

    def _document(
        self, trace_id: str, records: set[int], kept: Sequence[SpanFact], events: Iterable[Event]
    ) -> TraceDocument:
        raw = bytes.fromhex(trace_id)
        with self._one_at_a_time:
            spans = self._journal.spans_of_trace(records, raw) if records else []
            logs = self._journal.logs_of_trace(records, raw) if records else []
        if kept:
            by_id = {span.span_id: span for span in (*kept, *spans)}
            spans = sorted(by_id.values(), key=lambda span: (span.start, span.span_id))
        ordered = sorted(events, key=lambda event: (event.time, event.source, event.id))
        return TraceDocument(
            trace_id=trace_id,
            spans=[_span(span) for span in spans[:MOST_SPANS]],
            logs=[_log(log) for log in logs[:MOST_SPANS]],
            events=[_event(event) for event in ordered[:MOST_SPANS]],
            more=max(len(spans), len(logs), len(ordered)) > MOST_SPANS,
        )


def cases_of_trace(snapshot: Snapshot, trace_id: str) -> list[Found]:
    """Return the cases that the events of a trace belong to, each once, by its closest role, then process and name."""
    entries = entries_of(snapshot.store, [bytes.fromhex(trace_id)])
    seqs = [seq for found in entries.values() for entry in found for seq in entry.seqs]
    wiring = Wiring(snapshot.definitions)
    standing = {
        (drawing.process.name, text, Part[drawing.stand.upper()])
        for event in snapshot.store.events(seqs).values()
        for drawing in wiring.draw(event)[1]
        for text in drawing.at
    }
    cases: dict[int, Found] = {}
    for process, text, part in standing:
        for found in cases_of(snapshot, Key.decode(text), (part,), None, MOST_CASES, within=process):
            if found.case_id not in cases or found < cases[found.case_id]:
                cases[found.case_id] = found
    return sorted(cases.values())


def _span(span: SpanFact) -> SpanDocument:
    return SpanDocument(
        span_id=span.span_id.hex(),
        parent_id=span.parent_id.hex() if span.parent_id else None,
        name=span.name,
        service=span.service,
        kind=_KINDS.get(span.kind, "unspecified"),
        start=format_instant(span.start),
        end=format_instant(span.end),
        outcome=_outcome(span.failed),
        message=span.message,
        flow=span.flow,
        system=span.system,
        instance=span.instance,
        event=span.event,
    )


def _log(log: LogFact) -> LogDocument:
    return LogDocument(
        span_id=log.span_id.hex() if log.span_id else None,
        time=format_instant(log.time),
        severity=log.severity,
        text=log.text,
        service=log.service,
    )


def _event(event: Event) -> TraceEventDocument:
    return TraceEventDocument(
        source=event.source,
        event_id=event.id,
        type=event.type,
        time=format_instant(event.time),
        received=format_instant(event.received),
        outcome=_outcome(event.failed),
        system=event.system,
        span_id=event.span_id,
    )


def _outcome(failed: bool) -> str:
    return "failure" if failed else "success"
