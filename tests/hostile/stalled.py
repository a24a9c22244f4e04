"""Who begins many messages over HTTP/2, sends as much of each as it may, and never the last byte."""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import suppress

from tests.hostile.http2 import (
    DATA,
    HELLO,
    PING,
    SETTINGS,
    WINDOW_UPDATE,
    data,
    frame,
    headers,
    message,
)

_LARGEST_FRAME = 16_384
_WINDOW = 65_535  # of a stream and of a connection, until more is said. Source: RFC 9113, 6.9.2


class Stalled:
    """One connection with so many messages of a size, none of which ever becomes whole."""

    def __init__(self, address: str, messages: int, size: int) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=20)
        self._received = b""
        self._unsent = HELLO
        self._window = _WINDOW
        self._windows = dict.fromkeys(range(1, 2 * messages, 2), _WINDOW)
        self._left = dict.fromkeys(self._windows, size - 1)
        for stream in self._windows:
            begun = message(b"", length=size)
            self._unsent += headers(stream) + data(begun, 0, stream)
            self._window -= len(begun)
            self._windows[stream] -= len(begun)

    def close(self) -> None:
        self._socket.close()

    def send_for(self, seconds: float) -> int:
        """Send whatever is allowed for a while; return how many bytes of messages that was."""
        sent, end = 0, time.monotonic() + seconds
        self._socket.setblocking(False)
        with selectors.DefaultSelector() as selector, suppress(ConnectionError):
            selector.register(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while (now := time.monotonic()) < end:
                if not self._unsent:
                    self._unsent, more = self._allowed()
                    sent += more
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
                selector.modify(self._socket, wanted)
                for _, events in selector.select(end - now):
                    if events & selectors.EVENT_READ:
                        self._hear()
                    if events & selectors.EVENT_WRITE:
                        with suppress(BlockingIOError):
                            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        return sent

    def _allowed(self) -> tuple[bytes, int]:
        frames: list[bytes] = []
        sent = 0
        for stream, left in self._left.items():
            room = min(_LARGEST_FRAME, left, self._window, self._windows[stream])
            if room > 0:
                frames.append(frame(DATA, 0, stream, bytes(room)))
                self._left[stream] -= room
                self._windows[stream] -= room
                self._window -= room
                sent += room
        return b"".join(frames), sent

    def _hear(self) -> None:
        piece = self._socket.recv(65_536)
        if not piece:
            raise ConnectionResetError
        self._received += piece
        while len(self._received) >= 9 + (size := int.from_bytes(self._received[:3], "big")):
            kind, flags, stream = self._received[3], self._received[4], int.from_bytes(self._received[5:9], "big")
            self._take(kind, flags, stream, self._received[9 : 9 + size])
            self._received = self._received[9 + size :]
            if len(self._received) < 9:
                break

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind == WINDOW_UPDATE and stream in self._windows:
            self._windows[stream] += int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & 1:
            self._unsent += frame(SETTINGS, 1, 0, b"")
        elif kind == PING and not flags & 1:
            self._unsent += frame(PING, 1, 0, payload)
