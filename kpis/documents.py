"""The public documents of KPIs; docs/reference/kpi-api.md is their page. Amounts and hours are decimal texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from kpis.ask import Answered, Part
from kpis.clock import Counting
from kpis.declaration import Declaration, Dimension, Headline, Kind, KpiClock, Unit
from kpis.distribution import last_like
from kpis.figures import Figure, Standing, bound_number, figure_of, standing_of, why_none
from kpis.latency import LatencyPart, Parts
from kpis.money import Converted, Sums, rounded
from kpis.reading import Answer, Balance, Beside, Lag, Newest, Pace, Ratio, Reading, Share, Stock, Total, Variance
from kpis.store import PublishedRow
from kpis.survival import Reached
from kpis.terms import ToldAs, told_as, told_as_of
from throughline.core.business_time import BusinessTime
from throughline.core.instants import DAY, MICROSECONDS, format_instant

Whose = Callable[[Mapping[Dimension, str | None]], str | None]


class FigureDocument(msgspec.Struct, frozen=True):
    """The number that lists and targets speak of, in the unit of the KPI. ``value`` null: there is none.

    Seconds, records and shares (0 to 1) are numbers; amounts, in ``currency``, and hours are texts. That is the firm's
    reporting currency, of what was published the one of then; null: it is no amount, or nobody kept its currency.
    ``at_least``: it is greater than that, and nobody can say by how much. ``standing``: against target and warning.
    """

    value: int | float | str | None
    at_least: bool
    unit: Unit
    currency: str | None
    standing: Standing | None


class ToldAsDocument(msgspec.Struct, frozen=True):
    """How a value is told: by which clock, in which unit, of a lag as which quantile, and of money in which currency.

    ``day_seconds``: seconds of that clock in a day: by the business clock those of the default region's hours.
    ``currency``: null: it is no money, or an earlier release published it, which did not keep its currency.
    """

    clock: KpiClock
    unit: Unit
    headline: Headline | None
    currency: str | None
    day_seconds: int


class ReachedDocument(msgspec.Struct, frozen=True):
    """When a share of all was done, in seconds of the KPI's clock; ``beyond``: later than that."""

    seconds: float
    beyond: bool


class SumDocument(msgspec.Struct, frozen=True):
    """What one currency sums up to. ``rate``, ``rate_since``: by what it was converted, and since when that holds."""

    currency: str
    amount: str
    records: int
    rate: str | None
    rate_since: str | None


class MoneyDocument(msgspec.Struct, frozen=True):
    """A sum in the reporting currency, rounded; null: nothing of it is known. ``unknown`` records are not in it."""

    amount: str | None
    currency: str
    known: int
    unknown: int
    by_currency: list[SumDocument]


class PointDocument(msgspec.Struct, frozen=True):
    """A curve from an age in seconds on: the shares still open, done and ended otherwise, and how many were at risk.

    ``ended``: how many did, in any way, of at least ``at_least`` and below ``below`` seconds: since the point before
    and up to this one, to the last second that ``seconds`` stands for.
    """

    seconds: float
    at_risk: int
    open: float
    done: float
    otherwise: float
    error: float
    at_least: int
    below: int
    ended: int


class PartDocument(msgspec.Struct, frozen=True):
    """How long one part of latencies takes, in seconds. ``share``: of all time that they took; null: no time passed."""

    median: float
    p90: float
    mean: float
    share: float | None


class PartsDocument(msgspec.Struct, frozen=True):
    """Of what latencies consist that are over: ``split`` could be told apart, ``not_split`` could not, by reason.

    ``waiting``: until the first span of the trace begins; ``processing``: under spans that work; ``transport``: the
    rest. The three add up to each latency, and so do their means. Null: fewer were split than the minimum sample.
    ``error``: how far off a median or p90 may be, as a share of it.
    """

    split: int
    not_split: dict[str, int]
    waiting: PartDocument | None
    transport: PartDocument | None
    processing: PartDocument | None
    error: float


