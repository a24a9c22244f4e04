"""What a KPI is, in words and by steps, is made of its declaration."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from kpis.declaration import Declaration, Kind
from kpis.defined import definition_document
from kpis.wording import define
from tests.unit.kpis.golden import CATALOGUE, DEFINITIONS
from tests.unit.kpis.golden import own as read
from throughline.core.estate import load_estate

OWN = {
    "kpi": "own",
    "version": 1,
    "title": "Own",
    "group": "own",
    "question": "What is it?",
    "good": "low",
    "owner": "pmo",
    "source": "delivery handbook, page 12",
}
WAIT = {"process": "time-to-bill", "from": "submitted", "to": "approved"}
DIVIDED = {Kind.LAG, Kind.SHARE, Kind.COUNT, Kind.ATTEMPTS, Kind.RATIO, Kind.VARIANCE, Kind.GAUGE}
NEVER = "Synthetic and provisional cases are left out, and those to which their process does not apply."


def own(**entries: Any) -> Declaration:
    """Return a KPI of the firm's own with some entries."""
    return read(json.dumps({**OWN, **entries}))


def test_a_kpi_of_the_firms_own_is_told_with_its_population_and_both_sides() -> None:
    lag: dict[str, Any] = {
        "unit": "seconds",
        "clock": "business",
        "headline": "p90",
        "formula": {"kind": "lag", "of": WAIT},
    }
    told = define(own(**lag, population='facts.practice != "internal"'))
    assert told.formula == (
        "The 90th percentile of how long it takes from submitted to approved in time-to-bill, in business time."
    )
    assert told.population == (
        f'Cases of time-to-bill where facts.practice != "internal" (also where nobody can tell). {NEVER}'
    )
    assert told.numerator is not None
    assert "90 % of the denominator" in told.numerator
    assert told.denominator == "all waits that began in the window, with those that ended otherwise"
    assert told.unfinished == "Unfinished work lasts longer than it has (censored)."


@pytest.mark.parametrize(
    ("formula", "numerator"),
    [
        ({"hit": "reached"}, "waits that are done"),
        ({"hit": "in_time", "in_time": "due"}, "waits that are done by the due time of their last step"),
        ({"hit": "in_time", "in_time": {"within": "90 min"}}, "waits that are done within 90 min, as time elapses"),
        (
            {"hit": "in_time", "in_time": {"cutoff": "billing"}},
            "waits that are done by the first billing cut-off after they began",
        ),
        ({"hit": "ended_as", "ended_as": ["cancelled", "written_off"]}, "waits that ended as cancelled or written off"),
        ({"hit": "deviation", "deviations": "failed"}, "waits that are of a case with a deviation (failed)"),
    ],
)
def test_a_share_says_what_hits(formula: dict[str, object], numerator: str) -> None:
    told = define(own(unit="percent", formula={"kind": "share", "of": WAIT, **formula}))
    assert told.numerator == numerator
    hit = numerator.removeprefix("waits that ")
    assert told.formula == f"The share of the waits from submitted to approved in time-to-bill that {hit}."


@pytest.mark.parametrize(
    ("unfinished", "denominator"),
    [
        ("late", "waits that began in the window and are done or past due, not what ended otherwise before"),
        ("counted", "all waits that began in the window, unfinished ones among them"),
        ("left_out", "waits that began in the window and are done"),
    ],
)
def test_a_share_says_of_what_it_is_by_how_unfinished_work_counts(unfinished: str, denominator: str) -> None:
    formula = {"kind": "share", "of": WAIT, "hit": "in_time", "in_time": "due"}
    told = define(own(unit="percent", formula=formula, unfinished=unfinished))
    assert told.denominator == denominator


def test_a_margin_that_is_held_up_counts_each_piece_of_work_once() -> None:
    assert define(own(unit="money", formula={"kind": "deviations", "measure": "margin"})).numerator == (
        "the sum of amount less cost amount held up by cases with an open deviation, each piece of work once"
    )


def test_conditions_of_one_process_are_told_as_they_are_written() -> None:
    of = [{**WAIT, "where": "facts.amount > 100"}, {"process": "expense-to-bill", "from": "approved", "to": "released"}]
    declaration = own(unit="money", formula={"kind": "stock", "of": of, "measure": "amount"})
    assert define(declaration).population == (
        f"Cases of time-to-bill and expense-to-bill. Of time-to-bill only where facts.amount > 100. {NEVER}"
    )
    document = definition_document(declaration, DEFINITIONS, load_estate(None))
    assert [(each.process, each.from_, each.to, each.where) for each in document.steps] == [
        ("time-to-bill", "submitted", "approved", "facts.amount > 100"),
        ("expense-to-bill", "approved", "released", None),
    ]
    assert (document.condition, document.denominator, document.minimum_sample) == (None, None, None)


@pytest.mark.parametrize("name", CATALOGUE.kpis)
def test_every_shipped_kpi_says_its_population_and_what_is_divided_by_what(name: str) -> None:
    declaration = CATALOGUE.kpis[name]
    told = define(declaration)
    has_source = declaration.formula.kind is not Kind.NONE
    assert (told.numerator is not None) is has_source
    assert (told.denominator is not None) is (declaration.formula.kind in DIVIDED)
    assert told.formula.endswith(".")
    assert ("Synthetic" in told.population) is has_source


def test_the_hops_of_flows_are_told_by_process() -> None:
    document = definition_document(CATALOGUE.kpis["sync-latency"], DEFINITIONS, load_estate(None))
    hops = [msgspec.to_builtins(each) for each in document.steps if each.process == "time-to-bill"]
    assert {(each["from"], each["to"]) for each in hops} >= {("approved", "posted")}
    assert all(each["flow"] for each in hops)
    assert len({each.process for each in document.steps}) > 5


def test_both_sides_of_a_comparison_are_told_apart() -> None:
    document = definition_document(CATALOGUE.kpis["billable-utilisation"], DEFINITIONS, load_estate(None))
    assert [(each.side, each.process, each.at) for each in document.steps] == [
        ("numerator", "time-to-bill", "approved"),
        ("denominator", "capacity-sync", "changed"),
    ]
