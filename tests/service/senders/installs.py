"""The official SDKs and the programs that use them: installed once for a checkout, each version by its lock file.

What is installed lies in ``.cache/senders`` and is made anew where a lock file or a program changes. Several test
workers may ask at once: one installs, the others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

FOLDER = Path(__file__).parent
CACHE = FOLDER.parents[2] / ".cache" / "senders"
INSTALL_SECONDS = 540.0


class NotInstalled(Exception):
    """A registry, or what it has, could not be had."""


def lacking(tool: str, reason: NotInstalled) -> NoReturn:
    """Skip a test for what could not be installed; fail it where REQUIRE names the tool chain."""
    if tool in os.environ.get("REQUIRE", "").split(","):
        pytest.fail(f"REQUIRE names {tool}; {reason}", pytrace=False)
    pytest.skip(f"needs what {tool} installs: {reason}")


def installed(tool: str) -> Path:
    """Return the folder with the programs of a tool chain, ready to run. Raises NotInstalled."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder, stamp = CACHE / tool, CACHE / f"{tool}.stamp"
    wanted = _digest(FOLDER / tool)
    with (CACHE / f"{tool}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(FOLDER / tool, folder)
            _INSTALLS[tool](folder)
            stamp.write_text(wanted)
    return folder


def _digest(folder: Path) -> str:
    content = hashlib.sha256()
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        content.update(f"{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return content.hexdigest()


def _install_node(folder: Path) -> None:
    _run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")


def _install_go(folder: Path) -> None:
    (folder / "bin").mkdir()
    _run(folder, "go", "build", "-mod=readonly", "-buildvcs=false", "-o", "bin/", "./...")


def _install_java(folder: Path) -> None:
    _run(folder, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libraries")
    _run(folder, "javac", "-cp", "libraries/*", "-d", "classes", *(file.name for file in folder.glob("*.java")))


_INSTALLS: dict[str, Callable[[Path], None]] = {"node": _install_node, "go": _install_go, "java": _install_java}


def _run(folder: Path, *command: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except FileNotFoundError as missing:
        raise NotInstalled(f"{command[0]} is missing") from missing
    except subprocess.TimeoutExpired as late:
        raise NotInstalled(f"{' '.join(command[:2])} took more than {INSTALL_SECONDS:g} s") from late
    if done.returncode:
        raise NotInstalled(f"{' '.join(command[:2])} failed: {(done.stderr or done.stdout).strip()[-600:]}")
