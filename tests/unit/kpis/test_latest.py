"""The readings that metrics show: by one dimension at a time, whose values are closed."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

import msgspec

from kpis.ask import Asker
from kpis.declaration import Dimension
from kpis.documents import ComparedDocument, FigureDocument, LatestDocument
from kpis.latest import Current, Latest
from kpis.publish import Publisher
from kpis.reading import Stock, Variance
from kpis.store import open_kpi_writer, transaction
from tests.unit.kpis.golden import DEFINITIONS, FOLDER, event, golden
from tests.unit.kpis.test_cycle import moment_at, world
from tests.unit.kpis.test_keeping import World
from throughline.core.estate import read_estate
from throughline.core.yaml_file import YamlDocument

__all__ = ["world"]


def current(world: World, at: str) -> list[Current]:
    return latest_of(world).current(moment_at(world, at))


def latest_of(world: World) -> Latest:
    return Latest(Asker(world.store, world.catalogue, world.case.estate), world.catalogue, world.case.estate)


def records_by(world: World, dimension: Dimension) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for each in current(world, "2026-11-04 12:00"):
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


def test_what_is_told_of_months_is_there_until_the_next_one_is(tmp_path: Path) -> None:
    """Actuals of October come in November: a month counts on its first day, which 30 days do not reach."""
    with closing((store := open_kpi_writer(tmp_path / "kpis.db")).connection):
        world = World(golden(FOLDER / "forecast-accuracy.yaml"), store)
        world.fold(world.case.events)
        world.follow()
        for at in ("2026-11-10 09:00", "2026-12-05 09:00"):
            whole = next(each for each in current(world, at) if not each.values)
            assert isinstance(whole.reading.answer, Variance)
            assert whole.reading.answer.matched == 2
            assert whole.days == 92


def test_what_is_matched_by_month_is_told_of_as_many_days(tmp_path: Path) -> None:
    """October counts on the 1st, and what was worked in it is approved in November."""
    case = golden(FOLDER / "utilisation-forecast-variance.yaml")
    lines = (
        "2026-10-05 10:00 assignment.confirmed R-1 system=scheduling worker=W-1 assignment=A-1 planned_hours=100",
        "2026-10-30 17:00 time.submitted - time_entry=T-1 worker=W-1 worked_on=2026-10-15 hours=90",
        "2026-11-02 09:00 time.approved - time_entry=T-1",
    )
    name_key = DEFINITIONS.processes["staffing"].name_key
    formula = dataclasses.replace(case.declaration.formula, match=("worker", "month"))
    with closing((store := open_kpi_writer(tmp_path / "kpis.db")).connection):
        world = World(case._replace(declaration=dataclasses.replace(case.declaration, formula=formula)), store)
        world.fold([event(number, line, name_key, "UTC") for number, line in enumerate(lines)])
        world.follow()
        for at in ("2026-11-10 09:00", "2026-12-05 09:00"):
            whole = next(each for each in current(world, at) if not each.values)
            assert isinstance(whole.reading.answer, Variance)
            assert (whole.reading.answer.matched, whole.days) == (1, 92)


def test_what_stands_is_told_beside_how_it_stood_thirty_days_before(world: World) -> None:
    def compared(at: str) -> ComparedDocument | None:
        content = latest_of(world).documents(moment_at(world, at))["money-at-risk"]
        return msgspec.json.decode(content, type=LatestDocument).compared

    asker = Asker(world.store, world.catalogue, world.case.estate)
    Publisher(world.store, asker, world.catalogue).publish(moment_at(world, "2026-11-04 12:00"))
    assert compared("2026-11-04 12:00") is None  # nobody published how it stood in October
    found = compared("2026-12-04 12:00")
    assert found is not None
    assert (found.before.value, found.before.currency, found.before.standing) == ("11111.00", "EUR", "bad")
    assert (found.first, found.last) == ("2026-11-04", "2026-11-04")


def test_what_stood_keeps_its_currency_and_is_held_against_no_target_in_another_one(world: World) -> None:
    def before(at: str) -> FigureDocument:
        content = latest_of(world).documents(moment_at(world, at))["money-at-risk"]
        compared = msgspec.json.decode(content, type=LatestDocument).compared
        assert compared is not None
        return compared.before

    asker = Asker(world.store, world.catalogue, world.case.estate)
    Publisher(world.store, asker, world.catalogue).publish(moment_at(world, "2026-11-04 12:00"))
    dollars = {
        "firm": {"reporting_currency": "USD"},
        "rates": [{"currency": "EUR", "rate": "1.1", "from": "2026-01-01"}],
    }
    world.declare(world.case.declaration, read_estate(YamlDocument("estate.yaml", dollars, {}, {})))
    found = before("2026-12-04 12:00")
    assert (found.value, found.currency, found.standing) == ("11111.00", "EUR", None)
    earlier = 'UPDATE published SET told_as = \'{"clock":"elapsed","unit":"money","headline":null}\''
    with transaction(world.store):
        world.store.connection.execute(earlier)
    found = before("2026-12-04 12:00")
    assert (found.value, found.currency, found.standing) == ("11111.00", None, None)
