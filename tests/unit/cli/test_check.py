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
CASES = Path(__file__).parents[2] / "cases" / "mappings"
ERP = json.loads((CASES / "erp-invoice-posted" / "input.json").read_text("utf-8"))


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
    assert "input 3 cannot be read (bad time)" in printed


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
    first: Any = GOOD

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = parse_qs(query)
        if path == "/api/v1/status":
            sources = [{"source": "/psa", "placeholders": 3, "lacking_scope": 0, "ambiguous": 1}]
            self._answer(200, {"now": "2026-03-02T10:00:00Z", "sources": sources})
        elif not self.gives_events:
            self._answer(404, {"title": "There is no such thing", "status": 404, "detail": "no such path"})
        else:
            assert asked["received_since"] == ["2026-03-02T08:30:00Z"]
            second = asked.get("cursor") == ["c"]
            event = GOOD | {"id": "2", "data": {"flow": "timesheets"}} if second else self.first
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
        gives_events = request.param is not False
        first = GOOD if isinstance(request.param, bool) else request.param

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


UNFIT = GOOD | {"source": "/json/oracle-fbdi-callback", "type": "json.oracle-fbdi-callback"}


@pytest.mark.parametrize(
    ("api", "told"),
    [
        (GOOD | {"type": "erp.invoice.posted"}, "erp-invoice-posted: did not fit, or was not in force when it came in"),
        (UNFIT, "oracle-fbdi-callback did not fit what came in under its name"),
        (GOOD | {"type": "erp.invoice.postd"}, "mapping erp-invoice-posted is for erp.invoice.posted"),
        (GOOD | {"type": "time.posted", "data": {}}, None),  # what mappings make was taken by one
    ],
    indirect=["api"],
)
def test_what_no_mapping_took_of_late_is_told_with_what_is_known_of_it(api: str, told: str | None) -> None:
    _, printed = command("check", "--last", "90m", "--url", api, "--definitions", str(CASES), "--json")
    found = findings(json.loads(printed))
    assert ("unmapped" in found) == (told is not None)
    assert any(told in each for each in found.values()) if told else "fits_no_mapping" not in found


@pytest.mark.parametrize("api", [False], indirect=True)
def test_where_events_are_not_given_back_it_says_what_was_counted(api: str) -> None:
    code, printed = command("check", "--last", "90m", "--url", api)
    assert code == 1
    assert "does not give its events back" in printed
    assert "/psa: 3 placeholders, 0 lacking scope, 1 ambiguous" in printed


def with_mappings(path: Path, *more: str) -> tuple[int, dict[str, Any]]:
    code, printed = command("check", str(path), "--definitions", str(CASES), "--json", *more)
    return code, json.loads(printed)


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_the_inputs_of_each_mapping_become_what_the_doors_make_of_them(case: str) -> None:
    expected = json.loads((CASES / case / "events.json").read_text("utf-8"))
    at_json_door = "input: json" in (CASES / case / "mapping.yaml").read_text("utf-8")
    _, document = with_mappings(CASES / case / "input.json", *(("--mapping", case) if at_json_door else ()))
    assert document["events"] == len(expected["events"])
    assert [each["sentence"] for each in document["unreadable"]] == [each["sentence"] for each in expected["set_aside"]]
    (made,) = document["mappings"]
    assert made["mapping"] == case
    assert made["events"] <= document["events"]  # a record beside it may be an event as it is
    assert made["set_aside"] == len(expected["set_aside"])


def erp(file: Path, *changed: Any) -> tuple[int, dict[str, Any]]:
    file.write_text(lines(*(ERP | {"id": str(number)} | each for number, each in enumerate(changed))))
    return with_mappings(file)


def findings(document: dict[str, Any]) -> dict[str, str]:
    return {each["finding"]: each["sentence"] for flow in document["flows"] for each in flow["findings"]}


