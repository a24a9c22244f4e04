"""One system's OpenTelemetry: its own providers, exporters over real sockets, and the span of each order."""

from __future__ import annotations

from random import Random

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from throughline.demo.firm import NAMESPACE, instance_of
from throughline.demo.systems.message import Addresses, Headers, Order

NANOSECONDS = 1000  # in a microsecond
WORK_TAKES = 400_000  # microseconds a system spends on an order before it is done
SENDING_TAKES = 15_000
FLUSH_MILLISECONDS = 30_000


class SeededIds(IdGenerator):
    """Trace and span ids that a seed decides, so that a run can be told again with the same ids."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1


class Telemetry:
    """The providers of one system, set up as the SDK's documentation does it, and closed with ``close``."""

    def __init__(self, system: str, role: str, transport: str, addresses: Addresses, seed: str) -> None:
        resource = Resource.create(
            {
                "service.namespace": NAMESPACE,
                "service.name": system,
                "throughline.system": role,
                "throughline.instance": instance_of(system),
            }
        )
        grpc = transport == "grpc"
        self.spans = BatchSpanProcessor(
            GrpcSpanExporter(endpoint=addresses.otlp_grpc, insecure=True)
            if grpc
            else HttpSpanExporter(endpoint=f"http://{addresses.otlp_http}/v1/traces")
        )
        self._tracers = TracerProvider(resource=resource, id_generator=SeededIds(f"{seed}:{system}"))
        self._tracers.add_span_processor(self.spans)
        self._loggers = LoggerProvider(resource=resource)
        self._loggers.add_log_record_processor(
            BatchLogRecordProcessor(
                GrpcLogExporter(endpoint=addresses.otlp_grpc, insecure=True)
                if grpc
                else HttpLogExporter(endpoint=f"http://{addresses.otlp_http}/v1/logs")
            )
        )
        self.tracer = self._tracers.get_tracer("meridian.systems")
        self.logger = self._loggers.get_logger("meridian.systems")

    def flush(self) -> bool:
        """Send what waits; return whether all of it was acknowledged."""
        return self._tracers.force_flush(FLUSH_MILLISECONDS) and self._loggers.force_flush(FLUSH_MILLISECONDS)

    def close(self) -> None:
        self._tracers.shutdown()
        self._loggers.shutdown()

    def begin(self, order: Order, attributes: dict[str, AttributeValue]) -> Span:
        """Open the span of an order: a consumer under the message that caused it, else a request of its own."""
        context = propagate.extract(order.headers[0]) if order.headers else None
        links = [Link(_span_context(headers)) for headers in order.headers[1:]]
        name, kind = order.type, SpanKind.INTERNAL if order.headers else SpanKind.SERVER
        if order.headers and order.flow:
            name, kind = f"process {order.flow}", SpanKind.CONSUMER
            attributes |= {
                "messaging.system": "meridian-queue",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": order.flow,
                "messaging.batch.message_count": len(order.headers),
            }
        span = self.tracer.start_span(
            name,
            context=context,
            kind=kind,
            attributes=attributes,
            links=links,
            start_time=(order.time - WORK_TAKES) * NANOSECONDS,
        )
        if order.error is not None:
            span.set_status(Status(StatusCode.ERROR, order.error["message"]))
            span.set_attribute("error.type", order.error["category"])
        return span

    def send(self, order: Order, span: Span) -> Headers:
        """Write the headers of the messages with which an order passes the work on: those of its last queue."""
        headers: Headers = {}
        propagate.inject(headers, trace.set_span_in_context(span))
        for queue in order.sends:
            attributes: dict[str, AttributeValue] = {
                "messaging.system": "meridian-queue",
                "messaging.operation.name": "send",
                "messaging.operation.type": "send",
                "messaging.destination.name": queue,
            }
            producer = self.tracer.start_span(
                f"send {queue}",
                context=trace.set_span_in_context(span),
                kind=SpanKind.PRODUCER,
                attributes=attributes,
                start_time=(order.time - SENDING_TAKES) * NANOSECONDS,
            )
            propagate.inject(headers, trace.set_span_in_context(producer))
            producer.end(order.time * NANOSECONDS)
        return headers


def _span_context(headers: Headers) -> trace.SpanContext:
    return trace.get_current_span(propagate.extract(headers)).get_span_context()
