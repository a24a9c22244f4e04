"""Hostile OTLP: requests as messages, the same over HTTP and gRPC, and what only one of the two can carry."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from tests.hostile import MARK
from tests.hostile.http1 import bomb, gzipped, nested, request
from tests.hostile.protobuf import (
    SPAN_ID,
    TRACE_ID,
    attribute,
    field,
    log,
    logs,
    metrics,
    span,
    text,
    traces,
    value_of_depth,
    varint,
)
from tests.hostile.transport import Table, Way

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
TRACES, LOGS, METRICS = "/v1/traces", "/v1/logs", "/v1/metrics"


def way(inside: int) -> Way:
    return Way(TRACES, PROTOBUF, traces(span()), inside)


# What can't be read as the message that its path or method says, whatever the protocol.
MALFORMED: dict[str, tuple[str, bytes]] = {
    "nonsense": (TRACES, b"\xff" * 100),
    "nonsense for logs": (LOGS, b"\xff" * 100),
    "nonsense for metrics": (METRICS, b"\xff" * 100),
    "text": (TRACES, b"hostile hostile hostile"),
    "JSON for protobuf": (TRACES, b'{"resourceSpans": []}'),
    "a request cut short": (TRACES, traces(span())[:-1]),
    "logs cut short": (LOGS, logs(log())[:-1]),
    "metrics cut short": (METRICS, metrics(3)[:-1]),
    "a length beyond": (TRACES, b"\x0a\xff\xff\xff\xff\x0f"),
    "a length beyond 64 bits": (TRACES, b"\x0a" + b"\xff" * 11),
    "a negative length": (TRACES, b"\x0a" + varint((1 << 64) - 1)),
    "a tag of zero": (TRACES, b"\x00\x00"),
    "a tag of an unknown kind": (TRACES, b"\x0f\x01"),
    "a tag without end": (TRACES, b"\x80" * 20),
    "groups without end": (TRACES, b"\x0b" * 10_000),
    "an end without its group": (TRACES, b"\x0c"),
    "deep values": (TRACES, traces(span(field(9, attribute(b"hostile", value_of_depth(5_000)))))),
    "deep values in a log": (LOGS, logs(log(field(5, value_of_depth(5_000))))),
    "invalid UTF-8 in a name": (TRACES, traces(span(name=b"\xff\xfe"))),
    "invalid UTF-8 in a key": (TRACES, traces(span(field(9, attribute(b"\xff", text("x")))))),
    "invalid UTF-8 in a value": (TRACES, traces(span(field(9, attribute(b"a", text("").replace(b"\0", b"\1\xff")))))),
    "invalid UTF-8 in an event's name": (LOGS, logs(log(name=b"\xc3\x28"))),
    "a surrogate as UTF-8": (LOGS, logs(log(name=b"\xed\xa0\x80"))),
    "a span where its group belongs": (TRACES, field(1, field(1, field(1, b"\xff" * 20)))),
    "a double cut short": (TRACES, traces(span(field(9, field(1, b"a") + field(2, b"\x21\0\0\0"))))),
    "a time cut short": (TRACES, traces(field(1, TRACE_ID) + b"\x41\0\0\0")),
    # ids
    "a trace id of zeros": (TRACES, traces(span(trace_id=bytes(16)))),
    "a span id of zeros": (TRACES, traces(span(span_id=bytes(8)))),
    "no trace id": (TRACES, traces(span(trace_id=b""))),
    "a short trace id": (TRACES, traces(span(trace_id=TRACE_ID[:-1]))),
    "a long trace id": (TRACES, traces(span(trace_id=TRACE_ID * 2))),
    "a trace id of a hundred thousand bytes": (TRACES, traces(span(trace_id=b"t" * 100_000))),
    "a short span id": (TRACES, traces(span(span_id=SPAN_ID[:-1]))),
    "a trace id in hex": (TRACES, traces(span(trace_id=TRACE_ID.hex().encode()))),
    "many spans without ids": (TRACES, traces(*[b""] * 5_000)),
    # the message of another signal
    "logs as traces": (TRACES, logs(log())),
    "metrics as traces": (TRACES, metrics(3)),
    "traces as metrics": (METRICS, traces(span())),
    "traces as logs": (LOGS, traces(field(1, TRACE_ID) + field(12, b"\xff"))),
}

# Too much of something in one request.
TOO_LARGE: dict[str, tuple[str, bytes]] = {
    "more spans than allowed": (TRACES, field(1, field(2, b"\x12\x00" * 200_000))),
    "more logs than allowed": (LOGS, field(1, field(2, b"\x12\x00" * 200_000))),
    "empty resources without end": (TRACES, b"\x0a\x00" * 400_000),
    "empty resources of logs without end": (LOGS, b"\x0a\x00" * 400_000),
    "empty resources of metrics without end": (METRICS, b"\x0a\x00" * 400_000),
    "empty scopes without end": (TRACES, field(1, b"\x12\x00" * 400_000)),
    "empty scopes of logs without end": (LOGS, field(1, b"\x12\x00" * 400_000)),
    "empty metrics without end": (METRICS, field(1, field(2, b"\x12\x00" * 400_000))),
}


# Taken as far as OTLP knows partial success: the answer is good and says what was not taken, or there was nothing.
SET_ASIDE: dict[str, tuple[str, bytes]] = {
    "an event of ours": (LOGS, logs(log(name=b"throughline.unlink"))),
    "an event in 2062": (LOGS, logs(log(time=b"\x09" + (2_903_299_200 * 10**9).to_bytes(8, "little")))),
    "an event at the end of time": (LOGS, logs(log(time=b"\x09" + b"\xff" * 8))),
    "an event without a time": (LOGS, logs(log(time=b""))),
    "an event without a service": (LOGS, logs(log(), resource=b"")),
    "an event with a NUL": (LOGS, logs(log(name=b"a\0b"))),
    "a long event name": (LOGS, logs(log(name=b"x" * 5_000))),
    "an amount that is NaN": (
        LOGS,
        logs(log(field(6, attribute(b"amount", b"\x21" + b"\0" * 6 + b"\xf8\x7f")))),
    ),
    "an amount beyond all bounds": (LOGS, logs(log(field(6, attribute(b"amount", text("1e999999999")))))),
    "a number that is infinite": (LOGS, logs(log(field(6, attribute(b"a", b"\x21" + b"\0" * 6 + b"\xf0\x7f"))))),
    "a currency that is none": (LOGS, logs(log(field(6, attribute(b"currency", text("HOSTILE")))))),
    "a long text": (LOGS, logs(log(field(6, attribute(b"a", text("x" * 100_000)))))),
    "more attributes than a thousand": (
        LOGS,
        logs(log(*(field(6, attribute(b"a%d" % n, text("x"))) for n in range(2_000)))),
    ),
    "an array of twenty thousand": (
        LOGS,
        logs(log(field(6, attribute(b"time_entry", field(5, field(1, text("x")) * 20_000))))),
    ),
    "relations that are deep JSON": (
        LOGS,
        logs(log(field(6, attribute(b"relations", text(b"[" * 5_000))))),
    ),
    "amounts that are deep JSON": (
        LOGS,
        logs(log(field(6, attribute(b"amounts", text(b'{"a":' * 1_600))))),
    ),
}


def messages(signal: str, **changed: Any) -> bytes:
    """Return a request in OTLP/JSON with one record, but for what is changed in it."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": MARK}}]}
    spans = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": MARK, "endTimeUnixNano": "1760000000000000000"}
    record = {"timeUnixNano": "1760000000000000000", "eventName": "hostile.happened"}
    if signal == TRACES:
        group = {"resource": resource, "scopeSpans": [{"spans": [spans | changed]}]}
        return json.dumps({"resourceSpans": [group]}).encode()
    group = {"resource": resource, "scopeLogs": [{"logRecords": [record | changed]}]}
    return json.dumps({"resourceLogs": [group]}).encode()


