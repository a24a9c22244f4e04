"""From a trace to where its spans, log records and events are.

One row a trace and bucket (lineage/buckets.py): the journal records that hold parts of it, with the ids of their spans
(so that a span sent again counts once), and the seqs of its events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import msgspec

from lineage.store import StoreReader, StoreWriter, encode
from throughline.core.event import Event
from throughline.core.journal import Record, SpanFact
from throughline.core.sql import Connection

SPAN_ID_BYTES = 8
LONGEST_LABEL = 256  # characters of a flow or service that spans are counted by; a sender may give any text
FLOW_SPANS, FAILED_FLOW_SPANS = "flow_spans", "failed_flow_spans"
SERVICE_SPANS, FAILED_SERVICE_SPANS = "service_spans", "failed_service_spans"
SPAN_COUNTERS = frozenset({FLOW_SPANS, FAILED_FLOW_SPANS, SERVICE_SPANS, FAILED_SERVICE_SPANS})
_AT_ONCE = 500


class TraceEntry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one journal record (0: the events) holds of a trace: span ids, eight bytes each, and seqs of events."""

    record: int
    span_ids: bytes = b""
    seqs: tuple[int, ...] = ()


_entries = msgspec.msgpack.Decoder(list[TraceEntry])
_spans = msgspec.msgpack.Decoder(list[SpanFact])


_Rows = dict[tuple[int, bytes], list[TraceEntry]]


def entries_of(store: StoreReader, trace_ids: Sequence[bytes]) -> dict[bytes, list[TraceEntry]]:
    """Return what is known of traces."""
    return _by_trace(_rows_of(store, trace_ids))


def _rows_of(store: StoreReader, trace_ids: Sequence[bytes]) -> _Rows:
    """Return the rows of traces by bucket and trace, those of older buckets first."""
    places = dict(sorted(store.trace_places.where(trace_ids).items()))
    rows = store.keyed("trace", "trace_id", "bucket, trace_id, spans", places)
    return {(bucket, trace_id): _entries.decode(spans) for bucket, trace_id, spans in rows}


def _by_trace(rows: _Rows) -> dict[bytes, list[TraceEntry]]:
    found: dict[bytes, list[TraceEntry]] = {}
    for (_, trace_id), entries in rows.items():
        found.setdefault(trace_id, []).extend(entries)
    return found


def add_traces(store: StoreWriter, records: Iterable[Record], events: Iterable[tuple[int, Event]]) -> None:
    """Add the spans and log records of journal records, and events by seq, to their traces; count new spans.

    Those who follow are told of spans that came after an event of their trace: few do, and only these cost anything.
    """
    added: dict[bytes, list[TraceEntry]] = {}
    spans_by_record: list[tuple[int, dict[bytes, list[SpanFact]]]] = []
    for record in records:
        by_trace: dict[bytes, list[SpanFact]] = {}
        for span in record.spans:
            by_trace.setdefault(span.trace_id, []).append(span)
        spans_by_record.append((record.id, by_trace))
        for log in record.logs:
            added.setdefault(log.trace_id, []).append(TraceEntry(record.id))
    for seq, event in events:
        if event.trace_id is not None:
            added.setdefault(bytes.fromhex(event.trace_id), []).append(TraceEntry(0, b"", (seq,)))
    wanted = list(added.keys() | {trace_id for _, by_trace in spans_by_record for trace_id in by_trace})
    if not wanted:
        return
    rows = _rows_of(store, wanted)
    known = _by_trace(rows)
    counting: list[SpanFact] = []
    told: set[int] = set()
    for record_id, by_trace in spans_by_record:
        for trace_id, spans in by_trace.items():
            entries = [*known.get(trace_id, ()), *added.get(trace_id, ())]
            fresh = _fresh(entries, spans) if entries else spans
            if fresh:
                ids = b"".join([span.span_id for span in fresh])
                added.setdefault(trace_id, []).append(TraceEntry(record_id, ids))
                counting += fresh
                told.update(seq for entry in known.get(trace_id, ()) for seq in entry.seqs)
    bucket = store.trace_index.next_bucket()
    store.many(
        "INSERT INTO trace (bucket, trace_id, spans) VALUES (?, ?, ?)"
        " ON CONFLICT (bucket, trace_id) DO UPDATE SET spans = excluded.spans",
        [
            (bucket, trace_id, encode([*rows.get((bucket, trace_id), ()), *_merged(entries)]))
            for trace_id, entries in added.items()
        ],
    )
    store.trace_index.add(bucket, added)
    store.count((name, label, count) for (name, label), count in _counted(counting).items())
    store.note_spans(sorted(told))


def forget_events(store: StoreWriter, gone: Mapping[int, str]) -> None:
    """Leave events, by seq with the id of their trace, out of their traces; a trace of which nothing is left goes."""
    rows = _rows_of(store, sorted({bytes.fromhex(each) for each in gone.values()}))
    for at, entries in rows.items():
        left = [msgspec.structs.replace(each, seqs=tuple(set(each.seqs) - gone.keys())) for each in entries]
        rows[at] = [each for each in left if each.record or each.seqs]
    _put_back(store, rows)
    silent = [trace_id for trace_id, entries in _by_trace(rows).items() if not _has_events(entries)]
    store.many("DELETE FROM kept_span WHERE trace_id = ?", [(trace_id,) for trace_id in silent])


