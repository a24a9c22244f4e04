"""Cases that have left the lineage store are forgotten, and every cell stays what it would be if they had not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from contextlib import closing
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from kpis import cell, distribution, forget
from kpis.ask import Asker
from kpis.behind import Finder
from kpis.declaration import KpiClock
from kpis.keep import CASES_AT_ONCE
from kpis.scratch import moment_of
from kpis.spot import Grain
from kpis.store import KpiWriter, open_kpi_reader, open_kpi_writer
from lineage.changes import position_of
from lineage.engine import Engine, Limits
from lineage.removal import drop_cases
from lineage.retention import SWEPT
from lineage.store import CaseRow
from lineage.traces import forget_events
from lineage.upgrade import renew_identity
from tests.unit.kpis.conftest import Fresh, opened
from tests.unit.kpis.golden import DEFINITIONS, FOLDER, golden
from tests.unit.kpis.test_behind import found, question_of
from tests.unit.kpis.test_keeping import KEPT, LAG, World
from tests.unit.kpis.test_publishing import LAG as PUBLISHED_LAG
from tests.unit.kpis.test_publishing import days, published
from throughline.core.event import Event

Name = tuple[int, str]
"""What a case is called in any engine: its process and name."""


def rows_of(world: World) -> dict[Name, CaseRow]:
    ids = [row[0] for row in world.engine.store.rows("SELECT id FROM cases WHERE state <> 'empty'")]
    return {(row.process, row.name): row for row in world.engine.store.cases_by_id(ids).values()}


def let_go(world: World, names: Iterable[Name]) -> list[int]:
    """Have cases leave, as a sweep does; return their ids."""
    rows = rows_of(world)
    gone = [rows[name] for name in names]
    ids = [row.id for row in gone]
    with world.engine.transaction():
        world.engine.resolver.forget()
        drop_cases(world.engine.store, gone, world.case.now)
    world.engine.resolver.forget()
    return ids


def let_go_of_all(world: World) -> list[int]:
    return let_go(world, list(rows_of(world)))


def cells(world: World) -> dict[Any, Any]:
    """Return the cells of a world, and what it tells of how many cases the KPI concerns."""
    found: dict[Any, Any] = {}
    for number, kept in world.keeper.kept.items():
        for grain in Grain:
            for place, content in world.store.cells(number, grain, None, None).items():
                found[grain, place] = kept.book.decode(content)
        found["tally"] = world.store.tally(number)
    return found


def rows_about(store: KpiWriter, cases: list[int]) -> list[Any]:
    """Return the rows that are about some cases alone."""
    gone = store.connection.array(cases)
    return [
        row
        for table in ("contributed", "behind")
        for row in store.rows(f"SELECT case_id FROM {table} WHERE case_id IN (SELECT value FROM json_each(?))", gone)
    ]


def behind(world: World) -> int:
    """Return how many records are behind the figure of everything: those that can be listed, and those that cannot."""
    listed = sum(each.observation.times for each in found(world))
    return listed + no_longer_kept(world)


def no_longer_kept(world: World, **only: str) -> int:
    asker = Asker(world.store, world.catalogue, world.case.estate)
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, world.case.estate)
    return Finder(world.store, asker, world.case.estate).no_longer_kept(question_of(world, **only), moment)


def stays_as_it_is(world: World, held_back: list[Event], reference: World) -> list[Name]:
    """Return the cases that may leave before some events come: those that these do not touch, nor money with them."""
    before = position_of(reference.engine.store).seq
    rows = rows_of(reference)
    reference.fold(held_back)
    reference.follow()
    touched = {
        row[0] for row in reference.engine.store.rows("SELECT DISTINCT case_id FROM changed WHERE seq > ?", before)
    }
    alive = rows_of(world)
    held_up = {case for case, each in world.store.contributed(row.id for row in alive.values()).items() if each.holds}
    return [
        name for name, row in alive.items() if name in rows and rows[name].id not in touched and row.id not in held_up
    ]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_cells_stay_as_if_nothing_had_left_whatever_comes_in_which_order(
    path: Path, fresh: Fresh, tmp_path: Path
) -> None:
    case, chance = golden(path), Random(path.stem)
    with (
        closing((store := opened(fresh())).connection),
        closing((other := open_kpi_writer(tmp_path / "reference.db")).connection),
    ):
        world, reference = World(case, store), World(case, other)
        shuffled = chance.sample(case.events, len(case.events))
        first, held_back = shuffled[len(shuffled) // 4 :], shuffled[: len(shuffled) // 4]
        for each in (world, reference):
            each.fold(first, case.spans)
            each.follow()
        leaving = stays_as_it_is(world, held_back, reference)
        leaving = chance.sample(leaving, (len(leaving) * 3 + 3) // 4)
        gone: list[int] = []
        steps: list[Name | Event | None] = [*leaving, *held_back, None, None]
        chance.shuffle(steps)
        for step in steps:
            if step is None:  # another process goes on
                world.declare(case.declaration)
            elif isinstance(step, Event):
                world.fold([step])
            else:
                gone += let_go(world, [step])
            for _ in range(chance.randrange(3)):
                world.keeper.follow(world.snapshot)
        world.follow()
        assert cells(world) == cells(reference)
        assert rows_about(store, gone) == []
        with world.snapshot() as snapshot:
            world.keeper.backfill(snapshot)
        world.follow()
        assert cells(world) == cells(reference)
        if case.declaration.formula.older_than is None:  # what left is told of whatever age
            assert behind(world) == behind(reference)
        assert no_longer_kept(reference) == 0
        for each in (world, reference):
            each.engine.close()


def test_nothing_of_a_case_that_left_is_kept_by_the_case(store: KpiWriter) -> None:
    world = World(LAG, store)
    world.fold(LAG.events)
    world.follow()
    before, listed = cells(world), len(found(world))
    ids = let_go_of_all(world)
    assert rows_about(store, ids)
    world.follow()
    assert rows_about(store, ids) == []
    assert cells(world) == before
    assert (found(world), no_longer_kept(world)) == ([], listed)
    assert no_longer_kept(world, region="EMEA") <= listed
    assert no_longer_kept(world, region="nowhere") == 0


def test_what_is_cut_off_in_the_midst_is_done_again_and_counts_once(
    store: KpiWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(LAG, store)
    world.fold(LAG.events)
    world.follow()
    before, at = cells(world), store.position()
    ids = let_go_of_all(world)
    for name in ("put_remnants", "drop_behind", "forget_cases", "set_position"):
        with monkeypatch.context() as patched:
            patched.setattr(store, name, cut_off)
            with pytest.raises(OSError, match="cut off"):
                world.follow()
        assert rows_about(store, ids)
        assert (cells(world), store.position(), no_longer_kept(world)) == (before, at, 0)
        world.declare(LAG.declaration)
    world.follow()
    assert cells(world) == before
    listed = no_longer_kept(world)
    with world.snapshot() as snapshot:
        world.keeper.backfill(snapshot)
    world.follow()
    assert (cells(world), no_longer_kept(world)) == (before, listed)


def cut_off(*_: object) -> None:
    raise OSError("cut off")


def test_a_piece_at_a_time_is_forgotten(store: KpiWriter) -> None:
    world = World(LAG, store)
    some = [each for each in LAG.events if each.type == "time.approved"][:1]
    events = [
        msgspec.structs.replace(each, id=f"{each.id}-{n}", fields={**each.fields, "time_entry": f"M-{n}"})
        for n in range(CASES_AT_ONCE + 1)
        for each in some
    ]
    world.fold(events)
    world.follow()
    before = cells(world)
    let_go_of_all(world)
    left = [CASES_AT_ONCE + 1]
    while world.keeper.follow(world.snapshot):
        left.append(store.rows("SELECT count(*) FROM contributed")[0][0])
    assert left == [CASES_AT_ONCE + 1, 1, 0]
    assert cells(world) == before


@pytest.mark.parametrize("restarted", [True, False], ids=["by a new process", "by an order"])
def test_what_left_before_all_is_looked_at_anew_stays_in_the_figures(store: KpiWriter, restarted: bool) -> None:
    """Also where it had not been forgotten yet."""
    world = World(LAG, store)
    world.fold(LAG.events)
    world.follow()
    before = cells(world)
    let_go_of_all(world)
    if restarted:
        store.set_meta("made_by", "others")
        world.declare(LAG.declaration)
    else:
        with world.snapshot() as snapshot:
            world.keeper.backfill(snapshot)
    world.follow()
    assert cells(world) == before


def test_what_left_before_followers_were_told_of_it_is_forgotten_too(store: KpiWriter) -> None:
    """As an earlier version of Throughline let it go; what only changes meanwhile stays what it is."""
    world = World(LAG, store)
    world.fold(LAG.events[:4])
    world.follow()
    before, first = cells(world), position_of(world.engine.store)
    ids = let_go_of_all(world)
    world.engine.store.connection.execute("DELETE FROM changed WHERE seq > ?", (first.seq,))
    store.connection.execute("DELETE FROM meta WHERE name = 'former_forgotten'")
    world.follow()
    assert rows_about(store, ids)
    world.declare(LAG.declaration)
    world.follow()
    assert rows_about(store, ids) == []
    assert cells(world) == before
    world.fold([msgspec.structs.replace(each, id=f"{each.id}-later") for each in LAG.events[:4]])
    world.declare(LAG.declaration)
    world.follow()
    assert found(world)


@pytest.mark.parametrize("forgotten", [True, False], ids=["forgotten before", "not yet forgotten"])
def test_a_later_event_begins_a_case_anew_which_counts_beside_what_it_was(store: KpiWriter, forgotten: bool) -> None:
    approved = [each for each in LAG.events if each.type == "time.approved"][:1]
    world = World(LAG, store)
    world.fold(approved)
    world.follow()
    (once,) = tallied(world)
    let_go_of_all(world)
    if forgotten:
        world.follow()
    world.fold([msgspec.structs.replace(approved[0], id="later")])
    world.follow()
    assert tallied(world) == [2 * once]
    assert (len(found(world)), no_longer_kept(world)) == (1, 1)


def tallied(world: World) -> list[int]:
    (number,) = world.keeper.kept
    return list(world.store.tally(number).values())


def test_a_case_that_left_and_that_somebody_looks_at_before_it_is_forgotten_stays_in_its_cells(
    store: KpiWriter,
) -> None:
    world = World(LAG, store)
    world.fold(LAG.events)
    world.follow()
    before = cells(world)
    ids = let_go_of_all(world)
    world.keeper.look_at(world.snapshot, ids)
    assert cells(world) == before
    world.follow()
    assert (cells(world), rows_about(store, ids)) == (before, [])


def test_a_cell_of_which_cases_left_is_counted_anew_with_what_they_were(
    store: KpiWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So few as to fit a test: the cells of a real one hold 2,000 seconds before they hold bins."""
    for module in (cell, distribution):
        monkeypatch.setattr(module, "EXACT", 2)
    case = golden(FOLDER / "sync-latency.yaml")
    kinds = ("time.submitted", "time.approved", "time.posted")
    events = [
        msgspec.structs.replace(each, id=f"{each.id}-{n}", fields={**each.fields, "time_entry": f"T-{n}"})
        for n in range(4)
        for each in case.events
        if each.type in kinds
    ]
    world = World(case, store)
    world.fold(events)
    world.follow()
    let_go(world, [name for name in rows_of(world) if name[1].endswith("T-0")])
    world.follow()
    cancelled = [
        msgspec.structs.replace(each, type="time.cancelled", id=f"{each.id}-x")
        for each in events
        if each.fields["time_entry"] in ("T-1", "T-2", "T-3")
    ]
    world.fold(cancelled)
    world.follow()
    after = cells(world)
    assert not any(each.stale for key, each in after.items() if key != "tally")
    with world.snapshot() as snapshot:
        world.keeper.backfill(snapshot)
    world.follow()
    assert cells(world) == after


