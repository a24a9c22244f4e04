"""An engine beside others in a process of its own, which folds one part of a small story and can be killed."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from typing import Any

from lineage.shared_engine import SharedEngine
from tests.guarantees.firm import ESTATE, happened
from tests.guarantees.shown import DEFAULTS, PACK
from tests.guarantees.weeks import BEGAN
from tests.postgresql_server import PATIENCE_SECONDS
from tests.unit.lineage.adapter import settle, tick
from throughline.core.instants import DAY, HOUR
from throughline.core.journal import MAPPING, Record
from throughline.core.store_url import Schema, StoreUrl

NOW = BEGAN + 3 * DAY
ENTRIES = range(5)
# Two parts whose cases are the same: one tells of time entries, the other of what becomes of them.
PARTS = (
    [happened(f"s{each}", "time.submitted", BEGAN, time_entry=f"T{each}") for each in ENTRIES],
    [
        *(
            happened(f"r{each}", "billing.released", BEGAN + HOUR, time_entry=f"T{each}", billing_event="B1")
            for each in ENTRIES
        ),
        happened("i", "invoice.issued", BEGAN + 2 * HOUR, billing_event="B1", invoice="I1", legal_entity="DE01"),
    ],
)


def fold_part(url: StoreUrl, part: int, at: Callable[[str], None] = lambda _: None) -> None:
    """Fold what is not folded yet of a part, an event at a time."""
    place = Schema(url, "throughline")
    with closing(SharedEngine.join(place, PACK, ESTATE, DEFAULTS, str(part))) as engine:
        engine.watch(at)
        for number, event in enumerate(PARTS[part], 1):
            if number > engine.positions()[0]:
                engine.fold_records([Record(number, NOW, MAPPING, [event], [], [])], NOW)
        settle(engine, NOW)
        tick(engine, NOW)


class Worker:
    """Folds a part in a process that stops in the middle of its third batch."""

    def __init__(self, url: StoreUrl, part: int, stage: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_fold_and_stop, args=(url, part, stage, there))

    def __enter__(self) -> Worker:
        self._process.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join(PATIENCE_SECONDS)

    def reached(self) -> None:
        assert self._here.poll(PATIENCE_SECONDS)

    def kill(self) -> None:
        self._process.kill()
        self._process.join(PATIENCE_SECONDS)
        assert self._process.exitcode == -signal.SIGKILL


def _fold_and_stop(url: StoreUrl, part: int, stage: str, there: Connection) -> None:
    passed = 0

    def at(seen: str) -> None:
        nonlocal passed
        passed += seen == stage
        if passed == 3:
            there.send("there")
            signal.pause()

    fold_part(url, part, at)
