"""Publishing: the figures of days and months that are over, and each that takes the place of one, append-only.

What began on a day goes on to end, so a figure of a day changes by itself for a while. Of a lag what is published is
what was known at an instant, and it is read as of that instant ever after; other kinds are published once nothing of
the day is open. So what changes a published figure is late data, a correction, what people said, another definition or
rate. What has been open for too long is waited for no longer: such a figure says so, and changes as that goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from kpis.ask import TIMELESS, Asker, Every, NoCells, Question, Window, month_after
from kpis.catalogue import Catalogue
from kpis.declaration import Declaration, Kind
from kpis.figures import figure_of
from kpis.keep import LATE_DATA, WENT_ON
from kpis.reading import Moment
from kpis.store import APART, KpiWriter, PublishedRow, transaction
from kpis.terms import told_as_of, told_as_text

PUBLISHED = "published"
OPEN = "some of it open"  # told beside why a figure was published
STOOD = "stood"
SETTLES = {
    Kind.LAG: 7,
    Kind.SHARE: 7,
    Kind.ATTEMPTS: 1,
    Kind.COUNT: 1,
    Kind.SUM: 1,
    Kind.RATIO: 7,
    Kind.VARIANCE: 7,
    Kind.BALANCE: 7,
}
"""After how many days a day is published, by kind."""

LONGEST_WAIT = 60  # days from the first one on, until a share is published though some of it is open
LOOKED_BACK = 400  # days
AT_ONCE = 200  # figures of one piece of work


class Publisher:
    """Publishes what has become mature, and restates what has changed since."""

    def __init__(self, store: KpiWriter, asker: Asker, catalogue: Catalogue) -> None:
        self._store = store
        self._asker = asker
        self._catalogue = catalogue

    def publish(self, moment: Moment) -> bool:
        """Publish and restate some figures; return whether there may be more. While all cases are looked at: none."""
        if self._store.walked() is not None:
            return False
        with transaction(self._store):
            restated = self._restate(moment)
            left = AT_ONCE
            for declaration in self._catalogue.kpis.values():
                for every, first in self._due(declaration, moment.today):
                    if left and self._publish_one(declaration, every, first, moment):
                        left -= 1
        return restated or not left

    def _due(self, declaration: Declaration, today: date) -> Iterator[tuple[Every, date]]:
        """Yield the days and months that could be published and are not."""
        kind = declaration.formula.kind
        if kind in TIMELESS:  # as it stands when a day begins: nothing tells later how it stood
            here = today.toordinal()
            if not self._store.standing_published(declaration.name, Every.DAY, here, here):
                yield Every.DAY, today
        elif kind in SETTLES:
            begun = self._begun(declaration)
            for every in (Every.DAY, Every.MONTH) if begun is not None else ():
                yield from self._ended(
                    declaration, every, max(begun or today, today - timedelta(days=LOOKED_BACK)), today
                )

    def _begun(self, declaration: Declaration) -> date | None:
        """Return the first day of which anything is known."""
        try:
            _, version = self._asker.declared(declaration.name)
        except NoCells:
            return None
        return self._asker.begun(declaration, version)

    def _ended(self, declaration: Declaration, every: Every, begun: date, today: date) -> Iterator[tuple[Every, date]]:
        last = today - timedelta(days=SETTLES[declaration.formula.kind] + 1)
        there = self._store.standing_published(declaration.name, every, begun.toordinal() - 31, last.toordinal())
        first = begun if every is Every.DAY else begun.replace(day=1)
        while _window(every, first).last <= last:
            if first.toordinal() not in there:
                yield every, first
            first = _window(every, first).last + timedelta(days=1)

    def _publish_one(self, declaration: Declaration, every: Every, first: date, moment: Moment) -> bool:
        sampled = declaration.formula.kind in TIMELESS
        as_of = moment.now if declaration.formula.kind is Kind.LAG else None
        row = self._read(declaration, every, first, as_of, STOOD if sampled else PUBLISHED, moment)
        if row is None:
            return False
        self._store.publish(row)
        return True

    def _restate(self, moment: Moment) -> bool:
        """Read again what was published of days of which something changed."""
        until = moment.today.toordinal()
        touched = self._store.take_touched(until, AT_ONCE, _last_of_month)
        figures: dict[tuple[str, Every, date], list[str]] = {}  # a month once, however many of its days were touched
        for kpi, day, why in touched:
            figures.setdefault((kpi, Every.DAY, date.fromordinal(day)), []).append(why)
            figures.setdefault((kpi, Every.MONTH, date.fromordinal(day).replace(day=1)), []).append(why)
        for (kpi, every, first), whys in figures.items():
            declaration, here = self._catalogue.kpis.get(kpi), first.toordinal()
            former = self._store.standing_published(kpi, every, here, here).get(here)
            if declaration is not None and declaration.formula.kind in SETTLES and former is not None:
                self._restate_one(declaration, former, _why(former, whys), moment)
        return len(touched) >= AT_ONCE

    def _restate_one(self, declaration: Declaration, former: PublishedRow, why: str, moment: Moment) -> None:
        every, first = Every(former.every), date.fromordinal(former.day)
        window = _window(every, first)
        if self._store.is_thinned(declaration.name, window.first.toordinal(), window.last.toordinal()):
            return  # what it would be read of is fewer than what it was published of
        row = self._read(declaration, every, first, former.as_of, why, moment)
        if row is not None and _is_another(row, former):
            self._store.publish(row)

    def _read(
        self, declaration: Declaration, every: Every, first: date, as_of: int | None, why: str, moment: Moment
    ) -> PublishedRow | None:
        """Return a figure to be published; None: some of it is open still, or nothing is kept of the KPI."""
        window = None if declaration.formula.kind in TIMELESS else _window(every, first)
        try:
            answered = self._asker.ask(Question(declaration.name, window, as_of=as_of), moment)
        except NoCells:
            return None
        reading = answered.parts[0].readings[()]
        if declaration.formula.kind is Kind.SHARE and reading.beside.open:
            if first > moment.today - timedelta(days=LONGEST_WAIT):
                return None
            why = f"{why}{APART}{OPEN}"
        figure = figure_of(answered.declaration, reading)
        return PublishedRow(
            id=0,
            kpi=declaration.name,
            every=every,
            day=first.toordinal(),
            version=answered.version.version,
            at=moment.now,
            value=None if figure.value is None else str(figure.value),
            at_least=figure.at_least,
            records=reading.beside.began,
            as_of=as_of,
            why=why,
            told_as=told_as_text(answered.declaration, moment.rates.reporting_currency),
        )


def _why(former: PublishedRow, whys: Iterable[str]) -> str:
    """Return why a figure is restated, each reason once.

    That what was open went on is late data where the former figure was of nothing that was open: of a lag what ended
    since does not change it, and of a share there was nothing to end.
    """
    was_open = OPEN in former.why.split(APART)
    found = (each for why in whys for each in why.split(APART))
    return APART.join(dict.fromkeys(LATE_DATA if each == WENT_ON and not was_open else each for each in found))


def _is_another(now: PublishedRow, former: PublishedRow) -> bool:
    """Tell whether a figure is another one: so much of another currency is, where both currencies are known."""
    if (now.value, now.at_least) != (former.value, former.at_least):
        return True
    currencies = {told.currency for told in (told_as_of(now), told_as_of(former)) if told is not None}
    return now.value is not None and len(currencies - {None}) > 1


def _last_of_month(day: int) -> int:
    return month_after(date.fromordinal(day)).toordinal() - 1


def _window(every: Every, first: date) -> Window:
    if every is Every.DAY:
        return Window(first, first)
    return Window(first, month_after(first) - timedelta(days=1))
