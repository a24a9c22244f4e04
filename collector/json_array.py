"""JSON bodies, and arrays whose elements may be broken inside: these are split by brackets and quotes alone.

A decoder gives up a whole batch where one text in it holds half a surrogate pair, as a cut emoji leaves it, or where
one element nests too deeply. This walks over brackets instead; it is slow, and meant for batches that failed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from collector.density import bound_elements
from collector.json_fault import json_fault
from collector.reading import Refusal, Refused
from throughline.core.number import Number

LARGEST_MENDED: Final = 256 * 1024
UNREADABLE: Final = (msgspec.DecodeError, UnicodeError, RecursionError)

_json = msgspec.json.Decoder(float_hook=Number)
_array = msgspec.json.Decoder(list[msgspec.Raw])

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},"]', re.DOTALL)
_BLANK: Final = b" \t\r\n"


def decode_json(body: bytes) -> object:
    """Return what a JSON text holds, numbers exactly as written; raise Refused where it is none, or too dense."""
    bound_elements(body)
    try:
        return _json.decode(body)
    except UNREADABLE as error:
        raise Refused(Refusal.MALFORMED, f"the body is no JSON: {json_fault(error, body)}") from error


def is_array(body: bytes) -> bool:
    """Tell whether a JSON text holds an array."""
    return body[:64].lstrip()[:1] == b"["


def split_batch(body: bytes) -> Sequence[bytes | msgspec.Raw]:
    """Return the elements of a JSON array; where one of them is broken inside, still the others.

    Raises Refused where it is none, or too dense.
    """
    bound_elements(body)
    try:
        return _array.decode(body)
    except UNREADABLE as error:
        elements = split_array(body) if len(body) <= LARGEST_MENDED else None
        if elements is None:
            raise Refused(Refusal.MALFORMED, f"the body is no JSON array: {json_fault(error, body)}") from error
        return elements


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
