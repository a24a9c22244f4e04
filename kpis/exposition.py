"""KPIs as Prometheus sees them: which metric families there are, and the samples of current readings; pure.

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
from kpis.declaration import Bound, Declaration, Dimension, Headline, Kind, KpiClock, Measure, Unit
from kpis.figures import figure_of, region_of
from kpis.latency import Parts
from kpis.latest import SPLIT, Current
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
from throughline.core.metrics import Kind as Shape

UNKNOWN = "unknown"
"""The label's value where records do not say theirs."""
_DAY_SECONDS = 86_400
_SUFFIXES = {
    Unit.SECONDS: "seconds",
    Unit.PERCENT: "ratio",
    Unit.RECORDS: "records",
    Unit.MONEY: "amount",
    Unit.HOURS: "hours",
    Unit.PER_HOUR: "per_hour",
    Unit.PER_RECORD: "ratio",
}
_QUANTILES = {headline: str(share) for headline, share in SHARES.items()}
_LABELS = {dimension: dimension.value for dimension in SPLIT} | {Dimension.OWNER: "work_owner"}
"""The label of each dimension: ``owner`` is whose KPI it is, and not who has to see to the work."""
_WHERE = tuple(_LABELS.values())


class Family(NamedTuple):
    """A metric family: what it is called, what it means, and which labels its samples may have."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    shape: str = Shape.GAUGE.value


def _shared(name: str, meaning: str, *labels: str) -> Family:
    return Family(f"throughline_kpi_{name}", meaning, ("kpi", *labels, *_WHERE))


INFO = Family(
    "throughline_kpi_info",
    "1; what a KPI declares of itself.",
    ("kpi", "version", "title", "group", "unit", "kind", "good", "owner"),
)
HAS_ANSWER = _shared("has_answer", "1 where a KPI has a figure, 0 where it has none: never taken for 0.")
HEADLINE = _shared(
    "headline", "The figure that target and warning level speak of, in the unit of the KPI's own family."
)
HEADLINE_AT_LEAST = _shared(
    "headline_at_least",
    "Where that figure is a quantile that is not reached, or a share of which some is to be told: the least it can be.",
)
TARGET = _shared(
    "target", "The target, as throughline_kpi_headline is given; of business time, by the region's day.", "good"
)
WARNING = _shared("warning", "The warning level, as the target is given.", "good")
SAMPLE_SIZE = _shared("sample_size", "How many waits, attempts or records the figure is of.")
OPEN = _shared("open", "How many of them have not ended.")
UNKNOWN_WAITS = _shared("unknown", "How many cannot be measured, and so stand beside the figure.")
WITHOUT_AMOUNT = _shared("without_amount", "How many records a sum of money lacks: without a known amount, or a rate.")
NUMERATOR = _shared(
    "numerator", "What stands above the line of a share or ratio: hits, one side; of an accuracy, all differences."
)
DENOMINATOR = _shared("denominator", "What stands below it: all that counted, the other side; all actual values.")
INTERVAL_LOW = _shared("interval_low", "The lower end of the 95 % interval (Wilson) of a share.")
INTERVAL_HIGH = _shared("interval_high", "Its upper end.")
ERROR_BUDGET = _shared("error_budget", "How many more may miss before the target of a share is missed; below 0 it is.")
KNOWN_TO = _shared(
    "known_to_timestamp_seconds",
    "Up to when the sources have told all that a figure depends on, by Throughline's clock.",
)
WINDOW = Family("throughline_kpi_window_seconds", "The length of a KPI's window, where it has one.", ("kpi",))
READ_AT = Family("throughline_kpi_read_timestamp_seconds", "When the readings were made, by Throughline's clock.")
READ_BEHIND = Family(
    "throughline_kpi_read_behind_changes", "Saves of cases that the KPIs had not been brought up to at that time."
)

SHARED = (
    INFO,
    HAS_ANSWER,
    HEADLINE,
    HEADLINE_AT_LEAST,
    TARGET,
    WARNING,
    SAMPLE_SIZE,
    OPEN,
    UNKNOWN_WAITS,
    WITHOUT_AMOUNT,
    NUMERATOR,
    DENOMINATOR,
    INTERVAL_LOW,
    INTERVAL_HIGH,
    ERROR_BUDGET,
    KNOWN_TO,
    WINDOW,
    READ_AT,
    READ_BEHIND,
)


def figure_family(kpi: Declaration) -> Family:
    """Return the family of a KPI's figure; its meaning is the question."""
    return _own(kpi, "", f"{kpi.question} {_IN[kpi.unit]}{_BY_CLOCK if _is_business(kpi) else ''}.")


