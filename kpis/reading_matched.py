"""Readings of what is compared across cases: the two sides of each comparison meet here; pure.

What only one side tells, or tells of an unknown amount, is counted beside the figure and never taken for 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from kpis.capacity import Capacity, Change
from kpis.cell import Place
from kpis.contribution import (
    NO_DAY,
    PLAIN,
    Closed,
    Contribution,
    Missing,
    Named,
    Part,
    Standing,
    Stated,
    Told,
    Unusable,
)
from kpis.declaration import Declaration, Dimension, Kind
from kpis.matched import MatchedCell, Slot, place_of
from kpis.money import EXACTLY, Converted, Money, Sums, convert, total
from kpis.money import Part as Share
from kpis.reading import NO_DATA, Balance, Beside, Moment, Ratio, Reading, Variance
from throughline.core.business_time import BusinessTime
from throughline.core.instants import MICROSECONDS

_OF_BALANCE = (Part.NUMERATOR, Part.ADDED, Part.DENOMINATOR)
NOTHING_TO_DIVIDE_BY = "nothing to divide by"
GIVEN_UP = "given up"
"""The word beside a balance of cases that were given up: each is in the figure by itself, whatever it is matched by."""
Values = tuple[str | None, ...]
Match = tuple[str, ...]


class Days(NamedTuple):
    """The days that a question is about, both included; None: any."""

    first: date | None = None
    last: date | None = None

    def holds(self, day: date) -> bool:
        """Tell whether a cell of a day is needed: of what belongs to no day the other side, or its end, says when."""
        return day == NO_DAY or self.contains(day)

    def contains(self, day: date) -> bool:
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


class _Side(NamedTuple):
    """What one side tells of one matched value: what adds up, and what is looked at one by one. Never changed."""

    sums: Sums
    told: Collection[Told]

    def joined(self, other: _Side) -> _Side:
        """Return what both tell."""
        sums = Sums()
        sums.merge(self.sums)
        sums.merge(other.sums)
        return _Side(sums, {*self.told, *other.told})


_NOTHING_TOLD = _Side(Sums(), ())

Sides = dict[Part, _Side]


class _Tally:
    """What stands beside a figure while it is made."""

    def __init__(self, cells: Iterable[MatchedCell]) -> None:
        self.done = self.open = self.given_up = 0
        self.unknown: Counter[str] = Counter()
        for cell in cells:
            for (_, missing), count in cell.unusable.items():
                self.unknown[missing] += count

    def reading(self, answer: Ratio | Variance | Balance | None, why_not: str | None, known_to: int) -> Reading:
        otherwise = {GIVEN_UP: self.given_up} if self.given_up else {}
        began = self.done + self.open + self.given_up
        beside = Beside(began, self.done, self.open, otherwise, dict(sorted(self.unknown.items())))
        return Reading(answer, why_not, beside, known_to)


def matched_readings(
    declaration: Declaration,
    calendars: BusinessTime,
    moment: Moment,
    cells: Mapping[Place, MatchedCell],
    window: Days,
    by: tuple[Dimension, ...],
    looked_at: int = 0,
) -> dict[Values, Reading]:
    """Return a reading for each value of some dimensions, from all cells that the window needs (``Days.holds``).

    A side that tells no value of a dimension counts where the other side does, if that tells only one. Raises
    ValueError for a kind that compares nothing.
    """
    reader = MatchedReader(declaration, calendars, moment, window, looked_at)
    needed = {place: cell for place, cell in cells.items() if window.holds(place.day)}
    return dict(sorted(reader.readings(needed, by).items(), key=lambda each: [(v is None, v or "") for v in each[0]]))


def groups_of(
    declaration: Declaration, contributions: Sequence[Contribution], by: tuple[Dimension, ...]
) -> list[Values]:
    """Return the group in which a reading by some dimensions counts each contribution, of all that it is made from."""
    values = [_values_of(place_of(each), by) for each in contributions]
    matched = ((each.match, its) for each, its in zip(contributions, values, strict=True) if _is_matched(each))
    agreed = _agreed_by_match(matched, len(by))
    whole = declaration.formula.kind is Kind.BALANCE
    found: list[Values] = []
    for each, its in zip(contributions, values, strict=True):
        common = agreed[each.match] if _is_matched(each) else its
        found.append(common if whole else _filled(its, common))
    return found


def _is_matched(contribution: Contribution) -> bool:
    """Tell whether a contribution is held against others: what is given up, or is of no use, stands alone."""
    alone = contribution.part is Part.ENDED or isinstance(contribution.told, Unusable)
    return bool(contribution.match) and not alone


class MatchedReader:
    """Makes readings of one KPI at one moment for one window. ``looked_at``: how many cases it is about at all."""

    def __init__(
        self, declaration: Declaration, calendars: BusinessTime, moment: Moment, window: Days, looked_at: int
    ) -> None:
        self._declaration = declaration
        self._formula = declaration.formula
        self._calendars = calendars
        self._moment = moment
        self._window = window
        self._looked_at = looked_at
        told = self._seen_to(declaration.numerator_by)
        self._known_to = min(told, self._seen_to(declaration.denominator_by))
        self._first_unseen = calendars.day_of(told, None)

    def _seen_to(self, reporters: Iterable[tuple[str, ...]]) -> int:
        """Return up to when all was seen that some systems told; of an undeclared source nobody can say how far."""
        marks = (self._moment.sight.watermark(roles, None) for roles in reporters)
        return min((min(self._moment.now, mark.at or 0) for mark in marks if mark.declared), default=self._moment.now)

    def readings(self, cells: Mapping[Place, MatchedCell], by: tuple[Dimension, ...]) -> dict[Values, Reading]:
        match self._formula.kind:
            case Kind.RATIO:
                return self._ratios(cells, by)
            case Kind.VARIANCE:
                parts = self._grouped(cells, by, whole=False)
                return self._by_group(cells, by, parts, self._variance)
            case Kind.BALANCE:
                parts = self._grouped(cells, by, whole=True)
                return self._by_group(cells, by, parts, self._balance)
            case other:
                raise ValueError(f"seen a {other.value}, which compares nothing across cases")

    def _by_group(
        self,
        cells: Mapping[Place, MatchedCell],
        by: tuple[Dimension, ...],
        parts: dict[Values, dict[Match, Sides]],
        read: Callable[[Mapping[Place, MatchedCell], dict[Match, Sides]], Reading],
    ) -> dict[Values, Reading]:
        found = _split(cells, by)
        groups = found.keys() | parts.keys() | ({()} if not by else set[Values]())
        return {values: read(found.get(values, {}), parts.get(values, {})) for values in groups}

    def _grouped(
        self, cells: Mapping[Place, MatchedCell], by: tuple[Dimension, ...], *, whole: bool
    ) -> dict[Values, dict[Match, Sides]]:
        """Return what each side tells by group and matched value; ``whole``: all of a matched value is of one group."""
        told: dict[Match, list[tuple[Values, Part, _Side]]] = {}
        for place, cell in cells.items():
            values = _values_of(place, by)
            for (part, match), side in _sides(cell):
                if part is not Part.ENDED:
                    told.setdefault(match, []).append((values, part, side))
        found: dict[Values, dict[Match, Sides]] = {}
        for match, entries in told.items():
            agreed = _agreed([values for values, _, _ in entries], len(by))
            for values, part, side in entries:
                group = agreed if whole else _filled(values, agreed)
                sides = found.setdefault(group, {}).setdefault(match, {})
                sides[part] = sides[part].joined(side) if part in sides else side
        return found

    # --- ratios

    def _ratios(self, cells: Mapping[Place, MatchedCell], by: tuple[Dimension, ...]) -> dict[Values, Reading]:
        has_capacity = any(side.capacity for side in (*self._formula.numerator, *self._formula.denominator))
        capacity = self._capacity_of(cells) if has_capacity else {}
        counted = {place: cell for place, cell in cells.items() if not has_capacity or self._is_over(place.day)}
        told = ((slot.match, _values_of(place, by)) for place, slot in (*_slots(counted), *capacity))
        agreed = _agreed_by_match(told, len(by)) if by and self._formula.match else {}
        groups = _regrouped(cells, by, agreed)
        shares: dict[Values, dict[Slot, Decimal]] = {}
        for (place, slot), hours in capacity.items():
            held = shares.setdefault(_group(place, slot, by, agreed), {})
            held[slot] = EXACTLY.add(held.get(slot, Decimal(0)), hours)
        over = {
            values: {place: cell for place, cell in group.items() if place in counted}
            for values, group in groups.items()
        }
        above = {
            values: {slot.match for _, slot in _slots(group) if slot.part is Part.NUMERATOR}
            for values, group in over.items()
        }
        return {
            values: self._ratio(over.get(values, {}), shares.get(values, {}), _told_apart(values, above))
            for values in over.keys() | shares.keys() | (set[Values]() if by else {()})
        }

    def _ratio(
        self, cells: Mapping[Place, MatchedCell], capacity: Mapping[Slot, Decimal], told_apart: Collection[Match]
    ) -> Reading:
        """Return one side over the other; ``told_apart``: what the numerator tells of other groups, and not of this."""
        tally, known_to = _Tally(cells.values()), self._known_to
        top = _Measured(cells, Part.NUMERATOR, capacity)
        bottom = _Measured(cells, Part.DENOMINATOR, capacity)
        if self._formula.match:
            lone = top.known.keys() - bottom.known.keys()
            tally.unknown[Missing.ONLY_NUMERATOR] += top.drop(lone)
            tally.unknown[Missing.ONLY_DENOMINATOR] += bottom.drop(bottom.known.keys() & told_apart)
        for measured in (top, bottom):
            tally.unknown[Missing.VALUE] += measured.unknown
        tally.unknown = +tally.unknown
        numerator, denominator = (measured.total(self._moment) for measured in (top, bottom))
        for converted in (numerator, denominator):
            if converted.unknown:
                tally.unknown[Missing.RATE] += converted.unknown
        tally.done = bottom.records
        if not top.records and not bottom.records:
            return tally.reading(None, NO_DATA, known_to)
        if not denominator.amount:
            return tally.reading(None, NOTHING_TO_DIVIDE_BY, known_to)
        too_few = self._too_few(bottom.records)
        if too_few is not None or numerator.amount is None:
            return tally.reading(None, too_few or NO_DATA, known_to)
        ratio = float(numerator.amount / denominator.amount)
        return tally.reading(Ratio(ratio, numerator.amount, denominator.amount), None, known_to)

    def _is_over(self, day: date) -> bool:
        """Tell whether all of a day was told: capacity goes on, so a day that was not seen would lower a share."""
        return day == NO_DAY or day < self._first_unseen

    def _capacity_of(self, cells: Mapping[Place, MatchedCell]) -> dict[tuple[Place, Slot], Decimal]:
        """Return what people could have worked on the days of the window that were seen, by where they belonged."""
        changes: dict[Slot, list[Change]] = {}
        for place, cell in cells.items():
            for slot, entries in cell.told.items():
                changes.setdefault(slot, []).extend(
                    Change(told, place) for told in entries if isinstance(told, Standing)
                )
        every = [change.told.since for each in changes.values() for change in each]
        seen = self._first_unseen - timedelta(days=1)
        last = seen if self._window.last is None else min(self._window.last, seen)
        first = self._window.first or min(every, default=last)
        found: dict[tuple[Place, Slot], Decimal] = {}
        if first > last:
            return found
        capacity = Capacity(self._calendars, first, last)
        for slot, each in changes.items():
            for place, hours in capacity.shares(each):
                found[place, slot] = EXACTLY.add(found.get((place, slot), Decimal(0)), hours)
        return found

    # --- variances

    def _variance(self, cells: Mapping[Place, MatchedCell], parts: dict[Match, Sides]) -> Reading:
        tally, known_to = _Tally(cells.values()), self._known_to
        difference = told = expected = Decimal(0)
        for sides in parts.values():
            compared = self._compare(sides)
            if isinstance(compared, Missing):
                tally.unknown[compared] += 1
                continue
            tally.done += 1
            forecast, actual = compared
            difference = EXACTLY.add(difference, abs(EXACTLY.subtract(forecast, actual)))
            expected, told = EXACTLY.add(expected, forecast), EXACTLY.add(told, abs(actual))
        if not tally.done:
            return tally.reading(None, NO_DATA, known_to)
        if not told:
            return tally.reading(None, NOTHING_TO_DIVIDE_BY, known_to)
        too_few = self._too_few(tally.done)
        if too_few is not None:
            return tally.reading(None, too_few, known_to)
        accuracy = float(1 - difference / told)
        return tally.reading(Variance(accuracy, difference, expected, told, tally.done), None, known_to)

    def _compare(self, sides: Sides) -> tuple[Decimal, Decimal] | Missing:
        """Return what both sides tell of one matched value, both at the rates of the reading; or why they cannot be.

        One rate for both: else a change of it would pass for an error of the forecast.
        """
        actual = _actual(sides.get(Part.DENOMINATOR))
        forecast = self._forecast(sides.get(Part.NUMERATOR), sides.get(Part.DENOMINATOR))
        if forecast is None:
            return Missing.ONLY_DENOMINATOR
        if actual is None:
            return Missing.ONLY_NUMERATOR
        if forecast.unknown or actual.unknown:
            return Missing.VALUE
        found: list[Decimal] = []
        for sums in (forecast, actual):
            converted = _converted(sums, self._moment)
            if converted.unknown or converted.amount is None:
                return Missing.RATE
            found.append(converted.amount)
        return found[0], found[1]

    def _forecast(self, side: _Side | None, other: _Side | None) -> Sums | None:
        """Return the numerator's value: as it stands, or as it stood so long before the denominator was told first."""
        horizon = self._formula.horizon
        if horizon is None:
            return _actual(side)
        firsts = [told.at for told in _stated(other) if told.until is None]
        if not firsts:
            return Sums() if _stated(side) else None
        cut = min(firsts) - horizon * MICROSECONDS
        standing = [told for told in _stated(side) if told.at <= cut and (told.until is None or told.until > cut)]
        return Sums([_latest(standing).money]) if standing else None

    # --- balances

    def _balance(self, cells: Mapping[Place, MatchedCell], parts: dict[Match, Sides]) -> Reading:
        tally, known_to = _Tally(cells.values()), self._known_to
        given_up = [(sums, place.day) for place, cell in cells.items() for sums in _ended(cell)]
        tally.given_up = sum(sums.records - sums.unknown for sums, _ in given_up)
        rest: list[tuple[Sums, date]] = []
        told, counted = bool(given_up), any(Part.NUMERATOR in sides for sides in parts.values())
        for sides in parts.values():
            closed = _closed(sides.get(Part.CLOSING))
            if closed is None:
                tally.open += Part.NUMERATOR in sides
            elif self._window.contains(closed.day):
                told = True
                left = self._left(sides, closed.day)
                if isinstance(left, Missing):
                    tally.unknown[left] += 1
                else:
                    tally.done += 1
                    rest.append((Sums([left] if left.amount else []), closed.day))
        # What is open now says nothing of a window that nobody saw, nor do cases where nothing could be lost of any.
        if not (told or (counted and self._looked_at)):
            return tally.reading(None, NO_DATA, known_to)
        known = tally.done + tally.given_up
        too_few = self._too_few(known) if self._declaration.minimum_sample > 1 else None
        if too_few is not None:
            return tally.reading(None, too_few, known_to)
        by_currency = Sums()
        for sums, _ in (*given_up, *rest):
            by_currency.merge(sums)
        rates = self._moment.rates
        whole = total([*given_up, *rest], rates)
        return tally.reading(Balance(whole, total(given_up, rates), total(rest, rates), by_currency), None, known_to)

    def _left(self, sides: Sides, day: date) -> Money | Missing:
        """Return what nobody has taken of what was added, never below 0; in one currency as it is, else converted."""
        first, further, taken = (sides.get(part, _NOTHING_TOLD).sums for part in _OF_BALANCE)
        if not first.records or first.unknown or further.unknown or taken.unknown:
            return Missing.VALUE
        added = Sums()
        added.merge(first)
        added.merge(further)
        currencies = added.parts.keys() | taken.parts.keys()
        if len(currencies) == 1:
            (currency,) = currencies
            amounts = [sums.parts[currency].amount if sums.parts else Decimal(0) for sums in (added, taken)]
        else:
            currency, rates = self._moment.rates.reporting_currency, self._moment.rates
            both = [convert(sums, rates, day) for sums in (added, taken)]
            if any(each.unknown or each.amount is None for each in both):
                return Missing.RATE
            amounts = [each.amount or Decimal(0) for each in both]
        return Money(max(EXACTLY.subtract(*amounts), Decimal(0)), currency)

    def _too_few(self, known: int) -> str | None:
        wanted = self._declaration.minimum_sample
        return f"{known} of at least {wanted}" if known < wanted else None


