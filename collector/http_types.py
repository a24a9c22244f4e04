"""What the HTTP server and its doors say to each other: requests, answers, limits."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from collector.reading import Refusal, Refused

IDLE_SECONDS: Final = 75.0
LINGER_SECONDS: Final = 2.0  # how long the rest of a refused request is read, so that its sender hears the answer


class Head(NamedTuple):
    """The head of a request; header names in lower case, several of one name joined by commas."""

    method: str
    path: str
    headers: dict[str, str]
    peer: str


class Request(NamedTuple):
    """A whole request, its body as sent."""

    head: Head
    body: bytes


class Answer(NamedTuple):
    """An answer; further headers as name and value."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Application(Protocol):
    """What a door does with requests; it never raises but for faults of ours."""

    def admit(self, head: Head) -> Answer | None:
        """Look at a head before the body is read: None to read on, else the answer that ends it."""
        ...

    async def answer(self, request: Request) -> Answer:
        """Answer a whole request."""
        ...

    def refuse(self, path: str, refused: Refused) -> Answer:
        """Say why a request is refused; ``path`` is empty where it isn't known."""
        ...


class Limits(NamedTuple):
    """What one door bears."""

    header_bytes: int
    body_bytes: int
    connections: int
    request_seconds: float
    idle_seconds: float = IDLE_SECONDS
    linger_seconds: float = LINGER_SECONDS


class InHand:
    """Counts the bytes of all requests being read or answered; beyond ``most`` new ones are refused."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    def take(self, size: int, held: int) -> None:
        """Add bytes to a request that holds some already; raises Refused where it is too much with all others."""
        if self.bytes + size > self._most and self.bytes > held:
            raise Refused(Refusal.OVERLOADED, "too many bytes are on their way at once", 1)
        self.bytes += size

    def give_back(self, size: int) -> None:
        self.bytes -= size
