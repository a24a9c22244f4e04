"""Resolving: from stored links to what a value stands for, who holds it, and the members of a case.

Rules 4 to 13 of docs/reference/identity.md. A ``Resolver`` answers from one state of the store: forget its memory
(``forget``) when the store changed. With ``flags`` (the engine) most values are answered without asking the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from typing import NamedTuple, cast

import msgspec

from lineage.fact import Fact, Member, Via
from lineage.facts import bare_fact
from lineage.flags import PAGE_BITS, PAGE_MASK, Flag, Flags
from lineage.overrides import Overrides, Pair, Pairing
from lineage.process import Process
from lineage.store import CaseRow, Edge, Role, StoreReader
from throughline.core.event import identity_digest

# Flags of values that bring something to a case beside its own events.
JOINS_ALIAS = Flag.STANDING | Flag.OWNS | Flag.LINKED | Flag.SHARED
JOINS_CARRIER = Flag.STANDING | Flag.PASSES
_TANGLED = Flag.LINKED | Flag.SHARED  # an alias that is more than another word for one name
# Makes a Member for half of what a named tuple's own way costs.
_member = cast(
    "Callable[[tuple[Fact, Via, bool]], Member]",
    partial(tuple.__new__, Member),  # pyright: ignore[reportUnknownMemberType]
)
_time = attrgetter("fact.time")
_NAME, _ALIAS, _CARRIER = Via.NAME, Via.ALIAS, Via.CARRIER
_TIE, _HOLD, _PASS, _RELATION = Edge.TIE, Edge.HOLD, Edge.PASS, Edge.RELATION

Times = dict[int, int | None]
_NO_ROWS: Mapping[int, CaseRow] = {}
_NOTHING: set[int] = set()
_FROM = {Edge.TIE: Flag.LINKED, Edge.HOLD: Flag.OWNS, Edge.RELATION: Flag.OWNS, Edge.PASS: Flag.PASSES}
_TO = {Edge.TIE: Flag.LINKED, Edge.HOLD: Flag.ALIAS_HELD, Edge.PASS: Flag.PASSED_TO}


class Component(NamedTuple):
    """Aliases connected by alias–alias ties, and the names each is tied to directly."""

    aliases: frozenset[int]
    direct: dict[int, Times]
    names: Times

    @property
    def conflict_since(self) -> int | None:
        """Return when a second name was reached; None where there is no conflict or its time is unknown."""
        if len(self.names) < 2:
            return None
        return sorted(since or 0 for since in self.names.values())[1]

    def is_conflicting(self, alias: int) -> bool:
        """Return whether an alias acts as a carrier: several names are reached, and it is not tied to just one."""
        return len(self.names) > 1 and len(self.direct[alias]) != 1


class Near(msgspec.Struct, frozen=True, gc=False):
    """What a case's own events tie it to, and which of these values may bring more to it.

    ``simple``: its aliases stand for this case alone, and no statement bears on anything: what they and its carriers
    bring are the events at them and at what they hold and pass on to. ``owners`` are aliases that hold something,
    ``hands_on``: some carrier passes.
    """

    simple: bool
    hands_on: bool
    aliases: set[int]
    owners: list[int]
    at_aliases: set[int]
    at_carriers: set[int]


class Gathered(msgspec.Struct, gc=False):
    """What a case's state is derived from; ids of interned values. ``carriers``: as far as they were asked for."""

    members: list[Member]
    aliases: set[int]
    conflicting: set[int] = msgspec.field(default_factory=set[int])
    in_conflict: bool = False
    conflict_since: int | None = None
    carriers: set[int] = msgspec.field(default_factory=set[int])


class Joined(Gathered, gc=False):
    """A case with everything that links bring to it."""

    relations: set[int] = msgspec.field(default_factory=set[int])


