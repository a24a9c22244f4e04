"""One HTTP/1.1 connection, read by httptools: every limit of a hostile network is kept here.

A request is refused as early as its head allows, and its answer reaches the sender although the body is still on its
way: the rest is read and dropped for a short while before the connection closes. Requests of a connection are answered
one at a time, in their order.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
import structlog

from collector.http_types import Answer, Head, Limits, Request
from collector.reading import Refusal, Refused

if TYPE_CHECKING:
    from collector.http_server import HttpServer

_log = structlog.get_logger(__name__)


class Connection(asyncio.Protocol):
    """One connection: a parser, the request being read, and those waiting for their answer."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._limits = server.limits
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parser: Any = None
        self._deadline = 0.0
        self._reading = False  # between the first byte of a request and its last
        self._head_bytes = 0  # received since the head began, also where it isn't parsed yet
        self._head_size = 0
        self._in_head = True
        self._url = b""
        self._headers: dict[str, str] = {}
        self._head: Head | None = None
        self._parts: list[bytes] = []
        self._body_bytes = 0
        self._dropping = False  # the request under way is refused: its rest is read and dropped
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._answering = False
        self._last = False  # close after the answer under way
        self._stuck = False  # the peer doesn't read its answers
        self._silent_bytes = 0  # since the last byte of a body: chunk extensions, trailers
        self._peer = ""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        server, limits = self._server, self._limits
        if server.closing:
            self._transport.abort()
            return
        crowded = len(server.connections) >= limits.connections and not server.make_room()
        if len(server.connections) >= 2 * limits.connections:
            self._write(server.application.refuse("", _crowded(limits)), keep_alive=False)
            self._transport.close()
            return
        server.connections.add(self)
        server.count(len(server.connections))
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else "local"
        self._deadline = time.monotonic() + limits.request_seconds
        if crowded:
            self._refuse(_crowded(limits))
        else:
            server.crowd.came(self, time.monotonic())
            self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._parser = None
        self._drop_body()
        for request, _ in self._waiting:
            self._server.in_hand.give_back(len(request.body))
        self._waiting.clear()
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        if self._parser is None:  # refused for good: read on until the peer is done, or the deadline
            return
        if not self._reading:
            self._reading = True
            now = time.monotonic()
            self._deadline = now + self._limits.request_seconds
            self._server.crowd.asks(self, now)
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._silent_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if not self._last:
                self._refuse(Refused(Refusal.MALFORMED, "this is no HTTP/1.1 request"))
            return
        heading = self._head_bytes if self._in_head else self._silent_bytes
        if heading > self._limits.header_bytes and self._parser is not None:
            self._refuse_head()

    def pause_writing(self) -> None:
        self._stuck = True

    def resume_writing(self) -> None:
        self._stuck = False
        if self._answering or self._transport.is_closing():
            return
        if self._waiting:
            self._answer_next()
        else:
            self._transport.resume_reading()

    # httptools; once a connection is refused for good there is no parser, and what it still calls is not heard

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._head_size += len(name) + len(value) + len(b": \r\n")
            key, text = name.decode("latin-1").lower(), _header_text(value)
            self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        if self._parser is None or self._parser.should_upgrade():
            return
        self._in_head = False
        self._silent_bytes = 0
        headers = self._headers
        if self._parser.get_http_version() not in _VERSIONS:
            self._refuse(Refused(Refusal.MALFORMED, "this is no HTTP/1.1 request"))
            return
        if self._head_size > self._limits.header_bytes:
            self._refuse_head()
            return
        self._head = Head(self._parser.get_method().decode("latin-1"), self._path(), headers, self._peer)
        refusal = self._server.application.admit(self._head)
        length = headers.get("content-length", "")
        if refusal is None and length.isdigit() and int(length) > self._limits.body_bytes:
            refusal = self._too_large()
        if refusal is not None:
            self._drop(refusal)
        elif headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._silent_bytes = 0
        if self._dropping or self._head is None:
            return
        if self._body_bytes + len(body) > self._limits.body_bytes:
            self._drop(self._too_large())
            return
        try:
            self._server.in_hand.take(len(body), self._body_bytes)
        except Refused as refused:
            self._drop(self._server.application.refuse(self._head.path, refused))
            return
        self._body_bytes += len(body)
        self._parts.append(body)

    def on_message_complete(self) -> None:
        head, dropped = self._head, self._dropping
        if self._parser is None or head is None:
            return
        self._server.crowd.left(self)
        keep_alive = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"
        if not dropped:
            body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._waiting.append((Request(head, body), keep_alive))
            self._parts, self._body_bytes = [], 0
            if not self._transport.is_closing():
                self._transport.pause_reading()
            self._deadline = float("inf")
        self._begin_head()
        if dropped:
            self._after_answer(keep_alive)
        elif not self._answering and not self._stuck:
            self._answer_next()

    # what happens

    def check_deadline(self, now: float) -> None:
        """End the connection where its time is up: a request that doesn't arrive, an idle peer, a refused one."""
        if now < self._deadline:
            return
        if self._reading and self._parser is not None and not self._dropping and not self._stuck:
            self._refuse(Refused(Refusal.TOO_SLOW, f"no whole request within {self._limits.request_seconds:g} s"))
        else:
            self._transport.abort()

    def give_way(self) -> None:
        """End for the sake of another connection, unless something of it is being answered."""
        if self._answering or self._waiting:
            return
        if self._reading and self._parser is not None and not self._dropping:
            refused = _crowded(self._limits)
            self._write(self._server.application.refuse(self._path(), refused), keep_alive=False)
        self._transport.close()

    def unread_bytes(self) -> int:
        """Return how much of its answers the peer has still to take."""
        return self._transport.get_write_buffer_size()

    def finish(self) -> None:
        """End after the answers under way."""
        self._last = True
        if not self._answering and not self._waiting:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read a request that offers an upgrade as if it didn't.

        The parser takes what follows such a head for another protocol; a JDK client offers h2c with every first request
        and sends its body all the same.
        """
        method, headers = self._parser.get_method(), self._headers
        if method == b"CONNECT":
            self._refuse(Refused(Refusal.MALFORMED, "this is no proxy"))
            return
        kept = [f"{name}: {value}\r\n".encode() for name, value in headers.items() if name not in _UPGRADE_HEADERS]
        head = b"".join((method, b" ", self._url, b" HTTP/1.1\r\n", *kept, b"\r\n"))
        self._begin_head()
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def _begin_head(self) -> None:
        self._reading = False
        self._in_head = True
        self._head_bytes = 0
        self._head_size = 0
        self._url = b""
        self._headers = {}
        self._head = None
        self._dropping = False

    def _too_large(self) -> Answer:
        refused = Refused(Refusal.TOO_LARGE, f"the body has more than {self._limits.body_bytes:,} bytes")
        return self._server.application.refuse(self._head.path if self._head else "", refused)

    def _refuse_head(self) -> None:
        most = self._limits.header_bytes
        self._refuse(Refused(Refusal.HEADERS_TOO_LARGE, f"the headers have more than {most:,} bytes"))

    def _drop(self, answer: Answer) -> None:
        """Answer now, and read the rest of the request without keeping it, for a while."""
        self._drop_body()
        if self._answering or self._waiting:  # what came before is answered first, and nothing after it
            self._parser = None
            self._last = True
            return
        self._dropping = True
        self._deadline = time.monotonic() + self._limits.linger_seconds
        self._write(answer, keep_alive=True)

    def _drop_body(self) -> None:
        self._server.in_hand.give_back(self._body_bytes)
        self._parts, self._body_bytes = [], 0

    def _refuse(self, refused: Refused) -> None:
        """Answer a connection on which nothing more can be understood, and close it once the peer has had time."""
        self._parser = None
        self._drop_body()
        self._reading = False
        if self._answering or self._waiting:  # what came before is answered first
            self._last = True
            return
        self._write(self._server.application.refuse(self._path(), refused), keep_alive=False)
        self._linger()

    def _path(self) -> str:
        return self._url.partition(b"?")[0].decode("latin-1")

    def _linger(self) -> None:
        self._deadline = time.monotonic() + self._limits.linger_seconds
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _answer_next(self) -> None:
        self._deadline = float("inf")
        request, keep_alive = self._waiting.popleft()
        self._answering = True
        task = asyncio.get_running_loop().create_task(self._answer(request, keep_alive))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    async def _answer(self, request: Request, keep_alive: bool) -> None:
        try:
            answer = await self._server.application.answer(request)
        except Exception:
            _log.exception("answer_failed", path=request.head.path)
            answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", b"a fault of ours; the log has it")
        finally:
            self._server.in_hand.give_back(len(request.body))
            self._answering = False
        if self._transport.is_closing():
            return
        keep_alive = keep_alive and not self._last
        self._write(answer, keep_alive, head_only=request.head.method == "HEAD")
        self._after_answer(keep_alive)

    def _after_answer(self, keep_alive: bool) -> None:
        if self._waiting and keep_alive:
            if self._stuck:  # answers that nobody reads would pile up: on with the next once these are gone
                self._deadline = time.monotonic() + self._limits.idle_seconds
            else:
                self._answer_next()
        elif keep_alive and not self._last and not self._server.closing:
            if not self._reading:
                now = time.monotonic()
                self._deadline = now + self._limits.idle_seconds
                self._server.crowd.rests(self, now)
            if not self._stuck and not self._transport.is_closing():
                self._transport.resume_reading()
        elif not self._answering:
            self._transport.close()

    def _write(self, answer: Answer, keep_alive: bool, head_only: bool = False) -> None:
        lines = [
            _STATUS_LINES[answer.status],
            b"date: ",
            self._server.date,
            f"\r\ncontent-type: {answer.content_type}\r\ncontent-length: {len(answer.body)}\r\n".encode("latin-1"),
        ]
        lines += [f"{name}: {value}\r\n".encode("latin-1") for name, value in answer.headers]
        lines.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        if not head_only:
            lines.append(answer.body)
        self._transport.write(b"".join(lines))


def _crowded(limits: Limits) -> Refused:
    return Refused(Refusal.OVERLOADED, f"{limits.connections:,} connections are open already", 1)


_VERSIONS: Final = frozenset({"1.0", "1.1"})
_UPGRADE_HEADERS: Final = frozenset({"connection", "upgrade", "http2-settings"})

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def _header_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
