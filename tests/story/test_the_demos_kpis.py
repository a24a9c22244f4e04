"""KPIs of the firm, told from its own record of what happened and counted one by one, against those of the product.

What is counted there (throughline/demo/figures.py) shares nothing with the product: the firm's lives, its wall
calendars, and sums over lists.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from kpis.ask import Part
from kpis.catalogue import load_catalogue
from kpis.cell import STANDING, Cell, Place, Summing, cells_of, place_of
from kpis.clock import Counting
from kpis.contribution import Contribution
from kpis.declaration import MATCHED, Dimension, Kind
from kpis.documents import reading_documents
from kpis.matched import MatchedCell, matched_cells, replace_matched
from kpis.observation import Observation
from kpis.observe import Observer
from kpis.scratch import EVERYTHING, Scope, every_case, read_from_scratch
from lineage.acceptance import Acceptances
from lineage.definitions import load_definitions
from lineage.derive import Context
from lineage.engine import Engine, Limits
from lineage.process import Definitions
from lineage.read import CaseReader, Snapshot, Stated
from lineage.sight import Reporting, SourceSight
from tests.story.test_the_demos_truth import event_of, reports
from throughline.core.estate import Estate, load_estate
from throughline.demo.counted import count_once
from throughline.demo.figures import AT_RISK, UNBILLED, Apart, Told, apart, figures, parts_of_passings
from throughline.demo.firm import SYSTEMS
from throughline.demo.plan import Plan, plan
from throughline.demo.play import POLLED, heartbeat, seen_until
from throughline.demo.product import DEFINITIONS
from throughline.demo.readings import compare_apart, compare_reading
from throughline.demo.run import days_of
from throughline.demo.truth import tell_truth

SEEDS = (1, 7)
FOLLOWED = ("billing-readiness-lag", "sync-latency", "sla-adherence", "money-at-risk", "failure-rate", "throughput")


@cache
def told(seed: int) -> Plan:
    return plan(seed, "small")


@cache
def known(seed: int) -> dict[str, Told]:
    """Return what the firm says of its KPIs."""
    plan = told(seed)
    until = seen_until(plan)
    return figures(plan, count_once(plan.lives, [tell_truth(life, plan.ends, until) for life in plan.lives]))


@cache
def known_apart(seed: int) -> dict[tuple[str, str], Apart]:
    """Return the same of what stands by a dimension."""
    plan = told(seed)
    until = seen_until(plan)
    truths = count_once(plan.lives, [tell_truth(life, plan.ends, until) for life in plan.lives])
    return {(each.kpi, each.by): each for each in apart(plan, truths)}


class Read(NamedTuple):
    """The readings of KPIs, and those of what stands by the values of a dimension."""

    whole: dict[str, dict[str, Any]]
    apart: dict[tuple[str, str], dict[str | None, dict[str, Any]]]


@cache
def read(folder: Path, seed: int) -> Read:
    """Return the readings of these KPIs over what the engine makes of the firm's reports."""
    definitions, estate, plan = load_definitions(DEFINITIONS), load_estate(DEFINITIONS), told(seed)
    engine = Engine.open(folder / f"{seed}.db", definitions, estate)
    ends = [event_of(system, heartbeat(system, plan.ends), plan.ends) for system in SYSTEMS if system != POLLED]
    engine.fold([*reports(plan, plan.happenings), *ends], plan.ends)
    while engine.settle(plan.ends) or engine.tick(plan.ends):
        pass
    reader = CaseReader(folder / f"{seed}.db", definitions, estate, Limits(), lambda: plan.ends)
    kpis = load_catalogue(DEFINITIONS, definitions).kpis
    found = Read({}, {})
    with reader.snapshot() as snapshot:
        for name in known(seed):
            kpi = dataclasses.replace(kpis[name], minimum_sample=1)
            scope = EVERYTHING if kpi.formula.kind in STANDING else Scope(*days_of(plan))
            part = Part(None, read_from_scratch(snapshot, kpi, estate, scope).readings, None)
            (document,) = reading_documents(kpi, Counting(kpi.clock, estate.calendars), part, (), "EUR")
            found.whole[name] = msgspec.to_builtins(document)
        for name, dimension in known_apart(seed):
            kpi, by = kpis[name], (Dimension(dimension),)
            part = Part(None, read_from_scratch(snapshot, kpi, estate, Scope(by=by)).readings, None)
            found.apart[name, dimension] = {
                document.by[dimension]: msgspec.to_builtins(document)
                for document in reading_documents(kpi, Counting(kpi.clock, estate.calendars), part, by, "EUR")
            }
    reader.close()
    engine.close()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", sorted(known(SEEDS[0])))
