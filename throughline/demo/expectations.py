"""What the firm expects of its own work: its steps, whose turn each is, and until when."""

from __future__ import annotations

from typing import NamedTuple

from throughline.demo.worktime import Region

SYSTEM, PERSON, CUSTOMER = "system", "person", "customer"


class Term(NamedTuple):
    """By when a step is due: so many working hours or workdays after the step before, by a cut-off, or by a date."""

    hours: int | None = None
    workdays: int | None = None
    cutoff: str | None = None
    due_date: bool = False

    def due(self, start: int | None, region: Region, due_at: int | None) -> int | None:
        """Return the instant; None where what it runs from is not known."""
        if self.due_date:
            return due_at
        if start is None:
            return None
        if self.hours is not None:
            return region.plus_hours(start, self.hours)
        if self.workdays is not None:
            return region.plus_workdays(start, self.workdays)
        return None if self.cutoff is None else region.cutoff(start, self.cutoff)


class ExpectedStep(NamedTuple):
    """A step: the type by which systems report it, the word by which people know it, and whose systems report it.

    ``also`` is a second role that must have reported it too.
    """

    type: str
    word: str
    role: str
    term: Term = Term()
    turn: str = SYSTEM
    also: str | None = None


class Course(NamedTuple):
    """The steps of a process in order, the last of them its end; ``after`` may follow, ``troubles`` may happen.

    ``asides`` may be reported on the way, and nobody waits for them.

    ``covered`` is the type of the step that is done when payments cover the amount.
    """

    steps: tuple[ExpectedStep, ...]
    after: tuple[ExpectedStep, ...] = ()
    troubles: tuple[ExpectedStep, ...] = ()
    asides: tuple[ExpectedStep, ...] = ()
    covered: str | None = None

    @property
    def path(self) -> tuple[ExpectedStep, ...]:
        return (*self.steps, *self.after)


RESUBMISSION = Term(workdays=3)
PAID = ExpectedStep("invoice.paid", "paid", "erp", turn=CUSTOMER)
CORRECTED = ExpectedStep("invoice.corrected", "corrected", "erp")
DISPUTED = ExpectedStep("invoice.disputed", "disputed", "erp")

