"""Whatever comes in at a door, it is read, set aside or refused with a sentence: no decoder raises anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.cloudevents import BATCH, JSON, STRUCTURED
from collector.http_answers import export_answer, problem_answer, receipt_answer, status_answer
from collector.inflate import inflate
from collector.intake import AllSetAside, Incoming, Receipt, entry_of, read
from collector.json_bodies import content_type_of
from collector.otlp import plain
from collector.otlp_wire import make_whole, wire
from collector.reading import Door, Reading, Refused, Signal
from tests.hostile import otlp
from tests.hostile.mutations import PIECES, mutated
from tests.hostile.protobuf import attribute, field, log, logs, metrics, span, text, traces
from throughline.core.event import decode_block
from throughline.core.instants import parse_instant
from throughline.core.mappings.folder import read_mappings

EXAMPLES = 400
BUSY = [HealthCheck.too_slow]  # a machine may be
NESTING = 64
RECEIVED = parse_instant("2026-11-02T16:05:00Z")
MAPPINGS = read_mappings(Path(__file__).parents[2] / "cases" / "mappings")[0]
INPUTS = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "cases" / "mappings").rglob("input.json"))]
JSON_MAPPINGS = [name for name, mapping in MAPPINGS.by_name.items() if mapping.input == "json"]

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/psa",
    "type": "time.approved",
    "time": "2025-11-02T16:04:11Z",
    "recordedtime": "2025-11-02T16:04:12Z",
    "correlationid": "c",
    "bamtxid": "b",
    "sequence": "7",
    "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
    "data": {
        "time_entry": ["TE-1", "TE-2"],
        "amount": 11.25,
        "currency": "EUR",
        "hours": "7.5",
        "billable": True,
        "amounts": {"TE-1": "1"},
        "outcome": "failure",
        "error": {"category": "timeout", "attempt": 1},
        "relations": [{"from": {"invoice": "I"}, "to": {"time_entry": "TE-1"}, "qualifier": "bills"}],
    },
}
SPAN = span(
    field(9, attribute(b"throughline.event", text("time.posted"))),
    field(9, attribute(b"throughline.time_entry", field(5, field(1, text("TE-1"))))),
    field(9, attribute(b"throughline.relations", field(6, field(1, attribute(b"from", text("x")))))),
    field(11, field(2, b"e") + field(3, attribute(b"throughline.event", text("time.failed")))),
    field(15, field(2, b"failed") + b"\x18\x02"),
)
LOG = log(
    field(6, attribute(b"amount", text("1.5"))),
    field(6, attribute(b"currency", text("EUR"))),
    field(6, attribute(b"rate", b"\x21" + b"\0" * 6 + b"\xf0\x3f")),
    field(6, attribute(b"count", b"\x18\x07")),
    field(5, text("body")),
    field(9, b"t" * 16),
    field(10, b"s" * 8),
)
WHOLE = json.dumps(EVENT).encode()
EVENTS = [WHOLE, b"[" + WHOLE + b"," + WHOLE + b"]", json.dumps(EVENT["data"]).encode(), *INPUTS]
PROTOBUF = [traces(SPAN, SPAN), logs(LOG, LOG), metrics(3), logs(LOG) + logs(LOG), traces(span()) * 2]
IN_JSON = [
    otlp.messages(otlp.TRACES, attributes=[{"key": "throughline.event", "value": {"stringValue": "a.b"}}]),
    otlp.messages(otlp.LOGS, attributes=[{"key": "amount", "value": {"doubleValue": 1.5}}], body={"kvlistValue": {}}),
    b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}',
]
OTLP_SIGNALS = st.sampled_from([Signal.TRACES, Signal.LOGS, Signal.METRICS])


def taken(incoming: Incoming) -> Reading | None:
    """Take a request as far as the journal, and answer it; None where it is refused."""
    try:
        reading = read(incoming, RECEIVED, NESTING, MAPPINGS)
    except Refused as refused:
        return told(refused)
    entry = entry_of(incoming, reading, RECEIVED)
    assert len(decode_block(entry.events)) == len(reading.events)
    receipt = Receipt(reading, 0, "j1")
    if incoming.signal in (Signal.EVENTS, Signal.JSON):
        assert msgspec.json.decode(receipt_answer(receipt).body)["accepted"] == len(reading.events)
        assert problem_answer(AllSetAside(receipt), "POST").body
    else:
        assert export_answer(incoming.signal, incoming.content_type, receipt).status == 200
    return reading


def told(refused: Refused) -> None:
    """Tell a sender that a request is refused."""
    assert refused.sentence
    assert problem_answer(refused, "POST").status in range(400, 500)
    assert status_answer(refused, otlp.PROTOBUF, "POST").body


def taken_again(signal: Signal, reading: Reading) -> None:
    """Take each that was set aside as the request of its own which is kept of it."""
    for rejected in reading.rejected:
        taken(Incoming(Door.CLOUDEVENTS, signal, "s", rejected.content_type, {}, rejected.body))


@given(mutated(EVENTS), st.sampled_from([STRUCTURED, BATCH, JSON]))
@settings(max_examples=EXAMPLES, suppress_health_check=BUSY)
def test_cloudevents(body: bytes, media_type: str) -> None:
    reading = taken(Incoming(Door.CLOUDEVENTS, Signal.EVENTS, "s", media_type, {}, body))
    if reading is not None:
        taken_again(Signal.EVENTS, reading)


NAMES = (
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "subject",
    "traceparent",
    "correlationid",
    "bamtxid",
    "data",
    "x",
)
HEADERS = st.dictionaries(
    st.sampled_from(NAMES).map("ce-{}".format),
    st.sampled_from([*(str(value) for value in EVENT.values()), *(piece.decode("latin-1") for piece in PIECES)])
    | st.text(st.characters(max_codepoint=255), max_size=20),
    min_size=1,
)


@given(mutated(EVENTS), HEADERS, st.booleans())
@settings(max_examples=EXAMPLES, suppress_health_check=BUSY)
def test_cloudevents_in_headers(body: bytes, headers: dict[str, str], right: bool) -> None:
    rest = {f"ce-{name}": str(EVENT[name]) for name in ("specversion", "id", "source", "type", "time")} if right else {}
    reading = taken(Incoming(Door.CLOUDEVENTS, Signal.EVENTS, "s", JSON, rest | headers, body))
    if reading is not None:
        taken_again(Signal.EVENTS, reading)


@given(mutated(EVENTS), st.sampled_from(JSON_MAPPINGS))
@settings(max_examples=EXAMPLES, suppress_health_check=BUSY)
def test_webhooks(body: bytes, mapping: str) -> None:
    reading = taken(Incoming(Door.JSON, Signal.JSON, "s", content_type_of(mapping), {}, body))
    if reading is not None:
        taken_again(Signal.JSON, reading)


@given(mutated(IN_JSON), OTLP_SIGNALS)
@settings(max_examples=EXAMPLES, suppress_health_check=BUSY)
def test_otlp_in_json(body: bytes, signal: Signal) -> None:
    reading = taken(Incoming(Door.OTLP_HTTP, signal, "s", otlp.JSON, {}, body))
    if reading is not None:
        taken_again(signal, reading)


@given(mutated(PROTOBUF), OTLP_SIGNALS)
@settings(max_examples=EXAMPLES, suppress_health_check=BUSY)
def test_otlp_in_protobuf(body: bytes, signal: Signal) -> None:
    reading = taken(Incoming(Door.OTLP_HTTP, signal, "s", otlp.PROTOBUF, {}, body))
    if reading is not None:
        taken_again(signal, reading)


ORACLES = {
    "TracesRequest": (ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans"),
    "LogsRequest": (ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records"),
    "MetricsRequest": (ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics"),
}
READ_ALIKE = {
    "TracesRequest": ("trace_id", "span_id", "parent_span_id", "name", "kind", "end_time_unix_nano"),
    "LogsRequest": ("trace_id", "span_id", "time_unix_nano", "severity_number", "severity_text", "event_name"),
    "MetricsRequest": ("name",),
}


@given(mutated(PROTOBUF), st.sampled_from(sorted(ORACLES)))
@settings(max_examples=2 * EXAMPLES, suppress_health_check=BUSY)
@example(traces(SPAN, SPAN), "TracesRequest")
@example(logs(LOG, LOG), "LogsRequest")
def test_our_descriptor_reads_what_the_official_one_reads(body: bytes, name: str) -> None:
    """Ours may read on where a field that it skips is broken; it refuses nothing that is right, and reads it alike."""
    official, *levels = ORACLES[name]
    try:
        theirs = official.FromString(body)
    except DecodeError:
        theirs = None
    try:
        ours = getattr(wire(), name).FromString(body)
    except DecodeError:
        assert theirs is None
        return
    if theirs is not None:
        assert records(ours, levels, READ_ALIKE[name]) == records(theirs, levels, READ_ALIKE[name])


def records(request: Any, levels: list[str], fields: tuple[str, ...]) -> list[Any]:
    """Return each record with what its resource says, as plain values that compare: a NaN is a text."""
    groups, scopes, elements = levels
    return [
        (attributes(group.resource), [getattr(each, field) for field in fields], attributes(each))
        for group in getattr(request, groups)
        for scope in getattr(group, scopes)
        for each in getattr(scope, elements)
    ]


def attributes(message: Any) -> str:
    """Return attributes in the order of their names, values as our descriptor has them; of two of one name the last."""
    found = getattr(message, "attributes", None)
    if found is None:
        return ""
    if isinstance(found, Mapping):
        make_whole(message, message.DESCRIPTOR.fields_by_name["attributes"].number)
        return repr(sorted((key, plain(found[key])) for key in found))
    official = {each.key: wire().AnyValue.FromString(each.value.SerializeToString()) for each in found}
    return repr(sorted((key, plain(value)) for key, value in official.items()))


@given(
    st.binary(max_size=200)
    | mutated([b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x04\x00\x43\xbe\xb7\xe8\x01\0\0\0"])
)
@settings(max_examples=EXAMPLES, suppress_health_check=BUSY)
def test_gzip(body: bytes) -> None:
    try:
        assert len(inflate(body, 1_000)) <= 1_000
    except Refused as refused:
        told(refused)