class LagDocument(msgspec.Struct, frozen=True, tag="lag", tag_field="kind"):
    """How long it takes. Of a quantile null: nobody can tell. ``by_value``: weighed by amounts.

    ``error``: how far off a duration may be, as a share of it. ``curve``: where asked for, thinned to some points.
    ``parts``: of what latencies of flows consist; null of other waits, and of what is told as it was known once.
    """

    median: ReachedDocument | None
    p90: ReachedDocument | None
    p99: ReachedDocument | None
    by_value: dict[str, ReachedDocument | None]
    without_value: int
    error: float
    curve: list[PointDocument] | None
    parts: PartsDocument | None


class ShareDocument(msgspec.Struct, frozen=True, tag="share", tag_field="kind"):
    """How many of all. ``low`` and ``high``: Wilson's interval at 95 %.

    ``counted``: the share is ``hits`` over ``of``; where unfinished work is censored it is read from the curve of all
    that began, these are what is decided, and ``pending`` is the share still to be told (0 of others).
    """

    share: float
    low: float
    high: float
    hits: int
    of: int
    pending: float
    by_value: float | None
    without_value: int
    budget: str | None
    counted: bool = True  # a reading that was made by an earlier release does not tell


class StockDocument(msgspec.Struct, frozen=True, tag="stock", tag_field="kind"):
    """What stands now: how many, worth what, of how many hours, and how old at the median.

    ``median_age_error``: how far off that may be, as a share of it.
    """

    records: int
    money: MoneyDocument
    hours: str | None
    hours_unknown: int
    median_age: float | None
    median_age_error: float = 0.0  # a reading that was made by an earlier release does not tell


class TotalDocument(msgspec.Struct, frozen=True, tag="total", tag_field="kind"):
    """What was done in a window: how many, worth what, of how many hours."""

    records: int
    money: MoneyDocument
    hours: str | None
    hours_unknown: int


class PaceDocument(msgspec.Struct, frozen=True, tag="pace", tag_field="kind"):
    """How many were done in a window, and how many an hour of the ``hours`` of it that have passed and were watched."""

    records: int
    per_hour: float
    hours: float | None = None  # a reading that was made by an earlier release does not tell


class NewestDocument(msgspec.Struct, frozen=True, tag="newest", tag_field="kind"):
    """How many seconds ago it was done last."""

    age: int


class RatioDocument(msgspec.Struct, frozen=True, tag="ratio", tag_field="kind"):
    """One side over the other: records, hours, or money in the reporting currency."""

    ratio: float
    numerator: str
    denominator: str


class VarianceDocument(msgspec.Struct, frozen=True, tag="variance", tag_field="kind"):
    """How near forecasts come, 1 at best and below 0 where they are further off than all that came true is worth.

    ``difference``, ``forecast``, ``actual``: sums over all that was ``matched``, money in the reporting currency.
    """

    accuracy: float
    difference: str
    forecast: str
    actual: str
    matched: int


class BalanceDocument(msgspec.Struct, frozen=True, tag="balance", tag_field="kind"):
    """What was lost: ``given_up``, and what was ``left`` of all that nothing more is to come of."""

    money: MoneyDocument
    given_up: MoneyDocument
    left: MoneyDocument


AnswerDocument = (
    LagDocument
    | ShareDocument
    | StockDocument
    | TotalDocument
    | PaceDocument
    | NewestDocument
    | RatioDocument
    | VarianceDocument
    | BalanceDocument
)


class BesideDocument(msgspec.Struct, frozen=True):
    """What stands beside a figure: how many began, and how they stand; the unknown by reason."""

    began: int
    done: int
    open: int
    otherwise: dict[str, int]
    unknown: dict[str, int]


class ReadingDocument(msgspec.Struct, frozen=True):
    """The answer for some days and dimension values. ``answer`` null: there is none, for the reason ``why_not``.

    An answer without a number in ``figure`` tells in ``why_not`` why that is.

    ``known_to``: up to when all was seen that could have ended what is unfinished. ``as_of``: of a lag, the instant at
    which it was known so, where that is not now, so that windows compare. ``day_seconds``: how many seconds of the
    KPI's clock a day has in the region that the reading is of, by which its target is counted.
    """

    by: dict[str, str | None]
    first: str | None
    last: str | None
    figure: FigureDocument
    answer: AnswerDocument | None
    why_not: str | None
    beside: BesideDocument
    known_to: str | None
    as_of: str | None
    day_seconds: int = DAY // MICROSECONDS  # a reading that was made by an earlier release tells none


