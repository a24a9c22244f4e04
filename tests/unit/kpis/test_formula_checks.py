"""Formulas that are well-formed and ask for what can never be are refused, and what stands beside them is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpis.catalogue import validate_kpis
from lineage.definitions import load_definitions

DEFINITIONS = load_definitions(None)
HEAD = "kpi: k\nversion: 1\ntitle: T\ngroup: g\nquestion: Why?\ngood: low\nowner: me\nsource: here\n"
INVOICES = "{process: invoice-to-cash, from: issued, to: paid}"
ENTRIES = "{process: time-to-bill, from: approved, to: issued}"


def faults(folder: Path, text: str) -> list[str]:
    """Return the faults of one KPI, each from its line on; its own entries begin with line 9."""
    (folder / "own.yaml").write_text(HEAD + text)
    return [str(fault).removeprefix(f"{folder}/own.yaml:") for fault in validate_kpis(folder, DEFINITIONS)]


def share(entries: str, of: str = INVOICES) -> str:
    return f"unit: percent\nformula: {{kind: share, of: {of}, {entries}}}\n"


ENDS_AS = [
    (
        share("hit: ended_as, ended_as: [superceded]"),
        "10:106: formula.ended_as[0]: seen 'superceded', wanted an ending of invoice-to-cash: superseded, or another"
        " one of cancelled, superseded, voided, written_off",
    ),
    (
        share("hit: ended_as, ended_as: [cancelled, rejected], rounds: whole", ENTRIES),
        "formula.ended_as[1]: seen 'rejected', wanted an ending of time-to-bill: one of cancelled, written_off",
    ),
    (
        share("hit: ended_as, ended_as: superseded", f"[{ENTRIES}, {ENTRIES.replace('time', 'expense')}]"),
        "seen 'superseded', wanted an ending of time-to-bill or expense-to-bill: one of cancelled, rejected,"
        " written_off",
    ),
    (
        "unit: percent\nformula: {kind: share, per: flow, hit: ended_as, ended_as: superceded}\n",
        "seen 'superceded', wanted an ending of a process: superseded, or another one of begun again, cancelled",
    ),
    (
        "unit: money\nformula: {kind: sum, measure: amount, of: {process: time-to-bill, ended_as: writen_off}}\n",
        "formula.of[0].ended_as[0]: seen 'writen_off', wanted an ending of time-to-bill: written_off, or another one of"
        " cancelled, written_off",
    ),
    (
        "unit: money\nformula: {kind: sum, measure: amount, of: {process: time-to-bill, ended_as: rejected}}\n",
        "seen 'rejected', wanted an ending of time-to-bill: one of cancelled, written_off",
    ),
]


@pytest.mark.parametrize(("text", "wanted"), ENDS_AS)
def test_a_word_by_which_nothing_can_end_is_refused(tmp_path: Path, text: str, wanted: str) -> None:
    (found,) = faults(tmp_path, text)
    assert wanted in found


@pytest.mark.parametrize(
    "text",
    [
        share("hit: ended_as, ended_as: [superseded, cancelled]"),
        share("hit: ended_as, ended_as: rejected", ENTRIES),
        "unit: money\nformula: {kind: sum, measure: amount, of: {process: payroll-feed, ended_as: cancelled}}\n",
    ],
)
def test_words_by_which_cases_and_their_rounds_end_are_taken(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text) == []


def test_a_step_of_terminal_error_is_an_ending(tmp_path: Path) -> None:
    process = """process: intake
title: Intake
keys: {name: account_change}
steps:
  - {step: asked, kind: initial, types: [intake.asked], system: crm}
  - {step: known, kind: terminal, types: [intake.known], system: erp}
  - {step: refused, kind: terminal-error, types: [intake.refused], system: erp}
new_round: each
"""
    (tmp_path / "intake.yaml").write_text(process)
    definitions = load_definitions(tmp_path)
    of = "{process: intake, from: asked, to: known}"
    (tmp_path / "own.yaml").write_text(HEAD + share("hit: ended_as, ended_as: [refused, begun again]", of))
    assert validate_kpis(tmp_path, definitions) == []
    (tmp_path / "own.yaml").write_text(HEAD + share("hit: ended_as, ended_as: rejected", of))
    assert len(validate_kpis(tmp_path, definitions)) == 1


def test_of_a_process_that_nobody_declares_only_that_is_told(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, share("hit: ended_as, ended_as: gone", INVOICES.replace("cash", "kash")))
    assert "'invoice-to-kash', wanted a process" in found


BALANCE = """unit: money
formula:
  kind: balance
  numerator: {process: contract-to-billing-terms, at: signed, measure: amount}
  denominator: {process: invoice-to-cash, at: issued, measure: amount}
  match: contract
