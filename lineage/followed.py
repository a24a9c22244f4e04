"""Followed: the cases downstream in which sums count the money of a case, so that one piece of work counts once.

A process that ``follows`` another goes on with its work: the same money may be held up in a case of each. Sums count it
in the most downstream open case that holds it up. Nothing of this is stored: it is asked of the rows as they stand, so
that it depends neither on the order of events nor on which of two cases was derived last, and costs the fold nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lineage.fact import CaseState, Derived
from lineage.process import Definitions
from lineage.resolve import Joined, Resolver
from lineage.store import StoreReader

MOST_TOGETHER = 1_000  # cases that hold one value: more share it by chance, not as one piece of work
MOST_NAMED = 20

_HELD = (
    "SELECT id, process, name, amount IS NOT NULL FROM cases"
    " WHERE id IN (SELECT value FROM json_each(?)) AND state = ? AND held = 1"
)


class Case(NamedTuple):
    """A case by its process and interned name; sorts as lists show it."""

    process: str
    name: str


class _Asked(NamedTuple):
    """Which cases of a process go on with what a key names. ``known``: they must say how much they hold up."""

    process: str
    key: str
    known: bool


class Following:
    """Finds where the money of cases is counted, in one state of the store; what is asked twice is looked up once."""

    def __init__(
        self, store: StoreReader, resolver: Resolver, definitions: Definitions, process_ids: Mapping[str, int]
    ) -> None:
        self._store = store
        self._resolver = resolver
        self._definitions = definitions
        self._ids = process_ids
        self._names = {number: name for name, number in process_ids.items()}
        self._known: dict[_Asked, frozenset[Case]] = {}

    def counted_in(self, process: str, name: str, joined: Joined, derived: Derived) -> list[Case]:
        """Return the cases in which sums count what a case holds up; none: they count it in the case itself."""
        held = derived.exposure
        if held is None or derived.state is not CaseState.OPEN or process not in self._definitions.followers:
            return []
        found = self._beyond(process, self._keys(process, name, joined), held.amount is not None)
        return sorted(found)[:MOST_NAMED]

    def counted_elsewhere(self, ids: Iterable[int]) -> dict[int, list[Case]]:
        """Return, of stored cases that are open and hold something up, those counted in others, and in which."""
        upstream = [self._ids[name] for name in self._definitions.followers if name in self._ids]
        some = self._store.rows(_HELD, self._store.array(ids), CaseState.OPEN.value) if upstream else []
        held = [row for row in some if row[1] in upstream]
        rows = self._store.cases_by_id(row[0] for row in held)
        found: dict[int, list[Case]] = {}
        for case_id, number, name, known in held:
            process = self._names[number]
            keys = self._keys(process, name, self._resolver.join(rows[case_id]))
            beyond = sorted(self._beyond(process, keys, bool(known)))[:MOST_NAMED]
            if beyond:
                found[case_id] = beyond
        return found

    def holding(self, process: str, name: str, joined: Joined, derived: Derived) -> list[str]:
        """Return the keys by which sums count money of other cases in this one, while it holds some up.

        They differ where it is known how much it holds up, and where it is not: that decides which money is counted.
        """
        held, by = derived.exposure, {by for before in self._definitions.followers for by in self._by(before, process)}
        if held is None or derived.state is not CaseState.OPEN or not by:
            return []
        mark = "?" if held.amount is None else ""
        return sorted(mark + key for key in self._keys_of(name, joined) if _kind(key) in by)

    def upstream(self, process: str, keys: Iterable[str]) -> set[int]:
        """Return the cases whose money is counted otherwise once a case of a process no longer holds some up, or does.

        ``keys`` are what ``holding`` gave before and gives now.
        """
        found: set[int] = set()
        for before in self._definitions.followers:
            by = self._by(before, process) if before in self._ids else frozenset[str]()
            for key in {key.removeprefix("?") for key in keys}:
                if _kind(key) in by:
                    found |= self._holders(before, key)
        return found

    def _by(self, before: str, process: str) -> frozenset[str]:
        """Return the key types by which a process goes on with the work of another."""
        return frozenset(by for follower, by in self._definitions.followers[before] if follower == process)

    def _keys(self, process: str, name: str, joined: Joined) -> list[str]:
        """Return the keys of a case by which another process may follow it."""
        by = {by for _, by in self._definitions.followers[process]}
        return [text for text in self._keys_of(name, joined) if _kind(text) in by]

    def _keys_of(self, name: str, joined: Joined) -> list[str]:
        values = joined.aliases | joined.conflicting | joined.carriers
        return [name, *self._store.value_texts(values).values()]

    def _beyond(self, process: str, keys: Iterable[str], known: bool) -> frozenset[Case]:
        """Return the most downstream open cases that hold up what a case of these keys does."""
        found: set[Case] = set()
        followers = self._definitions.followers[process]
        for key in keys:
            for follower, by in followers:
                if by == _kind(key) and follower in self._ids:
                    found |= self._at(_Asked(follower, key, known))
        return frozenset(found)

    def _at(self, asked: _Asked) -> frozenset[Case]:
        if asked not in self._known:
            self._known[asked] = frozenset(self._look(asked))
        return self._known[asked]

    def _look(self, asked: _Asked) -> set[Case]:
        ids = self._holders(asked.process, asked.key)
        if len(ids) > MOST_TOGETHER:
            return set()
        held = {
            row[0]: (row[2], bool(row[3]))
            for row in self._store.rows(_HELD, self._store.array(ids), CaseState.OPEN.value)
        }
        goes_on = asked.process in self._definitions.followers
        found: set[Case] = set()
        for case_id, row in self._store.cases_by_id(ids if goes_on else held).items():
            joined = self._resolver.join(row)
            if not self._has(asked, row.name, joined):
                continue
            holds, knows = case_id in held, case_id in held and held[case_id][1]
            keys = self._keys(asked.process, row.name, joined) if goes_on else []
            beyond = self._beyond(asked.process, keys, asked.known or knows) if keys else frozenset[Case]()
            if beyond:
                found |= beyond
            elif holds and (knows or not asked.known):
                found.add(Case(asked.process, row.name))
        return found

    def _holders(self, process: str, key: str) -> set[int]:
        """Return the cases of a process that may have a key as their name, alias or carrier."""
        number, kind = self._ids[process], _kind(key)
        role = self._definitions.processes[process].roles[kind]
        if role == "name":
            return {row.id for row in self._store.cases_by_name(number, [key]).values()}
        value = self._store.value_ids([key]).get(key)
        if value is None:
            return set()
        if role == "alias":
            return set(self._resolver.stands_for(number, value))
        return self._resolver.holders(number, value).cases

    def _has(self, asked: _Asked, name: str, joined: Joined) -> bool:
        """Tell whether a case has the key after all that people said of it."""
        if name == asked.key:
            return True
        value = self._store.value_ids([asked.key]).get(asked.key)
        return value in joined.aliases or value in joined.conflicting or value in joined.carriers


def _kind(key: str) -> str:
    return key.partition("\x1f")[0]
