"""Where the firm counts what one piece of work holds up in several processes: hand-counted."""

from __future__ import annotations

from decimal import Decimal

import pytest

from throughline.demo.chronicle import Life
from throughline.demo.counted import count_once
from throughline.demo.truth import UNKNOWN, CaseTruth

Held = tuple[str, str] | str | None
FIFTY: Held = ("50.00", "EUR")


def life(process: str, name: str, **keys: str) -> Life:
    scope = {"legal_entity": "DE01"} if process == "invoice-to-cash" else {}
    return Life(process, name, "EMEA", "DE01", Decimal(50), "EUR", scope, keys)


def truth(of: Life, held: Held, state: str = "open") -> CaseTruth:
    return CaseTruth(of.process, of.name, of.scope, state, None, 1, frozenset(), frozenset(), held, None, of.keys, ())


MILESTONE = life("milestone-to-invoice", "M1", invoice="I1")
INVOICE = life("invoice-to-cash", "I1")
COMMITTED = life("pipeline-to-forecast", "O1")
DEAL = life("opportunity-to-project", "O1", contract="C1")
CONTRACT = life("contract-to-billing-terms", "C1")


@pytest.mark.parametrize(
    ("held", "invoiced", "counted"),
    [
        (FIFTY, FIFTY, {("invoice-to-cash", "I1")}),
        (FIFTY, None, set()),
        (FIFTY, UNKNOWN, set()),
        (UNKNOWN, UNKNOWN, {("invoice-to-cash", "I1")}),
        (None, FIFTY, set()),
    ],
)
def test_a_milestone_counts_in_its_invoice_where_both_hold_it_up(
    held: Held, invoiced: Held, counted: set[tuple[str, str]]
) -> None:
    told = count_once([MILESTONE, INVOICE], [truth(MILESTONE, held), truth(INVOICE, invoiced)])
    assert [each.counted_in for each in told] == [counted, frozenset()]


@pytest.mark.parametrize(("deal", "state"), [(FIFTY, "open"), (None, "open"), (None, "done")])
def test_a_deal_counts_in_its_contract_past_what_lies_between(deal: Held, state: str) -> None:
    lives = [COMMITTED, DEAL, CONTRACT]
    told = count_once(lives, [truth(COMMITTED, FIFTY), truth(DEAL, deal, state), truth(CONTRACT, FIFTY)])
    contract = frozenset({("contract-to-billing-terms", "C1")})
    assert [each.counted_in for each in told] == [contract, contract if deal else frozenset(), frozenset()]


def test_the_invoice_of_another_entity_takes_nothing_over() -> None:
    other = life("invoice-to-cash", "I1")
    other.scope, other.entity = {"legal_entity": "US01"}, "US01"
    told = count_once([MILESTONE, other], [truth(MILESTONE, FIFTY), truth(other, FIFTY)])
    assert [each.counted_in for each in told] == [frozenset(), frozenset()]
