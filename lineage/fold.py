"""Folding: one batch of events into facts and links, and the cases that must be derived anew.

Everything here happens inside one transaction of the store, which the engine opens and commits together with the
journal position. docs/why/lineage-store.md tells the stages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from lineage.fact import Fact
from lineage.facts import FactMaker
from lineage.flags import EDGE_FLAGS, Flag, Flags
from lineage.links import Drawing, EdgeKind, Keys, Owned, Stand
from lineage.overrides import Overrides
from lineage.plans import NOTHING_TO_COUNT, Wiring
from lineage.process import Definitions
from lineage.removal import RETIRED_UNTIL, Gone, bring_back, places_left
from lineage.resolve import Resolver
from lineage.seen import SeenRow
from lineage.store import CaseRow, Edge, Role, StoreWriter, bound, encode
from lineage.unmapped import sample_fields
from throughline.core.event import Event, identity_digest

EDGE_KINDS = {
    EdgeKind.TIE: Edge.TIE,
    EdgeKind.HOLD: Edge.HOLD,
    EdgeKind.PASS: Edge.PASS,
    EdgeKind.RELATION: Edge.RELATION,
}


# Flags of an alias that may stand for several names.
IN_COMPANY = Flag.SHARED | Flag.LINKED


# Counters of what events draw and name, told anew by whoever draws anew.
KEYLESS, SYNTHETIC_EVENTS = "keyless", "synthetic_events"
DRAWN = frozenset({"placeholders", "lacking_scope", "ambiguous", "instances", "flows", KEYLESS, SYNTHETIC_EVENTS})

TOO_OLD = "too_old"
NONE_LEFT: Mapping[int, Gone] = {}

_NAME: Final = Stand.NAME
_ALIAS: Final = Stand.ALIAS
_HOLD = int(Role.HOLD)
_RELATION = int(Role.RELATION)


class Touched:
    """What a batch touched, and so what may have to be derived anew; values as (process id, value id)."""

    def __init__(self) -> None:
        self.cases: dict[int, CaseRow] = {}
        self.case_ids: set[int] = set()
        self.aliases: set[tuple[int, int]] = set()
        self.carriers: set[tuple[int, int]] = set()
        self.stood: dict[tuple[int, int], int] = {}  # least receipt of events that now stand at a carrier
        self.looked_for: set[tuple[int, int]] = set()  # carriers at which only events now stand that miss no case
        self.newly_held: set[tuple[int, int]] = set()
        self.housed: set[int] = set()  # values that may have been orphans, newly held or tied
        self.sources: dict[str, int] = {}


class Drawn(msgspec.Struct, frozen=True, gc=False):
    """What an event that counts draws in one process, by the process's id; ``at``: where it stands."""

    maker: FactMaker
    process: int
    drawing: Drawing
    at: tuple[str, ...]


class _Ahead(msgspec.Struct, frozen=True, gc=False):
    """What is known of an event before its batch is folded; no ``maker`` where it draws nothing."""

    event: Event
    keys: Keys
    drawings: list[Drawing]
    maker: FactMaker | None
    digest: bytes | None = None


class _Case:
    """A case while its batch is folded: its row, and what it is already near."""

    __slots__ = ("near", "row", "ties")

    def __init__(self, row: CaseRow) -> None:
        self.row = row
        self.ties: dict[int, int] = {}
        near: set[int] = set()
        for fact in row.facts:
            for alias in fact.aliases:
                known = self.ties.get(alias)
                if known is None or fact.time < known:
                    self.ties[alias] = fact.time
            if fact.carriers:
                near.update(fact.carriers)
            if fact.relations:
                near.update(fact.relations)
        self.near = near


