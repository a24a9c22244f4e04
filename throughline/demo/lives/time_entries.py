"""Time entries from a worker's hands to a decision: submitted on Friday, decided early in the week after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from random import Random

from throughline.core.instants import DAY, HOUR
from throughline.demo.chronicle import Chronicle, Fields, Happening, Life, minutes, money, travel
from throughline.demo.faults import Fault, take
from throughline.demo.firm import REGIONS, Assignment, Firm, Size
from throughline.demo.worktime import Region

PROCESS = "time-to-bill"
CENT = Decimal("0.01")
COST = Decimal("0.62")  # of what the customer pays, what the worker costs


@dataclass
class Entry:
    """A week of one worker on one assignment; ``document`` is the number that the ERP gave it."""

    life: Life
    assignment: Assignment
    sheet: str
    week: int
    hours: Decimal
    worked_on: date
    fault: Fault | None = None
    document: str | None = None

    @property
    def region(self) -> Region:
        return REGIONS[self.life.region]

    def fields(self) -> Fields:
        """Return what the PSA knows of the entry."""
        contract = self.assignment.contract
        return {
            "time_entry": self.life.name,
            "timesheet": self.sheet,
            "worker": self.assignment.worker,
            "assignment": self.assignment.id,
            "project": contract.project,
            "customer": contract.customer.id,
            "practice": contract.practice,
            "hours": str(self.hours),
            "amount": money(self.life.amount or Decimal(0)),
            "currency": self.life.currency,
            "worked_on": self.worked_on.isoformat(),
            "cost_amount": money(self.life.knows["cost_amount"]),
            "billable": self.life.applies,
            "billing_method": contract.billing_method,
            "region": self.life.region,
            "legal_entity": self.life.entity,
        }


@dataclass(frozen=True)
class Decided:
    """An entry that may be posted from ``time`` on; ``run`` is the id of the sync run that carries it."""

    entry: Entry
    time: int
    happening: Happening
    run: str


Eligible = Callable[[Entry], bool]


def in_region(name: str) -> Eligible:
    return lambda entry: entry.life.region == name


def anywhere(entry: Entry) -> bool:
    return True


def first_week_in(*names: str) -> Eligible:
    """Only the first week: what goes wrong with a document meets no outage there and is old enough in the end."""
    return lambda entry: entry.week == 0 and entry.life.region in names


# Each fault: its share of all entries, and where it can happen.
FAULTS: dict[Fault, tuple[float, Eligible]] = {
    Fault.REJECTED: (0.03, anywhere),
    Fault.REJECTED_LEFT: (0.004, anywhere),
    Fault.NOT_APPROVED: (0.006, anywhere),
    Fault.APPROVED_LATE: (0.006, anywhere),
    Fault.DROPPED: (0.012, in_region("APAC")),
    Fault.POSTED_TWICE: (0.002, first_week_in("EMEA")),
    Fault.LINK_LOST: (0.003, first_week_in("AMER")),
    Fault.UNAPPROVED: (0.002, first_week_in("EMEA", "APAC")),
    Fault.BEFORE_APPROVAL: (0.002, first_week_in("EMEA")),
    Fault.RELEASE_FAILED: (0.005, anywhere),
    Fault.RELEASE_LATE: (0.006, first_week_in("EMEA", "AMER", "APAC")),
    Fault.WRITTEN_OFF: (0.003, first_week_in("EMEA", "AMER", "APAC")),
    Fault.CANCELLED: (0.002, anywhere),
}
UNBILLABLE_SHARE = 0.02


Gaps = Mapping[tuple[str, int], Fault]
"""Whose time comes late or never: by assignment and week."""


def make_sheets(rng: Random, begins: date, firm: Firm, size: Size, gaps: Gaps) -> list[list[Entry]]:
    """Return every sheet of every week: the two entries of one worker each, faults already dealt out."""
    sheets: list[list[Entry]] = []
    for week in range(size.weeks):
        for first, second in zip(firm.assignments[::2], firm.assignments[1::2], strict=True):
            number = len(sheets)
            split = Decimal(rng.choice((16, 20, 24)))
            pair = ((first, split), (second, 40 - split))
            thursday = begins + timedelta(weeks=week, days=3)
            sheet = [make_entry(rng, 2 * number + turn, week, thursday, *each) for turn, each in enumerate(pair)]
            for entry in sheet:
                entry.fault = gaps.get((entry.assignment.id, week))
            sheets.append(sheet)
    deal_faults(rng, [entry for sheet in sheets for entry in sheet], size.weeks)
    return sheets


def make_entry(rng: Random, number: int, week: int, day: date, assignment: Assignment, hours: Decimal) -> Entry:
    contract = assignment.contract
    billable = contract.billing_method == "time_and_materials" and rng.random() >= UNBILLABLE_SHARE
    life = Life(
        process=PROCESS,
        name=f"TE-{20000 + number}",
        region=contract.entity.region,
        entity=contract.entity.code,
        amount=(hours * assignment.rate).quantize(CENT),
        currency=contract.entity.currency,
        applies=billable,
    )
    sheet = f"TS-{7000 + number // 2}"
    life.keys = {"timesheet": sheet, "project": contract.project, "worker": assignment.worker}
    life.knows = {"hours": hours, "worked_on": day, "contract": contract.id, "project": contract.project}
    life.knows["cost_amount"] = (hours * assignment.rate * COST).quantize(CENT)
    return Entry(life, assignment, sheet, week, hours, day)


def deal_faults(rng: Random, entries: list[Entry], weeks: int) -> None:
    """Give faults to billable entries that are decided, billed and due before the end."""
    pool = [entry for entry in entries if entry.life.applies and entry.week < weeks - 1]
    for fault, (share, eligible) in FAULTS.items():
        free = [index for index, entry in enumerate(pool) if entry.fault is None and eligible(entry)]
        for index in take(rng, free, max(1, round(share * len(entries)))):
            pool[index].fault = fault
    share_a_document(pool)


def share_a_document(pool: list[Entry]) -> None:
    """Let two entries of one contract and week, in the region whose ERP numbers by hand, get one document number."""
    free = [entry for entry in pool if entry.fault is None and entry.life.region == "EMEA" and entry.week == 0]
    crowded = Counter(entry.assignment.contract.id for entry in free).most_common(1)
    if crowded and crowded[0][1] >= 2:
        pair = [entry for entry in free if entry.assignment.contract.id == crowded[0][0]][:2]
        for entry in pair:
            entry.fault = Fault.SHARED_DOCUMENT


def tell_sheets(chronicle: Chronicle, rng: Random, begins: date, sheets: list[list[Entry]]) -> list[Decided]:
    """Tell how every sheet is submitted and decided; return what may be posted, in time order."""
    decided: list[Decided] = []
    for sheet in sheets:
        decided += tell_sheet(chronicle, rng, begins, sheet)
    return sorted(decided, key=lambda each: (each.time, each.entry.life.name))


def tell_sheet(chronicle: Chronicle, rng: Random, begins: date, sheet: list[Entry]) -> list[Decided]:
    sheet = [entry for entry in sheet if entry.fault is not Fault.NEVER_SUBMITTED]
    if not sheet:
        return []
    region = sheet[0].region
    friday = begins + timedelta(weeks=sheet[0].week, days=4)
    submitted = region.at(region.workday(friday), time(13)) + minutes(rng, 0, 240)
    chronicle.lives += [entry.life for entry in sheet]
    reports = {
        entry.life.name: submit(chronicle, rng, entry, submitted)
        for entry in sheet
        if entry.fault is not Fault.SUBMITTED_LATE
    }
    monday = friday + timedelta(days=3)
    decided = region.at(region.workday(monday, rng.randint(0, 1)), time(9, 30)) + minutes(rng, 0, 360)
    if chronicle.over(decided):
        return []
    ordinary = [entry for entry in sheet if entry.fault not in DECIDED_APART]
    ready = approve(chronicle, rng, ordinary, decided, whole=len(ordinary) == len(sheet)) if ordinary else []
    for entry in sheet:
        if entry.fault in DECIDED_APART:
            ready += decide_apart(chronicle, rng, entry, decided, reports.get(entry.life.name))
    return ready


DECIDED_APART = {
    Fault.REJECTED,
    Fault.REJECTED_LEFT,
    Fault.NOT_APPROVED,
    Fault.APPROVED_LATE,
    Fault.UNAPPROVED,
    Fault.CANCELLED,
    Fault.SUBMITTED_LATE,
}


def submit(chronicle: Chronicle, rng: Random, entry: Entry, at: int) -> Happening:
    entry.life.did("time.submitted", at, "psa")
    return chronicle.tell("psa", "time.submitted", at, entry.fields(), post=travel(rng))


def approve(chronicle: Chronicle, rng: Random, entries: list[Entry], at: int, *, whole: bool) -> list[Decided]:
    """Tell an approval as the region's manager gives it: by sheet in EMEA, by run in AMER, one by one in APAC."""
    for entry in entries:
        entry.life.did("time.approved", at, "psa")
    region, first = entries[0].life.region, entries[0]
    run = f"RUN-{first.sheet}-{at // HOUR % 10000}"
    where: Fields = {"region": region, "legal_entity": first.life.entity, "actor_kind": "person"}
    if region == "EMEA" and whole:
        bodies: list[Fields] = [where | {"timesheet": first.sheet}]
    elif region == "AMER":
        bodies = [where | {"time_entry": [entry.life.name for entry in entries], "correlation_id": run}]
    else:
        bodies = [where | {"time_entry": entry.life.name} for entry in entries]
    told = [chronicle.tell("psa", "time.approved", at, body, post=travel(rng)) for body in bodies]
    decided = [Decided(entry, at, told[min(index, len(told) - 1)], run) for index, entry in enumerate(entries)]
    for each in decided:
        each.entry.life.touches.append(each.happening.id)
    return decided


