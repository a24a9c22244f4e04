"""The catalogue: every KPI of the shipped pack and of the firm's definitions folder, read, checked and built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from kpis.carry_checks import carry_faults
from kpis.declaration import (
    Attempt,
    Declaration,
    Formula,
    Headline,
    Hit,
    InTime,
    Kind,
    KpiClock,
    Measure,
    Side,
    Span,
)
from kpis.declaration_checks import bound_of, kpi_faults, length_of, unfinished_of
from kpis.declaration_file import FormulaForm, InTimeForm, KpiFile, SideForm, SpanForm
from kpis.family_checks import family_faults
from kpis.firm_checks import Named, firm_faults, named_by
from lineage.definitions import KPI, KPIS
from lineage.process import Definitions, Expression
from throughline.core.errors import ConfigurationError, Fault
from throughline.core.expressions import compile_condition
from throughline.core.faults import show
from throughline.core.forms import Examined, examine
from throughline.core.yaml_file import YamlDocument, further, read_yaml, yaml_files

SAMPLE = 20
"""The fewest waits or attempts of which a quantile or a share says anything, unless a declaration says otherwise."""
_BY_WAITS = frozenset({Kind.LAG, Kind.SHARE, Kind.ATTEMPTS})


@dataclass(frozen=True)
class Catalogue:
    """All KPIs by name. ``left_out``: those of the pack that do not fit a firm's own processes, and why."""

    kpis: Mapping[str, Declaration]
    left_out: Mapping[str, tuple[Fault, ...]]


def pack_folder() -> Path:
    """Return the folder of the shipped KPIs."""
    return Path(str(files("kpis") / "pack"))


def load_catalogue(folder: Path | None, definitions: Definitions) -> Catalogue:
    """Read the pack and the firm's KPIs; raise ConfigurationError with every fault in the firm's files."""
    found, faults = _read(folder, definitions)
    if faults:
        raise ConfigurationError(faults)
    kpis = {
        name: _declaration(form, definitions)
        for name, each in sorted(found.fitting.items())
        if (form := each.form) is not None
    }
    return Catalogue(kpis, dict(sorted(found.left_out.items())))


def validate_kpis(folder: Path, definitions: Definitions) -> list[Fault]:
    """Return every fault of the KPIs of a definitions folder, and of what its flows carry; none: they can be used."""
    return _read(folder, definitions)[1]


@dataclass
class _Found:
    """What was read so far, the firm's on top of the pack's.

    ``owners``: of what is shipped. ``named``: by the firm's estate; None: nobody can say.
    """

    fitting: dict[str, Examined[KpiFile]] = field(default_factory=dict[str, Examined[KpiFile]])
    left_out: dict[str, tuple[Fault, ...]] = field(default_factory=dict[str, tuple[Fault, ...]])
    owners: set[str] = field(default_factory=set[str])
    named: Named | None = None


def _read(folder: Path | None, definitions: Definitions) -> tuple[_Found, list[Fault]]:
    found, faults = _Found(), list[Fault]()
    for path in yaml_files(pack_folder()):
        _take_shipped(path, definitions, found)
    if folder is not None:
        here: dict[str, str] = {}
        found.named = named_by(folder)
        for path in yaml_files(folder):
            faults += _take(path, folder, definitions, found, here)
        own = [found.fitting[name] for name in here]
        shipped = [each for name, each in found.fitting.items() if name not in here]
        faults += [*family_faults(shipped, own), *carry_faults(folder, definitions)]
    return found, sorted(faults, key=lambda fault: (fault.file, fault.line or 0, fault.column or 0))


def _take_shipped(path: Path, definitions: Definitions, found: _Found) -> None:
    """Take one of the pack's; it is well-formed, but what it names may be the firm's own by now."""
    document, faults = read_yaml(path)
    if document is None or faults:
        raise ConfigurationError(faults)
    examined = examine(document, KpiFile)
    if examined.form is None or examined.faults:
        raise ConfigurationError(list(examined.faults))
    found.owners.add(examined.form.owner)
    misfits = tuple(kpi_faults(examined, definitions))
    if misfits:
        found.left_out[examined.form.kpi] = misfits
    else:
        found.fitting[examined.form.kpi] = examined


