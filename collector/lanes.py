"""How many messages may be on their way at once at a door that can't count their bytes before they are whole.

gRPC keeps what has come of a message until all of it is there. Where nobody asks for it, that is no more than a window
of it, so that the most memory is that of the messages that were asked for: as many as there are places. Most are whole
at once and give their place back; one that is not moves to a lane for slow ones, which has as many places again, and is
refused where that lane is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from collector.reading import Refusal, Refused

QUICK_SECONDS: Final = 0.25


class Lanes:
    """Reads the one message of each call; ``places`` bounds those that are read at once, quick and slow ones each."""

    def __init__(self, places: int, seconds: float) -> None:
        """``seconds``: the longest that a message may take to arrive."""
        self._quick = asyncio.Semaphore(places)
        self._slow = places
        self._seconds = seconds

    async def read(self, messages: AsyncIterator[bytes]) -> bytes:
        """Return the message; raises Refused where it does not arrive in time, or not at all, or there is no place."""
        reading: asyncio.Task[bytes] | None = None
        try:
            async with asyncio.timeout(self._seconds):
                async with self._quick:
                    reading = asyncio.create_task(_first(messages))
                    await asyncio.wait((reading,), timeout=QUICK_SECONDS)
                return reading.result() if reading.done() else await self._read_on(reading)
        except TimeoutError:
            raise Refused(Refusal.TOO_SLOW, f"no whole request within {self._seconds:g} s") from None
        finally:
            if reading is not None:
                reading.cancel()

    async def _read_on(self, reading: asyncio.Task[bytes]) -> bytes:
        if self._slow == 0:
            raise Refused(Refusal.OVERLOADED, "too many requests are on their way slowly at once", 1)
        self._slow -= 1
        try:
            return await reading
        finally:
            self._slow += 1


async def _first(messages: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(messages)
    except StopAsyncIteration:
        raise Refused(Refusal.MALFORMED, "the call ended without a message") from None
