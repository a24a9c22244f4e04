"""The official SDKs reach a running collector with their default settings; only the endpoint is given."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.conversion import to_binary, to_structured
from cloudevents.v1.http import CloudEvent as V1CloudEvent
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from tests.running_collector import RunningCollector, events, records
from throughline.core.event import Event

FLUSH_MILLISECONDS = 20_000


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    with RunningCollector(tmp_path_factory.mktemp("data")) as running:
        yield running


def resource(service: str) -> Resource:
    return Resource({"service.name": service, "service.namespace": "firm", "throughline.system": "psa"})


def events_of(data: Path, source: str) -> list[Event]:
    return [event for event in events(data) if event.source == source]


def span_exporter(collector: RunningCollector, kind: str) -> Any:
    if kind == "grpc":
        return GrpcSpanExporter(endpoint=f"http://{collector.addresses['otlp_grpc']}")
    compression = Compression.Gzip if kind == "gzip" else None
    return HttpSpanExporter(endpoint=collector.url("/v1/traces", "otlp_http"), compression=compression)


@pytest.mark.parametrize("kind", ["grpc", "http", "gzip"])
def test_spans_of_the_python_sdk_arrive(collector: RunningCollector, kind: str) -> None:
    provider = TracerProvider(resource=resource(f"sync-{kind}"))
    provider.add_span_processor(BatchSpanProcessor(span_exporter(collector, kind)))
    tracer = provider.get_tracer("test")
    with (
        tracer.start_as_current_span("sync", kind=SpanKind.PRODUCER) as outer,
        tracer.start_as_current_span("post") as span,
    ):
        span.set_attribute("throughline.event", "time.posted")
        span.set_attribute("throughline.time_entry", ["TE-1", "TE-2"])
        span.set_attribute("throughline.amount", "12.50")
        span.set_attribute("throughline.currency", "EUR")
        span.set_attribute("error.type", "timeout")
        span.set_status(Status(StatusCode.ERROR, "no answer"))
        span.add_event("seen", {"throughline.event": "time.approved", "throughline.time_entry": "TE-1"})
    assert provider.force_flush(FLUSH_MILLISECONDS)
    provider.shutdown()
    posted, approved = sorted(events_of(collector.data, f"firm/sync-{kind}"), key=lambda event: event.id)
    context = span.get_span_context()
    assert (posted.type, posted.trace_id, posted.span_id) == (
        "time.posted",
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
    )
    assert posted.fields == {"time_entry": ["TE-1", "TE-2"]}
    assert (posted.amount, posted.currency, posted.system, posted.failed) == ("12.50", "EUR", "psa", True)
    assert posted.error is not None
    assert (posted.error.category, posted.error.message) == ("timeout", "no answer")
    assert (approved.type, approved.fields, approved.failed) == ("time.approved", {"time_entry": "TE-1"}, False)
    trace = outer.get_span_context().trace_id.to_bytes(16, "big")
    spans = [fact for record in records(collector.data) for fact in record.spans if fact.trace_id == trace]
    assert {(fact.name, fact.service, fact.failed) for fact in spans} == {
        ("sync", f"sync-{kind}", False),
        ("post", f"sync-{kind}", True),
    }


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_log_records_of_the_python_sdk_arrive(collector: RunningCollector, kind: str) -> None:
    exporter = (
        GrpcLogExporter(endpoint=f"http://{collector.addresses['otlp_grpc']}")
        if kind == "grpc"
        else HttpLogExporter(endpoint=collector.url("/v1/logs", "otlp_http"))
    )
    provider = LoggerProvider(resource=resource(f"log-{kind}"))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    provider.get_logger("test").emit(
        event_name="invoice.issued",
        timestamp=1_700_000_000_123_456_789,
        attributes={
            "invoice": "INV-1",
            "relations": [{"from": {"invoice": "INV-1"}, "to": {"time_entry": "TE-1"}, "qualifier": "bills"}],
            "throughline.amounts": {"TE-1": "12.50"},
            "throughline.currency": "EUR",
        },
    )
    assert provider.force_flush(FLUSH_MILLISECONDS)
    provider.shutdown()
    (issued,) = events_of(collector.data, f"firm/log-{kind}")
    assert (issued.type, issued.time, issued.fields) == ("invoice.issued", 1_700_000_000_123_456, {"invoice": "INV-1"})
    assert [(pair.from_value, pair.to_value) for pair in issued.relations] == [("INV-1", "TE-1")]
    assert issued.amounts == {"TE-1": "12.50"}


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_metrics_of_the_python_sdk_do_no_harm(
    collector: RunningCollector, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = (
        GrpcMetricExporter(endpoint=f"http://{collector.addresses['otlp_grpc']}")
        if kind == "grpc"
        else HttpMetricExporter(endpoint=collector.url("/v1/metrics", "otlp_http"))
    )
    door = "otlp_grpc" if kind == "grpc" else "otlp_http"
    series = f'throughline_refused_metric_points_total{{door="{door}"}}'
    before = collector.metric(series)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource=resource("metrics"))
    provider.get_meter("test").create_counter("requests").add(1)
    assert provider.force_flush(FLUSH_MILLISECONDS)
    provider.shutdown()
    assert collector.metric(series) > before
    assert [entry for entry in caplog.records if entry.levelname == "ERROR"] == []


DATA = {"time_entry": "TE-88", "hours": 7.5}


def cloud_event(number: int) -> CloudEvent:
    return CloudEvent(
        attributes={
            "specversion": "1.0",
            "id": f"c-{number}",
            "source": "/sdk/ä",
            "type": "time.approved",
            "time": datetime(2025, 11, 2, 16, 4, 11, 120_000, tzinfo=UTC),
            "subject": 'TE "88" €',
            "correlationid": "c-77",
        },
        data=DATA,
    )


def v1_event(number: int) -> V1CloudEvent:
    """An event of the SDK's older API, whose headers carry plain ASCII only."""
    attributes = {"id": f"c-{number}", "source": "/sdk", "type": "time.approved", "time": "2025-11-02T16:04:11.120Z"}
    return V1CloudEvent(attributes | {"subject": "TE-88", "correlationid": "c-77"}, DATA)


