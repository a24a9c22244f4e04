"""What is behind a figure: exactly the cases that are in it, and what each of them counts as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kpis.ask import TIMELESS, Asker, Question, Window
from kpis.behind import Behind, Finder, Wanted
from kpis.cell import Verdict
from kpis.declaration import Dimension
from kpis.reading import Reading, Share, Stock
from kpis.scratch import moment_of
from kpis.store import KpiWriter, open_kpi_writer
from tests.unit.kpis.golden import FOLDER, golden, own
from tests.unit.kpis.test_keeping import WHOLE, World
from throughline.core.event import Event
from throughline.core.key import Key

ALL = Wanted()


@pytest.fixture
def store(tmp_path: Path) -> Generator[KpiWriter]:
    kpis = open_kpi_writer(tmp_path / "kpis.db")
    with closing(kpis.connection):
        yield kpis


def world_of(name: str, store: KpiWriter, events: list[Event] | None = None) -> World:
    world = World(golden(FOLDER / f"{name}.yaml"), store)
    world.fold(events or world.case.events)
    world.follow()
    return world


def found(world: World, wanted: Wanted = ALL, **only: Any) -> list[Behind]:
    question = question_of(world, **only)
    asker = Asker(world.store, world.catalogue, world.case.estate)
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, world.case.estate)
        return Finder(world.store, asker, world.case.estate).find(question, wanted, moment)


def reading(world: World, **only: Any) -> Reading:
    asker = Asker(world.store, world.catalogue, world.case.estate)
    with world.snapshot() as snapshot:
        answered = asker.ask(question_of(world, **only), moment_of(snapshot, world.case.estate))
    return next(iter(answered.parts[0].readings.values()))


def question_of(world: World, **only: Any) -> Question:
    declaration = world.case.declaration
    window = None if declaration.formula.kind in TIMELESS else Window(*WHOLE[:2])
    return Question(declaration.name, window, only={Dimension(name): value for name, value in only.items()})


def names(behind: list[Behind]) -> list[str]:
    return [Key.decode(each.observation.case).value for each in behind]


@pytest.mark.parametrize(
    "name",
    ["released-by-first-cut-off", "sla-adherence", "posting-completeness", "failure-rate", "untouched-billing-rate"],
)
def test_what_counts_as_a_hit_or_a_miss_is_what_the_share_is_of(name: str, store: KpiWriter) -> None:
    world = world_of(name, store)
    answer = reading(world).answer
    assert isinstance(answer, Share)
    counted = Counter[Verdict | None]()
    for each in found(world):
        counted[each.counts_as] += each.observation.times
    assert counted[Verdict.HIT] == answer.hits
    assert counted[Verdict.HIT] + counted[Verdict.MISS] == answer.of
    for verdict in Verdict:
        some = found(world, Wanted(verdicts=frozenset({verdict})))
        assert {each.counts_as for each in some} <= {verdict}
        assert sum(each.observation.times for each in some) == counted[verdict]


def test_failures_of_one_category_are_found_and_told_as_a_share_of_all_attempts(store: KpiWriter) -> None:
    world = world_of("failure-rate", store)
    assert names(found(world, category="timeout")) == ["T-1"]
    assert found(world, category="validation") == []  # the failed release is within the ERP
    whole, of_one, of_another = (
        reading(world, **only).answer for only in ({}, {"category": "timeout"}, {"category": "mapping"})
    )
    assert isinstance(whole, Share)
    assert isinstance(of_one, Share)
    assert isinstance(of_another, Share)
    assert (of_one.hits, of_one.of) == (1, whole.of)
    assert (of_another.hits, of_another.of) == (0, whole.of)


def test_behind_a_stock_of_what_is_old_is_only_what_is_old(store: KpiWriter) -> None:
    world = world_of("leakage-at-risk", store)
    answered = reading(world)
    assert isinstance(answered.answer, Stock)
    assert (answered.answer.records, answered.beside.open) == (1, 1)
    assert names(found(world)) == ["A"]


def test_behind_each_class_of_ages_is_what_is_of_it_and_with_the_customer_as_well(store: KpiWriter) -> None:
    world = world_of("money-at-risk-by-ageing", store)
    wanted = {
        "under_1_day": ["T-1"],
        "1_to_7_days": ["T-4", "T-2"],
        "7_to_30_days": ["T-3"],
        "30_to_90_days": [],
        "over_90_days": ["T-5"],
    }
    for ageing, cases in wanted.items():
        assert names(found(world, ageing=ageing)) == names(found(world, ageing=ageing, customer=None)) == cases
        for only in ({}, {"customer": None}, {"owner": "finance-ops"}):
            answer = reading(world, ageing=ageing, **only).answer
            assert isinstance(answer, Stock)
            assert answer.records == len(cases)
    assert reading(world, ageing="under_1_day", owner="pmo").answer == reading(world, owner="pmo").answer


def test_of_hours_what_is_most_hours_weighs_most(store: KpiWriter) -> None:
    assert names(found(world_of("unbilled-approved-hours", store))) == ["A", "B"]  # of B nobody knows them


def test_of_what_was_done_last_the_last_comes_first(store: KpiWriter) -> None:
    world = world_of("budget-burn-age", store)
    began = [each.observation.began for each in found(world)]
    assert names(found(world))[0] == "L-2"
    assert began == sorted(began, key=lambda at: -(at or 0))


def test_what_somebody_could_work_is_told_with_its_hours(store: KpiWriter) -> None:
    told = {each.observation.hours for each in found(world_of("billable-utilisation", store))}
    assert {40} < told


INVOICED = """kpi: invoiced
version: 1
title: T
group: g
question: Why?
unit: percent
formula:
  kind: ratio
  numerator: {process: invoice-to-cash, at: issued, measure: amount}
  denominator: {process: invoice-to-cash, at: issued, measure: amount}
  match: [invoice, contract]
good: high
owner: me
source: here
"""


def test_a_key_by_which_values_are_matched_is_told_with_its_scope_in_plain_text(store: KpiWriter) -> None:
    case = golden(FOLDER / "revenue-leakage.yaml")
    world = World(case._replace(declaration=own(INVOICED)), store)
    world.fold(case.events)
    world.follow()
    parts = {each.observation.part for each in found(world)}
    assert {"numerator I-2 DE01 C-1", "denominator I-2 DE01 C-1"} <= parts
    assert all(each.isprintable() for each in parts)


def test_behind_one_practice_is_the_contract_that_tells_none_and_is_of_it_all_the_same(store: KpiWriter) -> None:
    case = golden(FOLDER / "revenue-leakage.yaml")
    events = [
        msgspec.structs.replace(each, fields={**each.fields, "practice": "cloud"})
        if each.fields.get("contract") == "C-1" and each.type == "invoice.issued"
        else each
        for each in case.events
    ]
    world = world_of("revenue-leakage", store, events)
    assert reading(world, practice="cloud").beside.done == 1  # C-1 is closed
    assert "C-1" in names(found(world, practice="cloud"))
    assert "C-3" not in names(found(world, practice="cloud"))
