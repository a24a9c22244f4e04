"""The engine: the one writer of the lineage store. It folds batches, applies statements and does what falls due.

Each call is one transaction of the store. A call that fails leaves the store as it was, but not this object: throw it
away and open another.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lineage.acceptance import Acceptances
from lineage.derive import Context
from lineage.fact import Fact
from lineage.flags import EDGE_FLAGS, Flag, Flags
from lineage.fold import Folder, Touched
from lineage.overrides import Overrides, Pair, Pairing, TextPair, text_pairs
from lineage.places import Place, open_writing
from lineage.process import Definitions, Process
from lineage.removal import places_left
from lineage.resolve import Near, Resolver
from lineage.retention import Counted, Retention
from lineage.saving import EMPTY, Saved, save
from lineage.sight import Heard, Reporting, SourceSight
from lineage.spread import Affected, affected
from lineage.store import ORPHANS, WAITING, CaseRow, Edge, Patience, Role, StoreWriter
from lineage.traces import add_traces
from lineage.viewpoint import derive_case
from throughline.core.estate import Estate
from throughline.core.estate_file import Mode
from throughline.core.event import Event, identity_digest
from throughline.core.instants import DAY, HOUR, parse_instant
from throughline.core.journal import Record
from throughline.core.sql import Connection
from throughline.core.statement import Statement

HEARTBEAT = "source.heartbeat"
JOURNAL = "journal"
JOURNAL_RECEIVED = "journal_received"  # not a position: the receipt of the last record that is folded
STATEMENTS = "statements"
AT_ONCE = 1_000  # cases of one piece of what is put off or due


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings of the engine: microseconds for times, cases for counts."""

    orphan_time: int = 72 * HOUR
    bulk_limit: int = 50_000
    fan_out_limit: int = 1_000
    keep: int = 396 * DAY


