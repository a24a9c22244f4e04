"""Pages of signals: each of them once, readings as lists show them, chances of as much open work as a page bears."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from kpis.ask import Asker
from kpis.behind import Finder
from kpis.declaration import Dimension
from kpis.latest import Latest
from kpis.risk import Assessor
from kpis.scratch import moment_of
from kpis.signal_pages import Page, Signals, Stage, Wanted
from kpis.store import KpiWriter, open_kpi_writer, transaction
from lineage.fact import Watermark
from tests.unit.kpis.golden import FOLDER, event, golden
from tests.unit.kpis.test_keeping import World
from throughline.core.instants import parse_instant
from throughline.core.signal import Signal, SignalKind

ALL = Wanted(frozenset(SignalKind), None, ())
RISKS = ALL._replace(kinds=frozenset({SignalKind.RISK}))
OPEN = 5
DONE = [
    line
    for n in range(30)
    for line in (
        f"2026-11-02 08:{n:02} time.approved D-{n}",
        # Half of them take ten minutes, and the others twenty, which is too long: fifteen are wanted.
        f"2026-11-02 08:{n + 10 + n % 2 * 10:02} time.posted D-{n} system=erp",
    )
]
STILL = [f"2026-11-02 09:5{n} time.approved O-{n} amount={n}00 currency=EUR" for n in range(OPEN)]


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    kpis: KpiWriter = open_kpi_writer(tmp_path / "kpis.db")
    with closing(kpis.connection):
        case = golden(FOLDER / "sla-adherence.yaml")
        world = World(case, kpis)
        world.fold([event(n, line, "time_entry", "UTC") for n, line in enumerate([*DONE, *STILL])])
        world.follow()
        with world.snapshot() as snapshot, transaction(kpis):
            latest = Latest(Asker(kpis, world.catalogue, case.estate), world.catalogue, case.estate)
            kpis.put_latest(latest.documents(moment_of(snapshot, case.estate)))
        yield world


def page(world: World, wanted: Wanted, begin: Stage | None = None, limit: int = 100) -> Page:
    with world.snapshot() as snapshot:
        return Signals(world.store, snapshot, world.catalogue, world.case.estate).page(wanted, begin, limit)


def every(world: World, wanted: Wanted, limit: int) -> list[Signal]:
    """Return all signals, page by page."""
    found, begin = list[Signal](), None
    for _ in range(100):
        made = page(world, wanted, begin, limit)
        found += made.signals
        begin = made.next
        assert len(made.signals) <= limit
        if begin is None:
            return found
    raise AssertionError("the list has no end")


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_every_signal_is_on_one_page(world: World, limit: int) -> None:
    found = every(world, ALL, limit)
    assert [each.kind for each in found] == [SignalKind.READING, *[SignalKind.RISK] * OPEN]
    assert len({each.subject for each in found}) == 1 + OPEN


def test_a_reading_is_the_one_that_lists_show_and_apart_it_is_read_from_roll_ups(world: World) -> None:
    (whole,) = every(world, ALL._replace(kinds=frozenset({SignalKind.READING})), 10)
    assert whole.value == Decimal("0.5")  # of thirty that are decided
    (apart,) = every(world, ALL._replace(kinds=frozenset({SignalKind.READING}), by=(Dimension.FLOW,)), 10)
    assert (apart.of, apart.value, apart.evidence.count) == ({Dimension.FLOW: "psa-erp-time"}, whole.value, 30)
    assert every(world, ALL._replace(kinds=frozenset({SignalKind.READING}), by=(Dimension.CUSTOMER,)), 10) == []


def test_chances_are_those_of_the_open_work_the_greatest_first(world: World) -> None:
    found = every(world, RISKS, 100)
    chances = [each.value for each in found]
    assert chances == sorted(chances, key=lambda each: -(each or 0))
    by_name = {each.case.name: each for each in found if each.case is not None}
    assert set(by_name) == {f"O-{n}" for n in range(OPEN)}
    # O-0 is open after ten minutes, as only those are that take twenty. O-4 has been for six, as were all: at ten 31 of
    # these are watched (O-0 is one of them), of which 15 end, so 16 of 31 take longer.
    assert (by_name["O-0"].value, by_name["O-4"].value) == (Decimal(1), Decimal("0.516129"))
    assert by_name["O-4"].evidence.count == 35
    assert (by_name["O-3"].evidence.amount, by_name["O-3"].evidence.currency) == (Decimal(300), "EUR")


def test_open_work_beyond_what_a_page_bears_is_not_looked_at_and_that_is_said(world: World) -> None:
    asker = Asker(world.store, world.catalogue, world.case.estate)
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, world.case.estate)
    assessor = Assessor(asker, Finder(world.store, asker, world.case.estate))
    all_of_it = assessor.assess("sla-adherence", {}, moment)
    assert assessor.assess("sla-adherence", {}, moment, 35) == all_of_it
    some = assessor.assess("sla-adherence", {}, moment, 34)
    assert (len(all_of_it.open), all_of_it.whole, some.whole) == (OPEN, True, False)
    assert len(some.open) < OPEN


class ToldUpTo(NamedTuple):
    """What is seen of sources of which all have told up to one time, and nothing since."""

    at: int

    def watermark(self, roles: tuple[str, ...], legal_entity: str | None) -> Watermark:
        del roles, legal_entity
        return Watermark(self.at, "/erp", None, True)


def test_work_whose_system_tells_nothing_may_have_been_done_and_has_missed_nothing_that_anybody_knows(
    world: World,
) -> None:
    """At 10:20 all that began from 09:50 on was due; the ERP was last heard of at 09:56, when the oldest was six
    minutes old: of all others half took longer than the fifteen that are wanted."""
    asker = Asker(world.store, world.catalogue, world.case.estate)
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, world.case.estate)
    assessor = Assessor(asker, Finder(world.store, asker, world.case.estate))
    now, told = parse_instant("2026-11-02T10:20:00Z"), parse_instant("2026-11-02T09:56:00Z")
    heard = assessor.assess("sla-adherence", {}, replace(moment, now=now, sight=ToldUpTo(now)))
    assert (heard.open, heard.missed) == ([], OPEN)
    blind = assessor.assess("sla-adherence", {}, replace(moment, now=now, sight=ToldUpTo(told)))
    assert blind.missed == 0
    assert [each.chance and each.chance.share for each in blind.open] == [0.5] * OPEN
    assert {each.behind.seen_to for each in blind.open} == {told}
    assert [each.behind.seconds for each in blind.open] == [60 * minutes for minutes in (30, 29, 28, 27, 26)]


def test_of_a_kpi_without_a_deadline_there_are_no_chances(world: World) -> None:
    assert page(world, RISKS._replace(names=frozenset({"billing-readiness-lag"}))) == Page([], [], None)
