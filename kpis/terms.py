"""The terms of a version: what of its declaration its cells are read by, and how its figures are told; pure.

They are kept with the version, so that what it answers is told by it, also once another declaration has taken the place
of its own.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from kpis.declaration import Bound, Declaration, Dimension, Formula, Good, Headline, Kind, KpiClock, Unfinished, Unit
from kpis.store import PublishedRow, VersionRow


class ToldAs(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a value is told. ``headline``: of a lag, which quantile it is.

    ``currency``: of money, in which it is told; None: it is no money, or an earlier release told it, which did not keep
    that.
    """

    clock: KpiClock
    unit: Unit
    headline: Headline | None
    currency: str | None = None


class Terms(msgspec.Struct, frozen=True):
    """How the figures of a version are told, and what its cells are read by.

    The formula is without its conditions: by them cells are made, and never read. ``arithmetic``: by which one of ours.
    No currency is among them: each figure is told in that in which the firm reports when it is read.
    """

    clock: KpiClock
    unit: Unit
    headline: Headline | None
    good: Good
    target: Bound | None
    warning: Bound | None
    formula: Formula
    dimensions: tuple[Dimension, ...]
    unfinished: Unfinished
    arithmetic: int


_decode_terms = msgspec.json.Decoder(Terms).decode
_decode_told_as = msgspec.json.Decoder(ToldAs).decode


def told_as(declaration: Declaration, currency: str | None) -> ToldAs:
    """Return how the figures of a declaration are told, those of money in a currency; None: nobody knows in which."""
    money = currency if declaration.unit is Unit.MONEY else None
    return ToldAs(declaration.clock, declaration.unit, _headline(declaration), money)


def told_as_text(declaration: Declaration, currency: str | None) -> str:
    """Return how the figures of a declaration are told, as it is kept with what is published."""
    return msgspec.json.encode(told_as(declaration, currency)).decode()


def told_as_of(published: PublishedRow) -> ToldAs | None:
    """Return how a published figure is told; None: nobody knows."""
    return None if published.told_as is None else _decode_told_as(published.told_as)


def terms_text(declaration: Declaration, arithmetic: int) -> str:
    """Return the terms of a declaration as they are kept: the same text for the same terms."""
    terms = Terms(
        clock=declaration.clock,
        unit=declaration.unit,
        headline=_headline(declaration),
        good=declaration.good,
        target=declaration.target,
        warning=declaration.warning,
        formula=declaration.formula,
        dimensions=declaration.dimensions,
        unfinished=declaration.unfinished,
        arithmetic=arithmetic,
    )
    return msgspec.json.encode(terms, enc_hook=_nothing).decode()


def terms_of(version: VersionRow) -> Terms | None:
    """Return the terms of a version; None: an earlier release noted it."""
    return None if version.told_as is None else _decode_terms(version.told_as)


def told_by(version: VersionRow, declaration: Declaration) -> Declaration:
    """Return a KPI as a version of it tells its figures; names, owner and least sample are those of the declaration.

    A version whose terms are not known is told by those of the declaration.
    """
    declaration = replace(declaration, version=version.version)
    terms = terms_of(version)
    if terms is None:
        return declaration
    return replace(
        declaration,
        clock=terms.clock,
        unit=terms.unit,
        headline=terms.headline or declaration.headline,
        good=terms.good,
        target=terms.target,
        warning=terms.warning,
        formula=terms.formula,
        dimensions=terms.dimensions,
        unfinished=terms.unfinished,
    )


def _headline(declaration: Declaration) -> Headline | None:
    return declaration.headline if declaration.formula.kind is Kind.LAG else None


def _nothing(_: object) -> None:
    """Return what is kept of a condition: nothing else in terms is no plain value."""
