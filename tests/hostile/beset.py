"""A serve that is beset: good traffic beside what is hostile, and in the end the question what became of both."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.hostile import MARK
from tests.hostile.beside import good
from tests.service.serving import Serving, until
from throughline.core.journal import JOURNAL_FILE, JournalReader

MOST_MEMORY = 1_100 * 1024 * 1024  # of one part, the largest bodies allowed being decoded
FLOOR_SECONDS = 0.01  # what a busy machine takes by itself, now and then
ROOT = Path(__file__).parents[2]


class Sent(NamedTuple):
    """One good event: when it was sent, how long its answer took, and what that was."""

    began: float
    seconds: float
    status: str


class Beset:
    """Good events all the while, from a process of their own; which of them went beside something hostile is noted."""

    def __init__(self, serve: Serving) -> None:
        self.serve = serve
        self._hostile: list[tuple[float, float]] = []
        self._lines: list[str] = []

    def __enter__(self) -> Beset:
        command = [sys.executable, "-m", "tests.hostile.beside", self.serve.addresses["http"]]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self._hearing = threading.Thread(target=self._hear)
        self._hearing.start()
        until(lambda: len(self._lines) > 100, "good events before all else")
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(self._process.stdout)

    def rest(self) -> None:
        """Send no more; safe twice."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._hearing.join()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @contextmanager
    def under(self) -> Generator[None]:
        """Count the good events of the meantime as those beside something hostile."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._hostile.append((began, time.monotonic()))

    @property
    def sent(self) -> list[Sent]:
        """All good events until now."""
        words = (line.rstrip("\n").split(" ", 2) for line in self._lines)
        return [Sent(float(began), float(seconds), status) for began, seconds, status in words]

    # what became of it

    def was_always_good(self) -> None:
        """Hold what must be true whatever came in; from now on, nothing more is sent."""
        self.rest()
        assert {each.status for each in self.sent} == {"202"}
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
        assert status["counts"]["cases"]["open"] == len(self.sent) + 1

    def stayed_within_memory(self) -> None:
        for name, pid in self.serve.parts.items():
            assert memory_of(pid) < MOST_MEMORY, f"{name}: {memory_of(pid):,}"

    def logged_no_fault(self) -> None:
        log = (self.serve.data.parent / f"{self.serve.data.name}.log").read_text()
        assert "Traceback" not in log, log[-5_000:]
        assert '"level": "error"' not in log, log[-5_000:]

    def kept_its_latency(self) -> None:
        """Hold the latency of good events, from the first hostile request to the last, to twice that of the others."""
        began, ended = min(began for began, _ in self._hostile), max(ended for _, ended in self._hostile)
        beset = statistics.median(each.seconds for each in self.sent if began <= each.began < ended)
        calm = statistics.median(each.seconds for each in self.sent if not began <= each.began < ended)
        seen = f"{beset * 1000:.1f} ms beside hostile requests, {calm * 1000:.1f} ms else"
        assert beset <= 2 * calm + FLOOR_SECONDS, seen


def memory_of(pid: int) -> int:
    """Return the most memory that a process ever had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
