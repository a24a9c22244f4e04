"""Single questions at a steady, low rate beside a load: how long until an event is visible, how long a look-up takes.

Each is due at its own time, whatever the ones before it do, and its latency counts from then.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NamedTuple
from urllib.parse import urlencode

from bench.frames import EVENTS_PATH, STRUCTURED_TYPE

PATIENCE_SECONDS = 60.0
LANES = 64


@dataclass(frozen=True)
class Probe:
    """What to ask, at ``rate`` a second: ``events`` are sent and waited for, ``lookups`` are keys to look up."""

    http: str
    api: str
    rate: float
    events: Sequence[bytes] = ()
    lookups: Sequence[tuple[str, str]] = ()


class Probed(NamedTuple):
    """Latencies in seconds from when each was due: until acknowledged, until visible, until looked up (one case)."""

    acknowledged: list[float]
    visible: list[float]
    looked_up: list[float]


class Probing:
    """A probe while it runs, in a process of its own; closing ends it."""

    def __init__(self, probe: Probe) -> None:
        context = multiprocessing.get_context("spawn")
        self._result, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(probe, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def result(self) -> Probed:
        """Wait for the end; raise RuntimeError where a question was not answered as it should be."""
        try:
            outcome = self._result.recv()
        except EOFError:
            raise RuntimeError("the probing process ended without a result") from None
        if isinstance(outcome, str):
            raise RuntimeError(outcome)
        return outcome

    def __enter__(self) -> Probing:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self._result.close()


def ask(api: str, path: str, **query: str) -> Any:
    """Ask the API once; return its JSON, None where there is no such thing (404)."""
    connection = http.client.HTTPConnection(api, timeout=PATIENCE_SECONDS)
    try:
        return _answer(connection, "GET", f"{path}?{urlencode(query)}" if query else path)
    finally:
        connection.close()


def tell(http_door: str, event: bytes) -> str:
    """Send one event; return the position at which it is durable."""
    connection = http.client.HTTPConnection(http_door, timeout=PATIENCE_SECONDS)
    try:
        return _answer(connection, "POST", EVENTS_PATH, event, {"Content-Type": STRUCTURED_TYPE})["position"]
    finally:
        connection.close()


def folded(api: str, position: str) -> None:
    """Wait until a position is folded, deferred cases included."""
    while not ask(api, "/api/v1/status", folded=position, wait="30s")["reached"]:
        pass


def _run(probe: Probe, result: Connection) -> None:
    try:
        result.send(_Prober(probe).run())
    except Exception as error:  # whatever it is, the one who waits has to know
        result.send(f"{type(error).__name__}: {error}")


class _Prober:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._own = threading.local()
        self._probed = Probed([], [], [])

    def run(self) -> Probed:
        began = time.monotonic()
        step = 1 / self._probe.rate
        pause = threading.Event()
        with ThreadPoolExecutor(LANES) as lanes:
            waits: list[Future[None]] = []
            for number in range(max(len(self._probe.events), len(self._probe.lookups))):
                due = began + number * step
                pause.wait(max(due - time.monotonic(), 0))
                if number < len(self._probe.events):
                    waits.append(lanes.submit(self._see, self._probe.events[number], due))
                if number < len(self._probe.lookups):
                    waits.append(lanes.submit(self._look_up, self._probe.lookups[number], due))
            for wait in waits:
                wait.result()
        return self._probed

    def _connection(self, address: str) -> http.client.HTTPConnection:
        known: dict[str, http.client.HTTPConnection] = self._own.__dict__.setdefault("connections", {})
        if address not in known:
            known[address] = http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)
        return known[address]

    def _see(self, event: bytes, due: float) -> None:
        door = self._connection(self._probe.http)
        taken = _answer(door, "POST", EVENTS_PATH, event, {"Content-Type": STRUCTURED_TYPE})
        self._probed.acknowledged.append(time.monotonic() - due)
        api = self._connection(self._probe.api)
        query = urlencode({"folded": taken["position"], "wait": "60s"})
        if not _answer(api, "GET", f"/api/v1/status?{query}")["reached"]:
            raise RuntimeError("an event was not visible after 60 s")
        self._probed.visible.append(time.monotonic() - due)

    def _look_up(self, key: tuple[str, str], due: float) -> None:
        query = urlencode({"type": key[0], "value": key[1], "limit": 1})
        found = _answer(self._connection(self._probe.api), "GET", f"/api/v1/records?{query}")
        self._probed.looked_up.append(time.monotonic() - due)
        if not found or not found["records"]:
            raise RuntimeError(f"nothing was found at {key[0]}={key[1]}")


def _answer(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Any:
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    content = response.read()
    if response.status == 404:
        return None
    if response.status not in (200, 202):
        raise RuntimeError(f"{method} {path}: seen status {response.status}: {content[:300]!r}")
    return json.loads(content)