def test_a_kpi_is_what_the_firm_itself_counts(folder: Path, name: str, seed: int) -> None:
    reading = read(folder, seed).whole[name]
    assert reading["answer"] is not None
    assert [str(each) for each in compare_reading(name, known(seed)[name], reading)] == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "dimension", "values"), [(AT_RISK, "owner", 4), (UNBILLED, "ageing", 2), (UNBILLED, "cutoff", 3)]
)
def test_what_stands_is_of_the_team_the_age_and_the_cut_off_that_the_firm_itself_finds(
    folder: Path, name: str, dimension: str, values: int, seed: int
) -> None:
    readings, wanted = read(folder, seed), known_apart(seed)[name, dimension]
    assert [str(each) for each in compare_apart(wanted, readings.apart[name, dimension])] == []
    records = [figure["answer.records"] or 0 for figure in wanted.told.values()]
    assert sum(records) == readings.whole[name]["answer"]["records"]
    assert sum(count > 0 for count in records) >= values, "the firm has something to tell apart"


def test_what_only_one_side_tells_apart_is_a_difference(folder: Path) -> None:
    wanted = known_apart(SEEDS[0])[UNBILLED, "ageing"]
    seen = dict(read(folder, SEEDS[0]).apart[UNBILLED, "ageing"])
    there = next(value for value, figure in wanted.told.items() if figure["answer.records"])
    reading = seen.pop(there)
    assert [each.seen for each in compare_apart(wanted, seen)] == ["none"]
    seen |= {there: reading, "older": reading}
    (difference,) = compare_apart(wanted, seen)
    assert (difference.case, difference.truth) == (f"KPI {UNBILLED} by ageing older", "none")


@pytest.mark.parametrize("name", sorted(known(SEEDS[0]).keys() - {"leakage-at-risk"}))
def test_the_firm_has_something_to_count_for_each(name: str) -> None:
    assert any(value for seed in SEEDS for value in known(seed)[name].values())


def test_what_waits_for_its_invoice_for_forty_workdays_is_counted_in_a_longer_play() -> None:
    longer = plan(7, "small", weeks=10)
    found = figures(longer, [])["leakage-at-risk"]["answer.records"]
    assert found
    assert found < (figures(longer, [])["unbilled-approved-value"]["answer.records"] or 0)


def test_the_firm_counts_every_kpi_that_has_a_source() -> None:
    kpis = load_catalogue(DEFINITIONS, load_definitions(DEFINITIONS)).kpis
    told_of = {name for name, kpi in kpis.items() if kpi.formula.kind is not Kind.NONE}
    assert told_of == set(known(SEEDS[0]))


