"""``accept`` and ``withdraw`` at the API: what is taken, what it comes to, what is refused and in which words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lineage.engine import Engine, Limits
from lineage.read import CaseReader
from tests.guarantees.firm import ERP, ESTATE, happened
from tests.guarantees.shown import PACK
from throughline.api.access import Access
from throughline.api.app import create_app
from throughline.api.statements import StatementList, routes
from throughline.core.decisions import FILE_NAME, DecisionLog, DecisionReader
from throughline.core.guards import NO_GUARDS
from throughline.core.instants import DAY, HOUR, parse_instant
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Meter, Part

BEGAN = parse_instant("2026-03-02T09:00:00Z")
NOW = BEGAN + DAY


class Firm:
    """An engine with failed time entries and invoices, and an API that states and is heard at once."""

    def __init__(self, folder: Path) -> None:
        self._engine = Engine.open(folder / "store.db", PACK, ESTATE, Limits())
        self._engine.fold(
            [
                happened("1", "time.submitted", BEGAN, time_entry="T1"),
                happened("2", "time.posted", BEGAN + HOUR, ERP, failed="timeout", time_entry="T1"),
                happened("3", "time.approved", BEGAN + 2 * HOUR, failed="timeout", time_entry="T1"),
                happened("4", "time.submitted", BEGAN, time_entry="T2"),
                happened("5", "invoice.posted", BEGAN, ERP, failed="timeout", invoice="I1", legal_entity="DE01"),
                happened("6", "invoice.posted", BEGAN, ERP, failed="timeout", invoice="I1", legal_entity="US01"),
            ],
            NOW,
            1,
        )
        log = DecisionLog(folder / FILE_NAME, lambda: NOW)
        self._said = DecisionReader(folder / FILE_NAME)
        cases = CaseReader(folder / "store.db", PACK, ESTATE, Limits(), lambda: NOW)
        access = Access(NO_GUARDS.sign_ins)
        made = [routes(log, self._said, PACK, cases)]
        self.api = TestClient(create_app(made, [StatementList], access, Meter(Part.API, METRICS)), "http://localhost")
        self.close = [log.close, self._said.close, cases.close, self._engine.close]
        self._folded = 0

    def state(self, **asked: Any) -> Any:
        answer = self.api.post("/api/v1/statements", json={**ACCEPTING, **asked})
        statements = self._said.after(self._folded, 100)
        self._engine.state(statements, NOW)
        self._folded += len(statements)
        return answer

    def open_deviations(self) -> list[tuple[str, str]]:
        return self._engine.store.rows(
            "SELECT kind, deviation.step FROM deviation JOIN cases ON cases.id = case_id"
            " WHERE name LIKE 'time_entry%' ORDER BY kind, deviation.step"
        )


ACCEPTING = {
    "verb": "accept",
    "process": "time-to-bill",
    "case": {"time_entry": "T1"},
    "as": "waived",
    "deviation": "failed",
    "step": "posted",
    "by": "ana",
    "why": "billed by hand",
}


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Firm]:
    firm = Firm(tmp_path)
    yield firm
    for close in firm.close:
        close()


def test_what_is_accepted_is_recorded_as_it_stands_now(firm: Firm) -> None:
    answer = firm.state(case={"time_entry": "T1"})
    assert answer.status_code == 201
    assert answer.json() | {"id": ""} == {
        "id": "",
        "position": "s1",
        "at": "2026-03-03T09:00:00Z",
        "verb": "accept",
        "process": "time-to-bill",
        "case": {"time_entry": "T1"},
        "as": "waived",
        "deviations": [{"kind": "failed", "step": "posted", "round": 1, "since": "2026-03-02T10:00:00Z"}],
        "by": "ana",
        "authenticated": False,
        "why": "billed by hand",
    }
    assert firm.api.get("/api/v1/statements").json()["statements"] == [answer.json()]
    assert ("failed", "posted") not in firm.open_deviations()
    assert ("failed", "approved") in firm.open_deviations()


def test_all_open_ones_can_be_accepted_at_once_and_withdrawn_one_by_one(firm: Firm) -> None:
    every = {"deviation": None, "step": None, "all": True, "case": {"time_entry": "T1"}}
    assert len(firm.state(**every).json()["deviations"]) >= 2
    withdrawn = firm.state(verb="withdraw", case={"time_entry": "T1"}, **{"as": None}).json()
    assert withdrawn["as"] is None
    assert [each["step"] for each in withdrawn["deviations"]] == ["posted"]
    assert ("failed", "posted") in firm.open_deviations()
    assert ("failed", "approved") not in firm.open_deviations()


def test_of_invoices_with_one_number_that_of_the_scope_is_meant(firm: Firm) -> None:
    asked = {"process": "invoice-to-cash", "deviation": "failed", "step": None}
    assert firm.state(case={"invoice": "I1"}, **asked).status_code == 409
    answer = firm.state(case={"invoice": "I1", "legal_entity": "US01"}, **asked)
    assert answer.json()["case"] == {"invoice": "I1", "legal_entity": "US01"}


@pytest.mark.parametrize(
    ("changes", "status", "parameter", "sentence"),
    [
        ({"as": None}, 422, "as", "waived, written_off, handled_elsewhere"),
        ({"as": "forgotten"}, 422, "as", "waived"),
        ({"verb": "withdraw"}, 422, "as", "no longer accepted"),
        ({"verb": "withdraw", "as": None}, 422, "deviation", "no accepted deviation of T1 that fits"),
        ({"deviation": None, "step": None}, 422, "all", "true for every one"),
        ({"deviation": "lost"}, 422, "deviation", "overdue"),
        ({"round": 2}, 422, "deviation", "failed at posted"),
        ({"round": 0}, 422, "round", "1"),
        ({"process": "cash"}, 422, "process", "time-to-bill"),
        ({"case": {"project": "P1"}}, 422, "case", "time_entry or an alias"),
        ({"case": {"time_entry": "T2"}}, 422, "deviation", "there is none"),
        ({"by": None}, 422, "by", "who states this"),
        ({"why": None}, 422, "why", "required"),
        ({"case": {"time_entry": "T9"}}, 404, None, "no case of time-to-bill is called 'T9'"),
        ({"verb": "forgive"}, 422, "verb", "'accept' or 'withdraw'"),
    ],
)
def test_what_has_no_meaning_is_refused_and_recorded_nowhere(
    firm: Firm, changes: dict[str, Any], status: int, parameter: str | None, sentence: str
) -> None:
    asked = ACCEPTING | {"case": {"time_entry": "T1"}} | changes
    body = {name: value for name, value in asked.items() if value is not None}
    answer = firm.api.post("/api/v1/statements", json=body)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert sentence in problem["detail"]
    if parameter is not None:
        assert problem["faults"][0]["parameter"] == parameter
    assert firm.api.get("/api/v1/statements").json()["statements"] == []
