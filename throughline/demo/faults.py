"""What goes wrong in the firm: a closed list of faults, and how a seed deals them out."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """One kind of thing that goes wrong; the value is what the demo's pages call it."""

    # time entries
    REJECTED = "rejected, then submitted again"
    REJECTED_LEFT = "rejected and never submitted again"
    NOT_APPROVED = "left without approval"
    APPROVED_LATE = "approved after the deadline"
    TOKEN_EXPIRED = "stuck behind an expired token"
    TOKEN_RENEWED = "late because of an expired token, then sent again"
    DROPPED = "silently dropped on the way"
    POSTED_TWICE = "posted twice under two documents"
    SHARED_DOCUMENT = "posted under a document number that was used before"
    LINK_LOST = "posted, but the answer with the document number was lost"
    UNAPPROVED = "posted without any approval"
    BEFORE_APPROVAL = "posted hours before its approval"
    RELEASE_FAILED = "refused by the billing run"
    RELEASE_LATE = "missed its billing run, released in the next"
    WRITTEN_OFF = "written off"
    UNBILLABLE = "not billable"
    # deals
    CUSTOMER_MISSING = "customer missing in the ERP"
    CUSTOMER_ADDED = "customer missing in the ERP, then added"
    DEAL_DROPPED = "deal silently dropped before a project was created"
    PROJECT_TWICE = "project created twice"
    ACTIVATION_FAILED = "project refused by the ERP"
    DEAL_REJECTED = "deal rejected, then approved again"
    CANCELLED = "cancelled"
    # milestones
    MILESTONE_DROPPED = "milestone silently dropped on its way to billing"
    MILESTONE_REJECTED = "milestone rejected, then completed again"
    MILESTONE_WAITING = "milestone left without approval"
    MILESTONE_LATE = "milestone approved after the deadline"
    MAPPING_FAILED = "revenue run failed on a mapping"
    MAPPING_MENDED = "revenue run failed on a mapping, then run again"
    # invoices
    POSTING_FAILED = "invoice could not be posted"
    POSTED_AGAIN = "invoice could not be posted, then posted again"
    NOT_SENT = "invoice never sent"
    PART_PAID = "paid in part"
    UNPAID = "not paid when due"
    PAID_LATE = "paid after it was due"
    CORRECTED = "corrected and replaced"
    DISPUTED = "disputed by the customer"
    VOIDED = "voided"
    PAID_UNSENT = "paid though never sent"
    REMITTANCE = "paid together with another invoice"
    # work that systems simply pass on, of any kind
    LOST = "never arrived, without a word"
    BELATED = "done after the deadline"
    REFUSED = "refused by the next system"
    RESENT = "refused by the next system, then sent again"
    RULE_BROKEN = "against a rule"
    SENT_BACK = "sent back, then done again"
    SENT_BACK_LEFT = "sent back and left"
    BEGUN_AGAIN = "begun again with a new date"
    # time that is expected every week
    NEVER_SUBMITTED = "never submitted"
    SUBMITTED_LATE = "submitted after the deadline"


def deal_out(rng: Random, count: int, shares: dict[Fault, float]) -> dict[int, Fault]:
    """Give faults to some of ``count`` pieces of work: each fault its share, at least one piece, none two faults.

    Where there are too few pieces, faults late in ``shares`` get none.
    """
    order = list(range(count))
    rng.shuffle(order)
    given: dict[int, Fault] = {}
    for fault, share in shares.items():
        for _ in range(max(1, round(share * count))):
            if order:
                given[order.pop()] = fault
    return given


def take(rng: Random, items: Sequence[int], wanted: int) -> list[int]:
    """Draw up to ``wanted`` of some indexes, each at most once."""
    return rng.sample(list(items), min(wanted, len(items)))
