"""The command ``check`` on files: every form that events come in, what cannot be read, and the exit code."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.unit.cli.test_commands import command
from throughline.core.errors import ThroughlineError

GOOD = {
    "specversion": "1.0",
    "id": "1",
    "source": "/psa",
    "type": "time.approved",
    "time": "2026-03-02T09:00:00Z",
    "data": {"time_entry": "T1", "flow": "timesheets", "correlation_id": "R"},
}
BAD = GOOD | {"time": "soon"}


def lines(*events: Any) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


@pytest.mark.parametrize(
    ("text", "events", "unreadable", "code"),
    [
        (lines(GOOD, GOOD), 2, [], 0),
        (lines(GOOD) + "\n\n" + lines(GOOD), 2, [], 0),
        (json.dumps(GOOD), 1, [], 0),
        (json.dumps(GOOD, indent=2), 1, [], 0),
        (json.dumps([GOOD, GOOD], indent=2), 2, [], 0),
        (json.dumps([GOOD, BAD]), 1, [2], 1),
        (lines(GOOD, BAD, GOOD), 2, [2], 1),
        (lines(GOOD) + "no json\n" + lines(GOOD), 2, [2], 1),
        ("no json\n" + lines(GOOD), 1, [1], 1),
        ("\n" + lines(GOOD), 1, [], 0),
        (lines(GOOD | {"data": {}}), 1, [], 1),
        ("", 0, [], 1),
    ],
)
def test_a_file_is_read_as_a_door_reads_it(
    tmp_path: Path, text: str, events: int, unreadable: list[int], code: int
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text(text)
    ended, printed = command("check", str(file), "--json")
    document = json.loads(printed)
    assert document["events"] == events
    assert [each["place"] for each in document["unreadable"]] == unreadable
    if events or unreadable:
        assert ended == code


def test_a_person_is_told_what_to_change(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text(lines(GOOD, GOOD | {"data": {"flow": "timesheets"}}, BAD))
    code, printed = command("check", str(file))
    assert code == 1
    assert "flow timesheets: 50.0 % of 2 reach a process by a key" in printed
    assert "send time_entry" in printed
    assert "event 3 cannot be read (bad time)" in printed


def test_what_cannot_be_checked_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ThroughlineError, match="one a line"):
        command("check", str(tmp_path / "nothing"))
    with pytest.raises(ThroughlineError, match="such as 1h"):
        command("check", "--last", "soon")
    assert command("check")[0] == 2
    (tmp_path / "empty").write_text("")
    assert command("check", str(tmp_path / "empty")) == (1, "There is no event to check.\n")


class Answers(BaseHTTPRequestHandler):
    """Answers as the API does: a status, and events on two pages, or none at all."""

    gives_events = True

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = parse_qs(query)
        if path == "/api/v1/status":
            sources = [{"source": "/psa", "placeholders": 3, "lacking_scope": 0, "ambiguous": 1}]
            self._answer(200, {"now": "2026-03-02T10:00:00Z", "sources": sources})
        elif not self.gives_events:
            self._answer(404, {"title": "There is no such thing", "status": 404, "detail": "no such path"})
        else:
            assert asked["since"] == ["2026-03-02T08:30:00Z"]
            second = asked.get("cursor") == ["c"]
            event = GOOD | {"id": "2", "data": {"flow": "timesheets"}} if second else GOOD
            page = [{"event": event, "received": "2026-03-02T09:00:01Z", "keys": [], "pairs": []}]
            self._answer(200, {"events": page, "next": None if second else "c"})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Iterator[str]:
    class Given(Answers):
        gives_events = request.param

    server = ThreadingHTTPServer(("127.0.0.1", 0), Given)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("api", [True], indirect=True)
def test_what_came_in_of_late_is_checked_page_by_page(api: str) -> None:
    code, printed = command("check", "--last", "90m", "--url", api, "--json")
    (flow,) = json.loads(printed)["flows"]
    assert (code, flow["events"], flow["coverage"]) == (1, 2, "50.0")


@pytest.mark.parametrize("api", [False], indirect=True)
def test_where_events_are_not_given_back_it_says_what_was_counted(api: str) -> None:
    code, printed = command("check", "--last", "90m", "--url", api)
    assert code == 1
    assert "does not give its events back" in printed
    assert "/psa: 3 placeholders, 0 lacking scope, 1 ambiguous" in printed
