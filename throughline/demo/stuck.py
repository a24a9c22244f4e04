"""What is stuck, as a finance owner asks it: what, where, since when, worth how much, whose turn, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from throughline.core.instants import format_instant, parse_instant

Document = dict[str, Any]

REPORTING = "EUR"
RATES = {
    "EUR": Decimal(1),
    "GBP": Decimal("1.15"),
    "USD": Decimal("0.86"),
    "CAD": Decimal("0.62"),
    "JPY": Decimal("0.0057"),
    "AUD": Decimal("0.57"),
}

PIECES = {
    "opportunity-to-project": ("deal", "deals"),
    "time-to-bill": ("time entry", "time entries"),
    "milestone-to-invoice": ("milestone", "milestones"),
    "invoice-to-cash": ("invoice", "invoices"),
    "pipeline-to-forecast": ("committed deal", "committed deals"),
    "contract-to-billing-terms": ("contract", "contracts"),
    "staffing": ("staffing request", "staffing requests"),
    "assignment-change": ("changed assignment", "changed assignments"),
    "expense-to-bill": ("expense", "expenses"),
    "subscription-to-invoice": ("subscription line", "subscription lines"),
    "change-order": ("change order", "change orders"),
    "subcontractor-cost": ("subcontractor order", "subcontractor orders"),
    "capacity-sync": ("change of capacity", "changes of capacity"),
    "payroll-feed": ("pay item", "pay items"),
    "customer-master": ("changed account", "changed accounts"),
    "forecast-cycle": ("forecast", "forecasts"),
    "actuals-to-plan": ("ledger batch", "ledger batches"),
    "period-close": ("close of a period", "closes of a period"),
    "billing-run": ("billing run", "billing runs"),
}

# Where a piece of work stopped, by process and the step that it waits for.
PLACES = {
    ("opportunity-to-project", "customer_validated"): "before the ERP knew its customer",
    ("opportunity-to-project", "project_created"): "before the PSA made a project of it",
    ("opportunity-to-project", "project_activated"): "before the ERP activated its project",
    ("opportunity-to-project", "margin_baseline_published"): "before FP&A published its margin",
    ("time-to-bill", "submitted"): "sent back, waiting to be submitted again",
    ("time-to-bill", "approved"): "waiting for approval",
    ("time-to-bill", "posted"): "between PSA and ERP",
    ("time-to-bill", "released"): "before the billing run",
    ("milestone-to-invoice", "approved"): "waiting for approval",
    ("milestone-to-invoice", "released"): "between PSA and billing",
    ("milestone-to-invoice", "revenue_recognised"): "before revenue was recognised",
    ("invoice-to-cash", "posted"): "not posted",
    ("invoice-to-cash", "sent"): "posted, but not sent",
    ("invoice-to-cash", "paid"): "with the customer",
    ("pipeline-to-forecast", "demand_forecasted"): "between CRM and scheduling",
    ("pipeline-to-forecast", "forecast_updated"): "before FP&A forecast it",
    ("contract-to-billing-terms", "terms_synced"): "before the PSA had its terms",
    ("contract-to-billing-terms", "terms_synced_erp"): "before the ERP had its terms",
    ("staffing", "synced"): "confirmed, but not in ERP and PSA both",
    ("assignment-change", "cost_forecast_updated"): "before the ERP planned its cost",
    ("expense-to-bill", "submitted"): "sent back, waiting to be submitted again",
    ("expense-to-bill", "posted"): "between expenses and ERP",
    ("expense-to-bill", "released"): "before the billing run",
    ("subscription-to-invoice", "issued"): "due, but not invoiced",
    ("subscription-to-invoice", "revenue_recognised"): "before revenue was recognised",
    ("change-order", "billing_plan_updated"): "before the ERP billed by it",
    ("subcontractor-cost", "cost_posted"): "between procurement and ERP",
    ("subcontractor-cost", "project_cost_synced"): "posted, but not on its project",
    ("capacity-sync", "synced"): "planned, but not in PSA and ERP both",
    ("payroll-feed", "loaded"): "between PSA and payroll",
    ("payroll-feed", "confirmed"): "in payroll, not confirmed",
    ("customer-master", "synced_psa"): "not the same in the PSA",
    ("forecast-cycle", "scenario_returned"): "with FP&A, no scenario came back",
    ("forecast-cycle", "report_refreshed"): "before the report showed it",
    ("actuals-to-plan", "report_refreshed"): "before the report showed it",
    ("period-close", "revenue_posted"): "costs complete, revenue not posted",
    ("billing-run", "completed"): "begun, and nobody heard of its end",
}

FAILURES = {
    "authentication": "the connector is turned away: its token has expired",
    "missing_master_data": "master data is missing",
    "validation": "refused as not valid",
    "mapping": "refused for want of a mapping",
    "business_rule": "refused by a billing rule",
}

# What overdue work lacks, by who has the turn.
SILENCES = {
    "system": "never arrived, and no error was reported",
    "person": "nobody has decided yet",
    "customer": "not paid by its due date",
}


@dataclass
class Group:
    """Pieces of work of one process that stopped at one place for one reason; ``since`` in microseconds.

    ``elsewhere``: how many of them are counted in a case downstream that holds up the same money.
    """

    process: str
    place: str
    why: str
    turn: str
    since: int
    count: int = 0
    unknown: int = 0
    elsewhere: int = 0
    money: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    example: Document = field(default_factory=dict[str, Any])

    @property
    def worth(self) -> Decimal:
        return in_reporting_currency(self.money)

    def summary(self) -> dict[str, object]:
        """Return the group for a program to read; amounts are decimal text by currency."""
        return {
            "process": self.process,
            "stuck": self.count,
            "where": self.place,
            "since": format_instant(self.since),
            "worth": {currency: format(amount, "f") for currency, amount in sorted(self.money.items())},
            "unknown": self.unknown,
            "counted_elsewhere": self.elsewhere,
            "turn": self.turn,
            "why": self.why,
            "example": self.example["name"],
        }

    @property
    def what(self) -> str:
        return pieces(self.process, self.count)


def pieces(process: str, count: int) -> str:
    """Return so many pieces of a process's work in words."""
    one, many = PIECES.get(process, ("record", "records"))
    return f"{count:,} {one if count == 1 else many}"


