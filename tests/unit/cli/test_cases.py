"""What the command ``cases`` prints, from an API that answers with this page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cli import test_kpis
from throughline.cli.cases import cases

serve = test_kpis.serve
NAME = "INV-1003 (legal entity JP01)"
LINE: dict[str, Any] = {
    "process": "contract-to-billing-terms",
    "name": "INV-1003",
    "scope": {"legal_entity": "JP01"},
    "state": "open",
    "waits_for_step": "terms_synced_erp",
    "waits_for": "system",
    "due": "2026-10-16T06:41:00Z",
    "exposure": {"amount": "3870000.00", "currency": "JPY"},
    "counted_in": [{"process": "invoice-to-cash"}],
    "deviations": [{"kind": "failed", "step": "posted"}, {"kind": "overdue", "step": "posted"}],
}
PAGE = {"/api/v1/cases": {"cases": [LINE], "waiting_orphans": 0, "next": None}}
IN_BRACKETS = "(in brackets)"


@pytest.fixture
def shown(serve: test_kpis.Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Give what is printed at a width."""
    url = serve(PAGE)

    def at(width: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        cases((), url, None, False)
        return capsys.readouterr().out.splitlines()

    return at


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_the_name_of_a_case_is_whole_at_every_width(shown: Any, width: int) -> None:
    assert sum(NAME in line for line in shown(width)) == 1


def test_deviations_fold_by_words(shown: Any) -> None:
    head, *lines = shown(80)
    at = head.index("deviations")
    assert [line[at:] for line in lines[:3]] == ["failed at", "posted, overdue", "at posted"]


def test_what_is_left_out_is_said_and_of_it_nothing_else(shown: Any) -> None:
    assert "A wider terminal also shows waits for, due (UTC) and holds up." in shown(80)
    assert not any(IN_BRACKETS in line for line in shown(80))


def test_a_wide_terminal_shows_all_on_one_line(shown: Any) -> None:
    lines = shown(200)
    told = "open terms synced erp (system) 2026-10-16 06:41 (JPY 3,870,000.00) failed at posted, overdue at posted"
    assert lines[1].partition(NAME)[2].split() == told.split()
    assert any(IN_BRACKETS in line for line in lines)
    assert not any("A wider terminal" in line for line in lines)
