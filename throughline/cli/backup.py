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
from throughline.core.errors import StartRefused
from throughline.core.instants import format_instant
from throughline.core.settings import load_settings
from throughline.serve.backup import Manifest, Progress, Tell, back_up, check, restore, restore_store
from throughline.serve.database import noted_database
from throughline.serve.folder import DataFolder
from throughline.serve.integrity import Verdict, verify


def backup(folder: Path, data: Path | None, as_json: bool) -> None:
    """Copy the data folder, of a running serve or of none, into a new folder."""
    source = load_settings({"data": data}, os.environ).data
    with _bar(as_json) as tell:
        manifest = back_up(source, folder, format_instant(RealClock().now()), version("throughline"), tell)
    kept = f"{folder} holds a backup of {source}. To use it: throughline restore {folder} --data DIR"
    _say(manifest, kept + _not_in_it(source), as_json)


def restore_backup(folder: Path, data: Path | None, only_check: bool, as_json: bool) -> None:
    """Check a backup and, unless that is all, put it into a data folder that holds none."""
    if only_check:
        _say(check(folder), f"{folder} is whole.", as_json)
        return
    target = load_settings({"data": data}, os.environ).data
    with closing(DataFolder(target, patience_seconds=0)), _bar(as_json) as tell:
        manifest = restore(folder, target, tell)
    _say(manifest, f"Restored into {target}. Next: throughline serve --data {target}", as_json)


def restore_only_store(folder: Path, data: Path | None, as_json: bool) -> None:
    """Put the store of a backup in the place of that of a data folder that no serve uses."""
    target = load_settings({"data": data}, os.environ).data
    database = noted_database(target)
    if database is not None:
        raise StartRefused(
            f"the store of {target} is in {database}: restore it there, as with pg_restore; the next serve folds from"
            " the journal what it then lacks"
        )
    with closing(DataFolder(target, patience_seconds=0)), _bar(as_json) as tell:
        moved = restore_store(folder, target, tell)
    if as_json:
        print_json({"data": str(target), "moved_to": None if moved is None else str(moved)})
        return
    kept = "" if moved is None else f" The former one is in {moved}: remove it once you miss nothing."
    print(f"Restored the store of {folder} into {target}.{kept}")
    print(f"Next: throughline serve --data {target}, which folds from the journal what this store lacks.")


def verify_files(data: Path | None, store: str | None, as_json: bool) -> bool:
    """Say of each file, and of a store in a database, whether it is whole; return whether all are."""
    settings = load_settings({"data": data, "store": store}, os.environ)
    folder = settings.data
    with Console(stderr=True).status("reading") as status:
        found = verify(folder, lambda file: status.update(f"reading {file}"), settings.store)
    if not found:
        raise StartRefused(f"there is no data in {folder}: say where it is with --data DIR")
    whole = not any(each.faults for each in found)
    database = None if settings.store is not None else noted_database(folder)
    if as_json:
        files = [each._asdict() for each in found]
        print_json({"data": str(folder), "whole": whole, "files": files, "not_read": database})
        return whole
    out, width = console(), max(13, *(len(each.file) for each in found))
    for each in found:
        verdict = f"damaged, {len(each.faults)} faults" if each.faults else "whole"
        out.print(f"  {each.file:<{width}} {each.bytes:>15,} bytes  {each.values:>12,} values read  {verdict}")
        for fault in each.faults:
            out.print(f"    {fault}", style="red", soft_wrap=True)
    if database is not None:
        out.print(f"  The store is not read: it is in {database}. To read it, too: --store URL or THROUGHLINE_STORE")
    for page in dict.fromkeys(_page(each) for each in found if each.faults):
        out.print(f"docs/how-to/{page} says what to do.")
    return whole


def _page(verdict: Verdict) -> str:
    """Return the page about damage of a file, or of the store in a database, which is called after its schema."""
    return "back-up-and-restore.md" if verdict.file.endswith(".db") else "keep-the-store-in-postgresql.md"


def _not_in_it(data: Path) -> str:
    """Say where the store is that a backup of files does not hold, and the KPIs beside it."""
    database = noted_database(data)
    if database is None:
        return ""
    return (
        f"\nThe store and its KPIs are not in it, but in {database}: keep them by the means of its server, such as"
        " pg_dump."
    )


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