def post_by_urllib(url: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
    """urllib adds a content type of its own where there is none."""
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers)) as answer:
        return answer.status, json.load(answer)


def post_by_httpx(url: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
    answer = httpx2.post(url, headers=headers, content=body)
    return answer.status_code, answer.json()


MODES: dict[str, Callable[[int], tuple[dict[str, str], bytes]]] = {
    "structured": lambda number: message_of(to_structured_event(cloud_event(number))),
    "binary": lambda number: message_of(to_binary_event(cloud_event(number))),
    "v1 structured": lambda number: to_structured(v1_event(number)),
    "v1 binary": lambda number: to_binary(v1_event(number)),
}
CLIENTS = {"urllib": post_by_urllib, "httpx": post_by_httpx}


def message_of(message: HTTPMessage) -> tuple[dict[str, str], bytes]:
    return dict(message.headers), message.body


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("mode", MODES)
def test_events_of_the_cloudevents_sdk_arrive(collector: RunningCollector, mode: str, client: str) -> None:
    number = 2 * list(MODES).index(mode) + list(CLIENTS).index(client)
    headers, body = MODES[mode](number)
    status, answer = CLIENTS[client](collector.events_url, headers, body)
    assert (status, answer["accepted"]) == (202, 1)
    taken = next(event for event in events(collector.data) if event.id == f"c-{number}")
    assert (taken.source, taken.subject) == (("/sdk", "TE-88") if "v1" in mode else ("/sdk/ä", 'TE "88" €'))
    assert taken.hours == "7.5"
    assert taken.fields == {"time_entry": "TE-88", "correlation_id": "c-77"}
    assert taken.time == 1_762_099_451_120_000
