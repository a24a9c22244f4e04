"""Statements: what a person decided about the links between records, or about exceptions; with who, when and why.

Statements are appended to a log of their own (``throughline/core/decisions.py``) and never changed. For each pair and
event, and for each exception, the last statement that covers it wins, by server time, then id.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from throughline.core.instants import format_instant


class Verb(StrEnum):
    LINK = "link"
    UNLINK = "unlink"
    ACCEPT = "accept"
    WITHDRAW = "withdraw"  # takes an acceptance back


class AcceptedAs(StrEnum):
    """How a person settles an exception that no evidence will close."""

    WAIVED = "waived"
    WRITTEN_OFF = "written_off"
    HANDLED_ELSEWHERE = "handled_elsewhere"


class End(msgspec.Struct, frozen=True, gc=False):
    """One end of a pair: a key as the person wrote it, not normalised; ``scope`` says who issued the number."""

    type: str
    value: str
    scope: dict[str, str] = {}


class EventRef(NamedTuple):
    """An event by the two texts under which it counts once."""

    source: str
    id: str


class DeviationRef(NamedTuple):
    """A deviation as the person saw it: another ``since`` (microseconds) makes it another one."""

    kind: str
    step: str | None
    round: int | None
    since: int


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A statement as it was asked for, checked, but not recorded yet. ``authenticated`` False: ``by`` is as given.

    ``link`` and ``unlink`` cover every event (``all``), or the given ``events``, or both: then those given are taken
    off the case too. ``process`` None: in every process in which the two key types have a link. ``a`` is the end
    *from*, ``b`` the end *to*.

    ``accept`` and ``withdraw`` cover ``deviations`` of the case of ``process`` that ``a`` names. They have no ``b``;
    only ``accept`` has ``accepted_as``.
    """

    verb: Verb
    a: End
    b: End | None
    all: bool
    events: tuple[EventRef, ...]
    by: str
    authenticated: bool
    why: str
    process: str | None = None
    accepted_as: AcceptedAs | None = None
    deviations: tuple[DeviationRef, ...] = ()


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


class DeviationRefDocument(msgspec.Struct, frozen=True):
    """A deviation that a statement is about, as the person saw it."""

    kind: str
    step: str | None
    round: int | None
    since: str


class StatementDocument(msgspec.Struct, frozen=True, kw_only=True, rename={"accepted_as": "as"}):
    """A statement as the API shows it.

    ``process`` null: in every process. Each end of ``pair``, and ``case``, has its scope fields beside its key. About
    a link there are ``pair``, ``all`` and ``events``; about exceptions ``case``, ``deviations`` and ``as``, which is
    null where they are withdrawn.
    """

    id: str
    position: str
    at: str
    verb: Verb
    process: str | None
    pair: dict[str, dict[str, str]] | UnsetType = UNSET
    all: bool | UnsetType = UNSET
    events: list[dict[str, str]] | UnsetType = UNSET
    case: dict[str, str] | UnsetType = UNSET
    accepted_as: AcceptedAs | UnsetType | None = UNSET
    deviations: list[DeviationRefDocument] | UnsetType = UNSET
    by: str
    authenticated: bool
    why: str


def statement_document(statement: Statement) -> StatementDocument:
    """Return a statement as the API shows it."""
    of_links = statement.b is not None
    return StatementDocument(
        id=statement.id,
        position=statement.position,
        at=format_instant(statement.at),
        verb=statement.verb,
        process=statement.process,
        pair={"from": _members(statement.a), "to": _members(statement.b)} if statement.b is not None else UNSET,
        all=statement.all if of_links else UNSET,
        events=[{"source": event.source, "id": event.id} for event in statement.events] if of_links else UNSET,
        case=UNSET if of_links else _members(statement.a),
        accepted_as=UNSET if of_links else statement.accepted_as,
        deviations=UNSET if of_links else [_deviation(each) for each in statement.deviations],
        by=statement.by,
        authenticated=statement.authenticated,
        why=statement.why,
    )


def _deviation(found: DeviationRef) -> DeviationRefDocument:
    return DeviationRefDocument(found.kind, found.step, found.round, format_instant(found.since))


def _members(end: End) -> dict[str, str]:
    return {end.type: end.value, **end.scope}
