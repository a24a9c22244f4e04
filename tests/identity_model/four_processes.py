"""The keys and types of four shipped processes, declared here by themselves so that tests lean on no definition."""

from __future__ import annotations

from tests.identity_model.declaration import Declaration, ProcessDeclaration
from throughline.core.key import KeyType

LAST_CARRIERS = ("batch", "correlation_id")

OPPORTUNITY_TO_PROJECT = ProcessDeclaration(
    name="opportunity-to-project",
    name_key="opportunity",
    carriers=("quote", "project", "staffing_request", "contract", *LAST_CARRIERS),
    relations=("customer",),
    unique={"project": ("legal_entity",)},
    types=frozenset(
        {
            "opportunity.approved",
            "customer.validated",
            "project.created",
            "project.activated",
            "staffing.requested",
            "billing_schedule.created",
            "margin_baseline.published",
            "opportunity.rejected",
            "opportunity.cancelled",
        }
    ),
)

TIME_TO_BILL = ProcessDeclaration(
    name="time-to-bill",
    name_key="time_entry",
    aliases=("erp_document",),
    carriers=("billing_event", "invoice", "timesheet", *LAST_CARRIERS),
    relations=("worker", "assignment", "project", "contract", "customer"),
    passes=frozenset({("billing_event", "invoice"), ("invoice", "invoice")}),
    links=frozenset({"document.registered"}),
    types=frozenset(
        {
            "time.submitted",
            "time.approved",
            "time.posted",
            "billing.released",
            "invoice.issued",
            "invoice.paid",
            "invoice.corrected",
            "invoice.disputed",
            "time.rejected",
            "time.cancelled",
            "time.written_off",
            "document.registered",
        }
    ),
)

MILESTONE_TO_INVOICE = ProcessDeclaration(
    name="milestone-to-invoice",
    name_key="milestone",
    carriers=("billing_event", "invoice", *LAST_CARRIERS),
    relations=("project", "contract"),
    passes=frozenset({("billing_event", "invoice"), ("invoice", "invoice")}),
    types=frozenset(
        {
            "milestone.completed",
            "milestone.approved",
            "billing.released",
            "invoice.issued",
            "revenue.recognised",
            "invoice.corrected",
            "milestone.rejected",
            "milestone.cancelled",
            "milestone.written_off",
        }
    ),
)

INVOICE_TO_CASH = ProcessDeclaration(
    name="invoice-to-cash",
    name_key="invoice",
    carriers=("payment", *LAST_CARRIERS),
    relations=("contract", "customer"),
    types=frozenset(
        {
            "invoice.issued",
            "invoice.posted",
            "invoice.sent",
            "invoice.paid",
            "invoice.corrected",
            "invoice.disputed",
            "invoice.voided",
            "invoice.cancelled",
            "invoice.written_off",
        }
    ),
)

FOUR_PROCESSES = Declaration(
    processes=(OPPORTUNITY_TO_PROJECT, TIME_TO_BILL, MILESTONE_TO_INVOICE, INVOICE_TO_CASH),
    key_types={"invoice": KeyType("invoice", scope=("legal_entity",))},
)
