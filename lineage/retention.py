"""Retention: what is kept of the past, and how the rest leaves the store; docs/reference/retention.md has the rules.

One sweep a day goes over the cases, then over the events, a piece at a time. A case leaves with all whose aliases it
shares, once each of them is closed and everything that came to it was received long enough ago; an event leaves once
it stands nowhere any more and draws nothing that is in use. Nothing that stays changes by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lineage.changes import not_followed
from lineage.fact import CaseState
from lineage.flags import Flag, Flags
from lineage.fold import count_faults, edges_of, named_places, texts_of
from lineage.links import Drawing, Keys, Stand
from lineage.overrides import Overrides, Pairing
from lineage.plans import Wiring
from lineage.process import Definitions, Process
from lineage.removal import (
    NOWHERE,
    RETIRED_COUNT,
    RETIRED_UNTIL,
    Gone,
    Place,
    drop_cases,
    drop_events,
    drop_unused,
    places_left,
    retire,
)
from lineage.resolve import Gathered, Resolver
from lineage.saving import Mark
from lineage.store import CASE_COLUMNS, CaseRow, Edge, StoreWriter
from throughline.core.event import Event, identity_digest
from throughline.core.instants import DAY, MINUTE

SWEPT = "swept"  # when the last sweep that was done began
REACHED = "swept_until"  # the receipt up to which it let things go
EVERY = DAY
MOST_STEP = 31 * DAY  # by which that moves in one sweep at most: a clock may be wrong, and what left does not come back
_ALL_FLAGS = 0xFFFF
_MOST_TOGETHER = 200  # cases that leave together; a larger knot stays
_IDS_AT_ONCE = 5_000
_CASES_AT_ONCE = 200
_BLOCKS_AT_ONCE = 8
_OVER = (CaseState.DONE, CaseState.ENDED, CaseState.NOT_APPLICABLE, CaseState.PROVISIONAL)
_AHEAD = 10 * MINUTE  # a time may be so much later than its receipt

_CANDIDATES = f"""SELECT {CASE_COLUMNS} FROM cases WHERE id > ? AND id <= ? AND last < ? AND (synthetic = 1
    OR (wake_at IS NULL AND state IN ('done', 'ended', 'not_applicable', 'provisional')))
    ORDER BY id LIMIT {_CASES_AT_ONCE}"""

_At = tuple[int, int]
"""A value in a process, by their ids."""


class Counted(NamedTuple):
    """What a piece of a sweep removed."""

    cases: int = 0
    events: int = 0


@dataclass(slots=True)
class _Knot:
    """Cases that leave together: rows with what joins them, and the values at which more may stand."""

    rows: dict[int, tuple[CaseRow, Gathered]] = field(default_factory=dict[int, tuple[CaseRow, Gathered]])
    values: set[_At] = field(default_factory=set[_At])


class Retention:
    """Sweeps a store; each call works within a transaction of its caller, whose resolver remembers nothing."""

    def __init__(
        self,
        store: StoreWriter,
        definitions: Definitions,
        processes: Mapping[int, Process],
        flags: Flags,
        resolver: Resolver,
        overrides: Overrides,
        keep: int,
    ) -> None:
        """``keep``: microseconds from receipt on."""
        self._store = store
        self._processes = processes
        self._numbers = {process.name: number for number, process in processes.items()}
        self._wiring = Wiring(definitions)
        self._flags = flags
        self._resolver = resolver
        self._overrides = overrides
        self._keep = keep
        self._swept = self._began = int(store.meta().get(SWEPT, 0))
        self._reached = self._until = int(store.meta().get(REACHED, 0))
        self._case: int | None = None  # the last case looked at, while a sweep is among the cases
        self._block: int | None = None  # the last block looked at, while it is among the events
        until = store.meta().get(RETIRED_UNTIL)
        self.retired_until = None if until is None else int(until)

    def is_due(self, now: int) -> bool:
        """Return whether there is a piece to do."""
        return self._case is not None or self._block is not None or not 0 <= now - self._swept < EVERY

    def step(self, now: int, data: Path | None = None) -> tuple[Counted, set[_At]]:
        """Do one piece; return what it removed, and the values whose events or holders it changed.

        ``data``: the folder of those who follow; a case that changed since they looked stays until the next sweep.
        """
        if self._block is not None:
            return self._sweep_events(self._until)
        if self._case is None:
            self._case, self._began, self._until = 0, now, self._horizon(now)
        return self._sweep_cases(self._until, now, data)

    def _horizon(self, now: int) -> int:
        """Return the receipt up to which things may leave in a sweep that begins now."""
        first = self._store.first_after(0)
        oldest = min((event.received for event in self._store.block(first or 0).values()), default=now)
        return min(now - self._keep, max(self._reached, oldest) + MOST_STEP)

    # Cases.

    def _sweep_cases(self, until: int, now: int, data: Path | None) -> tuple[Counted, set[_At]]:
        assert self._case is not None
        upto = self._case + _IDS_AT_ONCE
        rows = [CaseRow(*row) for row in self._store.rows(_CANDIDATES, self._case, upto, until + _AHEAD)]
        knots = self._followed(self._knots(rows, until), data)
        values = self._let_go(knots, now)
        if len(rows) == _CASES_AT_ONCE:
            self._case = rows[-1].id
        elif upto < self._store.next_case:
            self._case = upto
        else:
            self._case, self._block = None, 0
        return Counted(cases=len({row for knot in knots for row in knot.rows})), values

    def _knots(self, rows: Iterable[CaseRow], until: int) -> list[_Knot]:
        found: list[_Knot] = []
        known: set[int] = set()
        for row in rows:
            if row.id not in known and row.process in self._processes:
                knot = self._knot(row, until)
                if knot is not None:
                    found.append(knot)
                    known.update(knot.rows)
        return found

    def _followed(self, knots: list[_Knot], data: Path | None) -> list[_Knot]:
        """Return those of which everybody who follows has seen each case as it stands: nobody can look at it later."""
        if data is None or not knots:
            return knots
        unseen = not_followed(self._store, data, (row for knot in knots for row in knot.rows))
        return [knot for knot in knots if unseen.isdisjoint(knot.rows)]

    def _knot(self, first: CaseRow, until: int) -> _Knot | None:
        """Return the cases that have to leave with one; None where one of them has to stay."""
        knot = _Knot()
        pending = [first]
        while pending:
            row = pending.pop()
            if row.id in knot.rows:
                continue
            joined = self._joined(row) if len(knot.rows) < _MOST_TOGETHER and self._is_over(row) else None
            if joined is None or not self._is_past(row, joined, until):
                return None
            knot.rows[row.id] = row, joined
            aliases = joined.aliases | joined.conflicting
            knot.values.update((row.process, value) for value in aliases | joined.carriers)
            names = {name for alias in aliases for name in self._resolver.component(row.process, alias).names}
            pending += self._store.cases_by_id(names - knot.rows.keys()).values()
            pending += self._nameless_at(aliases | joined.carriers)
        return knot

    def _nameless_at(self, values: Iterable[int]) -> list[CaseRow]:
        """Return the provisional cases at values, in any process: who leaves may be what saves them from orphanhood."""
        found: list[CaseRow] = []
        for process, value in self._standing(values):
            if self._kind(value) in self._processes[process].aliases:
                texts = self._store.value_texts(self._resolver.unowned(process, value))
                found += self._store.cases_by_name(process, texts.values()).values()
        return found

    def _is_over(self, row: CaseRow) -> bool:
        """Return whether a case waits for nothing, or counts nowhere."""
        if row.marks & Mark.SYNTHETIC:
            return True
        return row.wake_at is None and row.state in _OVER

    def _joined(self, row: CaseRow) -> Gathered | None:
        if not self._is_provisional(row):
            return self._resolver.join(row)
        alias = self._store.value_ids([row.name]).get(row.name)
        group = frozenset[int]() if alias is None else self._resolver.unowned(row.process, alias)
        return self._resolver.join_provisional(row.process, group) if group else None

    def _is_provisional(self, row: CaseRow) -> bool:
        return not row.name.startswith(self._processes[row.process].name_key + "\x1f")

    def _is_past(self, row: CaseRow, joined: Gathered, until: int) -> bool:
        """Return whether nothing came lately to a case or to where it is the home of others, and no person spoke."""
        if any(member.denied or member.fact.received > until for member in joined.members):
            return False
        values = joined.aliases | joined.conflicting | joined.carriers
        said = self._overrides
        if said and (
            any((row.process, value) in said.values for value in values)
            or (row.process, Pairing.NAME_TIE, row.id) in said.by_a
            or (row.process, Pairing.NAME_HOLD, row.id) in said.by_a
        ):
            return False
        return not any(
            fact.received > until
            for process, value in self._standing(values)
            if process == row.process or not self._has_case(process, value)
            for fact in self._resolver.facts_at(process, value)
        )

    def _standing(self, values: Iterable[int]) -> list[_At]:
        """Return where events stand at values, in any process."""
        asked = self._store.array(values)
        sql = "SELECT DISTINCT process, value FROM posted WHERE value IN (SELECT value FROM json_each(?))"
        return [(process, value) for process, value in self._store.rows(sql, asked) if process in self._processes]

    def _has_case(self, process: int, value: int) -> bool:
        """Return whether a case of this very process has what stands at a value."""
        if self._kind(value) in self._processes[process].aliases:
            return bool(self._resolver.stands_for(process, value))
        return self._resolver.is_held(process, value)

    def _kind(self, value: int) -> str:
        return self._store.value_texts([value])[value].partition("\x1f")[0]

    def _let_go(self, knots: Iterable[_Knot], now: int) -> set[_At]:
        """Remove the cases of knots, then what stood at values that lost their last home with them."""
        rows = list({row.id: row for knot in knots for row, _ in knot.rows.values()}.values())
        if not rows:
            return set()
        values = {each for knot in knots for each in knot.values}
        self._leave_cases(rows, now)
        self._resolver.forget()
        standing = [at for at in self._standing({value for _, value in values}) if not self._has_case(*at)]
        for at in standing:
            self._leave_value(*at)
        self._resolver.forget()
        return values.union(standing)

    def _leave_cases(self, rows: list[CaseRow], now: int) -> None:
        retire(
            self._store,
            [Place(fact.seq, self._processes[row.process].name, row.name) for row in rows for fact in row.facts],
        )
        for row in rows:
            if self._is_provisional(row):
                alias = self._store.value_ids([row.name])[row.name]
                self._flags.clear(row.process, alias, Flag.PROVISIONAL)
        drop_cases(self._store, rows, now)

    def _leave_value(self, process: int, value: int) -> None:
        """Let the events at a value stand there no more."""
        text = self._store.value_texts([value])[value]
        seqs = [fact.seq for fact in self._resolver.facts_at(process, value)]
        retire(self._store, [Place(seq, self._processes[process].name, text) for seq in seqs])
        for seq in seqs:
            self._store.drop_posted(value, process, seq)

    # Events.

    def _sweep_events(self, until: int) -> tuple[Counted, set[_At]]:
        gone: dict[int, Event] = {}
        drawn: dict[int, tuple[Keys, list[Drawing]]] = {}
        changed: set[_At] = set()
        for _ in range(_BLOCKS_AT_ONCE):
            first = self._store.first_after(self._block or 0)
            events = {} if first is None else self._store.block(first)
            old = {seq: event for seq, event in events.items() if event.received <= until}
            if first is None or (events and not old):
                self._end()
                break
            self._block = first
            standing = self._store.standing(old)
            self._store.blank_events(old.keys() - standing.keys())
            left = places_left(self._store, standing)
            for seq, event in standing.items():
                keys, drawings = self._wiring.draw(event)
                if not self._is_needed(event, drawings, left.get(seq, NOWHERE), until, changed):
                    gone[seq], drawn[seq] = event, (keys, drawings)
        if gone:
            self._forget(gone, drawn)
        self._resolver.forget()
        return Counted(events=len(gone)), changed

    def _end(self) -> None:
        self._block, self._swept, self._reached = None, self._began, self._until
        self._store.set_meta(SWEPT, str(self._swept))
        self._store.set_meta(REACHED, str(self._reached))

    def _is_needed(self, event: Event, drawings: list[Drawing], left: Gone, until: int, changed: set[_At]) -> bool:
        if self._overrides.given and identity_digest(event.source, event.id) in self._overrides.given:
            return True
        ids = self._store.value_ids(texts_of(drawings))
        stays = [self._stands(drawing, left, ids, until, changed) for drawing in drawings]
        return any(stays) or any(self._draws(drawing, ids) for drawing in drawings)

    def _stands(self, drawing: Drawing, left: Gone, ids: Mapping[str, int], until: int, changed: set[_At]) -> bool:
        """Return whether an event has a place left in a process; a value that no case holds is left in time."""
        places = [text for text in drawing.at if (drawing.process.name, text) not in left]
        if drawing.stand is not Stand.CARRIER:
            return bool(places)
        process = self._numbers[drawing.process.name]
        stands = False
        for text in places:
            stands = not self._is_left(process, ids[text], until, changed) or stands
        return stands

    def _is_left(self, process: int, carrier: int, until: int, changed: set[_At]) -> bool:
        """Let the events at a carrier leave it where no case holds it and all of them are old; return whether."""
        if (process, carrier) not in changed:
            facts = self._resolver.facts_at(process, carrier)
            if any(fact.received > until for fact in facts) or self._resolver.is_held(process, carrier):
                return False
            self._leave_value(process, carrier)
            changed.add((process, carrier))
        return True

    def _draws(self, drawing: Drawing, ids: Mapping[str, int]) -> bool:
        """Return whether a link that an event draws in a process is in use."""
        process = self._numbers[drawing.process.name]
        for kind, a, _ in edges_of(drawing):
            if kind is Edge.PASS:
                if self._resolver.is_held(process, ids[a]):
                    return True
            else:
                component = self._resolver.component(process, ids[a])
                if component.names or any(self._resolver.facts_at(process, each) for each in component.aliases):
                    return True
        return False

    def _forget(self, gone: dict[int, Event], drawn: dict[int, tuple[Keys, list[Drawing]]]) -> None:
        counted = named_places(list(gone.values()))
        texts: dict[str, None] = {}
        for seq, (keys, drawings) in drawn.items():
            count_faults(counted, gone[seq], keys, drawings, 1)
            texts.update(texts_of(drawings))
        ids = self._store.value_ids(texts)
        for seq, (_, drawings) in drawn.items():
            for drawing in drawings:
                process = self._numbers[drawing.process.name]
                for kind, a, b in edges_of(drawing):
                    self._store.drop_edge(process, kind, ids[a], ids[b], seq)
        drop_events(self._store, gone)
        self._store.count((RETIRED_COUNT + name, label, count) for (name, label), count in counted.items())
        for value in drop_unused(self._store, ids.values(), self._processes):
            for process in self._processes:
                self._flags.clear(process, value, _ALL_FLAGS)
        latest = max(event.time for event in gone.values())
        if self.retired_until is None or latest > self.retired_until:
            self.retired_until = latest
            self._store.set_meta(RETIRED_UNTIL, str(latest))