COURSES = {
    "opportunity-to-project": Course(
        (
            ExpectedStep("opportunity.approved", "approved", "crm"),
            ExpectedStep("customer.validated", "customer_validated", "erp", Term(hours=1)),
            ExpectedStep("project.created", "project_created", "psa", Term(hours=4)),
            ExpectedStep("project.activated", "project_activated", "erp", Term(workdays=1)),
            ExpectedStep("staffing.requested", "staffing_requested", "scheduling", Term(hours=4)),
            ExpectedStep("billing_schedule.created", "billing_schedule_created", "erp", Term(workdays=2)),
            ExpectedStep("margin_baseline.published", "margin_baseline_published", "fpna", Term(workdays=1)),
        )
    ),
    "time-to-bill": Course(
        (
            ExpectedStep("time.submitted", "submitted", "psa"),
            ExpectedStep("time.approved", "approved", "psa", Term(workdays=3), PERSON),
            ExpectedStep("time.posted", "posted", "erp", Term(hours=4)),
            ExpectedStep("billing.released", "released", "erp", Term(cutoff="billing")),
            ExpectedStep("invoice.issued", "issued", "erp", Term(workdays=5)),
        ),
        after=(PAID,),
        troubles=(CORRECTED, DISPUTED),
    ),
    "milestone-to-invoice": Course(
        (
            ExpectedStep("milestone.completed", "completed", "psa"),
            ExpectedStep("milestone.approved", "approved", "psa", Term(workdays=3), PERSON),
            ExpectedStep("billing.released", "released", "erp", Term(workdays=1)),
            ExpectedStep("invoice.issued", "issued", "erp", Term(workdays=3)),
            ExpectedStep("revenue.recognised", "revenue_recognised", "erp", Term(workdays=5)),
        ),
        troubles=(CORRECTED,),
    ),
    "invoice-to-cash": Course(
        (
            ExpectedStep("invoice.issued", "issued", "erp"),
            ExpectedStep("invoice.posted", "posted", "erp", Term(hours=4)),
            ExpectedStep("invoice.sent", "sent", "erp", Term(workdays=1)),
            ExpectedStep("invoice.paid", "paid", "erp", Term(due_date=True), CUSTOMER),
        ),
        troubles=(DISPUTED,),
        covered="invoice.paid",
    ),
    "pipeline-to-forecast": Course(
        (
            ExpectedStep("opportunity.committed", "committed", "crm"),
            ExpectedStep("demand.forecasted", "demand_forecasted", "scheduling", Term(hours=4)),
            ExpectedStep("forecast.updated", "forecast_updated", "fpna", Term(workdays=1)),
        )
    ),
    "contract-to-billing-terms": Course(
        (
            ExpectedStep("contract.signed", "signed", "crm"),
            ExpectedStep("terms.approved", "terms_approved", "crm", Term(workdays=2), PERSON),
            ExpectedStep("terms.synced", "terms_synced", "psa", Term(hours=4)),
            ExpectedStep("terms.synced_erp", "terms_synced_erp", "erp", Term(hours=4)),
        )
    ),
    "staffing": Course(
        (
            ExpectedStep("staffing.requested", "requested", "scheduling"),
            ExpectedStep("candidate.proposed", "proposed", "scheduling", Term(workdays=2), PERSON),
            ExpectedStep("assignment.confirmed", "confirmed", "scheduling", Term(workdays=5), PERSON),
            ExpectedStep("assignment.synced", "synced", "erp", Term(hours=4), also="psa"),
        )
    ),
    "assignment-change": Course(
        (
            ExpectedStep("assignment.changed", "changed", "scheduling"),
            ExpectedStep("cost_forecast.updated", "cost_forecast_updated", "erp", Term(hours=4)),
            ExpectedStep("project_team.notified", "project_team_notified", "erp", Term(hours=4)),
        )
    ),
    "expense-to-bill": Course(
        (
            ExpectedStep("expense.submitted", "submitted", "expense"),
            ExpectedStep("expense.approved", "approved", "expense", Term(workdays=5), PERSON),
            ExpectedStep("expense.posted", "posted", "erp", Term(workdays=1)),
            ExpectedStep("billing.released", "released", "erp", Term(cutoff="billing")),
            ExpectedStep("invoice.issued", "issued", "erp", Term(workdays=5)),
        ),
        troubles=(CORRECTED,),
    ),
    "subscription-to-invoice": Course(
        (
            ExpectedStep("schedule_line.due", "due", "erp"),
            ExpectedStep("invoice.issued", "issued", "erp", Term(workdays=2)),
            ExpectedStep("revenue.recognised", "revenue_recognised", "erp", Term(workdays=5)),
        )
    ),
    "change-order": Course(
        (
            ExpectedStep("change_order.approved", "approved", "crm"),
            ExpectedStep("project_budget.revised", "project_budget_revised", "psa", Term(workdays=1)),
            ExpectedStep("billing_plan.updated", "billing_plan_updated", "erp", Term(workdays=1)),
            ExpectedStep("margin_forecast.updated", "margin_forecast_updated", "fpna", Term(workdays=1)),
        )
    ),
    "subcontractor-cost": Course(
        (
            ExpectedStep("purchase_order.requested", "requested", "procurement"),
            ExpectedStep("purchase_order.approved", "approved", "procurement", Term(workdays=3), PERSON),
            ExpectedStep("cost.posted", "cost_posted", "erp", Term(workdays=2)),
            ExpectedStep("project_cost.synced", "project_cost_synced", "psa", Term(workdays=1)),
        ),
        asides=(ExpectedStep("supplier_invoice.received", "supplier_invoice_received", "procurement"),),
    ),
    "capacity-sync": Course(
        (
            ExpectedStep("resource.changed", "changed", "hcm"),
            ExpectedStep("availability.updated", "availability_updated", "scheduling", Term(hours=4)),
            ExpectedStep("resource.synced", "synced", "psa", Term(workdays=1), also="erp"),
        )
    ),
    "payroll-feed": Course(
        (
            ExpectedStep("time.approved_for_payroll", "approved", "psa"),
            ExpectedStep("payroll.loaded", "loaded", "payroll", Term(cutoff="payroll")),
            ExpectedStep("payroll.confirmed", "confirmed", "payroll", Term(workdays=1)),
        )
    ),
    "customer-master": Course(
        (
            ExpectedStep("account.changed", "changed", "crm"),
            ExpectedStep("account.synced", "synced", "erp", Term(hours=4)),
            ExpectedStep("account.synced_psa", "synced_psa", "psa", Term(hours=4)),
        )
    ),
    "forecast-cycle": Course(
        (
            ExpectedStep("forecast.revised", "revised", "scheduling"),
            ExpectedStep("forecast.received", "received", "fpna", Term(hours=4)),
            ExpectedStep("scenario.returned", "scenario_returned", "scheduling", Term(workdays=2)),
            ExpectedStep("report.refreshed", "report_refreshed", "bi", Term(workdays=1)),
        )
    ),
    "actuals-to-plan": Course(
        (
            ExpectedStep("actuals.posted", "posted", "erp"),
            ExpectedStep("actuals.loaded", "loaded", "fpna", Term(workdays=1)),
            ExpectedStep("report.refreshed", "report_refreshed", "bi", Term(hours=4)),
        )
    ),
    "billing-run": Course(
        (
            ExpectedStep("billing_run.started", "started", "billing"),
            ExpectedStep("billing_run.completed", "completed", "billing", Term(hours=4)),
        )
    ),
    "period-close": Course(
        (
            ExpectedStep("period.ended", "ended", "erp"),
            ExpectedStep("costs.complete", "costs_complete", "erp", Term(workdays=3), PERSON),
            ExpectedStep("revenue.posted", "revenue_posted", "erp", Term(workdays=5)),
            ExpectedStep("period.closed", "closed", "erp", Term(workdays=8), PERSON),
        )
    ),
}

WEEKLY = ExpectedStep("time.submitted", "time_submitted", "psa", Term(workdays=2), PERSON)
"""What a confirmed assignment is expected to bring every week; it is due so long after the week."""
