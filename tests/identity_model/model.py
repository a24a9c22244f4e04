"""The outcome of the identity rules, worked out anew from all events and statements each time.

The numbers in comments are those of "The rules, read closely" in docs/reference/identity.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.identity_model.declaration import Declaration, ProcessDeclaration
from tests.identity_model.links import Judged, Link, LinkKind, drawn_by_content, judge
from tests.identity_model.reading import EventId, Reading, read, standing_contents
from throughline.core.event import Event
from throughline.core.key import Key
from throughline.core.statement import Statement

Outcome = dict[str, Any]
ROLES = ("name", "alias", "carrier")  # best first


@dataclass
class Stands:
    """What an alias stands for: the cases, and whether it acts as a carrier because its component is in conflict."""

    cases: set[Key]
    as_carrier: bool = False


@dataclass
class Case:
    """One case while it is worked out; ``name`` is a name's key, or the first alias of a provisional case."""

    name: Key
    provisional: bool = False
    conflict: bool = False
    aliases: set[Key] = field(default_factory=set)
    direct: set[Key] = field(default_factory=set)  # carriers held other than by a pass
    held: set[Key] = field(default_factory=set)  # direct ones and those by passes
    relations: set[Key] = field(default_factory=set)
    exists: bool = False  # some event reaches it, denied or not
    members: dict[EventId, str] = field(default_factory=dict)
    denied: set[EventId] = field(default_factory=set)


@dataclass
class Resolved:
    """All that the rules say about one process."""

    process: ProcessDeclaration
    cases: dict[Key, Case]
    stands: dict[Key, Stands]
    waiting: dict[Key, set[EventId]]


def outcome(events: list[Event], statements: list[Statement], declaration: Declaration, now: int) -> Outcome:
    """Return which events belong to which case, as plain values that can be compared.

    ``now`` (microseconds) only decides what is an orphan by now. Events and statements may come in any order; the same
    event may come many times.
    """
    readings = [read(event, declaration) for event in standing_contents(events)]
    resolved = [
        resolve(readings, judge(readings, statements, process, declaration), process, declaration.bulk_limit)
        for process in declaration.processes
    ]
    plain: Outcome = {each.process.name: _plain(each) for each in resolved}
    plain["placeholders"] = _count(readings, lambda reading: reading.placeholders)
    plain["lacking_scope"] = _count(readings, lambda reading: reading.lacking_scope)
    plain["ambiguous"] = _count(
        readings, lambda reading: int(reading.names_several or _is_ambiguous(reading, declaration))
    )
    plain["orphan_values"] = sorted(key.encode() for key in orphans(readings, resolved, declaration, now))
    return plain


def resolve(readings: list[Reading], judged: Judged, process: ProcessDeclaration, bulk_limit: int) -> Resolved:
    """Work out one process."""
    mine = [reading for reading in readings if reading.event.type in process.types]
    posts = {reading.id: stands_at(reading, process) for reading in mine}
    cases, stands = name_the_cases(posts, judged, process)
    hold(cases, stands, judged)
    relate(cases, stands, mine, process)
    for event, keys in posts.items():
        for key in keys:
            _bring(event, key, cases, stands, process, bulk_limit)
    for case in cases.values():
        case.exists = bool(case.members)
    deny(cases, stands, judged, [reading.id for reading in readings])
    return Resolved(process, cases, stands, waits(posts, cases, process))


def stands_at(reading: Reading, process: ProcessDeclaration) -> set[Key]:
    """Return the keys at which an event stands (8): its names, else its aliases, else its most specific carriers."""
    names = reading.side(process.name_key).keys
    if names:
        return set(names)
    aliases = {key for alias in process.aliases for key in reading.side(alias).keys}
    if aliases:
        return aliases
    for carrier in process.carriers:
        if reading.side(carrier).keys:
            return set(reading.side(carrier).keys)
    return set()


