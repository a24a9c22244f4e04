"""The plan of one run: the whole history of the firm by seed, told before any system acts it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random

from throughline.core.instants import from_datetime
from throughline.demo.chronicle import Chronicle, Happening, Life
from throughline.demo.firm import BEGINS, DEFAULT_WEEKS, REGIONS, Firm, build_firm, size_of
from throughline.demo.lives.back_office import tell_back_office
from throughline.demo.lives.billing_runs import BillingNumbers, bill_time
from throughline.demo.lives.deals import tell_deals
from throughline.demo.lives.expenses import bill_expenses
from throughline.demo.lives.invoices import InvoiceNumbers, PaymentNumbers, tell_invoices
from throughline.demo.lives.milestones import bill_milestones
from throughline.demo.lives.planning import tell_planning
from throughline.demo.lives.postings import Outage, post_all
from throughline.demo.lives.staffing import seek, tell_staffing
from throughline.demo.lives.subscriptions import tell_subscriptions
from throughline.demo.lives.time_entries import make_sheets, tell_sheets


@dataclass(frozen=True)
class Plan:
    """Everything that will happen between two instants, in the order of reporting, and the truth about every life.

    ``closed``: when the work under each contract was over.
    """

    seed: int
    begins: int
    ends: int
    firm: Firm
    outages: tuple[Outage, ...]
    happenings: tuple[Happening, ...]
    lives: tuple[Life, ...]
    closed: Mapping[str, int]


def plan(seed: int = 7, scale: str = "default", weeks: int = DEFAULT_WEEKS) -> Plan:
    """Return the plan of a seed; equal arguments give equal plans, on any machine."""
    size = size_of(scale, weeks)
    firm = build_firm(Random(f"{seed}:firm"), size)
    begins = from_datetime(datetime.combine(BEGINS, time(), tzinfo=UTC))
    last_friday = BEGINS + timedelta(weeks=size.weeks - 1, days=5)
    chronicle = Chronicle(begins, from_datetime(datetime.combine(last_friday, time(), tzinfo=UTC)))
    outages = outages_of(size.weeks)
    requests = tell_deals(chronicle, Random(f"{seed}:deals"), BEGINS, firm, size)
    staffed = seek(Random(f"{seed}:staff"), BEGINS, firm, size)
    sheets = make_sheets(Random(f"{seed}:sheets"), BEGINS, firm, size, staffed.gaps)
    decided = tell_sheets(chronicle, Random(f"{seed}:decisions"), BEGINS, sheets)
    posted = post_all(chronicle, Random(f"{seed}:postings"), decided, outages)
    numbers = BillingNumbers()
    billed = bill_time(chronicle, Random(f"{seed}:billing"), BEGINS, size, posted, numbers)
    reached, unmapped = bill_milestones(chronicle, Random(f"{seed}:milestones"), BEGINS, firm, size, numbers)
    spent = bill_expenses(chronicle, Random(f"{seed}:expenses"), BEGINS, firm, size, numbers)
    invoices, payments = InvoiceNumbers(), PaymentNumbers()
    events = billed + reached + spent
    tell_invoices(chronicle, Random(f"{seed}:invoices"), events, unmapped, invoices, payments)
    subscriptions = Random(f"{seed}:subscriptions")
    tell_subscriptions(chronicle, subscriptions, BEGINS, firm, size, invoices, payments)
    entries = [entry for sheet in sheets for entry in sheet]
    tell_staffing(chronicle, Random(f"{seed}:staffing"), BEGINS, staffed, requests, entries)
    tell_back_office(chronicle, Random(f"{seed}:back office"), BEGINS, firm, size, entries)
    tell_planning(chronicle, Random(f"{seed}:planning"), BEGINS, size)
    happenings = sorted(chronicle.happenings, key=lambda each: (each.reported, each.sequence))
    lives = tuple(chronicle.lives)
    return Plan(seed, begins, chronicle.ends, firm, outages, tuple(happenings), lives, chronicle.closed)


def outages_of(weeks: int) -> tuple[Outage, ...]:
    """Return two expired tokens: AMER's is renewed the same day, EMEA's of the last week is not."""

    def on_tuesday(region: str, week: int, hour: int, minute: int) -> int:
        return REGIONS[region].at(BEGINS + timedelta(weeks=week, days=1), time(hour, minute))

    renewed = max(1, weeks - 3)
    return (
        Outage("AMER", on_tuesday("AMER", renewed, 9, 40), on_tuesday("AMER", renewed, 16, 10)),
        Outage("EMEA", on_tuesday("EMEA", weeks - 1, 9, 40), None),
    )
