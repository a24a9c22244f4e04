"""The HTTP server bears a hostile network: each limit holds, and says so in an answer that arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from collector.http_server import HttpServer
from collector.http_types import Answer, Head, InHand, Limits, Request
from collector.reading import Refused

LIMITS = Limits(
    header_bytes=2_000, body_bytes=10_000, connections=4, request_seconds=0.6, idle_seconds=0.6, linger_seconds=0.4
)
STATUS = {
    "malformed": 400,
    "too_slow": 408,
    "too_large": 413,
    "headers_too_large": 431,
    "overloaded": 429,
}


class Echo:
    """Answers with method, path and the size of the body; holds requests to /hold until told."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.held = asyncio.Event()
        self.bodies: list[bytes] = []
        self.heads: list[Head] = []
        self.text = b""
        self.asked = asyncio.Event()

    async def quiet(self) -> None:
        """Wait until no more requests are answered than before."""
        before = -1
        while before != len(self.bodies):
            before = len(self.bodies)
            await asyncio.sleep(0.05)

    def admit(self, head: Head) -> Answer | None:
        self.heads.append(head)
        return Answer(404, "text/plain", b"no") if head.path == "/none" else None

    async def answer(self, request: Request) -> Answer:
        self.bodies.append(request.body)
        self.asked.set()
        if request.head.path == "/hold":
            self.held.set()
            await self.go_on.wait()
        if request.head.path == "/fault":
            raise ZeroDivisionError
        text = f"{request.head.method} {request.head.path} {len(request.body)}"
        return Answer(200, "text/plain", self.text or text.encode())

    def refuse(self, path: str, refused: Refused) -> Answer:
        return Answer(STATUS[refused.refusal], "text/plain", refused.sentence.encode())


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(first.split()[1]), headers, body

    async def ended(self) -> bytes:
        """Read to the end of the connection."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


class World:
    def __init__(self, limits: Limits, most_in_hand: int) -> None:
        self.application = Echo()
        self.in_hand = InHand(most_in_hand)
        self.counts: list[int] = []
        self.server = HttpServer(self.application, limits, self.in_hand, self.counts.append)
        self.port = 0
        self.clients: list[Client] = []

    async def client(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    async def ask(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        client = await self.client()
        await client.send(data)
        return await client.answer()


@asynccontextmanager
async def world(limits: Limits, most_in_hand: int) -> AsyncIterator[World]:
    built = World(limits, most_in_hand)
    built.port = await built.server.listen("127.0.0.1", 0)
    try:
        yield built
    finally:
        built.application.go_on.set()
        for client in built.clients:
            client.writer.close()
        await built.server.close(5)
        await built.server.close(5)


def play(story: Callable[[World], Awaitable[None]], limits: Limits = LIMITS, most_in_hand: int = 100_000) -> None:
    async def run() -> None:
        async with world(limits, most_in_hand) as built, asyncio.timeout(20):
            await story(built)
        assert built.in_hand.bytes == 0
        assert built.server.connections == set()

    asyncio.run(run())


async def cut_off(client: Client, piece: bytes) -> bool:
    """Send the same again and again; tell whether the other side ended it, or took it for ten seconds."""
    try:
        async with asyncio.timeout(10):
            while True:
                await client.send(piece)
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def post(body: bytes = b"", path: str = "/x", headers: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body


def test_it_answers_one_request_after_another_on_one_connection() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        for number in range(3):
            await client.send(post(b"x" * number))
            status, headers, body = await client.answer()
            assert (status, body) == (200, f"POST /x {number}".encode())
            assert headers["date"].endswith(" GMT")
            assert "connection" not in headers

    play(story)


def test_pipelined_requests_are_answered_in_order() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(b"".join(post(b"x" * number, f"/{number}") for number in range(5)))
        assert [(await client.answer())[2] for _ in range(5)] == [f"POST /{n} {n}".encode() for n in range(5)]

    play(story)


def test_a_body_in_chunks_and_pieces_is_put_together() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        data = b"POST /x?y=1 HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
        data += b"3\r\nabc\r\n4;e=1\r\ndefg\r\n0\r\nt: 1\r\n\r\n"
        for start in range(0, len(data), 7):
            await client.send(data[start : start + 7])
        assert (await client.answer())[2] == b"POST /x 7"
        assert w.application.bodies == [b"abcdefg"]

    play(story)


def test_headers_of_one_name_are_joined_and_names_are_lower_case() -> None:
    async def story(w: World) -> None:
        await w.ask(b"GET /x HTTP/1.1\r\nHost: h\r\nCE-Subject: \xc3\xa4\r\nX-A: 1\r\nx-a: 2\r\nX-L: \xe4\r\n\r\n")
        headers = w.application.heads[0].headers
        assert (headers["ce-subject"], headers["x-a"], headers["x-l"]) == ("ä", "1, 2", "ä")
        assert w.application.heads[0].peer == "127.0.0.1"

    play(story)


def test_head_has_no_body_and_http_1_0_and_close_end_the_connection() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(b"HEAD /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        text = (await client.ended()).decode()
        assert "content-length: 9\r\n" in text
        assert "connection: close\r\n" in text
        assert text.endswith("\r\n\r\n")
        old = await w.client()
        await old.send(b"GET /x HTTP/1.0\r\n\r\n")
        assert (await old.ended()).endswith(b"GET /x 0")

    play(story)


def test_it_says_continue_only_where_it_wants_the_body() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(b"POST /x HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"abc")
        assert (await client.answer())[2] == b"POST /x 3"
        await client.send(b"POST /none HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        assert (await client.answer())[0] == 404

    play(story)


def test_an_offer_to_upgrade_is_not_taken() -> None:
    async def story(w: World) -> None:
        upgrade = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
        client = await w.client()
        whole = post(b"abc", headers=upgrade)
        for start in (0, len(whole) - 2):
            await client.send(whole[start : start + len(whole) - 2])
            await asyncio.sleep(0)
        assert (await client.answer())[2] == b"POST /x 3"
        await client.send(post(b"abcd") + post(b"", headers=upgrade))
        assert (await client.answer())[2] == b"POST /x 4"
        assert (await client.answer())[2] == b"POST /x 0"
        assert (await w.ask(b"CONNECT h:1 HTTP/1.1\r\nhost: h\r\n\r\n"))[0] == 400

    play(story)


def test_a_fault_of_ours_is_a_500_and_the_connection_goes_on() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(post(path="/fault"))
        assert (await client.answer())[0] == 500
        await client.send(post())
        assert (await client.answer())[0] == 200

    play(story)


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(30),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /x HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
        b"POST /x HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc",
        b"POST /x HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /x HTTP/1.1\r\nbad name: x\r\n\r\n",
        b"POST /x HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_400_and_ended(data: bytes) -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(data)
        status, headers, _ = await client.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert await client.ended() == b""

    play(story)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /x HTTP/1.1\r\n" + b"".join(b"h%d: v\r\n" % number for number in range(400)) + b"\r\n",
        b"GET /x HTTP/1.1\r\nlong: " + b"v" * 3_000,
        b"GET /" + b"x" * 3_000,
        b"POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\ntrailer: " + b"v" * 200_000,
    ],
)
@pytest.mark.parametrize("piece", [100_000, 500])
def test_headers_beyond_the_limit_are_answered_431(data: bytes, piece: int) -> None:
    async def story(w: World) -> None:
        client = await w.client()
        for start in range(0, len(data), piece):
            await client.send(data[start : start + piece])
            await asyncio.sleep(0)
        assert (await client.answer())[0] == 431
        assert await client.ended() == b""

    play(story)


def test_a_body_said_to_be_too_large_is_refused_before_it_is_read() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(b"POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 10001\r\n\r\n")
        assert (await client.answer())[0] == 413
        await client.send(b"x" * 10_001 + post(b"ab"))  # the rest is dropped, and the connection goes on
        assert (await client.answer())[2] == b"POST /x 2"
        assert w.application.bodies == [b"ab"]

    play(story)


def test_a_chunked_body_is_refused_when_it_grows_too_large() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(b"POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(11):
            await client.send(b"3e8\r\n" + b"x" * 1_000 + b"\r\n")
        assert (await client.answer())[0] == 413
        await client.send(b"0\r\n\r\n" + post(b"ab"))
        assert (await client.answer())[2] == b"POST /x 2"

    play(story)


def test_endless_chunks_are_cut_off_after_a_while() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(b"POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
        assert await cut_off(client, b"3e8\r\n" + b"x" * 1_000 + b"\r\n")
        assert w.application.bodies == []

    play(story)


@pytest.mark.parametrize(
    "data", [b"", b"POST /x HTTP/1.1\r\nhost: h\r\n", b"POST /x HTTP/1.1\r\ncontent-length: 9\r\n\r\nabc"]
)
def test_a_request_that_does_not_arrive_is_ended_in_time(data: bytes) -> None:
    async def story(w: World) -> None:
        client = await w.client()
        if data:
            await client.send(data)
            assert (await client.answer())[0] == 408
        assert await client.ended() == b""

    play(story)


def test_a_slow_sender_is_ended_though_it_goes_on_sending() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(b"POST /x HTTP/1.1\r\ncontent-length: 1000\r\n\r\n")
        answered = asyncio.ensure_future(client.answer())
        while not answered.done():
            client.writer.write(b"x")
            await asyncio.wait([answered], timeout=0.05)
        assert (await answered)[0] == 408

    play(story)


def test_an_idle_connection_is_ended() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(post())
        await client.answer()
        assert await client.ended() == b""

    play(story)


def test_a_request_under_way_is_not_ended_by_any_deadline() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(post(path="/hold"))
        answered = asyncio.ensure_future(client.answer())
        done, _ = await asyncio.wait([answered], timeout=1.5)
        assert not done
        w.application.go_on.set()
        assert (await answered)[0] == 200

    play(story)


def test_connections_beyond_the_limit_are_refused_and_those_far_beyond_are_not_kept_to_hear_it() -> None:
    async def story(w: World) -> None:
        good = await w.client()
        await good.send(post())
        await good.answer()
        for _ in range(3):
            await (await w.client()).send(post(path="/hold"))
        refused = [await w.client() for _ in range(4)]
        assert [(await client.answer())[0] for client in refused] == [429] * 4
        beyond = await w.client()
        assert (await beyond.ended()).startswith(b"HTTP/1.1 429 ")
        await good.send(post())
        assert (await good.answer())[0] == 200
        for client in refused:
            assert await client.ended() == b""
        assert max(w.counts) == 8

    play(story, LIMITS._replace(idle_seconds=20.0, request_seconds=20.0))


def test_who_never_asked_gives_way_to_others() -> None:
    async def story(w: World) -> None:
        good = await w.client()
        await good.send(post())
        await good.answer()
        silent = [await w.client() for _ in range(20)]
        assert [await client.ended() for client in silent[:17]] == [b""] * 17
        for _ in range(3):
            assert (await w.ask(post()))[0] == 200
        await good.send(post())
        assert (await good.answer())[0] == 200
        assert max(w.counts) <= LIMITS.connections + 1

    play(story, LIMITS._replace(idle_seconds=20.0, request_seconds=20.0))


def test_answers_that_nobody_reads_do_not_pile_up() -> None:
    async def story(w: World) -> None:
        w.application.text = b"x" * 10_000
        client = await w.client()
        client.writer.write(post() * 2_000)
        await w.application.asked.wait()
        (connection,) = w.server.connections
        await w.application.quiet()
        assert connection.unread_bytes() < 200_000
        for _ in range(2_000):
            assert (await client.answer())[0] == 200

    play(story, LIMITS._replace(idle_seconds=20.0, request_seconds=20.0))


def test_bodies_of_all_requests_together_are_bounded() -> None:
    async def story(w: World) -> None:
        holding = await w.client()
        await holding.send(post(b"x" * 8_000, "/hold"))
        await w.application.held.wait()
        assert w.in_hand.bytes == 8_000
        crowded = await w.client()
        await crowded.send(post(b"y" * 3_000))
        assert (await crowded.answer())[0] == 429
        await crowded.send(post(b"y" * 1_000))
        assert (await crowded.answer())[2] == b"POST /x 1000"
        w.application.go_on.set()
        await holding.answer()
        await crowded.send(post(b"y" * 3_000))
        assert (await crowded.answer())[0] == 200

    play(story, most_in_hand=10_000)


def test_a_body_larger_than_all_in_hand_is_taken_alone() -> None:
    async def story(w: World) -> None:
        assert (await w.ask(post(b"x" * 9_000)))[0] == 200

    play(story, most_in_hand=5_000)


def test_a_refused_request_behind_one_under_way_does_not_overtake_its_answer() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        await client.send(post(b"", "/hold") + post(b"abc", "/none") + b"rubbish\r\n\r\n")
        await w.application.held.wait()
        w.application.go_on.set()
        text = await client.ended()
        assert text.startswith(b"HTTP/1.1 200")
        assert text.count(b"HTTP/1.1 ") == 1

    play(story)


def test_a_sender_that_goes_away_leaves_nothing_behind() -> None:
    async def story(w: World) -> None:
        half = await w.client()
        await half.send(b"POST /x HTTP/1.1\r\ncontent-length: 5000\r\n\r\n" + b"x" * 3_000)
        held = await w.client()
        await held.send(post(b"x" * 100, "/hold") + post(b"y" * 100))
        await w.application.held.wait()
        half.writer.close()
        held.writer.close()
        w.application.go_on.set()
        while w.in_hand.bytes or w.server.connections:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)

    play(story)


def test_a_sender_that_never_reads_its_answers_is_not_read_from_for_ever() -> None:
    async def story(w: World) -> None:
        client = await w.client()
        assert await cut_off(client, post() * 100)

    play(story)


def test_closing_lets_requests_under_way_be_answered() -> None:
    async def run() -> None:
        async with world(LIMITS, 10_000) as w, asyncio.timeout(20):
            client, idle = await w.client(), await w.client()
            await idle.send(post())
            await idle.answer()
            await client.send(post(b"abc", "/hold"))
            await w.application.held.wait()
            closing = asyncio.ensure_future(w.server.close(10))
            assert await idle.ended() == b""
            w.application.go_on.set()
            status, headers, _ = await client.answer()
            assert (status, headers["connection"]) == (200, "close")
            await closing
            with pytest.raises(ConnectionError):
                await w.client()

    asyncio.run(run())
