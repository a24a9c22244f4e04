"""What cases contribute without a wait: deviations, attempts, counts, ages and sums; pure, and free of now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kpis.case import Case, money_of
from kpis.cycle import cycle_of
from kpis.declaration import Attempt, Declaration, Dimension, Measure, Span
from kpis.hops import Hops
from kpis.money import Money
from kpis.observation import Ending, Observation, Unknown
from kpis.of_waits import margin_of
from lineage.amounts import decimal_of
from lineage.exposure import HOLDING
from lineage.fact import Deviation, DeviationKind, Fact
from lineage.process import Step
from lineage.rounds import Round
from throughline.core.estate import Estate

_OF_MONEY = frozenset({Measure.AMOUNT, Measure.MARGIN})


class OfDeviations:
    """Observes the open deviations of cases: each case once, since the first of them, with what it holds up.

    Of a case that may be late, and has none that counts, it says that nobody knows.
    """

    def __init__(self, declaration: Declaration, estate: Estate) -> None:
        self._formula = declaration.formula
        self._estate = estate
        self._has_owner = Dimension.OWNER in declaration.dimensions
        self._has_cutoff = Dimension.CUTOFF in declaration.dimensions

    def concerns(self, case: Case) -> bool:
        return not self._formula.processes or case.process.name in self._formula.processes

    def observations(self, case: Case) -> tuple[Observation, ...]:
        formula = self._formula
        found = [
            each
            for each in case.deviations
            if each.open
            and (not formula.deviations or each.kind in formula.deviations)
            and (not formula.steps or each.step in formula.steps)
        ]
        held = case.exposure
        of_money = formula.measure in _OF_MONEY
        if of_money and case.counted_elsewhere:
            return ()
        if not found or (of_money and held is None):
            return self._unconfirmed(case)
        first = min(self._counting(found), key=lambda each: (each.since, each.step or ""))
        hours = None if held is None or held.hours is None else decimal_of(held.hours)
        systems = [step.systems for step in case.course.version.steps if step.name == first.step]
        return (
            Observation(
                process=case.process.name,
                case=case.name,
                part="deviation",
                day=self._estate.calendars.day_of(first.since, None),
                dimensions=self._dimensions(case, first.step, systems[0] if systems else ()),
                ending=Ending.OPEN,
                began=first.since,
                ended=None,
                amount=self._amount(case),
                hours=hours,
                region=case.place.region,
            ),
        )

    def _counting(self, found: Sequence[Deviation]) -> Sequence[Deviation]:
        """Return the deviations since the first of which a case counts: of money those that hold it up, if any does."""
        holding = [each for each in found if each.kind in HOLDING] if self._formula.measure in _OF_MONEY else []
        return holding or found

    def _amount(self, case: Case) -> Money | None:
        """Return the money that a case holds up, or its margin; None where that is not known.

        Of a credit as much is held up as of what is charged, or the one would hide the other.
        """
        held = case.exposure
        if self._formula.measure is Measure.MARGIN:
            return margin_of(case)
        if held is None or held.amount is None or held.currency is None:
            return None
        money = money_of(held.amount, held.currency)
        return None if money is None else Money(abs(money.amount), money.currency)

    def _unconfirmed(self, case: Case) -> tuple[Observation, ...]:
        """Return what may be late and nobody knows: the first of it, under the systems that would tell."""
        formula = self._formula
        if formula.deviations and DeviationKind.OVERDUE not in formula.deviations:
            return ()
        found = [each for each in case.unconfirmed if not formula.steps or each.step in formula.steps]
        if not found:
            return ()
        first = min(found, key=lambda each: (each.due, each.step))
        return (
            Observation(
                process=case.process.name,
                case=case.name,
                part="deviation",
                day=self._estate.calendars.day_of(first.due, None),
                dimensions=self._dimensions(case, first.step, first.systems),
                ending=Ending.UNKNOWN,
                began=None,
                ended=None,
                word=Unknown.NOT_CONFIRMED.value,
                region=case.place.region,
            ),
        )

    def _dimensions(self, case: Case, step: str | None, systems: Sequence[str]) -> Mapping[Dimension, str | None]:
        return {
            **case.dimensions,
            Dimension.SYSTEM: "+".join(systems) or None,
            **({Dimension.OWNER: case.course.version.owner_of(step)} if self._has_owner else {}),
            **({Dimension.CUTOFF: cycle_of(case)} if self._has_cutoff else {}),
        }


class _Tried(NamedTuple):
    """One attempt at a step: in which round, the how manieth of its system there, and the flow that it belongs to.

    ``again``: the one before it, of its system there, failed.
    """

    fact: Fact
    step: Step
    round: Round
    number: int
    again: bool
    flow: str | None


class OfAttempts:
    """Observes every attempt at a step: its failures, or those after one of the same system that failed, in a round."""

    def __init__(self, declaration: Declaration, estate: Estate) -> None:
        self._formula = declaration.formula
        self._estate = estate
        self._hops = Hops(estate)
        self._by_version: dict[tuple[str, str], Mapping[str, Sequence[str | None]]] = {}

    def concerns(self, case: Case) -> bool:
        return not self._formula.processes or case.process.name in self._formula.processes

    def observations(self, case: Case) -> tuple[Observation, ...]:
        """Return the attempts of a case; those of one day that differ in nothing that is told apart are one."""
        alike: dict[tuple[object, ...], list[_Tried]] = {}
        for each in self._tried(case):
            fact, day = each.fact, self._estate.calendars.day_of(each.fact.time, None)
            system = fact.system or "+".join(each.step.systems)
            apart = (day, system, fact.instance, fact.category, each.flow, self._is_hit(each))
            alike.setdefault(apart, []).append(each)
        return tuple(self._together(case, some) for some in alike.values())

    def _together(self, case: Case, some: list[_Tried]) -> Observation:
        """Return attempts that are alike as one observation, of the first of them."""
        first = min(some, key=lambda each: (each.fact.time, each.round.number, each.fact.source, each.fact.id))
        part = f"{first.round.number} {first.step.name} {first.number} {first.flow or ''}"
        hit = self._is_hit(first)
        return _happened(case, self._estate, part, first.fact, first.step, first.flow, hit=hit, times=len(some))

    def _tried(self, case: Case) -> list[_Tried]:
        """Return the attempts at the steps of a case; other KPIs of attempts ask for the same."""
        asked = _Tried, self._formula.per_flow
        found: list[_Tried] | None = case.memo.get(asked)
        if found is None:
            found = case.memo[asked] = list(_tried(case, self._flows(case)))
        return found

    def _flows(self, case: Case) -> Mapping[str, Sequence[str | None]]:
        """Return the flows that an attempt at each step of this version belongs to; without flows, each step once."""
        version = case.process.name, case.course.version.number
        found = self._by_version.get(version)
        if found is None:
            found = self._by_version[version] = self._flows_of(case)
        return found

    def _flows_of(self, case: Case) -> Mapping[str, Sequence[str | None]]:
        version = case.course.version
        if not self._formula.per_flow:
            return {step.name: (None,) for step in version.steps}
        flows: dict[str, list[str | None]] = {}
        for hop in self._hops.of(case.process.name, version):
            flows.setdefault(hop.to_step, []).append(hop.flow)
        return flows

    def _is_hit(self, tried: _Tried) -> bool:
        if self._formula.attempts is Attempt.REPEATED:
            return tried.again
        return tried.fact.failed and (not self._formula.categories or tried.fact.category in self._formula.categories)


class OfCounts:
    """Observes what passed: of flows, each record once per round as it was seen in the target."""

    def __init__(self, declaration: Declaration, estate: Estate) -> None:
        self._formula = declaration.formula
        self._estate = estate
        self._hops = Hops(estate)

    def concerns(self, case: Case) -> bool:
        return bool(self._steps(case))

    def observations(self, case: Case) -> tuple[Observation, ...]:
        return tuple(
            _happened(case, self._estate, f"{number} {step.name} {flow or ''}", fact, step, flow)
            for index, step, flow in self._steps(case)
            for number, fact in _first_done(case, index)
        )

    def _steps(self, case: Case) -> list[tuple[int, Step, str | None]]:
        if not self._formula.per_flow:
            return [(n, step, None) for span, n, step in _at(self._formula.of, case) if _is_inside(span, case)]
        steps = case.course.version.steps
        hops = self._hops.of(case.process.name, case.course.version)
        return [(n, step, hop.flow) for hop in hops for n, step in enumerate(steps) if step.name == hop.to_step]


class OfAges:
    """Observes when a step was last done, of each case."""

    def __init__(self, declaration: Declaration, estate: Estate) -> None:
        self._formula = declaration.formula
        self._estate = estate

    def concerns(self, case: Case) -> bool:
        return any(True for _ in _at(self._formula.of, case))

    def observations(self, case: Case) -> tuple[Observation, ...]:
        found: list[Observation] = []
        for span, index, step in _at(self._formula.of, case):
            facts = list(_done(case, index)) if _is_inside(span, case) else []
            if facts:
                last = max(facts, key=lambda fact: fact.time)
                found.append(_happened(case, self._estate, step.name, last, step, None))
        return tuple(found)


class OfSums:
    """Observes what cases are worth, or their margin, that did a step for the first time or ended so."""

    def __init__(self, declaration: Declaration, estate: Estate) -> None:
        self._formula = declaration.formula
        self._estate = estate

    def concerns(self, case: Case) -> bool:
        return any(span.process == case.process.name for span in self._formula.of)

    def observations(self, case: Case) -> tuple[Observation, ...]:
        found: list[Observation] = []
        for span, index, step in _at(self._formula.of, case):
            firsts = list(_first_done(case, index)) if _is_inside(span, case) else []
            if firsts:
                found.append(self._worth(case, _happened(case, self._estate, step.name, firsts[0][1], step, None)))
        ended = case.course.ended
        for span in self._formula.of:
            so = ended is not None and span.process == case.process.name and ended[0] in span.ended_as
            if ended is not None and so and _is_inside(span, case):
                found.append(self._worth(case, _over(case, self._estate, *ended)))
        return tuple(found)

    def _worth(self, case: Case, observation: Observation) -> Observation:
        margin = self._formula.measure is Measure.MARGIN
        return replace(observation, amount=margin_of(case)) if margin else observation


def _is_inside(span: Span, case: Case) -> bool:
    return span.where is None or span.where.holds(case.facts) is not False


def _at(spans: tuple[Span, ...], case: Case) -> Iterator[tuple[Span, int, Step]]:
    """Yield the steps at which spans look, of those of the process of a case."""
    for span in spans:
        if span.process == case.process.name and span.at is not None:
            for index, step in enumerate(case.course.version.steps):
                if step.name == span.at:
                    yield span, index, step


def _done(case: Case, index: int) -> Iterator[Fact]:
    """Yield the events with which a step was done, or done again; not those of amounts that did not cover it yet."""
    for each in case.course.rounds:
        track = each.tracks[index]
        if track is not None and track.done_at is not None:
            facts = (case.course.members[position].fact for position in track.successes)
            yield from (fact for fact in facts if fact.time >= track.done_at)


def _first_done(case: Case, index: int) -> Iterator[tuple[int, Fact]]:
    """Yield the number of each round in which a step was done, and the event with which it was."""
    for each in case.course.rounds:
        track = each.tracks[index]
        if track is not None and track.done_at is not None:
            facts = [case.course.members[position].fact for position in track.successes]
            yield each.number, next((fact for fact in facts if fact.time >= track.done_at), facts[-1])


def _tried(case: Case, flows: Mapping[str, Sequence[str | None]]) -> Iterator[_Tried]:
    """Yield the attempts at the steps of a case that belong to flows, in order; once for each flow."""
    for each in case.course.rounds:
        for step, track in zip(case.course.version.steps, each.tracks, strict=True):
            if track is None or step.name not in flows:
                continue
            numbers: dict[str, int] = {}
            failed: set[str] = set()
            for position in sorted([*track.successes, *(track.failures or ())]):
                fact = case.course.members[position].fact
                system = _tried_by(fact, step)
                numbers[system] = numbers.get(system, 0) + 1
                for flow in flows[step.name]:
                    yield _Tried(fact, step, each, numbers[system], system in failed, flow)
                if fact.failed:
                    failed.add(system)
                else:
                    failed.discard(system)


def _tried_by(fact: Fact, step: Step) -> str:
    """Return whose attempt an event tells: a sender that could not deliver tells of one of the step's own system."""
    return fact.system if fact.system is not None and fact.system in step.systems else "+".join(step.systems)


