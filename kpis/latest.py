"""The readings of now: of every KPI, as lists and metrics show them, made now and then and kept beside the cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import msgspec

from kpis.ask import TIMELESS, Answered, Asker, NoCells, NotTold, Question, Window
from kpis.catalogue import Catalogue
from kpis.clock import Counting
from kpis.declaration import Declaration, Dimension
from kpis.documents import (
    ComparedDocument,
    FigureDocument,
    LatestDocument,
    figure_document,
    kpi_document,
    published_document,
    reading_documents,
)
from kpis.families import SPLIT
from kpis.reading import Moment, Reading
from kpis.stretch import MONTH, PERIOD
from throughline.core.estate import Estate
from throughline.core.instants import format_instant

DAYS = 30
"""How many days up to today a reading of now is of, unless it is of what stands."""
PERIODS_DAYS = 92
"""As many of what is told of whole months or periods: a month counts on its first day, and is told once it is over."""
_OF_PERIODS = frozenset({MONTH, PERIOD})

_OF_NONE = frozenset({Dimension.FLOW, Dimension.CUTOFF})
"""Those of which None means that there is none: of the others, that nobody says which."""


class Current(NamedTuple):
    """A reading of now; ``values``: of one value of one dimension, empty: of all. A cut-off is told by its name.

    ``days``: of how many days up to today; None: of what stands.
    """

    kpi: Declaration
    values: Mapping[Dimension, str | None]
    reading: Reading
    days: int | None


class Latest:
    """Makes the readings of now."""

    def __init__(self, asker: Asker, catalogue: Catalogue, estate: Estate) -> None:
        self._asker = asker
        self._catalogue = catalogue
        self._estate = estate

    def current(self, moment: Moment) -> list[Current]:
        """Return the readings that metrics show."""
        moment = replace(moment, names_cutoffs=True)  # a label must be closed, and each next one is another
        return [each for name in self._catalogue.kpis for each in self._current(self._catalogue.kpis[name], moment)]

    def _current(self, declaration: Declaration, moment: Moment) -> list[Current]:
        found: list[Current] = []
        days = days_of_now(declaration)
        for by in ((), *((each,) for each in SPLIT if each in declaration.dimensions)):
            question = Question(declaration.name, window_of_now(declaration, moment), by=by)
            try:
                answered = self._asker.ask(question, moment)
            except NoCells:
                return []
            except NotTold:  # the version that answers so far is not told by it
                continue
            (part,) = answered.parts
            found += (
                Current(answered.declaration, dict(zip(by, values, strict=True)), reading, days)
                for values, reading in part.readings.items()
                if None not in values or not _OF_NONE.intersection(by)
            )
        return found

    def documents(self, moment: Moment) -> dict[str, bytes]:
        """Return every KPI with its reading of now, as it is shown, by id."""
        found = {name: self._document(each, moment) for name, each in self._catalogue.kpis.items()}
        return {name: msgspec.json.encode(document) for name, document in found.items()}

    def _document(self, declaration: Declaration, moment: Moment) -> LatestDocument:
        currency, at = moment.rates.reporting_currency, format_instant(moment.now)
        window = window_of_now(declaration, moment)
        try:
            answered = self._asker.ask(Question(declaration.name, window), moment)
        except NoCells:
            return LatestDocument(kpi_document(declaration, self._counting(declaration)), None, None, None)
        declaration, (part,) = answered.declaration, answered.parts
        counting = self._counting(declaration)
        shown = kpi_document(declaration, counting)
        (reading,) = reading_documents(declaration, counting, part, (), currency)
        if window is None:
            compared = self._compared(answered, reading.figure, moment, currency)
        else:
            earlier = Window(*(each - timedelta(days=DAYS) for each in window))  # windows of periods overlap
            now, before = (
                figure_document(declaration, counting, self._stood(declaration, each, moment), currency)
                for each in (window, earlier)
            )
            compared = ComparedDocument(now, before, earlier.first.isoformat(), earlier.last.isoformat())
        return LatestDocument(shown, at, reading, compared)

    def _compared(
        self, answered: Answered, now: FigureDocument, moment: Moment, currency: str
    ) -> ComparedDocument | None:
        """Return what stands beside how it stood when a day began, as long ago as windows are compared."""
        day = moment.today - timedelta(days=DAYS)
        row, declaration = self._asker.stood(answered.version, day), answered.declaration
        if row is None:
            return None
        before = published_document(declaration, self._counting(declaration), row, currency)
        return ComparedDocument(now, before, day.isoformat(), day.isoformat())

    def _stood(self, declaration: Declaration, window: Window, moment: Moment) -> Reading:
        """Return a reading as it stood when its last day was as far as today is now."""
        as_of = moment.now - (moment.today - window.last) // timedelta(microseconds=1)
        (part,) = self._asker.ask(Question(declaration.name, window, as_of=as_of), moment).parts
        return part.readings[()]

    def _counting(self, declaration: Declaration) -> Counting:
        return Counting(declaration.clock, self._estate.calendars)


def days_of_now(declaration: Declaration) -> int | None:
    """Return of how many days up to today a reading of now is; None: it is of what stands."""
    if declaration.formula.kind in TIMELESS:
        return None
    return PERIODS_DAYS if _OF_PERIODS.intersection(declaration.formula.match) else DAYS


def window_of_now(declaration: Declaration, moment: Moment) -> Window | None:
    """Return the days that a reading of now is of; None: it is of what stands."""
    days = days_of_now(declaration)
    return None if days is None else Window(moment.today - timedelta(days=days - 1), moment.today)
