"""A sender cheap enough not to be measured itself: processes that push encoded frames over kept-alive raw sockets.

Closed loop: every connection sends its next frame once the last one is answered; the rate that comes out is the peak.
Open loop: frame *i* is due at ``i / rate``, whatever the answers do, and its latency counts from then, so that a slow
answer is not left out by the frames that it held up (no coordinated omission).
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

from bench.frames import Frames

PATIENCE_SECONDS = 60.0
LEAD_SECONDS = 0.05  # between the last process being ready and the first frame that is due
RETRY_SECONDS = 0.1  # after a refusal

_HEAD = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r]*\r\n.*?\r\n\r\n", re.DOTALL)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_POSITION = re.compile(rb'\r\nthroughline-position: *([^\r]+)\r\n|"position": *"([^"]+)"', re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What to send: some frames of a file, over so many processes and connections each; ``rate`` None: closed loop.

    ``rate`` is in frames a second, of all processes together.
    """

    frames: Path
    address: str
    first: int = 0
    count: int | None = None
    processes: int = 2
    connections: int = 8
    rate: float | None = None


class Sent(NamedTuple):
    """What came of a load. Times in seconds; ``began`` and ``ended`` (the last answer) by the monotonic clock.

    ``positions`` are the last ones of each connection: once these are folded, all is.
    """

    items: int
    requests: int
    refused: int
    began: float
    ended: float
    latencies: list[float]
    positions: list[str]
    cpu: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Broken(Exception):
    """The service closed a connection, gave no answer in time, or one that is no answer."""


def send(load: Load) -> Sent:
    """Send a load; raise Broken where the service fails."""
    with sending(load) as under_way:
        return under_way.result()


class Sending:
    """A load while it is sent; its processes end when it is closed, done or not."""

    def __init__(self, load: Load) -> None:
        context = multiprocessing.get_context("spawn")
        self._together = together = context.Barrier(load.processes)
        self._processes: list[SpawnProcess] = []
        self._results: list[Connection] = []
        for index in range(load.processes):
            result, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_run, args=(load, index, together, theirs), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._results.append(result)

    def ends_within(self, seconds: float) -> bool:
        """Wait for a process to end, at most so long; return whether one did."""
        return bool(multiprocessing.connection.wait(self._results, seconds))

    def result(self) -> Sent:
        """Wait for the end; raise Broken where a process failed."""
        parts: list[Sent] = []
        for pipe in self._results:
            try:
                outcome = pipe.recv()
            except EOFError:
                raise Broken("a sending process ended without a result") from None
            if isinstance(outcome, str):
                raise Broken(outcome)
            parts.append(outcome)
        return Sent(
            sum(part.items for part in parts),
            sum(part.requests for part in parts),
            sum(part.refused for part in parts),
            min(part.began for part in parts),
            max(part.ended for part in parts),
            [latency for part in parts for latency in part.latencies],
            [position for part in parts for position in part.positions],
            sum(part.cpu for part in parts),
        )

    def __enter__(self) -> Sending:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
            process.join()
        for pipe in self._results:
            pipe.close()


def sending(load: Load) -> Sending:
    """Begin to send a load."""
    return Sending(load)


def _run(load: Load, index: int, together: Barrier, result: Connection) -> None:
    try:
        frames = Frames(load.frames)
        end = len(frames) if load.count is None else load.first + load.count
        mine = range(load.first + index, min(end, len(frames)), load.processes)
        worker = _Worker(frames, load.address, load.connections)
        together.wait(PATIENCE_SECONDS)
        began = time.monotonic() + LEAD_SECONDS
        if load.rate is None:
            outcome = worker.send(iter([(began, number) for number in mine]), began)
        else:
            outcome = worker.send(((began + (number - load.first) / load.rate, number) for number in mine), began)
        result.send(outcome)
    except (Broken, OSError) as error:
        result.send(f"{type(error).__name__}: {error}")


class _Lane:
    """One kept-alive connection, with at most one frame under way."""

    __slots__ = ("answer", "due", "items", "number", "position", "socket", "unsent", "writes")

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.answer = b""
        self.unsent = memoryview(b"")
        self.number = self.items = 0
        self.due = 0.0
        self.writes = False  # whether the selector tells when there is room to write
        self.position = ""


