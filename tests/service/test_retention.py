"""A serve over two years of its clock: what it keeps, what it lets go, and what it says of what comes again."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kpis.store import FILE_NAME as KPIS_FILE
from lineage.generations import STORE_FILE
from lineage.retention import SWEPT
from tests.service.serving import Serving, run, serving, until
from throughline.core.database import open_reader
from throughline.core.instants import DAY, format_instant, parse_instant
from throughline.core.journal import JOURNAL_FILE, JournalReader

pytestmark = pytest.mark.serial

BEGAN = parse_instant("2026-03-02T09:00:00Z")
MONTH = 30 * DAY
MONTHS = 24
FIGURE = "/api/v1/kpis/billing-readiness-lag/{}?from=2026-03-01&to=2028-02-28&legal_entity=DE01"


def told(number: int, at: int) -> list[dict[str, Any]]:
    """Return what happens in a month: time that is billed and paid, time that nobody ever approves, and a stranger."""
    entry, stuck = f"TE-{number}", f"STUCK-{number}"
    happens = [
        ("time.submitted", {"time_entry": entry, "amount": "800.00", "currency": "EUR"}),
        ("time.approved", {"time_entry": entry}),
        ("time.posted", {"time_entry": entry, "erp_document": f"D-{number}"}),
        ("billing.released", {"erp_document": f"D-{number}", "billing_event": f"B-{number}"}),
        ("invoice.issued", {"billing_event": f"B-{number}", "invoice": f"I-{number}"}),
        ("invoice.paid", {"invoice": f"I-{number}", "amount": "800.00", "currency": "EUR"}),
        ("time.submitted", {"time_entry": stuck, "amount": "100.00", "currency": "EUR"}),
        ("nobody.knows", {"colour": "green"}),
    ]
    return [
        {
            "specversion": "1.0",
            "id": f"{number}-{index}",
            "source": "/psa",
            "type": kind,
            "time": format_instant(at + index * DAY),
            "data": {"legal_entity": "DE01", **data},
        }
        for index, (kind, data) in enumerate(happens)
    ]


def set_clock(file: Path, at: int) -> None:
    new = file.with_suffix(".new")
    new.write_text(format_instant(at))
    new.replace(file)


def swept(data: Path) -> int:
    """Return the time on the clock at which the last sweep began that is done."""
    with closing(open_reader(data / STORE_FILE)) as store:
        rows = store.execute("SELECT value FROM meta WHERE name = ?", (SWEPT,)).fetchall()
    return int(rows[0][0]) if rows else 0


def billed(serve: Serving) -> int:
    """Return of how many records it is known how long it took until they could be billed."""
    (reading,) = serve.get(FIGURE.format("readings")).json["readings"]
    return reading["beside"]["done"]


def cases_with_figures(data: Path) -> set[int]:
    with closing(open_reader(data / KPIS_FILE)) as kpis:
        return {row[0] for row in kpis.execute("SELECT case_id FROM contributed").fetchall()}


def cases_there(data: Path) -> set[int]:
    with closing(open_reader(data / STORE_FILE)) as store:
        return {row[0] for row in store.execute("SELECT id FROM cases WHERE state <> 'empty'").fetchall()}


def names(serve: Serving, **asked: str | int) -> set[str]:
    cases = serve.get("/api/v1/cases", process="time-to-bill", limit=1000, **asked).json["cases"]
    return {case["name"] for case in cases}


def test_two_years_go_by(tmp_path: Path) -> None:
    clock, data = tmp_path / "clock", tmp_path / "data"
    set_clock(clock, BEGAN)
    with serving(data, "--clock", str(clock)) as serve:
        for number in range(MONTHS):
            at = BEGAN + number * MONTH
            set_clock(clock, at + 20 * DAY)
            position = serve.send(*told(number, at))
            serve.folded(position)
            until(lambda now=at + 20 * DAY: swept(data) == now, "the sweep of the month")
            if number == MONTHS // 2:
                serve.kill("engine")
            if number in (MONTHS // 2, MONTHS - 2):
                serve.kill("watch")
        until(lambda: serve.get("/api/v1/kpis").json["behind"] == 0, "figures of all that happened")
        after = BEGAN + (MONTHS - 1) * MONTH + 21 * DAY
        set_clock(clock, after)
        until(lambda: swept(data) == after, "the sweep after it")
        stays = {f"TE-{number}" for number in range(10, MONTHS)}
        until(lambda: names(serve, state="done") == stays, "what closed over thirteen months ago to leave")
        assert names(serve, state="open") == {f"STUCK-{number}" for number in range(MONTHS)}
        until(lambda: serve.get("/api/v1/events", limit=1000).json["next"] is None, "a page of events")
        kept = {each["event"]["id"] for each in serve.get("/api/v1/events", limit=1000).json["events"]}
        assert "0-0" not in kept
        assert {"0-6", "23-0"} <= kept
        journal = JournalReader(data / JOURNAL_FILE)
        until(lambda: journal.first() >= MONTHS - 1, "the journal to let go of what is older than a month")
        journal.close()

        until(lambda: cases_with_figures(data) == cases_there(data), "what figures keep of cases that left to leave")
        behind = serve.get(FIGURE.format("cases")).json
        assert (behind["total"], behind["no_longer_kept"]) == (len(stays), MONTHS - len(stays))
        assert billed(serve) == MONTHS
        days = ("--from", "2026-03-01", "--to", "2028-02-28")
        listed = run(
            "kpis", "cases", "billing-readiness-lag", *days, "--where", "legal_entity=DE01", "--data", str(data)
        )
        assert f"{MONTHS - len(stays)} more are in the figure whose cases are no longer kept" in listed.stdout

        counted = serve.get("/api/v1/status").json["counts"]
        again = serve.folded(serve.send(*told(0, BEGAN)))
        assert again["counts"] | {"folded": counted["folded"]} == counted
        left = {each["id"] for each in told(0, BEGAN)} - kept
        assert [each["too_old"] for each in again["sources"]] == [len(left)]
        entries = serve.get("/api/v1/quarantine", reason="too_old").json["entries"]
        assert {entry["event_id"] for entry in entries} == left >= {"0-0", "0-1", "0-2", "0-3", "0-7"}
        assert "time: seen 2026-03-0" in entries[0]["sentence"]

        old = tmp_path / "old.ndjson"
        old.write_text("".join(json.dumps(each) + "\n" for each in told(0, BEGAN)))
        brought = run("import", str(old), "--history", "--data", str(data))
        assert brought.returncode == 0, brought.stderr
        until(lambda: "TE-0" in names(serve, state="done"), "history to come in")
        assert serve.get("/api/v1/quarantine", reason="too_old").json["entries"] == []
    done = run("rebuild", "--data", str(data), "--clock", str(clock))
    assert done.returncode == 0, done.stdout + done.stderr
    with serving(data, "--clock", str(clock)) as serve:
        assert names(serve, state="done") == stays | {"TE-0"}
        until(lambda: billed(serve) == MONTHS + 1, "figures of the other store, and of what left it before: one anew")
