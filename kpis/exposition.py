"""KPIs as Prometheus sees them: the samples of current readings, by the families of kpis/families.py; pure.

A family of its own holds the figure of each KPI; families that all KPIs share hold what stands beside it, so that one
rule speaks of every KPI, those of the firm included. *No answer* is no sample, never 0. Nor has a quantile that is not
reached one: what it is at least is a family of its own. Labels are closed: a dimension is a label only where a value of
it is declared, and ids are none. A sample without a dimension's label is the total over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from prometheus_client import Metric as Samples

from kpis.clock import Counting
from kpis.declaration import Bound, Declaration, Dimension, Headline, KpiClock, Unit
from kpis.families import (
    DENOMINATOR,
    ERROR_BUDGET,
    HAS_ANSWER,
    HEADLINE,
    HEADLINE_AT_LEAST,
    INFO,
    INTERVAL_HIGH,
    INTERVAL_LOW,
    KNOWN_TO,
    LABELS,
    NUMERATOR,
    OPEN,
    READ_AT,
    READ_BEHIND,
    SAMPLE_SIZE,
    SHARED,
    SPLIT,
    TARGET,
    UNKNOWN_WAITS,
    WARNING,
    WINDOW,
    WITHOUT_AMOUNT,
    Family,
    families_of,
    figure_family,
    has_quantiles,
)
from kpis.figures import figure_of, region_of
from kpis.latency import Parts
from kpis.latest import Current
from kpis.money import rounded
from kpis.reading import (
    SHARES,
    Answer,
    Balance,
    Beside,
    Lag,
    Pace,
    Ratio,
    Reading,
    Share,
    Stock,
    Total,
    Variance,
    beside_of,
)
from kpis.survival import Reached
from throughline.core.estate import Estate
from throughline.core.instants import MICROSECONDS

UNKNOWN = "unknown"
"""The label's value where records do not say theirs."""
_DAY_SECONDS = 86_400
_QUANTILES = {headline: str(share) for headline, share in SHARES.items()}


class _Sample(NamedTuple):
    family: Family
    labels: Mapping[str, str]
    value: float


def expose_readings(
    kpis: Iterable[Declaration], currents: Iterable[Current], estate: Estate, read_at: int, behind: int
) -> list[Samples]:
    """Return the samples of the readings of now by family, for an exposition by prometheus_client.

    A KPI that has no reading has no answer. Readings by a dimension that is no label, or of a value that nothing
    declares, are left out. ``read_at``: when they were made (microseconds); ``behind``: how many saves of cases had not
    been counted. Every family is there from the start.
    """
    found = {family.name: _samples(family) for family in SHARED}
    found[READ_AT.name].add_sample(READ_AT.name, {}, read_at / MICROSECONDS)
    found[READ_BEHIND.name].add_sample(READ_BEHIND.name, {}, behind)
    declared, read = list(kpis), list(currents)
    for family in (family for kpi in declared for family in families_of(kpi)):
        found.setdefault(family.name, _samples(family))
    named = {current.kpi.name for current in read}
    read += [Current(kpi, {}, _UNREAD, None) for kpi in declared if kpi.name not in named]
    for current in read:
        labels = _labels(current.values, estate)
        for family, told, value in () if labels is None else _samples_of(current, labels, estate):
            found.setdefault(family.name, _samples(family)).add_sample(family.name, dict(told), value)
    return list(found.values())


_UNREAD = Reading(None, "no reading", beside_of({}))


def _samples(family: Family) -> Samples:
    return Samples(family.name, family.meaning, family.shape)


def _labels(values: Mapping[Dimension, str | None], estate: Estate) -> dict[str, str] | None:
    """Return the labels of a reading; None where it has to be left out.

    Processes, flows and owners come from declarations, classes of ages are a closed list. Regions and legal entities
    are what records say: they must be declared.
    """
    declared = {Dimension.REGION: estate.regions, Dimension.LEGAL_ENTITY: estate.legal_entities}
    for dimension, value in values.items():
        if dimension not in SPLIT or (value is not None and value not in declared.get(dimension, {value})):
            return None
    return {LABELS[dimension]: UNKNOWN if value is None else value for dimension, value in values.items()}


def _samples_of(current: Current, where: Mapping[str, str], estate: Estate) -> Iterator[_Sample]:
    kpi, reading = current.kpi, current.reading
    labels = {"kpi": kpi.name, **where}
    figure = figure_of(kpi, reading)
    yield _Sample(HAS_ANSWER, labels, float(figure.value is not None))
    if figure.value is not None:
        value = float(rounded(figure.value) if kpi.unit is Unit.MONEY else figure.value)
        yield _Sample(HEADLINE_AT_LEAST if figure.at_least else HEADLINE, labels, value)
        if not isinstance(reading.answer, Lag):
            yield _Sample(figure_family(kpi), _in_full(kpi, where, estate), value)
    yield from _further(kpi, reading, where)
    for family, bound in ((TARGET, kpi.target), (WARNING, kpi.warning)):
        if bound is not None:
            yield _Sample(family, {**labels, "good": kpi.good.value}, _level(bound, current.values, estate))
    yield from _beside(kpi, reading, labels)
    if not where:
        yield from _of_all(current, labels)


