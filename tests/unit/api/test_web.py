"""The API's web server: what a caller may send, how long it may take, and that it is told in words."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.certificates import make_pair
from throughline.api.web import WebLimits, web_server
from throughline.core.tls import door_context, load_certificate, pinned

LIMITS = WebLimits(header_bytes=4096, connections=3, request_seconds=30.0)
GET = b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def hello(request: Request) -> PlainTextResponse:
    try:
        await request.body()
    except ClientDisconnect:
        return PlainTextResponse("nobody hears this")
    return PlainTextResponse("hello")


@asynccontextmanager
async def running(limits: WebLimits = LIMITS, context: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """Run a server; give its port."""
    server = web_server(Starlette(routes=[Route("/hello", hello, methods=["GET", "POST"])]), limits, context)
    door = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[door]))
    try:
        yield door.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        door.close()


async def connect(port: int, context: ssl.SSLContext | None = None) -> Streams:
    return await asyncio.open_connection("127.0.0.1", port, ssl=context)


async def answer(streams: Streams, sent: bytes = b"") -> tuple[int, Any]:
    """Send, and return the status and the body of one answer."""
    reader, writer = streams
    writer.write(sent)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    return int(head.split(b" ")[1]), json.loads(body) if b"problem+json" in head else body


async def once(port: int, sent: bytes = b"") -> tuple[int, Any]:
    """Send on a connection of its own; the server closes it where it refuses."""
    streams = await connect(port)
    try:
        return await answer(streams, sent)
    finally:
        streams[1].close()
        await streams[1].wait_closed()


async def ends(streams: Streams) -> bool:
    """Tell whether the server closes a connection."""
    reader, writer = streams
    try:
        return await asyncio.wait_for(reader.read(), 20) == b""
    except ConnectionError:
        return True
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def test_a_connection_serves_one_request_after_another() -> None:
    async def story() -> None:
        async with running() as port:
            streams = await connect(port)
            for _ in range(200):  # more than the limit of one head, together
                assert await answer(streams, GET) == (200, b"hello")
            streams[1].close()
            await streams[1].wait_closed()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /hello HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 8000, 431),
        (b"GET /" + b"x" * 8000, 431),
        (b"GET /hello HTTP/1.1\r\n" + b"x: y\r\n" * 2000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_or_too_large_is_told_so(sent: bytes, status: int) -> None:
    async def story() -> None:
        async with running() as port:
            streams = await connect(port)
            found, problem = await answer(streams, sent)
            assert (found, problem["status"]) == (status, status)
            assert await ends(streams)
            assert await once(port, GET) == (200, b"hello")

    asyncio.run(story())


@pytest.mark.parametrize("sent", [b"", b"GET /hel", b"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx"])
def test_who_takes_too_long_is_told_so(sent: bytes) -> None:
    async def story() -> None:
        async with running(LIMITS._replace(request_seconds=0.05)) as port:
            streams = await connect(port)
            found, problem = await answer(streams, sent)
            assert (found, problem["status"]) == (408, 408)
            assert await ends(streams)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /hello HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 8000 + b"\r\n\r\n", 431),
        (b"POST /hello HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999\r\n\r\n", 413),
        (b"GET /hello HTTP/2.0\r\nhost: localhost\r\n\r\n", 400),
    ],
)
def test_a_head_says_enough_to_be_refused(head: bytes, status: int) -> None:
    async def story() -> None:
        async with running() as port:
            found, problem = await once(port, head)
            assert (found, problem["status"]) == (status, status)
            assert await once(port, GET) == (200, b"hello")

    asyncio.run(story())


def test_an_offer_to_upgrade_is_not_taken_and_its_body_is_read() -> None:
    offer = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    sent = b"POST /hello HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n" + offer + b"\r\nhello"

    async def story() -> None:
        async with running() as port:
            streams = await connect(port)
            for _ in range(2):
                assert await answer(streams, sent) == (200, b"hello")
            streams[1].close()
            await streams[1].wait_closed()

    asyncio.run(story())


def test_more_connections_than_allowed_are_refused_and_one_that_ends_makes_room() -> None:
    async def story() -> None:
        async with running() as port:
            open_ones = [await connect(port) for _ in range(LIMITS.connections)]
            for streams in open_ones:
                assert await answer(streams, GET) == (200, b"hello")
            refused = await connect(port)
            assert (await answer(refused))[0] == 429
            assert await ends(refused)
            for _, writer in open_ones:
                writer.close()
                await writer.wait_closed()
            assert await once(port, GET) == (200, b"hello")

    asyncio.run(story())


@pytest.mark.needs("openssl")
def test_over_tls_it_answers_and_bounds_those_who_never_shake_hands(tmp_path: Path) -> None:
    certificate = load_certificate(*make_pair(tmp_path, "ours"))

    async def story() -> None:
        async with running(LIMITS, door_context(lambda: certificate)) as port:
            idle = [await connect(port) for _ in range(2 * LIMITS.connections + 5)]
            ends = [asyncio.ensure_future(reader.read()) for reader, _ in idle]
            while sum(end.done() for end in ends) < 5:
                await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
            for (_, writer), end in zip(idle, ends, strict=True):
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await end
            for _ in range(2):
                streams = await connect(port, pinned(certificate.chain))
                assert await answer(streams, GET) == (200, b"hello")
                streams[1].close()
                await streams[1].wait_closed()

    asyncio.run(story())
