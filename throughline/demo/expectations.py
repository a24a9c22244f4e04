"""What the firm expects of its own work: its steps, whose turn each is, and until when."""

from __future__ import annotations

from typing import NamedTuple

from throughline.demo.worktime import Region

SYSTEM, PERSON, CUSTOMER = "system", "person", "customer"


class Term(NamedTuple):
    """By when a step is due: so many working hours or workdays after the step before, or by a date of its own."""

    hours: int | None = None
    workdays: int | None = None
    cutoff: bool = False
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
        return region.cutoff(start) if self.cutoff else None


class ExpectedStep(NamedTuple):
    name: str
    role: str
    term: Term = Term()
    turn: str = SYSTEM


class Course(NamedTuple):
    """The steps of a process in order, the last of them its end; ``after`` may follow, ``troubles`` may happen.

    ``covered`` is the step that is done when payments cover the amount.
    """

    steps: tuple[ExpectedStep, ...]
    after: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    covered: str | None = None


RESUBMISSION = Term(workdays=3)

COURSES = {
    "opportunity-to-project": Course(
        (
            ExpectedStep("opportunity.approved", "crm"),
            ExpectedStep("customer.validated", "erp", Term(hours=1)),
            ExpectedStep("project.created", "psa", Term(hours=4)),
            ExpectedStep("project.activated", "erp", Term(workdays=1)),
            ExpectedStep("staffing.requested", "scheduling", Term(hours=4)),
            ExpectedStep("billing_schedule.created", "erp", Term(workdays=2)),
            ExpectedStep("margin_baseline.published", "fpna", Term(workdays=1)),
        )
    ),
    "time-to-bill": Course(
        (
            ExpectedStep("time.submitted", "psa"),
            ExpectedStep("time.approved", "psa", Term(workdays=3), PERSON),
            ExpectedStep("time.posted", "erp", Term(hours=4)),
            ExpectedStep("billing.released", "erp", Term(cutoff=True)),
            ExpectedStep("invoice.issued", "erp", Term(workdays=5)),
        ),
        after=("invoice.paid",),
        troubles=("invoice.corrected", "invoice.disputed"),
    ),
    "milestone-to-invoice": Course(
        (
            ExpectedStep("milestone.completed", "psa"),
            ExpectedStep("milestone.approved", "psa", Term(workdays=3), PERSON),
            ExpectedStep("billing.released", "erp", Term(workdays=1)),
            ExpectedStep("invoice.issued", "erp", Term(workdays=3)),
            ExpectedStep("revenue.recognised", "erp", Term(workdays=5)),
        ),
        troubles=("invoice.corrected",),
    ),
    "invoice-to-cash": Course(
        (
            ExpectedStep("invoice.issued", "erp"),
            ExpectedStep("invoice.posted", "erp", Term(hours=4)),
            ExpectedStep("invoice.sent", "erp", Term(workdays=1)),
            ExpectedStep("invoice.paid", "erp", Term(due_date=True), CUSTOMER),
        ),
        troubles=("invoice.disputed",),
        covered="invoice.paid",
    ),
}
