"""G9: an unknown amount stays unknown, in a case's document and in the list; no amount counts for more than its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineage.cases import Filter
from lineage.orphans import Filter as OrphanFilter
from lineage.orphans import list_orphans
from tests.guarantees.firm import ARCHIVE, ERP, PSA
from tests.guarantees.story import Story, open_kinds
from throughline.core.instants import parse_instant

BEGAN = "2026-03-02T09:00:00Z"
NEXT_WEEK = "2026-03-09T09:00:00Z"
LATER = "2026-03-10T09:00:00Z"
SCOPE = ("DE01",)


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path / "store.db")
    told.at(BEGAN)
    yield told
    told.close()


def money(amount: str, currency: str | None = "EUR", **more: Any) -> dict[str, Any]:
    return {"amount": amount, "currency": currency, **more}


def held(story: Story, name: str, process: str = "time-to-bill", scope: tuple[str, ...] = ()) -> Any:
    """Return a case's exposure, which its document and the list tell alike."""
    exposure = story.document(name, process, scope)["exposure"]
    assert story.line(name, process)["exposure"] == exposure
    return exposure


def overdue(story: Story, name: str, **more: Any) -> None:
    """Let a time entry be submitted on Monday and be overdue a week later, with what else its event says."""
    story.happens("time.submitted", at=BEGAN, time_entry=name, legal_entity="DE01", **more)
    story.at(NEXT_WEEK)
    story.hear(PSA)
    assert ("overdue", "approved") in open_kinds(story.document(name))


def test_what_no_event_tells_is_unknown_and_neither_zero_nor_nothing(story: Story) -> None:
    overdue(story, "T1")
    assert held(story, "T1") is None
    assert story.lines(Filter(least="0")) == []
    assert story.lines(Filter(most="1000000")) == []
    assert [line["name"] for line in story.lines(Filter())] == ["T1"]


def test_one_piece_of_work_that_is_held_up_in_two_processes_counts_once(story: Story) -> None:
    told = {"legal_entity": "DE01", "source": ERP}
    story.happens("milestone.completed", milestone="M1", legal_entity="DE01", more=money("500.00"))
    story.happens("invoice.issued", milestone="M1", invoice="I1", more=money("500.00"), **told)
    story.happens("revenue.recognised", milestone="M1", failed="validation", **told)
    story.happens("invoice.posted", invoice="I1", failed="timeout", **told)
    assert held(story, "M1", "milestone-to-invoice") == {"amount": "500.00", "currency": "EUR", "hours": None}
    assert held(story, "I1", "invoice-to-cash", SCOPE) == {"amount": "500.00", "currency": "EUR", "hours": None}
    counted = {line["name"]: [each["name"] for each in line["counted_in"]] for line in story.lines()}
    assert counted["M1"] == ["I1"]
    assert counted["I1"] == []
    assert story.document("M1", "milestone-to-invoice")["counted_in"] == [
        {"process": "invoice-to-cash", "key_type": "invoice", "name": "I1", "scope": {"legal_entity": "DE01"}}
    ]


def test_hours_without_an_amount_leave_the_amount_unknown(story: Story) -> None:
    overdue(story, "T1", more={"hours": "7.50"})
    assert held(story, "T1") == {"amount": None, "currency": None, "hours": "7.50"}
    assert story.lines(Filter(least="0")) == []


@pytest.mark.parametrize("said", [money("100.00", None), money("a lot"), money("NaN"), money("1E+400")])
def test_what_is_no_amount_of_money_is_unknown(story: Story, said: dict[str, Any]) -> None:
    overdue(story, "T1", more=said)
    assert held(story, "T1") is None


def test_zero_is_an_amount_like_any_other(story: Story) -> None:
    overdue(story, "T1", more=money("0.00"))
    assert held(story, "T1") == {"amount": "0.00", "currency": "EUR", "hours": None}
    assert [line["name"] for line in story.lines(Filter(least="0", most="0"))] == ["T1"]