def _attribute(key: str, value: object) -> list[dict[str, object]]:
    return [{"key": key, "value": value}]


def _value(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


def _json(path: str, body: bytes) -> bytes:
    return request(path, JSON, body)


def _traces(**changed: Any) -> tuple[bytes, int]:
    return _json(TRACES, messages(TRACES, **changed)), 400


def _logs(**changed: Any) -> tuple[bytes, int]:
    return _json(LOGS, messages(LOGS, **changed)), 400


_IN_JSON: Table = {
    "no JSON": (_json(TRACES, b"{hostile"), 400),
    "an empty body": (_json(TRACES, b""), 400),
    "JSON cut short": (_json(TRACES, messages(TRACES)[:-2]), 400),
    "two documents": (_json(TRACES, messages(TRACES) * 2), 400),
    "an array": (_json(TRACES, b"[]"), 400),
    "null": (_json(TRACES, b"null"), 400),
    "a text for an array": (_json(TRACES, b'{"resourceSpans": "hostile"}'), 400),
    "deep nesting": (_json(TRACES, nested(20_000)), 400),
    "deep brackets": (_json(LOGS, b"[" * 100_000), 400),
    "nested deeper than allowed, where nobody looks": (_json(TRACES, b'{"x": %s}' % nested(100)), 400),
    "UTF-16": (_json(TRACES, messages(TRACES).decode().encode("utf-16")), 400),
    "invalid UTF-8": (_json(TRACES, messages(TRACES).replace(b"hostile", b"\xff")), 400),
    "half a surrogate pair": (_json(TRACES, messages(TRACES).replace(b"hostile", rb"\ud800")), 400),
    "an id in base64": _traces(traceId=base64.b64encode(TRACE_ID).decode()),
    "an id of other letters": _traces(traceId="zz" * 16),
    "a short id": _traces(traceId="ab"),
    "an id of zeros": _traces(spanId="00" * 8),
    "an id with blanks": _traces(spanId="cd cd cd cd"),
    "an id that is a number": _traces(traceId=7),
    "an id that is an object": _traces(spanId={}),
    "an id of a megabyte": _traces(traceId="ab" * 80_000),
    "a time beyond 64 bits": _traces(endTimeUnixNano="18446744073709551616"),
    "a time before zero": _traces(endTimeUnixNano="-1"),
    "a time of ten thousand digits": _traces(endTimeUnixNano="9" * 10_000),
    "a number of ten thousand digits": (
        _json(TRACES, messages(TRACES).replace(b'"1760000000000000000"', b"9" * 10_000)),
        400,
    ),
    "a time with a fraction": _traces(endTimeUnixNano=1.5),
    "a time that is text": _traces(endTimeUnixNano="hostile"),
    "a time with underscores": _traces(endTimeUnixNano="1_760"),
    "a time with blanks": _traces(endTimeUnixNano=" 1760 "),
    "a time of other digits": _traces(endTimeUnixNano="\u0661\u0662"),
    "a time that is true": _traces(endTimeUnixNano=True),
    "a time that is NaN": (_json(TRACES, messages(TRACES).replace(b'"1760000000000000000"', b"NaN")), 400),
    "an integer beyond 64 bits": _traces(attributes=_attribute("a", {"intValue": "9223372036854775808"})),
    "an integer that is text": _traces(attributes=_attribute("a", {"intValue": "hostile"})),
    "an integer with an exponent": _traces(attributes=_attribute("a", {"intValue": "1e999999999"})),
    "a double that is text": _traces(attributes=_attribute("a", {"doubleValue": "hostile"})),
    "a double of ten thousand letters": _traces(attributes=_attribute("a", {"doubleValue": "x" * 10_000})),
    "bytes that are no base64": _traces(attributes=_attribute("a", {"bytesValue": "a"})),
    "a bool that is text": _traces(attributes=_attribute("a", {"boolValue": "hostile"})),
    "a value that is text": _traces(attributes=_attribute("a", "hostile")),
    "attributes that are an object": _traces(attributes={"hostile": 1}),
    "a key that is a number": _traces(attributes=[{"key": 7}]),
    "a deep value": _traces(attributes=_attribute("a", _value(40))),
    "a deep body": _logs(body=_value(40)),
    "a name that is an array": _logs(eventName=["hostile"]),
    "a status that is a text": _traces(status="hostile"),
    "span events that are an object": _traces(events={}),
    "metrics that are a text": (_json(METRICS, b'{"resourceMetrics": "hostile"}'), 400),
    "points that are an object": (
        _json(METRICS, b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":{}}}]}]}]}'),
        400,
    ),
    "more spans than allowed": (
        _json(TRACES, b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 200_000 + b"{}]}]}]}"),
        413,
    ),
    "empty resources without end": (_json(TRACES, b'{"resourceSpans":[' + b"{}," * 250_000 + b"{}]}"), 413),
    "empty metrics without end": (
        _json(METRICS, b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[' + b"{}," * 250_000 + b"{}]}]}]}"),
        413,
    ),
}

_GOOD = traces(span())

_HTTP: Table = {
    "another path": (request("/v1/hostile", PROTOBUF, _GOOD), 404),
    "a path of CloudEvents": (request("/v1/events", PROTOBUF, _GOOD), 404),
    "profiles": (request("/v1development/profiles", PROTOBUF, _GOOD), 404),
    "CloudEvents": (request(TRACES, "application/cloudevents+json", b"{}"), 415),
    "another media type": (request(TRACES, "application/octet-stream", _GOOD), 415),
    "gRPC over HTTP/1.1": (request(TRACES, "application/grpc", _GOOD), 415),
    "no media type": (request(TRACES, "", _GOOD), 415),
    "another coding": (request(TRACES, PROTOBUF, _GOOD, "content-encoding: zstd\r\n"), 415),
    "gzip that is none": (gzipped(TRACES, PROTOBUF, _GOOD), 400),
    "gzip cut short": (gzipped(TRACES, PROTOBUF, gzip.compress(_GOOD)[:-3]), 400),
    "gzip in gzip": (gzipped(TRACES, PROTOBUF, gzip.compress(gzip.compress(_GOOD))), 400),
    "a bomb of zeros": (gzipped(TRACES, PROTOBUF, bomb(100_000_000)), 413),
    "a bomb of empty resources": (gzipped(TRACES, PROTOBUF, gzip.compress(b"\x0a\x00" * 450_000)), 413),
    "a bomb of JSON": (gzipped(TRACES, JSON, gzip.compress(b"[" * 900_000)), 400),
    "health": (request("/healthz", PROTOBUF, b"", method="GET"), 404),
}

OVER_HTTP: Table = {
    **_HTTP,
    **{f"protobuf: {name}": (request(path, PROTOBUF, body), 400) for name, (path, body) in MALFORMED.items()},
    **{f"protobuf: {name}": (request(path, PROTOBUF, body), 413) for name, (path, body) in TOO_LARGE.items()},
    **{
        f"protobuf, set aside: {name}": (request(path, PROTOBUF, body), 200) for name, (path, body) in SET_ASIDE.items()
    },
    **{f"JSON: {name}": row for name, row in _IN_JSON.items()},
}
