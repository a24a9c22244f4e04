"""Asking for readings: from a question to the cells that answer it, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from kpis.catalogue import Catalogue
from kpis.cell import STANDING, Cell, Place, Summing
from kpis.clock import Counting
from kpis.codec import decode_cell, decode_matched
from kpis.contribution import NO_DAY
from kpis.declaration import MATCHED, Declaration, Dimension, Formula, Kind
from kpis.observation import LeftOut
from kpis.reading import NO_DATA, Asked, Moment, Reader, Reading, beside_of, readings
from kpis.reading_matched import Days, matched_readings
from kpis.spot import AT_READING, Grain, grain_for
from kpis.store import KpiReader, PublishedRow, VersionRow
from kpis.terms import told_by
from throughline.core.calendar import local_instant
from throughline.core.estate import Estate

TIMELESS = STANDING | {Kind.AGE, Kind.GAUGE}
"""Kinds whose readings are of the moment, and of no window."""

_NOTHING_IS_KNOWN = frozenset({Kind.SUM, Kind.COUNT, Kind.BALANCE})
"""Kinds that tell of a window in which nothing happened that it was nothing: where anything was known at all."""


class Every(StrEnum):
    """Into which windows a longer one is parted; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Window(NamedTuple):
    """Days from the first to the last, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a KPI. ``window`` None: of a kind that has none. ``only``: the values that count.

    ``as_of``: of a lag, what is known of it at an instant instead of now. ``equal_maturity``: each window is read as it
    stood as long after its end as the last one is old by now, so that windows compare.
    """

    kpi: str
    window: Window | None = None
    every: Every | None = None
    by: tuple[Dimension, ...] = ()
    only: Mapping[Dimension, str | None] = field(default_factory=dict[Dimension, str | None])
    as_of: int | None = None
    equal_maturity: bool = False


class Part(NamedTuple):
    """The readings of one window, by the values of the dimensions asked for.

    ``as_of``: of a lag, the instant as of which it is read; None: that of the question.
    """

    window: Window | None
    readings: dict[tuple[str | None, ...], Reading]
    as_of: int | None


class Answered(NamedTuple):
    """The answer to a question. ``version``: which one answers; ``complete``: it has looked at every case.

    ``declaration``: the KPI as that version tells it. ``looked_at``, ``left_out``: of all cases, how many the KPI
    concerns, and how many count for nothing and why.
    """

    declaration: Declaration
    version: VersionRow
    parts: list[Part]
    looked_at: int
    left_out: dict[LeftOut, int]


class NotTold(ValueError):
    """No cells tell dimensions apart that a question asks for together."""


class NoCells(LookupError):
    """Nothing is kept of a KPI: it has no source yet, or no version of it was looked at so far."""


