"""Statements: what a person decided about the links between records, with who, when and why.

Statements are appended to a log of their own (``throughline/core/decisions.py``) and never changed. For each pair and
event the last statement that covers it wins, by server time, then id.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec


class Verb(StrEnum):
    LINK = "link"
    UNLINK = "unlink"


class End(msgspec.Struct, frozen=True, gc=False):
    """One end of a pair: a key as the person wrote it, not normalised; ``scope`` says who issued the number."""

    type: str
    value: str
    scope: dict[str, str] = {}


class EventRef(NamedTuple):
    """An event by the two texts under which it counts once."""

    source: str
    id: str


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A statement as it was asked for, checked, but not recorded yet.

    Either ``all`` is True, or ``events`` names at least one event. ``process`` None: in every process in which the
    two key types have a link. ``a`` is the end *from*, ``b`` the end *to*. ``authenticated`` False: ``by`` was taken as
    given.
    """

    verb: Verb
    a: End
    b: End
    all: bool
    events: tuple[EventRef, ...]
    by: str
    authenticated: bool
    why: str
    process: str | None = None


class Statement(Draft, frozen=True, kw_only=True, gc=False):
    """A recorded statement. ``number`` counts from 1 without gaps; ``at`` is the server's time in microseconds.

    ``at`` grows with ``number``, so that the order by (``at``, ``id``) is the order in which they were recorded.
    """

    number: int
    id: str
    at: int

    @property
    def position(self) -> str:
        """Return the opaque text by which a caller asks whether this statement is folded."""
        return f"s{self.number}"

    @property
    def order(self) -> tuple[int, str]:
        """Return what statements about one pair are compared by: the greatest wins."""
        return (self.at, self.id)