def _in_full(kpi: Declaration, where: Mapping[str, str], estate: Estate) -> Mapping[str, str]:
    """Return the labels of a figure in the family of its KPI."""
    if kpi.unit is Unit.MONEY:
        return {"currency": estate.firm.reporting_currency, **where}
    return {"quantile": _QUANTILES[Headline.MEDIAN], **where} if has_quantiles(kpi) else where


def _further(kpi: Declaration, reading: Reading, where: Mapping[str, str]) -> Iterator[_Sample]:
    """Yield what a lag or a share tells beside its figure."""
    answer, families = reading.answer, families_of(kpi)
    if isinstance(answer, Lag):
        yield from _quantiles(families[0], families[1], answer.quantiles, where)
        yield from _quantiles(families[2], families[3], answer.by_value, where)
        if answer.parts is not None:
            yield from _parts(families[4:], answer.parts, where)
    elif isinstance(answer, Share) and answer.by_value is not None:
        yield from (_Sample(by_value, where, answer.by_value) for by_value in families[1:])


def _quantiles(
    reached: Family, at_least: Family, quantiles: Mapping[Headline, Reached | None], where: Mapping[str, str]
) -> Iterator[_Sample]:
    for headline, quantile in quantiles.items():
        if quantile is not None:
            labels = {"quantile": _QUANTILES[headline], **where}
            yield _Sample(at_least if quantile.beyond else reached, labels, quantile.age)


def _parts(families: Sequence[Family], parts: Parts, where: Mapping[str, str]) -> Iterator[_Sample]:
    """Yield of what latencies consist; no sample of a part where too few could be split."""
    quantiles, mean, split, not_split = families
    for name, part in parts.parts.items():
        labels = {"latency_part": name.value, **where}
        for headline, seconds in ((Headline.MEDIAN, part.median), (Headline.P90, part.p90)):
            yield _Sample(quantiles, {"quantile": _QUANTILES[headline], **labels}, seconds)
        yield _Sample(mean, labels, part.mean)
    yield _Sample(split, where, float(parts.split))
    yield _Sample(not_split, where, float(sum(parts.unsplit.values())))


def _of_all(current: Current, labels: Mapping[str, str]) -> Iterator[_Sample]:
    """Yield what a KPI tells once, with its total."""
    kpi = current.kpi
    told = (kpi.name, kpi.version, kpi.title, kpi.group, kpi.unit.value, kpi.formula.kind.value, kpi.good.value)
    yield _Sample(INFO, dict(zip(INFO.labels, (*told, kpi.owner), strict=True)), 1.0)
    if current.days is not None:
        yield _Sample(WINDOW, labels, float(current.days * _DAY_SECONDS))


def _beside(kpi: Declaration, reading: Reading, labels: Mapping[str, str]) -> Iterator[_Sample]:
    """Yield what stands beside a figure, also where there is none."""
    answer, beside = reading.answer, reading.beside
    yield _Sample(SAMPLE_SIZE, labels, float(_size(answer, beside)))
    yield _Sample(OPEN, labels, float(beside.open))
    yield _Sample(UNKNOWN_WAITS, labels, float(sum(beside.unknown.values())))
    if reading.known_to is not None:
        yield _Sample(KNOWN_TO, labels, reading.known_to / MICROSECONDS)
    for family, number in zip((NUMERATOR, DENOMINATOR), _line(answer), strict=False):
        yield _Sample(family, labels, float(number))
    if isinstance(answer, Share):
        yield _Sample(INTERVAL_LOW, labels, answer.interval.low)
        yield _Sample(INTERVAL_HIGH, labels, answer.interval.high)
        if answer.budget is not None:
            yield _Sample(ERROR_BUDGET, labels, float(answer.budget))
    elif isinstance(answer, Stock | Total | Balance) and kpi.unit is Unit.MONEY:
        yield _Sample(WITHOUT_AMOUNT, labels, float(answer.amount.unknown))


def _size(answer: Answer | None, beside: Beside) -> int:
    """Return how many waits, attempts, records or matches a figure is of."""
    match answer:
        case Share():
            return answer.of
        case Stock() | Total() | Pace():
            return answer.records
        case Variance():
            return answer.matched
        case _:
            return beside.began


def _line(answer: Answer | None) -> tuple[Decimal | int, ...]:
    """Return what stands above and below the line; nothing where there is none."""
    match answer:
        case Share():  # of a curve they are what is decided, and no quotient of them is the share
            return (answer.hits, answer.of) if answer.counted else ()
        case Ratio():
            return answer.numerator, answer.denominator
        case Variance():
            return answer.difference, answer.actual
        case _:
            return ()


def _level(bound: Bound, values: Mapping[Dimension, str | None], estate: Estate) -> float:
    """Return a target or warning level in the unit of the figure; a business day is that of the region's calendar."""
    if bound.business is None:
        assert bound.number is not None
        return float(bound.number)
    return float(Counting(KpiClock.BUSINESS, estate.calendars).seconds_of(bound.business, region_of(values, estate)))
