"""Ports that stay one's own while nobody listens on them."""

from __future__ import annotations

import socket
from contextlib import suppress
from random import Random

# Below those that the system hands out: a client that tries a closed one of those again and again may get it as its own
# source port, and then is connected to itself.
LOWEST, HIGHEST = 20_000, 32_000


def free_ports(count: int) -> list[int]:
    """Return different ports of loopback on which nobody listens now."""
    chance = Random()
    found: list[int] = []
    while len(found) < count:
        port = chance.randint(LOWEST, HIGHEST)
        with suppress(OSError), socket.socket() as door:
            door.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found
