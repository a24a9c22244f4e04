"""The readings that metrics show: by one dimension at a time, whose values are closed."""

from __future__ import annotations

from kpis.ask import Asker
from kpis.declaration import Dimension
from kpis.latest import Latest
from kpis.reading import Stock
from tests.unit.kpis.test_cycle import moment_at, world
from tests.unit.kpis.test_keeping import World

__all__ = ["world"]


def records_by(world: World, dimension: Dimension) -> dict[str | None, int]:
    moment = moment_at(world, "2026-11-04 12:00")
    latest = Latest(Asker(world.store, world.catalogue, world.case.estate), world.catalogue, world.case.estate)
    found: dict[str | None, int] = {}
    for each in latest.current(moment):
        if each.kpi.name == "money-at-risk" and list(each.values) == [dimension]:
            assert isinstance(each.reading.answer, Stock)
            found[each.values[dimension]] = each.reading.answer.records
    return found


def test_a_cut_off_is_told_by_its_name_as_each_next_one_would_be_another_series(world: World) -> None:
    """Two of it are due on Friday and one at the end of the month; what no cut-off is before is of none."""
    assert records_by(world, Dimension.CUTOFF) == {"billing": 3}


def test_what_nobody_says_is_told_and_what_there_is_none_of_is_not(world: World) -> None:
    assert records_by(world, Dimension.LEGAL_ENTITY) == {None: 5}
    assert records_by(world, Dimension.PROCESS) == {"time-to-bill": 4, "opportunity-to-project": 1}
    assert records_by(world, Dimension.FLOW) == {}
