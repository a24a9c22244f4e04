"""What a KPI is, in words that are made of its declaration; pure. The API, the commands and the reference page say it.

Conditions are told as they are written. The question and the source of a KPI are words of whoever wrote it, and stand
beside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from kpis.declaration import (
    Attempt,
    Declaration,
    Formula,
    Headline,
    Hit,
    Kind,
    KpiClock,
    Measure,
    Rounds,
    Side,
    Span,
    Unfinished,
)
from throughline.core.calendar import Duration

UNFINISHED = {
    Unfinished.CENSORED: "lasts longer than it has (censored)",
    Unfinished.LATE: "is missed once it is due, and left out before",
    Unfinished.COUNTED: "is counted",
    Unfinished.LEFT_OUT: "is left out",
}
"""How unfinished work counts."""

_CLOCKS = {KpiClock.BUSINESS: "in business time", KpiClock.ELAPSED: "as time elapses"}
_QUANTILES = {
    Headline.MEDIAN: ("the median", "half"),
    Headline.P90: ("the 90th percentile", "90 %"),
    Headline.P99: ("the 99th percentile", "99 %"),
}
_MEASURES = {
    Measure.RECORDS: "the number",
    Measure.AMOUNT: "the sum of the amounts",
    Measure.HOURS: "the sum of the hours",
    Measure.MARGIN: "the sum of amount less cost amount",
    Measure.AGE: "the median age",
}
_VALUES = {
    Measure.RECORDS: "records",
    Measure.AMOUNT: "amounts",
    Measure.HOURS: "hours",
    Measure.MARGIN: "margins (amount less cost amount)",
    Measure.AGE: "ages",
}
_OF_ALL = {
    Unfinished.CENSORED: "all waits that began in the window; what nobody can say yet is read from the curve of these",
    Unfinished.LATE: "waits that began in the window and are done or past due, not what ended otherwise before",
    Unfinished.COUNTED: "all waits that began in the window, unfinished ones among them",
    Unfinished.LEFT_OUT: "waits that began in the window and are done",
}
"""What a share is of, by how unfinished work counts."""

_HOPS = "from a step in one system to that in the next (each hop of each flow)"
_WINDOW = "in the window"


class Definition(NamedTuple):
    """A KPI in words: whole sentences, and what stands above and below the line.

    ``numerator`` None: there is no source yet. ``denominator`` None: nothing is divided.
    """

    formula: str
    population: str
    numerator: str | None
    denominator: str | None
    unfinished: str


class _Sides(NamedTuple):
    """What stands above and below the line, and the formula where that is not one over the other."""

    numerator: str | None
    denominator: str | None = None
    formula: str | None = None


def define(declaration: Declaration) -> Definition:
    """Return what a KPI is in words."""
    sides = _OF_KINDS[declaration.formula.kind](declaration)
    formula = sides.formula or " ÷ ".join(side for side in (sides.numerator, sides.denominator) if side)
    return Definition(
        formula=_sentence(formula),
        population=_population(declaration),
        numerator=sides.numerator,
        denominator=sides.denominator,
        unfinished=f"Unfinished work {UNFINISHED[declaration.unfinished]}.",
    )


def _lag(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    quantile, share = _QUANTILES[declaration.headline]
    return _Sides(
        f"waits that are done by an age; the figure is the age at which they are {share} of the denominator",
        "all waits that began in the window, with those that ended otherwise",
        f"{quantile} of how long it takes {_waits(formula)}, {_CLOCKS[declaration.clock]}",
    )


def _share(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    hit = _hit(formula, _CLOCKS[declaration.clock])
    to_reach = declaration.unfinished is not Unfinished.CENSORED and formula.hit is Hit.REACHED
    withdrawn = ", not what ended otherwise" if to_reach else ""
    return _Sides(
        f"waits that {hit}",
        _OF_ALL[declaration.unfinished] + withdrawn,
        f"the share of the waits {_waits(formula)} that {hit}",
    )


def _hit(formula: Formula, clock: str) -> str:
    match formula.hit:
        case Hit.REACHED:
            return "are done"
        case Hit.IN_TIME:
            return f"are done {_in_time(formula, clock)}"
        case Hit.UNTOUCHED:
            return "are done without an event between that says that a person acted"
        case Hit.ENDED_AS:
            return f"ended as {_listed(map(_spoken, formula.ended_as), 'or')}"
        case Hit.DEVIATION:
            return f"are of a case with a deviation ({_listed(map(_spoken, formula.deviations), 'or')})"


def _in_time(formula: Formula, clock: str) -> str:
    in_time = formula.in_time
    if in_time is None or in_time.due:
        target = "by the target of their flow, else " if formula.per_flow else ""
        return f"{target}by the due time of their last step"
    if in_time.within is not None:
        return f"within {_length(in_time.within)}, {clock}"
    return f"by the first {in_time.cutoff} cut-off after they began"


def _stock(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    least = "" if formula.older_than is None else f" and have lasted {_length(formula.older_than)} or longer"
    clock = f", {_CLOCKS[declaration.clock]}" if least or formula.measure is Measure.AGE else ""
    return _Sides(f"{_MEASURES[formula.measure]} of the waits {_waits(formula)} that are unfinished now{least}{clock}")


def _sum(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    return _Sides(f"{_MEASURES[formula.measure]} of the cases that {_places(formula.of)} {_WINDOW}")


def _count(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    seen = f"records seen in the next system {_WINDOW} (each hop of each flow)"
    return _Sides(
        seen if formula.per_flow else f"how often cases {_places(formula.of)} {_WINDOW}",
        "hours of the window that have passed, from the first day on of which anything is known",
    )


def _attempts(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    which = "attempts at the steps to which flows lead" if formula.per_flow else "attempts at steps"
    hit = "came after one of the same system at the same step of one round that failed"
    if formula.attempts is Attempt.FAILED:
        why = _listed(map(_spoken, formula.categories), "or")
        hit = f"failed ({why})" if why else "failed"
    return _Sides(f"{which} {_WINDOW} that {hit}", f"all {which} {_WINDOW}")


def _ratio(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    matched = f" (only what the denominator names as well, by {_match(formula)})" if formula.match else ""
    return _Sides(f"{_values(formula.numerator)}{matched}", _values(formula.denominator))


def _variance(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    before = "" if formula.horizon is None else f" as they stood {_length(formula.horizon)} before"
    actual = _values(formula.denominator)
    numerator = f"the sum of how far {_values(formula.numerator)}{before} are off {actual}, each by {_match(formula)}"
    denominator = f"the sum of {actual}, without their signs"
    return _Sides(numerator, denominator, f"1 less ({numerator}) ÷ ({denominator})")


def _balance(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    given_up = f"amounts of cases that {_places(formula.of)} {_WINDOW} + " if formula.of else ""
    over = f" after {_listed(formula.closed_by, 'or')}" if formula.closed_by else ""
    taken = f"{_values(formula.denominator)}{' and what was given up' if formula.of else ''}"
    left = f"what is left of each {_match(formula)}{over} {_WINDOW}"
    return _Sides(f"{given_up}{left} ({_values(formula.numerator)}, less {taken}, never below 0)")


def _deviations(declaration: Declaration) -> _Sides:
    formula = declaration.formula
    kinds = f" ({_listed(map(_spoken, formula.deviations), 'or')})" if formula.deviations else ""
    steps = f" at {_listed(map(_spoken, formula.steps), 'or')}" if formula.steps else ""
    of_money = formula.measure in (Measure.AMOUNT, Measure.MARGIN)
    held, once = (" held up by", ", each piece of work once") if of_money else (" of", "")
    return _Sides(f"{_MEASURES[formula.measure]}{held} cases with an open deviation{kinds}{steps}{once}")


def _age(declaration: Declaration) -> _Sides:
    return _Sides(f"how long ago a case last {_places(declaration.formula.of)}")


def _gauge(_: Declaration) -> _Sides:
    return _Sides("events that reached a case by a key", "events of types that a process declares")


def _none(declaration: Declaration) -> _Sides:
    return _Sides(None, None, f"no source yet: it lacks {declaration.formula.lacks}")


_OF_KINDS: Mapping[Kind, Callable[[Declaration], _Sides]] = {
    Kind.LAG: _lag,
    Kind.SHARE: _share,
    Kind.STOCK: _stock,
    Kind.SUM: _sum,
    Kind.COUNT: _count,
    Kind.ATTEMPTS: _attempts,
    Kind.RATIO: _ratio,
    Kind.VARIANCE: _variance,
    Kind.BALANCE: _balance,
    Kind.DEVIATIONS: _deviations,
    Kind.AGE: _age,
    Kind.GAUGE: _gauge,
    Kind.NONE: _none,
}


def _population(declaration: Declaration) -> str:
    """Return which cases count, and which never do."""
    formula = declaration.formula
    if formula.kind is Kind.NONE:
        return "Nothing yet."
    if formula.kind is Kind.GAUGE:
        return "All events of types that a process declares. Synthetic ones are left out."
    condition = declaration.population
    where = "" if condition is None else f" where {condition.source} (also where nobody can tell)"
    sides = (*formula.numerator, *formula.denominator)
    further = [
        f" Of {each.process}{f' at {_spoken(each.at)}' if each.at else ''} only where {each.where.source}."
        for each in (*formula.of, *sides)
        if each.where is not None
    ]
    inapplicable = _listed(dict.fromkeys(side.process for side in sides if side.not_applicable), "and")
    but = f", other than of {inapplicable}" if inapplicable else ""
    left_out = f" Synthetic and provisional cases are left out, and those to which their process does not apply{but}."
    return f"Cases of {_processes(formula)}{where}.{''.join(further)}{left_out}"


def _processes(formula: Formula) -> str:
    named = (*formula.processes, *(each.process for each in (*formula.of, *formula.numerator, *formula.denominator)))
    flows = "every process with a hop of a flow" if formula.per_flow else "every process"
    return _listed(dict.fromkeys(named), "and") or flows


def _waits(formula: Formula) -> str:
    """Return from where to where waits are, those of several processes together where their steps are called alike."""
    if formula.per_flow:
        return _HOPS
    paths = _together((f"from {_beginning(span)} to {_spoken(span.to_step)}", span.process) for span in formula.of)
    return f"{paths}{'' if formula.rounds is Rounds.EACH else ' (from the first beginning to the first end after it)'}"


def _beginning(span: Span) -> str:
    return _spoken(span.from_step) if span.from_field is None else f"the end of the day in {_spoken(span.from_field)}"


def _places(spans: Iterable[Span]) -> str:
    return _together((_place(span), span.process) for span in spans)


def _place(span: Span) -> str:
    if span.at is not None:
        return f"did {_spoken(span.at)}"
    return f"ended as {_listed(map(_spoken, span.ended_as), 'or')}"


def _values(sides: Iterable[Side]) -> str:
    """Return what is added up of some sides, those alike together."""
    told = ((f"{_counted(side)}{f' at {_spoken(side.at)}' if side.at else ''}", side.process) for side in sides)
    return _together(told, " + ")


def _counted(side: Side) -> str:
    if side.field is not None:
        return _spoken(side.field)
    if side.touches:
        return "events that say that a person acted"
    if side.distinct is not None:
        return f"different keys of type {_spoken(side.distinct)}"
    return "hours that people could work" if side.capacity else _VALUES[side.measure]


def _match(formula: Formula) -> str:
    return _listed(map(_spoken, formula.match), "and")


def _together(told: Iterable[tuple[str, str]], between: str = ", or ") -> str:
    """Join what is said of processes, each saying once with all processes that it is said of."""
    processes: dict[str, list[str]] = {}
    for saying, process in told:
        processes.setdefault(saying, []).append(process)
    return between.join(f"{saying} in {_listed(dict.fromkeys(each), 'and')}" for saying, each in processes.items())


def _listed(words: Iterable[str], last: str) -> str:
    *most, end = tuple(words) or ("",)
    return f"{', '.join(most)} {last} {end}" if most else end


def _length(length: Duration | int) -> str:
    """Write business time as it is written, elapsed seconds in the greatest unit that fits."""
    if isinstance(length, Duration):
        return str(length)
    fitting = ((name, size) for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)) if not length % size)
    name, size = next(fitting)
    return f"{length // size} {name}"


def _spoken(word: str | None) -> str:
    return (word or "").replace("_", " ")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