class _Measured:
    """One side of a ratio: sums by matched value and day, names that count once, hours of capacity."""

    def __init__(self, cells: Mapping[Place, MatchedCell], part: Part, capacity: Mapping[Slot, Decimal]) -> None:
        self.known: dict[Match, list[tuple[Sums, date]]] = {}
        names: dict[Match, set[str]] = {}
        for place, cell in cells.items():
            for slot, sums in cell.sums.items():
                if slot.part is part:
                    self.known.setdefault(slot.match, []).append((sums, place.day))
            for slot, entries in cell.told.items():
                if slot.part is part:
                    names.setdefault(slot.match, set()).update(t.name for t in entries if isinstance(t, Named))
        for match, found in names.items():
            if found:
                self._count(match, Decimal(len(found)), len(found))
        for slot, hours in capacity.items():
            if slot.part is part:
                self._count(slot.match, hours, 1)

    def _count(self, match: Match, number: Decimal, records: int) -> None:
        sums = Sums()
        sums.parts[PLAIN] = Share(number, records)
        self.known.setdefault(match, []).append((sums, NO_DAY))

    @property
    def records(self) -> int:
        return sum(sums.records for each in self.known.values() for sums, _ in each)

    @property
    def unknown(self) -> int:
        return sum(sums.unknown for each in self.known.values() for sums, _ in each)

    def drop(self, matches: Iterable[Match]) -> int:
        """Leave out matched values; return how many records that were."""
        return sum(sums.records for match in list(matches) for sums, _ in self.known.pop(match))

    def total(self, moment: Moment) -> Converted:
        every = [entry for each in self.known.values() for entry in each]
        if all(sums.parts.keys() <= {PLAIN} for sums, _ in every):
            number = Decimal(0)
            for sums, _ in every:
                number = EXACTLY.add(number, sums.parts[PLAIN].amount if sums.parts else Decimal(0))
            known = sum(sums.records - sums.unknown for sums, _ in every)
            return Converted(number if known or not every else None, PLAIN, known, 0, ())
        found = total(every, moment.rates)
        return found._replace(unknown=found.unknown - self.unknown)