def decide_apart(
    chronicle: Chronicle, rng: Random, entry: Entry, at: int, submitted: Happening | None
) -> list[Decided]:
    """Tell the decision about an entry that does not go the ordinary way."""
    assert entry.fault is not None
    entry.life.stories.append(entry.fault.value)
    match entry.fault:
        case Fault.NOT_APPROVED:
            return []
        case Fault.CANCELLED:
            body = {"time_entry": entry.life.name, "reason": "entered twice", "actor_kind": "person"}
            entry.life.touches.append(chronicle.tell("psa", "time.cancelled", at, body).id)
            entry.life.end("cancelled", at)
            return []
        case Fault.SUBMITTED_LATE:
            late = entry.region.plus_workdays(at, 3)
            submit(chronicle, rng, entry, late)
            decided = entry.region.plus_workdays(late, 1)
            return [] if chronicle.over(decided) else approve(chronicle, rng, [entry], decided, whole=False)
        case Fault.UNAPPROVED:
            assert submitted is not None, "it is submitted on time"
            return [Decided(entry, at, submitted, f"RUN-{entry.sheet}-admin")]
        case Fault.APPROVED_LATE:
            late = entry.region.plus_workdays(at, 4)
            return [] if chronicle.over(late) else approve(chronicle, rng, [entry], late, whole=False)
        case _:
            return reject(chronicle, rng, entry, at)


def reject(chronicle: Chronicle, rng: Random, entry: Entry, at: int) -> list[Decided]:
    """Tell a rejection and, unless the worker leaves it lying, the second round."""
    chronicle.tell("psa", "time.rejected", at, {"time_entry": entry.life.name, "reason": "hours do not match the plan"})
    entry.life.rejected(at)
    if entry.fault is Fault.REJECTED_LEFT:
        return []
    again = entry.region.next_opening(at + DAY) + minutes(rng, 10, 90)
    if chronicle.over(again):
        return []
    submit(chronicle, rng, entry, again)
    approved = entry.region.next_opening(again + 4 * HOUR) + minutes(rng, 10, 90)
    return [] if chronicle.over(approved) else approve(chronicle, rng, [entry], approved, whole=False)
