"""Replay: the API hands it on to the collector, which owns what the doors set aside."""

from __future__ import annotations

from threading import Lock
from typing import Annotated, Any
from urllib.error import HTTPError

import msgspec
from fastapi import APIRouter
from fastapi import Request as Asked
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from throughline.api.access import Asker, asker_of
from throughline.api.answers import json_answer
from throughline.api.body import invalid, read_form, read_json
from throughline.api.collector_way import CollectorWay
from throughline.api.quarantine import Text, read_id
from throughline.core.control import REPLAY_PATH, ReplayOrder
from throughline.core.cursor import read_cursor, write_cursor
from throughline.core.journal import JournalReader, QuarantineFilter
from throughline.core.problem import Problem, ProblemKind

ANSWER_SECONDS = 60.0
MOST_AT_ONCE = 200
LARGEST_BODY_BYTES = 64 * 1024


class ReplayDocument(msgspec.Struct, frozen=True):
    """What became of one entry: ``taken``, ``set_aside`` again, or ``taken_before``, where nothing was done.

    ``events`` were taken, and are durable at ``position``. ``reason`` and ``sentence`` say why it was set aside again.
    """

    id: str
    outcome: str
    events: int
    position: str | None
    reason: str | None
    sentence: str | None


class ReplayList(msgspec.Struct, frozen=True):
    """What became of the entries of a page; ``next`` is the cursor of the next page, null on the last."""

    replays: list[ReplayDocument]
    next: str | None


By = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None


class OneAsked(BaseModel):
    """Who wants one entry to be replayed."""

    model_config = ConfigDict(extra="forbid")

    by: By = None


class ManyAsked(OneAsked):
    """Which entries to replay: those of the doors that fit, and that no replay has taken yet; none given: all."""

    reason: Text | None = None
    type: Text | None = None
    source: Text | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = MOST_AT_ONCE
    cursor: str | None = None


class _Told(msgspec.Struct, frozen=True):
    entry: int
    outcome: str
    events: int
    position: str | None
    reason: str | None
    sentence: str | None


class Collector:
    """Gives orders to the collector of this serve."""

    def __init__(self, way: CollectorWay) -> None:
        self._way = way

    def replay(self, entries: list[int], by: str) -> list[ReplayDocument]:
        """Return what became of each entry, in no order. Raises Problem where the collector cannot do it now."""
        order = msgspec.json.encode(ReplayOrder(tuple(entries), by))
        try:
            answer = self._way.ask(REPLAY_PATH, ANSWER_SECONDS, order)
            told = msgspec.json.decode(answer, type=list[_Told])
        except HTTPError as error:
            with error:
                raise Problem(ProblemKind.UNAVAILABLE, _detail(error.read())) from None
        except (OSError, msgspec.MsgspecError) as error:
            cause = getattr(error, "reason", error)
            sentence = f"the collector does not answer ({cause}): try again, nothing is done twice"
            raise Problem(ProblemKind.UNAVAILABLE, sentence) from None
        return [ReplayDocument(f"q{each.entry}", *msgspec.structs.astuple(each)[1:]) for each in told]


def _detail(body: bytes) -> str:
    try:
        return f"the collector says: {msgspec.json.decode(body, type=dict[str, Any])['detail']}"
    except (msgspec.MsgspecError, KeyError):
        return "the collector refused it, and does not say why"


def routes(journal: JournalReader, collector: Collector) -> APIRouter:
    """Return the routes by which what was set aside is taken again."""
    router = APIRouter(tags=["quarantine"])
    one_at_a_time = Lock()

    def replay_one(id: str, by: str) -> ReplayDocument:
        number = read_id(id)
        (told,) = collector.replay([number], by)
        if told.outcome == "unknown":
            raise Problem(ProblemKind.NOT_FOUND, f"no entry of the quarantine has the id {id}")
        return told

    def replay_page(asked: ManyAsked, by: str) -> ReplayList:
        after = read_cursor(asked.cursor, tuple[int])[0] if asked.cursor else 0
        wanted = QuarantineFilter(asked.reason, asked.type, asked.source, taken=False)
        with one_at_a_time:
            found = [entry.id for entry in journal.quarantine(after, asked.limit + 1, wanted)]
        page = found[: asked.limit]
        told = {each.id: each for each in collector.replay(page, by)} if page else {}
        following = write_cursor((page[-1],)) if len(found) > asked.limit else None
        return ReplayList([told[f"q{number}"] for number in page], following)

    @router.post(
        "/api/v1/quarantine/replay",
        summary="Take again what was set aside",
        response_class=Response,
        responses={200: _shows(ReplayList)},
        openapi_extra=_body(ManyAsked),
    )
    async def post_replays(request: Asked) -> Response:
        """A page of entries that no replay has taken yet; `next` is the cursor of the next page, null on the last."""
        asked = read_form(ManyAsked, await read_json(request, LARGEST_BODY_BYTES))
        return json_answer(await run_in_threadpool(replay_page, asked, _by(asker_of(request), asked)))

    @router.post(
        "/api/v1/quarantine/{id}/replay",
        summary="Take one entry again",
        response_class=Response,
        responses={200: _shows(ReplayDocument)},
        openapi_extra=_body(OneAsked),
    )
    async def post_replay(id: str, request: Asked) -> Response:
        """It goes the same way as when it came; what was taken once is not taken twice."""
        asked = read_form(OneAsked, await read_json(request, LARGEST_BODY_BYTES))
        return json_answer(await run_in_threadpool(replay_one, id, _by(asker_of(request), asked)))

    return router


def _by(asker: Asker, asked: OneAsked) -> str:
    by = asker.name or asked.by
    if by is None:
        raise invalid("by", "nothing", "who replays this")
    return by


def _body(form: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": form.model_json_schema()}}}}


def _shows(document: type) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{document.__name__}"}
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}