def test_an_amount_learnt_later_is_known_from_then_on_and_a_failure_tells_none(story: Story) -> None:
    overdue(story, "T1")
    story.happens("time.approved", time_entry="T1", failed="timeout", more=money("99.00"))
    assert held(story, "T1") is None
    story.happens("document.registered", time_entry="T1", erp_document="D1", more=money("120.50"))
    assert held(story, "T1") == {"amount": "120.50", "currency": "EUR", "hours": None}


# A carrier's total is nobody's own.


def test_the_total_of_a_carrier_is_never_a_cases_own(story: Story) -> None:
    """One run approves three entries and fails to post them: it tells a total, and what two of them are worth."""
    for name in ("T1", "T2", "T3"):
        story.happens("time.submitted", at=BEGAN, time_entry=name, correlation_id="RUN", legal_entity="DE01")
    total = money("5000.00", amounts={"T1": "120.00", "T2": "80.00"}, hours="40")
    story.happens("time.approved", at=BEGAN, correlation_id="RUN", more=total)
    story.happens("time.posted", correlation_id="RUN", failed="timeout", more=total)
    assert held(story, "T1") == {"amount": "120.00", "currency": "EUR", "hours": None}
    assert held(story, "T2") == {"amount": "80.00", "currency": "EUR", "hours": None}
    assert held(story, "T3") is None
    assert {line["name"] for line in story.lines(Filter(least="0"))} == {"T1", "T2"}


def test_the_amount_of_an_event_that_names_two_is_neithers(story: Story) -> None:
    overdue(story, "T1")
    overdue(story, "T2")
    story.happens("document.registered", time_entry=["T1", "T2"], more=money("300.00"))
    assert (held(story, "T1"), held(story, "T2")) == (None, None)


# Payments in part.

INVOICE: dict[str, Any] = {"invoice": "I1", "legal_entity": "DE01"}


def issued(story: Story, **more: Any) -> None:
    story.happens("invoice.issued", at=BEGAN, due_date="2026-03-04", **INVOICE, **more)


def owed(story: Story) -> Any:
    return held(story, "I1", "invoice-to-cash", SCOPE)


def paid_step(story: Story) -> str:
    return story.step("I1", "paid", "invoice-to-cash", SCOPE)["status"]


def test_of_a_payment_in_part_the_remainder_is_held(story: Story) -> None:
    issued(story, more=money("1000.00"))
    first = story.happens("invoice.paid", **INVOICE, more=money("400.00"))
    assert (paid_step(story), owed(story)) == ("partial", {"amount": "600.00", "currency": "EUR", "hours": None})
    story.tell(first, first)
    assert owed(story)["amount"] == "600.00"
    story.at(NEXT_WEEK)
    story.hear(ERP)
    story.hear(ARCHIVE, until=NEXT_WEEK)
    assert (paid_step(story), owed(story)["amount"]) == ("partial", "600.00")
    assert ("overdue", "paid") in open_kinds(story.document("I1", "invoice-to-cash", SCOPE))
    story.at(LATER)
    story.happens("invoice.paid", **INVOICE, more=money("600"))
    assert (paid_step(story), owed(story)) == ("done", {})
    (belief,) = story.beliefs("I1\x1fDE01")
    assert (belief.step, belief.closed, belief.closed_as) == ("paid", LATER, "resolved")


@pytest.mark.parametrize("payment", [{}, money("400.00", "USD"), money("some")], ids=["none", "USD", "no number"])
def test_a_payment_that_cannot_be_subtracted_leaves_the_remainder_unknown(
    story: Story, payment: dict[str, Any]
) -> None:
    issued(story, more=money("1000.00"))
    story.happens("invoice.paid", **INVOICE, more=payment)
    assert (paid_step(story), owed(story)) == ("partial", None)


def test_a_payment_of_an_unknown_debt_leaves_it_unknown_and_unpaid(story: Story) -> None:
    issued(story)
    story.happens("invoice.paid", **INVOICE, more=money("1000000.00"))
    assert (paid_step(story), owed(story)) == ("partial", None)


