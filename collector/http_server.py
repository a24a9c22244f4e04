"""HTTP/1.1 for the doors: listens, keeps connections to their deadlines, and closes with care."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

from collector.crowd import Crowd
from collector.http_connection import Connection
from collector.http_types import Application, InHand, Limits
from throughline.core.listener import Listener

SWEEP_SECONDS: Final = 0.25
CLOSE_SECONDS: Final = 1.0  # for answers that are written to reach their senders
BACKLOG: Final = 1_024


class HttpServer:
    """One listening door. ``close`` stops listening, lets requests under way be answered, and ends idle connections."""

    def __init__(
        self,
        application: Application,
        limits: Limits,
        in_hand: InHand,
        count: Callable[[int], None],
    ) -> None:
        """``count`` is told the number of connections whenever it changes."""
        self.application = application
        self.limits = limits
        self.in_hand = in_hand
        self.count = count
        self.connections: set[Connection] = set()
        self.crowd = Crowd()
        self.tasks: set[asyncio.Task[None]] = set()
        self.date = _date()
        self.closing = False
        self._listener: Listener | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._last_left: asyncio.Event | None = None

    async def listen(self, host: str, port: int, context: ssl.SSLContext | None = None) -> int:
        """Listen at an address, sharing it with a reservation of it; return the port. ``context`` None: without TLS."""
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        self._listener = Listener(context, self.limits.request_seconds, self._connection, self._has_room)
        return await self._listener.listen(host, port, BACKLOG)

    def _connection(self) -> Connection:
        return Connection(self)

    def _has_room(self, handshakes: int) -> bool:
        """Say whether a handshake may begin beside so many others: together with connections, as many as may be."""
        return not self.closing and len(self.connections) + handshakes < 2 * self.limits.connections

    async def close(self, seconds: float = 10.0) -> None:
        """Stop; requests that are not answered within some seconds are given up. Safe twice."""
        self.closing = True
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.finish()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=seconds)
        await self._gone(CLOSE_SECONDS)
        for connection in list(self.connections):
            connection.abort()
        await self._gone(CLOSE_SECONDS)
        if self._sweeper is not None:
            self._sweeper.cancel()

    def left(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self.connections.discard(connection)
        self.crowd.left(connection)
        self.count(len(self.connections))
        if not self.connections and self._last_left is not None:
            self._last_left.set()

    def make_room(self) -> bool:
        """End a connection for the sake of another; return whether there was one that has to give way."""
        connection = self.crowd.gives_way(time.monotonic())
        if connection is not None:
            connection.give_way()
        return connection is not None

    async def _gone(self, seconds: float) -> None:
        """Wait until no connection is left, at most some seconds."""
        if self.connections:
            self._last_left = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._last_left.wait(), seconds)

    async def _sweep(self) -> None:
        """End connections past their deadlines, and keep the date."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.date = _date()
            now = time.monotonic()
            for connection in list(self.connections):
                connection.check_deadline(now)


def _date() -> bytes:
    return formatdate(usegmt=True).encode()