def _take(path: Path, folder: Path, definitions: Definitions, found: _Found, here: dict[str, str]) -> Iterator[Fault]:
    inside = KPIS in path.relative_to(folder).parts[:-1]
    document, faults = read_yaml(path)
    if not inside and not (document is not None and _says_so(document.content)):
        return
    if inside:  # of all others the processes' loader has told
        yield from faults
    if document is not None:
        yield from further(_take_own(document, definitions, found, here), faults)


def _says_so(content: Any) -> bool:
    return isinstance(content, dict) and KPI in cast("dict[str, Any]", content)


def _take_own(document: YamlDocument, definitions: Definitions, found: _Found, here: dict[str, str]) -> Iterator[Fault]:
    examined = examine(document, KpiFile)
    yield from examined.faults
    if examined.form is None:
        return
    yield from (fault for fault in kpi_faults(examined, definitions) if examined.judges(fault))
    if found.named is not None:
        owners = definitions.owners | found.owners
        yield from (fault for fault in firm_faults(examined, found.named, owners) if examined.judges(fault))
    if ("kpi",) in examined.stood_in:
        return
    name = examined.form.kpi
    if name in here:
        yield document.fault(("kpi",), f"{show(name)}, which is in {here[name]} too", "each KPI once")
    here.setdefault(name, document.file)
    found.left_out.pop(name, None)
    found.fitting[name] = examined


def _declaration(form: KpiFile, definitions: Definitions) -> Declaration:
    formula = _formula(form.formula, form.clock)
    return Declaration(
        name=form.kpi,
        version=form.version,
        title=form.title,
        group=form.group,
        question=form.question,
        unit=form.unit,
        clock=form.clock,
        formula=formula,
        good=form.good,
        owner=form.owner,
        source=form.source,
        dimensions=form.dimensions,
        headline=form.headline or Headline.MEDIAN,
        target=None if form.target is None else bound_of(form.target, form.unit, form.clock),
        warning=None if form.warning is None else bound_of(form.warning, form.unit, form.clock),
        minimum_sample=form.minimum_sample or (SAMPLE if formula.kind in _BY_WAITS else 1),
        unfinished=unfinished_of(form),
        population=_condition(form.population),
        numerator_by=_reporters(formula.numerator, definitions),
        denominator_by=_reporters(formula.denominator, definitions),
    )


def _reporters(sides: Iterable[Side], definitions: Definitions) -> frozenset[tuple[str, ...]]:
    """Return the systems that report what some sides look at: of a side without a step, those of every step."""
    return frozenset(
        step.systems
        for side in sides
        for version in definitions.processes[side.process].versions
        for step in version.steps
        if side.at in (None, step.name)
    )


def _formula(form: FormulaForm, clock: KpiClock) -> Formula:
    return Formula(
        kind=form.kind,
        of=tuple(_span(each) for each in form.of),
        per_flow=form.per is not None,
        rounds=form.rounds,
        measure=form.measure or Measure.RECORDS,
        hit=form.hit or Hit.REACHED,
        in_time=None if form.in_time is None else _in_time(form.in_time, clock),
        ended_as=form.ended_as,
        deviations=form.deviations,
        steps=form.steps,
        processes=form.processes,
        attempts=form.attempts or Attempt.FAILED,
        categories=form.categories,
        numerator=tuple(_side(each) for each in form.numerator),
        denominator=tuple(_side(each) for each in form.denominator),
        match=form.match,
        older_than=None if form.older_than is None else length_of(form.older_than, clock),
        horizon=None if form.horizon is None else cast("int", length_of(form.horizon, KpiClock.ELAPSED)),
        closed_by=form.closed_by,
        gauge=form.gauge,
        lacks=form.lacks,
    )


def _span(form: SpanForm) -> Span:
    return Span(form.process, form.from_, form.from_field, form.to, form.at, form.ended_as, _condition(form.where))


def _side(form: SideForm) -> Side:
    return Side(
        form.process,
        form.at,
        form.measure,
        form.field,
        form.touches,
        form.distinct,
        form.capacity,
        form.not_applicable,
        _condition(form.where),
    )


def _in_time(form: InTimeForm, clock: KpiClock) -> InTime:
    return InTime(form.due is not None, None if form.within is None else length_of(form.within, clock), form.cutoff)


def _condition(source: str | None) -> Expression | None:
    return None if source is None else compile_condition(source)
