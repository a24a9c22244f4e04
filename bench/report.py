"""The table that people read, and the file that a later run is compared with."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import FIGURES, Better, Figure, Measured, is_met

MEANING = (
    "An acknowledgement (202 for CloudEvents, 200 for OTLP) means: decoded, written to the journal and fsynced, raw"
    " payload and canonical events alike. It survives kill -9 and power loss. [dim]Into updated cases[/dim] means that"
    " every case, late and deferred ones included, is derived from all that was acknowledged, and can be asked for."
    " Latencies count from the intended send time of an open loop. CPU is user and system time of all of the service's"
    " processes; the sender's is not in it. Loopback, one machine, sender and probes on the same cores."
)


def table(measured: Mapping[int, Measured], before: Mapping[int, Measured]) -> Table:
    """Return all figures of all sizes; with ``before``, the last size beside what it was then."""
    sizes = sorted(measured)
    shown = Table(title="Throughline, embedded default", title_justify="left", header_style="bold")
    shown.add_column("")
    shown.add_column("unit")
    for size in sizes:
        shown.add_column(_size(size), justify="right")
    if len(sizes) > 1:
        shown.add_column("growth", justify="right")
    shown.add_column("floor", justify="right")
    shown.add_column("goal", justify="right")
    if before:
        shown.add_column("before", justify="right")
        shown.add_column("now / before", justify="right")
    known = [figure for figure in FIGURES if any(figure.name in measured[size] for size in sizes)]
    for group, figures in groupby(known, key=lambda figure: figure.group):
        shown.add_section()
        shown.add_row(f"[bold]{group}[/bold]")
        for figure in figures:
            shown.add_row(*_line(figure, [measured[size].get(figure.name) for size in sizes], sizes, before))
    return shown


def _line(figure: Figure, values: list[float | None], sizes: list[int], before: Mapping[int, Measured]) -> list[str]:
    cells = [f"  {figure.says}", figure.unit, *(_judged(figure, value) for value in values)]
    first, last = values[0], values[-1]
    if len(values) > 1:
        cells.append(f"× {last / first:.2f}" if first and last is not None else "")
    sign = "≥ " if figure.better is Better.MORE else "≤ "
    cells += ["" if wanted is None else sign + _number(wanted) for wanted in (figure.floor, figure.goal)]
    if before:
        then = before.get(sizes[-1], {}).get(figure.name)
        cells.append(_number(then))
        cells.append(f"× {last / then:.2f}" if then and last is not None else "")
    return cells


def _judged(figure: Figure, value: float | None) -> str:
    """Return a value, green where it reaches the goal, red where it misses the floor."""
    text = _number(value)
    if value is None or figure.floor is None:
        return text
    if figure.goal is not None and is_met(figure, value, figure.goal):
        return f"[green]{text}[/green]"
    return text if is_met(figure, value, figure.floor) else f"[red]{text}[/red]"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _size(size: int) -> str:
    return f"{size // 1_000_000} M" if size % 1_000_000 == 0 else f"{size // 1000:,} k"


def show(console: Console, measured: Mapping[int, Measured], before: Mapping[int, Measured]) -> None:
    """Print the table and what its words mean."""
    console.print(table(measured, before))
    console.print(MEANING)


def write(path: Path, measured: Mapping[int, Measured]) -> None:
    """Write a run as JSON."""
    document = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "sizes": {str(size): figures for size, figures in measured.items()},
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def read(path: Path) -> dict[int, Measured]:
    """Read the figures of a run that ``write`` wrote."""
    return {int(size): figures for size, figures in json.loads(path.read_text())["sizes"].items()}
