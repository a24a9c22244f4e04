"""What a door makes of one request: events, span facts and what is set aside; or a refusal of the whole request."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from collector.setaside import SetAside
from throughline.core.errors import ThroughlineError
from throughline.core.event import Event
from throughline.core.journal import LogFact, SpanFact
from throughline.core.masking import masked

MOST_RECORDS: Final = 100_000  # events, spans or log records in one request


class Signal(StrEnum):
    """What a request carries; the doors of one signal answer alike, whatever the protocol."""

    EVENTS = "events"
    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"
    JSON = "json"  # bodies of any form, by a mapping


class Door(StrEnum):
    """Where a request came in."""

    CLOUDEVENTS = "cloudevents"
    OTLP_HTTP = "otlp_http"
    OTLP_GRPC = "otlp_grpc"
    JSON = "json"


class Refusal(StrEnum):
    """Why a request as a whole is refused; the same word stands in answers, metrics and logs."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"  # the token is known, but not for this
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    UNSUPPORTED = "unsupported"
    ALL_SET_ASIDE = "all_set_aside"
    RATE_LIMITED = "rate_limited"  # more than this sender's share: come back then
    FAILED_TOO_OFTEN = "failed_too_often"  # sign-ins from there: come back then
    OVERLOADED = "overloaded"  # too much at once: come back soon
    UNAVAILABLE = "unavailable"  # the journal can't be written now: come back later


class Refused(ThroughlineError):
    """A request is refused, with a sentence that shows no secret; ``retry_after`` in seconds where it may come back."""

    def __init__(self, refusal: Refusal, sentence: str, retry_after: int | None = None) -> None:
        self.refusal = refusal
        self.sentence = masked(sentence)
        self.retry_after = retry_after
        super().__init__(self.sentence)


def bound_records(count: int) -> None:
    """Raise Refused where a request holds more records than may come at once."""
    if count > MOST_RECORDS:
        raise Refused(Refusal.TOO_LARGE, f"seen more than {MOST_RECORDS:,} records in one request, wanted fewer")


class Rejected(msgspec.Struct, frozen=True):
    """One event of a request that is set aside: ``index`` counts from 0 within the request.

    ``content_type`` and ``body`` hold it as a request of its own, so that it can be taken again later.
    """

    index: int
    set_aside: SetAside
    content_type: str
    body: bytes
    source: str | None = None
    event_id: str | None = None
    type: str | None = None


class Reading(msgspec.Struct):
    """What one request carries. ``invalid_spans`` were dropped for their ids; ``metric_points`` are never kept.

    ``mapped`` names the mapping of each input that became what a mapping made of it.
    """

    events: list[Event] = []
    spans: list[SpanFact] = []
    logs: list[LogFact] = []
    rejected: list[Rejected] = []
    invalid_spans: int = 0
    metric_points: int = 0
    ignored_traceparents: int = 0
    mapped: list[str] = []
