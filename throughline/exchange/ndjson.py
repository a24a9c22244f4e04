"""CloudEvents, one a line (NDJSON): sent as they stand, so that what is exported comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from throughline.exchange.entry import Entry, Unread
from throughline.exchange.log_file import LogFile

LONGEST_LINE = 16 * 1024 * 1024
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class NdjsonLog:
    """A file of CloudEvents, one a line; empty lines are passed over."""

    def __init__(self, file: LogFile) -> None:
        self._file = file

    def entries(self) -> Iterator[Entry | Unread]:
        with self._file.open() as lines:
            number = 0
            while line := lines.readline(LONGEST_LINE):
                number += 1
                content = line.strip()
                if content:
                    yield _entry(f"line {number}", content)

    def done(self) -> float:
        return self._file.done()


def _entry(place: str, line: bytes) -> Entry | Unread:
    if len(line) >= LONGEST_LINE:
        return Unread(place, "too_large", f"seen a line of {LONGEST_LINE:,} bytes or more, wanted less")
    try:
        event = _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        return Unread(place, "no_event", f"seen no JSON object ({error}), wanted a CloudEvent on each line")
    kind = event.get("type")
    return Entry(place, line, kind if isinstance(kind, str) else None)
