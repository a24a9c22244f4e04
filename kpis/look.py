"""Looking at stored cases as KPIs see them, in one snapshot of the lineage store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kpis.case import Case, case_of
from kpis.latency import Traced
from lineage.read import CaseView, Snapshot
from throughline.core.key import Key


class Seen(NamedTuple):
    """A case as KPIs see it. ``holds``: the keys by which money of others is counted in it while it holds some up."""

    case: Case
    holds: tuple[str, ...]


def see(snapshot: Snapshot, ids: Iterable[int], traced: Mapping[str, Traced] | None = None) -> dict[int, Seen]:
    """Return cases as KPIs see them, by id; those without an event are left out.

    All that is read is read here, so that what they come to can be worked out when the snapshot is closed again; but
    ``traced``, the spans of their traces, which may be filled later.
    """
    found: dict[int, Seen] = {}
    for number, view in snapshot.views(ids).items():
        if view.joined.members:
            holds = snapshot.following.holding(view.process.name, view.row.name, view.joined, view.derived)
            found[number] = Seen(case_in(snapshot, view, traced), tuple(holds))
    return found


def case_in(snapshot: Snapshot, view: CaseView, traced: Mapping[str, Traced] | None = None) -> Case:
    """Return a case of a snapshot as KPIs see it; ``traced`` are the spans of its traces, which may come later."""
    joined = view.joined
    ids = joined.aliases | joined.conflicting | joined.carriers | joined.relations
    keys = {number: Key.decode(text) for number, text in snapshot.store.value_texts(ids).items()}
    elsewhere = snapshot.following.counted_in(view.process.name, view.row.name, joined, view.derived)
    return case_of(
        view.process,
        view.row.name,
        joined.members,
        view.derived,
        keys,
        counted_elsewhere=bool(elsewhere),
        traced=traced,
    )


def ids_after(snapshot: Snapshot, after: int, limit: int) -> list[int]:
    """Return the cases that are not empty with an id above one, by id."""
    rows = snapshot.store.rows(
        "SELECT id FROM cases WHERE id > ? AND state <> 'empty' ORDER BY id LIMIT ?", after, limit
    )
    return [row[0] for row in rows]
