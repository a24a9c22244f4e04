"""Deals: won in the CRM, then carried through ERP, PSA and scheduling until FP&A has a margin to hold them to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from random import Random

from throughline.core.instants import DAY
from throughline.demo.chronicle import (
    Chronicle,
    Error,
    Fields,
    Happening,
    Life,
    Post,
    last_reading,
    minutes,
    money,
    next_night,
    travel,
)
from throughline.demo.faults import Fault, deal_out
from throughline.demo.firm import PRACTICES, REGIONS, Customer, Firm, Size, erp_of, role_of
from throughline.demo.lives.planning import PIPELINE, committed
from throughline.demo.lives.routes import begin
from throughline.demo.lives.staffing import Request
from throughline.demo.worktime import Region

PROCESS = "opportunity-to-project"
FAULTS = {
    Fault.CUSTOMER_MISSING: 0.04,
    Fault.CUSTOMER_ADDED: 0.03,
    Fault.DEAL_DROPPED: 0.03,
    Fault.PROJECT_TWICE: 0.03,
    Fault.ACTIVATION_FAILED: 0.03,
    Fault.DEAL_REJECTED: 0.03,
    Fault.CANCELLED: 0.03,
}
MISSING = Error("missing_master_data", "CUST-404", "customer is not set up in this legal entity")
REFUSED = Error("validation", "PRJ-113", "project has no cost centre")


@dataclass(frozen=True, slots=True)
class Deal:
    """A deal and the ids that each system will give it."""

    life: Life
    customer: Customer
    practice: str
    fault: Fault | None
    quote: str
    project: str
    contract: str
    request: str

    @property
    def region(self) -> Region:
        return REGIONS[self.life.region]

    def where(self) -> Fields:
        return {"region": self.life.region, "legal_entity": self.life.entity}


def tell_deals(chronicle: Chronicle, rng: Random, begins: date, firm: Firm, size: Size) -> list[Request]:
    """Tell every deal, spread over the weeks; those with faults come early enough to be overdue in the end.

    Return the requests for staff that new projects made.
    """
    requests: list[Request] = []
    faults = deal_out(rng, size.deals, FAULTS)
    for number in range(size.deals):
        fault = faults.get(number)
        week = 0 if fault else number * size.weeks // size.deals
        deal = make(rng, number, rng.choice(firm.customers), fault)
        day = begins + timedelta(weeks=week, days=rng.randrange(5))
        at = deal.region.at(deal.region.workday(day), time(9)) + minutes(rng, 10, 400)
        if fault is Fault.CANCELLED or (week > 0 and not chronicle.over(at)):
            commit(chronicle, rng, deal, at)
        requests += tell(chronicle, rng, deal, at)
    return requests


def make(rng: Random, number: int, customer: Customer, fault: Fault | None) -> Deal:
    entity = customer.entity
    amount = (entity.rate * rng.randint(300, 2400)).quantize(Decimal("0.01"))
    name = "006Qy" + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=10))
    life = Life(PROCESS, name, entity.region, entity.code, amount, entity.currency)
    if fault is not None:
        life.stories.append(fault.value)
    ids = (f"Q-{5100 + number}", f"PRJ-{5000 + number}", f"C-{6000 + number}", f"SR-{900 + number}")
    return Deal(life, customer, rng.choice(PRACTICES), fault, *ids)


def commit(chronicle: Chronicle, rng: Random, deal: Deal, approved: int) -> None:
    """Tell that sales committed to the deal shortly before; of the first week's we mostly were not there yet."""
    assert deal.life.amount is not None
    close_date = deal.region.local(approved).date()
    piece = committed(deal.life.name, deal.customer.entity, deal.life.amount, close_date)
    begin(chronicle, rng, PIPELINE, piece, approved - minutes(rng, 5, 9))
    if deal.fault is Fault.CANCELLED:
        piece.life.end("cancelled", cancelled_at(approved))


def cancelled_at(approved: int) -> int:
    return approved + DAY


def tell(chronicle: Chronicle, rng: Random, deal: Deal, at: int) -> list[Request]:
    """Tell a deal from its approval as far as it gets; return its request for staff."""
    if chronicle.over(at):
        return []
    chronicle.lives.append(deal.life)
    approved = approve(chronicle, rng, deal, at)
    if deal.fault is Fault.DEAL_REJECTED:
        at += minutes(rng, 10, 25)
        chronicle.tell("crm", "opportunity.rejected", at, deal.where() | {"opportunity": deal.life.name})
        deal.life.rejected(at)
        approved = approve(chronicle, rng, deal, deal.region.plus_workdays(at, 1) + minutes(rng, 5, 60))
    if deal.fault is Fault.CANCELLED:
        validate(chronicle, rng, deal, approved)
        at = cancelled_at(approved.time)
        chronicle.tell("crm", "opportunity.cancelled", at, deal.where() | {"opportunity": deal.life.name})
        deal.life.end("cancelled", at)
        return []
    validated = validate(chronicle, rng, deal, approved)
    return [] if validated is None else start_project(chronicle, rng, deal, validated)


def approve(chronicle: Chronicle, rng: Random, deal: Deal, at: int) -> Happening:
    assert deal.life.amount is not None
    deal.life.keys["quote"] = deal.quote
    body = deal.where() | {
        "opportunity": deal.life.name,
        "quote": deal.quote,
        "customer": deal.customer.id,
        "practice": deal.practice,
        "amount": money(deal.life.amount),
        "currency": deal.life.currency,
    }
    deal.life.did("opportunity.approved", at, "crm")
    return chronicle.tell("crm", "opportunity.approved", at, body, post=travel(rng))


