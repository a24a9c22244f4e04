"""Bodies of requests, read with a limit, and checked against a form."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from throughline.core.faults import faults_of
from throughline.core.problem import Problem, ProblemKind

LARGEST_BODY_BYTES = 4 * 1024 * 1024

Form = TypeVar("Form", bound=BaseModel)


async def read_json(request: Request, most_bytes: int) -> object:
    """Return the JSON body of a request.

    Only ``application/json`` is taken: no page of a browser can send that to another host without asking first.
    Raises Problem for another content type, a body that is too large, and one that is no JSON.
    """
    _want_json(request)
    return _decoded(await _received(request, most_bytes))


async def read_json_if_any(request: Request, most_bytes: int) -> object:
    """Return the JSON body of a request, an empty object where it has none; raises as ``read_json``."""
    body = await _received(request, most_bytes)
    if not body:
        return {}
    _want_json(request)
    return _decoded(body)


def _want_json(request: Request) -> None:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Problem(
            ProblemKind.WRONG_MEDIA_TYPE, f"seen the content type {content_type[:64]!r}, wanted application/json"
        )


async def _received(request: Request, most_bytes: int) -> bytearray:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise Problem(ProblemKind.TOO_LARGE, f"seen more than {most_bytes} bytes, wanted at most so many")
    return body


def _decoded(body: bytearray) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(ProblemKind.UNREADABLE, f"the body is no JSON: {error}") from None


def read_form(form: type[Form], content: object) -> Form:
    """Read the members of a body; raises Problem with every fault."""
    try:
        return form.model_validate(content, by_alias=True, by_name=False)
    except ValidationError as error:
        faults = [
            {"in": "body", "parameter": fault.path, "seen": fault.seen, "wanted": fault.wanted}
            for fault in faults_of(error, "body", lambda _: None)
        ]
        first = faults[0]
        raise Problem(
            ProblemKind.INVALID, f"{first['parameter']}: seen {first['seen']}, wanted {first['wanted']}", faults=faults
        ) from None


def invalid(path: str, seen: str, wanted: str) -> Problem:
    """Return the problem of one member of a body."""
    faults = [{"in": "body", "parameter": path, "seen": seen, "wanted": wanted}]
    return Problem(ProblemKind.INVALID, f"{path}: seen {seen}, wanted {wanted}", faults=faults)
