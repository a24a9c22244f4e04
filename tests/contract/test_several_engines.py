"""Several engines on one PostgreSQL come to what one engine alone comes to, however their batches meet.

The store of an engine alone is held to what is written by hand elsewhere; here what is shown is compared to the byte.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from lineage.changes import changes_after, position_of
from lineage.engine import Engine
from lineage.places import open_reading, open_sharing, open_writing
from lineage.shared_engine import SharedEngine
from lineage.shared_store import Fenced
from lineage.store import StoreReader
from tests.contract.worker import PARTS, Worker, fold_part
from tests.guarantees.firm import ARCHIVE, ERP, ESTATE, happened
from tests.guarantees.shown import DEFAULTS, PACK, Shown, arrive
from tests.guarantees.weeks import BEGAN, moments, weeks
from tests.identity_model.worlds import Arrival, World, arrivals, seeds
from tests.postgresql_server import PATIENCE_SECONDS, Postgresql
from tests.service.serving import until
from tests.story.test_guarantee_rebuild import shown
from tests.unit.lineage.adapter import settle, tick
from throughline.core.errors import StoreUnavailable
from throughline.core.event import Event, Relation
from throughline.core.instants import DAY, HOUR, format_instant
from throughline.core.journal import MAPPING, Record
from throughline.core.store_url import Schema, StoreUrl

pytestmark = pytest.mark.needs("postgresql")

some = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
Fresh = Callable[[], Schema]
NOW = BEGAN + 3 * DAY


# Pieces that meet: what is stored before, and what two engines fold at once.


class Meeting(NamedTuple):
    before: Sequence[Event]
    one: Sequence[Event]
    other: Sequence[Event]


def told(number: int, kind: str, at: int = BEGAN, **more: object) -> Event:
    return happened(f"e{number}", kind, at, received=at, **more)  # pyright: ignore[reportArgumentType]


SUBMITTED = told(1, "time.submitted", time_entry="T1")
POSTED = told(2, "time.posted", BEGAN + HOUR, time_entry="T1", erp_document="D1")
REGISTERED = told(3, "document.registered", BEGAN + HOUR, erp_document="D1", correlation_id="C1")
RELEASED = told(4, "billing.released", BEGAN + HOUR, time_entry="T1", billing_event="B1")
ISSUED = told(5, "invoice.issued", BEGAN + HOUR, invoice="I1", legal_entity="DE01")
PASSED = told(6, "invoice.issued", BEGAN + HOUR, billing_event="B1", invoice="I1", legal_entity="DE01")
OTHER = told(7, "time.submitted", time_entry="T2")
OTHER_TIED = told(8, "time.posted", BEGAN + HOUR, time_entry="T2", erp_document="D1")
OTHER_HELD = told(9, "billing.released", BEGAN + HOUR, time_entry="T2", billing_event="B1")
RELATED = told(
    10,
    "invoice.corrected",
    BEGAN + HOUR,
    invoice="I2",
    legal_entity="DE01",
    relations=[Relation("invoice", "I1", "invoice", "I2")],
)
FAILED = told(11, "time.posted", BEGAN + HOUR, time_entry="T1", failed="timeout")
EARLIER_CONTENT = told(2, "time.posted", BEGAN, time_entry="T2", erp_document="D2")

REJECTED = told(12, "time.rejected", BEGAN + HOUR, time_entry="T1")
PAID = told(13, "invoice.paid", BEGAN + 2 * HOUR, invoice="I1", legal_entity="DE01")
APPROVED = told(14, "time.approved", time_entry="T1", legal_entity="DE01")
HEARD = told(15, "source.heartbeat", NOW, source=ERP)
READ_OUT = told(16, "source.heartbeat", NOW, source=ARCHIVE, until=format_instant(NOW))

MEETINGS = {
    "what stands at a carrier and the case that holds it": Meeting([RELEASED, PASSED], [PAID], [REJECTED]),
    "what stands at a carrier behind one that comes to be held": Meeting([PASSED], [RELEASED], [PAID]),
    "a case that waits to see and what lets it see": Meeting([SUBMITTED], [APPROVED], [HEARD, READ_OUT]),
    "two events of one case": Meeting([], [SUBMITTED], [POSTED]),
    "one event twice": Meeting([], [SUBMITTED], [SUBMITTED]),
    "one id with two contents": Meeting([SUBMITTED, OTHER], [POSTED], [EARLIER_CONTENT]),
    "a name and an alias without one": Meeting([], [POSTED], [REGISTERED]),
    "a holder and what stands at its carrier": Meeting([SUBMITTED], [RELEASED], [ISSUED]),
    "a carrier passed on and one that comes to hold it": Meeting([ISSUED], [PASSED], [RELEASED]),
    "a carrier passed on twice": Meeting([ISSUED, RELEASED], [PASSED], [RELATED]),
    "two names for one alias": Meeting([SUBMITTED, OTHER], [POSTED], [OTHER_TIED]),
    "two cases at one carrier": Meeting([ISSUED, PASSED], [RELEASED], [OTHER_HELD]),
    "the same keys in opposite order": Meeting([], [SUBMITTED, OTHER, OTHER_TIED], [OTHER_HELD, RELEASED, FAILED]),
    "all that is far apart, and what joins it": Meeting([POSTED, ISSUED, OTHER_HELD], [RELEASED], [PASSED, RELATED]),
}


@pytest.mark.parametrize("stage", ["locked", "read", "commit"])
@pytest.mark.parametrize("meeting", MEETINGS.values(), ids=MEETINGS)
def test_batches_that_meet_lose_nothing(tables: Fresh, meeting: Meeting, stage: str) -> None:
    place = tables()
    with engines(place) as (one, other), ThreadPoolExecutor(2) as threads:
        fold(one, 1, meeting.before)
        pause = Pause(stage)
        one.watch(pause)
        first = threads.submit(fold, one, 2, meeting.one)
        pause.reached()
        second = threads.submit(fold, other, 1, meeting.other)
        until_waiting(place, second)
        pause.end()
        for each in (first, second):
            each.result(PATIENCE_SECONDS)
        catch_up(one, other)
    assert as_shown(place, NOW) == alone([Arrival([*meeting.before, *meeting.one, *meeting.other], [])], NOW)


@pytest.mark.parametrize("stage", ["flush", "commit"])
def test_who_follows_misses_no_batch_that_is_committed_after_one_begun_later(tables: Fresh, stage: str) -> None:
    place = tables()
    with engines(place) as (one, other), ThreadPoolExecutor(2) as threads, closing(open_reading(place)) as reader:
        store = StoreReader(reader)
        at = position_of(store)
        pause = Pause(stage)
        one.watch(pause)
        first = threads.submit(fold, one, 1, [SUBMITTED])
        pause.reached()
        second = threads.submit(fold, other, 1, [OTHER])
        until_waiting(place, second)
        early = changes_after(store, at, 100)
        assert early is not None
        pause.end()
        for each in (first, second):
            each.result(PATIENCE_SECONDS)
        late = changes_after(store, early.position, 100)
        assert late is not None
        assert sorted({*early.cases, *late.cases}) == [row[0] for row in store.rows("SELECT id FROM cases ORDER BY id")]


@some
@given(weeks(), moments, seeds)
def test_any_events_and_statements_in_turn(tables: Fresh, week: World, now: int, seed: int) -> None:
    place = tables()
    with engines(place) as both:
        for number, step in enumerate(as_logged(arrivals(week, seed))):
            take(both[number % 2], number, step, now)
        catch_up(*both, now=now)
    assert as_shown(place, now) == alone(arrivals(week, 0), now)


@some
@given(weeks(), moments, seeds)
def test_any_events_and_statements_at_once(tables: Fresh, week: World, now: int, seed: int) -> None:
    place = tables()
    steps = list(enumerate(as_logged(arrivals(week, seed))))
    said = [step for step in steps if step[1].statements]

    def take_all(engine: SharedEngine, mine: Sequence[tuple[int, Arrival]]) -> None:
        for number, step in mine:
            take(engine, number, step, now)
            settle(engine, now)
            tick(engine, now)

    told = [step for step in steps if step[1].events]
    with engines(place) as both, ThreadPoolExecutor(2) as threads:
        # Statements are one log, which one engine follows.
        parts = [sorted([*told[0::2], *said]), told[1::2]]
        for done in [threads.submit(take_all, *each) for each in zip(both, parts, strict=True)]:
            done.result(PATIENCE_SECONDS)
        catch_up(*both, now=now)
    assert as_shown(place, now) == alone(arrivals(week, 0), now)


@pytest.mark.parametrize("stage", ["read", "commit"])
def test_who_is_killed_in_a_batch_loses_nothing(postgresql: Postgresql, stage: str) -> None:
    url = postgresql.fresh()
    place = Schema(url, "throughline")
    with Worker(url, 0, stage) as killed:
        killed.reached()
        killed.kill()
    fold_part(url, 1)
    fold_part(url, 0)
    assert as_shown(place, NOW) == alone([Arrival([event for part in PARTS for event in part], [])], NOW)


def test_a_database_killed_in_a_batch_loses_nothing(postgresql: Postgresql) -> None:
    url = postgresql.fresh()
    place = Schema(url, "throughline")
    with engines(place) as (one, _), ThreadPoolExecutor(1) as threads:
        pause = Pause("commit")
        one.watch(pause)
        begun = threads.submit(fold, one, 1, PARTS[0])
        pause.reached()
        postgresql.kill()
        postgresql.start()
        pause.end()
        with pytest.raises(StoreUnavailable):
            begun.result(PATIENCE_SECONDS)
    for part in range(2):
        fold_part(url, part)
    assert as_shown(place, NOW) == alone([Arrival([event for part in PARTS for event in part], [])], NOW)


def test_who_lost_his_part_to_another_can_commit_nothing(tables: Fresh) -> None:
    place = tables()
    with engines(place) as (former, _):
        fold(former, 1, [SUBMITTED])
        with closing(SharedEngine.join(place, PACK, ESTATE, DEFAULTS, "0")) as heir:
            assert heir.positions()[0] == 1
            with pytest.raises(Fenced, match="taken over"):
                fold(former, 2, [POSTED])
            assert heir.positions()[0] == 1
            fold(heir, 2, [POSTED])
    assert as_shown(place, NOW) == alone([Arrival([SUBMITTED, POSTED], [])], NOW)


def test_who_shares_a_store_waits_for_an_engine_that_has_it_alone(tables: Fresh) -> None:
    place = tables()
    with closing(Engine.open(place, PACK, ESTATE, DEFAULTS)), pytest.raises(StoreUnavailable):
        SharedEngine.join(place, PACK, ESTATE, DEFAULTS, "0")


class Pause:
    """Stops an engine the first time it comes to a stage, until told to go on."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._there = threading.Event()
        self._go = threading.Event()

    def __call__(self, stage: str) -> None:
        if stage == self._stage and not self._there.is_set():
            self._there.set()
            assert self._go.wait(PATIENCE_SECONDS)

    def reached(self) -> None:
        assert self._there.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        self._go.set()


