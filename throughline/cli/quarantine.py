"""What the commands ``quarantine …`` do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from throughline.cli.client import Client, Document, api_place
from throughline.cli.printing import console, print_json, say_more
from throughline.cli.words import moment, spoken, who

QUARANTINE = "/api/v1/quarantine"

Given = Sequence[tuple[str, str | None]]
"""Filters by name; None: not given."""


def list_entries(
    given: Given,
    taken: bool | None,
    limit: int | None,
    cursor: str | None,
    url: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Print a page of what was set aside."""
    further = [("taken", None if taken is None else str(taken).lower()), ("limit", limit), ("cursor", cursor)]
    page = Client(api_place(url, data)).get(QUARANTINE, [*given, *further])
    if as_json:
        print_json(page)
        return
    out = console()
    if not page["entries"]:
        out.print("Nothing is set aside that fits.")
        return
    out.print(_table(page["entries"]))
    say_more(out, page, "`throughline quarantine show ID` tells what came in.")


def _table(entries: list[Document]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", no_wrap=True, max_width=18)
    table.add_column("received (UTC)", no_wrap=True)
    for title in ("source", "type", "why"):
        table.add_column(title, overflow="fold")
    for entry in entries:
        why = Text(entry["sentence"], "" if not entry["taken"] else "dim")
        if entry["replays"]:
            why.append(f" – {_replay_text(entry['replays'][-1])}", "green" if entry["taken"] else "yellow")
        table.add_row(entry["id"], moment(entry["received"]), entry["source"] or "–", entry["type"] or "–", why)
    return table


def _replay_text(replay: Document) -> str:
    return f"{_became(replay)} at {moment(replay['at'])} by {replay['by']}"


def _became(replay: Document) -> str:
    events = f" with {replay['events']} event{'s' if replay['events'] != 1 else ''} taken" if replay["events"] else ""
    if replay["outcome"] == "taken":
        return f"taken again{events.removesuffix(' taken')}"
    return f"set aside again{events}" if replay["outcome"] == "set_aside" else "was taken before"


def show_entry(id: str, url: str | None, data: Path | None, as_json: bool) -> None:
    """Print one entry with its body."""
    entry = Client(api_place(url, data)).get(f"{QUARANTINE}/{quote(id, safe='')}")
    if as_json:
        print_json(entry)
        return
    out = console()
    door = f" at {spoken(entry['door'])} from {entry['sender']}" if entry["door"] else ""
    times = f", {entry['times']} times until {moment(entry['last_received'])}" if (entry["times"] or 1) > 1 else ""
    out.print(Text(f"{entry['id']}  {entry['type'] or 'no type'} of {entry['source'] or 'no source'}", "bold"))
    out.print(f"  came {moment(entry['received'])}{door}{times}, {entry['body_bytes']} bytes", soft_wrap=True)
    out.print(Text(f"  set aside as {spoken(entry['reason'])}: {entry['sentence']}", "red"), soft_wrap=True)
    for replay in entry["replays"]:
        sentence = f": {replay['sentence']}" if replay["sentence"] else ""
        out.print(Text(f"  {_replay_text(replay)}{sentence}", "magenta"), soft_wrap=True)
    out.print(Padding(Text(_pretty(entry["body"])), (0, 0, 0, 2)), soft_wrap=True)
    if entry["body_cut"]:
        out.print("  … and more, which is not shown", style="dim")
    if not entry["taken"] and entry["door"]:
        out.print(f"Once it can be read: `throughline quarantine replay {entry['id']}`.", style="dim")


def _pretty(body: str) -> str:
    try:
        return msgspec.json.format(body.encode(), indent=2).decode()
    except msgspec.DecodeError:
        return body


def replay(ids: Sequence[str], given: Given, by: str | None, url: str | None, data: Path | None, as_json: bool) -> bool:
    """Take entries again, and print what became of them; return whether none was set aside again."""
    client = Client(api_place(url, data))
    name = by or who()
    replays = list(_each(client, ids, name) if ids else _all(client, given, name))
    again = [each for each in replays if each["outcome"] == "set_aside"]
    if as_json:
        print_json({"replays": replays, "next": None})
        return not again
    out = console()
    if not replays:
        out.print("Nothing waits that fits.")
    for count_of, count in Counter(_became(each) for each in replays if each["outcome"] != "set_aside").items():
        out.print(f"{count} × {count_of}.")
    for (reason, sentence), count in Counter((each["reason"], each["sentence"]) for each in again).items():
        out.print(Text(f"{count} × set aside again as {spoken(reason)}: {sentence}", "red"), soft_wrap=True)
    if again:
        out.print("What is set aside again stays: mend what reads it, or the sender, then replay it once more.")
    return not again


def _each(client: Client, ids: Iterable[str], by: str) -> Iterator[Document]:
    for id in ids:
        yield client.post(f"{QUARANTINE}/{quote(id, safe='')}/replay", {"by": by})


def _all(client: Client, given: Given, by: str) -> Iterator[Document]:
    """Replay page by page; each page is durable before the next is asked for."""
    asked: Document = {"by": by, **{name: value for name, value in given if value is not None}}
    while True:
        page = client.post(f"{QUARANTINE}/replay", asked)
        yield from page["replays"]
        if not page["next"]:
            return
        asked["cursor"] = page["next"]
