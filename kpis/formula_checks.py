"""What is wrong with a formula whose every entry is well-formed: it asks for what can never be."""

from __future__ import annotations

from collections.abc import Iterator

from kpis.declaration import MATCHED, Attempt, Hit, Kind, Measure, Rounds, Unfinished, Unit
from kpis.declaration_file import FormulaForm, KpiFile, SideForm, SpanForm
from kpis.waits import BEGUN_AGAIN, REJECTED
from lineage.process import Definitions, Process
from throughline.core.errors import Fault
from throughline.core.expressions import paths_of
from throughline.core.faults import Location, show
from throughline.core.forms import Examined, nearest

HIT_NEEDS = {Hit.IN_TIME: "in_time", Hit.ENDED_AS: "ended_as", Hit.DEVIATION: "deviations"}
"""What says more of a hit, where it needs that."""
BY_MEASURE = {
    Measure.RECORDS: Unit.RECORDS,
    Measure.AMOUNT: Unit.MONEY,
    Measure.HOURS: Unit.HOURS,
    Measure.MARGIN: Unit.MONEY,
    Measure.AGE: Unit.SECONDS,
}
"""The unit of what is measured."""


def ignored_faults(examined: Examined[KpiFile], form: KpiFile) -> Iterator[Fault]:
    """Yield the entries that the kind takes, and that what stands beside them makes nothing of."""
    formula = form.formula

    def is_written(entry: str) -> bool:
        return not examined.lacks(("formula", entry))

    if formula.kind is Kind.SHARE and formula.hit is not None:
        late = form.unfinished is Unfinished.LATE
        for hit, entry in HIT_NEEDS.items():
            if is_written(entry) and formula.hit is not hit and not (late and hit is Hit.IN_TIME):
                seen, wanted = f"{entry} beside hit: {formula.hit}", f"hit: {hit}, or no {entry}"
                yield examined.fault(("formula", entry), seen, wanted)
        if late and not is_written("in_time") and formula.hit is not Hit.IN_TIME:
            yield examined.fault(("unfinished",), "late without in_time", "in_time: by when it is missed")
    if formula.kind is Kind.ATTEMPTS and formula.attempts is Attempt.REPEATED and is_written("categories"):
        seen, wanted = "categories beside attempts: repeated", "attempts: failed, or no categories"
        yield examined.fault(("formula", "categories"), seen, wanted)
    if formula.kind is Kind.GAUGE and form.population is not None:
        seen, wanted = "population of a gauge", "no population: a gauge is of all that lineage keeps"
        yield examined.fault(("population",), seen, wanted)


def ending_faults(examined: Examined[KpiFile], formula: FormulaForm, definitions: Definitions) -> Iterator[Fault]:
    """Yield the words by which nothing that is looked at can end."""
    for n, span in enumerate(formula.of):
        process = definitions.processes.get(span.process)
        if process is not None:
            here = ("formula", "of", n, "ended_as")
            yield from _unknown_endings(examined, here, span.ended_as, _endings(process), span.process)
    if formula.hit is Hit.ENDED_AS:
        yield from _hit_faults(examined, formula, definitions)


def measure_faults(examined: Examined[KpiFile], form: KpiFile) -> Iterator[Fault]:
    """Yield the sides whose values are of another unit than those that they are added to or compared with."""
    formula = form.formula
    if formula.kind not in MATCHED:
        return
    numerator, denominator = (
        [(("formula", name, n), side) for n, side in enumerate(getattr(formula, name))]
        for name in ("numerator", "denominator")
    )
    per_record = formula.kind is Kind.RATIO and form.unit is Unit.PER_RECORD
    unit = Unit.MONEY if formula.kind is Kind.BALANCE else None
    for together in (numerator, denominator) if per_record else ([*numerator, *denominator],):
        yield from _unlike(examined, together, unit)


