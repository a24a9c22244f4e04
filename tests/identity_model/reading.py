"""What one event says: its sides and its stated pairs, normalised, before any process looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tests.identity_model.declaration import Declaration
from throughline.core.event import Event, Relation
from throughline.core.key import Key, KeyType

EventId = tuple[str, str]  # source, id


class Side(NamedTuple):
    """The distinct values of one type on an event; a placeholder among them counts as one more value."""

    keys: frozenset[Key]
    placeholder: bool

    @property
    def size(self) -> int:
        return len(self.keys) + self.placeholder


class Ends(NamedTuple):
    """A stated pair. A key is None where its end is a placeholder or lacks its scope: such a pair gives no link."""

    from_type: str
    from_key: Key | None
    to_type: str
    to_key: Key | None


@dataclass(frozen=True)
class Reading:
    """One event as every process reads it.

    ``placeholders`` and ``lacking_scope`` are what it counts for its source, as is ``names_several``: an end of a
    stated pair does, so that this pair is none.
    """

    event: Event
    sides: dict[str, Side]
    stated: tuple[Ends, ...]
    placeholders: int
    lacking_scope: int
    names_several: bool

    @property
    def id(self) -> EventId:
        return (self.event.source, self.event.id)

    def side(self, key_type: str) -> Side:
        return self.sides.get(key_type, Side(frozenset(), False))

    def pairs_stated(self, a: str, b: str) -> set[tuple[Key, Key]] | None:
        """Return the pairs (a, b) that are stated of two types; None where the event states none of these types.

        Between two types the direction does not matter; within one type a pair stays (from, to).
        """
        found: set[tuple[Key, Key]] = set()
        are_stated = False
        for ends in self.stated:
            if (ends.from_type, ends.to_type) == (a, b):
                pair = (ends.from_key, ends.to_key)
            elif (ends.to_type, ends.from_type) == (a, b):
                pair = (ends.to_key, ends.from_key)
            else:
                continue
            are_stated = True
            if pair[0] is not None and pair[1] is not None:
                found.add((pair[0], pair[1]))
        return found if are_stated else None


def standing_contents(events: list[Event]) -> list[Event]:
    """Return, of the contents under each source and id, the one with the least (receipt time, digest)."""
    least: dict[EventId, Event] = {}
    for event in events:
        known = least.get((event.source, event.id))
        if known is None or (event.received, event.digest) < (known.received, known.digest):
            least[event.source, event.id] = event
    return [least[event_id] for event_id in sorted(least)]


def read(event: Event, declaration: Declaration) -> Reading:
    """Read the sides and the stated pairs of one event."""
    raw = sorted(
        _values_in_fields(event, declaration) + _values_in_relations(event, declaration),
        key=lambda value: (value.type.name, value.text),
    )
    sides: dict[str, Side] = {}
    for name in {value.type.name for value in raw}:
        mine = [value for value in raw if value.type.name == name]
        keys = frozenset(value.key for value in mine if value.key is not None)
        sides[name] = Side(keys, any(value.is_placeholder for value in mine))
    return Reading(
        event=event,
        sides=sides,
        stated=_stated(event, declaration),
        placeholders=len({(value.type.name, value.text) for value in raw if value.is_placeholder}),
        lacking_scope=len({value.type.name for value in raw if value.lacks_scope}),
        names_several=any(len(_keys_at(*end, declaration)) > 1 for pair in event.relations for end in _ends(pair)),
    )


def scope_value(text: str | None) -> str | None:
    """Return the value of a scope field, read as a plain key is; None where it is missing or a placeholder."""
    return None if text is None else KeyType("scope").value(text)


class _Value(NamedTuple):
    """One value as written, with the scope fields that its end of a stated pair gave."""

    type: KeyType
    text: str
    event: Event
    given_scope: dict[str, str] | None = None

    @property
    def is_placeholder(self) -> bool:
        return self.type.value(self.text) is None

    @property
    def scope(self) -> tuple[str, ...] | None:
        """Return the scope values in declared order; None where one is missing."""
        found: list[str] = []
        for name in self.type.scope:
            value = scope_value((self.given_scope or {}).get(name, self.event.text(name)))
            if value is None:
                return None
            found.append(value)
        return tuple(found)

    @property
    def lacks_scope(self) -> bool:
        return not self.is_placeholder and self.scope is None

    @property
    def key(self) -> Key | None:
        value, scope = self.type.value(self.text), self.scope
        return None if value is None or scope is None else Key(self.type.name, value, scope)


def _values_in_fields(event: Event, declaration: Declaration) -> list[_Value]:
    found: list[_Value] = []
    for name, content in event.fields.items():
        if name not in declaration.keys:
            continue
        texts = content if isinstance(content, list) else [event.text(name) or ""]
        found += [_Value(declaration.key_type(name), text, event) for text in texts]
    return found


End = tuple[str, str, dict[str, str]]  # of a stated pair: type, value, and what stands beside


def _ends(relation: Relation) -> tuple[End, End]:
    return (
        (relation.from_type, relation.from_value, relation.from_scope or {}),
        (relation.to_type, relation.to_value, relation.to_scope or {}),
    )


def _keys_at(name: str, text: str, beside: dict[str, str], declaration: Declaration) -> list[End]:
    """Return what may be the key of an end: a key type that scopes no other one there, with the rest beside it."""
    members = {name: text, **beside}
    kinds = [each for each in members if each in declaration.keys]
    scoping = {field for each in kinds for field in declaration.key_type(each).scope}
    return [(each, members[each], members) for each in kinds if each not in scoping]


def _values_in_relations(event: Event, declaration: Declaration) -> list[_Value]:
    return [value for pair in _pairs(event, declaration) for value in pair if value is not None]


def _pairs(event: Event, declaration: Declaration) -> list[tuple[_Value | None, _Value | None]]:
    """Return the stated pairs with the values at their ends, None for no key; without those of which an end is torn."""
    found: list[tuple[_Value | None, _Value | None]] = []
    for relation in event.relations:
        from_keys, to_keys = (_keys_at(*end, declaration) for end in _ends(relation))
        if len(from_keys) <= 1 and len(to_keys) <= 1:
            found.append((_value_at(from_keys, event, declaration), _value_at(to_keys, event, declaration)))
    return found


def _value_at(keys: list[End], event: Event, declaration: Declaration) -> _Value | None:
    if not keys:
        return None
    ((name, text, beside),) = keys
    return _Value(declaration.key_type(name), text, event, beside)


def _stated(event: Event, declaration: Declaration) -> tuple[Ends, ...]:
    return tuple(
        Ends(at.type.name, at.key, to.type.name, to.key)
        for at, to in _pairs(event, declaration)
        if at is not None and to is not None
    )
