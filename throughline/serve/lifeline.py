"""What ties a part to its supervisor: orders in, a word back, and an end when the supervisor ends.

The supervisor keeps the standard input of each part open. It writes one line, the orders, and nothing more; when it
dies, for whatever reason, the part reads the end of file and drains. A part says that it is ready by one line on a pipe
of its own.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

import msgspec

READY = b"ready\n"
GRACE_SECONDS = 20.0  # for draining, once the supervisor is gone
PASSING = 75  # EX_TEMPFAIL: starting again may help
LASTING = 78  # EX_CONFIG of sysexits.h: starting again cannot help


class Orders(msgspec.Struct, frozen=True):
    """What a part needs to run. ``report`` is the file descriptor of its pipe to the supervisor.

    ``settings`` is the settings' JSON, ``control`` the secret with which parts give each other orders
    (throughline/core/control.py). They come by this pipe because they are, or hold, secrets, which neither a command
    line nor an environment keeps.
    """

    addresses: dict[str, str]
    settings: msgspec.Raw
    report: int
    control: str = ""


def give(orders: Orders) -> bytes:
    """Return the line that ``take`` reads."""
    return msgspec.json.encode(orders) + b"\n"


def take(stdin: BinaryIO) -> Orders:
    """Read the orders. Raises msgspec.DecodeError where this is no child of a supervisor."""
    return msgspec.json.decode(stdin.readline(), type=Orders)


def say_ready(report: int) -> Callable[[], None]:
    """Return what a part calls, once, when it does its work; calling again does nothing."""
    said = threading.Event()

    def say() -> None:
        if not said.is_set():
            said.set()
            try:
                os.write(report, READY)
                os.close(report)
            except BrokenPipeError:  # the supervisor is gone; the lifeline says so too
                pass

    return say


def follow(stdin: BinaryIO, lost: Callable[[], None]) -> None:
    """End this process when the supervisor ends: by SIGTERM, so that it drains, and hard after a time of grace.

    ``lost`` is called first; it must not raise.
    """
    pipe = stdin.fileno()  # a thread that waits in a buffered read would hold its lock at the end of the process

    def watch() -> None:
        while os.read(pipe, 4096):
            pass
        lost()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(GRACE_SECONDS)
        print("draining took too long after the supervisor ended", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
