"""Generations of the lineage store: which file of the data folder holds it, and how another takes its place.

The store is ``store.db`` until a rebuild makes the next generation, ``store-2.db``, beside it. ``store.json`` then
names the one in force; whoever holds the former open reads on in it and moves over when he sees the name change.
Files are never renamed while anybody may hold them open: SQLite finds a log by its database's name. The next start of
serve, which has the folder to itself, gives the one in force its plain name again and clears the others away.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from throughline.core.database import Durability, open_writer
from throughline.core.durable import replace_file, sync
from throughline.core.errors import StoreUnavailable

STORE_FILE = "store.db"
POINTER = "store.json"
BESIDE = ("-wal", "-shm")  # of a database: its log, and the index of that


def store_path(data: Path) -> Path:
    """Return the file of the store in force.

    Raises StoreUnavailable where it cannot be learnt now: the wrong one would be made anew.
    """
    try:
        content = (data / POINTER).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return data / STORE_FILE
    except OSError as error:
        raise StoreUnavailable(f"{data / POINTER}: it cannot be read now ({error.strerror})") from error
    with suppress(ValueError, KeyError):
        named = json.loads(content)["store"]
        if isinstance(named, str) and (data / named).is_file():
            return data / named
    return data / STORE_FILE


def mark(data: Path) -> int:
    """Return a number that changes when another generation comes in force; cheap enough to ask again and again."""
    try:
        return (data / POINTER).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def next_path(data: Path) -> Path:
    """Return where the next generation is to be made; what an earlier attempt left there is removed."""
    current = store_path(data)
    number = next(n for n in range(2, 1_000_000) if data / f"store-{n}.db" != current)
    path = data / f"store-{number}.db"
    remove(path)
    return path


def point_to(data: Path, path: Path) -> None:
    """Name a generation, complete and closed, as the one in force; durable once this returns. Raises OSError."""
    replace_file(data / POINTER, json.dumps({"store": path.name}).encode())


def remove(path: Path) -> None:
    """Remove a generation with its log; whoever holds it open reads on."""
    for name in (path.name, *(path.name + beside for beside in BESIDE)):
        path.with_name(name).unlink(missing_ok=True)


def tidy(data: Path) -> None:
    """Give the generation in force its plain name and remove all others; for who has the folder to himself.

    Safe to be cut off anywhere and begun again. Raises OSError, sqlite3.Error or StoreUnavailable where a file
    cannot be used.
    """
    current = store_path(data)
    if current.name != STORE_FILE:
        _put_log_into_file(current)
        remove(data / STORE_FILE)
        os.replace(current, data / STORE_FILE)
        sync(data)
    (data / POINTER).unlink(missing_ok=True)
    for other in _others(data):
        remove(other)
    for draft in data.glob(f".{POINTER}.*"):
        draft.unlink(missing_ok=True)


def _others(data: Path) -> Iterator[Path]:
    return data.glob("store-[0-9]*.db")


def _put_log_into_file(path: Path) -> None:
    with closing(open_writer(path, Durability.FULL)) as connection:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError(f"{path} is in use by another process")