@pytest.mark.parametrize("batch", [40, 333])
def test_cells_that_follow_the_engine_are_those_made_from_scratch(batch: int) -> None:
    """Events come in any order; after each batch every case that looks otherwise is taken back and added anew."""
    definitions, estate, plan = load_definitions(DEFINITIONS), load_estate(DEFINITIONS), told(7)
    events = Random(batch).sample(reports(plan, plan.happenings), k=len(plan.happenings) // 2)
    catalogue = load_catalogue(DEFINITIONS, definitions).kpis
    kpis = [catalogue[name] for name in FOLLOWED]
    observers = [Observer(kpi, estate) for kpi in kpis]
    sums = [Summing(kpi, observer.counting, estate.calendars) for kpi, observer in zip(kpis, observers, strict=True)]
    kept: list[dict[Place, Cell]] = [{} for _ in kpis]
    held: list[dict[tuple[str, str], tuple[Observation, ...]]] = [{} for _ in kpis]
    engine = Engine.open(":memory:", definitions, estate)
    for start in range(0, len(events), batch):
        engine.fold(events[start : start + batch], plan.ends)
        cases = list(every_case(snapshot_of(engine, definitions, estate, plan.ends)))
        for observer, summing, cells, before in zip(observers, sums, kept, held, strict=True):
            now = {(case.process.name, case.name): observer.observe(case).observations for case in cases}
            for name in before.keys() | now.keys():
                follow(summing, cells, before.pop(name, ()), now.get(name, ()))
            before.update(now)
    cases = list(every_case(snapshot_of(engine, definitions, estate, plan.ends)))
    engine.close()
    for observer, summing, cells in zip(observers, sums, kept, strict=True):
        assert cells == cells_of(summing, (each for case in cases for each in observer.observe(case).observations))
    assert all(kept)


def follow(
    summing: Summing, cells: dict[Place, Cell], before: tuple[Observation, ...], after: tuple[Observation, ...]
) -> None:
    for observations, times in ((before, -1), (after, 1)):
        for each in observations:
            place = place_of(each)
            cell = cells.setdefault(place, Cell())
            summing.enter(cell, place.day, each, times)
            if cell.empty:
                del cells[place]


@pytest.mark.parametrize("batch", [40, 333])
def test_what_is_compared_follows_the_engine_as_well(batch: int) -> None:
    """As above, for KPIs whose cells hold one half of each comparison; stored and read again on the way."""
    definitions, estate, plan = load_definitions(DEFINITIONS), load_estate(DEFINITIONS), told(7)
    events = Random(batch).sample(reports(plan, plan.happenings), k=len(plan.happenings) // 2)
    catalogue = load_catalogue(DEFINITIONS, definitions).kpis.values()
    observers = [Observer(kpi, estate) for kpi in catalogue if kpi.formula.kind in MATCHED]
    kept: list[dict[Place, MatchedCell]] = [{} for _ in observers]
    held: list[dict[tuple[str, str], list[Any]]] = [{} for _ in observers]
    engine = Engine.open(":memory:", definitions, estate)
    for start in range(0, len(events), batch):
        engine.fold(events[start : start + batch], plan.ends)
        cases = list(every_case(snapshot_of(engine, definitions, estate, plan.ends)))
        for observer, cells, before in zip(observers, kept, held, strict=True):
            now = {(case.process.name, case.name): observer.observe(case).contributions for case in cases}
            for name in before.keys() | now.keys():
                stored = [Contribution.from_plain(each) for each in before.pop(name, [])]
                replace_matched(cells, stored, now.get(name, ()))
            before.update({name: [each.to_plain() for each in found] for name, found in now.items()})
    cases = list(every_case(snapshot_of(engine, definitions, estate, plan.ends)))
    engine.close()
    for observer, cells in zip(observers, kept, strict=True):
        assert cells == matched_cells(each for case in cases for each in observer.observe(case).contributions)
    assert all(kept)


def snapshot_of(engine: Engine, definitions: Definitions, estate: Estate, now: int) -> Snapshot:
    context = Context(now, SourceSight(Reporting(estate), {}, now), estate.calendars)
    return Snapshot(engine.store, definitions, Stated([], Acceptances({})), context, Limits())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_firm_knows_of_what_its_own_syncs_consist(seed: int) -> None:
    """Reports made in memory have no spans: `demo --verify`, by real ones, compares it."""
    parts = {path: value for path, value in parts_of_passings(told(seed)).items() if path.endswith(".mean")}
    means = [value for value in parts.values() if value]
    assert len(means) == 3
    known_of = known(seed)["sync-latency"]
    assert parts_of_passings(told(seed))["answer.parts.split"] == known_of["beside.done"]
    answer = {"parts": {"waiting": {"mean": 5.0}, "transport": None}}
    reading = {"answer": answer, "why_not": None}
    wanted = {"answer.parts.waiting.mean": 5, "answer.parts.transport.mean": 7}
    (difference,) = compare_reading("sync-latency", wanted, reading)
    assert (difference.what, difference.truth, difference.seen) == ("answer.parts.transport.mean", "7", "None")
