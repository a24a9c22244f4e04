"""Series that dashboards ask for, by the names that the product declares."""

from __future__ import annotations

from functools import cache

from kpis.catalogue import Catalogue, load_catalogue
from kpis.families import HEADLINE, HEADLINE_AT_LEAST, INFO, TARGET, WARNING, Family, families_of
from lineage.definitions import load_definitions

TOTAL = 'process="", flow="", legal_entity="", work_owner="", ageing="", cutoff="", region=~"$region"'
"""Of the whole firm, or of the region that was chosen: its totals have no other label."""
BY_FLOW = 'flow=~"$flow", flow!=""'
LEVELS = {"target": TARGET, "warning": WARNING}


@cache
def _shipped() -> Catalogue:
    return load_catalogue(None, load_definitions(None))


def family_of(kpi: str) -> str:
    """Return the family of a shipped KPI's figure; raises KeyError where none is shipped of that name."""
    return families_of(_shipped().kpis[kpi])[0].name


def quantile_of(kpi: str, quantile: str, where: str) -> str:
    """Return a quantile of a lag; where it is not reached what it is at least, with a label ``bound`` that says so."""
    reached, at_least, *_ = families_of(_shipped().kpis[kpi])
    which = f'{{quantile="{quantile}", {where}}}'
    return f'({reached.name}{which} or label_replace({at_least.name}{which}, "bound", ", at least", "", ""))'


def of_total(family: Family, kpi: str) -> str:
    """Return a series that all KPIs have, of one of them: a figure's or what stands beside it."""
    assert kpi in _shipped().kpis
    return f'{family.name}{{kpi="{kpi}", {TOTAL}}}'


def headline(kpi: str, offset: str = "") -> str:
    """Return the figure of a KPI, or what it is at least, some time ago (`` offset 30d``)."""
    return f"({of_total(HEADLINE, kpi)}{offset} or {of_total(HEADLINE_AT_LEAST, kpi)}{offset})"


def by_flow(family: Family, kpi: str) -> str:
    """Return the same by flow."""
    assert kpi in _shipped().kpis
    return f'{family.name}{{kpi="{kpi}", {BY_FLOW}}}'


def level(name: str, kpi: str) -> str:
    """Return a KPI's target or warning level, one for all that is shown."""
    return of_total(LEVELS[name], kpi)


def flow_level(name: str, kpi: str) -> str:
    """Return a KPI's target or warning level, which is the same for each flow."""
    return f"max({by_flow(LEVELS[name], kpi)})"


def with_info(labels: str) -> str:
    """Return what brings some of the labels of what a KPI declares to a series of it."""
    return f"* on (job, instance, kpi) group_left ({labels}) {INFO.name}"
