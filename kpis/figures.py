"""Figures: the one number of a reading that lists and metrics speak of, and how it stands against its target; pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from kpis.clock import Counting
from kpis.declaration import Bound, Declaration, Dimension, Good, Measure
from kpis.reading import Answer, Balance, Lag, Newest, Pace, Ratio, Reading, Share, Stock, Total, Variance
from throughline.core.estate import Estate
from throughline.core.signal import Standing


class Figure(NamedTuple):
    """The number of a reading, in the unit of its KPI: seconds, a share, records, an amount, hours.

    ``value`` None: there is none, or it is not known. ``at_least``: it is greater, and nobody can say by how much.
    """

    value: Decimal | None
    at_least: bool = False


NONE = Figure(None)
_NOTHING = 1e-9  # what floating point leaves of a share of which nothing is to be told


def figure_of(declaration: Declaration, reading: Reading) -> Figure:
    """Return the number of a reading."""
    return NONE if reading.answer is None else _figure(declaration, reading.answer)


def _figure(declaration: Declaration, answer: Answer) -> Figure:
    match answer:
        case Lag():
            reached = answer.quantiles[declaration.headline]
            return NONE if reached is None else Figure(_number(reached.age), reached.beyond)
        case Share():
            return Figure(_number(answer.share), answer.pending > _NOTHING or answer.at_least)
        case Stock():
            return Figure(_measured(declaration.formula.measure, answer), answer.at_least)
        case Total():
            return Figure(_measured(declaration.formula.measure, answer))
        case Pace():
            return Figure(_number(answer.per_hour))
        case Newest():
            return Figure(Decimal(answer.age))
        case Ratio():
            return Figure(_number(answer.ratio))
        case Variance():
            return Figure(_number(answer.accuracy))
        case Balance():
            return Figure(answer.amount.amount)


NOT_KNOWN_OF_SO_MANY = "nobody can say when so many will have ended"
AMOUNTS_NOT_KNOWN = "amounts are not known"
HOURS_NOT_KNOWN = "hours are not known"
NOTHING_WAITS = "nothing waits"


def why_none(declaration: Declaration, reading: Reading) -> str | None:
    """Return why a reading has no number, which an answer may lack, too; None where it has one."""
    answer = reading.answer
    if answer is None or figure_of(declaration, reading).value is not None:
        return reading.why_not
    if isinstance(answer, Lag):
        return NOT_KNOWN_OF_SO_MANY
    match declaration.formula.measure:
        case Measure.AGE:
            return NOTHING_WAITS
        case Measure.HOURS:
            return HOURS_NOT_KNOWN
        case _:
            return AMOUNTS_NOT_KNOWN


def _measured(measure: Measure, answer: Stock | Total) -> Decimal | None:
    match measure:
        case Measure.AMOUNT | Measure.MARGIN:
            return answer.amount.amount
        case Measure.HOURS:
            return answer.hours
        case Measure.AGE:
            median = answer.median_age if isinstance(answer, Stock) else None
            return None if median is None else _number(median.seconds)
        case Measure.RECORDS:
            return Decimal(answer.records)


def _number(value: float) -> Decimal:
    """Return a float with as many digits as anybody reads."""
    return Decimal(f"{value:.9g}")


def bound_number(bound: Bound | None, counting: Counting, region: str | None = None) -> Decimal | None:
    """Return a target as a number in the unit of its KPI; business time as that of a region, None: the default one."""
    if bound is None:
        return None
    return bound.number if bound.business is None else Decimal(counting.seconds_of(bound.business, region))


def region_of(values: Mapping[Dimension, str | None], estate: Estate) -> str | None:
    """Return the region whose business day a figure of some values is held against; None: the default one."""
    entity = estate.legal_entities.get(values.get(Dimension.LEGAL_ENTITY) or "")
    return values.get(Dimension.REGION) or (entity.region if entity is not None else None)


def standing_of(
    declaration: Declaration, figure: Figure, counting: Counting, region: str | None = None
) -> Standing | None:
    """Return how a figure stands; None where there is none, no target, or where it cannot be told.

    Between target and warning level it is a warning, or bad where there is no such level.
    """
    target, warning = (bound_number(each, counting, region) for each in (declaration.target, declaration.warning))
    if figure.value is None or target is None:
        return None
    if figure.at_least:
        return _standing_at_least(declaration.good, figure.value, target, target if warning is None else warning)
    if _is_within(declaration.good, figure.value, target):
        return Standing.GOOD
    return (
        Standing.WARNING
        if warning is not None and _is_within(declaration.good, figure.value, warning)
        else Standing.BAD
    )


def _is_within(good: Good, value: Decimal, bound: Decimal) -> bool:
    return value <= bound if good is Good.LOW else value >= bound


def _standing_at_least(good: Good, value: Decimal, target: Decimal, warning: Decimal) -> Standing | None:
    """Of a figure that is at least a value: it may be far beyond."""
    if good is Good.LOW:
        return Standing.BAD if value >= warning else Standing.WARNING if value >= target else None
    return Standing.GOOD if value >= target else None
