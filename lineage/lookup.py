"""Looking up: from a key that a person knows to the cases it has a part in, by its role in each process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from math import isqrt
from typing import NamedTuple

from lineage.fact import Exposure, Fact
from lineage.overrides import Pairing
from lineage.process import Process
from lineage.read import Snapshot
from lineage.resolve import Reach
from lineage.saving import EMPTY
from lineage.store import Edge, Patience, Role
from throughline.core.event import Event
from throughline.core.key import Key, KeyType
from throughline.core.problem import Problem, ProblemKind
from throughline.core.text import has_control_characters

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
    """Events at a value that no case holds: their types, how many, the least receipt, whether any is an orphan by now.

    ``exposure``: what an orphan holds up, counted once; None where it is none yet, or its value names a case.
    """

    types: frozenset[str]
    events: int
    since: int
    orphan: bool
    exposure: Exposure | None


class Bulk(NamedTuple):
    """Events at a value that more cases hold than the bulk limit, newest first, and how many hold it directly."""

    events: list[Fact]
    holders: int


def known_keys(snapshot: Snapshot, kind: str, raw: str, scope: Mapping[str, str]) -> list[Key]:
    """Return the keys of a type and value that were ever seen, in every scope that fits, sorted.

    A placeholder is no key and was never seen as one. Raises Problem for a type that no process knows, a value with
    control characters, and a scope field that the type does not have.
    """
    key_type = _key_type(snapshot, kind)
    if has_control_characters(raw.strip()):
        raise Problem(ProblemKind.INVALID, f"value: seen {raw[:64]!r}, wanted a value without control characters")
    value = key_type.value(raw)
    for name in scope:
        if name not in key_type.scope:
            wanted = ", ".join(key_type.scope) or f"none: {kind} has no scope"
            raise Problem(ProblemKind.INVALID, f"scope.{name}: seen a field that {kind} does not have, wanted {wanted}")
    wanted_scope = tuple(scope.get(name) for name in key_type.scope)
    if value is None:
        return []
    return [key for key in _seen(snapshot, Key(kind, value), bool(key_type.scope)) if _fits(key, wanted_scope)]


def _key_type(snapshot: Snapshot, kind: str) -> KeyType:
    key_type = snapshot.definitions.key_types.get(kind)
    if key_type is None:
        known = ", ".join(sorted(snapshot.definitions.key_types))
        raise Problem(ProblemKind.INVALID, f"type: seen {kind[:64]!r}, wanted a type of key: {known}")
    return key_type


def _seen(snapshot: Snapshot, key: Key, scoped: bool) -> list[Key]:
    start = key.encode()
    low, high = (start + "\x1f", start + "\x20") if scoped else (start, start)
    store = snapshot.store
    texts = set(store.scoped_texts(start, MOST_KEYS) if scoped else store.value_ids([start]))
    for condition in _named(snapshot, key.type):
        sql = f"SELECT name FROM cases WHERE {condition} AND name >= ? AND name <= ? LIMIT ?"
        texts.update(row[0] for row in store.rows(sql, low, high, MOST_KEYS))
    return sorted(Key.decode(text) for text in texts)


def _named(snapshot: Snapshot, kind: str) -> list[str]:
    """Return the conditions by which rows of cases are those that a type of key names, one for each process."""
    return [
        f"process = {snapshot.process_ids[name]} AND state <> '{EMPTY}'"
        for name, process in snapshot.definitions.processes.items()
        if process.name_key == kind and name in snapshot.process_ids
    ]


def _fits(key: Key, wanted: tuple[str | None, ...]) -> bool:
    if len(key.scope) != len(wanted):
        return False
    return all(want is None or want == have for want, have in zip(wanted, key.scope, strict=True))


class _Source(NamedTuple):
    """Where the cases of a key in one process come from: rows of ``near`` at some values, and further cases by id."""

    part: Part
    process: str
    number: int
    role: Role
    values: frozenset[int]
    further: frozenset[int]


def cases_of(
    snapshot: Snapshot,
    key: Key,
    parts: Iterable[Part],
    after: tuple[int, str, str] | None,
    limit: int,
    *,
    within: str | None = None,
    but: str | None = None,
) -> list[Found]:
    """Return up to ``limit`` cases that a key has one of these parts in: closest first, then by process and name.

    ``after``: the part, process and interned name of the last case that was given before. ``within`` and ``but`` name
    the one process to look at, or not to look at.
    """
    found: list[Found] = []
    for source in _sources(snapshot, key, parts, within, but):
        at = (int(source.part), source.process)
        if len(found) >= limit or (after is not None and at < after[:2]):
            continue
        name = after[2] if after is not None and at == after[:2] else ""
        rows = _page(snapshot, source, name, limit - len(found))
        found += (Found(source.part, source.process, text, case_id) for text, case_id in rows)
    return found


def count_cases(snapshot: Snapshot, key: Key, parts: Iterable[Part] = tuple(Part), *, but: str | None = None) -> int:
    """Return how many cases a key has one of these parts in, those of the process ``but`` left out."""
    return sum(
        _count_near(snapshot, source) + len(_outside(snapshot, source))
        for source in _sources(snapshot, key, parts, but=but)
    )


def _sources(
    snapshot: Snapshot, key: Key, parts: Iterable[Part], within: str | None = None, but: str | None = None
) -> list[_Source]:
    text = key.encode()
    value = snapshot.store.value_ids([text]).get(text)
    wanted = frozenset(parts)
    asked: list[tuple[int, Process, Part]] = []
    for number, process in snapshot.processes.items():
        role = process.roles.get(key.type)
        part = None if role is None else Part[role.upper()]
        if part is None or part not in wanted or (value is None and part is not Part.NAME):
            continue
        if process.name == but or within not in (None, process.name):
            continue
        asked.append((number, process, part))
    linked = _linked(snapshot, value, [number for number, _, part in asked if part in _HELD_OR_RELATED])
    found = [
        _source(snapshot, number, process, part, text, value or 0)
        for number, process, part in asked
        if part not in _HELD_OR_RELATED or number in linked
    ]
    return sorted(found, key=lambda source: (source.part, source.process))


_HELD_OR_RELATED = frozenset({Part.CARRIER, Part.RELATION})


def _linked(snapshot: Snapshot, value: int | None, processes: list[int]) -> set[int]:
    """Return those of some processes in which anything leads from a carrier or a relation to cases: most have none."""
    if value is None or not processes:
        return set()
    rows = snapshot.store.rows(
        "SELECT asked.value FROM json_each(?) AS asked WHERE EXISTS"
        " (SELECT 1 FROM near n WHERE n.value = ? AND n.process = asked.value AND n.role IN (2, 3)) OR EXISTS"
        " (SELECT 1 FROM edge e WHERE e.process = asked.value AND e.kind IN (2, 3, 4) AND e.b = ?)",
        snapshot.store.array(processes),
        value,
        value,
    )
    return {row[0] for row in rows} | {said.pair.process for said in snapshot.said}


def _source(snapshot: Snapshot, number: int, process: Process, part: Part, text: str, value: int) -> _Source:
    resolver, store = snapshot.resolver, snapshot.store
    role, values, further = Role.HOLD, frozenset[int](), set[int]()
    match part:
        case Part.NAME:
            further = {row.id for row in store.cases_by_name(number, [text]).values()}
        case Part.ALIAS:
            further = set(resolver.stands_for(number, value)) or _provisional(snapshot, number, {value})
        case Part.CARRIER:
            upstream = resolver.upstream(number, value)
            if _is_spoken_of(snapshot, number, upstream):
                further = _of_reach(snapshot, number, resolver.holders(number, value))
            else:
                values = frozenset(upstream)
                for aliases in store.edges_to(number, Edge.HOLD, upstream).values():
                    further |= _behind_aliases(snapshot, number, aliases)
        case Part.RELATION:
            role, values = Role.RELATION, frozenset({value})
            further = _behind_aliases(snapshot, number, store.edges_to(number, Edge.RELATION, [value])[value])
    return _Source(part, process.name, number, role, values, frozenset(further))


def _is_spoken_of(snapshot: Snapshot, number: int, carriers: set[int]) -> bool:
    """Tell whether a person stated anything of who holds these carriers."""
    kinds = (Pairing.HOLD, Pairing.NAME_HOLD)
    return any(
        said.pair.process == number and said.pair.kind in kinds and said.pair.b in carriers for said in snapshot.said
    )


def _behind_aliases(snapshot: Snapshot, number: int, aliases: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for alias in aliases:
        found |= set(snapshot.resolver.stands_for(number, alias)) or _provisional(snapshot, number, {alias})
    return found


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


_AT_VALUES = "n.value IN (SELECT value FROM json_each(:values)) AND n.process = :process AND n.role = :role"
_FROM_NEAR = (
    f"SELECT DISTINCT c.name, c.id FROM near n CROSS JOIN cases c ON c.id = n.case_id WHERE {_AT_VALUES}"
    " AND c.name > :after AND c.state <> :empty ORDER BY c.name LIMIT :limit"
)
_FROM_NAMES = (
    "SELECT c.name, c.id FROM cases c INDEXED BY cases_by_name WHERE c.process = :process AND c.name > :after"
    f" AND EXISTS (SELECT 1 FROM near n WHERE n.case_id = c.id AND {_AT_VALUES})"
    " AND c.state <> :empty ORDER BY c.name LIMIT :limit"
)
_BY_ID = (
    "SELECT c.name, c.id FROM cases c WHERE c.id IN (SELECT value FROM json_each(:ids)) AND c.name > :after"
    " AND c.state <> :empty ORDER BY c.name LIMIT :limit"
)


def _page(snapshot: Snapshot, source: _Source, after: str, limit: int) -> list[tuple[str, int]]:
    """Return the next cases of a source by name.

    Few rows at the values are sorted by name; where there are many, names are walked until enough of them are near.
    """
    asked = {
        **_asked(snapshot, source),
        "after": after,
        "limit": limit,
        "empty": EMPTY,
        "ids": snapshot.store.array(source.further),
    }
    found: set[tuple[str, int]] = set()
    if source.further:
        found.update(snapshot.store.connection.execute(_BY_ID, asked).fetchall())
    if source.values:
        question = _FROM_NAMES if _is_crowded(snapshot, source, limit) else _FROM_NEAR
        found.update(snapshot.store.connection.execute(question, asked).fetchall())
    return sorted(found)[:limit]


def _is_crowded(snapshot: Snapshot, source: _Source, limit: int) -> bool:
    """Return whether so many rows stand at the values of a source that walking the names is less than sorting them."""
    few = {**_asked(snapshot, source), "most": _FEW}
    question = f"SELECT count(*) FROM (SELECT 1 FROM near n WHERE {_AT_VALUES} LIMIT :most) AS counted"
    if snapshot.store.connection.execute(question, few).fetchone()[0] < _FEW:
        return False
    names = snapshot.store.one("SELECT max(id) FROM cases") or 0
    most = isqrt(limit * names) + 1
    return snapshot.store.connection.execute(question, {**few, "most": most}).fetchone()[0] == most


_FEW = 200


def _count_near(snapshot: Snapshot, source: _Source) -> int:
    if not source.values:
        return 0
    distinct = "DISTINCT n.case_id" if len(source.values) > 1 else "*"
    question = f"SELECT count({distinct}) FROM near n WHERE {_AT_VALUES}"
    return snapshot.store.connection.execute(question, _asked(snapshot, source)).fetchone()[0]


def _outside(snapshot: Snapshot, source: _Source) -> list[int]:
    """Return the further cases of a source that are not near its values anyway."""
    if not source.further:
        return []
    question = (
        "SELECT c.id FROM cases c WHERE c.id IN (SELECT value FROM json_each(:ids)) AND c.state <> :empty"
        f" AND NOT EXISTS (SELECT 1 FROM near n WHERE n.case_id = c.id AND {_AT_VALUES})"
    )
    asked = {**_asked(snapshot, source), "ids": snapshot.store.array(source.further), "empty": EMPTY}
    return [row[0] for row in snapshot.store.connection.execute(question, asked).fetchall()]


def _asked(snapshot: Snapshot, source: _Source) -> dict[str, object]:
    return {"values": snapshot.store.array(source.values), "process": source.number, "role": int(source.role)}


def waiting_at(snapshot: Snapshot, key: Key) -> Waiting | None:
    """Return what waits at a value, in all processes together; None where nothing does.

    What waits in one process and belongs to a case of another does not wait.
    """
    text = key.encode()
    value = snapshot.store.value_ids([text]).get(text)
    if value is None:
        return None
    rows = snapshot.store.rows("SELECT process, orphan FROM waiting WHERE value = ?", value)
    found: dict[int, Fact] = {}
    shared: set[int] = set()
    for process, _ in rows:
        for fact in snapshot.resolver.waiting_at(process, value):
            found[fact.seq] = fact
            if fact.shared:
                shared.add(fact.seq)
    homeless = found.keys() - snapshot.resolver.housed(key.type, value, found.values())
    if not homeless:
        return None
    since = min(found[seq].received for seq in homeless)
    marks = {mark for _, mark in rows}
    orphan = bool(marks & {Patience.ORPHAN, Patience.SYNTHETIC})
    counts = Patience.ORPHAN in marks and not cases_of(snapshot, key, [Part.NAME], None, 1)
    types = frozenset(found[seq].type for seq in homeless)
    return Waiting(types, len(homeless), since, orphan, _held(snapshot, key, homeless, shared) if counts else None)


def bulk_at(snapshot: Snapshot, key: Key) -> Bulk | None:
    """Return the events at a value that too many cases hold for any to show these; None where there are none."""
    text = key.encode()
    value = snapshot.store.value_ids([text]).get(text)
    if value is None:
        return None
    resolver, events, holders = snapshot.resolver, dict[int, Fact](), 0
    marked = {row[0] for row in snapshot.store.rows("SELECT process FROM bulk WHERE value = ?", value)}
    for number, process in snapshot.processes.items():
        is_alias = key.type in process.aliases
        if not (is_alias and resolver.is_bulk_alias(number, value)) and number not in marked:
            continue
        facts = resolver.facts_at(number, value)
        if facts:
            events.update((fact.seq, fact) for fact in facts)
            holders += len(resolver.stands_for(number, value)) if is_alias else resolver.count_holders(number, value)
    newest = sorted(events.values(), key=lambda fact: (fact.time, fact.source, fact.id), reverse=True)
    return Bulk(newest, holders) if newest else None


def _held(snapshot: Snapshot, key: Key, seqs: Iterable[int], shared: set[int]) -> Exposure:
    """Return the latest amount and hours that successful events tell of a value; None within where none does.

    Of an event that stands at several values (``shared``) only its entry in ``amounts`` is this one's.
    """
    told = sorted(snapshot.store.events(seqs).items(), key=lambda each: (each[1].time, each[1].source, each[1].id))
    amount = currency = hours = None
    for seq, event in told:
        if event.failed:
            continue
        own = _entry(snapshot, key, event)
        if own is None and seq not in shared:
            own = event.amount
        if own is not None:
            amount, currency = own, event.currency
        if event.hours is not None and seq not in shared:
            hours = event.hours
    return Exposure(amount, currency, hours)


def _entry(snapshot: Snapshot, key: Key, event: Event) -> str | None:
    """Return a value's own entry in an event's amounts; of equal ones the first by its text."""
    key_type = snapshot.definitions.key_types[key.type]
    return next(
        (amount for raw, amount in sorted((event.amounts or {}).items()) if key_type.value(raw) == key.value), None
    )
