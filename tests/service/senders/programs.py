"""Programs that send by the official SDKs: which there are, and how long an outage each of them is known to outlast.

A program takes a time entry a line and tells of each that it was submitted. Its settings are OpenTelemetry's own
variables, or arguments. All that differs from the defaults stands here: what is sent is exported after 0.2 s and not
after up to 5 s, so that exports meet the outage; and where the defaults give up too soon, what mends that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.service.senders.installs import FOLDER

TOOL_CHAINS = ("node", "go", "java")
NOTHING = 0.0
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BLRP_SCHEDULE_DELAY": "200"}
STOP_SECONDS = 60.0


class Sender(NamedTuple):
    """A program as it is set up. ``outlasts`` is the longest outage in seconds in which it surely loses nothing;
    NOTHING where it loses what it exports then, as the page of senders says."""

    name: str
    tool: str | None
    program: str
    door: str
    protocol: str
    outlasts: float
    settings: Mapping[str, str] = {}

    def command(self, folders: Mapping[str, Path], addresses: Mapping[str, str]) -> Sequence[str]:
        arguments: Sequence[str] = ()
        if self.door == "http":
            arguments = (f"http://{addresses['http']}/v1/events", f"/{self.name}", self.protocol)
        match self.tool:
            case "node":
                return ["node", str(folders["node"] / f"{self.program}.mjs"), *arguments]
            case "go":
                return [str(folders["go"] / "bin" / self.program)]
            case "java":
                libraries = folders["java"] / "libraries" / "*"
                return ["java", "-cp", f"{folders['java'] / 'classes'}:{libraries}", self.program]
            case _:
                return [sys.executable, str(FOLDER / "python" / f"{self.program}.py"), *arguments]

    def environment(self, addresses: Mapping[str, str]) -> dict[str, str]:
        if self.door == "http":
            return {}
        return {
            "OTEL_SERVICE_NAME": self.name,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{addresses[self.door]}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol,
            "OTEL_METRICS_EXPORTER": "none",
            **SOON,
            **self.settings,
        }

    @property
    def source(self) -> str:
        """The source of its events."""
        return f"/{self.name}" if self.door == "http" else self.name


FOR_EVER = 600.0  # its user sends again until it is taken
PATIENT_GO = {
    "OTEL_EXPORTER_OTLP_TIMEOUT": "60000",
    "OTEL_BSP_EXPORT_TIMEOUT": "60000",
    "OTEL_BLRP_EXPORT_TIMEOUT": "60000",
}
PATIENT_PYTHON = {"OTEL_EXPORTER_OTLP_TIMEOUT": "60"}  # the one SDK that counts it in seconds

SENDERS = [
    Sender("node-http", "node", "spans", "otlp_http", "http/protobuf", 6.5),
    Sender("node-json", "node", "spans", "otlp_http", "http/json", 6.5),
    Sender("node-grpc", "node", "spans", "otlp_grpc", "grpc", NOTHING),
    Sender("node-logs", "node", "logs", "otlp_http", "http/protobuf", 6.5),
    Sender("node-binary", "node", "events", "http", "binary", FOR_EVER),
    Sender("node-structured", "node", "events", "http", "structured", FOR_EVER),
    Sender("python-http", None, "send_spans", "otlp_http", "http/protobuf", 5.6),
    Sender("python-grpc", None, "send_spans", "otlp_grpc", "grpc", 12.0, PATIENT_PYTHON),
    Sender("python-logs", None, "send_logs", "otlp_http", "http/protobuf", 5.6),
    Sender("python-binary", None, "send_events", "http", "binary", FOR_EVER),
    Sender("python-structured", None, "send_events", "http", "structured", FOR_EVER),
    Sender("go-grpc", "go", "spans", "otlp_grpc", "grpc", 15.0, PATIENT_GO),
    Sender("go-http", "go", "spans", "otlp_http", "http/protobuf", NOTHING),
    Sender("go-logs", "go", "logs", "otlp_grpc", "grpc", 15.0, PATIENT_GO),
    Sender("java-http", "java", "SendSpans", "otlp_http", "http/protobuf", 6.5),
    Sender("java-grpc", "java", "SendSpans", "otlp_grpc", "grpc", 6.5),
    Sender("java-logs", "java", "SendLogs", "otlp_http", "http/protobuf", 6.5),
    # What a Collector took is its own to deliver. The one that keeps it is killed too: before it, an SDK has to wait.
    Sender("otelcol-grpc", "go", "spans", "kept", "grpc", 10.0, PATIENT_GO),
    Sender("otelcol-http", "go", "logs", "plain", "grpc", 120.0),
]


class Program:
    """A running sender; ``tell`` gives it time entries."""

    def __init__(self, sender: Sender, folders: Mapping[str, Path], addresses: Mapping[str, str], log: Path) -> None:
        self.sender = sender
        self.log = log
        self._told = 0
        with log.open("w") as written:
            self._process = subprocess.Popen(
                sender.command(folders, addresses),
                env=os.environ | sender.environment(addresses),
                stdin=subprocess.PIPE,
                stdout=written,
                stderr=written,
                text=True,
            )

    def tell(self, count: int) -> list[str]:
        """Have it send of so many further time entries; return them."""
        assert self._process.stdin is not None
        entries = [f"{self.sender.name}-{self._told + number}" for number in range(1, count + 1)]
        self._told += count
        self._process.stdin.write("".join(f"{entry}\n" for entry in entries))
        self._process.stdin.flush()
        return entries

    def runs(self) -> bool:
        return self._process.poll() is None

    def end(self) -> int:
        """Let it finish; return its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(STOP_SECONDS)

    def close(self) -> None:
        """End it, however it is; safe after ``end``."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
