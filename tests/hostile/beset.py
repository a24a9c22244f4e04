"""A serve that is beset: good traffic beside what is hostile, and in the end the question what became of both."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import msgspec

from tests.hostile import MARK
from tests.service.serving import Serving, event, until
from throughline.core.journal import JOURNAL_FILE, JournalReader

MOST_MEMORY = 1_000 * 1024 * 1024  # of one part, the largest bodies allowed being decoded
PACE_SECONDS = 0.01  # between two good events
FLOOR_SECONDS = 0.02  # what a busy machine takes by itself, now and then
_BATCH = "application/cloudevents-batch+json"


class Beset:
    """Sends good events one after another all the while, each on the same connection, and notes how long each took."""

    def __init__(self, serve: Serving) -> None:
        self.serve = serve
        self.sent = 0
        self.calm: list[float] = []
        self.beset: list[float] = []
        self._hostile = 0  # requests under way
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self.broken: list[str] = []

    def __enter__(self) -> Beset:
        self._thread.start()
        until(lambda: len(self.calm) > 50 or bool(self.broken), "good events before all else")
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()

    def rest(self) -> None:
        """Send no more; safe twice."""
        self._stop.set()
        self._thread.join()

    @contextmanager
    def under(self) -> Generator[None]:
        """Count the good events of the meantime as those beside something hostile."""
        self._hostile += 1
        try:
            yield
        finally:
            self._hostile -= 1

    def _go_on(self) -> None:
        host, _, port = self.serve.addresses["http"].rpartition(":")
        connection = HTTPConnection(host, int(port), timeout=30)
        while not self._stop.wait(PACE_SECONDS):
            self.sent += 1
            body = msgspec.json.encode([good(self.sent)])
            hostile, began = self._hostile, time.perf_counter()
            try:
                connection.request("POST", "/v1/events", body, {"content-type": _BATCH})
                answer = connection.getresponse()
                answer.read()
            except OSError as error:
                self.broken.append(f"good event {self.sent}: {error!r}")
                connection.close()
                continue
            (self.beset if hostile or self._hostile else self.calm).append(time.perf_counter() - began)
            if answer.status != 202:
                self.broken.append(f"good event {self.sent}: {answer.status}")
        connection.close()

    # what became of it

    def was_always_good(self) -> None:
        """Hold what must be true whatever came in; from now on, nothing more is sent."""
        self.rest()
        assert self.broken == []
        self.serves_on()
        self.kept_nothing_hostile()
        self.found_the_good_ones()
        self.stayed_within_memory()
        self.logged_no_fault()
        self.kept_its_latency()

    def serves_on(self) -> None:
        position = self.serve.send(good(0))
        self.serve.folded(position)
        assert self.serve.get("/readyz").status == 200
        assert self.serve.get("/api/v1/cases/time-to-bill/G-0").status == 200

    def kept_nothing_hostile(self) -> None:
        mark = MARK.encode()
        reader = JournalReader(self.serve.data / JOURNAL_FILE)
        try:
            for record in reader.after(0, 1_000_000):
                assert mark not in msgspec.json.encode([each.fields for each in record.events])
                for raw in reader.requests(record.id):
                    assert mark not in raw.body, raw.body[:200]
        finally:
            reader.close()
        assert f'"{MARK}"' not in self.serve.get("/api/v1/events", limit=1000).text

    def found_the_good_ones(self) -> None:
        """All good events count once; two of them are those of ``serves_on``."""
        status = self.serve.folded(self.serve.send(good(0)))
        assert status["counts"]["cases"]["open"] == self.sent + 1

    def stayed_within_memory(self) -> None:
        for name, pid in self.serve.parts.items():
            assert memory_of(pid) < MOST_MEMORY, name

    def logged_no_fault(self) -> None:
        log = (self.serve.data.parent / f"{self.serve.data.name}.log").read_text()
        assert "Traceback" not in log, log[-5_000:]
        assert "_failed" not in log, log[-5_000:]

    def kept_its_latency(self) -> None:
        calm, beset = statistics.median(self.calm), statistics.median(self.beset or [0.0])
        assert beset <= 2 * calm + FLOOR_SECONDS, (
            f"{beset * 1000:.1f} ms beside hostile requests, {calm * 1000:.1f} else"
        )


def good(number: int) -> dict[str, object]:
    return event(f"good-{number}", "time.submitted", "2025-11-02T16:04:11Z", "/good", time_entry=f"G-{number}")


def memory_of(pid: int) -> int:
    """Return the most memory that a process ever had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
