"""A test that needs more than Python is skipped with what to do about it, or failed where it must run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = """
import pytest

@pytest.mark.needs("strace")
def test_traced():
    pass

def test_plain():
    pass
"""


@pytest.fixture
def sample(repository: Path, tmp_path: Path) -> Path:
    shutil.copy(repository / "tests" / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    needs\n    serial\n    xdist_group\n")
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    (tmp_path / "bin").mkdir()
    return tmp_path


def run_sample(sample: Path, strace: str | None, require: str = "") -> subprocess.CompletedProcess[str]:
    """Run the sample where ``strace`` is a program of this one line, or missing."""
    if strace is not None:
        (sample / "bin" / "strace").write_text(f"#!/bin/sh\n{strace}\n")
        (sample / "bin" / "strace").chmod(0o755)
    environment = os.environ | {"PATH": str(sample / "bin"), "REQUIRE": require}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", str(sample)]
    return subprocess.run(
        command, cwd=sample, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_missing_tool_skips_the_test_and_the_end_says_how_to_have_it(sample: Path) -> None:
    done = run_sample(sample, strace=None)
    assert done.returncode == 0
    assert "1 skipped: needs strace, which is missing here: apt-get install strace" in done.stdout
    assert "test_sample.py::test_traced" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1]


def test_a_required_tool_that_is_missing_fails_the_test(sample: Path) -> None:
    done = run_sample(sample, strace=None, require="go, strace")
    assert done.returncode == 1
    assert "REQUIRE names strace" in done.stdout
    assert "1 passed, 1 error" in done.stdout.splitlines()[-1]


def test_a_tool_that_is_there_and_forbidden_is_missing_too(sample: Path) -> None:
    assert "1 passed, 1 skipped" in run_sample(sample, strace="exit 1").stdout.splitlines()[-1]


def test_a_tool_that_works_lets_the_test_run(sample: Path) -> None:
    assert "2 passed" in run_sample(sample, strace="exit 0", require="strace").stdout.splitlines()[-1]
