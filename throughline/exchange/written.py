"""Events as the API gives them (``GET /api/v1/events``), with numbers as they were written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from throughline.core.errors import LastingError


class Key(msgspec.Struct, frozen=True):
    """A key with the scope fields that say who issued it."""

    type: str
    value: str
    scope: dict[str, str]


class KeyUse(msgspec.Struct, frozen=True):
    """A key of an event and its roles."""

    key: Key
    roles: list[str]


class Pair(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Two keys that an event ties, holds, passes on, relates or states."""

    kind: str
    start: Key
    end: Key
    qualifier: str | None = None


class Written(msgspec.Struct, frozen=True):
    """An event that counts; ``event`` is its CloudEvent as it came."""

    event: msgspec.Raw
    received: str
    keys: list[KeyUse] = []
    pairs: list[Pair] = []

    def read(self) -> dict[str, Any]:
        """Return the CloudEvent; a number with a fraction keeps its text."""
        return _event.decode(self.event)


class Page(msgspec.Struct, frozen=True):
    """A page of events; ``next`` is the cursor of the next one."""

    events: list[Written]
    next: str | None = None


_page = msgspec.json.Decoder(Page)
_event = msgspec.json.Decoder(dict[str, Any], float_hook=lambda text: msgspec.Raw(text.encode()))


def all_events(ask: Callable[[str | None], bytes]) -> Iterator[Written]:
    """Give all events; ``ask`` gets the page of a cursor."""
    cursor: str | None = None
    while True:
        try:
            page = _page.decode(ask(cursor))
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise LastingError(
                f"what answers does not know /api/v1/events ({error}): is it of this version?"
            ) from error
        yield from page.events
        cursor = page.next
        if cursor is None:
            return
