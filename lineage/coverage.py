"""Coverage: how many of the events that processes declare reached a case by a key; synthetic ones count nowhere.

Counts of types and of events without keys are kept as events are folded. What waits is looked at one by one: an event
that no case of one process holds may well be in a case of another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lineage.fact import CaseState, Fact
from lineage.fold import KEYLESS, SYNTHETIC_EVENTS
from lineage.links import Stand
from lineage.plans import Wiring
from lineage.read import Snapshot

_AT_ONCE = 500


class Coverage(NamedTuple):
    """``events`` of declared types; of these some are ``keyless``, and some are ``waiting`` for a case.

    What only a provisional case has waits as well: nobody knows yet what piece of work it is about.
    """

    events: int
    keyless: int
    waiting: int

    @property
    def reached(self) -> int:
        return self.events - self.keyless - self.waiting


def coverage(snapshot: Snapshot) -> Coverage:
    """Return the coverage of all events that were ever folded, as it stands in a snapshot."""
    store, types = snapshot.store, snapshot.definitions.processes_of_type
    counters = store.counters()
    keyless, synthetic = (
        sum(count for kind, count in counters.get(name, {}).items() if kind in types)
        for name in (KEYLESS, SYNTHETIC_EVENTS)
    )
    counted = "SELECT CAST(sum(count) AS BIGINT) FROM event_type WHERE type IN (SELECT value FROM json_each(?))"
    events = store.one(counted, store.array(types)) or 0
    return Coverage(events - synthetic, keyless, _waiting(snapshot))


def _waiting(snapshot: Snapshot) -> int:
    """Count the events that no case has, in whatever process."""
    lone: set[int] = set()
    for number, (value, facts) in enumerate(_alone(snapshot), 1):
        if number % _AT_ONCE == 0:
            snapshot.resolver.forget()  # of very many values it would hold all that was read
        kind = snapshot.store.value_texts([value])[value].partition("\x1f")[0]
        housed = snapshot.resolver.housed(kind, value, facts)
        lone.update(fact.seq for fact in facts if fact.seq not in housed and not fact.synthetic)
    wiring = Wiring(snapshot.definitions)
    ordered = sorted(lone)
    for start in range(0, len(ordered), _AT_ONCE):
        for seq, event in snapshot.store.events(ordered[start : start + _AT_ONCE]).items():
            if any(drawing.stand is Stand.NAME for drawing in wiring.draw(event)[1]):
                lone.discard(seq)
    return len(lone)


def _alone(snapshot: Snapshot) -> Iterator[tuple[int, list[Fact]]]:
    """Yield values of one process that no case of it holds, with the events there: carriers, then aliases."""
    store, resolver = snapshot.store, snapshot.resolver
    for process, value in store.rows("SELECT process, value FROM waiting ORDER BY process, value"):
        if process in snapshot.processes:
            yield value, resolver.waiting_at(process, value)
    provisional = "SELECT name FROM cases WHERE process = ? AND state = ?"
    for process in snapshot.processes:
        for (name,) in store.rows(provisional, process, CaseState.PROVISIONAL.value):
            for alias in resolver.unowned(process, store.value_ids([name])[name]):
                yield alias, resolver.facts_at(process, alias)
