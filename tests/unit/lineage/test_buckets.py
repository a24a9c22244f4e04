"""Which buckets may hold a key is told from memory: always those that do, hardly ever others, also after a restart."""

from __future__ import annotations

import tracemalloc
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from lineage.buckets import BUCKET_KEYS, EveryBucket, Filters, KeyIndex, Lanes, spread
from lineage.places import open_writing
from lineage.store import StoreReader
from lineage.upgrade import make
from throughline.core.sql import Connection

RANDOM = Random(5)


def keys(count: int) -> list[bytes]:
    return [RANDOM.randbytes(16) for _ in range(count)]


@pytest.fixture
def store(tmp_path: Path) -> Generator[Connection]:
    with closing(open_writing(tmp_path / "store.db")) as connection:
        make(connection)
        yield connection


def put(store: Connection, index: KeyIndex, bucket: int, some: list[bytes]) -> None:
    """Do what a writer does: store rows, and tell the index."""
    store.executemany("INSERT INTO trace (bucket, trace_id, spans) VALUES (?, ?, x'90')", [(bucket, k) for k in some])
    index.add(bucket, some)


def test_full_filters_know_all_of_their_keys_and_hardly_any_other() -> None:
    filters, held = Filters(), {bucket: keys(BUCKET_KEYS) for bucket in (0, 7, 70)}
    for bucket, some in held.items():
        filters.put(bucket, some)
    for bucket, some in held.items():
        assert [place for place, at in filters.find(some[:2_000]) if at == bucket] == list(range(2_000))
    wrong = sum(1 for _ in filters.find(keys(20_000)))
    assert wrong < 20_000 * len(held) / 2_500


def test_what_is_stored_of_eight_buckets_is_read_back_beside_others() -> None:
    filters, held = Filters(), {bucket: keys(50) for bucket in range(6, 18)}
    for bucket, some in held.items():
        filters.put(bucket, some)
    again = Filters()
    for bucket in (6, 7, 16, 17):
        again.put(bucket, held[bucket])
    again.put_lanes({1: filters.lane(1)})
    for some in held.values():
        assert list(again.find(some)) == list(filters.find(some))


def test_filters_in_fewer_slots_know_all_of_the_keys_too() -> None:
    filters, held = Filters(), {bucket: keys(BUCKET_KEYS) for bucket in (8, 15)}
    for bucket, some in held.items():
        filters.put(bucket, some)
    again = Filters(1 << 20)
    again.put_lanes({1: filters.lane(1)})
    for bucket, some in held.items():
        assert [place for place, at in again.find(some[:2_000]) if at == bucket] == list(range(2_000))
    assert sum(1 for _ in again.find(keys(20_000))) < 20_000 * len(held) / 300


@pytest.mark.parametrize("spreading", [spread, bytes])
def test_an_index_finds_each_key_in_its_bucket_also_once_it_is_opened_anew(store: Connection, spreading) -> None:
    index = KeyIndex(store, "trace", "trace_id", spreading)
    held = {bucket: keys(20) for bucket in range(19)}
    for bucket, some in held.items():
        put(store, index, bucket, some)
    assert [row[0] for row in store.execute("SELECT lane FROM key_filter ORDER BY lane")] == [0, 1]
    store.execute("DELETE FROM key_filter WHERE lane = 0")
    reader = EveryBucket(store, "trace", Lanes(), spreading)
    for known in (index, KeyIndex(store, "trace", "trace_id", spreading), reader):
        for bucket, some in held.items():
            assert set(some) == set(known.where(some)[bucket])
    assert sum(map(len, index.where(keys(500)).values())) < 5
    assert set(reader.where(keys(5))) == {16, 17, 18}  # of which no filter is stored
    assert store.execute("SELECT count(*) FROM key_filter").fetchone()[0] == 2


