"""OTLP spans and log records become events, span facts and log facts, with OpenTelemetry's own stubs as oracle."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.http_answers import response_message
from collector.otlp import JSON, PROTOBUF, plain, read_logs, read_metrics, read_traces
from collector.otlp_answers import partial_success
from collector.otlp_error import error_category
from collector.otlp_wire import wire
from collector.reading import Reading, Refusal, Refused, Signal
from collector.setaside import Reason
from throughline.core.event import Event, Failure, Relation
from throughline.core.instants import parse_instant
from throughline.core.journal import LogFact, SpanFact

RECEIVED = parse_instant("2026-11-02T16:05:00Z")
END = parse_instant("2026-11-02T16:04:00Z")
TRACE, SPAN, PARENT = bytes(range(16)), bytes(range(1, 9)), bytes(range(2, 10))
RESOURCE = {"service.name": "sync", "service.namespace": "erp"}


def any_value(value: Any) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
        case _:
            return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def span(attributes: dict[str, Any] | None = None, **changed: Any) -> Span:
    given = {"trace_id": TRACE, "span_id": SPAN, "name": "post", "start_time_unix_nano": (END - 250_000) * 1000}
    given |= {"end_time_unix_nano": END * 1000 + 999, "attributes": key_values(attributes or {})}
    return Span(**(given | changed))


def traces_request(spans: Sequence[Span], resource: dict[str, Any] | None = None) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(key_values(RESOURCE if resource is None else resource))
    scope = group.scope_spans.add()
    scope.scope.name = "test"
    scope.spans.extend(spans)
    return request


def traces(*spans: Span, resource: dict[str, Any] | None = None) -> Reading:
    return read_traces(PROTOBUF, traces_request(spans, resource).SerializeToString(), RECEIVED)


def event_of(attributes: dict[str, Any], **changed: Any) -> Event:
    reading = traces(span({"throughline.event": "time.posted"} | attributes, **changed))
    assert reading.rejected == []
    return reading.events[0]


def logs_request(records: Sequence[LogRecord], resource: dict[str, Any] | None = None) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(key_values(RESOURCE if resource is None else resource))
    scope = group.scope_logs.add()
    scope.scope.name = "test"
    scope.log_records.extend(records)
    return request


def logs(*records: LogRecord, resource: dict[str, Any] | None = None) -> Reading:
    return read_logs(PROTOBUF, logs_request(records, resource).SerializeToString(), RECEIVED)


def log(attributes: dict[str, Any] | None = None, **changed: Any) -> LogRecord:
    given = {"event_name": "invoice.issued", "time_unix_nano": END * 1000, "attributes": key_values(attributes or {})}
    return LogRecord(**(given | changed))


# spans


def test_every_span_gives_a_fact() -> None:
    failed = span(parent_span_id=PARENT, kind=Span.SPAN_KIND_CONSUMER, status=Status(code=2, message="closed"))
    reading = traces(span(), failed, resource=RESOURCE | {"throughline.flow": "psa-erp", "throughline.system": "erp"})
    assert reading.events == []
    assert reading.spans == [
        SpanFact(TRACE, SPAN, END - 250_000, END, False, "post", "sync", 0, None, "psa-erp", "erp"),
        SpanFact(TRACE, SPAN, END - 250_000, END, True, "post", "sync", 5, PARENT, "psa-erp", "erp", None, "closed"),
    ]


def test_a_span_with_our_attribute_is_an_event_at_its_end() -> None:
    taken = event_of(
        {
            "throughline.time_entry": ["TE-88", "TE-89"],
            "throughline.amount": 12.5,
            "throughline.currency": "EUR",
            "throughline.flow": "psa-erp-time",
            "http.method": "POST",
        }
    )
    assert (taken.type, taken.source, taken.time) == ("time.posted", "erp/sync", END)
    assert taken.id == f"{TRACE.hex()}-{SPAN.hex()}-0"
    assert (taken.trace_id, taken.span_id) == (TRACE.hex(), SPAN.hex())
    assert taken.fields == {"time_entry": ["TE-88", "TE-89"]}
    assert (taken.amount, taken.currency, taken.flow) == ("12.5", "EUR", "psa-erp-time")


def test_span_events_of_that_kind_count_too_and_others_do_not() -> None:
    inner = [
        Span.Event(name="other", time_unix_nano=END * 1000),
        Span.Event(
            name="x",
            time_unix_nano=(END - 1_000) * 1000,
            attributes=key_values({"throughline.event": "time.approved", "throughline.time_entry": "TE-88"}),
        ),
    ]
    reading = traces(span(events=inner, status=Status(code=2)))
    assert [(taken.type, taken.id, taken.time, taken.failed) for taken in reading.events] == [
        ("time.approved", f"{TRACE.hex()}-{SPAN.hex()}-2", END - 1_000, False)
    ]


def test_the_resource_says_where_and_the_span_may_say_it_better() -> None:
    resource = RESOURCE | {"throughline.system": "erp", "throughline.instance": "ns-1", "throughline.flow": "f"}
    reading = traces(span({"throughline.event": "a.b", "throughline.instance": "ns-2"}), resource=resource)
    taken, fact = reading.events[0], reading.spans[0]
    assert (taken.system, taken.instance, taken.flow) == ("erp", "ns-2", "f")
    assert (fact.system, fact.instance, fact.flow, fact.event) == ("erp", "ns-2", "f", "a.b")


def test_without_namespace_the_service_alone_is_the_source() -> None:
    assert traces(span({"throughline.event": "a.b"}), resource={"service.name": "x"}).events[0].source == "x"


def test_without_service_the_event_is_set_aside_and_the_span_kept() -> None:
    reading = traces(span({"throughline.event": "a.b"}), resource={})
    assert len(reading.spans) == 1
    assert reading.rejected[0].set_aside.reason is Reason.MISSING_IDENTITY


def test_a_status_of_error_means_failure_with_the_category_of_error_type() -> None:
    status = Status(code=2, message="no answer")
    taken = event_of({"error.type": "timeout"}, status=status)
    assert (taken.failed, taken.error) == (True, Failure("timeout", "timeout", "no answer"))
    assert event_of({"error.type": "java.net.Boom"}, status=status).error == Failure(
        "unknown", "java.net.Boom", "no answer"
    )
    assert event_of({}, status=Status(code=2)).error == Failure("unknown")
    assert not event_of({"error.type": "timeout"}).failed


@pytest.mark.parametrize(
    ("error_type", "category"),
    [("rate-limit", "rate_limit"), ("Not Found", "not_found"), ("401", "authentication"), ("x", "unknown")],
)
def test_free_error_types_map_to_categories_by_name_or_status(error_type: str, category: str) -> None:
    assert error_category(error_type) == category


def test_errors_may_be_dotted_attributes_or_a_json_text() -> None:
    dotted = {
        "throughline.outcome": "failure",
        "throughline.error.category": "conflict",
        "throughline.error.code": 409,
        "throughline.error.retryable": False,
        "throughline.error.attempt": 2,
    }
    assert event_of(dotted).error == Failure("conflict", "409", None, False, 2)
    text = {"throughline.outcome": "failure", "throughline.error": '{"category": "conflict"}'}
    assert event_of(text).error == Failure("conflict")


def test_relations_and_amounts_may_be_a_json_text_or_nested_values() -> None:
    pair = {"from": {"invoice": "INV-1", "legal_entity": "DE01"}, "to": {"time_entry": "TE-1"}, "qualifier": "bills"}
    expected = [Relation("invoice", "INV-1", "time_entry", "TE-1", "bills", {"legal_entity": "DE01"}, None)]
    for value in (json.dumps([pair]), [pair]):
        assert event_of({"throughline.relations": value}).relations == expected
    for value in ('{"TE-1": 10.50}', {"TE-1": "10.50"}):
        taken = event_of({"throughline.amounts": value, "throughline.currency": "EUR"})
        assert taken.amounts == {"TE-1": "10.50"}


def test_a_conversation_is_a_correlation_id() -> None:
    taken = event_of({"messaging.message.conversation_id": "c-1", "throughline.correlation_id": "c-0"})
    assert taken.fields["correlation_id"] == ["c-0", "c-1"]


@pytest.mark.parametrize(
    ("trace_id", "span_id"), [(bytes(16), SPAN), (TRACE, bytes(8)), (TRACE[:15], SPAN), (TRACE, b""), (b"x" * 32, SPAN)]
)
def test_a_span_without_valid_ids_is_dropped_and_the_others_are_kept(trace_id: bytes, span_id: bytes) -> None:
    bad = span({"throughline.event": "a.b"}, trace_id=trace_id, span_id=span_id)
    reading = traces(bad, span())
    assert (reading.invalid_spans, len(reading.spans), reading.events) == (1, 1, [])
    with pytest.raises(Refused) as refused:
        traces(bad)
    assert refused.value.refusal is Refusal.MALFORMED


def test_a_set_aside_event_of_a_span_can_be_taken_again() -> None:
    bad = {"throughline.event": "a.b", "throughline.amount": "much"}
    reading = traces(span(), span(bad, trace_state="kept=1"), span({"throughline.event": "c.d"}))
    rejected = reading.rejected[0]
    assert (rejected.index, rejected.set_aside.reason, rejected.type) == (1, Reason.BAD_NUMBER, "a.b")
    again = ExportTraceServiceRequest.FromString(rejected.body)
    kept = again.resource_spans[0].scope_spans[0].spans
    assert len(kept) == 1
    assert kept[0].trace_state == "kept=1"  # a field that we don't read is kept as well
    assert read_traces(PROTOBUF, rejected.body, RECEIVED).rejected[0].set_aside == rejected.set_aside
    assert [taken.type for taken in reading.events] == ["c.d"]
    assert len(reading.spans) == 3


# log records


def test_a_log_record_with_an_event_name_is_an_event() -> None:
    attributes = {"invoice": "INV-1", "throughline.legal_entity": "DE01", "legal_entity": "XX", "event.id": "ev-1"}
    taken = logs(log(attributes, trace_id=TRACE, span_id=SPAN)).events[0]
    assert (taken.type, taken.id, taken.source, taken.time) == ("invoice.issued", "ev-1", "erp/sync", END)
    assert taken.fields == {"invoice": "INV-1", "legal_entity": "DE01"}
    assert (taken.trace_id, taken.span_id) == (TRACE.hex(), SPAN.hex())


def test_event_name_may_be_the_old_attribute() -> None:
    taken = logs(log({"event.name": "invoice.paid", "invoice": "INV-1"}, event_name="")).events[0]
    assert (taken.type, taken.fields) == ("invoice.paid", {"invoice": "INV-1"})


def test_a_log_record_that_is_no_event_is_kept_for_its_trace() -> None:
    plain_log = log(event_name="", trace_id=TRACE, severity_text="WARN", body=any_value("x" * 2_000))
    apart = log(event_name="", body=any_value("no trace"))
    nested = log(event_name="", trace_id=TRACE, span_id=SPAN, body=any_value({"a": [1, b"x"]}))
    reading = logs(plain_log, apart, nested)
    assert reading.events == []
    assert reading.logs == [
        LogFact(TRACE, None, END, "WARN", "x" * 1_024, "sync"),
        LogFact(TRACE, SPAN, END, "", '{"a":[1,"eA=="]}', "sync"),
    ]


def test_an_id_of_content_is_the_same_for_a_re_sent_record_only() -> None:
    first = log({"a": "1", "b": 2}, observed_time_unix_nano=1)
    again = log({"b": 2, "a": "1"}, observed_time_unix_nano=2)
    one, other = logs(first).events[0].id, logs(again).events[0].id
    assert one == other
    assert len(one) == 64
    changes: list[LogRecord] = [
        log({"a": "1", "b": 3}),
        log({"a": "1", "b": 2.0}),
        log({"a": "1", "b": 2}, time_unix_nano=END * 1000 + 1),
        log({"a": "1", "b": 2}, event_name="invoice.paid"),
        log({"a": "1", "b": 2}, trace_id=TRACE),
        log({"a": "1", "b": 2}, body=any_value("x")),
    ]
    assert len({one, *(logs(changed).events[0].id for changed in changes)}) == 1 + len(changes)


def test_without_timestamp_the_observed_one_counts_and_without_both_it_is_set_aside() -> None:
    observed = log(time_unix_nano=0, observed_time_unix_nano=END * 1000)
    reading = logs(observed, log(time_unix_nano=0))
    assert reading.events[0].time == END
    assert [(rejected.index, rejected.set_aside.reason) for rejected in reading.rejected] == [(1, Reason.NO_TIME)]
    again = ExportLogsServiceRequest.FromString(reading.rejected[0].body)
    assert again.resource_logs[0].scope_logs[0].log_records[0].event_name == "invoice.issued"


def test_extensions_may_be_attributes() -> None:
    attributes = {"recordedtime": "2026-11-02T16:04:30Z", "throughline.correlationid": "c-1", "causationid": "e-0"}
    taken = logs(log(attributes | {"control_number": 5, "throughline.synthetic": True})).events[0]
    assert taken.recorded == parse_instant("2026-11-02T16:04:30Z")
    assert taken.fields == {"correlation_id": "c-1", "control_number": 5}
    assert (taken.causation_id, taken.sequence, taken.synthetic) == ("e-0", "5", True)


# metrics and answers


def test_metric_points_are_counted_and_rejected() -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    metric = Metric(name="m")
    metric.sum.data_points.add().as_int = 1
    metric.sum.data_points.add().as_int = 2
    other = Metric(name="h")
    other.histogram.data_points.add().count = 3
    scope.metrics.extend([metric, other])
    reading = read_metrics(PROTOBUF, request.SerializeToString())
    assert reading.metric_points == 3
    rejected, sentence = partial_success(Signal.METRICS, reading)
    assert rejected == 3
    assert "not kept" in sentence


def test_answers_are_what_the_stubs_read() -> None:
    assert response_message(0, "") == b""
    answer = ExportTraceServiceResponse.FromString(response_message(3, "why"))
    assert (answer.partial_success.rejected_spans, answer.partial_success.error_message) == (3, "why")
    other = ExportLogsServiceResponse.FromString(response_message(3, "why"))
    assert (other.partial_success.rejected_log_records, other.partial_success.error_message) == (3, "why")


def test_partial_success_warns_of_set_aside_events_and_rejects_log_records() -> None:
    bad = {"throughline.event": "a.b", "throughline.amount": "much"}
    assert partial_success(Signal.TRACES, traces(span())) == (0, "")
    rejected, sentence = partial_success(Signal.TRACES, traces(span(bad), span(span_id=b"")))
    assert rejected == 1
    assert "1 spans without valid" in sentence
    assert "bad_number" in sentence
    assert partial_success(Signal.LOGS, logs(log(), log(time_unix_nano=0)))[0] == 1


# JSON, and bodies that are none


def json_traces(spans: list[dict[str, Any]]) -> bytes:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "sync"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans, "x": 1}]}]}).encode()


JSON_SPAN: dict[str, Any] = {
    "traceId": TRACE.hex().upper(),
    "spanId": SPAN.hex(),
    "parentSpanId": "",
    "name": "post",
    "kind": 5,
    "startTimeUnixNano": str((END - 250_000) * 1000),
    "endTimeUnixNano": END * 1000,
    "status": {"code": 2, "message": "no"},
    "droppedAttributesCount": 3,
    "attributes": [
        {"key": "throughline.event", "value": {"stringValue": "time.posted"}},
        {"key": "throughline.time_entry", "value": {"arrayValue": {"values": [{"stringValue": "TE-1"}, {}]}}},
        {"key": "throughline.rate", "value": {"intValue": "150"}},
        {"key": "throughline.factor", "value": {"doubleValue": 1.5}},
        {"key": "throughline.billable", "value": {"boolValue": False}},
        {"key": "throughline.raw", "value": {"bytesValue": base64.b64encode(b"x").decode()}},
        {"key": "throughline.none", "value": None},
    ],
}


def test_json_is_read_like_protobuf() -> None:
    reading = read_traces(f"{JSON}", json_traces([JSON_SPAN]), RECEIVED)
    assert reading.spans[0].trace_id == TRACE
    assert (reading.spans[0].failed, reading.spans[0].message, reading.spans[0].parent_id) == (True, "no", None)
    taken = reading.events[0]
    assert taken.fields == {"time_entry": ["TE-1", ""], "rate": 150, "factor": 1.5, "billable": False}
    assert taken.time == END


def test_logs_in_json_have_the_ids_of_protobuf() -> None:
    record = {
        "eventName": "invoice.issued",
        "timeUnixNano": str(END * 1000),
        "attributes": [{"key": "invoice", "value": {"stringValue": "INV-1"}}],
        "body": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": 1}}]}},
        "traceId": TRACE.hex(),
    }
    scope = {"scope": {"name": "test"}, "logRecords": [record]}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [scope]}]}).encode()
    from_json = read_logs(JSON, body, RECEIVED)
    assert from_json.rejected[0].set_aside.reason is Reason.MISSING_IDENTITY  # no service.name
    same = log({"invoice": "INV-1"}, body=any_value({"a": 1}), trace_id=TRACE)
    assert from_json.rejected[0].event_id == logs(same).events[0].id


def test_ids_that_are_no_hex_are_no_ids() -> None:
    reading = read_traces(JSON, json_traces([JSON_SPAN, JSON_SPAN | {"traceId": "zz" * 16}]), RECEIVED)
    assert reading.invalid_spans == 1


def test_metrics_in_json_are_counted() -> None:
    metric = {"name": "m", "unit": "1", "gauge": {"dataPoints": [{"asInt": "1"}, {"asDouble": 2}]}}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
    assert read_metrics(JSON, body).metric_points == 2


def deep_value(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 5_000,
        b'{"resourceSpans": 5}',
        json_traces([JSON_SPAN | {"endTimeUnixNano": "soon"}]),
        json_traces([JSON_SPAN | {"endTimeUnixNano": -1}]),
        json_traces([JSON_SPAN | {"endTimeUnixNano": "9" * 30}]),
        json_traces([JSON_SPAN | {"attributes": [{"key": "x", "value": deep_value(40)}]}]),
    ],
)
def test_a_json_body_that_is_none_refuses_the_request(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_traces(JSON, body, RECEIVED)
    assert refused.value.refusal is Refusal.MALFORMED


def test_a_protobuf_body_that_is_none_refuses_the_request() -> None:
    invalid_text = traces_request([span(name="abcdef")]).SerializeToString().replace(b"abcdef", b"abc\xffef")
    for body in (b"\xff\xff", b"\x0a\x05ab", invalid_text):
        with pytest.raises(Refused):
            read_traces(PROTOBUF, body, RECEIVED)


def test_more_spans_or_log_records_than_may_come_at_once_refuse_the_request() -> None:
    request = traces_request([Span()] * 100_001)
    with pytest.raises(Refused) as refused:
        read_traces(PROTOBUF, request.SerializeToString(), RECEIVED)
    assert refused.value.refusal is Refusal.TOO_LARGE
    records = logs_request([LogRecord()] * 100_001).SerializeToString()
    with pytest.raises(Refused) as refused:
        read_logs(PROTOBUF, records, RECEIVED)
    assert refused.value.refusal is Refusal.TOO_LARGE


def test_a_metric_sent_as_a_trace_is_refused() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="requests", unit="1")
    metric.sum.data_points.add().as_int = 1
    with pytest.raises(Refused):
        read_traces(PROTOBUF, request.SerializeToString(), RECEIVED)


@given(st.binary(max_size=120))
def test_no_body_raises_anything_but_a_refusal(body: bytes) -> None:
    for read in (read_traces, read_logs):
        for media_type in (PROTOBUF, JSON):
            with contextlib.suppress(Refused):
                read(media_type, body, RECEIVED)


# the oracle: attributes as a map are what the stock classes read as a list

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=8))
def test_attribute_maps_read_what_the_stock_classes_read(attributes: dict[str, Any]) -> None:
    body = traces_request([span(attributes)]).SerializeToString()
    read = wire().TracesRequest.FromString(body).resource_spans[0].scope_spans[0].spans[0]
    assert {name: plain(read.attributes[name]) for name in read.attributes} == attributes
    written = ExportTraceServiceRequest.FromString(wire().TracesRequest.FromString(body).SerializeToString())
    stock = written.resource_spans[0].scope_spans[0].spans[0]
    in_order = sorted(stock.attributes, key=lambda pair: pair.key)
    assert in_order == sorted(key_values(attributes), key=lambda pair: pair.key)
    assert (stock.trace_id, stock.name, stock.end_time_unix_nano) == (TRACE, "post", END * 1000 + 999)


def test_the_last_of_several_attributes_of_one_name_counts() -> None:
    twice = span()
    twice.attributes.extend([*key_values({"throughline.event": "a.b"}), *key_values({"throughline.event": "c.d"})])
    assert traces(twice).events[0].type == "c.d"


def test_every_field_of_ours_is_a_field_of_the_stock_messages() -> None:
    stock = {
        "TracesRequest": ExportTraceServiceRequest,
        "LogsRequest": ExportLogsServiceRequest,
        "MetricsRequest": ExportMetricsServiceRequest,
    }
    compared: set[str] = set()

    def compare(ours: Any, theirs: Any) -> None:
        if ours.name in compared:
            return
        compared.add(ours.name)
        for field in ours.fields:
            same = theirs.fields_by_number[field.number]
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                assert same.message_type.name == "KeyValue"
                assert same.name == field.name
                continue
            assert same.name == field.name or ours.name in ("Scope", "Metric", "Points")
            assert field.is_repeated == same.is_repeated
            if field.message_type is not None:
                compare(field.message_type, same.message_type)
            else:
                assert field.type == same.type or (field.type, same.type) == (field.TYPE_INT32, field.TYPE_ENUM)

    for name, message in stock.items():
        compare(getattr(wire(), name).DESCRIPTOR, message.DESCRIPTOR)
    assert {"Span", "SpanEvent", "Status", "LogRecord", "AnyValue", "KeyValueList", "Metric", "Scope"} <= compared
