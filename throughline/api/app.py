"""The application: every slice's routes under one guard, one form of refusal and one OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from throughline.api.access import Access
from throughline.api.answers import answer_problems, problem_answer
from throughline.core.problem import Problem

_OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_DESCRIPTION = (
    "Watches business processes across systems: look up any record by any of its keys, list cases, state links. "
    "Refusals are problem documents (RFC 9457). Times are RFC 3339 in UTC, amounts are decimal texts."
)


def create_app(routers: Iterable[APIRouter], access: Access) -> FastAPI:
    """Return the application of these routes.

    OpenAPI is at ``/openapi.json``; there is no page for it, since that would load its parts from elsewhere.
    """
    app = FastAPI(
        title="Throughline", version=version("throughline"), description=_DESCRIPTION, docs_url=None, redoc_url=None
    )
    answer_problems(app)
    for router in routers:
        app.include_router(router)
    app.add_middleware(Guard, access=access)
    return app


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
            self._access.principal(headers.get("authorization"))
