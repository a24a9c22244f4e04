"""The page of what is stuck: grouped by place, reason and turn, worth most first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from throughline.core.instants import parse_instant
from throughline.demo.stuck import groups_of, open_besides


def stuck(name: str, amount: str, currency: str = "EUR", since: str = "2026-11-03T12:00:00Z", **changes: Any) -> Any:
    return {
        "process": "time-to-bill",
        "name": name,
        "last": since,
        "exposure": {"amount": amount, "currency": currency},
        "counted_in": [],
        "waits_for": {"step": "posted", "round": 1, "who": "system", "owner": "finance-ops"},
        "deviations": [{"kind": "overdue", "step": "posted", "round": 1, "open": True, "since": since}],
        "members": [],
        "rounds": [],
    } | changes


def failed(name: str, amount: str, category: str) -> Any:
    since = "2026-11-03T09:52:00Z"
    return stuck(
        name,
        amount,
        since=since,
        deviations=[{"kind": "failed", "step": "posted", "round": 1, "open": True, "since": since}],
        members=[{"outcome": "failure", "category": category}],
    )


def test_one_cause_is_one_line_with_its_sum_and_its_beginning():
    (group,) = groups_of([failed("TE-1", "100", "authentication"), failed("TE-2", "50.50", "authentication")])
    assert group.what == "2 time entries"
    assert group.place == "between PSA and ERP"
    assert group.why == "the connector is turned away: its token has expired"
    assert group.turn == "system (finance-ops)"
    assert group.since == parse_instant("2026-11-03T09:52:00Z")
    assert group.worth == Decimal("150.50")


def test_what_failed_and_what_vanished_are_two_lines_worth_most_first():
    first, second = groups_of([stuck("TE-1", "10"), failed("TE-2", "20", "authentication")])
    assert (first.why, second.why) == (
        "the connector is turned away: its token has expired",
        "never arrived, and no error was reported",
    )


def test_what_holds_nothing_up_is_left_out():
    assert groups_of([stuck("TE-1", "10", exposure={})]) == []


def test_an_unknown_amount_is_counted_and_never_added_as_zero():
    (group,) = groups_of([stuck("TE-1", "10"), stuck("TE-2", "10", exposure=None)])
    assert (group.count, group.unknown, group.worth) == (2, 1, Decimal(10))


def test_what_is_counted_downstream_is_shown_and_adds_no_money():
    invoice = {"process": "invoice-to-cash", "key_type": "invoice", "name": "I1", "scope": {"legal_entity": "DE01"}}
    (group,) = groups_of([stuck("M1", "10"), stuck("M2", "10", counted_in=[invoice])])
    assert (group.count, group.elsewhere, group.unknown, group.worth) == (2, 1, 0, Decimal(10))


def test_each_currency_is_converted_once():
    (group,) = groups_of([stuck("TE-1", "100", "USD"), stuck("TE-2", "100", "GBP")])
    assert group.worth == Decimal("201.00")


def test_what_is_wrong_though_nothing_waits_is_counted_by_kind_and_not_twice():
    broken = {"kind": "policy_violation", "step": None, "round": None, "since": "2026-11-03T12:00:00Z"}
    through = stuck("C-1", "10", process="contract-to-billing-terms", exposure={}, deviations=[broken, broken])
    assert open_besides([through, stuck("TE-1", "10")]) == {("contract-to-billing-terms", "policy_violation"): 1}
