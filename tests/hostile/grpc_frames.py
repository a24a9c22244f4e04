"""What comes to the gRPC door as frames that no library sends; each has to end, by an answer or with its connection."""

from __future__ import annotations

import gzip
import struct

from tests.hostile.http1 import bomb
from tests.hostile.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    HELLO,
    LOGS,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    block,
    data,
    frame,
    headers,
    message,
)
from tests.hostile.protobuf import log, logs

_GOOD = message(logs(log()))


def _setting(number: int, value: int) -> bytes:
    return struct.pack(">HI", number, value)


def _call(content: bytes, flags: int = END_STREAM, **changed: str | None) -> bytes:
    return HELLO + headers(**changed) + data(content, flags)


# The connection is no HTTP/2, or stops being one.
BROKEN: dict[str, bytes] = {
    "HTTP/1.1": b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a POST of HTTP/1.1": b"POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhello",
    "an upgrade to h2c": b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512),
    "zeros": bytes(500),
    "ones": b"\xff" * 500,
    "half a preface and nonsense": PREFACE[:10] + b"hostile" * 10,
    "a preface in small letters": PREFACE.lower() + bytes(50),
    "two prefaces": PREFACE * 2,
    "no settings first": PREFACE + frame(PING, 0, 0, bytes(8)) + frame(9, 0, 0, b"hostile"),
    "settings of a wrong length": PREFACE + frame(SETTINGS, 0, 0, b"\x00"),
    "settings on a stream": PREFACE + frame(SETTINGS, 0, 1, b""),
    "an acknowledgement with content": PREFACE + frame(SETTINGS, 1, 0, bytes(6)),
    "a window beyond 31 bits": PREFACE + frame(SETTINGS, 0, 0, _setting(4, 0xFFFFFFFF)),
    "frames too small": PREFACE + frame(SETTINGS, 0, 0, _setting(5, 1)),
    "frames too large": PREFACE + frame(SETTINGS, 0, 0, _setting(5, 0xFFFFFFFF)),
    "push that is neither": PREFACE + frame(SETTINGS, 0, 0, _setting(2, 7)),
    "a frame that says to be larger than allowed": HELLO + frame(PING, 0, 0, bytes(8), length=0xFFFFFF),
    "a ping of a wrong length": HELLO + frame(PING, 0, 0, bytes(7)),
    "a reset of a wrong length": HELLO + headers() + frame(RST_STREAM, 0, 1, bytes(3)),
    "a window update of a wrong length": HELLO + frame(WINDOW_UPDATE, 0, 0, bytes(3)),
    "a window update of nothing": HELLO + frame(WINDOW_UPDATE, 0, 0, bytes(4)),
    "headers of nonsense": HELLO + frame(HEADERS, END_HEADERS, 1, b"\xff" * 50),
    "an index beyond the table": HELLO + frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\x7f"),
    "an index without end": HELLO + frame(HEADERS, END_HEADERS, 1, b"\xff" + b"\x80" * 100),
    "a text that ends too early": HELLO + frame(HEADERS, END_HEADERS, 1, b"\x00\x7f\xff\x01hostile"),
    "a table beyond what is allowed": HELLO + frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\xff\xff\x7f"),
    "padding longer than its frame": HELLO + frame(HEADERS, END_HEADERS | 8, 1, b"\xff\x82"),
    "a continuation of nothing": HELLO + frame(CONTINUATION, END_HEADERS, 1, b"\x82"),
    "something between headers": HELLO + frame(HEADERS, 0, 1, b"\x82") + frame(PING, 0, 0, bytes(8)),
    "another stream between headers": HELLO + frame(HEADERS, 0, 1, b"\x82") + frame(CONTINUATION, 4, 3, b"\x82"),
    "data beyond the window": HELLO + headers() + b"".join(frame(DATA, 0, 1, bytes(16_384)) for _ in range(800)),
    "a goaway and more": HELLO + frame(GOAWAY, 0, 0, bytes(8)) + headers() + data(_GOOD)[:5],
}

