"""A number as its sender wrote it: no digit is lost on the way to a decimal."""

from __future__ import annotations


class Number(str):
    """A JSON number with a fraction or an exponent, its text exactly as written."""

    __slots__ = ()


def scalar_text(value: object) -> str | None:
    """Return a scalar as text, a number exactly as written; None where it is none (absent, array, object, bytes)."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None
