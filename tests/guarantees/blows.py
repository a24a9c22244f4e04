"""Blows: ways to end a part of a running serve by SIGKILL, at any moment or at a system call that was aimed at."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from tests.service.serving import PATIENCE_SECONDS, Serving, runs, until


class Blow(Protocol):
    def strike(self, serve: Serving) -> None:
        """End the part, and return once that process runs no more."""
        ...


@dataclass(frozen=True)
class Sudden:
    """Ends a part wherever it is."""

    part: str

    def strike(self, serve: Serving) -> None:
        end(running(serve, self.part))


@dataclass(frozen=True)
class Aimed:
    """Ends a part as it enters a system call for the nth time from now: one on a file of the data folder, or on any."""

    boundary: str
    part: str
    call: str
    nth: int
    file: str | None = None

    def strike(self, serve: Serving) -> None:
        pid = running(serve, self.part)
        path = [] if self.file is None else ["-P", str(serve.data / self.file)]
        aim = f"inject={self.call}:signal=KILL:when={self.nth}"
        command = [
            "strace",
            "-f",
            "-qq",
            "-o",
            os.devnull,
            *path,
            "-p",
            str(pid),
            "-e",
            f"trace={self.call}",
            "-e",
            aim,
        ]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as tracer:
            try:
                tracer.wait(PATIENCE_SECONDS)
            finally:
                tracer.kill()
        until(lambda: not runs(pid), f"the end of the {self.part} at {self.boundary}")


def running(serve: Serving, part: str) -> int:
    """Wait until a part runs, and return its process id."""
    until(lambda: runs(serve.parts.get(part, 0)), f"a running {part}")
    return serve.parts[part]


def end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not runs(pid), f"the end of process {pid}")


def end_all(serve: Serving) -> None:
    """End the supervisor and every part at once, as when a machine stops."""
    for pid in serve.parts.values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    serve.process.wait(PATIENCE_SECONDS)


def end_supervisor(serve: Serving) -> None:
    """End the supervisor only; the parts end by themselves."""
    serve.process.kill()
    serve.process.wait(PATIENCE_SECONDS)
