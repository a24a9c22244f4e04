"""Of all processes that would keep KPIs in a database one leads, and who has lost the lead changes nothing any more."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from datetime import date
from pathlib import Path

import pytest

from kpis.backfill import order_backfill, ordered_backfill, take_order
from kpis.lead import Candidate, stand_for
from kpis.store import (
    SCHEMA,
    Fenced,
    KpiWriter,
    PublishedRow,
    kpi_place,
    open_kpi_reader,
    open_kpi_writer,
    transaction,
)
from lineage.changes import Position, changes_after, forget_changes, position_of
from lineage.engine import Engine
from tests.guarantees.firm import ESTATE, happened
from tests.guarantees.shown import PACK
from tests.guarantees.weeks import BEGAN
from tests.postgresql_server import Postgresql
from throughline.core.errors import StoreUnavailable
from throughline.core.instants import DAY
from throughline.core.store_url import Schema, StoreUrl

pytestmark = pytest.mark.needs("postgresql")

FIGURE = PublishedRow(0, "a", "day", date(2026, 3, 1).toordinal(), "1", 5, "7", True, 1, None, "published")


@pytest.fixture
def candidate(database: StoreUrl) -> Generator[Callable[[], Candidate]]:
    """Gives one more process that would keep KPIs."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(stand_for(Schema(database, SCHEMA))))


def led(candidate: Candidate) -> KpiWriter:
    """Have the lead once it is free: a server takes a moment to see that somebody has gone."""
    candidate.connection.execute("SELECT pg_advisory_lock(hashtextextended(?, 0))", (f"throughline {SCHEMA}",))
    store = candidate.lead()
    assert store is not None
    return store


def said(store: KpiWriter, text: str) -> None:
    with transaction(store):
        store.set_meta("said", text)


def test_while_one_leads_the_others_stand_by_and_know_who_it_is(candidate: Callable[[], Candidate]) -> None:
    first, second = candidate(), candidate()
    store = first.lead()
    assert store is not None
    assert second.lead() is None
    (pid,) = first.connection.execute("SELECT pg_backend_pid()").fetchone()
    assert second.leader() == f"process {pid} of the server, from 127.0.0.1"
    first.close()
    said(led(second), "second")


def test_who_has_lost_its_connection_has_lost_the_lead_with_all_that_was_under_way(
    candidate: Callable[[], Candidate], postgresql: Postgresql
) -> None:
    first, second = candidate(), candidate()
    store = led(first)
    said(store, "first")
    (pid,) = first.connection.execute("SELECT pg_backend_pid()").fetchone()

    def cut_off() -> None:
        with transaction(store):
            store.set_meta("said", "half of it")
            assert second.lead() is None
            postgresql.ask(f"SELECT pg_terminate_backend({pid})")
            store.set_meta("said", "the rest")

    with pytest.raises(StoreUnavailable, match="terminating connection"):
        cut_off()
    successor = led(second)
    assert successor.meta()["said"] == "first"
    with pytest.raises(StoreUnavailable):
        said(store, "again")


@pytest.mark.parametrize("amid", [False, True])
def test_who_stands_still_loses_the_lead(
    candidate: Callable[[], Candidate], monkeypatch: pytest.MonkeyPatch, amid: bool
) -> None:
    monkeypatch.setattr("throughline.core.postgresql.STANDS_STILL_SECONDS", 2)
    first, second = candidate(), candidate()
    store = led(first)
    said(store, "first")
    if amid:
        first.connection.execute("BEGIN IMMEDIATE")
        store.set_meta("said", "half of it")
    successor = led(second)  # asks until it has it
    assert successor.meta()["said"] == "first"
    with pytest.raises(StoreUnavailable, match="terminating connection due to idle"):
        store.set_meta("said", "stale")
    said(successor, "second")
    assert successor.meta()["said"] == "second"


