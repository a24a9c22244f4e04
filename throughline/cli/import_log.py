"""The command ``import``: an event log of another tool, sent to a running collector."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from throughline.cli.client import door_place
from throughline.cli.printing import console, print_json
from throughline.core.errors import ThroughlineError
from throughline.core.settings import TOKEN_VARIABLE, load_settings
from throughline.exchange.csv_file import CASE
from throughline.exchange.door import BATCH, EVENTS_PATH, Door, mapping_path
from throughline.exchange.formats import OpenLog, Reading, open_log
from throughline.exchange.importing import NOTES, Note, Standing, look_at
from throughline.exchange.importing import import_log as send_log
from throughline.exchange.log_file import LogFile

INTERRUPTED = 130
MOST_TYPES = 40


class Stopped(ThroughlineError):
    """A person stopped an import; the message says how to go on."""


def import_log(path: Path, reading: Reading, dry_run: bool, url: str | None, data: Path | None, as_json: bool) -> bool:
    """Import a log and print what became of it; return False where nothing of it could be taken."""
    file = LogFile(path)
    opened = open_log(file, reading)
    standing = Standing(path.name)
    with _Bar(path.name, opened) as bar:
        if dry_run:
            look_at(opened.log, standing, bar.show)
        else:
            standing = _send(file, opened, reading, url, data, bar.show)
    if as_json:
        print_json(_document(opened, standing))
    else:
        _print(opened, standing, dry_run)
    refused = sum(each.count for each in standing.set_aside.values())
    return not refused or (refused < standing.read if dry_run else standing.accepted > 0)


def _send(
    file: LogFile,
    opened: OpenLog,
    reading: Reading,
    url: str | None,
    data: Path | None,
    shown: Callable[[Standing], None],
) -> Standing:
    path, content_type = (
        (EVENTS_PATH, BATCH) if reading.mapping is None else (mapping_path(reading.mapping), "application/json")
    )
    place, token = door_place(url, data), os.environ.get(TOKEN_VARIABLE)
    door = Door(place.url, path, content_type, token, time.sleep, reading.history, place.context())
    folder = load_settings({"data": data}, os.environ).data / NOTES
    named = "" if reading.names is None else reading.names.read_text()
    how = msgspec.json.encode(reading._replace(names=None)).decode()
    note = Note(folder, [file.digest(), opened.format.value, how, named, url or ""])
    standing = note.read(file.path.name)
    shown(standing)
    try:
        send_log(opened.log, door, note, standing, shown)
    except KeyboardInterrupt:
        print(f"stopped after {standing.read:,} entries; the same command goes on from there", file=sys.stderr)
        sys.exit(INTERRUPTED)
    return standing


class _Bar:
    """The bar of progress, on the terminal's error output; nothing where that is no terminal."""

    def __init__(self, name: str, opened: OpenLog) -> None:
        self._log = opened.log
        errors = Console(stderr=True)
        columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()]
        columns += [TextColumn("{task.fields[read]:,} read"), TimeRemainingColumn()]
        self._progress = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
        self._task = self._progress.add_task(name, total=1.0, read=0)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, standing: Standing) -> None:
        self._progress.update(self._task, completed=self._log.done(), read=standing.read)


def _document(opened: OpenLog, standing: Standing) -> dict[str, Any]:
    names = opened.names
    return {
        "file": standing.file,
        "format": opened.format.value,
        "read": standing.read,
        "accepted": standing.accepted,
        "duplicates": standing.duplicates,
        "set_aside": {reason: msgspec.to_builtins(each) for reason, each in standing.set_aside.items()},
        "types": standing.types,
        "names": {"types": names.types, "keys": names.keys, "fields": names.fields},
        "not_kept": {what: {"count": each.count, "example": each.example} for what, each in opened.left.counts.items()},
        "position": standing.position,
    }


def _print(opened: OpenLog, standing: Standing, dry_run: bool) -> None:
    out = console()
    refused = sum(each.count for each in standing.set_aside.values())
    became = "nothing sent" if dry_run else f"{standing.accepted:,} accepted ({standing.duplicates:,} known before)"
    out.print(f"{standing.file}, {opened.format.value}: {standing.read:,} read, {became}, {refused:,} set aside.")
    for reason, each in standing.set_aside.items():
        out.print(f"  {each.count:,} {reason}: {each.example}", style="yellow", soft_wrap=True)
    if "bad_time" in standing.set_aside:
        out.print("  Times without a zone: say which one with --zone, such as --zone UTC.", style="yellow")
    for what, each in opened.left.counts.items():
        out.print(f"  not kept: {each.count:,} {what}, such as {each.example}", style="dim", soft_wrap=True)
    out.print(_types(opened, standing))
    for kind, key in opened.names.keys.items():
        out.print(f"key {key}" + (f", in the log {kind}" if kind not in (key, CASE) else ""))
    if dry_run:
        out.print("Declare a process of these types and keys, then run it without --dry-run.", style="dim")
    elif not standing.accepted:
        out.print("Mend what is said above, and run it again.", style="dim")
    else:
        out.print("`throughline cases --process NAME` lists the cases of a process that declares these.", style="dim")


def _types(opened: OpenLog, standing: Standing) -> Table:
    raw = {name: activity for activity, name in opened.names.types.items()}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("event type", overflow="fold")
    table.add_column("in the log", overflow="fold")
    table.add_column("events", justify="right")
    most = sorted(standing.types.items(), key=lambda each: (-each[1], each[0]))
    for name, count in most[:MOST_TYPES]:
        table.add_row(name, raw.get(name, name), f"{count:,}")
    if len(most) > MOST_TYPES:
        table.add_row("…", "", f"{sum(count for _, count in most[MOST_TYPES:]):,}")
    return table
