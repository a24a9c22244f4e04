"""What no case shows: events that none holds for too long, and those at a value that too many hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.serving import Serving, event, run, serving, until

pytestmark = pytest.mark.serial

DE = {"legal_entity": "DE01", "region": "EMEA"}
ENTRIES = [f"B{number}" for number in range(5)]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Five entries share a batch run, one more than may; a release waits, and four days pass."""
    folder = tmp_path_factory.mktemp("shown")
    clock: Path = folder / "clock"
    clock.write_text("2026-03-05T12:00:00Z")
    with serving(folder / "data", "--clock", str(clock), "--bulk-limit", "3") as serve:
        told = [
            event(f"a{entry}", "time.approved", "2026-03-02T09:00:00Z", time_entry=entry, batch="R", **DE)
            for entry in ENTRIES
        ]
        error = {"category": "timeout", "message": "the ERP did not answer"}
        told.append(
            event("failed", "time.posted", "2026-03-02T10:00:00Z", "/erp", batch="R", outcome="failure", error=error)
        )
        told.append(event("later", "time.posted", "2026-03-02T11:00:00Z", "/erp", batch="R"))
        money = {"amount": "75.00", "currency": "EUR"}
        told.append(event("waits", "billing.released", "2026-03-02T09:00:00Z", "/erp", billing_event="BE-1", **money))
        serve.folded(serve.send(*told))
        clock.write_text("2026-03-09T12:00:00Z")
        until(lambda: serve.get("/api/v1/status").json["counts"]["orphans"] == 1, "an orphan")
        yield serve


def shown(serve: Serving, *arguments: str) -> str:
    done = run(*arguments, "--data", str(serve.data), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_owner_finds_what_waits_too_long_without_knowing_its_key(serve: Serving) -> None:
    page = serve.get("/api/v1/orphans").json
    (line,) = page["orphans"]
    assert (page["count"], line["key"]["value"], line["since"]) == (1, "BE-1", "2026-03-05T12:00:00Z")
    assert line["exposure"] == {"amount": "75.00", "currency": "EUR", "hours": None}
    assert serve.get("/api/v1/orphans", type="invoice").json["orphans"] == []
    assert serve.get("/api/v1/cases", deviation="orphan").json == {"cases": [], "waiting_orphans": 1, "next": None}
    assert serve.get("/api/v1/cases", deviation="failed").json["waiting_orphans"] is None


def test_commands_name_what_waits_too_long(serve: Serving) -> None:
    assert "`throughline orphans`" in shown(serve, "cases", "--deviation", "orphan")
    text = shown(serve, "orphans")
    assert "billing event BE-1" in text
    assert "EUR 75.00" in text
    assert json.loads(shown(serve, "orphans", "--json")) == serve.get("/api/v1/orphans").json
    assert "No event waits" in shown(serve, "orphans", "--type", "invoice")


def test_an_orphan_is_counted_as_a_deviation_in_status_and_metrics(serve: Serving) -> None:
    assert serve.get("/api/v1/status").json["counts"]["deviations"]["orphan"] == 1
    counted = 'throughline_deviations{part="engine",kind="orphan"} 1.0'
    until(lambda: counted in serve.get("/metrics").text, "the metric of orphans")


def batch_run(serve: Serving) -> dict[str, Any]:
    (record,) = serve.get("/api/v1/records", type="batch", value="R").json["records"]
    return record


def test_events_of_a_bulk_value_are_shown_with_it_and_in_no_case(serve: Serving) -> None:
    record = batch_run(serve)
    bulk = record["bulk"]
    assert [each["event_id"] for each in bulk["events"]] == ["later", "failed"]
    assert (bulk["more"], bulk["holders"], record["case_count"], record["waiting"]) == (0, 5, 5, None)
    assert bulk["events"][1]["message"] == "the ERP did not answer"
    for each in record["cases"]:
        assert [member["type"] for member in each["case"]["members"]] == ["time.approved"]
    assert serve.get("/api/v1/records", type="time_entry", value="B0").json["records"][0]["bulk"] is None


def test_show_tells_what_happened_at_a_bulk_value(serve: Serving) -> None:
    text = shown(serve, "show", "batch", "R")
    assert "5 cases hold this" in text
    assert "time.posted failed (timeout): the ERP did not answer" in text
