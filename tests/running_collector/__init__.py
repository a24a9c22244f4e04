"""A collector that really runs, in a process of its own, for tests that talk to it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx2
import msgspec

from throughline.core.event import Event
from throughline.core.journal import JOURNAL_FILE, JournalReader, Record

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
CLOUDEVENT = "application/cloudevents+json"
CONTROL = "the secret of this serve"
BATCH = "application/cloudevents-batch+json"


class RunningCollector:
    """Starts a collector on free ports; use it as a context, or call ``stop``. ``settings`` are those of serve.

    ``kill`` names a boundary of the journal's writer and after how many times there the process kills itself;
    ``before`` is put in front of its command (strace), ``user`` runs it as somebody else. ``careless`` lets its journal
    never wait for the disk; ``file_bytes`` is the largest file that it can write.
    """

    def __init__(
        self,
        data: Path,
        settings: Mapping[str, Any] | None = None,
        kill: tuple[str, int] | None = None,
        before: Sequence[str] = (),
        user: str | None = None,
        careless: bool = False,
        file_bytes: int | None = None,
    ) -> None:
        self.data = data
        orders = {
            "data": str(data),
            "settings": dict(settings or {}),
            "kill": kill,
            "careless": careless,
            "file_bytes": file_bytes,
        }
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "tests.running_collector.runner", json.dumps(orders)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            user=user,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.stdout.close()
            raise AssertionError(f"the collector ended with {self.process.wait()} before it was open")
        self.addresses: dict[str, str] = json.loads(line)
        self.pid: int = int(self.addresses.pop("pid"))
        self.client = httpx2.Client(timeout=30.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def events_url(self) -> str:
        return f"http://{self.addresses['http']}/v1/events"

    def url(self, path: str, door: str = "http") -> str:
        return f"http://{self.addresses[door]}{path}"

    def stop(self) -> int:
        """End it by SIGTERM, wait, and return its exit code; safe twice."""
        self.client.close()
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        return self._wait()

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._wait()
        self.client.close()

    def _wait(self) -> int:
        code = self.process.wait(timeout=START_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def send(self, *events: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """Send events as a batch."""
        return self.client.post(
            self.events_url, content=msgspec.json.encode(events), headers={"content-type": BATCH, **(headers or {})}
        )

    def ready(self) -> list[str]:
        """Return why it isn't ready; an empty list where it is."""
        answer = self.client.get(self.url("/readyz"))
        reasons: list[str] = answer.json()["reasons"]
        assert answer.status_code == (503 if reasons else 200)
        return reasons

    def metric(self, series: str, secret: str = CONTROL) -> float:
        """Return the value of one series of its metrics; by default as the other parts of its serve ask."""
        shown = {"authorization": f"Bearer {secret}"}
        for line in self.client.get(self.url("/metrics"), headers=shown).text.splitlines():
            if line.startswith(series + " "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no series {series}")


def cloudevent(number: int, **changed: Any) -> dict[str, Any]:
    """Return a CloudEvent with an id of its own."""
    event = {"specversion": "1.0", "id": f"e-{number}", "source": "/psa", "type": "time.approved"}
    return event | {"time": "2025-11-02T16:04:11Z", "data": {"time_entry": f"TE-{number}"}} | changed


def records(data: Path) -> list[Record]:
    """Return all records of a data folder's journal."""
    reader = JournalReader(data / JOURNAL_FILE)
    try:
        return reader.after(0, 1_000_000)
    finally:
        reader.close()


def events(data: Path) -> list[Event]:
    """Return all events of a data folder's journal, in order."""
    return [event for record in records(data) for event in record.events]
