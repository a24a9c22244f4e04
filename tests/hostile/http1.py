"""HTTP/1.1 as bytes, since libraries refuse to send most of this; and what comes back."""

from __future__ import annotations

import gzip
import socket
import time
from contextlib import closing, suppress

ANSWER_SECONDS = 20.0  # after that it hangs


def request(
    path: str, content_type: str, body: bytes = b"", more: str = "", method: str = "POST", length: str | None = None
) -> bytes:
    """Return a request; ``more`` are further header lines, ``length`` what it says of its length."""
    said = str(len(body)) if length is None else length
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-type: {content_type}"]
    lines += [f"content-length: {said}"] if said else []
    return ("\r\n".join(lines) + f"\r\n{more}\r\n").encode("latin-1") + body


def gzipped(path: str, content_type: str, body: bytes) -> bytes:
    """Return a request that says that its body is gzip."""
    return request(path, content_type, body, "content-encoding: gzip\r\n")


def chunked(path: str, content_type: str, *chunks: bytes, end: bytes = b"0\r\n\r\n", more: str = "") -> bytes:
    """Return a request in chunks; ``end`` is what stands after them."""
    head = request(path, content_type, b"", f"transfer-encoding: chunked\r\n{more}", length="")
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def bomb(size: int, of: bytes = b"\0") -> bytes:
    """Return gzip that is a thousand times larger once inflated."""
    return gzip.compress(of * (size // len(of)), 9)


def statuses(received: bytes) -> list[int]:
    """Return the final statuses of what came back, one for each answer; 0 for what is no answer of HTTP."""
    found: list[int] = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            return [*found, 0]
        status = int(head.split()[1])
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if status != 100:
            found.append(status)
            rest = rest[length:]
        received = rest
    return found


def answer_to(address: str, data: bytes, seconds: float = ANSWER_SECONDS) -> tuple[int, bytes]:
    """Send bytes and return the first final status and all that came until then; 0 where it ended without one."""
    host, _, port = address.rpartition(":")
    end = time.monotonic() + seconds
    received = b""
    with closing(socket.create_connection((host, int(port)), timeout=seconds)) as connection:
        with suppress(ConnectionError):
            connection.sendall(data)
        while not (found := statuses(received)):
            connection.settimeout(max(0.01, end - time.monotonic()))
            try:
                piece = connection.recv(65_536)
            except ConnectionError:
                break
            if not piece:
                break
            received += piece
    return (found[0] if found else 0), received
