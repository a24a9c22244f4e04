"""The engine's own metrics: counted in its process, and left in the store for the API to show."""

from __future__ import annotations

import time
from collections.abc import Callable

from lineage import saving
from lineage.engine import Engine
from lineage.fact import DeviationKind
from lineage.orphans import count_orphans
from lineage.retention import Counted
from lineage.run import Batch, Subject, Watch
from throughline.core.metric_names import (
    CASES,
    DEFERRED_CASES,
    DERIVED_CASES,
    DEVIATIONS,
    DUE_CASES,
    FOLD_EVENTS,
    FOLD_SECONDS,
    FOLDED_EVENTS,
    FOLDED_POSITION,
    METRICS,
    RETENTION_SECONDS,
    RETIRED_CASES,
    RETIRED_EVENTS,
    STORE_BYTES,
    TICK_SECONDS,
)
from throughline.core.metrics import Meter, Part
from throughline.core.progress import note_folded

METRICS_ROW = "metrics"
_LEAVE_EVERY = 2.0


class EngineMeter(Watch):
    """Counts what the engine does; leaves the text in the store now and then, while there is anything new."""

    def __init__(self, subject: Subject, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._subject = subject
        self._monotonic = monotonic
        self._meter = Meter(Part.ENGINE, METRICS)
        self._changed = True
        self._left = float("-inf")
        self._derived = self._due = 0  # what the engine had counted

    def folded(self, batch: Batch, seconds: float) -> None:
        self._meter.counter(FOLDED_EVENTS, outcome="new").inc(batch.fresh - batch.replaced)
        self._meter.counter(FOLDED_EVENTS, outcome="replaced").inc(batch.replaced)
        self._meter.counter(FOLDED_EVENTS, outcome="too_old").inc(batch.too_old)
        self._meter.counter(FOLDED_EVENTS, outcome="duplicate").inc(batch.events - batch.fresh - batch.too_old)
        self._meter.histogram(FOLD_SECONDS).observe(seconds)
        self._meter.histogram(FOLD_EVENTS).observe(batch.events)
        self._meter.gauge(FOLDED_POSITION).set(batch.position)
        self._changed = True

    def ticked(self, seconds: float) -> None:
        self._meter.histogram(TICK_SECONDS).observe(seconds)
        self._changed = True

    def retained(self, counted: Counted, seconds: float) -> None:
        self._meter.counter(RETIRED_CASES).inc(counted.cases)
        self._meter.counter(RETIRED_EVENTS).inc(counted.events)
        self._meter.histogram(RETENTION_SECONDS).observe(seconds)
        self._changed = True

    def rested(self, engine: Engine, now: int) -> None:
        at = self._monotonic()
        if not self._changed or at - self._left < _LEAVE_EVERY:
            return
        self._left, self._changed = at, False
        note_folded(self._subject.data, engine.positions()[0])
        self._count(engine)
        derived, due = engine.derived, engine.due
        self._meter.counter(DERIVED_CASES).inc(_since(self._derived, derived))
        self._meter.counter(DUE_CASES).inc(_since(self._due, due))
        self._derived, self._due = derived, due
        self._meter.gauge(DEFERRED_CASES).set(engine.store.one("SELECT count(*) FROM stale") or 0)
        self._meter.gauge(STORE_BYTES).set(engine.store.connection.size())
        engine.store.set_meta(METRICS_ROW, self._meter.expose())

    def _count(self, engine: Engine) -> None:
        counters = engine.store.counters()
        deviations = dict(counters.get(saving.DEVIATIONS, {}))
        deviations[DeviationKind.ORPHAN] = deviations.get(DeviationKind.ORPHAN, 0) + count_orphans(engine.store)
        for metric, label, counted in (
            (CASES, "state", counters.get(saving.CASES)),
            (DEVIATIONS, "kind", deviations),
        ):
            for each in metric.labels[label]:
                self._meter.gauge(metric, **{label: each}).set((counted or {}).get(each, 0))


def _since(before: int, now: int) -> int:
    """Return what an engine has counted since; another one, after a failure, began anew."""
    return now - before if now >= before else now
