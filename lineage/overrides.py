"""Statements as they bear on links: which pairs people linked or unlinked, for all events or for given ones.

Rules 11 to 13 of docs/reference/identity.md. Statements are few; everything here is kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from lineage.process import Process
from throughline.core.event import identity_digest
from throughline.core.key import Key, KeyType, scope_of
from throughline.core.statement import End, Statement, Verb


class Pairing(IntEnum):
    """The kinds of pair that a statement may name; the last three are those of ``store.Edge``."""

    TIE = 1  # alias – alias
    HOLD = 2  # alias – carrier
    PASS = 3  # carrier → carrier
    NAME_TIE = 11  # name – alias
    NAME_HOLD = 12  # name – carrier


class TextPair(NamedTuple):
    """A pair as its normalised texts; ``a`` is the name, the alias, the lesser alias, or the old carrier."""

    kind: Pairing
    a: str
    b: str


class Pair(NamedTuple):
    """A pair by ids: of a case (``a`` of a NAME_… pair) or of interned values."""

    process: int
    kind: Pairing
    a: int
    b: int


Order = tuple[int, str]


@dataclass
class Rule:
    """What people said of one pair: the last statement for all, and the last for each given event."""

    all: tuple[Order, Verb] | None = None
    events: dict[bytes, tuple[Order, Verb]] = field(default_factory=dict[bytes, tuple[Order, Verb]])

    def add(self, statement: Statement) -> None:
        said = (statement.order, statement.verb)
        if statement.all and (self.all is None or self.all[0] < said[0]):
            self.all = said
        for event in statement.events:
            digest = identity_digest(event.source, event.id)
            known = self.events.get(digest)
            if known is None or known[0] < said[0]:
                self.events[digest] = said

    def verb_for(self, digest: bytes) -> Verb | None:
        """Return what the last statement that covers an event says of it; None where none does."""
        given = self.events.get(digest)
        if given is not None and (self.all is None or self.all[0] <= given[0]):
            return given[1]
        return None if self.all is None else self.all[1]

    @property
    def linked_for_all(self) -> bool:
        return self.all is not None and self.all[1] is Verb.LINK

    @property
    def unlinked_for_all(self) -> bool:
        return self.all is not None and self.all[1] is Verb.UNLINK

    @property
    def linking(self) -> list[bytes]:
        """Return the given events that draw the pair by a statement, if they are known."""
        return [digest for digest in self.events if self.verb_for(digest) is Verb.LINK]

    def denies(self, digest: bytes) -> bool:
        """Return whether a statement takes this event off the case of the pair."""
        given = self.events.get(digest)
        if given is None or given[1] is not Verb.UNLINK:
            return False
        return self.all is None or self.all[0] <= given[0]


class Overrides:
    """All rules, by pair and by either end."""

    def __init__(self) -> None:
        self.rules: dict[Pair, Rule] = {}
        self.by_a: dict[tuple[int, Pairing, int], set[int]] = {}
        self.by_b: dict[tuple[int, Pairing, int], set[int]] = {}
        self.values: set[tuple[int, int]] = set()  # (process, value) of every value that a rule names
        self.given: dict[bytes, set[Pair]] = {}  # by the digest of an event, the pairs that it was given for

    def __bool__(self) -> bool:
        return bool(self.rules)

    def add(self, pair: Pair, statement: Statement) -> None:
        self.rules.setdefault(pair, Rule()).add(statement)
        self.by_a.setdefault((pair.process, pair.kind, pair.a), set()).add(pair.b)
        self.by_b.setdefault((pair.process, pair.kind, pair.b), set()).add(pair.a)
        self.values.add((pair.process, pair.b))
        for event in statement.events:
            self.given.setdefault(identity_digest(event.source, event.id), set()).add(pair)
        if pair.kind not in (Pairing.NAME_TIE, Pairing.NAME_HOLD):
            self.values.add((pair.process, pair.a))


def key_of(end: End, key_types: dict[str, KeyType]) -> Key | None:
    """Return the normalised key that an end of a statement means; None where it is none."""
    key_type = key_types.get(end.type)
    if key_type is None:
        return None
    scope = scope_of(end.scope.get(name) for name in key_type.scope)
    value = key_type.value(end.value)
    return None if value is None or scope is None else Key(end.type, value, scope)


def pairs_of(process: Process, a: Key, b: Key) -> list[TextPair]:
    """Return the pairs of a process that two keys may form; none where their roles have no link."""
    roles = process.roles
    kinds = (roles.get(a.type), roles.get(b.type))
    left, right = a.encode(), b.encode()
    match kinds:
        case ("name", "alias"):
            return [TextPair(Pairing.NAME_TIE, left, right)]
        case ("name", "carrier"):
            return [TextPair(Pairing.NAME_HOLD, left, right)]
        case ("alias", "carrier"):
            return [TextPair(Pairing.HOLD, left, right)]
        case ("alias", "name") | ("carrier", "name") | ("carrier", "alias"):
            return pairs_of(process, b, a)
        case ("alias", "alias"):
            return [TextPair(Pairing.TIE, *sorted((left, right)))]
        case ("carrier", "carrier"):
            found = [TextPair(Pairing.PASS, left, right)] if (a.type, b.type) in process.passes else []
            if a.type != b.type and (b.type, a.type) in process.passes:
                found.append(TextPair(Pairing.PASS, right, left))
            return found
        case _:
            return []


def text_pairs(
    statement: Statement, processes: Iterable[Process], key_types: dict[str, KeyType]
) -> list[tuple[Process, TextPair]]:
    """Return every pair, in every process meant, that a statement speaks of; none where it is about exceptions."""
    if statement.b is None:
        return []
    a, b = key_of(statement.a, key_types), key_of(statement.b, key_types)
    if a is None or b is None or a == b:
        return []
    return [
        (process, pair)
        for process in processes
        if statement.process in (None, process.name)
        for pair in pairs_of(process, a, b)
    ]
