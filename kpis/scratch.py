"""Readings from scratch: of every case of a store, one by one, as it stands in one snapshot.

It is what roll-ups are held against, and what small questions may ask. A page never does: it looks at all cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from kpis.case import Case
from kpis.cell import Summing, cells_of
from kpis.contribution import Contribution
from kpis.declaration import MATCHED, Declaration, Dimension, Kind
from kpis.gauge import read_gauge
from kpis.latency import Traced
from kpis.look import case_in, ids_after
from kpis.matched import matched_cells
from kpis.observation import LeftOut, Observation
from kpis.observe import Observer
from kpis.reading import Asked, Moment, Reader, Reading, readings
from kpis.reading_matched import Days, matched_readings
from lineage.fact import Fact
from lineage.read import Snapshot
from throughline.core.estate import Estate
from throughline.core.rates import Rates

BATCH = 1_000  # cases read together


class Scope(NamedTuple):
    """Which observations a reading is of: those of days between two, both included (None: any), and how split."""

    first: date | None = None
    last: date | None = None
    by: tuple[Dimension, ...] = ()

    def holds(self, observation: Observation) -> bool:
        """Tell whether an observation's day lies in it."""
        day = observation.day
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


EVERYTHING = Scope()


class Answers(NamedTuple):
    """The readings of a scope, by the values of its dimensions, and how many cases were left out, by reason."""

    readings: dict[tuple[str | None, ...], Reading]
    left_out: dict[LeftOut, int]


SpansOf = Callable[[Snapshot, Iterable[Fact]], Mapping[str, Traced]]
"""Gives the spans of the traces of some events, by the ids of these."""


def every_case(
    snapshot: Snapshot, told_by: Callable[[Case], Iterable[Fact]] | None = None, spans_of: SpansOf | None = None
) -> Iterator[Case]:
    """Yield every case of a snapshot that is not empty, as KPIs see it, by id.

    ``told_by``: the events of a case whose traces are looked for by ``spans_of``.
    """
    after = -1
    while ids := ids_after(snapshot, after, BATCH):
        after = ids[-1]
        for view in snapshot.views(ids).values():
            traced: dict[str, Traced] = {}
            case = case_in(snapshot, view, traced)
            if told_by is not None and spans_of is not None:
                traced |= spans_of(snapshot, told_by(case))
            yield case


def moment_of(snapshot: Snapshot, estate: Estate, kpis: Iterable[Declaration] = ()) -> Moment:
    """Return the moment of a snapshot, with the readings of those among some KPIs that lineage keeps by itself."""
    today = estate.calendars.day_of(snapshot.now, None)
    rates = Rates(estate.firm.reporting_currency, estate.rates)
    gauges = {each.name: read_gauge(snapshot, each) for each in kpis if each.formula.kind is Kind.GAUGE}
    return Moment(snapshot.now, today, snapshot.context.sight, rates, gauges, estate.calendars)


def read_from_scratch(
    snapshot: Snapshot,
    declaration: Declaration,
    estate: Estate,
    scope: Scope = EVERYTHING,
    *,
    maturity: int | None = None,
    spans_of: SpansOf | None = None,
) -> Answers:
    """Return the readings of a KPI over a snapshot; raises ValueError for a kind of which cases alone cannot tell.

    A stock is of all days, as what is unfinished may have begun on any. ``spans_of`` None: no latency is split.
    """
    if declaration.formula.kind is Kind.GAUGE:
        return Answers({(): read_gauge(snapshot, declaration)}, {})
    if declaration.formula.kind in MATCHED:
        return _matched_from_scratch(snapshot, declaration, estate, scope)
    observer = Observer(declaration, estate)
    summing = Summing(declaration, observer.counting, estate.calendars)
    reader = Reader(declaration, observer.counting, summing, moment_of(snapshot, estate))
    found: list[Observation] = []
    left_out: Counter[LeftOut] = Counter()
    looked_at = 0
    days: set[date] = set()
    for case in every_case(snapshot, observer.told_by, spans_of):
        observed = observer.observe(case)
        days.update(each.day for each in observed.observations)
        found += (each for each in observed.observations if scope.holds(each))
        looked_at += observed.looked_at
        if observed.left_out is not None:
            left_out[observed.left_out] += 1
    first, last, hours = scope.first, scope.last, None
    if first is not None and last is not None:
        hours = reader.hours(first, last, min(days, default=None))
    asked = Asked(looked_at, maturity, hours)
    return Answers(readings(reader, cells_of(summing, found), scope.by, asked), dict(left_out))


def _matched_from_scratch(snapshot: Snapshot, declaration: Declaration, estate: Estate, scope: Scope) -> Answers:
    """Return the readings of a KPI that compares across cases: of the scope's days, and of what belongs to none."""
    observer, window = Observer(declaration, estate), Days(scope.first, scope.last)
    found: list[Contribution] = []
    left_out: Counter[LeftOut] = Counter()
    looked_at = 0
    for case in every_case(snapshot):
        observed = observer.observe(case)
        found += (each for each in observed.contributions if window.holds(each.day))
        looked_at += observed.looked_at
        if observed.left_out is not None:
            left_out[observed.left_out] += 1
    moment, cells = moment_of(snapshot, estate), matched_cells(found)
    made = matched_readings(declaration, estate.calendars, moment, cells, window, scope.by, looked_at)
    return Answers(made, dict(left_out))
