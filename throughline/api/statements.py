"""Statements: checked against the definitions and the cases, recorded, listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from lineage.overrides import key_of, pairs_of
from lineage.process import Definitions, Process
from lineage.read import CaseReader
from throughline.api.access import Asker, asker_of
from throughline.api.answers import json_answer
from throughline.api.body import LARGEST_BODY_BYTES, invalid, read_form, read_json
from throughline.api.exceptions import ExceptionAsked, Text, exception_draft
from throughline.core.cursor import read_cursor, write_cursor
from throughline.core.decisions import DecisionLog, DecisionReader
from throughline.core.faults import show
from throughline.core.key import KeyType
from throughline.core.statement import Draft, End, EventRef, StatementDocument, Verb, statement_document

MOST_EVENTS = 10_000
_LAST = 2**63 - 1


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class EventAsked(_Asked):
    """An event, by what it counts once by."""

    source: Text
    id: Text


class PairAsked(_Asked):
    """Two keys. Each end has one key (type: value); further members are its scope."""

    from_: Annotated[dict[str, Text], Field(alias="from")]
    to: dict[str, Text]


class StatementAsked(_Asked):
    """What a person states about a pair of keys: for all events (``all``), for given ones (``events``), or both."""

    verb: Literal["link", "unlink"]
    pair: PairAsked
    all: bool = False
    events: Annotated[list[EventAsked], Field(max_length=MOST_EVENTS)] = []
    process: Text | None = None
    by: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = None
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Listing(_Asked):
    """How much of the list of statements to give, and from where on."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: str | None = None


class StatementList(msgspec.Struct, frozen=True):
    """A page of statements, newest first; ``next`` is the cursor of the next page, null on the last."""

    statements: list[StatementDocument]
    next: str | None


def draft_of(asked: StatementAsked, definitions: Definitions, asker: Asker) -> Draft:
    """Return what to record; raises Problem, saying what was seen and wanted, where it cannot have any meaning."""
    if not asked.all and not asked.events:
        raise invalid("all", "neither `all` nor `events`", "`all`: true, the `events` it is about, or both")
    by = asker.name or asked.by
    if by is None:
        raise invalid("by", "nothing", "who states this")
    a = _end("pair.from", asked.pair.from_, definitions)
    b = _end("pair.to", asked.pair.to, definitions)
    _check_pair(asked, definitions, a, b)
    return Draft(
        verb=Verb(asked.verb),
        a=a,
        b=b,
        all=asked.all,
        events=tuple(EventRef(event.source, event.id) for event in asked.events),
        by=by,
        authenticated=asker.authenticated,
        why=asked.why,
        process=asked.process,
    )


def _end(path: str, members: dict[str, str], definitions: Definitions) -> End:
    """Read one end of a pair: its key, and the scope which that type of key needs."""
    types = [definitions.key_types[name] for name in members if name in definitions.key_types]
    fitting = [kind for kind in types if members.keys() - {kind.name} <= set(kind.scope)]
    if len(fitting) != 1:
        wanted = f"one key with its scope, of the types {', '.join(sorted(definitions.key_types))}"
        raise invalid(path, ", ".join(map(show, members)) or "nothing", wanted)
    return _checked_end(path, fitting[0], members)


def _checked_end(path: str, kind: KeyType, members: dict[str, str]) -> End:
    missing = [name for name in kind.scope if name not in members]
    if missing:
        raise invalid(path, f"{kind.name} without {', '.join(missing)}", "its scope beside it: who issued the number")
    end = End(kind.name, members[kind.name], {name: members[name] for name in kind.scope})
    if key_of(end, {kind.name: kind}) is None:
        raise invalid(f"{path}.{kind.name}", show(end.value), "a value that is no placeholder")
    return end


def _check_pair(asked: StatementAsked, definitions: Definitions, a: End, b: End) -> None:
    processes = definitions.processes
    if asked.process is not None and asked.process not in processes:
        raise invalid("process", show(asked.process), f"one of {', '.join(sorted(processes))}")
    meant = [processes[asked.process]] if asked.process else list(processes.values())
    key_types = dict(definitions.key_types)
    left, right = key_of(a, key_types), key_of(b, key_types)
    assert left is not None
    assert right is not None
    if left == right:
        raise invalid("pair", f"{show(a.value)} at both ends", "two different keys")
    if not any(pairs_of(process, left, right) for process in meant):
        raise invalid("pair", _roles(meant, a.type, b.type), _WANTED_PAIR)


