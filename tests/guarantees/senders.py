"""Senders at every door at once, which keep account of what was acknowledged.

As official senders do, they send a payload again, unchanged, until it is acknowledged.
"""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from typing import Any, Self

from tests.guarantees.doors import Door, EventKey, Passing, Position, doors
from tests.service.serving import PATIENCE_SECONDS

PAUSE_SECONDS = 0.03  # between payloads, so that there is traffic all the time but no load test
AGAIN_SECONDS = 0.05


class Accounts:
    """What was sent and what was acknowledged, by several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.sent: list[EventKey] = []
        self.acknowledged: list[EventKey] = []
        self.payloads: dict[Position, Any] = {}
        self.repeated = 0
        self.faults: list[BaseException] = []

    def note_sent(self, keys: list[EventKey]) -> None:
        with self._changed:
            self.sent += keys

    def note_repeated(self) -> None:
        with self._changed:
            self.repeated += 1

    def note_acknowledged(self, keys: list[EventKey], position: Position, payload: Any) -> None:
        with self._changed:
            self.acknowledged += keys
            self.payloads[position] = payload
            self._changed.notify_all()

    def note_fault(self, fault: BaseException) -> None:
        with self._changed:
            self.faults.append(fault)
            self._changed.notify_all()

    def wait_for(self, more: int) -> None:
        """Wait until so many more events are acknowledged; raise the fault of a sender that had one."""
        with self._changed:
            wanted = len(self.acknowledged) + more
            reached = self._changed.wait_for(
                lambda: bool(self.faults) or len(self.acknowledged) >= wanted, PATIENCE_SECONDS
            )
        self.raise_fault()
        assert reached, f"waited in vain for {more} more events to be acknowledged"

    def raise_fault(self) -> None:
        if self.faults:
            raise self.faults[0]


class Traffic:
    """A sender at every door. ``addresses`` says where the doors are now, and is to be kept up to date."""

    def __init__(self, began: int) -> None:
        self.accounts = Accounts()
        self.addresses: dict[str, str] = {}
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_sending, args=(door,), name=door.name)
            for door in doors(self.addresses, began)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.addresses.clear()  # nobody waits for a serve that is gone
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send nothing new, and wait until all that was sent is acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), f"the sender of {thread.name} waits in vain"
        self.accounts.raise_fault()

    def _keep_sending(self, door: Door) -> None:
        try:
            with closing(door):
                while not self._stop.is_set():
                    keys, payload = door.next_payload()
                    self.accounts.note_sent(keys)
                    self.accounts.note_acknowledged(keys, self._deliver(door, payload), payload)
                    self._stop.wait(PAUSE_SECONDS)
        except BaseException as fault:
            self.accounts.note_fault(fault)

    def _deliver(self, door: Door, payload: Any) -> Position:
        again = threading.Event()
        while True:
            with suppress(Passing):
                return door.send(payload)
            self.accounts.note_repeated()
            again.wait(AGAIN_SECONDS)
