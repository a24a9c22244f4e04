"""Amounts of one case: its own share of an event's money, and whether payments cover what is owed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Final

from lineage.fact import Member, Via
from lineage.process import Version

_CARRIER: Final = Via.CARRIER

Share = tuple[str, str]
"""An amount as decimal text, and its currency."""

_LONGEST = 64  # characters; a longer text, or one with a larger exponent, is no amount of money
_EXACT = Context(prec=4 * _LONGEST, Emax=MAX_EMAX, Emin=MIN_EMIN)


def share(member: Member, name: str) -> Share | None:
    """Return the amount and currency that an event states for the case of an interned name; None where it tells none.

    Never a carrier's total: an event that came by a carrier counts with its entry in ``amounts`` only. An amount
    without currency is none.
    """
    fact = member.fact
    currency = fact.currency
    if currency is None:
        return None
    amount = None if member.via is _CARRIER else fact.amount
    if amount is None and fact.amounts is not None:
        amount = fact.amounts.get(value_of(name))
    return None if amount is None else (amount, currency)


def value_of(text: str) -> str:
    """Return the value of an interned key."""
    return text.split("\x1f", 2)[1]


def latest_share(version: Version, members: Iterable[Member], name: str) -> Share | None:
    """Return the latest share of the case over successful members given latest first, payments left out."""
    meanings = version.meanings
    covering = version.covering
    for member in members:
        if member.denied or member.fact.failed:
            continue
        own = share(member, name)
        if own is not None:
            meaning = meanings.get(member.fact.type) if covering else None
            if meaning is None or covering.isdisjoint(meaning.steps):
                return own
    return None


def latest_hours(members: Iterable[Member]) -> str | None:
    """Return the latest hours of successful members given latest first; a carrier's hours are never the case's."""
    for member in members:
        fact = member.fact
        if fact.hours is not None and member.via is not _CARRIER and not member.denied and not fact.failed:
            return fact.hours
    return None


def decimal_of(text: str) -> Decimal | None:
    """Read decimal text; None where it is no finite number of a plausible length."""
    if len(text) > _LONGEST:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= _LONGEST else None


def plain(text: str) -> str | None:
    """Return decimal text without an exponent, its scale as given; None where it is no number."""
    number = decimal_of(text)
    return None if number is None else format(number, "f")


class Purse:
    """What one covering step has taken in against what the case owes; fed in time order.

    ``covered_at``: since when the amounts have covered, without a break; None while they do not.
    """

    __slots__ = ("_currency", "_owed", "_paid", "_unclear", "covered_at")

    def __init__(self) -> None:
        self._owed: Decimal | None = None
        self._currency: str | None = None
        self._paid: dict[str, Decimal] = {}
        self._unclear = False
        self.covered_at: int | None = None

    def owe(self, own: Share, time: int) -> None:
        """Take the latest amount of the case."""
        self._owed, self._currency = decimal_of(own[0]), own[1]
        self._weigh(time)

    def pay(self, own: Share | None, time: int) -> None:
        """Add a payment; one that tells no amount leaves the remainder unknown."""
        paid = None if own is None else decimal_of(own[0])
        if own is None or paid is None:
            self._unclear = True
        else:
            self._paid[own[1]] = _EXACT.add(self._paid.get(own[1], Decimal(0)), paid)
        self._weigh(time)

    def remainder(self) -> Share | None:
        """Return what is still owed, not below zero; None where that is unknown."""
        if self._owed is None or self._currency is None or self._unclear or self._paid.keys() - {self._currency}:
            return None
        left = _EXACT.subtract(self._owed, self._paid.get(self._currency, Decimal(0)))
        return format(max(left, Decimal(0)), "f"), self._currency

    def _weigh(self, time: int) -> None:
        if self._owed is None or self._currency is None or self._paid.get(self._currency, Decimal(0)) < self._owed:
            self.covered_at = None
        elif self.covered_at is None:
            self.covered_at = time
