"""Milestones of fixed-fee work: completed and approved in the PSA, billed and recognised by the ERP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random

from throughline.core.instants import HOUR
from throughline.demo.chronicle import Chronicle, Error, Fields, Happening, Life, minutes, money, travel
from throughline.demo.faults import Fault, deal_out
from throughline.demo.firm import REGIONS, Contract, Firm, Size, erp_of
from throughline.demo.lives.billing_runs import BillingEvent, BillingNumbers

PROCESS = "milestone-to-invoice"
FLOW = "psa-erp-milestones"
FAULTS = {
    Fault.MILESTONE_DROPPED: 0.04,
    Fault.MILESTONE_REJECTED: 0.05,
    Fault.MILESTONE_WAITING: 0.04,
    Fault.MAPPING_FAILED: 0.03,
    Fault.CANCELLED: 0.03,
    Fault.MAPPING_MENDED: 0.03,
    Fault.WRITTEN_OFF: 0.02,
    Fault.MILESTONE_LATE: 0.02,
}


class Revenue(StrEnum):
    """How the revenue run takes a piece of work."""

    RECOGNISED = "recognised"
    FAILED = "failed on a mapping"
    MENDED = "failed on a mapping, then run again"


UNMAPPED = {Fault.MAPPING_FAILED: Revenue.FAILED, Fault.MAPPING_MENDED: Revenue.MENDED}


@dataclass(frozen=True, slots=True)
class Milestone:
    life: Life
    contract: Contract
    fault: Fault | None

    def fields(self) -> Fields:
        """Return what the PSA knows of the milestone."""
        assert self.life.amount is not None
        return {
            "milestone": self.life.name,
            "project": self.contract.project,
            "contract": self.contract.id,
            "customer": self.contract.customer.id,
            "practice": self.contract.practice,
            "amount": money(self.life.amount),
            "currency": self.life.currency,
            "region": self.life.region,
            "legal_entity": self.life.entity,
        }


def bill_milestones(
    chronicle: Chronicle, rng: Random, begins: date, firm: Firm, size: Size, numbers: BillingNumbers
) -> tuple[list[BillingEvent], dict[str, Revenue]]:
    """Tell every milestone up to its release; return what was released, and whose revenue run will fail."""
    contracts = firm.contracts_by("fixed_fee")
    faults = deal_out(rng, size.milestones, FAULTS)
    released: list[BillingEvent] = []
    unmapped: dict[str, Revenue] = {}
    for number in range(size.milestones):
        contract = contracts[number % len(contracts)]
        fault = faults.get(number)
        early = fault is not None
        week = rng.randrange(1 if early else size.weeks) if size.weeks > 1 else 0
        day = begins + timedelta(weeks=week, days=rng.randrange(5))
        found = tell(chronicle, rng, make(rng, number, contract, fault), day, numbers)
        released += found
        if fault is not None and fault in UNMAPPED:
            unmapped |= {life.name: UNMAPPED[fault] for event in found for life in event.lives}
    close_projects(chronicle, begins, contracts[:CLOSED], size.weeks)
    return released, unmapped


CLOSED = 2  # projects that end with the play, with what their contracts leave unbilled


def close_projects(chronicle: Chronicle, begins: date, contracts: list[Contract], weeks: int) -> None:
    """Tell that projects are over; whoever counts what was never billed asks for it."""
    friday = begins + timedelta(weeks=weeks - 1, days=4)
    for contract in contracts:
        region = REGIONS[contract.entity.region]
        at = min(region.at(region.workday(friday), time(11)), chronicle.ends - HOUR)
        body = {"project": contract.project, "contract": contract.id, "region": region.name}
        chronicle.tell("psa", "project.closed", at, body | {"legal_entity": contract.entity.code})
        chronicle.closed[contract.id] = at


def make(rng: Random, number: int, contract: Contract, fault: Fault | None) -> Milestone:
    entity = contract.entity
    amount = (entity.rate * rng.randint(80, 400)).quantize(Decimal("0.01"))
    life = Life(PROCESS, f"MS-{600 + number}", entity.region, entity.code, amount, entity.currency)
    life.keys = {"project": contract.project}
    life.knows = {"project": contract.project, "contract": contract.id}
    if fault is not None:
        life.stories.append(fault.value)
    return Milestone(life, contract, fault)


def tell(
    chronicle: Chronicle, rng: Random, milestone: Milestone, day: date, numbers: BillingNumbers
) -> list[BillingEvent]:
    life, fault, region = milestone.life, milestone.fault, REGIONS[milestone.life.region]
    completed = region.at(region.workday(day), time(10)) + minutes(rng, 0, 300)
    if chronicle.over(completed):
        return []
    chronicle.lives.append(life)
    complete(chronicle, rng, milestone, completed)
    decided = region.plus_workdays(completed, 5 if fault is Fault.MILESTONE_LATE else 1) + minutes(rng, 5, 60)
    if fault is Fault.MILESTONE_WAITING or chronicle.over(decided):
        return []
    if fault is Fault.CANCELLED:
        chronicle.tell("psa", "milestone.cancelled", decided, {"milestone": life.name, "reason": "scope was cut"})
        life.end("cancelled", decided)
        return []
    if fault is Fault.MILESTONE_REJECTED:
        chronicle.tell("psa", "milestone.rejected", decided, {"milestone": life.name, "reason": "not accepted"})
        life.rejected(decided)
        again = region.plus_workdays(decided, 1) + minutes(rng, 5, 60)
        if chronicle.over(again):
            return []
        complete(chronicle, rng, milestone, again)
        decided = region.plus_workdays(again, 1) + minutes(rng, 5, 60)
        if chronicle.over(decided):
            return []
    approval = where(milestone) | {"milestone": life.name, "actor_kind": "person"}
    approved = chronicle.tell("psa", "milestone.approved", decided, approval)
    life.touches.append(approved.id)
    life.did("milestone.approved", decided, "psa")
    if fault is Fault.WRITTEN_OFF:
        at = decided + minutes(rng, 5, 40)
        chronicle.tell("psa", "milestone.written_off", at, {"milestone": life.name, "reason": "goodwill"})
        life.end("written_off", at)
        return []
    if fault is Fault.MILESTONE_DROPPED:
        return []
    return release(chronicle, rng, milestone, approved, numbers)


def complete(chronicle: Chronicle, rng: Random, milestone: Milestone, at: int) -> None:
    chronicle.tell("psa", "milestone.completed", at, milestone.fields(), post=travel(rng))
    milestone.life.did("milestone.completed", at, "psa")


def where(milestone: Milestone) -> Fields:
    return {"region": milestone.life.region, "legal_entity": milestone.life.entity}


def release(
    chronicle: Chronicle, rng: Random, milestone: Milestone, approved: Happening, numbers: BillingNumbers
) -> list[BillingEvent]:
    """Tell the release: the billing plan of the ERP knows the milestone, and gives it a billing event."""
    life = milestone.life
    at = approved.time + minutes(rng, 60, 180)
    if chronicle.over(at):
        return []
    number = numbers.next()
    assert life.amount is not None
    body = where(milestone) | {
        "milestone": life.name,
        "billing_event": number,
        "contract": milestone.contract.id,
        "amount": money(life.amount),
        "currency": life.currency,
    }
    told = chronicle.tell(
        erp_of(life.entity), "billing.released", at, body, after=approved, flow=FLOW, post=travel(rng)
    )
    life.did("billing.released", at, "erp")
    life.keys["billing_event"] = number
    return [BillingEvent(number, milestone.contract, (life,), life.amount, at, told)]


def recognise(chronicle: Chronicle, rng: Random, life: Life, issued: int, revenue: Revenue) -> None:
    """Tell the revenue run that follows an invoice; it names the invoice and nothing else."""
    region = REGIONS[life.region]
    at = region.plus_workdays(issued, 2) + minutes(rng, 30, 120)
    body: Fields = {"invoice": life.keys["invoice"], "region": life.region, "legal_entity": life.entity}
    step, erp = "revenue.recognised", erp_of(life.entity)
    if chronicle.over(at):
        return
    if revenue is not Revenue.RECOGNISED:
        error = Error("mapping", "GL-212", "no revenue account for the practice of the project")
        chronicle.tell(erp, step, at, body, error=error)
        life.failed(step, at, "erp", error.category)
        at = region.plus_workdays(at, 1) + minutes(rng, 30, 120)
        if revenue is Revenue.FAILED or chronicle.over(at):
            return
        body = body | {"actor_kind": "person"}
    told = chronicle.tell(erp, step, at, body, post=travel(rng))
    if "actor_kind" in body:
        life.touches.append(told.id)
    life.did(step, at, "erp")
