"""Scratch databases: what is too much for memory, for as long as one run needs it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

CACHE_KIB = 32 * 1024


def scratch(path: Path | None = None) -> sqlite3.Connection:
    """Open a database without any safety: a private temporary one, or a new file that counts once it is whole."""
    database = sqlite3.connect("" if path is None else path)
    database.execute("PRAGMA journal_mode=OFF")
    database.execute("PRAGMA synchronous=OFF")
    database.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    return database
