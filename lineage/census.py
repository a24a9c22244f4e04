"""Counts over the whole store, for status: cases by state, deviations by kind, what waits, and what sources lack."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lineage.document import Time
from lineage.engine import JOURNAL
from lineage.fact import CaseState, DeviationKind
from lineage.orphans import count_orphans
from lineage.read import Snapshot
from lineage.saving import CASES, DEVIATIONS, SYNTHETIC
from lineage.sight import Heard, watermark_of
from lineage.store import VALUES, WAITING
from lineage.traces import FAILED_FLOW_SPANS, FAILED_SERVICE_SPANS, FLOW_SPANS, SERVICE_SPANS
from lineage.unmapped import unmapped_count
from throughline.core.estate import Estate, ReportingSource
from throughline.core.instants import MICROSECONDS, format_instant
from throughline.core.journal import position_text


class Census(msgspec.Struct, frozen=True):
    """How many there are of each. ``folded``: the position at which they were counted.

    Synthetic cases are in none of the counts but ``synthetic``. ``waiting``: values with events that no case holds;
    ``orphans``: those that waited too long, which are among the orphan ``deviations``, too. ``unmapped``: events of
    types that no process declares.
    """

    folded: str
    events: int
    cases: dict[str, int]
    deviations: dict[str, int]
    synthetic: int
    waiting: int
    orphans: int
    bulk: int
    unmapped: int


class SourceDocument(msgspec.Struct, frozen=True):
    """What is known of one source. ``watermark``: up to when we have seen everything; null where it is not declared.

    ``blind_since``: when it fell silent for longer than its cadence. ``too_old``: events of a time of which no more is
    kept. The counts after it are of keys that could not be used: placeholders, several on both sides, numbers without
    their issuer.
    """

    source: str
    declared: bool
    role: str | None
    mode: str | None
    every_seconds: int | None
    last_receipt: Time | None
    watermark: Time | None
    blind_since: Time | None
    duplicates: int
    too_old: int
    placeholders: int
    ambiguous: int
    lacking_scope: int


class InstanceDocument(msgspec.Struct, frozen=True):
    """An instance that events name, or that estate.yaml declares, and how many events named it."""

    name: str
    declared: bool
    events: int


class FlowDocument(msgspec.Struct, frozen=True):
    """A flow that events or spans name, or that estate.yaml declares; a span that was sent again counts once."""

    name: str
    declared: bool
    events: int
    spans: int
    failed_spans: int


class ServiceDocument(msgspec.Struct, frozen=True):
    """A service whose spans name no flow; a span that was sent again counts once."""

    name: str
    spans: int
    failed_spans: int


# A value at which no event stands any more, as an earlier content took the place of its last one, keeps its row.
_BULK = """SELECT count(*) FROM bulk WHERE EXISTS
    (SELECT 1 FROM posted WHERE posted.value = bulk.value AND posted.process = bulk.process)"""


def census(snapshot: Snapshot) -> Census:
    """Return the counts as they stand in a snapshot; none of them looks at every case."""
    store = snapshot.store
    counters = store.counters()
    states, kinds = counters.get(CASES, {}), counters.get(DEVIATIONS, {})
    orphans = count_orphans(store)
    return Census(
        folded=position_text(store.positions().get(JOURNAL, 0)),
        events=store.one("SELECT CAST(sum(count) AS BIGINT) FROM event_type") or 0,
        cases={state.value: states.get(state.value, 0) for state in CaseState},
        deviations={
            kind.value: kinds.get(kind.value, 0) + (orphans if kind is DeviationKind.ORPHAN else 0)
            for kind in DeviationKind
        },
        synthetic=states.get(SYNTHETIC, 0),
        waiting=counters.get(WAITING, {}).get(VALUES, 0),
        orphans=orphans,
        bulk=store.one(_BULK) or 0,
        unmapped=unmapped_count(store, snapshot.definitions),
    )


def sources(snapshot: Snapshot, estate: Estate) -> list[SourceDocument]:
    """Return every source that is declared or was heard of, by name."""
    heard = {source: Heard(*marks) for source, marks in snapshot.store.watermarks().items()}
    declared = {source.source: source for source in estate.sources}
    counters = snapshot.store.counters()
    return [
        _source(name, declared.get(name), heard.get(name, Heard(None)), counters, snapshot.now)
        for name in sorted(heard.keys() | declared.keys())
    ]


def instances(snapshot: Snapshot, declared: Iterable[str]) -> list[InstanceDocument]:
    """Return the instances that are declared, or learnt from events, by name."""
    counted = snapshot.store.counters().get("instances", {})
    known = frozenset(declared)
    return [InstanceDocument(name, name in known, counted.get(name, 0)) for name in sorted(known | counted.keys())]


def flows(snapshot: Snapshot, declared: Iterable[str]) -> list[FlowDocument]:
    """Return the flows that are declared, or learnt from events and spans, by name."""
    counters = snapshot.store.counters()
    events, spans, failed = (counters.get(name, {}) for name in ("flows", FLOW_SPANS, FAILED_FLOW_SPANS))
    known = frozenset(declared)
    return [
        FlowDocument(name, name in known, events.get(name, 0), spans.get(name, 0), failed.get(name, 0))
        for name in sorted(known | events.keys() | spans.keys())
    ]


def services(snapshot: Snapshot) -> list[ServiceDocument]:
    """Return the services whose spans name no flow, by name."""
    counters = snapshot.store.counters()
    spans, failed = counters.get(SERVICE_SPANS, {}), counters.get(FAILED_SERVICE_SPANS, {})
    return [ServiceDocument(name, spans[name], failed.get(name, 0)) for name in sorted(spans)]


def _source(
    name: str, declared: ReportingSource | None, heard: Heard, counters: dict[str, dict[str, int]], now: int
) -> SourceDocument:
    mark = watermark_of(declared, heard, now) if declared else None
    return SourceDocument(
        source=name,
        declared=declared is not None,
        role=declared.role.value if declared else None,
        mode=declared.mode.value if declared else None,
        every_seconds=declared.every // MICROSECONDS if declared and declared.every is not None else None,
        last_receipt=_time(heard.receipt),
        watermark=_time(mark.at) if mark else None,
        blind_since=_time(mark.blind_since) if mark else None,
        **{
            counter: counters.get(counter, {}).get(name, 0)
            for counter in ("duplicates", "too_old", "placeholders", "ambiguous", "lacking_scope")
        },
    )


def _time(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)