def test_what_was_published_of_cases_that_left_is_never_read_of_fewer(store: KpiWriter) -> None:
    world = World(PUBLISHED_LAG, store)
    world.fold(PUBLISHED_LAG.events)
    former = published(world)
    assert days(former)
    let_go(world, [name for name in rows_of(world) if name[1].endswith("T-2")])
    assert published(world) == former
    with world.snapshot() as snapshot:
        world.keeper.backfill(snapshot)
    assert published(world) == former
    left = store.days_left()
    world.declare(dataclasses.replace(PUBLISHED_LAG.declaration, clock=KpiClock.ELAPSED, version="2"))
    assert published(world) == former
    assert store.days_left() == left
    assert store.is_thinned(
        PUBLISHED_LAG.declaration.name, date(2026, 11, 2).toordinal(), date(2026, 11, 2).toordinal()
    )


def test_an_older_copy_of_the_store_in_which_some_are_back_counts_them_once(fresh: Fresh, tmp_path: Path) -> None:
    with closing((store := opened(fresh())).connection):
        world = World(LAG, store)
        world.fold(LAG.events)
        world.follow()
        before = cells(world)
        copy = Engine.open(tmp_path / "copy.db", DEFINITIONS, LAG.estate, Limits())
        copy.fold(LAG.events, LAG.now)
        while copy.settle(LAG.now) or copy.tick(LAG.now):
            pass
        let_go_of_all(world)
        world.follow()
        world.engine.close()
        world.engine = copy
        renew_identity(copy.store.connection)
        world.follow()
        assert cells(world) == before
        assert no_longer_kept(world) == 0
        copy.close()


