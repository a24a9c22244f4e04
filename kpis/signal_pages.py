"""Pages of signals: what is read and what is at risk, KPI by KPI, at one moment.

Readings come from roll-ups alone. Open work is looked at of one KPI a page, and of so many of its cases at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

import msgspec

from kpis.ask import Asker, NoCells, NotTold, Question
from kpis.behind import Finder
from kpis.catalogue import Catalogue
from kpis.clock import Counting
from kpis.declaration import Declaration, Dimension, Kind
from kpis.documents import LatestDocument, kpi_document, reading_documents
from kpis.figures import region_of
from kpis.latest import window_of_now
from kpis.risk import Assessor, NoDeadline, Risk
from kpis.scratch import moment_of
from kpis.signals import signal_of_reading, signal_of_risk
from kpis.store import KpiReader
from lineage.read import Snapshot
from throughline.core.case_reference import CaseReference
from throughline.core.estate import Estate
from throughline.core.instants import parse_instant
from throughline.core.key import Key
from throughline.core.signal import Signal, SignalKind

MOST_OPEN = 20_000
"""Cases that are looked through for open work of one KPI, the latest: half of what a page of chances looks at."""

KINDS = tuple(SignalKind)


class Stage(NamedTuple):
    """Where a list of signals is: at a kind, in the order of ``KINDS``, a KPI, and after so many of its signals."""

    kind: int
    kpi: str
    after: int


class Wanted(NamedTuple):
    """Which signals are wanted: of some kinds, of some KPIs (None: of all), readings apart by some dimensions."""

    kinds: frozenset[SignalKind]
    names: frozenset[str] | None
    by: tuple[Dimension, ...]


class Page(NamedTuple):
    """Some signals; ``next``: where the list goes on, None: nowhere.

    ``not_whole``: the KPIs of whose open work only the latest was looked at.
    """

    signals: list[Signal]
    not_whole: list[str]
    next: Stage | None


class Signals:
    """Makes signals in one state of the store of KPIs and of the cases."""

    def __init__(self, store: KpiReader, snapshot: Snapshot, catalogue: Catalogue, estate: Estate) -> None:
        self._store = store
        self._snapshot = snapshot
        self._catalogue = catalogue
        self._estate = estate
        self._asker = Asker(store, catalogue, estate)
        self._moment = moment_of(snapshot, estate)

    def page(self, wanted: Wanted, begin: Stage | None, limit: int) -> Page:
        """Return some signals from a stage on: readings, or chances of one KPI, of which there may be none."""
        stages = self._stages(wanted, begin)
        first = next(stages, None)
        if first is None:
            return Page([], [], None)
        if KINDS[first.kind] is SignalKind.RISK:
            return self._of_risks(first, next(stages, None), limit)
        return self._of_readings(chain([first], stages), wanted.by, limit)

    def _of_readings(self, stages: Iterable[Stage], by: tuple[Dimension, ...], limit: int) -> Page:
        found, latest = list[Signal](), {} if by else self._store.latest()
        for stage in stages:
            if len(found) == limit or KINDS[stage.kind] is not SignalKind.READING:
                return Page(found, [], stage)
            made = list(self._readings(self._catalogue.kpis[stage.kpi], by, latest))
            end = stage.after + limit - len(found)
            found += made[stage.after : end]
            if end < len(made):
                return Page(found, [], stage._replace(after=end))
        return Page(found, [], None)

    def _of_risks(self, stage: Stage, following: Stage | None, limit: int) -> Page:
        assessor = Assessor(self._asker, Finder(self._store, self._asker, self._estate))
        try:
            declaration, version = self._asker.declared(stage.kpi)
            found = assessor.assess(stage.kpi, {}, self._moment, MOST_OPEN)
        except (NoCells, NoDeadline):  # no case was looked at so far, or by what only its successor has: a deadline
            return Page([], [], following)
        end = stage.after + limit
        some = [
            signal_of_risk(declaration, version.version, each, found.calibration, self._case_of(each), self._moment.now)
            for each in found.open[stage.after : end]
        ]
        more = stage._replace(after=end) if end < len(found.open) else following
        return Page(some, [] if found.whole else [stage.kpi], more)

    def _stages(self, wanted: Wanted, begin: Stage | None) -> Iterator[Stage]:
        """Yield what signals are made of, in order, from a stage on."""
        for n, kind in enumerate(KINDS):
            for name, declaration in sorted(self._catalogue.kpis.items()):
                if kind not in wanted.kinds or (wanted.names is not None and name not in wanted.names):
                    continue
                if not _has(declaration, kind, wanted.by) or (begin is not None and (n, name) < begin[:2]):
                    continue
                yield begin if begin is not None and (n, name) == begin[:2] else Stage(n, name, 0)

    def _readings(
        self, declaration: Declaration, by: tuple[Dimension, ...], latest: Mapping[str, bytes]
    ) -> Iterator[Signal]:
        moment, counting = self._moment, Counting(declaration.clock, self._estate.calendars)
        kpi = kpi_document(declaration, counting)
        if not by:
            content = latest.get(declaration.name)
            made = None if content is None else msgspec.json.decode(content, type=LatestDocument)
            if made is None or made.at is None:
                yield signal_of_reading(kpi, kpi.version, None, moment.now)
            else:
                yield signal_of_reading(made.kpi, made.kpi.version, made.reading, parse_instant(made.at))
            return
        question = Question(declaration.name, window_of_now(declaration, moment), by=by)
        try:
            answered = self._asker.ask(question, moment)
        except (NoCells, NotTold):  # the version that answers so far is not told by what only its successor is
            yield signal_of_reading(kpi, kpi.version, None, moment.now)
            return
        declaration = answered.declaration
        counting = Counting(declaration.clock, self._estate.calendars)
        kpi, currency, (part,) = kpi_document(declaration, counting), moment.rates.reporting_currency, answered.parts
        for reading in reading_documents(
            declaration, counting, part, by, currency, whose=lambda values: region_of(values, self._estate)
        ):
            yield signal_of_reading(kpi, answered.version.version, reading, moment.now)

    def _case_of(self, risk: Risk) -> CaseReference:
        observation = risk.behind.observation
        key = Key.decode(observation.case)
        return CaseReference(observation.process, key.type, key.value, self._snapshot.scope(key))


def _has(declaration: Declaration, kind: SignalKind, by: tuple[Dimension, ...]) -> bool:
    """Tell whether there are signals of a kind of a KPI; of readings apart, those that it is told by."""
    if kind is SignalKind.READING:
        return set(by) <= set(declaration.dimensions)
    return declaration.formula.in_time is not None and declaration.formula.kind is not Kind.NONE
