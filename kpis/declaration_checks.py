"""What is wrong with KPI files that are each well-formed: every fault, with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from kpis.declaration import SAMPLED, UNFINISHED, Bound, Dimension, Good, Kind, KpiClock, Unfinished, Unit
from kpis.declaration_file import FormulaForm, InTimeForm, KpiFile, SideForm, SpanForm
from kpis.formula_checks import (
    BY_MEASURE,
    HIT_NEEDS,
    closing_faults,
    ending_faults,
    ignored_faults,
    key_faults,
    measure_faults,
)
from kpis.stretch import STRETCHES
from lineage.process import Definitions, Process
from lineage.process_file import FIELD, PROCESS
from throughline.core import calendar
from throughline.core.calendar import Duration, parse_duration
from throughline.core.errors import Fault
from throughline.core.estate_file import parse_elapsed
from throughline.core.event import ERROR_CATEGORIES
from throughline.core.expressions import compile_condition
from throughline.core.faults import Location, show
from throughline.core.forms import Examined, nearest
from throughline.core.instants import MICROSECONDS


class Entries(NamedTuple):
    """What a kind of formula takes: entries of which each tuple wants one, further ones, and the units it gives."""

    wants: tuple[tuple[str, ...], ...]
    takes: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()


_MEASURED = tuple(dict.fromkeys(BY_MEASURE.values()))
ENTRIES = {
    Kind.LAG: Entries((("of", "per"),), ("rounds",), (Unit.SECONDS,), (Unfinished.CENSORED,)),
    Kind.SHARE: Entries(
        (("of", "per"), ("hit",)),
        ("rounds", "in_time", "ended_as", "deviations"),
        (Unit.PERCENT,),
        (Unfinished.CENSORED, Unfinished.LATE, Unfinished.COUNTED, Unfinished.LEFT_OUT),
    ),
    Kind.STOCK: Entries((("of",), ("measure",)), ("rounds", "older_than"), _MEASURED, (Unfinished.COUNTED,)),
    Kind.SUM: Entries((("of",), ("measure",)), (), (Unit.MONEY, Unit.HOURS, Unit.RECORDS)),
    Kind.COUNT: Entries((("of", "per"),), (), (Unit.PER_HOUR,)),
    Kind.ATTEMPTS: Entries((("attempts",),), ("per", "processes", "categories"), (Unit.PERCENT,)),
    Kind.RATIO: Entries((("numerator",), ("denominator",)), ("match",), (Unit.PERCENT, Unit.PER_RECORD)),
    Kind.VARIANCE: Entries((("numerator",), ("denominator",), ("match",)), ("horizon",), (Unit.PERCENT,)),
    Kind.BALANCE: Entries((("numerator",), ("denominator",), ("match",)), ("of", "closed_by"), (Unit.MONEY,)),
    Kind.DEVIATIONS: Entries(
        (("measure",),),
        ("deviations", "steps", "processes"),
        (Unit.RECORDS, Unit.MONEY),
        (Unfinished.COUNTED,),
    ),
    Kind.AGE: Entries((("of",),), (), (Unit.SECONDS,)),
    Kind.GAUGE: Entries((("gauge",),), (), (Unit.PERCENT,)),
    Kind.NONE: Entries((("lacks",),), (), tuple(Unit)),
}
_PARTS_OF_A_WHOLE = (Kind.SHARE, Kind.ATTEMPTS, Kind.GAUGE)
_WAITS = (Kind.LAG, Kind.SHARE, Kind.STOCK)
_QUANTILES = (Kind.LAG,)
_STANDING = (Kind.STOCK, Kind.DEVIATIONS)
_OF_KINDS = {Dimension.OWNER: (*_WAITS, Kind.DEVIATIONS), Dimension.AGEING: _STANDING, Dimension.CUTOFF: _STANDING}
"""The kinds that can be told by a dimension, where not all can."""


def kpi_faults(examined: Examined[KpiFile], definitions: Definitions) -> Iterator[Fault]:
    """Yield what is wrong with one KPI, given the processes and key types that it may name."""
    if examined.form is not None:
        yield from _Kpi(examined, examined.form, definitions).faults()


def bound_of(value: str | int | float, unit: Unit, clock: KpiClock) -> Bound:
    """Read a target or a warning level; raises ValueError with what was wanted."""
    text = str(value).strip()
    if unit is Unit.SECONDS:
        length = length_of(text, clock)
        return Bound(text, None, length) if isinstance(length, Duration) else Bound(text, Decimal(length))
    if unit is Unit.PERCENT:
        if not text.endswith("%"):
            raise ValueError('a share, such as "95 %"')
        return Bound(text, _number(text.removesuffix("%"), 'a share, such as "95 %"') / 100)
    return Bound(text, _number(text, "a number"))


def length_of(text: str, clock: KpiClock) -> Duration | int:
    """Read a length of time by a clock: business time, or elapsed seconds; raises ValueError with what was wanted."""
    if clock is KpiClock.ELAPSED:
        if text.rstrip().endswith("bd"):
            raise ValueError("a length of time, such as 30 s, 15 min or 13 d; business days need `clock: business`")
        return parse_elapsed(text) // MICROSECONDS
    length = parse_duration(text)
    if length.unit is calendar.Unit.ELAPSED_HOURS:
        raise ValueError("a length of business time, such as 4 h or 3 bd")
    return length


def _number(text: str, wanted: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(wanted) from None
    if not number.is_finite():
        raise ValueError(wanted)
    return number


class _Kpi:
    """The faults of one file."""

    def __init__(self, examined: Examined[KpiFile], form: KpiFile, definitions: Definitions) -> None:
        self._examined = examined
        self._form = form
        self._formula = form.formula
        self._definitions = definitions

    def faults(self) -> Iterator[Fault]:
        form = self._form
        if not re.fullmatch(PROCESS, form.kpi):
            yield self._fault(("kpi",), show(form.kpi), "lower-case words joined by -, such as billing-readiness-lag")
        yield from self._entry_faults()
        yield from ignored_faults(self._examined, form)
        yield from self._span_faults()
        for entry in ("numerator", "denominator"):
            for n, side in enumerate(getattr(self._formula, entry)):
                yield from self._side_faults(("formula", entry, n), side)
        yield from measure_faults(self._examined, form)
        yield from self._match_faults()
        yield from self._name_faults()
        yield from ending_faults(self._examined, self._formula, self._definitions)
        yield from closing_faults(self._examined, self._formula, self._definitions)
        yield from self._in_time_faults()
        yield from self._unit_faults()
        yield from self._dimension_faults()
        yield from self._bound_faults()
        if form.population is not None:
            yield from self._condition_faults(("population",), form.population)

    def _fault(self, here: Location, seen: str, wanted: str) -> Fault:
        return self._examined.fault(here, seen, wanted)

    def _lacks(self, entry: str) -> bool:
        return self._examined.lacks(("formula", entry))

    def _entry_faults(self) -> Iterator[Fault]:
        """Yield what the kind wants and lacks, and what it does not take."""
        kind = self._formula.kind
        entries = ENTRIES[kind]
        for several in entries.wants:
            given = [entry for entry in several if not self._lacks(entry)]
            if not given:
                yield self._fault(("formula",), f"a {kind.value} without {several[0]}", " or ".join(several))
            elif len(given) > 1:
                yield self._fault(("formula", given[1]), " and ".join(given), f"one of {', '.join(several)}")
        taken = {entry for several in entries.wants for entry in several} | {*entries.takes, "kind"}
        for entry in FormulaForm.model_fields:
            if entry not in taken and not self._lacks(entry):
                wanted = f"an entry of a {kind.value}: {nearest(entry, taken - {'kind'})}"
                yield self._fault(("formula", entry), show(entry), wanted)
        needed = None if self._formula.hit is None else HIT_NEEDS.get(self._formula.hit)
        if kind is Kind.SHARE and needed is not None and self._lacks(needed):
            yield self._fault(("formula", "hit"), f"hit: {self._formula.hit}", f"{needed} beside it")

    def _span_faults(self) -> Iterator[Fault]:
        wait = self._formula.kind in _WAITS
        for n, span in enumerate(self._formula.of):
            here = ("formula", "of", n)
            yield from self._shape_faults(here, span, wait)
            yield from self._process_faults((*here, "process"), span.process)
            yield from self._step_faults(here, span.process, span, ("from", "to", "at"))
            if span.from_field is not None and not re.fullmatch(FIELD, span.from_field):
                yield self._fault((*here, "from_field"), show(span.from_field), "a field of events, such as worked_on")
            if span.where is not None:
                yield from self._condition_faults((*here, "where"), span.where)

    def _shape_faults(self, here: Location, span: SpanForm, wait: bool) -> Iterator[Fault]:
        def given(*entries: str) -> list[str]:
            return [entry for entry in entries if self._is_written(here, entry)]

        wanted = (("from", "from_field"), ("to",)) if wait else (("at", "ended_as"),)
        for several in wanted:
            found = given(*several)
            if len(found) != 1:
                seen = " and ".join(found) if found else f"no {several[0]}"
                yield self._fault(here, seen, f"one of {', '.join(several)}" if len(several) > 1 else several[0])
        for entry in given(*(("at", "ended_as") if wait else ("from", "from_field", "to"))):
            wanted_text = "from and to: a wait" if wait else "at or ended_as: nothing is waited for"
            yield self._fault((*here, entry), show(entry), wanted_text)
        if wait and span.from_ is not None and span.from_ == span.to:
            yield self._fault((*here, "to"), show(span.to), "another step than that with which the wait begins")

    def _is_written(self, here: Location, entry: str) -> bool:
        """Tell whether an item of a list has an entry: one item may be written without the list."""
        bare = self._examined.lacks(here)
        return not self._examined.lacks((*(here[:-1] if bare else here), entry))

    def _process_faults(self, here: Location, name: str) -> Iterator[Fault]:
        if name not in self._definitions.processes:
            yield self._fault(here, show(name), f"a process: {nearest(name, self._definitions.processes)}")

    def _step_faults(self, here: Location, process: str, form: Any, entries: tuple[str, ...]) -> Iterator[Fault]:
        if process not in self._definitions.processes:
            return
        known = _step_names(self._definitions.processes[process])
        for entry in entries:
            step = getattr(form, "from_" if entry == "from" else entry)
            if step is not None and step not in known:
                yield self._fault((*here, entry), show(step), f"a step of {process}: {nearest(step, known)}")

    def _side_faults(self, here: Location, side: SideForm) -> Iterator[Fault]:
        yield from self._process_faults((*here, "process"), side.process)
        yield from self._step_faults(here, side.process, side, ("at",))
        counted = [
            entry for entry in ("measure", "field", "touches", "distinct", "capacity") if entry in side.model_fields_set
        ]
        if len(counted) > 1:
            yield self._fault((*here, counted[1]), " and ".join(counted), f"one of {', '.join(counted)}")
        if side.distinct is not None and side.distinct not in self._definitions.key_types:
            wanted = f"a key type of keys.yaml: {nearest(side.distinct, self._definitions.key_types)}"
            yield self._fault((*here, "distinct"), show(side.distinct), wanted)
        if side.where is not None:
            yield from self._condition_faults((*here, "where"), side.where)

    def _match_faults(self) -> Iterator[Fault]:
        """Yield what values cannot be matched by: forecasts by no stretch of time, capacity by nobody."""
        formula = self._formula
        if formula.kind is Kind.VARIANCE and formula.match and not set(formula.match) & set(STRETCHES):
            wanted = f"one of {', '.join(STRETCHES)} among them: by it a comparison has its day"
            yield self._fault(("formula", "match"), show(", ".join(formula.match)), wanted)
        has_capacity = any(side.capacity for side in (*formula.numerator, *formula.denominator))
        if has_capacity and not formula.match:
            yield self._fault(("formula",), "capacity without match", "match: the key of a worker, such as worker")

    def _name_faults(self) -> Iterator[Fault]:
        """Yield the processes, steps, fields and categories that nobody knows."""
        formula, processes = self._formula, self._definitions.processes
        for n, name in enumerate(formula.processes):
            yield from self._process_faults(("formula", "processes", n), name)
        among = [processes[name] for name in formula.processes if name in processes] or list(processes.values())
        known = {name for process in among for name in _step_names(process) | _expectation_names(process)}
        for n, step in enumerate(formula.steps):
            if step not in known:
                yield self._fault(("formula", "steps", n), show(step), f"a step: {nearest(step, known)}")
        for n, category in enumerate(formula.categories):
            if category not in ERROR_CATEGORIES:
                wanted = f"a category of errors: {nearest(category, ERROR_CATEGORIES)}"
                yield self._fault(("formula", "categories", n), show(category), wanted)
        for n, name in enumerate(formula.match):
            if not re.fullmatch(FIELD, name):
                yield self._fault(("formula", "match", n), show(name), "a field or key of events, such as period")

    def _in_time_faults(self) -> Iterator[Fault]:
        formula, clock = self._formula, self._form.clock
        yield from self._length_faults(("formula", "older_than"), formula.older_than, clock)
        yield from self._length_faults(("formula", "horizon"), formula.horizon, KpiClock.ELAPSED)
        form, here = formula.in_time, ("formula", "in_time")
        if form is None:
            return
        given = [entry for entry in InTimeForm.model_fields if getattr(form, entry) is not None]
        if len(given) != 1:
            yield self._fault(here, " and ".join(given) or "nothing", "one of due, within, cutoff")
        yield from self._length_faults((*here, "within"), form.within, clock)

    def _length_faults(self, here: Location, text: str | None, clock: KpiClock) -> Iterator[Fault]:
        if text is not None:
            try:
                length_of(text, clock)
            except ValueError as error:
                yield self._fault(here, show(text), str(error))

    def _unit_faults(self) -> Iterator[Fault]:
        kind, unit, measure = self._formula.kind, self._form.unit, self._formula.measure
        units = ENTRIES[kind].units
        if measure is not None and kind in (Kind.STOCK, Kind.SUM, Kind.DEVIATIONS):
            units = tuple(each for each in units if each is BY_MEASURE[measure])
            if not units:
                wanted = ", ".join(name.value for name, each in BY_MEASURE.items() if each in ENTRIES[kind].units)
                yield self._fault(("formula", "measure"), show(measure.value), f"one of {wanted}")
        if units and unit not in units:
            wanted = f"the unit of the formula: {' or '.join(each.value for each in units)}"
            yield self._fault(("unit",), show(unit.value), wanted)
        if self._form.headline is not None and kind not in _QUANTILES:
            yield self._fault(("headline",), show(self._form.headline.value), "no headline: only a lag has quantiles")
        if self._form.minimum_sample is not None and kind not in SAMPLED:
            wanted = f"no minimum: kind {kind.value} answers of any number"
            yield self._fault(("minimum_sample",), show(self._form.minimum_sample), wanted)
        allowed = ENTRIES[kind].unfinished or (Unfinished.LEFT_OUT,)
        if self._form.unfinished is not None and self._form.unfinished not in allowed:
            wanted = f"one of {', '.join(each.value for each in allowed)}, for a {kind.value}"
            yield self._fault(("unfinished",), show(self._form.unfinished.value), wanted)

    def _dimension_faults(self) -> Iterator[Fault]:
        seen: set[Dimension] = set()
        for n, dimension in enumerate(self._form.dimensions):
            if dimension in seen:
                yield self._fault(("dimensions", n), f"{show(dimension.value)} again", "each dimension once")
            seen.add(dimension)
            if dimension is Dimension.FLOW and self._formula.per is None and self._formula.kind is not Kind.NONE:
                yield self._fault(("dimensions", n), "'flow'", "per: flow in the formula, or no flow here")
            if dimension is Dimension.CATEGORY and self._formula.kind is not Kind.ATTEMPTS:
                yield self._fault(("dimensions", n), "'category'", "attempts: only they have categories")
            kinds = _OF_KINDS.get(dimension)
            if kinds is not None and self._formula.kind not in (*kinds, Kind.NONE):
                wanted = f"kind: {' or '.join(kind.value for kind in kinds)}; no other can be told by it"
                yield self._fault(("dimensions", n), show(dimension.value), wanted)

    def _bound_faults(self) -> Iterator[Fault]:
        read: dict[str, Bound] = {}
        for entry in ("target", "warning"):
            value = getattr(self._form, entry)
            if value is not None:
                try:
                    read[entry] = bound_of(value, self._form.unit, self._form.clock)
                except ValueError as error:
                    yield self._fault((entry,), show(value), str(error))
        for entry, bound in read.items() if self._formula.kind in _PARTS_OF_A_WHOLE else ():
            if self._form.unit is Unit.PERCENT and bound.number is not None and not 0 <= bound.number <= 1:
                yield self._fault((entry,), show(getattr(self._form, entry)), "a share from 0 % to 100 %")
        if len(read) == 2 and _better(read["warning"], read["target"], self._form.good):
            wanted = f"a level that is no better than the target, as {self._form.good.value} is good"
            yield self._fault(("warning",), show(self._form.warning), wanted)

    def _condition_faults(self, here: Location, source: str) -> Iterator[Fault]:
        try:
            compile_condition(source)
        except ValueError as error:
            yield self._fault(here, show(source), f"a condition in CEL; {error}")
        else:
            yield from key_faults(self._examined, here, source, self._definitions)


def unfinished_of(form: KpiFile) -> Unfinished:
    """Return how the unfinished count: as declared, else as the kind has it."""
    return form.unfinished or UNFINISHED.get(form.formula.kind, Unfinished.LEFT_OUT)


def _better(level: Bound, target: Bound, good: Good) -> bool:
    """Tell whether a level is better than a target; of lengths in different units nobody can say, so it is not."""
    if level.business is not None and target.business is not None:
        first, second = Decimal(level.business.count), Decimal(target.business.count)
        if level.business.unit is not target.business.unit:
            return False
    elif level.number is not None and target.number is not None:
        first, second = level.number, target.number
    else:
        return False
    return first < second if good is Good.LOW else first > second


def _step_names(process: Process) -> set[str]:
    return {step.name for version in process.versions for step in version.steps}


def _expectation_names(process: Process) -> set[str]:
    return {each.name for version in process.versions for each in version.expects}
