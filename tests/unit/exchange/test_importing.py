"""Importing goes on where it was cut off, tries again where a door is busy, and counts what became of each entry."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from throughline.exchange.door import BATCH, EVENTS_PATH, Door, DoorClosed, DoorRefused
from throughline.exchange.entry import Entry, Unread
from throughline.exchange.importing import BATCH_BYTES, BATCH_ENTRIES, Note, Standing, batches, import_log


class Answer(NamedTuple):
    """What the door answers next."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


def taken(count: int, **more: Any) -> Answer:
    return Answer(202, {"accepted": count, "position": "j1", **more}, {})


class Collector:
    """A door that answers what it is told to, else that all is taken; keeps what came in."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[list[dict[str, Any]]] = []
        self.waited: list[float] = []
        self.url = ""

    def door(self) -> Door:
        return Door(self.url, EVENTS_PATH, BATCH, "secret", self.waited.append)


@contextmanager
def collecting() -> Generator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Authorization"] == "Bearer secret"
            events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = collector.answers.pop(0) if collector.answers else taken(len(events))
            if answer.status == 202:
                collector.requests.append(events)
            body = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


class Numbers:
    """A log of numbers."""

    def __init__(self, count: int) -> None:
        self._count = count

    def entries(self) -> Iterator[Entry | Unread]:
        for number in range(self._count):
            yield Entry(f"line {number}", json.dumps({"id": number}).encode(), "a.b")

    def done(self) -> float:
        return 1.0


def test_an_import_that_was_cut_off_goes_on_behind_its_last_batch(collector: Collector, tmp_path: Path) -> None:
    note = Note(tmp_path, ["log"])
    count = 2 * BATCH_ENTRIES + 7

    def cut_off(standing: Standing) -> None:
        if standing.read == 2 * BATCH_ENTRIES:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_log(Numbers(count), collector.door(), note, note.read("log"), cut_off)
    standing = note.read("log")
    assert (standing.read, standing.accepted) == (2 * BATCH_ENTRIES, 2 * BATCH_ENTRIES)
    import_log(Numbers(count), collector.door(), note, standing, lambda _: None)
    assert [each["id"] for request in collector.requests for each in request] == list(range(count))
    assert (standing.read, standing.accepted, standing.types) == (count, count, {"a.b": count})
    assert note.read("log").read == 0
    assert list(tmp_path.iterdir()) == []


def test_imports_that_differ_in_what_they_read_or_how_have_notes_of_their_own(tmp_path: Path) -> None:
    Note(tmp_path, ["log", "xes"]).write(Standing("log", read=5))
    assert Note(tmp_path, ["log", "xes"]).read("log").read == 5
    assert Note(tmp_path, ["log", "csv"]).read("log").read == 0


def test_a_busy_door_is_tried_again_after_the_time_that_it_says(collector: Collector) -> None:
    collector.answers = [Answer(429, {}, {"Retry-After": "3"}), Answer(503, {}, {"Retry-After": "1"})]
    assert collector.door().send([b'{"id": 1}']).accepted == 1
    assert collector.waited == [3.0, 1.0]


def test_a_door_that_is_not_there_is_tried_for_a_while_and_then_said_to_be_closed() -> None:
    waited: list[float] = []
    with pytest.raises(DoorClosed, match="throughline serve"):
        Door("http://127.0.0.1:9", EVENTS_PATH, BATCH, None, waited.append).send([b"{}"])
    assert sum(waited) > 60


def test_a_request_that_is_too_large_is_sent_in_parts_and_its_indexes_fit_the_whole(collector: Collector) -> None:
    refused = {"index": 0, "reason": "bad_time", "detail": "time: seen nothing"}
    collector.answers = [Answer(413, {}, {}), taken(2), taken(1, set_aside=[refused])]
    receipt = collector.door().send([b'{"id": %d}' % number for number in range(4)])
    assert receipt.accepted == 3
    assert [each.index for each in receipt.set_aside] == [2]


def test_one_entry_that_is_too_large_is_set_aside(collector: Collector) -> None:
    collector.answers = [Answer(413, {"detail": "wanted less"}, {})]
    assert [each.reason for each in collector.door().send([b"{}"]).set_aside] == ["too_large"]


@pytest.mark.parametrize(("status", "said"), [(400, "no JSON"), (401, "THROUGHLINE_TOKEN"), (404, "no JSON")])
def test_a_refusal_that_would_come_again_is_said(collector: Collector, status: int, said: str) -> None:
    collector.answers = [Answer(status, {"detail": "no JSON"}, {})]
    with pytest.raises(DoorRefused, match=said):
        collector.door().send([b"{}"])


def test_what_was_set_aside_is_counted_by_reason_with_the_place_of_the_first(
    tmp_path: Path, collector: Collector
) -> None:
    class Log(Numbers):
        def entries(self) -> Iterator[Entry | Unread]:
            yield Unread("line 1", "no_event", "seen no JSON object")
            yield from super().entries()

    refused = [{"index": number, "reason": "bad_time", "detail": "time: seen nothing"} for number in (1, 2)]
    collector.answers = [taken(1, set_aside=refused)]
    standing = Standing("log")
    import_log(Log(3), collector.door(), Note(tmp_path, []), standing, lambda _: None)
    assert (standing.read, standing.accepted) == (4, 1)
    assert {reason: (each.count, each.example) for reason, each in standing.set_aside.items()} == {
        "no_event": (1, "line 1: seen no JSON object"),
        "bad_time": (2, "line 1: time: seen nothing"),
    }


def test_batches_stay_within_a_number_and_a_size() -> None:
    entries = [Entry("x", b"x" * (BATCH_BYTES // 3)) for _ in range(10)]
    assert [len(batch) for batch in batches(iter(entries))] == [3, 3, 3, 1]
    assert [len(batch) for batch in batches(Numbers(BATCH_ENTRIES + 1).entries())] == [BATCH_ENTRIES, 1]
