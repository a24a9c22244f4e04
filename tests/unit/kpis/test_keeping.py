"""Cells that are kept up to date say what a look at every case says, in whatever order and batches events arrive."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from kpis import cell, distribution
from kpis.ask import Asker, Question, Window
from kpis.catalogue import Catalogue
from kpis.codec import Entry, decode_contributed, decode_entry, encode_contributed
from kpis.declaration import Bound, Declaration, Dimension, Headline, KpiClock
from kpis.documents import FigureDocument, LatestDocument
from kpis.keep import ARITHMETIC, NOT_KEPT, Keeper, former_digest_of
from kpis.latest import Latest
from kpis.look import ids_after
from kpis.scratch import Answers, Scope, moment_of, read_from_scratch
from kpis.spans import SpanReader
from kpis.spot import Grain
from kpis.store import KpiWriter
from kpis.terms import terms_of
from lineage.changes import FORGOTTEN, position_of
from lineage.derive import Context
from lineage.engine import Engine, Limits
from lineage.read import Snapshot, resolve_statements
from lineage.sight import Heard, Reporting, SourceSight
from tests.unit.kpis.conftest import Fresh, opened
from tests.unit.kpis.golden import DEFINITIONS, FOLDER, Golden, golden, instant, traced
from tests.unit.lineage.adapter import settle, tick
from throughline.core.estate import Estate, read_estate
from throughline.core.event import Event
from throughline.core.journal import Record, SpanFact
from throughline.core.signal import Standing
from throughline.core.statement import Statement
from throughline.core.yaml_file import YamlDocument

PATHS = sorted(FOLDER.glob("*.yaml"))
KEPT = [path for path in PATHS if golden(path).declaration.formula.kind not in NOT_KEPT]


WHOLE = Scope(date(2026, 1, 1), date(2027, 12, 31))


class Journal:
    """Records as a journal keeps them, the first of which may go."""

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}

    def take(self, events: Sequence[Event], spans: Sequence[SpanFact]) -> Record:
        number = max(self.records, default=0) + 1
        self.records[number] = Record(number, 0, "", list(events), list(spans), [])
        return self.records[number]

    @property
    def spans(self) -> list[SpanFact]:
        return [span for record in self.records.values() for span in record.spans]

    def spans_of(self, record: int) -> list[SpanFact] | None:
        kept = self.records.get(record)
        return None if kept is None else kept.spans

    def kept_since(self) -> int | None:
        return None if not self.records else self.records[min(self.records)].received


class World:
    """An engine, and what keeps the KPIs of its cases."""

    def __init__(self, case: Golden, store: KpiWriter) -> None:
        self.case = case
        self.engine = Engine.open(":memory:", DEFINITIONS, case.estate, Limits())
        self.store = store
        self.journal = Journal()
        self.looks: list[int] = []
        self.declare(case.declaration)

    def declare(self, declaration: Declaration, estate: Estate | None = None) -> None:
        """Begin to keep a KPI, as a process that has just started does."""
        self.case = self.case._replace(declaration=declaration, estate=estate or self.case.estate)
        self.catalogue = Catalogue({declaration.name: declaration}, {})
        spans = SpanReader(self.journal, self.store)
        self.keeper = Keeper(self.store, self.catalogue, DEFINITIONS, self.case.estate, self.looks.append, spans)
        with self.snapshot() as snapshot:
            self.keeper.begin(snapshot)

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        heard = {source: Heard(*marks) for source, marks in self.engine.store.watermarks().items()}
        sight = SourceSight(Reporting(self.case.estate), heard, self.case.now)
        context = Context(self.case.now, sight, self.case.estate.calendars)
        stated = resolve_statements(self.engine.store, DEFINITIONS)
        yield Snapshot(self.engine.store, DEFINITIONS, stated, context, Limits())

    def fold(self, events: Sequence[Event], spans: Sequence[SpanFact] = ()) -> None:
        self.engine.fold_records([self.journal.take(events, spans)], self.case.now)
        settle(self.engine, self.case.now)
        tick(self.engine, self.case.now)

    def state(self, *statements: Statement) -> None:
        self.engine.state(statements, self.case.now)
        settle(self.engine, self.case.now)

    def follow(self) -> None:
        while self.keeper.follow(self.snapshot):
            pass

    def behind(self) -> int:
        with self.snapshot() as snapshot:
            return self.keeper.behind(snapshot)

    def from_scratch(self, scope: Scope) -> Answers:
        with self.snapshot() as snapshot:
            spans_of = traced(self.journal.spans)
            return read_from_scratch(snapshot, self.case.declaration, self.case.estate, scope, spans_of=spans_of)

    def kept(self, scope: Scope) -> Answers:
        window = None if scope.first is None or scope.last is None else Window(scope.first, scope.last)
        question = Question(self.case.declaration.name, window, by=scope.by)
        with self.snapshot() as snapshot:
            asker = Asker(self.store, self.catalogue, self.case.estate)
            answered = asker.ask(question, moment_of(snapshot, self.case.estate))
        assert answered.version.complete
        (part,) = answered.parts
        return Answers(part.readings, answered.left_out)


def scopes(case: Golden) -> list[Scope]:
    """Return what is asked of a case: all of it, its own scope, and by each of the dimensions that cells tell apart."""
    by = [(each,) for each in case.declaration.dimensions]
    own = case.scope
    if own.first is None:
        own = own._replace(first=WHOLE.first, last=WHOLE.last)
    return [WHOLE, own, *(WHOLE._replace(by=each) for each in by)]


def orders(case: Golden, seed: str) -> list[list[list[Event]]]:
    """Return ways in which events may arrive: one by one, backwards, and shuffled with repetitions in batches."""
    chance, events = Random(seed), case.events
    again = chance.sample(events, len(events)) + chance.sample(events, len(events) // 2)
    return [[[each] for each in events], [[each] for each in reversed(events)], [again[::3], again[1::3], again[2::3]]]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_kept_cells_read_as_all_cases_do_after_each_batch(path: Path, fresh: Fresh) -> None:
    case = golden(path)
    for order in orders(case, path.stem):
        store = opened(fresh())
        with closing(store.connection):
            world = World(case, store)
            for place, batch in enumerate(order):
                world.fold(batch, case.spans[place :: len(order)])
                world.follow()
                assert world.kept(WHOLE) == world.from_scratch(WHOLE)
            world.follow()
            for scope in scopes(case):
                assert world.kept(scope) == world.from_scratch(scope), scope.by
            world.engine.close()


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_is_stored_comes_back_as_it_was(path: Path, store: KpiWriter) -> None:
    case = golden(path)
    world = World(case, store)
    world.fold(case.events)
    world.follow()
    (version,) = store.versions()
    book = world.keeper.kept[version.number].book
    contents = [each for grain in Grain for each in store.cells(version.number, grain, None, None).values()]
    assert [book.decode(book.encode(book.decode(each))) for each in contents] == [
        book.decode(each) for each in contents
    ]
    ids = [row[0] for row in store.rows("SELECT case_id FROM contributed")]
    found = store.contributed(ids)
    assert {each: decode_contributed(encode_contributed(found[each])) for each in ids} == found
    assert store.contributed_to(version.number, ids) == found
    for each in found.values():
        others = dataclasses.replace(each, entries={version.number + 1: Entry(), **each.entries})
        assert decode_entry(encode_contributed(others), version.number) == each
    with world.snapshot() as snapshot:
        seen = world.keeper.look(snapshot, ids)
    assert found == seen


LAG = golden(FOLDER / "billing-readiness-lag.yaml")


def test_another_process_goes_on_where_one_was_cut_off(store: KpiWriter) -> None:
    world = World(LAG, store)
    world.fold(LAG.events[:4])
    world.follow()
    world.declare(LAG.declaration)
    assert len(store.versions()) == 1
    world.fold(LAG.events[4:])
    world.follow()
    assert world.kept(WHOLE) == world.from_scratch(WHOLE)


def test_what_is_raised_in_the_midst_leaves_all_as_it_was(store: KpiWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(LAG, store)
    world.fold(LAG.events[:4])
    world.follow()
    before, at = world.kept(WHOLE), store.position()
    world.fold(LAG.events[4:])
    with monkeypatch.context() as patched:
        patched.setattr(store, "put_behind", no_room)
        with pytest.raises(OSError, match="no room"):
            world.follow()
    assert (world.kept(WHOLE), store.position()) == (before, at)
    world.follow()
    assert world.kept(WHOLE) == world.from_scratch(WHOLE)


def no_room(rows: object) -> None:
    raise OSError("no room")


def test_a_changed_declaration_is_another_version_which_answers_once_it_has_looked_at_every_case(
    store: KpiWriter,
) -> None:
    world = World(LAG, store)
    world.fold(LAG.events)
    world.follow()
    before = world.kept(WHOLE)
    world.declare(dataclasses.replace(LAG.declaration, clock=KpiClock.ELAPSED, version="2"))
    assert [(row.version, row.complete) for row in store.versions()] == [("1", True), ("2", False)]
    world.follow()
    assert [(row.version, row.complete) for row in store.versions()] == [("2", True)]
    assert world.kept(WHOLE) == world.from_scratch(WHOLE) != before
    assert store.rows("SELECT DISTINCT cell.kpi FROM cell") == store.rows("SELECT number FROM version")


def test_a_declaration_that_is_put_back_before_its_successor_answers_is_worked_out_anew(store: KpiWriter) -> None:
    world = World(LAG, store)
    world.fold(LAG.events[:4])
    world.follow()
    world.declare(dataclasses.replace(LAG.declaration, clock=KpiClock.ELAPSED, version="2"))
    with world.snapshot() as snapshot:  # some cases are looked at for the successor only
        ids = ids_after(snapshot, -1, 2)
    world.keeper.look_at(world.snapshot, ids)
    world.declare(dataclasses.replace(LAG.declaration, clock=LAG.declaration.clock, version="1"))
    world.fold(LAG.events[4:])
    world.follow()
    assert world.kept(WHOLE) == world.from_scratch(WHOLE)
    assert len(store.versions()) == 1


def told(world: World) -> tuple[str, FigureDocument]:
    """Return by which version the reading of now is, and its figure."""
    latest = Latest(Asker(world.store, world.catalogue, world.case.estate), world.catalogue, world.case.estate)
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, world.case.estate)
    (current, *_) = latest.current(moment)
    document = msgspec.json.decode(latest.documents(moment)[world.case.declaration.name], type=LatestDocument)
    assert document.reading is not None
    assert current.kpi.version == document.kpi.version
    assert document.reading.day_seconds == document.kpi.day_seconds
    return document.kpi.version, document.reading.figure


def test_a_version_that_answers_until_its_successor_does_is_told_as_it_was(store: KpiWriter) -> None:
    world = World(LAG._replace(now=instant("2026-11-06 12:00", "Europe/Berlin")), store)
    world.fold(LAG.events)
    world.follow()
    before = told(world)
    other = dataclasses.replace(
        LAG.declaration,
        version="2",
        clock=KpiClock.ELAPSED,
        headline=Headline.P90,
        target=Bound("1 h", Decimal(3_600)),
        warning=None,
        dimensions=(*LAG.declaration.dimensions, Dimension.PROCESS),
    )
    world.declare(other)
    assert told(world) == before
    world.follow()
    assert told(world)[0] == "2"
    assert told(world)[1].standing is Standing.BAD


def test_a_version_of_another_kind_answers_nothing_any_more(store: KpiWriter) -> None:
    world = World(LAG, store)
    world.fold(LAG.events)
    world.follow()
    stock = golden(FOLDER / "unbilled-approved-value.yaml").declaration
    world.declare(dataclasses.replace(stock, name=LAG.declaration.name))
    asker = Asker(store, world.catalogue, world.case.estate)
    assert asker.declared(LAG.declaration.name)[1].complete is False
    world.follow()
    assert asker.declared(LAG.declaration.name)[1].complete is True


@pytest.mark.parametrize("other", [{"version": "7"}, {"headline": Headline.P90}])
def test_another_version_or_headline_is_another_version(store: KpiWriter, other: dict[str, Any]) -> None:
    world = World(LAG, store)
    world.fold(LAG.events)
    world.follow()
    world.declare(dataclasses.replace(LAG.declaration, **other))
    assert len(store.versions()) == 2
    world.follow()
    (row,) = store.versions()
    assert row.version == other.get("version", "1")
    world.declare(world.case.declaration)
    assert store.versions() == [row]


def test_a_declaration_that_changes_without_its_version_is_warned_of(store: KpiWriter) -> None:
    world = World(LAG, store)
    with capture_logs() as logs:
        world.declare(dataclasses.replace(LAG.declaration, headline=Headline.P90, version="2"))
        world.declare(dataclasses.replace(LAG.declaration, headline=Headline.P90, version="2", title="Another"))
    assert logs == []
    with capture_logs() as logs:
        world.declare(dataclasses.replace(LAG.declaration, clock=KpiClock.ELAPSED, version="2"))
    (told,) = logs
    assert (told["kpi"], told["version"], told["log_level"]) == (LAG.declaration.name, "2", "warning")
    assert "another `version`" in told["wanted"]


def test_another_title_or_target_is_no_other_version(store: KpiWriter) -> None:
    world = World(LAG, store)
    target = Bound("1 h", Decimal(3_600))
    world.declare(dataclasses.replace(LAG.declaration, title="Another", target=target, minimum_sample=5))
    assert len(store.versions()) == 1
    declaration, _ = Asker(store, world.catalogue, LAG.estate).declared(LAG.declaration.name)
    assert declaration == world.case.declaration


def test_a_version_whose_terms_an_earlier_release_did_not_note_is_told_by_the_declaration(store: KpiWriter) -> None:
    world = World(LAG, store)
    world.fold(LAG.events)
    world.follow()
    former = former_digest_of(LAG.declaration)
    store.connection.execute("UPDATE version SET told_as = NULL, digest = ?", (former,))
    assert Asker(store, world.catalogue, LAG.estate).declared(LAG.declaration.name)[0] == LAG.declaration
    with capture_logs() as logs:
        world.declare(LAG.declaration)
    terms = [terms_of(row) for row in store.versions()]
    assert [each and each.arithmetic for each in terms] == [4, ARITHMETIC]
    assert logs == []  # by another arithmetic it is another version


def test_all_is_looked_at_anew_by_another_calendar(store: KpiWriter) -> None:
    world = World(LAG, store)
    world.fold(LAG.events)
    world.follow()
    before = world.kept(WHOLE)
    region = {"timezone": "Europe/Berlin", "country": "DE", "open": "08:00-20:00"}
    firm = {"firm": {"default_region": "EMEA"}, "regions": {"EMEA": region}}
    other = read_estate(YamlDocument("other", firm, {}, {}))
    world.engine = Engine(world.engine.store.connection, DEFINITIONS, other, Limits())
    world.declare(LAG.declaration, other)
    world.follow()
    assert world.kept(WHOLE) == world.from_scratch(WHOLE) != before


def test_all_is_looked_at_anew_where_changes_were_missed_or_the_store_is_another(store: KpiWriter) -> None:
    world = World(LAG, store)
    world.fold(LAG.events[:4])
    world.follow()
    world.fold(LAG.events[4:])
    world.engine.store.connection.execute("DELETE FROM changed WHERE seq < (SELECT max(seq) FROM changed)")
    world.engine.store.set_position(FORGOTTEN, position_of(world.engine.store).seq - 1)
    world.follow()
    assert world.kept(WHOLE) == world.from_scratch(WHOLE)
    world.engine.close()
    world.engine = Engine.open(":memory:", DEFINITIONS, LAG.estate, Limits())
    world.fold(LAG.events[:2])
    world.follow()
    assert world.kept(WHOLE) == world.from_scratch(WHOLE)


def test_a_cell_that_falls_back_to_few_records_is_counted_anew(
    store: KpiWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So few as to fit a test: the cells of a real one hold 2,000 seconds before they hold bins."""
    for module in (cell, distribution):
        monkeypatch.setattr(module, "EXACT", 2)
    case = golden(FOLDER / "sync-latency.yaml")
    world = World(case, store)
    events = [
        msgspec.structs.replace(each, id=f"{each.id}-{n}", fields={**each.fields, "time_entry": f"T-{n}"})
        for n in range(4)
        for each in case.events
        if each.type in ("time.submitted", "time.approved", "time.posted")
    ]
    world.fold(events)
    world.follow()
    gone = [
        msgspec.structs.replace(each, type="time.cancelled", id=f"{each.id}-x", fields=each.fields) for each in events
    ]
    world.fold([each for each in gone if each.fields["time_entry"] in ("T-0", "T-1", "T-2")])
    world.follow()
    assert world.kept(WHOLE) == world.from_scratch(WHOLE)
