"""Replay at a running collector: what was set aside is taken again, once, whenever the process is killed.

What makes events unreadable, and readable later, is the setting of how deep they may nest.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.running_collector import CONTROL, RunningCollector, cloudevent, events, records
from throughline.core.control import REPLAY_PATH
from throughline.core.journal import JOURNAL_FILE, JournalReader, Replay, SetAsideEvent, compress, decompress

DEEP = {"time_entry": "TE-1", "notes": [[[[[["deep"]]]]]]}
STRICT, LENIENT = {"nesting": 4}, {"nesting": 64}


def set_aside(data: Path, count: int = 1) -> list[SetAsideEvent]:
    """Have events set aside, and return their entries; the collector is stopped then."""
    with RunningCollector(data, STRICT) as strict:
        answer = strict.send(cloudevent(0), *(cloudevent(number, data=DEEP) for number in range(1, count + 1)))
        assert answer.json()["accepted"] == 1
    return quarantine(data)


def quarantine(data: Path) -> list[SetAsideEvent]:
    reader = JournalReader(data / JOURNAL_FILE)
    try:
        return reader.quarantine(limit=1_000)
    finally:
        reader.close()


def replays(data: Path) -> dict[int, list[Replay]]:
    reader = JournalReader(data / JOURNAL_FILE)
    try:
        return reader.replays([entry.id for entry in reader.quarantine(limit=1_000)])
    finally:
        reader.close()


def replay(collector: RunningCollector, *entries: int, secret: str = CONTROL) -> httpx2.Response:
    return collector.client.post(
        collector.url(REPLAY_PATH),
        content=json.dumps({"entries": entries, "by": "ana"}),
        headers={"authorization": f"Bearer {secret}"},
    )


def told(collector: RunningCollector, *entries: int) -> list[tuple[int, str]]:
    answer = replay(collector, *entries)
    assert answer.status_code == 200, answer.text
    return [(each["entry"], each["outcome"]) for each in answer.json()]


def test_what_can_be_read_by_now_is_taken_as_it_was_first_received(tmp_path: Path) -> None:
    (entry,) = set_aside(tmp_path)
    with RunningCollector(tmp_path, LENIENT) as lenient:
        (answer,) = replay(lenient, entry.id).json()
        assert (answer["outcome"], answer["events"]) == ("taken", 1)
        assert lenient.metric('throughline_replays_total{outcome="taken"}') == 1
        assert lenient.metric('throughline_replays_total{outcome="set_aside"}') == 0
    (taken,) = [event for event in events(tmp_path) if event.id == "e-1"]
    assert taken.received == entry.received
    record = records(tmp_path)[-1]
    assert answer["position"] == f"j{record.id}"
    reader = JournalReader(tmp_path / JOURNAL_FILE)
    (raw,) = reader.requests(record.id)
    reader.close()
    assert (raw.received, raw.door, raw.sender) == (entry.received, "cloudevents", entry.sender)
    assert quarantine(tmp_path) == [entry]
    (mark,) = replays(tmp_path)[entry.id]
    assert (mark.by, mark.outcome, mark.events, mark.record) == ("ana", "taken", 1, record.id)
    assert mark.at > entry.received


def test_what_was_taken_once_is_not_taken_twice(tmp_path: Path) -> None:
    (entry,) = set_aside(tmp_path)
    with RunningCollector(tmp_path, LENIENT) as lenient:
        assert told(lenient, entry.id, entry.id) == [(entry.id, "taken")]
        assert told(lenient, entry.id) == [(entry.id, "taken_before")]
    with RunningCollector(tmp_path, LENIENT) as again:
        assert told(again, entry.id) == [(entry.id, "taken_before")]
    assert [event.id for event in events(tmp_path)].count("e-1") == 1
    assert len(replays(tmp_path)[entry.id]) == 1


def test_what_still_cannot_be_read_stays_with_the_reason_of_each_try(tmp_path: Path) -> None:
    (entry,) = set_aside(tmp_path)
    before = len(records(tmp_path))
    with RunningCollector(tmp_path, STRICT) as strict:
        assert told(strict, entry.id) == [(entry.id, "set_aside")]
        assert told(strict, entry.id) == [(entry.id, "set_aside")]
    assert quarantine(tmp_path) == [entry]
    assert [(mark.outcome, mark.reason) for mark in replays(tmp_path)[entry.id]] == [("set_aside", "too_large")] * 2
    assert len(records(tmp_path)) == before
    with RunningCollector(tmp_path, LENIENT) as lenient:
        assert told(lenient, entry.id) == [(entry.id, "taken")]


def test_of_many_each_is_told_and_one_that_is_not_there_stops_no_other(tmp_path: Path) -> None:
    entries = set_aside(tmp_path, 30)
    ids = [entry.id for entry in entries]
    with RunningCollector(tmp_path, LENIENT) as lenient:
        outcomes = dict(told(lenient, *ids[:10], 999, *ids[10:]))
        assert outcomes.pop(999) == "unknown"
    assert outcomes == dict.fromkeys(ids, "taken")
    assert sorted(event.id for event in events(tmp_path)) == sorted(f"e-{number}" for number in range(31))


@pytest.mark.parametrize("boundary", ["appended", "committed"])
def test_a_kill_leaves_both_the_event_and_its_mark_or_neither(tmp_path: Path, boundary: str) -> None:
    (entry,) = set_aside(tmp_path)
    killed = RunningCollector(tmp_path, LENIENT, kill=(boundary, 1))
    with pytest.raises(httpx2.HTTPError):
        replay(killed, entry.id)
    killed.kill()
    durable = boundary == "committed"
    assert ("e-1" in [event.id for event in events(tmp_path)]) is durable
    assert (entry.id in replays(tmp_path)) is durable
    with RunningCollector(tmp_path, LENIENT) as again:
        assert told(again, entry.id) == [(entry.id, "taken_before" if durable else "taken")]
    assert [event.id for event in events(tmp_path)].count("e-1") == 1


def test_to_senders_there_is_no_such_path(tmp_path: Path) -> None:
    (entry,) = set_aside(tmp_path)
    with RunningCollector(tmp_path, LENIENT) as lenient:
        refused = replay(lenient, entry.id, secret="another secret")
        nowhere = lenient.client.post(lenient.url("/v1/nowhere"), content=b"{}")
        assert (refused.status_code, refused.json()) == (404, nowhere.json())
        assert lenient.client.post(lenient.url(REPLAY_PATH), content=b"{}").status_code == 404
        assert told(lenient, entry.id) == [(entry.id, "taken")]


@pytest.mark.parametrize(
    ("order", "status"),
    [({}, 400), ({"entries": ["q1"], "by": "ana"}, 400), ({"entries": list(range(201)), "by": "ana"}, 413)],
)
def test_an_order_that_cannot_be_read_is_refused(tmp_path: Path, order: dict[str, Any], status: int) -> None:
    with RunningCollector(tmp_path) as collector:
        sent = {"authorization": f"Bearer {CONTROL}"}
        answer = collector.client.post(collector.url(REPLAY_PATH), content=json.dumps(order), headers=sent)
        assert answer.status_code == status
        assert collector.client.get(collector.url(REPLAY_PATH), headers=sent).status_code == 405


def test_a_journal_of_before_there_were_replays_gets_their_table(tmp_path: Path) -> None:
    (entry,) = set_aside(tmp_path)
    connection = sqlite3.connect(tmp_path / JOURNAL_FILE)
    connection.execute("DROP TABLE replay")
    connection.commit()
    connection.close()
    with RunningCollector(tmp_path, LENIENT) as lenient:
        assert told(lenient, entry.id) == [(entry.id, "taken")]


def attributes(**named: str) -> list[dict[str, Any]]:
    return [{"key": f"throughline.{name}", "value": {"stringValue": text}} for name, text in named.items()]


def send_span(collector: RunningCollector, own: dict[str, str], inner: dict[str, str]) -> None:
    """Send a span with an event of its own, and another in it."""
    event = {"timeUnixNano": "1760000000000000000", "name": "inner", "attributes": attributes(**inner)}
    span = {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": "00f067aa0ba902b7",
        "name": "post",
        "endTimeUnixNano": "1760000000000000000",
        "attributes": attributes(**own),
        "events": [event],
    }
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "erp"}}]}
    request = {"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [span]}]}]}
    collector.client.post(collector.url("/v1/traces", "otlp_http"), json=request)


def test_of_an_input_with_several_events_what_can_be_read_is_taken_and_the_rest_waits(tmp_path: Path) -> None:
    money = {"event": "time.posted", "currency": "EUR"}
    with RunningCollector(tmp_path) as collector:
        send_span(collector, money | {"amount": "much"}, money | {"amount": "many"})
        (entry,) = quarantine(tmp_path)
        mend(tmp_path, entry.id, b"much", b"1.50")
        (first,) = replay(collector, entry.id).json()
        assert (first["outcome"], first["events"], first["reason"]) == ("set_aside", 1, "bad_number")
        mend(tmp_path, entry.id, b"many", b"2.50")
        assert told(collector, entry.id) == [(entry.id, "taken")]
    assert quarantine(tmp_path) == [entry]
    assert {event.id[-2:]: event.amount for event in events(tmp_path)} == {"-0": "1.50", "-1": "2.50"}


def test_a_span_whose_event_is_taken_again_is_kept_once(tmp_path: Path) -> None:
    with RunningCollector(tmp_path) as collector:
        send_span(collector, {"event": "time.posted", "amount": "much", "currency": "EUR"}, {})
        (entry,) = quarantine(tmp_path)
        mend(tmp_path, entry.id, b"much", b"1.50")
        assert told(collector, entry.id) == [(entry.id, "taken")]
    assert [event.amount for event in events(tmp_path)] == ["1.50"]
    assert sum(len(record.spans) for record in records(tmp_path)) == 1


def mend(data: Path, entry: int, wrong: bytes, right: bytes) -> None:
    """Put another text of the same length into the body of an entry, as no sender could."""
    connection = sqlite3.connect(data / JOURNAL_FILE)
    (body,) = connection.execute("SELECT body FROM quarantine WHERE id = ?", (entry,)).fetchone()
    plain = decompress(body)
    assert wrong in plain
    connection.execute("UPDATE quarantine SET body = ? WHERE id = ?", (compress(plain.replace(wrong, right)), entry))
    connection.commit()
    connection.close()
