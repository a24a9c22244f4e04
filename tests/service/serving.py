"""A real ``throughline serve`` as a process of its own, and what a caller does with it."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from throughline.core.tls import pinned

PATIENCE_SECONDS = 180.0
LOOK_AGAIN_SECONDS = 0.02
DOORS = ("--http", "--api", "--otlp-http", "--otlp-grpc")
SENT_AT = "2026-03-02T09:00:00Z"


def _opener(context: ssl.SSLContext | None) -> OpenerDirector:
    tls = [] if context is None else [HTTPSHandler(context=context)]
    return build_opener(ProxyHandler({}), *tls)


def until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition; fail, saying what for, where it does not come true in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(LOOK_AGAIN_SECONDS)


def runs(pid: int) -> bool:
    """Tell whether a process runs; one that ended, but that nobody asked about yet, does not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):  # it was gone, or went between opening and reading
        return False


_BY = ("-m", "throughline.cli.main")


def command(*arguments: str, by: Sequence[str] = _BY) -> list[str]:
    return [sys.executable, "-P", *by, *arguments]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        env=os.environ | environment,
    )


class Answer:
    """An answer over HTTP: its status, headers and JSON (or text)."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.text = body.decode()
        self.json: Any = None
        with suppress(ValueError):
            self.json = json.loads(body)


def call(
    url: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send a request; a body is sent as JSON. ``context`` says whom to trust for https."""
    content = None if body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json"} if content is not None else {}
    request = Request(url, content, {**sent, **(headers or {})}, method=method)
    try:
        with _opener(context).open(request, timeout=PATIENCE_SECONDS) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


class Serving:
    """A running serve, asked by TLS where it speaks it. ``secret`` is shown with each request, where there is one."""

    def __init__(self, data: Path, process: subprocess.Popen[str]) -> None:
        self.data = data
        self.process = process
        self.secret: str | None = None
        self.addresses: dict[str, str] = json.loads((data / "addresses.json").read_text())
        self.certificate = self.addresses.pop("certificate", None)

    def url(self, path: str, door: str = "api") -> str:
        return f"{'https' if self.certificate else 'http'}://{self.addresses[door]}{path}"

    def call(self, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request as its bearer; a body is sent as JSON."""
        shown = {} if self.secret is None else {"authorization": f"Bearer {self.secret}"}
        context = pinned(Path(self.certificate).read_bytes()) if self.certificate else None
        return call(url, body, {**shown, **(headers or {})}, context=context)

    @property
    def parts(self) -> dict[str, int]:
        return json.loads((self.data / "parts.json").read_text())

    def get(self, path: str, **parameters: str | int) -> Answer:
        query = "?" + urlencode(parameters) if parameters else ""
        return self.call(self.url(path + query))

    def post(self, path: str, body: object, **headers: str) -> Answer:
        return self.call(self.url(path), body, headers)

    def send(self, *events: Mapping[str, Any]) -> str:
        """Send CloudEvents; return the position at which they are durable."""
        batch = {"content-type": "application/cloudevents-batch+json"}
        answer = self.call(self.url("/v1/events", "http"), list(events), batch)
        assert answer.status == 202, answer.text
        return answer.json["position"]

    def folded(self, position: str) -> dict[str, Any]:
        """Wait until a position is folded; return the status then."""
        answer = self.get("/api/v1/status", folded=position, wait="60s")
        assert answer.status == 200, answer.text
        assert answer.json["reached"] is True, answer.json
        return answer.json

    def kill(self, part: str) -> None:
        """Kill a part, and wait until another process of it runs."""
        before = self.parts[part]
        os.kill(before, signal.SIGKILL)
        until(lambda: self.parts.get(part, before) != before, f"a new {part}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def options(data: Path, *more: str) -> list[str]:
    return ["serve", "--data", str(data), *(word for door in DOORS for word in (door, "127.0.0.1:0")), *more]


@contextmanager
def serving(
    data: Path, *more: str, before: Sequence[str] = (), by: Sequence[str] = _BY, **environment: str
) -> Generator[Serving]:
    """Start a serve on free ports, and stop it in the end.

    ``before`` is put in front of its command; ``by`` is what Python is to run.
    """
    data.parent.mkdir(parents=True, exist_ok=True)
    log = data.parent / f"{data.name}.log"
    with log.open("w") as lines:
        process = subprocess.Popen(
            [*before, *command(*options(data, *more), by=by)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=lines,
            text=True,
            env=os.environ | environment,
        )
    with process:
        try:
            ready = data / "addresses.json"
            until(lambda: ready.exists() or process.poll() is not None, "addresses")
            assert process.poll() is None, log.read_text()
            yield Serving(data, process)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()


def event(identity: str, kind: str, at: str = SENT_AT, source: str = "/psa", **data: Any) -> dict[str, Any]:
    """Return a CloudEvent."""
    return {"specversion": "1.0", "id": identity, "source": source, "type": kind, "time": at, "data": data}
