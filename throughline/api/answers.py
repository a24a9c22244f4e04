"""Answers: documents as JSON, refusals as problem documents; whatever comes in, no caller gets less than a sentence."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from throughline.core.errors import PassingError
from throughline.core.faults import path_text, show, wanted_by
from throughline.core.problem import MEDIA_TYPE, Problem, ProblemKind

RETRY_AFTER_SECONDS = 1
_KIND_OF_STATUS = {kind.status: kind for kind in ProblemKind}
_log = structlog.get_logger(__name__)


def json_answer(document: Any, status: int = 200) -> Response:
    """Return a document as the answer; structs and dicts keep the order of their members."""
    return Response(msgspec.json.encode(document), status, media_type="application/json")


def problem_answer(problem: Problem) -> Response:
    """Return a problem as the answer."""
    passing = problem.kind in (ProblemKind.UNAVAILABLE, ProblemKind.TOO_MANY)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if passing else {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.kind is ProblemKind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="throughline"'
    return Response(problem.encode(), problem.kind.status, headers, MEDIA_TYPE)


def answer_problems(app: FastAPI) -> None:
    """Have every failure of a request answered as a problem document."""

    @app.exception_handler(Problem)
    async def problem_raised(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_answer(problem_of_parameters(error))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem_answer(_problem_of_routing(request, error))

    @app.exception_handler(ClientDisconnect)
    async def left(_: Request, error: Exception) -> Response:
        return problem_answer(Problem(ProblemKind.UNREADABLE, "the caller left before the request was whole"))

    @app.exception_handler(PassingError)
    async def unavailable(_: Request, error: Exception) -> Response:
        return problem_answer(Problem(ProblemKind.UNAVAILABLE, f"{error}; try again in a moment"))

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        _log.error("request_failed", method=request.method, path=request.url.path, exc_info=error)
        return problem_answer(Problem(ProblemKind.FAILED, "an unexpected failure; the log of the API says which"))


def problem_of_parameters(error: RequestValidationError) -> Problem:
    """Say of each parameter what was seen and what was wanted."""
    faults: list[dict[str, str]] = []
    for found in error.errors():
        seen, wanted = wanted_by(found)
        where, *location = found["loc"]
        faults.append(
            {
                "in": str(where),
                "parameter": path_text(tuple(location)),
                "seen": "nothing" if found["type"] == "missing" else seen or show(found.get("input")),
                "wanted": wanted,
            }
        )
    first = faults[0]
    return Problem(
        ProblemKind.INVALID, f"{first['parameter']}: seen {first['seen']}, wanted {first['wanted']}", faults=faults
    )


def _problem_of_routing(request: Request, error: HTTPException) -> Problem:
    path = request.url.path
    match error.status_code:
        case 404:
            return Problem(ProblemKind.NOT_FOUND, f"seen the path {show(path)}; /openapi.json lists those there are")
        case 405:
            return Problem(
                ProblemKind.METHOD_NOT_ALLOWED, f"seen {request.method} {show(path)}; /openapi.json says what there is"
            )
        case status:
            kind = _KIND_OF_STATUS.get(status, ProblemKind.UNREADABLE)
            return Problem(kind, str(error.detail))
