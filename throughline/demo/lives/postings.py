"""How approved time gets into the ERP: three regions, three connectors, three ways to lose a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from random import Random

from throughline.core.instants import HOUR, MINUTE
from throughline.demo.chronicle import Chronicle, Error, Fields, Happening, Life, minutes, money, travel
from throughline.demo.faults import Fault
from throughline.demo.firm import erp_of
from throughline.demo.lives.time_entries import PROCESS, Decided, Entry

FLOW = "psa-erp-time"
STEP = "time.posted"
RETRIES = (0, 35 * MINUTE, 3 * HOUR)


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which one region's connector is turned away; ``ends`` None: nobody has renewed its token."""

    region: str
    begins: int
    ends: int | None

    def hits(self, region: str, at: int) -> bool:
        return region == self.region and self.begins <= at and (self.ends is None or at < self.ends)


class Numbers:
    """The document numbers that each ERP hands out, in order."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def next(self, entity: str, kind: str = "D") -> str:
        system = erp_of(entity)
        self.last[system] = self.last.get(system, 50000) + 1
        return f"{system.removeprefix('erp-')[:2].upper()}-{kind}{self.last[system]}"


def post_all(chronicle: Chronicle, rng: Random, decided: list[Decided], outages: tuple[Outage, ...]) -> list[Entry]:
    """Tell how each region posts what was decided; return the entries that the ERP can bill, with their documents."""
    numbers = Numbers()
    connectors = {"EMEA": post_one_by_one, "AMER": post_runs, "APAC": post_batches}
    posted: list[Entry] = []
    for region, connector in connectors.items():
        ours = [each for each in decided if each.entry.life.region == region]
        posted += connector(chronicle, rng, ours, outages, numbers)
    return posted


def attempts(region: str, first: int, outages: tuple[Outage, ...]) -> tuple[list[int], int | None]:
    """Return when attempts fail, and when one gets through (None: none does)."""
    for outage in outages:
        if outage.hits(region, first):
            failed = [first + pause for pause in RETRIES if outage.hits(region, first + pause)]
            return failed, outage.ends
    return [], first


def expired(attempt: int) -> Error:
    return Error("authentication", "401", "access token expired", retryable=True, attempt=attempt)


def turn_away(chronicle: Chronicle, batch: list[Decided], body: Fields, times: list[int]) -> None:
    """Tell that the connector was turned away, as the sending side reports it."""
    for attempt, at in enumerate(times, start=1):
        if chronicle.over(at):
            return
        chronicle.tell("psa", STEP, at, body, after=batch[0].happening, flow=FLOW, error=expired(attempt))
        for each in batch:
            each.entry.life.failed(STEP, at, "erp", "authentication")


def note_outage(batch: list[Decided], arrives: int | None) -> None:
    fault = Fault.TOKEN_EXPIRED if arrives is None else Fault.TOKEN_RENEWED
    for each in batch:
        each.entry.life.stories.append(fault.value)


def where(entry: Entry) -> Fields:
    return {"region": entry.life.region, "legal_entity": entry.life.entity}


def post_one_by_one(
    chronicle: Chronicle, rng: Random, decided: list[Decided], outages: tuple[Outage, ...], numbers: Numbers
) -> Iterator[Entry]:
    """EMEA: one call an entry; the ERP keeps the entry's id beside its own number."""
    shared: str | None = None
    for each in decided:
        entry, first = each.entry, each.time + minutes(rng, 12, 50)
        if entry.fault is Fault.BEFORE_APPROVAL:
            first = each.time - minutes(rng, 120, 180)
        failed, arrives = attempts("EMEA", first, outages)
        if failed:
            note_outage([each], arrives)
            turn_away(chronicle, [each], where(entry) | {"time_entry": entry.life.name}, failed)
            arrives = arrives + minutes(rng, 5, 60) if arrives else None
        if arrives is None or chronicle.over(arrives):
            continue
        entry.document = numbers.next(entry.life.entity)
        if entry.fault is Fault.SHARED_DOCUMENT:
            entry.document = shared = shared or entry.document
            entry.life.flag("conflicting_keys")
        post_with_entry(chronicle, rng, each, arrives)
        if entry.fault is Fault.POSTED_TWICE:
            second = numbers.next(entry.life.entity)
            post_with_entry(chronicle, rng, each, arrives + minutes(rng, 8, 15), second)
            entry.life.flag("duplicate", round=entry.life.round)
        note(entry)
        yield entry


def post_with_entry(chronicle: Chronicle, rng: Random, each: Decided, at: int, document: str | None = None) -> None:
    entry = each.entry
    number = document or entry.document
    body = where(entry) | {"time_entry": entry.life.name, "erp_document": number, **price(entry)}
    cause = each.happening if each.happening.time < at else None
    chronicle.tell(erp_of(entry.life.entity), STEP, at, body, after=cause, flow=FLOW, post=travel(rng))
    entry.life.did(STEP, at, "erp")


