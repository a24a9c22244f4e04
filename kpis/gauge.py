"""Gauges: figures that lineage keeps by itself, read from a snapshot as they stand; they have no cells and no past."""

from __future__ import annotations

from decimal import Decimal

from kpis.declaration import Declaration, Kind
from kpis.reading import NO_DATA, Beside, Ratio, Reading
from lineage.coverage import Coverage, coverage
from lineage.read import Snapshot

NO_KEY = "no key"
WAITING = "no case yet"


def read_gauge(snapshot: Snapshot, declaration: Declaration) -> Reading:
    """Return the reading of a gauge at the moment of a snapshot; raises ValueError for a KPI that is none."""
    if declaration.formula.kind is not Kind.GAUGE:
        raise ValueError(f"seen a {declaration.formula.kind.value}, wanted a gauge")
    return _share_of(coverage(snapshot), declaration, snapshot.now)


def _share_of(found: Coverage, declaration: Declaration, now: int) -> Reading:
    apart = {NO_KEY: found.keyless, WAITING: found.waiting}
    beside = Beside(found.events, found.reached, 0, {}, {why: count for why, count in apart.items() if count})
    if not found.events:
        return Reading(None, NO_DATA, beside, now)
    if found.events < declaration.minimum_sample:
        return Reading(None, f"{found.events} of at least {declaration.minimum_sample}", beside, now)
    share = Ratio(found.reached / found.events, Decimal(found.reached), Decimal(found.events))
    return Reading(share, None, beside, now)
