"""A really running ``throughline serve``: started and stopped, killed, and what its processes use."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

DEFINITIONS = Path(__file__).parent / "definitions"
DOORS = ("http", "api", "otlp_http", "otlp_grpc")
PATIENCE_SECONDS = 120.0
LOOK_AGAIN_SECONDS = 0.005
MEMORY_EVERY_SECONDS = 1.0  # each look makes the kernel walk all pages

_TICK = os.sysconf("SC_CLK_TCK")
_MIB = 1024 * 1024


class NotMeasured(Exception):
    """The service did not do what is to be measured; the message says what."""


class Memory(NamedTuple):
    """Memory of all service processes together, in MiB: resident, and with shared pages counted once."""

    resident: float
    proportional: float


class Service:
    """A ``throughline serve`` in a folder, on free ports of this machine."""

    def __init__(self, data: Path, log: Path) -> None:
        self.data = data
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.addresses: dict[str, str] = {}

    def start(self) -> None:
        """Start it, and wait until all of its parts are ready."""
        self.begin()
        ready = self.data / "addresses.json"
        until(lambda: ready.exists() or self._ended(), "the service's addresses")
        if self._ended():
            raise NotMeasured(f"the service ended as it started: {self._log.read_text()[-2000:]}")
        self.addresses = json.loads(ready.read_text())

    def begin(self) -> None:
        """Start it where it was before, if it was; wait for nothing."""
        words = ["serve", "--data", str(self.data), "--definitions", str(DEFINITIONS)]
        for door in DOORS:
            words += [f"--{door.replace('_', '-')}", self.addresses.get(door, "127.0.0.1:0")]
        (self.data / "addresses.json").unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "throughline.cli.main", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """Let it drain and end; safe twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """Kill all of its processes (-9), the supervisor first, so that nothing is started again."""
        pids = self.pids()
        supervisor = pids.pop("supervisor")
        for pid in (supervisor, *pids.values()):
            os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None
        until(lambda: not any(map(_runs, pids.values())), "the end of killed processes")

    def pids(self) -> dict[str, int]:
        """Return the process ids by part."""
        return json.loads((self.data / "parts.json").read_text())

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds, of user and system, that each part has used since it started."""
        return {part: _cpu_seconds(pid) for part, pid in self.pids().items()}

    def memory(self) -> Memory:
        """Return the memory of all parts now."""
        resident = proportional = 0
        for pid in self.pids().values():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    name, _, rest = line.partition(":")
                    if name == "Rss":
                        resident += int(rest.split()[0])
                    elif name == "Pss":
                        proportional += int(rest.split()[0])
        return Memory(resident / 1024, proportional / 1024)

    def disk_bytes(self) -> dict[str, int]:
        """Return the bytes of each database on disk, with its log."""
        found: dict[str, int] = {}
        for path in self.data.iterdir():
            if ".db" in path.name:
                name = path.name.partition("-")[0]
                found[name] = found.get(name, 0) + path.stat().st_blocks * 512
        return found


@contextmanager
def running(folder: Path) -> Generator[Service]:
    """Run a service with an empty data folder in ``folder``, and end it, whatever happens."""
    service = Service(folder / "data", folder / "serve.log")
    service.data.mkdir(parents=True)
    try:
        service.start()
        yield service
    finally:
        service.stop()


@contextmanager
def watched_memory(service: Service) -> Generator[list[Memory]]:
    """Look at the memory of a service again and again; the list that is given fills meanwhile."""
    seen: list[Memory] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(MEMORY_EVERY_SECONDS):
            with contextlib.suppress(OSError, ValueError):
                seen.append(service.memory())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()
        seen.append(service.memory())


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for a condition; raise NotMeasured where it does not come true in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise NotMeasured(f"waited in vain for {what}")
        time.sleep(LOOK_AGAIN_SECONDS)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICK
