"""What a running collector answers at each door, and what is durable then."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.running_collector import BATCH, CLOUDEVENT, RunningCollector, cloudevent, events, records
from tests.tokens import sender, write_tokens
from throughline.core.journal import JOURNAL_FILE, JournalReader

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
POSITION = "throughline-position"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    with RunningCollector(tmp_path_factory.mktemp("data")) as running:
        yield running


def traces_request(number: int, **attributes: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="erp")))
    span = group.scope_spans.add().spans.add(
        trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="post", end_time_unix_nano=10**18
    )
    for key, value in attributes.items():
        span.attributes.append(KeyValue(key="throughline." + key, value=AnyValue(string_value=value)))
    return request


def post(collector: RunningCollector, door: str, path: str, body: bytes, headers: dict[str, str]) -> httpx2.Response:
    return collector.client.post(collector.url(path, door), content=body, headers=headers)


# CloudEvents


def test_a_batch_is_answered_202_once_durable(collector: RunningCollector) -> None:
    bad = cloudevent(2, type="throughline.link")
    answer = collector.send(cloudevent(1), bad, cloudevent(1), cloudevent(3))
    assert answer.status_code == 202
    document = answer.json()
    assert (document["accepted"], document["duplicates"]) == (3, 1)
    assert [(entry["index"], entry["reason"]) for entry in document["set_aside"]] == [(1, "reserved_type")]
    assert "ours alone" in document["set_aside"][0]["detail"]
    assert answer.headers[POSITION] == document["position"]
    assert [event.id for event in events(collector.data)][-3:] == ["e-1", "e-1", "e-3"]
    again = collector.send(cloudevent(3)).json()
    assert (again["accepted"], again["duplicates"]) == (1, 1)
    assert again["position"] != document["position"]


def test_a_request_of_which_nothing_can_be_taken_is_a_422_and_quarantined_once(collector: RunningCollector) -> None:
    bad = cloudevent(10, time="yesterday")
    for _ in range(2):
        answer = collector.send(bad)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["set_aside"][0]["reason"] == "bad_time"
    reader = JournalReader(collector.data / JOURNAL_FILE)
    (entry,) = (entry for entry in reader.quarantine() if entry.event_id == "e-10")
    assert (entry.times, entry.reason, entry.door, entry.sender) == (2, "bad_time", "cloudevents", "127.0.0.1")
    content_type, body = reader.quarantined_body(entry.id) or ("", b"")
    assert (content_type, json.loads(body)) == (CLOUDEVENT, bad)
    reader.close()


def test_raw_payloads_are_kept_with_their_sender(collector: RunningCollector) -> None:
    body = json.dumps(cloudevent(20)).encode()
    headers = {"content-type": CLOUDEVENT, "content-encoding": "gzip"}
    position = collector.client.post(collector.events_url, content=gzip.compress(body), headers=headers).json()[
        "position"
    ]
    reader = JournalReader(collector.data / JOURNAL_FILE)
    (raw,) = reader.requests(int(position[1:]))
    assert (raw.body, raw.content_type, raw.door, raw.signal, raw.sender) == (
        body,
        CLOUDEVENT,
        "cloudevents",
        "events",
        "127.0.0.1",
    )
    reader.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", "/v1/events", {"content-type": CLOUDEVENT}, b"{", 400),
        ("POST", "/v1/events", {"content-type": CLOUDEVENT, "content-encoding": "gzip"}, b"{}", 400),
        ("POST", "/v1/events", {"content-type": "text/plain"}, b"{}", 415),
        ("POST", "/v1/events", {}, b"{}", 415),
        ("POST", "/v1/events", {"content-type": CLOUDEVENT, "content-encoding": "br"}, b"{}", 415),
        ("POST", "/v1/events", {"content-type": BATCH}, b" " * 16_777_217, 413),
        ("GET", "/v1/events", {}, b"", 405),
        ("OPTIONS", "/v1/events", {}, b"", 405),
        ("OPTIONS", "/v1/events", {"webhook-request-origin": "no host"}, b"", 400),
        ("POST", "/healthz", {}, b"", 405),
        ("POST", "/v1/traces", {}, b"", 404),
        ("GET", "/", {}, b"", 404),
    ],
)
def test_what_cannot_be_taken_is_a_problem_document(
    collector: RunningCollector, method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = collector.client.request(method, collector.url(path), headers=headers, content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:throughline:problem:")
    assert document["detail"]
    if status == 405:
        assert answer.headers["allow"] == ("POST" if path == "/v1/events" else "GET, HEAD")


def test_a_sender_that_asks_for_leave_as_cloudevents_has_it_is_given_it(collector: RunningCollector) -> None:
    asked = {"webhook-request-origin": "events.example.com", "webhook-request-rate": "120"}
    answer = collector.client.options(collector.url("/v1/events"), headers=asked)
    assert answer.status_code == 200
    assert answer.headers["allow"] == "POST"
    assert answer.headers["webhook-allowed-origin"] == "events.example.com"
    assert answer.headers["webhook-allowed-rate"] == "*"


def test_health_readiness_and_metrics_are_shown(collector: RunningCollector) -> None:
    assert collector.client.get(collector.url("/healthz")).json() == {"alive": True}
    assert collector.ready() == []
    assert collector.client.head(collector.url("/readyz")).status_code == 200
    series = 'throughline_received_events_total{door="cloudevents"}'
    before = collector.metric(series)
    collector.send(cloudevent(30), cloudevent(31))
    assert collector.metric(series) == before + 2
    collector.send(cloudevent(32, traceparent="00-none"))
    assert collector.metric('throughline_ignored_traceparents_total{door="cloudevents"}') == 1
    assert collector.metric("throughline_journal_position") == len(records(collector.data))


# OTLP over HTTP


def test_an_export_is_answered_in_the_form_it_came_in(collector: RunningCollector) -> None:
    request = traces_request(100, event="time.posted", time_entry="TE-1")
    answer = post(collector, "otlp_http", "/v1/traces", request.SerializeToString(), PROTOBUF)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    record = records(collector.data)[-1]
    assert answer.headers[POSITION] == f"j{record.id}"
    assert record.events[0].fields == {"time_entry": "TE-1"}
    span = {"traceId": "00" * 15 + "65", "spanId": "00" * 7 + "65", "name": "x"}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    answer = post(collector, "otlp_http", "/v1/traces", body, JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"] == "application/json"


def test_a_set_aside_event_of_a_span_is_a_warning_of_partial_success(collector: RunningCollector) -> None:
    request = traces_request(102, event="time.posted", amount="much").SerializeToString()
    answer = post(collector, "otlp_http", "/v1/traces", request, PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 0)
    assert "bad_number" in partial.error_message
    assert len(records(collector.data)[-1].spans) == 1


def test_metrics_are_a_partial_success_at_both_doors(collector: RunningCollector) -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    metric.gauge.data_points.add().as_int = 1
    answer = post(collector, "otlp_http", "/v1/metrics", request.SerializeToString(), PROTOBUF)
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_data_points) == (200, 1)
    assert "not kept" in partial.error_message


def test_log_records_set_aside_are_rejected(collector: RunningCollector) -> None:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="erp")))
    group.scope_logs.add().log_records.add(event_name="invoice.issued")
    answer = post(collector, "otlp_http", "/v1/logs", request.SerializeToString(), PROTOBUF)
    assert answer.status_code == 200
    assert ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans == 1  # the same field


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/v1/traces", PROTOBUF, b"\xff\xff", 400),
        ("/v1/traces", JSON, b"{", 400),
        ("/v1/traces", PROTOBUF | {"content-encoding": "gzip"}, b"\x1f\x8b", 400),
        ("/v1/traces", {"content-type": "text/plain"}, b"", 415),
        ("/v1/logs", PROTOBUF, b"x" * 16_777_217, 413),
        ("/v1/profiles", PROTOBUF, b"", 404),
    ],
)
def test_an_export_that_cannot_be_read_is_a_status_in_its_own_form(
    collector: RunningCollector, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = post(collector, "otlp_http", path, body, headers)
    assert answer.status_code == status
    if headers["content-type"] == "application/x-protobuf":
        assert answer.headers["content-type"] == "application/x-protobuf"
        said = Status.FromString(answer.content)
        assert said.code
        assert said.message
    else:
        assert set(answer.json()) == {"code", "message"}
    assert collector.client.get(collector.url(path, "otlp_http")).status_code in (404, 405)


# OTLP over gRPC


def test_grpc_gives_the_position_in_its_trailing_metadata(collector: RunningCollector) -> None:
    with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
        request = traces_request(103, event="time.posted", amount="much")
        response, call = TraceServiceStub(channel).Export.with_call(request, compression=grpc.Compression.Gzip)  # type: ignore[attr-defined]
        assert dict(call.trailing_metadata())[POSITION] == f"j{records(collector.data)[-1].id}"
        assert (response.partial_success.rejected_spans, "bad_number" in response.partial_success.error_message) == (
            0,
            True,
        )


def grpc_error(channel: grpc.Channel, method: str, body: bytes, **given: Any) -> grpc.Call:
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(method)(body, timeout=20, **given)  # type: ignore[misc]
    assert isinstance(error.value, grpc.Call)
    return error.value


TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def test_grpc_refusals_carry_their_status(collector: RunningCollector) -> None:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(collector.addresses["otlp_grpc"], options) as channel:
        error = grpc_error(channel, TRACES, b"\xff\xff")
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        assert Status.FromString(details).code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert grpc_error(channel, "/some.Other/Method", b"").code() is grpc.StatusCode.UNIMPLEMENTED
        bomb = grpc_error(channel, TRACES, bytes(80_000_000), compression=grpc.Compression.Gzip)
        assert bomb.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert grpc_error(channel, TRACES, bytes(80_000_000)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        channel.unary_unary(TRACES)(traces_request(104).SerializeToString(), timeout=20)


# tokens, and the process


SECRET = "a-secret-of-some-length"


def test_with_tokens_only_their_bearers_are_heard_and_named(tmp_path: Path) -> None:
    file = write_tokens(tmp_path / "tokens.yaml", psa_sync=sender(SECRET))
    with RunningCollector(tmp_path, {"tokens": str(file)}) as collector:
        assert collector.send(cloudevent(1)).status_code == 401
        refused = collector.send(cloudevent(1), headers={"authorization": "Bearer wrong-wrong-wrong-wrong"})
        assert (refused.status_code, refused.headers["www-authenticate"][:6]) == (401, "Bearer")
        assert SECRET not in refused.text
        answer = collector.send(cloudevent(1), headers={"authorization": f"Bearer {SECRET}"})
        assert answer.status_code == 202
        reader = JournalReader(tmp_path / JOURNAL_FILE)
        assert reader.requests(1)[0].sender == "psa-sync"
        reader.close()
        body = traces_request(1).SerializeToString()
        assert post(collector, "otlp_http", "/v1/traces", body, PROTOBUF).status_code == 401
        named = PROTOBUF | {"authorization": f"bearer {SECRET}"}
        assert post(collector, "otlp_http", "/v1/traces", body, named).status_code == 200
        with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
            assert grpc_error(channel, TRACES, body).code() is grpc.StatusCode.UNAUTHENTICATED
            metadata = [("authorization", f"Bearer {SECRET}")]
            channel.unary_unary(TRACES)(body, timeout=20, metadata=metadata)
        assert collector.client.get(collector.url("/readyz")).status_code == 200


def test_it_drains_on_sigterm_and_goes_on_where_it_was(tmp_path: Path) -> None:
    collector = RunningCollector(tmp_path)
    assert collector.send(cloudevent(1)).json()["position"] == "j1"
    assert collector.stop() == 0
    with RunningCollector(tmp_path) as again:
        assert again.send(cloudevent(2)).json()["position"] == "j2"
    assert [event.id for event in events(tmp_path)] == ["e-1", "e-2"]


def test_it_refuses_more_than_may_be_in_hand_and_recovers(tmp_path: Path) -> None:
    settings = {"queue_bytes": 1_048_576, "body_bytes": 1_048_576, "inflated_bytes": 1_048_576, "request_seconds": 20}
    with RunningCollector(tmp_path, settings) as collector:
        host, port = collector.addresses["http"].split(":")
        with socket.create_connection((host, int(port))) as slow:
            head = (
                f"POST /v1/events HTTP/1.1\r\nhost: h\r\ncontent-type: {CLOUDEVENT}\r\ncontent-length: 1048576\r\n\r\n"
            )
            slow.sendall(head.encode() + b" " * 1_048_000)
            while collector.metric("throughline_in_hand_bytes") < 1_048_000:
                pass
            refused = collector.send(cloudevent(1, data={"note": "x" * 2_000}))
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "1"
            with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
                error = grpc_error(channel, TRACES, traces_request(1, note="x" * 2_000).SerializeToString())
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                details = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
                assert details.details[0].type_url.endswith("google.rpc.RetryInfo")
        while collector.metric("throughline_in_hand_bytes"):
            pass
        assert collector.send(cloudevent(1, data={"note": "x" * 2_000})).status_code == 202
