"""HTTP/2 and gRPC as frames, for what no library sends."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from contextlib import closing, suppress

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
EXPORT = "/opentelemetry.proto.collector.{}.v1.{}Service/Export"
LOGS, TRACES, METRICS = (
    EXPORT.format(*name) for name in (("logs", "Logs"), ("trace", "Trace"), ("metrics", "Metrics"))
)
CALL = {
    ":method": "POST",
    ":scheme": "http",
    ":path": LOGS,
    ":authority": "localhost",
    "content-type": "application/grpc",
    "te": "trailers",
}


def frame(kind: int, flags: int, stream: int, payload: bytes, length: int | None = None) -> bytes:
    """Return a frame; ``length`` is what it says of its payload's length."""
    said = len(payload) if length is None else length
    return struct.pack(">I", said)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _length(size: int) -> bytes:
    """Return a length of HPACK, 7 bits in its first byte. Source: RFC 7541, 5.1."""
    if size < 127:
        return bytes([size])
    encoded, size = b"\x7f", size - 127
    while size > 127:
        encoded += bytes([size & 127 | 128])
        size >>= 7
    return encoded + bytes([size])


def block(fields: Mapping[str, str]) -> bytes:
    """Return header fields as literals without a table."""
    texts = ((name.encode(), value.encode("latin-1")) for name, value in fields.items())
    return b"".join(b"\x00" + _length(len(name)) + name + _length(len(value)) + value for name, value in texts)


def headers(stream: int = 1, flags: int = END_HEADERS, **changed: str | None) -> bytes:
    """Return the headers of a call; names with _ for -, a leading _ for a colon; None leaves a header out."""
    names = {name.replace("_", ":", 1) if name[0] == "_" else name.replace("_", "-"): changed[name] for name in changed}
    fields = {name: value for name, value in (CALL | names).items() if value is not None}
    return frame(HEADERS, flags, stream, block(fields))


def message(content: bytes, flag: int = 0, length: int | None = None) -> bytes:
    """Return a gRPC message; ``length`` is what it says of its length."""
    return struct.pack(">BI", flag, len(content) if length is None else length) + content


def data(content: bytes, flags: int = END_STREAM, stream: int = 1) -> bytes:
    return frame(DATA, flags, stream, content)


HELLO = PREFACE + frame(SETTINGS, 0, 0, b"")
_STILL_THERE = b"stillthr"
ARE_YOU_THERE = frame(PING, 0, 0, _STILL_THERE)


def ended(address: str, sent: bytes, seconds: float = 20.0) -> tuple[bool, list[int]]:
    """Send bytes; return whether the peer ended the call or the connection in time, and the kinds of frames it sent.

    To answer ``ARE_YOU_THERE`` is an end as well.
    """
    host, _, port = address.rpartition(":")
    end = time.monotonic() + seconds
    received = b""
    with closing(socket.create_connection((host, int(port)), timeout=seconds)) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        while time.monotonic() < end:
            kinds, over = _frames(received)
            if over:
                return True, kinds
            connection.settimeout(max(0.01, end - time.monotonic()))
            try:
                piece = connection.recv(65_536)
            except ConnectionError:
                return True, kinds
            except TimeoutError:
                break
            if not piece:
                return True, kinds
            received += piece
    return False, _frames(received)[0]


def _frames(received: bytes) -> tuple[list[int], bool]:
    """Return the kinds of whole frames, and whether one of them ends a call or the connection."""
    kinds: list[int] = []
    over = False
    while len(received) >= 9:
        size, kind, flags = int.from_bytes(received[:3], "big"), received[3], received[4]
        if len(received) < 9 + size:
            break
        kinds.append(kind)
        over = over or (kind == PING and received[9 : 9 + size] == _STILL_THERE)
        over = over or kind in (RST_STREAM, GOAWAY) or (kind in (DATA, HEADERS) and bool(flags & END_STREAM))
        received = received[9 + size :]
    return kinds, over