def test_spans_leave_once_no_event_tells_their_trace_a_piece_at_a_time(
    store: KpiWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forget, "_ROWS_AT_ONCE", 2)
    case = golden(FOLDER / "sync-latency-split-by-spans.yaml")
    world = World(case, store)
    world.fold(case.events, case.spans)
    world.follow()
    before, kept = cells(world), store.rows("SELECT count(*) FROM traced")
    assert kept != [(0,)]
    sweep_ends(world, 1)
    assert store.rows("SELECT count(*) FROM split_by") != [(0,)]
    let_go_of_all(world)
    sweep_ends(world, 2)
    assert store.rows("SELECT count(*) FROM split_by") == [(0,)]
    assert store.rows("SELECT count(*) FROM traced") == kept  # events tell them
    events = {seq: told.trace_id for seq, told in world.engine.store.events_after(0) if told.trace_id is not None}
    with world.engine.transaction():
        forget_events(world.engine.store, events)
    sweep_ends(world, 3)
    assert store.rows("SELECT count(*) FROM traced") == [(0,)]
    assert cells(world) == before


def sweep_ends(world: World, number: int) -> None:
    with world.engine.transaction():
        world.engine.store.set_meta(SWEPT, str(number))
    world.follow()


def test_spans_that_come_late_change_nothing_of_a_case_that_left(store: KpiWriter) -> None:
    case = golden(FOLDER / "sync-latency-split-by-spans.yaml")
    world = World(case, store)
    world.fold(case.events, case.spans[:1])
    world.follow()
    before = cells(world)
    let_go_of_all(world)
    world.fold([], case.spans[1:])
    world.follow()
    assert cells(world) == before


def test_a_store_of_an_earlier_version_gets_what_it_lacks(tmp_path: Path) -> None:
    place = tmp_path / "kpis.db"
    with closing((store := open_kpi_writer(place)).connection):
        world = World(LAG, store)
        world.fold(LAG.events)
        world.follow()
        before = cells(world)
        for table in ("remnant", "tally_left", "thinned"):
            store.connection.execute(f"DROP TABLE {table}")
    with closing((reader := open_kpi_reader(place)).connection):  # before its writer has made them
        (number,) = (row.number for row in reader.versions())
        assert reader.remnants_of(number, Grain.DAY, None, None, standing=False) == []
    with closing((store := open_kpi_writer(place)).connection):
        world.store = store
        world.declare(LAG.declaration)
        let_go_of_all(world)
        world.follow()
        assert cells(world) == before
