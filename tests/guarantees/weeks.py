"""Random weeks of the firm for hypothesis: few records and many events of the shipped processes, so that all meet.

The weeks hold both changes of the clocks, several calendars and cut-offs, watermarks of every kind, late ties,
failures, conflicts, rejections, part payments, contents under one id, and statements.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.guarantees.firm import ARCHIVE, ERP, FPNA, PSA, happened
from tests.identity_model.four_processes import FOUR_PROCESSES
from tests.identity_model.worlds import World
from throughline.core.event import Event, FieldValue, Relation
from throughline.core.instants import DAY, HOUR, format_instant, parse_instant
from throughline.core.statement import End, EventRef, Statement, Verb

BEGAN = parse_instant("2026-10-22T06:00:00Z")  # Europe leaves summer time on the 25th, North America on November 1
DAYS = 14
LAST = BEGAN + DAYS * DAY
IDS = tuple(f"e{number}" for number in range(12))
SOURCES = (PSA, PSA, ERP, ERP, ARCHIVE, "/firm/erp-amer", FPNA, "/undeclared")

VALUES: dict[str, tuple[str, ...]] = {
    "time_entry": ("T1", "T1", "T2", "T2", "T3", "n/a"),
    "erp_document": ("D1", "D1", "D2"),
    "billing_event": ("B1", "B1", "B2"),
    "invoice": ("I1", "I1", "I2"),
    "milestone": ("M1",),
    "opportunity": ("O1",),
    "project": ("P1", "P2"),
    "correlation_id": ("X1",),
    "customer": ("C1", "unknown"),
}

# What an event may carry, by type: one way for each kind of link, each step, and each key at which events stand.
WAYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("time.submitted", ("time_entry",)),
    ("time.submitted", ("time_entry", "customer")),
    ("time.approved", ("time_entry",)),
    ("time.approved", ("time_entry", "correlation_id")),
    ("time.rejected", ("time_entry",)),
    ("time.posted", ("time_entry", "erp_document")),
    ("time.posted", ("erp_document",)),
    ("time.posted", ("correlation_id",)),
    ("document.registered", ("time_entry", "erp_document")),
    ("billing.released", ("time_entry", "billing_event")),
    ("billing.released", ("erp_document", "billing_event")),
    ("billing.released", ("milestone", "billing_event")),
    ("invoice.issued", ("billing_event", "invoice")),
    ("invoice.issued", ("time_entry", "invoice")),
    ("invoice.issued", ("invoice",)),
    ("invoice.paid", ("invoice",)),
    ("invoice.paid", ("invoice",)),
    ("invoice.corrected", ("invoice",)),
    ("invoice.posted", ("invoice",)),
    ("invoice.voided", ("invoice",)),
    ("time.cancelled", ("time_entry",)),
    ("milestone.completed", ("milestone",)),
    ("milestone.approved", ("milestone",)),
    ("milestone.rejected", ("milestone",)),
    ("revenue.recognised", ("invoice",)),
    ("opportunity.approved", ("opportunity",)),
    ("customer.validated", ("opportunity", "customer")),
    ("project.created", ("opportunity", "project")),
    ("project.activated", ("project",)),
    ("nobody.knows", ("time_entry", "invoice")),
)

# What else an event may say; each touches another rule of derived state.
TRAITS: tuple[dict[str, Any], ...] = (
    {"region": "EMEA"},
    {"region": "APAC"},
    {"region": "Atlantis"},
    {"legal_entity": "US01", "region": "AMER"},
    {"legal_entity": "JP01"},
    {"billing_calendar": "monthly"},
    {"due_date": "2026-10-30"},
    {"due_date": "2026-11-01T01:30:00-04:00"},
    {"due_date": "soon"},
    {"billable": False},
    {"failed": "timeout"},
    {"failed": "missing_master_data"},
    {"amount": "100.00", "currency": "EUR"},
    {"amount": "40.5", "currency": "EUR", "hours": "7.50"},
    {"amount": "60", "currency": "USD"},
    {"amount": "1e2", "currency": "EUR"},
    {"amounts": {"T1": "30.00", "I1": "99", "T2": "many"}, "currency": "EUR"},
    {"hours": "8"},
    {"synthetic": True},
    {"system": "erp"},
    {"system": "psa"},
    {"relations": [Relation("invoice", "I1", "invoice", "I2")]},
    {"relations": [Relation("time_entry", "T1", "erp_document", "D2"), Relation("time_entry", "T2", "invoice", "I1")]},
)
PARTS = ("amount", "currency", "amounts", "hours", "synthetic", "system", "relations")

hours = st.integers(0, DAYS * 24)
delays = st.sampled_from((0, 0, 0, 1, 30, 100))  # hours from an event to its receipt
moments = st.integers(0, 40 * 24).map(lambda hour: BEGAN + hour * HOUR)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Return an event of some process, or a heartbeat."""
    at = BEGAN + draw(hours) * HOUR
    received = at + draw(delays) * HOUR
    source, event_id = draw(st.sampled_from(SOURCES)), draw(st.sampled_from(IDS))
    if draw(st.integers(0, 7)) == 7:
        until = format_instant(received - draw(delays) * HOUR)
        return happened(f"beat {event_id}", "source.heartbeat", at, source, received, until=until)
    kind, names = draw(st.sampled_from(WAYS))
    fields: dict[str, FieldValue] = {"legal_entity": "DE01"}
    for name in names:
        fields[name] = draw(values(name))
    said: dict[str, Any] = {}
    for trait in draw(st.lists(st.sampled_from(TRAITS), max_size=2)):
        said |= trait
    failed = said.pop("failed", None)
    more = {part: said.pop(part) for part in PARTS if part in said}
    return happened(event_id, kind, at, source, received, failed, more, **{**fields, **said})