class Engine:
    """Folds events and statements into the store that a connection opens; see ``open``."""

    def __init__(self, connection: Connection, definitions: Definitions, estate: Estate, limits: Limits) -> None:
        self._committer = ThreadPoolExecutor(1, "commit")
        self._limits = limits
        self._estate = estate
        self._definitions = definitions
        self._reporting = Reporting(estate)
        self._polled = {source.source for source in estate.sources if source.mode is Mode.POLL}
        self.store = self._store(connection)
        with self.transaction():
            ids = self.store.name_processes(definitions.processes)
        self._process_ids = ids
        self._processes: dict[int, Process] = {ids[name]: process for name, process in definitions.processes.items()}
        self._prefixes = {number: process.name_key + "\x1f" for number, process in self._processes.items()}
        self._flags = self._no_flags()
        self._overrides = Overrides()
        self._acceptances = Acceptances(definitions.key_types)
        self._heard: dict[str, Heard] = {}
        self._bulk: set[tuple[int, int]] = set()
        self.resolver = Resolver(self.store, self._overrides, self._processes, limits.bulk_limit, self._flags)
        self._lonely = self._no_doubts()
        self.derived = self.due = 0
        self._folder = Folder(self.store, definitions, ids, self._flags, self.resolver, self._overrides, self._lonely)
        self._retention = Retention(
            self.store, definitions, self._processes, self._flags, self.resolver, self._overrides, limits.keep
        )
        self._remember()

    def _store(self, connection: Connection) -> StoreWriter:
        return StoreWriter(connection)

    def _no_flags(self) -> Flags:
        return Flags()

    def _no_doubts(self) -> set[int]:
        """Return what holds the values that may be orphans."""
        return set()

    def _remember(self) -> None:
        """Read what is kept in memory beside the store: it has one engine, which keeps it up to date."""
        read_flags(self.store, self._processes, self._flags)
        self._heard = {source: Heard(*marks) for source, marks in self.store.watermarks().items()}
        self._bulk = {(process, value) for value, process in self.store.rows("SELECT value, process FROM bulk")}
        self._lonely |= self._read_lonely()
        for statement in self.store.statements():
            self._obey(statement)

    def _obey(self, statement: Statement) -> None:
        """Keep in memory what a statement that is applied says."""
        self._acceptances.add(statement)
        for pair in self._pairs(statement):
            self._overrides.add(pair, statement)

    @classmethod
    def open(cls, place: Place | str, definitions: Definitions, estate: Estate, limits: Limits = Limits()) -> Engine:
        """Open the store at a place, or a fresh one in memory (``:memory:``)."""
        connection = open_writing(Path(place) if isinstance(place, str) else place)
        return cls(connection, definitions, estate, limits)

    def close(self) -> None:
        self._committer.shutdown()
        self.store.connection.close()

    def fold(self, events: Sequence[Event], now: int, position: int | None = None) -> int:
        """Fold a batch of events and move the journal's position; return how many events were new."""
        with self.transaction():
            fresh = self._fold(events, now)
            if position is not None:
                self.store.set_position(JOURNAL, position)
        return len(fresh)

    def fold_records(
        self, records: Sequence[Record], now: int, meanwhile: Callable[[], Sequence[Record]] | None = None
    ) -> int:
        """Fold records of the journal, in order, with their spans; return how many events were new.

        ``meanwhile`` may be called while the batch is written to the disk; it returns the records that are folded next.
        """
        with self.transaction(meanwhile and partial(self._prepare, meanwhile)):
            fresh = self._fold([event for record in records for event in record.events], now)
            add_traces(self.store, records, enumerate(fresh, self.store.next_seq - len(fresh)))
            self.store.set_position(JOURNAL, records[-1].id)
            self.store.set_position(JOURNAL_RECEIVED, records[-1].received)
        return len(fresh)

    @property
    def too_old(self) -> int:
        """Return how many events of the last batch were set aside, as no more is kept of their time."""
        return self._folder.too_old

    @property
    def replaced(self) -> int:
        """Return how many new events of the last batch took the place of one that came earlier."""
        return self._folder.replaced

    def _fold(self, events: Sequence[Event], now: int) -> list[Event]:
        touched = Touched()
        self.resolver.forget()
        fresh = self._folder.fold(events, touched)
        self._hear(events, touched)
        self._follow(fresh, touched, now)
        return fresh

    def place(self, numbered: Sequence[tuple[int, Event]], now: int) -> None:
        """Draw anew what stored events give, by seq, and derive what they reach; for a store being rebuilt."""
        with self.transaction():
            touched = Touched()
            self.resolver.forget()
            self._folder.place(numbered, touched, places_left(self.store, (seq for seq, _ in numbered)))
            self._follow([event for _, event in numbered], touched, now)

    def _follow(self, fresh: Sequence[Event], touched: Touched, now: int) -> None:
        """Derive all that may have changed with what a batch touched."""
        self.resolver.forget(touched.cases)
        found = affected(self.resolver, touched, self._limits.fan_out_limit)
        found.now |= touched.case_ids | self._in_sight(touched.sources)
        values = self._values_around(touched)
        given = self._given(fresh)
        if given:
            around = self._around(given, touched.cases)
            values |= around.values
            found.add(around.found)
        found.later |= self._recheck(value for value in values if self._flags.get(*value) & Flag.STANDING)
        changed = touched.housed | {value for _, value in values} | found.aliases
        found.components |= self._look_again(self._lonely & changed)
        self._derive(found, touched.cases, now)

    def state(self, statements: Sequence[Statement], now: int) -> None:
        """Apply statements, in order, and derive anew what they bear on.

        Those with a number below 1 are of a log that is no more.
        """
        for statement in statements:
            with self.transaction():
                self._state(statement, now)
                self.store.set_position(STATEMENTS, max(0, statement.number))

    def settle(self, now: int) -> bool:
        """Derive some of the cases that were put off; return whether more are left."""
        ids = {row[0] for row in self.store.rows("SELECT case_id FROM stale LIMIT ?", AT_ONCE)}
        if not ids:
            return False
        with self.transaction():
            self.resolver.forget()
            self._derive(Affected(now=ids), {}, now)
            self.store.drop_put_off(ids)
        return len(ids) == AT_ONCE

    def tick(self, now: int) -> bool:
        """Derive the cases whose time has come; return whether more are left. Reads no case while nothing is due."""
        ids = {
            row[0]
            for row in self.store.rows(
                "SELECT id FROM cases WHERE wake_at IS NOT NULL AND wake_at <= ? LIMIT ?", now, AT_ONCE
            )
        }
        aged = self.store.rows(
            "SELECT process, value FROM waiting WHERE orphan = 0 AND since <= ? LIMIT ?",
            now - self._limits.orphan_time,
            AT_ONCE,
        )
        if not ids and not aged:
            return False
        with self.transaction():
            self.resolver.forget()
            self._derive(Affected(now=ids), {}, now)
            self.due += len(ids)
            self._mark_orphans(aged, now)
        return len(ids) == AT_ONCE or len(aged) == AT_ONCE

    def retain(self, now: int, data: Path | None = None) -> Counted | None:
        """Do the next piece of a sweep by which the store is rid of what it keeps no more; None: nothing is due.

        ``data``: the folder of those who follow the store, whom it waits for; None: nobody does.
        """
        if not self._retention.is_due(now):
            return None
        with self.transaction():
            self.resolver.forget()
            counted, values = self._retention.step(now, data)
            turned = self._recheck(value for value in values if self._flags.get(*value) & Flag.STANDING)
            self.store.put_off(turned)
        self._folder.retired_until = self._retention.retired_until
        return counted

    def next_wake(self) -> int | None:
        """Return the next instant at which time alone has something to do; None where there is none."""
        due = self.store.one("SELECT min(wake_at) FROM cases WHERE wake_at IS NOT NULL")
        oldest = self.store.one("SELECT min(since) FROM waiting WHERE orphan = 0")
        orphan = None if oldest is None else oldest + self._limits.orphan_time
        return min((at for at in (due, orphan) if at is not None), default=None)

    def derive_all(self) -> None:
        """Put every case on the queue to be derived anew: process definitions, estate or settings changed."""
        with self.transaction():
            self.store.connection.execute(
                "INSERT INTO stale (case_id) SELECT id FROM cases WHERE state <> ? ON CONFLICT DO NOTHING", (EMPTY,)
            )
            self.store.connection.execute("UPDATE waiting SET orphan = 0")
            self.store.count([(WAITING, ORPHANS, -self.store.counter(WAITING, ORPHANS))])

    def recheck_all(self) -> None:
        """Look again at every carrier at which events stand: the bulk limit changed."""
        with self.transaction():
            self.resolver.forget()
            values = [
                (process, value) for value, process in self.store.rows("SELECT DISTINCT value, process FROM posted")
            ]
            kinds = {
                value: text.partition("\x1f")[0]
                for value, text in self.store.value_texts({v for _, v in values}).items()
            }
            turned = self._recheck(
                (process, value) for process, value in values if kinds[value] in self._processes[process].carriers
            )
            self.store.put_off(turned)

    def positions(self) -> tuple[int, int]:
        """Return how far the journal and the statements are folded."""
        positions = self.store.positions()
        return positions.get(JOURNAL, 0), positions.get(STATEMENTS, 0)

    def context(self, now: int) -> Context:
        """Return what derivation sees at one moment."""
        sight = SourceSight(self._reporting, self._heard, now)
        return Context(now, sight, self._estate.calendars, self._limits.orphan_time)

    @contextmanager
    def transaction(self, meanwhile: Callable[[], object] | None = None) -> Generator[None]:
        """Change the store in one transaction; whatever is raised in it leaves the store as it was.

        ``meanwhile`` may be called while the commit is under way, in another thread.
        """
        connection = self.store.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        if meanwhile is None:
            connection.execute("COMMIT")
            return
        commit = self._committer.submit(connection.execute, "COMMIT")
        try:
            meanwhile()
        finally:
            commit.result()

    def _prepare(self, meanwhile: Callable[[], Sequence[Record]]) -> None:
        self._folder.draw_ahead([event for record in meanwhile() for event in record.events])

    # What is seen of the sources.

    def _hear(self, events: Sequence[Event], touched: Touched) -> None:
        """Move the watermarks of the sources in a batch; forget in ``touched`` those that stayed where they were."""
        until: dict[str, int] = {}
        beats: dict[str, int] = {}
        for event in events:
            if event.type == HEARTBEAT and not event.failed:
                beats[event.source] = max(beats.get(event.source, 0), event.received)
                at = _until(event)
                if at is not None:
                    until[event.source] = max(until.get(event.source, at), at)
        moved: list[tuple[str, int | None, int | None]] = []
        for source, last in list(touched.sources.items()):
            receipt = beats.get(source) if source in self._polled else last
            before = self._heard.get(source, Heard(None))
            after = Heard(_later(before.receipt, receipt), _later(before.until, until.get(source)))
            if after == before:
                del touched.sources[source]
                continue
            self._heard[source] = after
            moved.append((source, after.receipt, after.until))
        self.store.put_watermarks(moved)

    def _read_lonely(self) -> set[int]:
        """Return the values that may be orphans: those at which events wait, and aliases without a name."""
        lonely = {row[0] for row in self.store.rows("SELECT value FROM waiting")}
        for process, definition in self._processes.items():
            for (name,) in self.store.rows(
                "SELECT name FROM cases WHERE process = ? AND state = 'provisional'", process
            ):
                alias = self.store.value_ids([name])[name]
                lonely.update(self.resolver.component(process, alias).aliases if definition.aliases else ())
        self.resolver.forget()
        return lonely

    def _in_sight(self, sources: Iterable[str]) -> set[int]:
        """Return the cases that waited for these sources' watermarks to come as far as they are now."""
        found: set[int] = set()
        for source in sources:
            heard = self._heard[source]
            at = heard.until if source in self._polled else heard.receipt
            if at is not None:
                found.update(
                    row[0]
                    for row in self.store.rows("SELECT case_id FROM sight WHERE source = ? AND at <= ?", source, at)
                )
        return found

    # Deriving and saving.

    def _derive(self, found: Affected, loaded: dict[int, CaseRow], now: int) -> None:
        rows = list(loaded.values())
        rows += self.store.cases_by_id(found.now - loaded.keys()).values()
        aliases: dict[int, set[int]] = {}
        for process, component in found.components:
            aliases.setdefault(process, set()).update(component)
        named: list[CaseRow] = []
        for row in rows:
            if row.name.startswith(self._prefixes[row.process]):
                named.append(row)
            else:
                aliases.setdefault(row.process, set()).update(self._component_of(row))
        context = self.context(now)
        nears = [self.resolver.near(row) for row in named]
        self._prefetch(named, nears)
        saved = [self._derived(row, near, context) for row, near in zip(named, nears, strict=True)]
        for process, some in aliases.items():
            saved += self._provisional(process, some, context)
        save(self.store, saved, now)
        self.derived += len(saved)
        later = found.later - loaded.keys() - found.now
        if later:
            self.store.put_off(later)

    def _prefetch(self, rows: Sequence[CaseRow], nears: Sequence[Near]) -> None:
        """Read in a few questions what joining many cases will ask."""
        aliases: dict[int, set[int]] = {}
        plain: dict[int, set[int]] = {}
        carriers: dict[int, set[int]] = {}
        for row, near in zip(rows, nears, strict=True):
            if near.at_carriers:
                carriers.setdefault(row.process, set()).update(near.at_carriers)
            if near.at_aliases:
                (plain if near.simple else aliases).setdefault(row.process, set()).update(near.at_aliases)
        for process in aliases.keys() | plain.keys() | carriers.keys():
            self.resolver.prefetch(process, aliases.get(process, ()), carriers.get(process, ()), plain.get(process, ()))

    def _derived(self, row: CaseRow, near: Near, context: Context) -> Saved:
        process = self._processes[row.process]
        joined = self.resolver.join(row) if process.expects_by else self.resolver.gather(row, near)
        if not joined.members:
            return Saved(row, None)
        derived = derive_case(self.store, self.resolver, process, row, joined, context, self._acceptances, whole=False)
        return Saved(row, derived)

    def _is_provisional(self, row: CaseRow) -> bool:
        return not row.name.startswith(self._prefixes[row.process])

    def _component_of(self, row: CaseRow) -> frozenset[int]:
        alias = self.store.value_ids([row.name])[row.name]
        return self.resolver.component(row.process, alias).aliases

    def _provisional(self, process: int, aliases: set[int], context: Context) -> list[Saved]:
        """Return what is to be saved of the provisional cases of whole components, and which former ones go."""
        called = {alias for alias in aliases if self._flags.get(process, alias) & Flag.PROVISIONAL}
        groups = [
            group
            for group in self.resolver.nameless(process, aliases)
            if any(self.resolver.facts_at(process, alias) for alias in group)
        ]
        if not groups and not called:
            return []
        texts = self.store.value_texts(aliases)
        rows = self.store.cases_by_name(process, [texts[alias] for alias in aliases])
        saved: list[Saved] = []
        firsts = [first_alias(self._processes[process], {alias: texts[alias] for alias in group}) for group in groups]
        rows |= self.store.new_cases(process, (texts[first] for first in firsts if texts[first] not in rows))
        for group, first in zip(groups, firsts, strict=True):
            row = rows[texts[first]]
            self._flags.set(process, first, Flag.PROVISIONAL)
            called.discard(first)
            joined = self.resolver.join_provisional(process, group)
            derived = derive_case(
                self.store,
                self.resolver,
                self._processes[process],
                row,
                joined,
                context,
                self._acceptances,
                provisional=True,
                whole=False,
            )
            self._lonely.update(group)
            saved.append(Saved(row, derived))
        for alias in called:
            self._flags.clear(process, alias, Flag.PROVISIONAL)
            saved.append(Saved(rows[texts[alias]], None))
        return saved

    # Carrier values: who waits at them, and whether they are bulk.

    def _values_around(self, touched: Touched) -> set[tuple[int, int]]:
        """Return the carriers whose events or holders a batch may have changed."""
        values = set(touched.stood)
        for process, carrier in touched.newly_held | touched.carriers:
            values.add((process, carrier))
            if self._overrides or self._flags.get(process, carrier) & Flag.PASSES:
                values.update((process, value) for value in self.resolver.downstream(process, carrier))
        for process, alias in touched.aliases:
            if self._overrides or self._flags.get(process, alias) & (Flag.OWNS | Flag.LINKED):
                values.update((process, value) for value in self.resolver.held_by_alias(process, alias))
        return values

    def _recheck(self, values: Iterable[tuple[int, int]]) -> set[int]:
        by_process: dict[int, list[int]] = {}
        for process, value in values:
            by_process.setdefault(process, []).append(value)
        turned: set[int] = set()
        waiting: list[tuple[int, int, int]] = []
        cared_for: list[tuple[int, int]] = []
        for process, some in by_process.items():
            self.resolver.prefetch(process, (), some)
            self.resolver.prefetch_counts(process, some)
            for value in some:
                is_bulk = self.resolver.is_bulk(process, value)
                if is_bulk != ((process, value) in self._bulk):
                    turned |= self._turn_bulk(process, value, is_bulk)
                facts = self.resolver.waiting_at(process, value)
                if facts and not is_bulk and not self.resolver.is_held(process, value):
                    waiting.append((value, process, min(fact.received for fact in facts)))
                    self._lonely.add(value)
                elif value in self._lonely:
                    cared_for.append((value, process))
        with self._waiting_counted({value for value, *_ in (*waiting, *cared_for)}):
            self.store.many(
                "INSERT INTO waiting (value, process, since, orphan) VALUES (?, ?, ?, 0)"
                " ON CONFLICT (value, process) DO UPDATE SET since = excluded.since, orphan = 0",
                waiting,
            )
            self.store.many("DELETE FROM waiting WHERE value = ? AND process = ?", cared_for)
        return turned

    @contextmanager
    def _waiting_counted(self, values: AbstractSet[int]) -> Generator[None]:
        """Keep the counters right while rows of some values at which events wait are changed."""
        if not values:
            yield
            return
        before = self.store.waiting_among(values)
        yield
        after = self.store.waiting_among(values)
        self.store.count((WAITING, label, after[label] - before[label]) for label in after)

    def _turn_bulk(self, process: int, value: int, is_bulk: bool) -> set[int]:
        if is_bulk:
            self._bulk.add((process, value))
            self.store.connection.execute("INSERT INTO bulk (value, process) VALUES (?, ?)", (value, process))
        else:
            self._bulk.discard((process, value))
            self.store.connection.execute("DELETE FROM bulk WHERE value = ? AND process = ?", (value, process))
        return self.resolver.holders(process, value).cases

    def _mark_orphans(self, aged: Iterable[tuple[int, int]], now: int) -> None:
        """Look at values whose first event waited too long.

        Where only its later events have no home, the row waits for the first of those to come of age.
        """
        rows = list(aged)
        texts = self.store.value_texts({value for _, value in rows})
        marked: list[tuple[int, int, int, int]] = []
        for process, value in rows:
            facts = self.resolver.waiting_at(process, value)
            housed = self.resolver.housed(texts[value].partition("\x1f")[0], value, facts)
            homeless = [fact for fact in facts if fact.seq not in housed]
            since = min(fact.received for fact in homeless or facts)
            marked.append((since, _patience(homeless, since + self._limits.orphan_time <= now), value, process))
        with self._waiting_counted({value for _, value in rows}):
            self.store.many("UPDATE waiting SET since = ?, orphan = ? WHERE value = ? AND process = ?", marked)

    def _look_again(self, values: set[int]) -> set[tuple[int, frozenset[int]]]:
        """Judge values anew as orphans, since their holders changed; return the components that they belong to."""
        if not values:
            return set()
        with self._waiting_counted(values):
            self.store.many(
                "UPDATE waiting SET orphan = 0 WHERE value = ? AND orphan <> 0", [(value,) for value in values]
            )
        return {
            (process, self.resolver.component(process, value).aliases)
            for process in self._processes
            for value in values
            if self._flags.get(process, value) & Flag.PROVISIONAL
        }

    # Statements.

    def _state(self, statement: Statement, now: int) -> None:
        self.store.put_statement(statement)
        if statement.b is None:
            self._accept(statement, now)
            return
        pairs = self._pairs(statement)
        touched = Touched()
        for pair in pairs:
            _touch(pair, touched)
        before = self._around(touched)
        for pair in pairs:
            self._overrides.add(pair, statement)
        after = self._around(touched)
        values = before.values | after.values
        found = before.found
        found.add(after.found)
        found.later |= self._recheck(value for value in values if self._flags.get(*value) & Flag.STANDING)
        ends = {value for _, value in values | touched.carriers} | {pair.b for pair in pairs} | found.aliases
        found.components |= self._look_again(self._lonely & ends)
        self._derive(found, {}, now)

    def _accept(self, statement: Statement, now: int) -> None:
        """Derive the case anew whose exceptions a statement is about, where there is one yet."""
        case = self._acceptances.add(statement)
        if case is None or case[0] not in self._process_ids:
            return
        process, name = case
        rows = self.store.cases_by_name(self._process_ids[process], [name])
        self.resolver.forget()
        self._derive(Affected(now={row.id for row in rows.values() if row.state != EMPTY}), {}, now)

    def _given(self, fresh: Sequence[Event]) -> Touched | None:
        """Touch the ends of the pairs that people gave these events for: known now, the events may draw them."""
        if not self._overrides.given:
            return None
        digests = (identity_digest(event.source, event.id) for event in fresh)
        pairs = [pair for digest in digests for pair in self._overrides.given.get(digest, ())]
        touched = Touched()
        for pair in pairs:
            _touch(pair, touched)
        return touched if pairs else None

    def _around(self, touched: Touched, unsaved: Mapping[int, CaseRow] | None = None) -> _Around:
        """Return the cases near touched ends, and the carriers that any of them holds."""
        unsaved = unsaved or {}
        self.resolver.forget(unsaved)
        found = affected(self.resolver, touched, self._limits.fan_out_limit)
        found.now |= touched.case_ids
        values = {(process, value) for at, carrier in touched.carriers for process, value in self._below(at, carrier)}
        rows = {**self.store.cases_by_id(found.now), **{each: unsaved[each] for each in found.now & unsaved.keys()}}
        for row in rows.values():
            if not self._is_provisional(row):
                values.update((row.process, value) for value in self.resolver.join(row).carriers)
        for process, aliases in found.components:
            for group in self.resolver.nameless(process, aliases):
                values.update((process, value) for value in self.resolver.join_provisional(process, group).carriers)
        return _Around(found, values)

    def _below(self, process: int, carrier: int) -> set[tuple[int, int]]:
        return {(process, value) for value in self.resolver.downstream(process, carrier)}

    def _pairs(self, statement: Statement) -> list[Pair]:
        """Return the pairs of a statement by ids; values and cases that do not exist yet are made room for."""
        found: list[Pair] = []
        for process, pair in text_pairs(statement, self._processes.values(), dict(self._definitions.key_types)):
            found.append(self._pair(self._process_ids[process.name], pair))
        return found

    def _pair(self, process: int, pair: TextPair) -> Pair:
        if pair.kind in (Pairing.NAME_TIE, Pairing.NAME_HOLD):
            value = self.store.intern([pair.b])[pair.b]
            return Pair(process, pair.kind, self.case_of(process, pair.a), value)
        ids = self.store.intern([pair.a, pair.b])
        return Pair(process, pair.kind, ids[pair.a], ids[pair.b])

    def case_of(self, process: int, name: str) -> int:
        """Return the id of a case; one that has no events yet, or no more, gets an empty row."""
        row = self.store.cases_by_name(process, [name]).get(name)
        if row is None:
            row = self.store.new_cases(process, [name])[name]
            save(self.store, [Saved(row, None)], 0)
        return row.id


