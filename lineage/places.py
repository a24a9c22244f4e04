"""Where a generation of the lineage store stands: in a file of the data folder, or in a schema of a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from throughline.core.database import CACHE_MIB, Durability, failures_named, open_reader, open_writer
from throughline.core.sql import Connection
from throughline.core.store_url import Schema

if TYPE_CHECKING:
    from types import ModuleType

Place = Path | Schema

_WRITER_CACHE_MIB = 128
BESIDE = ("-wal", "-shm")  # of a database: its log, and the index of that


def open_writing(place: Place) -> Connection:
    """Open a generation for its one writer, made if need be. Raises StoreUnavailable where it cannot be written now."""
    if isinstance(place, Schema):
        return _postgresql().open_writer(place)
    connection = open_writer(place, Durability.NORMAL, _WRITER_CACHE_MIB)
    with failures_named(place):
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
    return connection


def open_sharing(place: Schema) -> Connection:
    """Open a generation for one of several writers, made if need be. Raises StoreUnavailable as ``open_writing``."""
    return _postgresql().open_writer(place, shared=True)


def open_reading(place: Place, cache_mib: int = CACHE_MIB, answer_seconds: float | None = None) -> Connection:
    """Open a generation beside its writer. Raises StoreUnavailable where it cannot be read now, or is not there yet.

    ``answer_seconds``: how long a server may take for one answer; beyond it that raises StoreUnavailable as well.
    """
    if isinstance(place, Schema):
        return _postgresql().open_reader(place, answer_seconds)
    return open_reader(place, cache_mib)


def is_there(place: Place) -> bool:
    """Tell whether a generation stands at a place. Raises StoreUnavailable where that cannot be seen."""
    return _postgresql().is_there(place) if isinstance(place, Schema) else place.is_file()


def remove(place: Place) -> None:
    """Remove a generation with all that belongs to it; whoever holds its file open reads on.

    Raises OSError, or StoreUnavailable while somebody reads its tables.
    """
    if isinstance(place, Schema):
        _postgresql().remove(place)
        return
    for name in (place.name, *(place.name + beside for beside in BESIDE)):
        place.with_name(name).unlink(missing_ok=True)


def rename(place: Place, wanted: Place) -> None:
    """Give a generation that nobody has open a name that no other has."""
    if isinstance(place, Schema):
        assert isinstance(wanted, Schema)
        _postgresql().rename(place, wanted)
    else:
        assert isinstance(wanted, Path)
        place.replace(wanted)


def _postgresql() -> ModuleType:
    """Load the driver only where a store needs it: it is not always installed."""
    from throughline.core import postgresql

    return postgresql
