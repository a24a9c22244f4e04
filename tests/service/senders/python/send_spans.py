"""Each line of standard input is a time entry that was submitted; OTEL_... variables say where to and how."""

import os
import sys

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OverGrpc() if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" else OverHttp()
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("psa-sync")

for line in sys.stdin:
    with tracer.start_as_current_span("submit") as span:
        span.set_attributes({"throughline.event": "time.submitted", "throughline.time_entry": line.strip()})
provider.shutdown()
