"""Backfill: every figure of KPIs made anew, once a caller says so in a body that means it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from kpis.api import BackfillDocument, KpiDesk
from throughline.api.answers import json_answer
from throughline.api.body import read_form, read_json_if_any

LARGEST_BODY_BYTES = 64 * 1024


class BackfillAsked(BaseModel):
    """Nothing is said of what to look at anew: it is all."""

    model_config = ConfigDict(extra="forbid")


def routes(desk: KpiDesk) -> APIRouter:
    """Return the route by which figures are made anew."""
    router = APIRouter(tags=["kpis"])
    schema = {"$ref": f"#/components/schemas/{BackfillDocument.__name__}"}

    @router.post(
        "/api/v1/kpis/backfill",
        summary="Look at every case anew",
        status_code=202,
        response_class=Response,
        responses={202: {"description": "Ordered", "content": {"application/json": {"schema": schema}}}},
        openapi_extra={
            "requestBody": {
                "required": False,
                "content": {"application/json": {"schema": BackfillAsked.model_json_schema()}},
            }
        },
    )
    async def backfill(request: Request) -> Response:
        """Figures are made anew from all cases that are kept; published ones that come out otherwise are restated."""
        read_form(BackfillAsked, await read_json_if_any(request, LARGEST_BODY_BYTES))
        return json_answer(await run_in_threadpool(desk.backfill), 202)

    return router
