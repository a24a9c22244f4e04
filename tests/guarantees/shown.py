"""All that is shown of a store at one moment, so that two ways to it can be compared to the byte."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from lineage.cases import Filter, list_cases
from lineage.census import census, sources
from lineage.definitions import load_definitions
from lineage.document import encode_document
from lineage.engine import Engine, Limits
from lineage.orphans import Filter as OrphanFilter
from lineage.orphans import OrphanLine, list_orphans
from lineage.places import Place
from lineage.process import Definitions
from lineage.read import Snapshot, resolve_statements
from lineage.record import find_records
from lineage.saving import EMPTY
from lineage.store import StoreReader
from lineage.trace_documents import TraceDocument
from tests.identity_model.worlds import Arrival
from tests.unit.lineage.adapter import derived_rows, settle, tick
from throughline.core.estate import Estate
from throughline.core.journal import MAPPING, Record
from throughline.core.key import Key

PACK = load_definitions(None)
ALL = 1_000_000
NOTHING = b"[]"
DEFAULTS = Limits()
_encode = msgspec.json.Encoder(order="deterministic").encode


class Shown(NamedTuple):
    """Case documents by process and name, what each key's lineage tells, the list, status, and the stored rows."""

    cases: dict[tuple[str, str], bytes]
    records: dict[tuple[str, str], bytes]
    listed: bytes
    status: bytes
    rows: dict[str, list[tuple[Any, ...]]]


def snapshot_of(engine: Engine, definitions: Definitions, estate: Estate, limits: Limits, now: int) -> Snapshot:
    """Return what a reader sees of an engine's store: made as ``CaseReader`` makes it, on the same connection."""
    store = StoreReader(engine.store.connection)
    return Snapshot(store, definitions, resolve_statements(store, definitions), engine.context(now), limits)


def show(engine: Engine, snapshot: Snapshot, estate: Estate) -> Shown:
    """Return all that is shown of an engine's store."""
    return Shown(
        cases=case_documents(snapshot),
        records=record_documents(snapshot),
        listed=listed(snapshot),
        status=status(snapshot, estate),
        rows=stored_rows(engine),
    )


def stored_rows(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows that lists, sums and ticks read; of sight the case and the instant.

    Which of several sources a case waits for first hangs on which of them was heard of when it was derived; it is
    asked again once that one has passed the instant, so that all of them have to.
    """
    rows = derived_rows(engine)
    return rows | {"sight": sorted({(process, name, at) for process, name, _, at in rows["sight"]})}


def case_documents(snapshot: Snapshot) -> dict[tuple[str, str], bytes]:
    """Return the document of every case, by process and interned name."""
    ids = [row[0] for row in snapshot.store.rows("SELECT id FROM cases WHERE state <> ?", EMPTY)]
    return {
        (view.process.name, view.row.name): encode_document(snapshot.document(view))
        for view in snapshot.views(ids).values()
    }


def record_documents(snapshot: Snapshot) -> dict[tuple[str, str], bytes]:
    """Return what is told of every key of which anything is told, by type and value."""
    texts = {row[0] for row in snapshot.store.rows("SELECT text FROM value UNION SELECT name FROM cases")}
    told = {asked: record_document(snapshot, *asked) for asked in {Key.decode(text)[:2] for text in texts}}
    return {asked: document for asked, document in told.items() if document != NOTHING}


def record_document(snapshot: Snapshot, kind: str, value: str) -> bytes:
    return _encode(find_records(snapshot, kind, value, {}, no_traces, None, ALL).records)


def listed(snapshot: Snapshot) -> bytes:
    """Return the lists of cases and of orphans, whole."""
    cases = [each.line for each in list_cases(snapshot, Filter(), None, ALL)]
    return _encode({"cases": cases, "orphans": orphan_lines(snapshot, OrphanFilter())})


def orphan_lines(snapshot: Snapshot, wanted: OrphanFilter) -> list[OrphanLine]:
    return [each.line for each in list_orphans(snapshot, wanted, None, ALL)]


def status(snapshot: Snapshot, estate: Estate) -> bytes:
    """Return counts and sources as ``GET /api/v1/status`` gives them, without what tells of the way there."""
    counts = msgspec.to_builtins(census(snapshot))
    heard = [msgspec.to_builtins(each) for each in sources(snapshot, estate)]
    return _encode(
        {
            "counts": {name: count for name, count in counts.items() if name != "folded"},
            "sources": [{name: said for name, said in each.items() if name != "duplicates"} for each in heard],
        }
    )


def no_traces(_: Snapshot, __: Sequence[str]) -> list[TraceDocument]:
    return []


def arrive(
    arrivals: Iterable[Arrival],
    definitions: Definitions,
    estate: Estate,
    limits: Limits,
    moments: Sequence[int],
    place: Place | str = ":memory:",
) -> Engine:
    """Fold what arrives, step by step; ``moments`` are the times of the steps, the last one that of all others too.

    After each step but those at the last moment, time passes and what was put off is done; so it is at the end.
    """
    engine = Engine.open(place, definitions, estate, limits)
    now = moments[-1]
    for number, step in enumerate(arrivals):
        at = moments[number] if number < len(moments) else now
        if step.restart:
            engine = Engine(engine.store.connection, definitions, estate, limits)
        if step.events:
            engine.fold_records([Record(number + 1, at, MAPPING, step.events, [], [])], at)
        engine.state(step.statements, at)
        if at < now:
            settle(engine, at)
            tick(engine, at)
    settle(engine, now)
    tick(engine, now)
    return engine


def show_after(
    arrivals: Iterable[Arrival],
    estate: Estate,
    now: int,
    definitions: Definitions = PACK,
    limits: Limits = DEFAULTS,
    moments: Sequence[int] = (),
) -> Shown:
    """Return all that is shown after everything arrived, at ``now``."""
    engine = arrive(arrivals, definitions, estate, limits, [*moments, now])
    try:
        return show(engine, snapshot_of(engine, definitions, estate, limits, now), estate)
    finally:
        engine.close()


def read(document: bytes) -> Any:
    return json.loads(document)