class Reach(msgspec.Struct, gc=False):
    """Who holds a carrier: cases by id, and provisional cases by their aliases' components."""

    cases: set[int] = msgspec.field(default_factory=set[int])
    provisional: set[frozenset[int]] = msgspec.field(default_factory=set[frozenset[int]])

    def __bool__(self) -> bool:
        return bool(self.cases or self.provisional)


class Resolver:
    def __init__(
        self,
        reader: StoreReader,
        overrides: Overrides,
        processes: dict[int, Process],
        bulk_limit: int,
        flags: Flags | None = None,
    ) -> None:
        self._reader = reader
        self._overrides = overrides
        self._processes = processes
        self._bulk_limit = bulk_limit
        self._flags = flags
        self.forget()

    def forget(self, rows: Mapping[int, CaseRow] = _NO_ROWS) -> None:
        """Drop what was remembered of the store; ``rows`` are cases that are newer than the store has them."""
        self._rows = rows
        self._tie_rows: dict[tuple[int, int], Times] = {}
        self._hold_rows: dict[tuple[int, int], set[int]] = {}
        self._from: dict[tuple[int, Edge, int], set[int]] = {}
        self._to: dict[tuple[int, Edge, int], set[int]] = {}
        self._posted: dict[tuple[int, int], list[Fact]] = {}
        self._components: dict[tuple[int, int], Component] = {}
        self._bulk: dict[tuple[int, int], bool] = {}
        self._hold_counts: dict[tuple[int, int], int] = {}

    def prefetch(
        self, process: int, aliases: Iterable[int], carriers: Iterable[int], plain: Iterable[int] = ()
    ) -> None:
        """Read in a few questions what stands at values, and the links of aliases and carriers.

        Of ``plain`` aliases not their ties.
        """
        aliases, plain, held = list(aliases), list(plain), set(carriers)
        self._prefetch_ties(process, aliases)
        self._prefetch_edges(process, _HOLD, [*aliases, *plain], Flag.OWNS)
        self._prefetch_edges(process, _RELATION, aliases, Flag.OWNS)
        for alias in (*aliases, *plain):
            held.update(self._from.get((process, _HOLD, alias), ()))
        self._prefetch_edges(process, _PASS, held, Flag.PASSES)
        for carrier in list(held):
            held.update(self._from.get((process, _PASS, carrier), ()))
        standing = self._prefetch_facts(process, {*aliases, *held, *plain})
        self.prefetch_counts(process, held.intersection(standing))

    def prefetch_joins(self, process: int, rows: Iterable[CaseRow]) -> None:
        """Read in a few questions what ``join`` asks of named cases; without it a dozen are asked for each."""
        facts = [fact for row in rows for fact in row.facts]
        aliases = {alias for fact in facts for alias in fact.aliases}
        for kind in (_TIE, _HOLD, _RELATION):
            self._prefetch_edges(process, kind, aliases, _FROM[kind])
        self._prefetch_edges_to(process, _TIE, aliases)
        self._prefetch_ties(process, aliases)
        carriers = {carrier for fact in facts for carrier in fact.carriers}
        carriers.update(*(self._from.get((process, _HOLD, alias), ()) for alias in aliases))
        self._prefetch_edges(process, _PASS, carriers, Flag.PASSES)
        carriers.update(*[self._from.get((process, _PASS, carrier), ()) for carrier in carriers])
        self._prefetch_edges_to(process, _HOLD, carriers)
        self.prefetch_counts(process, carriers)
        bulk = {carrier for carrier in carriers if self._hold_counts[process, carrier] > self._bulk_limit}
        self._prefetch_facts(process, (aliases | carriers) - bulk)

    def prefetch_holders(self, process: int, carriers: Iterable[int]) -> None:
        """Read in one question which cases hold carriers by name."""
        missing = [carrier for carrier in carriers if (process, carrier) not in self._hold_rows]
        if missing:
            for carrier, times in self._reader.near(process, Role.HOLD, missing).items():
                self._hold_rows[process, carrier] = set(times)

    def prefetch_counts(self, process: int, carriers: Iterable[int]) -> None:
        """Read in one question how many cases hold carriers by name, up to the bulk limit."""
        missing = [carrier for carrier in carriers if (process, carrier) not in self._hold_counts]
        if missing:
            counts = self._reader.near_counts(process, Role.HOLD, missing, self._bulk_limit + 1)
            self._hold_counts.update(((process, carrier), count) for carrier, count in counts.items())

    def _prefetch_ties(self, process: int, aliases: Iterable[int]) -> None:
        missing = [alias for alias in aliases if (process, alias) not in self._tie_rows]
        if missing:
            for alias, times in self._reader.near(process, Role.TIE, missing).items():
                self._tie_rows[process, alias] = times

    def _prefetch_facts(self, process: int, values: Iterable[int]) -> list[int]:
        """Read what stands at values; return those of which it was not known."""
        missing = [
            value for value in values if (process, value) not in self._posted and self._may_stand(process, value)
        ]
        if missing:
            for value, facts in self._reader.posted(process, missing).items():
                self._posted[process, value] = facts
        return missing

    def _prefetch_edges_to(self, process: int, kind: Edge, values: Iterable[int]) -> None:
        missing = [value for value in values if (process, kind, value) not in self._to]
        if missing:
            for value, others in self._reader.edges_to(process, kind, missing).items():
                self._to[process, kind, value] = others

    def _prefetch_edges(self, process: int, kind: Edge, values: Iterable[int], flag: int) -> None:
        missing = [
            value
            for value in values
            if (process, kind, value) not in self._from
            and (self._flags is None or self._flags.get(process, value) & flag)
        ]
        if missing:
            for value, others in self._reader.edges_from(process, kind, missing).items():
                self._from[process, kind, value] = others

    def component(self, process: int, alias: int) -> Component:
        """Return the alias component of an alias, and the names it reaches."""
        known = self._components.get((process, alias))
        if known is not None:
            return known
        found = self._closure(alias, lambda at: self._alias_ties(process, at))
        direct = {each: self._ties(process, each) for each in found}
        names: Times = {}
        for times in direct.values():
            for case_id, since in times.items():
                known_since = names.get(case_id, since)
                names[case_id] = since if known_since is None else min(known_since, since or known_since)
        component = Component(frozenset(found), direct, names)
        for each in found:
            self._components[process, each] = component
        return component

    def stands_for(self, process: int, alias: int) -> list[int]:
        """Return the cases an alias stands for: one by a tie, or every name of its component in a conflict."""
        component = self.component(process, alias)
        direct = component.direct[alias]
        cases = direct if len(component.names) > 1 and len(direct) == 1 else component.names
        if not self._overrides.rules:
            return list(cases)
        return [case for case in cases if not self._blocked(Pair(process, Pairing.NAME_TIE, case, alias))]

    def unowned(self, process: int, alias: int) -> frozenset[int]:
        """Return the aliases of one provisional case: this one and those tied to it that stand for no case either.

        Empty where the alias stands for a case.
        """
        component = self.component(process, alias)
        nameless = {each for each in component.aliases if not self.stands_for(process, each)}
        if alias not in nameless:
            return frozenset()
        if len(nameless) == len(component.aliases):
            return component.aliases
        return frozenset(self._closure(alias, lambda each: self._alias_ties(process, each) & nameless))

    def nameless(self, process: int, aliases: Iterable[int]) -> set[frozenset[int]]:
        """Return the groups of aliases, each one provisional case, among the aliases of a component."""
        return {group for group in (self.unowned(process, alias) for alias in aliases) if group}

    def facts_at(self, process: int, value: int) -> list[Fact]:
        """Return the facts of events that stand at an alias or a carrier."""
        if not self._may_stand(process, value):
            return []
        known = self._posted.get((process, value))
        if known is None:
            known = self._posted[process, value] = self._reader.posted(process, [value])[value]
        return known

    def waiting_at(self, process: int, value: int) -> list[Fact]:
        """Return the facts at a value that miss a case: not those of types known by ``expects`` alone."""
        only_expected = self._processes[process].only_expected
        facts = self.facts_at(process, value)
        return [fact for fact in facts if fact.type not in only_expected] if only_expected else facts

    def near(self, case: CaseRow) -> Near:
        """Return what the case's own events tie it to."""
        aliases: set[int] = set()
        owners: list[int] = []
        at_aliases: set[int] = set()
        at_carriers: set[int] = set()
        if self._flags is None or self._overrides.rules:
            for fact in case.facts:
                aliases.update(fact.aliases)
                at_carriers.update(fact.carriers)
            return Near(False, True, aliases, owners, aliases, at_carriers)
        simple, hands_on = True, False
        pages = self._flags.pages(case.process)
        for fact in case.facts:
            for alias in fact.aliases:
                if alias not in aliases:
                    aliases.add(alias)
                    page = pages.get(alias >> PAGE_BITS)
                    flags = 0 if page is None else page[alias & PAGE_MASK]
                    if flags & JOINS_ALIAS:
                        at_aliases.add(alias)
                        simple = simple and not flags & _TANGLED
                        if flags & Flag.OWNS:
                            owners.append(alias)
            for carrier in fact.carriers:
                page = pages.get(carrier >> PAGE_BITS)
                if page is not None and page[carrier & PAGE_MASK] & JOINS_CARRIER:
                    at_carriers.add(carrier)
                    hands_on = hands_on or bool(page[carrier & PAGE_MASK] & Flag.PASSES)
        return Near(simple, hands_on, aliases, owners, at_aliases, at_carriers)

    def gather(self, case: CaseRow, near: Near) -> Gathered:
        """Return the members of a named case."""
        if not near.simple:
            return self._join(case)
        own = [_member((fact, _NAME, False)) for fact in case.facts]
        if not near.at_aliases and not near.at_carriers:
            return Gathered(own, near.aliases)
        carriers = near.at_carriers
        for alias in near.owners:
            carriers.update(self._joining(case.process, self._edges_from(case.process, _HOLD, alias)))
        if near.hands_on or near.owners:
            carriers = self._held(case.process, carriers, _NOTHING)
        brought = self._brought(case.process, carriers, near.at_aliases)
        if not brought:
            return Gathered(own, near.aliases)
        members = {member.fact.seq: member for member in brought}
        for member in own:
            members[member.fact.seq] = member
        return Gathered(sorted(members.values(), key=_time), near.aliases)

    def join(self, case: CaseRow) -> Joined:
        """Return the members of a named case and all it holds."""
        near = self.near(case)
        if not near.simple:
            return self._join(case)
        process = case.process
        carriers = {carrier for fact in case.facts for carrier in fact.carriers}
        relations = {relation for fact in case.facts for relation in fact.relations}
        for alias in near.owners:
            carriers |= self._edges_from(process, _HOLD, alias)
            relations |= self._edges_from(process, _RELATION, alias)
        members = self.gather(case, near).members
        carriers = self._held(process, carriers, _NOTHING)
        return Joined(members, near.aliases, carriers=carriers, relations=relations)

    def _joining(self, process: int, carriers: Iterable[int]) -> list[int]:
        """Return those among carriers that may bring something to a case."""
        get = self._flags.get if self._flags is not None else None
        return [carrier for carrier in carriers if get is None or get(process, carrier) & JOINS_CARRIER]

    def _brought(self, process: int, carriers: Iterable[int], aliases: Iterable[int]) -> list[Member]:
        """Return the events at carriers that are not bulk, then those at aliases."""
        found: list[Member] = []
        for carrier in carriers:
            if not self._is_mute(process, carrier):
                found += [_member((fact, _CARRIER, False)) for fact in self.facts_at(process, carrier)]
        for alias in aliases:
            found += [_member((fact, _ALIAS, False)) for fact in self.facts_at(process, alias)]
        return found

    def join_provisional(self, process: int, aliases: frozenset[int]) -> Joined:
        """Return the members of the provisional case of some aliases that stand for no name."""
        joined = Joined([], set(aliases))
        self._join_through(process, None, joined, set())
        return joined

    def holders(self, process: int, carrier: int) -> Reach:
        """Return who holds a carrier directly or by passes; people's blocks are not looked at."""
        if self._is_held_by_names_alone(process, carrier):
            return Reach(self._hold_rows_of(process, carrier))
        reach = Reach()
        for value in self.upstream(process, carrier):
            self._direct_holders(process, value, reach)
        return reach

    def upstream(self, process: int, carrier: int) -> set[int]:
        """Return a carrier and all that hand their cases on to it."""
        return self._closure(carrier, lambda value: self._passes_to(process, value))

    def downstream(self, process: int, carrier: int) -> set[int]:
        """Return a carrier and all that it hands its cases on to."""
        return self._closure(carrier, lambda value: self._passes_from(process, value))

    def held_by_alias(self, process: int, alias: int) -> set[int]:
        """Return the carriers that an alias holds, and those that these hand their cases on to."""
        if self._overrides.rules:
            return self.join_provisional(process, frozenset({alias})).carriers
        return self._held(process, self._edges_from(process, _HOLD, alias), _NOTHING)

    def is_held(self, process: int, carrier: int) -> bool:
        """Return whether any case holds a carrier, blocks respected."""
        if not self._overrides.rules and self._hold_counts.get((process, carrier)):
            return True
        reach = self.holders(process, carrier)
        if not self._overrides.rules:
            return bool(reach)
        held = any(carrier in self.join(self._case(case_id)).carriers for case_id in reach.cases)
        return held or any(carrier in self.join_provisional(process, aliases).carriers for aliases in reach.provisional)

    def has_home(self, kind: str, value: int, event_type: str) -> bool:
        """Return whether a process that declares an event type holds a value, or ties it to a name."""
        for number, process in self._processes.items():
            if event_type not in process.types:
                continue
            if kind in process.carriers and self.is_held(number, value):
                return True
            if kind in process.aliases and self.stands_for(number, value):
                return True
        return False

    def housed(self, kind: str, value: int, facts: Iterable[Fact]) -> frozenset[int]:
        """Return the seqs of facts at a value that are no orphans: a process of their type has a home for it."""
        home: dict[str, bool] = {}
        for fact in facts:
            if fact.type not in home:
                home[fact.type] = self.has_home(kind, value, fact.type)
        return frozenset(fact.seq for fact in facts if home[fact.type])

    def is_bulk(self, process: int, carrier: int) -> bool:
        """Return whether more cases than the bulk limit hold a carrier directly."""
        known = self._bulk.get((process, carrier))
        if known is None:
            known = self._bulk[process, carrier] = self._count_direct(process, carrier) > self._bulk_limit
        return known

    def _count_direct(self, process: int, carrier: int) -> int:
        if not self._overrides.rules and not self._edges_to(process, _HOLD, carrier):
            self.prefetch_counts(process, [carrier])
            return self._hold_counts[process, carrier]
        reach = Reach()
        self._direct_holders(process, carrier, reach)
        if not self._overrides.rules:
            return len(reach.cases) + len(reach.provisional)
        blocked = [self._blocked_carriers(process, None, set(group)) for group in reach.provisional]
        blocked += [self._blocked_of(self._case(case_id)) for case_id in reach.cases]
        return sum(carrier not in each for each in blocked)

    def _blocked_of(self, case: CaseRow) -> set[int]:
        """Return the carriers that people took off a case, or off an alias that stands for it."""
        aliases = {alias for fact in case.facts for alias in fact.aliases}
        tied = self._amended(aliases, case.process, Pairing.NAME_TIE, case.id)
        near = {each for alias in tied for each in self.component(case.process, alias).aliases}
        own = {alias for alias in near if case.id in self.stands_for(case.process, alias)}
        return self._blocked_carriers(case.process, case, own)

    def _direct_holders(self, process: int, carrier: int, reach: Reach) -> None:
        reach.cases |= self._hold_cases(process, carrier)
        for alias in self._hold_aliases(process, carrier):
            cases = self.stands_for(process, alias)
            reach.cases.update(cases)
            group = frozenset[int]() if cases else self.unowned(process, alias)
            if any(self.facts_at(process, each) for each in group):
                reach.provisional.add(group)

    def _join(self, case: CaseRow) -> Joined:
        process = case.process
        aliases = {alias for fact in case.facts for alias in fact.aliases}
        carriers = {carrier for fact in case.facts for carrier in fact.carriers}
        joined = Joined([], set(), relations={relation for fact in case.facts for relation in fact.relations})
        tied = self._amended(aliases, process, Pairing.NAME_TIE, case.id)
        times: list[int | None] = []
        for alias in tied:
            component = self.component(process, alias)
            if len(component.names) > 1:
                joined.in_conflict = True
                times.append(component.conflict_since)
            for each in component.aliases:
                if case.id in self.stands_for(process, each):
                    (joined.conflicting if component.is_conflicting(each) else joined.aliases).add(each)
        joined.conflict_since = min((since for since in times if since is not None), default=None)
        direct = self._amended(carriers, process, Pairing.NAME_HOLD, case.id)
        self._join_through(process, case, joined, direct)
        return joined

    def _join_through(self, process: int, case: CaseRow | None, joined: Joined, direct: set[int]) -> None:
        """Add all that comes by the aliases and carriers of a case."""
        own_aliases = joined.aliases | joined.conflicting
        carriers = set(direct)
        for alias in own_aliases:
            if not self._has_edges(process, alias):
                continue
            carriers |= self._alias_holds(process, alias)
            joined.relations |= self._edges_from(process, _RELATION, alias)
        blocked = self._blocked_carriers(process, case, own_aliases)
        joined.carriers = self._held(process, carriers, blocked)
        denied = self._denied(process, case, own_aliases)
        roles: dict[int, Member] = {}
        for value in joined.conflicting:
            if not self.is_bulk_alias(process, value):
                roles.update((fact.seq, Member(fact, Via.CARRIER)) for fact in self.facts_at(process, value))
        roles.update((member.fact.seq, member) for member in self._brought(process, joined.carriers, joined.aliases))
        roles.update((fact.seq, Member(fact, Via.NAME)) for fact in (case.facts if case else ()))
        joined.members = list(roles.values())
        if denied and joined.members:
            self._deny(joined, denied)

    def _deny(self, joined: Joined, denied: set[bytes]) -> None:
        """Mark the members that people took off the case, and show those that no longer reach it at all."""
        members: dict[bytes, Member] = {
            identity_digest(member.fact.source, member.fact.id): member for member in joined.members
        }
        for digest, seen in self._reader.seen(sorted(denied)).items():
            member = members.get(digest) or Member(bare_fact(self._reader.event(seen.seq), seen.seq), Via.CARRIER)
            members[digest] = member._replace(denied=True)
        joined.members = list(members.values())

    def _is_mute(self, process: int, carrier: int) -> bool:
        return not self._may_stand(process, carrier) or self.is_bulk(process, carrier)

    def is_bulk_alias(self, process: int, alias: int) -> bool:
        """Return whether a conflicting alias has more holders than the bulk limit."""
        return len(self.stands_for(process, alias)) > self._bulk_limit

    def count_holders(self, process: int, carrier: int) -> int:
        """Count who holds a carrier directly, however many; people's blocks are not looked at."""
        reach = Reach()
        self._direct_holders(process, carrier, reach)
        return len(reach.cases) + len(reach.provisional)

    def _held(self, process: int, carriers: set[int], blocked: set[int]) -> set[int]:
        held = carriers - blocked
        open_ends = list(held)
        while open_ends:
            for other in self._passes_from(process, open_ends.pop()):
                if other not in held and other not in blocked:
                    held.add(other)
                    open_ends.append(other)
        return held

    @staticmethod
    def _closure(start: int, step: Callable[[int], Iterable[int]]) -> set[int]:
        found, open_ends = {start}, [start]
        while open_ends:
            for other in step(open_ends.pop()):
                if other not in found:
                    found.add(other)
                    open_ends.append(other)
        return found

    # What the store says, without what people said.

    def _case(self, case_id: int) -> CaseRow:
        return self._rows.get(case_id) or self._reader.cases_by_id([case_id])[case_id]

    def _is_held_by_names_alone(self, process: int, carrier: int) -> bool:
        """Return whether no alias holds a carrier, no other carrier passes to it, and nobody said anything."""
        if self._flags is None or self._overrides.rules:
            return False
        return not self._flags.get(process, carrier) & (Flag.PASSED_TO | Flag.ALIAS_HELD)

    def _may_stand(self, process: int, value: int) -> bool:
        return self._flags is None or bool(self._flags.get(process, value) & Flag.STANDING)

    def _has_edges(self, process: int, alias: int) -> bool:
        if self._flags is None or self._overrides.rules:
            return True
        return bool(self._flags.get(process, alias) & Flag.OWNS)

    def _edges_from(self, process: int, kind: Edge, value: int) -> set[int]:
        if self._flags is not None and not self._flags.get(process, value) & _FROM[kind]:
            return _NOTHING
        known = self._from.get((process, kind, value))
        if known is None:
            known = self._from[process, kind, value] = self._reader.edges_from(process, kind, [value])[value]
        return known

    def _edges_to(self, process: int, kind: Edge, value: int) -> set[int]:
        if self._flags is not None and not self._flags.get(process, value) & _TO[kind]:
            return _NOTHING
        known = self._to.get((process, kind, value))
        if known is None:
            known = self._to[process, kind, value] = self._reader.edges_to(process, kind, [value])[value]
        return known

    def _hold_rows_of(self, process: int, carrier: int) -> set[int]:
        known = self._hold_rows.get((process, carrier))
        if known is None:
            known = self._hold_rows[process, carrier] = set(self._reader.near(process, Role.HOLD, [carrier])[carrier])
        return known

    # The same with what people said.

    def _ties(self, process: int, alias: int) -> Times:
        known = self._tie_rows.get((process, alias))
        if known is None:
            known = self._tie_rows[process, alias] = self._reader.near(process, Role.TIE, [alias])[alias]
        if not self._overrides.rules:
            return known
        said = self._overrides.by_b.get((process, Pairing.NAME_TIE, alias), ())
        if not said:
            return known
        return {
            case: known.get(case)
            for case in known.keys() | said
            if self._drawn(Pair(process, Pairing.NAME_TIE, case, alias), case in known)
        }

    def _alias_ties(self, process: int, alias: int) -> set[int]:
        found = self._edges_from(process, _TIE, alias) | self._edges_to(process, _TIE, alias)
        if not self._overrides.rules:
            return found
        lesser = self._amended(self._edges_to(process, _TIE, alias), process, Pairing.TIE, alias, back=True)
        return lesser | self._amended(self._edges_from(process, _TIE, alias), process, Pairing.TIE, alias)

    def _alias_holds(self, process: int, alias: int) -> set[int]:
        return self._amended(self._edges_from(process, _HOLD, alias), process, Pairing.HOLD, alias)

    def _hold_aliases(self, process: int, carrier: int) -> set[int]:
        found = self._edges_to(process, _HOLD, carrier)
        return self._amended(found, process, Pairing.HOLD, carrier, back=True)

    def _hold_cases(self, process: int, carrier: int) -> set[int]:
        return self._amended(self._hold_rows_of(process, carrier), process, Pairing.NAME_HOLD, carrier, back=True)

    def _passes_from(self, process: int, carrier: int) -> set[int]:
        return self._amended(self._edges_from(process, _PASS, carrier), process, Pairing.PASS, carrier)

    def _passes_to(self, process: int, carrier: int) -> set[int]:
        return self._amended(self._edges_to(process, _PASS, carrier), process, Pairing.PASS, carrier, back=True)

    def _amended(self, found: set[int], process: int, kind: Pairing, at: int, back: bool = False) -> set[int]:
        """Return the other ends of links at one end, as drawn by events and amended by people."""
        if not self._overrides.rules:
            return found
        side = self._overrides.by_b if back else self._overrides.by_a
        said = side.get((process, kind, at))
        if not said:
            return found
        return {
            other
            for other in found | said
            if self._drawn(Pair(process, kind, *((other, at) if back else (at, other))), other in found)
        }

    def _drawn(self, pair: Pair, by_events: bool) -> bool:
        """Return whether a pair is linked; ``by_events`` says whether any event draws it by its content."""
        rule = self._overrides.rules.get(pair)
        if rule is None:
            return by_events
        if rule.linked_for_all or any(self._reader.seen(rule.linking)):
            return True
        if not by_events or rule.unlinked_for_all:
            return False
        return any(rule.verb_for(digest) is None for digest in self._evidence(pair))

    def _blocked(self, pair: Pair) -> bool:
        rule = self._overrides.rules.get(pair)
        return rule is not None and rule.unlinked_for_all and not self._drawn(pair, by_events=False)

    def _evidence(self, pair: Pair) -> list[bytes]:
        if pair.kind in (Pairing.NAME_TIE, Pairing.NAME_HOLD):
            case = self._case(pair.a)
            return [
                identity_digest(fact.source, fact.id)
                for fact in case.facts
                if pair.b in (fact.aliases if pair.kind is Pairing.NAME_TIE else fact.carriers)
            ]
        seqs = self._reader.edge_seqs(pair.process, Edge(pair.kind), pair.a, pair.b)
        return [identity_digest(event.source, event.id) for event in self._reader.events(seqs).values()]

    def _blocked_carriers(self, process: int, case: CaseRow | None, aliases: set[int]) -> set[int]:
        if not self._overrides.rules:
            return set()
        pairs = [
            Pair(process, Pairing.HOLD, alias, carrier)
            for alias in aliases
            for carrier in self._said(process, Pairing.HOLD, alias)
        ]
        if case is not None:
            pairs += [
                Pair(process, Pairing.NAME_HOLD, case.id, carrier)
                for carrier in self._said(process, Pairing.NAME_HOLD, case.id)
            ]
        return {pair.b for pair in pairs if self._blocked(pair)}

    def _said(self, process: int, kind: Pairing, a: int) -> set[int]:
        return self._overrides.by_a.get((process, kind, a), set())

    def _denied(self, process: int, case: CaseRow | None, aliases: set[int]) -> set[bytes]:
        """Return the digests of events that people took off a case."""
        if not self._overrides.rules:
            return set()
        pairs = [
            Pair(process, kind, a, b)
            for kind, a in (
                *(((Pairing.NAME_TIE, case.id), (Pairing.NAME_HOLD, case.id)) if case else ()),
                *((kind, alias) for alias in aliases for kind in (Pairing.TIE, Pairing.HOLD)),
            )
            for b in self._said(process, kind, a)
        ]
        pairs += [
            Pair(process, Pairing.TIE, a, alias)
            for alias in aliases
            for a in self._overrides.by_b.get((process, Pairing.TIE, alias), ())
        ]
        rules = [self._overrides.rules[pair] for pair in pairs]
        return {digest for rule in rules for digest in rule.events if rule.denies(digest)}
