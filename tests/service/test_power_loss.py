"""Acknowledged means durable: what was synced before each answer is enough to find every acknowledged event again."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.journal_file import JournalFile
from tests.running_collector import RunningCollector, cloudevent, events
from tests.running_collector.recorded_disk import STRACE, Disk, moments
from throughline.core.journal import JOURNAL_FILE

SENDERS = 4
REQUESTS = 20  # of each sender
LUCK_EVERY = 7  # answers between two tries with luck


def bulky(number: int) -> dict[str, object]:
    """Return an event of sixty kilobytes that hardly compress, so that the log is moved into the file on the way."""
    noise = random.Random(number).randbytes(30_000).hex()
    return cloudevent(number, data={"time_entry": [noise[start : start + 1_000] for start in range(0, 60_000, 1_000)]})


def record(folder: Path, careless: bool) -> tuple[Path, dict[str, set[str]]]:
    """Let a collector take requests under strace; return the record, and the ids that each position acknowledged."""
    trace = folder / "strace.txt"
    data = folder / "data"
    data.mkdir()
    acknowledged: dict[str, set[str]] = {}
    with RunningCollector(data, before=(*STRACE, "-o", str(trace)), careless=careless) as collector:

        def send(first: int) -> None:
            for number in range(first, first + REQUESTS):
                answer = collector.send(bulky(number))
                assert answer.status_code == 202
                acknowledged.setdefault(answer.json()["position"], set()).add(f"e-{number}")

        with ThreadPoolExecutor(SENDERS) as senders:
            for sent in [senders.submit(send, start * REQUESTS) for start in range(SENDERS)]:
                sent.result()
    return trace, acknowledged


def recovered(folder: Path) -> set[str]:
    """Return the ids that are there once the files were opened as after a power cut."""
    file = JournalFile(folder / JOURNAL_FILE)
    file.open()
    file.close()
    return {event.id for event in events(folder)}


def power_cuts(folder: Path, trace: Path, acknowledged: dict[str, set[str]]) -> Iterator[tuple[set[str], set[str]]]:
    """For a power cut just before each answer, give the ids acknowledged by then and those found again."""
    disk = Disk(folder / "data")
    promised: set[str] = set()
    luck = random.Random(20261121)
    answers = 0
    for moment in moments(trace):
        if moment.call is not None:
            disk.take(moment.call)
            continue
        assert moment.position is not None
        promised |= acknowledged[moment.position]
        answers += 1
        for given in (None, *([luck] * 3 if answers % LUCK_EVERY == 0 else [])):
            left = folder / "left"
            left.mkdir()
            disk.after_power_cut(given, left)
            yield set(promised), recovered(left)
            shutil.rmtree(left)


def moved_on_the_way(trace: Path) -> bool:
    """Tell whether the write-ahead log was moved into the file between the first answer and the last."""
    after_answers = False
    moved = False
    for moment in moments(trace):
        if moment.call is None:
            if moved:
                return True
            after_answers = True
        elif after_answers and moment.call.name == "fdatasync" and moment.call.path.endswith(JOURNAL_FILE):
            moved = True
    return False


@pytest.mark.needs("strace")
def test_every_acknowledged_event_survives_a_power_cut_at_any_answer(tmp_path: Path) -> None:
    trace, acknowledged = record(tmp_path, careless=False)
    cuts = 0
    for promised, found in power_cuts(tmp_path, trace, acknowledged):
        assert promised <= found
        cuts += 1
    assert cuts >= SENDERS * REQUESTS
    assert moved_on_the_way(trace)


@pytest.mark.needs("strace")
def test_the_same_record_shows_the_loss_where_nobody_waits_for_the_disk(tmp_path: Path) -> None:
    trace, acknowledged = record(tmp_path, careless=True)
    assert any(promised - found for promised, found in power_cuts(tmp_path, trace, acknowledged))