class KpiDocument(msgspec.Struct, frozen=True):
    """A KPI as it is declared. ``target``, ``warning``: as written, and as numbers in its unit.

    ``day_seconds``: how many seconds of its clock a day has: by the business clock those of the default region's hours.
    """

    id: str
    title: str
    group: str
    question: str
    kind: Kind
    unit: Unit
    clock: str
    day_seconds: int
    good: str
    headline: str | None
    dimensions: list[str]
    target: str | None
    target_value: float | None
    warning: str | None
    warning_value: float | None
    minimum_sample: int | None
    unfinished: str
    owner: str
    version: str
    source: str
    lacks: str | None


class ComparedDocument(msgspec.Struct, frozen=True):
    """The figure of some days, and of as many before them, both as they stood as long after their end.

    Of what stands: its figure of now, and that which was published of one day.
    """

    now: FigureDocument
    before: FigureDocument
    first: str
    last: str


class LatestDocument(msgspec.Struct, frozen=True):
    """A KPI with its reading of now: of the last days up to today, or of what stands.

    ``compared``: the same days, and as many before, both at equal maturity; of what stands how it stood before, null
    where that was not published.
    """

    kpi: KpiDocument
    at: str | None
    reading: ReadingDocument | None
    compared: ComparedDocument | None


class KpiList(msgspec.Struct, frozen=True):
    """Every KPI of the catalogue. ``left_out``: those that do not fit the firm's processes, and why.

    ``behind``: how many changes of cases are not in the figures yet; ``walking``: every case is looked at anew, and
    ``walked`` which part of them is by now, 0 to 1; null where they are not.
    ``unheard``: the sources that ``estate.yaml`` declares and that have never told up to when they have reported: no
    figure has in it what they would tell. ``waits``: why the part that keeps figures here waits; null: it works.
    """

    kpis: list[LatestDocument]
    left_out: dict[str, list[str]]
    behind: int | None
    walking: bool
    walked: float | None
    unheard: list[str]
    waits: str | None


class ReadingsDocument(msgspec.Struct, frozen=True):
    """Readings of a KPI. ``version``: that of the declaration which they are by; ``complete``: it has seen all cases.

    ``told_as``: how that one tells figures, whatever is declared by now.
    ``cases``: how many the KPI concerns; ``left_out``: how many of all count for nothing, by reason.
    """

    kpi: str
    version: str
    told_as: ToldAsDocument
    complete: bool
    at: str
    readings: list[ReadingDocument]
    cases: int
    left_out: dict[str, int]


def told_as_document(told: ToldAs, calendars: BusinessTime) -> ToldAsDocument:
    """Return how a value is told, with the day of its clock."""
    return _told_as(told, Counting(told.clock, calendars))


def _told_as(told: ToldAs, counting: Counting) -> ToldAsDocument:
    return ToldAsDocument(told.clock, told.unit, told.headline, told.currency, counting.day_seconds)


def kpi_document(declaration: Declaration, counting: Counting) -> KpiDocument:
    """Return a declaration as it is shown."""
    target, warning = (bound_number(each, counting) for each in (declaration.target, declaration.warning))
    return KpiDocument(
        id=declaration.name,
        title=declaration.title,
        group=declaration.group,
        question=declaration.question,
        kind=declaration.formula.kind,
        unit=declaration.unit,
        clock=declaration.clock,
        day_seconds=counting.day_seconds,
        good=declaration.good,
        headline=declaration.headline if declaration.formula.kind is Kind.LAG else None,
        dimensions=list(declaration.dimensions),
        target=None if declaration.target is None else declaration.target.text,
        target_value=None if target is None else float(target),
        warning=None if declaration.warning is None else declaration.warning.text,
        warning_value=None if warning is None else float(warning),
        minimum_sample=declaration.least_sample,
        unfinished=declaration.unfinished,
        owner=declaration.owner,
        version=declaration.version,
        source=declaration.source,
        lacks=declaration.formula.lacks,
    )


