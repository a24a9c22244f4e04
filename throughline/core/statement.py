"""Statements: what a person decided about the links between records, with who, when and why.

Statements are appended to a log of their own (``throughline/core/decisions.py``) and never changed. For each pair and
event the last statement that covers it wins, by server time, then id.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from throughline.core.instants import format_instant


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

    It covers every event (``all``), or the given ``events``, or both: then those given are taken off the case too.
    ``process`` None: in every process in which the two key types have a link. ``a`` is the end *from*, ``b`` the end
    *to*. ``authenticated`` False: ``by`` was taken as given.
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


class StatementDocument(msgspec.Struct, frozen=True):
    """A statement as the API shows it.

    ``process`` null: in every process. Each end of ``pair`` has its scope fields beside its key.
    """

    id: str
    position: str
    at: str
    verb: Verb
    process: str | None
    pair: dict[str, dict[str, str]]
    all: bool
    events: list[dict[str, str]]
    by: str
    authenticated: bool
    why: str


def statement_document(statement: Statement) -> StatementDocument:
    """Return a statement as the API shows it."""
    return StatementDocument(
        id=statement.id,
        position=statement.position,
        at=format_instant(statement.at),
        verb=statement.verb,
        process=statement.process,
        pair={"from": _members(statement.a), "to": _members(statement.b)},
        all=statement.all,
        events=[{"source": event.source, "id": event.id} for event in statement.events],
        by=statement.by,
        authenticated=statement.authenticated,
        why=statement.why,
    )


def _members(end: End) -> dict[str, str]:
    return {end.type: end.value, **end.scope}
