"""A text that is interned is found under its id: by its writer, by who only reads, and after a restart; no other is."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.buckets import BUCKET_KEYS, Lanes
from lineage.places import open_reading, open_writing
from lineage.store import StoreReader, StoreWriter
from lineage.texts import spread_hash, text_hash
from throughline.core.key import Key
from throughline.core.sql import Connection

SOME = ["invoice\x1fI-1\x1fDE01", "invoice\x1fI-1\x1fUS01", "invoice\x1fI-2\x1fDE01", "ticket\x1fT-1", "ticket\x1fT-2"]


@pytest.fixture
def store(tmp_path: Path) -> Generator[StoreWriter]:
    with closing(open_writing(tmp_path / "store.db")) as connection:
        yield StoreWriter(connection)


def buckets(connection: Connection) -> list[tuple[int, int]]:
    return connection.execute("SELECT bucket, count(*) FROM value_hash GROUP BY bucket ORDER BY bucket").fetchall()


@pytest.mark.parametrize("count", [1, 4, 5, 40])
def test_texts_of_many_buckets_are_found_by_whoever_asks(store: StoreWriter, tmp_path: Path, count: int) -> None:
    ids: dict[str, int] = {}
    for bucket in range(20):
        store.next_value = bucket * BUCKET_KEYS + 1
        ids |= store.intern([f"ticket\x1fT-{bucket}-{index}" for index in range(2)])
    asked, foreign = list(ids)[:count], [f"ticket\x1fX-{index}" for index in range(count)]
    with closing(open_reading(tmp_path / "store.db")) as connection:
        for each in (store, StoreReader(connection, Lanes()), StoreWriter(store.connection)):
            assert each.value_ids([*asked, *foreign]) == {text: ids[text] for text in asked}
            assert each.value_ids([]) == {}
    assert len(buckets(store.connection)) == 20
    assert store.one("SELECT count(*) FROM key_filter") == 2


def test_a_batch_is_interned_across_the_beginning_of_a_bucket(store: StoreWriter) -> None:
    store.next_value = BUCKET_KEYS - 2
    ids = store.intern(SOME)
    assert list(ids.values()) == list(range(BUCKET_KEYS - 2, BUCKET_KEYS + 3))
    assert buckets(store.connection) == [(0, 2), (1, 3)]
    assert StoreWriter(store.connection).intern(reversed(SOME)) == ids


def test_another_text_under_the_same_hash_is_not_taken_for_it(store: StoreWriter) -> None:
    ids = store.intern(SOME)
    rows = [(0, text_hash(text), ids[other]) for text in SOME for other in SOME if text != other]
    store.many("INSERT INTO value_hash (bucket, hash, id) VALUES (?, ?, ?)", rows)
    store.many("INSERT INTO value_hash (bucket, hash, id) VALUES (0, ?, ?)", [(text_hash("ticket\x1fT-9"), 1)])
    again = StoreWriter(store.connection)
    assert again.value_ids([*SOME, "ticket\x1fT-9"]) == ids
    assert again.scoped_texts("invoice\x1fI-1", 10) == SOME[:2]


def test_the_records_of_one_value_are_found_in_every_scope_in_order(store: StoreWriter, tmp_path: Path) -> None:
    store.intern(reversed(SOME))
    store.next_value = 3 * BUCKET_KEYS
    store.intern(["invoice\x1fI-1\x1fAT01", "invoice\x1fI-1"])
    with closing(open_reading(tmp_path / "store.db")) as connection:
        for each in (store, StoreReader(connection)):
            assert each.scoped_texts("invoice\x1fI-1", 10) == ["invoice\x1fI-1\x1fAT01", *SOME[:2]]
            assert each.scoped_texts("invoice\x1fI-1", 2) == ["invoice\x1fI-1\x1fAT01", SOME[0]]
            assert each.scoped_texts("invoice\x1fI", 10) == []


def test_a_text_that_is_forgotten_leaves_nothing_and_is_interned_anew(store: StoreWriter) -> None:
    ids = store.intern(SOME)
    store.forget_values({ids[text]: text for text in SOME})
    assert store.value_ids(SOME) == {SOME[-1]: ids[SOME[-1]]}  # the greatest id stays
    assert buckets(store.connection) == [(0, 1)]
    assert store.intern(SOME) == {text: ids[SOME[-1]] + 1 + index for index, text in enumerate(SOME[:-1])} | {
        SOME[-1]: ids[SOME[-1]]
    }


def test_a_hash_is_what_stores_hold() -> None:
    assert [text_hash(text) for text in SOME] == [
        1404288165688631598,
        1404288167186968975,
        5739211417383413,
        4288026247040200995,
        -241380016500828196,
    ]
    assert {text_hash(text) >> 32 for text in SOME[:2]} == {text_hash("invoice\x1fI-1") >> 32}


def test_what_stands_in_a_filter_is_as_different_as_the_hashes() -> None:
    spread = {spread_hash(text_hash(f"ticket\x1fT-{index}")) for index in range(20_000)}
    assert len(spread) == 20_000
    for at in range(0, 16, 4):
        places = {int.from_bytes(each[at : at + 4], "little") & 0xFFFFF for each in spread}
        assert 19_700 < len(places) < 19_900  # of 2^20 places, drawn at random: 19,810


TEXTS = st.builds(
    lambda kind, value, scope: Key(kind, value, scope).encode(),
    st.sampled_from(["invoice", "ticket"]),
    st.sampled_from(["1", "2", "é", "\U0001f9fe"]),
    st.lists(st.sampled_from(["DE01", "US01"]), max_size=2).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["intern", "forget", "again"]), st.lists(TEXTS, unique=True)), max_size=12))
def test_whatever_is_interned_and_forgotten_the_texts_known_are_those_of_a_plain_dictionary(
    steps: list[tuple[str, list[str]]],
) -> None:
    with closing(open_writing(Path(":memory:"))) as connection:
        store, known = StoreWriter(connection), dict[str, int]()
        store.next_value = BUCKET_KEYS - 3
        for what, texts in steps:
            if what == "intern":
                found = store.intern(texts)
                assert {text: found[text] for text in texts if text in known} == {
                    text: known[text] for text in texts if text in known
                }
                assert set(found.values()).isdisjoint(known[text] for text in known.keys() - texts)
                known |= found
            elif what == "forget":
                gone = {known[text]: text for text in texts if text in known and known[text] + 1 != store.next_value}
                store.forget_values(gone)
                known = {text: value for text, value in known.items() if value not in gone}
            else:
                store = StoreWriter(connection)
            assert store.value_ids([*known, *texts]) == known
            assert StoreReader(connection).value_ids([*known, *texts]) == known
            assert connection.execute("SELECT count(*) FROM value_hash").fetchone() == (len(known),)
