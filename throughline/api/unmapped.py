"""Unmapped: events that are valid, but of types that no process declares."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from lineage.read import CaseReader
from lineage.unmapped import UnmappedDocument, unmapped_after
from throughline.api.answers import json_answer
from throughline.core.cursor import read_cursor, write_cursor


class UnmappedList(msgspec.Struct, frozen=True):
    """A page, by source, then type; ``next`` is the cursor of the next page."""

    unmapped: list[UnmappedDocument]
    next: str | None


class UnmappedAsked(BaseModel):
    """How much of it to give, and from where on."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: str | None = None


def routes(reader: CaseReader) -> APIRouter:
    """Return the route of what is unmapped."""
    router = APIRouter(tags=["unmapped"])
    schema = {"$ref": f"#/components/schemas/{UnmappedList.__name__}"}

    @router.get(
        "/api/v1/unmapped",
        summary="What no process knows, by source and type",
        response_class=Response,
        responses={200: {"description": "A page", "content": {"application/json": {"schema": schema}}}},
    )
    def get_unmapped(asked: Annotated[UnmappedAsked, Query()]) -> Response:
        """These events are kept, but go to no case: a mapping or a process of one's own makes them count."""
        source, kind = read_cursor(asked.cursor, tuple[str, str]) if asked.cursor else ("", "")
        with reader.snapshot() as snapshot:
            found = unmapped_after(snapshot.store, snapshot.definitions, source, kind, asked.limit + 1)
        page = found[: asked.limit]
        more = write_cursor((page[-1].source, page[-1].type)) if len(found) > asked.limit else None
        return json_answer(UnmappedList(page, more))

    return router
