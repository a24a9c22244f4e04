"""Lineage's routes: records by any key or trace, cases, traces."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import Response

from lineage.cases import CaseList, Filter, Place, list_cases
from lineage.document import CaseDocument
from lineage.events import EventFilter, EventList, list_events
from lineage.fact import CaseState, DeviationKind
from lineage.lookup import MOST_KEYS, Found, Part
from lineage.orphans import Filter as OrphanFilter
from lineage.orphans import OrphanList, count_orphans, list_orphans
from lineage.orphans import Place as OrphanPlace
from lineage.read import CaseReader, CaseView, Snapshot
from lineage.record import Place as RecordPlace
from lineage.record import RecordsDocument, find_records, find_trace
from lineage.related import CaseRef, case_refs
from lineage.saving import EMPTY
from lineage.trace_documents import TraceDocument, TraceReader, cases_of_trace, parse_trace_id
from throughline.core.cursor import read_cursor, write_cursor
from throughline.core.instants import parse_instant
from throughline.core.key import Key
from throughline.core.problem import Problem, ProblemKind

SCOPE = "scope."
MOST_CASES = 1_000
MOST_LINEAGES = 200
MOST_EVENTS = 1_000


class TracePage(TraceDocument, frozen=True, kw_only=True):
    """A trace, and the cases that its events belong to; ``more_cases``: there are more than shown."""

    cases: list[CaseRef]
    more_cases: bool


DOCUMENTS = (RecordsDocument, CaseList, OrphanList, CaseDocument, EventList, TracePage)

_encode = msgspec.json.Encoder(order="deterministic").encode


def _instant(text: object) -> object:
    return parse_instant(text) if isinstance(text, str) else text


def _decimal(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError("seen no number, wanted a decimal number such as 1125.00")
    return value


Instant = Annotated[int, BeforeValidator(_instant), Field(json_schema_extra={"type": "string", "format": "date-time"})]
Amount = Annotated[Decimal, Field(max_digits=30), AfterValidator(_decimal)]
Text = Annotated[str, Field(min_length=1, max_length=1024)]


class CasesAsked(BaseModel):
    """Which cases to list. A filter given several times takes any of its values."""

    model_config = ConfigDict(extra="forbid")

    process: list[Text] = []
    state: list[CaseState] = []
    deviation: list[DeviationKind] = []
    step: Text | None = Field(None, description="Cases that wait for this step, or have an open deviation at it.")
    since: Instant | None = Field(None, description="Cases with an event at or after this time.")
    until: Instant | None = Field(None, description="Cases that began before this time.")
    min_amount: Amount | None = Field(None, description="Cases with a known exposure of at least this.")
    max_amount: Amount | None = Field(None, description="Cases with a known exposure of at most this.")
    currency: Text | None = Field(None, description="Cases with an exposure in this currency.")
    limit: int = Field(100, ge=1, le=MOST_CASES)
    cursor: str | None = Field(None, description="The `next` of the page before.")


class EventsAsked(BaseModel):
    """Which events to give back."""

    model_config = ConfigDict(extra="forbid")

    process: list[Text] = []
    since: Instant | None = Field(None, description="Events of this time or later.")
    until: Instant | None = Field(None, description="Events before this time.")
    received_since: Instant | None = Field(None, description="Events received at this time or later.")
    limit: int = Field(500, ge=1, le=MOST_EVENTS)
    cursor: str | None = Field(None, description="The `next` of the page before.")


class OrphansAsked(BaseModel):
    """Which orphans to list. A filter given several times takes any of its values."""

    model_config = ConfigDict(extra="forbid")

    process: list[Text] = []
    type: Text | None = Field(None, description="Orphans at a key of this type.")
    until: Instant | None = Field(None, description="Orphans whose first event was received before this time.")
    limit: int = Field(100, ge=1, le=MOST_CASES)
    cursor: str | None = Field(None, description="The `next` of the page before.")


class RecordsAsked(BaseModel):
    """Which records to tell: by a key (``type`` and ``value``, ``scope.FIELD`` for its issuer), or by ``trace_id``."""

    model_config = ConfigDict(extra="allow")

    type: Text | None = None
    value: Text | None = None
    trace_id: str | None = None
    limit: int = Field(20, ge=1, le=MOST_LINEAGES, description="The most cases on a page, over all records.")
    cursor: str | None = Field(None, description="The `next` of the page before.")


def routes(reader: CaseReader, traces: TraceReader) -> APIRouter:
    """Return lineage's routes."""
    router = APIRouter(prefix="/api/v1", tags=["lineage"])

    @router.get("/records", summary="Lineage of a record by any key, or by trace", **_answers(RecordsDocument))
    def records(asked: Annotated[RecordsAsked, Query()]) -> Response:
        """Every case that the key has a part in, with evidence, relatives and traces; and what waits at the value."""
        return _answer(_records(reader, traces, asked))

    @router.get("/cases", summary="Cases by process, then name", **_answers(CaseList))
    def cases(asked: Annotated[CasesAsked, Query()]) -> Response:
        """A page of cases; `next` is the cursor of the next page, null on the last."""
        return _answer(_cases(reader, asked))

    @router.get("/orphans", summary="Events that no case holds for too long, by value", **_answers(OrphanList))
    def orphans(asked: Annotated[OrphansAsked, Query()]) -> Response:
        """A page of orphans, oldest first; provisional cases of that age are among the cases."""
        return _answer(_orphans(reader, asked))

    @router.get("/cases/{process}/{name:path}", summary="One case", **_answers(CaseDocument))
    def case(process: str, name: str, request: Request) -> Response:
        """The document of a case; scope.FIELD, and type for a provisional one, tell apart names that are alike."""
        scope, kind = _scope_and_type(request)
        with reader.snapshot() as snapshot:
            return _answer(snapshot.document(find_case(snapshot, process, name, scope, kind)))

    @router.get("/events", summary="Events as CloudEvents, in the order they were folded", **_answers(EventList))
    def events(asked: Annotated[EventsAsked, Query()]) -> Response:
        """A page of the events that count; sent again, they mean the same. It may be short and still have a next."""
        return _answer(_events(reader, asked))

    @router.get("/traces/{trace_id}", summary="One trace: its spans, its events and their cases", **_answers(TracePage))
    def trace(trace_id: str) -> Response:
        """As far as the journal keeps it."""
        with reader.snapshot() as snapshot:
            return _answer(_trace(snapshot, traces, parse_trace_id(trace_id)))

    return router


