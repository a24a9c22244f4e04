"""The commands ``backup`` and ``restore``."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from throughline.cli.printing import console, print_json
from throughline.core.clock import RealClock
from throughline.core.instants import format_instant
from throughline.core.settings import load_settings
from throughline.serve.backup import Manifest, Progress, Tell, back_up, check, restore
from throughline.serve.folder import DataFolder


def backup(folder: Path, data: Path | None, as_json: bool) -> None:
    """Copy the data folder, of a running serve or of none, into a new folder."""
    source = load_settings({"data": data}, os.environ).data
    with _bar(as_json) as tell:
        manifest = back_up(source, folder, format_instant(RealClock().now()), version("throughline"), tell)
    _say(manifest, f"{folder} holds a backup of {source}. To use it: throughline restore {folder} --data DIR", as_json)


def restore_backup(folder: Path, data: Path | None, only_check: bool, as_json: bool) -> None:
    """Check a backup and, unless that is all, put it into a data folder that holds none."""
    if only_check:
        _say(check(folder), f"{folder} is whole.", as_json)
        return
    target = load_settings({"data": data}, os.environ).data
    with closing(DataFolder(target, patience_seconds=0)), _bar(as_json) as tell:
        manifest = restore(folder, target, tell)
    _say(manifest, f"Restored into {target}. Next: throughline serve --data {target}", as_json)


def _say(manifest: Manifest, sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(manifest)
        return
    out = console()
    for each in manifest.files:
        out.print(f"  {each.file:<13} {each.bytes:>15,} bytes  SHA-256 {each.sha256[:16]}…")
    out.print(sentence)


@contextmanager
def _bar(as_json: bool) -> Generator[Tell]:
    """Show how far it is, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, console=Console(stderr=True), disable=as_json, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def tell(progress: Progress) -> None:
            bar.update(task, description=progress.file, completed=progress.done, total=progress.of)

        yield tell
