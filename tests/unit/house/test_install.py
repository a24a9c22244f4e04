"""Installing picks a Python that fits and works, and says plainly when there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs that is all of PATH; it begins without any Python."""
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def has(machine: Path, name: str, line: str) -> None:
    (machine / name).write_text(f"#!/bin/sh\n{line}\n")
    (machine / name).chmod(0o755)


def chosen(repository: Path, machine: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(machine / "bash"), str(repository / ".ci" / "install"), "--python"]
    everything = {"PATH": str(machine), **environment}
    return subprocess.run(command, env=everything, capture_output=True, text=True, check=False, timeout=60)


WORKS = f'exec "{sys.executable}" "$@"'
FAILS = "echo 'command not found' >&2; exit 127"


def test_it_takes_the_first_python_that_works(repository: Path, machine: Path) -> None:
    has(machine, "python3.13", FAILS)
    has(machine, "python3.12", WORKS)
    has(machine, "python3.11", WORKS)
    assert chosen(repository, machine).stdout == "python3.12\n"


def test_plain_python3_will_do(repository: Path, machine: Path) -> None:
    has(machine, "python3", WORKS)
    assert chosen(repository, machine).stdout == "python3\n"


def test_a_python_may_be_named(repository: Path, machine: Path) -> None:
    has(machine, "python3.12", WORKS)
    assert chosen(repository, machine, PYTHON=sys.executable).stdout == f"{sys.executable}\n"


def test_without_any_it_says_what_is_wanted_and_how_to_name_one(repository: Path, machine: Path) -> None:
    has(machine, "python3", "exit 1")
    done = chosen(repository, machine)
    assert done.returncode == 1
    assert "No Python 3.11, 3.12 or 3.13 found" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_a_named_python_that_does_not_fit_is_not_replaced_by_another(repository: Path, machine: Path) -> None:
    has(machine, "python3.12", WORKS)
    has(machine, "mine", "exit 1")
    done = chosen(repository, machine, PYTHON="mine")
    assert (done.returncode, done.stdout) == (1, "")
    assert "PYTHON=mine is not a Python 3.11, 3.12 or 3.13 that runs." in done.stderr
