"""The engine's process: reads the journal and the statements as they grow, folds them, and does what falls due."""

from __future__ import annotations

import gc
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from lineage.changes import forget_changes
from lineage.definitions import fingerprint, state_fingerprint
from lineage.engine import Engine, Limits
from lineage.generations import STORE_FILE, mark, store_place
from lineage.journal_retention import DEFAULT_LIMITS, JournalLimits, release_some
from lineage.logs import check_logs
from lineage.places import Place, open_reading, open_writing, remove
from lineage.process import Definitions
from lineage.retention import Counted
from lineage.steadiness import Steadiness
from lineage.store import StoreReader
from lineage.upgrade import make, refuse_other_format, upgrade
from throughline.core.clock import Clock, RealClock
from throughline.core.database import DAMAGED, is_damage, passing_cause
from throughline.core.decisions import FILE_NAME as DECISIONS_FILE
from throughline.core.decisions import DecisionReader
from throughline.core.errors import LastingError, RebuildNeeded, StoreDamaged, StoreUnavailable
from throughline.core.estate import Estate
from throughline.core.journal import JOURNAL_FILE, JournalReader, Record
from throughline.core.store_url import Schema, StoreUrl
from throughline.core.waits import note_waits

OPENED = "opened"  # when an engine last began to work on the store
MOST_RECORDS = 512  # in one batch
MOST_EVENTS = 8_000  # the more events of a case come together, the less often it is derived; half a second's work
MOST_BYTES = 8 * 1024 * 1024  # as stored; in memory some thirty times as many
_AHEAD_FROM = 500  # events in a batch: for fewer, another thread costs more than it saves
_SHORTEST_PAUSE = 0.002
_LONGEST_PAUSE = 0.02
_QUIET_SECONDS = 10.0  # without anything to do, from when on it looks less often: that costs less, and nobody waits
_QUIET_PAUSE = 0.1
_STATEMENTS_EVERY = 0.02
_TRY_AGAIN_SECONDS = 1.0
_SAY_AGAIN_SECONDS = 60.0
_COLLECT_EVERY = 60.0
_FORMER_STAYS_SECONDS = 10.0
_LOGS_EVERY = 1.0
_SWEEP_EVERY = 1.0  # a piece of a sweep while events keep coming
_RELEASE_EVERY = 5.0
_FORGET_EVERY = 5.0
_WORKS_AGAIN_SECONDS = 6.0  # without a failure: longer than anything that it does now and then

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Subject:
    """What the engine works on and by: a data folder, what the firm declared, settings and a clock.

    ``url``: the database of the store, where it is not in the data folder.
    """

    data: Path
    definitions: Definitions
    estate: Estate
    limits: Limits
    clock: Clock
    journal_limits: JournalLimits = DEFAULT_LIMITS
    url: StoreUrl | None = None

    @property
    def place(self) -> Place:
        """Where the store in force stands."""
        return store_place(self.data, self.url)


def run_engine(
    subject: Subject, stop: threading.Event, ready: Callable[[], None], watch: Watch, renewed: Callable[[], Subject]
) -> None:
    """Fold until told to stop; ``ready`` is called once the store is open, or known to be damaged or away.

    A disk or a server that refuses is tried again: nothing is lost, as the journal keeps what is not folded. A damaged
    store is left alone until another one is in force. Where a rebuild put another generation of the store in force, go
    on in that one, with what the firm has ``renewed`` meanwhile. Raises RebuildNeeded where the stored links were drawn
    with other key definitions, and LogReplaced where the store has folded what the journal or the statements do not
    hold.
    """
    former: Place | None = None
    waits = _Waits(subject.data)
    place, seen = _in_force(subject, waits, stop), mark(subject.data)
    while not stop.is_set():
        try:
            with ExitStack() as stack:
                journal = stack.enter_context(closing(JournalReader(subject.data / JOURNAL_FILE)))
                decisions = stack.enter_context(closing(DecisionReader(subject.data / DECISIONS_FILE)))
                admit = partial(_admit, journal, decisions, subject.data, ready)
                engine = stack.enter_context(closing(open_engine(subject, place, admit)))
                engine.store.set_meta(OPENED, str(subject.clock.now()))
                _Loop(engine, journal, decisions, subject, seen, watch, former, waits).run(stop)
        except (sqlite3.DatabaseError, StoreUnavailable, OSError) as error:
            if is_damaged(error):
                what_to_do = str(error) if isinstance(error, StoreDamaged) else DAMAGED
                _log.error("database_damaged", store=str(place), error=str(error), what_to_do=what_to_do)
                ready()  # for whom else to start: what comes in is durable
                _wait_for_another(place, subject, stop)
            else:
                if isinstance(place, Schema):
                    ready()  # for the others to start: a database is away longer than a disk, and what comes in is kept
                waits.because(error)
                stop.wait(_TRY_AGAIN_SECONDS)
                continue
        seen, wanted = mark(subject.data), _in_force(subject, waits, stop)
        if stop.is_set() or wanted == place:
            continue
        try:
            subject = _fitting(renewed(), wanted)
        except LastingError as error:
            _log.error("rebuilt_store_not_taken_over", store=str(wanted), why=str(error))
        else:
            former, place = place, wanted
            _log.info("rebuilt_store_taken_over", store=str(place))


