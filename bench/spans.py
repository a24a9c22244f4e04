"""The fixed workload of spans: OTLP requests of 512 spans, 8 to a trace, with 10 attributes and some 443 bytes each.

The shapes are those of the sender that other systems were measured with. A few requests are encoded as protobuf; all
others are these with other ids put in their places, which look random, so that nothing compresses them away.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from bench.frames import request

BATCH = 512
SPANS_PER_TRACE = 8
TRACES_PATH = "/v1/traces"
CONTENT_TYPE = "application/x-protobuf"

_TEMPLATES = 5
_FAILS_EVERY = 50
_STEPS = (
    "timesheet.submitted",
    "timesheet.validated",
    "timesheet.approved",
    "billing.line.created",
    "invoice.posted",
)
_SERVICES = ("timesheet-api", "timesheet-validator", "approval-workflow", "billing-adapter", "erp-connector")
_NAMES = (
    "POST /timesheets",
    "validate timesheet",
    "publish timesheets.validated",
    "process timesheets.validated",
    "SELECT projects",
    "approve timesheet",
    "publish billing.lines",
    "POST /erp/invoices",
)
_KINDS = {
    0: Span.SPAN_KIND_SERVER,
    2: Span.SPAN_KIND_PRODUCER,
    3: Span.SPAN_KIND_CONSUMER,
    6: Span.SPAN_KIND_PRODUCER,
}


class Template(NamedTuple):
    """An encoded request, and where its ids are: of traces by span, of spans, and of parents (0: a root)."""

    encoded: bytes
    traces: list[int]
    spans: list[int]
    parents: list[int]


def span_frames(spans: int, seed: int, gzip: bool = False) -> Iterator[tuple[int, bytes]]:
    """Yield frames of requests with at least this many spans in all; the same seed gives the same ids."""
    templates = [_template(number) for number in range(_TEMPLATES)]
    random = Random(seed)
    for number in range(-(-spans // BATCH)):
        body = _filled(templates[number % _TEMPLATES], random)
        if gzip:
            yield BATCH, request(TRACES_PATH, CONTENT_TYPE, _gzip(body), "Content-Encoding: gzip")
        else:
            yield BATCH, request(TRACES_PATH, CONTENT_TYPE, body)


def last_trace(spans: int, seed: int) -> str:
    """Return the id of the last trace that ``span_frames`` of these spans and seed sends."""
    random = Random(seed)
    ids = b""
    for _ in range(-(-spans // BATCH)):
        ids = random.randbytes(_RANDOM_BYTES)
    return ids[(BATCH // SPANS_PER_TRACE - 1) * 16 :][:16].hex()


_RANDOM_BYTES = 16 * BATCH // SPANS_PER_TRACE + 8 * BATCH


def _filled(template: Template, random: Random) -> bytes:
    ids = random.randbytes(_RANDOM_BYTES)
    first_span = 16 * BATCH // SPANS_PER_TRACE
    filled = bytearray(template.encoded)
    before = b""
    for number, (trace, span, parent) in enumerate(zip(template.traces, template.spans, template.parents, strict=True)):
        start = number // SPANS_PER_TRACE * 16
        filled[trace : trace + 16] = ids[start : start + 16]
        own = ids[first_span + 8 * number : first_span + 8 * number + 8]
        filled[span : span + 8] = own
        if parent:
            filled[parent : parent + 8] = before
        before = own
    return bytes(filled)


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(6, wbits=31)
    return packer.compress(body) + packer.flush()


def _template(number: int) -> Template:
    random = Random(1000 + number)
    spans = [_span(random, index) for index in range(BATCH)]
    traces = [random.randbytes(16) for _ in range(BATCH // SPANS_PER_TRACE)]
    for index, span in enumerate(spans):
        span.trace_id = traces[index // SPANS_PER_TRACE]
        span.span_id = random.randbytes(8)
        if index % SPANS_PER_TRACE:
            span.parent_span_id = random.randbytes(8)
    service = _SERVICES[number]
    resource = {
        "service.name": service,
        "service.version": "4.2.1",
        "service.namespace": "professional-services",
        "service.instance.id": f"{service}-{number}",
        "deployment.environment.name": "production",
        "host.name": f"node-{number:02}",
        "telemetry.sdk.language": "java",
        "telemetry.sdk.version": "1.58.0",
    }
    scope = InstrumentationScope(name="io.opentelemetry.kafka-clients-2.6", version="2.24.0")
    encoded = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=[_text(key, value) for key, value in resource.items()]),
                scope_spans=[ScopeSpans(scope=scope, spans=spans)],
            )
        ]
    ).SerializeToString()
    places = Template(encoded, [], [], [])
    at = 0
    for span in spans:
        at = encoded.index(span.trace_id, at)
        places.traces.append(at)
        at = encoded.index(span.span_id, at)
        places.spans.append(at)
        places.parents.append(encoded.index(span.parent_span_id, at) if span.parent_span_id else 0)
    return places


def _span(random: Random, index: int) -> Span:
    start = time.time_ns() - 10_000_000_000 + index * 1_000_000 + random.randrange(1_000_000)
    status = Status(code=Status.STATUS_CODE_ERROR, message="erp: project closed")
    return Span(
        name=_NAMES[index % SPANS_PER_TRACE],
        kind=_KINDS.get(index % SPANS_PER_TRACE, Span.SPAN_KIND_INTERNAL),
        start_time_unix_nano=start,
        end_time_unix_nano=start + 1_000_000 + random.randrange(40_000_000),
        attributes=[
            _text("messaging.system", "kafka"),
            _text("messaging.destination.name", random.choice(_STEPS)),
            _text("messaging.operation.type", random.choice(("publish", "process", "receive"))),
            _text("messaging.message.id", random.randbytes(8).hex()),
            KeyValue(key="messaging.kafka.partition", value=AnyValue(int_value=random.randrange(24))),
            _text("bam.project_id", f"PRJ-{random.randrange(5000):05}"),
            _text("bam.timesheet_id", f"TS-2026-{random.randrange(1_000_000):07}"),
            _text("bam.worker_id", f"W{random.randrange(20_000):06}"),
            _text("bam.step", random.choice(_STEPS)),
            KeyValue(key="bam.amount", value=AnyValue(double_value=random.randrange(900_000) / 100)),
        ],
        flags=0x101,
        status=status if random.randrange(_FAILS_EVERY) == 0 else None,
    )


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
