"""Links: what one event draws in one process, and where it stands; pure, from the event and the definitions alone.

The rules are those of docs/reference/identity.md. Keys appear as their interned text (``Key.encode``).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from lineage.process import Process
from throughline.core.event import Event
from throughline.core.key import KeyType, scope_of

_REMEMBERED_VALUES = 100_000


class Stand(StrEnum):
    """By which role of key an event comes to its cases in a process."""

    NAME = "name"
    ALIAS = "alias"
    CARRIER = "carrier"


class EdgeKind(StrEnum):
    """A link without a name at either end."""

    TIE = "tie"  # alias – alias
    HOLD = "hold"  # alias – carrier
    PASS = "pass"  # carrier → carrier
    RELATION = "relation"  # alias – relation


class Side(NamedTuple):
    """The distinct values of one key type on an event; ``size`` counts a placeholder among them as one more."""

    values: tuple[str, ...]
    size: int


class StatedPair(NamedTuple):
    """A relation of the event between two key types; an end that is a placeholder is None."""

    from_type: str
    from_value: str | None
    to_type: str
    to_value: str | None


class Keys(NamedTuple):
    """All keys of one event, and what was counted while they were read.

    ``ambiguous``: an end of a stated pair names several keys, so that the pair states nothing.
    """

    sides: dict[str, Side]
    stated: tuple[StatedPair, ...]
    placeholders: int
    lacking_scope: int
    ambiguous: bool = False


class Owned(msgspec.Struct, frozen=True, gc=False):
    """What an event links to one owner: a name, or an alias of an event without names."""

    owner: str
    aliases: tuple[str, ...]
    carriers: tuple[str, ...]
    relations: tuple[str, ...]


class Drawing(msgspec.Struct, frozen=True, gc=False):
    """What one event does in one process. Failed events own nothing and draw no edges."""

    process: Process
    stand: Stand
    at: tuple[str, ...]
    owned: tuple[Owned, ...]
    edges: tuple[tuple[EdgeKind, str, str], ...]
    ambiguous: bool


class _End(NamedTuple):
    """The key at an end of a stated pair: its type (None where no process knows it), its value, and its scope."""

    kind: KeyType | None
    raw: str
    scope: dict[str, str] | None


_EMPTY = Side((), 0)


class KeyReader:
    """Reads the keys of events; remembers normalised values, since the same ones come again and again."""

    def __init__(self, key_types: Iterable[KeyType]) -> None:
        self._types = {key_type.name: key_type for key_type in key_types}
        self._texts: dict[str, dict[str, str | None]] = {name: {} for name in self._types}
        self._remembered = 0

    def read_plain(self, event: Event) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Return the key types of an event and their values, where each has one and nothing is to be counted.

        None where the event states relations, or a key has several values, a placeholder, or no scope.
        """
        if event.relations:
            return None
        texts = self._texts
        kinds: list[str] = []
        values: list[str] = []
        for name, raw in event.fields.items():
            known = texts.get(name)
            if known is None:
                continue
            if not isinstance(raw, str):
                return None
            text = known.get(raw)
            key_type = self._types[name]
            if text is None:
                text = self._text(key_type, raw)
            if key_type.scope and text is not None:
                scope = _scope(key_type, event, None)
                text = None if scope is None else "\x1f".join((text, *scope))
            if text is None:
                return None
            kinds.append(name)
            values.append(text)
        return tuple(kinds), tuple(values)

    def read(self, event: Event) -> Keys:
        """Return the sides and stated pairs of an event."""
        types = self._types
        if event.relations:
            return self._read_with_relations(event)
        sides: dict[str, Side] = {}
        placeholders = lacking = 0
        for name, raw in event.fields.items():
            key_type = types.get(name)
            if key_type is None:
                continue
            if isinstance(raw, str) and not key_type.scope:
                text = self._text(key_type, raw)
                if text is None:
                    placeholders += 1
                    sides[name] = Side((), 1)
                else:
                    sides[name] = Side((text,), 1)
                continue
            values = _Values()
            for each in raw if isinstance(raw, list) else [event.text(name) or ""]:
                self._collect(key_type, each, None, event, values)
            placeholders += len(values.hollow)
            lacking += values.lacks_scope
            if values.size:
                sides[name] = values.side()
        return Keys(sides, (), placeholders, lacking)

    def _read_with_relations(self, event: Event) -> Keys:
        found: dict[str, _Values] = {}
        for name, raw in event.fields.items():
            key_type = self._types.get(name)
            if key_type is not None:
                for each in raw if isinstance(raw, list) else [event.text(name) or ""]:
                    self._collect(key_type, each, None, event, found.setdefault(name, _Values()))
        stated: list[StatedPair] = []
        ambiguous = False
        for relation in event.relations:
            ends = (
                self._end(relation.from_type, relation.from_value, relation.from_scope),
                self._end(relation.to_type, relation.to_value, relation.to_scope),
            )
            if None in ends:
                ambiguous = True
                continue
            pair = [
                (
                    end.kind.name,
                    self._collect(end.kind, end.raw, end.scope, event, found.setdefault(end.kind.name, _Values())),
                )
                for end in ends
                if end is not None and end.kind is not None
            ]
            if len(pair) == 2:
                stated.append(StatedPair(*pair[0], *pair[1]))
        sides = {name: values.side() for name, values in found.items() if values.size}
        placeholders = sum(len(values.hollow) for values in found.values())
        lacking = sum(values.lacks_scope for values in found.values())
        return Keys(sides, tuple(stated), placeholders, lacking, ambiguous)

    def _end(self, name: str, raw: str, beside: dict[str, str] | None) -> _End | None:
        """Return the key at an end of a stated pair; None where it names several, of which none may be taken.

        What scopes another of its keys is no key there, in whatever order the sender wrote them.
        """
        if not beside:
            return _End(self._types.get(name), raw, None)
        members = {name: raw, **beside}
        kinds = [self._types[each] for each in members if each in self._types]
        scoping = {field for kind in kinds for field in kind.scope}
        keys = [kind for kind in kinds if kind.name not in scoping]
        if not kinds:
            return _End(None, raw, beside)
        return _End(keys[0], members[keys[0].name], members) if len(keys) == 1 else None

    def _collect(
        self, key_type: KeyType, raw: str, end_scope: dict[str, str] | None, event: Event, values: _Values
    ) -> str | None:
        """Add one value as written; return its text, None where it is no key."""
        text = self._text(key_type, raw)
        if text is None:
            values.hollow.add(raw)
            return None
        if key_type.scope:
            scope = _scope(key_type, event, end_scope)
            if scope is None:
                values.lacks_scope = True
                return None
            text = "\x1f".join((text, *scope))
        values.texts[text] = None
        return text

    def _text(self, key_type: KeyType, raw: str) -> str | None:
        """Return type and normalised value of a raw text; None for a placeholder."""
        known = self._texts[key_type.name]
        if raw in known:
            return known[raw]
        value = key_type.value(raw)
        self._remembered += 1
        if self._remembered > _REMEMBERED_VALUES:
            self._remembered = 0
            for each in self._texts.values():
                each.clear()
        known[raw] = text = None if value is None else f"{key_type.name}\x1f{value}"
        return text


