"""Generations of the lineage store: which place holds it, and how another takes its place.

The store is ``store.db`` until a rebuild makes the next generation, ``store-2.db``, beside it. ``store.json`` then
names the one in force; whoever holds the former open reads on in it and moves over when he sees the name change.
Files are never renamed while anybody may hold them open: SQLite finds a log by its database's name. The next start of
serve, which has the folder to itself, gives the one in force its plain name again and clears the others away.

In a PostgreSQL database generations are schemas, ``throughline`` and ``throughline_2``, with the same pointer in the
data folder whose journal they have folded.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from lineage.places import Place, is_there, remove, rename
from throughline.core.database import Durability, open_writer
from throughline.core.durable import replace_file, sync
from throughline.core.errors import StoreUnavailable
from throughline.core.store_url import Schema, StoreUrl

STORE_FILE = "store.db"
POINTER = "store.json"
SCHEMA = "throughline"
_SCHEMA_NAME = re.compile(rf"{SCHEMA}(_[0-9]+)?")


def store_path(data: Path) -> Path:
    """Return the file of the store in force.

    Raises StoreUnavailable where it cannot be learnt now: the wrong one would be made anew.
    """
    named = _named(data)
    return data / named if named and (data / named).is_file() else data / STORE_FILE


def store_place(data: Path, url: StoreUrl | None) -> Place:
    """Return where the store in force stands: a file of the data folder, or a schema where a database is given.

    Raises StoreUnavailable as ``store_path``.
    """
    if url is None:
        return store_path(data)
    named = _named(data)
    return Schema(url, named if named and _SCHEMA_NAME.fullmatch(named) else SCHEMA)


def _named(data: Path) -> str | None:
    try:
        content = (data / POINTER).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreUnavailable(f"{data / POINTER}: it cannot be read now ({error.strerror})") from error
    with suppress(ValueError, KeyError, TypeError):
        named = json.loads(content)["store"]
        return named if isinstance(named, str) else None
    return None


def mark(data: Path) -> int:
    """Return a number that changes when another generation comes in force; cheap enough to ask again and again."""
    try:
        return (data / POINTER).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def next_place(data: Path, url: StoreUrl | None) -> Place:
    """As ``next_path``, in the database where one is given. Raises StoreUnavailable."""
    if url is None:
        return next_path(data)
    place = next(each for each in _others_in(url) if each != store_place(data, url))
    remove(place)
    return place


def next_path(data: Path) -> Path:
    """Return where the next generation is to be made; what an earlier attempt left there is removed."""
    current = store_path(data)
    number = next(n for n in range(2, 1_000_000) if data / f"store-{n}.db" != current)
    path = data / f"store-{number}.db"
    remove(path)
    return path


def point_to(data: Path, place: Place) -> None:
    """Name a generation, complete and closed, as the one in force; durable once this returns. Raises OSError."""
    replace_file(data / POINTER, json.dumps({"store": place.name}).encode())


def tidy(data: Path, url: StoreUrl | None = None) -> None:
    """Give the generation in force its plain name and remove all others; for who has the folder to himself.

    Safe to be cut off anywhere and begun again. Raises OSError, sqlite3.Error or StoreUnavailable where a file or the
    database cannot be used.
    """
    if url is not None:
        _tidy_schemas(data, url)
        return
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


def _tidy_schemas(data: Path, url: StoreUrl) -> None:
    if (data / POINTER).exists():
        plain, current = Schema(url, SCHEMA), store_place(data, url)
        if current != plain and is_there(current):  # it is not, where this was cut off after it was renamed
            remove(plain)
            rename(current, plain)
        (data / POINTER).unlink(missing_ok=True)
    for other in _others_in(url):
        remove(other)


def _others_in(url: StoreUrl) -> list[Schema]:
    """Return the schemas that a rebuild may use: two, as there is never more than one beside that in force."""
    return [Schema(url, f"{SCHEMA}_{number}") for number in (2, 3)]


def _others(data: Path) -> Iterator[Path]:
    return data.glob("store-[0-9]*.db")


def _put_log_into_file(path: Path) -> None:
    with closing(open_writer(path, Durability.FULL)) as connection:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError(f"{path} is in use by another process")