def release_spans(store: StoreWriter, record: Record) -> None:
    """Forget where a record that goes holds parts of traces; its failed spans stay where a trace has events."""
    failed: dict[bytes, list[SpanFact]] = {}
    for span in record.spans:
        some = failed.setdefault(span.trace_id, [])
        if span.failed:
            some.append(span)
    wanted = sorted(failed.keys() | {log.trace_id for log in record.logs})
    rows = _rows_of(store, wanted)
    known = _by_trace(rows)
    kept = kept_spans(store, [trace_id for trace_id in known if failed.get(trace_id)])
    spans: list[tuple[bytes, bytes]] = []
    for trace_id, entries in known.items():
        if failed.get(trace_id) and _has_events(entries):
            by_id = {span.span_id: span for span in (*failed[trace_id], *kept.get(trace_id, ()))}
            spans.append((trace_id, encode(list(by_id.values()))))
    store.many(
        "INSERT INTO kept_span (trace_id, spans) VALUES (?, ?)"
        " ON CONFLICT (trace_id) DO UPDATE SET spans = excluded.spans",
        spans,
    )
    _put_back(store, {at: [each for each in entries if each.record != record.id] for at, entries in rows.items()})


def kept_spans(store: StoreReader, trace_ids: Sequence[bytes]) -> dict[bytes, list[SpanFact]]:
    """Return the spans of traces that outlived their records."""
    found: dict[bytes, list[SpanFact]] = {}
    for start in range(0, len(trace_ids), _AT_ONCE):
        some = trace_ids[start : start + _AT_ONCE]
        marks = ",".join("?" * len(some))
        for trace_id, spans in store.rows(f"SELECT trace_id, spans FROM kept_span WHERE trace_id IN ({marks})", *some):
            found[trace_id] = _spans.decode(spans)
    return found


def _has_events(entries: Iterable[TraceEntry]) -> bool:
    return any(entry.seqs for entry in entries)


def _put_back(store: StoreWriter, rows: _Rows) -> None:
    store.many(
        "DELETE FROM trace WHERE bucket = ? AND trace_id = ?", [at for at, entries in rows.items() if not entries]
    )
    store.many(
        "UPDATE trace SET spans = ? WHERE bucket = ? AND trace_id = ?",
        [(encode(entries), *at) for at, entries in rows.items() if entries],
    )


def whole_traces(connection: Connection) -> Iterator[tuple[bytes, bytes]]:
    """Yield traces with what is known of each, whatever buckets that is in, as one row of it."""
    rows = connection.stream("SELECT trace_id, spans FROM trace ORDER BY trace_id, bucket")
    for trace_id, some in groupby(rows, key=itemgetter(0)):
        stored = [spans for _, spans in some]
        entries = [entry for spans in stored for entry in _entries.decode(spans)] if len(stored) > 1 else []
        yield trace_id, encode(_merged(entries)) if entries else stored[0]


def forget_spans(store: StoreWriter) -> None:
    """Leave of each trace its events only: the journal whose records held its spans and logs is no more."""
    kept: list[tuple[int, bytes, bytes]] = []
    for bucket, trace_id, stored in store.rows("SELECT bucket, trace_id, spans FROM trace"):
        events = [entry for entry in _entries.decode(stored) if entry.record == 0]
        if events:
            kept.append((bucket, trace_id, encode(events)))
    store.connection.execute("DELETE FROM trace")
    store.many("INSERT INTO trace (bucket, trace_id, spans) VALUES (?, ?, ?)", kept)


def _merged(entries: list[TraceEntry]) -> list[TraceEntry]:
    """Return entries with equal records as one."""
    if len(entries) == 1:
        return entries
    merged: dict[int, TraceEntry] = {}
    for entry in entries:
        before = merged.get(entry.record)
        if before is not None:
            entry = TraceEntry(entry.record, before.span_ids + entry.span_ids, before.seqs + entry.seqs)
        merged[entry.record] = entry
    return list(merged.values())


def _fresh(entries: list[TraceEntry], spans: list[SpanFact]) -> list[SpanFact]:
    """Return the spans that are not known yet."""
    seen = {
        entry.span_ids[at : at + SPAN_ID_BYTES]
        for entry in entries
        for at in range(0, len(entry.span_ids), SPAN_ID_BYTES)
    }
    return [span for span in spans if span.span_id not in seen]


def _counted(spans: list[SpanFact]) -> Counter[tuple[str, str]]:
    """Count spans by flow, for its failure rate, and those of no flow by service."""
    counted: Counter[tuple[str, str]] = Counter()
    for (flow, service, failed), count in Counter([(span.flow, span.service, span.failed) for span in spans]).items():
        of_all, of_failed, label = (
            (SERVICE_SPANS, FAILED_SERVICE_SPANS, service) if flow is None else (FLOW_SPANS, FAILED_FLOW_SPANS, flow)
        )
        counted[of_all, label[:LONGEST_LABEL]] += count
        if failed:
            counted[of_failed, label[:LONGEST_LABEL]] += count
    return counted
