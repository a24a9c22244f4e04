"""Each line of standard input is a time entry that was submitted; OTEL_... variables say where to and how."""

import os
import sys
import time

from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as OverHttp
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

exporter = OverGrpc() if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" else OverHttp()
provider = LoggerProvider()
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
logger = provider.get_logger("psa-sync")

for line in sys.stdin:
    logger.emit(event_name="time.submitted", timestamp=time.time_ns(), attributes={"time_entry": line.strip()})
provider.shutdown()
