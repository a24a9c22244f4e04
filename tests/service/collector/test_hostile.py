"""Nothing that a sender can send breaks the collector: an answer each, nothing half taken, good traffic goes on."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import grpc
import pytest

from tests.running_collector import BATCH, CLOUDEVENT, RunningCollector, cloudevent, records
from tests.service.serving import until

PROTOBUF = "application/x-protobuf"
LIMITS = {
    "body_bytes": 200_000,
    "inflated_bytes": 1_000_000,
    "header_bytes": 8_192,
    "connections": 50,
    "request_seconds": 1.5,
    "queue_bytes": 4_194_304,
}
MOST_MEMORY = 400 * 1024 * 1024


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    with RunningCollector(tmp_path_factory.mktemp("data"), LIMITS) as running:
        yield running


def request(content_type: str, body: bytes, path: str = "/v1/events", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: h\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


def of_length(length: str) -> bytes:
    return request(CLOUDEVENT, b"").replace(b"content-length: 0", f"content-length: {length}".encode())


def gzipped(content_type: str, body: bytes, path: str = "/v1/events") -> bytes:
    return request(content_type, body, path, "content-encoding: gzip\r\n")


def event(**changed: Any) -> bytes:
    return json.dumps(cloudevent(1, **changed)).encode()


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = f"POST /v1/events HTTP/1.1\r\nhost: h\r\ncontent-type: {CLOUDEVENT}\r\ntransfer-encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def varint(number: int) -> bytes:
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def wrapped(depth: int) -> bytes:
    """Return an attribute value nested that deep, as protobuf."""
    value = b"\x0a\x01x"
    for _ in range(depth):
        inner = b"\x0a" + varint(len(value)) + value
        value = b"\x2a" + varint(len(inner)) + inner
    return value


def traces_of(attribute: bytes) -> bytes:
    pair = b"\x0a\x01k\x12" + varint(len(attribute)) + attribute
    span = b"\x0a\x10" + b"t" * 16 + b"\x12\x08" + b"s" * 8 + b"\x4a" + varint(len(pair)) + pair
    for field in (b"\x12", b"\x12", b"\x0a"):
        span = field + varint(len(span)) + span
    return span


# Each is answered with a status of the 400s.
REFUSED = {
    "no JSON": request(CLOUDEVENT, b"{nonsense"),
    "JSON cut short": request(CLOUDEVENT, event()[:-5]),
    "two JSON documents": request(CLOUDEVENT, event() * 2),
    "NaN": request(CLOUDEVENT, b'{"specversion": NaN}'),
    "empty body": request(CLOUDEVENT, b""),
    "invalid UTF-8": request(CLOUDEVENT, event().replace(b"TE-1", b"TE-\xff")),
    "half a surrogate pair": request(CLOUDEVENT, event().replace(b"TE-1", rb"TE-\ud800")),
    "UTF-16": request(CLOUDEVENT, event().decode().encode("utf-16")),
    "byte order mark": request(CLOUDEVENT, b"\xef\xbb\xbf" + event()),
    "deep nesting": request(CLOUDEVENT, nested(20_000)),
    "deep nesting in data": request(CLOUDEVENT, event(data={}).replace(b'"data": {}', b'"data": ' + nested(200))),
    "deep arrays in a batch": request(BATCH, b"[" * 50_000),
    "deep OTLP JSON": request("application/json", nested(500), "/v1/traces"),
    "array instead of an object": request(CLOUDEVENT, b"[1]"),
    "huge number": request(CLOUDEVENT, event(data={}).replace(b'"data": {}', b'"data": {"a": 1e999999}')),
    "huge integer": request(CLOUDEVENT, event(data={}).replace(b'"data": {}', b'"data": {"a": %s}' % (b"9" * 4_000))),
    "huge amount": request(CLOUDEVENT, event(data={"amount": "9" * 100, "currency": "EUR"})),
    "NUL in the type": request(CLOUDEVENT, event(type="a\x00b")),
    "NUL in the id": request(CLOUDEVENT, event(id="\x00")),
    "a type of ours": request(CLOUDEVENT, event(type="throughline.unlink")),
    "the year 2062": request(CLOUDEVENT, event(time="2062-01-01T00:00:00Z")),
    "the year 0": request(CLOUDEVENT, event(time="0000-01-01T00:00:00Z")),
    "a million keys": request(BATCH, b"[" + event(data={"time_entry": ["x"] * 20_000}) + b"]"),
    "a thousand fields": request(CLOUDEVENT, event(data={f"f{n}": n for n in range(1_500)})),
    "a long id": request(CLOUDEVENT, event(id="x" * 5_000)),
    "gzip that is none": gzipped(CLOUDEVENT, event()),
    "gzip cut short": gzipped(CLOUDEVENT, gzip.compress(event())[:-4]),
    "gzip with a wrong checksum": gzipped(CLOUDEVENT, gzip.compress(event())[:-8] + bytes(8)),
    "gzip in gzip": gzipped(CLOUDEVENT, gzip.compress(gzip.compress(event()))),
    "zlib": gzipped(CLOUDEVENT, zlib.compress(event())),
    "gzip bomb": gzipped(CLOUDEVENT, gzip.compress(bytes(20_000_000))),
    "gzip bomb of spaces": gzipped(CLOUDEVENT, gzip.compress(b" " * 20_000_000)),
    "gzip bomb of traces": gzipped(PROTOBUF, gzip.compress(bytes(20_000_000)), "/v1/traces"),
    "unknown coding": request(CLOUDEVENT, event(), more="content-encoding: br\r\n"),
    "two codings": request(CLOUDEVENT, event(), more="content-encoding: gzip, gzip\r\n"),
    "a large body": request(CLOUDEVENT, b" " * 300_000),
    "a length of petabytes": of_length("9999999999999999"),
    "a length beyond 64 bits": of_length("9" * 30),
    "a negative length": of_length("-5"),
    "two lengths": request(CLOUDEVENT, event(), more="content-length: 3\r\n"),
    "length and chunks": request(CLOUDEVENT, event(), more="transfer-encoding: chunked\r\n"),
    "large chunks": chunked(*[b" " * 50_000] * 6),
    "a chunk of no number": chunked(end=b"zz\r\n\r\n"),
    "a chunk of a huge number": chunked(end=b"ffffffffffffffffff\r\n"),
    "many headers": request(CLOUDEVENT, event(), more="".join(f"h{n}: v\r\n" for n in range(2_000))),
    "a long header": request(CLOUDEVENT, event(), more=f"h: {'v' * 20_000}\r\n"),
    "a long path": request(CLOUDEVENT, event(), "/" + "x" * 20_000),
    "a header with a NUL": request(CLOUDEVENT, event(), more="h: a\x00b\r\n"),
    "a folded header": request(CLOUDEVENT, event(), more="h: a\r\n b\r\n c: d\r\n").replace(b"host: h", b" host"),
    "HTTP/2 by surprise": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50),
    "TLS by surprise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "no HTTP": b"\x00" * 100,
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n",
    "an absolute path outside": request(CLOUDEVENT, event(), "http://example.org/v1/events"),
    "dots in the path": request(CLOUDEVENT, event(), "/v1/../../etc/passwd"),
    "binary without JSON": request("application/octet-stream", b"\x00", more="ce-specversion: 1.0\r\nce-id: 1\r\n"),
    "binary with bad percents": request("application/json", b"{}", more="ce-id: %ff%fe\r\nce-type: a\r\n"),
    "another charset": request(CLOUDEVENT + "; charset=utf-7", event()),
    "protobuf of nonsense": request(PROTOBUF, b"\xff" * 100, "/v1/traces"),
    "protobuf cut short": request(PROTOBUF, traces_of(b"\x0a\x01x")[:-1], "/v1/traces"),
    "protobuf with a length beyond": request(PROTOBUF, b"\x0a\xff\xff\xff\xff\x0f", "/v1/traces"),
    "protobuf of deep groups": request(PROTOBUF, b"\x0b" * 10_000, "/v1/traces"),
    "protobuf of deep values": request(PROTOBUF, traces_of(wrapped(5_000)), "/v1/traces"),
    "protobuf with invalid text": request(PROTOBUF, traces_of(b"\x0a\x02\xff\xfe"), "/v1/traces"),
    "logs as traces in JSON": request("application/json", b'{"resourceSpans": "x"}', "/v1/traces"),
    "spans without ids": request(PROTOBUF, traces_of(b"\x0a\x01x").replace(b"t" * 16, bytes(16)), "/v1/traces"),
    "CloudEvents at OTLP": request(CLOUDEVENT, event(), "/v1/traces"),
}


def answer_to(address: str, data: bytes, wait_seconds: float = 15.0) -> tuple[int, bytes]:
    """Send bytes and return the status of the first answer, 0 where the connection ended without one."""
    host, port = address.split(":")
    with closing(socket.create_connection((host, int(port)), timeout=wait_seconds)) as connection:
        with suppress(ConnectionError):
            connection.sendall(data)
        received = b""
        while b"\r\n\r\n" not in received:
            try:
                piece = connection.recv(65_536)
            except ConnectionError:
                break
            if not piece:
                break
            received += piece
    return (int(received.split()[1]) if received else 0), received


def memory_of(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_clearly_and_nothing_of_it_is_taken(collector: RunningCollector, name: str) -> None:
    data = REFUSED[name]
    door = "otlp_http" if b" /v1/traces " in data[:60] else "http"
    before = len(records(collector.data))
    status, answer = answer_to(collector.addresses[door], data)
    assert 400 <= status < 500, answer
    assert len(records(collector.data)) == before
    assert collector.send(cloudevent(2)).status_code == 202
    assert memory_of(collector.pid) < MOST_MEMORY


SLOW = {
    "a head that never ends": b"POST /v1/events HTTP/1.1\r\nhost:",
    "a body that never comes": request(CLOUDEVENT, b"x" * 100)[:-50],
    "chunks that never end": chunked(b" ", end=b""),
    "one byte": b"P",
}


@pytest.mark.parametrize("name", SLOW)
def test_who_never_ends_is_ended(collector: RunningCollector, name: str) -> None:
    status, answer = answer_to(collector.addresses["http"], SLOW[name])
    assert status == 408, answer


def test_who_says_nothing_is_ended(collector: RunningCollector) -> None:
    assert answer_to(collector.addresses["http"], b"") == (0, b"")


def test_connections_that_never_ask_make_room_for_those_that_do(collector: RunningCollector) -> None:
    host, port = collector.addresses["http"].split(":")
    assert collector.send(cloudevent(3)).status_code == 202  # this connection is kept alive
    idle = [socket.create_connection((host, int(port)), timeout=15) for _ in range(300)]
    try:
        for number in range(20):
            assert collector.send(cloudevent(100 + number)).status_code == 202
        status, _ = answer_to(collector.addresses["http"], request(CLOUDEVENT, event()))
        assert status == 202
    finally:
        for connection in idle:
            connection.close()


def http2_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HTTP2 = {
    "HTTP/1.1": b"GET / HTTP/1.1\r\nhost: h\r\n\r\n",
    "nonsense": b"\x00" * 200,
    "a frame of a wrong length": PREFACE + http2_frame(4, 0, 0, b"\x00"),
    "a frame cut short": PREFACE + http2_frame(4, 0, 0, b"") + b"\x00\xff\xff\x00",
    "data on no stream": PREFACE + http2_frame(4, 0, 0, b"") + http2_frame(0, 0, 1, b"\x00" * 10),
    "settings by the thousand": PREFACE + http2_frame(4, 0, 0, b"") * 2_000,
    "resets by the thousand": PREFACE + http2_frame(4, 0, 0, b"") + http2_frame(3, 0, 1, bytes(4)) * 2_000,
}


@pytest.mark.parametrize("name", HTTP2)
def test_frames_that_are_none_do_not_harm_the_grpc_door(collector: RunningCollector, name: str) -> None:
    host, port = collector.addresses["otlp_grpc"].split(":")
    with closing(socket.create_connection((host, int(port)), timeout=15)) as connection:
        connection.sendall(HTTP2[name])
        connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while connection.recv(65_536):
                pass
    assert collector.send(cloudevent(4)).status_code == 202


EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
TOO_SLOW = 'throughline_requests_total{door="otlp_grpc",outcome="too_slow"}'
CALL = {
    ":method": "POST",
    ":scheme": "http",
    ":path": EXPORT,
    ":authority": "h",
    "content-type": "application/grpc",
    "te": "trailers",
}


def http2_headers(stream: int) -> bytes:
    """Return the headers of a call that does not end with them, as literals without a table."""
    texts = (text.encode() for header in CALL.items() for text in header)
    written = [bytes([len(text)]) + text for text in texts]
    pairs = zip(written[::2], written[1::2], strict=True)
    return http2_frame(1, 4, stream, b"".join(b"\x00" + name + value for name, value in pairs))


def test_calls_that_never_end_do_not_take_every_place_of_the_grpc_door(collector: RunningCollector) -> None:
    host, port = collector.addresses["otlp_grpc"].split(":")
    begun = PREFACE + http2_frame(4, 0, 0, b"") + b"".join(http2_headers(1 + 2 * n) for n in range(100))
    with ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(closing(socket.create_connection((host, int(port)), timeout=15))).sendall(begun)
        channel = stack.enter_context(grpc.insecure_channel(collector.addresses["otlp_grpc"]))
        until(lambda: collector.metric(TOO_SLOW) > 0, "an end of the first call")
        until(lambda: exports(channel), "a place for a good one")


def exports(channel: grpc.Channel) -> bool:
    try:
        channel.unary_unary(EXPORT)(b"", timeout=5)
    except grpc.RpcError:
        return False
    return True


def test_none_of_this_was_a_fault_of_ours(collector: RunningCollector) -> None:
    for path in (b"/v1/events", b"/readyz"):
        assert answer_to(collector.addresses["http"], b"GET " + path + b" HTTP/1.1\r\nhost: h\r\n\r\n")[0] in (200, 405)
    assert collector.metric('throughline_requests_total{door="cloudevents",outcome="unavailable"}') == 0
    assert collector.ready() == []