def families_of(kpi: Declaration) -> tuple[Family, ...]:
    """Return the families that a KPI has to itself; none where it has no source yet."""
    own = figure_family(kpi)
    match kpi.formula.kind:
        case Kind.NONE:
            return ()
        case Kind.LAG:
            by_value = _own(kpi, "_by_value", f"{kpi.title}, each weighed by its amount.")
            split = _of_parts(kpi) if kpi.splits else ()
            return own, _at_least(own, kpi.title), by_value, _at_least(by_value, f"{kpi.title}, by value"), *split
        case Kind.SHARE | Kind.ATTEMPTS:
            return own, _own(kpi, "_by_value", f"{kpi.title}, each weighed by its amount.")
        case _:
            return (own,)


def _of_parts(kpi: Declaration) -> tuple[Family, ...]:
    """Return the families of what latencies consist of: quantiles and mean of each part, and how many could be split.

    ``latency_part``, as ``part`` is whose process counted something.
    """
    title, where = kpi.title, ("latency_part", *_WHERE)
    quantiles = _own(kpi, "_part", f"{title}: how long waiting, transport and processing take, where spans tell.")
    mean = _own(kpi, "_part_mean", f"{title}: the means of the same, which add up to that of what could be split.")
    records = f"throughline_kpi_{kpi.name.replace('-', '_')}_{{}}_records"
    return (
        quantiles._replace(labels=("quantile", *where)),
        mean._replace(labels=where, shape=Shape.GAUGE.value),
        Family(records.format("split"), f"{title}: how many that are over could be split by spans.", _WHERE),
        Family(records.format("not_split"), f"{title}: how many could not.", _WHERE),
    )


_IN = {
    Unit.SECONDS: "In seconds",
    Unit.PERCENT: "From 0 to 1",
    Unit.RECORDS: "In records",
    Unit.MONEY: "In the reporting currency",
    Unit.HOURS: "In hours of work",
    Unit.PER_HOUR: "An hour",
    Unit.PER_RECORD: "As a number",
}
_BY_CLOCK = " of business time"


def _is_business(kpi: Declaration) -> bool:
    return kpi.unit is Unit.SECONDS and kpi.clock is KpiClock.BUSINESS


def _own(kpi: Declaration, of: str, meaning: str) -> Family:
    name, suffix = f"throughline_kpi_{kpi.name.replace('-', '_')}{of}", _SUFFIXES[kpi.unit]
    name = name if name.endswith(f"_{suffix}") else f"{name}_{suffix}"
    if kpi.unit is Unit.MONEY:
        return Family(name, meaning, ("currency", *_WHERE))
    if _has_quantiles(kpi):
        return Family(name, meaning, ("quantile", *_WHERE), "summary")
    return Family(name, meaning, _WHERE)


def _has_quantiles(kpi: Declaration) -> bool:
    return kpi.formula.kind is Kind.LAG or (kpi.formula.kind is Kind.STOCK and kpi.formula.measure is Measure.AGE)


def _at_least(family: Family, title: str) -> Family:
    return family._replace(
        name=f"{family.name}_at_least", meaning=f"{title}: of a quantile that is not reached, the least that it can be."
    )


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
    return {_LABELS[dimension]: UNKNOWN if value is None else value for dimension, value in values.items()}


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
    return {"quantile": _QUANTILES[Headline.MEDIAN], **where} if _has_quantiles(kpi) else where


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
