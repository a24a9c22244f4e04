"""Reading the lineage store beside its writer: one consistent state of it at a time, and cases as they stand now.

A case is derived from its facts at the moment of the question, so what is shown cannot lag behind what is stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from threading import Lock
from typing import NamedTuple

from lineage.acceptance import Acceptances
from lineage.buckets import Lanes
from lineage.derive import Context
from lineage.document import CaseDocument, case_document
from lineage.engine import JOURNAL, STATEMENTS, Limits
from lineage.fact import Derived
from lineage.followed import Case, Following
from lineage.overrides import Overrides, Pair, Pairing, TextPair, text_pairs
from lineage.places import Place, open_reading
from lineage.process import Definitions, Process
from lineage.readers import ANSWER_SECONDS, Readers
from lineage.resolve import Joined, Resolver
from lineage.sight import Heard, Reporting, SourceSight
from lineage.store import CaseRow, StoreReader
from lineage.viewpoint import derive_case
from throughline.core.case_reference import CaseReference
from throughline.core.errors import StoreUnavailable
from throughline.core.estate import Estate
from throughline.core.event import identity_digest
from throughline.core.key import Key
from throughline.core.sql import Connection
from throughline.core.statement import Statement

CACHE_MIB = 8  # a reader; the pages that matter are in the system's cache


class CaseView(NamedTuple):
    """A case as it stands now. ``key``: its name; for a provisional case the alias that it is called after."""

    row: CaseRow
    process: Process
    key: Key
    provisional: bool
    joined: Joined
    derived: Derived


class Said(NamedTuple):
    """A statement, and a pair of one process that it speaks of, by ids."""

    statement: Statement
    pair: Pair


class Stated(NamedTuple):
    """The folded statements: what they say of pairs, and of exceptions."""

    pairs: list[Said]
    acceptances: Acceptances


class Snapshot:
    """One state of the store at one moment; every answer comes from the same state."""

    def __init__(
        self, store: StoreReader, definitions: Definitions, stated: Stated, context: Context, limits: Limits
    ) -> None:
        self.store = store
        self.definitions = definitions
        self.said, self.acceptances = stated
        self.context = context
        self.process_ids = {name: number for name, number in store.processes().items() if name in definitions.processes}
        self.processes = {number: definitions.processes[name] for name, number in self.process_ids.items()}
        overrides = Overrides()
        for statement, pair in self.said:
            overrides.add(pair, statement)
        self.resolver = Resolver(store, overrides, self.processes, limits.bulk_limit)
        self.following = Following(store, self.resolver, definitions, self.process_ids)

    @property
    def now(self) -> int:
        return self.context.now

    def views(self, ids: Iterable[int]) -> dict[int, CaseView]:
        """Return cases by id; those that are gone, or whose process is no longer defined, are left out."""
        found = self.store.cases_by_id(ids)
        rows = {number: row for number, row in found.items() if row.process in self.processes}
        for process, some in self._named(rows.values()).items():
            self.resolver.prefetch_joins(process, some)
        return {number: self.view(row) for number, row in rows.items()}

    def _named(self, rows: Iterable[CaseRow]) -> dict[int, list[CaseRow]]:
        """Return those of stored cases that are no provisional ones, by process."""
        found: dict[int, list[CaseRow]] = {}
        for row in rows:
            if Key.decode(row.name).type == self.processes[row.process].name_key:
                found.setdefault(row.process, []).append(row)
        return found

    def view(self, row: CaseRow) -> CaseView:
        """Return a stored case as it stands now."""
        process = self.processes[row.process]
        key = Key.decode(row.name)
        provisional = key.type != process.name_key
        joined = self._join_provisional(row) if provisional else self.resolver.join(row)
        derived = derive_case(
            self.store, self.resolver, process, row, joined, self.context, self.acceptances, provisional=provisional
        )
        return CaseView(row, process, key, provisional, joined, derived)

    def document(self, view: CaseView) -> CaseDocument:
        """Return the public document of a case."""
        return case_document(
            view.process,
            view.key,
            view.derived,
            view.joined.members,
            self.keys_by_role(view),
            self.definitions.key_types,
            self.store.other_contents_of(
                [identity_digest(member.fact.source, member.fact.id) for member in view.joined.members]
            ),
            self.references(self.following.counted_in(view.process.name, view.row.name, view.joined, view.derived)),
        )

    def references(self, cases: Iterable[Case]) -> list[CaseReference]:
        """Return what each case is asked for with."""
        keys = [(case.process, Key.decode(case.name)) for case in cases]
        return [CaseReference(process, key.type, key.value, self.scope(key)) for process, key in keys]

    def keys_by_role(self, view: CaseView) -> dict[str, list[Key]]:
        """Return the keys of a case by role."""
        joined = view.joined
        return {
            "name": [] if view.provisional else [view.key],
            "alias": self.keys(joined.aliases | joined.conflicting),
            "carrier": self.keys(joined.carriers),
            "relation": self.keys(joined.relations),
        }

    def keys(self, ids: Iterable[int]) -> list[Key]:
        """Return interned values as keys, sorted."""
        return sorted(Key.decode(text) for text in self.store.value_texts(ids).values())

    def scope(self, key: Key) -> dict[str, str]:
        """Return the scope fields of a key by name."""
        key_type = self.definitions.key_types.get(key.type)
        return {} if key_type is None else dict(zip(key_type.scope, key.scope, strict=False))

    def said_at(self, view: CaseView) -> int:
        """Return when people last said something of a case, of its exceptions or of links of its keys; 0: nothing."""
        row, joined = view.row, view.joined
        of_it = [statement.at for statement in self.acceptances.of(view.process.name, row.name)]
        if self.said:
            ends = {-row.id, *joined.aliases, *joined.conflicting, *joined.carriers}
            of_it += [self._said_of.get((row.process, each), 0) for each in ends]
        return max(of_it, default=0)

    @cached_property
    def _said_of(self) -> dict[tuple[int, int], int]:
        """When people last said something of a pair, by its process and either end; a case is its negative id."""
        last: dict[tuple[int, int], int] = {}
        for statement, pair in self.said:
            a = -pair.a if pair.kind in (Pairing.NAME_TIE, Pairing.NAME_HOLD) else pair.a
            for end in (a, pair.b):
                at = pair.process, end
                last[at] = max(last.get(at, 0), statement.at)
        return last

    def _join_provisional(self, row: CaseRow) -> Joined:
        alias = self.store.value_ids([row.name])[row.name]
        return self.resolver.join_provisional(row.process, self.resolver.unowned(row.process, alias))


class CaseReader:
    """Gives snapshots of the store at a place to several threads. Closing is safe twice."""

    def __init__(
        self, place: Place, definitions: Definitions, estate: Estate, limits: Limits, now: Callable[[], int]
    ) -> None:
        self.definitions = definitions
        self.limits = limits
        self._place = place
        self._estate = estate
        self._reporting = Reporting(estate)
        self._now = now
        self._readers = Readers(place, self._open)
        self._said = _SaidBefore()
        self._lanes = Lanes()

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        """Open a snapshot; raises StoreUnavailable while there is no store yet, or it cannot be read now."""
        with self._readers.reading() as connection:
            store = StoreReader(connection, self._lanes)
            heard = {source: Heard(*marks) for source, marks in store.watermarks().items()}
            now = self._now()
            sight = SourceSight(self._reporting, heard, now)
            context = Context(now, sight, self._estate.calendars, self.limits.orphan_time)
            yield Snapshot(store, self.definitions, self._said.at(store, self.definitions), context, self.limits)

    def warm(self) -> None:
        """Read what the first look-up would wait for: 1 s at 10 million events. Where it cannot, that one does."""
        with suppress(StoreUnavailable, sqlite3.Error), self.snapshot() as snapshot:
            snapshot.store.warm()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._readers.close()

    def _open(self) -> Connection:
        connection = open_reading(self._place, CACHE_MIB, ANSWER_SECONDS)
        try:
            ready = connection.has_table("meta")
        except BaseException:
            connection.close()
            raise
        if not ready:
            connection.close()
            raise StoreUnavailable(f"{self._place} is being made just now")
        return connection


class _SaidBefore:
    """Remembers what the folded statements speak of, for as long as neither they nor the store have changed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._at: tuple[int, int] = (-1, -1)
        self._stated = Stated([], Acceptances({}))

    def at(self, store: StoreReader, definitions: Definitions) -> Stated:
        positions = store.positions()
        folded = positions.get(STATEMENTS)
        if folded is None:
            return Stated([], Acceptances({}))
        at = (folded, positions.get(JOURNAL, 0))
        with self._lock:
            if at != self._at:
                self._stated = resolve_statements(store, definitions)
                self._at = at
            return self._stated