@dataclass(slots=True)
class _Around:
    found: Affected
    values: set[tuple[int, int]]


def first_alias(process: Process, texts: dict[int, str]) -> int:
    """Return the alias after which a provisional case is called: by the order of alias types, then by value."""
    order = {kind: index for index, kind in enumerate(process.aliases)}
    return min(texts, key=lambda alias: (order[texts[alias].partition("\x1f")[0]], texts[alias]))


def _patience(homeless: Sequence[Fact], aged: bool) -> Patience:
    """Say what events without a home make of the value at which they wait."""
    if not homeless:
        return Patience.HOUSED
    if not aged:
        return Patience.YOUNG
    synthetic = any(fact.synthetic and not fact.shared for fact in homeless)
    return Patience.SYNTHETIC if synthetic else Patience.ORPHAN


def _touch(pair: Pair, touched: Touched) -> None:
    match pair.kind:
        case Pairing.NAME_TIE:
            touched.case_ids.add(pair.a)
            touched.aliases.add((pair.process, pair.b))
        case Pairing.NAME_HOLD:
            touched.case_ids.add(pair.a)
        case Pairing.PASS:
            touched.carriers.update(((pair.process, pair.a), (pair.process, pair.b)))
        case Pairing.TIE:
            touched.aliases.update(((pair.process, pair.a), (pair.process, pair.b)))
        case Pairing.HOLD:
            touched.aliases.add((pair.process, pair.a))


