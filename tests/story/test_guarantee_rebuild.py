"""G4: the same events, statements, definitions and estate give the same derived tables, when they are made anew."""

from __future__ import annotations

import dataclasses
import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from lineage.engine import Engine
from lineage.generations import STORE_FILE, next_path, point_to, store_path, tidy
from lineage.process import Definitions
from lineage.rebuild import Progress, rebuild
from lineage.run import Subject, open_engine
from tests.guarantees.firm import ESTATE, happened
from tests.guarantees.shown import DEFAULTS, PACK, Shown, arrive, show, snapshot_of
from tests.guarantees.story import Story
from tests.guarantees.weeks import BEGAN, moments, weeks
from tests.identity_model.worlds import Arrival, World, arrivals, seeds
from tests.unit.lineage.adapter import settle, tick
from throughline.core.instants import DAY, HOUR, format_instant
from throughline.core.statement import End, EventRef, Statement, Verb

some = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])

# Time entries that no document number finds: what only that tied to them falls apart.
ENTRY = PACK.processes["time-to-bill"]
NARROW = Definitions(
    {**PACK.processes, "time-to-bill": dataclasses.replace(ENTRY, aliases=())},
    PACK.key_types,
)


class Standing:
    """A clock that stands."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def describe(self) -> dict[str, str | int | float]:
        return {"mode": "standing"}


def quiet(_: Progress) -> None:
    pass


def subject(data: Path, now: int, definitions: Definitions = PACK) -> Subject:
    return Subject(data, definitions, ESTATE, DEFAULTS, Standing(now))


def fill(data: Path, steps: list[Arrival], now: int, passing: list[int]) -> Shown:
    """Let a week arrive at the store of a folder, and return what is shown then."""
    with closing(arrive(steps, PACK, ESTATE, DEFAULTS, [*passing, now], str(data / STORE_FILE))) as engine:
        return shown(engine, PACK, now)


def shown(engine: Engine, definitions: Definitions, now: int) -> Shown:
    settle(engine, now)
    tick(engine, now)
    return show(engine, snapshot_of(engine, definitions, ESTATE, DEFAULTS, now), ESTATE)


@some
@given(weeks(most_events=20, most_statements=3), moments, seeds)
def test_a_store_that_is_made_anew_shows_and_stores_the_same(week: World, now: int, seed: int) -> None:
    steps = arrivals(week, seed)
    passing = sorted(BEGAN + (now - BEGAN) * number // (len(steps) + 1) for number in range(len(steps)))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        before = fill(data, steps, now, passing)
        believed = beliefs(data / STORE_FILE)
        path = next_path(data)
        assert rebuild(subject(data, now), path, quiet).total == 0
        with closing(open_engine(subject(data, now), path)) as engine:
            assert shown(engine, PACK, now) == before
        assert beliefs(path) == believed


@some
@given(weeks(most_events=20, most_statements=0), moments, seeds)
def test_changed_keys_are_applied_to_the_past_as_if_they_had_always_stood(week: World, now: int, seed: int) -> None:
    steps = arrivals(week, seed)
    with closing(arrive(steps, NARROW, ESTATE, DEFAULTS, [now])) as engine:
        wanted = shown(engine, NARROW, now)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        fill(data, steps, now, [])
        rebuild(subject(data, now, NARROW), next_path(data), quiet)
        with closing(open_engine(subject(data, now, NARROW), data / "store-2.db")) as engine:
            assert shown(engine, NARROW, now) == wanted


def test_what_waited_at_a_carrier_is_cared_for_once_a_pair_that_a_person_stated_leads_to_it(tmp_path: Path) -> None:
    story = Story(tmp_path / STORE_FILE)
    story.at(format_instant(BEGAN))
    sent = story.happens("invoice.issued", invoice="I1", legal_entity="DE01")
    invoice = End("invoice", "I1", {"legal_entity": "DE01"})
    told = EventRef(sent.source, sent.id)
    story.state(linked(End("billing_event", "B1"), invoice, told))
    assert story.status()["counts"]["waiting"] == 1
    story.happens("billing.released", time_entry="T1", billing_event="B1")
    before = show(story.engine, story.snapshot(), ESTATE)
    story.close()
    path = next_path(tmp_path)
    rebuild(subject(tmp_path, BEGAN), path, quiet)
    with closing(open_engine(subject(tmp_path, BEGAN), path)) as engine:
        assert shown(engine, PACK, BEGAN) == before


def linked(a: End, b: End, event: EventRef) -> Statement:
    return Statement(
        verb=Verb.LINK,
        a=a,
        b=b,
        all=False,
        events=(event,),
        by="ana",
        authenticated=False,
        why="so",
        number=1,
        id="s1",
        at=BEGAN,
    )


def beliefs(path: Path) -> list[tuple[object, ...]]:
    with closing(Engine.open(path, PACK, ESTATE, DEFAULTS)) as engine:
        return engine.store.rows(
            "SELECT process, cases.name, kind, belief.step, round, opened_at, closed_at, closed_as"
            " FROM belief JOIN cases ON cases.id = case_id ORDER BY 1, 2, 3, 4, 5"
        )


def test_what_was_believed_and_since_when_outlives_a_rebuild(tmp_path: Path) -> None:
    story = Story(tmp_path / STORE_FILE)
    story.at(format_instant(BEGAN))
    story.happens("milestone.completed", milestone="M1")
    story.hear("/firm/psa")
    story.at(format_instant(BEGAN + 20 * DAY))
    story.hear("/firm/psa")
    (belief,) = story.beliefs("M1")
    story.close()
    later = BEGAN + 25 * DAY
    path = next_path(tmp_path)
    rebuild(subject(tmp_path, later), path, quiet)
    anew = Story(path)
    assert anew.beliefs("M1") == [belief]
    anew.close()


def test_a_preview_counts_the_cases_that_would_stand_elsewhere(tmp_path: Path) -> None:
    events = [
        happened("e1", "time.submitted", BEGAN, time_entry="T1"),
        happened("e2", "time.posted", BEGAN + HOUR, time_entry="T1", erp_document="D1"),
        happened("e3", "time.posted", BEGAN + HOUR, erp_document="D2"),
    ]
    now = BEGAN + 2 * HOUR
    fill(tmp_path, [Arrival(events, [])], now, [])
    path = next_path(tmp_path)
    found = rebuild(subject(tmp_path, now, NARROW), path, quiet)
    assert found.counted == {"time-to-bill": {("provisional", "none"): 1}}


def test_the_next_generation_takes_the_place_of_the_former_and_gets_its_name_at_the_next_start(tmp_path: Path) -> None:
    now = BEGAN + HOUR
    before = fill(tmp_path, [Arrival([happened("e1", "time.submitted", BEGAN, time_entry="T1")], [])], now, [])
    path = next_path(tmp_path)
    rebuild(subject(tmp_path, now), path, quiet)
    assert store_path(tmp_path) == tmp_path / STORE_FILE
    point_to(tmp_path, path)
    assert store_path(tmp_path) == path
    assert next_path(tmp_path) != path
    tidy(tmp_path)
    tidy(tmp_path)
    assert store_path(tmp_path) == tmp_path / STORE_FILE
    assert sorted(each.name for each in tmp_path.iterdir()) == [STORE_FILE]
    with closing(open_engine(subject(tmp_path, now))) as engine:
        assert shown(engine, PACK, now) == before