def _answer(document: Any) -> Response:
    return Response(_encode(document), media_type="application/json")


def _answers(document: type) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{document.__name__}"}
    return {
        "response_class": Response,
        "responses": {200: {"description": "Found", "content": {"application/json": {"schema": schema}}}},
    }


def _records(reader: CaseReader, traces: TraceReader, asked: RecordsAsked) -> RecordsDocument:
    scope = _scope(asked.model_extra or {})
    after = read_cursor(asked.cursor, RecordPlace) if asked.cursor else None
    with reader.snapshot() as snapshot:
        if asked.trace_id is not None:
            if asked.type is not None or asked.value is not None or scope:
                raise Problem(ProblemKind.INVALID, "seen trace_id beside a key, wanted one of them")
            page = find_trace(snapshot, parse_trace_id(asked.trace_id), traces.documents, after, asked.limit)
        elif asked.type is None or asked.value is None:
            raise Problem(ProblemKind.INVALID, "seen neither, wanted type and value of a key, or trace_id")
        else:
            page = find_records(snapshot, asked.type, asked.value, scope, traces.documents, after, asked.limit)
    return RecordsDocument(page.records, write_cursor(page.next) if page.next else None)


def _cases(reader: CaseReader, asked: CasesAsked) -> CaseList:
    after = read_cursor(asked.cursor, Place) if asked.cursor else None
    wanted = Filter(
        processes=tuple(asked.process),
        states=tuple(dict.fromkeys(asked.state)),
        deviations=tuple(dict.fromkeys(asked.deviation)),
        step=asked.step,
        since=asked.since,
        until=asked.until,
        least=None if asked.min_amount is None else format(asked.min_amount, "f"),
        most=None if asked.max_amount is None else format(asked.max_amount, "f"),
        currency=asked.currency,
    )
    _want_known(reader, wanted.processes)
    with reader.snapshot() as snapshot:
        found = list_cases(snapshot, wanted, after, asked.limit + 1)
        orphans = count_orphans(snapshot.store) if DeviationKind.ORPHAN in wanted.deviations else None
    page = found[: asked.limit]
    more = len(found) > asked.limit
    return CaseList([each.line for each in page], orphans, write_cursor(page[-1].place) if more else None)


def _orphans(reader: CaseReader, asked: OrphansAsked) -> OrphanList:
    after = read_cursor(asked.cursor, OrphanPlace) if asked.cursor else None
    wanted = OrphanFilter(tuple(asked.process), asked.type, asked.until)
    _want_known(reader, wanted.processes)
    if wanted.kind is not None and wanted.kind not in reader.definitions.key_types:
        known = ", ".join(sorted(reader.definitions.key_types))
        raise Problem(ProblemKind.INVALID, f"type: seen {wanted.kind[:64]!r}, wanted a type of key: {known}")
    with reader.snapshot() as snapshot:
        found = list_orphans(snapshot, wanted, after, asked.limit + 1)
        count = count_orphans(snapshot.store)
    page = found[: asked.limit]
    more = len(found) > asked.limit
    return OrphanList([each.line for each in page], count, write_cursor(page[-1].place) if more else None)


