"""Latencies are split by the spans of their traces, which may come before or after events, and leave before figures."""

from __future__ import annotations

from contextlib import closing
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis import distribution, keep
from kpis.latency import Split, Splits, Stretch, Traced, Unsplit, split_of
from kpis.reading import Lag
from kpis.store import KpiWriter
from tests.unit.kpis.conftest import Fresh, opened
from tests.unit.kpis.golden import FOLDER, golden, span, trace_id
from tests.unit.kpis.test_keeping import WHOLE, World

CASE = golden(FOLDER / "sync-latency-split-by-spans.yaml")
LONGEST = 40

stretches = st.builds(
    Stretch,
    st.integers(-10, LONGEST + 10),
    st.integers(-10, LONGEST + 10),
    st.booleans(),
    st.sampled_from([None, "f"]),
    st.none() | st.integers(-10, LONGEST + 10),
)


def model(began: int, ended: int, some: list[Stretch]) -> Split | None:
    """Split a latency by asking of each moment of it what was under way: another way than the product's."""
    seen = [each for each in some if each.start < ended and (each.end > began or each.start >= began)]
    if not seen:
        return None
    first = min(at for each in seen for at in (each.start, each.handed_over) if at is not None)
    kinds = [
        "processing"
        if any(each.works and each.start <= at < each.end for each in seen)
        else "waiting"
        if at < first
        else "transport"
        for at in range(began, ended)
    ]
    return Split(*(kinds.count(kind) for kind in ("waiting", "transport", "processing")))


@given(st.lists(stretches, max_size=6), st.integers(0, LONGEST), st.integers(0, LONGEST), st.randoms())
def test_parts_add_up_to_the_latency_whatever_spans_say_and_in_whatever_order(
    some: list[Stretch], began: int, took: int, chance: Random
) -> None:
    found = split_of(began, began + took, [Traced(tuple(some))], "f")
    assert found == (model(began, began + took, some) or (Unsplit.OUTSIDE if some else Unsplit.NO_SPANS))
    if isinstance(found, Split):
        assert sum(found) == took
        assert min(found) >= 0
    again = some + some[:2]
    chance.shuffle(again)
    assert split_of(began, began + took, [Traced(tuple(again))], "f") == found


def test_the_first_trace_with_a_span_between_decides() -> None:
    outside, inside = Traced((Stretch(90, 95, True),)), Traced((Stretch(2, 5, True),))
    assert split_of(0, 10, [outside, inside], None) == Split(2, 5, 3)
    assert split_of(0, 10, [outside, Traced()], None) is Unsplit.OUTSIDE
    assert split_of(0, 10, [outside, Traced(gone=True)], None) is Unsplit.GONE
    assert split_of(0, 10, [Traced(inside.stretches, gone=True)], None) is Unsplit.GONE
    assert split_of(0, 10, [], None) is Unsplit.NO_TRACE


def test_spans_that_name_another_flow_count_for_no_flow_but_theirs_and_those_that_are_learnt() -> None:
    traced = [Traced((Stretch(2, 5, True, "other"), Stretch(6, 7, True)))]
    assert split_of(0, 10, traced, "mine") == Split(6, 3, 1)
    assert split_of(0, 10, traced, None) == Split(2, 4, 4)


def test_what_is_added_up_can_be_taken_back_and_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "EXACT", 3)
    some = [Split(n * 10_000, 7, n * 1_000_000) for n in range(5)]
    whole, other = Splits(), Splits()
    for each in (*some, Unsplit.GONE):
        whole.enter(each, 1)
    assert Splits.from_plain(msgspec.msgpack.decode(msgspec.msgpack.encode(whole.to_plain()))) == whole
    for each in some[:3]:
        whole.enter(each, -1)
        other.enter(each, 1)
    assert whole.stale
    assert (whole.size, whole.totals) == (2, [70_000, 14, 7_000_000])
    other.merge(whole)
    assert (other.size, other.totals, other.unsplit) == (5, [100_000, 35, 10_000_000], {Unsplit.GONE: 1})
    with pytest.raises(ValueError, match="to take back"):
        Splits().enter(Unsplit.GONE, -1)
    for each in (*some, Unsplit.GONE):
        other.enter(each, -1)
    assert other.empty


@pytest.mark.parametrize("seed", range(12))
def test_it_makes_no_difference_when_spans_come(seed: int, store: KpiWriter) -> None:
    chance = Random(seed)
    world, whole = World(CASE, store), World(CASE, store)
    arriving = [*(([each], []) for each in CASE.events), *(([], [each]) for each in CASE.spans)]
    arriving += chance.sample(arriving, 5)
    chance.shuffle(arriving)
    while arriving:
        batch = [arriving.pop() for _ in range(min(len(arriving), chance.choice((1, 1, 2, 5))))]
        world.fold([each for some, _ in batch for each in some], [each for _, some in batch for each in some])
        if chance.random() < 0.6:
            world.follow()
            assert world.kept(WHOLE) == world.from_scratch(WHOLE)
    world.follow()
    whole.fold(CASE.events, CASE.spans)
    assert world.kept(WHOLE).readings == whole.from_scratch(WHOLE).readings
    for flow in (("flow",), ("process", "region")):
        by = WHOLE._replace(by=tuple(each for each in CASE.declaration.dimensions if each.value in flow))
        assert world.kept(by) == world.from_scratch(by)


