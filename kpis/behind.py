"""What is behind a figure: the cases that are in it, each with what it contributes."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from kpis.ageing import class_of
from kpis.ask import Asker, Question, Window, grain_of, holds, widened
from kpis.cell import STANDING, Place, Verdict, judge
from kpis.cell import place_of as spot_of
from kpis.clock import Counting
from kpis.codec import Contributed
from kpis.contribution import NO_DAY, PLAIN, Contribution, Standing, Stated, Unusable, Worth
from kpis.declaration import MATCHED, Declaration, Dimension, Kind, Measure, Unfinished
from kpis.observation import Ending, Observation
from kpis.of_sides import match_text
from kpis.reading import Moment
from kpis.reading_matched import groups_of
from kpis.spot import Grain, Spotting
from kpis.store import KpiReader
from throughline.core.estate import Estate

SHARES = frozenset({Kind.SHARE, Kind.ATTEMPTS})
"""Kinds that tell how many of all hit."""

MOST_LOOKED_THROUGH = 200_000
"""Cases that one question looks through, to order them by what they weigh."""


class Behind(NamedTuple):
    """One observation that is in a figure. ``seconds``: how long it took, or has taken up to now; None: not known.

    ``counts_as``: of a share, what it counts as by now; None of other figures. ``watched``: how long it took, or is
    known to have taken, as its sources may have more to tell; ``seen_to``: up to when they have told, now at most.
    """

    case_id: int
    observation: Observation
    seconds: int | None
    counts_as: Verdict | None
    watched: int | None
    seen_to: int


class Wanted(NamedTuple):
    """Which observations of a figure are wanted: those of some endings, of some ages in seconds, and of some verdicts.

    ``verdicts`` None: of a figure that is no share, too.
    """

    endings: frozenset[Ending] = frozenset(Ending)
    at_least: int | None = None
    below: int | None = None
    verdicts: frozenset[Verdict] | None = None


class TooMany(ValueError):
    """More cases are behind a figure than one question looks through."""


class Finder:
    """Finds what is behind a figure."""

    def __init__(self, store: KpiReader, asker: Asker, estate: Estate) -> None:
        self._store = store
        self._asker = asker
        self._estate = estate

    def find(self, question: Question, wanted: Wanted, moment: Moment) -> list[Behind]:
        """Return what is behind a figure, what weighs most first (``_weight``).

        Raises NoCells, NotTold and TooMany.
        """
        declaration, version = self._asker.declared(question.kpi)
        grain = grain_of(question, declaration)
        ids = self._store.cases_of_cells(version.number, grain, *self._cells(question, declaration, grain))
        if len(ids) > MOST_LOOKED_THROUGH:
            raise TooMany(
                f"seen {len(ids):,} cases behind this figure, wanted {MOST_LOOKED_THROUGH:,} at most: ask for fewer"
                " days, or for one value of a dimension"
            )
        found = self._observed(question, wanted, moment, ids)
        return sorted(found, key=lambda each: _weight(declaration, each, moment))

    def no_longer_kept(self, question: Question, moment: Moment) -> int:
        """Return how many records are in a figure whose cases have left, so that they cannot be found.

        Raises NoCells and NotTold.
        """
        declaration, version = self._asker.declared(question.kpi)
        grain = grain_of(question, declaration)
        cells = self._store.remnants_of(version.number, grain, *self._cells(question, declaration, grain))
        standing = declaration.formula.kind in STANDING
        days = question.window if declaration.formula.kind in MATCHED else None
        return sum(
            stands if standing else records
            for place, records, stands in cells
            if holds(question, place, moment) and (days is None or place.day == NO_DAY or place.day >= days.first)
        )

    def latest(self, question: Question, moment: Moment, most: int) -> list[Behind]:
        """Return what is behind a figure, of so many cases at most: those of the last days. Raises as ``find``."""
        declaration, version = self._asker.declared(question.kpi)
        grain = grain_of(question, declaration)
        cells = self._cells(question, declaration, grain)
        ids = self._store.cases_of_cells(version.number, grain, *cells, latest=most)
        return self._observed(question, Wanted(), moment, ids)

    def unfinished(self, question: Question, moment: Moment, most: int) -> tuple[list[Behind], bool]:
        """Return what is open of a figure, and whether that is all of it. Raises as ``find``.

        Of the cases in cells that hold anything open so many are looked through at most: those of the last days.
        """
        declaration, version = self._asker.declared(question.kpi)
        grain = grain_of(question, declaration)
        first, last, _ = self._cells(question, declaration, grain)
        ids = self._store.cases_of_cells(version.number, grain, first, last, True, latest=most + 1)
        found = self._observed(question, Wanted(frozenset({Ending.OPEN})), moment, ids[:most])
        return found, len(ids) <= most

    def _observed(self, question: Question, wanted: Wanted, moment: Moment, ids: list[int]) -> list[Behind]:
        declaration, version = self._asker.declared(question.kpi)
        grain, spotting = grain_of(question, declaration), Spotting(declaration)
        counting = Counting(declaration.clock, self._estate.calendars)
        seen: list[tuple[int, Observation]] = []
        halves: list[tuple[int, Contributed, Contribution]] = []
        for start in range(0, len(ids), _AT_ONCE):
            some = self._store.contributed_to(version.number, ids[start : start + _AT_ONCE])
            for case_id, contributed in some.items():
                entry = contributed.entries[version.number]
                inside = (each for each in entry.contributions if _is_of_days(question, each))
                halves += [(case_id, contributed, each) for each in inside]
                seen += [
                    (case_id, each)
                    for each in entry.observations
                    if self._is_in(question, declaration, grain, spotting, each, moment)
                ]
        seen += _halves(declaration, question, halves)
        found: list[Behind] = []
        for case_id, each in seen:
            seen_to = moment.seen_to(spot_of(each)) if each.ending is Ending.OPEN else moment.now
            seconds = _age(each, counting, moment.now)
            watched = seconds if seen_to == moment.now else _age(each, counting, seen_to)
            counts_as = _counts_as(declaration, each, seen_to)
            one = Behind(case_id, _as_told(each, moment), seconds, counts_as, watched, seen_to)
            if _is_wanted(wanted, one) and _is_of_age(question, declaration, counting, one):
                found.append(one)
        return found

    def _cells(self, question: Question, declaration: Declaration, grain: Grain) -> tuple[int | None, int | None, bool]:
        """Return the first and last day of the cells that a figure is of, and whether only those that stand are."""
        if declaration.formula.kind in MATCHED and question.window is not None:
            return None, question.window.last.toordinal(), False  # some of it belongs to no day
        if declaration.formula.kind in STANDING or question.window is None:
            return None, None, declaration.formula.kind in STANDING
        first, last = widened(question.window, grain)
        return first.toordinal(), last.toordinal(), False

    def _is_in(
        self,
        question: Question,
        declaration: Declaration,
        grain: Grain,
        spotting: Spotting,
        each: Observation,
        moment: Moment,
    ) -> bool:
        if declaration.formula.kind in STANDING and each.ending not in (Ending.OPEN, Ending.UNKNOWN):
            return False
        window = None if declaration.formula.kind is Kind.AGE else question.window
        return any(
            spot.grain is grain and holds(question, spot.place, moment) and _is_within(window, grain, spot.place)
            for spot in spotting.of(each)
        )


_AT_ONCE = 2_000


def _is_of_days(question: Question, contribution: Contribution) -> bool:
    window, day = question.window, contribution.day
    return window is None or day == NO_DAY or window.first <= day <= window.last


def _halves(
    declaration: Declaration, question: Question, seen: list[tuple[int, Contributed, Contribution]]
) -> list[tuple[int, Observation]]:
    """Return what of some contributions is of the values that a question asks for, told apart as a reading does."""
    groups = groups_of(declaration, [each for _, _, each in seen], tuple(question.only))
    wanted = tuple(question.only.values())
    return [
        (case_id, _half(contributed, each))
        for (case_id, contributed, each), group in zip(seen, groups, strict=True)
        if group == wanted
    ]


def _half(contributed: Contributed, contribution: Contribution) -> Observation:
    """Return a contribution in the form of an observation, for who looks at it: of weekly hours these."""
    told = contribution.told
    money = told.money if isinstance(told, Worth | Stated) else None
    plain = money.amount if money is not None and money.currency == PLAIN else None
    if isinstance(told, Standing):
        plain = told.weekly
    return Observation(
        process=contributed.process,
        case=contributed.case,
        part=f"{contribution.part.value} {match_text(contribution.match)}".rstrip(),
        day=contribution.day,
        dimensions=contribution.dimensions,
        ending=Ending.UNKNOWN if isinstance(told, Unusable) else Ending.DONE,
        began=None,
        ended=None,
        word=told.missing.value if isinstance(told, Unusable) else None,
        amount=None if plain is not None else money,
        hours=plain,
    )


def _is_within(window: Window | None, grain: Grain, place: Place) -> bool:
    if window is None:
        return True
    first, last = widened(window, grain)
    return first <= place.day <= last


def _age(observation: Observation, counting: Counting, until: int) -> int | None:
    if observation.seconds is not None or observation.began is None or observation.ending is not Ending.OPEN:
        return observation.seconds
    return counting.seconds(observation.began, until, observation.region)


def _as_told(observation: Observation, moment: Moment) -> Observation:
    """Return an observation with the cut-off that readings tell of it."""
    if Dimension.CUTOFF not in observation.dimensions:
        return observation
    told = moment.value(spot_of(observation), Dimension.CUTOFF)
    return replace(observation, dimensions={**observation.dimensions, Dimension.CUTOFF: told})


def _is_of_age(question: Question, declaration: Declaration, counting: Counting, each: Behind) -> bool:
    """Tell whether what stands is of the age that a figure is of; what cannot be measured stands beside any."""
    least, ageing = declaration.formula.older_than, question.only.get(Dimension.AGEING)
    if (least is None and ageing is None) or each.observation.ending is not Ending.OPEN:
        return True
    seconds, region = each.seconds, each.observation.region
    if seconds is None or (least is not None and seconds < counting.seconds_of(least, region)):
        return False
    return ageing in (None, class_of(seconds, counting, region))


def _counts_as(declaration: Declaration, observation: Observation, seen_to: int) -> Verdict | None:
    """Return what an observation counts as in a share, as far as its sources have told; None of what is no share."""
    if declaration.formula.kind not in SHARES:
        return None
    verdict, _ = judge(declaration, observation)
    if verdict is not Verdict.PENDING:
        return verdict
    if declaration.unfinished is Unfinished.COUNTED:
        return Verdict.MISS
    return Verdict.MISS if observation.due is not None and seen_to > observation.due else Verdict.PENDING


def _is_wanted(wanted: Wanted, each: Behind) -> bool:
    if each.observation.ending not in wanted.endings:
        return False
    if wanted.verdicts is not None and each.counts_as not in wanted.verdicts:
        return False
    if wanted.at_least is not None and (each.seconds is None or each.seconds < wanted.at_least):
        return False
    return wanted.below is None or (each.seconds is not None and each.seconds < wanted.below)


def _weight(declaration: Declaration, each: Behind, moment: Moment) -> tuple[object, ...]:
    """Sort what is worth most first, in the reporting currency or in hours, then what took longest; then by name.

    A credit is worth as much as what is charged.

    Of what asks when something was done last, what was done last comes first.
    """
    money, worth = each.observation.amount, None
    if declaration.formula.kind is Kind.AGE:
        worth = each.observation.began
    elif declaration.formula.measure is Measure.HOURS:
        worth = each.observation.hours
    elif money is not None:
        rate = moment.rates.on(money.currency, moment.today)
        worth = None if rate is None else abs(money.amount * rate.rate)
    return (worth is None, -(worth or 0), -(each.seconds or 0), each.observation.process, each.observation.case)
