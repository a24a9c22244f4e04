"""Lineage of one record: every case that a key has a part in, with its evidence, its relatives and its traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from lineage.document import CaseDocument, ExposureDocument, KeyDocument, Time, exposure_document
from lineage.evidence import Link, Why, evidence, statements_of
from lineage.fact import Fact
from lineage.lookup import Bulk, Found, Part, Waiting, bulk_at, cases_of, count_cases, known_keys, waiting_at
from lineage.read import CaseView, Snapshot
from lineage.related import RelatedDocument, Relatives
from lineage.trace_documents import TraceDocument, cases_of_trace
from throughline.core.instants import format_instant
from throughline.core.key import Key
from throughline.core.statement import EventRef, StatementDocument, statement_document

MOST_TRACES = 10  # of one case; /api/v1/traces has each
MOST_BULK_EVENTS = 100


class EventDocument(msgspec.Struct, frozen=True):
    """An event, by what it counts once by."""

    source: str
    id: str


class LinkDocument(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Two keys, how they are linked (tie, hold or pass), and the event that says so, or the statement's id."""

    kind: str
    start: KeyDocument
    end: KeyDocument
    event: EventDocument | None
    statement: str | None


class WhyDocument(msgspec.Struct, frozen=True):
    """Why an event belongs to the case: the key at which it stands, and the links from the case's name to that key.

    No links: it names the case itself. ``denied_by``: id of the statement that took it off.
    """

    event: EventDocument
    at: KeyDocument
    links: list[LinkDocument]
    denied_by: str | None


class CaseLineage(msgspec.Struct, frozen=True):
    """A case that the record has a part in; ``role`` is that of the record's key in the case.

    ``related``: keys of the case and the cases of other processes behind them. ``traces``: the spans of its traces, as
    far as the journal keeps them; ``more_traces``: there are more than shown.
    """

    role: str
    case: CaseDocument
    why: list[WhyDocument]
    statements: list[StatementDocument]
    related: list[RelatedDocument]
    traces: list[TraceDocument]
    more_traces: bool


class WaitingDocument(msgspec.Struct, frozen=True):
    """What waits at the value for a case that holds it.

    ``exposure``: the amount of an orphan, null where it is unknown; empty where it is no orphan yet, and where the
    value names a case, which tells its amount.
    """

    events: int
    since: Time
    orphan: bool
    exposure: ExposureDocument | None


class BulkEventDocument(msgspec.Struct, frozen=True):
    """An event at a value that too many cases hold; members as those of a case have them."""

    event_id: str
    source: str
    type: str
    time: Time
    received: Time
    outcome: Literal["success", "failure"]
    category: str | None
    message: str | None
    system: str | None
    trace_id: str | None


class BulkDocument(msgspec.Struct, frozen=True):
    """What happened at a value that more cases hold than ``bulk_limit``: it is shown here and in none of them.

    ``events``: the latest, newest first; ``more``: how many more there are. ``holders``: cases that hold it directly.
    """

    events: list[BulkEventDocument]
    more: int
    holders: int


class RecordDocument(msgspec.Struct, frozen=True):
    """One record: its key, and its cases, closest role first, then by process and name. ``case_count``: on all pages.

    ``waiting`` and ``bulk``: events at the value that are in no case, as none holds it, or as too many do.
    Asked for by a trace, it has ``trace_id`` in place of a key.
    """

    key: KeyDocument | None
    trace_id: str | None
    case_count: int
    cases: list[CaseLineage]
    waiting: WaitingDocument | None
    bulk: BulkDocument | None


class RecordsDocument(msgspec.Struct, frozen=True):
    """The records of a value, one for each scope it was seen in; ``next`` is the cursor of the next page."""

    records: list[RecordDocument]
    next: str | None


class Place(NamedTuple):
    """Where a list of records stands: after this case of this key (interned texts; empty for a trace)."""

    key: str
    part: int
    process: str
    name: str


class Page(NamedTuple):
    """Records with as many cases as fit on a page; ``next`` None: there is no more."""

    records: list[RecordDocument]
    next: Place | None


Traces = Callable[[Snapshot, Sequence[str]], list[TraceDocument]]


