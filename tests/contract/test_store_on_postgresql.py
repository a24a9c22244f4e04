"""The contract of the store holds on a real PostgreSQL: what is shown there is what SQLite shows, to the byte.

SQLite's own tests hold that to what is written by hand, in any order, and after any rebuild and sweep.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from lineage.engine import Engine
from lineage.generations import next_place, point_to, store_place, tidy
from lineage.places import Place, is_there, open_reading, open_writing
from lineage.read import CaseReader
from lineage.rebuild import rebuild
from lineage.run import Subject, open_engine
from tests.guarantees.firm import ESTATE, happened
from tests.guarantees.shown import DEFAULTS, PACK, arrive, show, snapshot_of
from tests.guarantees.weeks import BEGAN, moments, weeks
from tests.identity_model.golden import GoldenCase, golden_paths, load
from tests.identity_model.worlds import Arrival, World, arrivals, seeds
from tests.postgresql_server import Postgresql
from tests.story.test_guarantee_order import clock, restarting
from tests.story.test_guarantee_rebuild import NARROW, Standing, quiet, shown
from tests.story.test_guarantee_retention import keeps, sweep
from tests.unit.lineage.adapter import definitions_of, derived_rows
from tests.unit.lineage.outcome import outcome
from throughline.core.errors import StoreUnavailable
from throughline.core.estate import load_estate
from throughline.core.instants import HOUR
from throughline.core.store_url import Schema, StoreUrl

pytestmark = pytest.mark.needs("postgresql")

few = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
Fresh = Callable[[], Place]


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_the_cases_of_identity_come_out_the_same(path: Path, tables: Fresh) -> None:
    case = load(path)
    steps = [Arrival([event], []) for event in reversed(case.events.values())]
    steps += [Arrival([], [statement]) for statement in case.statements]
    assert identity(steps, case, tables()) == identity(steps, case, ":memory:")


def identity(steps: list[Arrival], case: GoldenCase, place: Place | str) -> Any:
    declared = case.declaration
    limits = dataclasses.replace(DEFAULTS, orphan_time=declared.orphan_time, bulk_limit=declared.bulk_limit)
    with closing(arrive(steps, definitions_of(declared), load_estate(None), limits, [case.now], place)) as engine:
        return outcome(engine, case.now, declared.orphan_time), derived_rows(engine)


@few
@given(weeks(), moments, seeds)
def test_any_arrival_shows_what_another_shows_on_sqlite(tables: Fresh, week: World, now: int, seed: int) -> None:
    steps = arrivals(week, seed)
    here = restarting(steps, seed), [*clock(len(steps), now, seed), now]
    with (
        closing(arrive(arrivals(week, 0), PACK, ESTATE, DEFAULTS, [now])) as sqlite,
        closing(arrive(here[0], PACK, ESTATE, DEFAULTS, here[1], tables())) as engine,
    ):
        assert shown(engine, PACK, now) == shown(sqlite, PACK, now)


@few
@given(weeks(most_events=20, most_statements=2), moments, seeds, keeps)
def test_a_sweep_leaves_what_it_leaves_on_sqlite(tables: Fresh, week: World, now: int, seed: int, keep: int) -> None:
    limits = dataclasses.replace(DEFAULTS, keep=keep)
    steps = arrivals(week, seed)
    with (
        closing(arrive(steps, PACK, ESTATE, limits, [now])) as sqlite,
        closing(arrive(steps, PACK, ESTATE, limits, [now], tables())) as engine,
    ):
        assert sweep(engine, now) == sweep(sqlite, now)
        assert shown(engine, PACK, now) == shown(sqlite, PACK, now)


@settings(few, max_examples=4)
@given(weeks(most_events=20, most_statements=3), moments, seeds)
def test_a_store_made_anew_shows_the_same_and_takes_the_place_of_the_former(
    postgresql: Postgresql, week: World, now: int, seed: int
) -> None:
    url = postgresql.fresh()
    definitions = PACK if week.statements else NARROW
    with closing(arrive(arrivals(week, 0), definitions, ESTATE, DEFAULTS, [now])) as sqlite:
        wanted = shown(sqlite, definitions, now)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        subject = Subject(data, definitions, ESTATE, DEFAULTS, Standing(now), url=url)
        former, place = subject.place, next_place(data, url)
        arrive(arrivals(week, seed), PACK, ESTATE, DEFAULTS, [now], former).close()
        rebuild(subject, place, quiet)
        assert subject.place == former
        point_to(data, place)
        assert subject.place == place
        tidy(data, url)
        tidy(data, url)
        assert subject.place == former
        assert not is_there(place)
        with closing(open_engine(subject)) as engine:
            assert shown(engine, definitions, now) == wanted


def test_a_preview_tells_the_changes_and_a_reader_of_the_former_reads_on(tmp_path: Path, database: StoreUrl) -> None:
    events = [
        happened("e1", "time.submitted", BEGAN, time_entry="T1"),
        happened("e2", "time.posted", BEGAN + HOUR, time_entry="T1", erp_document="D1"),
        happened("e3", "time.posted", BEGAN + HOUR, erp_document="D2"),
    ]
    now = BEGAN + 2 * HOUR
    subject = Subject(tmp_path, NARROW, ESTATE, DEFAULTS, Standing(now), url=database)
    with closing(arrive([Arrival(events, [])], PACK, ESTATE, DEFAULTS, [now], subject.place)) as engine:
        reader = CaseReader(subject.place, PACK, ESTATE, DEFAULTS, lambda: now)
        with reader.snapshot() as snapshot:
            found = rebuild(subject, next_place(tmp_path, database), quiet)
            engine.fold([happened("e4", "time.submitted", BEGAN, time_entry="T2")], now)
            assert snapshot.store.one("SELECT count(*) FROM cases") == 2
        with reader.snapshot() as snapshot:
            assert snapshot.store.one("SELECT count(*) FROM cases") == 3
        reader.close()
    assert found.counted == {"time-to-bill": {("provisional", "none"): 1}}


def test_a_store_has_one_writer(tables: Fresh) -> None:
    place = tables()
    with closing(open_writing(place)), pytest.raises(StoreUnavailable, match="another process has it open"):
        open_writing(place)


def test_a_reader_cannot_write(tables: Fresh) -> None:
    place = tables()
    Engine.open(place, PACK, ESTATE, DEFAULTS).close()
    with closing(open_reading(place)) as connection, pytest.raises(StoreUnavailable, match="takes no writes"):
        connection.execute("DELETE FROM meta")


def test_a_reader_that_is_to_answer_soon_gives_up_what_takes_longer(tables: Fresh) -> None:
    place = tables()
    with closing(open_reading(place, answer_seconds=1)) as connection:
        with pytest.raises(StoreUnavailable, match="takes too long to answer"):
            connection.execute("SELECT pg_sleep(30)")
        assert not connection.broken


def test_what_is_the_rule_for_others_in_the_database_is_none_for_the_store(
    postgresql: Postgresql, database: StoreUrl
) -> None:
    name = database.libpq.rpartition("/")[2]
    for setting in (
        "default_transaction_isolation = serializable",
        "synchronous_commit = off",
        "statement_timeout = 500",
    ):
        postgresql.run(f"ALTER DATABASE {name} SET {setting}")
    with closing(open_writing(Schema(database, "throughline"))) as connection:
        for setting, value in (("transaction_isolation", "read committed"), ("synchronous_commit", "on")):
            assert connection.execute(f"SHOW {setting}").fetchone() == (value,)
        connection.execute("SELECT pg_sleep(0.7)")


def test_where_no_store_is_yet_a_reader_says_so(database: StoreUrl, tmp_path: Path) -> None:
    reader = CaseReader(store_place(tmp_path, database), PACK, ESTATE, DEFAULTS, lambda: 0)
    with pytest.raises(StoreUnavailable, match="being made just now"), reader.snapshot():
        pass
    reader.close()


def test_a_text_that_no_table_can_hold_stops_nothing(tables: Fresh) -> None:
    now = BEGAN + HOUR
    event = happened("e1", "time.submitted", BEGAN, time_entry="T1", more={"flow": "a\x00b", "instance": "psa\x00"})
    with closing(arrive([Arrival([event], [])], PACK, ESTATE, DEFAULTS, [now], tables())) as engine:
        assert len(show(engine, snapshot_of(engine, PACK, ESTATE, DEFAULTS, now), ESTATE).cases) == 1


def test_of_several_lists_of_numbers_each_takes_the_widest(tables: Fresh) -> None:
    with closing(open_writing(tables())) as connection:
        some = connection.array([1]), connection.array([1, 2**40])
        sql = "SELECT 1 WHERE 1 IN (SELECT value FROM json_each(?)) AND 2 NOT IN (SELECT value FROM json_each(?))"
        assert connection.execute(sql, some).fetchall() == [(1,)]