class _Values:
    """The values of one key type while an event is read."""

    def __init__(self) -> None:
        self.texts: dict[str, None] = {}
        self.hollow: set[str] = set()
        self.lacks_scope = False

    @property
    def size(self) -> int:
        return len(self.texts) + bool(self.hollow)

    def side(self) -> Side:
        return Side(tuple(self.texts), self.size)


def _scope(key_type: KeyType, event: Event, end: dict[str, str] | None) -> tuple[str, ...] | None:
    """Return the scope values of a key: those of its end of a stated pair, else the event's own; None if one lacks."""
    return scope_of((end or {}).get(name, event.text(name)) for name in key_type.scope)


def draw(process: Process, keys: Keys, failed: bool) -> Drawing | None:
    """Return where an event stands in a process and what it draws there; None where it carries no key of it."""
    sides = keys.sides
    names = sides.get(process.name_key, _EMPTY)
    aliases = [(kind, sides[kind]) for kind in process.aliases if kind in sides]
    carriers = [(kind, sides[kind]) for kind in process.carriers if kind in sides]
    if names.values:
        stand, at = Stand.NAME, names.values
    elif any(side.values for _, side in aliases):
        stand, at = Stand.ALIAS, tuple(text for _, side in aliases for text in side.values)
    else:
        at = next((side.values for _, side in carriers if side.values), ())
        if not at:
            return None
        stand = Stand.CARRIER
    if failed:
        return Drawing(process, stand, at, (), (), False)
    pen = _Pen(process, keys)
    relations = [(kind, sides[kind]) for kind in process.relations if kind in sides]
    owned: tuple[Owned, ...] = ()
    if stand is Stand.NAME:
        owned = pen.own(process.name_key, names, aliases, carriers, relations)
    elif stand is Stand.ALIAS:
        for kind, side in aliases:
            if side.values:
                owned += pen.own(kind, side, [], carriers, relations)
    pen.tie_aliases(aliases, names)
    pen.pass_on(carriers)
    return Drawing(process, stand, at, owned, tuple(pen.edges), pen.ambiguous)


