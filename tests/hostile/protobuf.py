"""OTLP requests as protobuf bytes, right and wrong."""

from __future__ import annotations

from tests.hostile import MARK

TRACE_ID, SPAN_ID = b"t" * 16, b"s" * 8
TIME = (1_760_000_000_000_000_000).to_bytes(8, "little")


def varint(number: int) -> bytes:
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def field(number: int, content: bytes) -> bytes:
    """Return a field of a length and content."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def attribute(key: bytes, value: bytes) -> bytes:
    """Return a key and an AnyValue."""
    return field(1, key) + field(2, value)


def text(value: bytes | str) -> bytes:
    return field(1, value.encode() if isinstance(value, str) else value)


RESOURCE = field(1, field(1, attribute(b"service.name", text(MARK))))


def traces(*spans: bytes, resource: bytes = RESOURCE) -> bytes:
    return field(1, resource + field(2, b"".join(field(2, span) for span in spans)))


def span(*more: bytes, trace_id: bytes = TRACE_ID, span_id: bytes = SPAN_ID, name: bytes = MARK.encode()) -> bytes:
    return field(1, trace_id) + field(2, span_id) + field(5, name) + b"\x41" + TIME + b"".join(more)


def logs(*records: bytes, resource: bytes = RESOURCE) -> bytes:
    return field(1, resource + field(2, b"".join(field(2, record) for record in records)))


def log(*more: bytes, name: bytes = b"hostile.happened", time: bytes = b"\x09" + TIME) -> bytes:
    return time + field(12, name) + b"".join(more)


def metrics(number: int) -> bytes:
    """Return a gauge of so many empty points."""
    return field(1, field(2, field(2, field(1, MARK.encode()) + field(5, b"\x0a\x00" * number))))


def value_of_depth(depth: int) -> bytes:
    """Return a text in so many arrays."""
    value = text("x")
    for _ in range(depth):
        value = field(5, field(1, value))
    return value
