"""A watched file is taken when it has changed and stands; a change that cannot be used leaves the former in force."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from throughline.core.errors import ConfigurationError, Fault
from throughline.core.watched import Looking, Watched


def number(file: Path) -> Callable[[], int]:
    def read() -> int:
        try:
            return int(file.read_text())
        except (ValueError, OSError) as error:
            raise ConfigurationError([Fault(str(file), 1, "", "no number", "one")]) from error

    return read


def watched(file: Path) -> Watched[int]:
    return Watched("the number", [file], number(file))


def look(number: Watched[int], times: int = 2) -> int:
    for _ in range(times):
        number.look()
    return number.held


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "number").write_text("1")
    return tmp_path / "number"


def test_a_change_is_in_force_once_two_looks_saw_it_alike(file: Path) -> None:
    held = watched(file)
    file.write_text("2")
    assert look(held, 1) == 1, "somebody may still be writing it"
    file.write_text("23")
    assert look(held, 1) == 1
    assert look(held, 1) == 23


def test_a_file_seen_half_written_is_never_taken(file: Path) -> None:
    held = watched(file)
    file.write_text("")
    look(held, 1)
    file.write_text("1")
    assert look(held) == 1
    assert held.warning() is None


@pytest.mark.parametrize("spoil", [lambda file: file.write_text("x"), Path.unlink])
def test_a_change_that_cannot_be_used_leaves_the_former_in_force_and_says_so(
    file: Path, spoil: Callable[[Path], object]
) -> None:
    held = watched(file)
    spoil(file)
    assert look(held) == 1
    assert [fault.seen for fault in held.faults] == ["no number"]
    assert held.warning() == "the number has a fault (the log says which): what it said before stays in force"
    file.write_text("1")
    assert look(held) == 1
    assert held.warning() is None


def test_what_cannot_be_used_at_first_is_refused(file: Path) -> None:
    file.write_text("x")
    with pytest.raises(ConfigurationError):
        watched(file)


def test_looking_goes_on_after_a_look_that_failed_until_it_is_closed() -> None:
    looked, calls = Event(), [0]

    def failing() -> None:
        calls[0] += 1
        if calls[0] > 2:
            looked.set()
        raise OSError("for once")

    looking = Looking([failing], seconds=0.001)
    assert looked.wait(20)
    looking.close()
    seen = calls[0]
    looking.close()
    assert calls[0] == seen
