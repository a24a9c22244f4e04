"""The part of ``serve`` that keeps KPIs: it follows the lineage store in a process of its own, and never holds it up.

It works off what changed, as a loop. What is to be done now and then (readings of now, publishing) a scheduler asks
for, and the loop does it between two pieces of work: one thread uses the store of KPIs. Where that is a file, there is
one such process for a data folder, whose lock its serve holds; of those on one database one leads (kpis/lead.py).
"""

from __future__ import annotations

import gc
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from apscheduler.schedulers.background import BackgroundScheduler  # pyright: ignore[reportMissingTypeStubs]

from kpis.ask import Asker
from kpis.backfill import ordered_backfill, take_order
from kpis.catalogue import Catalogue
from kpis.exposition import expose_readings
from kpis.keep import Keeper
from kpis.latest import Latest
from kpis.lead import stand_for
from kpis.pace import Pace, Rereading, Sparing
from kpis.publish import Publisher
from kpis.reading import Moment, Reading
from kpis.scratch import moment_of
from kpis.spans import SpanReader
from kpis.store import METRICS_ROW, READINGS_ROW, KpiWriter, kpi_place, open_kpi_writer, transaction
from lineage.engine import JOURNAL, Limits
from lineage.generations import mark, store_place
from lineage.places import Place
from lineage.process import Definitions
from lineage.read import CaseReader
from lineage.sight import Heard, blind_sources, unheard_sources
from throughline.core.clock import Clock
from throughline.core.database import passing_cause
from throughline.core.errors import LastingError, StoreUnavailable
from throughline.core.estate import Estate
from throughline.core.journal import JOURNAL_FILE, JournalReader
from throughline.core.metric_names import (
    KPI_BEHIND,
    KPI_BYTES,
    KPI_CASES,
    KPI_LATEST_SECONDS,
    KPI_PUBLISHED,
    KPI_SECONDS,
    KPI_WALKING,
    METRICS,
)
from throughline.core.metrics import Meter, Part, expose_samples
from throughline.core.store_url import Schema, StoreUrl
from throughline.core.waits import KPIS_WAIT_FILE, note_waits

_TRY_AGAIN_SECONDS = 1.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_LATEST_EVERY = 10.0  # seconds, at the least: a share of what it takes, below
_PUBLISH_EVERY = 60.0
_METRICS_EVERY = 5.0
_COLLECT_EVERY = 60.0
_GAUGES_SHARE = 100

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Subject:
    """What KPIs are kept of, and what they are. ``url``: the database of the store, where it is not in the folder."""

    data: Path
    definitions: Definitions
    estate: Estate
    catalogue: Catalogue
    limits: Limits
    clock: Clock
    url: StoreUrl | None = None

    @property
    def place(self) -> Place:
        """Where KPIs are kept."""
        return kpi_place(self.data, self.url)


def run_watch(
    subject: Subject, stop: threading.Event, ready: Callable[[], None], renewed: Callable[[], Subject]
) -> None:
    """Keep KPIs up to date until told to stop; ``ready`` is called once it follows, or knows that it has to wait.

    While another process keeps them, stand by, and go on once it has ended or lost its connection. A store that is away
    or damaged is tried again. Where a rebuild put another generation of it in force, go on with that, by what the firm
    has ``renewed`` meanwhile.
    """
    said: str | None = None
    while not stop.is_set():
        seen = mark(subject.data)
        try:
            with ExitStack() as stack:
                store = _opened(subject, seen, stack, stop, ready)
                if store is not None:
                    _Loop(subject, seen, store, stack).run(stop, ready)
        except (sqlite3.DatabaseError, StoreUnavailable, OSError) as error:
            why = str(error) if isinstance(error, StoreUnavailable) else passing_cause(error)
            if why is None:
                raise
            note_waits(subject.data, f"figures stand still: {why}", KPIS_WAIT_FILE)
            if why != said:
                _log.warning("kpis_wait", why=why, tries_again_in_seconds=_TRY_AGAIN_SECONDS)
            said = why
            ready()  # for the others to start: nothing waits for figures
            stop.wait(_TRY_AGAIN_SECONDS)
        else:
            said = None
        if not stop.is_set() and mark(subject.data) != seen:
            try:
                subject = renewed()
            except LastingError as error:
                _log.error("rebuilt_store_not_taken_over", why=str(error))


