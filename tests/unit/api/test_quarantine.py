"""The quarantine at the API: filters, one entry with its body, and replay handed on to a collector."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from collector.counts import new_counts
from collector.entry import Entry, Quarantined, Replayed
from collector.journal import Journal
from lineage.engine import Engine, Limits
from lineage.read import CaseReader
from tests.guarantees.firm import ERP, ESTATE, happened
from tests.guarantees.shown import PACK
from throughline.api import quarantine, replay
from throughline.api.access import Access
from throughline.api.app import create_app
from throughline.api.collector_way import CollectorWay
from throughline.core.guards import NO_GUARDS
from throughline.core.instants import parse_instant
from throughline.core.journal import JOURNAL_FILE, JournalReader, ReplayOutcome
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Meter, Part

CAME = parse_instant("2026-03-02T09:00:00Z")
NOWHERE = "127.0.0.1:9"


def set_aside(number: int, **changed: Any) -> Quarantined:
    body = b'{"specversion": "1.0", "id": "%d", "data": {"password": "hunter2hunter2"}}' % number
    said = {
        "received": CAME + number,
        "door": "cloudevents",
        "sender": "psa-sync",
        "source": "/erp",
        "event_id": str(number),
        "type": "time.posted",
        "reason": "bad_time",
        "sentence": "time: seen 'soon'",
        "signal": "events",
        "content_type": "application/cloudevents+json",
        "body": body,
    }
    return Quarantined(**said | changed)


async def write(path: Path, *entries: Entry) -> None:
    journal = Journal(path, 1 << 20, new_counts().journal)
    await journal.open()
    for entry in entries:
        await journal.append(entry)
    await journal.close()


def entry_of(*quarantined: Quarantined, replayed: Replayed | None = None) -> Entry:
    return Entry(None, b"\x90", 0, b"\x90", 0, b"\x90", 0, quarantined, 1, replayed)


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[TestClient]:
    """Four entries of the doors, the second of them taken by a replay, and one content that does not stand."""
    entries = [
        set_aside(1),
        set_aside(2, type="time.approved"),
        set_aside(3, source="/psa", reason="too_large"),
        set_aside(4, body=b"\x0a\x00\xff" + b"x" * 70_000, content_type="application/x-protobuf"),
    ]
    taken = Replayed(2, CAME + 60_000_000, "ana", ReplayOutcome.TAKEN, 1)
    asyncio.run(write(tmp_path / JOURNAL_FILE, entry_of(*entries), entry_of(replayed=taken)))
    engine = Engine.open(tmp_path / "store.db", PACK, ESTATE, Limits())
    engine.fold([happened("1", "time.posted", CAME, ERP, time_entry=name) for name in ("T1", "T2")], CAME, 1)
    cases = CaseReader(tmp_path / "store.db", PACK, ESTATE, Limits(), lambda: CAME)
    journal = JournalReader(tmp_path / JOURNAL_FILE)
    access = Access(NO_GUARDS.sign_ins)
    way = CollectorWay(NOWHERE, "secret")
    made = [quarantine.routes(journal, cases), replay.routes(journal, replay.Collector(way))]
    documents = (quarantine.QuarantineList, quarantine.QuarantineEntry, replay.ReplayDocument, replay.ReplayList)
    yield TestClient(create_app(made, documents, access, Meter(Part.API, METRICS)), "http://localhost")
    for each in (journal, cases, engine):
        each.close()


def ids(caller: TestClient, **asked: Any) -> list[str]:
    answer = caller.get("/api/v1/quarantine", params=asked)
    assert answer.status_code == 200, answer.text
    return [each["id"] if each["id"][0] == "q" else each["reason"] for each in answer.json()["entries"]]


def test_entries_are_listed_by_reason_type_source_and_whether_a_replay_took_them(caller: TestClient) -> None:
    assert ids(caller) == ["q1", "q2", "q3", "q4", "other_content"]
    assert ids(caller, reason="too_large") == ["q3"]
    assert ids(caller, type="time.approved") == ["q2"]
    assert ids(caller, source="/psa") == ["q3"]
    assert ids(caller, source=ERP) == ["other_content"]
    assert ids(caller, reason="other_content") == ["other_content"]
    assert ids(caller, taken=True) == ["q2"]
    assert ids(caller, taken=False) == ["q1", "q3", "q4", "other_content"]
    assert ids(caller, type="nobody.knows") == []


def test_pages_go_on_from_the_doors_to_the_engine(caller: TestClient) -> None:
    found, cursor = [], None
    while True:
        page = caller.get("/api/v1/quarantine", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [each["reason"] for each in page["entries"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ["bad_time", "bad_time", "too_large", "bad_time", "other_content"]


def test_an_entry_shows_what_came_in_without_its_secrets(caller: TestClient) -> None:
    entry = caller.get("/api/v1/quarantine/q1").json()
    assert entry["body"] == '{"specversion": "1.0", "id": "1", "data": {"password": "***"}}'
    assert (entry["content_type"], entry["body_cut"]) == ("application/cloudevents+json", False)
    assert (entry["taken"], entry["replays"]) == (False, [])


def test_a_long_body_of_bytes_is_shown_as_far_as_it_goes(caller: TestClient) -> None:
    entry = caller.get("/api/v1/quarantine/q4").json()
    assert (entry["body_bytes"], len(entry["body"]), entry["body_cut"]) == (70_003, 65_536, True)
    assert entry["body"].startswith("\n·�xxx")


def test_what_was_replayed_says_when_by_whom_and_what_came_of_it(caller: TestClient) -> None:
    entry = caller.get("/api/v1/quarantine/q2").json()
    assert entry["taken"] is True
    assert entry["replays"] == [
        {
            "at": "2026-03-02T09:01:00Z",
            "by": "ana",
            "outcome": "taken",
            "events": 1,
            "position": None,
            "reason": None,
            "sentence": None,
        }
    ]


def test_a_content_that_does_not_stand_can_be_shown_and_not_replayed(caller: TestClient) -> None:
    (entry,) = caller.get("/api/v1/quarantine", params={"reason": "other_content"}).json()["entries"]
    shown = caller.get(f"/api/v1/quarantine/{entry['id']}").json()
    assert '"time_entry":"T' in shown["body"]
    assert caller.post(f"/api/v1/quarantine/{entry['id']}/replay", json={"by": "ana"}).status_code == 404


@pytest.mark.parametrize("id", ["q9", "q", "x1", "e00", "ezz", "q-1", "q1x", "q" + "9" * 40])
def test_what_is_not_there_is_a_problem(caller: TestClient, id: str) -> None:
    assert caller.get(f"/api/v1/quarantine/{id}").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("q1/replay", {}, 422),
        ("q1/replay", {"by": "ana", "force": True}, 422),
        ("replay", {"by": "ana", "limit": 0}, 422),
        ("replay", {"by": "ana", "cursor": "x"}, 422),
        ("x/replay", {"by": "ana"}, 404),
        ("q1/replay", {"by": "ana"}, 503),
        ("replay", {"by": "ana"}, 503),
    ],
)
def test_a_replay_that_cannot_be_done_says_why(caller: TestClient, path: str, body: Any, status: int) -> None:
    answer = caller.post(f"/api/v1/quarantine/{path}", json=body)
    assert answer.status_code == status, answer.text
    if status == 503:
        assert "nothing is done twice" in answer.json()["detail"]


def test_where_nothing_fits_the_collector_is_not_asked(caller: TestClient) -> None:
    answer = caller.post("/api/v1/quarantine/replay", json={"by": "ana", "type": "time.approved"})
    assert answer.json() == {"replays": [], "next": None}
