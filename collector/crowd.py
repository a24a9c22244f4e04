"""Who gives way where a door has as many connections as it may have, and another one comes.

First whoever has never asked anything, then whoever has asked nothing for a while, then whoever has been at one request
for a while; of each, who has been so the longest. Who is being answered, or comes again and again, never gives way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collector.http_connection import Connection

WHILE_SECONDS: Final = 5.0


class Crowd:
    """The connections of a door that may have to give way, with the time at which each began what it does now."""

    def __init__(self) -> None:
        self._silent: dict[Connection, float] = {}
        self._resting: dict[Connection, float] = {}
        self._asking: dict[Connection, float] = {}

    def came(self, connection: Connection, now: float) -> None:
        """Note a new connection."""
        self._silent[connection] = now

    def asks(self, connection: Connection, now: float) -> None:
        """Note that a request began to arrive."""
        self.left(connection)
        self._asking[connection] = now

    def rests(self, connection: Connection, now: float) -> None:
        """Note that nothing is left to be answered."""
        self._resting[connection] = now

    def left(self, connection: Connection) -> None:
        """Forget a connection: its request is whole, or it is gone."""
        self._silent.pop(connection, None)
        self._resting.pop(connection, None)
        self._asking.pop(connection, None)

    def gives_way(self, now: float) -> Connection | None:
        """Return who is to give way, and forget it; None where nobody has to."""
        for those, seconds in ((self._silent, 0.0), (self._resting, WHILE_SECONDS), (self._asking, WHILE_SECONDS)):
            for connection, since in those.items():
                if now - since >= seconds:
                    self.left(connection)
                    return connection
                break
        return None
