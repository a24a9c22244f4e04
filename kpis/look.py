"""Looking at stored cases as KPIs see them, in one snapshot of the lineage store."""

from __future__ import annotations

from kpis.case import Case, case_of
from lineage.read import CaseView, Snapshot
from throughline.core.key import Key


def case_in(snapshot: Snapshot, view: CaseView) -> Case:
    """Return a case of a snapshot as KPIs see it."""
    joined = view.joined
    ids = joined.aliases | joined.conflicting | joined.carriers | joined.relations
    keys = {number: Key.decode(text) for number, text in snapshot.store.value_texts(ids).items()}
    elsewhere = snapshot.following.counted_in(view.process.name, view.row.name, joined, view.derived)
    return case_of(view.process, view.row.name, joined.members, view.derived, keys, counted_elsewhere=bool(elsewhere))


def ids_after(snapshot: Snapshot, after: int, limit: int) -> list[int]:
    """Return the cases that are not empty with an id above one, by id."""
    rows = snapshot.store.rows(
        "SELECT id FROM cases WHERE id > ? AND state <> 'empty' ORDER BY id LIMIT ?", after, limit
    )
    return [row[0] for row in rows]