def test_whose_lock_somebody_else_was_given_writes_no_more(candidate: Callable[[], Candidate]) -> None:
    first, second = candidate(), candidate()
    store = led(first)
    said(store, "first")
    first.connection.execute("SELECT pg_advisory_unlock_all()")  # as a pooler of transactions does between them
    successor = led(second)
    with pytest.raises(Fenced), transaction(store):
        store.set_meta("said", "stale")
    assert successor.meta()["said"] == "first"
    said(successor, "second")
    assert store.meta()["said"] == "second"


def test_who_takes_the_lead_waits_for_what_is_under_way(candidate: Callable[[], Candidate]) -> None:
    first, second = candidate(), candidate()
    store = led(first)
    with transaction(store):
        store.set_meta("said", "first")
        first.connection.execute("SELECT pg_advisory_unlock_all()")
        second.connection.execute("SELECT set_config('lock_timeout', '50ms', false)")
        with pytest.raises(StoreUnavailable, match="another process has it open"):
            second.lead()
    assert led(second).meta()["said"] == "first"


def test_an_order_to_look_at_all_cases_reaches_whoever_leads(
    candidate: Callable[[], Candidate], database: StoreUrl
) -> None:
    place = Schema(database, SCHEMA)
    with pytest.raises(StoreUnavailable, match="its tables are not there"):
        order_backfill(place)
    store = led(candidate())
    assert ordered_backfill(place, store) is None
    order_backfill(place)
    first = ordered_backfill(place, store)
    assert first is not None
    order_backfill(place)
    take_order(place, store, first)
    second = ordered_backfill(place, store)
    assert second not in (None, first)  # it was given since, and is to be done as well
    take_order(place, store, second or "")
    assert ordered_backfill(place, store) is None


def test_figures_that_were_published_in_a_folder_go_along_once(
    candidate: Callable[[], Candidate], tmp_path: Path
) -> None:
    file = kpi_place(tmp_path, None)
    assert isinstance(file, Path)
    with closing((former := open_kpi_writer(file)).connection), transaction(former):
        former.publish(FIGURE)
        former.publish(FIGURE._replace(value="8", why="late data", told_as="{}"))
        former.put_spans({b"trace": []})
        former.put_thinned([("a", FIGURE.day)])
    first = candidate()
    store = first.lead(tmp_path)
    assert store is not None
    assert [(row.value, row.why, row.at_least, row.told_as) for row in store.published("a")] == [
        ("7", "published", True, None),
        ("8", "late data", True, "{}"),
    ]
    assert [former.value for former, _ in store.restated("a", 0, 10)] == ["7"]
    both = [("7", FIGURE.at), ("8", None)]
    for every, days, standing, wanted in (
        (None, (None, None), False, both),
        ("day", (FIGURE.day, FIGURE.day), False, both),
        (None, (None, None), True, both[1:]),
        ("month", (None, None), False, []),
        (None, (FIGURE.day + 1, None), False, []),
        (None, (None, FIGURE.day - 1), False, []),
    ):
        found = store.published_of("a", 0, 10, every, days, standing)
        assert [(row.value, replaced) for row, replaced in found] == wanted
    ((first_id, _),) = [(row.id, row) for row, _ in store.published_of("a", 0, 1, None, (None, None), False)]
    assert [row.value for row, _ in store.published_of("a", first_id, 10, None, (None, None), False)] == ["8"]
    assert store.spans_known([b"trace"]) == {b"trace": []}
    assert store.is_thinned("a", FIGURE.day, FIGURE.day)
    assert not store.is_thinned("a", FIGURE.day + 1, FIGURE.day + 9)
    assert not list(tmp_path.iterdir())
    first.close()
    with closing((other := open_kpi_writer(file)).connection), transaction(other):
        other.publish(FIGURE)
    second = candidate()
    led(second)
    kept = second.lead(tmp_path)
    assert kept is not None
    assert len(kept.published("a")) == 2
    assert file.is_file()  # what is in it stands nowhere else


