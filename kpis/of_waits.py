"""What waits contribute: lags, shares and stocks, from one step of a case to another; pure, and free of now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kpis.case import Case, money_of
from kpis.clock import Counting
from kpis.cycle import cycle_of
from kpis.declaration import Declaration, Dimension, Hit, Kind, Measure, Span
from kpis.hops import Hop, hops_of
from kpis.latency import NOTHING_TRACED, Split, Unsplit, split_of
from kpis.money import Money
from kpis.observation import Ending, Observation, Unknown
from kpis.waits import WHOLE, Wait, waits_of
from lineage.due import CLOCK_SKEW, due_of_seen
from lineage.fact import Fact
from lineage.process import Version
from throughline.core.estate import Estate

ACTOR, PERSON = "actor_kind", "person"  # the fact of an event that says that somebody acted


class _Asked(NamedTuple):
    """A wait that a KPI looks for in a case: its span, the indexes of its steps, who reports its end, its hop.

    ``owner``: the team that has to see to its end.
    """

    span: Span
    starts: tuple[int, ...]
    end: int
    system: str
    hop: Hop | None = None
    owner: str | None = None


class OfWaits:
    """Observes the waits of cases for one KPI."""

    def __init__(self, declaration: Declaration, estate: Estate) -> None:
        self._formula = declaration.formula
        self._splits = declaration.splits
        self._has_owner = Dimension.OWNER in declaration.dimensions
        self._has_cutoff = Dimension.CUTOFF in declaration.dimensions
        self._counting = Counting(declaration.clock, estate.calendars)
        self._estate = estate
        self._watched_since = estate.firm.watched_since
        self._by_version: dict[tuple[str, str], tuple[_Asked, ...]] = {}

    def concerns(self, case: Case) -> bool:
        """Tell whether the KPI looks for waits of this process and version."""
        return bool(self._asked(case))

    def observations(self, case: Case) -> tuple[Observation, ...] | None:
        """Return the waits of a case; None where the conditions of all that are looked for keep it out."""
        inside = [each for each in self._asked(case) if _is_inside(each.span, case)]
        if not inside:
            return None
        calendars, rounds = self._estate.calendars, self._formula.rounds
        found = [
            self._observation(case, each, wait)
            for each in inside
            for wait in waits_of(case, each.span, rounds, calendars)
        ]
        return tuple(_each_once(found) if self._formula.kind is Kind.STOCK else found)

    def told_by(self, case: Case) -> Iterator[Fact]:
        """Yield the events of a case by whose traces its latencies may be split, of those that are over."""
        for each in self._asked(case) if self._splits else ():
            for wait in waits_of(case, each.span, self._formula.rounds, self._estate.calendars):
                if self._ending(each, wait, None)[0] is Ending.DONE:
                    yield from _traced(case, each, wait)

    def _asked(self, case: Case) -> tuple[_Asked, ...]:
        """Return what is looked for in cases of this process and version; remembered, as there are few of these."""
        version = case.process.name, case.course.version.number
        found = self._by_version.get(version)
        if found is None:
            found = self._by_version[version] = tuple(self._looked_for(case))
        return found

    def _looked_for(self, case: Case) -> Iterator[_Asked]:
        name, version = case.process.name, case.course.version
        steps = {step.name for step in version.steps}
        if self._formula.per_flow:
            for hop in hops_of(name, version, self._estate):
                if {hop.from_step, hop.to_step} <= steps:
                    yield _asked(Span(name, from_step=hop.from_step, to_step=hop.to_step), version, hop)
        for span in self._formula.of:
            if span.process == name and {span.from_step, span.to_step} - {None} <= steps:
                yield _asked(span, version)

    def _observation(self, case: Case, asked: _Asked, wait: Wait) -> Observation:
        place = case.place
        due = self._due(case, asked, wait)
        ending, ended, word = self._ending(asked, wait, due)
        measured = ending is not Ending.UNKNOWN
        seconds = None
        if measured and wait.began is not None and ended is not None:
            seconds = self._counting.seconds(wait.began, ended, place.region)
        began = wait.began if wait.began is not None else wait.done
        assert began is not None  # else it is no wait
        return Observation(
            process=case.process.name,
            case=case.name,
            part=wait.part if asked.hop is None else f"{wait.part} {asked.hop.flow}",
            day=self._estate.calendars.day_of(began, None),
            dimensions=self._dimensions(case, asked, wait),
            ending=ending,
            began=wait.began,
            ended=ended,
            word=word,
            seconds=seconds,
            gone=self._gone(wait.began, place.region) if measured else 0,
            due=due,
            due_age=None
            if due is None or wait.began is None
            else self._counting.seconds(wait.began, due, place.region),
            hit=self._hit(case, wait, ending, word),
            amount=margin_of(case) if self._formula.measure is Measure.MARGIN else case.amount,
            hours=case.hours,
            region=place.region,
            split=self._split(case, asked, wait) if self._splits and ending is Ending.DONE else None,
        )

    def _dimensions(self, case: Case, asked: _Asked, wait: Wait) -> dict[Dimension, str | None]:
        return {
            **case.dimensions,
            Dimension.FLOW: None if asked.hop is None else asked.hop.flow,
            Dimension.SYSTEM: asked.system,
            Dimension.INSTANCE: _instance(case, asked.starts, wait),
            **({Dimension.OWNER: asked.owner} if self._has_owner else {}),
            **({Dimension.CUTOFF: cycle_of(case)} if self._has_cutoff else {}),
        }

    def _split(self, case: Case, asked: _Asked, wait: Wait) -> Split | Unsplit:
        """Return of what a latency consists that is over, by the trace of its end, else by that of its beginning."""
        assert wait.began is not None
        assert wait.done is not None
        assert asked.hop is not None
        ids = dict.fromkeys(fact.trace_id for fact in _traced(case, asked, wait) if fact.trace_id is not None)
        traces = [case.traced.get(trace_id, NOTHING_TRACED) for trace_id in ids]
        # Nobody can name a flow that was learnt.
        return split_of(wait.began, wait.done, traces, None if asked.hop.learnt else asked.hop.flow)

    def _ending(self, asked: _Asked, wait: Wait, due: int | None) -> tuple[Ending, int | None, str | None]:
        """Return how a wait stands, when it ended, and the word for it; of done and otherwise the first counts.

        What a field says begins a wait: what was done before that (on the day itself, as a date means its end) was done
        at once.
        """
        nominal = asked.span.from_field is not None
        began, done, otherwise = wait.began, wait.done, wait.otherwise
        if began is None:
            return Ending.UNKNOWN, done, Unknown.BEGINNING_NOT_SEEN
        if done is not None and done < began - CLOCK_SKEW and not nominal:
            return Ending.UNKNOWN, done, Unknown.OUT_OF_ORDER
        if wait.passed_over:
            return Ending.UNKNOWN, None, Unknown.PASSED_OVER
        if self._formula.hit is Hit.IN_TIME and self._formula.kind is Kind.SHARE and due is None:
            return Ending.UNKNOWN, done, Unknown.NO_DUE_TIME
        if done is not None and (otherwise is None or done <= otherwise.at):
            ending, ended, word = Ending.DONE, done, None
        elif otherwise is not None:
            ending, ended, word = Ending.COMPETING, otherwise.at, otherwise.word
        else:
            return Ending.OPEN, None, None
        if self._watched_since is not None and ended <= self._watched_since:
            return Ending.UNKNOWN, ended, Unknown.BEFORE_WATCHING
        return ending, ended, word

    def _gone(self, began: int | None, region: str | None) -> int:
        if began is None or self._watched_since is None:
            return 0
        return self._counting.seconds(began, self._watched_since, region)

    def _due(self, case: Case, asked: _Asked, wait: Wait) -> int | None:
        in_time, began, place = self._formula.in_time, wait.began, case.place
        if in_time is None or began is None:
            return None
        calendars = self._estate.calendars
        if in_time.within is not None:
            return self._counting.after(began, in_time.within, place.region)
        if in_time.cutoff is not None:
            return calendars.cutoff(in_time.cutoff, began, place.billing_calendar, place.legal_entity, place.region)
        if asked.hop is not None and asked.hop.target is not None:
            return began + asked.hop.target
        version = case.course.version
        if asked.end not in version.required:
            return None
        return due_of_seen(version, wait.round, asked.end, place, calendars)

    def _hit(self, case: Case, wait: Wait, ending: Ending, word: str | None) -> bool | None:
        """Return whether a wait of a share hits as it stands; None where that is for the due time to say."""
        match self._formula.hit:
            case _ if self._formula.kind is not Kind.SHARE:
                return None
            case Hit.IN_TIME:
                return None
            case Hit.REACHED:
                return ending is Ending.DONE
            case Hit.UNTOUCHED:
                return ending is Ending.DONE and not _touched(case, wait)
            case Hit.ENDED_AS:
                return self._ended_so(case, wait, ending, word)
            case Hit.DEVIATION:
                return any(each.kind in self._formula.deviations for each in case.deviations)

    def _ended_so(self, case: Case, wait: Wait, ending: Ending, word: str | None) -> bool:
        """Tell whether a wait ended so, or what was done by then: an invoice may be corrected once it is paid."""
        if ending is not Ending.DONE:
            return ending is Ending.COMPETING and word in self._formula.ended_as
        ended, is_last = case.course.ended, wait.part == WHOLE or wait.round is case.course.rounds[-1]
        return is_last and ended is not None and ended[0] in self._formula.ended_as


def _asked(span: Span, version: Version, hop: Hop | None = None) -> _Asked:
    """Return a wait that is looked for in cases of a version that has its steps."""
    names = [step.name for step in version.steps]
    starts = tuple(index for index, name in enumerate(names) if name == span.from_step)
    end = names.index(span.to_step or "")
    return _Asked(span, starts, end, "+".join(version.steps[end].systems), hop, version.owner_of(names[end]))


def _each_once(found: Sequence[Observation]) -> Iterator[Observation]:
    """Yield of each part of a case one wait, where a KPI looks for several: what is unfinished, since the first."""
    parts: dict[str, list[Observation]] = {}
    for each in found:
        parts.setdefault(each.part, []).append(each)
    for some in parts.values():
        yield min(some, key=lambda each: (_FIRST.index(each.ending), each.began or 0))


_FIRST = (Ending.OPEN, Ending.UNKNOWN, Ending.COMPETING, Ending.DONE)


def _is_inside(span: Span, case: Case) -> bool:
    return span.where is None or span.where.holds(case.facts) is not False


def _traced(case: Case, asked: _Asked, wait: Wait) -> Iterator[Fact]:
    """Yield the events with a trace that tell the end of a wait, then those that tell its beginning."""
    for index, at in ((asked.end, wait.done), *((start, wait.began) for start in asked.starts)):
        track = wait.round.tracks[index]
        facts = [case.course.members[position].fact for position in track.successes] if track is not None else []
        found = [fact for fact in facts if fact.time == at and fact.trace_id is not None]
        yield from sorted(found, key=lambda fact: (fact.source, fact.id))


def _touched(case: Case, wait: Wait) -> bool:
    """Tell whether a person acted after a wait began, up to its end."""
    assert wait.began is not None
    assert wait.done is not None
    between = (member.fact for member in case.course.members if not member.denied)
    return any(fact.fields.get(ACTOR) == PERSON and wait.began < fact.time <= wait.done for fact in between)


def margin_of(case: Case) -> Money | None:
    """Return the amount of a case less its fact ``cost_amount``, of the same currency; None where either is unknown."""
    cost = case.facts.get("cost_amount")
    if case.amount is None or cost is None:
        return None
    read = money_of(str(cost), case.amount.currency)
    return None if read is None else Money(case.amount.amount - read.amount, read.currency)


def _instance(case: Case, starts: tuple[int, ...], wait: Wait) -> str | None:
    """Return the instance that reported the beginning: what is unfinished must be where it will be once it is done."""
    course = case.course
    for each in course.rounds if wait.part == WHOLE else (wait.round,):
        for index in starts:
            track = each.tracks[index]
            if track is not None and track.successes:
                return course.members[track.successes[0]].fact.instance
    return None