def price(entry: Entry) -> Fields:
    assert entry.life.amount is not None
    return {"amount": money(entry.life.amount), "currency": entry.life.currency}


NOTED = {Fault.SHARED_DOCUMENT, Fault.POSTED_TWICE, Fault.BEFORE_APPROVAL}


def note(entry: Entry) -> None:
    """Write down what is special about an entry that came through, and the number it got."""
    if entry.fault is not None and entry.fault in NOTED:
        entry.life.stories.append(entry.fault.value)
    if entry.fault is Fault.BEFORE_APPROVAL:
        entry.life.flag("out_of_order", "posted", entry.life.round)
    if entry.document:
        entry.life.keys["erp_document"] = entry.document


def post_runs(
    chronicle: Chronicle, rng: Random, decided: list[Decided], outages: tuple[Outage, ...], numbers: Numbers
) -> Iterator[Entry]:
    """AMER: one run for what was approved together; the ERP knows its document only, the PSA hears of it later."""
    for run, members in groupby(decided, key=lambda each: each.run):
        batch = list(members)
        first = batch[0].time + minutes(rng, 12, 50)
        failed, arrives = attempts("AMER", first, outages)
        if failed:
            note_outage(batch, arrives)
            turn_away(chronicle, batch, where(batch[0].entry) | {"correlation_id": run}, failed)
            arrives = arrives + minutes(rng, 5, 60) if arrives else None
        for each in batch:
            at = arrives + minutes(rng, 1, 4) if arrives else None
            if at is None or chronicle.over(at):
                continue
            yield from post_by_document(chronicle, rng, each, at, numbers)


def post_by_document(chronicle: Chronicle, rng: Random, each: Decided, at: int, numbers: Numbers) -> Iterator[Entry]:
    entry = each.entry
    entry.document = numbers.next(entry.life.entity)
    body = where(entry) | {"erp_document": entry.document, **price(entry)}
    told = chronicle.tell(erp_of(entry.life.entity), STEP, at, body, after=each.happening, flow=FLOW, post=travel(rng))
    if entry.fault is Fault.LINK_LOST:
        entry.life.stories.append(entry.fault.value)
        chronicle.lives.append(unlinked(entry, at))
        return
    answer = where(entry) | {"time_entry": entry.life.name, "erp_document": entry.document}
    heard = at + minutes(rng, 5, 20)
    chronicle.tell("psa", "document.registered", heard, answer, after=told, flow=f"{FLOW}-answer", post=travel(rng))
    entry.life.did(STEP, at, "erp")
    note(entry)
    yield entry


def unlinked(entry: Entry, at: int) -> Life:
    """Return the life of a document that nobody but the ERP knows to belong to an entry."""
    assert entry.document is not None
    life = Life(PROCESS, entry.document, entry.life.region, entry.life.entity, entry.life.amount, entry.life.currency)
    life.provisional = True
    life.keys = {"erp_document": entry.document}
    life.stories.append("a document that nothing ties to a time entry")
    life.did(STEP, at, "erp")
    return life


def post_batches(
    chronicle: Chronicle, rng: Random, decided: list[Decided], outages: tuple[Outage, ...], numbers: Numbers
) -> Iterator[Entry]:
    """APAC: every hour one batch of each legal entity, with the pairs of entry and document stated."""

    def slot(each: Decided) -> tuple[str, int]:
        return each.entry.life.entity, each.time // HOUR

    for (entity, hour), members in groupby(sorted(decided, key=slot), key=slot):
        batch = list(members)
        at = (hour + 1) * HOUR + minutes(rng, 5, 25)
        if chronicle.over(at):
            continue
        kept = [each for each in batch if each.entry.fault is not Fault.DROPPED]
        for each in batch:
            if each not in kept:
                each.entry.life.stories.append(Fault.DROPPED.value)
        if kept:
            post_batch(chronicle, rng, kept, at, f"BATCH-{entity}-{hour % 100000}", numbers)
            yield from (each.entry for each in kept)


def post_batch(
    chronicle: Chronicle, rng: Random, batch: list[Decided], at: int, name: str, numbers: Numbers
) -> Happening:
    for each in batch:
        each.entry.document = numbers.next(each.entry.life.entity)
        each.entry.life.did(STEP, at, "erp")
        note(each.entry)
    body = where(batch[0].entry) | {
        "time_entry": [each.entry.life.name for each in batch],
        "erp_document": [each.entry.document for each in batch],
        "batch": name,
        "currency": batch[0].entry.life.currency,
        "amounts": {each.entry.life.name: money(each.entry.life.amount or Decimal(0)) for each in batch},
        "relations": [
            {
                "from": {"time_entry": each.entry.life.name},
                "to": {"erp_document": each.entry.document},
                "qualifier": "posted as",
            }
            for each in batch
        ],
    }
    causes = tuple({each.happening.id: each.happening for each in batch}.values())
    return chronicle.tell(erp_of(batch[0].entry.life.entity), STEP, at, body, after=causes, flow=FLOW, post=travel(rng))