_WANTED_PAIR = (
    "a name or an alias with an alias or a carrier, two aliases, or two carriers between which a pass is declared "
    "(never two names), in one process"
)


def _roles(processes: list[Process], a: str, b: str) -> str:
    """Say what two key types are to the processes that know both."""
    known = [
        f"{process.roles[a]} and {process.roles[b]} in {process.name}"
        for process in processes
        if a in process.roles and b in process.roles
    ]
    return f"{a} and {b}, which are " + ("; ".join(known) or "together in no process that is meant")


def read_asked(content: object) -> StatementAsked | ExceptionAsked:
    """Read the body of a request; raises Problem with every fault."""
    verb = _verb(content)
    if verb is not None and verb not in list(Verb):
        raise invalid("verb", show(verb), _WANTED_VERB)
    if verb in (Verb.ACCEPT, Verb.WITHDRAW):
        return read_form(ExceptionAsked, content)
    return read_form(StatementAsked, content)


def _verb(content: object) -> object:
    return cast(dict[str, Any], content).get("verb") if isinstance(content, dict) else None


_WANTED_VERB = "'link' or 'unlink', about two keys, or 'accept' or 'withdraw', about exceptions of a case"


def _body_schema() -> dict[str, Any]:
    """Return the schema of a statement's body in one piece: OpenAPI would look for its parts elsewhere."""
    return {"oneOf": [_form_schema(form) for form in (StatementAsked, ExceptionAsked)]}


def _form_schema(form: type[BaseModel]) -> dict[str, Any]:
    schema = form.model_json_schema(ref_template="{model}")
    return _in_one_piece(schema, schema.pop("$defs"))


def _in_one_piece(node: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_in_one_piece(each, parts) for each in cast(list[Any], node)]
    if not isinstance(node, dict):
        return node
    members = cast(dict[str, Any], node)
    if "$ref" in members:
        return _in_one_piece(parts[members["$ref"]], parts)
    return {name: _in_one_piece(member, parts) for name, member in members.items()}


def routes(log: DecisionLog, reader: DecisionReader, definitions: Definitions, cases: CaseReader) -> APIRouter:
    """Return the routes by which statements are made and listed; ``cases`` tells which exceptions there are."""
    router = APIRouter(tags=["statements"])

    def record(asked: StatementAsked | ExceptionAsked, asker: Asker) -> StatementDocument:
        if isinstance(asked, ExceptionAsked):
            draft = exception_draft(asked, definitions, asker, cases)
        else:
            draft = draft_of(asked, definitions, asker)
        return statement_document(log.append(draft))

    @router.post(
        "/api/v1/statements",
        summary="State that two keys belong together or not, or settle an exception",
        status_code=201,
        response_class=Response,
        responses={201: _shows(StatementDocument)},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _body_schema()}},
            }
        },
    )
    async def state(request: Request) -> Response:
        """Answer 201 once the statement is durable; `position` tells status when it is folded."""
        asker = asker_of(request)
        asked = read_asked(await read_json(request, LARGEST_BODY_BYTES))
        return json_answer(await run_in_threadpool(record, asked, asker), 201)

    @router.get(
        "/api/v1/statements",
        summary="What people stated, newest first",
        response_class=Response,
        responses={200: _shows(StatementList)},
    )
    def list_statements(asked: Annotated[Listing, Query()]) -> Response:
        """Every statement, with who, when and why; `next` is the cursor of the next page, null on the last."""
        before = read_cursor(asked.cursor, tuple[int])[0] if asked.cursor else _LAST
        found = reader.before(before, asked.limit + 1)
        page = found[: asked.limit]
        more = len(found) > asked.limit
        following = write_cursor((page[-1].number,)) if more else None
        return json_answer(StatementList([statement_document(statement) for statement in page], following))

    return router


def _shows(document: type) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{document.__name__}"}
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}