def resolve_statements(store: StoreReader, definitions: Definitions) -> Stated:
    """Return what the folded statements speak of; a pair of values or cases not seen yet is left out."""
    statements = store.statements()
    return Stated(_resolve_pairs(store, definitions, statements), Acceptances(definitions.key_types, statements))


def _resolve_pairs(store: StoreReader, definitions: Definitions, statements: list[Statement]) -> list[Said]:
    processes, key_types = definitions.processes.values(), dict(definitions.key_types)
    found = [
        (statement, process, pair)
        for statement in statements
        for process, pair in text_pairs(statement, processes, key_types)
    ]
    values = store.value_ids({text for _, _, pair in found for text in (pair.a, pair.b)})
    names: dict[str, set[str]] = {}
    for _, process, pair in found:
        if pair.kind in (Pairing.NAME_TIE, Pairing.NAME_HOLD):
            names.setdefault(process.name, set()).add(pair.a)
    ids = store.processes()
    cases = {
        name: {text: row.id for text, row in store.cases_by_name(ids[name], texts).items()}
        for name, texts in names.items()
        if name in ids
    }
    resolved: list[Said] = []
    for statement, process, pair in found:
        by_ids = _pair(pair, ids.get(process.name), cases.get(process.name, {}), values)
        if by_ids is not None:
            resolved.append(Said(statement, by_ids))
    return resolved


def _pair(pair: TextPair, process: int | None, cases: Mapping[str, int], values: Mapping[str, int]) -> Pair | None:
    named = pair.kind in (Pairing.NAME_TIE, Pairing.NAME_HOLD)
    a, b = (cases if named else values).get(pair.a), values.get(pair.b)
    return None if process is None or a is None or b is None else Pair(process, pair.kind, a, b)
