"""Invoices: issued on billing events, posted, sent, paid; and what customers and clerks do to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from throughline.core.instants import DAY
from throughline.demo.chronicle import Chronicle, Error, Fields, Happening, Life, minutes, money, travel
from throughline.demo.faults import Fault, deal_out
from throughline.demo.firm import REGIONS, Contract, erp_of
from throughline.demo.lives.billing_runs import BillingEvent
from throughline.demo.lives.milestones import PROCESS as MILESTONES
from throughline.demo.lives.milestones import Revenue, recognise
from throughline.demo.worktime import Region

PROCESS = "invoice-to-cash"
FAULTS = {
    Fault.PART_PAID: 0.05,
    Fault.CORRECTED: 0.04,
    Fault.UNPAID: 0.08,
    Fault.PAID_LATE: 0.02,
    Fault.POSTING_FAILED: 0.02,
    Fault.NOT_SENT: 0.02,
    Fault.PAID_UNSENT: 0.02,
    Fault.DISPUTED: 0.03,
    Fault.VOIDED: 0.02,
    Fault.REMITTANCE: 0.06,
    Fault.POSTED_AGAIN: 0.02,
    Fault.CANCELLED: 0.02,
    Fault.WRITTEN_OFF: 0.02,
}
NOT_POSTED = Error("validation", "FI-88", "tax code of the customer is not valid")
CENT = Decimal("0.01")


@dataclass
class Invoice:
    """An invoice and the work on it; ``due`` is a date, ``bills`` are the lives of what it charges for."""

    life: Life
    contract: Contract
    issued: int
    due: date
    bills: tuple[Life, ...]
    fault: Fault | None

    @property
    def region(self) -> Region:
        return REGIONS[self.life.region]

    @property
    def erp(self) -> str:
        return erp_of(self.life.entity)

    def named(self) -> Fields:
        """Return how the ERP names the invoice: numbers are given anew in each legal entity."""
        return {"invoice": self.life.name, "legal_entity": self.life.entity, "region": self.life.region}


class InvoiceNumbers:
    """Invoice numbers: each legal entity counts from 1001 on, so that numbers repeat between entities."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def next(self, entity: str) -> str:
        self.last[entity] = self.last.get(entity, 1000) + 1
        return f"INV-{self.last[entity]}"


class PaymentNumbers:
    def __init__(self) -> None:
        self.last = 0

    def next(self) -> str:
        self.last += 1
        return f"PAY-{70000 + self.last}"


def tell_invoices(
    chronicle: Chronicle,
    rng: Random,
    events: list[BillingEvent],
    unmapped: Mapping[str, Revenue],
    numbers: InvoiceNumbers,
    payments: PaymentNumbers,
) -> None:
    """Tell every invoice that comes of the billing events, to the end or as far as it gets."""
    issuable = sorted((issue_time(rng, event), event.id, event) for event in events)
    invoices = [make(event, issued, numbers, chronicle) for issued, _, event in issuable if not chronicle.over(issued)]
    settle_faults(rng, invoices, chronicle.ends)
    remitted: list[Invoice] = []
    for invoice, event in zip(invoices, [e for i, _, e in issuable if not chronicle.over(i)], strict=True):
        issued = issue(chronicle, rng, invoice, {"billing_event": event.id}, event.happening)
        for life in invoice.bills:
            life.did("invoice.issued", invoice.issued, "erp")
            life.keys["invoice"] = invoice.life.name
            if life.process == MILESTONES:
                recognise(chronicle, rng, life, invoice.issued, unmapped.get(life.name, Revenue.RECOGNISED))
        follow(chronicle, rng, invoice, issued, numbers, payments)
        if invoice.fault is Fault.REMITTANCE:
            remitted.append(invoice)
    remit(chronicle, rng, remitted, payments)


def issue_time(rng: Random, event: BillingEvent) -> int:
    """Return when the clerk issues the invoice: on the workday after the release, before two in the afternoon."""
    region = REGIONS[event.contract.entity.region]
    day = region.workday(region.local(event.time).date() + timedelta(days=1))
    return region.at(day, time(10)) + minutes(rng, 0, 240)


def make(event: BillingEvent, issued: int, numbers: InvoiceNumbers, chronicle: Chronicle) -> Invoice:
    entity = event.contract.entity
    return draw_up(event.contract, issued, event.amount, numbers.next(entity.code), event.lives, chronicle)


