"""The queues between the firm's systems: what is due for each, with the headers of the messages that caused it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict

from throughline.demo.chronicle import Happening
from throughline.demo.systems.message import Done, Headers, Order


class Broker:
    """Holds what is to happen until it is time and its messages are there; each order is given out once.

    An order whose causes are not done yet waits for them, as it would in any queue.
    """

    def __init__(self, happenings: Iterable[Happening]) -> None:
        """``happenings`` in the order of reporting."""
        self._waiting = deque(happenings)
        self._held: list[Happening] = []
        self._headers: dict[str, Headers] = {}
        self._sends: dict[str, list[str]] = {}
        for happening in self._waiting:
            for cause in happening.causes:
                queues = self._sends.setdefault(cause, [])
                if happening.flow is not None and happening.flow not in queues:
                    queues.append(happening.flow)

    @property
    def left(self) -> int:
        """How many orders have not been given out."""
        return len(self._waiting) + len(self._held)

    def due(self, until: int) -> dict[str, list[Order]]:
        """Return, by system, what is to be done and reported by ``until``, in order."""
        ready: dict[str, list[Order]] = {}
        while self._waiting and self._waiting[0].reported <= until:
            self._held.append(self._waiting.popleft())
        held, self._held = self._held, []
        for happening in held:
            if all(cause in self._headers for cause in happening.causes):
                ready.setdefault(happening.system, []).append(self._order(happening))
            else:
                self._held.append(happening)
        return ready

    def answered(self, done: Done) -> None:
        """Take the messages that a system sent while it carried out its orders."""
        self._headers |= done.headers

    def _order(self, happening: Happening) -> Order:
        return Order(
            id=happening.id,
            type=happening.type,
            time=happening.time,
            reported=happening.reported,
            fields=happening.fields,
            headers=[self._headers[cause] for cause in happening.causes],
            sends=self._sends.get(happening.id, []),
            flow=happening.flow,
            error=None if happening.error is None else asdict(happening.error),
            copies=happening.copies,
        )
