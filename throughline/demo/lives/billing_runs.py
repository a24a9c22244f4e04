"""Billing runs: on Thursday each legal entity releases what was posted, one billing event a contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from random import Random

from throughline.core.instants import DAY
from throughline.demo.chronicle import Chronicle, Error, Fields, Happening, Life, minutes, money, travel
from throughline.demo.faults import Fault
from throughline.demo.firm import ENTITIES, REGIONS, Contract, Size, erp_of
from throughline.demo.lives.routes import Befalls, Piece, Route, Stop, begin
from throughline.demo.lives.time_entries import Entry
from throughline.demo.worktime import Region

STEP = "billing.released"
RUNS = Route(
    "billing-run",
    (
        Stop("billing_run.started", "billing", ("billing_run",)),
        Stop("billing_run.completed", "billing", ("billing_run",), spread=(120, 170)),
    ),
    {
        Fault.LOST: Befalls(1),
        Fault.BELATED: Befalls(1),
        Fault.RESENT: Befalls(1),
        Fault.CANCELLED: Befalls(1, "billing_run.cancelled"),
    },
)
# What befalls the first run of some entities: what it billed is billed, only nobody hears in time that it has ended.
FAULTY = {"UK01": Fault.CANCELLED, "US01": Fault.LOST, "CA01": Fault.RESENT, "JP01": Fault.BELATED}


@dataclass(frozen=True, slots=True)
class BillingEvent:
    """What one billing run released for one contract: the pieces of work, and their sum."""

    id: str
    contract: Contract
    lives: tuple[Life, ...]
    amount: Decimal
    time: int
    happening: Happening


class BillingNumbers:
    """The numbers of billing events, one row for the whole firm."""

    def __init__(self) -> None:
        self.last = 800

    def next(self) -> str:
        self.last += 1
        return f"B-{self.last}"


def bill_time(
    chronicle: Chronicle, rng: Random, begins: date, size: Size, posted: list[Entry], numbers: BillingNumbers
) -> list[BillingEvent]:
    """Tell every weekly run of every region; return what it released."""
    write_off(chronicle, rng, posted)
    waiting = [entry for entry in posted if entry.life.applies and entry.life.ended_as is None]
    released: list[BillingEvent] = []
    for week in range(1, size.weeks):
        for region in REGIONS.values():
            start = region.at(region.workday(begins + timedelta(weeks=week, days=3)), time(10))
            ready = [entry for entry in waiting if entry.region is region and is_ready(entry, start)]
            tell_run(chronicle, rng, region, week, start)
            released += run(chronicle, rng, start, ready, numbers)
            waiting = [entry for entry in waiting if entry not in ready]
    return released


def tell_run(chronicle: Chronicle, rng: Random, region: Region, week: int, start: int) -> None:
    """Tell that the run of each legal entity began and ended, as the billing system sees it."""
    for entity in ENTITIES:
        if entity.region == region.name:
            name = f"BR-{entity.code}-{week}"
            life = Life(RUNS.process, name, entity.region, entity.code, None, entity.currency)
            fault = FAULTY.get(entity.code) if week == 1 else None
            begin(chronicle, rng, RUNS, Piece(life, {"billing_run": name}, fault), start)


def is_ready(entry: Entry, start: int) -> bool:
    """Tell whether a run that starts now takes the entry along; one that missed its run waits a week longer."""
    posted = entry.life.last("time.posted")
    missed = 5 * DAY if entry.fault is Fault.RELEASE_LATE else 0
    return posted is not None and posted + missed < start


def write_off(chronicle: Chronicle, rng: Random, posted: list[Entry]) -> None:
    """Tell what project managers write off before it is billed."""
    for entry in posted:
        posted_at = entry.life.last("time.posted")
        if entry.fault is Fault.WRITTEN_OFF and posted_at is not None:
            at = posted_at + minutes(rng, 60, 240)
            worth: Fields = {"amount": money(entry.life.amount or Decimal(0)), "currency": entry.life.currency}
            written_off = {"time_entry": entry.life.name, "contract": entry.assignment.contract.id} | worth
            written_off |= {"reason": "goodwill", "actor_kind": "person"}
            entry.life.touches.append(chronicle.tell("psa", "time.written_off", at, written_off).id)
            entry.life.end("written_off", at)
            entry.life.stories.append(entry.fault.value)


def run(
    chronicle: Chronicle, rng: Random, start: int, ready: list[Entry], numbers: BillingNumbers
) -> list[BillingEvent]:
    by_contract: dict[str, list[Entry]] = {}
    for entry in ready:
        by_contract.setdefault(entry.assignment.contract.id, []).append(entry)
    released: list[BillingEvent] = []
    for _, entries in sorted(by_contract.items()):
        number, at = numbers.next(), start + minutes(rng, 0, 110)
        taken = [entry for entry in entries if entry.fault is not Fault.RELEASE_FAILED]
        for entry in entries:
            if entry not in taken:
                refuse(chronicle, entry, at, number)
        if taken:
            released.append(release(chronicle, rng, taken, at, number))
    return released


def refuse(chronicle: Chronicle, entry: Entry, at: int, number: str) -> None:
    """Tell that the run could not price an entry: the ERP names it as it knows it."""
    error = Error("business_rule", "RATE-07", "no valid rate for the period of the entry")
    body = known_as([entry]) | common(entry) | {"billing_event": number}
    chronicle.tell(erp_of(entry.life.entity), STEP, at, body, error=error)
    entry.life.failed(STEP, at, "erp", error.category)
    entry.life.stories.append(Fault.RELEASE_FAILED.value)


def known_as(entries: list[Entry]) -> Fields:
    """Return the ids under which the region's ERP knows the entries: its documents, or in APAC the entries' own."""
    if entries[0].life.region == "APAC":
        return {"time_entry": [entry.life.name for entry in entries]}
    documents = dict.fromkeys(entry.document for entry in entries)
    return {"erp_document": list(documents)}


def common(entry: Entry) -> Fields:
    contract = entry.assignment.contract
    return {
        "contract": contract.id,
        "customer": contract.customer.id,
        "region": entry.life.region,
        "legal_entity": entry.life.entity,
    }


def release(chronicle: Chronicle, rng: Random, entries: list[Entry], at: int, number: str) -> BillingEvent:
    amounts = {entry.life.name: entry.life.amount or Decimal(0) for entry in entries}
    body = known_as(entries) | common(entries[0]) | {"billing_event": number}
    if entries[0].life.region == "APAC":
        body |= {
            "amounts": {name: money(amount) for name, amount in amounts.items()},
            "currency": entries[0].life.currency,
        }
    told = chronicle.tell(erp_of(entries[0].life.entity), STEP, at, body, post=travel(rng))
    for entry in entries:
        entry.life.did(STEP, at, "erp")
        entry.life.keys["billing_event"] = number
        if entry.fault is Fault.RELEASE_LATE:
            entry.life.stories.append(entry.fault.value)
    contract = entries[0].assignment.contract
    lives = tuple(entry.life for entry in entries)
    return BillingEvent(number, contract, lives, sum(amounts.values(), Decimal(0)), at, told)
