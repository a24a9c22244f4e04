"""Where the content of a (source, id) stands is found by its digest, by the engine and by who only reads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.buckets import BUCKET_KEYS
from lineage.places import open_writing
from lineage.seen import ROW_EVENTS, RUN_KEYS, CountedSeen, PackedSeen, Seen, SeenRow, index_of, lost_events, rows_of
from lineage.upgrade import make
from throughline.core.sql import Connection

Ways = Callable[[], list[Seen]]


@pytest.fixture
def store(tmp_path: Path) -> Generator[Connection]:
    with closing(open_writing(tmp_path / "store.db")) as connection:
        make(connection)
        yield connection


def digest(number: int) -> bytes:
    """Return a digest that shares its first six bytes with those of 1,000 others, as a sender could make them."""
    return (number % 7 + 1).to_bytes(1, "big") * 6 + number.to_bytes(10, "big")


def new(numbers: Sequence[int]) -> list[tuple[bytes, int, bytes]]:
    return [(digest(number), 1_000 + number, bytes([number % 251]) * 16) for number in numbers]


def row(number: int, seq: int) -> SeenRow:
    return SeenRow(seq, 1_000 + number, bytes([number % 251]) * 16)


def ways(store: Connection, writer: CountedSeen) -> list[Seen]:
    """Return who is asked: the engine as it is, as it is once it starts anew, and who only reads."""
    return [writer, CountedSeen(store), PackedSeen(store)]


def test_what_was_put_is_found_in_full_buckets_and_in_the_youngest(store: Connection) -> None:
    writer, first = CountedSeen(store), BUCKET_KEYS - 1_500
    writer.put(first, new(range(1_000)), [])
    writer.put(first + 1_000, new(range(1_000, 2_000)), [])
    asked = [digest(number) for number in (0, 1, 7, 1_499, 1_500, 1_999, 2_000, 5_000)]
    for each in ways(store, writer):
        assert each.find(asked) == {
            digest(number): row(number, first + number) for number in (0, 1, 7, 1_499, 1_500, 1_999)
        }
        assert each.find([]) == {}
    assert store.execute("SELECT count(*) FROM counted WHERE first >= ?", (BUCKET_KEYS,)).fetchone() == (5,)
    assert store.execute("SELECT max(length(marks)) FROM counted").fetchone() == (ROW_EVENTS * 40,)
    assert list(PackedSeen(store).rows()) == [
        (*entry, *row(n, first + n)) for n, entry in enumerate(zip(map(digest, range(2_000))))
    ]


def test_who_only_reads_has_an_index_of_each_full_run_of_the_youngest_bucket(store: Connection) -> None:
    writer, several = CountedSeen(store), 2 * RUN_KEYS + 10
    for first in range(0, several, 1_000):
        writer.put(first, new(range(first, min(first + 1_000, several))), [])
    assert store.execute("SELECT part, length(entries) / 8 FROM counted_index").fetchall() == [
        (0, RUN_KEYS),
        (1, RUN_KEYS),
    ]
    asked = [digest(number) for number in (0, RUN_KEYS - 1, RUN_KEYS, several - 1, several)]
    assert PackedSeen(store).find(asked).keys() == set(asked[:-1])
    store.execute("DELETE FROM counted_index WHERE part = 0")
    assert PackedSeen(store).find(asked).keys() == set(asked[2:-1])
    assert len(list(lost_events(store))) == RUN_KEYS


def test_a_content_that_is_replaced_stands_no_more(store: Connection) -> None:
    writer, first = CountedSeen(store), BUCKET_KEYS - 10
    writer.put(first, new(range(20)), [])
    known = writer.find([digest(3), digest(15)])
    writer.put(first + 20, new([3, 15]), known.values())
    for each in ways(store, writer):
        assert each.find([digest(3), digest(15)]) == {digest(3): row(3, first + 20), digest(15): row(15, first + 21)}
        places = {first + 3: digest(3), first + 4: digest(4), first + 20: digest(3), first + 21: digest(15)}
        assert each.standing(places) == {first + 4, first + 20, first + 21}


def test_what_is_dropped_is_known_no_more_and_a_bucket_of_nothing_takes_its_index_along(store: Connection) -> None:
    writer, first = CountedSeen(store), BUCKET_KEYS - 250
    writer.put(first, new(range(300)), [])
    writer.drop([digest(number) for number in range(120)])
    for each in ways(store, writer):
        assert each.find([digest(119)]) == {}
        assert each.find([digest(120), digest(280)]).keys() == {digest(120), digest(280)}
    assert store.execute("SELECT min(first) FROM counted").fetchone() == (first + 100,)
    writer.drop([digest(number) for number in range(300)])
    for each in ways(store, writer):
        assert each.find([digest(number) for number in range(300)]) == {}
    assert store.execute("SELECT count(*) FROM counted_index").fetchone() == (0,)
    assert store.execute("SELECT first FROM counted").fetchall() == [(BUCKET_KEYS,)]  # the last one, to go on from
    writer.put(first + 300, new([5]), [])
    for each in ways(store, writer):
        assert each.find([digest(5)]) == {digest(5): row(5, first + 300)}


numbers = st.lists(st.integers(0, 40), max_size=12, unique=True)


steps_of = st.lists(st.tuples(st.sampled_from(["put", "drop", "again"]), numbers), max_size=12)
beginnings = st.builds(int.__sub__, st.sampled_from([BUCKET_KEYS, 3 * RUN_KEYS]), st.integers(0, 60))


@given(steps_of, beginnings)
def test_after_any_changes_everybody_knows_the_same(steps: list[tuple[str, list[int]]], first: int) -> None:
    with closing(open_writing(Path(":memory:"))) as store:
        make(store)
        writer, seq, known = CountedSeen(store), first, dict[bytes, SeenRow]()
        for step, some in steps:
            if step == "put":
                replaced = writer.find([digest(number) for number in some])
                writer.put(seq, new(some), replaced.values())
                known |= {digest(number): row(number, seq + at) for at, number in enumerate(some)}
                seq += len(some)
            elif step == "drop":
                writer.drop([digest(number) for number in some])
                known = {each: found for each, found in known.items() if each not in {digest(n) for n in some}}
            else:
                writer = CountedSeen(store)
        every = [digest(number) for number in range(41)]
        assert [each.find(every) for each in ways(store, writer)] == [known] * 3
        stored = PackedSeen(store).rows()
        assert {key: SeenRow(seq, received, content) for key, seq, received, content in stored} == known
        assert list(lost_events(store)) == []


def test_rows_made_of_events_with_gaps_have_nothing_in_the_gaps(store: Connection) -> None:
    events = [(number, *new([number])[0]) for number in (5, 7, 160, 3 * ROW_EVENTS)]
    store.executemany("INSERT INTO counted (first, marks) VALUES (?, ?)", rows_of(reversed(events)))
    found = PackedSeen(store).find([digest(number) for number in range(400)])
    assert found == {digest(number): row(number, number) for number in (5, 7, 160, 3 * ROW_EVENTS)}


def test_an_index_is_made_of_sorted_numbers_in_parts() -> None:
    parts = dict(index_of(2, [(bytes([0x1F] * 16), 3 << 16 | 7), (bytes([0x10] * 16), 5), (bytes([0xF0] * 16), 6)]))
    assert parts == {
        2 << 4 | 1: bytes.fromhex("0500" + "10" * 6) + bytes.fromhex("0700" + "1f" * 6),
        2 << 4 | 15: bytes.fromhex("0600" + "f0" * 6),
    }