def test_of_one_payment_for_two_invoices_each_takes_its_own_share(story: Story) -> None:
    for name in ("I1", "I2"):
        story.happens("invoice.issued", invoice=name, legal_entity="DE01", more=money("500.00"))
    shares = money("700.00", amounts={"I1": "500.00", "I2": "200.00"})
    story.happens("invoice.paid", invoice=["I1", "I2"], legal_entity="DE01", more=shares)
    assert (paid_step(story), owed(story)) == ("done", {})
    assert held(story, "I2", "invoice-to-cash", SCOPE) == {"amount": "300.00", "currency": "EUR", "hours": None}


# One record in several processes.


def test_a_record_in_several_processes_holds_in_each_what_is_its_own(story: Story) -> None:
    """The invoice fails to be posted: that holds up the invoice with its amount, and no entry it bills with that."""
    story.happens("billing.released", at=BEGAN, time_entry="T1", billing_event="B1", more=money("120.00"))
    story.happens("invoice.issued", billing_event="B1", more=money("1125.00"), **INVOICE)
    story.happens("invoice.disputed", failed="timeout", more=money("1125.00"), **INVOICE)
    story.happens("invoice.posted", failed="timeout", **INVOICE)
    assert owed(story) == {"amount": "1125.00", "currency": "EUR", "hours": None}
    assert held(story, "T1") == {}  # it is issued, which is the end of its process
    assert [each["case"]["name"] for each in story.record("invoice", "I1")["cases"]] == ["I1", "T1"]


def test_an_orphan_counts_its_amount_once_and_not_where_another_process_has_a_case_for_it(story: Story) -> None:
    story.happens("time.posted", erp_document="D1", more=money("75.00"))
    story.at(NEXT_WEEK)
    orphan = story.document("D1", kind="erp_document")
    assert (orphan["state"], orphan["exposure"]) == (
        "provisional",
        {"amount": "75.00", "currency": "EUR", "hours": None},
    )
    story.happens("document.registered", time_entry="T1", erp_document="D1")
    assert [(line["name"], line["exposure"]) for line in story.lines()] == [("T1", {})]


def test_what_waits_for_a_case_too_long_is_worth_its_amount_unless_it_names_a_case_that_tells_it(story: Story) -> None:
    story.happens("billing.released", billing_event="B1", more=money("75.00"))
    story.happens("billing.released", billing_event="B2")
    issued(story, more=money("1125.00"))
    assert story.record("billing_event", "B1")["waiting"]["exposure"] == {}
    story.at(NEXT_WEEK)
    assert waits_for(story, "billing_event", "B1") == (True, {"amount": "75.00", "currency": "EUR", "hours": None})
    assert waits_for(story, "billing_event", "B2") == (True, None)
    assert waits_for(story, "invoice", "I1") == (True, {})
    counts = story.status()["counts"]
    assert (counts["orphans"], counts["deviations"]["orphan"]) == (3, 3)


def test_an_amount_told_of_several_values_is_the_share_of_none(story: Story) -> None:
    both = ["B1", "B2"]
    story.happens("billing.released", billing_event=both, more=money("10.00", hours="4"))
    story.happens(
        "billing.released", billing_event=["B3", "B4"], more=money("10.00", amounts={"b3": "1", "B3": "6.00"})
    )
    story.at(NEXT_WEEK)
    assert [waits_for(story, "billing_event", value) for value in both] == [(True, None)] * 2
    assert waits_for(story, "billing_event", "B3") == (True, {"amount": "6.00", "currency": "EUR", "hours": None})
    assert waits_for(story, "billing_event", "B4") == (True, None)
    story.happens("billing.released", billing_event="B1", more=money("7.00"))
    assert waits_for(story, "billing_event", "B1") == (True, {"amount": "7.00", "currency": "EUR", "hours": None})


