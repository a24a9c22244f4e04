"""Lists of cases, as the engine stored them: by process, state, deviation, step, time and amount; page by page."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from lineage.document import ExposureDocument, Time, exposure_document
from lineage.fact import CaseState, DeviationKind, Exposure
from lineage.process import WaitsFor
from lineage.read import Snapshot
from lineage.saving import EMPTY
from throughline.core.case_reference import CaseReference
from throughline.core.instants import format_instant
from throughline.core.key import Key


class Filter(NamedTuple):
    """Which cases to list; None or empty: any.

    ``step``: cases that wait for it, or have an open deviation (of a wanted kind) at it. ``since`` and ``until``
    (microseconds): cases with something of their life between, the end excluded. ``least`` and ``most``: bounds of a
    known exposure, in ``currency`` or in whatever it has.
    """

    processes: tuple[str, ...] = ()
    states: tuple[CaseState, ...] = ()
    deviations: tuple[DeviationKind, ...] = ()
    step: str | None = None
    since: int | None = None
    until: int | None = None
    least: str | None = None
    most: str | None = None
    currency: str | None = None


class Place(NamedTuple):
    """Where a list stands: after the case of this process and interned name."""

    process: str
    name: str


class DeviationLine(msgspec.Struct, frozen=True):
    """An open deviation of a listed case."""

    kind: DeviationKind
    step: str | None
    round: int | None
    since: Time


class CaseLine(msgspec.Struct, frozen=True):
    """A case in a list; the case document has more. ``exposure`` and ``counted_in`` are as in that document."""

    process: str
    key_type: str
    name: str
    scope: dict[str, str]
    state: CaseState
    synthetic: bool
    began: Time | None
    last: Time | None
    waits_for_step: str | None
    waits_for: WaitsFor | None
    due: Time | None
    deviations: list[DeviationLine]
    exposure: ExposureDocument | None
    counted_in: list[CaseReference]


class CaseList(msgspec.Struct, frozen=True):
    """A page of cases, by process, then name; ``next`` is the cursor of the next page, null on the last.

    ``waiting_orphans``: how many values with events that no case holds are orphans beside these cases, listed at
    ``/api/v1/orphans``; null unless orphans are asked for.
    """

    cases: list[CaseLine]
    waiting_orphans: int | None
    next: str | None


class Listed(NamedTuple):
    """A stored case with its place in the list."""

    place: Place
    line: CaseLine


def list_cases(snapshot: Snapshot, wanted: Filter, after: Place | None, limit: int) -> list[Listed]:
    """Return up to ``limit`` cases after a place, by process, then name."""
    found: list[tuple[str, _Row]] = []
    for process in sorted(snapshot.process_ids):
        if (wanted.processes and process not in wanted.processes) or (after is not None and process < after.process):
            continue
        start = after.name if after is not None and after.process == process else ""
        rows = _rows(snapshot, process, wanted, start, limit - len(found))
        found += ((process, row) for row in rows)
        if len(found) == limit:
            break
    deviations = _open_deviations(snapshot, [row.id for _, row in found])
    elsewhere = snapshot.following.counted_elsewhere(row.id for _, row in found if row.held)
    return [
        _listed(snapshot, process, row, deviations.get(row.id, []), snapshot.references(elsewhere.get(row.id, ())))
        for process, row in found
    ]


class _Row(NamedTuple):
    name: str
    id: int
    state: str
    step: str | None
    waits_for: str | None
    due: int | None
    began: int | None
    last: int | None
    held: int
    amount: str | None
    currency: str | None
    hours: str | None
    synthetic: int


_COLUMNS = ", ".join(f"c.{name}" for name in _Row._fields)


def _rows(snapshot: Snapshot, process: str, wanted: Filter, after: str, limit: int) -> list[_Row]:
    """Return rows of one process in order of name; one query for each state, which its index answers in order."""
    source, conditions, values = _source(wanted)
    pages: list[list[Any]] = []
    for state in wanted.states or (None,):
        where = ["c.process = ?", "c.name > ?", "c.state <> ?" if state is None else "c.state = ?", *conditions]
        sql = f"SELECT {_COLUMNS} FROM {source} WHERE {' AND '.join(where)} ORDER BY c.name LIMIT ?"
        number, named = snapshot.process_ids[process], EMPTY if state is None else state.value
        pages.append(snapshot.store.rows(sql, number, after, named, *values, limit))
    return [_Row(*row) for row in islice(merge(*pages), limit)]


def _source(wanted: Filter) -> tuple[str, list[str], list[Any]]:
    """Return where rows come from, their conditions, and the values of these.

    With deviations wanted it starts from the few cases that have one, not from all cases.
    """
    source = "cases c"
    conditions: list[str] = []
    values: list[Any] = []
    if wanted.deviations:
        kinds = ", ".join(f"'{kind.value}'" for kind in wanted.deviations)
        source = f"(SELECT DISTINCT o.case_id FROM deviation o WHERE o.kind IN ({kinds})) d CROSS JOIN cases c"
        conditions.append("c.id = d.case_id")
        if wanted.step is not None:
            conditions.append(
                f"EXISTS (SELECT 1 FROM deviation o WHERE o.case_id = c.id AND o.kind IN ({kinds}) AND o.step = ?)"
            )
            values.append(wanted.step)
    elif wanted.step is not None:
        conditions.append("(c.step = ? OR EXISTS (SELECT 1 FROM deviation o WHERE o.case_id = c.id AND o.step = ?))")
        values += [wanted.step, wanted.step]
    for condition, value in (
        ("c.last >= ?", wanted.since),
        ("c.began < ?", wanted.until),
        ("CAST(c.amount AS DOUBLE PRECISION) >= CAST(? AS DOUBLE PRECISION)", wanted.least),
        ("CAST(c.amount AS DOUBLE PRECISION) <= CAST(? AS DOUBLE PRECISION)", wanted.most),
        ("c.currency = ?", wanted.currency),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return source, conditions, values


def _open_deviations(snapshot: Snapshot, ids: Sequence[int]) -> dict[int, list[DeviationLine]]:
    found: dict[int, list[DeviationLine]] = {}
    for case_id, kind, step, number, since in snapshot.store.rows(
        "SELECT case_id, kind, step, round, since FROM deviation"
        " WHERE case_id IN (SELECT value FROM json_each(?)) ORDER BY since, round, kind, step",
        snapshot.store.array(ids),
    ):
        line = DeviationLine(DeviationKind(kind), step or None, number or None, format_instant(since))
        found.setdefault(case_id, []).append(line)
    return found


def _listed(
    snapshot: Snapshot, process: str, row: _Row, deviations: list[DeviationLine], counted_in: list[CaseReference]
) -> Listed:
    key = Key.decode(row.name)
    held = Exposure(row.amount, row.currency, row.hours) if row.held else None
    line = CaseLine(
        process=process,
        key_type=key.type,
        name=key.value,
        scope=snapshot.scope(key),
        state=CaseState(row.state),
        synthetic=bool(row.synthetic),
        began=_time(row.began),
        last=_time(row.last),
        waits_for_step=row.step,
        waits_for=WaitsFor(row.waits_for) if row.waits_for else None,
        due=_time(row.due),
        deviations=deviations,
        exposure=exposure_document(held),
        counted_in=counted_in,
    )
    return Listed(Place(process, row.name), line)


def _time(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)
