"""The web server of the API: uvicorn, with limits on what a caller may send and how long it may take."""

from __future__ import annotations

import asyncio
import socket
import ssl
from http import HTTPStatus
from typing import Any, NamedTuple, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from throughline.api.answers import RETRY_AFTER_SECONDS
from throughline.api.body import LARGEST_BODY_BYTES
from throughline.core.listener import Listener
from throughline.core.problem import MEDIA_TYPE, Problem, ProblemKind

IDLE_SECONDS = 75
DRAIN_SECONDS = 5


class WebLimits(NamedTuple):
    """``header_bytes``: of a request's line and headers; ``request_seconds``: for a whole request to arrive."""

    header_bytes: int
    connections: int
    request_seconds: float
    body_bytes: int = LARGEST_BODY_BYTES


def web_server(app: Any, limits: WebLimits, context: ssl.SSLContext | None = None) -> uvicorn.Server:
    """Return the server of an application; its caller opens the socket. ``context`` None: without TLS."""
    config = uvicorn.Config(
        app,
        http=_limited(limits),
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # who asks is who connects: what a header says of it anybody can write
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return ListeningServer(config, limits, context)


class ListeningServer(uvicorn.Server):
    """uvicorn's server, with connections that are accepted by us, which bears that files run out.

    uvicorn's own would not count who never shakes hands.
    """

    def __init__(self, config: uvicorn.Config, limits: WebLimits, context: ssl.SSLContext | None) -> None:
        super().__init__(config)
        self._limits = limits
        self._context = context
        self._listener: Listener | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        self._listener = Listener(self._context, self._limits.request_seconds, self._connection, self._has_room)
        for door in sockets or ():
            self._listener.take(door)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._listener is not None:
            self._listener.close()
        await super().shutdown([])

    def _connection(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def _has_room(self, handshakes: int) -> bool:
        return len(self.server_state.connections) + handshakes < 2 * self._limits.connections


class _Refused(Exception):
    """Raised inside the parser, so that it stops: a request is refused before it is whole."""

    def __init__(self, kind: ProblemKind, detail: str) -> None:
        self.kind = kind
        self.detail = detail
        super().__init__(detail)


class _Limited(HttpToolsProtocol):
    """uvicorn's protocol with limits; it makes one object a connection."""

    limits: WebLimits
    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0  # received since the head began, also where it isn't parsed yet
    _head_size = 0
    _silent_bytes = 0  # since the last byte of a body: chunk extensions, trailers
    _in_head = True
    _refused: _Refused | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(ProblemKind.TOO_MANY, f"more than {self.limits.connections} connections are open")
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._silent_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            cast("Any", self.parser).feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")
        heading = self._head_bytes if self._in_head else self._silent_bytes
        if heading > self.limits.header_bytes and not self.transport.is_closing():
            self._refuse(ProblemKind.HEADERS_TOO_LARGE, _LARGE_HEADERS.format(self.limits.header_bytes))

    def on_message_begin(self) -> None:
        self._in_head, self._head_size = True, 0
        self._start_timer()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head_size += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # not a trailer
            self._head_size += len(name) + len(value) + len(b": \r\n")
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if cast("Any", self.parser).should_upgrade():
            return
        self._in_head, self._silent_bytes = False, 0
        self._check_head()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._silent_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:  # of a request that offers an upgrade
            return
        self._stop_timer()
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read a request that offers an upgrade as if it didn't: the parser takes its body for another protocol."""
        method = cast("Any", self.parser).get_method()
        if method == b"CONNECT":
            self._refuse(ProblemKind.UNREADABLE, "this is no proxy")
            return
        kept = [name + b": " + value + b"\r\n" for name, value in self.headers if name not in _UPGRADE_HEADERS]
        head = b"".join((method, b" ", self.url, b" HTTP/1.1\r\n", *kept, b"\r\n"))
        self._head_bytes = 0
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def _check_head(self) -> None:
        if cast("Any", self.parser).get_http_version() not in _VERSIONS:
            self._refused = _Refused(ProblemKind.UNREADABLE, _NO_REQUEST)
        elif self._head_size > self.limits.header_bytes:
            self._refused = _Refused(ProblemKind.HEADERS_TOO_LARGE, _LARGE_HEADERS.format(self.limits.header_bytes))
        elif any(name == b"content-length" and int(value) > self.limits.body_bytes for name, value in self.headers):
            self._refused = _Refused(ProblemKind.TOO_LARGE, f"wanted a body of at most {self.limits.body_bytes} bytes")
        if self._refused is not None:
            raise self._refused

    def send_400_response(self, msg: str) -> None:
        refused = self._refused or _Refused(ProblemKind.UNREADABLE, _NO_REQUEST)
        self._refuse(refused.kind, refused.detail)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.limits.request_seconds, self._is_too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_too_slow(self) -> None:
        self._refuse(ProblemKind.TOO_SLOW, f"wanted the request within {self.limits.request_seconds:g} seconds")

    def _refuse(self, kind: ProblemKind, detail: str) -> None:
        """Say why and close; where an answer was begun already, only close."""
        if not (self.cycle and self.cycle.response_started and self.cycle.more_body):
            self.transport.write(_answer(kind, detail))
        self.transport.close()


def _limited(limits: WebLimits) -> type[HttpToolsProtocol]:
    """Return the protocol that holds each connection to limits; uvicorn makes it without a word on them."""
    return type("Limited", (_Limited,), {"limits": limits})


_VERSIONS = frozenset({"1.0", "1.1"})
_UPGRADE_HEADERS = frozenset({b"connection", b"upgrade", b"http2-settings"})
_NO_REQUEST = "this is no HTTP request"
_LARGE_HEADERS = "wanted headers of at most {} bytes"


def _answer(kind: ProblemKind, detail: str) -> bytes:
    body = Problem(kind, detail).encode()
    lines = [
        f"HTTP/1.1 {kind.status} {HTTPStatus(kind.status).phrase}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        "connection: close",
    ]
    lines += [f"retry-after: {RETRY_AFTER_SECONDS}"] if kind is ProblemKind.TOO_MANY else []
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