def name_the_cases(
    posts: dict[EventId, set[Key]], judged: Judged, process: ProcessDeclaration
) -> tuple[dict[Key, Case], dict[Key, Stands]]:
    """Return every possible case by its name, and what each alias stands for (4, 5, 7, 11)."""
    posted = {key for keys in posts.values() for key in keys}
    mentioned = posted | {key for link in judged.linked for key in (link.a, link.b)}
    cases = {key: Case(key) for key in mentioned if key.type == process.name_key}
    stands: dict[Key, Stands] = {}
    ties = {(link.a, link.b) for link in judged.linked if link.kind is LinkKind.ALIAS_ALIAS}
    for component in components({key for key in mentioned if key.type in process.aliases}, ties):
        direct = {alias: _names_tied(alias, judged.linked) for alias in component}
        names = set[Key]().union(*direct.values())
        is_conflict = len(names) > 1
        for name in names:
            cases[name].conflict |= is_conflict
        for alias in component:
            stays = is_conflict and len(direct[alias]) == 1
            stood_for = direct[alias] if stays else names - _names_blocked(alias, judged.blocked)
            stands[alias] = Stands(stood_for, as_carrier=is_conflict and not stays)
        nameless = {alias for alias in component if not stands[alias].cases}
        for group in components(nameless, ties):
            _name_provisionally(group, posted, cases, stands, process)
    for alias, stood in stands.items():
        for name in stood.cases:
            cases[name].aliases.add(alias)
    return cases, stands


def components(keys: set[Key], ties: set[tuple[Key, Key]]) -> list[set[Key]]:
    """Return the sets of keys that are connected by ties among these keys."""
    found = [{key} for key in sorted(keys)]
    for a, b in ties:
        if a in keys and b in keys:
            joined = [group for group in found if a in group or b in group]
            found = [group for group in found if group not in joined] + [set[Key]().union(*joined)]
    return found


def _names_tied(alias: Key, linked: frozenset[Link]) -> set[Key]:
    return {link.a for link in linked if link.kind is LinkKind.NAME_ALIAS and link.b == alias}


def _names_blocked(alias: Key, blocked: frozenset[Link]) -> set[Key]:
    return {link.a for link in blocked if link.kind is LinkKind.NAME_ALIAS and link.b == alias}


def _name_provisionally(
    group: set[Key], posted: set[Key], cases: dict[Key, Case], stands: dict[Key, Stands], process: ProcessDeclaration
) -> None:
    """Make a provisional case of aliases without a name, if an event stands at one of them (7)."""
    for alias in group:
        stands[alias] = Stands(set())
    if group & posted:
        first = min(group, key=lambda alias: (process.aliases.index(alias.type), alias.value, alias.scope))
        cases[first] = Case(first, provisional=True)
        for alias in group:
            stands[alias].cases.add(first)


def hold(cases: dict[Key, Case], stands: dict[Key, Stands], judged: Judged) -> None:
    """Give each case the carriers it holds: directly, through its aliases, and by passes, save what is blocked."""
    by_alias = {
        case.name: {alias for alias, stood in stands.items() if case.name in stood.cases} for case in cases.values()
    }
    for case in cases.values():
        speakers = {case.name} | by_alias[case.name]
        blocked = {link.b for link in judged.blocked if _is_hold(link) and link.a in speakers}  # 11
        case.direct = {link.b for link in judged.linked if _is_hold(link) and link.a in speakers} - blocked
        case.held = set(case.direct)
        growing = True
        while growing:  # 9: chains of any length, cycles do no harm
            passed = {link.b for link in judged.linked if link.kind is LinkKind.PASS and link.a in case.held} - blocked
            growing = not passed <= case.held
            case.held |= passed


def _is_hold(link: Link) -> bool:
    return link.kind in (LinkKind.NAME_CARRIER, LinkKind.ALIAS_CARRIER)


def relate(
    cases: dict[Key, Case], stands: dict[Key, Stands], readings: list[Reading], process: ProcessDeclaration
) -> None:
    """Give each case its relations: paired as holds are, by successful events with its name, or its alias alone."""
    for reading in readings:
        if reading.event.failed:
            continue
        owners = (process.name_key,) if reading.side(process.name_key).keys else process.aliases
        for owner_type in owners:
            for relation_type in process.relations:
                for owner, value in _related(reading, owner_type, relation_type):
                    names = {owner} if owner_type == process.name_key else stands[owner].cases
                    for name in names:
                        cases[name].relations.add(value)


def _related(reading: Reading, owner: str, relation: str) -> set[tuple[Key, Key]]:
    stated = reading.pairs_stated(owner, relation)
    if stated is not None:
        return stated
    if 1 not in (reading.side(owner).size, reading.side(relation).size):
        return set()
    return {(a, b) for a in reading.side(owner).keys for b in reading.side(relation).keys}


def _bring(
    event: EventId,
    key: Key,
    cases: dict[Key, Case],
    stands: dict[Key, Stands],
    process: ProcessDeclaration,
    bulk_limit: int,
) -> None:
    """Bring an event to all the cases of one key at which it stands, in the role of that key (9)."""
    if key.type == process.name_key:
        role, reached, direct = "name", {key}, 0
    elif key.type in process.aliases:
        stood = stands[key]
        role, reached = ("carrier" if stood.as_carrier else "alias"), stood.cases
        direct = len(stood.cases) if stood.as_carrier else 0
    else:
        role, reached = "carrier", {case.name for case in cases.values() if key in case.held}
        direct = sum(key in case.direct for case in cases.values())  # 10
    if direct > bulk_limit:
        return
    for name in reached:
        members = cases[name].members
        members[event] = min(role, members.get(event, role), key=ROLES.index)


