"""What cases contribute to ratios, variances and balances: one half of a comparison each; pure, and free of now.

What was taken back does not stand: a step of a round that a rejection closed, a case that ended (cancelled, voided,
superseded). What was written off had been right, and was given up: it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import reduce
from itertools import product
from typing import NamedTuple

from kpis.case import Case, money_of, text_of
from kpis.contribution import (
    NO_DAY,
    PLAIN,
    Closed,
    Contribution,
    Leave,
    Missing,
    Named,
    Part,
    Standing,
    Stated,
    Told,
    Unusable,
    Worth,
)
from kpis.declaration import Declaration, Dimension, Kind, Measure, Side, Span
from kpis.money import EXACTLY, Money
from kpis.of_waits import ACTOR, PERSON, margin_of
from kpis.stretch import MONTH, STRETCHES, WEEK, Stretch, month_of, read_stretch, week_of
from lineage.amounts import decimal_of, share
from lineage.fact import CaseState, Member, Via
from throughline.core.estate import Estate
from throughline.core.event import identity_digest
from throughline.core.key import Key

WRITTEN_OFF = "written_off"
WORKED_ON = "worked_on"  # the fact with the day on which hours were worked
EFFECTIVE_ON = "effective_on"  # the fact with the day from which weekly hours hold; else that of the event
_SCOPED = "\x1f"  # between a key and its scope, which neither of them can hold


class _Matched(NamedTuple):
    """What a value is matched by, and the day that this gives it; None: the day is the value's own."""

    match: tuple[str, ...]
    day: date | None
    certain: bool  # False: of several that it names nobody can say to which it belongs