def _events(reader: CaseReader, asked: EventsAsked) -> EventList:
    (after,) = read_cursor(asked.cursor, tuple[int]) if asked.cursor else (0,)
    wanted = EventFilter(tuple(asked.process), asked.since, asked.until, asked.received_since)
    _want_known(reader, wanted.processes)
    with reader.snapshot() as snapshot:
        page = list_events(snapshot, wanted, after, asked.limit)
    return EventList(page.events, None if page.next is None else write_cursor((page.next,)))


def _want_known(reader: CaseReader, processes: Iterable[str]) -> None:
    """Raise Problem where one of the processes is not defined."""
    unknown = [name for name in processes if name not in reader.definitions.processes]
    if unknown:
        raise _unknown_process(reader.definitions.processes, unknown[0])


def find_case(snapshot: Snapshot, process: str, name: str, scope: dict[str, str], kind: str | None) -> CaseView:
    """Return the case of a name. Raises Problem: not found, or ambiguous with the candidates.

    A provisional case is found by the alias that it is called after, unless a case has that name.
    """
    declared = snapshot.definitions.processes.get(process)
    if declared is None or process not in snapshot.process_ids:
        raise _unknown_process(snapshot.definitions.processes, process, ProblemKind.NOT_FOUND)
    wanted = [kind] if kind is not None else [declared.name_key, *declared.aliases]
    found = [each for kind_of_name in wanted for each in _named(snapshot, process, kind_of_name, name, scope)]
    found = [each for each in found if each.part is Part.NAME] or found
    if not found:
        raise Problem(ProblemKind.NOT_FOUND, f"no case of {process} is called {name[:200]!r}")
    if len(found) > 1:
        sentence = f"{len(found)} cases of {process} are called {name[:200]!r}: say which by scope.FIELD, or type"
        raise Problem(ProblemKind.AMBIGUOUS, sentence, candidates=msgspec.to_builtins(case_refs(snapshot, found)))
    return snapshot.views([found[0].case_id])[found[0].case_id]


def _named(snapshot: Snapshot, process: str, kind: str, name: str, scope: dict[str, str]) -> list[Found]:
    """Return the cases of a process that are called after a value, in the scopes that fit."""
    key_type = snapshot.definitions.key_types.get(kind)
    value = key_type.value(name) if key_type is not None else None
    if key_type is None or value is None or any(field not in key_type.scope for field in scope):
        return []
    text = Key(kind, value).encode()
    low, high = (text + "\x1f", text + "\x20") if key_type.scope else (text, text)
    rows: list[tuple[int, str]] = snapshot.store.rows(
        "SELECT id, name FROM cases WHERE process = ? AND name >= ? AND name <= ? AND state <> ? ORDER BY name LIMIT ?",
        snapshot.process_ids[process],
        low,
        high,
        EMPTY,
        MOST_KEYS,
    )
    part = Part.NAME if kind == snapshot.definitions.processes[process].name_key else Part.ALIAS
    return [
        Found(part, process, text, case_id)
        for case_id, text in rows
        if scope.items() <= snapshot.scope(Key.decode(text)).items()
    ]


def _trace(snapshot: Snapshot, traces: TraceReader, trace_id: str) -> TracePage:
    found = traces.documents(snapshot, [trace_id])
    if not found:
        raise Problem(ProblemKind.NOT_FOUND, f"nothing is known of the trace {trace_id}")
    cases = cases_of_trace(snapshot, trace_id)
    trace = found[0]
    return TracePage(
        trace_id=trace.trace_id,
        spans=trace.spans,
        logs=trace.logs,
        events=trace.events,
        more=trace.more,
        cases=case_refs(snapshot, cases[:MOST_LINEAGES]),
        more_cases=len(cases) > MOST_LINEAGES,
    )


def _scope(extra: dict[str, Any]) -> dict[str, str]:
    """Read the scope.FIELD parameters; raises Problem for any other that is not known."""
    unknown = [name for name in extra if not name.startswith(SCOPE)]
    if unknown:
        raise Problem(ProblemKind.INVALID, f"seen the parameter {unknown[0][:64]!r}, wanted no such: it is unknown")
    return {name.removeprefix(SCOPE): str(value).strip() for name, value in extra.items()}


def _scope_and_type(request: Request) -> tuple[dict[str, str], str | None]:
    given = dict(request.query_params)
    kind = given.pop("type", None)
    return _scope(given), kind


def _unknown_process(known: Iterable[str], seen: str, kind: ProblemKind = ProblemKind.INVALID) -> Problem:
    return Problem(kind, f"process: seen {seen[:64]!r}, wanted one of {', '.join(sorted(known))}")
