"""The elements of a large JSON document's arrays, one at a time: its outermost object is never held as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from throughline.exchange.entry import LogUnreadable

LARGEST_ELEMENT = 64 * 1024 * 1024
# Whole texts, what gives structure, or a quote whose text goes on in the next piece. Possessive, so never slow.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],]|"', re.DOTALL)
_OPEN, _CLOSE, _LONE = frozenset(b"{["), frozenset(b"}]"), b'"'


def array_elements(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Give (member, element) for each element of each array that the outermost object has as a member.

    Raises LogUnreadable where the document is no object or ends too early; elements themselves are not checked.
    """
    scan = _Scan()
    for piece in pieces:
        yield from scan.feed(piece)
    if scan.depth != 0 or not scan.begun:
        raise LogUnreadable("the JSON ends in the middle: wanted one whole object")


class _Scan:
    """Where in the document we are; ``_rest`` is what is not done with yet."""

    def __init__(self) -> None:
        self.depth = 0
        self.begun = False
        self._rest = b""
        self._at = 0  # up to where the rest is scanned
        self._start: int | None = None  # of the element in the rest, inside an array of the outermost object
        self._member = ""

    def feed(self, piece: bytes) -> Iterator[tuple[str, bytes]]:
        rest = self._rest + piece
        for match in _TOKEN.finditer(rest, self._at):
            token = match[0]
            if token == _LONE:
                self._at = match.start()
                break
            self._at = match.end()
            element = self._take(token, match.start(), match.end(), rest)
            if element is not None:
                yield self._member, element
        else:
            self._at = len(rest)
        keep = self._at if self._start is None else self._start
        if len(rest) - keep > LARGEST_ELEMENT:
            raise LogUnreadable(f"seen an element of {self._member!r} beyond {LARGEST_ELEMENT:,} bytes, wanted less")
        self._rest = rest[keep:]
        self._at -= keep
        self._start = None if self._start is None else 0

    def _take(self, token: bytes, start: int, end: int, rest: bytes) -> bytes | None:
        """Follow one token; return the element that it ends."""
        first = token[0]
        ended: bytes | None = None
        if first in _OPEN:
            if not self.begun and token != b"{":
                raise LogUnreadable("seen no JSON object, wanted an object with the arrays of OCEL 2.0")
            self.begun = True
            self.depth += 1
            if self.depth == 2 and token == b"[":
                self._start = end
        elif first in _CLOSE:
            if self.depth == 2 and self._start is not None:
                ended, self._start = rest[self._start : start].strip(), None
            self.depth -= 1
        elif token == b",":
            if self.depth == 2 and self._start is not None:
                ended, self._start = rest[self._start : start].strip(), end
        elif self.depth == 1:
            self._member = _text(token)
        return ended or None


def _text(token: bytes) -> str:
    try:
        return msgspec.json.decode(token, type=str)
    except (msgspec.DecodeError, UnicodeError):
        return ""
