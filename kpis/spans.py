"""Reading the spans by which latencies are split: where they are lineage knows, what they say the journal.

What was read of a trace is kept in the store of KPIs, as a case is looked at several times, and as spans leave with
their records (``journal_days``) long before figures do. So what was once split stays so, also where all cases are
looked at anew; of what was first looked at when its spans had left nobody can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from kpis.latency import Known, KnownSpan, Traced, stretches_of
from kpis.store import KpiWriter
from lineage.fact import Fact
from lineage.read import Snapshot
from lineage.traces import SPAN_ID_BYTES, TraceEntry, entries_of
from throughline.core.journal import SpanFact, SpanKind

MOST_NEAR = 100_000  # spans of records that were read of late, kept in memory
_WORKING = frozenset({SpanKind.UNSPECIFIED, SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CONSUMER})


class SpanJournal(Protocol):
    """What is asked of the journal (throughline/core/journal.py)."""

    def spans_of(self, record: int) -> list[SpanFact] | None: ...

    def kept_since(self) -> int | None: ...


class Whereabouts(NamedTuple):
    """Where the spans of traces are. ``received``: when the first of the events came that tell a trace."""

    received: Mapping[bytes, int]
    entries: Mapping[bytes, Sequence[TraceEntry]]


class Sought(NamedTuple):
    """What was found of some traces. ``known``: what is new of them, to be stored."""

    traced: dict[str, Traced]
    known: Known


class SpanReader:
    """Reads the spans of traces."""

    def __init__(self, journal: SpanJournal, store: KpiWriter) -> None:
        self._journal = journal
        self._store = store
        self._near: dict[int, Known] = {}
        self._size = 0

    def find(self, snapshot: Snapshot, facts: Iterable[Fact]) -> Whereabouts | None:
        """Return where lineage knows spans of the traces of some events, in a snapshot; None: no event tells one."""
        received: dict[bytes, int] = {}
        for fact in facts:
            if fact.trace_id is not None:
                trace_id = bytes.fromhex(fact.trace_id)
                received[trace_id] = min(fact.received, received.get(trace_id, fact.received))
        return Whereabouts(received, entries_of(snapshot.store, list(received))) if received else None

    def read(self, places: Whereabouts) -> Sought:
        """Return the spans that are found there, and those that were read before."""
        before = self._store.spans_known(places.received)
        kept_since = self._journal.kept_since()
        traced: dict[str, Traced] = {}
        new: dict[bytes, Sequence[KnownSpan]] = {}
        for trace_id, at in places.received.items():
            known = before.get(trace_id, ())
            found, lost = self._further(trace_id, known, places.entries.get(trace_id, ()))
            if found:
                new[trace_id] = known = (*known, *found)
            gone = not before.get(trace_id) and (lost or kept_since is None or at < kept_since)
            traced[trace_id.hex()] = Traced(stretches_of(known), gone)
        return Sought(traced, {trace_id: each for trace_id, each in new.items() if not traced[trace_id.hex()].gone})

    def _further(
        self, trace_id: bytes, known: Sequence[KnownSpan], entries: Iterable[TraceEntry]
    ) -> tuple[list[KnownSpan], bool]:
        """Return the spans of a trace that are not known, and whether some of them are no longer to be had."""
        ids = {span.span_id for span in known}
        found: dict[bytes, KnownSpan] = {}
        lost = False
        for entry in entries:
            missing = _ids(entry) - ids
            if missing:
                here = {span.span_id: span for span in self._spans_in(entry.record).get(trace_id, ())}
                found |= {span_id: here[span_id] for span_id in sorted(missing & here.keys())}
                lost = lost or not missing <= here.keys()
        return list(found.values()), lost

    def _spans_in(self, record: int) -> Known:
        """Return the spans of a record by trace: of cases that are looked at together many are in the same."""
        near = self._near.get(record)
        if near is None:
            spans = self._journal.spans_of(record) or []
            if self._size + len(spans) > MOST_NEAR:
                self._near, self._size = {}, 0
            grouped: dict[bytes, list[KnownSpan]] = {}
            for span in spans:
                grouped.setdefault(span.trace_id, []).append(_known(span))
            near = self._near[record] = grouped
            self._size += len(spans)
        return near


def _ids(entry: TraceEntry) -> set[bytes]:
    ids = entry.span_ids
    return {ids[at : at + SPAN_ID_BYTES] for at in range(0, len(ids), SPAN_ID_BYTES)}


def _known(span: SpanFact) -> KnownSpan:
    return KnownSpan(span.span_id, span.start, span.end, span.kind in _WORKING, span.flow, span.parent_id)
