"""Of days before anything was known, and of days to come, nobody can say that nothing happened: no answer, never 0."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.ask import Asker, Every, Question, Window
from kpis.catalogue import Catalogue
from kpis.codec import encode_place
from kpis.declaration import Dimension
from kpis.keep import Keeper
from kpis.publish import Publisher
from kpis.reading import NO_DATA, Answer, Pace
from kpis.scratch import moment_of
from kpis.spot import Grain
from kpis.store import KpiWriter, open_kpi_writer
from tests.unit.kpis.golden import CATALOGUE, DEFINITIONS, FOLDER, event, golden, instant
from tests.unit.kpis.test_keeping import World
from throughline.core.estate import read_estate
from throughline.core.yaml_file import YamlDocument

NOW = "2026-11-20 12:00"


@pytest.fixture
def store(tmp_path: Path) -> Generator[KpiWriter]:
    kpis = open_kpi_writer(tmp_path / "kpis.db")
    with closing(kpis.connection):
        yield kpis


def world_of(name: str, store: KpiWriter) -> World:
    world = World(golden(FOLDER / f"{name}.yaml")._replace(now=instant(NOW, "UTC")), store)
    world.fold(world.case.events)
    world.follow()
    return world


def asker_of(world: World) -> Asker:
    return Asker(world.store, world.catalogue, world.case.estate)


@pytest.mark.parametrize("name", ["throughput", "revenue-leakage"])
def test_a_window_that_nobody_saw_has_no_answer(name: str, store: KpiWriter) -> None:
    world = world_of(name, store)
    before, after = Window(date(2026, 8, 1), date(2026, 8, 31)), Window(date(2026, 12, 1), date(2026, 12, 31))
    quiet = Window(date(2026, 11, 18), date(2026, 11, 19))
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, world.case.estate)
    readings = {
        window: asker_of(world).ask(Question(name, window), moment).parts[0].readings[()]
        for window in (before, quiet, after)
    }
    assert readings[quiet].answer is not None  # it was watched, and nothing happened
    for window in (before, after):
        assert (readings[window].answer, readings[window].why_not) == (None, NO_DATA)
    whole = Window(before.first, quiet.last)
    with world.snapshot() as snapshot:
        parts = asker_of(world).ask(Question(name, whole, every=Every.MONTH), moment_of(snapshot, world.case.estate))
    assert parts.parts[0].readings[()].answer is None
    assert parts.parts[-1].readings[()].answer is not None


@given(st.integers(0, 400), st.integers(0, 17), st.booleans())
@settings(max_examples=40)
def test_days_that_nobody_watched_make_no_throughput_lower(before: int, since: int, monthly: bool) -> None:
    """However many of them a window has, what is done an hour is what was done over the hours that were watched."""
    with TemporaryDirectory() as folder, closing((store := open_kpi_writer(Path(folder) / "kpis.db")).connection):
        world = world_of("throughput", store)
        begun, last = date(2026, 11, 2), date(2026, 11, 19)
        windows = Window(begun - timedelta(days=before), last), Window(begun + timedelta(days=since), last)
        with world.snapshot() as snapshot:
            moment = moment_of(snapshot, world.case.estate)
        every = Every.MONTH if monthly else None
        for window in windows:
            (*_, part) = asker_of(world).ask(Question("throughput", window, every=every), moment).parts
            answer = part.readings[()].answer
            assert isinstance(answer, Pace)
            watched = (last - max(begun, window.first)).days + 1
            assert answer.per_hour == pytest.approx(answer.records / (24 * watched))
            assert answer.records == (3 if window.first <= begun else 0)


KNOWN = ("throughput", "sync-latency", "unbilled-approved-value")
"""What passes flows, what waits to pass them, and what is published from the first day on, whatever is known."""
OLD = "2025-11-12 09:00 time.approved T-99 received='2026-11-12 11:50'"
POSTED = [f"2026-11-12 11:30 time.posted T-{n} system=erp" for n in range(24)]


def approved(day: int) -> list[str]:
    return [f"2026-11-{day:02} 09:00 time.approved T-{n}" for n in range(24)]


def watched(store: KpiWriter, *told: tuple[str, list[str]], firm: dict[str, str] | None = None) -> World:
    """Return a world in which time went on: at each time something is told, followed and published."""
    world = World(golden(FOLDER / "throughput.yaml")._replace(now=instant(told[0][0], "UTC")), store)
    estate = read_estate(YamlDocument("estate", {"firm": firm or {}}, {}, {}))
    world.declare(world.case.declaration, estate)
    world.catalogue = Catalogue({name: CATALOGUE.kpis[name] for name in KNOWN}, {})
    world.keeper = Keeper(store, world.catalogue, DEFINITIONS, estate)
    with world.snapshot() as snapshot:
        world.keeper.begin(snapshot)
    ids = count()
    for now, lines in told:
        world.case = world.case._replace(now=instant(now, "UTC"))
        world.fold([event(next(ids), line, "time_entry", "UTC") for line in lines])
        world.follow()
        publisher = Publisher(store, asker_of(world), world.catalogue)
        with world.snapshot() as snapshot:
            while publisher.publish(moment_of(snapshot, estate)):
                pass
    return world


def passed(world: World, first: date, last: date) -> Answer | None:
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, world.case.estate)
    (part,) = asker_of(world).ask(Question("throughput", Window(first, last)), moment).parts
    return part.readings[()].answer


def test_a_flow_that_stood_still_passed_fewer_an_hour(store: KpiWriter) -> None:
    """What waited to pass was known since the 2nd; nothing did before the 12th."""
    world = watched(store, ("2026-11-02 12:00", approved(2)), ("2026-11-12 12:00", POSTED))
    hours = 10 * 24 + 12
    assert passed(world, date(2026, 10, 14), date(2026, 11, 12)) == Pace(24, 24 / hours, hours)
    assert passed(world, date(2026, 11, 3), date(2026, 11, 4)) == Pace(0, 0, 48)
    assert passed(world, date(2026, 10, 31), date(2026, 11, 1)) is None
    figures = {row.day: row.value for row in store.published("throughput") if row.every == "day"}
    assert figures == {date(2026, 11, day).toordinal(): "0" for day in range(2, 11)}


def test_what_is_told_late_says_nothing_of_when_watching_began(store: KpiWriter) -> None:
    """An entry that was approved a year ago waits for the ERP, as is told on the 12th."""
    world = watched(store, ("2026-11-02 12:00", approved(2)), ("2026-11-12 12:00", [OLD, *POSTED]))
    answer = passed(world, date(2025, 11, 1), date(2026, 11, 12))
    assert isinstance(answer, Pace)
    assert answer.hours == 10 * 24 + 12


def test_no_hour_counts_before_anything_waited_to_pass(store: KpiWriter) -> None:
    """Other things were watched since the 2nd; of work that could pass, the first was known on the 6th."""
    told = ("2026-11-02 12:00", list[str]()), ("2026-11-06 12:00", approved(6)), ("2026-11-12 12:00", POSTED)
    answer = passed(watched(store, *told), date(2026, 10, 14), date(2026, 11, 12))
    assert isinstance(answer, Pace)
    assert answer.hours == 6 * 24 + 12


@pytest.mark.parametrize(("since", "hours"), [("2026-11-05T08:00:00Z", 7 * 24 + 12), ("2026-10-01T00:00:00Z", 252)])
def test_the_firm_may_say_from_when_on_all_was_sent(store: KpiWriter, since: str, hours: int) -> None:
    """All of it is told on the 12th, as history; without a word of the firm's, watching began on that day."""
    told = "2026-11-12 12:00", [*approved(2), *POSTED]
    answer = passed(watched(store, told, firm={"watched_since": since}), date(2026, 10, 14), date(2026, 11, 12))
    assert isinstance(answer, Pace)
    assert answer.hours == hours


