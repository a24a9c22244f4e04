"""What the commands ``statements …`` do: state, and list what was stated."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.text import Text

from throughline.cli.client import Client, Document, api_place
from throughline.cli.printing import console, print_json, say_more
from throughline.cli.words import statement_text, who
from throughline.core.errors import StartRefused

STATEMENTS = "/api/v1/statements"

Which = tuple[str | None, str | None, int | None, bool]
"""Exceptions by kind, step and round, and whether every one is meant."""


def list_statements(limit: int | None, cursor: str | None, url: str | None, data: Path | None, as_json: bool) -> None:
    """Print a page of statements, newest first."""
    page = Client(api_place(url, data)).get(STATEMENTS, [("limit", limit), ("cursor", cursor)])
    if as_json:
        print_json(page)
        return
    out = console()
    if not page["statements"]:
        out.print("Nobody has stated anything yet: `throughline statements --help` says how to.")
    for each in page["statements"]:
        out.print(Text(f"{each['position']:>5}  {statement_text(each)}"), soft_wrap=True)
    say_more(out, page)


def state_pair(
    verb: str,
    keys: tuple[str, str],
    events: Iterable[str],
    all: bool,
    process: str | None,
    by: str | None,
    why: str,
    url: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """State that two keys belong together, or that they do not."""
    given = [_event(text) for text in events]
    asked: Document = {
        "verb": verb,
        "pair": {"from": key_members(keys[0]), "to": key_members(keys[1])},
        "all": all or not given,
        "events": given,
        "process": process,
    }
    _state(asked, by, why, url, data, as_json)


def state_exception(
    verb: str,
    process: str,
    case: str,
    accepted_as: str | None,
    which: Which,
    by: str | None,
    why: str,
    url: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """State that exceptions of a case are settled, or that they are not after all."""
    deviation, step, round, all = which
    asked: Document = {
        "verb": verb,
        "process": process,
        "case": key_members(case),
        "as": accepted_as,
        "all": all,
        "deviation": deviation,
        "step": step,
        "round": round,
    }
    _state(asked, by, why, url, data, as_json)


def key_members(text: str) -> Document:
    """Read TYPE=VALUE, with FIELD=VALUE behind commas for its scope; raises StartRefused."""
    members: Document = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise StartRefused(
                f"seen {text!r}, wanted a key such as time_entry=TE-88 or invoice=INV-33,legal_entity=DE01"
            )
        members[name.strip()] = value.strip()
    return members


def _event(text: str) -> Document:
    source, mark, id = text.rpartition("#")
    if not (source and mark and id):
        raise StartRefused(f"--event: seen {text!r}, wanted SOURCE#ID, such as /erp#3")
    return {"source": source, "id": id}


def _state(asked: Document, by: str | None, why: str, url: str | None, data: Path | None, as_json: bool) -> None:
    members = {**asked, "by": by or who(), "why": why}
    body = {name: value for name, value in members.items() if value is not None}
    statement = Client(api_place(url, data)).post(STATEMENTS, body)
    if as_json:
        print_json(statement)
        return
    out = console()
    out.print(Text(statement_text(statement)), soft_wrap=True)
    key = statement.get("case") or statement["pair"]["from"]
    kind, value = next(iter(key.items()))
    out.print(f"It is on the record. `throughline show {kind} {value}` tells what became of it.", style="dim")
