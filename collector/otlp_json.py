"""OTLP's JSON form, read into the same messages as its protobuf form, so that one decoder serves both.

Source: OTLP specification 1.x, "JSON Protobuf Encoding": names in lowerCamelCase, trace and span ids in hex, 64-bit
integers as text or number, enums as integers (their names are taken too), unknown members ignored, null as good as
absent, bytes in base64.
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from collector.density import bound_elements
from collector.json_fault import json_fault
from collector.otlp_wire import wire
from collector.reading import Refusal, Refused, bound_records

DEEPEST_VALUE: Final = 32

Integer = int | str


class _Struct(msgspec.Struct, rename="camel", gc=False):
    pass


class _AnyValue(_Struct):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Integer | None = None
    double_value: float | str | None = None
    array_value: _ArrayValue | None = None
    kvlist_value: _KeyValueList | None = None
    bytes_value: str | None = None


class _ArrayValue(_Struct):
    values: list[_AnyValue] | None = None


class _KeyValue(_Struct):
    key: str | None = None
    value: _AnyValue | None = None


class _KeyValueList(_Struct):
    values: list[_KeyValue] | None = None


class _Resource(_Struct):
    attributes: list[_KeyValue] | None = None


class _Scope(_Struct):
    name: str | None = None
    version: str | None = None


class _Status(_Struct):
    message: str | None = None
    code: Integer | None = None


class _SpanEvent(_Struct):
    time_unix_nano: Integer | None = None
    name: str | None = None
    attributes: list[_KeyValue] | None = None


class _Span(_Struct):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    kind: Integer | None = None
    start_time_unix_nano: Integer | None = None
    end_time_unix_nano: Integer | None = None
    attributes: list[_KeyValue] | None = None
    events: list[_SpanEvent] | None = None
    status: _Status | None = None


class _LogRecord(_Struct):
    time_unix_nano: Integer | None = None
    observed_time_unix_nano: Integer | None = None
    severity_number: Integer | None = None
    severity_text: str | None = None
    event_name: str | None = None
    body: _AnyValue | None = None
    attributes: list[_KeyValue] | None = None
    trace_id: str | None = None
    span_id: str | None = None


class _ScopeSpans(_Struct):
    scope: _Scope | None = None
    spans: list[_Span] | None = None


class _ScopeLogs(_Struct):
    scope: _Scope | None = None
    log_records: list[_LogRecord] | None = None


class _ResourceSpans(_Struct):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _ResourceLogs(_Struct):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _Traces(_Struct):
    resource_spans: list[_ResourceSpans] | None = None


class _Logs(_Struct):
    resource_logs: list[_ResourceLogs] | None = None


class _Points(_Struct):
    data_points: list[msgspec.Raw] | None = None


class _Metric(_Struct):
    gauge: _Points | None = None
    sum: _Points | None = None
    histogram: _Points | None = None
    exponential_histogram: _Points | None = None
    summary: _Points | None = None


class _ScopeMetrics(_Struct):
    metrics: list[_Metric] | None = None


class _ResourceMetrics(_Struct):
    scope_metrics: list[_ScopeMetrics] | None = None


class _Metrics(_Struct):
    resource_metrics: list[_ResourceMetrics] | None = None


_traces = msgspec.json.Decoder(_Traces)
_logs = msgspec.json.Decoder(_Logs)
_metrics = msgspec.json.Decoder(_Metrics)


def traces_message(body: bytes, nesting: int) -> Any:
    """Return the TracesRequest of a JSON body; raises Refused where it is none."""
    return _message(_traces, _fill_traces, "TracesRequest", body, nesting)


def logs_message(body: bytes, nesting: int) -> Any:
    """Return the LogsRequest of a JSON body; raises Refused where it is none."""
    return _message(_logs, _fill_logs, "LogsRequest", body, nesting)


def metrics_message(body: bytes, nesting: int) -> Any:
    """Return the MetricsRequest of a JSON body, its points empty; raises Refused where it is none."""
    return _message(_metrics, _fill_metrics, "MetricsRequest", body, nesting)


def _message(
    decoder: msgspec.json.Decoder[Any], fill: Callable[[Any, Any], None], name: str, body: bytes, nesting: int
) -> Any:
    message = getattr(wire(), name)()
    bound_elements(body)
    try:
        if json_depth(body) > nesting:
            raise ValueError(f"nested deeper than {nesting}")
        fill(message, decoder.decode(body))
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
        raise Refused(Refusal.MALFORMED, f"the body is no OTLP/JSON: {json_fault(error, body)}") from error
    return message


_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


def json_depth(body: bytes) -> int:
    """Return how deep arrays and objects nest in a JSON text; any number for what is no JSON."""
    brackets = _TEXT.sub(b"", body).translate(None, _NO_BRACKETS)
    return max(itertools.accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0)


def _bound(groups: Sequence[Any] | None, *members: str) -> None:
    """Raise Refused where there are too many groups, or too many in their members, and in the members of these."""
    level = list(groups or ())
    bound_records(len(level))
    for member in members:
        level = [each for group in level for each in getattr(group, member) or ()]
        bound_records(len(level))


def _fill_traces(message: Any, traces: _Traces) -> None:
    _bound(traces.resource_spans, "scope_spans", "spans")
    for resource_spans in traces.resource_spans or ():
        group = message.resource_spans.add()
        _fill_resource(group.resource, resource_spans.resource)
        for scope_spans in resource_spans.scope_spans or ():
            scope = group.scope_spans.add()
            _fill_scope(scope.scope, scope_spans.scope)
            for span in scope_spans.spans or ():
                _fill_span(scope.spans.add(), span)


def _fill_span(message: Any, span: _Span) -> None:
    message.trace_id = _id(span.trace_id)
    message.span_id = _id(span.span_id)
    message.parent_span_id = _id(span.parent_span_id)
    message.name = span.name or ""
    message.kind = _enum(span.kind, _SPAN_KINDS)
    message.start_time_unix_nano = _integer(span.start_time_unix_nano)
    message.end_time_unix_nano = _integer(span.end_time_unix_nano)
    _fill_attributes(message.attributes, span.attributes)
    for event in span.events or ():
        _fill_span_event(message.events.add(), event)
    if span.status is not None:
        message.status.message = span.status.message or ""
        message.status.code = _enum(span.status.code, _STATUS_CODES)


def _fill_span_event(message: Any, event: _SpanEvent) -> None:
    message.time_unix_nano = _integer(event.time_unix_nano)
    message.name = event.name or ""
    _fill_attributes(message.attributes, event.attributes)


def _fill_logs(message: Any, logs: _Logs) -> None:
    _bound(logs.resource_logs, "scope_logs", "log_records")
    for resource_logs in logs.resource_logs or ():
        group = message.resource_logs.add()
        _fill_resource(group.resource, resource_logs.resource)
        for scope_logs in resource_logs.scope_logs or ():
            scope = group.scope_logs.add()
            _fill_scope(scope.scope, scope_logs.scope)
            for record in scope_logs.log_records or ():
                _fill_log(scope.log_records.add(), record)


def _fill_log(message: Any, record: _LogRecord) -> None:
    message.time_unix_nano = _integer(record.time_unix_nano)
    message.observed_time_unix_nano = _integer(record.observed_time_unix_nano)
    message.severity_number = _enum(record.severity_number, {})
    message.severity_text = record.severity_text or ""
    message.event_name = record.event_name or ""
    if record.body is not None:
        _fill_value(message.body, record.body, DEEPEST_VALUE)
    _fill_attributes(message.attributes, record.attributes)
    message.trace_id = _id(record.trace_id)
    message.span_id = _id(record.span_id)


def _fill_metrics(message: Any, metrics: _Metrics) -> None:
    _bound(metrics.resource_metrics, "scope_metrics", "metrics")
    for resource_metrics in metrics.resource_metrics or ():
        group = message.resource_metrics.add()
        for scope_metrics in resource_metrics.scope_metrics or ():
            scope = group.scope_metrics.add()
            for metric in scope_metrics.metrics or ():
                filled = scope.metrics.add()
                for kind in metric.__struct_fields__:
                    points: _Points | None = getattr(metric, kind)
                    for _ in (points and points.data_points) or ():
                        getattr(filled, kind).data_points.add()


def _fill_resource(message: Any, resource: _Resource | None) -> None:
    if resource is not None:
        _fill_attributes(message.attributes, resource.attributes)


def _fill_scope(message: Any, scope: _Scope | None) -> None:
    if scope is not None:
        message.name = scope.name or ""
        message.version = scope.version or ""


def _fill_attributes(attributes: Any, pairs: list[_KeyValue] | None) -> None:
    for pair in pairs or ():
        message = attributes[pair.key or ""]  # makes the entry
        message.Clear()
        if pair.value is not None:
            _fill_value(message, pair.value, DEEPEST_VALUE)


def _fill_value(message: Any, value: _AnyValue, depth: int) -> None:
    if depth == 0:
        raise ValueError(f"a value nested deeper than {DEEPEST_VALUE}")
    if value.string_value is not None:
        message.string_value = value.string_value
    elif value.bool_value is not None:
        message.bool_value = value.bool_value
    elif value.int_value is not None:
        message.int_value = _integer(value.int_value)
    elif value.double_value is not None:
        message.double_value = float(value.double_value)
    elif value.array_value is not None:
        message.array_value.SetInParent()
        for element in value.array_value.values or ():
            _fill_value(message.array_value.values.add(), element, depth - 1)
    elif value.kvlist_value is not None:
        message.kvlist_value.SetInParent()
        for pair in value.kvlist_value.values or ():
            added = message.kvlist_value.values.add(key=pair.key or "")
            if pair.value is not None:
                _fill_value(added.value, pair.value, depth - 1)
    elif value.bytes_value is not None:
        message.bytes_value = _bytes(value.bytes_value)


_URL_SAFE: Final = str.maketrans("-_", "+/")


def _bytes(text: str) -> bytes:
    """Return bytes from base64 of either alphabet, with or without padding: ProtoJSON wants all of these read."""
    plain = text.translate(_URL_SAFE).rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _id(text: str | None) -> bytes:
    """Return an id from its hex; for what is no hex a single byte, which is no valid id anywhere."""
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        return b"?"


_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_LONGEST_SHOWN: Final = 32


def _integer(value: Integer | None) -> int:
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value or "0"):
            seen = repr(value) if len(value) <= _LONGEST_SHOWN else f"a text of {len(value)} characters"
            raise ValueError(f"seen {seen}, wanted an integer of 64 bits")
        return int(value or "0")
    return value or 0


def _enum(value: Integer | None, names: Mapping[str, int]) -> int:
    """Return an enum's number, also of its name; 0 for one that is not known."""
    if isinstance(value, str):
        return names.get(value, 0)
    return value if value is not None and 0 <= value < 1 << 31 else 0


_STATUS_CODES: Final = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_SPAN_KINDS: Final = {
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
}