def _admit(
    journal: JournalReader, decisions: DecisionReader, data: Path, ready: Callable[[], None], store: StoreReader
) -> None:
    """Let events in once the store may be used: what of it is kept in memory takes longer to read."""
    store.connection.claim()
    check_logs(store, journal, decisions, data)
    ready()


class _Waits:
    """Why the engine waits: to the log while it does, and to other processes until it has worked for a while again."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._why: str | None = None
        self._said = 0.0
        note_waits(data, "")

    def because(self, error: sqlite3.Error | StoreUnavailable | OSError) -> None:
        """Say why, unless it was said a moment ago; raises the error itself where it is none that passes."""
        why = str(error) if isinstance(error, StoreUnavailable) else passing_cause(error)
        if why is None:
            raise error
        note_waits(self._data, why)
        at = time.monotonic()
        if why != self._why or at - self._said >= _SAY_AGAIN_SECONDS:
            self._why, self._said = why, at
            _log.error("store_unavailable", why=why, error=str(error), tries_again_in_seconds=_TRY_AGAIN_SECONDS)

    def over(self) -> None:
        """Say that it goes on, where it waited."""
        if self._why is not None:
            self._why = None
            note_waits(self._data, "")
            _log.info("store_available_again")


def _in_force(subject: Subject, waits: _Waits, stop: threading.Event) -> Place:
    """Return where the store in force stands; wait until that can be learnt."""
    while True:
        try:
            return subject.place
        except StoreUnavailable as error:
            waits.because(error)
            if stop.wait(_TRY_AGAIN_SECONDS):
                return subject.data / STORE_FILE  # nobody opens it any more


def is_damaged(error: Exception) -> bool:
    """Return whether a failure is that of a damaged file."""
    return isinstance(error, StoreDamaged) or (isinstance(error, sqlite3.Error) and is_damage(error))


def _wait_for_another(place: Place, subject: Subject, stop: threading.Event) -> None:
    """Wait until a rebuild puts another store in force: this one would fail again."""
    while not stop.is_set():
        with suppress(StoreUnavailable):
            if subject.place != place:
                return
        stop.wait(_TRY_AGAIN_SECONDS)


def _fitting(subject: Subject, place: Place) -> Subject:
    """Return a subject by which the store at a path was made; raise a LastingError where it was not."""
    with closing(open_reading(place)) as connection:
        _check_fit(StoreReader(connection), subject, place)
    return subject


def open_engine(
    subject: Subject, place: Place | None = None, admit: Callable[[StoreReader], None] = lambda _: None
) -> Engine:
    """Open the store in force for its one writer, or that at ``place``.

    ``admit`` is given the store once it is found to fit, before any of it is read into memory; it may raise.
    One that an earlier version made is brought up to date. All cases are put on the queue where what they are derived
    by has changed. Raises RebuildNeeded where the stored links were drawn with other key definitions, and
    StoreFormatUnknown where another version wrote it that this one does not know.
    """
    place = place or subject.place
    connection = open_writing(place)
    try:
        for why in upgrade(connection, place):
            _log.info("store_upgraded", store=str(place), why=why)
        make(connection)
        store = StoreReader(connection)
        _check_fit(store, subject, place)
        admit(store)
        engine = Engine(connection, subject.definitions, subject.estate, subject.limits)
        _check(engine, subject)
    except BaseException:
        connection.close()
        raise
    return engine


def _check(engine: Engine, subject: Subject) -> None:
    known = engine.store.meta()
    derived_by = "/".join(
        (state_fingerprint(subject.definitions), subject.estate.fingerprint, str(subject.limits.orphan_time))
    )
    bulk = str(subject.limits.bulk_limit)
    if known.get("bulk_limit", bulk) != bulk:
        engine.recheck_all()
    if known.get("derived_by", derived_by) != derived_by:
        _log.info("deriving_all_cases_anew", why="process definitions, estate or settings changed")
        engine.derive_all()
    for name, value in (
        ("keys", fingerprint(subject.definitions)),
        ("derived_by", derived_by),
        ("bulk_limit", bulk),
    ):
        engine.store.set_meta(name, value)


def _check_fit(store: StoreReader, subject: Subject, place: Place) -> None:
    known, keys = store.meta(), fingerprint(subject.definitions)
    refuse_other_format(store.connection, place)
    if known.get("keys", keys) != keys and store.one("SELECT 1 FROM block LIMIT 1"):
        raise RebuildNeeded(
            "the keys, roles, passes, links or event types of a process differ from those that the stored links were"
            f" drawn with ({place}), so that a rebuild is needed: put the former definitions back, or run"
            " `throughline rebuild` with these, which first shows with --preview what would change"
        )


class Batch(NamedTuple):
    """What was folded at once: its events, how many of them count now or are too old, and the last record's id.

    ``replaced``: how many of those that count now took the place of an event that was folded before.
    """

    events: int
    fresh: int
    too_old: int
    replaced: int
    position: int


class Watch:
    """Who is told what the engine does: metrics. Every method may be left as it is."""

    def folded(self, batch: Batch, seconds: float) -> None: ...

    def ticked(self, seconds: float) -> None: ...

    def retained(self, counted: Counted, seconds: float) -> None: ...

    def rested(self, engine: Engine, now: int) -> None: ...


def _monotonic() -> int:
    return time.monotonic_ns() // 1000


class _Files:
    """Which files the logs are: whoever holds one open reads on in it when another takes its name."""

    def __init__(self, data: Path) -> None:
        self._paths = (data / JOURNAL_FILE, data / DECISIONS_FILE)
        self._seen = self._look()

    def have_changed(self) -> bool:
        seen, self._seen = self._seen, self._look()
        return seen != self._seen

    def _look(self) -> list[int]:
        return [path.stat().st_ino if path.exists() else 0 for path in self._paths]


class _Loop:
    def __init__(
        self,
        engine: Engine,
        journal: JournalReader,
        decisions: DecisionReader,
        subject: Subject,
        seen: int,
        watch: Watch,
        former: Place | None,
        waits: _Waits,
    ) -> None:
        """``seen`` is the mark of the generation that the engine has open; ``former`` one that is to be removed."""
        self._waits = waits
        self._engine = engine
        self._journal = journal
        self._decisions = decisions
        self._data = subject.data
        self._clock = subject.clock
        self._seen = seen
        self._watch = watch
        self._former = former
        self._journal_limits = subject.journal_limits
        self._steadiness = Steadiness(_monotonic) if isinstance(subject.clock, RealClock) else None  # others may jump
        self._files = _Files(subject.data)
        self._began = self._checked = self._swept = self._released = self._forgot = time.monotonic()
        self._position, self._statement = engine.positions()
        self._wake = engine.next_wake()
        self._unsettled = True
        self._ahead: list[Record] = []  # read already

    def run(self, stop: threading.Event) -> None:
        """Work while there is anything to do, and rest a little longer each time there is nothing.

        Returns when told to stop, or when another generation of the store is in force.
        """
        gc.collect()
        gc.freeze()
        gc.disable()
        pause, looked, collected = _SHORTEST_PAUSE, 0.0, time.monotonic()
        worked = collected
        try:
            while not stop.is_set():
                busy = self._fold()
                at = time.monotonic()
                if at - looked >= _STATEMENTS_EVERY:
                    looked = at
                    if mark(self._data) != self._seen:
                        return
                    self._clear_away(at)
                    self._forget_changes(at)
                    self._check_logs(at)
                    busy = self._state() or busy
                busy = self._do_what_is_due() or busy
                busy = self._keep_no_more_than_wanted(at, busy) or busy
                self._watch.rested(self._engine, self._clock.now())
                if busy:
                    pause, worked = _SHORTEST_PAUSE, at
                    continue
                if at - collected >= _COLLECT_EVERY:
                    collected = at
                    gc.collect()
                stop.wait(pause)
                pause = min(pause * 1.2, _LONGEST_PAUSE if at - worked < _QUIET_SECONDS else _QUIET_PAUSE)
        finally:
            gc.enable()

    def _keep_no_more_than_wanted(self, at: float, busy: bool) -> bool:
        """Do a piece of what retention asks for: while idle, or a little now and then; return whether there was one."""
        now = self._clock.now()
        if self._steadiness is not None and not self._steadiness.holds(now):
            return False
        if at - self._released >= _RELEASE_EVERY:
            if release_some(self._engine, self._journal, self._data, self._journal_limits, now):
                return True
            self._released = at
        if busy and at - self._swept < _SWEEP_EVERY:
            return False
        started = time.monotonic()
        counted = self._engine.retain(now, self._data)
        if counted is None:
            return False
        self._swept = at
        self._watch.retained(counted, time.monotonic() - started)
        self._wake = self._engine.next_wake()
        self._unsettled = True
        return True

    def _clear_away(self, at: float) -> None:
        """Remove the former generation once whoever was about to open it has done so, and what was said of waiting."""
        if at - self._began > _WORKS_AGAIN_SECONDS:
            self._waits.over()
        if self._former is not None and at - self._began > _FORMER_STAYS_SECONDS:
            try:
                remove(self._former)
            except StoreUnavailable as error:  # somebody reads it, as a copy of the database does
                _log.warning("former_store_not_removed", store=str(self._former), error=str(error))
            self._former = None

    def _forget_changes(self, at: float) -> None:
        """Drop now and then what those who follow have worked off, and let no log grow without bound."""
        if at - self._forgot >= _FORGET_EVERY:
            self._forgot = at
            with self._engine.transaction():
                forget_changes(self._engine.store, self._data)
            self._engine.store.connection.shorten_log()

    def _check_logs(self, at: float) -> None:
        """See now and then that the logs are those that are folded; a file that was replaced is opened anew."""
        if at - self._checked < _LOGS_EVERY:
            return
        self._checked = at
        if self._files.have_changed():
            self._journal.close()
            self._decisions.close()
            self._ahead = []
        check_logs(self._engine.store, self._journal, self._decisions, self._data)

    def _fold(self) -> bool:
        records = self._ahead or self._read()
        self._ahead = []
        if not records:
            return False
        started = time.monotonic()
        self._position = records[-1].id
        events = sum(len(record.events) for record in records)
        ahead = self._read_ahead if events >= _AHEAD_FROM else None
        fresh = self._engine.fold_records(records, self._clock.now(), ahead)
        batch = Batch(events, fresh, self._engine.too_old, self._engine.replaced, self._position)
        self._watch.folded(batch, time.monotonic() - started)
        self._wake = self._engine.next_wake()
        self._unsettled = True
        return True

    def _read(self) -> list[Record]:
        return self._journal.after(self._position, MOST_RECORDS, MOST_EVENTS, MOST_BYTES)

    def _read_ahead(self) -> list[Record]:
        self._ahead = self._read()
        return self._ahead

    def _state(self) -> bool:
        statements = self._decisions.after(self._statement, MOST_RECORDS)
        if not statements:
            return False
        self._engine.state(statements, self._clock.now())
        self._statement = statements[-1].number
        self._wake = self._engine.next_wake()
        self._unsettled = True
        return True

    def _do_what_is_due(self) -> bool:
        now = self._clock.now()
        if self._unsettled:
            self._unsettled = self._engine.settle(now)
            self._wake = self._engine.next_wake()
            return self._unsettled
        if self._wake is None or now < self._wake:
            return False
        started = time.monotonic()
        more = self._engine.tick(now)
        self._watch.ticked(time.monotonic() - started)
        self._wake = self._engine.next_wake()
        return more
