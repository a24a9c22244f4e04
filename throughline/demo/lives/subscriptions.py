"""Subscriptions: lines of a billing schedule fall due, are invoiced one by one, and their revenue is recognised."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import cycle, islice
from random import Random

from throughline.demo.chronicle import Chronicle, minutes, money
from throughline.demo.faults import Fault
from throughline.demo.firm import Contract, Firm, Size, erp_of
from throughline.demo.lives.back_office import life_of, worth
from throughline.demo.lives.invoices import InvoiceNumbers, PaymentNumbers, draw_up, follow, issue
from throughline.demo.lives.milestones import Revenue, recognise
from throughline.demo.lives.routes import Befalls, Piece, Route, Stop, Way, send_all

INVOICED = "invoice.issued"
AFTER_ALL_STOPS = 1
LINES = Route(
    "subscription-to-invoice",
    (Stop("schedule_line.due", "erp", ("billing_schedule_line", "contract", "amount", "currency"), ("contract",)),),
    {
        Fault.LOST: Befalls(AFTER_ALL_STOPS),
        Fault.BELATED: Befalls(AFTER_ALL_STOPS),
        Fault.REFUSED: Befalls(AFTER_ALL_STOPS),
        Fault.RESENT: Befalls(AFTER_ALL_STOPS),
        Fault.CANCELLED: Befalls(AFTER_ALL_STOPS),
        Fault.WRITTEN_OFF: Befalls(AFTER_ALL_STOPS),
    },
)
WORKDAYS_TO_INVOICE = 1
WORKDAYS_IF_LATE = 3


def tell_subscriptions(
    chronicle: Chronicle,
    rng: Random,
    begins: date,
    firm: Firm,
    size: Size,
    numbers: InvoiceNumbers,
    payments: PaymentNumbers,
) -> None:
    """Tell every line of every schedule, and its invoice to the end."""
    contracts = list(islice(cycle(firm.contracts_by("fixed_fee")), size.routed))
    by_line = {f"SL-{number}": contract for number, contract in enumerate(contracts, start=FIRST)}
    for piece, way in send_all(chronicle, rng, LINES, lines(rng, contracts), begins, size.weeks):
        if not way.through:
            continue
        if piece.fault in (Fault.CANCELLED, Fault.WRITTEN_OFF):
            end(chronicle, rng, piece, way)
        elif piece.fault is not Fault.LOST:
            invoice(chronicle, rng, piece, way, by_line[piece.life.name], numbers, payments)


FIRST = 8300


def lines(rng: Random, contracts: list[Contract]) -> Iterator[Piece]:
    for number, contract in enumerate(contracts, start=FIRST):
        amount = worth(rng, contract.entity, 10, 60)
        yield Piece(
            life_of(LINES, f"SL-{number}", contract.entity, amount),
            {
                "billing_schedule_line": f"SL-{number}",
                "contract": contract.id,
                "amount": money(amount),
                "currency": contract.entity.currency,
            },
        )


def end(chronicle: Chronicle, rng: Random, piece: Piece, way: Way) -> None:
    word = "cancelled" if piece.fault is Fault.CANCELLED else "written_off"
    at = way.at + minutes(rng, 5, 60)
    body = {"billing_schedule_line": piece.life.name, "region": piece.life.region, "legal_entity": piece.life.entity}
    chronicle.tell(erp_of(piece.life.entity), f"schedule_line.{word}", at, body | {"actor_kind": "person"})
    piece.life.end(word, at)


def invoice(
    chronicle: Chronicle,
    rng: Random,
    piece: Piece,
    way: Way,
    contract: Contract,
    numbers: InvoiceNumbers,
    payments: PaymentNumbers,
) -> None:
    """Tell the invoice of one line: the ERP names both, so that what is said of the invoice reaches the line."""
    workdays = WORKDAYS_IF_LATE if piece.fault is Fault.BELATED else WORKDAYS_TO_INVOICE
    issued = piece.region.plus_workdays(way.at, workdays) + minutes(rng, 5, 60)
    assert piece.life.amount is not None
    if chronicle.over(issued):
        return
    life = piece.life
    drawn = draw_up(contract, issued, piece.life.amount, numbers.next(life.entity), (life,), chronicle)
    told = issue(chronicle, rng, drawn, {"billing_schedule_line": life.name}, way.cause)
    life.did(INVOICED, issued, "erp")
    life.keys["invoice"] = drawn.life.name
    recognise(chronicle, rng, life, issued, revenue_of(piece))
    follow(chronicle, rng, drawn, told, numbers, payments)


def revenue_of(piece: Piece) -> Revenue:
    match piece.fault:
        case Fault.REFUSED:
            return Revenue.FAILED
        case Fault.RESENT:
            return Revenue.MENDED
        case _:
            return Revenue.RECOGNISED
