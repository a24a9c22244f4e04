"""Answers of the HTTP doors: receipts, problem documents (RFC 9457), and OTLP's own forms of both."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from collector.http_types import Answer
from collector.intake import AllSetAside, Receipt
from collector.otlp_answers import google_code, partial_success
from collector.otlp_wire import wire
from collector.reading import Refusal, Refused, Signal
from throughline.core.problem import MEDIA_TYPE as PROBLEM
from throughline.core.problem import Problem, ProblemKind

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
POSITION_HEADER: Final = "throughline-position"

_KINDS: Final = {
    Refusal.MALFORMED: ProblemKind.UNREADABLE,
    Refusal.UNAUTHENTICATED: ProblemKind.UNAUTHENTICATED,
    Refusal.FORBIDDEN: ProblemKind.FORBIDDEN,
    Refusal.NOT_FOUND: ProblemKind.NOT_FOUND,
    Refusal.METHOD_NOT_ALLOWED: ProblemKind.METHOD_NOT_ALLOWED,
    Refusal.TOO_SLOW: ProblemKind.TOO_SLOW,
    Refusal.TOO_LARGE: ProblemKind.TOO_LARGE,
    Refusal.HEADERS_TOO_LARGE: ProblemKind.HEADERS_TOO_LARGE,
    Refusal.UNSUPPORTED: ProblemKind.WRONG_MEDIA_TYPE,
    Refusal.ALL_SET_ASIDE: ProblemKind.INVALID,
    Refusal.RATE_LIMITED: ProblemKind.TOO_MANY,
    Refusal.FAILED_TOO_OFTEN: ProblemKind.TOO_MANY,
    Refusal.OVERLOADED: ProblemKind.TOO_MANY,
    Refusal.UNAVAILABLE: ProblemKind.UNAVAILABLE,
}


def receipt_answer(receipt: Receipt) -> Answer:
    """Return the answer to a sender of CloudEvents whose events are durable."""
    document = {
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        "set_aside": _set_aside(receipt),
        "position": receipt.position,
    }
    return Answer(202, JSON, msgspec.json.encode(document), ((POSITION_HEADER, receipt.position),))


def _set_aside(receipt: Receipt) -> list[dict[str, Any]]:
    return [
        {"index": rejected.index, "reason": rejected.set_aside.reason, "detail": rejected.set_aside.sentence}
        for rejected in receipt.set_aside
    ]


def problem_answer(refused: Refused, allowed: str) -> Answer:
    """Return the problem document of a refusal; ``allowed`` lists the methods of the path."""
    more: dict[str, Any] = {"reason": refused.refusal}
    if isinstance(refused, AllSetAside):
        more["set_aside"] = _set_aside(refused.receipt)
    problem = Problem(_KINDS[refused.refusal], refused.sentence, **more)
    return Answer(problem.kind.status, PROBLEM, problem.encode(), _headers(refused, allowed))


def _headers(refused: Refused, allowed: str) -> tuple[tuple[str, str], ...]:
    headers: tuple[tuple[str, str], ...] = ()
    if refused.retry_after is not None:
        headers += (("retry-after", str(refused.retry_after)),)
    if refused.refusal is Refusal.METHOD_NOT_ALLOWED:
        headers += (("allow", allowed),)
    if refused.refusal is Refusal.UNAUTHENTICATED:
        headers += (("www-authenticate", 'Bearer realm="throughline"'),)
    return headers


def export_answer(signal: Signal, media_type: str, receipt: Receipt) -> Answer:
    """Return OTLP's answer to an export, in the form of the request; full success has an empty message."""
    rejected, sentence = partial_success(signal, receipt.reading)
    if media_type == JSON:
        body = msgspec.json.encode(_partial_success_json(signal, rejected, sentence))
    else:
        body = response_message(rejected, sentence)
    return Answer(200, media_type, body, ((POSITION_HEADER, receipt.position),))


_REJECTED_MEMBERS: Final = {
    Signal.TRACES: "rejectedSpans",
    Signal.LOGS: "rejectedLogRecords",
    Signal.METRICS: "rejectedDataPoints",
}


def _partial_success_json(signal: Signal, rejected: int, sentence: str) -> dict[str, Any]:
    if not rejected and not sentence:
        return {}
    # 64-bit integers are texts in OTLP/JSON
    return {"partialSuccess": {_REJECTED_MEMBERS[signal]: str(rejected), "errorMessage": sentence}}


def response_message(rejected: int, sentence: str) -> bytes:
    """Return an Export…ServiceResponse; those of all signals have the same form."""
    response = wire().Response()
    if rejected or sentence:
        response.partial_success.rejected = rejected
        response.partial_success.error_message = sentence
    return response.SerializeToString()


def status_answer(refused: Refused, media_type: str, allowed: str) -> Answer:
    """Return the google.rpc.Status of a refusal, which OTLP/HTTP asks for, in the form of the request."""
    kind = _KINDS[refused.refusal]
    code = google_code(refused.refusal)
    if media_type == PROTOBUF:
        body = wire().RpcStatus(code=code, message=refused.sentence).SerializeToString()
    else:
        body = msgspec.json.encode({"code": code, "message": refused.sentence})
    answered = PROTOBUF if media_type == PROTOBUF else JSON
    return Answer(kind.status, answered, body, _headers(refused, allowed))
