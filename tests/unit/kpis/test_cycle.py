"""By which cut-off work has to be done is told as of the moment of reading: nothing is written as cut-offs go by."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from kpis.ask import Asker, NotTold, Question
from kpis.behind import Finder, Wanted
from kpis.declaration import Dimension
from kpis.reading import Moment, Stock
from kpis.scratch import moment_of
from kpis.store import open_kpi_writer
from tests.unit.kpis.golden import FOLDER, golden, instant
from tests.unit.kpis.test_behind import names
from tests.unit.kpis.test_keeping import World

FRIDAY, NEXT = "billing 2026-11-06T17:00:00Z", "billing 2026-11-13T17:00:00Z"
MONTH_END = "billing 2026-11-30T11:00:00Z"


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    kpis = open_kpi_writer(tmp_path / "kpis.db")
    with closing(kpis.connection):
        world = World(golden(FOLDER / "money-at-risk-by-cutoff.yaml"), kpis)
        world.fold(world.case.events)
        world.follow()
        yield world


def moment_at(world: World, text: str) -> Moment:
    world.case = world.case._replace(now=instant(text, "UTC"))
    with world.snapshot() as snapshot:
        return moment_of(snapshot, world.case.estate)


def told(world: World, moment: Moment, question: Question) -> dict[str | None, int]:
    asker = Asker(world.store, world.catalogue, world.case.estate)
    found: dict[str | None, int] = {}
    for values, reading in asker.ask(question, moment).parts[0].readings.items():
        assert isinstance(reading.answer, Stock)
        found[values[0] if values else "all"] = reading.answer.records
    return found


@pytest.mark.parametrize(
    ("now", "next_one"),
    [
        ("2026-11-06 16:59", FRIDAY),
        ("2026-11-06 17:00", FRIDAY),  # it cuts off at that instant
        ("2026-11-06 17:00:00.000001", NEXT),
        ("2026-11-13 12:00", NEXT),
    ],
)
def test_what_a_cut_off_has_passed_over_is_told_of_the_next_one(world: World, now: str, next_one: str) -> None:
    moment = moment_at(world, now)
    by = Question("money-at-risk", by=(Dimension.CUTOFF,))
    assert told(world, moment, by) == {next_one: 2, MONTH_END: 1, None: 2}


def test_behind_a_cut_off_are_its_cases_and_each_names_it(world: World) -> None:
    moment = moment_at(world, "2026-11-04 12:00")
    asker = Asker(world.store, world.catalogue, world.case.estate)
    for cutoff, cases in ((FRIDAY, ["T-2", "T-1"]), (MONTH_END, ["T-3"]), (None, ["O-1", "T-4"]), (NEXT, [])):
        question = Question("money-at-risk", only={Dimension.CUTOFF: cutoff})
        found = Finder(world.store, asker, world.case.estate).find(question, Wanted(), moment)
        assert names(found) == cases
        assert {each.observation.dimensions[Dimension.CUTOFF] for each in found} <= {cutoff}
        assert told(world, moment, question) == {"all": len(cases)}


def test_it_is_not_told_beside_the_customer_whose_cells_do_not_know_it(world: World) -> None:
    moment = moment_at(world, "2026-11-04 12:00")
    with pytest.raises(NotTold, match="are told apart"):
        told(world, moment, Question("money-at-risk", by=(Dimension.CUTOFF, Dimension.CUSTOMER)))