def waits(
    posts: dict[EventId, set[Key]], cases: dict[Key, Case], process: ProcessDeclaration
) -> dict[Key, set[EventId]]:
    """Return the carrier values that no case holds, with the events that stand there."""
    waiting: dict[Key, set[EventId]] = {}
    for event, keys in posts.items():
        for key in keys:
            if key.type in process.carriers and not any(key in case.held for case in cases.values()):
                waiting.setdefault(key, set()).add(event)
    return waiting


def deny(cases: dict[Key, Case], stands: dict[Key, Stands], judged: Judged, known: list[EventId]) -> None:
    """Take the events that people took off a case off it, and show them there as denied (12, 13)."""
    for link in judged.said:
        for event in judged.denied_events(link, known):
            for name in _cases_of_pair(link, stands):
                if name in cases and cases[name].exists:
                    cases[name].denied.add(event)
                    cases[name].members.pop(event, None)


def _cases_of_pair(link: Link, stands: dict[Key, Stands]) -> set[Key]:
    """Return the case that the name or alias of a pair stands for: of two aliases, the cases of both."""
    if link.kind is LinkKind.PASS:
        return set()
    if link.kind in (LinkKind.NAME_ALIAS, LinkKind.NAME_CARRIER):
        return {link.a}
    aliases = [key for key in (link.a, link.b) if key in stands]
    return set[Key]().union(*(stands[alias].cases for alias in aliases))


def orphans(readings: list[Reading], resolved: list[Resolved], declaration: Declaration, now: int) -> set[Key]:
    """Return the values that waited as long as the orphan time: at a carrier no case holds, or as a provisional case.

    A value is none if a process that declares the type of the waiting event holds it.
    """
    by_id = {reading.id: reading.event for reading in readings}
    found: set[Key] = set()
    for each in resolved:
        lonely = dict(each.waiting)
        for case in each.cases.values():
            if case.provisional:
                lonely[case.name] = _posted_at(case.aliases, readings, each.process) - case.denied
        for key, events in lonely.items():
            for event in (by_id[event_id] for event_id in events):
                is_aged = now - event.received >= declaration.orphan_time
                if is_aged and not any(_is_home(key, event.type, other) for other in resolved):
                    found.add(key)
    return found


def _posted_at(aliases: set[Key], readings: list[Reading], process: ProcessDeclaration) -> set[EventId]:
    return {
        reading.id
        for reading in readings
        if reading.event.type in process.types and stands_at(reading, process) & aliases
    }


def _is_home(key: Key, event_type: str, resolved: Resolved) -> bool:
    """Return True where a process that declares the type has a case that holds the carrier, or a name for the alias."""
    if event_type not in resolved.process.types:
        return False
    if key.type in resolved.process.carriers:
        return any(key in case.held for case in resolved.cases.values())
    if key.type in resolved.process.aliases and key in resolved.stands:
        return any(name.type == resolved.process.name_key for name in resolved.stands[key].cases)
    return False


def _is_ambiguous(reading: Reading, declaration: Declaration) -> bool:
    return any(drawn_by_content(reading, process).ambiguous for process in declaration.processes)


def _count(readings: list[Reading], number: Callable[[Reading], int]) -> dict[str, int]:
    counter: Counter[str] = Counter()
    for reading in readings:
        counter[reading.event.source] += number(reading)
    return {source: count for source, count in sorted(counter.items()) if count}


def _plain(resolved: Resolved) -> Outcome:
    conflicting = {alias for alias, stood in resolved.stands.items() if stood.as_carrier}
    return {
        "cases": {
            case.name.encode(): {
                "provisional": case.provisional,
                "conflict": case.conflict,
                "members": dict(sorted(case.members.items())),
                "denied": sorted(case.denied),
                "aliases": _texts(case.aliases - conflicting),
                "carriers": _texts(case.held | (case.aliases & conflicting)),
                "relations": _texts(case.relations),
            }
            for case in resolved.cases.values()
            if case.exists
        },
        "waiting": {key.encode(): sorted(events) for key, events in resolved.waiting.items()},
    }


def _texts(keys: Iterable[Key]) -> list[str]:
    return sorted(key.encode() for key in keys)
