"""Contributions: what one case brings to a KPI that compares values across cases, free of now; docs/why/kpis.md.

An observation says all that a figure needs of one case. A contribution is one half of a comparison: the other half is
another case's, and both are found at the reading by what they are matched by.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from kpis.declaration import Dimension
from kpis.money import EXACTLY, Money

NO_DAY = date.min
"""The day of what belongs to no day: a contract's value counts on the day on which its project is closed."""
PLAIN = ""
"""What stands for the currency of a number that is no money: hours, records, a fact."""


class Part(StrEnum):
    """Which part of a formula a contribution belongs to.

    Of a balance ``added`` are the further numerators, which tell nothing where the first is not known, and ``ended`` is
    what was given up for good.
    """

    NUMERATOR = "numerator"
    ADDED = "added"
    DENOMINATOR = "denominator"
    CLOSING = "closing"
    ENDED = "ended"


class Missing(StrEnum):
    """Why a value is in no figure and stands beside it."""

    VALUE = "value not known"
    MATCH = "names nothing to match by"
    SEVERAL = "names several to match by"
    STRETCH = "period not readable"
    ONLY_NUMERATOR = "told on the numerator's side only"
    ONLY_DENOMINATOR = "told on the denominator's side only"
    RATE = "no rate known"


class Worth(NamedTuple):
    """A value that adds up, None where it is unknown. A plain number is money of the currency ``PLAIN``."""

    money: Money | None


class Named(NamedTuple):
    """What counts once however often it is told: an engagement, an event that many cases share."""

    name: str


class Stated(NamedTuple):
    """A value as it stood from an instant until another (None: it still does), as an event told it.

    ``carried``: the event spoke of a carrier, not of one case, so of several the latest stands for all of them.
    """

    at: int
    until: int | None
    event: str
    carried: bool
    money: Money | None


class Leave(NamedTuple):
    """Days without work, both included; ``last`` None: until the next change."""

    first: date
    last: date | None


class Standing(NamedTuple):
    """That somebody works so many hours a week from a day on, as told at an instant, by the calendar of a region.

    ``weekly`` None: this change says nothing of hours, those before stand.
    """

    since: date
    at: int
    region: str | None
    weekly: Decimal | None
    leave: Leave | None


class Closed(NamedTuple):
    """That nothing more is to come, and on which day of the default region that was."""

    at: int
    day: date


class Unusable(NamedTuple):
    """A value that cannot be compared, and why."""

    missing: Missing


Told = Worth | Named | Stated | Standing | Closed | Unusable


class Contribution(NamedTuple):
    """One value of one case. ``match``: by what it is matched; empty where the KPI matches by nothing.

    ``day``: the day whose cell it belongs to, ``NO_DAY`` of none. ``dimensions``: those that the KPI is split by.
    """

    part: Part
    match: tuple[str, ...]
    day: date
    dimensions: Mapping[Dimension, str | None]
    told: Told

    def to_plain(self) -> list[Any]:
        """Return it as lists, texts, whole numbers and None."""
        dimensions = [[name.value, value] for name, value in sorted(self.dimensions.items())]
        return [self.part.value, list(self.match), self.day.toordinal(), dimensions, plain_told(self.told)]

    @staticmethod
    def from_plain(plain: list[Any]) -> Contribution:
        """Return what ``to_plain`` wrote."""
        part, match, day, dimensions, told = plain
        known = {Dimension(name): value for name, value in dimensions}
        return Contribution(Part(part), tuple(match), date.fromordinal(day), known, told_from_plain(told))


def plain_told(told: Told) -> list[Any]:
    """Return what was told as lists, texts, whole numbers and None; its kind comes first."""
    match told:
        case Worth(money):
            return ["w", _plain_money(money)]
        case Named(name):
            return ["n", name]
        case Stated(at, until, event, carried, money):
            return ["s", at, until, event, int(carried), _plain_money(money)]
        case Standing(since, at, region, weekly, leave):
            hours = None if weekly is None else plain_number(weekly)
            return ["c", since.toordinal(), at, region, hours, None if leave is None else _plain_leave(leave)]
        case Closed(at, day):
            return ["x", at, day.toordinal()]
        case Unusable(missing):
            return ["u", missing.value]


def told_from_plain(plain: list[Any]) -> Told:
    """Return what ``plain_told`` wrote."""
    kind, *rest = plain
    match kind:
        case "w":
            return Worth(_money(rest[0]))
        case "n":
            return Named(rest[0])
        case "s":
            return Stated(rest[0], rest[1], rest[2], bool(rest[3]), _money(rest[4]))
        case "c":
            since, at, region, weekly, leave = rest
            hours = None if weekly is None else Decimal(weekly)
            return Standing(date.fromordinal(since), at, region, hours, None if leave is None else _leave(*leave))
        case "x":
            return Closed(rest[0], date.fromordinal(rest[1]))
        case _:
            return Unusable(Missing(rest[0]))


def plain_number(number: Decimal) -> str:
    """Return a number as text; equal ones give the same."""
    return format(EXACTLY.normalize(EXACTLY.add(number, Decimal(0))), "f")


def _plain_money(money: Money | None) -> list[str] | None:
    return None if money is None else [plain_number(money.amount), money.currency]


def _money(plain: list[str] | None) -> Money | None:
    return None if plain is None else Money(Decimal(plain[0]), plain[1])


def _plain_leave(leave: Leave) -> list[int | None]:
    return [leave.first.toordinal(), None if leave.last is None else leave.last.toordinal()]


def _leave(first: int, last: int | None) -> Leave:
    return Leave(date.fromordinal(first), None if last is None else date.fromordinal(last))