def readings_document(
    counting: Counting,
    answered: Answered,
    by: tuple[Dimension, ...],
    now: int,
    currency: str,
    *,
    curves: bool = False,
    whose: Whose = lambda _: None,
) -> ReadingsDocument:
    """Return the answer to a question; ``whose``: as of ``reading_documents``."""
    declaration = answered.declaration
    return ReadingsDocument(
        kpi=declaration.name,
        version=answered.version.version,
        told_as=_told_as(told_as(declaration, currency), counting),
        complete=answered.version.complete,
        at=format_instant(now),
        readings=[
            each
            for part in answered.parts
            for each in reading_documents(declaration, counting, part, by, currency, curves=curves, whose=whose)
        ],
        cases=answered.looked_at,
        left_out={reason.value: count for reason, count in answered.left_out.items()},
    )


def reading_documents(
    declaration: Declaration,
    counting: Counting,
    part: Part,
    by: tuple[Dimension, ...],
    currency: str,
    *,
    curves: bool = False,
    whose: Whose = lambda _: None,
) -> Iterable[ReadingDocument]:
    """Yield the readings of one window, by the values of some dimensions.

    ``whose``: the region that a reading of some values is of, None: the default one.
    """
    window = part.window
    for values, reading in part.readings.items():
        region = whose(dict(zip(by, values, strict=True)))
        yield ReadingDocument(
            by=dict(zip((each.value for each in by), values, strict=True)),
            first=None if window is None else window.first.isoformat(),
            last=None if window is None else window.last.isoformat(),
            figure=figure_document(declaration, counting, reading, currency, region),
            answer=None if reading.answer is None else _answer(reading.answer, curves),
            why_not=why_none(declaration, reading),
            beside=_beside(reading.beside),
            known_to=None if reading.known_to is None else format_instant(reading.known_to),
            as_of=None if part.as_of is None else format_instant(part.as_of),
            day_seconds=counting.day_seconds_of(region),
        )


def figure_document(
    declaration: Declaration, counting: Counting, reading: Reading, currency: str, region: str | None = None
) -> FigureDocument:
    """Return the number of a reading, held against the target by the business day of a region."""
    figure = figure_of(declaration, reading)
    standing = standing_of(declaration, figure, counting, region)
    money = declaration.unit is Unit.MONEY
    return FigureDocument(
        _plain(figure.value, declaration.unit), figure.at_least, declaration.unit, currency if money else None, standing
    )


def published_document(
    declaration: Declaration, counting: Counting, row: PublishedRow, currency: str
) -> FigureDocument:
    """Return a figure that was published by the same version, held against the target.

    Money is told in the currency of then, and held against nothing where that is not the reporting ``currency``.
    """
    figure, told = Figure(None if row.value is None else Decimal(row.value), row.at_least), told_as_of(row)
    money, unit = None if told is None else told.currency, declaration.unit
    is_comparable = unit is not Unit.MONEY or money == currency
    standing = standing_of(declaration, figure, counting) if is_comparable else None
    return FigureDocument(_plain(figure.value, unit), figure.at_least, unit, money, standing)


def _plain(value: Decimal | None, unit: Unit) -> int | float | str | None:
    if value is None:
        return None
    if unit is Unit.MONEY:
        return str(rounded(value))
    if unit is Unit.RECORDS:
        return int(value)
    return text_of(value) if unit is Unit.HOURS else float(value)


def text_of(value: Decimal | None) -> str | None:
    """Return a decimal number without an exponent, and without zeros that say nothing."""
    if value is None:
        return None
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _beside(beside: Beside) -> BesideDocument:
    return BesideDocument(beside.began, beside.done, beside.open, dict(beside.competing), dict(beside.unknown))


