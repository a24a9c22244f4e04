"""What is wrong with the names of a firm's own KPIs: two that give one metric would be told as one series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kpis.declaration import Declaration, Formula
from kpis.declaration_file import KpiFile
from kpis.families import SHARED, families_of
from throughline.core.errors import Fault
from throughline.core.faults import show
from throughline.core.forms import Examined
from throughline.core.metric_names import METRICS

_DECIDING = (("kpi",), ("unit",), ("clock",), ("formula", "kind"), ("formula", "per"))
"""The entries that decide which metrics a KPI has."""


def family_faults(shipped: Iterable[Examined[KpiFile]], own: Iterable[Examined[KpiFile]]) -> Iterator[Fault]:
    """Yield which KPIs of the firm's own have a metric that is another KPI's already, or Throughline's own.

    ``shipped``: those that none of the firm's own replaces. A KPI with other faults is held against the others as well.
    """
    holders = dict.fromkeys((each.name for each in (*SHARED, *METRICS)), "Throughline itself")
    for each in shipped:
        holders |= {name: f"the shipped {show(form.kpi)}" for form in _told(each) for name in _metrics_of(form)}
    for each in own:
        for form in _told(each):
            names = _metrics_of(form)
            for holder in dict.fromkeys(holders[name] for name in names if name in holders):
                common = ", ".join(name for name in names if holders.get(name) == holder)
                seen = f"{show(form.kpi)}, whose metric {common} is that of {holder} already"
                yield each.fault(("kpi",), seen, "a name that gives no metric of another")
            holders = {name: f"{show(form.kpi)} in {each.document.file}" for name in names} | holders


def _told(examined: Examined[KpiFile]) -> Iterator[KpiFile]:
    """Yield what a KPI declares, if all is sound that decides which metrics it has."""
    if examined.form is not None and all(examined.whole_at(entry) for entry in _DECIDING):
        yield examined.form


def _metrics_of(form: KpiFile) -> tuple[str, ...]:
    declaration = Declaration(
        name=form.kpi,
        version=form.version,
        title=form.title,
        group=form.group,
        question=form.question,
        unit=form.unit,
        clock=form.clock,
        formula=Formula(form.formula.kind, per_flow=form.formula.per is not None),
        good=form.good,
        owner=form.owner,
        source=form.source,
    )
    return tuple(family.name for family in families_of(declaration))