def test_an_owner_finds_orphans_without_knowing_their_keys_the_oldest_first(story: Story) -> None:
    story.happens("billing.released", billing_event="B2", more=money("75.00"))
    story.happens("billing.released", billing_event="B1")
    story.happens("billing.released", billing_event="B9", more=money("9.00", synthetic=True))
    story.at("2026-03-02T10:00:00Z")
    issued(story, more=money("1125.00"))
    story.happens("billing.released", billing_event="B3", time_entry="T1")
    assert story.orphans() == []
    story.at(NEXT_WEEK)
    story.happens("billing.released", billing_event="B4")
    lines = story.orphans()
    assert [(line["key"]["value"], line["exposure"]) for line in lines] == [
        ("B1", None),
        ("B2", {"amount": "75.00", "currency": "EUR", "hours": None}),
        ("B9", {}),
        ("I1", {}),
    ]
    assert [line["synthetic"] for line in lines] == [False, False, True, False]
    assert lines[0] | {"events": 1, "types": ["billing.released"], "since": BEGAN} == lines[0]
    assert {"milestone-to-invoice", "time-to-bill"} <= set(lines[0]["processes"])
    counts = story.status()["counts"]
    assert (counts["orphans"], counts["deviations"]["orphan"]) == (3, 3)
    assert [line["key"]["value"] for line in story.orphans(OrphanFilter(kind="invoice"))] == ["I1"]
    early = OrphanFilter(("time-to-bill",), until=parse_instant("2026-03-02T09:30:00Z"))
    assert [line["key"]["value"] for line in story.orphans(early)] == ["B1", "B2", "B9"]
    assert story.orphans(OrphanFilter(("opportunity-to-project",))) == []
    with_snapshot = list_orphans(story.snapshot(), OrphanFilter(), None, 2)
    rest = list_orphans(story.snapshot(), OrphanFilter(), with_snapshot[-1].place, 9)
    assert [each.line.key.value for each in (*with_snapshot, *rest)] == ["B1", "B2", "B9", "I1"]


def test_what_waits_and_a_provisional_case_become_orphans_at_the_same_instant(story: Story) -> None:
    story.happens("billing.released", billing_event="B1")
    story.happens("time.posted", erp_document="D1")
    for moment, orphan in (("2026-03-05T08:59:59.999999Z", False), ("2026-03-05T09:00:00Z", True)):
        story.at(moment)
        assert waits_for(story, "billing_event", "B1")[0] is orphan
        assert (open_kinds(story.document("D1", kind="erp_document")) == [("orphan", None)]) is orphan
        assert story.status()["counts"]["deviations"]["orphan"] == 2 * orphan


def test_synthetic_cases_are_in_no_count_but_their_own(story: Story) -> None:
    overdue(story, "T1")
    overdue(story, "T2", more={"synthetic": True})
    counts = story.status()["counts"]
    assert (counts["cases"]["open"], counts["deviations"]["overdue"], counts["synthetic"]) == (1, 1, 1)
    story.happens("time.posted", time_entry="T1", failed="timeout", more={"synthetic": True})
    counts = story.status()["counts"]
    assert (counts["cases"]["open"], counts["synthetic"]) == (0, 2)
    assert set(counts["deviations"].values()) == {0}


def waits_for(story: Story, kind: str, value: str) -> tuple[bool, Any]:
    """Return whether what waits at a value is an orphan, and what it holds up."""
    waiting = story.record(kind, value)["waiting"]
    return waiting["orphan"], waiting["exposure"]


def test_synthetic_work_holds_nothing(story: Story) -> None:
    overdue(story, "T1", more=money("100.00", synthetic=True))
    assert held(story, "T1") == {}


def test_a_probe_that_names_real_work_beside_its_own_makes_none_of_it_synthetic(story: Story) -> None:
    """T2 and T9 are synthetic by events that name only them, T9 by its document; T1 is named beside T2 only."""
    for name in ("T1", "T2", "T9"):
        overdue(story, name, more=money("100.00"))
    story.happens("time.approved", time_entry=["T1", "T2"], erp_document="D1", more={"synthetic": True})
    assert [story.document(name)["synthetic"] for name in ("T1", "T2")] == [False, False]
    story.happens("time.posted", time_entry="T2", more={"synthetic": True})
    story.happens("document.registered", time_entry="T9", erp_document="D9")
    story.happens("time.posted", erp_document="D9", more={"synthetic": True})
    assert [story.document(name)["synthetic"] for name in ("T1", "T2", "T9")] == [False, True, True]
