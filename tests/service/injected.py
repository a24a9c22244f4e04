"""Faults of the system for a running part, by strace: a call that fails, or takes its time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.service.serving import PATIENCE_SECONDS, Serving, until


@contextmanager
def injected(serve: Serving, parts: Sequence[str], calls: str, fault: str, files: Sequence[str]) -> Generator[None]:
    """Let calls of parts on files of the data folder have a fault, such as ``error=EIO`` or ``delay_enter=1s``."""
    pids = [serve.parts[part] for part in parts]
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
    for file in files:
        command += ["-P", str(serve.data / file)]
    for pid in pids:
        command += ["-p", str(pid)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as tracer:
        try:
            until(lambda: all(is_traced(pid) for pid in pids) or tracer.poll() is not None, "strace to attach")
            assert tracer.poll() is None
            yield
        finally:
            tracer.terminate()
            with suppress(subprocess.TimeoutExpired):
                tracer.wait(PATIENCE_SECONDS)
            tracer.kill()


def is_traced(pid: int) -> bool:
    """Tell whether every thread of a process is traced; True of one that is gone."""
    try:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    except OSError:
        return True
    return all("TracerPid:\t0\n" not in status for status in threads)
