"""What one request brings to the journal, encoded: from here on only bytes are kept in hand."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from throughline.core.journal import RawRequest, ReplayOutcome


class Quarantined(msgspec.Struct, frozen=True, gc=False):
    """An event that a door set aside, with its body as a request of its own."""

    received: int
    door: str
    sender: str
    source: str | None
    event_id: str | None
    type: str | None
    reason: str
    sentence: str
    signal: str
    content_type: str
    body: bytes


class Replayed(msgspec.Struct, frozen=True, gc=False):
    """That a set-aside event was taken again, or set aside again: ``entry`` is its id in the quarantine."""

    entry: int
    at: int
    by: str
    outcome: ReplayOutcome
    events: int
    reason: str | None = None
    sentence: str | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Events, spans and logs are msgpack arrays of the given lengths; ``size`` is in bytes, all together.

    ``request`` is None where nothing of it was taken: then only its quarantined events are kept.
    """

    request: RawRequest | None
    events: bytes
    event_count: int
    spans: bytes
    span_count: int
    logs: bytes
    log_count: int
    quarantined: Sequence[Quarantined]
    size: int
    replayed: Replayed | None = None