def _until(event: Event) -> int | None:
    text = event.text("until")
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError:
        return None


def _later(known: int | None, other: int | None) -> int | None:
    return known if other is None else other if known is None else max(known, other)


def read_flags(store: StoreWriter, processes: dict[int, Process], flags: Flags) -> None:
    """Set the flags of every value, as the stored links and events say."""
    for value, process in store.rows("SELECT DISTINCT value, process FROM posted"):
        flags.set(process, value, Flag.STANDING)
    for process, kind, a, b in store.rows("SELECT DISTINCT process, kind, a, b FROM edge"):
        at_a, at_b = EDGE_FLAGS[Edge(kind)]
        flags.set(process, a, at_a)
        flags.set(process, b, at_b)
    for value, process, count in store.rows(
        "SELECT value, process, count(*) FROM near WHERE role = ? GROUP BY value, process", int(Role.TIE)
    ):
        flags.set(process, value, Flag.TIED | Flag.SHARED * (count > 1))
    for process_id, process in processes.items():
        for alias in process.aliases:
            names = [
                row[0]
                for row in store.rows(
                    "SELECT name FROM cases WHERE process = ? AND name >= ? AND name < ?",
                    process_id,
                    alias + "\x1f",
                    alias + "\x20",
                )
            ]
            for value in store.value_ids(names).values():
                flags.set(process_id, value, Flag.PROVISIONAL)
