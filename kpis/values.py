"""Values: which ones a dimension may have, as processes and the estate declare them, or as cells tell them."""

from __future__ import annotations

from kpis.ageing import Ageing
from kpis.declaration import Dimension
from kpis.hops import hops_of
from kpis.spot import Grain
from kpis.store import KpiReader
from lineage.process import Definitions
from throughline.core.estate import Estate
from throughline.core.event import ERROR_CATEGORIES
from throughline.core.forms import nearest
from throughline.core.instants import format_instant

MOST_NAMED = 50  # of legal entities there may be hundreds
MOST_TIMES = 5


class Values:
    """Tells whether a dimension may have a value. Nobody declares customers, practices, systems and instances here."""

    def __init__(self, definitions: Definitions, estate: Estate, store: KpiReader, now: int) -> None:
        self._definitions = definitions
        self._estate = estate
        self._store = store
        self._now = now

    def wanted(self, dimension: Dimension, value: str) -> str | None:
        """Return what is wanted in place of a value that a dimension cannot have; None: it can have this one.

        What is not declared may be in cells all the same: records say what nobody declared, and cells are kept of
        what was declared once.
        """
        if dimension is Dimension.CUTOFF:
            return self._wanted_cutoff(value)
        declared = declared_values(dimension, self._definitions, self._estate)
        if declared is None or value in declared or self._is_told(dimension, value):
            return None
        return _one_of(value, declared)

    def _wanted_cutoff(self, value: str) -> str | None:
        """Return what is wanted in place of what is no cut-off as readings tell it: its name, and when it is next."""
        name = value.rpartition(" ")[0]
        names = frozenset(self._estate.declared.cutoffs)
        if name not in names:
            called = _one_of(name or value, names)
            return f"the name of a cut-off and its time, such as billing 2026-11-06T17:00:00Z; of names {called}"
        instants = sorted(self._estate.calendars.next_cutoffs(name, self._now))
        told = [f"{name} {format_instant(each)}" for each in instants]
        return None if value in told else f"when it is next from now: {' or '.join(told[:MOST_TIMES])}"

    def _is_told(self, dimension: Dimension, value: str) -> bool:
        """Tell whether any cell has a value."""
        places = (place for row in self._store.versions() for place in self._store.places(row.number, Grain.DAY))
        return any(place.value(dimension) == value for place in places)


def declared_values(dimension: Dimension, definitions: Definitions, estate: Estate) -> frozenset[str] | None:
    """Return the values of a dimension that are declared; None: it may have any. Of cut-offs these are their names."""
    versions = [(process.name, each) for process in definitions.processes.values() for each in process.versions]
    match dimension:
        case Dimension.PROCESS:
            return frozenset(definitions.processes)
        case Dimension.FLOW:
            return frozenset(estate.flows) | {hop.flow for each in versions for hop in hops_of(*each, estate)}
        case Dimension.OWNER:
            return definitions.owners
        case Dimension.CATEGORY:
            return ERROR_CATEGORIES
        case Dimension.AGEING:
            return frozenset(Ageing)
        case Dimension.CUTOFF:
            return frozenset(estate.declared.cutoffs)
        case Dimension.REGION:
            return frozenset(estate.regions) or None
        case Dimension.LEGAL_ENTITY:
            return frozenset(estate.legal_entities) or None
        case Dimension.SYSTEM | Dimension.INSTANCE | Dimension.PRACTICE | Dimension.CUSTOMER:
            return None


def _one_of(value: str, known: frozenset[str]) -> str:
    return nearest(value, known) if len(known) <= MOST_NAMED else f"one of the {len(known):,} that are declared"
