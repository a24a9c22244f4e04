"""The OTLP specification against a running collector: its own examples, and what it wants of a server.

Source: docs/specification.md of opentelemetry-proto, read at the commit that tests/cases/otlp/README.md names.
"""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.grpc_door import METHODS, STATUS_DETAILS
from tests.running_collector import RunningCollector, events, records
from tests.tokens import sender, write_tokens
from throughline.core.journal import Record

EXAMPLES = Path(__file__).parents[2] / "cases" / "otlp"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
SIGNALS = ("traces", "logs", "metrics")
RESPONSES = {
    "traces": ExportTraceServiceResponse,
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}
TRACE, SPAN = "5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    with RunningCollector(tmp_path_factory.mktemp("data")) as running:
        yield running


def post(
    collector: RunningCollector, signal: str, body: bytes, media_type: str = JSON, **headers: str
) -> httpx2.Response:
    sent = {"content-type": media_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return collector.client.post(collector.url(f"/v1/{signal}", "otlp_http"), content=body, headers=sent)


def example(name: str) -> bytes:
    return (EXAMPLES / f"{name}.json").read_bytes()


def last(collector: RunningCollector) -> Record:
    return records(collector.data)[-1]


# The examples


def test_the_example_of_a_trace_is_taken(collector: RunningCollector) -> None:
    answer = post(collector, "traces", example("trace"))
    assert (answer.status_code, answer.json()) == (200, {})
    (span,) = last(collector).spans
    assert (span.trace_id.hex(), span.span_id.hex()) == (TRACE.lower(), SPAN.lower())
    assert (span.parent_id or b"").hex() == "eee19b7ec3c1b173"
    assert (span.name, span.service, span.kind) == ("I'm a server span", "my.service", 2)
    assert (span.start, span.end) == (1_544_712_660_000_000, 1_544_712_661_000_000)


def test_the_example_of_a_log_record_is_kept_for_its_trace(collector: RunningCollector) -> None:
    answer = post(collector, "logs", example("logs"))
    assert (answer.status_code, answer.json()) == (200, {})
    (fact,) = last(collector).logs
    assert (fact.trace_id.hex(), fact.text, fact.severity) == (TRACE.lower(), "Example log record", "Information")


def test_the_example_of_an_event_is_an_event(collector: RunningCollector) -> None:
    answer = post(collector, "logs", example("events"))
    assert (answer.status_code, answer.json()) == (200, {})
    (event,) = last(collector).events
    assert (event.type, event.source, event.time) == ("browser.page_view", "my.service", 1_544_712_660_300_000)
    assert event.fields == {"event.attribute": "some event attribute"}


def test_the_example_of_metrics_is_answered_with_how_many_points_are_not_kept(collector: RunningCollector) -> None:
    answer = post(collector, "metrics", example("metrics"))
    partial = answer.json()["partialSuccess"]
    assert (answer.status_code, partial["rejectedDataPoints"]) == (200, "4")
    assert "not kept" in partial["errorMessage"]


# Success, partial success and failure


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(("media_type", "body"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_an_empty_request_is_a_success_without_partial_success(
    collector: RunningCollector, signal: str, media_type: str, body: bytes
) -> None:
    for content, headers in ((body, {}), (gzip.compress(body), {"content_encoding": "gzip"})):
        answer = post(collector, signal, content, media_type, **headers)
        assert (answer.status_code, answer.content) == (200, body)
        assert answer.headers["content-type"] == media_type


@pytest.mark.parametrize("signal", SIGNALS)
def test_an_empty_request_over_grpc_is_a_success(collector: RunningCollector, signal: str) -> None:
    with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            answer = channel.unary_unary(method_of(signal))(b"", compression=compression)
            assert RESPONSES[signal].FromString(answer) == RESPONSES[signal]()


def method_of(signal: str) -> str:
    (method,) = (name for name, each in METHODS.items() if each.value == signal)
    return method


def test_envelopes_without_content_are_a_success(collector: RunningCollector) -> None:
    assert post(collector, "traces", b'{"resourceSpans": [{}, {"scopeSpans": [{}, {"spans": []}]}]}').json() == {}
    assert post(collector, "logs", b'{"resourceLogs": [{}, {"scopeLogs": [{}, {"logRecords": []}]}]}').json() == {}


def test_what_is_accepted_in_part_says_how_much_was_rejected_and_why(collector: RunningCollector) -> None:
    good, bad = span_of(), span_of(traceId="00")
    answer = post(collector, "traces", traces(good, bad))
    partial = answer.json()["partialSuccess"]
    assert (answer.status_code, partial["rejectedSpans"]) == (200, "1")
    assert "without valid trace and span ids" in partial["errorMessage"]


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(("media_type", "body"), [(PROTOBUF, b"\xff\xff"), (JSON, b"{]")])
def test_bad_data_is_a_400_with_a_status(
    collector: RunningCollector, signal: str, media_type: str, body: bytes
) -> None:
    answer = post(collector, signal, body, media_type)
    assert (answer.status_code, answer.headers["content-type"]) == (400, media_type)
    said = Status.FromString(answer.content).message if media_type == PROTOBUF else answer.json()["message"]
    assert said


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[tuple[RunningCollector, dict[str, str]]]:
    """A collector that lets a sender send one record and then no more for long, and what that sender shows."""
    file = write_tokens(tmp_path / "tokens.yaml", erp=sender("the-secret-of-the-erp", rate=0.01, burst=1))
    with RunningCollector(tmp_path / "data", {"tokens": str(file)}) as running:
        yield running, {"authorization": "Bearer the-secret-of-the-erp"}


def test_throttling_says_when_to_come_again(limited: tuple[RunningCollector, dict[str, str]]) -> None:
    collector, shown = limited
    assert post(collector, "traces", b"", PROTOBUF, **shown).status_code == 200
    answer = post(collector, "traces", b"", PROTOBUF, **shown)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(method_of("traces"))(b"", metadata=tuple(shown.items()))
    call: Any = error.value
    assert call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    status = Status.FromString(dict(call.trailing_metadata())[STATUS_DETAILS])
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.retry_delay.seconds > 0


# JSON


def span_of(**changed: Any) -> dict[str, Any]:
    at = time.time_ns()
    return {"traceId": TRACE, "spanId": SPAN, "name": "x", "endTimeUnixNano": str(at)} | changed


def traces(*spans: Mapping[str, Any], **more: Any) -> bytes:
    attributes = [{"key": "service.name", "value": {"stringValue": "my.service"}}]
    group = {"resource": {"attributes": attributes}, "scopeSpans": [{"spans": list(spans)}]}
    return json.dumps({"resourceSpans": [group], **more}).encode()


def attribute(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def fact_of(collector: RunningCollector, **changed: Any) -> Any:
    """Send a span and return the fact of it."""
    answer = post(collector, "traces", traces(span_of(**changed)))
    assert (answer.status_code, answer.json()) == (200, {})
    (fact,) = last(collector).spans
    return fact


def field_of(collector: RunningCollector, value: Any) -> Any:
    """Send a span with an event that has this value as a field, and return the field."""
    stated = [attribute("throughline.event", {"stringValue": "x.seen"}), attribute("throughline.f", value)]
    fact_of(collector, attributes=stated)
    return events(collector.data)[-1].fields.get("f")


@pytest.mark.parametrize("write", [str.lower, str.upper, str.title])
def test_ids_are_hex_of_either_case(collector: RunningCollector, write: Callable[[str], str]) -> None:
    fact = fact_of(collector, traceId=write(TRACE), spanId=write(SPAN))
    assert (fact.trace_id.hex(), fact.span_id.hex()) == (TRACE.lower(), SPAN.lower())


def test_ids_in_base64_are_none(collector: RunningCollector) -> None:
    encoded = base64.b64encode(bytes.fromhex(TRACE)).decode()
    assert post(collector, "traces", traces(span_of(traceId=encoded))).status_code == 400


def test_64_bit_integers_are_texts_or_numbers(collector: RunningCollector) -> None:
    at = 1_764_399_600_123_456_789
    assert fact_of(collector, endTimeUnixNano=at).end == fact_of(collector, endTimeUnixNano=str(at)).end
    largest = 2**63 - 1
    assert field_of(collector, {"intValue": largest}) == field_of(collector, {"intValue": str(largest)}) == largest


@pytest.mark.parametrize(("kind", "number"), [(3, 3), (0, 0), (99, 99), (None, 0)])
def test_enums_are_integers_and_those_not_known_do_no_harm(
    collector: RunningCollector, kind: object, number: int
) -> None:
    assert fact_of(collector, kind=kind).kind == number
    assert fact_of(collector, status={"code": 2}).failed is True
    assert fact_of(collector, status={"code": 99}).failed is False


def test_unknown_enum_values_in_protobuf_do_no_harm(collector: RunningCollector) -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    span.MergeFromString(b"\x30\x63" + b"\x7a\x02\x18\x63")  # kind 99, status code 99
    answer = post(collector, "traces", request.SerializeToString(), PROTOBUF)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (last(collector).spans[0].kind, last(collector).spans[0].failed) == (99, False)


def test_unknown_members_are_ignored_at_every_level(collector: RunningCollector) -> None:
    strange = {"unheardOf": {"a": [1, None]}, "trace_id": "no name of a member", "droppedAttributesCount": 1}
    value = {"stringValue": "x.seen", "unheardOf": 1}
    stated = [{"key": "throughline.event", "value": value, "unheardOf": 1}]
    span = span_of(**strange, attributes=stated, events=[{"name": "e", **strange}], links=[{"traceId": TRACE}])
    answer = post(collector, "traces", traces(span, **strange))
    assert (answer.status_code, answer.json()) == (200, {})
    assert events(collector.data)[-1].type == "x.seen"


def test_unknown_fields_in_protobuf_are_ignored(collector: RunningCollector) -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="known")
    body = request.SerializeToString() + b"\xfa\x3f\x03abc"  # field 1023
    assert post(collector, "traces", body, PROTOBUF).content == b""
    assert last(collector).spans[0].name == "known"


def test_names_other_than_lower_camel_case_are_unknown(collector: RunningCollector) -> None:
    before = len(records(collector.data))
    answer = post(collector, "traces", traces(span_of()).replace(b"resourceSpans", b"resource_spans"))
    assert (answer.status_code, answer.json()) == (200, {})
    assert sum(len(record.spans) for record in records(collector.data)[before:]) == 0


def test_null_is_as_good_as_absent_everywhere(collector: RunningCollector) -> None:
    message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    nothing = MessageToDict(span, always_print_fields_with_no_presence=True).keys() - {"traceId", "spanId"}
    fact_of(collector, **dict.fromkeys(nothing), status=None)
    fact_of(collector, attributes=[{"key": None, "value": None}], events=[{"name": None, "attributes": None}])
    assert post(collector, "traces", b'{"resourceSpans": null}').json() == {}
    body = b'{"resourceSpans": [{"resource": null, "scopeSpans": [{"scope": null, "spans": null}]}]}'
    assert post(collector, "traces", body).json() == {}


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"stringValue": ""}, ""),
        ({"boolValue": False}, False),
        ({"intValue": "-5"}, -5),
        ({"doubleValue": 1}, 1),
        ({"doubleValue": "0.5"}, 0.5),
        ({"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}, ["a", "b"]),
        ({}, None),
    ],
)
def test_values_of_every_kind_are_read(collector: RunningCollector, value: object, field: object) -> None:
    assert field_of(collector, value) == field


@pytest.mark.parametrize("text", ["-_8=", "-_8", "+/8=", "+/8"])
def test_bytes_are_base64_of_either_alphabet_with_or_without_padding(collector: RunningCollector, text: str) -> None:
    record = {"body": {"bytesValue": text}, "traceId": TRACE, "spanId": SPAN, "timeUnixNano": str(time.time_ns())}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    answer = post(collector, "logs", body)
    assert (answer.status_code, answer.json()) == (200, {})
    assert base64.b64decode(json.loads(last(collector).logs[0].text)) == b"\xfb\xff"


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_media_type_may_have_parameters(collector: RunningCollector, signal: str) -> None:
    assert post(collector, signal, b"{}", "Application/JSON; charset=utf-8").json() == {}


def test_profiles_which_are_not_stable_are_refused_for_good(collector: RunningCollector) -> None:
    answer = collector.client.post(collector.url("/v1development/profiles", "otlp_http"), content=b"")
    assert answer.status_code == 404
    profiles = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
    with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(profiles)(b"")
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
