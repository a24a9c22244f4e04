"""TLS in front of the HTTP server: requests come through, and handshakes that never end are bounded and ended."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from collector.http_server import HttpServer
from collector.http_types import Answer, Head, InHand, Limits, Request
from collector.reading import Refused
from tests.certificates import Pair, make_pair
from throughline.core.tls import Certificate, door_context, load_certificate, pinned

LIMITS = Limits(
    header_bytes=2_000, body_bytes=1_000_000, connections=4, request_seconds=0.6, idle_seconds=5, linger_seconds=0.4
)
PATIENCE_SECONDS = 20
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

pytestmark = pytest.mark.needs("openssl")


class Echo:
    """Answers with the size of the body."""

    def admit(self, head: Head) -> Answer | None:
        return None

    async def answer(self, request: Request) -> Answer:
        return Answer(200, "text/plain", str(len(request.body)).encode())

    def refuse(self, path: str, refused: Refused) -> Answer:
        return Answer(400, "text/plain", refused.sentence.encode())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    pair: Pair = make_pair(tmp_path_factory.mktemp("certificates"), "ours")
    return load_certificate(*pair)


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    def in_a_loop(story: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(asyncio.wait_for(story, PATIENCE_SECONDS))

    return in_a_loop


@asynccontextmanager
async def listening(certificate: Certificate, limits: Limits = LIMITS) -> AsyncGenerator[tuple[HttpServer, int]]:
    server = HttpServer(Echo(), limits, InHand(10_000_000), lambda _: None)
    try:
        yield server, await server.listen("127.0.0.1", 0, door_context(lambda: certificate))
    finally:
        await server.close(1.0)


async def ask(port: int, context: ssl.SSLContext, body: bytes) -> bytes:
    """Send a request as soon as the handshake allows, and return the body of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    finally:
        writer.close()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


def test_requests_come_through_small_and_large(run: Callable[[Any], None], certificate: Certificate) -> None:
    async def story() -> None:
        async with listening(certificate) as (_, port):
            context = pinned(certificate.chain)
            for size in (0, 1, 100_000, 999_999):
                assert await ask(port, context, bytes(size)) == str(size).encode()

    run(story())


def test_who_never_shakes_hands_is_sent_away(run: Callable[[Any], None], certificate: Certificate) -> None:
    async def story() -> None:
        async with listening(certificate) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await is_closed(reader)
            writer.close()

    run(story())


def test_who_speaks_no_tls_is_sent_away(run: Callable[[Any], None], certificate: Certificate) -> None:
    async def story() -> None:
        async with listening(certificate, LIMITS._replace(request_seconds=60)) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await is_closed(reader)
            writer.close()
            assert await ask(port, pinned(certificate.chain), b"x") == b"1"

    run(story())


def test_handshakes_that_never_end_are_bounded_and_others_go_on(
    run: Callable[[Any], None], certificate: Certificate
) -> None:
    async def story() -> None:
        most = 2 * LIMITS.connections
        async with listening(certificate, LIMITS._replace(request_seconds=60)) as (server, port):
            idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(most - 1)]
            assert await ask(port, pinned(certificate.chain), b"x") == b"1", "there is room for one more"
            idle += [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
            ends = [asyncio.ensure_future(is_closed(reader)) for reader, _ in idle]
            while sum(end.done() for end in ends) < len(idle) - most:
                await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
            assert sum(not end.done() for end in ends) in (most - 1, most)
            await server.close(1.0)
            assert all(await asyncio.gather(*ends)), "closing ends the handshakes under way"
            for _, writer in idle:
                writer.close()

    run(story())