def find_records(
    snapshot: Snapshot,
    kind: str,
    value: str,
    scope: Mapping[str, str],
    traces: Traces,
    after: Place | None,
    limit: int,
) -> Page:
    """Return the records of a value, with up to ``limit`` cases together; raises Problem for a key that is none."""
    records: list[RecordDocument] = []
    left = limit
    for key in known_keys(snapshot, kind, value, scope):
        text = key.encode()
        if after is not None and text < after.key:
            continue
        if left == 0:
            return Page(records, Place(text, 0, "", ""))
        start = after[1:] if after is not None and after.key == text else None
        found = cases_of(snapshot, key, tuple(Part), start, left + 1)
        shown = found[:left]
        record = _record(snapshot, key, shown, traces)
        if record.case_count or record.waiting or record.bulk:
            records.append(record)
        left -= len(shown)
        if len(found) > len(shown):
            return Page(records, Place(text, *shown[-1][:3]))
    return Page(records, None)


def find_trace(snapshot: Snapshot, trace_id: str, traces: Traces, after: Place | None, limit: int) -> Page:
    """Return the record of a trace: up to ``limit`` of the cases that its events belong to."""
    found = cases_of_trace(snapshot, trace_id)
    rest = [each for each in found if after is None or each[:3] > after[1:]]
    shown = rest[:limit]
    record = RecordDocument(None, trace_id, len(found), _lineages(snapshot, shown, traces), None, None)
    more = len(shown) < len(rest)
    return Page([record] if found else [], Place("", *shown[-1][:3]) if more else None)


def _record(snapshot: Snapshot, key: Key, shown: Sequence[Found], traces: Traces) -> RecordDocument:
    return RecordDocument(
        key=key_document(snapshot, key),
        trace_id=None,
        case_count=count_cases(snapshot, key),
        cases=_lineages(snapshot, shown, traces),
        waiting=_waiting(waiting_at(snapshot, key)),
        bulk=_bulk(bulk_at(snapshot, key)),
    )


def _lineages(snapshot: Snapshot, shown: Sequence[Found], traces: Traces) -> list[CaseLineage]:
    views = snapshot.views(each.case_id for each in shown)
    relatives = Relatives(snapshot)
    return [case_lineage(snapshot, views[each.case_id], each.part, relatives, traces) for each in shown]


def _waiting(waiting: Waiting | None) -> WaitingDocument | None:
    if waiting is None:
        return None
    return WaitingDocument(
        waiting.events, format_instant(waiting.since), waiting.orphan, exposure_document(waiting.exposure)
    )


def _bulk(bulk: Bulk | None) -> BulkDocument | None:
    if bulk is None:
        return None
    shown = bulk.events[:MOST_BULK_EVENTS]
    return BulkDocument([_bulk_event(fact) for fact in shown], len(bulk.events) - len(shown), bulk.holders)


def _bulk_event(fact: Fact) -> BulkEventDocument:
    return BulkEventDocument(
        event_id=fact.id,
        source=fact.source,
        type=fact.type,
        time=format_instant(fact.time),
        received=format_instant(fact.received),
        outcome="failure" if fact.failed else "success",
        category=fact.category,
        message=fact.message,
        system=fact.system,
        trace_id=fact.trace_id,
    )


def case_lineage(snapshot: Snapshot, view: CaseView, part: Part, relatives: Relatives, traces: Traces) -> CaseLineage:
    """Return a case with all that is known around it."""
    trace_ids = sorted({member.fact.trace_id for member in view.joined.members if member.fact.trace_id})
    return CaseLineage(
        role=part.word,
        case=snapshot.document(view),
        why=[_why(snapshot, why) for why in evidence(snapshot, view)],
        statements=[statement_document(statement) for statement in statements_of(snapshot, view)],
        related=relatives.of(view),
        traces=traces(snapshot, trace_ids[:MOST_TRACES]),
        more_traces=len(trace_ids) > MOST_TRACES,
    )


def key_document(snapshot: Snapshot, key: Key) -> KeyDocument:
    """Return a key as documents show it."""
    return KeyDocument(key.type, key.value, snapshot.scope(key))


def _why(snapshot: Snapshot, why: Why) -> WhyDocument:
    return WhyDocument(
        event=_event(why.event),
        at=key_document(snapshot, why.at),
        links=[_link(snapshot, link) for link in why.links],
        denied_by=why.denied_by.id if why.denied_by else None,
    )


def _link(snapshot: Snapshot, link: Link) -> LinkDocument:
    return LinkDocument(
        kind=link.kind,
        start=key_document(snapshot, link.start),
        end=key_document(snapshot, link.end),
        event=_event(link.event) if link.event else None,
        statement=link.statement.id if link.statement else None,
    )


def _event(event: EventRef) -> EventDocument:
    return EventDocument(event.source, event.id)
