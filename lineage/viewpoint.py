"""From a joined case to its derived state: what the engine's fold and the API's documents have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lineage.derive import Conflict, Context, derive, summary
from lineage.fact import Derived
from lineage.process import Process
from lineage.resolve import Gathered, Resolver
from lineage.store import StoreReader
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
    name: str,
    joined: Gathered,
    context: Context,
    *,
    provisional: bool = False,
    whole: bool = True,
) -> Derived:
    """Derive the case of an interned name; ``whole`` False leaves its rounds out."""
    rule: Callable[..., Derived] = derive if whole else summary
    return rule(
        process,
        joined.members,
        _conflict(store, joined),
        context,
        name=name,
        aliases=KeysById(store, joined.aliases),
        provisional=provisional,
        housed=_housed(store, resolver, name, joined) if provisional else frozenset(),
    )


def _housed(store: StoreReader, resolver: Resolver, name: str, joined: Gathered) -> frozenset[int]:
    value = store.value_ids([name])[name]
    return resolver.housed(Key.decode(name).type, value, [member.fact for member in joined.members])


def _conflict(store: StoreReader, joined: Gathered) -> Conflict | None:
    if not joined.in_conflict:
        return None
    keys = (Key.decode(text) for text in store.value_texts(joined.conflicting or joined.aliases).values())
    shown = sorted(f"{key.type}={key.value}" for key in keys)
    return Conflict(tuple(shown), joined.conflict_since or 0)
