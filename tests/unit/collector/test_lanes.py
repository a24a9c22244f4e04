"""Messages that arrive slowly take no place from those that are whole at once, and none from all others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from collector.lanes import Lanes
from collector.reading import Refusal, Refused

LONG = 60.0


async def now(message: bytes = b"m") -> AsyncIterator[bytes]:
    yield message


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def once(come: asyncio.Event) -> AsyncIterator[bytes]:
    await come.wait()
    yield b"late"


def test_a_message_that_is_there_is_read() -> None:
    assert asyncio.run(Lanes(1, LONG).read(now())) == b"m"


@pytest.mark.parametrize(
    ("messages", "seconds", "refusal"),
    [(nothing, LONG, Refusal.MALFORMED), (lambda: once(asyncio.Event()), 0.05, Refusal.TOO_SLOW)],
)
def test_a_message_that_does_not_come_is_refused(
    messages: Callable[[], AsyncIterator[bytes]], seconds: float, refusal: Refusal
) -> None:
    with pytest.raises(Refused) as refused:
        asyncio.run(Lanes(1, seconds).read(messages()))
    assert refused.value.refusal is refusal


def test_slow_ones_beyond_their_places_are_refused_and_quick_ones_go_on() -> None:
    async def story() -> None:
        lanes, come = Lanes(2, LONG), asyncio.Event()
        slow: list[Coroutine[Any, Any, bytes]] = [lanes.read(once(come)) for _ in range(5)]
        reading = [asyncio.create_task(each) for each in slow]
        done, waiting = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        while len(waiting) > 2:
            further, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            done |= further
        for each in done:
            error = each.exception()
            assert isinstance(error, Refused)
            assert (error.refusal, error.retry_after) == (Refusal.OVERLOADED, 1)
        assert await lanes.read(now()) == b"m"
        come.set()
        assert await asyncio.gather(*waiting) == [b"late", b"late"]
        assert await lanes.read(once(come)) == b"late"

    asyncio.run(story())