def _opened(
    subject: Subject, seen: int, stack: ExitStack, stop: threading.Event, ready: Callable[[], None]
) -> KpiWriter | None:
    """Open the store of KPIs to keep it, once no other process does; it is closed with ``stack``.

    None: before that it was told to stop, or another generation of the lineage store came in force.
    """
    place = subject.place
    if not isinstance(place, Schema):
        store = open_kpi_writer(place)
        stack.enter_context(closing(store.connection))
        return store
    candidate = stack.enter_context(closing(stand_for(place)))
    stood_by = False
    while (store := candidate.lead(subject.data)) is None:
        if not stood_by:
            stood_by = True
            leader = candidate.leader()
            _log.info("kpis_stand_by", kept_by=leader)
            note_waits(subject.data, f"another process keeps KPIs ({leader}), and this one stands by", KPIS_WAIT_FILE)
            ready()
        if stop.wait(_TRY_AGAIN_SECONDS) or mark(subject.data) != seen:
            return None
    if stood_by:
        _log.info("kpis_lead_taken")
    return store


class _Loop:
    """Follows one generation of the store."""

    def __init__(self, subject: Subject, seen: int, store: KpiWriter, stack: ExitStack) -> None:
        self._subject = subject
        self._seen = seen
        place = store_place(subject.data, subject.url)
        self._reader = stack.enter_context(
            closing(CaseReader(place, subject.definitions, subject.estate, subject.limits, subject.clock.now))
        )
        self._store = store
        self._journal = stack.enter_context(closing(JournalReader(subject.data / JOURNAL_FILE)))
        self._keeper = Keeper(
            self._store,
            subject.catalogue,
            subject.definitions,
            subject.estate,
            self._looked_at,
            SpanReader(self._journal, self._store),
        )
        asker = Asker(self._store, subject.catalogue, subject.estate)
        self._latest = Latest(asker, subject.catalogue, subject.estate)
        self._publisher = Publisher(self._store, asker, subject.catalogue)
        self._meter = Meter(Part.WATCH, METRICS)
        self._wanted: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._rereading, self._sparing_gauges = Rereading(), Sparing()
        self._gauges: Mapping[str, Reading] = {}
        self._pace = Pace()

    def run(self, stop: threading.Event, ready: Callable[[], None]) -> None:
        """Work while there is anything to do; return when told to stop, or when another generation is in force."""
        with self._reader.snapshot() as snapshot:
            self._keeper.begin(snapshot)
        note_waits(self._subject.data, "", KPIS_WAIT_FILE)
        ready()
        scheduler: Any = BackgroundScheduler(timezone="UTC")  # it has no types
        for work, seconds in (
            (self._make_latest, _LATEST_EVERY),
            (self._publish, _PUBLISH_EVERY),
            (self._leave_metrics, _METRICS_EVERY),
            (_collect, _COLLECT_EVERY),
        ):
            scheduler.add_job(self._wanted.put, "interval", [work], seconds=seconds, coalesce=True)
            self._wanted.put(work)
        scheduler.start()
        # What a look makes is gone after it: looking for cycles in it again and again takes a fifth of the time.
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._follow(stop)
        finally:
            gc.enable()
            scheduler.shutdown(wait=False)

    def _follow(self, stop: threading.Event) -> None:
        pause = _SHORTEST_PAUSE
        while not stop.is_set() and mark(self._subject.data) == self._seen:
            self._take_order()
            started, before = time.monotonic(), (self._store.position(), self._store.walked())
            more = self._keeper.follow(self._reader.snapshot)
            rest = 0.0
            if more or (self._store.position(), self._store.walked()) != before:
                self._rereading.note_change()
                worked = time.monotonic() - started
                self._meter.histogram(KPI_SECONDS).observe(worked)
                rest = self._rest(worked)
            self._wait(rest if more else max(rest, pause), stop)
            pause = _SHORTEST_PAUSE if more else min(pause * 1.5, _LONGEST_PAUSE)

    def _rest(self, worked: float) -> float:
        with self._reader.snapshot() as snapshot:
            folded = snapshot.store.positions().get(JOURNAL, 0)
        return self._pace.rest(worked, folded, self._journal.last())

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        """Do what is wanted meanwhile, and at least once."""
        until = time.monotonic() + seconds
        self._do_what_is_wanted(min(seconds, _LONGEST_PAUSE))
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            self._do_what_is_wanted(min(left, _LONGEST_PAUSE))

    def _looked_at(self, cases: int) -> None:
        self._meter.counter(KPI_CASES).inc(cases)

    def _take_order(self) -> None:
        """Look at every case anew where somebody wants that."""
        order = ordered_backfill(self._subject.place, self._store)
        if order is not None:
            with self._reader.snapshot() as snapshot:
                self._keeper.backfill(snapshot)
            take_order(self._subject.place, self._store, order)

    def _do_what_is_wanted(self, pause: float) -> None:
        """Do what the scheduler asks for, once each; wait for that a little."""
        works: list[Callable[[], None]] = []
        with suppress(Empty):
            works.append(self._wanted.get(timeout=pause) if pause else self._wanted.get_nowait())
            while True:
                works.append(self._wanted.get_nowait())
        for work in dict.fromkeys(works):
            work()

    def _make_latest(self) -> None:
        """Make the readings of now, if that does not take too much of the time."""
        at, behind, blind = time.monotonic(), self._behind(), self._blind()
        if not self._rereading.is_due(at, behind, blind):
            return
        self._rereading.begin(behind, blind)
        worked = time.thread_time()
        moment = self._moment()
        documents, told = self._latest.documents(moment), self._told(moment, behind)
        with transaction(self._store):
            self._store.put_latest(documents)
            self._store.set_meta(READINGS_ROW, told)
        # Of a core: on a busy machine it waits for others as well.
        self._rereading.note(time.monotonic(), time.thread_time() - worked)
        self._meter.histogram(KPI_LATEST_SECONDS).observe(time.monotonic() - at)

    def _moment(self) -> Moment:
        """Return the moment, with what lineage keeps by itself as it was a while ago, where that takes much work."""
        due = self._sparing_gauges.is_due(time.monotonic(), _GAUGES_SHARE)
        worked = time.thread_time()
        with self._reader.snapshot() as snapshot:
            kpis = self._subject.catalogue.kpis.values() if due else ()
            moment = moment_of(snapshot, self._subject.estate, kpis)
        if due:
            self._gauges = moment.gauges
            self._sparing_gauges.note(time.monotonic(), time.thread_time() - worked)
        return replace(moment, gauges=self._gauges)

    def _behind(self) -> int:
        with self._reader.snapshot() as snapshot:
            return self._keeper.behind(snapshot)

    def _blind(self) -> tuple[list[str], list[str]]:
        """Return the sources that are silent, and those that have never told anything: figures beside them change."""
        sources = self._subject.estate.sources
        with self._reader.snapshot() as snapshot:
            heard = {source: Heard(*marks) for source, marks in snapshot.store.watermarks().items()}
            return blind_sources(sources, heard, snapshot.now), unheard_sources(sources, heard, snapshot.now)

    def _told(self, moment: Moment, behind: int) -> str:
        """Return the readings of now as metrics."""
        kpis, estate = self._subject.catalogue.kpis.values(), self._subject.estate
        return expose_samples(expose_readings(kpis, self._latest.current(moment), estate, moment.now, behind))

    def _publish(self) -> None:
        moment = self._moment()
        before = self._store.last_published()
        if self._publisher.publish(moment):
            self._wanted.put(self._publish)
        self._meter.counter(KPI_PUBLISHED).inc(self._store.last_published() - before)

    def _leave_metrics(self) -> None:
        self._meter.gauge(KPI_BEHIND).set(self._behind())
        self._meter.gauge(KPI_WALKING).set(int(self._store.walked() is not None))
        self._meter.gauge(KPI_BYTES).set(self._store.connection.size())
        with transaction(self._store):
            self._store.set_meta(METRICS_ROW, self._meter.expose())


def _collect() -> None:
    gc.collect()
