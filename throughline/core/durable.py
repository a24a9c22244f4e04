"""Files that survive a power cut: a small one replaced as a whole, and what was written before made to last."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

PRIVATE: Final = 0o600


def replace_file(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Put content in the place of a file; durable once this returns.

    A reader sees the whole former one or the whole new one, and so does who comes after a crash. Raises OSError.
    """
    with NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make the content of a file last, or of a folder which names it has. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
