"""The command ``settings``: every setting, its value, where it came from, and what it means; secrets hidden."""

from __future__ import annotations

import os
from pathlib import Path

from rich.table import Table
from rich.text import Text

from throughline.cli.printing import console, print_json
from throughline.core.settings import (
    DEFAULT,
    describe,
    load_settings,
    option_of,
    unknown_variables,
    variable_of,
)


def settings(file: Path | None, as_json: bool) -> None:
    """Print the settings as `throughline serve` would have them here; raises ConfigurationError with every fault."""
    lines = describe(load_settings({}, os.environ, file))
    if as_json:
        print_json([{**line._asdict(), **_ways(line.name)} for line in lines])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("setting", "value", "from", "meaning"):
        table.add_column(title, overflow="fold")
    for line in lines:
        style = "dim" if line.origin == DEFAULT else "bold"
        table.add_row(line.name, Text(line.value, style), Text(line.origin, "dim"), line.meaning)
    out = console()
    out.print(table)
    out.print(
        "\nA setting comes from its option (--bulk-limit), its variable (THROUGHLINE_BULK_LIMIT) or a file", style="dim"
    )
    out.print("(--settings FILE or THROUGHLINE_SETTINGS), in this order.", style="dim")
    for name in unknown_variables(os.environ):
        out.print(f"{name} is set, but is no setting.", style="yellow")


def _ways(name: str) -> dict[str, str]:
    """Return the option and the variable by which a setting is given."""
    return {"option": option_of(name), "variable": variable_of(name)}
