"""Bodies of requests, read with a limit."""

from __future__ import annotations

import msgspec
from starlette.requests import Request

from throughline.core.problem import Problem, ProblemKind


async def read_json(request: Request, most_bytes: int) -> object:
    """Return the JSON body of a request.

    Only ``application/json`` is taken: no page of a browser can send that to another host without asking first.
    Raises Problem for another content type, a body that is too large, and one that is no JSON.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Problem(
            ProblemKind.WRONG_MEDIA_TYPE, f"seen the content type {content_type[:64]!r}, wanted application/json"
        )
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise Problem(ProblemKind.TOO_LARGE, f"seen more than {most_bytes} bytes, wanted at most so many")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(ProblemKind.UNREADABLE, f"the body is no JSON: {error}") from None
