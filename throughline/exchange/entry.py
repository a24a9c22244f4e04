"""What a log is read as: entries to send, entries that cannot be read, and a count of what is not kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

import msgspec

from throughline.core.errors import LastingError

_DIGEST_BYTES = 12
_encode = msgspec.json.Encoder(order="sorted").encode


class LogUnreadable(LastingError):
    """A log cannot be read on from some place; what came before it may have been sent."""


class Entry(NamedTuple):
    """One entry of a log as it is sent: the JSON of a CloudEvent, or of a row for a mapping.

    ``place`` says where it stands in the log, ``type`` the event's type where it is known here.
    """

    place: str
    body: bytes
    type: str | None = None


class Unread(NamedTuple):
    """An entry that no event can be made of, and why."""

    place: str
    reason: str
    sentence: str


class Log(Protocol):
    """A log in one of the formats; read again, it gives the same entries in the same order."""

    def entries(self) -> Iterator[Entry | Unread]: ...

    def done(self) -> float:
        """Return how much of it is read, from 0 to 1."""
        ...


class Count:
    """How often something happened, and the first example of it."""

    __slots__ = ("count", "example")

    def __init__(self) -> None:
        self.count = 0
        self.example = ""

    def add(self, example: str, count: int = 1) -> None:
        self.example = self.example or example[:300]
        self.count += count


class Tally:
    """Counts by what was counted, in the order of the first of each."""

    def __init__(self) -> None:
        self.counts: dict[str, Count] = {}

    def add(self, what: str, example: str, count: int = 1) -> None:
        self.counts.setdefault(what, Count()).add(example, count)


def cloud_event(source: str, identity: str, kind: str, time: str | None, data: dict[str, Any]) -> bytes:
    """Return the JSON of a CloudEvent; without a time the door says what is missing."""
    event: dict[str, Any] = {"specversion": "1.0", "id": identity, "source": source, "type": kind}
    if time is not None:
        event["time"] = time
    event["data"] = data
    return _encode(event)


def content_identity(*parts: object) -> str:
    """Return an id made of what an entry says: equal content, equal id."""
    return blake2b(_encode(parts), digest_size=_DIGEST_BYTES).hexdigest()


def chunks(file: Any, size: int = 1 << 18) -> Iterable[bytes]:
    """Give a binary file in pieces."""
    return iter(lambda: file.read(size), b"")
