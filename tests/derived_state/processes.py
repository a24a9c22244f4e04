"""Five processes, written out by hand: one with a person and a cut-off, one with amounts, one that begins again, one
with two systems at a step, one that expects something every day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lineage.process import (
    Check,
    Deadline,
    Ending,
    Every,
    Expectation,
    NewRound,
    Process,
    Step,
    StepKind,
    Version,
    WaitsFor,
)
from throughline.core.calendar import Duration, Unit


@dataclass(frozen=True)
class Condition:
    """A condition in plain Python, in the place of CEL."""

    source: str
    outcome: Callable[[Mapping[str, object]], bool | None]

    def holds(self, facts: Mapping[str, object]) -> bool | None:
        return self.outcome(facts)


def hours(count: int) -> Deadline:
    return Deadline(within=Duration(count, Unit.HOURS))


def days(count: int) -> Deadline:
    return Deadline(within=Duration(count, Unit.BUSINESS_DAYS))


def step(
    name: str,
    system: str,
    deadline: Deadline | None = None,
    kind: StepKind = StepKind.STANDARD,
    waits_for: WaitsFor = WaitsFor.SYSTEM,
    *,
    optional: bool = False,
    covers: bool = False,
) -> Step:
    return Step(name, kind, frozenset({name}), tuple(system.split()), waits_for, deadline, optional, None, covers)


INITIAL, TERMINAL, ERROR = StepKind.INITIAL, StepKind.TERMINAL, StepKind.ERROR
PERSON, CUSTOMER = WaitsFor.PERSON, WaitsFor.CUSTOMER

_RATE_IN_LINE = Condition(
    "facts.rate <= facts.rate_card",
    lambda facts: facts["rate"] <= facts["rate_card"] if facts.keys() >= {"rate", "rate_card"} else None,  # type: ignore[operator]
)
_APPROVER_KNOWN = Condition("facts.approver != 'nobody'", lambda facts: facts.get("approver") != "nobody")

TIME_TO_BILL = Process(
    "time-to-bill",
    "Time to bill",
    "time_entry",
    ("erp_document",),
    ("billing_event", "invoice", "batch", "correlation_id"),
    ("project", "customer"),
    (
        Version(
            "1",
            None,
            (
                step("time.submitted", "psa", None, INITIAL),
                step("time.approved", "psa", days(3), waits_for=PERSON),
                step("time.posted", "erp", hours(4)),
                step("billing.released", "erp", Deadline(by_cutoff="billing")),
                step("invoice.issued", "erp", days(5), TERMINAL),
                step("invoice.paid", "erp"),
                step("invoice.disputed", "erp", kind=ERROR),
            ),
            owner="finance-ops",
            applies_when=Condition("facts.billable", lambda facts: facts.get("billable")),  # type: ignore[return-value, arg-type]
            new_round=NewRound(frozenset({"time.rejected"}), deadline=days(3), waits_for=PERSON),
            ended_by=(Ending("time.cancelled", "cancelled"), Ending("time.written_off", "written_off")),
            checks=(
                Check("rate", "the rate is above the rate card", _RATE_IN_LINE),
                Check("approver", "nobody is named as approver", _APPROVER_KNOWN, "time.posted"),
            ),
        ),
    ),
    passes=frozenset({("billing_event", "invoice"), ("invoice", "invoice")}),
    links=frozenset({"document.registered"}),
    unique={"project": ("legal_entity",)},
)

INVOICE_TO_CASH = Process(
    "invoice-to-cash",
    "Invoice to cash",
    "invoice",
    (),
    ("payment",),
    ("customer",),
    (
        Version(
            "1",
            None,
            (
                step("invoice.issued", "erp", None, INITIAL),
                step("invoice.posted", "erp", hours(4)),
                step("invoice.sent", "erp", days(1)),
                step("invoice.paid", "erp", Deadline(by_field="due_date"), TERMINAL, CUSTOMER, covers=True),
                step("invoice.disputed", "erp", kind=ERROR),
            ),
            owner="receivables",
            new_round=NewRound(frozenset({"invoice.rejected"}), deadline=days(3)),
            ended_by=(
                Ending("invoice.voided", "voided"),
                Ending("invoice.corrected", "superseded", "from"),
            ),
        ),
    ),
)

PIPELINE_TO_FORECAST = Process(
    "pipeline-to-forecast",
    "Pipeline to forecast",
    "opportunity",
    (),
    ("batch",),
    (),
    (
        Version(
            "1",
            None,
            (
                step("opportunity.committed", "crm", None, INITIAL),
                step("demand.forecasted", "scheduling", hours(4)),
                step("forecast.updated", "fpna", days(1), TERMINAL),
            ),
            new_round=NewRound(each=True),
            ended_by=(Ending("opportunity.cancelled", "cancelled"),),
        ),
    ),
)

STAFFING = Process(
    "staffing",
    "Staffing",
    "staffing_request",
    (),
    ("assignment",),
    (),
    (
        Version(
            "1",
            None,
            (
                step("staffing.requested", "scheduling", None, INITIAL),
                step("candidate.proposed", "scheduling", optional=True),
                step("assignment.confirmed", "scheduling", days(5), waits_for=PERSON),
                step("assignment.synced", "erp psa", hours(4)),
                step("assignment.started", "psa", days(5), TERMINAL),
                step("assignment.refused", "scheduling", kind=StepKind.TERMINAL_ERROR),
            ),
        ),
        Version(
            "2",
            1_793_923_200_000_000,  # Friday of the story's week, 2026-11-06T00:00:00Z
            (
                step("staffing.requested", "scheduling", None, INITIAL),
                step("assignment.confirmed", "scheduling", days(2), TERMINAL, PERSON),
            ),
        ),
    ),
)

DAILY = Expectation(
    name="visited",
    types=frozenset({"machine.visited"}),
    systems=("psa",),
    every=Every.DAY,
    after="machine.installed",
    from_field="first_day",
    until_field="last_day",
    period_field="visited_on",
    ended_by=frozenset({"machine.returned"}),
    within=Duration(4, Unit.HOURS),
)


def upkeep(*expects: Expectation) -> Process:
    """Return the process of a maintenance contract that expects something of its machines."""
    steps = (
        step("contract.signed", "crm", None, INITIAL),
        step("machine.installed", "erp", days(2), TERMINAL),
        step("machine.accepted", "erp", optional=True),
    )
    ended_by = (Ending("contract.cancelled", "cancelled"),)
    rounds = NewRound(frozenset({"contract.rejected"}), deadline=days(1))
    version = Version("1", None, steps, new_round=rounds, ended_by=ended_by, expects=expects)
    return Process("upkeep", "Upkeep", "contract", (), ("machine",), (), (version,))


UPKEEP = upkeep(DAILY)