@st.composite
def values(draw: st.DrawFn, kind: str) -> FieldValue:
    """Return one value, most often, or two."""
    one = st.sampled_from(VALUES[kind])
    return draw(one) if draw(st.integers(0, 4)) < 4 else [draw(one), draw(one)]


PAIRS = (
    ("time_entry", "billing_event"),
    ("time_entry", "erp_document"),
    ("time_entry", "invoice"),
    ("erp_document", "billing_event"),
    ("billing_event", "invoice"),
    ("invoice", "invoice"),
    ("opportunity", "project"),
)


@st.composite
def statements(draw: st.DrawFn, number: int, known: list[Event]) -> Statement:
    """Return a statement for all, or for some events, one of which may never come."""
    a, b = draw(st.sampled_from(PAIRS))
    covers = draw(st.sampled_from(("all", "events", "both")))
    refs = st.sampled_from([*(EventRef(event.source, event.id) for event in known), EventRef(PSA, "unknown")])
    return Statement(
        verb=draw(st.sampled_from((Verb.UNLINK, Verb.LINK))),
        a=draw(ends(a)),
        b=draw(ends(b)),
        all=covers != "events",
        events=tuple(draw(st.lists(refs, min_size=1, max_size=2, unique=True))) if covers != "all" else (),
        by="ana",
        authenticated=False,
        why="so",
        number=number,
        id=f"s{number}",
        at=BEGAN + number,
    )


@st.composite
def ends(draw: st.DrawFn, kind: str) -> End:
    return End(kind, draw(st.sampled_from(VALUES[kind])), {"legal_entity": "DE01"} if kind == "invoice" else {})


@st.composite
def weeks(draw: st.DrawFn, most_events: int = 12, most_statements: int = 2) -> World:
    """Return what happened in some weeks, and what people said of it."""
    happened_then = draw(st.lists(events(), min_size=1, max_size=most_events))
    said = [draw(statements(number, happened_then)) for number in range(1, draw(st.integers(0, most_statements)) + 1)]
    return World(FOUR_PROCESSES, happened_then, said)
