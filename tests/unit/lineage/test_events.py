"""The events that count are given back page by page, each once, in words that a door reads as the same event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.cloudevents import BATCH, read_cloudevents
from lineage.events import MOST_SCANNED, EventFilter, EventPage, cloud_event, list_events
from tests.guarantees.firm import happened
from tests.guarantees.story import Story
from throughline.core.instants import HOUR, MINUTE, parse_instant

START = "2026-03-02T09:00:00Z"
AT = parse_instant(START)
RECEIVED = AT + 24 * HOUR
COUNT = 150  # over two blocks of the store
ALL = EventFilter()
_encode = msgspec.json.Encoder(order="deterministic").encode


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with closing(Story(tmp_path / "store.db")) as story:
        story.at("2026-03-03T09:00:00Z")
        yield story


def tell(story: Story, count: int = COUNT) -> None:
    story.tell(
        *(happened(f"e{number}", "time.submitted", AT + number, time_entry=f"TE-{number}") for number in range(count))
    )


def ids(page: EventPage) -> list[str]:
    return [each.event.id for each in page.events]


def pages(story: Story, wanted: EventFilter, limit: int) -> Iterator[EventPage]:
    after: int | None = 0
    while after is not None:
        page = list_events(story.snapshot(), wanted, after, limit)
        yield page
        after = page.next


@pytest.mark.parametrize("limit", [1, 7, 64, COUNT, 1_000])
def test_pages_have_every_event_once_in_order_whatever_their_size(story: Story, limit: int) -> None:
    tell(story)
    found = list(pages(story, ALL, limit))
    assert [each for page in found for each in ids(page)] == [f"e{number}" for number in range(COUNT)]
    assert all(len(page.events) <= limit for page in found)


def test_an_event_that_comes_between_two_pages_is_on_a_later_one(story: Story) -> None:
    tell(story, 3)
    first = list_events(story.snapshot(), ALL, 0, 2)
    story.tell(happened("late", "time.approved", AT, time_entry="TE-1"))
    assert first.next is not None
    assert ids(list_events(story.snapshot(), ALL, first.next, 9)) == ["e2", "late"]


def test_of_two_contents_only_the_one_that_stands_is_given(story: Story) -> None:
    story.tell(happened("e", "time.submitted", AT, received=AT + 2 * MINUTE, time_entry="TE-2"))
    story.tell(happened("e", "time.submitted", AT, received=AT + MINUTE, time_entry="TE-1"))
    (page,) = pages(story, ALL, 9)
    assert [each.event.data for each in page.events] == [{"time_entry": "TE-1"}]


def test_a_filter_takes_the_types_of_a_process_and_a_span_of_time(story: Story) -> None:
    tell(story)
    story.tell(happened("other", "desk.opened", AT + 3, desk="7"))
    (all_of_it,) = pages(story, EventFilter(since=AT + 2, until=AT + 4), 1_000)
    (of_process,) = pages(story, EventFilter(("time-to-bill",), AT + 2, AT + 4), 1_000)
    assert ids(all_of_it) == ["e2", "e3", "other"]
    assert ids(of_process) == ["e2", "e3"]


def test_a_filter_takes_what_came_in_of_late_however_long_ago_it_happened(story: Story) -> None:
    story.tell(happened("before", "time.submitted", AT + MINUTE, received=AT + MINUTE, time_entry="TE-1"))
    story.tell(happened("late", "time.submitted", AT, received=AT + 2 * MINUTE, time_entry="TE-2"))
    (page,) = pages(story, EventFilter(received=AT + 2 * MINUTE), 9)
    assert ids(page) == ["late"]


def test_a_page_looks_at_so_many_events_at_most_and_says_where_to_go_on(story: Story) -> None:
    tell(story, MOST_SCANNED + 5)
    last = EventFilter(since=AT + MOST_SCANNED + 2)
    first, second = pages(story, last, 9)
    assert ids(first) == []
    assert ids(second) == [f"e{MOST_SCANNED + number}" for number in (2, 3, 4)]


def test_keys_have_the_roles_that_processes_give_them_and_pairs_are_as_drawn(story: Story) -> None:
    story.tell(happened("p", "time.posted", AT, time_entry="TE-1", erp_document="D-1", customer="ACME", worker="n/a"))
    story.tell(happened("f", "time.posted", AT, failed="timeout", time_entry="TE-1", erp_document="D-1"))
    story.tell(happened("o", "desk.opened", AT, customer="ACME"))
    (page,) = pages(story, ALL, 9)
    posted, failed, opened = page.events
    assert [(use.key.type, use.roles) for use in posted.keys] == [
        ("customer", ["relation"]), ("erp_document", ["alias"]), ("time_entry", ["name"])
    ]  # fmt: skip
    assert [(pair.kind, pair.start.value, pair.end.value) for pair in posted.pairs] == [
        ("tie", "TE-1", "D-1"), ("relation", "TE-1", "ACME")
    ]  # fmt: skip
    assert failed.pairs == []  # a failure draws nothing
    assert [(use.key.value, use.roles) for use in opened.keys] == [("ACME", [])]


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
_DATA = st.fixed_dictionaries(
    {},
    optional={
        "time_entry": _TEXTS | st.lists(_TEXTS, max_size=3) | st.integers(),
        "rate": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30),
        "billable": st.booleans() | st.none(),
        "nested": st.just({"a": [1]}),
        "outcome": st.sampled_from(["success", "failure"]),
        "error": st.just({"category": "timeout", "attempt": 2}),
        "hours": st.sampled_from(["7.50", 7.5, 8]),
        "system": st.just("erp"),
        "synthetic": st.booleans(),
        "correlation_id": st.sampled_from(["x", ["x", "y"]]),
        "relations": st.just([{"from": {"invoice": "I", "x": "y"}, "to": {"batch": "B"}, "qualifier": "q"}]),
        "amounts": st.just({"TE-1": "1.10"}),
        "currency": st.just("EUR"),
    },
)  # fmt: skip
_ENVELOPE = st.fixed_dictionaries(
    {},
    optional={
        "correlationid": st.just("x"),
        "bamtxid": st.just("tx"),
        "bamptxcompleted": st.booleans(),
        "causationid": st.just("c"),
        "recordedtime": st.just("2026-03-02T09:00:00.123456Z"),
        "subject": _TEXTS.filter(bool),
        "sequence": st.sampled_from(["7", 7]),
        "traceparent": st.just("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"),
    },
)


@given(_DATA, _ENVELOPE)
def test_a_door_reads_what_is_given_back_as_the_same_event(data: dict[str, Any], envelope: dict[str, Any]) -> None:
    data = {**data, "currency": "EUR"} if "amounts" in data else data
    sent = {**envelope, "specversion": "1.0", "id": "1", "source": "/a", "type": "a.b", "time": START, "data": data}
    first = read_cloudevents(BATCH, {}, json.dumps([sent]).encode(), RECEIVED).events
    again = [read_cloudevents(BATCH, {}, _encode([cloud_event(event)]), RECEIVED).events for event in first]
    assert again == [[event] for event in first]


def test_a_number_keeps_its_text() -> None:
    body = b'[{"specversion": "1.0", "id": "1", "source": "/a", "type": "a.b", "time": "%s", "data": {"n": 1.50E+2}}]'
    (event,) = read_cloudevents(BATCH, {}, body % START.encode(), RECEIVED).events
    assert b'"n":1.50E+2' in _encode(cloud_event(event))
