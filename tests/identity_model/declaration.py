"""What the model is told of processes: the plain values behind the words of docs/reference/identity.md."""

from __future__ import annotations

from dataclasses import dataclass, field

from throughline.core.instants import HOUR
from throughline.core.key import KeyType


@dataclass(frozen=True)
class ProcessDeclaration:
    """The keys of one process by role, its passes (from, to), and the event types that it declares (links included).

    ``links`` names those of its ``types`` that only draw links; the model treats them like any other.
    """

    name: str
    name_key: str
    types: frozenset[str]
    aliases: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    passes: frozenset[tuple[str, str]] = frozenset()
    links: frozenset[str] = frozenset()
    unique: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def keys(self) -> frozenset[str]:
        """Return every key type of the process, whatever its role."""
        return frozenset((self.name_key, *self.aliases, *self.carriers, *self.relations))


@dataclass(frozen=True)
class Declaration:
    """All processes, the key types that differ from plain ones, the bulk limit, the orphan time (microseconds)."""

    processes: tuple[ProcessDeclaration, ...]
    key_types: dict[str, KeyType] = field(default_factory=dict)
    bulk_limit: int = 50_000
    orphan_time: int = 72 * HOUR

    def key_type(self, name: str) -> KeyType:
        """Return how values of a key type are read."""
        return self.key_types.get(name, KeyType(name))

    @property
    def keys(self) -> frozenset[str]:
        """Return every key type of some process."""
        return frozenset(name for process in self.processes for name in process.keys)
