"""A number as its sender wrote it: no digit is lost on the way to a decimal."""

from __future__ import annotations


class Number(str):
    """A JSON number with a fraction or an exponent, its text exactly as written."""

    __slots__ = ()