def test_a_key_that_is_put_into_a_full_bucket_is_found_also_once_it_is_opened_anew(store: Connection) -> None:
    index = KeyIndex(store, "trace", "trace_id")
    for bucket in range(10):
        put(store, index, bucket, keys(20))
    late, lanes = keys(1), Lanes()
    assert 3 not in EveryBucket(store, "trace", lanes).where(late)
    put(store, index, 3, late)
    reader = EveryBucket(store, "trace", lanes)
    for known in (index, reader):
        assert known.where(late)[3] == late
    again = KeyIndex(store, "trace", "trace_id")
    store.execute("INSERT INTO meta (name, value) VALUES ('opened', '1')")
    for known in (again, reader):
        assert known.where(late)[3] == late


def test_a_bucket_that_is_the_youngest_again_is_full_again_with_all_of_its_keys(store: Connection) -> None:
    index = KeyIndex(store, "trace", "trace_id")
    for bucket in range(9):
        put(store, index, bucket, keys(20))
    store.execute("DELETE FROM trace WHERE bucket = 8")
    late = keys(5)
    index = KeyIndex(store, "trace", "trace_id")
    put(store, index, index.next_bucket(), late)
    put(store, index, 8, keys(20))
    for known in (index, KeyIndex(store, "trace", "trace_id"), EveryBucket(store, "trace", Lanes())):
        assert known.where(late)[7] == late


def test_a_small_store_takes_no_memory_for_filters(store: Connection) -> None:
    tracemalloc.start()
    try:
        index, some = KeyIndex(store, "trace", "trace_id"), keys(1_000)
        put(store, index, 0, some)
        again = KeyIndex(store, "trace", "trace_id")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1 << 20
    for known in (index, again):
        assert known.where(some) == {0: some}


@pytest.mark.parametrize("count", [10, 5_000])
def test_the_first_keys_of_all_are_found_once_others_are_younger(store: Connection, count: int) -> None:
    index, first, more = KeyIndex(store, "trace", "trace_id"), keys(count), keys(count)
    put(store, index, 0, first)
    put(store, index, 0, more)
    assert index.where(keys(count)) == {}
    put(store, index, 1, keys(1))
    for known in (index, KeyIndex(store, "trace", "trace_id")):
        assert set(first + more) == set(known.where(first + more)[0])


def test_filters_of_an_earlier_kind_are_made_anew(store: Connection) -> None:
    index, some = KeyIndex(store, "trace", "trace_id"), keys(20)
    for bucket in range(9):
        put(store, index, bucket, some)
    store.execute("UPDATE key_filter SET name = 'trace', bits = zeroblob(length(bits))")
    assert KeyIndex(store, "trace", "trace_id").where(some)[2] == some
    assert EveryBucket(store, "trace", Lanes()).where(some)[2] == some


def test_the_next_bucket_begins_when_one_is_full(store: Connection) -> None:
    index = KeyIndex(store, "trace", "trace_id")
    put(store, index, index.next_bucket(), keys(BUCKET_KEYS - 1))
    assert index.next_bucket() == 0
    put(store, index, 0, keys(1))
    assert index.next_bucket() == 1
    assert KeyIndex(store, "trace", "trace_id").next_bucket() == 1


def test_a_reader_asks_every_bucket_of_which_no_filter_is_stored(store: Connection) -> None:
    every = EveryBucket(store, "trace", Lanes())
    assert every.where([b"a"]) == {}
    store.execute("INSERT INTO trace (bucket, trace_id, spans) VALUES (2, x'00', x'90')")
    assert every.where([b"a"]) == {0: [b"a"], 1: [b"a"], 2: [b"a"]}


def test_what_a_reader_has_warmed_up_the_first_look_up_does_not_read(store: Connection) -> None:
    index = KeyIndex(store, "trace", "trace_id", spread)
    for bucket in range(9):
        put(store, index, bucket, keys(20))
    asked: list[str] = []
    store.driver.set_trace_callback(asked.append)
    lanes = Lanes()
    for warm in (True, False):
        asked.clear()
        reader = StoreReader(store, lanes)
        if warm:
            reader.warm()
        else:
            reader.trace_places.where(keys(1))
        assert any("SELECT bits" in each for each in asked) == warm
