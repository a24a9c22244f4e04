"""Runs a collector as a test wants it: on free ports, killing itself at a boundary, with a weaker disk."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from collector import journal_file
from collector.journal_file import Boundary
from collector.serve import new_loop, run_collector
from tests.running_collector import CONTROL
from throughline.core.clock import RealClock
from throughline.core.logs import configure_logs
from throughline.core.settings import LogFormat, LogLevel, load_settings

FREE = "127.0.0.1:0"


class CarelessConnection(sqlite3.Connection):
    """Never waits for the disk, and says that it does."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return super().execute("SELECT 2" if sql == "PRAGMA synchronous" else sql, *parameters)


def open_careless(path: Path, **_: object) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=CarelessConnection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def killer(kill: tuple[str, int] | None) -> Callable[[Boundary], None]:
    """Return what ends this process by SIGKILL when a boundary is reached for the nth time."""
    left = {Boundary(kill[0]): kill[1]} if kill else {}

    def at(boundary: Boundary) -> None:
        if boundary in left:
            left[boundary] -= 1
            if left[boundary] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return at


def announce(addresses: Mapping[str, str]) -> None:
    print(json.dumps({**addresses, "pid": os.getpid()}), flush=True)


def main(orders: dict[str, Any]) -> None:
    configure_logs(LogLevel.ERROR, LogFormat.JSON, "collector")
    if orders["careless"]:
        journal_file.open_writer = open_careless
    if orders["file_bytes"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails instead of ending us
        resource.setrlimit(resource.RLIMIT_FSIZE, (orders["file_bytes"], resource.RLIM_INFINITY))
    doors = dict.fromkeys(("http", "api", "otlp_http", "otlp_grpc"), FREE)
    settings = load_settings({"data": orders["data"], **doors, **orders["settings"]}, {})
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run_collector(settings, RealClock(), announce, at=killer(orders["kill"]), control=CONTROL))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
