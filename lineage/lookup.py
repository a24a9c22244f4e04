"""Looking up: from a key that a person knows to the cases it has a part in, by its role in each process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from lineage.process import Process
from lineage.read import Snapshot
from lineage.resolve import Reach
from lineage.saving import EMPTY
from lineage.store import Edge, Role
from throughline.core.key import Key, KeyType
from throughline.core.problem import Problem, ProblemKind

MOST_KEYS = 200  # records of one value that differ in scope


class Part(IntEnum):
    """Which role a key has in a case, the closest first."""

    NAME = 1
    ALIAS = 2
    CARRIER = 3
    RELATION = 4

    @property
    def word(self) -> str:
        return self.name.lower()


class Found(NamedTuple):
    """A case that a key has a part in; sorts by how close that is, then by process and name."""

    part: Part
    process: str
    name: str  # interned text
    case_id: int


class Waiting(NamedTuple):
    """Events at a value that no case holds: how many, the least receipt, and whether any is an orphan by now."""

    events: int
    since: int
    orphan: bool


def known_keys(snapshot: Snapshot, kind: str, raw: str, scope: Mapping[str, str]) -> list[Key]:
    """Return the keys of a type and value that were ever seen, in every scope that fits, sorted.

    Raises Problem for a type that no process knows, a placeholder, and a scope field that the type does not have.
    """
    key_type = _key_type(snapshot, kind)
    value = normalised(key_type, raw)
    for name in scope:
        if name not in key_type.scope:
            wanted = ", ".join(key_type.scope) or f"none: {kind} has no scope"
            raise Problem(ProblemKind.INVALID, f"scope.{name}: seen a field that {kind} does not have, wanted {wanted}")
    wanted_scope = tuple(scope.get(name) for name in key_type.scope)
    return [key for key in _seen(snapshot, Key(kind, value), bool(key_type.scope)) if _fits(key, wanted_scope)]


def normalised(key_type: KeyType, raw: str) -> str:
    """Return the normalised value; raises Problem for a placeholder."""
    value = key_type.value(raw)
    if value is None:
        raise Problem(
            ProblemKind.INVALID, f"seen {raw[:64]!r}, wanted a value of {key_type.name} that is no placeholder"
        )
    return value


def _key_type(snapshot: Snapshot, kind: str) -> KeyType:
    key_type = snapshot.definitions.key_types.get(kind)
    if key_type is None:
        known = ", ".join(sorted(snapshot.definitions.key_types))
        raise Problem(ProblemKind.INVALID, f"type: seen {kind[:64]!r}, wanted a type of key: {known}")
    return key_type


def _seen(snapshot: Snapshot, key: Key, scoped: bool) -> list[Key]:
    start = key.encode()
    low, high = (start + "\x1f", start + "\x20") if scoped else (start, start)
    texts: set[str] = set()
    for table, condition in (("value", ""), *_name_tables(snapshot, key.type)):
        column = "text" if table == "value" else "name"
        texts.update(
            row[0]
            for row in snapshot.store.rows(
                f"SELECT {column} FROM {table} WHERE {condition} {column} >= ? AND {column} <= ? LIMIT ?",
                low,
                high,
                MOST_KEYS,
            )
        )
    return sorted(Key.decode(text) for text in texts)


def _name_tables(snapshot: Snapshot, kind: str) -> list[tuple[str, str]]:
    return [
        ("cases", f"process = {snapshot.process_ids[name]} AND state <> '{EMPTY}' AND")
        for name, process in snapshot.definitions.processes.items()
        if process.name_key == kind and name in snapshot.process_ids
    ]


def _fits(key: Key, wanted: tuple[str | None, ...]) -> bool:
    if len(key.scope) != len(wanted):
        return False
    return all(want is None or want == have for want, have in zip(wanted, key.scope, strict=True))


def cases_of(snapshot: Snapshot, key: Key, parts: Iterable[Part] = tuple(Part)) -> list[Found]:
    """Return every case that a key has one of these parts in, closest first, then by process and name."""
    text = key.encode()
    value = snapshot.store.value_ids([text]).get(text)
    wanted = frozenset(parts)
    found: list[Found] = []
    for number, process in snapshot.processes.items():
        role = process.roles.get(key.type)
        if role is None or Part[role.upper()] not in wanted:
            continue
        part = Part[role.upper()]
        ids = _ids(snapshot, number, process, part, text, value)
        found += (Found(part, process.name, name, case_id) for case_id, name in _names(snapshot, ids))
    return sorted(found)


def _ids(snapshot: Snapshot, number: int, process: Process, part: Part, text: str, value: int | None) -> set[int]:
    resolver, store = snapshot.resolver, snapshot.store
    if part is Part.NAME:
        return {row.id for row in store.cases_by_name(number, [text]).values()}
    if value is None:
        return set()
    match part:
        case Part.ALIAS:
            return set(resolver.stands_for(number, value)) or _provisional(snapshot, number, {value})
        case Part.CARRIER:
            return _of_reach(snapshot, number, resolver.holders(number, value))
        case Part.RELATION:
            ids = set(store.near(number, Role.RELATION, [value])[value])
            for alias in store.edges_to(number, Edge.RELATION, [value])[value]:
                ids |= set(resolver.stands_for(number, alias)) or _provisional(snapshot, number, {alias})
            return ids


def _of_reach(snapshot: Snapshot, number: int, reach: Reach) -> set[int]:
    ids = set(reach.cases)
    for aliases in reach.provisional:
        ids |= _provisional(snapshot, number, set(aliases))
    return ids


def _provisional(snapshot: Snapshot, number: int, aliases: set[int]) -> set[int]:
    """Return the provisional case of the component of some aliases, where one stands."""
    unowned = {each for alias in aliases for each in snapshot.resolver.unowned(number, alias)}
    texts = snapshot.store.value_texts(unowned).values()
    return {row.id for row in snapshot.store.cases_by_name(number, texts).values()}


def _names(snapshot: Snapshot, ids: set[int]) -> list[tuple[int, str]]:
    if not ids:
        return []
    wanted = "[" + ",".join(map(str, ids)) + "]"
    return snapshot.store.rows(
        "SELECT id, name FROM cases WHERE id IN (SELECT value FROM json_each(?)) AND state <> ?", wanted, EMPTY
    )


def waiting_at(snapshot: Snapshot, key: Key) -> Waiting | None:
    """Return what waits at a value, in all processes together; None where nothing does."""
    text = key.encode()
    value = snapshot.store.value_ids([text]).get(text)
    if value is None:
        return None
    rows = snapshot.store.rows("SELECT process, since, orphan FROM waiting WHERE value = ?", value)
    if not rows:
        return None
    seqs = {fact.seq for process, _, _ in rows for fact in snapshot.resolver.facts_at(process, value)}
    return Waiting(len(seqs), min(row[1] for row in rows), any(row[2] == 1 for row in rows))
