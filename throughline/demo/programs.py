"""The firm's systems as running programs: one process each, with a queue in and a queue out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import msgspec

from throughline.demo.firm import SYSTEMS
from throughline.demo.systems.message import Addresses, Advance, Done, Order, done_decoder, encoder

STOP_SECONDS = 5.0


class DemoFailed(Exception):
    """The demo cannot go on; says why in one sentence."""


class Program:
    """One system of the firm, in a process of its own; its complaints go to ``log``."""

    def __init__(self, system: str, seed: str, addresses: Addresses, log: Path) -> None:
        self.system = system
        self._log = log
        command = [sys.executable, "-m", "throughline.demo.systems", system, seed]
        with log.open("wb") as complaints:
            self._process = subprocess.Popen(
                [*command, msgspec.json.encode(addresses).decode()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
            )

    def give(self, orders: list[Order]) -> None:
        """Put orders into the program's queue, without waiting."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(encoder.encode(Advance(orders)) + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise DemoFailed(f"the program {self.system} has ended; {self._log} says why") from error

    def take(self) -> Done:
        """Wait until the orders are carried out and acknowledged, and return what came of them."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise DemoFailed(f"the program {self.system} has ended; {self._log} says why")
        done = done_decoder.decode(line)
        if done.refused:
            raise DemoFailed(f"{self.system} was refused: {done.refused[0]}")
        return done

    def leave(self) -> None:
        """Close the program's queue, at which it ends by itself; safe twice."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def end(self, seconds: float) -> None:
        """Wait so long for the program to end, then end it; safe twice."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Programs:
    """All systems of the firm. Closing ends them."""

    def __init__(self, seed: int, addresses: Addresses, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._programs = {system: Program(system, str(seed), addresses, logs / f"{system}.log") for system in SYSTEMS}

    def carry_out(self, orders: dict[str, list[Order]]) -> list[Done]:
        """Have the systems carry out their orders side by side; return when all are done."""
        for system, some in orders.items():
            self._programs[system].give(some)
        return [self._programs[system].take() for system in orders]

    def close(self) -> None:
        """End all programs, side by side; safe twice."""
        for program in self._programs.values():
            program.leave()
        until = time.monotonic() + STOP_SECONDS
        for program in self._programs.values():
            program.end(max(0.0, until - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