class Asker:
    """Answers questions from the store of KPIs."""

    def __init__(self, store: KpiReader, catalogue: Catalogue, estate: Estate) -> None:
        self._store = store
        self._catalogue = catalogue
        self._estate = estate

    def ask(self, question: Question, moment: Moment) -> Answered:
        """Return the answer to a question; raises NotTold and NoCells."""
        gauge = moment.gauges.get(question.kpi)
        if gauge is not None:
            return self._gauge(question, gauge)
        declaration, version = self.declared(question.kpi)
        tally = self._store.tally(version.number)
        looked_at = tally.pop("", 0)
        begun = self.begun(declaration, version) if declaration.formula.kind in _NOTHING_IS_KNOWN else None
        if declaration.formula.kind in MATCHED:
            parts = self._matched(question, declaration, version, looked_at, begun, moment)
            return Answered(declaration, version, parts, looked_at, _left_out(tally))
        cells = self.cells(question, declaration, version, moment)
        reader = self.reader(declaration, moment)
        parted = _parted(question, grain_of(question, declaration), cells)
        last = parted[-1][0]
        parts = [
            _part(
                reader,
                question,
                window,
                some,
                Asked(
                    _looked_at(looked_at, window, begun, moment),
                    hours=None if window is None else reader.hours(*window, begun),
                    category=question.only.get(Dimension.CATEGORY),
                    ageing=question.only.get(Dimension.AGEING),
                    as_of=self._as_of(question, window, last, moment),
                ),
            )
            for window, some in parted
        ]
        return Answered(declaration, version, parts, looked_at, _left_out(tally))

    def declared(self, kpi: str) -> tuple[Declaration, VersionRow]:
        """Return the newest version of a KPI that answers, with the KPI as that tells it; where none does, the newest.

        A version of another kind answers nothing that is asked of it now. Raises NoCells.
        """
        declaration = self._catalogue.kpis.get(kpi)
        if declaration is None:
            raise NoCells(kpi)
        told = [(told_by(row, declaration), row) for row in self._store.versions() if row.kpi == kpi]
        alike = [each for each in told if each[0].formula.kind is declaration.formula.kind]
        if not alike:
            raise NoCells(kpi)
        return max(alike, key=lambda each: (each[1].complete, each[1].number))

    def stood(self, version: VersionRow, day: date) -> PublishedRow | None:
        """Return how what stands stood when a day began, as a version published it; None: it did not."""
        here = day.toordinal()
        row = self._store.standing_published(version.kpi, Every.DAY, here, here).get(here)
        return row if row is not None and row.version == version.version else None

    def begun(self, declaration: Declaration, version: VersionRow) -> date | None:
        """Return the first day of which anything is known that a KPI could count; None: nothing is.

        What is left of a contract belongs to no day, so of a balance it is that of any KPI, as where nothing was
        counted yet. The days of a variance are those of its periods, which may lie long before anybody watched.
        """
        kind, days = declaration.formula.kind, [self._first_day(version)]
        if kind is Kind.COUNT:
            days.append(self._waited_since(declaration.formula))
        own = min((day for day in days if day is not None), default=None)
        if own is not None and kind is not Kind.BALANCE:
            return own
        kinds = {name: each.formula.kind for name, each in self._catalogue.kpis.items()}
        rows = (row for row in self._store.versions() if kinds.get(row.kpi, Kind.VARIANCE) is not Kind.VARIANCE)
        return min((day for day in map(self._first_day, rows) if day is not None), default=None)

    def _waited_since(self, count: Formula) -> date | None:
        """Return the first day on which something was watched that a count could have counted; None: nobody knows.

        Some KPI knows then of work that was to come to it. However old that is, as it may be told late or when watching
        begins, it is no earlier than the day from which the firm says that all is sent, else that of the first figure.
        """
        since = self._estate.firm.watched_since or self._store.first_published()
        kpis = {name for name, each in self._catalogue.kpis.items() if _awaits(each.formula, count)}
        days = (self._first_day(row) for row in self._store.versions() if row.kpi in kpis)
        first = min((day for day in days if day is not None), default=None)
        if since is None or first is None:
            return None
        return max(first, self._estate.calendars.day_of(since, None))

    def _first_day(self, version: VersionRow) -> date | None:
        """Return the first day that has a cell of a version."""
        first = self._store.first_day(version.number)
        return None if first is None else date.fromordinal(first)

    def reader(self, declaration: Declaration, moment: Moment) -> Reader:
        """Return what reads the cells of a KPI at a moment."""
        counting = Counting(declaration.clock, self._estate.calendars)
        return Reader(declaration, counting, Summing(declaration, counting, self._estate.calendars), moment)

    def cells(
        self, question: Question, declaration: Declaration, version: VersionRow, moment: Moment
    ) -> dict[Place, Cell]:
        """Return the cells that answer a question at a moment."""
        grain, store, number = grain_of(question, declaration), self._store, version.number
        if declaration.formula.kind in STANDING:
            found = _decoded(store.standing_cells(number, grain))
            if {
                *question.by
            } - AT_READING:  # where nothing stands, though there was something to stand, there is none: that is known
                known = {place.values for place in found}
                found |= {place: Cell() for place in store.places(number, grain) if place.values not in known}
        elif declaration.formula.kind is Kind.AGE:
            found = _decoded(store.newest_cells(number, grain))
        else:
            window = widened(question.window, grain) if question.window is not None else None
            first, last = (None, None) if window is None else (each.toordinal() for each in window)
            found = _decoded(store.cells(number, grain, first, last))
        return {place: cell for place, cell in found.items() if _is_among(question, place, moment)}

    def _gauge(self, question: Question, reading: Reading) -> Answered:
        """Return what lineage keeps by itself: it is of now, and told by nothing."""
        declaration = self._catalogue.kpis[question.kpi]
        grain_of(question, declaration)
        version = VersionRow(0, question.kpi, declaration.version, "", 0, complete=True)
        return Answered(declaration, version, [Part(None, {(): reading}, None)], reading.beside.began, {})

    def _matched(
        self,
        question: Question,
        declaration: Declaration,
        version: VersionRow,
        looked_at: int,
        begun: date | None,
        moment: Moment,
    ) -> list[Part]:
        """Return the readings of a KPI that compares across cases, by windows: its cells are of days, or of none."""
        grain_of(question, declaration)
        window = question.window
        assert window is not None  # no such kind is timeless
        first, last = (each.toordinal() for each in window)
        found = self._store.cells(version.number, Grain.DAY, first, last)
        found |= self._store.cells(version.number, Grain.DAY, NO_DAY.toordinal(), NO_DAY.toordinal())
        cells = {place: decode_matched(content) for place, content in found.items()}
        by = tuple(dict.fromkeys((*question.by, *question.only)))
        parts: list[Part] = []
        for each in windows_in(window, question.every):
            known = _looked_at(looked_at, each, begun, moment)
            made = matched_readings(declaration, self._estate.calendars, moment, cells, Days(*each), by, known)
            wanted = [question.only.get(dimension, _ANY) for dimension in by]
            kept = {
                values[: len(question.by)]: reading
                for values, reading in made.items()
                if all(want in (_ANY, value) for want, value in zip(wanted, values, strict=True))
            }
            if not kept and not question.by:  # nothing is told of what was asked for
                kept[()] = Reading(None, NO_DATA, beside_of({}))
            parts.append(Part(each, kept, None))
        return parts

    def _as_of(self, question: Question, window: Window | None, last: Window | None, moment: Moment) -> int | None:
        if question.as_of is not None or not question.equal_maturity or window is None or last is None:
            return question.as_of
        return self._end(window) + moment.now - self._end(last)

    def _end(self, window: Window) -> int:
        return local_instant(self._estate.calendars.region(None).zone, window.last + timedelta(days=1), 0)