def _sides(cell: MatchedCell) -> Iterator[tuple[Slot, _Side]]:
    for slot, sums in cell.sums.items():
        yield slot, _Side(sums, ())
    for slot, entries in cell.told.items():
        yield slot, _Side(_NOTHING_TOLD.sums, entries.keys())


def _values_of(place: Place, by: tuple[Dimension, ...]) -> Values:
    return tuple(place.value(dimension) for dimension in by)


def _split(cells: Mapping[Place, MatchedCell], by: tuple[Dimension, ...]) -> dict[Values, dict[Place, MatchedCell]]:
    found: dict[Values, dict[Place, MatchedCell]] = {}
    for place, cell in cells.items():
        found.setdefault(_values_of(place, by), {})[place] = cell
    return found


def _slots(cells: Mapping[Place, MatchedCell]) -> Iterator[tuple[Place, Slot]]:
    return ((place, slot) for place, cell in cells.items() for slot in (*cell.sums, *cell.told))


def _agreed_by_match(entries: Iterable[tuple[Match, Values]], size: int) -> dict[Match, Values]:
    """Return for each matched value the values of dimensions that all agree on who tell any."""
    told: dict[Match, list[Values]] = {}
    for match, values in entries:
        told.setdefault(match, []).append(values)
    return {match: _agreed(values, size) for match, values in told.items()}


