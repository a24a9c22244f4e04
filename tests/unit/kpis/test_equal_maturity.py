"""At equal maturity each window is read as it stood as long after its end as the last one is old by now."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from kpis.ask import Asker, Every, Question, Window
from kpis.declaration import Headline
from kpis.reading import OTHERWISE, Beside, Lag
from kpis.scratch import moment_of
from kpis.store import KpiWriter, open_kpi_writer
from kpis.survival import Reached
from tests.unit.kpis.golden import FOLDER, event, golden, instant
from tests.unit.kpis.test_keeping import World

# Read on Wednesday the 18th at noon, two and a half days after the second week: so is the first, on the 11th at noon.
EVENTS = """\
2026-11-02 10:00 time.approved A region=EMEA
2026-11-03 10:00 billing.released A system=erp
2026-11-02 10:00 time.approved B region=EMEA
2026-11-12 10:00 billing.released B system=erp
2026-11-02 10:00 time.approved C region=EMEA
2026-11-03 11:00 time.cancelled C
2026-11-02 10:00 time.approved D region=EMEA
2026-11-12 11:00 time.written_off D
2026-11-09 10:00 time.approved E region=EMEA
"""


@pytest.fixture
def store(tmp_path: Path) -> Generator[KpiWriter]:
    kpis = open_kpi_writer(tmp_path / "kpis.db")
    with closing(kpis.connection):
        yield kpis


def test_what_ended_later_is_open_in_the_figure_and_beside_it(store: KpiWriter) -> None:
    zone = "Europe/Berlin"
    events = [event(number, line, "time_entry", zone) for number, line in enumerate(EVENTS.splitlines())]
    case = golden(FOLDER / "billing-readiness-lag.yaml")._replace(events=events, now=instant("2026-11-18 12:00", zone))
    world = World(case, store)
    world.fold(case.events)
    world.follow()
    asker = Asker(store, world.catalogue, case.estate)
    weeks = Window(date(2026, 11, 2), date(2026, 11, 15))
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, case.estate)
    told = {
        equal: asker.ask(Question(case.declaration.name, weeks, Every.WEEK, equal_maturity=equal), moment).parts
        for equal in (False, True)
    }
    now, then = (parts[0].readings[()] for parts in told.values())
    assert now.beside == Beside(4, 2, 0, {"cancelled": 1, "written_off": 1}, {})
    assert told[True][0].as_of == instant("2026-11-11 12:00", zone)
    assert then.beside == Beside(4, 1, 2, {OTHERWISE: 1}, {})
    assert isinstance(now.answer, Lag)
    assert isinstance(then.answer, Lag)
    assert now.answer.quantiles[Headline.MEDIAN] == Reached(8 * 30_600)  # B took eight business days
    assert then.answer.quantiles[Headline.MEDIAN] == Reached(6 * 30_600 + 10_800, beyond=True)
    assert told[True][1].readings[()].beside == told[False][1].readings[()].beside == Beside(1, 0, 1, {}, {})
