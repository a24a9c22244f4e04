"""How far the engine has folded the journal, for those who do not look into its store: a file of the data folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FOLDED_FILE = "folded"


def note_folded(data: Path, position: int) -> None:
    """Leave the position; where the disk takes nothing now, the former one stays, which is not wrong either."""
    new = data / f".{FOLDED_FILE}.new"
    with suppress(OSError):
        new.write_text(f"{position}\n")
        os.replace(new, data / FOLDED_FILE)


def read_folded(data: Path) -> int | None:
    """Return the position that was last left; None where none was."""
    try:
        return int((data / FOLDED_FILE).read_text())
    except (OSError, ValueError):
        return None