def test_figures_that_an_earlier_release_published_in_a_folder_go_along(
    candidate: Callable[[], Candidate], tmp_path: Path
) -> None:
    file = kpi_place(tmp_path, None)
    assert isinstance(file, Path)
    with closing((former := open_kpi_writer(file)).connection):
        with transaction(former):
            former.publish(FIGURE)
        for table in ("version", "published"):
            former.connection.execute(f"ALTER TABLE {table} DROP COLUMN told_as")
    store = candidate().lead(tmp_path)
    assert store is not None
    assert [(row.value, row.told_as) for row in store.published("a")] == [("7", None)]


def test_a_leader_of_an_earlier_release_is_followed_by_one_that_brings_the_tables_up_to_date(
    candidate: Callable[[], Candidate], database: StoreUrl
) -> None:
    first = candidate()
    with transaction(store := led(first)):
        store.add_version("a", "1", "digest", 5, "{}")
        store.publish(FIGURE)
    for table in ("version", "published"):
        first.connection.execute(f"ALTER TABLE {table} DROP COLUMN told_as")
    with closing((reader := open_kpi_reader(Schema(database, SCHEMA))).connection):
        assert [row.told_as for row in (*reader.versions(), *reader.published("a"))] == [None, None]
        first.close()
        with transaction(successor := led(candidate())):
            successor.tell_as(1, "{}")
        assert [row.told_as for row in (*reader.versions(), *reader.published("a"))] == ["{}", None]


def test_the_engine_drops_no_change_that_the_leader_has_not_worked_off(
    candidate: Callable[[], Candidate], database: StoreUrl, tmp_path: Path
) -> None:
    with closing(Engine.open(Schema(database, "throughline"), PACK, ESTATE)) as engine:
        engine.fold([happened(f"s{each}", "time.submitted", BEGAN, time_entry=f"T{each}") for each in range(5)], BEGAN)
        end = position_of(engine.store)
        assert rows_left(engine, tmp_path) == 5  # nobody has followed so far
        store = led(candidate())
        follow(store, Position("another", end.seq))
        assert rows_left(engine, tmp_path) == 5
        follow(store, end)
        assert rows_left(engine, tmp_path) == 1  # the last stays, to count on from


def test_the_engine_lets_no_case_go_that_the_leader_has_not_seen_as_it_stands(
    candidate: Callable[[], Candidate], database: StoreUrl, tmp_path: Path
) -> None:
    with closing(Engine.open(Schema(database, "throughline"), PACK, ESTATE)) as engine:
        for kind in ("submitted", "cancelled"):
            engine.fold([happened(kind, f"time.{kind}", BEGAN, time_entry="T1")], BEGAN)
        end, later = position_of(engine.store), BEGAN + 13_000 * DAY
        store = led(candidate())
        follow(store, end._replace(seq=end.seq - 1))
        assert swept(engine, tmp_path, later) == 0
        follow(store, end)
        assert swept(engine, tmp_path, later + DAY) == 1
        told = changes_after(engine.store, end, 1_000)
        assert told is not None
        assert (len(told.retired), told.cases, told.left) == (1, [], False)


def swept(engine: Engine, folder: Path, now: int) -> int:
    cases = 0
    while (counted := engine.retain(now, folder)) is not None:
        cases += counted.cases
    return cases


def rows_left(engine: Engine, folder: Path) -> int:
    with engine.transaction():
        forget_changes(engine.store, folder)
    return engine.store.one("SELECT count(*) FROM changed") or 0


def follow(store: KpiWriter, position: Position) -> None:
    with transaction(store):
        store.set_position(position)


def test_who_reads_is_told_while_figures_are_being_made(database: StoreUrl) -> None:
    with pytest.raises(StoreUnavailable, match="figures are being made just now"):
        open_kpi_reader(Schema(database, SCHEMA))
