"""From a joined case to its derived state: what the engine's fold and the API's documents have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lineage.acceptance import Acceptances
from lineage.derive import Conflict, Context, derive, summary
from lineage.expectations import Bearing, keys_borne
from lineage.fact import Derived
from lineage.process import Process
from lineage.resolve import Gathered, Resolver
from lineage.store import CaseRow, StoreReader
from throughline.core.key import Key


class KeysById(Mapping[int, Key]):
    """The keys of some interned values, read when the first is asked for."""

    def __init__(self, store: StoreReader, ids: set[int]) -> None:
        self._store = store
        self._ids = ids
        self._keys: dict[int, Key] | None = None

    def _read(self) -> dict[int, Key]:
        if self._keys is None:
            texts = self._store.value_texts(self._ids)
            self._keys = {value: Key.decode(text) for value, text in texts.items()}
        return self._keys

    def __getitem__(self, value: int) -> Key:
        return self._read()[value]

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def derive_case(
    store: StoreReader,
    resolver: Resolver,
    process: Process,
    row: CaseRow,
    joined: Gathered,
    context: Context,
    acceptances: Acceptances,
    *,
    provisional: bool = False,
    whole: bool = True,
) -> Derived:
    """Derive the case of a row; ``whole`` False leaves its rounds out."""
    rule: Callable[..., Derived] = derive if whole else summary
    return rule(
        process,
        joined.members,
        _conflict(store, joined),
        context,
        name=row.name,
        aliases=KeysById(store, joined.aliases),
        provisional=provisional,
        housed=_housed(store, resolver, row.name, joined) if provisional else frozenset(),
        bearing=_bearing(store, resolver, process, row, joined) if process.expects_by else {},
        said=acceptances.of(process.name, row.name),
    )


def _housed(store: StoreReader, resolver: Resolver, name: str, joined: Gathered) -> frozenset[int]:
    value = store.value_ids([name])[name]
    return resolver.housed(Key.decode(name).type, value, [member.fact for member in joined.members])


def _bearing(store: StoreReader, resolver: Resolver, process: Process, row: CaseRow, joined: Gathered) -> Bearing:
    """Return the keys that events bear of the types by which the process expects something; carriers while held."""
    facts = [member.fact for member in joined.members]
    near = {value for fact in facts for value in (*fact.carriers, *fact.relations)} | joined.carriers
    texts: dict[int, str] = {}
    for value, text in store.value_texts(near).items():
        kind = text.partition("\x1f")[0]
        if kind in process.expects_by and (value in joined.carriers or kind in process.relations):
            texts[value] = text
    named = [(fact.seq, value) for fact in facts for value in (*fact.carriers, *fact.relations)]
    stood = [
        (fact.seq, value) for value in texts.keys() & joined.carriers for fact in resolver.facts_at(row.process, value)
    ]
    return keys_borne((seq, texts[value]) for seq, value in (*named, *stood) if value in texts)


def _conflict(store: StoreReader, joined: Gathered) -> Conflict | None:
    if not joined.in_conflict:
        return None
    keys = (Key.decode(text) for text in store.value_texts(joined.conflicting or joined.aliases).values())
    shown = sorted(f"{key.type}={key.value}" for key in keys)
    return Conflict(tuple(shown), joined.conflict_since or 0)