class _Worker:
    """One process's part of a load."""

    def __init__(self, frames: Frames, address: str, connections: int) -> None:
        self._frames = frames
        self._lanes = [_Lane(address) for _ in range(connections)]
        self._idle = deque(self._lanes)
        self._selector = selectors.DefaultSelector()
        for lane in self._lanes:
            self._selector.register(lane.socket, selectors.EVENT_READ, lane)
        self._again: list[tuple[float, float, int]] = []  # refused: when to try again, when it was due, its number
        self._items = self._requests = self._refused = 0
        self._latencies: list[float] = []

    def send(self, schedule: Iterator[tuple[float, int]], began: float) -> Sent:
        """Send (due, number) frames in order; a closed loop is one in which all are due at once."""
        cpu = time.process_time()
        coming = next(schedule, None)
        first_due = None if coming is None else coming[0]
        now = last = time.monotonic()
        while coming is not None or self._again or len(self._idle) < len(self._lanes):
            while self._idle:
                if self._again and self._again[0][0] <= now:
                    _, due, number = self._again.pop(0)
                    self._begin(number, due)
                elif coming is not None and coming[0] <= now:
                    due = now if coming[0] == first_due else coming[0]
                    self._begin(coming[1], due)
                    coming = next(schedule, None)
                else:
                    break
            wait = self._until_next(coming, now)
            ready = self._selector.select(wait)
            now = time.monotonic()
            if ready:
                last = now
            elif now - last > PATIENCE_SECONDS:
                raise Broken(f"no answer for {PATIENCE_SECONDS:.0f} s")
            for key, events in ready:
                if events & selectors.EVENT_WRITE:
                    self._push(key.data)
                if events & selectors.EVENT_READ:
                    self._read(key.data, now)
        for lane in self._lanes:
            lane.socket.close()
        positions = [lane.position for lane in self._lanes if lane.position]
        spent = time.process_time() - cpu
        return Sent(self._items, self._requests, self._refused, began, last, self._latencies, positions, spent)

    def _until_next(self, coming: tuple[float, int] | None, now: float) -> float:
        """Return how long to wait for answers before a frame is due."""
        if not self._idle:
            return PATIENCE_SECONDS
        dues = [PATIENCE_SECONDS]
        if coming is not None:
            dues.append(coming[0] - now)
        if self._again:
            dues.append(self._again[0][0] - now)
        return max(min(dues), 0.0)

    def _begin(self, number: int, due: float) -> None:
        lane = self._idle.popleft()
        lane.number, lane.due = number, due
        lane.unsent, lane.items = self._frames[number]
        self._push(lane)

    def _push(self, lane: _Lane) -> None:
        try:
            sent = lane.socket.send(lane.unsent)
        except BlockingIOError:
            sent = 0
        lane.unsent = lane.unsent[sent:]
        waits = bool(lane.unsent)
        if waits != lane.writes:
            lane.writes = waits
            wanted = selectors.EVENT_READ | selectors.EVENT_WRITE if waits else selectors.EVENT_READ
            self._selector.modify(lane.socket, wanted, lane)

    def _read(self, lane: _Lane, now: float) -> None:
        received = lane.socket.recv(65536)
        if not received:
            raise Broken("the service closed a connection")
        lane.answer += received
        head = _HEAD.match(lane.answer)
        if head is None:
            return
        length = _LENGTH.search(lane.answer, 0, head.end())
        if len(lane.answer) < head.end() + (int(length[1]) if length else 0):
            return
        status = int(head[1])
        if status in (429, 503):
            self._refused += 1
            self._again.append((now + RETRY_SECONDS, lane.due, lane.number))
        elif status in (200, 202):
            self._requests += 1
            self._items += lane.items
            self._latencies.append(now - lane.due)
            position = _POSITION.search(lane.answer)
            if position is not None:
                lane.position = (position[1] or position[2]).decode()
        else:
            raise Broken(f"seen status {status}: {lane.answer[head.end() :][:500]!r}")
        lane.answer = b""
        self._idle.append(lane)