"""


def test_an_event_that_no_case_looked_at_can_have_closes_nothing(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, f"{BALANCE}  closed_by: [project.closed, project.exploded]\n")
    assert found.startswith(
        "15:31: formula.closed_by[1]: seen 'project.exploded', wanted an event type of contract-to-billing-terms or"
        " invoice-to-cash: project.closed, or another one of contract.cancelled, "
    )


def test_an_event_of_other_processes_closes_nothing(tmp_path: Path) -> None:
    """Payroll items know it; no case of theirs is in the balance."""
    (found,) = faults(tmp_path, f"{BALANCE}  closed_by: payroll.cancelled\n")
    assert "seen 'payroll.cancelled', wanted an event type of contract-to-billing-terms" in found


def test_what_a_process_links_or_what_ends_its_cases_closes(tmp_path: Path) -> None:
    assert faults(tmp_path, f"{BALANCE}  closed_by: [project.closed, contract.cancelled]\n") == []


def test_of_sides_that_nobody_declares_no_closing_is_told(tmp_path: Path) -> None:
    text = BALANCE.replace("invoice-to-cash", "invoice-to-kash")
    (found,) = faults(tmp_path, f"{text}  closed_by: invoice.gone\n")
    assert "'invoice-to-kash', wanted a process" in found


IGNORED = [
    (
        share("hit: reached, ended_as: superseded"),
        "10:94: formula.ended_as: seen ended_as beside hit: reached, wanted hit: ended_as, or no ended_as",
    ),
    (
        share("hit: untouched, deviations: [failed]"),
        "formula.deviations: seen deviations beside hit: untouched, wanted hit: deviation, or no deviations",
    ),
    (
        share("hit: reached, in_time: due"),
        "formula.in_time: seen in_time beside hit: reached, wanted hit: in_time, or no in_time",
    ),
    (
        share("hit: ended_as, ended_as: superseded, deviations: failed"),
        "seen deviations beside hit: ended_as, wanted hit: deviation, or no deviations",
    ),
    (
        f"{share('hit: reached')}unfinished: late\n",
        "11:1: unfinished: seen late without in_time, wanted in_time: by when it is missed",
    ),
    (
        "unit: percent\nformula: {kind: attempts, attempts: repeated, categories: timeout}\n",
        "formula.categories: seen categories beside attempts: repeated, wanted attempts: failed, or no categories",
    ),
    (
        "unit: percent\nformula: {kind: gauge, gauge: correlation_coverage}\npopulation: facts.region == 'EU'\n",
        "population: seen population of a gauge, wanted no population: a gauge is of all that lineage keeps",
    ),
]


@pytest.mark.parametrize(("text", "wanted"), IGNORED)
def test_an_entry_of_which_nothing_is_made_is_refused(tmp_path: Path, text: str, wanted: str) -> None:
    (found,) = faults(tmp_path, text)
    assert wanted in found


@pytest.mark.parametrize(
    "text",
    [
        f"{share('hit: reached, in_time: {within: 3 d}')}unfinished: late\n",
        f"{share('hit: in_time, in_time: {within: 3 d}')}unfinished: counted\n",
        share("hit: deviation, deviations: failed"),
    ],
)
def test_an_entry_that_says_when_work_is_late_or_what_hits_is_taken(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text) == []


def compared(kind: str, numerator: str, denominator: str, unit: str = "percent", more: str = "") -> str:
    """Return a KPI whose first side has line 12, and whose second has line 13."""
    return (
        f"unit: {unit}\nformula:\n  kind: {kind}\n  numerator: {numerator}\n  denominator: {denominator}\n"
        f"  match: [period, worker]\n{more}"
    )


AMOUNTS = "{process: time-to-bill, at: approved, measure: amount}"
MARGINS = AMOUNTS.replace("amount", "margin")
HOURS = AMOUNTS.replace("amount", "hours")
CAPACITY = "{process: capacity-sync, at: changed, capacity: true}"
TOUCHES = "{process: time-to-bill, touches: true}"
PROJECTS = "{process: time-to-bill, distinct: project}"
PLANNED = "{process: staffing, at: confirmed, field: planned_hours}"
COSTS = "{process: time-to-bill, at: approved, field: cost_amount}"
NO_CURRENCY = "a number of no currency"
BESIDE = "as all that these are added to or compared with"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            compared("ratio", AMOUNTS, HOURS),
            f"13:3: formula.denominator[0]: seen values in hours, wanted values in money, {BESIDE}",
        ),
        (
            compared("variance", HOURS, "{process: time-to-bill, at: approved}"),
            f"formula.denominator[0]: seen values in records, wanted values in hours, {BESIDE}",
        ),
        (
            compared("ratio", f"[{PLANNED}, {HOURS}]", AMOUNTS),
            f"formula.denominator[0]: seen values in money, wanted values in hours, {BESIDE}",
        ),
        (
            compared("ratio", COSTS, AMOUNTS),
            f"12:52: formula.numerator[0].field: seen 'cost_amount', {NO_CURRENCY}, wanted values in money, {BESIDE}",
        ),
        (
            compared("variance", AMOUNTS, COSTS),
            f"13:54: formula.denominator[0].field: seen 'cost_amount', {NO_CURRENCY}, wanted values in money, {BESIDE}",
        ),
        (
            compared("ratio", f"[{MARGINS}, {COSTS}]", PROJECTS, "per_record"),
            f"formula.numerator[1].field: seen 'cost_amount', {NO_CURRENCY}, wanted values in money, {BESIDE}",
        ),
        (
            compared("balance", COSTS, AMOUNTS, "money"),
            f"formula.numerator[0].field: seen 'cost_amount', {NO_CURRENCY}, wanted values in money, {BESIDE}",
        ),
        (
            compared("ratio", f"[{TOUCHES}, {AMOUNTS}]", PROJECTS, "per_record"),
            f"12:55: formula.numerator[1]: seen values in money, wanted values in records, {BESIDE}",
        ),
        (
            compared("balance", AMOUNTS, HOURS, "money"),
            f"formula.denominator[0]: seen values in hours, wanted values in money, {BESIDE}",
        ),
        (
            compared("ratio", AMOUNTS, AMOUNTS.replace("measure: amount", "measure: age")),
            "formula.denominator[0].measure: seen 'age', wanted one of records, amount, hours, margin",
        ),
    ],
)
def test_sides_of_different_units_are_refused(tmp_path: Path, text: str, wanted: str) -> None:
    (found,) = faults(tmp_path, text)
    assert wanted in found


@pytest.mark.parametrize(
    "text",
    [
        compared("ratio", MARGINS, AMOUNTS),
        compared("ratio", HOURS, CAPACITY),
        compared("ratio", TOUCHES, PROJECTS),
        compared("ratio", AMOUNTS, PROJECTS, "per_record"),
        compared("variance", PLANNED, HOURS),
        compared("ratio", COSTS, PROJECTS, "per_record"),
        compared("ratio", COSTS, PLANNED),
        compared("balance", AMOUNTS, AMOUNTS, "money"),
    ],
)
def test_sides_of_one_unit_are_compared(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text) == []


ISSUED = "{process: invoice-to-cash, at: issued, where: %s}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            f'{share("hit: reached")}population: facts.customer != "INTERNAL"\n',
            "11:1: population: seen facts.customer, wanted a fact: customer is a key, and conditions see no keys",
        ),
        (
            f"unit: per_hour\nformula: {{kind: count, of: {ISSUED % 'has(facts.invoice)'}}}\n",
            "10:67: formula.of[0].where: seen facts.invoice, wanted a fact: invoice is a key",
        ),
        (
            compared("ratio", ISSUED % '\'facts["customer"] != "X"\'', ISSUED % "facts.paid == true"),
            "12:53: formula.numerator[0].where: seen facts.customer, wanted a fact: customer is a key",
        ),
        (
            f'{share("hit: reached")}population: facts.system.crm.project.startsWith("P")\n',
            "population: seen facts.system.crm.project, wanted a fact: project is a key",
        ),
    ],
)
def test_a_condition_on_a_key_is_refused(tmp_path: Path, text: str, wanted: str) -> None:
    """It would never answer, and so every case would count."""
    (found,) = faults(tmp_path, text)
    assert wanted in found


def test_a_condition_on_facts_is_taken_whatever_keys_are_called(tmp_path: Path) -> None:
    told = "facts.practice != 'customer' && facts.system.crm.stage == 'project' && facts.customer_class != 1"
    assert faults(tmp_path, f"{share('hit: reached')}population: {told}\n") == []