class OfSides:
    """Observes one half of the comparisons of one KPI."""

    def __init__(self, declaration: Declaration, estate: Estate) -> None:
        self._formula = formula = declaration.formula
        self._dimensions = declaration.dimensions
        self._calendars = estate.calendars
        self._sides = (
            *((_numerator(formula.kind, n), side) for n, side in enumerate(formula.numerator)),
            *((Part.DENOMINATOR, side) for side in formula.denominator),
        )
        self._processes = {side.process for _, side in self._sides} | {span.process for span in formula.of}

    def concerns(self, case: Case) -> bool:
        return case.process.name in self._processes

    def counts_inapplicable(self, case: Case) -> bool:
        """Tell whether a case counts as well to which its process does not apply, as some side of it says."""
        return any(side.not_applicable for _, side in self._sides if side.process == case.process.name)

    def contributions(self, case: Case) -> tuple[Contribution, ...] | None:
        """Return what a case contributes; None where the conditions of all that is looked for keep it out."""
        sides = [
            each
            for each in self._sides
            if each[1].process == case.process.name
            and (case.state is not CaseState.NOT_APPLICABLE or each[1].not_applicable)
        ]
        inside = [(part, side) for part, side in sides if _is_inside(side, case)]
        spans = [span for span in self._formula.of if span.process == case.process.name]
        given_up = [span for span in spans if _is_inside(span, case)]
        if (sides or spans) and not (inside or given_up):
            return None
        found = [each for part, side in inside for each in self._of_side(case, part, side)]
        found += self._closings(case)
        found += (each for span in given_up for each in self._given_up(case, span))
        return tuple(found)

    def _of_side(self, case: Case, part: Part, side: Side) -> Iterator[Contribution]:
        if side.touches or side.distinct is not None:
            return self._once(case, part, side)
        if side.capacity:
            return self._capacity(case, part, side)
        return self._values(case, part, side)

    def _once(self, case: Case, part: Part, side: Side) -> Iterator[Contribution]:
        """Yield what counts once: of each day the keys of the case, or the events of a day by which a person acted."""
        members = list(_at_step(case, side.at))
        if side.touches:
            for member in members:
                if member.fact.fields.get(ACTOR) == PERSON:
                    yield self._contribution(case, part, (), self._day(member.fact.time), Named(_event(member)), member)
            return
        names = [_text(key) for key in _keys_of(case, side.distinct or "")]
        for day in sorted({self._day(member.fact.time) for member in members}):
            for name in names:
                yield self._contribution(case, part, (), day, Named(name), None)
            if not names:
                yield self._contribution(case, part, (), day, Unusable(Missing.MATCH), None)

    def _capacity(self, case: Case, part: Part, side: Side) -> Iterator[Contribution]:
        for member, until in _statements(case, side.at):
            if until is None:
                told = self._standing(case, member)
                for matched in self._matches(case, member, self._day(member.fact.time)):
                    if isinstance(matched, Missing):
                        yield self._contribution(case, part, (), NO_DAY, Unusable(matched), member)
                    elif told is not None:
                        yield self._contribution(case, part, matched.match, NO_DAY, told, member)

    def _standing(self, case: Case, member: Member) -> Told | None:
        """Return what an event tells of somebody's hours and leave; None where it tells nothing of either."""
        region, fact = case.place.region, member.fact

        def day_in(name: str) -> date | None:
            return self._calendars.field_day(_fact(case, member, name), region)

        hours = _fact(case, member, "weekly_hours")
        weekly = None if hours is None else decimal_of(str(hours))
        first, last = day_in("leave_from"), day_in("leave_to")
        if (hours is not None and (weekly is None or weekly < 0)) or (first and last and last < first):
            return Unusable(Missing.VALUE)
        leave = None if first is None else Leave(first, last)
        if weekly is None and leave is None:
            return None
        since = day_in(EFFECTIVE_ON) or self._calendars.day_of(fact.time, region)
        return Standing(since, fact.time, region, weekly, leave)

    def _values(self, case: Case, part: Part, side: Side) -> Iterator[Contribution]:
        dated = self._formula.horizon is not None
        for member, until in _statements(case, side.at):
            if until is not None and not dated:
                continue
            own = self._value_day(case, member, side)
            money, carried = self._value(case, member, side)
            for matched in self._matches(case, member, own):
                if isinstance(matched, Missing):
                    if until is None:
                        yield self._contribution(case, part, (), own, Unusable(matched), member)
                    continue
                known = money if matched.certain else None
                told: Told = Worth(known)
                if dated or carried:
                    told = Stated(member.fact.time, until, _event(member), carried, known)
                yield self._contribution(case, part, matched.match, matched.day or own, told, member)

    def _value(self, case: Case, member: Member, side: Side) -> tuple[Money | None, bool]:
        """Return what a case is worth at a step, and whether that is of the carrier by which the event came."""
        fact = member.fact
        if side.field is not None:
            return _plain(_fact(case, member, side.field)), False
        match side.measure:
            case Measure.AMOUNT:
                instalments = _instalments(case, member, side.at)
                return self._amount(case, member) if instalments is None else (_summed(case, instalments), False)
            case Measure.MARGIN:
                return margin_of(case), False
            case Measure.HOURS:
                own = None if member.via is Via.CARRIER else fact.hours
                return _plain(case.hours if own is None else own), False
            case _:
                return Money(Decimal(1), PLAIN), False

    def _amount(self, case: Case, member: Member) -> tuple[Money | None, bool]:
        """Return the amount that an event tells of the case, else of its carrier, else the latest of the case.

        An event that came by a carrier speaks of that: where values are matched by it, its own amount counts, once, and
        the case's would be no answer. Where they are not, it only says how far the case has come.
        """
        fact, own = member.fact, share(member, case.name)
        if own is not None:
            return money_of(*own), False
        if member.via is Via.CARRIER and any(name in case.process.carriers for name in self._formula.match):
            told = fact.amount is not None and fact.currency is not None
            return (money_of(fact.amount or "", fact.currency or "") if told else None), True
        return case.amount, False

    def _value_day(self, case: Case, member: Member, side: Side) -> date:
        """Return the day of a value: hours count on the day on which they were worked, all else when it was told."""
        if self._formula.kind is Kind.BALANCE:
            return NO_DAY
        if side.measure is Measure.HOURS or self._formula.kind is Kind.VARIANCE:
            worked = self._calendars.field_day(_fact(case, member, WORKED_ON), case.place.region)
            if worked is not None:
                return worked
        return self._day(member.fact.time)

    def _matches(self, case: Case, member: Member, own: date) -> Iterator[_Matched | Missing]:
        """Yield everything by which a value is matched, or why it is by nothing."""
        texts: list[tuple[str, ...]] = []
        day, certain = None, True
        for name in self._formula.match:
            if name in STRETCHES:
                stretch = _stretch(name, text_of(_fact(case, member, name)), own)
                if stretch is None:
                    yield Missing.STRETCH
                    return
                day = day or stretch.first
                texts.append((stretch.text,))
                continue
            found = tuple(_told(case, member, name))
            if not found:
                yield Missing.MATCH
                return
            # A case lies in several carriers at once; of several names of anything else only one can be meant.
            several = len(found) > 1
            if several and (self._formula.kind is Kind.BALANCE or case.process.roles.get(name) != "carrier"):
                certain = False
            texts.append(found)
        if not certain and self._formula.kind is Kind.RATIO:
            yield Missing.SEVERAL
            return
        for match in product(*texts):
            yield _Matched(match, day, certain)

    def _closings(self, case: Case) -> Iterator[Contribution]:
        """Yield that nothing more is to come of what a case is matched by: the first event that says so counts."""
        closings = [
            member.fact.time
            for member in case.course.members
            if member.fact.type in self._formula.closed_by and _counts(member) and not member.fact.failed
        ]
        if closings:
            at = min(closings)
            for match in product(*(map(_text, _keys_of(case, name)) for name in self._formula.match)):
                yield self._contribution(case, Part.CLOSING, match, NO_DAY, Closed(at, self._day(at)), None)

    def _given_up(self, case: Case, span: Span) -> Iterator[Contribution]:
        """Yield what was given up of a case on its day, and the same as taken from what it is matched by."""
        at = _given_up_at(case, span)
        if at is None:
            return
        yield self._contribution(case, Part.ENDED, (), self._day(at), Worth(case.amount), None)
        names = [tuple(map(_text, _keys_of(case, name))) for name in self._formula.match]
        certain = all(len(found) == 1 for found in names)
        for match in product(*names):
            told = Worth(case.amount if certain else None)
            yield self._contribution(case, Part.DENOMINATOR, match, NO_DAY, told, None)

    def _day(self, instant: int) -> date:
        return self._calendars.day_of(instant, None)

    def _contribution(
        self, case: Case, part: Part, match: tuple[str, ...], day: date, told: Told, member: Member | None
    ) -> Contribution:
        dimensions: Mapping[Dimension, str | None] = case.dimensions
        if member is not None:
            fact = member.fact
            dimensions = {**dimensions, Dimension.SYSTEM: fact.system, Dimension.INSTANCE: fact.instance}
        return Contribution(part, match, day, {name: dimensions.get(name) for name in self._dimensions}, told)


