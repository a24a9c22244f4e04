"""Observing: from a case to what it contributes to one KPI; pure, and free of now.

Waits are in kpis/of_waits.py, what happens or stands in a case without a wait in kpis/occurrences.py, the halves of
what is compared across cases in kpis/of_sides.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from kpis.case import Case
from kpis.clock import Counting
from kpis.declaration import Declaration, Kind
from kpis.observation import LeftOut, Observation, Observed
from kpis.occurrences import OfAges, OfAttempts, OfCounts, OfDeviations, OfSums
from kpis.of_sides import OfSides
from kpis.of_waits import OfWaits
from lineage.fact import CaseState, Fact
from throughline.core.estate import Estate

_OUTSIDE = Observed((), True, LeftOut.POPULATION)


class Rule(Protocol):
    """How one kind of KPI looks at a case."""

    def concerns(self, case: Case) -> bool:
        """Tell whether the KPI is about the process and steps of a case: its version alone decides."""
        ...

    def observations(self, case: Case) -> tuple[Observation, ...] | None:
        """Return what a case contributes; None where a condition keeps it out."""
        ...


class Observer:
    """Observes cases for one KPI.

    Raises ValueError for a kind that nothing observes.
    """

    def __init__(self, declaration: Declaration, estate: Estate) -> None:
        self.counting = Counting(declaration.clock, estate.calendars)
        self._population = declaration.population
        self._rule = _rule(declaration, estate)

    def concerns(self, case: Case) -> bool:
        """Tell whether the KPI is about the process and steps of a case: its version alone decides."""
        return self._rule.concerns(case)

    def observe(self, case: Case) -> Observed:
        """Return what a case contributes; nothing where the KPI is not about its process or steps."""
        if not self._rule.concerns(case):
            return Observed()
        left_out = self._left_out(case)
        if left_out is not None:
            return Observed((), True, left_out)
        if isinstance(self._rule, OfSides):
            halves = self._rule.contributions(case)
            return _OUTSIDE if halves is None else Observed((), True, None, halves)
        found = self._rule.observations(case)
        return _OUTSIDE if found is None else Observed(found, True)

    def told_by(self, case: Case) -> Iterable[Fact]:
        """Return the events whose traces ``observe`` looks for in a case: their spans split latencies."""
        return self._rule.told_by(case) if isinstance(self._rule, OfWaits) else ()

    def _left_out(self, case: Case) -> LeftOut | None:
        if case.synthetic:
            return LeftOut.SYNTHETIC
        if case.state is CaseState.PROVISIONAL:
            return LeftOut.PROVISIONAL
        counts_as_well = isinstance(self._rule, OfSides) and self._rule.counts_inapplicable(case)
        if case.state is CaseState.NOT_APPLICABLE and not counts_as_well:
            return LeftOut.NOT_APPLICABLE
        outside = self._population is not None and self._population.holds(case.facts) is False
        return LeftOut.POPULATION if outside else None


def _rule(declaration: Declaration, estate: Estate) -> Rule | OfSides:
    match declaration.formula.kind:
        case Kind.RATIO | Kind.VARIANCE | Kind.BALANCE:
            return OfSides(declaration, estate)
        case Kind.LAG | Kind.SHARE | Kind.STOCK:
            return OfWaits(declaration, estate)
        case Kind.DEVIATIONS:
            return OfDeviations(declaration, estate)
        case Kind.ATTEMPTS:
            return OfAttempts(declaration, estate)
        case Kind.COUNT:
            return OfCounts(declaration, estate)
        case Kind.AGE:
            return OfAges(declaration, estate)
        case Kind.SUM:
            return OfSums(declaration, estate)
        case other:
            raise ValueError(f"seen a {other.value}, of which cases alone cannot tell")
