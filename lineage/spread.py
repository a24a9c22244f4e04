"""Spreading: from the values a batch touched to the cases whose state may have changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from lineage.fold import Touched
from lineage.resolve import Resolver


@dataclass(slots=True)
class Affected:
    """Cases to derive anew: at once, or (behind one value that reaches very many) later.

    ``components`` are alias components by process whose provisional case may have appeared, changed or gone.
    """

    now: set[int] = field(default_factory=set[int])
    later: set[int] = field(default_factory=set[int])
    components: set[tuple[int, frozenset[int]]] = field(default_factory=set[tuple[int, frozenset[int]]])

    @property
    def aliases(self) -> set[int]:
        """Return the aliases of all components."""
        return {alias for _, aliases in self.components for alias in aliases}

    def add(self, other: Affected) -> None:
        self.now |= other.now
        self.later |= other.later
        self.components |= other.components


def affected(resolver: Resolver, touched: Touched, at_once: int) -> Affected:
    """Return what may have changed behind touched aliases and carriers, as the links stand now.

    More than ``at_once`` cases behind one carrier are derived later. For what links withdrew ask before and after.
    """
    found = Affected()
    _prefetch(resolver, touched)
    for process, alias in touched.aliases:
        component = resolver.component(process, alias)
        found.now.update(component.names)
        found.components.add((process, component.aliases))
    for process, carrier in touched.carriers | touched.looked_for:
        reach = resolver.holders(process, carrier)
        (found.later if len(reach.cases) > at_once else found.now).update(reach.cases)
        found.components.update((process, aliases) for aliases in reach.provisional)
    return found


def _prefetch(resolver: Resolver, touched: Touched) -> None:
    carriers = touched.carriers | touched.looked_for
    for process in {process for process, _ in touched.aliases | carriers}:
        resolver.prefetch_holders(process, {value for at, value in carriers if at == process})
        resolver.prefetch(process, {value for at, value in touched.aliases if at == process}, ())
