"""What a KPI declares, read and checked: the values that observing and reading work with.

The YAML form is in ``kpis/declaration_file.py``, its checks in ``kpis/declaration_checks.py``; these types are what
they give. docs/why/kpis.md says what an observation, a cell and a reading are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from lineage.fact import DeviationKind
from lineage.process import Expression
from throughline.core.calendar import Duration
from throughline.core.dimension import Dimension
from throughline.core.signal import Unit


class Kind(StrEnum):
    """The arithmetic of a KPI; closed. A *wait* begins with one step of a case and ends with another.

    lag: how long waits take that began in the window: quantiles of the curve of endings (kpis/survival.py).
    share: how many of the waits that began in the window hit; by count, and by value.
    stock: the waits that are unfinished at an instant: how many, what they are worth, how old they are.
    sum: what the cases are worth that did a step, or ended so, in the window.
    count: how often a step was done in the window, by hour.
    attempts: how many of the attempts at steps failed, or were repeated.
    ratio: one measure over another, both of the same window; with ``match`` only what the denominator knows as well.
    variance: how near one side's values F come to the other's A: 1 less the sum of |F - A| over that of |A|, over all
    that both name alike. Where a side does not tell a ``week`` or a ``month`` by which it is matched, it is that of its
    fact ``worked_on``, else of its time.
    balance: what was given up (``of``), and what some steps added less what others took and what was given up, of all
    that one key holds together once nothing more is to come.
    deviations: the open deviations of an instant: how many cases, what they hold up.
    age: how long ago a step was done last.
    gauge: a figure that lineage keeps by itself.
    none: no source yet; it is listed, with what it lacks, and has no reading.
    """

    LAG = "lag"
    SHARE = "share"
    STOCK = "stock"
    SUM = "sum"
    COUNT = "count"
    ATTEMPTS = "attempts"
    RATIO = "ratio"
    VARIANCE = "variance"
    BALANCE = "balance"
    DEVIATIONS = "deviations"
    AGE = "age"
    GAUGE = "gauge"
    NONE = "none"


MATCHED = frozenset({Kind.RATIO, Kind.VARIANCE, Kind.BALANCE})
"""The kinds that compare values of different cases: these contribute one half of a comparison each."""

SAMPLED = MATCHED | {Kind.LAG, Kind.SHARE, Kind.ATTEMPTS, Kind.GAUGE}
"""The kinds that give no answer of too few; all others answer of any number."""


class KpiClock(StrEnum):
    """How time counts: in the opening hours of the record's region, or as it elapses."""

    BUSINESS = "business"
    ELAPSED = "elapsed"


class Good(StrEnum):
    LOW = "low"
    HIGH = "high"


class Measure(StrEnum):
    """What is counted of a case. ``margin``: its amount less its fact ``cost_amount``. ``age``: of a wait, its age."""

    RECORDS = "records"
    AMOUNT = "amount"
    HOURS = "hours"
    MARGIN = "margin"
    AGE = "age"


class Hit(StrEnum):
    """What makes a wait hit. ``untouched``: no event of the case says that a person acted (``actor_kind``)."""

    REACHED = "reached"
    IN_TIME = "in_time"
    UNTOUCHED = "untouched"
    ENDED_AS = "ended_as"
    DEVIATION = "deviation"


class Attempt(StrEnum):
    """Which attempts count as hits. ``repeated``: those after one that failed, of one system at one step of a round."""

    FAILED = "failed"
    REPEATED = "repeated"


class Rounds(StrEnum):
    """``each``: every round is a wait of its own. ``whole``: from the first beginning to the first end after it."""

    EACH = "each"
    WHOLE = "whole"


class Headline(StrEnum):
    """The quantile of a lag that target and warning speak of."""

    MEDIAN = "median"
    P90 = "p90"
    P99 = "p99"


class Gauge(StrEnum):
    """What lineage keeps by itself. ``correlation_coverage``: of the events declared, those that reached a case."""

    CORRELATION_COVERAGE = "correlation_coverage"


class Unfinished(StrEnum):
    """How waits count that are unfinished at the reading.

    censored: known to last longer than they have. late: as missed once they are due, and left out before. counted: they
    are in the figure; of a share, as not hit. left_out: the figure is about what happened, and they have not.
    """

    CENSORED = "censored"
    LATE = "late"
    COUNTED = "counted"
    LEFT_OUT = "left_out"