class _Pen:
    """Draws pairs of one event in one process: stated ones, else those with one side single."""

    def __init__(self, process: Process, keys: Keys) -> None:
        self.edges: list[tuple[EdgeKind, str, str]] = []
        self.ambiguous = False
        self._process = process
        self._stated = keys.stated

    def own(
        self,
        kind: str,
        owners: Side,
        aliases: list[tuple[str, Side]],
        carriers: list[tuple[str, Side]],
        relations: list[tuple[str, Side]],
    ) -> tuple[Owned, ...]:
        if len(owners.values) == 1 and owners.size == 1 and not self._stated:
            return (
                Owned(
                    owners.values[0],
                    tuple(text for _, side in aliases for text in side.values),
                    tuple(text for _, side in carriers for text in side.values),
                    tuple(text for _, side in relations for text in side.values),
                ),
            )
        groups: list[dict[str, list[str]]] = []
        for role, others in enumerate((aliases, carriers, relations)):
            mine: dict[str, list[str]] = {}
            for other_kind, side in others:
                for owner, other in self._pairs(kind, owners, other_kind, side, counted=role < 2):
                    mine.setdefault(owner, []).append(other)
            groups.append(mine)
        return tuple(Owned(owner, *(tuple(group.get(owner, ())) for group in groups)) for owner in owners.values)

    def tie_aliases(self, aliases: list[tuple[str, Side]], names: Side) -> None:
        for index, (kind, side) in enumerate(aliases):
            for pair in self._stated_between(kind, kind) or ():
                self._edge(EdgeKind.TIE, pair)
            for other_kind, other in aliases[index + 1 :]:
                stated = self._stated_between(kind, other_kind)
                if stated is not None:
                    for pair in stated:
                        self._edge(EdgeKind.TIE, pair)
                elif side.size == other.size == 1 and names.size <= 1:
                    if side.values and other.values:
                        self._edge(EdgeKind.TIE, (side.values[0], other.values[0]))
                elif side.size > 1 and other.size > 1:
                    self.ambiguous = True

    def pass_on(self, carriers: list[tuple[str, Side]]) -> None:
        present = dict(carriers)
        for kind, other_kind in self._process.passes:
            if kind not in present or other_kind not in present:
                continue
            if kind == other_kind:
                pairs = self._stated_between(kind, kind) or []
            else:
                pairs = self._pairs(kind, present[kind], other_kind, present[other_kind])
            for pair in pairs:
                if pair[0] != pair[1]:
                    self.edges.append((EdgeKind.PASS, *pair))

    def _pairs(
        self, kind: str, side: Side, other_kind: str, other: Side, counted: bool = True
    ) -> list[tuple[str, str]]:
        stated = self._stated_between(kind, other_kind)
        if stated is not None:
            return stated
        if side.size > 1 and other.size > 1:
            self.ambiguous = self.ambiguous or counted
            return []
        return [(mine, theirs) for mine in side.values for theirs in other.values]

    def _stated_between(self, kind: str, other_kind: str) -> list[tuple[str, str]] | None:
        """Return the stated pairs of two types, the first type's value first; None where none is stated."""
        if not self._stated:
            return None
        pairs: list[tuple[str, str]] = []
        stated = False
        for pair in self._stated:
            if pair.from_type == kind and pair.to_type == other_kind:
                left, right = pair.from_value, pair.to_value
            elif pair.from_type == other_kind and pair.to_type == kind:
                left, right = pair.to_value, pair.from_value
            else:
                continue
            stated = True
            if left is not None and right is not None:
                pairs.append((left, right))
        return list(dict.fromkeys(pairs)) if stated else None

    def _edge(self, kind: EdgeKind, pair: tuple[str, str]) -> None:
        """Add an edge between two values of one standing, the lesser first."""
        left, right = sorted(pair)
        if left != right:
            self.edges.append((kind, left, right))