def test_periods_that_are_planned_say_nothing_of_when_watching_began(store: KpiWriter) -> None:
    """Hours of a week in August are known, as they were planned; whether anything leaked then nobody knows."""
    world = world_of("revenue-leakage", store)
    planned = CATALOGUE.kpis["utilisation-forecast-variance"]
    asker = Asker(store, Catalogue({**world.catalogue.kpis, planned.name: planned}, {}), world.case.estate)
    leakage = world.case.declaration
    _, version = asker.declared(leakage.name)
    first = asker.begun(leakage, version)
    assert first == date(2026, 10, 7)  # the first day on which anything was given up
    (place, content), *_ = store.cells(version.number, Grain.DAY, first.toordinal(), None).items()
    store.connection.execute(
        "INSERT INTO version (number, kpi, version, digest, since, complete) VALUES (99, ?, '1', '', 0, 1)",
        [planned.name],
    )
    store.connection.execute(
        "INSERT INTO cell (kpi, grain, day, place, stands, content) VALUES (99, ?, ?, ?, 0, ?)",
        [int(Grain.DAY), date(2026, 8, 3).toordinal(), encode_place(place), content],
    )
    assert asker.begun(leakage, version) == first


def test_nothing_is_published_of_days_before_anything_was_known(store: KpiWriter) -> None:
    world = world_of("revenue-leakage", store)
    publisher = Publisher(store, asker_of(world), world.catalogue)
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, world.case.estate)
    while publisher.publish(moment):
        pass
    days = [row.day for row in store.published("revenue-leakage") if row.every == "day"]
    assert min(days) == date(2026, 10, 7).toordinal()  # the first day on which anything was given up


def test_a_region_that_nothing_is_told_of_has_a_reading_without_an_answer(store: KpiWriter) -> None:
    world = world_of("revenue-leakage", store)
    question = Question(
        "revenue-leakage", Window(date(2026, 11, 1), date(2026, 11, 20)), only={Dimension.REGION: "GCC"}
    )
    with world.snapshot() as snapshot:
        (part,) = asker_of(world).ask(question, moment_of(snapshot, world.case.estate)).parts
    assert [(values, each.answer, each.why_not) for values, each in part.readings.items()] == [((), None, NO_DATA)]
