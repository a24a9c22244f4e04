"""Quarantine: what the doors set aside, with the reason."""

from __future__ import annotations

from threading import Lock
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from throughline.api.answers import json_answer
from throughline.core.cursor import read_cursor, write_cursor
from throughline.core.instants import format_instant
from throughline.core.journal import JournalReader, SetAsideEvent


class QuarantinedDocument(msgspec.Struct, frozen=True):
    """What was set aside once or more often (``times``), the very same each time; ``sentence`` says why in words."""

    id: str
    received: str
    last_received: str
    times: int
    door: str
    sender: str
    source: str | None
    event_id: str | None
    type: str | None
    reason: str
    sentence: str


class QuarantineList(msgspec.Struct, frozen=True):
    """A page of the quarantine, in the order of arrival; ``next`` is the cursor of the next page."""

    entries: list[QuarantinedDocument]
    next: str | None


class QuarantineAsked(BaseModel):
    """How much of the quarantine to give, and from where on."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: str | None = None


def quarantined(entry: SetAsideEvent) -> QuarantinedDocument:
    """Return the document of an entry."""
    return QuarantinedDocument(
        id=f"q{entry.id}",
        received=format_instant(entry.received),
        last_received=format_instant(entry.last_received),
        times=entry.times,
        door=entry.door,
        sender=entry.sender,
        source=entry.source,
        event_id=entry.event_id,
        type=entry.type,
        reason=entry.reason,
        sentence=entry.sentence,
    )


def routes(journal: JournalReader) -> APIRouter:
    """Return the route of the quarantine."""
    router = APIRouter(tags=["quarantine"])
    one_at_a_time = Lock()
    schema = {"$ref": f"#/components/schemas/{QuarantineList.__name__}"}

    @router.get(
        "/api/v1/quarantine",
        summary="What was set aside, and why",
        response_class=Response,
        responses={200: {"description": "A page", "content": {"application/json": {"schema": schema}}}},
    )
    def get_quarantine(asked: Annotated[QuarantineAsked, Query()]) -> Response:
        """In the order of arrival; what came in again and again is one entry."""
        after = read_cursor(asked.cursor, tuple[int])[0] if asked.cursor else 0
        with one_at_a_time:
            found = journal.quarantine(after, asked.limit + 1)
        page = found[: asked.limit]
        more = len(found) > asked.limit
        return json_answer(
            QuarantineList([quarantined(entry) for entry in page], write_cursor((page[-1].id,)) if more else None)
        )

    return router
