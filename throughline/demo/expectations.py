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
    """A step: the type by which systems report it, the word by which people know it, and whose systems report it."""

    type: str
    word: str
    role: str
    term: Term = Term()
    turn: str = SYSTEM


class Course(NamedTuple):
    """The steps of a process in order, the last of them its end; ``after`` may follow, ``troubles`` may happen.

    ``covered`` is the type of the step that is done when payments cover the amount.
    """

    steps: tuple[ExpectedStep, ...]
    after: tuple[ExpectedStep, ...] = ()
    troubles: tuple[ExpectedStep, ...] = ()
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
            ExpectedStep("billing.released", "released", "erp", Term(cutoff=True)),
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
}
