"""What is no longer kept leaves, and nothing that stays is changed by it."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.changes import position_of
from lineage.engine import Engine
from lineage.generations import STORE_FILE, next_path
from lineage.rebuild import rebuild
from lineage.run import Subject, open_engine
from lineage.seen import PackedSeen
from tests.cases.processes.test_every_process import ESTATE as YEARS
from tests.cases.processes.test_every_process import MONDAY, STORIES, event_of, heartbeats
from tests.guarantees.firm import ESTATE, happened
from tests.guarantees.shown import ALL, DEFAULTS, PACK, Shown, arrive, case_documents, show, snapshot_of
from tests.guarantees.weeks import BEGAN, DAYS, moments, weeks
from tests.identity_model.worlds import Arrival, World, arrivals, seeds
from tests.story.test_guarantee_rebuild import Standing, quiet
from tests.unit.lineage.adapter import counted, found, settle, tick
from tests.unit.lineage.test_changes import follow
from throughline.core.event import Event, FieldValue, content_digest
from throughline.core.instants import DAY, HOUR, parse_instant

some = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
keeps = st.sampled_from((0, 0, 0, HOUR, DAY, 3 * DAY, DAYS * DAY))
PERIOD = 28 * DAY
OVER = ("done", "ended", "not_applicable")


def shown(engine: Engine, now: int) -> Shown:
    settle(engine, now)
    tick(engine, now)
    return show(engine, snapshot_of(engine, PACK, ESTATE, DEFAULTS, now), ESTATE)


def sweep(engine: Engine, now: int, data: Path | None = None) -> tuple[int, int]:
    """Do a whole sweep; return how many cases and events it removed. ``data``: the folder of those who follow."""
    cases = events = 0
    while (counted := engine.retain(now, data)) is not None:
        cases += counted.cases
        events += counted.events
    return cases, events


@some
@given(weeks(most_events=20, most_statements=2), moments, seeds, keeps)
def test_a_sweep_changes_nothing_that_stays(week: World, now: int, seed: int, keep: int) -> None:
    limits = dataclasses.replace(DEFAULTS, keep=keep)
    with closing(arrive(arrivals(week, seed), PACK, ESTATE, limits, [now])) as engine:
        before = shown(engine, now)
        sweep(engine, now)
        after = shown(engine, now)
    assert after.cases.items() <= before.cases.items()
    for case in before.cases.keys() - after.cases.keys():
        document: dict[str, Any] = json.loads(before.cases[case])
        assert document["state"] in OVER or document["synthetic"] or document["state"] == "provisional"
        assert all(parse_instant(member["received"]) <= now - keep for member in document["members"])


@some
@given(weeks(most_events=24, most_statements=2), moments, seeds, keeps)
def test_a_store_that_was_swept_is_made_anew_the_same(week: World, now: int, seed: int, keep: int) -> None:
    steps = arrivals(week, seed)
    half = len(steps) // 2
    limits = dataclasses.replace(DEFAULTS, keep=keep)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with closing(arrive(steps[:half], PACK, ESTATE, limits, [now], str(data / STORE_FILE))) as engine:
            sweep(engine, now)
            for step in steps[half:]:
                _arrive(engine, step, now)
            sweep(engine, now + DAY)
            before = shown(engine, now + DAY)
        path = next_path(data)
        subject = Subject(data, PACK, ESTATE, limits, Standing(now + DAY))
        rebuild(subject, path, quiet)
        with closing(open_engine(subject, path)) as engine:
            assert shown(engine, now + DAY) == before


def _arrive(engine: Engine, step: Arrival, now: int) -> None:
    if step.events:
        engine.fold(step.events, now)
    engine.state(step.statements, now)


def test_a_case_leaves_once_those_who_follow_have_seen_it_as_it_stands(tmp_path: Path) -> None:
    """Else a figure would keep it as they saw it last: nobody can look at it later."""
    with closing(Engine.open(":memory:", PACK, ESTATE, DEFAULTS)) as engine:
        engine.fold([happened("e1", "time.submitted", BEGAN, time_entry="T1")], BEGAN)
        seen = position_of(engine.store)
        engine.fold([happened("e2", "time.cancelled", BEGAN, time_entry="T1")], BEGAN)
        tick(engine, BEGAN + 13_000 * DAY)
        follow(tmp_path, seen)
        assert sweep(engine, BEGAN + 13_000 * DAY, tmp_path) == (0, 0)
        follow(tmp_path, position_of(engine.store))
        assert sweep(engine, BEGAN + 13_001 * DAY, tmp_path) == (1, 2)


def test_a_clock_that_is_decades_ahead_lets_a_month_go_at_most() -> None:
    with closing(Engine.open(":memory:", PACK, ESTATE, DEFAULTS)) as engine:
        for number in range(12):
            at = BEGAN + number * PERIOD
            engine.fold([happened(f"e{number}", "time.cancelled", at, time_entry=f"T{number}")], at)
        tick(engine, BEGAN + 12 * PERIOD)
        assert sweep(engine, BEGAN + 12 * PERIOD) == (0, 0)
        assert sweep(engine, BEGAN + 13_000 * DAY) == (2, 2)
        assert sweep(engine, BEGAN + 13_000 * DAY) == (0, 0)
        assert sweep(engine, BEGAN + 12 * PERIOD + HOUR) == (0, 0)


def test_what_leaves_is_counted_no_more() -> None:
    """Two time entries that are cancelled, and a document that nobody claims, in two processes."""
    with closing(Engine.open(":memory:", PACK, ESTATE, DEFAULTS)) as engine:
        for number in "12":
            engine.fold(
                [
                    happened(f"s{number}", "time.submitted", BEGAN, time_entry=f"T{number}"),
                    happened(f"r{number}", "billing.released", BEGAN, time_entry=f"T{number}", billing_event="B1"),
                    happened(f"c{number}", "time.cancelled", BEGAN, time_entry=f"T{number}"),
                ],
                BEGAN,
            )
        engine.fold([happened("r", "billing.released", BEGAN, erp_document="D1", billing_event="B1")], BEGAN)
        now = BEGAN + DEFAULTS.keep + DAY
        tick(engine, now)
        left, _ = sweep(engine, now)
        assert left == 4
        assert counted(engine) == found(engine)


# Two years of the firm: every story of every process once in four weeks.

PERIODS = 26
TOLD = [
    event_of(line, story.common, number) for story in STORIES for number, line in enumerate(story.written["events"])
]
WHOSE = [index for index, story in enumerate(STORIES) for _ in story.written["events"]]
COMMON = {"customer", "worker", "cost_centre"}  # keys that stay the same over the years


def period(number: int) -> list[Event]:
    """Return what happens in one period: the stories with records of their own, and the sources' signs of life."""
    end = MONDAY + (number + 2) * PERIOD
    beats = [
        msgspec.structs.replace(each, id=f"{each.id} {number}", time=end, received=end) for each in heartbeats({}, end)
    ]
    return [later(event, number, f"{number}s{story}") for event, story in zip(TOLD, WHOSE, strict=True)] + beats


