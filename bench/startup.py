"""How long commands take that a person waits for, each a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench.figures import Measured
from bench.service import NotMeasured

TIMES = 7


def measure_startup(data: Path) -> Measured:
    """Run each command a few times beside a service with this data folder; return medians in milliseconds."""
    commands = {
        "start_help": ("--help",),
        "start_settings": ("settings",),
        "start_processes": ("processes", "list"),
        "start_cases": ("cases", "--limit", "1", "--data", str(data)),
    }
    return {name: median(_run(words) for _ in range(TIMES)) * 1e3 for name, words in commands.items()}


def _run(words: tuple[str, ...]) -> float:
    """Run a command; return how many seconds it took."""
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "throughline.cli.main", *words], capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - began
    if ended.returncode != 0:
        raise NotMeasured(f"throughline {' '.join(words)} ended with {ended.returncode}: {ended.stderr[-500:]}")
    return took