def test_spans_cost_a_look_only_where_they_may_split_a_latency(store: KpiWriter) -> None:
    world = World(CASE, store)
    world.fold(CASE.events)
    world.follow()
    position = store.position()
    world.fold([], [span(50, "2026-11-02 09:01 09:02 server nobodys", "UTC")])
    world.follow()
    assert store.position() == position  # of a trace without events: nobody is told
    looks = world.looks
    looks.clear()
    world.fold([], [span(51, "2026-11-02 09:01 09:02 server f", "UTC")])
    world.follow()
    assert sum(looks) == 0  # F is open: there is no latency yet
    assert world.behind() == 0  # and these spans are not waited for
    world.fold([], [span(52, "2026-11-02 09:01 09:02 server a", "UTC")])
    world.follow()
    assert sum(looks) == 1


@pytest.mark.parametrize("pieces", range(1, 12))
def test_what_is_cut_off_between_two_pieces_loses_nothing(
    pieces: int, store: KpiWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep, "CASES_AT_ONCE", 1)
    world = World(CASE, store)
    world.fold(CASE.events)
    world.follow()
    world.fold([], CASE.spans)
    world.fold([msgspec.structs.replace(each, id=f"{each.id}-again") for each in CASE.events])
    behind = [world.behind()]
    for _ in range(pieces):
        world.keeper.follow(world.snapshot)
        behind.append(world.behind())
    assert behind == sorted(behind, reverse=True)
    world.declare(CASE.declaration)  # another process goes on
    world.follow()
    assert world.behind() == 0
    assert world.kept(WHOLE) == world.from_scratch(WHOLE)
    assert split_and_not(world)[0] == 3


def test_how_far_it_is_is_told_after_each_piece(store: KpiWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "CASES_AT_ONCE", 1)
    world = World(CASE, store)
    world.fold(CASE.events)
    behind = [world.behind()]
    while world.keeper.follow(world.snapshot):
        behind.append(world.behind())
    assert behind[0] > behind[1] > behind[2] > behind[-1] == 0


def split_and_not(world: World) -> tuple[int, dict[str, int]]:
    answer = world.kept(WHOLE).readings[()].answer
    assert isinstance(answer, Lag)
    assert answer.parts is not None
    return answer.parts.split, dict(answer.parts.unsplit)


def test_what_was_split_stays_so_when_its_spans_have_left(store: KpiWriter, fresh: Fresh) -> None:
    world = World(CASE, store)
    world.fold(CASE.events, CASE.spans)
    world.follow()
    before = world.kept(WHOLE)
    assert split_and_not(world)[0] == 3
    world.journal.records.clear()
    with world.snapshot() as snapshot:
        world.keeper.backfill(snapshot)
    world.follow()
    assert split_and_not(world)[0] == 3
    assert before.readings[()].answer != world.kept(WHOLE).readings[()].answer  # E, of which none had come: who knows
    with closing((other := opened(fresh())).connection):
        world.store = other
        world.declare(CASE.declaration)
        world.follow()
        gone = {Unsplit.NO_TRACE.value: 1, Unsplit.GONE.value: 5}
        assert split_and_not(world) == (0, gone)  # and not that there were none, or that nothing took any time
        answer = world.kept(WHOLE).readings[()].answer
        assert isinstance(answer, Lag)
        assert answer.parts is not None
        assert answer.parts.parts == {}


def test_a_record_that_left_while_a_case_waited_is_said_to_be_gone(store: KpiWriter) -> None:
    world = World(CASE, store)
    world.fold(CASE.events)
    world.fold([], CASE.spans)
    del world.journal.records[2]
    world.follow()
    assert split_and_not(world) == (0, {Unsplit.NO_TRACE.value: 1, Unsplit.NO_SPANS.value: 1, Unsplit.GONE.value: 4})
    assert store.spans_known([trace_id("a")]) == {}


def test_a_store_from_before_latencies_were_split_gets_what_it_lacks(fresh: Fresh) -> None:
    place = fresh()
    with closing((former := opened(place)).connection):
        former.connection.execute("DROP TABLE traced")
        former.connection.execute("DROP TABLE split_by")
    with closing((now := opened(place)).connection):
        world = World(CASE, now)
        world.fold(CASE.events, CASE.spans)
        world.follow()
        assert split_and_not(world)[0] == 3