def in_reporting_currency(money: dict[str, Decimal]) -> Decimal:
    """Return a sum over currencies; each is converted once."""
    return sum((amount * RATES[currency] for currency, amount in money.items()), Decimal(0))


def groups_of(documents: Iterable[Document]) -> list[Group]:
    """Return what is stuck, worth most first; documents in which nothing is held up are left out."""
    groups: dict[tuple[str, str, str, str], Group] = {}
    for document in documents:
        if is_stuck(document):
            _add(groups, document)
    return sorted(groups.values(), key=lambda group: (-group.worth, group.process, group.place, group.why))


def open_besides(lines: Iterable[Document]) -> Counter[tuple[str, str]]:
    """Return what is wrong though nothing waits for it, by process and kind: a broken rule, a week without time."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if not is_stuck(line):
            found.update({(line["process"], each["kind"]) for each in line["deviations"]})
    return found


def is_stuck(document: Document) -> bool:
    """Tell whether a case holds anything up: an exposure, known or not."""
    return document["exposure"] != {}


def _add(groups: dict[tuple[str, str, str, str], Group], document: Document) -> None:
    key = (document["process"], place_of(document), why_of(document), turn_of(document))
    since = since_of(document)
    group = groups.setdefault(key, Group(*key, since))
    group.count += 1
    if since <= group.since:
        group.since, group.example = since, document
    held = document["exposure"]
    if document["counted_in"]:
        group.elsewhere += 1
    elif held is None or held.get("amount") is None or held.get("currency") not in RATES:
        group.unknown += 1
    else:
        currency = held["currency"]
        group.money[currency] = group.money.get(currency, Decimal(0)) + Decimal(held["amount"])


def place_of(document: Document) -> str:
    waits = document["waits_for"]
    if waits is None:
        return "in the ERP, tied to no record"
    return PLACES.get((document["process"], waits["step"]), f"before {waits['step'].replace('_', ' ')}")


def turn_of(document: Document) -> str:
    waits = document["waits_for"]
    if waits is None:
        return "system"
    turn = waits["who"]
    return turn if turn == "customer" or waits["owner"] is None else f"{turn} ({waits['owner']})"


def why_of(document: Document) -> str:
    """Return the one reason that explains most: a failure before a conflict, and a silence last."""
    kinds = {each["kind"] for each in document["deviations"] if each["open"]}
    if "missing_master_data" in kinds:
        return FAILURES["missing_master_data"]
    if "failed" in kinds:
        return FAILURES.get(last_category(document), "it failed")
    if "conflicting_keys" in kinds:
        return "two records claim the same number"
    if "orphan" in kinds:
        return "the answer that names its record was lost"
    if is_partly_done(document):
        return "paid in part only"
    if "policy_violation" in kinds:
        return "against a rule"
    waits = document["waits_for"]
    if waits is None:
        return "nobody knows why"
    if waits["step"] in ("submitted", "completed"):
        return "rejected, and not submitted again" + (" in time" if "overdue" in kinds else " yet")
    return SILENCES[waits["who"]]


def last_category(document: Document) -> str:
    failures = [member for member in document["members"] if member["outcome"] == "failure"]
    return failures[-1]["category"] if failures else ""


def is_partly_done(document: Document) -> bool:
    return any(step["status"] == "partial" for each in document["rounds"] for step in each["steps"])


def since_of(document: Document) -> int:
    """Return when the first of the open deviations began; where there is none, the case's last event."""
    times = [parse_instant(each["since"]) for each in document["deviations"] if each["open"]]
    return min(times, default=parse_instant(document["last"]))
