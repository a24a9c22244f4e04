"""Which database holds the store of a data folder: noted there, so that nobody takes the folder for all there is."""

from __future__ import annotations

from pathlib import Path

import structlog

from lineage.changes import FOLLOWERS
from lineage.generations import store_path, store_place
from lineage.places import is_there
from throughline.core.errors import StartRefused, StoreUnavailable
from throughline.core.store_url import Schema, StoreUrl
from throughline.serve.folder import DataFolder, read_small_file

DATABASE = "database.json"
_STORE = "store"

_log = structlog.get_logger(__name__)


def noted_database(data: Path) -> str | None:
    """Return the URL, secrets hidden, of the database in which a serve last had the store of a folder."""
    noted = read_small_file(data / DATABASE).get(_STORE)
    return noted if isinstance(noted, str) else None


def check_store(folder: DataFolder, url: StoreUrl | None) -> None:
    """See that the store can be where it is said to be, and note it.

    Raises StartRefused where it can never be, or where the folder's store is elsewhere. A database that worked for
    this folder before and is away just now is waited for: what comes in meanwhile is durable.
    """
    noted = noted_database(folder.path)
    if url is None:
        if noted is not None:
            raise StartRefused(_elsewhere(folder.path, noted))
        return
    from throughline.core.postgresql import check  # only here: it loads the driver

    place = store_place(folder.path, url)
    assert isinstance(place, Schema)
    try:
        check(place, *(follower.schema for follower in FOLLOWERS))
        moved = store_to_move(folder.path, url)
    except StoreUnavailable as error:
        if noted != str(url):
            raise StartRefused(str(error)) from error
        _log.warning("database_away", error=str(error), what_happens="what comes in is kept, and folded once it is")
        return
    if moved is not None:
        raise StartRefused(
            f"{moved} is the store of this folder, and {url} holds none yet: to take it there, run `throughline rebuild"
            f" --data {folder.path}` with this store; to begin there with what the journal has, remove {moved.name}"
        )
    note_database(folder, url)


def note_database(folder: DataFolder, url: StoreUrl | None) -> None:
    """Note where the store is, unless it is in the folder. Raises StartRefused where the folder cannot be written."""
    if url is None or noted_database(folder.path) == str(url):
        return
    try:
        folder.write(DATABASE, {_STORE: str(url)})
    except OSError as error:
        raise StartRefused(f"{folder.path / DATABASE} cannot be written ({error}): free space") from error


def store_to_move(data: Path, url: StoreUrl | None) -> Path | None:
    """Return the file of a store that a database is to take over, which holds none yet. Raises StoreUnavailable."""
    path = store_path(data)
    if url is None or not path.is_file() or is_there(store_place(data, url)):
        return None
    return path


def refuse_elsewhere(data: Path, url: StoreUrl | None) -> None:
    """Raise StartRefused where the store of a folder is in a database, and none is given."""
    noted = noted_database(data)
    if url is None and noted is not None:
        raise StartRefused(_elsewhere(data, noted))


def _elsewhere(data: Path, noted: str) -> str:
    return (
        f"the store of {data} is in {noted}: give it with --store URL or THROUGHLINE_STORE; or, to have it in the"
        f" folder again, made from the journal as far as that reaches, remove {data / DATABASE}"
    )
