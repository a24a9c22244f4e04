"""Cursors: opaque texts that say where a list goes on; they stay valid while the list changes."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from throughline.core.problem import Problem, ProblemKind

_LONGEST = 4096
_BEYOND = 1 << 63  # no row has such a number, and no database takes it
Position = TypeVar("Position", bound=tuple[object, ...])


def write_cursor(position: Sequence[str | int | bytes]) -> str:
    """Return the cursor of a position: the sort key of the last item given."""
    return urlsafe_b64encode(msgspec.msgpack.encode(position)).rstrip(b"=").decode()


def read_cursor(text: str, position: type[Position]) -> Position:
    """Read a cursor back as the given tuple type, such as ``tuple[str, int]``; raises Problem for any other text."""
    try:
        if len(text) > _LONGEST:
            raise ValueError
        content = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        found = msgspec.msgpack.decode(content, type=position)
        if any(isinstance(part, int) and not -_BEYOND <= part < _BEYOND for part in found):
            raise ValueError
        return found
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise Problem(
            ProblemKind.INVALID, "seen a cursor that this list did not give, wanted the `next` of an earlier answer"
        ) from None
