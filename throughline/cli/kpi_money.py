"""How commands write sums of money: what is unknown beside them, each currency with the rate by which it counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from throughline.cli.client import Document


def worth(money: Mapping[str, Any]) -> str:
    """Write a sum in the reporting currency."""
    return "amount unknown" if money["amount"] is None else f"{money['currency']} {Decimal(money['amount']):,f}"


def of_unknown(money: Mapping[str, Any]) -> str:
    """Say of how many records a sum has no amount, where there are any."""
    return f", {money['unknown']:,} of unknown amount" if money["unknown"] else ""


def records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def without_text(kpi: Mapping[str, Any], answer: Document | None) -> str:
    """Say of how many of all records a figure that is a sum has no amount or no hours; nothing where it has all."""
    match (kpi["unit"], answer):
        case ("money", {"money": {"known": known, "unknown": int(unknown)} as money}) if unknown:
            unconverted = any(each["rate"] is None for each in money["by_currency"])
            return f"({unknown:,} of {known + unknown:,} without amount{' or rate' if unconverted else ''})"
        case ("hours", {"records": of, "hours_unknown": int(unknown)}) if unknown:
            return f"({unknown:,} of {of:,} without hours)"
        case _:
            return ""


def sums_by_currency(answer: Document | None) -> list[str]:
    """Return a line for each currency of a sum, with its rate; none where all of it is of the reporting currency."""
    money = None if answer is None else answer.get("money")
    if money is None or all(each["currency"] == money["currency"] for each in money["by_currency"]):
        return []
    return list(_lines(money))


def _lines(money: Document) -> Iterator[str]:
    for each in money["by_currency"]:
        amount = f"{each['currency']} {Decimal(each['amount']):,f} of {records(each['records'])}"
        if each["currency"] == money["currency"]:
            yield amount
        elif each["rate"] is None:
            yield f"{amount}, no rate: not in the sum"
        else:
            yield f"{amount} at a rate of {each['rate']} since {each['rate_since']}"