def later(event: Event, number: int, mark: str) -> Event:
    moved = msgspec.structs.replace(
        event,
        id=f"{event.id} {mark}",
        time=event.time + number * PERIOD,
        received=event.received + number * PERIOD,
        instance=f"{event.system}-1",
        fields={name: marked(name, value, mark) for name, value in event.fields.items()},
        amounts=None if event.amounts is None else {f"{name}-{mark}": each for name, each in event.amounts.items()},
        relations=[
            msgspec.structs.replace(each, from_value=f"{each.from_value}-{mark}", to_value=f"{each.to_value}-{mark}")
            for each in event.relations
        ],
    )
    return msgspec.structs.replace(moved, digest=content_digest(moved))


def marked(name: str, value: FieldValue, mark: str) -> FieldValue:
    if name not in PACK.key_types or name in COMMON:
        return value
    return [f"{each}-{mark}" for each in value] if isinstance(value, list) else f"{value}-{mark}"


class Years:
    """Two engines that hear the same: one that keeps all, and one that keeps a period of thirteen months."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.whole = Engine.open(":memory:", PACK, YEARS, dataclasses.replace(DEFAULTS, keep=100 * 365 * DAY))
        self.engine = Engine.open(data / STORE_FILE, PACK, YEARS, DEFAULTS)
        self.now = 0
        self.kept: list[int] = []

    def pass_(self, number: int) -> None:
        self.now = MONDAY + (number + 2) * PERIOD
        for engine in (self.whole, self.engine):
            engine.fold(period(number), self.now)
            settle(engine, self.now)
            tick(engine, self.now)
        sweep(self.engine, self.now)
        self.kept.append(known(self.engine))

    def close(self) -> None:
        self.whole.close()
        self.engine.close()


def count(engine: Engine, table: str) -> int:
    return engine.store.rows(f"SELECT count(*) FROM {table}")[0][0]


def known(engine: Engine) -> int:
    """Return how many events count."""
    return sum(1 for _ in PackedSeen(engine.store.connection).rows())


def documents(engine: Engine, now: int) -> dict[tuple[str, str], bytes]:
    return case_documents(snapshot_of(engine, PACK, YEARS, DEFAULTS, now))


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Years]:
    two = Years(tmp_path_factory.mktemp("years"))
    for number in range(PERIODS):
        two.pass_(number)
    yield two
    two.close()


def test_over_two_years_what_stays_is_what_it_would_be_if_all_were_kept(years: Years) -> None:
    whole, kept = documents(years.whole, years.now), documents(years.engine, years.now)
    assert kept.items() <= whole.items()
    gone = [json.loads(whole[case]) for case in whole.keys() - kept.keys()]
    assert {document["state"] for document in gone} == {"done", "ended", "not_applicable", "provisional"}
    long_ago = years.now - DEFAULTS.keep
    for document in map(json.loads, kept.values()):
        members = [parse_instant(member["received"]) for member in document["members"]]
        assert document["state"] == "open" or max(members) > long_ago or document["expects"], document["name"]


def test_what_no_case_has_that_stays_leaves_with_its_keys(years: Years) -> None:
    kept = documents(years.engine, years.now).values()
    held = {(each["source"], each["event_id"]) for document in kept for each in json.loads(document)["members"]}
    store = years.engine.store
    old = years.now - DEFAULTS.keep - PERIOD  # a sweep ends at the first block of which all is recent
    stored = store.standing(dict(store.events_after(0)))
    assert len(stored) == known(years.engine) < known(years.whole)
    assert not [event for event in stored.values() if event.received <= old and (event.source, event.id) not in held]
    assert count(years.engine, "value") < count(years.whole, "value") * 0.9


def test_what_left_and_comes_again_is_set_aside_and_changes_nothing(years: Years) -> None:
    before, events = documents(years.engine, years.now), known(years.engine)
    again = period(0)
    years.engine.fold(again, years.now)
    assert documents(years.engine, years.now) == before
    assert known(years.engine) == events
    set_aside = years.engine.store.other_contents_after(b"", b"", ALL)
    assert {event.id for _, event in set_aside} < {event.id for event in again}
    assert years.engine.too_old == len(set_aside) > len(again) // 4


def test_a_rebuild_after_two_years_gives_the_same(years: Years) -> None:
    path = next_path(years.data)
    subject = Subject(years.data, PACK, YEARS, DEFAULTS, Standing(years.now))
    assert rebuild(subject, path, quiet).total == 0
    with closing(open_engine(subject, path)) as anew:
        assert documents(anew, years.now) == documents(years.engine, years.now)
        assert sweep(anew, years.now) == (0, 0)
        assert known(anew) == known(years.engine)
        for table in ("retired", "cases", "posted", "edge", "near", "waiting", "other_content"):
            assert count(anew, table) == count(years.engine, table), table
        assert anew.store.counters()["instances"] == years.engine.store.counters()["instances"]
        assert anew.store.counters()["instances"] == years.whole.store.counters()["instances"]


def test_history_is_taken_in_though_no_more_is_kept_of_its_time(years: Years) -> None:
    story = next(index for index, each in enumerate(STORIES) if each.name == "time that is billed and paid")
    case = ("time-to-bill", f"time_entry\x1fT1-0s{story}")
    assert case not in documents(years.engine, years.now)
    told = [each for each in period(0) if each.id.endswith(f" 0s{story}")]
    years.engine.fold([msgspec.structs.replace(each, history=True) for each in told], years.now)
    settle(years.engine, years.now)
    assert documents(years.engine, years.now)[case] == documents(years.whole, years.now)[case]
