"""Sync latencies of a running serve are split by the spans that an OpenTelemetry SDK sends, whenever these come."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from tests.service.serving import Serving, event, run, serving, until

pytestmark = pytest.mark.serial

SECOND = 1_000_000_000  # nanoseconds
READY = int(datetime(2026, 3, 2, 9, 0, tzinfo=UTC).timestamp()) * SECOND
FLUSH_MILLISECONDS = 20_000
ONLY_WHEN_TOLD = 3_600_000  # milliseconds
ENTRIES = 30
LAG = "/api/v1/kpis/sync-latency"


class Sync:
    """The program that carries time entries from the PSA to the ERP, as its author would instrument it."""

    def __init__(self, serve: Serving) -> None:
        resource = Resource({"service.name": "time-sync", "throughline.system": "erp"})
        self._spans = TracerProvider(resource=resource)
        spans = OTLPSpanExporter(serve.url("/v1/traces", "otlp_http"))
        self._spans.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=ONLY_WHEN_TOLD))
        self._logs = LoggerProvider(resource=resource)
        logs = OTLPLogExporter(serve.url("/v1/logs", "otlp_http"))
        self._logs.add_log_record_processor(BatchLogRecordProcessor(logs, schedule_delay_millis=ONLY_WHEN_TOLD))

    def carry(self, number: int) -> None:
        """Put an entry into a queue after 30 s, work on it from 60 s to 90 s, and have it in the ERP after 120 s."""
        tracer, logger = self._spans.get_tracer("sync"), self._logs.get_logger("sync")
        producer = tracer.start_span("send", kind=SpanKind.PRODUCER, start_time=READY + 30 * SECOND)
        within = trace.set_span_in_context(producer)
        producer.end(READY + 35 * SECOND)
        work = tracer.start_span("process", within, SpanKind.CONSUMER, start_time=READY + 60 * SECOND)
        within = trace.set_span_in_context(work)
        step = tracer.start_span("map", within, SpanKind.INTERNAL, start_time=READY + 65 * SECOND)
        step.end(READY + 70 * SECOND)
        work.end(READY + 90 * SECOND)
        told = {"time_entry": f"TE-{number}", "event.id": f"p{number}"}
        logger.emit(
            LogRecord(
                timestamp=READY + 120 * SECOND,
                observed_timestamp=READY + 120 * SECOND,
                context=within,
                severity_number=SeverityNumber.INFO,
                attributes=told,
                event_name="time.posted",
            )
        )

    def tell_spans(self) -> None:
        assert self._spans.force_flush(FLUSH_MILLISECONDS)

    def tell_events(self) -> None:
        assert self._logs.force_flush(FLUSH_MILLISECONDS)

    def close(self) -> None:
        self._logs.shutdown()
        self._spans.shutdown()


@contextmanager
def syncing(serve: Serving) -> Iterator[Sync]:
    sync = Sync(serve)
    try:
        yield sync
    finally:
        sync.close()


def reading(serve: Serving) -> dict[str, Any]:
    asked = {"from": "2026-03-01", "to": "2026-03-31", "process": "time-to-bill"}
    found = serve.get(f"{LAG}/readings", **asked).json["readings"]
    return found[0] if found else {"beside": {"done": 0}, "answer": None}


def parts(serve: Serving) -> dict[str, Any]:
    answer = reading(serve)["answer"]
    return {"split": 0} if answer is None else answer["parts"]


def approved(number: int) -> dict[str, Any]:
    return event(f"a{number}", "time.approved", "2026-03-02T09:00:00Z", time_entry=f"TE-{number}", system="psa")


def same(seconds: float, share: float) -> dict[str, float]:
    return {"median": seconds, "p90": seconds, "mean": seconds, "share": share}


def test_latencies_are_split_by_spans_whenever_they_come_and_stay_so(tmp_path: Path) -> None:
    (tmp_path / "clock").write_text("2026-03-09T12:00:00Z")
    with serving(tmp_path / "data", "--clock", str(tmp_path / "clock")) as serve, syncing(serve) as sync:
        serve.send(*(approved(number) for number in range(ENTRIES)))
        for number in range(10):
            sync.carry(number)
        sync.tell_spans()  # before their events
        sync.tell_events()
        for number in range(10, ENTRIES - 5):
            sync.carry(number)
        sync.tell_events()
        told = {"system": "erp"}
        serve.send(
            *(
                event(f"p{number}", "time.posted", "2026-03-02T09:02:00Z", "/erp", time_entry=f"TE-{number}", **told)
                for number in range(ENTRIES - 5, ENTRIES)
            )
        )
        until(lambda: reading(serve)["beside"]["done"] == ENTRIES, "what was posted, before the spans of most of it")
        few = parts(serve)
        assert few["not_split"] == {"no event of it tells its trace": 5, "no span of its trace has come": ENTRIES - 15}
        assert (few["split"], few["waiting"]) == (10, None)  # fewer than the minimum sample
        serve.kill("watch")
        sync.tell_spans()
        until(lambda: parts(serve)["split"] == ENTRIES - 5, "all that have spans to be split")
        expected = {
            "split": ENTRIES - 5,
            "not_split": {"no event of it tells its trace": 5},
            "waiting": same(30.0, 0.25),
            "transport": same(60.0, 0.5),
            "processing": same(30.0, 0.25),
            "error": 0.0,
        }
        assert parts(serve) == expected
        lines = serve.get(f"{LAG}/cases", **{"from": "2026-03-01", "to": "2026-03-31"}, limit=100).json["cases"]
        split = [each["parts"] for each in lines if each["parts"] is not None]
        assert split == [{"waiting": 30.0, "transport": 60.0, "processing": 30.0}] * (ENTRIES - 5)
        assert {each["seconds"] for each in lines if each["ending"] == "done"} == {120}
        assert run("kpis", "backfill", "--wait", "--data", str(serve.data)).returncode == 0
        assert parts(serve) == expected
        days = ("--from", "2026-03-01", "--to", "2026-03-31", "--data", str(serve.data))
        explained = run("kpis", "explain", "sync-latency", *days)
        assert explained.returncode == 0, explained.stderr
        assert "25 by the spans of their traces" in explained.stdout
        assert "transport  median 1 min, p90 1 min, mean 1 min: 50% of the time" in explained.stdout
        assert "not split    5: no event of it tells its trace" in explained.stdout
        shown = " ".join(run("kpis", "show", "sync-latency", *days).stdout.split())
        assert "25% waiting, 50% transport, 25% processing" in shown
        file = tmp_path / "readings.csv"
        assert run("kpis", "export", str(file), "--kpi", "sync-latency", *days).returncode == 0
        (line,) = csv.DictReader(file.read_text("utf-8").splitlines())
        means = [line[f"{part}_mean_seconds"] for part in ("waiting", "transport", "processing")]
        assert (line["split"], *means) == ("25", "30.0", "60.0", "30.0")
        sample = 'throughline_kpi_sync_latency_part_mean_seconds{part="watch",latency_part="transport"} 60.0'
        until(lambda: sample in serve.get("/metrics").text, "the parts as metrics")
