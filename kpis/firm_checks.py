"""What is wrong with KPIs of a firm's own beside its ``estate.yaml``: they name what is declared there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from kpis.declaration_file import KpiFile
from throughline.core.errors import Fault
from throughline.core.estate import ESTATE_FILE
from throughline.core.faults import show
from throughline.core.forms import Examined, nearest
from throughline.core.yaml_file import read_yaml


class Named(NamedTuple):
    """What ``estate.yaml`` names that KPIs may name, faulty entries included."""

    cutoffs: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()


def named_by(folder: Path) -> Named | None:
    """Return what the estate of a definitions folder names; None where it cannot be read, as its loader says."""
    path = folder / ESTATE_FILE
    if not path.exists():
        return Named()
    document, _ = read_yaml(path)
    return None if document is None else Named(*(_under(document.content, part) for part in Named._fields))


def firm_faults(examined: Examined[KpiFile], named: Named, owners: frozenset[str]) -> Iterator[Fault]:
    """Yield what one KPI of the firm's own names and the firm does not declare.

    Shipped ones are not held against it: without a cut-off of theirs they have no answer, and say so. ``owners``: the
    teams of processes and of shipped KPIs. Where the firm declares no teams, an owner may be any.
    """
    form = examined.form
    if form is None:
        return
    known = named.teams | owners
    if named.teams and form.owner not in known:
        wanted = f"a team of {ESTATE_FILE}, of a process or of a shipped KPI: {nearest(form.owner, known)}"
        yield examined.fault(("owner",), show(form.owner), wanted)
    in_time = form.formula.in_time
    if in_time is not None and in_time.cutoff is not None and in_time.cutoff not in named.cutoffs:
        wanted = f"a cut-off of {ESTATE_FILE}: {nearest(in_time.cutoff, named.cutoffs)}"
        yield examined.fault(("formula", "in_time", "cutoff"), show(in_time.cutoff), wanted)


def _under(content: Any, part: str) -> frozenset[str]:
    """Return the names under a part of a file."""
    found: Any = cast("dict[str, Any]", content).get(part) if isinstance(content, dict) else None
    return frozenset(cast("dict[str, Any]", found)) if isinstance(found, dict) else frozenset()
