"""There is room while the disk has space and what came in is folded in time; else the reason says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.reading import Refusal, Refused
from collector.room import Room
from tests.running_collector import RunningCollector, cloudevent
from throughline.core.journal import JOURNAL_FILE
from throughline.core.progress import note_folded, read_folded

ALLOWED = 100.0


class Time:
    """Monotonic time that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose journal holds two records."""
    with RunningCollector(tmp_path) as collector:
        for number in (1, 2):
            assert collector.send(cloudevent(number)).status_code == 202
    return tmp_path


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def room(data: Path, time: Time) -> Iterator[Room]:
    with closing(Room(data / JOURNAL_FILE, 0, ALLOWED, time)) as room:
        yield room


def reasons(room: Room) -> list[str]:
    room.look()
    return room.reasons()


def test_there_is_room_where_nobody_says_what_is_folded(room: Room, time: Time) -> None:
    assert reasons(room) == []
    time.now += 1_000 * ALLOWED
    assert reasons(room) == []


def test_what_waits_longer_than_allowed_is_said_until_it_is_folded(data: Path, room: Room, time: Time) -> None:
    note_folded(data, 1)
    assert reasons(room) == []
    time.now += ALLOWED
    assert reasons(room) == []
    time.now += 1.0
    (reason,) = reasons(room)
    assert "record j2 has waited" in reason
    assert "see that the engine runs" in reason
    note_folded(data, 2)
    assert reasons(room) == []
    time.now += 1_000 * ALLOWED
    assert reasons(room) == []


def test_an_engine_that_goes_on_is_not_taken_for_one_that_stands_still(data: Path, room: Room, time: Time) -> None:
    note_folded(data, 0)
    assert reasons(room) == []
    time.now += ALLOWED
    note_folded(data, 1)
    assert reasons(room) == []
    time.now += 1.0
    assert "record j2" in reasons(room)[0]  # it has been there from the first


def test_a_disk_that_is_nearly_full_is_said(data: Path) -> None:
    with closing(Room(data / JOURNAL_FILE, 1 << 60, ALLOWED)) as room:
        (reason,) = reasons(room)
    assert "free space" in reason


def test_a_request_is_refused_where_there_is_no_room_and_may_come_back(data: Path) -> None:
    with closing(Room(data / JOURNAL_FILE, 1 << 60, ALLOWED)) as room:
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
