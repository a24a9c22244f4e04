"""The canonical event: one thing that happened to business objects in one system, or one outcome of a flow.

Doors make events, the journal keeps them in blocks, lineage reads them. Nothing here knows processes: which
fields are keys is decided by definitions, later, so an event never has to be decoded again when they change.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

FieldValue = str | int | float | bool | list[str]
DIGEST_BYTES = 16
HISTORY_HEADER = "throughline-history"  # of a request whose events may be older than what is kept


class Relation(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A pair of keys that an event states explicitly, from one end to the other.

    ``from_scope`` and ``to_scope`` hold what stands beside at that end: scope fields, which win over the event's own.
    Where something does, any of them may be the key and the first one a scope field: definitions tell them apart.
    """

    from_type: str
    from_value: str
    to_type: str
    to_value: str
    qualifier: str | None = None
    from_scope: dict[str, str] | None = None
    to_scope: dict[str, str] | None = None


class Failure(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Why an outcome is a failure; ``category`` is one of ``ERROR_CATEGORIES``."""

    category: str = "unknown"
    code: str | None = None
    message: str | None = None
    retryable: bool | None = None
    attempt: int | None = None


ERROR_CATEGORIES = frozenset(
    {
        "authentication",
        "authorization",
        "validation",
        "missing_master_data",
        "conflict",
        "not_found",
        "rate_limit",
        "timeout",
        "unavailable",
        "mapping",
        "business_rule",
        "unknown",
    }
)


class Event(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One canonical event, immutable.

    ``time``, ``received`` and ``recorded`` are microseconds since the epoch (UTC); ``received`` is our own receipt.
    ``amount``, ``hours`` and the values of ``amounts`` are decimal text, exactly as written. ``fields`` holds every
    scalar and every array of scalars of the sender's ``data`` that has no attribute of its own here, keys and facts
    alike (region, legal_entity and practice among them, and ``correlation_id`` from the envelope); elements of arrays
    are text, a null element is the empty text. ``texts`` holds the exact text of a number whose text differs from
    ``str()`` of it. ``digest`` is over the content without the receipt: equal content, equal digest. ``history``: it
    may be older than what is kept; that is no part of its content.
    """

    source: str
    id: str
    type: str
    time: int
    received: int
    digest: bytes
    failed: bool
    fields: dict[str, FieldValue]
    relations: list[Relation] = []
    amount: str | None = None
    currency: str | None = None
    amounts: dict[str, str] | None = None
    hours: str | None = None
    error: Failure | None = None
    system: str | None = None
    instance: str | None = None
    flow: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    recorded: int | None = None
    subject: str | None = None
    causation_id: str | None = None
    sequence: str | None = None
    synthetic: bool = False
    texts: dict[str, str] | None = None
    history: bool = False

    def text(self, name: str) -> str | None:
        """Return a scalar field as text, exactly as the sender wrote it; None where it is absent or an array."""
        value = self.fields.get(name)
        if value is None or isinstance(value, list):
            return None
        if isinstance(value, str):
            return value
        if self.texts is not None and name in self.texts:
            return self.texts[name]
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)


_encoder = msgspec.msgpack.Encoder()
_block_decoder = msgspec.msgpack.Decoder(list[Event])


def content_digest(event: Event) -> bytes:
    """Return the digest of an event's content: all but receipt, digest and ``history``, fields in sorted order."""
    return _digest(msgspec.structs.replace(event, received=0, digest=b"", history=False))


def seal(draft: Event, received: int) -> Event:
    """Give a new event its receipt and the digest of its content, in place, and return it.

    The draft has ``received`` 0 and an empty ``digest`` and is known to its maker only; sealing in place
    spares a door the second construction of every event.
    """
    msgspec.structs.force_setattr(draft, "digest", _digest(draft))
    msgspec.structs.force_setattr(draft, "received", received)
    return draft


def _digest(draft: Event) -> bytes:
    return blake2b(_ordered.encode(draft), digest_size=DIGEST_BYTES).digest()


_ordered = msgspec.msgpack.Encoder(order="sorted")


def identity_digest(source: str, event_id: str) -> bytes:
    """Return the 16 bytes by which an event is counted once: of its ``source`` and ``id``."""
    return blake2b(f"{len(source)}:{source}{event_id}".encode(), digest_size=DIGEST_BYTES).digest()


def encode_block(events: list[Event]) -> bytes:
    """Return the canonical block of some events, uncompressed (msgpack arrays)."""
    return _encoder.encode(events)


def decode_block(block: bytes) -> list[Event]:
    """Read a canonical block; raises msgspec.DecodeError where it is none."""
    return _block_decoder.decode(block)
