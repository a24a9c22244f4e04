"""What a batch of one of several engines has locked, and the guard that nothing else is read or changed.

A batch locks the rows of its keys and cases, in sorted order, and reads in later statements. Where linking leads
further, the guard says so (``NotLocked``); the batch is rolled back and begun again with the larger set, so that no
batch ever waits for a lock while it holds a later one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Wanted(NamedTuple):
    """What a batch locks: ids of values and cases, digests of (source, id), and traces."""

    values: set[int]
    cases: set[int]
    digests: set[bytes]
    traces: set[bytes]


def nothing_wanted() -> Wanted:
    return Wanted(set(), set(), set(), set())


class NotLocked(Exception):
    """A batch leads to values or cases that are not locked, or to cases that have no row yet, by process and name."""

    def __init__(
        self, values: Iterable[int] = (), cases: Iterable[int] = (), names: Iterable[tuple[int, str]] = ()
    ) -> None:
        self.values = frozenset(values)
        self.cases = frozenset(cases)
        self.names = frozenset(names)
        super().__init__(f"{len(self.values)} values, {len(self.cases)} cases, {len(self.names)} names")


class Gone(Exception):
    """Something that a batch would lock is no longer there: what is remembered of ids is of no use."""


class Locks:
    """What is locked now; ``alone``: everything, as no other engine works meanwhile."""

    def __init__(self) -> None:
        self.alone = True
        self.values: set[int] = set()
        self.cases: set[int] = set()

    def require(self, values: Iterable[int]) -> None:
        """Raise NotLocked where any of these values is not."""
        missing = set[int]() if self.alone else set(values) - self.values
        if missing:
            raise NotLocked(values=missing)

    def require_cases(self, cases: Iterable[int]) -> None:
        """Raise NotLocked where any of these cases is not."""
        missing = set[int]() if self.alone else set(cases) - self.cases
        if missing:
            raise NotLocked(cases=missing)