def _numerator(kind: Kind, place: int) -> Part:
    return Part.ADDED if kind is Kind.BALANCE and place else Part.NUMERATOR


def _is_inside(asked: Side | Span, case: Case) -> bool:
    return asked.where is None or asked.where.holds(case.facts) is not False


def _instalments(case: Case, member: Member, step: str | None) -> list[Member] | None:
    """Return what took a step that amounts cover as far as one of its events did, with it; None of any other step."""
    course = case.course
    for index in course.version.covering:
        for track in (each.tracks[index] for each in course.rounds):
            stood = [course.members[position] for position in track.successes] if track is not None else []
            if course.version.steps[index].name == step and member in stood:
                return [each for each in stood[: stood.index(member) + 1] if _counts(each)]
    return None


def _summed(case: Case, instalments: Iterable[Member]) -> Money | None:
    """Return what instalments come to; None where one has no amount, or they are of several currencies."""
    shares = [share(each, case.name) for each in instalments]
    known = [money for own in shares if own is not None and (money := money_of(*own)) is not None]
    if len(known) < len(shares) or len({each.currency for each in known}) != 1:
        return None
    return Money(reduce(EXACTLY.add, [each.amount for each in known]), known[0].currency)


def _is_withdrawn(case: Case) -> int | None:
    """Return when a case was taken back as a whole; None where it was not."""
    ended = case.course.ended
    return None if ended is None or ended[0] == WRITTEN_OFF else ended[1]


