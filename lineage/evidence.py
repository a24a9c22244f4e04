"""Evidence: why each event is held to belong to its case, as the shortest chain of keys and the events that link them.

Of chains of equal length the one whose events come first counts, by source, then id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lineage.fact import Fact, Via
from lineage.overrides import Pair, Pairing
from lineage.read import CaseView, Said, Snapshot
from lineage.store import Edge
from throughline.core.event import identity_digest
from throughline.core.key import Key
from throughline.core.statement import EventRef, Statement, Verb

NAME = 0  # the node that stands for the case itself; values are numbered from 1


class Link(NamedTuple):
    """One link of a chain: two keys, and the event or the statement that drew it."""

    kind: str  # tie, hold, pass
    start: Key
    end: Key
    event: EventRef | None
    statement: Statement | None


class Why(NamedTuple):
    """Why one event belongs: the key at which it stands, and the links from the case's name to that key.

    ``denied_by``: the statement that took the event off the case.
    """

    event: EventRef
    at: Key
    links: tuple[Link, ...]
    denied_by: Statement | None


class _Step(NamedTuple):
    """A link between two nodes of a case, before anybody asked who drew it."""

    pair: Pair
    start: int
    end: int


_Drawn = tuple[EventRef | None, Statement | None]
_Chain = tuple[tuple[str, str, str], ...]  # source and id of each link's event, and the key it leads to


def evidence(snapshot: Snapshot, view: CaseView) -> list[Why]:
    """Return why each member of a case belongs to it, by source, then id."""
    standing = _standing(snapshot, view)
    wanted = {value for values in standing.values() for value in values}
    chains = _Chains(snapshot, view).to(wanted)
    keys = {value: Key.decode(text) for value, text in snapshot.store.value_texts(wanted).items()}
    found: list[Why] = []
    for member in view.joined.members:
        fact = member.fact
        event = EventRef(fact.source, fact.id)
        denied_by = _denied_by(snapshot.said, view, event) if member.denied else None
        if member.via is Via.NAME:
            found.append(Why(event, view.key, (), denied_by))
            continue
        reached = [(chains[value], value) for value in standing.get(fact.seq, ()) if value in chains]
        if reached:
            (_, links), value = min(reached, key=lambda each: (len(each[0][0]), each[0][0], keys[each[1]]))
            found.append(Why(event, keys[value], links, denied_by))
    return sorted(found, key=lambda why: why.event)


def _standing(snapshot: Snapshot, view: CaseView) -> dict[int, list[int]]:
    """Return the values at which each member stands that names no case, by seq."""
    joined, process = view.joined, view.row.process
    wanted = {member.fact.seq for member in joined.members if member.via is not Via.NAME}
    found: dict[int, list[int]] = {}
    if wanted:
        for value in joined.aliases | joined.conflicting | joined.carriers:
            facts = [fact for fact in snapshot.resolver.facts_at(process, value) if fact.seq in wanted]
            if facts and value in joined.carriers and snapshot.resolver.is_bulk(process, value):
                continue
            for fact in facts:
                found.setdefault(fact.seq, []).append(value)
    return found


class _Chains:
    """Finds the shortest chains inside one case, over the values that it holds."""

    def __init__(self, snapshot: Snapshot, view: CaseView) -> None:
        self._snapshot = snapshot
        self._view = view
        self._process = view.row.process
        joined = view.joined
        self._aliases = joined.aliases | joined.conflicting
        self._allowed = self._aliases | joined.carriers
        self._start = NAME if not view.provisional else self._own_alias()

    def _own_alias(self) -> int:
        text = self._view.row.name
        return self._snapshot.store.value_ids([text])[text]

    def to(self, wanted: set[int]) -> dict[int, tuple[_Chain, tuple[Link, ...]]]:
        """Return the best chain to each wanted value that can be reached."""
        into = self._layers(wanted)
        needed = _ancestors(into, wanted)
        texts = self._snapshot.store.value_texts(needed - {NAME})
        best: dict[int, tuple[_Chain, tuple[_Step, ...], tuple[_Drawn, ...]]] = {self._start: ((), (), ())}
        for node, steps in into.items():  # in the order of distance
            if node not in needed:
                continue
            options: list[tuple[_Chain, tuple[_Step, ...], tuple[_Drawn, ...]]] = []
            for step in steps:
                drawn = self._drawn_by(step.pair)
                if drawn is not None and step.start in best:
                    chain, before, by = best[step.start]
                    options.append(((*chain, (*_order(drawn), texts[node])), (*before, step), (*by, drawn)))
            if options:
                best[node] = min(options, key=lambda option: option[0])
        return {node: (best[node][0], self._links(*best[node][1:])) for node in wanted & best.keys()}

    def _layers(self, wanted: set[int]) -> dict[int, list[_Step]]:
        """Return the steps that lead into each node on a shortest chain, nearest nodes first."""
        into: dict[int, list[_Step]] = {}
        distance = {self._start: 0}
        edge = [self._start]
        while edge and not wanted <= distance.keys():
            reached: list[int] = []
            for node in edge:
                for step in self._steps(node):
                    if step.end not in distance:
                        distance[step.end] = distance[node] + 1
                        reached.append(step.end)
                    if distance[step.end] == distance[node] + 1:
                        into.setdefault(step.end, []).append(step)
            edge = reached
        return into

    def _steps(self, node: int) -> list[_Step]:
        """Return the links that lead on from a node, within the case."""
        found = list(self._from_name() if node == NAME else self._from_value(node))
        return [step for step in found if step.end in self._allowed]

    def _from_name(self) -> Iterable[_Step]:
        row = self._view.row
        aliases = {alias for fact in row.facts for alias in fact.aliases}
        carriers = {carrier for fact in row.facts for carrier in fact.carriers}
        for kind, values in ((Pairing.NAME_TIE, aliases), (Pairing.NAME_HOLD, carriers)):
            stated = {said.pair.b for said in self._snapshot.said if said.pair[:3] == (self._process, kind, row.id)}
            for value in values | stated:
                yield _Step(Pair(self._process, kind, row.id, value), NAME, value)

    def _from_value(self, value: int) -> Iterable[_Step]:
        store, process = self._snapshot.store, self._process
        if value not in self._aliases:
            for other in store.edges_from(process, Edge.PASS, [value])[value] | self._stated(Pairing.PASS, value):
                yield _Step(Pair(process, Pairing.PASS, value, other), value, other)
            return
        for other in store.edges_from(process, Edge.TIE, [value])[value] | self._stated(Pairing.TIE, value):
            yield _Step(Pair(process, Pairing.TIE, value, other), value, other)
        for other in store.edges_to(process, Edge.TIE, [value])[value] | self._stated(Pairing.TIE, value, back=True):
            yield _Step(Pair(process, Pairing.TIE, other, value), value, other)
        for other in store.edges_from(process, Edge.HOLD, [value])[value] | self._stated(Pairing.HOLD, value):
            yield _Step(Pair(process, Pairing.HOLD, value, other), value, other)

    def _stated(self, kind: Pairing, value: int, back: bool = False) -> set[int]:
        found: set[int] = set()
        for said in self._snapshot.said:
            pair = said.pair
            if pair.process == self._process and pair.kind is kind and (pair.b if back else pair.a) == value:
                found.add(pair.a if back else pair.b)
        return found

    def _drawn_by(self, pair: Pair) -> _Drawn | None:
        """Return who drew a link: the first event by source and id, else the statement; None where nobody did."""
        said = [each.statement for each in self._snapshot.said if each.pair == pair]
        events = [event for event in self._events_of(pair) if _verb(said, event) is not Verb.UNLINK]
        for statement in said:
            if statement.verb is Verb.LINK:
                known = self._snapshot.store.seen([identity_digest(*event) for event in statement.events])
                events += [event for event in statement.events if identity_digest(*event) in known]
        lasting = max((each for each in said if each.all), key=lambda each: each.order, default=None)
        if events:
            event = min(events)
            return event, _covering(said, event)
        return (None, lasting) if lasting is not None and lasting.verb is Verb.LINK else None

    def _events_of(self, pair: Pair) -> list[EventRef]:
        if pair.kind in (Pairing.NAME_TIE, Pairing.NAME_HOLD):
            return [EventRef(fact.source, fact.id) for fact in self._view.row.facts if pair.b in _linked(fact, pair)]
        seqs = self._snapshot.store.edge_seqs(pair.process, Edge(pair.kind), pair.a, pair.b)
        return [EventRef(event.source, event.id) for event in self._snapshot.store.events(seqs).values()]

    def _links(self, steps: tuple[_Step, ...], drawn: tuple[_Drawn, ...]) -> tuple[Link, ...]:
        texts = self._snapshot.store.value_texts({node for step in steps for node in (step.start, step.end)} - {NAME})
        keys = {value: Key.decode(text) for value, text in texts.items()} | {NAME: self._view.key}
        return tuple(
            Link(_KINDS[step.pair.kind], keys[step.start], keys[step.end], event, statement)
            for step, (event, statement) in zip(steps, drawn, strict=True)
        )


_KINDS = {
    Pairing.TIE: "tie",
    Pairing.HOLD: "hold",
    Pairing.PASS: "pass",
    Pairing.NAME_TIE: "tie",
    Pairing.NAME_HOLD: "hold",
}


def _linked(fact: Fact, pair: Pair) -> tuple[int, ...]:
    return fact.aliases if pair.kind is Pairing.NAME_TIE else fact.carriers


def _order(drawn: _Drawn) -> tuple[str, str]:
    event, statement = drawn
    if event is not None:
        return event
    assert statement is not None
    return "", statement.id


def _ancestors(into: dict[int, list[_Step]], wanted: set[int]) -> set[int]:
    found, open_ends = set(wanted), list(wanted)
    while open_ends:
        for step in into.get(open_ends.pop(), ()):
            if step.start not in found:
                found.add(step.start)
                open_ends.append(step.start)
    return found


def _covering(said: Iterable[Statement], event: EventRef) -> Statement | None:
    """Return the last statement that covers an event; None where none does."""
    covering = [each for each in said if each.all or event in each.events]
    return max(covering, key=lambda each: each.order, default=None)


def _verb(said: Iterable[Statement], event: EventRef) -> Verb | None:
    statement = _covering(said, event)
    return None if statement is None else statement.verb


def statements_of(snapshot: Snapshot, view: CaseView) -> list[Statement]:
    """Return what people stated of the links of a case and of its exceptions, first to last: its history."""
    joined = view.joined
    aliases = joined.aliases | joined.conflicting
    about_exceptions = snapshot.acceptances.of(view.process.name, view.row.name)
    found = {statement.number: statement for statement in about_exceptions}
    for said in snapshot.said:
        if said.pair.process == view.row.process and _bears_on(said, view, aliases, aliases | joined.carriers):
            found[said.statement.number] = said.statement
    return [found[number] for number in sorted(found)]


def _bears_on(said: Said, view: CaseView, aliases: set[int], values: set[int]) -> bool:
    pair = said.pair
    match pair.kind:
        case Pairing.NAME_TIE | Pairing.NAME_HOLD:
            return pair.a == view.row.id
        case Pairing.TIE:
            return pair.a in aliases or pair.b in aliases
        case Pairing.HOLD:
            return pair.a in aliases
        case Pairing.PASS:
            return pair.a in values


def _denied_by(said: Iterable[Said], view: CaseView, event: EventRef) -> Statement | None:
    aliases = view.joined.aliases | view.joined.conflicting
    denying = [
        each.statement
        for each in said
        if each.statement.verb is Verb.UNLINK
        and event in each.statement.events
        and each.pair.process == view.row.process
        and each.pair.kind is not Pairing.PASS
        and _bears_on(each, view, aliases, aliases)
    ]
    return max(denying, key=lambda each: each.order, default=None)
