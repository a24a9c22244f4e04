"""Orphans: values whose events have waited too long for a case that holds them, oldest first, page by page.

A provisional case of that age is an orphan as well; it is listed among the cases.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from lineage.document import ExposureDocument, KeyDocument, Time, exposure_document
from lineage.lookup import waiting_at
from lineage.read import Snapshot
from lineage.store import ORPHANS, WAITING, Patience, StoreReader
from throughline.core.instants import format_instant
from throughline.core.key import Key


class Filter(NamedTuple):
    """Which orphans to list; None or empty: any. ``until``: waiting since before it, in microseconds."""

    processes: tuple[str, ...] = ()
    kind: str | None = None
    until: int | None = None


class Place(NamedTuple):
    """Where a list stands: after the orphan that waits since then, with this interned key."""

    since: int
    key: str


class OrphanLine(msgspec.Struct, frozen=True):
    """A value with events that no case holds and that have waited too long.

    ``processes``: those that wait for such a case. ``types``: of its events. ``since``: the least receipt of these.
    ``exposure``: as the record's ``waiting`` has it; the amount of an event that names several values is unknown.
    """

    key: KeyDocument
    processes: list[str]
    types: list[str]
    events: int
    since: Time
    synthetic: bool
    exposure: ExposureDocument | None


class OrphanList(msgspec.Struct, frozen=True):
    """A page of orphans, oldest first; ``next`` is the cursor of the next page, null on the last.

    ``count``: how many values are orphans in all, synthetic ones left out.
    """

    orphans: list[OrphanLine]
    count: int
    next: str | None


class Listed(NamedTuple):
    """An orphan with its place in the list."""

    place: Place
    line: OrphanLine


def count_orphans(store: StoreReader) -> int:
    """Count the values at which events are orphans, synthetic ones left out."""
    return store.counter(WAITING, ORPHANS)


def list_orphans(snapshot: Snapshot, wanted: Filter, after: Place | None, limit: int) -> list[Listed]:
    """Return up to ``limit`` orphans after a place, by the receipt of their first event, then by key."""
    rows = _rows(snapshot, wanted, after, limit)
    processes = _processes_at(snapshot, [row.value for row in rows])
    found: list[Listed] = []
    for row in rows:
        key = Key.decode(row.text)
        waiting = waiting_at(snapshot, key)
        if waiting is not None:
            line = OrphanLine(
                key=KeyDocument(key.type, key.value, snapshot.scope(key)),
                processes=processes[row.value],
                types=sorted(waiting.types),
                events=waiting.events,
                since=format_instant(waiting.since),
                synthetic=row.mark == Patience.SYNTHETIC,
                exposure=exposure_document(waiting.exposure),
            )
            found.append(Listed(Place(row.since, row.text), line))
    return found


class _Row(NamedTuple):
    value: int
    text: str
    since: int
    mark: int


# Of the rows of one value, one for each process, the earliest stands for it.
_ORPHANS = """SELECT w.value, v.text, w.since, w.orphan FROM waiting w CROSS JOIN value v ON v.id = w.value
    WHERE w.orphan = :mark AND w.since >= :since AND (w.since, v.text) > (:since, :key) AND w.since < :until
    AND v.text >= :low AND v.text < :high AND w.process IN (SELECT value FROM json_each(:processes))
    AND NOT EXISTS (SELECT 1 FROM waiting o WHERE o.value = w.value AND o.orphan = w.orphan
        AND (o.since, o.process) < (w.since, w.process) AND o.process IN (SELECT value FROM json_each(:processes)))
    ORDER BY w.since, v.text LIMIT :limit"""
_EVER = 2**63 - 1


def _rows(snapshot: Snapshot, wanted: Filter, after: Place | None, limit: int) -> list[_Row]:
    start = after or Place(-_EVER, "")
    numbers = snapshot.process_ids
    asked: dict[str, Any] = {
        "since": start.since,
        "key": start.key,
        "until": _EVER if wanted.until is None else wanted.until,
        "low": "" if wanted.kind is None else f"{wanted.kind}\x1f",
        "high": "\U0010ffff" if wanted.kind is None else f"{wanted.kind}\x20",
        "processes": snapshot.store.array(numbers[name] for name in wanted.processes or numbers),
        "limit": limit,
    }
    found = [
        _Row(*row)
        for mark in (Patience.ORPHAN, Patience.SYNTHETIC)
        for row in snapshot.store.connection.execute(_ORPHANS, {**asked, "mark": int(mark)})
    ]
    return sorted(found, key=lambda row: (row.since, row.text))[:limit]


def _processes_at(snapshot: Snapshot, values: list[int]) -> dict[int, list[str]]:
    """Return the names of the processes in which events are orphans, by value."""
    names = {number: name for name, number in snapshot.process_ids.items()}
    found: dict[int, list[str]] = {value: [] for value in values}
    for value, process in snapshot.store.rows(
        "SELECT value, process FROM waiting WHERE value IN (SELECT value FROM json_each(?)) AND orphan IN (?, ?)",
        snapshot.store.array(values),
        int(Patience.ORPHAN),
        int(Patience.SYNTHETIC),
    ):
        if process in names:
            found[value].append(names[process])
    return {value: sorted(some) for value, some in found.items()}