def draw_up(
    contract: Contract, issued: int, amount: Decimal, number: str, bills: tuple[Life, ...], chronicle: Chronicle
) -> Invoice:
    entity, region = contract.entity, REGIONS[contract.entity.region]
    due = region.local(issued).date() + timedelta(days=contract.terms_days)
    life = Life(PROCESS, number, entity.region, entity.code, amount, entity.currency, {"legal_entity": entity.code})
    life.due_at = region.end_of_day(due)
    life.keys = {"contract": contract.id, "customer": contract.customer.id}
    chronicle.lives.append(life)
    return Invoice(life, contract, issued, due, bills, None)


def settle_faults(rng: Random, invoices: list[Invoice], ends: int) -> None:
    """Give faults to invoices that fall due two days or more before the end, so that each shows."""
    mature = [invoice for invoice in invoices if (invoice.life.due_at or ends) < ends - 2 * DAY]
    for index, fault in deal_out(rng, len(mature), share_of(mature, invoices)).items():
        mature[index].fault = fault
        mature[index].life.stories.append(fault.value)


def share_of(mature: list[Invoice], invoices: list[Invoice]) -> dict[Fault, float]:
    """Return the shares of the faults among mature invoices that make up their shares among all."""
    factor = len(invoices) / max(1, len(mature))
    return {fault: share * factor for fault, share in FAULTS.items()}


def issue(chronicle: Chronicle, rng: Random, invoice: Invoice, charges: Fields, cause: Happening | None) -> Happening:
    assert invoice.life.amount is not None
    body = invoice.named() | charges
    body |= {
        "contract": invoice.contract.id,
        "customer": invoice.contract.customer.id,
        "practice": invoice.contract.practice,
        "amount": money(invoice.life.amount),
        "currency": invoice.life.currency,
        "due_date": invoice.due.isoformat(),
    }
    invoice.life.did("invoice.issued", invoice.issued, "erp")
    return chronicle.tell(invoice.erp, "invoice.issued", invoice.issued, body, after=cause, post=travel(rng))


def follow(
    chronicle: Chronicle,
    rng: Random,
    invoice: Invoice,
    issued: Happening,
    numbers: InvoiceNumbers,
    payments: PaymentNumbers,
) -> None:
    """Tell an invoice from its issue on."""
    posted_at = issued.time + minutes(rng, 10, 40)
    if chronicle.over(posted_at):
        return
    if invoice.fault in (Fault.POSTING_FAILED, Fault.POSTED_AGAIN):
        chronicle.tell(invoice.erp, "invoice.posted", posted_at, invoice.named(), after=issued, error=NOT_POSTED)
        invoice.life.failed("invoice.posted", posted_at, "erp", NOT_POSTED.category)
        if invoice.fault is Fault.POSTING_FAILED:
            return
        posted_at += minutes(rng, 30, 90)
    posted = chronicle.tell(invoice.erp, "invoice.posted", posted_at, invoice.named(), after=issued, post=travel(rng))
    invoice.life.did("invoice.posted", posted_at, "erp")
    sent_at = posted_at + minutes(rng, 30, 150)
    if invoice.fault is not Fault.NOT_SENT and invoice.fault is not Fault.PAID_UNSENT:
        if chronicle.over(sent_at):
            return
        chronicle.tell(invoice.erp, "invoice.sent", sent_at, invoice.named(), after=posted, post=travel(rng))
        invoice.life.did("invoice.sent", sent_at, "erp")
    match invoice.fault:
        case Fault.NOT_SENT | Fault.UNPAID | Fault.REMITTANCE:
            return
        case Fault.CORRECTED:
            correct(chronicle, rng, invoice, numbers, payments)
        case Fault.VOIDED | Fault.CANCELLED | Fault.WRITTEN_OFF:
            end(chronicle, rng, invoice, invoice.fault)
        case Fault.DISPUTED:
            dispute(chronicle, rng, invoice)
        case Fault.PART_PAID:
            part = Decimal(rng.choice((40, 50, 60, 75))) / 100
            share = ((invoice.life.amount or Decimal(0)) * part).quantize(CENT, ROUND_HALF_UP)
            pay(chronicle, rng, invoice, payments, share)
        case _:
            pay(chronicle, rng, invoice, payments, invoice.life.amount or Decimal(0))


def payday(rng: Random, invoice: Invoice) -> int:
    """Return when the customer pays: some days before the invoice is due, on a workday; or on the one after that."""
    if invoice.fault is Fault.PAID_LATE:
        return invoice.region.at(invoice.region.workday(invoice.due + timedelta(days=1)), time(11)) + minutes(
            rng, 0, 200
        )
    early = invoice.due - timedelta(days=rng.randint(1, 4))
    day = max(early, invoice.region.local(invoice.issued).date() + timedelta(days=1))
    while not invoice.region.is_workday(day) and day < invoice.due:
        day += timedelta(days=1)
    return invoice.region.at(day, time(11)) + minutes(rng, 0, 200)


