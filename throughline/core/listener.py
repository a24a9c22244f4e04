"""Listening, with TLS or without: where files run out, connections wait, and the log says so now and then.

With TLS handshakes are bounded in number and time, like the connections that come of them: asyncio's own server tells
of a connection only after its handshake, so that those who never finish one would not be counted, and would take the
files that others need. Without files asyncio's writes a page of log for each connection that waits, and uvloop's ends
the connections it cannot take, unheard.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from throughline.core.open_files import WHAT_TO_DO

PAUSE_SECONDS: Final = 0.1  # where there is no file left for a further connection
_MOST_AT_ONCE: Final = 32  # accepted before the others of the loop have their turn
_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SAY_AGAIN_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class Listener:
    """Accepts connections, shakes hands, and gives each its protocol. ``close`` is safe twice."""

    def __init__(
        self,
        context: ssl.SSLContext | None,
        seconds: float,
        make: Callable[[], asyncio.Protocol],
        room: Callable[[int], bool],
    ) -> None:
        """``context`` None: without TLS, so that there is no hand to shake.

        ``seconds`` is the longest a handshake may take; ``room`` says whether one more may begin beside some. Without
        TLS the protocol itself sees that there are not too many.
        """
        self._make = make
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._shaking: set[asyncio.Task[None]] = set()
        self._handshake: dict[str, Any] = {} if context is None else {"ssl": context, "ssl_handshake_timeout": seconds}
        self._said = float("-inf")

    async def listen(self, host: str, port: int, backlog: int) -> int:
        """Listen, sharing the address with a reservation of it; return the port."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            door = socket.socket(family, kind, protocol)
            self._sockets.append(door)
            door.setblocking(False)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            door.bind(address)
            door.listen(backlog)
            self._loop.add_reader(door, self._accept, door)
        return self._sockets[0].getsockname()[1]

    def take(self, door: socket.socket) -> None:
        """Accept at a socket that listens already."""
        door.setblocking(False)
        self._sockets.append(door)
        self._loop.add_reader(door, self._accept, door)

    def close(self) -> None:
        """Stop listening, and end the handshakes under way."""
        for door in self._sockets:
            self._loop.remove_reader(door)
            door.close()
        self._sockets.clear()
        for task in self._shaking:
            task.cancel()

    def _accept(self, door: socket.socket) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                caller, _ = door.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_FILES:
                    raise
                self._pause(door, error)
                return
            if self._handshake and not self._room(len(self._shaking)):
                caller.close()
                continue
            caller.setblocking(False)
            task = self._loop.create_task(self._shake_hands(caller))
            self._shaking.add(task)
            task.add_done_callback(self._shaking.discard)

    def _pause(self, door: socket.socket, error: OSError) -> None:
        """Look again after a while: until then whoever comes waits, and the loop does not turn for nothing."""
        self._loop.remove_reader(door)
        self._loop.call_later(PAUSE_SECONDS, self._go_on, door)
        if time.monotonic() - self._said >= _SAY_AGAIN_SECONDS:
            self._said = time.monotonic()
            _log.error("connections_wait", error=str(error), what_to_do=WHAT_TO_DO)

    def _go_on(self, door: socket.socket) -> None:
        if door in self._sockets:
            self._loop.add_reader(door, self._accept, door)

    async def _shake_hands(self, caller: socket.socket) -> None:
        """Shake hands, and have the loop give the connection to a protocol; where that fails it is closed."""
        try:
            await self._loop.connect_accepted_socket(self._make, caller, **self._handshake)
        except OSError:  # errors of TLS, of time and of the network are some
            caller.close()
        except asyncio.CancelledError:
            caller.close()
            raise
