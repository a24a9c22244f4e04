"""OpenTelemetry Collectors that really run, with the very configurations of the how-to."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.docs.blocks import blocks_of
from tests.service.senders.ports import free_ports
from tests.service.serving import until

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "point-an-opentelemetry-collector.md"
STOP_SECONDS = 60.0
# Its own metrics want a port that another Collector of this machine may have.
ALONE = "service: {telemetry: {metrics: {level: none}}}\n"


def configuration(name: str) -> str:
    """Return a configuration that the how-to shows."""
    (block,) = [block for block in blocks_of(HOW_TO) if block.says == name]
    return block.text


class Collector:
    """Starts a Collector in a folder of its own, on free ports, which stay the same when it starts again."""

    def __init__(self, program: Path, name: str, folder: Path, addresses: Mapping[str, str]) -> None:
        """``name`` is that of a configuration; ``addresses`` are those of the serve that it sends to."""
        folder.mkdir()
        self._folder = folder
        self._program = program
        grpc, http = free_ports(2)
        text = configuration(name)
        for known, now in (
            ("127.0.0.1:14317", f"127.0.0.1:{grpc}"),
            ("127.0.0.1:14318", f"127.0.0.1:{http}"),
            ("127.0.0.1:4317", addresses["otlp_grpc"]),
            ("127.0.0.1:4318", addresses["otlp_http"]),
        ):
            text = text.replace(known, now)
        (folder / name).write_text(text)
        (folder / "alone.yaml").write_text(ALONE)
        self._name = name
        self._port = grpc
        self.address = f"127.0.0.1:{grpc}"
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._folder / "otelcol.log").open("ab") as log:
            process = subprocess.Popen(
                [self._program, "--config", self._name, "--config", "alone.yaml"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(lambda: self._answers() or process.poll() is not None, "the Collector")
        assert process.poll() is None, (self._folder / "otelcol.log").read_text()
        return process

    def _answers(self) -> bool:
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", self._port)) == 0

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def start(self) -> None:
        """Start it again, after ``kill``."""
        self._process = self._started()

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(STOP_SECONDS)
