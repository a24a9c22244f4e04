"""What is wrong with a request whatever its body means: the same table for every HTTP door."""

from __future__ import annotations

from typing import NamedTuple

from tests.hostile.http1 import chunked, request

Wanted = int | frozenset[int]
Table = dict[str, tuple[bytes, Wanted]]

MISSING = frozenset({404, 405})
GONE = frozenset({0, 400})  # told, or ended at once: there is no telling to who speaks another protocol


class Way(NamedTuple):
    """A good request of a door, to be spoilt in every way. ``inside``: what the body is read up to, in bytes."""

    path: str
    content_type: str
    body: bytes
    inside: int


def spoilt(way: Way) -> Table:
    """Return requests that are refused by any door of HTTP."""
    path, content_type, body, inside = way

    def more(lines: str, length: str | None = None) -> bytes:
        return request(path, content_type, body, lines, length=length)

    def line(text: str) -> bytes:
        return more("").replace(f"POST {path} HTTP/1.1".encode(), text.encode("latin-1"), 1)

    def target(text: str) -> bytes:
        return request(text, content_type, body)

    def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n", lines: str = "") -> bytes:
        return chunked(path, content_type, *parts, end=end, more=lines)

    return {
        # another protocol
        "no HTTP": (b"\x00" * 100, 400),
        "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400),
        "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50), 400),
        "HTTP/0.9": (f"GET {path}\r\n\r\n".encode(), 400),
        "HTTP/2.0 in the line": (line(f"POST {path} HTTP/2.0"), 400),
        "HTTP/9.9": (line(f"POST {path} HTTP/9.9"), 400),
        "HTTP/1.11": (line(f"POST {path} HTTP/1.11"), 400),
        "a version in small letters": (line(f"POST {path} http/1.1"), 400),
        "SIP": (line(f"INVITE {path} SIP/2.0"), 400),
        "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", 400),
        "a line of spaces": (b" " * 200 + b"\r\n\r\n", 400),
        # methods and targets
        "an absurd method": (line(f"HOSTILE {path} HTTP/1.1"), 400),
        "a method in small letters": (line(f"post {path} HTTP/1.1"), 400),
        "a method of a thousand letters": (line(f"{'P' * 1_000} {path} HTTP/1.1"), 400),
        "CONNECT": (b"CONNECT example.org:443 HTTP/1.1\r\nhost: localhost\r\n\r\n", MISSING | {400}),
        "TRACE": (line(f"TRACE {path} HTTP/1.1"), 405),
        "DELETE": (line(f"DELETE {path} HTTP/1.1"), 405),
        "PUT": (line(f"PUT {path} HTTP/1.1"), 405),
        "OPTIONS of everything": (b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n", MISSING),
        "no target": (line("POST HTTP/1.1"), 400),
        "two targets": (line(f"POST {path} {path} HTTP/1.1"), 400),
        "a target outside": (target("http://example.org/v1/elsewhere"), 404),
        "dots in the path": (target("/v1/../../etc/passwd"), 404),
        "percent-encoded dots": (target("/v1/%2e%2e/%2e%2e/etc/passwd"), 404),
        "percent-encoded slashes": (target(path.replace("/", "%2F")), frozenset({400, 404})),
        "twice percent-encoded": (target("/%252e%252e/%252e%252e"), 404),
        "backslashes in the path": (target("/v1\\..\\..\\windows"), frozenset({400, 404})),
        "a NUL in the path": (target(f"{path}\x00"), 400),
        "a percent-encoded NUL": (target(f"{path}%00hostile"), frozenset({404, 405})),
        "bytes that are no ASCII in the path": (target("/v1/\xff\xfe"), frozenset({400, 404})),
        "half a percent": (target("/v1/hostile%"), 404),
        "no percent": (target("/v1/hostile%zz"), 404),
        "a long path": (target("/" + "x" * 40_000), 431),
        "a query of a megabyte": (target(f"{path}?q={'x' * 1_000_000}"), 431),
        "a fragment in the target": (target("/hostile#fragment"), frozenset({400, 404})),
        "a path of slashes": (target("/" * 5_000), 404),
        # headers
        "many headers": (more("".join(f"h{n}: v\r\n" for n in range(5_000))), 431),
        "a long header": (more(f"h: {'v' * 100_000}\r\n"), 431),
        "a long name of a header": (more(f"{'h' * 100_000}: v\r\n"), 431),
        "a header without end": (more(f"h: {'v' * 1_000_000}")[:-4], 431),
        "empty headers by the thousand": (more("h:\r\n" * 20_000), 431),
        "a header with a NUL": (more("h: a\x00b\r\n"), 400),
        "a header with a bare return": (more("h: a\rb\r\n"), 400),
        "a header without a colon": (more("hostile\r\n"), 400),
        "a header without a name": (more(": hostile\r\n"), 400),
        "a space before the colon": (more("h : hostile\r\n"), 400),
        "a folded header": (more("h: a\r\n hostile: b\r\n"), 400),
        "a control character in a name": (more("h\x01: v\r\n"), 400),
        # lengths and smuggling
        "a negative length": (more("", "-5"), 400),
        "a length with a plus": (more("", "+5"), 400),
        "a length in hex": (more("", "0x10"), 400),
        "a length with a point": (more("", "5.0"), 400),
        "a length of two": (more("", "5, 5"), 400),
        "a length of letters": (more("", "hostile"), 400),
        "a length of nothing": (more("content-length:\r\n", ""), 400),
        "a length of petabytes": (more("", "9999999999999999"), 413),
        "a length beyond 64 bits": (more("", "9" * 30), 400),
        "two lengths": (more("content-length: 3\r\n"), 400),
        "the same length twice": (more(f"content-length: {len(body)}\r\n"), 400),
        "length and chunks": (more("transfer-encoding: chunked\r\n"), 400),
        "chunks and length": (chunks(body, lines="content-length: 5\r\n"), 400),
        "a coding that ends in no chunks": (more("transfer-encoding: chunked, identity\r\n", ""), 400),
        "a coding that is none": (more("transfer-encoding: hostile\r\n", ""), 400),
        "chunked with a tab": (more("transfer-encoding:\tchunked\x0b\r\n", ""), 400),
        "codings by two headers": (more("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", ""), 400),
        "a chunk of no number": (chunks(end=b"zz\r\n\r\n"), 400),
        "a chunk of a negative number": (chunks(end=b"-1\r\n\r\n"), 400),
        "a chunk of a huge number": (chunks(end=b"ffffffffffffffffff\r\n"), 400),
        "a chunk longer than it says": (chunks(end=b"2\r\nabcdef\r\n0\r\n\r\n"), 400),
        "a chunk that ends in a bare newline": (chunks(end=b"2\r\nab\n0\r\n\r\n"), 400),
        "an extension of a chunk without end": (chunks(end=b"1;" + b"x" * 200_000), frozenset({400, 431})),
        "trailers by the thousand": (chunks(body, end=b"0\r\n" + b"h: v\r\n" * 100_000), frozenset({400, 431})),
        # size
        "a body too large": (request(path, content_type, b" " * (inside + 1)), 413),
        "a hundred megabytes": (request(path, content_type, b"", length="104857600") + b" " * 400_000, 413),
        "chunks too large together": (chunks(*[b" " * 65_536] * (inside // 65_536 + 2)), 413),
        "expecting to go on with too much": (more("expect: 100-continue\r\n", "104857600"), 413),
    }