@contextmanager
def engines(place: Schema) -> Generator[tuple[SharedEngine, SharedEngine]]:
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(closing(SharedEngine.join(place, PACK, ESTATE, DEFAULTS, part))) for part in ("0", "1")
        )
        yield one, other


def until_waiting(place: Schema, batch: Future[None]) -> None:
    """Wait until a batch is done, or waits for a lock that another has."""
    with closing(open_sharing(place)) as connection:
        for _ in looks():
            (waiting,) = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
            if waiting or batch.done():
                return
    pytest.fail("the batch neither ends nor waits")


def looks() -> Iterator[None]:
    """Give turns until patience ends."""
    ends = threading.Event()
    timer = threading.Timer(PATIENCE_SECONDS, ends.set)
    timer.start()
    while not ends.is_set():
        yield
    timer.cancel()


def fold(engine: SharedEngine, number: int, events: Sequence[Event]) -> None:
    if events:
        engine.fold_records([Record(number, NOW, MAPPING, list(events), [], [])], NOW)


def take(engine: SharedEngine, number: int, step: Arrival, now: int) -> None:
    if step.events:
        engine.fold_records([Record(number + 1, now, MAPPING, step.events, [], [])], now)
    engine.state(step.statements, now)


def as_logged(steps: list[Arrival]) -> list[Arrival]:
    """Return steps with the statements in the order of their log, in which an engine beside others takes them."""
    log = iter(sorted((step for step in steps if step.statements), key=lambda step: step.statements[0].number))
    return [next(log) if step.statements else step for step in steps]


