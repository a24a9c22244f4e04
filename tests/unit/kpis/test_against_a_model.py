"""KPIs from increments are what an independent model makes of the same events, in whatever order and batches."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings

from kpis.ask import Asker, Question, Window
from kpis.catalogue import Catalogue
from kpis.declaration import Dimension
from kpis.keep import Keeper
from kpis.reading import Lag, Reading, Share, Total
from kpis.scratch import moment_of
from kpis.store import KpiWriter
from kpis.survival import Reached
from lineage.acceptance import Acceptances
from lineage.derive import Context
from lineage.engine import Engine, Limits
from lineage.places import Place
from lineage.read import Snapshot, Stated
from lineage.sight import Reporting, SourceSight
from tests.kpi_model import model
from tests.kpi_model.worlds import NOW, PROCESSES, World, worlds
from tests.unit.kpis.conftest import Fresh, opened
from tests.unit.kpis.golden import DEFINITIONS, own
from tests.unit.lineage.adapter import settle, tick
from throughline.core.estate import read_estate
from throughline.core.event import Event
from throughline.core.yaml_file import YamlDocument

ESTATE = read_estate(YamlDocument("estate", {}, {}, {}))
SPANS = "".join(f"    - {{process: {name}, from: approved, to: released}}\n" for name in PROCESSES)
STEPS = "".join(f"    - {{process: {name}, at: released}}\n" for name in PROCESSES)
HEAD = "version: 1\ntitle: T\ngroup: g\nquestion: Q?\nowner: o\nsource: s\ndimensions: [process]\n"
LAG = own(f"kpi: of-lag\n{HEAD}minimum_sample: 1\nunit: seconds\ngood: low\nformula:\n  kind: lag\n  of:\n{SPANS}")
SHARE = own(
    f"kpi: of-share\n{HEAD}minimum_sample: 1\nunit: percent\ngood: high\nunfinished: late\n"
    f"formula:\n  kind: share\n  hit: in_time\n  in_time: {{within: 2 d}}\n  of:\n{SPANS}"
)
SUM = own(f"kpi: of-sum\n{HEAD}unit: money\ngood: high\nformula:\n  kind: sum\n  measure: amount\n  of:\n{STEPS}")
CATALOGUE = Catalogue({each.name: each for each in (LAG, SHARE, SUM)}, {})
WHOLE = Window(date(2026, 1, 1), date(2026, 12, 31))


class Kept:
    """KPIs that follow an engine."""

    def __init__(self, store: KpiWriter) -> None:
        self.engine = Engine.open(":memory:", DEFINITIONS, ESTATE, Limits())
        self._store = store
        self._keeper = Keeper(store, CATALOGUE, DEFINITIONS, ESTATE)
        with self._snapshot() as snapshot:
            self._keeper.begin(snapshot)

    @contextmanager
    def _snapshot(self) -> Generator[Snapshot]:
        context = Context(NOW, SourceSight(Reporting(ESTATE), {}, NOW), ESTATE.calendars)
        yield Snapshot(self.engine.store, DEFINITIONS, Stated([], Acceptances({})), context, Limits())

    def take(self, events: Sequence[Event]) -> None:
        self.engine.fold(list(events), NOW)
        settle(self.engine, NOW)
        tick(self.engine, NOW)
        while self._keeper.follow(self._snapshot):
            pass

    def readings(self, kpi: str, *by: Dimension) -> dict[tuple[str | None, ...], Reading]:
        with self._snapshot() as snapshot:
            moment = moment_of(snapshot, ESTATE)
            (part,) = Asker(self._store, CATALOGUE, ESTATE).ask(Question(kpi, WHOLE, by=by), moment).parts
        return part.readings


@contextmanager
def keeping(place: Place) -> Iterator[Kept]:
    with closing((store := opened(place)).connection):
        kept = Kept(store)
        try:
            yield kept
        finally:
            kept.engine.close()


def shown(reached: Reached | None) -> str:
    assert reached is not None
    return f"> {reached.age:g}" if reached.beyond else f"{reached.age:g}"


def agree(readings: dict[str, Reading | None], cases: list[list[Event]]) -> None:
    """Compare the readings of one set of cases with what the model makes of these."""
    waits = [wait for events in cases for wait in model.waits_of(events, NOW)]
    agree_on_lag(readings["of-lag"], model.lag(waits), waits)
    agree_on_share(readings["of-share"], model.in_time(waits))
    total, wanted = readings["of-sum"], model.released(cases)
    answer = None if total is None else total.answer
    if answer is None:
        assert wanted.records == 0
        return
    assert isinstance(answer, Total)
    amounts: dict[str, Decimal] = {}
    for each in answer.amount.applied:
        amounts[each.currency] = amounts.get(each.currency, Decimal(0)) + each.part.amount
    unknown = answer.records - sum(each.part.records for each in answer.amount.applied)
    assert (answer.records, amounts, unknown) == wanted


def agree_on_lag(reading: Reading | None, wanted: model.LagFigure | None, waits: list[model.Wait]) -> None:
    answer = None if reading is None else reading.answer
    if wanted is None or reading is None or answer is None:
        assert wanted is None
        assert answer is None
        return
    assert isinstance(answer, Lag)
    beside = reading.beside
    quantiles = [shown(each) for each in list(answer.quantiles.values())[:2]]
    found = beside.began, beside.done, sum(beside.competing.values()), beside.open, sum(beside.unknown.values())
    assert (*found, *quantiles) == wanted, waits


def agree_on_share(reading: Reading | None, wanted: model.ShareFigure | None) -> None:
    answer = None if reading is None else reading.answer
    if wanted is None or answer is None:
        assert wanted is None
        assert answer is None
        return
    assert isinstance(answer, Share)
    assert (answer.hits, answer.of) == (wanted.hits, wanted.of)
    assert tuple(answer.interval) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(worlds())
def test_kept_kpis_are_what_the_model_makes_of_all_events(emptied: Fresh, world: World) -> None:
    with keeping(emptied()) as kept:
        come: list[Event] = []
        for batch in world.batches:
            kept.take(batch)
            come += batch
            told = {
                case: model.standing_events(each for each in come if each in events)
                for case, events in world.told.items()
            }
            for process in (None, *PROCESSES):
                by = () if process is None else (Dimension.PROCESS,)
                values = () if process is None else (process,)
                readings = {name: kept.readings(name, *by).get(values) for name in CATALOGUE.kpis}
                agree(readings, [events for case, events in told.items() if process in (None, case.process)])
