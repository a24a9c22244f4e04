"""What is wrong with a text that is no JSON, in words that lead to it."""

from __future__ import annotations

import re
from typing import Final

# An escape of half a surrogate pair, as a text that was cut inside an emoji leaves it; before it an even number of
# backslashes, as an escaped one escapes nothing.
_HALF = re.compile(
    rb"(?<!\\)(?:\\\\)*(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_SEARCHED_BYTES: Final = 64 * 1024  # nobody else runs while an expression goes over megabytes


def json_fault(error: Exception, text: bytes) -> str:
    """Return why a text could not be decoded: the decoder's own words, but for what it calls something else."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    half = _HALF.search(text[:_SEARCHED_BYTES])
    if half is None:
        return str(error)
    return f"half a character at byte {half.end() - 6} ({half[0][-6:].decode()} without its other half)"
