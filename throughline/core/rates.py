"""Rates: what one unit of a currency is worth in the firm's reporting currency on a day, as estate.yaml declares."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from throughline.core.estate_file import Rate

_ONE = Decimal(1)


class RateOfDay(NamedTuple):
    """The rate in force on a day, and since when it is; None: the currency is the reporting currency itself."""

    rate: Decimal
    since: date | None


class Rates:
    """The declared rates by currency and day. The reporting currency is worth 1 of itself, whatever is declared."""

    def __init__(self, reporting_currency: str, declared: Iterable[Rate]) -> None:
        self.reporting_currency = reporting_currency
        self._by_currency: dict[str, list[RateOfDay]] = {}
        for each in sorted(declared, key=lambda rate: rate.from_):
            found = self._by_currency.setdefault(each.currency, [])
            found.append(RateOfDay(each.rate, each.from_))

    def on(self, currency: str, day: date) -> RateOfDay | None:
        """Return the latest rate declared from that day or an earlier one on; None where none is: it is unknown."""
        if currency == self.reporting_currency:
            return RateOfDay(_ONE, None)
        found = self._by_currency.get(currency, [])
        place = bisect_right(found, day, key=lambda rate: rate.since or day)
        return found[place - 1] if place else None


class RatesOfDay(dict[str, Decimal | None]):
    """The rates in force on one day, by currency, each looked up once; None where none is known."""

    def __init__(self, rates: Rates, day: date) -> None:
        super().__init__()
        self._rates, self._day = rates, day

    def __missing__(self, currency: str) -> Decimal | None:
        found = self._rates.on(currency, self._day)
        rate = self[currency] = None if found is None else found.rate
        return rate
