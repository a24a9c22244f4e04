"""A span counts once however often it is sent, for its flow or else its service."""

from __future__ import annotations

from lineage.engine import Engine
from lineage.process import Definitions
from lineage.traces import FAILED_FLOW_SPANS, FLOW_SPANS, LONGEST_LABEL, SERVICE_SPANS, entries_of, release_spans
from throughline.core.estate import load_estate
from throughline.core.journal import Record, SpanFact

TRACE = b"t" * 16


def span(number: int, failed: bool = False, flow: str | None = "psa-erp-time") -> SpanFact:
    return SpanFact(TRACE, number.to_bytes(8, "big"), 1, 2, failed, "sync", "connector", flow=flow)


def record(number: int, *spans: SpanFact) -> Record:
    return Record(id=number, received=1, mapping="", events=[], spans=list(spans), logs=[])


def test_spans_sent_again_in_another_batch_are_counted_once():
    engine = Engine.open(":memory:", Definitions({}, {}), load_estate(None))
    engine.fold_records([record(1, span(1), span(2, failed=True))], now=1)
    engine.fold_records([record(2, span(2, failed=True), span(3, flow=None)), record(3, span(1))], now=2)
    counters = engine.store.counters()
    engine.close()
    assert counters[FLOW_SPANS] == {"psa-erp-time": 2}
    assert counters[FAILED_FLOW_SPANS] == {"psa-erp-time": 1}
    assert counters[SERVICE_SPANS] == {"connector": 1}


def test_a_trace_leads_to_the_records_that_brought_something_new_of_it():
    engine = Engine.open(":memory:", Definitions({}, {}), load_estate(None))
    engine.fold_records([record(1, span(1)), record(2, span(1))], now=1)
    engine.fold_records([record(3, span(1), span(2))], now=2)
    found = entries_of(engine.store, [TRACE])[TRACE]
    engine.close()
    assert [(entry.record, len(entry.span_ids) // 8) for entry in found] == [(1, 1), (3, 1)]


def test_a_flow_or_service_of_any_length_counts_by_its_beginning():
    engine = Engine.open(":memory:", Definitions({}, {}), load_estate(None))
    engine.fold_records([record(1, span(1, failed=True, flow="f" * 5_000))], now=1)
    counters = engine.store.counters()
    engine.close()
    assert counters[FLOW_SPANS] == counters[FAILED_FLOW_SPANS] == {"f" * LONGEST_LABEL: 1}


def test_a_span_sent_again_when_other_traces_have_filled_a_bucket_counts_once_and_both_rows_are_found():
    engine = Engine.open(":memory:", Definitions({}, {}), load_estate(None))
    engine.fold_records([record(1, span(1))], now=1)
    engine.store.trace_index.add(1, [])
    engine.fold_records([record(2, span(1), span(2))], now=2)
    rows = engine.store.rows("SELECT bucket FROM trace ORDER BY bucket")
    found = entries_of(engine.store, [TRACE])[TRACE]
    counters = engine.store.counters()
    release_spans(engine.store, record(1, span(1)))
    left = entries_of(engine.store, [TRACE])[TRACE]
    engine.close()
    assert rows == [(0,), (1,)]
    assert [(entry.record, len(entry.span_ids) // 8) for entry in found] == [(1, 1), (2, 1)]
    assert counters[FLOW_SPANS] == {"psa-erp-time": 2}
    assert [entry.record for entry in left] == [2]
