"""The queue of changed cases: who follows hears of every case that was saved, and learns when he has missed some."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from lineage.changes import (
    FOLLOWERS,
    Changes,
    Position,
    changes_after,
    forget_changes,
    not_followed,
    position_of,
    retired_after,
)
from lineage.engine import Engine
from lineage.removal import drop_cases
from tests.stored_store import DEFINITIONS, ESTATE, LIMITS, NOW, events
from throughline.core.database import open_writer
from throughline.core.journal import Record, SpanFact


@pytest.fixture
def engine() -> Generator[Engine]:
    with closing(Engine.open(":memory:", DEFINITIONS, ESTATE, LIMITS)) as engine:
        yield engine


def cases(engine: Engine) -> list[int]:
    return [row[0] for row in engine.store.rows("SELECT id FROM cases WHERE state <> 'empty' ORDER BY id")]


def forget(engine: Engine, data: Path, most: int = 1_000) -> None:
    with engine.transaction():
        forget_changes(engine.store, data, most)


def follow(data: Path, position: Position) -> None:
    """Leave behind how far a follower is, as it does."""
    for follower in FOLLOWERS:
        with closing(open_writer(data / follower.file)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS position (name TEXT PRIMARY KEY, store TEXT, value INTEGER)")
            connection.execute("INSERT OR REPLACE INTO position VALUES (?, ?, ?)", (follower.row, *position))


def test_every_saved_case_is_told_once_from_where_one_was(engine: Engine) -> None:
    beginning = position_of(engine.store)
    engine.fold(events()[:2], NOW)
    some = changes_after(engine.store, beginning, 1_000)
    assert some is not None
    engine.fold(events(), NOW)
    engine.fold(events(), NOW)
    others = changes_after(engine.store, some.position, 1_000)
    assert others is not None
    assert sorted({*some.cases, *others.cases}) == cases(engine)
    assert len(others.cases) == len(set(others.cases))
    rest = changes_after(engine.store, others.position, 1_000)
    assert rest is not None
    assert (rest.cases, rest.position, rest.left) == ([], others.position, False)


def test_spans_that_come_after_an_event_of_their_trace_are_told_by_that_event(engine: Engine) -> None:
    traced = [msgspec.structs.replace(each, trace_id=f"{number:032x}") for number, each in enumerate(events()[:3], 1)]

    def spans(record: int, *traces: int) -> Record:
        return Record(record, NOW, "", [], [span(each, record) for each in traces], [])

    engine.fold_records([spans(1, 1)], NOW)
    engine.fold_records([Record(2, NOW, "", traced, [span(2, 2)], [])], NOW)
    settled = changes_after(engine.store, position_of(engine.store)._replace(seq=0), 1_000)
    assert settled is not None
    assert settled.spans_of == []  # those came before, or with their events
    engine.fold_records([spans(3, 3, 9), spans(4, 3)], NOW)
    engine.fold_records([spans(3, 3)], NOW)  # sent again
    told = changes_after(engine.store, settled.position, 1_000)
    assert told is not None
    (seq,) = told.spans_of
    assert engine.store.event(seq).trace_id == f"{3:032x}"
    assert (told.cases, told.left) == ([], False)


def span(trace: int, number: int) -> SpanFact:
    return SpanFact(trace.to_bytes(16, "big"), number.to_bytes(8, "big"), NOW, NOW, False, "sync", "of a test")


def test_a_few_rows_at_a_time_tell_the_same(engine: Engine) -> None:
    position, told = position_of(engine.store), set[int]()
    engine.fold(events(), NOW)
    while (some := changes_after(engine.store, position, 1)) is not None and some.cases:
        told.update(some.cases)
        position = some.position
        if not some.left:
            break
    assert sorted(told) == cases(engine)


def test_a_part_of_them_is_up_to_the_row_before_the_first_of_the_rest(engine: Engine) -> None:
    at = position_of(engine.store)
    engine.fold(events(), NOW)
    whole = changes_after(engine.store, at, 1_000)
    assert whole is not None
    rest, parts = whole, list[Changes]()
    while rest is not None:
        part, rest = rest.split(2)
        parts.append(part)
    assert [case for part in parts for case in part.cases] == whole.cases
    assert (parts[-1].position, parts[-1].left) == (whole.position, False)
    for part, following in pairwise(parts):
        assert part.left
        then = changes_after(engine.store, part.position, 1_000)
        assert then is not None
        assert then.cases[0] == following.cases[0]
        assert {*then.cases} >= {case for each in parts[parts.index(following) :] for case in each.cases}


def test_cases_of_spans_come_first_and_hold_the_position_until_all_are_worked_off() -> None:
    since = Position("a", 10)
    told = Changes([5, 6, 7], Position("a", 20), left=False, first_told=[12, 13, 17], spans_of=[1, 2])
    whole = told.and_of_spans([9, 6], since)
    assert (whole.cases, whole.first_told, whole.spans_of) == ([9, 6, 5, 7], [11, 11, 12, 17], ())
    first, rest = whole.split(1)
    assert first.position == since
    assert rest is not None
    second, rest = rest.split(2)
    assert (second.cases, second.position) == ([6, 5], Position("a", 16))
    assert rest == Changes([7], Position("a", 20), left=False, first_told=[17])


def test_cases_that_leave_are_told_apart_in_the_order_in_which_they_did(engine: Engine) -> None:
    engine.fold(events(), NOW)
    at, (one, other, *_) = position_of(engine.store), cases(engine)
    leave(engine, one, other)
    engine.fold([msgspec.structs.replace(each, id=f"{each.id}-later") for each in events()], NOW)
    between = position_of(engine.store)
    leave(engine, one if one in cases(engine) else cases(engine)[0])
    first = changes_after(engine.store, at, 1_000)
    assert first is not None
    assert (first.retired, first.cases, first.left) == ([one, other], [], True)
    then = changes_after(engine.store, first.position, 1_000)
    assert then is not None
    assert (then.retired, then.position, then.left) == ((), between, True)
    assert then.cases
    last = changes_after(engine.store, then.position, 1_000)
    assert last is not None
    assert (len(last.retired), last.cases, last.left) == (1, [], False)
    told, seq = retired_after(engine.store, first.position.seq)
    assert (list(told), seq) == (last.retired, last.position.seq)


def leave(engine: Engine, *ids: int) -> None:
    with engine.transaction():
        engine.resolver.forget()
        drop_cases(engine.store, list(engine.store.cases_by_id(ids).values()), NOW)


def test_cases_that_were_saved_since_a_follower_looked_are_told_from_others(engine: Engine, tmp_path: Path) -> None:
    engine.fold(events()[:2], NOW)
    looked, before = position_of(engine.store), cases(engine)
    engine.fold(events(), NOW)
    everything = cases(engine)
    assert not_followed(engine.store, tmp_path, everything) == set()  # nobody follows
    follow(tmp_path, looked)
    since = changes_after(engine.store, looked, 1_000)
    assert since is not None
    assert not_followed(engine.store, tmp_path, everything) == set(since.cases) >= set(everything) - set(before)
    assert not_followed(engine.store, tmp_path, []) == set()
    follow(tmp_path, since.position)
    assert not_followed(engine.store, tmp_path, everything) == set()
    follow(tmp_path, Position("another", since.position.seq))
    assert not_followed(engine.store, tmp_path, everything) == set(everything)


def test_rows_stay_until_the_follower_of_this_very_store_has_worked_them_off(engine: Engine, tmp_path: Path) -> None:
    beginning = position_of(engine.store)
    engine.fold(events(), NOW)
    end = position_of(engine.store)
    forget(engine, tmp_path)
    follow(tmp_path, Position("another", end.seq))
    forget(engine, tmp_path)
    assert changes_after(engine.store, beginning, 1_000) is not None
    follow(tmp_path, end)
    forget(engine, tmp_path)
    assert engine.store.one("SELECT count(*) FROM changed") == 1  # the last stays, to count on from
    assert changes_after(engine.store, beginning, 1_000) is None
    assert changes_after(engine.store, end, 1_000) is not None


def test_the_oldest_go_where_there_are_too_many_and_who_missed_them_learns_it(engine: Engine, tmp_path: Path) -> None:
    beginning = position_of(engine.store)
    engine.fold(events(), NOW)
    forget(engine, tmp_path, most=2)
    assert changes_after(engine.store, beginning, 1_000) is None
    assert changes_after(engine.store, beginning._replace(store="another"), 1_000) is None
    assert changes_after(engine.store, position_of(engine.store), 1_000) is not None


def test_a_position_beyond_the_last_is_that_of_a_store_as_it_was_later(engine: Engine) -> None:
    engine.fold(events(), NOW)
    at = position_of(engine.store)
    assert changes_after(engine.store, at._replace(seq=at.seq + 1), 1_000) is None