def catch_up(*several: SharedEngine, now: int = NOW) -> None:
    for engine in several:
        settle(engine, now)
        tick(engine, now)


def as_shown(place: Schema, now: int) -> Shown:
    with closing(Engine.open(place, PACK, ESTATE, DEFAULTS)) as engine:
        return shown(engine, PACK, now)


def alone(steps: list[Arrival], now: int) -> Shown:
    with closing(arrive(steps, PACK, ESTATE, DEFAULTS, [now])) as engine:
        return shown(engine, PACK, now)


def test_an_engine_that_cannot_join_leaves_no_connection_open(postgresql: Postgresql) -> None:
    theirs = postgresql.fresh()
    open_writing(Schema(theirs, "throughline")).close()
    postgresql.run("CREATE ROLE guest LOGIN")
    with psycopg.connect(theirs.libpq, autocommit=True) as admin:
        database = theirs.libpq.rpartition("/")[2]
        admin.execute(f"GRANT CREATE ON DATABASE {database} TO guest".encode())
    ours = StoreUrl.parse(theirs.libpq.replace("postgres@", "guest@"))
    with pytest.raises(StoreUnavailable, match="its user may not use the schema") as kept:
        SharedEngine.join(Schema(ours, "throughline"), PACK, ESTATE, DEFAULTS, "0")
    until(lambda: postgresql.ask("SELECT count(*) FROM pg_stat_activity WHERE usename = 'guest'") == (0,), "its end")
    del kept