def _happened(
    case: Case,
    estate: Estate,
    part: str,
    fact: Fact,
    step: Step,
    flow: str | None,
    *,
    hit: bool | None = None,
    times: int = 1,
) -> Observation:
    """Return what an event contributes: it was over at once."""
    dimensions = {
        **case.dimensions,
        Dimension.FLOW: flow,
        Dimension.SYSTEM: fact.system or "+".join(step.systems),
        Dimension.INSTANCE: fact.instance,
        Dimension.CATEGORY: fact.category,
    }
    return _at_once(case, estate, part, fact.time, dimensions, hit, times)


def _over(case: Case, estate: Estate, word: str, at: int) -> Observation:
    return _at_once(case, estate, word, at, case.dimensions, None)


def _at_once(
    case: Case,
    estate: Estate,
    part: str,
    at: int,
    dimensions: Mapping[Dimension, str | None],
    hit: bool | None,
    times: int = 1,
) -> Observation:
    return Observation(
        process=case.process.name,
        case=case.name,
        part=part,
        day=estate.calendars.day_of(at, None),
        dimensions=dimensions,
        ending=Ending.DONE,
        began=at,
        ended=at,
        seconds=0,
        hit=hit,
        amount=case.amount,
        hours=case.hours,
        region=case.place.region,
        times=times,
    )
