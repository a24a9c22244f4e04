"""The commands ``cases`` and ``orphans``: lists for a person, of cases and of what no case holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.table import Table
from rich.text import Text

from throughline.cli.client import Client, Document, api_place
from throughline.cli.fitting import Cell, Column, print_fitting
from throughline.cli.printing import console, print_json, say_more
from throughline.cli.words import STATE_STYLES, deviation_text, key_text, moment, money, scope_text, spoken

_COLUMNS = (
    Column("process", 1),
    Column("name", 0),
    Column("state", 4),
    Column("waits for", 6),
    Column("due (UTC)", 5),
    Column("holds up", 3, right=True),
    Column("deviations", 2),
)


def cases(filters: Iterable[tuple[str, object]], url: str | None, data: Path | None, as_json: bool) -> None:
    """Print a page of cases; a filter given several times takes any of its values, None stands for one not given."""
    page = Client(api_place(url, data)).get("/api/v1/cases", filters)
    if as_json:
        print_json(page)
        return
    out = console()
    if page["waiting_orphans"]:
        count = page["waiting_orphans"]
        values = f"{count} value{'s' if count != 1 else ''}"
        out.print(f"Events at {values} wait too long for a case that holds them: `throughline orphans` lists them.")
    if not page["cases"]:
        out.print("No case fits.")
        return
    left_out = print_fitting(out, _COLUMNS, map(_line, page["cases"]))
    if "holds up" not in left_out and any(line["counted_in"] for line in page["cases"]):
        out.print("(in brackets): sums count it in a case downstream that holds it up as well.", style="dim")
    say_more(out, page, "`throughline show TYPE VALUE` tells all about one.")


def orphans(filters: Iterable[tuple[str, object]], url: str | None, data: Path | None, as_json: bool) -> None:
    """Print a page of values whose events wait too long for a case, oldest first."""
    page = Client(api_place(url, data)).get("/api/v1/orphans", filters)
    if as_json:
        print_json(page)
        return
    out = console()
    if not page["orphans"]:
        out.print("No event waits too long for a case that holds its keys.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("key", "events", "of types", "for a case of"):
        table.add_column(head, overflow="fold")
    table.add_column("since (UTC)", no_wrap=True)
    table.add_column("holds up", justify="right", no_wrap=True)
    for line in page["orphans"]:
        table.add_row(
            f"{key_text(line['key'])}{' (synthetic)' if line['synthetic'] else ''}",
            str(line["events"]),
            ", ".join(line["types"]),
            ", ".join(line["processes"]),
            moment(line["since"]),
            money(line["exposure"]),
        )
    out.print(table)
    say_more(
        out,
        page,
        "`throughline show TYPE VALUE` tells all about one; a statement links it (`POST /api/v1/statements`).",
    )


def _line(line: Document) -> tuple[Cell, ...]:
    held = f"({money(line['exposure'])})" if line["counted_in"] else money(line["exposure"])
    return (
        Cell(Text(line["process"])),
        Cell(Text(f"{line['name']}{scope_text(line['scope'])}")),
        Cell(Text(spoken(line["state"]), STATE_STYLES.get(line["state"], ""))),
        Cell(more=Text(_waits(line))),
        Cell(Text(moment(line["due"]))),
        Cell(Text(held)),
        Cell(more=Text(", ".join(deviation_text(each) for each in line["deviations"]), "red")),
    )


def _waits(line: Document) -> str:
    if not line["waits_for_step"]:
        return "–"
    return f"{spoken(line['waits_for_step'])} ({line['waits_for']})"
