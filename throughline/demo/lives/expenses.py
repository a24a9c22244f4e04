"""Expenses: submitted, approved and posted as other work is passed on, then billed with the weekly runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import cycle, islice
from random import Random

from throughline.demo.chronicle import Chronicle, Fields, minutes, money, travel
from throughline.demo.faults import Fault
from throughline.demo.firm import REGIONS, Assignment, Contract, Firm, Size, erp_of
from throughline.demo.lives.back_office import life_of, worth
from throughline.demo.lives.billing_runs import BillingEvent, BillingNumbers
from throughline.demo.lives.postings import Numbers
from throughline.demo.lives.routes import Befalls, Piece, Route, Stop, Way, end, send_all

RELEASED = "billing.released"
AFTER_ALL_STOPS = 3
EXPENSES = Route(
    "expense-to-bill",
    (
        Stop(
            "expense.submitted",
            "expense",
            ("expense", "expense_report", "worker", "project", "amount", "currency", "worked_on", "billable"),
            ("expense_report",),
        ),
        Stop("expense.approved", "expense", ("expense",), workdays=1, person=True),
        Stop("expense.posted", "erp", ("expense", "erp_document", "cost_amount"), ("erp_document",)),
    ),
    {
        Fault.LOST: Befalls(2),
        Fault.BELATED: Befalls(1, late=6),
        Fault.RESENT: Befalls(2),
        Fault.REFUSED: Befalls(2),
        Fault.SENT_BACK: Befalls(1, "expense.rejected"),
        Fault.SENT_BACK_LEFT: Befalls(1, "expense.rejected"),
        Fault.CANCELLED: Befalls(1, "expense.cancelled"),
        Fault.WRITTEN_OFF: Befalls(AFTER_ALL_STOPS, "expense.written_off"),
    },
)


def bill_expenses(
    chronicle: Chronicle, rng: Random, begins: date, firm: Firm, size: Size, numbers: BillingNumbers
) -> list[BillingEvent]:
    """Tell every expense up to its release; return what was released."""
    assignments = list(islice(cycle(firm.assignments), size.routed))
    contracts = {f"EX-{number}": each.contract for number, each in enumerate(assignments, start=FIRST)}
    sent = send_all(chronicle, rng, EXPENSES, expenses(rng, begins, assignments), begins, size.weeks, days=(0,))
    waiting: list[tuple[Piece, Way]] = []
    for piece, way in sent:
        if piece.fault is Fault.WRITTEN_OFF and way.through:
            befalls = EXPENSES.faults[Fault.WRITTEN_OFF]
            end(chronicle, EXPENSES, piece, befalls, way.at + minutes(rng, 60, 240))
        elif way.through:
            waiting.append((piece, way))
    released: list[BillingEvent] = []
    for week in range(size.weeks):
        for region in REGIONS.values():
            start = region.at(region.workday(begins + timedelta(weeks=week, days=3)), time(12))
            ready = [each for each in waiting if each[0].region is region and each[1].at < start]
            waiting = [each for each in waiting if each not in ready]
            for piece, _ in ready:
                at = start + minutes(rng, 0, 110)
                if not chronicle.over(at):
                    released.append(release(chronicle, rng, piece, contracts[piece.life.name], at, numbers.next()))
    return released


FIRST = 7200


def expenses(rng: Random, begins: date, assignments: list[Assignment]) -> Iterator[Piece]:
    documents = Numbers()
    for number, assignment in enumerate(assignments, start=FIRST):
        entity = assignment.contract.entity
        amount = worth(rng, entity, 1, 9)
        yield Piece(
            life_of(EXPENSES, f"EX-{number}", entity, amount),
            {
                "expense": f"EX-{number}",
                "expense_report": f"ER-{number // 2}",
                "worker": assignment.worker,
                "project": assignment.contract.project,
                "amount": money(amount),
                "cost_amount": money(amount),
                "currency": entity.currency,
                "billable": True,
                "worked_on": (begins - timedelta(days=3)).isoformat(),
                "erp_document": documents.next(entity.code, "X"),
            },
        )


def release(chronicle: Chronicle, rng: Random, piece: Piece, contract: Contract, at: int, number: str) -> BillingEvent:
    """Tell the release of one expense, named as the region's ERP knows it: by its document, in APAC by its own name."""
    life = piece.life
    known = "expense" if life.region == "APAC" else "erp_document"
    body: Fields = {
        known: piece.knows[known],
        "billing_event": number,
        "contract": contract.id,
        "customer": contract.customer.id,
        "region": life.region,
        "legal_entity": life.entity,
    }
    told = chronicle.tell(erp_of(life.entity), RELEASED, at, body, post=travel(rng))
    life.did(RELEASED, at, "erp")
    life.keys["billing_event"] = number
    return BillingEvent(number, contract, (life,), life.amount or Decimal(0), at, told)
