"""The command ``rebuild``: the store made anew, beside a running serve or without one."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from lineage.definitions import load_definitions
from lineage.generations import next_place, point_to, store_path, tidy
from lineage.places import Place, open_reading, remove
from lineage.rebuild import COLUMNS, NO_CASE, Changes, Progress, Tell, rebuild
from lineage.run import OPENED, Subject
from lineage.store import StoreReader
from throughline.cli.printing import console, print_json
from throughline.cli.words import spoken
from throughline.core.clock import open_clock
from throughline.core.errors import ConfigurationError, Fault, StartRefused
from throughline.core.estate import load_estate
from throughline.core.instants import format_instant
from throughline.core.key import Key
from throughline.core.settings import Settings, load_settings
from throughline.serve.database import note_database, refuse_elsewhere, store_to_move
from throughline.serve.folder import DataFolder
from throughline.serve.limits import limits_of

LOOK_AGAIN_SECONDS = 0.05


def rebuild_store(
    overrides: Mapping[str, Any], file: Path | None, preview: bool, patience_seconds: float, as_json: bool
) -> None:
    """Make the store anew with the definitions as they are now; with ``preview`` only tell what would change.

    A serve that runs takes the new one over; without one it is there for the next start. Raises ConfigurationError
    with all faults, and StartRefused where there is nothing to rebuild or the running serve does not take it over.
    """
    settings = load_settings(overrides, os.environ, file)
    data = settings.data
    if not data.is_dir():
        raise StartRefused(f"there is no data folder {data}: say where it is with --data DIR")
    refuse_elsewhere(data, settings.store)
    subject = _subject(settings)
    with ExitStack() as stack:
        folder = _taken(data, stack)
        moved = store_to_move(data, subject.url)
        if moved is not None and folder is None:
            raise StartRefused(f"{moved} moves into {subject.url} only while no serve runs: stop that in {data} first")
        if moved is not None:
            tidy(data)
            moved = store_path(data)
        place = next_place(data, subject.url)
        if subject.url is None:
            _find_room(data)
        with _bar(as_json) as tell:
            found = rebuild(subject, place, tell, whole=True, former=moved)
        if preview:
            remove(place)
        elif folder is not None:
            point_to(data, place)
            tidy(data, subject.url)
            note_database(folder, subject.url)
            if moved is not None:
                remove(moved)
        else:
            _hand_over(subject, place, patience_seconds)
    _tell(found, preview, folder is not None, as_json)


def _subject(settings: Settings) -> Subject:
    faults: list[Fault] = []
    for read in (load_definitions, load_estate):
        try:
            read(settings.definitions)
        except ConfigurationError as error:
            faults += error.faults
    if faults:
        raise ConfigurationError(faults)
    limits = limits_of(settings)
    clock = open_clock(settings.clock, settings.data)
    definitions, estate = load_definitions(settings.definitions), load_estate(settings.definitions)
    return Subject(settings.data, definitions, estate, limits, clock, url=settings.store)


def _taken(data: Path, stack: ExitStack) -> DataFolder | None:
    """Return the folder where no serve runs in it, ours until ``stack`` ends; None where one does."""
    try:
        return stack.enter_context(closing(DataFolder(data, patience_seconds=0)))
    except StartRefused:
        return None


def _find_room(data: Path) -> None:
    """Raise StartRefused where the disk has no room for a second store: a full one would stop those who send."""
    store = store_path(data)
    wanted = store.stat().st_size if store.is_file() else 0
    free = shutil.disk_usage(data).free
    if free < wanted:
        raise StartRefused(
            f"the disk of {data} has {free:,} bytes left, and the store is made anew beside the one in force, which has"
            f" {wanted:,}: free space"
        )


def _hand_over(subject: Subject, place: Place, patience_seconds: float) -> None:
    """Put a generation in force and wait until the running engine works on it; else put the former one back."""
    data, former = subject.data, subject.place
    point_to(data, place)
    until = time.monotonic() + patience_seconds
    while not _is_opened(place):
        if time.monotonic() > until:
            point_to(data, former)
            remove(place)
            raise StartRefused(
                f"the serve that runs in {data} did not take the rebuilt store over (its log says why): nothing has "
                "changed; see that it runs with the definitions and settings that were given here"
            )
        time.sleep(LOOK_AGAIN_SECONDS)


def _is_opened(place: Place) -> bool:
    with closing(open_reading(place)) as connection:
        return OPENED in StoreReader(connection).meta()


# What is told.


@contextmanager
def _bar(as_json: bool) -> Generator[Tell]:
    """Show how far it is, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), disable=as_json, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def tell(progress: Progress) -> None:
            bar.update(task, description=progress.stage, completed=progress.done, total=progress.of or None)

        yield tell


def _tell(found: Changes, preview: bool, alone: bool, as_json: bool) -> None:
    if as_json:
        print_json(_document(found, preview))
        return
    out = console()
    if not found.total:
        out.print(f"No case {'would stand' if preview else 'stands'} otherwise than before.")
    for process, counted in sorted(found.counted.items()):
        count = sum(counted.values())
        verb = "would stand" if preview else "stands" if count == 1 else "stand"
        out.print(f"{process}: {count:,} {'case' if count == 1 else 'cases'} {verb} otherwise", style="bold")
        for (before, after), count in sorted(counted.items(), key=lambda each: -each[1]):
            what = f"{spoken(before)} → {spoken(after)}" if before != after else f"{spoken(before)}, in other detail"
            out.print(f"  {count:>8,}  {what}")
    for each in found.first:
        out.print(f"  {each.process} {_name(each.name)}: {_side(each.before)} → {_side(each.after)}", style="dim")
    if found.total > len(found.first):
        out.print(f"  … and {found.total - len(found.first):,} more (--json counts them all)", style="dim")
    if preview:
        out.print("Nothing was changed. To do it: the same command without --preview.")
    else:
        out.print("The store is made anew." if alone else "The store is made anew, and the running serve works on it.")


def _name(text: str) -> str:
    return Key.decode(text).value


def _side(row: tuple[Any, ...] | None) -> str:
    """Write one side of a change: state, what it waits for and what deviates."""
    if row is None:
        return NO_CASE
    state, step, *_, deviations = row
    waits = f", waits for {spoken(step)}" if step else ""
    return f"{spoken(state)}{waits}" + (f" ({deviations.strip()})" if deviations else "")


def _document(found: Changes, preview: bool) -> dict[str, Any]:
    return {
        "preview": preview,
        "changed": found.total,
        "by_process": {
            process: [
                {"before": before, "after": after, "cases": count} for (before, after), count in sorted(counted.items())
            ]
            for process, counted in sorted(found.counted.items())
        },
        "first": [
            {
                "process": each.process,
                "name": _name(each.name),
                "before": _row(each.before),
                "after": _row(each.after),
            }
            for each in found.first
        ],
    }


def _row(row: tuple[Any, ...] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    told = dict(zip(COLUMNS, row, strict=True))
    return told | {"due": None if told["due"] is None else format_instant(told["due"])}
