"""Cells that are kept up to date say what a look at every case says, in whatever order and batches events arrive."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from random import Random

import pytest

from kpis.ask import Asker, Question, Window
from kpis.catalogue import Catalogue
from kpis.codec import decode_cell, decode_contributed, encode_cell, encode_contributed
from kpis.keep import NOT_KEPT, Keeper
from kpis.scratch import Answers, Scope, moment_of, read_from_scratch
from kpis.spot import Grain
from kpis.store import KpiWriter, each_cell, open_kpi_writer
from lineage.acceptance import Acceptances
from lineage.derive import Context
from lineage.engine import Engine, Limits
from lineage.read import Snapshot, Stated
from lineage.sight import Heard, Reporting, SourceSight
from tests.unit.kpis.golden import DEFINITIONS, FOLDER, Golden, golden
from tests.unit.lineage.adapter import settle, tick
from throughline.core.event import Event

PATHS = sorted(FOLDER.glob("*.yaml"))
KEPT = [path for path in PATHS if golden(path).declaration.formula.kind not in NOT_KEPT]


class World:
    """An engine, and what keeps the KPIs of its cases."""

    def __init__(self, case: Golden, store: KpiWriter) -> None:
        self.case = case
        self.engine = Engine.open(":memory:", DEFINITIONS, case.estate, Limits())
        self.catalogue = Catalogue({case.declaration.name: case.declaration}, {})
        self.store = store
        self.keeper = Keeper(store, self.catalogue, DEFINITIONS, case.estate)
        with self.snapshot() as snapshot:
            self.keeper.begin(snapshot)

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        heard = {source: Heard(*marks) for source, marks in self.engine.store.watermarks().items()}
        sight = SourceSight(Reporting(self.case.estate), heard, self.case.now)
        context = Context(self.case.now, sight, self.case.estate.calendars)
        yield Snapshot(self.engine.store, DEFINITIONS, Stated([], Acceptances({})), context, Limits())

    def fold(self, events: Sequence[Event]) -> None:
        self.engine.fold(list(events), self.case.now)
        settle(self.engine, self.case.now)
        tick(self.engine, self.case.now)

    def follow(self) -> None:
        while self.keeper.follow(self.snapshot):
            pass

    def from_scratch(self, scope: Scope) -> Answers:
        with self.snapshot() as snapshot:
            return read_from_scratch(snapshot, self.case.declaration, self.case.estate, scope)

    def kept(self, scope: Scope) -> Answers:
        window = None if scope.first is None or scope.last is None else Window(scope.first, scope.last)
        question = Question(self.case.declaration.name, window, by=scope.by)
        with self.snapshot() as snapshot:
            asker = Asker(self.store, self.catalogue, self.case.estate)
            answered = asker.ask(question, moment_of(snapshot, self.case.estate))
        assert answered.version.complete
        (part,) = answered.parts
        return Answers(part.readings, answered.left_out)


@pytest.fixture
def store(tmp_path: Path) -> Generator[KpiWriter]:
    kpis = open_kpi_writer(tmp_path / "kpis.db")
    with closing(kpis.connection):
        yield kpis


def scopes(case: Golden) -> list[Scope]:
    """Return what is asked of a case: all of it, its own scope, and by each of the dimensions that cells tell apart."""
    whole = Scope(date(2026, 1, 1), date(2027, 12, 31))
    by = [(each,) for each in case.declaration.dimensions]
    own = case.scope
    if own.first is None:
        own = own._replace(first=whole.first, last=whole.last)
    return [whole, own, *(whole._replace(by=each) for each in by)]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_kept_cells_read_as_all_cases_do_whenever_they_are_brought_up_to_date(path: Path, store: KpiWriter) -> None:
    case, chance = golden(path), Random(path.stem)
    world = World(case, store)
    arriving = chance.sample(case.events, len(case.events)) + chance.sample(case.events, len(case.events) // 2)
    while arriving:
        size = chance.randint(1, 4)
        world.fold(arriving[:size])
        arriving = arriving[size:]
        if chance.random() < 0.7:
            world.follow()
    world.follow()
    for scope in scopes(case):
        assert world.kept(scope) == world.from_scratch(scope), scope.by


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_is_stored_comes_back_as_it_was(path: Path, store: KpiWriter) -> None:
    case = golden(path)
    world = World(case, store)
    world.fold(case.events)
    world.follow()
    (version,) = store.versions()
    cells = [cell for grain in Grain for _, cell in each_cell(store, version.number, grain)]
    assert [decode_cell(encode_cell(cell)) for cell in cells] == cells
    ids = [row[0] for row in store.rows("SELECT case_id FROM contributed")]
    found = store.contributed(ids)
    assert {each: decode_contributed(encode_contributed(found[each])) for each in ids} == found
    with world.snapshot() as snapshot:
        seen = world.keeper._look(snapshot, ids)
    assert found == seen