def _unlike(examined: Examined[KpiFile], sides: list[tuple[Location, SideForm]], unit: Unit | None) -> Iterator[Fault]:
    """Yield what is of another unit than the first of some sides that has one, or than the one that they have to be of.

    A fact is a plain number, whatever the unit; of no currency, so it is never money.
    """
    measured = [(here, side) for here, side in sides if side.measure is not Measure.AGE]
    unit = unit or next((own for _, side in measured if (own := _unit_of(side)) is not None), None)
    for here, side in sides:
        own = _unit_of(side)
        if side.measure is Measure.AGE:
            yield examined.fault((*here, "measure"), show("age"), "one of records, amount, hours, margin")
        elif own is None and unit is Unit.MONEY:
            yield examined.fault((*here, "field"), f"{show(side.field)}, a number of no currency", _wanted(unit))
        elif own is not None and unit is not None and own is not unit:
            yield examined.fault(here, f"values in {own}", _wanted(unit))


def _wanted(unit: Unit) -> str:
    return f"values in {unit}, as all that these are added to or compared with"


def _unit_of(side: SideForm) -> Unit | None:
    """Return the unit of the values of a side; None of a fact, of which nobody can say it."""
    if side.field is not None:
        return None
    if side.touches or side.distinct is not None:
        return Unit.RECORDS
    return Unit.HOURS if side.capacity else BY_MEASURE[side.measure]


def key_faults(examined: Examined[KpiFile], here: Location, source: str, definitions: Definitions) -> Iterator[Fault]:
    """Yield the keys that a condition asks for as if they were facts: it would never answer, and every case count."""
    for path in paths_of(source, "facts") or ():
        names = path[2:] if path[0] == "system" else path  # facts.system.erp.NAME
        if names and names[0] in definitions.key_types:
            name, seen = names[0], ".".join(("facts", *path))
            yield examined.fault(here, seen, f"a fact: {name} is a key, and conditions see no keys")


def closing_faults(examined: Examined[KpiFile], formula: FormulaForm, definitions: Definitions) -> Iterator[Fault]:
    """Yield the types of ``closed_by`` that no case that is looked at can have."""
    names = [each.process for each in (*formula.numerator, *formula.denominator, *formula.of)]
    processes = [definitions.processes[name] for name in names if name in definitions.processes]
    known = frozenset[str]().union(*(process.types for process in processes))
    for n, event_type in enumerate(formula.closed_by):
        if event_type not in known and len(processes) == len(names):
            whose = " or ".join(dict.fromkeys(names))
            wanted = f"an event type of {whose}: {nearest(event_type, known)}"
            yield examined.fault(("formula", "closed_by", n), show(event_type), wanted)


def _hit_faults(examined: Examined[KpiFile], formula: FormulaForm, definitions: Definitions) -> Iterator[Fault]:
    processes = definitions.processes
    waits = [(each.process, each) for each in formula.of] or [(name, None) for name in processes]
    if all(name in processes for name, _ in waits):
        known = frozenset[str]().union(*(_wait_endings(processes[name], span, formula) for name, span in waits))
        whose = " or ".join(dict.fromkeys(name for name, _ in waits)) if formula.of else "a process"
        yield from _unknown_endings(examined, ("formula", "ended_as"), formula.ended_as, known, whose)


def _unknown_endings(
    examined: Examined[KpiFile], here: Location, words: tuple[str, ...], known: frozenset[str], whose: str
) -> Iterator[Fault]:
    for n, word in enumerate(words):
        if word not in known:
            yield examined.fault((*here, n), show(word), f"an ending of {whose}: {nearest(word, known)}")


def _endings(process: Process) -> frozenset[str]:
    """Return all that cases of a process can end as: by an event that ends them, or by a terminal error."""
    ended = {ending.ended_as for version in process.versions for ending in version.ended_by}
    failed = {version.steps[index].name for version in process.versions for index in version.terminal_errors}
    return frozenset(ended | failed)


def _wait_endings(process: Process, span: SpanForm | None, formula: FormulaForm) -> frozenset[str]:
    """Return all that waits in cases of a process can end as; where each round is one, it may end before its case."""
    whole = formula.rounds is Rounds.WHOLE or (span is not None and span.from_field is not None)
    rejects = any(version.new_round.after for version in process.versions) and not whole
    begins_again = any(version.new_round.each for version in process.versions) and not whole
    words = ((REJECTED, rejects), (BEGUN_AGAIN, begins_again))
    return _endings(process) | {word for word, so in words if so}