class Folder:
    """Folds batches of events; keeps the flags of values up to date."""

    def __init__(
        self,
        store: StoreWriter,
        definitions: Definitions,
        process_ids: dict[str, int],
        flags: Flags,
        resolver: Resolver,
        overrides: Overrides,
        lonely: set[int],
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._ids = process_ids
        self._flags = flags
        self._resolver = resolver
        self._overrides = overrides
        self._lonely = lonely
        self._wiring = Wiring(definitions)
        until = store.meta().get(RETIRED_UNTIL)
        self.retired_until = None if until is None else int(until)
        self._ahead: dict[int, _Ahead] = {}  # by the id of the event that it keeps
        self.too_old = self.replaced = 0  # of the last batch

    def fold(self, events: Sequence[Event], touched: Touched) -> list[Event]:
        """Fold a batch; return its events that count now, in the order of their seqs."""
        fresh = self._dedupe(events, touched)
        self._count_types(fresh, events)
        first = self._store.next_seq - len(fresh)
        self.place(list(enumerate(fresh, first)), touched)
        if any(event.history for event in events):
            self._bring_back(events, touched)
        return fresh

    def place(
        self, numbered: Sequence[tuple[int, Event]], touched: Touched, left: Mapping[int, Gone] = NONE_LEFT
    ) -> None:
        """Draw what events that are stored, by seq, give: facts at their cases and values, and links.

        ``left`` are the places that some of them have left.
        """
        self._count_places([event for _, event in numbered])
        self._put(*self._draw(numbered, left), touched)

    def _bring_back(self, events: Iterable[Event], touched: Touched) -> None:
        """Put events that are wanted as history where they were before they left; they are kept for other places."""
        digests = [identity_digest(event.source, event.id) for event in events if event.history]
        left = places_left(self._store, (row.seq for row in self._store.seen(digests).values()))
        if not left:
            return
        stored = self._store.events(left)
        occupied = {
            seq: frozenset(
                place
                for drawing in self._wiring.draw(event)[1]
                for place in ((drawing.process.name, text) for text in drawing.at)
                if place not in left[seq]
            )
            for seq, event in stored.items()
        }
        bring_back(self._store, left)
        self._put(*self._drawn(stored.items(), occupied, Counter()), touched)

    def _put(self, naming: list[Drawn], standing: list[Drawn], touched: Touched) -> None:
        ids = self._store.intern(_texts([*naming, *standing]))
        self._name_cases(naming, ids, touched)
        self._stand_at_values(standing, ids, touched)
        self._add_edges([each for each in naming if each.drawing.edges], ids, touched)
        self._add_edges(standing, ids, touched)

    def _count_places(self, events: Sequence[Event], by: int = 1) -> None:
        """Count the instances and flows that events name, so that undeclared ones can be listed."""
        self._store.count((name, label, by * count) for (name, label), count in named_places(events).items())

    def _count_types(self, counting: Sequence[Event], heard: Sequence[Event], by: int = 1) -> None:
        """Count the events of each source and type; of all that were heard the latest is the sample."""
        latest: dict[tuple[str, str], Event] = {}
        for event in heard:
            at = (event.source, event.type)
            known = latest.get(at)
            if known is None or (event.received, event.digest) > (known.received, known.digest):
                latest[at] = event
        counted = Counter([(event.source, event.type) for event in counting])
        self._store.put_types(
            (*at, by * counted[at], event.received, event.digest, sample_fields(event)) for at, event in latest.items()
        )

    # An event counts once.

    def _dedupe(self, events: Sequence[Event], touched: Touched) -> list[Event]:
        """Return the events that count now; contents that lose against others are set aside."""
        digests = [self._digest(event) for event in events]
        stored = self._store.seen(list(dict.fromkeys(digests)))
        standing: dict[bytes, Event] = {}
        losers: list[tuple[bytes, Event]] = []
        counted: Counter[tuple[str, str]] = Counter()
        retired_until = self.retired_until
        for digest, event in zip(digests, events, strict=True):
            receipt = touched.sources.get(event.source)
            if receipt is None or receipt < event.received:
                touched.sources[event.source] = event.received
            rival = standing.get(digest)
            known = stored.get(digest)
            if rival is None and known is None:
                if retired_until is None or event.time > retired_until or event.history:
                    standing[digest] = event
                    continue
                counted[TOO_OLD, event.source] += 1
                self._store.put_other_content(digest, event)
                continue
            counted["duplicates", event.source] += 1
            if (event.received, event.digest) < _standing(rival, known):
                standing[digest] = event
                if rival is not None:
                    losers.append((digest, rival))
            else:
                losers.append((digest, event))
        replaced = [digest for digest in standing if digest in stored]
        for digest, event in standing.items():
            if event.history:
                self._store.drop_other_content(digest, event.digest)
        self.replaced = len(replaced)
        if replaced or losers:
            counted["replaced", ""] += len(replaced)
            self._set_contents_aside(standing, stored, replaced, losers, touched)
        fresh = list(standing.values())
        first = self._store.add_events(fresh)
        new = [(digest, event.received, event.digest) for digest, event in standing.items()]
        self._store.put_seen(first, new, [stored[digest] for digest in replaced])
        self.too_old = sum(count for (name, _), count in counted.items() if name == TOO_OLD)
        self._store.count((name, label, count) for (name, label), count in counted.items())
        return fresh

    def _digest(self, event: Event) -> bytes:
        known = self._ahead.get(id(event))
        if known is None or known.digest is None:
            return identity_digest(event.source, event.id)
        return known.digest

    def _set_contents_aside(
        self,
        standing: dict[bytes, Event],
        stored: dict[bytes, SeenRow],
        replaced: list[bytes],
        losers: list[tuple[bytes, Event]],
        touched: Touched,
    ) -> None:
        for digest in replaced:
            seq = stored[digest].seq
            old = self._store.event(seq)
            self.withdraw(old, seq, touched)
            self._count_places([old], -1)
            self._count_types([old], [old], -1)
            losers.append((digest, old))
        for digest, event in losers:
            content = standing[digest].digest if digest in standing else stored[digest].content
            if event.digest != content:
                self._store.put_other_content(digest, event)
        for digest in replaced:
            self._store.drop_other_content(digest, standing[digest].digest)

    # Links and facts.

    def draw_ahead(self, events: Iterable[Event]) -> None:
        """Work out of events that are to be folded next what needs no look at the store."""
        self._ahead = {id(event): self._look_at(event, identity_digest(event.source, event.id)) for event in events}

    def _look_at(self, event: Event, digest: bytes | None = None) -> _Ahead:
        keys, drawings = self._wiring.draw(event)
        maker = FactMaker(self._definitions, event, keys) if drawings else None
        return _Ahead(event, keys, drawings, maker, digest)

    def drawings_of(self, event: Event) -> list[Drawing]:
        """Return what an event draws, in each process that it bears on."""
        return self._wiring.draw(event)[1]

    def _draw(self, numbered: Iterable[tuple[int, Event]], left: Mapping[int, Gone]) -> tuple[list[Drawn], list[Drawn]]:
        """Return what events draw: those that name cases, and those that stand at values; count what they lack."""
        counted: Counter[tuple[str, str]] = Counter()
        drawn = self._drawn(numbered, left, counted)
        self._store.count((name, label, count) for (name, label), count in counted.items())
        return drawn

    def _drawn(
        self, numbered: Iterable[tuple[int, Event]], left: Mapping[int, Gone], counted: Counter[tuple[str, str]]
    ) -> tuple[list[Drawn], list[Drawn]]:
        naming: list[Drawn] = []
        standing: list[Drawn] = []
        ahead, ids = self._ahead, self._ids
        for seq, event in numbered:
            known = ahead.pop(id(event), None) or self._look_at(event)
            keys, drawings, maker = known.keys, known.drawings, known.maker
            if keys is not NOTHING_TO_COUNT or not drawings or event.synthetic:
                count_faults(counted, event, keys, drawings, 1)
            if maker is not None:
                maker.seq = seq
                gone = left.get(seq)
                for drawing in drawings:
                    kind = naming if drawing.stand is _NAME else standing
                    name, at = drawing.process.name, drawing.at
                    if gone is not None:
                        at = tuple(text for text in at if (name, text) not in gone)
                    kind.append(Drawn(maker, ids[name], drawing, at))
        return naming, standing

    def _name_cases(self, naming: list[Drawn], ids: dict[str, int], touched: Touched) -> None:
        """Add facts to the cases that events name, and rows for what they are newly near."""
        named: dict[int, dict[str, None]] = {}
        for each in naming:
            of_process = named.setdefault(each.process, {})
            for name in each.at:
                of_process[name] = None
        cases = {process: self._load(process, names, touched) for process, names in named.items()}
        ties: list[tuple[int, int, int, int]] = []
        near: list[tuple[int, int, int, int]] = []
        for each in naming:
            of_process, drawing = cases[each.process], each.drawing
            owned = _by_owner(drawing)
            for name in each.at:
                case = of_process[name]
                fact = each.maker.of_name(drawing, name, owned.get(name), ids)
                case.row.add(fact)
                if owned:
                    self._approach(case, fact, ties, near, touched)
        self._store.put_ties(ties)
        self._store.put_near(near)

    def _load(self, process: int, names: Iterable[str], touched: Touched) -> dict[str, _Case]:
        rows = self._store.cases_by_name(process, names)
        rows |= self._store.new_cases(process, (name for name in names if name not in rows))
        for name, row in rows.items():
            if row.id in touched.cases:
                rows[name] = touched.cases[row.id]
            else:
                touched.cases[row.id] = row
        return {name: _Case(row) for name, row in rows.items()}

    def _approach(
        self,
        case: _Case,
        fact: Fact,
        ties: list[tuple[int, int, int, int]],
        near: list[tuple[int, int, int, int]],
        touched: Touched,
    ) -> None:
        """Note which values the fact newly brings near its case."""
        process, case_id = case.row.process, case.row.id
        said = self._overrides.values
        if said:
            touched.aliases.update((process, alias) for alias in fact.aliases if (process, alias) in said)
            touched.newly_held.update((process, carrier) for carrier in fact.carriers if (process, carrier) in said)
        for alias in fact.aliases:
            known = case.ties.get(alias)
            if known is None:
                self._tie(process, alias, touched)
                if alias in self._lonely:
                    touched.housed.add(alias)
            elif fact.time < known and self._flags.get(process, alias) & IN_COMPANY:
                touched.aliases.add((process, alias))  # its other names may be in conflict since earlier
            if known is None or fact.time < known:
                case.ties[alias] = fact.time
                ties.append((alias, process, case_id, fact.time))
        known_near = case.near
        for value in fact.relations:
            if value not in known_near:
                known_near.add(value)
                near.append((value, process, _RELATION, case_id))
        for value in fact.carriers:
            if value not in known_near:
                known_near.add(value)
                near.append((value, process, _HOLD, case_id))
                if self._flags.get(process, value) & (Flag.STANDING | Flag.PASSES):
                    touched.newly_held.add((process, value))
                if value in self._lonely:
                    touched.housed.add(value)

    def _tie(self, process: int, alias: int, touched: Touched) -> None:
        flags = self._flags.get(process, alias)
        if flags & Flag.TIED:
            self._flags.set(process, alias, Flag.SHARED)
        if flags:
            touched.aliases.add((process, alias))
        self._flags.set(process, alias, Flag.TIED)

    def _stand_at_values(self, standing: list[Drawn], ids: dict[str, int], touched: Touched) -> None:
        rows: list[tuple[int, int, int, bytearray]] = []
        for each in standing:
            process, drawing = each.process, each.drawing
            owned = _by_owner(drawing)
            for text in each.at:
                value = ids[text]
                fact = each.maker.of_value(drawing, owned.get(text), ids)
                rows.append((value, process, fact.seq, bound(encode(fact))))
                self._flags.set(process, value, Flag.STANDING)
                place = (process, value)
                if drawing.stand is _ALIAS:
                    touched.aliases.add(place)
                elif fact.type in drawing.process.only_expected:
                    touched.looked_for.add(place)
                else:
                    touched.carriers.add(place)
                    touched.stood[place] = min(touched.stood.get(place, fact.received), fact.received)
        self._store.put_posted(rows)

    def _add_edges(self, drawn: list[Drawn], ids: dict[str, int], touched: Touched) -> None:
        rows: list[tuple[int, int, int, int, int]] = []
        for each in drawn:
            process, seq = each.process, each.maker.seq
            for kind, text_a, text_b in edges_of(each.drawing):
                a, b = ids[text_a], ids[text_b]
                rows.append((process, int(kind), a, b, seq))
                self._touch_edge(process, kind, a, b, touched)
        self._store.put_edges(rows)

    def _touch_edge(self, process: int, kind: Edge, a: int, b: int, touched: Touched) -> None:
        at_a, at_b = EDGE_FLAGS[kind]
        self._flags.set(process, a, at_a)
        self._flags.set(process, b, at_b)
        if kind is Edge.PASS:
            touched.newly_held.add((process, b))
            touched.carriers.add((process, b))
            return
        touched.aliases.add((process, a))
        if kind is Edge.TIE:
            touched.aliases.add((process, b))
        elif kind is Edge.HOLD:
            touched.newly_held.add((process, b))

    # Taking an event back, when an earlier content of it arrives.

    def withdraw(self, event: Event, seq: int, touched: Touched) -> None:
        """Take an event's facts and links away; touch all that they reached."""
        keys, drawings = self._wiring.draw(event)
        counted: Counter[tuple[str, str]] = Counter()
        count_faults(counted, event, keys, drawings, -1)
        self._store.count((name, label, count) for (name, label), count in counted.items())
        ids = self._store.value_ids(texts_of(drawings))
        self._touch_reached(drawings, ids, touched)
        for drawing in drawings:
            process = self._ids[drawing.process.name]
            if drawing.stand is Stand.NAME:
                for case in self._load(process, drawing.at, touched).values():
                    self._withdraw_fact(case.row, seq, touched)
            for kind, a, b in edges_of(drawing):
                self._store.drop_edge(process, kind, ids[a], ids[b], seq)
                self._touch_edge(process, kind, ids[a], ids[b], touched)
            for text in drawing.at if drawing.stand is not Stand.NAME else ():
                at = (process, ids[text])
                self._store.drop_posted(ids[text], process, seq)
                (touched.aliases if drawing.stand is Stand.ALIAS else touched.carriers).add(at)

    def _touch_reached(self, drawings: list[Drawing], ids: dict[str, int], touched: Touched) -> None:
        """Touch every case that the event's links reach before they are taken away."""
        for drawing in drawings:
            process = self._ids[drawing.process.name]
            aliases = [text for owned in drawing.owned for text in owned.aliases]
            aliases += drawing.at if drawing.stand is Stand.ALIAS else ()
            carriers: list[str] = list(drawing.at) if drawing.stand is Stand.CARRIER else []
            for kind, a, b in drawing.edges:
                aliases += (a, b) if kind is EdgeKind.TIE else ()
                carriers += (a, b) if kind is EdgeKind.PASS else ()
            for text in aliases:
                component = self._resolver.component(process, ids[text])
                touched.case_ids.update(component.names)
                touched.aliases.update((process, alias) for alias in component.aliases)
            for text in carriers:
                touched.case_ids |= self._resolver.holders(process, ids[text]).cases
                touched.carriers.update((process, value) for value in self._resolver.downstream(process, ids[text]))
        self._resolver.forget()

    def _withdraw_fact(self, row: CaseRow, seq: int, touched: Touched) -> None:
        gone = next((fact for fact in row.facts if fact.seq == seq), None)
        if gone is None:  # it has left this case
            return
        row.drop(gone)
        left = _Case(row)
        for alias in gone.aliases:
            touched.aliases.add((row.process, alias))
            self._store.drop_near(alias, row.process, Role.TIE, row.id)
            if alias in left.ties:
                self._store.put_ties([(alias, row.process, row.id, left.ties[alias])])
        for role, values in ((Role.HOLD, gone.carriers), (Role.RELATION, gone.relations)):
            for value in values:
                if value not in left.near:
                    self._store.drop_near(value, row.process, role, row.id)
                    touched.carriers.add((row.process, value))


def _standing(rival: Event | None, known: SeenRow | None) -> tuple[int, bytes]:
    if rival is not None:
        return rival.received, rival.digest
    assert known is not None
    return known.received, known.content


def _by_owner(drawing: Drawing) -> dict[str, Owned]:
    return {each.owner: each for each in drawing.owned}


def _texts(drawn: list[Drawn]) -> dict[str, None]:
    """Return every text that rows of these events refer to by id."""
    return texts_of([each.drawing for each in drawn])


def texts_of(drawings: list[Drawing]) -> dict[str, None]:
    texts: list[str] = []
    for drawing in drawings:
        if drawing.stand is not _NAME:
            texts += drawing.at
        for owned in drawing.owned:
            texts += owned.aliases
            texts += owned.carriers
            texts += owned.relations
        for _, a, b in drawing.edges:
            texts += (a, b)
    return dict.fromkeys(texts)


def edges_of(drawing: Drawing) -> list[tuple[Edge, str, str]]:
    """Return the edges of a drawing, those of an alias that owns carriers and relations included."""
    edges = [(EDGE_KINDS[kind], a, b) for kind, a, b in drawing.edges]
    if drawing.stand is _ALIAS:
        for owned in drawing.owned:
            edges += [(Edge.HOLD, owned.owner, carrier) for carrier in owned.carriers]
            edges += [(Edge.RELATION, owned.owner, relation) for relation in owned.relations]
    return edges


def named_places(events: Sequence[Event]) -> Counter[tuple[str, str]]:
    """Count the instances and flows that events name."""
    counted: Counter[tuple[str, str]] = Counter()
    for name, labels in (
        ("instances", [event.instance for event in events]),
        ("flows", [event.flow for event in events]),
    ):
        counted.update({(name, label): count for label, count in Counter(labels).items() if label is not None})
    return counted


def count_faults(counted: Counter[tuple[str, str]], event: Event, keys: Keys, drawings: list[Drawing], by: int) -> None:
    """Count what an event's keys lack, by its source, and by its type an event without keys, or of probe traffic."""
    if event.synthetic:
        counted[SYNTHETIC_EVENTS, event.type] += by
    elif not drawings:
        counted[KEYLESS, event.type] += by
    if keys.placeholders:
        counted["placeholders", event.source] += by * keys.placeholders
    if keys.lacking_scope:
        counted["lacking_scope", event.source] += by * keys.lacking_scope
    if keys.ambiguous or any(drawing.ambiguous for drawing in drawings):
        counted["ambiguous", event.source] += by
