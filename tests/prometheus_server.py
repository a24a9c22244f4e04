"""A real Prometheus for tests: it scrapes what it is told to, every second, and answers questions."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from tests.service.serving import until

PATIENCE_SECONDS = 180.0
KEPT = "400d"
_OPENER = build_opener(ProxyHandler({}))


class Prometheus:
    """A running Prometheus at an address."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}"

    def ready(self) -> bool:
        with suppress(URLError, OSError), _OPENER.open(f"{self._url}/-/ready", timeout=PATIENCE_SECONDS):
            return True
        return False

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer; raises HTTPError where the question cannot be answered."""
        query = urlencode(parameters)
        with _OPENER.open(f"{self._url}/api/v1/{path}?{query}", timeout=PATIENCE_SECONDS) as answer:
            return json.loads(answer.read())["data"]

    def values(self, expression: str) -> list[float]:
        """Return the values of an expression as of now."""
        found = self.get("query", query=expression)
        assert found["resultType"] in ("vector", "scalar"), found["resultType"]
        return [float(sample["value"][1]) for sample in found["result"]]


@contextmanager
def prometheus(
    folder: Path, scraped: Mapping[str, Sequence[str]], rules: Sequence[Path] = (), past: str = ""
) -> Generator[Prometheus]:
    """Start a Prometheus that scrapes addresses, by job, each as the instance ``here``; stop it in the end.

    ``past``: samples from before it was started, in OpenMetrics' text format.
    """
    folder.mkdir(parents=True)
    for path in rules:
        shutil.copy(path, folder)
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [path.name for path in rules],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(targets), "labels": {"instance": "here"}}]}
            for job, targets in scraped.items()
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))
    if past:
        (folder / "past").write_text(past)
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "past", "data"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    command = [
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--storage.tsdb.retention.time={KEPT}",
        "--enable-feature=exemplar-storage",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    with process:
        try:
            server = Prometheus(address)
            until(lambda: server.ready() or process.poll() is not None, "Prometheus")
            assert process.poll() is None, (folder / "log").read_text()
            yield server
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
