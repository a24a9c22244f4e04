"""Sums of money, by currency and in the reporting currency: what is unknown stands beside, never in them; pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from throughline.core.rates import RateOfDay, Rates

# Amounts have at most 64 digits (lineage/amounts.py): no sum of them is ever rounded.
EXACTLY = Context(prec=512, Emax=MAX_EMAX, Emin=MIN_EMIN)


class Money(NamedTuple):
    """An amount of one currency (ISO 4217)."""

    amount: Decimal
    currency: str


class Part(NamedTuple):
    """What a sum holds of one currency, and of how many records."""

    amount: Decimal
    records: int


class Sums:
    """Sums by currency. ``unknown``: how many records have no known amount. Any order of adding gives the same."""

    __slots__ = ("parts", "unknown")

    def __init__(self, amounts: Iterable[Money | None] = ()) -> None:
        self.parts: dict[str, Part] = {}
        self.unknown = 0
        for amount in amounts:
            self.add(amount)

    def add(self, money: Money | None, records: int = 1) -> None:
        """Add the amount of so many records each, None where it is unknown; ``records`` below 0 takes it back.

        Raises ValueError where there is not so much to take back.
        """
        if money is None:
            if self.unknown + records < 0:
                raise ValueError("seen an unknown amount to take back, wanted one that was added")
            self.unknown += records
        else:
            amount = money.amount if records == 1 else EXACTLY.multiply(money.amount, records)
            self._enter(money.currency, Part(amount, records))

    def merge(self, other: Sums) -> None:
        """Add other sums."""
        self.unknown += other.unknown
        for currency, part in other.parts.items():
            before = self.parts.get(currency)
            self.parts[currency] = (
                part if before is None else Part(EXACTLY.add(before.amount, part.amount), before.records + part.records)
            )

    def copy(self) -> Sums:
        """Return sums that are equal, and go their own way."""
        copied = Sums()
        copied.parts, copied.unknown = dict(self.parts), self.unknown
        return copied

    @property
    def records(self) -> int:
        """Return how many records were added, those of unknown amount included."""
        return self.unknown + sum(part.records for part in self.parts.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sums) and (self.parts, self.unknown) == (other.parts, other.unknown)

    def __repr__(self) -> str:
        return f"Sums({dict(sorted(self.parts.items()))}, unknown={self.unknown})"

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def _enter(self, currency: str, part: Part) -> None:
        before = self.parts.get(currency, Part(Decimal(0), 0))
        records = before.records + part.records
        amount = EXACTLY.add(before.amount, part.amount)
        if records < 0 or (records == 0 and amount):
            raise ValueError(f"seen {part.records} records of {currency} to take back, wanted those that were added")
        if records:
            self.parts[currency] = Part(amount, records)
        else:
            self.parts.pop(currency, None)


class Applied(NamedTuple):
    """One sum in its own currency, and the rate by which it was converted; None: there is none for that day."""

    currency: str
    part: Part
    rate: RateOfDay | None


class Converted(NamedTuple):
    """A sum in the reporting currency, exact: it is rounded where it is shown.

    ``amount`` None: nothing of it is known. ``known`` records are in it, ``unknown`` are not: those without an amount,
    and those of a currency without a rate.
    """

    amount: Decimal | None
    currency: str
    known: int
    unknown: int
    applied: tuple[Applied, ...]


def convert(sums: Sums, rates: Rates, day: date) -> Converted:
    """Return what sums are worth by the rates of a day, each currency converted once."""
    return total([(sums, day)], rates)


def total(dated: Iterable[tuple[Sums, date]], rates: Rates) -> Converted:
    """Return what sums of several days are worth, each by the rates of its day.

    Sums that one rate applies to are added up before they are converted. Nothing at all is worth 0; what has only
    records of unknown amount is worth nobody knows what.
    """
    merged: dict[tuple[str, RateOfDay | None], Part] = {}
    unknown = 0
    for sums, day in dated:
        unknown += sums.unknown
        for currency, part in sums.parts.items():
            place = currency, rates.on(currency, day)
            before = merged.get(place, Part(Decimal(0), 0))
            merged[place] = Part(EXACTLY.add(before.amount, part.amount), before.records + part.records)
    applied = tuple(Applied(currency, part, rate) for (currency, rate), part in sorted(merged.items(), key=_place))
    amount, known = Decimal(0), 0
    for _, part, rate in applied:
        if rate is None:
            unknown += part.records
        else:
            amount = EXACTLY.add(amount, EXACTLY.multiply(part.amount, rate.rate))
            known += part.records
    return Converted(amount if known or not unknown else None, rates.reporting_currency, known, unknown, applied)


def _place(entry: tuple[tuple[str, RateOfDay | None], Part]) -> tuple[str, bool, date]:
    (currency, rate), _ = entry
    return currency, rate is not None, (rate.since if rate is not None else None) or date.min


def rounded(amount: Decimal, digits: int = 2) -> Decimal:
    """Return an amount as it is shown: half to even, so that sums of what is shown do not drift."""
    return amount.quantize(Decimal(1).scaleb(-digits, EXACTLY), ROUND_HALF_EVEN, EXACTLY)
