"""What OTLP answers, on HTTP and gRPC alike: partial success, and codes of google.rpc."""

from __future__ import annotations

from typing import Final

import grpc

from collector.reading import Reading, Refusal, Signal

MOST_SENTENCES: Final = 3

_CODES: Final = {
    Refusal.MALFORMED: grpc.StatusCode.INVALID_ARGUMENT,
    Refusal.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Refusal.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Refusal.NOT_FOUND: grpc.StatusCode.UNIMPLEMENTED,
    Refusal.METHOD_NOT_ALLOWED: grpc.StatusCode.UNIMPLEMENTED,
    Refusal.TOO_SLOW: grpc.StatusCode.DEADLINE_EXCEEDED,
    Refusal.TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refusal.HEADERS_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refusal.UNSUPPORTED: grpc.StatusCode.UNIMPLEMENTED,
    Refusal.ALL_SET_ASIDE: grpc.StatusCode.INVALID_ARGUMENT,
    Refusal.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refusal.FAILED_TOO_OFTEN: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refusal.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refusal.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}


def status_code(refusal: Refusal) -> grpc.StatusCode:
    """Return the gRPC status of a refusal."""
    return _CODES[refusal]


def google_code(refusal: Refusal) -> int:
    """Return the number of google.rpc.Code of a refusal."""
    code: int = _CODES[refusal].value[0]
    return code


def partial_success(signal: Signal, reading: Reading) -> tuple[int, str]:
    """Return how many records are rejected, and the sentence for their sender; 0 and none where all is well.

    A span whose event is set aside is kept for the trace view, so it isn't rejected: 0 with a sentence is a warning.
    """
    set_aside = len(reading.rejected)
    if signal is Signal.METRICS:
        return (
            reading.metric_points,
            "metrics are not kept here: switch their export off" if reading.metric_points else "",
        )
    if not set_aside and not reading.invalid_spans:
        return 0, ""
    sentences: list[str] = []
    if reading.invalid_spans:
        sentences.append(f"{reading.invalid_spans} spans without valid trace and span ids")
    if set_aside:
        sentences.append(f"{set_aside} events set aside")
    for rejected in reading.rejected[:MOST_SENTENCES]:
        sentences.append(f"record {rejected.index}: {rejected.set_aside.reason}: {rejected.set_aside.sentence}")
    rejected = reading.invalid_spans if signal is Signal.TRACES else set_aside
    return rejected, "; ".join(sentences)
