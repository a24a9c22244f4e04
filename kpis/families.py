"""The metric families of KPIs: what they are called, what they mean and which labels they may have; pure."""

from __future__ import annotations

from typing import NamedTuple

from kpis.declaration import Declaration, Dimension, Kind, KpiClock, Measure, Unit
from throughline.core.metrics import Kind as Shape

SPLIT = (
    Dimension.PROCESS,
    Dimension.FLOW,
    Dimension.REGION,
    Dimension.LEGAL_ENTITY,
    Dimension.OWNER,
    Dimension.AGEING,
    Dimension.CUTOFF,
)
"""The dimensions by which metrics are split, one at a time: the others would be too many series."""
_SUFFIXES = {
    Unit.SECONDS: "seconds",
    Unit.PERCENT: "ratio",
    Unit.RECORDS: "records",
    Unit.MONEY: "amount",
    Unit.HOURS: "hours",
    Unit.PER_HOUR: "per_hour",
    Unit.PER_RECORD: "ratio",
}
LABELS = {dimension: dimension.value for dimension in SPLIT} | {Dimension.OWNER: "work_owner"}
"""The label of each dimension: ``owner`` is whose KPI it is, and not who has to see to the work."""
_WHERE = tuple(LABELS.values())


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
    if has_quantiles(kpi):
        return Family(name, meaning, ("quantile", *_WHERE), "summary")
    return Family(name, meaning, _WHERE)


def has_quantiles(kpi: Declaration) -> bool:
    """Tell whether the figure of a KPI is one of several quantiles, each a sample."""
    return kpi.formula.kind is Kind.LAG or (kpi.formula.kind is Kind.STOCK and kpi.formula.measure is Measure.AGE)


def _at_least(family: Family, title: str) -> Family:
    return family._replace(
        name=f"{family.name}_at_least", meaning=f"{title}: of a quantile that is not reached, the least that it can be."
    )
