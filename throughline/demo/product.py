"""The product under the demo: a real ``throughline serve`` of its own, and its public HTTP API."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import httpx2
import msgspec

from throughline.demo.programs import DemoFailed
from throughline.demo.systems.message import Addresses

DEFINITIONS = Path(__file__).parent / "definitions"
START_SECONDS = 60.0
STOP_SECONDS = 20
LOOK_AGAIN_SECONDS = 0.05
ANSWER_SECONDS = 60.0
FREE = "127.0.0.1:0"
SERVE = "from throughline.cli.main import main; main()"


class Product:
    """A running serve with a data folder and free ports. Closing stops it; safe twice."""

    def __init__(self, data: Path, clock: Path) -> None:
        self.data = data
        self.log = data / "serve.log"
        data.mkdir(parents=True, exist_ok=True)
        options = {"--data": str(data), "--definitions": str(DEFINITIONS), "--clock": str(clock)}
        options |= dict.fromkeys(("--http", "--api", "--otlp-http", "--otlp-grpc"), FREE)
        command = [sys.executable, "-c", SERVE, "serve", *(word for pair in options.items() for word in pair)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self.addresses = self._addresses()
        except BaseException:
            self.close()
            raise

    def _addresses(self) -> Addresses:
        until = time.monotonic() + START_SECONDS
        path = self.data / "addresses.json"
        while not path.exists():
            if self._process.poll() is not None:
                raise DemoFailed(f"throughline serve did not start; {self.log} says: {self._last_words()}")
            if time.monotonic() > until:
                raise DemoFailed(f"throughline serve was not ready after {START_SECONDS:.0f} s; see {self.log}")
            time.sleep(LOOK_AGAIN_SECONDS)
        return msgspec.json.decode(path.read_bytes(), type=Addresses)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing"

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> None:
        """Wait until the product ends by itself."""
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Api:
    """The product's query API, as any client sees it."""

    def __init__(self, address: str) -> None:
        self.url = f"http://{address}/api/v1"
        self._client = httpx2.Client(base_url=self.url, timeout=ANSWER_SECONDS, trust_env=False)

    def get(self, path: str, **parameters: str) -> Any:
        """Return a JSON answer; raise DemoFailed for any other."""
        answer = self._client.get(path, params=parameters)
        if answer.status_code != HTTPStatus.OK:
            raise DemoFailed(f"GET {answer.url} answered {answer.status_code}: {answer.text[:400]}")
        return answer.json()

    def find(self, path: str, **parameters: str) -> Any:
        """Return a JSON answer, or None where there is nothing under that path."""
        answer = self._client.get(path, params=parameters)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code != HTTPStatus.OK:
            raise DemoFailed(f"GET {answer.url} answered {answer.status_code}: {answer.text[:400]}")
        return answer.json()

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