def pay(chronicle: Chronicle, rng: Random, invoice: Invoice, payments: PaymentNumbers, amount: Decimal) -> None:
    at = payday(rng, invoice)
    if chronicle.over(at):
        return
    body = invoice.named() | {"payment": payments.next(), "amount": money(amount), "currency": invoice.life.currency}
    chronicle.tell(invoice.erp, "invoice.paid", at, body, post=travel(rng))
    note_payment(invoice, at, amount)


def note_payment(invoice: Invoice, at: int, amount: Decimal) -> None:
    """Write a payment down with the invoice and with the work that it charges for."""
    invoice.life.did("invoice.paid", at, "erp")
    invoice.life.paid.append(amount)
    for life in invoice.bills:
        life.did("invoice.paid", at, "erp")


def remit(chronicle: Chronicle, rng: Random, invoices: list[Invoice], payments: PaymentNumbers) -> None:
    """Tell remittances: two invoices of one legal entity paid at once; a single one left over is paid alone."""
    by_entity: dict[str, list[Invoice]] = {}
    for invoice in invoices:
        by_entity.setdefault(invoice.life.entity, []).append(invoice)
    for waiting in by_entity.values():
        while waiting:
            pair, waiting = waiting[:2], waiting[2:]
            at = max(payday(rng, invoice) for invoice in pair)
            if chronicle.over(at):
                continue
            body = pair[0].named() | {
                "invoice": [invoice.life.name for invoice in pair],
                "payment": payments.next(),
                "amounts": {invoice.life.name: money(invoice.life.amount or Decimal(0)) for invoice in pair},
                "currency": pair[0].life.currency,
            }
            chronicle.tell(pair[0].erp, "invoice.paid", at, body, post=travel(rng))
            for invoice in pair:
                note_payment(invoice, at, invoice.life.amount or Decimal(0))


def correct(chronicle: Chronicle, rng: Random, old: Invoice, numbers: InvoiceNumbers, payments: PaymentNumbers) -> None:
    """Tell a correction: a new invoice takes the old one's place, and goes its own way."""
    at = old.region.plus_workdays(old.issued, 2) + minutes(rng, 5, 90)
    if chronicle.over(at):
        return
    amount = ((old.life.amount or Decimal(0)) * Decimal("0.95")).quantize(CENT, ROUND_HALF_UP)
    number = numbers.next(old.life.entity)
    new = draw_up(old.contract, at, amount, number, old.bills, chronicle)
    new.life.stories.append(f"replaces {old.life.name}")
    body = {
        "legal_entity": old.life.entity,
        "region": old.life.region,
        "relations": [{"from": {"invoice": old.life.name}, "to": {"invoice": number}, "qualifier": "replaced by"}],
    }
    told = chronicle.tell(old.erp, "invoice.corrected", at, body)
    old.life.end("superseded", at)
    for life in old.bills:
        life.did("invoice.corrected", at, "erp")
        life.did("invoice.issued", at, "erp")
        life.keys["invoice"] = number
    issued = issue(chronicle, rng, new, {}, told)
    follow(chronicle, rng, new, issued, numbers, payments)


ENDS = {Fault.VOIDED: "voided", Fault.CANCELLED: "cancelled", Fault.WRITTEN_OFF: "written_off"}


def end(chronicle: Chronicle, rng: Random, invoice: Invoice, fault: Fault) -> None:
    at = invoice.region.plus_workdays(invoice.issued, 3) + minutes(rng, 5, 90)
    if not chronicle.over(at):
        body = invoice.named() | {"reason": "wrong customer", "actor_kind": "person"}
        chronicle.tell(invoice.erp, f"invoice.{ENDS[fault]}", at, body)
        invoice.life.end(ENDS[fault], at)


def dispute(chronicle: Chronicle, rng: Random, invoice: Invoice) -> None:
    """Tell a dispute; the customer pays nothing until it is settled, which it is not."""
    at = invoice.region.plus_workdays(invoice.issued, 2) + minutes(rng, 5, 90)
    if chronicle.over(at):
        return
    chronicle.tell(invoice.erp, "invoice.disputed", at, invoice.named() | {"reason": "hours not agreed"})
    invoice.life.did("invoice.disputed", at, "erp")
    for life in invoice.bills:
        life.did("invoice.disputed", at, "erp")
