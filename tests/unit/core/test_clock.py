"""Clocks: the real one, one that runs faster, and one that stands where a file says."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from throughline.core.clock import CLOCK_FILE, Clock, FileClock, RealClock, open_clock
from throughline.core.errors import ConfigurationError
from throughline.core.instants import DAY, HOUR, MICROSECONDS, format_instant, parse_instant

START = parse_instant("2026-11-02T08:00:00Z")


class HandClock:
    """A clock that a test sets by hand."""

    def __init__(self, now: int = START) -> None:
        self.at = now

    def now(self) -> int:
        return self.at

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "real"}


def file_clock(path: Path, text: str) -> FileClock:
    path.write_text(text)
    return FileClock(path, read_again_seconds=0)


def test_the_real_clock_says_the_time_of_the_system() -> None:
    before = time.time_ns() // 1000
    now = RealClock().now()
    assert before <= now <= time.time_ns() // 1000


def test_a_scaled_clock_starts_now_and_runs_faster(tmp_path: Path) -> None:
    real = HandClock()
    clock = open_clock("scale=3600", tmp_path, real)
    assert clock.now() == START
    real.at += 2 * MICROSECONDS
    assert clock.now() == START + 2 * HOUR
    assert clock.describe() == {"kind": "scaled", "scale": 3600.0, "origin": "2026-11-02T08:00:00Z"}


def test_a_scaled_clock_may_start_at_a_given_time(tmp_path: Path) -> None:
    real = HandClock()
    clock = open_clock("scale=86400,from=2026-01-05T09:00:00+01:00", tmp_path, real)
    real.at += MICROSECONDS
    assert format_instant(clock.now()) == "2026-01-06T08:00:00Z"


def test_a_restart_and_another_process_agree_with_the_first(tmp_path: Path) -> None:
    real = HandClock()
    first = open_clock("scale=1000", tmp_path, real)
    real.at += DAY
    second = open_clock("scale=1000", tmp_path, real)
    assert second.now() == first.now() == START + 1000 * DAY


def test_the_first_process_to_write_the_origin_wins(tmp_path: Path) -> None:
    origin = {"scale": 10.0, "real": START, "scaled": START - DAY}
    (tmp_path / CLOCK_FILE).write_text(json.dumps(origin))
    assert open_clock("scale=10,from=2030-01-01T00:00:00Z", tmp_path, HandClock()).now() == START - DAY


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    open_clock("scale=10", tmp_path / "new", HandClock())
    assert [path.name for path in (tmp_path / "new").iterdir()] == [CLOCK_FILE]


@pytest.mark.parametrize("spec", ["scale=11", "real", "a-file"])
def test_a_folder_that_was_begun_with_one_scale_refuses_another_clock(tmp_path: Path, spec: str) -> None:
    open_clock("scale=10", tmp_path, HandClock())
    with pytest.raises(ConfigurationError, match="scale=10, with which this data folder was begun"):
        open_clock(spec, tmp_path, HandClock())


@pytest.mark.parametrize("spec", ["scale=", "scale=fast", "scale=0", "scale=-1", "scale=nan", "scale=2,from=monday"])
def test_what_is_no_scale_is_refused_with_what_was_wanted(tmp_path: Path, spec: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--clock.* wanted "):
        open_clock(spec, tmp_path, HandClock())
    assert not (tmp_path / CLOCK_FILE).exists()


def test_a_damaged_origin_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / CLOCK_FILE).write_text("{}")
    with pytest.raises(ConfigurationError, match=CLOCK_FILE):
        open_clock("scale=10", tmp_path, HandClock())


def test_real_is_the_real_clock_itself(tmp_path: Path) -> None:
    real: Clock = HandClock()
    assert open_clock("real", tmp_path, real) is real


def test_a_file_clock_stands_where_its_file_says_and_moves_with_it(tmp_path: Path) -> None:
    path = tmp_path / "now"
    clock = file_clock(path, "2026-11-02T08:00:00Z\n")
    assert clock.now() == START
    path.write_text("2026-11-02T09:00:00Z\n")
    assert clock.now() == START + HOUR


def test_a_file_clock_only_moves_forward_and_counts_what_it_ignored(tmp_path: Path) -> None:
    path = tmp_path / "now"
    clock = file_clock(path, "2026-11-02T08:00:00Z")
    path.write_text("2026-11-02T07:59:59Z")
    assert clock.now() == START
    assert clock.backward == 1


def test_a_half_written_file_leaves_the_clock_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "now"
    clock = file_clock(path, "2026-11-02T08:00:00Z")
    path.write_text("2026-11-0")
    assert clock.now() == START
    path.unlink()
    assert clock.now() == START
    assert clock.describe()["unreadable"] == 2


def test_a_file_clock_does_not_read_its_file_at_every_question(tmp_path: Path) -> None:
    path = tmp_path / "now"
    path.write_text("2026-11-02T08:00:00Z")
    clock = FileClock(path, read_again_seconds=3600)
    path.write_text("2026-11-03T08:00:00Z")
    assert clock.now() == START


def test_open_clock_takes_the_path_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "now"
    path.write_text("2026-11-02T08:00:00Z")
    assert open_clock(str(path), tmp_path / "data").now() == START


@pytest.mark.parametrize("text", [None, "", "2026-11-02T08:00:00", "tomorrow"])
def test_a_file_without_a_time_is_refused_at_the_start(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "now"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match="wanted an RFC 3339 time"):
        open_clock(str(path), tmp_path)
