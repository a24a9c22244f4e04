"""The application: every slice's routes under one guard, one form of refusal and one OpenAPI document."""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from throughline.api.access import ASKER, Access
from throughline.api.answers import answer_problems, problem_answer
from throughline.api.parameters import refuse_repeated
from throughline.core.metric_names import API_REQUESTS, API_SECONDS
from throughline.core.metrics import TRACE, Meter
from throughline.core.problem import Problem
from throughline.core.traceparent import trace_of

_OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_DESCRIPTION = (
    "Watches business processes across systems: look up any record by any of its keys, list cases, state links. "
    "Refusals are problem documents (RFC 9457). Times are RFC 3339 in UTC, amounts are decimal texts."
)
_NOT_OURS = ("HTTPValidationError", "ValidationError")  # what the framework would answer by itself
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Why a request is refused (RFC 9457); some kinds have further members.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
_REFUSED: dict[str, Any] = {
    "description": "Refused, with the reason",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def create_app(routers: Iterable[APIRouter], documents: Iterable[type], access: Access, meter: Meter) -> FastAPI:
    """Return the application of these routes; the JSON Schema of each document is part of its OpenAPI.

    OpenAPI is at ``/openapi.json``; there is no page for it, since that would load its parts from elsewhere.
    """
    app = FastAPI(
        title="Throughline",
        version=version("throughline"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(refuse_repeated)],
    )
    answer_problems(app)
    for router in routers:
        app.include_router(router)
    app.add_middleware(Guard, access=access)
    app.add_middleware(Count, meter=meter)
    _publish(app, documents)
    return app


def _publish(app: FastAPI, documents: Iterable[type]) -> None:
    """Add the schemas of the documents to the OpenAPI of the application."""
    plain = app.openapi
    _, components = msgspec.json.schema_components(documents, ref_template="#/components/schemas/{name}")

    def openapi() -> dict[str, Any]:
        document = plain()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in _NOT_OURS:
            schemas.pop(name, None)
        schemas.update(components, Problem=_PROBLEM)
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = _REFUSED
        return document

    app.openapi = openapi


class Count:
    """Counts requests by class of status, and the time that each takes."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._answers = {word: meter.counter(API_REQUESTS, status=word) for word in API_REQUESTS.labels["status"]}
        self._seconds = meter.histogram(API_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        trace = trace_of(Headers(scope=scope).get("traceparent", ""))
        status = 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            self._answers[f"{status // 100}xx"].inc()
            self._seconds.observe(time.perf_counter() - started, {TRACE: trace} if trace else None)


class Guard:
    """Lets a request in only where it may come from here, and shows a token where one is needed."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, connection: Scope, receive: Receive, send: Send) -> None:
        if connection["type"] == "http":
            try:
                self._check(connection)
            except Problem as problem:
                await problem_answer(problem)(connection, receive, send)
                return
        await self._app(connection, receive, send)

    def _check(self, connection: Scope) -> None:
        headers = Headers(scope=connection)
        self._access.check_origin(headers)
        if connection["path"] not in _OPEN_PATHS:
            address = (connection["client"] or ("unknown",))[0]
            authorization = headers.get("authorization", "")
            connection[ASKER] = self._access.let_in(connection["method"], authorization, address)