def validate(chronicle: Chronicle, rng: Random, deal: Deal, approved: Happening) -> Happening | None:
    """Tell the ERP's look at the customer: it knows the quote that asks, not the opportunity."""
    step, erp, flow = "customer.validated", erp_of(deal.life.entity), "crm-erp-customers"
    body = deal.where() | {"quote": deal.quote, "customer": deal.customer.id}
    at = approved.time + minutes(rng, 4, 30)
    if deal.fault in (Fault.CUSTOMER_MISSING, Fault.CUSTOMER_ADDED):
        chronicle.tell(erp, step, at, body, after=approved, flow=flow, error=MISSING)
        deal.life.failed(step, at, "erp", MISSING.category)
        at = deal.region.plus_workdays(at, 1) + minutes(rng, 5, 60)
    if deal.fault is Fault.CUSTOMER_MISSING or chronicle.over(at):
        return None
    deal.life.did(step, at, "erp")
    return chronicle.tell(erp, step, at, body, after=approved, flow=flow, post=travel(rng))


def start_project(chronicle: Chronicle, rng: Random, deal: Deal, validated: Happening) -> list[Request]:
    """Tell the project's start: the PSA ties deal, project and contract; after it each system names its own id."""
    at = validated.time + minutes(rng, 15, 90)
    if deal.fault is Fault.DEAL_DROPPED or chronicle.over(at):
        return []
    created = create(chronicle, rng, deal, validated, at, deal.project)
    if deal.fault is Fault.PROJECT_TWICE:
        create(chronicle, rng, deal, validated, at + minutes(rng, 10, 30), f"{deal.project}B")
        deal.life.knows["projects"] = (deal.project, f"{deal.project}B")
        deal.life.flag("conflicting_keys")
    activated = activate(chronicle, rng, deal, created)
    if activated is None:
        return []
    requested = activated.time + minutes(rng, 20, 150)
    scheduled = deal.region.plus_workdays(requested, 1) + minutes(rng, 5, 60)
    body = deal.where() | {"project": deal.project, "staffing_request": deal.request, "practice": deal.practice}
    staffing = step_if_time(chronicle, rng, deal, "scheduling", "staffing.requested", requested, body, activated)
    plan = deal.where() | {"contract": deal.contract}
    erp = erp_of(deal.life.entity)
    billing = step_if_time(chronicle, rng, deal, erp, "billing_schedule.created", scheduled, plan, staffing)
    if billing is not None:
        publish_margin(chronicle, rng, deal, billing)
    if staffing is None:
        return []
    return [Request(deal.request, deal.project, deal.practice, deal.customer.entity, staffing.time, staffing)]


def create(chronicle: Chronicle, rng: Random, deal: Deal, cause: Happening, at: int, project: str) -> Happening:
    body = deal.where() | {
        "opportunity": deal.life.name,
        "project": project,
        "contract": deal.contract,
        "customer": deal.customer.id,
    }
    deal.life.keys |= {"project": deal.project, "contract": deal.contract}
    deal.life.knows.setdefault("projects", (deal.project,))
    deal.life.did("project.created", at, "psa")
    return chronicle.tell("psa", "project.created", at, body, after=cause, flow="crm-psa-projects", post=travel(rng))


def activate(chronicle: Chronicle, rng: Random, deal: Deal, created: Happening) -> Happening | None:
    step, erp, flow = "project.activated", erp_of(deal.life.entity), "psa-erp-projects"
    at = deal.region.next_opening(created.time + minutes(rng, 60, 240)) + minutes(rng, 5, 50)
    body = deal.where() | {"project": deal.project, "customer": deal.customer.id}
    if chronicle.over(at):
        return None
    if deal.fault is Fault.ACTIVATION_FAILED:
        chronicle.tell(erp, step, at, body, after=created, flow=flow, error=REFUSED)
        deal.life.failed(step, at, "erp", REFUSED.category)
        return None
    deal.life.did(step, at, "erp")
    return chronicle.tell(erp, step, at, body, after=created, flow=flow, post=travel(rng))


def step_if_time(
    chronicle: Chronicle,
    rng: Random,
    deal: Deal,
    system: str,
    step: str,
    at: int,
    body: Fields,
    cause: Happening | None,
) -> Happening | None:
    """Tell one more step of the chain, unless it would come after the end or the chain broke before."""
    if cause is None or chronicle.over(at):
        return None
    deal.life.did(step, at, role_of(system))
    return chronicle.tell(
        system, step, at, body, after=cause, flow=f"{role_of(cause.system)}-{role_of(system)}", post=travel(rng)
    )


def publish_margin(chronicle: Chronicle, rng: Random, deal: Deal, cause: Happening) -> None:
    """Tell the margin that FP&A publishes; it is read out of it every night only, so nothing of today is known."""
    at = cause.time + minutes(rng, 60, 200)
    if chronicle.over(at):
        return
    tonight = next_night(at)
    step = "margin_baseline.published"
    body = deal.where() | {"project": deal.project}
    if tonight <= last_reading(chronicle.ends):
        post = Post(delay=tonight - at)
        chronicle.tell("fpna", step, at, body, after=cause, flow="erp-fpna-margins", post=post)
        deal.life.did(step, at, "fpna")
