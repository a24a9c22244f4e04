"""How much stands in a body, told before it is decoded: a few bytes of nothing cost a hundred times that in memory.

A body of 16 MiB can hold five million empty objects. Decoded they would take over a gigabyte and many seconds, so what
is denser than any sender's data is refused while it is still bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from collector.reading import MOST_RECORDS, Refusal, Refused

MOST_ELEMENTS: Final = 2_000_000  # objects, arrays, and members or elements after the first of each, in JSON
UNCOUNTED_BYTES: Final = 128 * 1024  # JSON that is smaller can't hold much
_LENGTH_DELIMITED: Final = 2
_TAGS: Final = (b"\x0a", b"\x12", b"\x8a", b"\x92")  # how fields 1 and 2 begin, also where written longer than need be


def bound_elements(body: bytes) -> None:
    """Raise Refused where a JSON text holds more elements than may come at once; one of its texts may hold commas."""
    if len(body) < UNCOUNTED_BYTES:
        return
    if sum(map(body.count, (b"{", b"[", b","))) > max(MOST_ELEMENTS, len(body) // 8):
        raise Refused(Refusal.TOO_LARGE, f"seen more than {MOST_ELEMENTS:,} JSON elements in one request, wanted fewer")


def bound_groups(body: bytes) -> None:
    """Raise Refused where an OTLP request in protobuf holds more resources, scopes or records than may come at once.

    Where the bytes that begin such fields are few, there can't be too many. Else this walks over the fields of the
    request, its resources and scopes, and over nothing inside a record. What can't be walked is left to the decoder.
    """
    if any(body.count(tag) > MOST_RECORDS for tag in _TAGS):
        messages = [(0, len(body))]
        for number in (1, 2, 2):  # resource_…, scope_…, then spans, log_records or metrics
            messages = _members(body, messages, number << 3 | _LENGTH_DELIMITED)


def _members(body: bytes, messages: Iterable[tuple[int, int]], wanted: int) -> list[tuple[int, int]]:
    """Return where the contents of the fields of a tag stand in messages; raise Refused where they are too many.

    Fields of other tags count as well, at a third: a resource, a scope and a schema's URL beside each.
    """
    found: list[tuple[int, int]] = []
    others = 0
    for at, end in messages:
        while at + 1 < end:
            tag, length = body[at], body[at + 1]
            if tag < 128 and length < 128:
                at += 2
            else:
                tag, at = _varint(body, at, end)
                length, at = _varint(body, at, end)
            if tag & 7 != _LENGTH_DELIMITED:
                break  # no OTLP: these messages have no field of another kind
            if tag == wanted:
                found.append((at, min(at + length, end)))
            else:
                others += 1
            if len(found) > MOST_RECORDS or others > 3 * MOST_RECORDS:
                sentence = f"seen more than {MOST_RECORDS:,} resources, scopes or records in one request, wanted fewer"
                raise Refused(Refusal.TOO_LARGE, sentence)
            at += length
    return found


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            break
    return value, end
