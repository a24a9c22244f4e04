"""Which records of the journal nobody needs any more: said by the engine, heard by the collector, whose file it is.

One small file of the data folder names the last such record, with its receipt: a journal that is another than the one
meant has no such record, and is left alone.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from throughline.core.database import failures_named
from throughline.core.durable import replace_file

RELEASE_FILE = "journal-released.json"


class Release(msgspec.Struct, frozen=True):
    """All records up to ``record`` may go; ``received`` is that one's receipt."""

    record: int
    received: int


def write_release(data: Path, release: Release) -> None:
    """Say which records may go; durable once this returns. Raises StoreUnavailable where the disk does not take it."""
    with failures_named(data / RELEASE_FILE):
        replace_file(data / RELEASE_FILE, msgspec.json.encode(release))


def read_release(data: Path) -> Release | None:
    """Return which records may go; None where nothing can be read."""
    try:
        return msgspec.json.decode((data / RELEASE_FILE).read_bytes(), type=Release)
    except (OSError, msgspec.MsgspecError):
        return None