def _group(place: Place, slot: Slot, by: tuple[Dimension, ...], agreed: Mapping[Match, Values]) -> Values:
    """Return the group that one side of a matched value belongs to: what it does not tell, others may agree on."""
    values = _values_of(place, by)
    common = agreed.get(slot.match)
    return values if common is None else _filled(values, common)


def _filled(values: Values, common: Values) -> Values:
    """Return values, and those that others agree on where there is none."""
    return tuple(mine or other for mine, other in zip(values, common, strict=True))


def _regrouped(
    cells: Mapping[Place, MatchedCell], by: tuple[Dimension, ...], agreed: Mapping[Match, Values]
) -> dict[Values, dict[Place, MatchedCell]]:
    """Return cells by group, each with what of it belongs there."""
    if not agreed:
        return _split(cells, by)
    found: dict[Values, dict[Place, MatchedCell]] = {}
    for place, cell in cells.items():
        for slot, sums in cell.sums.items():
            group = found.setdefault(_group(place, slot, by, agreed), {})
            group.setdefault(place, MatchedCell()).sums[slot] = sums
        for slot, entries in cell.told.items():
            group = found.setdefault(_group(place, slot, by, agreed), {})
            group.setdefault(place, MatchedCell()).told[slot] = entries
        if cell.unusable:
            own = found.setdefault(_values_of(place, by), {})
            own.setdefault(place, MatchedCell()).unusable = cell.unusable
    return found


