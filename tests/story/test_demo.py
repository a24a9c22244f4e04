"""The whole demo: the firm's programs, real sockets, a real serve, and its public API."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from throughline.core.instants import parse_instant
from throughline.demo.plan import Plan, plan
from throughline.demo.play import IN_A_HURRY, play
from throughline.demo.questions import document, wait_until_folded
from throughline.demo.run import DIFFERENT, FAILED, OK, live_through, run_demo, stage, verify_plan


def screen() -> Console:
    return Console(file=StringIO(), width=100)


def said(console: Console) -> str:
    """Return what was printed, without its line breaks."""
    assert isinstance(console.file, StringIO)
    return " ".join(console.file.getvalue().split())


@pytest.fixture
def told() -> Plan:
    return plan(7, "small", 3)


def test_every_case_comes_out_as_it_happened(capsys: pytest.CaptureFixture[str]):
    assert run_demo(7, verify=True, scale="small") == OK
    out = capsys.readouterr().out
    assert "no difference" in out
    assert "time-to-bill: conflicting_keys" in out


def test_one_difference_between_truth_and_what_was_seen_fails_it(told: Plan, capsys: pytest.CaptureFixture[str]):
    paid = next(life for life in told.lives if life.process == "invoice-to-cash" and life.paid)
    paid.paid[0] -= Decimal("0.01")
    assert verify_plan(told, screen(), None, as_json=True) == DIFFERENT
    report = json.loads(capsys.readouterr().out)
    assert report["cases"]["truth"] == report["cases"]["seen"] == len(told.lives)
    differing = {difference["case"].split()[1] for difference in report["differences"]}
    assert differing == {paid.name, "money-at-risk"}  # the case, and the KPI that sums up what it holds


def test_it_ends_with_a_page_of_what_is_stuck(told: Plan, tmp_path: Path):
    console = screen()
    assert live_through(told, console, tmp_path, 0.0, stays=False, as_json=False) == OK
    page = said(console)
    assert "are held up, worth about EUR" in page
    assert "time entries in EMEA between PSA and ERP: the connector is turned away: its token has expired" in page
    assert "turn: system (finance-ops)" in page
    assert "Nothing waits, but done against a rule: " in page
    assert "Not seen: /meridian/fpna is silent since Wed 21 Oct 04:00" in page
    assert "The demo has ended" in page


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "data").write_text("of an earlier run")
    assert run_demo(7, verify=True, scale="small", data=tmp_path) == FAILED
    assert "is not empty; give a new folder" in capsys.readouterr().out


def test_an_unknown_scale_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]):
    assert run_demo(scale="enormous") == FAILED
    assert "wanted one of small, default, large" in capsys.readouterr().out


def test_the_trace_goes_on_over_the_queue_from_the_psa_into_the_erp(told: Plan, tmp_path: Path):
    posted = next(each for each in told.happenings if each.system == "erp-emea" and each.causes and not each.error)
    assert posted.flow is not None
    with stage(told, tmp_path) as on:
        ended = play(told, on.programs, on.clock, IN_A_HURRY, lambda _: None)
        wait_until_folded(on.api, ended.position)
        lines = [{"process": life.process, "name": life.name, "scope": life.scope} for life in told.lives]
        members = (member for line in lines for member in document(on.api, line)["members"])
        trace = next(each["trace_id"] for each in members if parse_instant(each["time"]) == posted.time)
        spans = on.api.get(f"/traces/{trace}")["spans"]
    sent = next(span for span in spans if span["name"] == f"send {posted.flow}")
    taken = next(span for span in spans if span["name"] == f"process {posted.flow}")
    assert taken["parent_id"] == sent["span_id"]
    assert sent["service"] != taken["service"]
