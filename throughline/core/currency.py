"""Currencies: the codes of ISO 4217, past ones among them, as babel knows them."""

from __future__ import annotations

from functools import cache

from babel.core import get_global


@cache
def currencies() -> frozenset[str]:
    """Return the codes of all currencies."""
    return frozenset(get_global("all_currencies"))


def currency_code(value: str) -> str:
    """Return the code of a currency; raise ValueError for any other text."""
    if value not in currencies():
        raise ValueError("a code of ISO 4217, such as EUR")
    return value
