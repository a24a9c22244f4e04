"""Looking at stored cases as KPIs see them, in one snapshot of the lineage store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kpis.case import Case, case_of
from kpis.codec import Marks
from kpis.latency import Traced
from lineage.read import CaseView, Snapshot
from lineage.resolve import Joined
from throughline.core.key import Key


class Seen(NamedTuple):
    """A case as KPIs see it. ``holds``: the keys by which money of others is counted in it while it holds some up.

    ``marks``: what it is seen by; ``newest``: the last of its events, by seq.
    """

    case: Case
    holds: tuple[str, ...]
    marks: Marks
    newest: int


def see(snapshot: Snapshot, ids: Iterable[int], traced: Mapping[str, Traced] | None = None) -> dict[int, Seen]:
    """Return cases as KPIs see them, by id; those without an event are left out.

    All that is read is read here, so that what they come to can be worked out when the snapshot is closed again; but
    ``traced``, the spans of their traces, which may be filled later.
    """
    views = {number: view for number, view in snapshot.views(ids).items() if view.joined.members}
    keys = _keys(snapshot, views.values())
    folded = snapshot.store.one("SELECT first + count - 1 FROM block ORDER BY first DESC LIMIT 1") or 0
    found: dict[int, Seen] = {}
    for number, view in views.items():
        holds = snapshot.following.holding(view.process.name, view.row.name, view.joined, view.derived)
        newest = max(member.fact.seq for member in view.joined.members)
        marks = Marks(snapshot.said_at(view), folded)
        found[number] = Seen(_case_in(snapshot, view, keys, traced), tuple(holds), marks, newest)
    return found


def said_of(snapshot: Snapshot, ids: Sequence[int]) -> dict[int, int]:
    """Return when people last said something of cases; 0: nothing."""
    return {number: snapshot.said_at(view) for number, view in snapshot.views(ids).items()} if ids else {}


def _keys(snapshot: Snapshot, views: Iterable[CaseView]) -> dict[int, Key]:
    """Return the keys of cases by the ids under which their events name them."""
    ids = {each for view in views for each in _ids(view.joined)}
    return {number: Key.decode(text) for number, text in snapshot.store.value_texts(ids).items()}


def _ids(joined: Joined) -> set[int]:
    return joined.aliases | joined.conflicting | joined.carriers | joined.relations


def case_in(snapshot: Snapshot, view: CaseView, traced: Mapping[str, Traced] | None = None) -> Case:
    """Return a case of a snapshot as KPIs see it; ``traced`` are the spans of its traces, which may come later."""
    return _case_in(snapshot, view, _keys(snapshot, [view]), traced)


def _case_in(snapshot: Snapshot, view: CaseView, keys: Mapping[int, Key], traced: Mapping[str, Traced] | None) -> Case:
    joined = view.joined
    elsewhere = snapshot.following.counted_in(view.process.name, view.row.name, joined, view.derived)
    return case_of(
        view.process,
        view.row.name,
        joined.members,
        view.derived,
        {number: keys[number] for number in _ids(joined) if number in keys},
        counted_elsewhere=bool(elsewhere),
        traced=traced,
    )


def cases_there(snapshot: Snapshot, ids: Iterable[int]) -> set[int]:
    """Return those among cases that are there and not empty."""
    found = snapshot.store.rows(
        "SELECT id FROM cases WHERE id IN (SELECT value FROM json_each(?)) AND state <> 'empty'",
        snapshot.store.array(ids),
    )
    return {row[0] for row in found}


def last_case(snapshot: Snapshot) -> int:
    """Return the highest id of a case; 0: there is none."""
    return snapshot.store.one("SELECT max(id) FROM cases") or 0


def ids_after(snapshot: Snapshot, after: int, limit: int) -> list[int]:
    """Return the cases that are not empty with an id above one, by id."""
    rows = snapshot.store.rows(
        "SELECT id FROM cases WHERE id > ? AND state <> 'empty' ORDER BY id LIMIT ?", after, limit
    )
    return [row[0] for row in rows]