# A call that is none of ours, or no call.
REFUSED: dict[str, bytes] = {
    "GET": _call(_GOOD, _method="GET"),
    "a method in small letters": _call(_GOOD, _method="post"),
    "no method": _call(_GOOD, _method=None),
    "no path": _call(_GOOD, _path=None),
    "an empty path": _call(_GOOD, _path=""),
    "a path without a slash": _call(_GOOD, _path=LOGS[1:]),
    "a path of dots": _call(_GOOD, _path="/../../etc/passwd"),
    "a path with a NUL": _call(_GOOD, _path=LOGS + "\0"),
    "a path of sixteen thousand letters": _call(_GOOD, _path="/" + "x" * 16_000),
    "an unknown service": _call(_GOOD, _path="/hostile.Service/Export"),
    "an unknown method": _call(_GOOD, _path=LOGS.replace("Export", "Delete")),
    "reflection": _call(_GOOD, _path="/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    "health": _call(_GOOD, _path="/grpc.health.v1.Health/Check"),
    "profiles": _call(_GOOD, _path="/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"),
    "no scheme": _call(_GOOD, _scheme=None),
    "a pseudo-header that there is not": _call(_GOOD, _hostile="1"),
    "a name in capitals": HELLO + frame(HEADERS, 5, 1, block({":method": "POST", "Hostile": "1"})),
    "headers of 100 KB": HELLO
    + headers(flags=0)
    + frame(CONTINUATION, 0, 1, block({"hostile": "x" * 16_000})) * 6
    + frame(CONTINUATION, END_HEADERS, 1, b"")
    + data(_GOOD),
    "binary metadata that is no base64": _call(_GOOD, **{"hostile-bin": "!!!"}),
    "an encoding that there is not": _call(message(b"hostile", flag=1), grpc_encoding="hostile"),
    "compressed without an encoding": _call(message(gzip.compress(logs(log())), flag=1)),
    "compressed with another encoding": _call(message(gzip.compress(logs(log())), flag=1), grpc_encoding="deflate"),
    "gzip that is none": _call(message(logs(log()), flag=1), grpc_encoding="gzip"),
    "gzip cut short": _call(message(gzip.compress(logs(log()))[:-5], flag=1), grpc_encoding="gzip"),
    "gzip in gzip": _call(message(gzip.compress(gzip.compress(logs(log()))), flag=1), grpc_encoding="gzip"),
    "a bomb": _call(message(bomb(12_000_000), flag=1), grpc_encoding="gzip"),
    "a flag that there is not": _call(message(logs(log()), flag=7)),
    "a message longer than it says": _call(message(logs(log()), length=3)),
    "a message shorter than it says": _call(message(logs(log()), length=10_000)),
    "a message of four gigabytes": _call(message(b"hostile", length=0xFFFFFFFF)),
    "a message above the limit": _call(message(b"hostile", length=2_000_000), flags=0),
    "half a head of a message": _call(b"\0\0\0"),
    "no message": _call(b""),
    "a time-out that is none": _call(_GOOD, grpc_timeout="hostile"),
    "a time-out before now": _call(b"", grpc_timeout="-1S", flags=0),
    "a time-out of nothing": _call(b"", grpc_timeout="0n", flags=0),
    "a time-out of nine digits": _call(b"", grpc_timeout="999999999H", _path="/hostile"),
    "a stream that depends on itself": HELLO + frame(HEADERS, 0x25, 1, struct.pack(">IB", 1, 1) + block({"a": "b"})),
    "the same stream twice": HELLO + headers(_path="/hostile") + data(b"") + headers(_path="/hostile") + data(b""),
    "a call that is reset": HELLO + headers() + data(_GOOD[:9], 0) + frame(RST_STREAM, 0, 1, bytes(4)) + b"\xff" * 9,
}

# What gRPC takes no notice of: the connection goes on.
IGNORED: dict[str, bytes] = {
    "a ping on a stream": HELLO + frame(PING, 0, 1, bytes(8)),
    "headers on stream 0": HELLO + frame(HEADERS, END_HEADERS, 0, b"\x82"),
    "headers on an even stream": HELLO + headers(stream=2) + data(_GOOD, stream=2),
    "data on stream 0": HELLO + frame(DATA, 0, 0, _GOOD),
    "data before headers": HELLO + data(_GOOD),
    "a promise": HELLO + frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + b"\x82"),
}

# Floods: each may be answered or ended; what counts is what becomes of the others.
FLOODS: dict[str, bytes] = {
    "settings": HELLO + frame(SETTINGS, 0, 0, b"") * 20_000,
    "settings that change the table": HELLO + frame(SETTINGS, 0, 0, _setting(1, 0) + _setting(1, 4096)) * 10_000,
    "pings": HELLO + frame(PING, 0, 0, bytes(8)) * 20_000,
    "resets": HELLO + frame(RST_STREAM, 0, 1, bytes(4)) * 20_000,
    "calls that are reset at once": HELLO
    + b"".join(headers(stream) + frame(RST_STREAM, 0, stream, bytes(4)) for stream in range(1, 10_001, 2)),
    "calls of nothing": HELLO + b"".join(headers(stream) + data(b"", stream=stream) for stream in range(1, 4_001, 2)),
    "calls that go on for ever": HELLO + b"".join(headers(stream) for stream in range(1, 2_001, 2)),
    "window updates": HELLO + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 20_000,
    "priorities": HELLO + b"".join(frame(PRIORITY, 0, n, struct.pack(">IB", 0, 1)) for n in range(1, 20_001, 2)),
    "empty data": HELLO + headers() + frame(DATA, 0, 1, b"") * 50_000,
    "empty headers": HELLO + frame(HEADERS, 0, 1, b"") + frame(CONTINUATION, 0, 1, b"") * 50_000,
    "headers without end": HELLO + frame(HEADERS, 0, 1, b"") + frame(CONTINUATION, 0, 1, block({"h": "v"})) * 50_000,
    "padding": HELLO + headers() + frame(DATA, 8, 1, b"\xff" + bytes(255)) * 500,
    "frames of an unknown kind": HELLO + frame(200, 0, 0, bytes(100)) * 10_000,
    "messages without end": HELLO + headers() + b"".join(frame(DATA, 0, 1, message(b"")) for _ in range(4_000)),
}
