"""An engine beside others on one store, which fold other parts of what comes in.

An ``Engine`` alone keeps much in memory beside its store. Beside others nothing in memory outlives a batch: each one is
a transaction that locks what it reads and changes (lineage/locks.py), reads it, and derives. What touches everything
(statements, sweeps, changed definitions) is done alone: it waits until no batch is under way, and none begins.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from lineage.engine import AT_ONCE, Engine, Heard, Limits
from lineage.flags import Flag, Flags
from lineage.fold import texts_of
from lineage.links import Stand
from lineage.locks import Gone, Locks, NotLocked, Wanted, nothing_wanted
from lineage.places import open_sharing
from lineage.process import Definitions
from lineage.removal import RETIRED_UNTIL
from lineage.resolve import Resolver
from lineage.retention import Counted
from lineage.shared_flags import SharedFlags
from lineage.shared_store import SharedStore
from lineage.spread import Affected
from lineage.store import StoreWriter
from throughline.core.estate import Estate
from throughline.core.event import Event, identity_digest
from throughline.core.journal import Record
from throughline.core.sql import Connection
from throughline.core.statement import Statement
from throughline.core.store_url import Schema

_LOCK: Final = "hashtextextended('throughline batches', 0)"
_OPENING: Final = "hashtextextended('throughline opening', 0)"
_T = TypeVar("_T")


class SharedEngine(Engine):
    """An engine for one part of what comes in; ``part`` is its name."""

    def __init__(
        self,
        connection: Connection,
        aside: Connection,
        definitions: Definitions,
        estate: Estate,
        limits: Limits,
        part: str,
    ) -> None:
        self._aside = aside
        self._part = part
        self._locks = Locks()
        self._wanted = nothing_wanted()
        self._stated = -(2**62)  # the last statement that is kept in memory
        self._is_open = False
        super().__init__(connection, definitions, estate, limits)
        self._is_open = True
        with self.transaction():
            self._shared.begin_ids()
        self._locks.alone = False
        self._shared.take_over()

    @classmethod
    def join(
        cls,
        place: Schema,
        definitions: Definitions,
        estate: Estate,
        limits: Limits,
        part: str,
    ) -> SharedEngine:
        """Open a store beside others. Raises StoreUnavailable where it cannot be, or where an engine alone has it."""
        with ExitStack() as stack:
            connection = stack.enter_context(closing(open_sharing(place)))
            aside = stack.enter_context(closing(open_sharing(place)))
            connection.execute(f"SELECT pg_advisory_lock({_OPENING})")  # so that tables are made once
            engine = cls(connection, aside, definitions, estate, limits, part)
            connection.execute(f"SELECT pg_advisory_unlock({_OPENING})")
            stack.pop_all()
            return engine

    def _store(self, connection: Connection) -> StoreWriter:
        self._shared = SharedStore(connection, self._aside, self._locks, self._part)
        return self._shared

    def _no_flags(self) -> Flags:
        self._shared_flags = SharedFlags(self.store, self._locks, self._processes)
        return self._shared_flags

    def _no_doubts(self) -> set[int]:
        self._doubts = _Doubts(self.store, self._locks, self._shared_flags, self.resolver, self._processes)
        return self._doubts

    def _remember(self) -> None:
        """Keep nothing: ``transaction`` reads what it needs."""

    def watch(self, at: Callable[[str], None]) -> None:
        """Call when a batch has "locked", has "read" a case, and comes to "flush" and to "commit"."""
        self._shared.at = at

    def close(self) -> None:
        super().close()
        self._aside.close()

    # Batches under locks.

    def fold(self, events: Sequence[Event], now: int, position: int | None = None) -> int:
        return self._until_locked(lambda: super(SharedEngine, self).fold(events, now, position), events)

    def fold_records(
        self, records: Sequence[Record], now: int, meanwhile: Callable[[], Sequence[Record]] | None = None
    ) -> int:
        events = [event for record in records for event in record.events]
        traces = {each.trace_id for record in records for each in (*record.spans, *record.logs)}
        return self._until_locked(lambda: super(SharedEngine, self).fold_records(records, now), events, traces)

    def settle(self, now: int) -> bool:
        return self._until_locked(lambda: super(SharedEngine, self).settle(now))

    def tick(self, now: int) -> bool:
        return self._until_locked(lambda: self._tick(now))

    def _tick(self, now: int) -> bool:
        late = self._seen_meanwhile()
        if late:
            with self.transaction():
                self.resolver.forget()
                self._derive(Affected(now=late), {}, now)
        return super().tick(now)

    def _seen_meanwhile(self) -> set[int]:
        """Return cases that wait to see what was seen while they were derived beside the batch that saw it."""
        return {
            case_id
            for source, last, until in self.store.rows("SELECT source, last_receipt, until FROM watermark")
            for (case_id,) in self.store.rows(
                "SELECT case_id FROM sight WHERE source = ? AND at <= ? LIMIT ?",
                source,
                (until if source in self._polled else last) or 0,
                AT_ONCE,
            )
        }

    def _until_locked(self, work: Callable[[], _T], events: Sequence[Event] = (), traces: Iterable[bytes] = ()) -> _T:
        """Do work in a transaction, from the beginning each time it turns out to need more locks."""
        self._wanted = self._first_wanted(events, traces)
        while True:
            try:
                return work()
            except NotLocked as more:
                self._wanted.values.update(more.values)
                self._wanted.cases.update(more.cases, self._shared.name_cases(more.names))
                self._shared.spread(self._wanted)
            except Gone:
                self._shared.forget_ids()
                self._wanted = self._first_wanted(events, traces)

    def _first_wanted(self, events: Sequence[Event], traces: Iterable[bytes]) -> Wanted:
        names: set[tuple[int, str]] = set()
        texts: dict[str, None] = {}
        for event in events:
            drawings = self._folder.drawings_of(event)
            texts |= texts_of(drawings)
            names.update(
                (self._process_ids[drawing.process.name], name)
                for drawing in drawings
                if drawing.stand is Stand.NAME
                for name in drawing.at
            )
        wanted = Wanted(
            set(self.store.intern(texts).values()),
            self._shared.name_cases(names),
            {identity_digest(event.source, event.id) for event in events},
            {*traces, *(bytes.fromhex(event.trace_id) for event in events if event.trace_id is not None)},
        )
        self._shared.spread(wanted)
        return wanted

    @contextmanager
    def transaction(self, meanwhile: Callable[[], object] | None = None) -> Generator[None]:
        connection = self.store.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._begin()
            yield
            self._shared.at("flush")
            self._shared.flush()
            self._shared.at("commit")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _begin(self) -> None:
        store = self._shared
        if self._locks.alone:
            store.rows(f"SELECT pg_advisory_xact_lock({_LOCK})")
            store.lock(nothing_wanted())
        else:
            store.rows(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
            store.lock(self._wanted)
            store.at("locked")
            missing = store.values_of(self._wanted.cases) - self._wanted.values
            if missing:
                raise NotLocked(values=missing)
        if self._is_open:
            self._read()

    def _read(self) -> None:
        """Read what an engine alone would have in memory."""
        self._shared_flags.begin()
        self._doubts.begin()
        self._heard = {source: Heard(*marks) for source, marks in self.store.watermarks().items()}
        bulk = self.store.rows("SELECT value, process FROM bulk")
        self._bulk = {(process, value) for value, process in bulk}
        until = self.store.one("SELECT value FROM meta WHERE name = ?", RETIRED_UNTIL)
        self._folder.retired_until = None if until is None else int(until)
        self._obey_new()

    def _obey_new(self) -> None:
        """Keep in memory what statements said since."""
        new = self.store.statements_after(self._stated)
        if new:
            with self._all_alone():  # they name values and cases that this batch need not have locked
                for statement in new:
                    self._obey(statement)
                    self._stated = statement.number

    # What is done alone.

    @contextmanager
    def _all_alone(self) -> Generator[None]:
        former, self._locks.alone = self._locks.alone, True
        try:
            yield
        finally:
            self._locks.alone = former

    def state(self, statements: Sequence[Statement], now: int) -> None:
        """Apply statements, each of which has a greater number than all that any engine applied before."""
        with self._all_alone():
            for statement in statements:
                super().state([statement], now)
                self._stated = max(self._stated, statement.number)

    def retain(self, now: int, data: Path | None = None) -> Counted | None:
        with self._all_alone():
            return super().retain(now, data)

    def derive_all(self) -> None:
        with self._all_alone():
            super().derive_all()

    def recheck_all(self) -> None:
        with self._all_alone():
            super().recheck_all()


class _Doubts(set[int]):
    """Values that may be orphans: asked of the store, as others change it; holds those of this batch."""

    def __init__(
        self, store: StoreWriter, locks: Locks, flags: Flags, resolver: Resolver, processes: Iterable[int]
    ) -> None:
        super().__init__()
        self._store = store
        self._locks = locks
        self._flags = flags
        self._resolver = resolver
        self._processes = processes
        self._asked: set[int] = set()

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int):
            return False
        if value not in self._asked:
            self._locks.require((value,))
            self._ask((value,))
        return super().__contains__(value) or any(self._is_nameless(process, value) for process in self._processes)

    def __and__(self, others: AbstractSet[object]) -> set[int]:
        return {value for value in others if isinstance(value, int) and value in self}

    def _is_nameless(self, process: int, value: int) -> bool:
        """Tell whether a value belongs to a provisional case."""
        bits = self._flags.get(process, value)
        if bits & Flag.PROVISIONAL:
            return True
        aliases = self._resolver.component(process, value).aliases if bits & Flag.LINKED else ()
        return any(self._flags.get(process, alias) & Flag.PROVISIONAL for alias in aliases)

    def begin(self) -> None:
        """Forget all, and read which of the locked values events wait at."""
        self.clear()
        self._asked = set()
        self._ask(self._locks.values)

    def _ask(self, values: Iterable[int]) -> None:
        new = [value for value in values if value not in self._asked]
        self._asked.update(new)
        self.update(
            row[0]
            for row in self._store.rows(
                "SELECT value FROM waiting WHERE value IN (SELECT value FROM json_each(?))", self._store.array(new)
            )
        )