def test_events_reach_a_process_by_the_keys_that_a_mapping_gives_them(tmp_path: Path) -> None:
    code, document = erp(tmp_path / "f", {}, {})
    assert (code, document["inputs"], document["events"]) == (0, 2, 2)
    assert document["mappings"] == [{"mapping": "erp-invoice-posted", "inputs": 2, "events": 2, "set_aside": 0}]
    assert [flow["by_name"] for flow in document["flows"]] == [2]
    (tmp_path / "plain").write_text(lines(ERP))
    assert command("check", str(tmp_path / "plain"))[0] == 1  # without the mapping no process knows it


def test_what_fits_no_mapping_is_told_with_the_reason_and_with_the_nearest_type(tmp_path: Path) -> None:
    header = ERP["data"]["header"] | {"status": "DRAFT"}
    code, document = erp(tmp_path / "f", {}, {"data": ERP["data"] | {"header": header}})
    assert code == 1
    found = findings(document)
    assert found["fits_no_mapping"] == "erp-invoice-posted: when is not true; change the mapping, or what is sent"
    assert "unmapped" in found
    code, document = erp(tmp_path / "f", {"type": "erp.invoice.postd"})
    found = findings(document)
    assert "fits_no_mapping" not in found
    assert "mapping erp-invoice-posted is for erp.invoice.posted" in found["unmapped"]


def test_where_a_mapping_made_the_event_it_is_the_mapping_that_has_to_change(tmp_path: Path) -> None:
    header = ERP["data"]["header"] | {"entity": None}
    _, document = erp(tmp_path / "f", {"data": ERP["data"] | {"header": header, "lines": []}})
    found = findings(document)
    assert found["no_key"].startswith("let mapping erp-invoice-posted give ")
    assert "let mapping erp-invoice-posted give legal_entity" in found["lacking_scope"]
    assert "let mapping erp-invoice-posted give correlation_id" in found["uncorrelated"]


def test_an_event_that_a_mapping_cannot_make_is_told_with_the_place_of_its_input(tmp_path: Path) -> None:
    header = ERP["data"]["header"] | {"totalCents": "much"}
    code, document = erp(tmp_path / "f", {}, {"data": ERP["data"] | {"header": header}})
    assert (code, [each["place"] for each in document["unreadable"]]) == (1, [2])
    assert "(mapping erp-invoice-posted)" in document["unreadable"][0]["sentence"]
    assert document["mappings"][0]["set_aside"] == 1


def test_json_of_another_form_says_which_mapping_to_check_it_with(tmp_path: Path) -> None:
    case = CASES / "dynamics-sales-invoice-posted" / "input.json"
    code, document = with_mappings(case)
    assert code == 1
    assert document["unreadable"][0]["sentence"].endswith("checked with --mapping dynamics-sales-invoice-posted")
    (tmp_path / "f").write_text('{"x": 1}\n')
    _, document = with_mappings(tmp_path / "f", "--mapping", "dynamics-sales-invoice-posted")
    assert "input.BusinessEventId: seen nothing" in findings(document)["fits_no_mapping"]
    for name, wanted in (("dynamics-sales-invoice-postd", "dynamics-sales-invoice-posted"), ("legacy-sync-log", "log")):
        with pytest.raises(ThroughlineError, match=f"--mapping: .*{wanted}"):
            with_mappings(case, "--mapping", name)
    assert command("check", "--last", "1h", "--mapping", "x")[0] == 2


def test_the_records_of_one_request_are_told_apart(tmp_path: Path) -> None:
    code, document = with_mappings(CASES / "legacy-sync-log" / "input.json")
    assert (code, document["inputs"], document["events"], document["without_event"]) == (0, 2, 1, 1)
    (tmp_path / "f").write_text('{"resourceLogs": [{"scopeLogs": 1}]}\n')
    code, document = with_mappings(tmp_path / "f")
    assert (code, len(document["unreadable"])) == (1, 1)
    (tmp_path / "f").write_text('{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]}')
    assert with_mappings(tmp_path / "f")[0] == 1  # there is no event, which is not well
