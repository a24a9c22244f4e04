"""Splits a JSON array whose elements may be broken inside, by brackets and quotes alone.

A decoder gives up a whole batch where one text in it holds half a surrogate pair, as a cut emoji leaves it, or where
one element nests too deeply. This walks over brackets instead; it is slow, and meant for batches that failed.
"""

from __future__ import annotations

import re
from typing import Final

LARGEST_MENDED: Final = 256 * 1024

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},"]', re.DOTALL)
_BLANK: Final = b" \t\r\n"


def split_array(body: bytes) -> list[bytes] | None:
    """Return the elements of an array as written, without blanks around them; None where brackets don't match."""
    text = body.strip(_BLANK)
    if text[:1] != b"[" or text[-1:] != b"]":
        return None
    elements: list[bytes] = []
    expected: list[bytes] = []
    start = 1
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in _CLOSING:
            expected.append(_CLOSING[mark])
        elif mark in (b"]", b"}"):
            if not expected or expected.pop() != mark:
                return None
            if not expected and token.end() != len(text):
                return None
        elif mark == b'"':
            return None  # a text without end
        if len(expected) == 1 and mark == b",":
            elements.append(text[start : token.start()].strip(_BLANK))
            start = token.end()
    if expected:
        return None
    last = text[start:-1].strip(_BLANK)
    return [*elements, last] if elements or last else []


_CLOSING: Final = {b"[": b"]", b"{": b"}"}
