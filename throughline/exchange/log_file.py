"""The file of a log: plain or under gzip, read from its beginning as often as needed, with how far that is."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import IO, cast

from throughline.core.errors import LastingError
from throughline.exchange.entry import LogUnreadable

GZIP = b"\x1f\x8b"
SQLITE = b"SQLite format 3\x00"
HEAD_BYTES = 64 * 1024
_BOM = b"\xef\xbb\xbf"


class LogFile:
    """A log's file. Raises LastingError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._size = path.stat().st_size
            with path.open("rb") as file:
                self._zipped = file.read(2) == GZIP
        except OSError as error:
            raise LastingError(f"{path} cannot be read ({error.strerror}): name the file of an event log") from error
        self._raw: IO[bytes] | None = None

    @property
    def name(self) -> str:
        """Return the file's name without its endings."""
        return self.path.name.partition(".")[0] or self.path.name

    @contextmanager
    def open(self) -> Generator[IO[bytes]]:
        """Open it at its beginning, decompressed."""
        with self.path.open("rb") as raw:
            self._raw = raw
            try:
                yield cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if self._zipped else raw
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise LogUnreadable(f"{self.path} ends in the middle of its compressed content ({error})") from error
            finally:
                self._raw = None

    def head(self) -> bytes:
        with self.open() as file:
            return file.read(HEAD_BYTES).removeprefix(_BOM)

    def done(self) -> float:
        """Return how much of it is read, from 0 to 1."""
        return self._raw.tell() / self._size if self._raw is not None and self._size else 0.0

    def digest(self) -> str:
        """Return the SHA-256 of the file as it is."""
        with self.path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    @property
    def is_zipped(self) -> bool:
        return self._zipped