_ANY = "\0"  # no value of a dimension


def _part(reader: Reader, question: Question, window: Window | None, cells: dict[Place, Cell], asked: Asked) -> Part:
    return Part(window, readings(reader, cells, question.by, asked), asked.as_of)


def _looked_at(cases: int, window: Window | None, begun: date | None, moment: Moment) -> int:
    """Return how many cases would show what is asked of a window; before anything was known, and of days to come, none.

    ``begun`` None: of a kind that does not ask.
    """
    if window is None or begun is None:
        return cases
    return cases if begun <= window.last and window.first <= moment.today else 0


def _awaits(waits: Formula, count: Formula) -> bool:
    """Tell whether what a KPI of waits knows of is work that was to come to what another one counts."""
    if waits.kind not in (Kind.LAG, Kind.SHARE):
        return False
    if waits.per_flow or count.per_flow:
        return waits.per_flow and count.per_flow
    processes = {span.process for span in count.of}
    return all(span.process in processes and span.from_field is None for span in waits.of)


def _decoded(cells: Mapping[Place, bytes]) -> dict[Place, Cell]:
    return {place: decode_cell(content) for place, content in cells.items()}


def _left_out(tally: Mapping[str, int]) -> dict[LeftOut, int]:
    return {LeftOut(label): count for label, count in sorted(tally.items())}


def grain_of(question: Question, declaration: Declaration) -> Grain:
    """Return the cells that tell apart what a question asks for; raises NotTold."""
    asked = frozenset({*question.by, *question.only})
    unknown = sorted(asked - {*declaration.dimensions})
    if unknown:
        wanted = ", ".join(declaration.dimensions) or "no dimension at all"
        raise NotTold(f"seen {', '.join(unknown)}, wanted {wanted}: those are what {declaration.name} is told by")
    if declaration.formula.kind in MATCHED:
        return Grain.DAY  # its cells tell apart whatever it declares
    grain = grain_for(asked)
    if grain is None:
        apart = ", ".join(sorted(asked))
        raise NotTold(
            f"seen {apart} together: with the customer, only process, system, region and legal_entity are told apart"
        )
    if grain is Grain.MONTH and question.every in (Every.DAY, Every.WEEK):
        raise NotTold(f"seen every {question.every} with the customer, of whom there are figures by month")
    return grain


def holds(question: Question, place: Place, moment: Moment) -> bool:
    """Tell whether a place has the values that count, of those that cells tell apart."""
    return all(
        moment.value(place, dimension) == value
        for dimension, value in question.only.items()
        if dimension not in AT_READING
    )


def _is_among(question: Question, place: Place, moment: Moment) -> bool:
    """Tell whether a figure counts a place: of one category all attempts, as that is told as a share of them."""
    return all(
        moment.value(place, dimension) == value
        for dimension, value in question.only.items()
        if dimension is not Dimension.CATEGORY and dimension not in AT_READING
    )


def widened(window: Window, grain: Grain) -> Window:
    """Return a window from the beginning of its first cell to the end of its last one."""
    if grain is Grain.DAY:
        return window
    return Window(grain.begins(window.first), month_after(window.last) - timedelta(days=1))


def windows_in(window: Window, every: Every | None) -> list[Window]:
    """Return the windows that a longer one is parted into; the first and the last may be shorter."""
    if every is None:
        return [window]
    found: list[Window] = []
    first = window.first
    while first <= window.last:
        after = _next(first, every)
        found.append(Window(first, min(after - timedelta(days=1), window.last)))
        first = after
    return found


def _next(day: date, every: Every) -> date:
    match every:
        case Every.DAY:
            return day + timedelta(days=1)
        case Every.WEEK:
            return day + timedelta(days=7 - day.weekday())
        case Every.MONTH:
            return month_after(day)


def month_after(day: date) -> date:
    """Return the first day of the month after that of a day."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _parted(
    question: Question, grain: Grain, cells: dict[Place, Cell]
) -> list[tuple[Window | None, dict[Place, Cell]]]:
    if question.window is None:
        return [(None, cells)]
    windows = windows_in(widened(question.window, grain), question.every)
    found: dict[Window, dict[Place, Cell]] = {window: {} for window in windows}
    at = 0
    for place in sorted(cells, key=lambda each: each.day):
        while windows[at].last < place.day:
            at += 1
        found[windows[at]][place] = cells[place]
    return list(found.items())