def _told_apart(values: Values, above: Mapping[Values, Collection[Match]]) -> Collection[Match]:
    """Return what the numerator tells of several other groups, where a group is of what is not known.

    Nobody can say how much of the denominator is of which of them, and of this one it is not.
    """
    if None not in values:
        return ()
    others = {match for group, matches in above.items() if group != values for match in matches}
    return others - set(above.get(values, ()))


def _agreed(told: list[Values], size: int) -> Values:
    """Return the value of each dimension that all agree on who tell one; None where they do not."""
    found: list[str | None] = []
    for n in range(size):
        values = {values[n] for values in told} - {None}
        found.append(values.pop() if len(values) == 1 else None)
    return tuple(found)


def _stated(side: _Side | None) -> list[Stated]:
    return [] if side is None else [told for told in side.told if isinstance(told, Stated)]


def _latest(told: Iterable[Stated]) -> Stated:
    return max(told, key=lambda each: (each.at, each.event))


def _actual(side: _Side | None) -> Sums | None:
    """Return what a side tells as it stands: all values of cases, and of a carrier the latest; None: nothing."""
    if side is None:
        return None
    standing = [told for told in _stated(side) if told.until is None]
    carried = [told for told in standing if told.carried]
    found = Sums(told.money for told in standing if not told.carried)
    found.merge(side.sums)
    if carried:
        found.add(_latest(carried).money)
    return found if found.records else None


def _closed(side: _Side | None) -> Closed | None:
    found = [] if side is None else [told for told in side.told if isinstance(told, Closed)]
    return min(found, default=None)


def _ended(cell: MatchedCell) -> Iterator[Sums]:
    return (sums for slot, sums in cell.sums.items() if slot.part is Part.ENDED)


def _converted(sums: Sums, moment: Moment) -> Converted:
    """Return a sum in the reporting currency; a plain number stays what it is."""
    if sums.parts.keys() <= {PLAIN}:
        number = sums.parts[PLAIN].amount if sums.parts else Decimal(0)
        return Converted(number, PLAIN, sums.records - sums.unknown, sums.unknown, ())
    return convert(sums, moment.rates, moment.today)
