"""``python -m bench``: every row at several sizes, against a really running service; see docs/performance.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench.figures import Measured
from bench.report import read, show, write
from bench.rows import measure_events, measure_spans
from bench.sender import Broken
from bench.service import NotMeasured

SIZES = (100_000, 1_000_000)
LARGE = (100_000, 10_000_000)
SEED = 1


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(size.replace("_", "")) for size in text.split(",")))


def main() -> None:
    """Measure, print, and write what ``--json`` asks for; exit with 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure a really running service.")
    parser.add_argument("--events", type=_sizes, default=SIZES, metavar="N,N", help="sizes, in events and in spans")
    parser.add_argument("--large", action="store_true", help="at 100,000 and 10,000,000")
    parser.add_argument("--only", choices=("events", "spans"), help="leave the other out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with a run that --json wrote")
    given = parser.parse_args()
    console = Console(highlight=False)
    measured: dict[int, Measured] = {}
    began = time.monotonic()
    try:
        before = read(given.against) if given.against else {}
        with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
            for size in LARGE if given.large else given.events:
                measured[size] = _measure(Path(folder) / str(size), size, given.only, console)
    except (NotMeasured, Broken) as error:
        console.print(f"[red]not measured:[/red] {error}")
        sys.exit(1)
    show(console, measured, before)
    console.print(f"[dim]took {time.monotonic() - began:.0f} s[/dim]")
    if given.json:
        write(given.json, measured)


def _measure(folder: Path, size: int, only: str | None, console: Console) -> Measured:
    folder.mkdir()
    measured: Measured = {}
    for name, measure in (("spans", measure_spans), ("events", measure_events)):
        if only in (None, name):
            with console.status(f"{size:,} {name}"):
                measured |= measure(folder / name, size, SEED)
    return measured


if __name__ == "__main__":
    main()
