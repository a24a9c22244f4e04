"""Why a part waits, for those in other processes: a file of the data folder, of one size, written in place.

A full disk takes nothing new; what stands on it may be written over all the same.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from throughline.core.database import passing_cause

WAITS_FILE = "waits"  # of the engine
KPIS_WAIT_FILE = "kpis-wait"  # of the part that keeps KPIs
_BYTES = 512


def note_waits(data: Path, why: str, file: str = WAITS_FILE) -> None:
    """Leave why; an empty text: it goes on. Where the disk takes nothing at all, what was left before stays."""
    with suppress(OSError):
        descriptor = os.open(data / file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, why.encode()[:_BYTES].ljust(_BYTES), 0)
        finally:
            os.close(descriptor)


def read_waits(data: Path, file: str = WAITS_FILE) -> str | None:
    """Return why a part waits; None where it does not, as far as is known."""
    with suppress(OSError):
        if os.statvfs(data).f_flag & os.ST_RDONLY:
            return passing_cause(OSError(errno.EROFS, ""))
        return (data / file).read_bytes().decode(errors="replace").strip() or None
    return None
