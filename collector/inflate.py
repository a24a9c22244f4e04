"""Undoes gzip, several members included, up to a ceiling: a bomb costs no more memory than an honest body."""

from __future__ import annotations

from typing import Any, Final, cast

from isal import isal_zlib

from collector.reading import Refusal, Refused

_NO_GZIP: Final = cast("type[Exception]", isal_zlib.error)  # its stub says an instance
_GZIP: Final = 31  # window bits: the largest window, a gzip header


def inflate(body: bytes, most: int) -> bytes:
    """Return the inflated body; raises Refused where it is no gzip, cut short, or larger than ``most`` bytes."""
    parts: list[bytes] = []
    new_member = cast("Any", isal_zlib).decompressobj
    left = most
    try:
        while body:
            member = new_member(wbits=_GZIP)
            part: bytes = member.decompress(body, left + 1)
            if len(part) > left:
                raise Refused(Refusal.TOO_LARGE, f"the body inflates to more than {most:,} bytes")
            if not member.eof:
                raise Refused(Refusal.MALFORMED, "the gzip body ends too early")
            parts.append(part)
            left -= len(part)
            body = member.unused_data
    except _NO_GZIP as error:
        raise Refused(Refusal.MALFORMED, f"the body is no gzip: {error}") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)
