"""There is room while the disk has space and what came in is folded in time; else the reason says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.reading import Refusal, Refused
from collector.room import Room
from tests.running_collector import RunningCollector, cloudevent
from throughline.core.instants import HOUR, parse_instant
from throughline.core.journal import JOURNAL_FILE, JournalReader
from throughline.core.progress import note_folded, read_folded


class Standing:
    """A clock that stands still."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def describe(self) -> dict[str, str | int | float]:
        return {}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose journal holds two records."""
    with RunningCollector(tmp_path) as collector:
        for number in (1, 2):
            assert collector.send(cloudevent(number)).status_code == 202
    return tmp_path


def looked(data: Path, hours: float = 0.0, free_bytes: int = 0) -> list[str]:
    """Look so many hours after the second record; return why there is no room."""
    reader = JournalReader(data / JOURNAL_FILE)
    received = reader.received(2) or 0
    reader.close()
    room = Room(data / JOURNAL_FILE, Standing(received + round(hours * HOUR)), free_bytes, 2 * HOUR)
    room.look()
    room.close()
    return room.reasons()


def test_there_is_room_where_nobody_says_what_is_folded(data: Path) -> None:
    assert looked(data, 1_000) == []


def test_what_waits_longer_than_allowed_is_said_until_it_is_folded(data: Path) -> None:
    note_folded(data, 1)
    assert looked(data, 1.9) == []
    (reason,) = looked(data, 2.1)
    assert "see that the engine runs" in reason
    note_folded(data, 2)
    assert looked(data, 1_000) == []


def test_a_disk_that_is_nearly_full_is_said(data: Path) -> None:
    (reason,) = looked(data, free_bytes=1 << 60)
    assert "free space" in reason


def test_a_request_is_refused_where_there_is_no_room_and_may_come_back(data: Path) -> None:
    room = Room(data / JOURNAL_FILE, Standing(parse_instant("2026-01-01T00:00:00Z")), 1 << 60, HOUR)
    room.check()
    room.look()
    with pytest.raises(Refused) as refused:
        room.check()
    assert refused.value.refusal is Refusal.UNAVAILABLE
    assert refused.value.retry_after


def test_what_is_no_position_says_nothing(tmp_path: Path) -> None:
    assert read_folded(tmp_path) is None
    (tmp_path / "folded").write_text("hostile")
    assert read_folded(tmp_path) is None
    note_folded(tmp_path / "nowhere", 7)
    note_folded(tmp_path, 7)
    assert read_folded(tmp_path) == 7
