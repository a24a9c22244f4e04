"""Quarantine: what was set aside, with the reason: by the doors as unreadable, by the engine as a second content."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import Annotated, NamedTuple

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from lineage.read import CaseReader
from throughline.api.answers import json_answer
from throughline.core.cursor import read_cursor, write_cursor
from throughline.core.errors import StoreUnavailable
from throughline.core.event import Event
from throughline.core.instants import format_instant
from throughline.core.journal import JournalReader, SetAsideEvent


class QuarantinedDocument(msgspec.Struct, frozen=True):
    """What was set aside once or more often (``times``), the very same each time; ``sentence`` says why in words.

    What the engine set aside has neither door nor sender, and its ``times`` are not counted: an event that came under
    the source and id of another one, which was received first.
    """

    id: str
    received: str
    last_received: str
    times: int | None
    door: str | None
    sender: str | None
    source: str | None
    event_id: str | None
    type: str | None
    reason: str
    sentence: str


class QuarantineList(msgspec.Struct, frozen=True):
    """A page: the doors' entries in order of arrival, then the engine's; ``next`` is the cursor of the next page."""

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


def second_content(digest: bytes, event: Event) -> QuarantinedDocument:
    """Return the document of a content that does not stand."""
    received = format_instant(event.received)
    return QuarantinedDocument(
        id=f"e{digest.hex()}{event.digest.hex()}",
        received=received,
        last_received=received,
        times=None,
        door=None,
        sender=None,
        source=event.source,
        event_id=event.id,
        type=event.type,
        reason="other_content",
        sentence="seen another content under this source and id, wanted one: the one received first counts",
    )


class _At(NamedTuple):
    """Where a page ended: after an entry of the doors, and, once these are through, after one of the engine's."""

    door: int = 0
    digest: bytes = b""
    content: bytes = b""


def routes(journal: JournalReader, reader: CaseReader) -> APIRouter:
    """Return the route of the quarantine."""
    router = APIRouter(tags=["quarantine"])
    one_at_a_time = Lock()
    schema = {"$ref": f"#/components/schemas/{QuarantineList.__name__}"}

    def engines(at: _At, limit: int) -> list[tuple[bytes, Event]]:
        with suppress(StoreUnavailable), reader.snapshot() as snapshot:
            return snapshot.store.other_contents_after(at.digest, at.content, limit)
        return []  # no store yet

    @router.get(
        "/api/v1/quarantine",
        summary="What was set aside, and why",
        response_class=Response,
        responses={200: {"description": "A page", "content": {"application/json": {"schema": schema}}}},
    )
    def get_quarantine(asked: Annotated[QuarantineAsked, Query()]) -> Response:
        """What came in again and again is one entry."""
        at = _At(*read_cursor(asked.cursor, tuple[int, bytes, bytes])) if asked.cursor else _At()
        wanted = asked.limit + 1
        with one_at_a_time:
            found = journal.quarantine(at.door, wanted)
        page = [(quarantined(entry), at._replace(door=entry.id)) for entry in found]
        if len(page) < wanted:
            through = page[-1][1] if page else at
            page += [
                (second_content(digest, event), through._replace(digest=digest, content=event.digest))
                for digest, event in engines(at, wanted - len(page))
            ]
        entries = [entry for entry, _ in page[: asked.limit]]
        more = write_cursor(page[asked.limit - 1][1]) if len(page) > asked.limit else None
        return json_answer(QuarantineList(entries, more))

    return router
