"""The three kinds of link: which ones an event draws, which ones a statement names, and which ones count."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tests.identity_model.declaration import Declaration, ProcessDeclaration
from tests.identity_model.reading import EventId, Reading, scope_value
from throughline.core.key import Key
from throughline.core.statement import End, Statement, Verb


class LinkKind(StrEnum):
    NAME_ALIAS = "name-alias"  # a tie
    ALIAS_ALIAS = "alias-alias"  # a tie
    NAME_CARRIER = "name-carrier"  # a hold
    ALIAS_CARRIER = "alias-carrier"  # a hold
    PASS = "carrier-carrier"


class Link(NamedTuple):
    """``a`` and ``b`` in the order of the kind's name; two aliases in order of their text; a pass from a to b."""

    kind: LinkKind
    a: Key
    b: Key


class Drawn(NamedTuple):
    """What the content of one event draws in one process, and whether a pairing in it is ambiguous."""

    links: frozenset[Link]
    ambiguous: bool


def link_of(process: ProcessDeclaration, a: Key, b: Key) -> list[Link]:
    """Return the links that the pair of two keys is in a process, whichever is given first; none for other pairs.

    Two keys may pass to each other in both directions, where both are declared; within one type only from a to b.
    """
    found: list[Link] = []
    for x, y in ((a, b), (b, a)):
        if x.type == process.name_key and y.type in process.aliases:
            found.append(Link(LinkKind.NAME_ALIAS, x, y))
        if x.type == process.name_key and y.type in process.carriers:
            found.append(Link(LinkKind.NAME_CARRIER, x, y))
        if x.type in process.aliases and y.type in process.carriers:
            found.append(Link(LinkKind.ALIAS_CARRIER, x, y))
        if x.type in process.aliases and y.type in process.aliases and x < y:
            found.append(Link(LinkKind.ALIAS_ALIAS, x, y))
        if (x.type, y.type) in process.passes and (x.type != y.type or (x, y) == (a, b)):
            found.append(Link(LinkKind.PASS, x, y))
    return found


def drawn_by_content(reading: Reading, process: ProcessDeclaration) -> Drawn:
    """Return the links that an event draws by what it carries: none where it failed or its type is not declared."""
    if reading.event.failed or reading.event.type not in process.types:
        return Drawn(frozenset(), False)
    links: set[Link] = set()
    ambiguous = False
    for a, b in _pairs_of_types(process):
        stated = reading.pairs_stated(a, b)
        if not _applies(reading, process, a, b):
            continue
        if stated is not None:
            for x, y in stated:
                links |= set(link_of(process, x, y))
        elif a == b:
            continue  # within one type only stated pairs count
        elif reading.side(a).size > 1 and reading.side(b).size > 1:
            ambiguous = True
        elif _unstated_is_enough(reading, process, a, b):
            for x in reading.side(a).keys:
                for y in reading.side(b).keys:
                    links |= set(link_of(process, x, y))
    return Drawn(frozenset(links), ambiguous)


def _pairs_of_types(process: ProcessDeclaration) -> list[tuple[str, str]]:
    """Return the pairs of key types between which a link exists in a process, each once."""
    pairs = [(process.name_key, other) for other in process.aliases + process.carriers]
    pairs += [(a, b) for a in process.aliases for b in process.aliases if a <= b]
    pairs += [(alias, carrier) for alias in process.aliases for carrier in process.carriers]
    pairs += sorted({(min(a, b), max(a, b)) for a, b in process.passes})
    return pairs


def _applies(reading: Reading, process: ProcessDeclaration, a: str, b: str) -> bool:
    """Return False for a hold by an alias on an event that has a name."""
    is_hold_by_alias = a in process.aliases and b in process.carriers
    return not (is_hold_by_alias and reading.side(process.name_key).keys)


def _unstated_is_enough(reading: Reading, process: ProcessDeclaration, a: str, b: str) -> bool:
    """Decide for two types that are not both several: alias–alias wants one value each and one name at most."""
    if a in process.aliases and b in process.aliases:
        sizes = (reading.side(a).size, reading.side(b).size)
        return sizes == (1, 1) and reading.side(process.name_key).size <= 1
    return True


def links_named(statement: Statement, process: ProcessDeclaration, declaration: Declaration) -> list[Link]:
    """Return the links of a process that a statement speaks of; none where its pair is not of a kind there."""
    if statement.process not in (None, process.name):
        return []
    a, b = _key(statement.a, declaration), _key(statement.b, declaration)
    return [] if a is None or b is None else link_of(process, a, b)


def _key(end: End, declaration: Declaration) -> Key | None:
    """Return the key at one end of a statement's pair; None for a placeholder or where its scope is not given."""
    key_type = declaration.key_type(end.type)
    value = key_type.value(end.value)
    scope = [scope_value(end.scope.get(name)) for name in key_type.scope]
    if value is None or None in scope:
        return None
    return Key(end.type, value, tuple(text for text in scope if text is not None))


class Said(NamedTuple):
    """One statement about one link, in the order in which statements win."""

    order: tuple[int, str]
    verb: Verb
    all: bool
    events: frozenset[EventId]

    def covers(self, event: EventId) -> bool:
        return self.all or event in self.events


class Judged(NamedTuple):
    """The links of one process that count, and those that people blocked on every path."""

    linked: frozenset[Link]
    blocked: frozenset[Link]
    said: dict[Link, list[Said]]

    def denied_events(self, link: Link, known: list[EventId]) -> set[EventId]:
        """Return the events whose last covering statement about a link is an unlink that gives them."""
        denied: set[EventId] = set()
        for event in known:
            last = last_covering(self.said.get(link, []), event)
            if last is not None and last.verb is Verb.UNLINK and event in last.events:
                denied.add(event)
        return denied


def last_covering(said: list[Said], event: EventId) -> Said | None:
    """Return the last statement that covers an event, by server time, then id; None where none does."""
    return max((each for each in said if each.covers(event)), key=lambda each: each.order, default=None)


def judge(
    readings: list[Reading], statements: list[Statement], process: ProcessDeclaration, declaration: Declaration
) -> Judged:
    """Weigh what events draw against what people said, for every link that either of them names."""
    drawn = {reading.id: drawn_by_content(reading, process).links for reading in readings}
    said: dict[Link, list[Said]] = {}
    for statement in statements:
        for link in links_named(statement, process, declaration):
            events = frozenset((event.source, event.id) for event in statement.events)
            said.setdefault(link, []).append(Said(statement.order, statement.verb, statement.all, events))
    candidates = set(said).union(*drawn.values())
    linked = frozenset(link for link in candidates if _is_linked(link, said.get(link, []), drawn))
    blocked = frozenset(link for link in candidates - linked if _last_for_all(said.get(link, [])) is Verb.UNLINK)
    return Judged(linked, blocked, said)


def _last_for_all(said: list[Said]) -> Verb | None:
    last = max((each for each in said if each.all), key=lambda each: each.order, default=None)
    return None if last is None else last.verb


def _is_linked(link: Link, said: list[Said], drawn: dict[EventId, frozenset[Link]]) -> bool:
    if _last_for_all(said) is Verb.LINK:
        return True
    for event, links in drawn.items():
        last = last_covering(said, event)
        draws = link in links if last is None else last.verb is Verb.LINK
        if draws:
            return True
    return False
