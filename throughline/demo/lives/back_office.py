"""What systems pass on beside the work itself: terms, changes, orders, people, pay and accounts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import cycle, islice
from random import Random

from throughline.demo.chronicle import Chronicle, Life, money
from throughline.demo.faults import Fault
from throughline.demo.firm import ENTITIES, Assignment, Contract, Entity, Firm, Size
from throughline.demo.lives.routes import Befalls, Piece, Route, Stop, send_all
from throughline.demo.lives.time_entries import Entry

TERMS = Route(
    "contract-to-billing-terms",
    (
        Stop("contract.signed", "crm", ("contract", "customer", "amount", "currency")),
        Stop("terms.approved", "crm", ("contract",), workdays=1, person=True),
        Stop("terms.synced", "psa", ("contract", "project", "rate_card", "billing_method"), ("project",)),
        Stop("terms.synced_erp", "erp", ("contract", "rate_card", "billing_method")),
    ),
    {
        Fault.LOST: Befalls(3),
        Fault.BELATED: Befalls(1),
        Fault.RESENT: Befalls(3),
        Fault.REFUSED: Befalls(2),
        Fault.RULE_BROKEN: Befalls(3, changes={"rate_card": "RATES-2025"}, flags="terms_synced_erp"),
        Fault.SENT_BACK: Befalls(1, "terms.rejected"),
        Fault.CANCELLED: Befalls(1, "contract.cancelled"),
    },
)
CHANGE_ORDERS = Route(
    "change-order",
    (
        Stop("change_order.approved", "crm", ("change_order", "contract", "amount", "currency"), ("contract",)),
        Stop("project_budget.revised", "psa", ("change_order", "project"), ("project",)),
        Stop("billing_plan.updated", "erp", ("change_order",)),
        Stop("margin_forecast.updated", "fpna", ("change_order",)),
    ),
    {
        Fault.LOST: Befalls(2),
        Fault.BELATED: Befalls(1),
        Fault.RESENT: Befalls(2),
        Fault.SENT_BACK: Befalls(1, "change_order.rejected"),
        Fault.CANCELLED: Befalls(2, "change_order.cancelled"),
    },
)
ASSIGNMENT_CHANGES = Route(
    "assignment-change",
    (
        Stop(
            "assignment.changed",
            "scheduling",
            (
                "assignment_change",
                "assignment",
                "project",
                "starts_on",
                "ends_on",
                "approved_from",
                "approved_until",
                "planned_hours",
                "week",
            ),
            ("assignment", "project"),
        ),
        Stop("cost_forecast.updated", "erp", ("assignment_change",)),
        Stop("project_team.notified", "erp", ("assignment_change",)),
    ),
    {
        Fault.LOST: Befalls(1),
        Fault.BELATED: Befalls(2),
        Fault.RESENT: Befalls(1),
        Fault.RULE_BROKEN: Befalls(0, changes={"ends_on": "2027-02-26"}),
        Fault.SENT_BACK: Befalls(1, "assignment_change.rejected"),
        Fault.CANCELLED: Befalls(2, "assignment_change.cancelled"),
    },
)
SUBCONTRACTORS = Route(
    "subcontractor-cost",
    (
        Stop(
            "purchase_order.requested",
            "procurement",
            ("requisition_line", "project", "amount", "currency"),
            ("project",),
        ),
        Stop(
            "purchase_order.approved",
            "procurement",
            ("requisition_line", "purchase_order_line"),
            ("purchase_order_line",),
            workdays=1,
            person=True,
        ),
        Stop(
            "supplier_invoice.received",
            "procurement",
            ("purchase_order_line", "supplier_invoice"),
            ("supplier_invoice",),
            sometimes=True,
        ),
        Stop("cost.posted", "erp", ("purchase_order_line", "cost_amount"), workdays=1),
        Stop("project_cost.synced", "psa", ("requisition_line", "cost_amount")),
    ),
    {
        Fault.LOST: Befalls(4),
        Fault.BELATED: Befalls(1, late=5),
        Fault.RESENT: Befalls(3),
        Fault.REFUSED: Befalls(3),
        Fault.SENT_BACK: Befalls(1, "purchase_order.rejected"),
        Fault.CANCELLED: Befalls(3, "purchase_order.cancelled"),
    },
)
CAPACITY = Route(
    "capacity-sync",
    (
        Stop(
            "resource.changed",
            "hcm",
            ("resource_change", "resource", "worker", "change", "weekly_hours", "leave_from", "leave_to"),
            ("resource",),
        ),
        Stop("availability.updated", "scheduling", ("resource_change",)),
        Stop("resource.synced", "psa", ("resource_change",)),
        Stop("resource.synced", "erp", ("resource_change",)),
    ),
    {
        Fault.LOST: Befalls(3),
        Fault.BELATED: Befalls(1),
        Fault.RESENT: Befalls(2),
        Fault.SENT_BACK: Befalls(1, "resource_change.rejected"),
        Fault.CANCELLED: Befalls(1, "resource_change.cancelled"),
    },
)
HIRES = Route("capacity-sync", CAPACITY.stops, {})
IDLE = 4  # people whom nobody has sent to a project yet
PAYROLL = Route(
    "payroll-feed",
    (
        Stop(
            "time.approved_for_payroll",
            "psa",
            ("payroll_item", "worker", "time_entry", "hours", "amount", "currency"),
            ("worker", "time_entry"),
        ),
        Stop("payroll.loaded", "payroll", ("payroll_item", "payroll_run"), ("payroll_run",)),
        Stop("payroll.confirmed", "payroll", ("payroll_item",)),
    ),
    {
        Fault.LOST: Befalls(1),
        Fault.BELATED: Befalls(1, late=5),
        Fault.RESENT: Befalls(1),
        Fault.REFUSED: Befalls(2),
        Fault.SENT_BACK: Befalls(1, "payroll.rejected"),
        Fault.CANCELLED: Befalls(1, "payroll.cancelled"),
    },
)
ACCOUNTS = Route(
    "customer-master",
    (
        Stop("account.changed", "crm", ("account_change", "account"), ("account",)),
        Stop("account.synced", "erp", ("account_change",)),
        Stop("account.synced_psa", "psa", ("account_change",)),
    ),
    {
        Fault.LOST: Befalls(2),
        Fault.BELATED: Befalls(1),
        Fault.RESENT: Befalls(1),
        Fault.SENT_BACK: Befalls(1, "account_change.rejected"),
        Fault.CANCELLED: Befalls(2, "account_change.cancelled"),
    },
)


def tell_back_office(
    chronicle: Chronicle, rng: Random, begins: date, firm: Firm, size: Size, entries: list[Entry]
) -> None:
    """Tell everything that goes on beside the work: a number of pieces of each kind, and the terms of each contract."""
    contracts = list(islice(cycle(firm.contracts), size.routed))
    assignments = list(islice(cycle(firm.assignments), size.routed))
    made = {
        TERMS: list(terms(rng, firm.contracts)),
        CHANGE_ORDERS: list(change_orders(rng, contracts)),
        ASSIGNMENT_CHANGES: list(assignment_changes(rng, begins, assignments)),
        SUBCONTRACTORS: list(subcontractors(rng, contracts)),
        CAPACITY: list(resource_changes(rng, begins, assignments)),
        ACCOUNTS: list(account_changes(size.routed)),
    }
    for route, pieces in made.items():
        send_all(chronicle, rng, route, pieces, begins, size.weeks)
    send_all(chronicle, rng, HIRES, hires(begins, firm), begins, 1, days=(0,))
    paid = [entry for entry in entries if entry.week == 0][: size.routed]
    after_the_first = begins + timedelta(weeks=1)
    send_all(chronicle, rng, PAYROLL, payroll_items(paid), after_the_first, size.weeks - 1, days=(0, 1))


def life_of(route: Route, name: str, entity: Entity, amount: Decimal | None = None) -> Life:
    return Life(route.process, name, entity.region, entity.code, amount, entity.currency)


def worth(rng: Random, entity: Entity, low: int, high: int) -> Decimal:
    """Draw an amount: the price of so many hours."""
    return (entity.rate * rng.randint(low, high)).quantize(Decimal("0.01"))


def terms(rng: Random, contracts: tuple[Contract, ...]) -> Iterator[Piece]:
    for contract in contracts:
        amount = worth(rng, contract.entity, 400, 1200)
        yield Piece(
            life_of(TERMS, contract.id, contract.entity, amount),
            {
                "contract": contract.id,
                "customer": contract.customer.id,
                "amount": money(amount),
                "currency": contract.entity.currency,
                "project": contract.project,
                "rate_card": f"RATES-2026-{contract.entity.code}",
                "billing_method": contract.billing_method,
            },
        )


def change_orders(rng: Random, contracts: list[Contract]) -> Iterator[Piece]:
    for number, contract in enumerate(contracts, start=400):
        amount = worth(rng, contract.entity, 40, 200)
        yield Piece(
            life_of(CHANGE_ORDERS, f"CO-{number}", contract.entity, amount),
            {
                "change_order": f"CO-{number}",
                "contract": contract.id,
                "project": contract.project,
                "amount": money(amount),
                "currency": contract.entity.currency,
            },
        )


def assignment_changes(rng: Random, begins: date, assignments: list[Assignment]) -> Iterator[Piece]:
    for number, assignment in enumerate(assignments, start=1500):
        starts = begins + timedelta(weeks=rng.randint(6, 9))
        yield Piece(
            life_of(ASSIGNMENT_CHANGES, f"ACH-{number}", assignment.contract.entity),
            {
                "assignment_change": f"ACH-{number}",
                "assignment": assignment.id,
                "project": assignment.contract.project,
                "starts_on": starts.isoformat(),
                "ends_on": (starts + timedelta(weeks=4, days=4)).isoformat(),
                "approved_from": begins.isoformat(),
                "approved_until": (begins + timedelta(weeks=16, days=4)).isoformat(),
                "planned_hours": str(rng.choice((16, 20, 24))),
                "week": "{}-W{:02}".format(*starts.isocalendar()),
            },
        )


def subcontractors(rng: Random, contracts: list[Contract]) -> Iterator[Piece]:
    for number, contract in enumerate(contracts, start=2600):
        amount = worth(rng, contract.entity, 20, 120)
        yield Piece(
            life_of(SUBCONTRACTORS, f"RL-{number}", contract.entity, amount),
            {
                "requisition_line": f"RL-{number}",
                "purchase_order_line": f"PO-{number}-1",
                "supplier_invoice": f"SI-{number}",
                "project": contract.project,
                "amount": money(amount),
                "cost_amount": money(amount),
                "currency": contract.entity.currency,
            },
        )


def resource_changes(rng: Random, begins: date, assignments: list[Assignment]) -> Iterator[Piece]:
    for number, assignment in enumerate(assignments, start=3700):
        leave = begins + timedelta(weeks=rng.randint(6, 12))
        yield Piece(
            life_of(CAPACITY, f"RC-{number}", assignment.contract.entity),
            {
                "resource_change": f"RC-{number}",
                "resource": assignment.worker,
                "worker": assignment.worker,
                "change": "leave",
                "weekly_hours": "40",
                "leave_from": leave.isoformat(),
                "leave_to": (leave + timedelta(days=rng.choice((1, 4, 11)))).isoformat(),
            },
        )


def hires(begins: date, firm: Firm) -> Iterator[Piece]:
    """Tell what everybody works a week as the play begins, those without a project too; one of them is on leave."""
    workers = {each.worker: each.contract.entity for each in firm.assignments}
    workers |= {f"W-{BENCH + number}": entity for number, entity in enumerate(ENTITIES[:IDLE])}
    for number, (worker, entity) in enumerate(workers.items(), start=FIRST_HIRE):
        knows = {
            "resource_change": f"RC-{number}",
            "resource": worker,
            "worker": worker,
            "change": "hire",
            "weekly_hours": "40" if number % PART_TIME else "32",
        }
        if worker == f"W-{BENCH}":
            first = begins + timedelta(weeks=1, days=3)
            leave = {"leave_from": first.isoformat(), "leave_to": (first + timedelta(days=5)).isoformat()}
            yield Piece(life_of(HIRES, f"RC-{number}", entity), knows | leave)
        else:
            yield Piece(life_of(HIRES, f"RC-{number}", entity), knows)


BENCH, FIRST_HIRE, PART_TIME = 800, 300, 9


def payroll_items(entries: list[Entry]) -> Iterator[Piece]:
    for number, entry in enumerate(entries, start=4800):
        entity = entry.assignment.contract.entity
        amount = (entry.hours * entry.assignment.rate * Decimal("0.35")).quantize(Decimal("0.01"))
        yield Piece(
            life_of(PAYROLL, f"PI-{number}", entity, amount),
            {
                "payroll_item": f"PI-{number}",
                "payroll_run": f"PR-{entity.code}-{number % 3}",
                "worker": entry.assignment.worker,
                "time_entry": entry.life.name,
                "hours": str(entry.hours),
                "amount": money(amount),
                "currency": entity.currency,
            },
        )


def account_changes(count: int) -> Iterator[Piece]:
    """Make changes of accounts; each must follow in two regions, and is a case in either."""
    by_region = [[entity for entity in ENTITIES if entity.region == region] for region in ("EMEA", "AMER")]
    for number in range(count):
        own = by_region[number % 2]
        entity = own[number // 2 % len(own)]
        name = f"AC-{900 + number // 2}"
        life = life_of(ACCOUNTS, name, entity)
        life.scope = {"region": entity.region}
        yield Piece(life, {"account_change": name, "account": f"ACC-{70 + number // 2}"})