def _statements(case: Case, step: str | None) -> Iterator[tuple[Member, int | None]]:
    """Yield the successes of a step that say how things stood, each with when it no longer did; None: it still does.

    In a round the next success of the step takes the place of the one before; without a step there is the last event.
    """
    course, withdrawn = case.course, _is_withdrawn(case)
    if step is None:
        members = list(_at_step(case, None))
        if members:
            yield members[-1], withdrawn
        return
    for index in (n for n, each in enumerate(course.version.steps) if each.name == step):
        for each in course.rounds:
            track = each.tracks[index]
            if track is None or track.done_at is None:
                continue
            stood = [course.members[position] for position in track.successes]
            stood = [member for member in stood if _counts(member)]
            if not stood:
                continue
            ends = [later.fact.time for later in stood[1:]]
            over = min((end for end in (each.closed_at, withdrawn) if end is not None), default=None)
            yield from zip(stood, [*ends, over], strict=True)


def _at_step(case: Case, step: str | None) -> Iterator[Member]:
    """Yield the events of a case, failed ones too; of a step only those that tried it."""
    types = None if step is None else {t for each in case.course.version.steps if each.name == step for t in each.types}
    for member in case.course.members:
        if _counts(member) and (types is None or member.fact.type in types):
            yield member


def _counts(member: Member) -> bool:
    """Tell whether an event counts: a probe's may reach a case by a carrier, and tells nothing of it."""
    return not member.denied and not member.fact.synthetic


def _given_up_at(case: Case, span: Span) -> int | None:
    """Return when a case ended in a way that a span asks for, or did its step for the first time."""
    if span.at is not None:
        return min((member.fact.time for member, until in _statements(case, span.at) if until is None), default=None)
    ended = case.course.ended
    return ended[1] if ended is not None and ended[0] in span.ended_as else None


def _told(case: Case, member: Member, name: str) -> Iterable[str]:
    """Return what an event names by a field or a type of key; where it does not, what its case does."""
    field = text_of(member.fact.fields.get(name))
    if field is not None:
        return (field.strip(),)
    fact = member.fact
    here = (case.by_id.get(number) for number in (*fact.aliases, *fact.carriers, *fact.relations))
    keys = sorted({key for key in here if key is not None and key.type == name}) or _keys_of(case, name)
    if keys:
        return [_text(key) for key in keys]
    field = text_of(case.facts.get(name))
    return () if field is None else (field.strip(),)


def _keys_of(case: Case, kind: str) -> list[Key]:
    own = Key.decode(case.name)
    return sorted({key for key in (own, *case.by_id.values()) if key.type == kind})


def _text(key: Key) -> str:
    """Return a key as values are matched by it: with its scope, as INV-1 of one entity is not INV-1 of another."""
    return _SCOPED.join((key.value, *key.scope))


def match_text(match: Iterable[str]) -> str:
    """Return by what a value is matched as people read it: of a key its value and its scope, apart by a space."""
    return " ".join(part for text in match for part in text.split(_SCOPED) if part)


def _fact(case: Case, member: Member, name: str) -> object:
    """Return a fact as an event told it, else the latest of its case."""
    found = member.fact.fields.get(name)
    return case.facts.get(name) if found is None else found


def _stretch(name: str, text: str | None, own: date) -> Stretch | None:
    """Return the stretch of time that a value is of; a week or a month that nobody named is that of its day."""
    if text is not None:
        return read_stretch(name, text)
    return week_of(own) if name == WEEK else month_of(own) if name == MONTH else None


def _plain(value: object) -> Money | None:
    number = None if value is None or isinstance(value, bool) else decimal_of(str(value))
    return None if number is None else Money(number, PLAIN)


def _event(member: Member) -> str:
    """Return the name by which an event counts once: the first half of its identity."""
    return identity_digest(member.fact.source, member.fact.id)[:8].hex()
