"""What leaves the store: places of events, cases, events and values, each with all rows that speak of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lineage.changes import note_retired
from lineage.process import Process
from lineage.saving import CASES, EMPTY, RETIRED, Saved, save
from lineage.store import CaseRow, Edge, StoreWriter
from lineage.traces import forget_events
from throughline.core.event import Event, identity_digest


class Place(NamedTuple):
    """A key at which an event stands in a process, by their texts: the name of a case, an alias or a carrier."""

    seq: int
    process: str
    at: str


Gone = frozenset[tuple[str, str]]
"""Process and key of the places that an event has left."""

NOWHERE: Gone = frozenset()
RETIRED_UNTIL = "retired_until"  # the latest time of an event that was removed
CASES_LEFT = "cases_left"  # a counter: how many cases have left, by which a store can be told from an older copy of it
RETIRED_COUNT = "retired."  # before the name of a counter of what events draw: the part of events that were removed


def retire(store: StoreWriter, places: Iterable[Place]) -> None:
    """Note that events have left places, so that nothing puts them there again."""
    store.many("INSERT INTO retired (seq, process, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", places)


def places_left(store: StoreWriter, seqs: Iterable[int]) -> dict[int, Gone]:
    """Return the places that events have left, of those that have left any."""
    found: dict[int, set[tuple[str, str]]] = {}
    for seq, process, at in store.rows(
        "SELECT seq, process, at FROM retired WHERE seq IN (SELECT value FROM json_each(?))", store.array(seqs)
    ):
        found.setdefault(seq, set()).add((process, at))
    return {seq: frozenset(places) for seq, places in found.items()}


def bring_back(store: StoreWriter, seqs: Iterable[int]) -> None:
    """Forget that events have left places."""
    store.many("DELETE FROM retired WHERE seq = ?", ((seq,) for seq in seqs))


def drop_cases(store: StoreWriter, rows: Sequence[CaseRow], now: int) -> None:
    """Remove cases with all that was derived of them; of one of which something was believed an empty row stays.

    Those who follow are told, as what they keep of these cases leaves too.
    """
    store.many(
        "DELETE FROM near WHERE value = ? AND process = ? AND role = ? AND case_id = ?",
        [(value, row.process, role, row.id) for row in rows for role, value in _near(row)],
    )
    for row in rows:
        row.clear()
    save(store, [Saved(row, None, RETIRED) for row in rows], now)
    note_retired(store, [row.id for row in rows])
    store.count([(CASES_LEFT, "", len(rows))])
    ids = [(row.id,) for row in rows]
    store.many("DELETE FROM stale WHERE case_id = ?", ids)
    unspoken = "id = ? AND NOT EXISTS (SELECT 1 FROM belief WHERE case_id = cases.id)"
    gone = sum(store.connection.execute(f"DELETE FROM cases WHERE {unspoken}", each).rowcount for each in ids)
    if gone:
        store.count([(CASES, EMPTY, -gone)])


def _near(row: CaseRow) -> set[tuple[int, int]]:
    return {
        (role, value)
        for fact in row.facts
        for role, values in enumerate((fact.aliases, fact.carriers, fact.relations), 1)
        for value in values
    }


def drop_events(store: StoreWriter, gone: Mapping[int, Event]) -> None:
    """Remove events whose places and edges are gone already, with the knowledge that they came."""
    digests = [identity_digest(event.source, event.id) for event in gone.values()]
    store.drop_seen(digests)
    store.many("DELETE FROM other_content WHERE digest = ?", [(digest,) for digest in digests])
    bring_back(store, gone)
    forget_events(store, {seq: event.trace_id for seq, event in gone.items() if event.trace_id is not None})
    store.blank_events(gone)


def drop_unused(store: StoreWriter, values: Iterable[int], processes: Mapping[int, Process]) -> list[int]:
    """Forget those among interned values that nothing refers to any more; return them."""
    ids = set(values)
    for table in ("near", "posted", "waiting", "bulk"):
        ids -= _found(store, f"SELECT DISTINCT value FROM {table} WHERE value IN (SELECT value FROM json_each(?))", ids)
    texts = store.value_texts(ids)
    for number, process in processes.items():
        mine = [value for value, text in texts.items() if process.roles.get(text.partition("\x1f")[0]) in _LINKED]
        for kind in Edge if mine else ():
            for end in ("a", "b"):
                ids -= _found(
                    store,
                    f"SELECT DISTINCT {end} FROM edge WHERE process = {number} AND kind = {int(kind)}"
                    f" AND {end} IN (SELECT value FROM json_each(?))",
                    mine,
                )
    store.forget_values({value: texts[value] for value in ids})
    return sorted(ids)


_LINKED = ("alias", "carrier", "relation")


def _found(store: StoreWriter, sql: str, values: Iterable[int]) -> set[int]:
    return {row[0] for row in store.rows(sql, store.array(values))}
