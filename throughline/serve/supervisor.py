"""The process supervisor: starts the parts, starts one that dies again, and drains them in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from throughline.core.errors import StartRefused
from throughline.serve.lifeline import LASTING, READY
from throughline.serve.processes import Process, copy, execute, is_alone

FIRST_WORD_SECONDS = 10.0
DRAIN_SECONDS = 15.0
STEADY_SECONDS = 10.0  # a part that ran this long is not failing in a row
SHORTEST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0
NO_PROCESS = 71  # EX_OSERR of sysexits.h
MOST_FIRST_STARTS = 5  # of a part that was never ready: what it lacks will hardly come by itself

_FIRST = asyncio.FIRST_COMPLETED


class Part(NamedTuple):
    """A part to run: its name, its command, and the orders for a given report descriptor.

    ``run``: what does the same in a copy of this process; None: no copies are to be made.
    """

    name: str
    command: Sequence[str]
    orders: Callable[[int], bytes]
    run: Callable[[], None] | None = None


class Watcher(NamedTuple):
    """Who is told what happens: the running process ids by part after each change, and lines for the log."""

    pids: Callable[[Mapping[str, int]], None]
    restarted: Callable[[str, int, float], None]  # part, exit code, delay in seconds
    ready: Callable[[], None]  # once all parts have been ready
    unstarted: Callable[[str, OSError], None]  # the system gave no process for a part


def restart_delay(failures: int) -> float:
    """Return how many seconds to wait before a part that failed this often in a row is started again.

    The first time at once, then twice as long each time, up to a limit.
    """
    if failures <= 1:
        return 0.0
    return min(SHORTEST_DELAY_SECONDS * 2 ** min(failures - 2, 16), LONGEST_DELAY_SECONDS)


class Supervisor:
    """Keeps the parts running; draining goes in the order of ``drain_order``."""

    def __init__(self, parts: Sequence[Part], drain_order: Sequence[str], keep_open: Sequence[int], watcher: Watcher):
        """``keep_open`` are descriptors that each part inherits (the lock of the data folder)."""
        self._parts = parts
        self._drain_order = drain_order
        self._keep_open = tuple(keep_open)
        self._watcher = watcher
        self._running: dict[str, Process] = {}
        self._spoke = asyncio.Event()
        self._ready: dict[str, asyncio.Event] = {part.name: asyncio.Event() for part in parts}
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Begin to drain; safe to call more than once."""
        self._stop.set()

    async def run(self) -> None:
        """Run until ``stop``, then drain. Raises StartRefused where a part says that it can never start.

        The first part starts alone; the others once it spoke (is ready, or failed in passing), or is slow to.
        """
        first, *others = self._parts
        keepers = [asyncio.create_task(self._keep(first))]
        spoke = asyncio.create_task(self._spoke.wait())
        stopped = asyncio.create_task(self._stop.wait())
        announced = asyncio.create_task(self._announce())
        try:
            await asyncio.wait([stopped, spoke, *keepers], timeout=FIRST_WORD_SECONDS, return_when=_FIRST)
            if not stopped.done() and not keepers[0].done():
                keepers += [asyncio.create_task(self._keep(part)) for part in others]
            await self._until_one_ends(stopped, announced, keepers)
        finally:
            self._stop.set()
            announced.cancel()
            spoke.cancel()
            await self._drain()
        await asyncio.gather(stopped, *keepers)
        if not announced.cancelled():
            announced.result()

    async def _until_one_ends(
        self, stopped: asyncio.Task[bool], announced: asyncio.Task[None], keepers: Sequence[asyncio.Task[None]]
    ) -> None:
        """Wait for an end of any kind; that the parts were announced is none, unless it failed."""
        pending: set[asyncio.Task[bool] | asyncio.Task[None]] = {stopped, announced, *keepers}
        done, pending = await asyncio.wait(pending, return_when=_FIRST)
        if done == {announced} and announced.exception() is None:
            await asyncio.wait(pending, return_when=_FIRST)

    async def _announce(self) -> None:
        for part in self._parts:
            await self._ready[part.name].wait()
        self._watcher.ready()

    async def _keep(self, part: Part) -> None:
        """Run one part again and again until told to stop; raises StartRefused where it says never, or never starts."""
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            code = await self._run_once(part)
            if self._stop.is_set():
                return
            if code == LASTING:
                raise StartRefused(f"the {part.name} refused to start (it says above why)")
            self._spoke.set()
            failures = 1 if time.monotonic() - began > STEADY_SECONDS else failures + 1
            if failures >= MOST_FIRST_STARTS and not self._ready[part.name].is_set():
                raise StartRefused(f"the {part.name} ended {failures} times before it was ready (it says above why)")
            delay = restart_delay(failures)
            self._watcher.restarted(part.name, code, delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), delay)

    async def _run_once(self, part: Part) -> int:
        """Run a part to its end and return its exit code (negative: the signal that ended it).

        Where the system gives no process now, that is an end of its own: the other parts go on, and it is tried again.
        """
        try:
            process, listen, report = await self._start(part)
        except OSError as error:
            self._watcher.unstarted(part.name, error)
            return NO_PROCESS
        self._running[part.name] = process
        if self._stop.is_set():
            process.send(signal.SIGTERM)
        self._watcher.pids(self.pids())
        hearing = asyncio.create_task(self._hear(part.name, listen))
        try:
            process.tell(part.orders(report))
            return await process.wait()
        finally:
            await hearing
            self._running.pop(part.name, None)
            self._watcher.pids(self.pids())

    async def _start(self, part: Part) -> tuple[Process, int, int]:
        """Return the process, the end of its pipe to be read, and the number of the other one there. Raises OSError."""
        listen, report = os.pipe()
        keep = (report, *self._keep_open)
        try:
            if part.run is not None and is_alone():
                process = copy(part.run, keep, f"throughline {part.name}")
            else:
                process = await execute(part.command, keep)
        except OSError:
            os.close(listen)
            raise
        finally:
            os.close(report)
        return process, listen, report

    async def _hear(self, name: str, listen: int) -> None:
        """Read a part's one word, or the end of the pipe where it dies without."""
        reader = asyncio.StreamReader()
        with os.fdopen(listen, "rb", 0) as pipe:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), pipe
            )
            if await reader.readline() == READY:
                self._ready[name].set()
                self._spoke.set()
            transport.close()

    def pids(self) -> dict[str, int]:
        """Return the process ids of the parts that run now."""
        return {name: process.pid for name, process in self._running.items()}

    async def _drain(self) -> None:
        for name in self._drain_order:
            process = self._running.get(name)
            if process is not None and not process.has_ended:
                await _end(process)


async def _end(process: Process) -> None:
    """Ask a process to end, and end it where it takes too long."""
    process.send(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), DRAIN_SECONDS)
    except TimeoutError:
        process.send(signal.SIGKILL)
        await process.wait()


async def supervise(supervisor: Supervisor, prepare: Callable[[], None] = lambda: None) -> None:
    """Run a supervisor; SIGTERM, SIGINT and, unless it is ignored (nohup), SIGHUP drain it.

    ``prepare`` is called first, when these signals are taken already.
    """
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, as some who start us leave it, no exit code is told
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:
            loop.add_signal_handler(number, supervisor.stop)
    prepare()
    await supervisor.run()


def python_part(name: str) -> list[str]:
    """Return the command of one of our own parts; -P keeps what lies in the current folder from shadowing modules."""
    return [sys.executable, "-P", "-m", "throughline.serve.part", name]
