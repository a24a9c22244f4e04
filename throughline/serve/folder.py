"""The data folder: one serve at a time, and the small files by which others find it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

from throughline.core.errors import StartRefused

ADDRESSES = "addresses.json"
CERTIFICATE = "certificate"  # beside the addresses: the file that the doors show, where they speak TLS
PARTS = "parts.json"
LOCK = "serve.lock"
PATIENCE_SECONDS = 25.0  # longer than a part takes to end that has lost its supervisor
LOOK_AGAIN_SECONDS = 0.05


class DataFolder:
    """A data folder that this serve holds. Closing gives it back; safe twice.

    The lock is an open file: parts inherit it, so that the folder stays taken until the last of them has ended, also
    where the supervisor was killed.
    """

    def __init__(self, path: Path, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Take the folder, creating it where there is none.

        Where a killed serve left parts that are still ending, wait for them as long as ``patience_seconds`` allows.
        Raises StartRefused where another serve runs in the folder, or where it cannot be written.
        """
        self.path = path
        self.lock = -1
        try:
            path.mkdir(parents=True, exist_ok=True)
            self.lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StartRefused(
                f"the data folder {path} cannot be written ({error.strerror}): "
                "give a folder of this user with --data DIR"
            ) from error
        try:
            _take(self.lock, path, time.monotonic() + patience_seconds)
        except BaseException:
            self.close()
            raise

    def write(self, name: str, content: Mapping[str, str | int]) -> None:
        """Write a small JSON file atomically: a reader sees the whole old or the whole new one. Raises OSError."""
        with NamedTemporaryFile("w", dir=self.path, prefix=f".{name}.", delete=False) as file:
            try:
                json.dump(content, file, indent=2)
                file.write("\n")
                file.flush()
                os.replace(file.name, self.path / name)
            except BaseException:
                os.unlink(file.name)
                raise

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Give the folder back, as far as this process is concerned."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def _take(lock: int, path: Path, until: float) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            known = read_small_file(path / PARTS)
            supervisor = known.get("supervisor")
            if _runs(supervisor):
                raise StartRefused(_taken(path, supervisor)) from error
            if time.monotonic() > until:
                raise StartRefused(_left(path, known)) from error
            time.sleep(LOOK_AGAIN_SECONDS)


def _runs(pid: object) -> bool:
    """Tell whether a process with this id runs; True where the id is not known, since somebody holds the lock."""
    if not isinstance(pid, int):
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def forget_addresses(path: Path) -> None:
    """Remove the addresses of a serve whose supervisor was killed: nobody is to be sent there any more.

    A part does this while it holds the folder, so that they cannot be those of the next serve.
    """
    with contextlib.suppress(OSError):
        (path / ADDRESSES).unlink(missing_ok=True)


def read_small_file(path: Path) -> dict[str, str | int]:
    """Read a file that ``DataFolder.write`` wrote; empty where it is missing or no such file."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text())
        if isinstance(content, dict):
            return content  # pyright: ignore[reportUnknownVariableType]
    return {}


def _taken(path: Path, supervisor: object) -> str:
    who = f"process {supervisor}" if supervisor else "another process"
    return (
        f"the data folder {path} is in use by another throughline serve ({who}): stop that one, "
        "or give another folder with --data DIR"
    )


def _left(path: Path, known: Mapping[str, str | int]) -> str:
    parts = {name: pid for name, pid in known.items() if name != "supervisor" and _runs(pid)}
    who = ", ".join(f"{name}: process {pid}" for name, pid in parts.items()) or "which ones is not known"
    pids = "".join(f" {pid}" for pid in parts.values())
    return (
        f"the data folder {path} is in use by parts of a throughline serve that was killed, which have not ended yet"
        f" ({who}): try again in a moment, or end them{f' (kill -9{pids})' if pids else ''}"
    )