UNFINISHED = {
    Kind.LAG: Unfinished.CENSORED,
    Kind.SHARE: Unfinished.CENSORED,
    Kind.STOCK: Unfinished.COUNTED,
    Kind.DEVIATIONS: Unfinished.COUNTED,
}
"""How the unfinished count unless a declaration says otherwise; of kinds that are not here they are left out."""


class InTime(NamedTuple):
    """What *in time* means: exactly one. ``due``: by the due time of the end step, as the process has it."""

    due: bool = False
    within: Duration | int | None = None  # business time, or elapsed seconds
    cutoff: str | None = None  # the first such cut-off at or after the beginning


@dataclass(frozen=True, slots=True)
class Span:
    """Where a KPI looks in a case: a wait from one step to another, or one step (``at``), or an ending.

    ``from_field``: the wait begins with the day in this fact.
    """

    process: str
    from_step: str | None = None
    from_field: str | None = None
    to_step: str | None = None
    at: str | None = None
    ended_as: tuple[str, ...] = ()
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """Values of one side of a ratio, a variance or a balance: what cases tell at a step.

    ``field``: a fact that holds the value, instead of a measure. ``touches``: how many of their events say that a
    person acted. ``distinct``: how many different keys of a type they hold. ``capacity``: hours that people could
    have worked, from the weekly hours and the leave that ``resource.changed`` told last. ``not_applicable``: cases
    count as well to which their process does not apply, such as time that is not billed.
    """

    process: str
    at: str | None = None
    measure: Measure = Measure.RECORDS
    field: str | None = None
    touches: bool = False
    distinct: str | None = None
    capacity: bool = False
    not_applicable: bool = False
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Formula:
    """The arithmetic of one KPI. ``per_flow``: its waits are the hops of flows; see kpis/hops.py.

    ``older_than``: of a stock, waits of that age only. ``horizon``: of a variance, F as it stood so many seconds before
    A was told. ``closed_by``: of a balance, the event types after which nothing more is to come.
    """

    kind: Kind
    of: tuple[Span, ...] = ()
    per_flow: bool = False
    rounds: Rounds = Rounds.EACH
    measure: Measure = Measure.RECORDS
    hit: Hit = Hit.REACHED
    in_time: InTime | None = None
    ended_as: tuple[str, ...] = ()
    deviations: tuple[DeviationKind, ...] = ()
    steps: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    attempts: Attempt = Attempt.FAILED
    categories: tuple[str, ...] = ()
    numerator: tuple[Side, ...] = ()
    denominator: tuple[Side, ...] = ()
    match: tuple[str, ...] = ()
    older_than: Duration | int | None = None
    horizon: int | None = None
    closed_by: tuple[str, ...] = ()
    gauge: Gauge | None = None
    lacks: str | None = None


class Bound(NamedTuple):
    """A target or a warning level as written, and as a number in the unit of the KPI (seconds, a share, an amount).

    ``business``: a length of business time instead, which is as many seconds as the region's days have.
    """

    text: str
    number: Decimal | None
    business: Duration | None = None


@dataclass(frozen=True)
class Declaration:
    """One version of one KPI. ``minimum_sample``: with fewer there is no answer, of the kinds that are ``SAMPLED``.

    ``numerator_by`` and ``denominator_by``: the systems that report the steps of a side, each step's together.
    """

    name: str
    version: str
    title: str
    group: str
    question: str
    unit: Unit
    clock: KpiClock
    formula: Formula
    good: Good
    owner: str
    source: str
    dimensions: tuple[Dimension, ...] = ()
    headline: Headline = Headline.MEDIAN
    target: Bound | None = None
    warning: Bound | None = None
    minimum_sample: int = 1
    unfinished: Unfinished = Unfinished.LEFT_OUT
    population: Expression | None = field(default=None)
    numerator_by: frozenset[tuple[str, ...]] = frozenset()
    denominator_by: frozenset[tuple[str, ...]] = frozenset()

    @property
    def least_sample(self) -> int | None:
        """Return with fewer than how many there is no answer; None of a kind that answers of any number."""
        return self.minimum_sample if self.formula.kind in SAMPLED else None

    @property
    def splits(self) -> bool:
        """Tell whether its waits are latencies of flows as time elapses, which spans may split (kpis/latency.py)."""
        return self.formula.kind is Kind.LAG and self.formula.per_flow and self.clock is KpiClock.ELAPSED
