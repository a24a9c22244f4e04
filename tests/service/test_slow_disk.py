"""A disk that takes its time: acknowledgements wait, what waits is bounded, too much is refused, and all recovers."""

from __future__ import annotations

import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.service.injected import injected
from tests.service.serving import Answer, Serving, event, serving

pytestmark = [pytest.mark.serial, pytest.mark.needs("strace")]

DELAY_SECONDS = 0.4
QUEUE = 1_048_576  # bytes that may wait
NOTE = 50_000  # bytes of an event, so that some twenty fill the queue
SENDERS = 30
EACH = 4
MOST_GROWTH = 48 * 1_048_576
WAL = ("journal.db-wal",)


def bulky(number: int) -> dict[str, Any]:
    noise = random.Random(number).randbytes(NOTE // 2).hex()
    note = [noise[start : start + 1_000] for start in range(0, NOTE, 1_000)]
    return event(f"e{number}", "time.submitted", time_entry=f"TE-{number}", note=note)


class Sending:
    """Events sent one by one, each with its answer and how long that took."""

    def __init__(self, serve: Serving) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self.taken: list[float] = []
        self.refused: list[Answer] = []
        self.position = 0

    def send(self, number: int) -> None:
        began = time.monotonic()
        answer = self._serve.call(self._serve.url("/v1/events", "http"), bulky(number), CLOUDEVENT)
        with self._lock:
            if answer.status == 202:
                self.taken.append(time.monotonic() - began)
                self.position = max(self.position, int(answer.json["position"][1:]))
            else:
                self.refused.append(answer)


CLOUDEVENT = {"content-type": "application/cloudevents+json"}


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def waiting_bytes(serve: Serving) -> float:
    lines = serve.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("throughline_journal_queue_bytes"))


def test_on_a_slow_disk_answers_wait_too_much_is_refused_and_it_recovers_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--queue-bytes", str(QUEUE)) as serve:
        sending = Sending(serve)
        for number in range(20):
            sending.send(number)
        usual, parts = resident(serve.parts["collector"]), dict(serve.parts)
        quick = max(sending.taken)
        assert quick < DELAY_SECONDS
        slow = Sending(serve)
        fault = f"delay_enter={int(DELAY_SECONDS * 1_000_000)}"
        with (
            injected(serve, ["collector"], "fdatasync", fault, WAL),
            ThreadPoolExecutor(SENDERS) as senders,
        ):
            sent = [senders.submit(slow.send, number) for number in range(100, 100 + SENDERS * EACH)]
            waits = [waiting_bytes(serve) for _ in range(10)]
            for each in sent:
                each.result()
            assert serve.get("/api/v1/cases", limit=1).status == 200
        assert max(waits) <= QUEUE
        assert slow.taken
        assert min(slow.taken) >= DELAY_SECONDS
        assert slow.refused
        for answer in slow.refused:
            assert (answer.status, json.loads(answer.text)["reason"]) == (429, "overloaded")
            assert int(answer.headers["retry-after"]) >= 1
        assert resident(serve.parts["collector"]) - usual < MOST_GROWTH
        again = Sending(serve)
        again.send(1_000)
        assert again.taken[0] < DELAY_SECONDS
        counts = serve.folded(f"j{again.position}")["counts"]
        assert counts["events"] == 20 + len(slow.taken) + 1
        assert serve.get("/readyz").status == 200
        assert serve.parts == parts
