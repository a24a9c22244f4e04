"""What the demo's firm lives through, against what the shipped processes say can happen: nothing of it is left out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache

import pytest

from lineage.definitions import load_definitions
from lineage.process import Process
from throughline.core.instants import to_datetime
from throughline.demo.plan import plan
from throughline.demo.play import seen_until
from throughline.demo.product import DEFINITIONS
from throughline.demo.truth import CaseTruth, tell_truth

PROCESSES = {process.name: process for process in load_definitions(DEFINITIONS).processes.values()}
SEEDS = (1, 2, 3, 7, 23)


@cache
def truths(seed: int) -> list[CaseTruth]:
    told = plan(seed, "small")
    return [tell_truth(life, told.ends, seen_until(told)) for life in told.lives]


def of(process: str, seed: int) -> list[CaseTruth]:
    return [truth for truth in truths(seed) if truth.process == process]


def has(told: Iterable[CaseTruth], kind: str, *, is_open: bool) -> bool:
    return any(each.kind == kind and each.open is is_open for truth in told for each in truth.deviations)


def test_the_pack_has_nineteen_processes():
    assert len(PROCESSES) == 19


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES.keys())
class TestEachProcess:
    def test_ends_in_every_way_it_can(self, process: Process, seed: int):
        told = of(process.name, seed)
        (version,) = process.versions
        endings = {ending.ended_as for ending in version.ended_by}
        assert {truth.ended_as for truth in told} == {None, *endings}
        assert {"done", "open"} <= {truth.state for truth in told}

    def test_has_one_overdue_and_one_that_recovered(self, process: Process, seed: int):
        told = of(process.name, seed)
        assert has((truth for truth in told if truth.state == "open"), "overdue", is_open=True)
        through = [truth for truth in told if truth.state == "done"]
        assert any(has(through, kind, is_open=False) for kind in ("failed", "missing_master_data"))
        assert has(told, "overdue", is_open=False)

    def test_has_a_second_round_where_there_can_be_one(self, process: Process, seed: int):
        (version,) = process.versions
        can = version.new_round.each or bool(version.new_round.after)
        assert any(truth.rounds > 1 for truth in of(process.name, seed)) == can

    def test_breaks_a_rule_where_there_are_checks(self, process: Process, seed: int):
        (version,) = process.versions
        assert has(of(process.name, seed), "policy_violation", is_open=True) == bool(version.checks)


@pytest.mark.parametrize("seed", SEEDS)
def test_weekly_time_comes_late_for_one_assignment_and_never_for_another(seed: int):
    weekly = [each for truth in of("staffing", seed) for each in truth.deviations if each.step == "time_submitted"]
    assert {each.open for each in weekly} == {True, False}


FACTS = {
    "resource.changed": {"worker", "weekly_hours"},
    "assignment.confirmed": {"planned_hours", "week"},
    "assignment.changed": {"planned_hours", "week"},
    "time.submitted": {"worked_on", "billable", "hours", "cost_amount"},
    "time.written_off": {"amount", "contract"},
    "forecast.revised": {"measure", "legal_entity", "period", "amount"},
    "actuals.posted": {"measure", "legal_entity", "period", "amount"},
    "report.refreshed": {"measure", "period", "amount"},
    "contract.signed": {"contract", "amount"},
    "change_order.approved": {"contract", "amount"},
    "project.closed": {"contract", "project"},
    "billing_run.started": {"billing_run", "legal_entity"},
    "billing_run.completed": {"billing_run", "legal_entity"},
    "cost.posted": {"cost_amount"},
    "time.approved": {"actor_kind"},
    "milestone.approved": {"actor_kind"},
}


@pytest.mark.parametrize("kind", FACTS)
def test_what_kpis_need_is_told(kind: str):
    told = [each for each in plan(7, "small").happenings if each.type == kind]
    assert told
    for each in told:
        assert FACTS[kind] <= each.fields.keys()


def test_somebody_is_on_leave_while_the_firm_is_watched():
    told = plan(7, "small")
    leaves = [each.fields for each in told.happenings if "leave_from" in each.fields]
    assert all({"leave_from", "leave_to"} <= fields.keys() for fields in leaves)
    assert any(date.fromisoformat(fields["leave_to"]) < to_datetime(told.ends).date() for fields in leaves)