def _answer(answer: Answer, curves: bool) -> AnswerDocument:
    match answer:
        case Lag():
            return _lag(answer, curves)
        case Share():
            return ShareDocument(
                share=answer.share,
                low=answer.interval[0],
                high=answer.interval[1],
                hits=answer.hits,
                of=answer.of,
                pending=answer.pending,
                by_value=answer.by_value,
                without_value=answer.without_value,
                budget=text_of(answer.budget),
                counted=answer.counted,
            )
        case Stock():
            return _stock(answer)
        case Total():
            return TotalDocument(answer.records, _money(answer.amount), text_of(answer.hours), answer.hours_unknown)
        case Pace():
            return PaceDocument(answer.records, answer.per_hour, answer.hours)
        case Newest():
            return NewestDocument(answer.age)
        case Ratio():
            return RatioDocument(answer.ratio, f"{answer.numerator:f}", f"{answer.denominator:f}")
        case Variance():
            return _variance(answer)
        case Balance():
            return BalanceDocument(_money(answer.amount), _money(answer.given_up), _money(answer.left))


def _stock(stock: Stock) -> StockDocument:
    age, error = (None, 0.0) if stock.median_age is None else stock.median_age
    money = _money(stock.amount, stock.sums)
    return StockDocument(stock.records, money, text_of(stock.hours), stock.hours_unknown, age, error)


def _variance(variance: Variance) -> VarianceDocument:
    difference, forecast, actual = (f"{each:f}" for each in (variance.difference, variance.forecast, variance.actual))
    return VarianceDocument(variance.accuracy, difference, forecast, actual, variance.matched)


def _lag(lag: Lag, curves: bool) -> LagDocument:
    quantiles = _quantiles(lag.quantiles)
    return LagDocument(
        median=quantiles[Headline.MEDIAN],
        p90=quantiles[Headline.P90],
        p99=quantiles[Headline.P99],
        by_value=_quantiles(lag.by_value),
        without_value=lag.without_value,
        error=lag.error,
        curve=_curve(lag) if curves else None,
        parts=None if lag.parts is None else _parts(lag.parts),
    )


def _parts(parts: Parts) -> PartsDocument:
    told = {name: PartDocument(each.median, each.p90, each.mean, each.share) for name, each in parts.parts.items()}
    return PartsDocument(
        split=parts.split,
        not_split=dict(parts.unsplit),
        waiting=told.get(LatencyPart.WAITING),
        transport=told.get(LatencyPart.TRANSPORT),
        processing=told.get(LatencyPart.PROCESSING),
        error=max((each.error for each in parts.parts.values()), default=0.0),
    )


def _quantiles(quantiles: Mapping[Headline, Reached | None]) -> dict[str, ReachedDocument | None]:
    return {
        name.value: None if reached is None else ReachedDocument(reached.age, reached.beyond)
        for name, reached in quantiles.items()
    }


MOST_POINTS = 200


def _curve(lag: Lag) -> list[PointDocument]:
    """Return a curve, of a long one every so manieth point and the last; each with what ended since the one before."""
    points, found = lag.curve.points, list[PointDocument]()
    every = max(1, len(points) // MOST_POINTS)
    at_least = ended = 0
    for place, point in enumerate(points):
        ended += point.ended
        if place % every == 0 or place == len(points) - 1:
            below = (last_like(point.age) if lag.error else int(point.age)) + 1
            found.append(PointDocument(*point[:-1], at_least=at_least, below=below, ended=ended))
            at_least, ended = below, 0
    return found


def _money(converted: Converted, sums: Sums | None = None) -> MoneyDocument:
    return MoneyDocument(
        amount=None if converted.amount is None else str(rounded(converted.amount)),
        currency=converted.currency,
        known=converted.known,
        unknown=converted.unknown,
        by_currency=[
            SumDocument(
                currency=each.currency,
                amount=text_of(each.part.amount) or "0",
                records=each.part.records,
                rate=None if each.rate is None else text_of(each.rate.rate),
                rate_since=None if each.rate is None or each.rate.since is None else each.rate.since.isoformat(),
            )
            for each in converted.applied
        ],
    )
