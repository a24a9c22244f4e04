"""The routes of KPIs: the catalogue with readings of now, readings, what is behind a figure, and what was published.

That of the backfill takes a body: it is in throughline/api/backfill.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from starlette.responses import Response

from kpis.ageing import Ageing
from kpis.ask import TIMELESS, Asker, Every, NoCells, NotTold, Question, Window
from kpis.backfill import order_backfill, ordered_backfill
from kpis.behind import SHARES, Behind, Finder, TooMany, Wanted
from kpis.catalogue import Catalogue
from kpis.cell import Verdict
from kpis.clock import Counting
from kpis.contribution import NO_DAY
from kpis.declaration import Declaration, Dimension, Kind
from kpis.defined import DefinedDocument, defined, definition_document
from kpis.documents import (
    KpiList,
    LatestDocument,
    ReadingsDocument,
    kpi_document,
    readings_document,
    text_of,
)
from kpis.figures import region_of
from kpis.latency import LatencyPart, Split, Unsplit
from kpis.latest import window_of_now
from kpis.look import last_case
from kpis.observation import Ending
from kpis.published import (
    PublishedAsked,
    PublishedList,
    RestatementList,
    RestatementsAsked,
    published_page,
    restated_page,
)
from kpis.reading import Moment
from kpis.risk import Assessor, NoDeadline, Risk
from kpis.scratch import moment_of
from kpis.signal_pages import Signals, Stage
from kpis.signal_pages import Wanted as SignalsWanted
from kpis.store import KpiReader, open_kpi_reader
from kpis.values import Values
from lineage.changes import position_of
from lineage.places import Place
from lineage.read import CaseReader, Snapshot
from lineage.readers import ANSWER_SECONDS, Readers
from lineage.sight import Heard, unheard_sources
from throughline.core.case_reference import CaseReference
from throughline.core.cursor import read_cursor, write_cursor
from throughline.core.errors import StoreUnavailable
from throughline.core.estate import Estate
from throughline.core.faults import show
from throughline.core.instants import MICROSECONDS, format_instant
from throughline.core.key import Key
from throughline.core.problem import Problem, ProblemKind
from throughline.core.signal import Signal, SignalKind

MOST_CASES = 1_000
MOST_READINGS = 10_000
MOST_DAYS = 3_700
UNKNOWN = ""  # how the value of a dimension is asked for that nobody knows


class BehindDocument(msgspec.Struct, frozen=True):
    """One thing that a case contributes to a figure: ``part`` tells it apart from others of the same case.

    ``seconds``: how long it took by the KPI's clock, or has taken up to now; a day of its region has ``day_seconds``.
    ``amount`` and ``hours``: null where they are not known. ``counts_as``: what it counts as in a share by now.
    ``times``: how many alike attempts it stands for. ``parts``: of a latency that is over the seconds of each part,
    null where spans do not tell, for the reason ``not_split``.
    """

    case: CaseReference
    part: str
    day: str | None
    ending: Ending
    word: str | None
    began: str | None
    ended: str | None
    due: str | None
    seconds: int | None
    day_seconds: int
    hit: bool | None
    counts_as: Verdict | None
    times: int
    amount: str | None
    currency: str | None
    hours: str | None
    dimensions: dict[str, str | None]
    parts: dict[LatencyPart, float] | None
    not_split: str | None


class BehindList(msgspec.Struct, frozen=True):
    """A page of what is behind a figure, what weighs most first. ``total``: how much there is on all pages.

    ``times``: how many attempts that are; of other figures as many as ``total``. ``no_longer_kept``: how many more are
    in the figure, of whatever ending and age, whose cases have left: they cannot be listed.
    """

    kpi: str
    cases: list[BehindDocument]
    total: int
    times: int
    next: str | None
    no_longer_kept: int


class RiskDocument(msgspec.Struct, frozen=True):
    """An open wait. ``chance``: that it is still open when it is due, learnt of so many like it.

    Null: too little like it was seen. ``due_passed``: it is due already, and its sources have not told so far;
    ``told_until``: up to when they have then, null: they never have. What they have not told yet may have ended it.
    """

    case: CaseReference
    part: str
    began: str | None
    due: str | None
    due_passed: bool
    told_until: str | None
    chance: float | None
    learnt_from: int | None
    amount: str | None
    currency: str | None
    dimensions: dict[str, str | None]


class BinDocument(msgspec.Struct, frozen=True):
    """Of what began lately and was decided, what had a chance between ``from`` and ``to`` (shares) at its beginning.

    ``said``: the mean of these chances; ``missed``: the share that missed, between ``low`` and ``high`` at 95 %.
    """

    from_: float = msgspec.field(name="from")
    to: float
    count: int
    said: float
    missed: float
    low: float
    high: float


class RiskList(msgspec.Struct, frozen=True):
    """A page of open waits that are not due yet, those most likely to miss their deadline first.

    ``missed``: how many are open beyond it. ``calibration``: how good such chances were.
    """

    kpi: str
    at_risk: list[RiskDocument]
    total: int
    missed: int
    calibration: list[BinDocument]
    next: str | None


class SignalList(msgspec.Struct, frozen=True):
    """A page of signals: readings by KPI, then chances, KPI by KPI, those most likely to miss their deadline first.

    A page of chances is of one KPI, and may be short or empty with others to follow. ``not_whole``: the KPIs of whose
    open work only the latest was looked at, as there is too much of it.
    """

    signals: list[Signal]
    not_whole: list[str]
    next: str | None


class BackfillDocument(msgspec.Struct, frozen=True):
    """That every case is looked at anew; until it is done, figures are of those that were."""

    ordered: bool


DOCUMENTS = (
    KpiList,
    LatestDocument,
    DefinedDocument,
    ReadingsDocument,
    BehindList,
    RiskList,
    PublishedList,
    RestatementList,
    SignalList,
    BackfillDocument,
)

Text = Annotated[str, Field(max_length=1024)]


class NothingAsked(BaseModel):
    """What takes no parameters."""

    model_config = ConfigDict(extra="forbid")


class FigureAsked(BaseModel):
    """Which figure: of which days, and of which values of dimensions; an empty value: where it is not known."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    first: date | None = Field(
        None, alias="from", description="The first day; 30 days up to `to` where it is left out."
    )
    last: date | None = Field(None, alias="to", description="The last day, included; today where it is left out.")
    process: Text | None = None
    flow: Text | None = None
    system: Text | None = None
    instance: Text | None = None
    region: Text | None = None
    legal_entity: Text | None = None
    practice: Text | None = None
    customer: Text | None = None
    category: Text | None = Field(None, description="Of attempts: those that failed for it, as a share of all.")
    owner: Text | None = None
    ageing: Ageing | None = Field(None, description="Of what stands: only of this class of ages.")
    cutoff: Text | None = Field(None, description="Of what stands: only what misses this cut-off, as readings tell it.")


class ReadingsAsked(FigureAsked):
    """Which readings."""

    by: list[Dimension] = Field([], description="Dimensions by whose values to tell readings apart.")
    every: Every | None = Field(None, description="A reading for each day, week or month, for a trend.")
    equal_maturity: bool = Field(False, description="Of lags: each window as it stood as long after its end.")
    curve: bool = Field(False, description="Of lags: with the curve of how many were done by which age.")


class BehindAsked(FigureAsked):
    """What is behind which figure, or behind one bar of its distribution."""

    ending: list[Ending] = Field([], description="Only what ended so; several: any of these.")
    at_least: int | None = Field(None, ge=0, description="Only what took at least so many seconds.")
    below: int | None = Field(None, ge=0, description="Only what took fewer seconds.")
    counts_as: list[Verdict] = Field(
        [],
        description="Of a share: only what counts as a hit (in the numerator), as a miss, as neither, or is pending.",
    )
    limit: int = Field(100, ge=1, le=MOST_CASES)
    cursor: str | None = Field(None, description="The `next` of the page before.")

    @field_validator("below")
    @classmethod
    def _leaves_some(cls, below: int | None, asked: ValidationInfo) -> int | None:
        """Refuse bounds between which no length lies."""
        at_least = asked.data.get("at_least")
        if below is not None and at_least is not None and below <= at_least:
            raise ValueError(f"seen {below} with at_least {at_least}, wanted more than at_least")
        return below


class RiskAsked(BaseModel):
    """Which open work to tell the chances of."""

    model_config = ConfigDict(extra="forbid")

    process: Text | None = None
    flow: Text | None = None
    region: Text | None = None
    legal_entity: Text | None = None
    limit: int = Field(100, ge=1, le=MOST_CASES)
    cursor: str | None = Field(None, description="The `next` of the page before.")


class SignalsAsked(BaseModel):
    """Which signals."""

    model_config = ConfigDict(extra="forbid")

    kind: list[SignalKind] = Field([], description="`reading` or `risk`; both where it is left out.")
    name: list[Text] = Field([], description="Of this KPI only; several: of these.")
    by: list[Dimension] = Field([], description="Readings apart by these; only of KPIs that are told by all of them.")
    limit: int = Field(100, ge=1, le=MOST_CASES)
    cursor: str | None = Field(None, description="The `next` of the page before.")


class KpiDesk:
    """What the routes stand on: the catalogue, the store of KPIs at a place, and the cases. Closing is safe twice."""

    def __init__(
        self,
        place: Place,
        catalogue: Catalogue,
        estate: Estate,
        cases: CaseReader,
        waits: Callable[[], str | None] = lambda: None,
    ) -> None:
        """``waits`` tells why the part that keeps KPIs waits; None: it does not."""
        self.catalogue = catalogue
        self.cases = cases
        self._place = place
        self._estate = estate
        self._waits = waits
        self._readers = Readers(place, lambda: open_kpi_reader(place, ANSWER_SECONDS).connection)

    @contextmanager
    def open(self) -> Generator[KpiReader]:
        """Open the store of KPIs, in one state of it; raises StoreUnavailable."""
        try:
            with self._readers.reading() as connection:
                yield KpiReader(connection)
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(f"{self._place}: {error}: ask again") from error

    def close(self) -> None:
        self._readers.close()

    def listed(self) -> KpiList:
        """Return every KPI with its reading of now; before there is any, as it is declared."""
        with self.open() as store, self.cases.snapshot() as snapshot:
            made = {name: _latest(content) for name, content in store.latest().items()}
            position = store.position()
            behind = None if position is None else max(0, position_of(snapshot.store).seq - position.seq)
            walked = 0.0 if ordered_backfill(self._place, store) is not None else _part_walked(store, snapshot)
            heard = {source: Heard(*marks) for source, marks in snapshot.store.watermarks().items()}
            unheard = unheard_sources(self._estate.sources, heard, snapshot.now)
        kpis = [
            made.get(name) or LatestDocument(kpi_document(each, self._counting(each)), None, None, None)
            for name, each in self.catalogue.kpis.items()
        ]
        left_out = {name: [str(fault) for fault in faults] for name, faults in self.catalogue.left_out.items()}
        return KpiList(kpis, left_out, behind, walked is not None, walked, unheard, self._waits())

    def one(self, kpi: str) -> DefinedDocument:
        """Return one KPI with what it is and its reading of now."""
        declaration = self.declared(kpi)
        with self.open() as store:
            content = store.latest().get(kpi)
        if content is None:
            latest = LatestDocument(kpi_document(declaration, self._counting(declaration)), None, None, None)
        else:
            latest = _latest(content)
        return defined(latest, definition_document(declaration, self.cases.definitions, self._estate))

    def readings(self, kpi: str, asked: ReadingsAsked) -> ReadingsDocument:
        """Return the readings that were asked for."""
        declaration = self.declared(kpi)
        _refuse_unfit(declaration, asked)
        with self.open() as store, self.cases.snapshot() as snapshot:
            moment = moment_of(snapshot, self._estate, [declaration])
            by = tuple(dict.fromkeys(asked.by))
            question = Question(
                kpi,
                _window(declaration, asked, moment),
                asked.every,
                by,
                self._only(declaration, asked, store, moment.now),
                equal_maturity=asked.equal_maturity,
            )
            with _named(declaration):
                answered = Asker(store, self.catalogue, self._estate).ask(question, moment)
        if sum(len(part.readings) for part in answered.parts) > MOST_READINGS:
            raise Problem(
                ProblemKind.INVALID, f"seen over {MOST_READINGS:,} readings: ask for fewer days or dimensions"
            )
        currency = moment.rates.reporting_currency
        return readings_document(
            self._counting(answered.declaration),
            answered,
            by,
            moment.now,
            currency,
            curves=asked.curve,
            whose=lambda values: region_of({**question.only, **values}, self._estate),
        )

    def behind(self, kpi: str, asked: BehindAsked) -> BehindList:
        """Return the cases behind a figure."""
        declaration = self.declared(kpi)
        (after,) = read_cursor(asked.cursor, tuple[int]) if asked.cursor else (0,)
        endings = frozenset(asked.ending) or frozenset(Ending)
        if asked.counts_as and declaration.formula.kind not in SHARES:
            raise Problem(ProblemKind.INVALID, f"seen counts_as, wanted none: {kpi} is no share of anything")
        with self.open() as store, self.cases.snapshot() as snapshot:
            moment = moment_of(snapshot, self._estate)
            question = Question(
                kpi, _window(declaration, asked, moment), only=self._only(declaration, asked, store, moment.now)
            )
            asker = Asker(store, self.catalogue, self._estate)
            finder = Finder(store, asker, self._estate)
            with _named(declaration):
                verdicts = frozenset(asked.counts_as) or None
                found = finder.find(question, Wanted(endings, asked.at_least, asked.below, verdicts), moment)
                gone = finder.no_longer_kept(question, moment)
                counting = self._counting(asker.declared(kpi)[0])
            page = [_behind(each, counting, snapshot) for each in found[after : after + asked.limit]]
        more = write_cursor((after + asked.limit,)) if after + asked.limit < len(found) else None
        return BehindList(kpi, page, len(found), sum(each.observation.times for each in found), more, gone)

    def at_risk(self, kpi: str, asked: RiskAsked) -> RiskList:
        """Return the open work of a KPI with the chance that it misses its deadline."""
        declaration = self.declared(kpi)
        (after,) = read_cursor(asked.cursor, tuple[int]) if asked.cursor else (0,)
        with self.open() as store, self.cases.snapshot() as snapshot:
            moment = moment_of(snapshot, self._estate)
            asker = Asker(store, self.catalogue, self._estate)
            with _named(declaration):
                only = self._only(declaration, asked, store, moment.now)
                found = Assessor(asker, Finder(store, asker, self._estate)).assess(kpi, only, moment)
            page = [_risk(each, snapshot) for each in found.open[after : after + asked.limit]]
        more = write_cursor((after + asked.limit,)) if after + asked.limit < len(found.open) else None
        bins = [
            BinDocument(each.low, each.high, each.waits, each.said, each.missed, *each.interval)
            for each in found.calibration
        ]
        return RiskList(kpi, page, len(found.open), found.missed, bins, more)

    def signals(self, asked: SignalsAsked) -> SignalList:
        """Return a page of signals of KPIs."""
        for name in asked.name:
            self.declared(name)
        begin = Stage(*read_cursor(asked.cursor, tuple[int, str, int])) if asked.cursor else None
        names, by = frozenset(asked.name) or None, tuple(dict.fromkeys(asked.by))
        wanted = SignalsWanted(frozenset(asked.kind) or frozenset(SignalKind), names, by)
        with self.open() as store, self.cases.snapshot() as snapshot:
            page = Signals(store, snapshot, self.catalogue, self._estate).page(wanted, begin, asked.limit)
        more = None if page.next is None else write_cursor(page.next)
        return SignalList(page.signals, page.not_whole, more)

    def published(self, kpi: str, asked: PublishedAsked) -> PublishedList:
        """Return the figures of a KPI as they were published."""
        self.declared(kpi)
        with self.open() as store:
            return published_page(kpi, store, asked, self._estate.calendars)

    def restatements(self, kpi: str, asked: RestatementsAsked) -> RestatementList:
        """Return the published figures of a KPI that others took the place of, and those."""
        self.declared(kpi)
        with self.open() as store:
            return restated_page(kpi, store, asked, self._estate.calendars)

    def backfill(self) -> BackfillDocument:
        """Have every case looked at anew."""
        order_backfill(self._place)
        return BackfillDocument(ordered=True)

    def declared(self, kpi: str) -> Declaration:
        """Return a KPI of the catalogue; raises Problem."""
        declaration = self.catalogue.kpis.get(kpi)
        if declaration is None:
            wanted = "the id of a KPI: `throughline kpis list` and /api/v1/kpis list them"
            raise Problem(ProblemKind.NOT_FOUND, f"seen {show(kpi)}, wanted {wanted}")
        return declaration

    def _counting(self, declaration: Declaration) -> Counting:
        return Counting(declaration.clock, self._estate.calendars)

    def _only(
        self, declaration: Declaration, asked: BaseModel, store: KpiReader, now: int
    ) -> dict[Dimension, str | None]:
        """Return the values asked for, by dimension; raises Problem where a KPI that is told by one cannot have it."""
        only, values = _only(asked), Values(self.cases.definitions, self._estate, store, now)
        faults = [
            {"in": "query", "parameter": each.value, "seen": show(value), "wanted": wanted}
            for each, value in only.items()
            if value is not None and each in declaration.dimensions
            if (wanted := values.wanted(each, value)) is not None
        ]
        if faults:
            first = faults[0]
            sentence = f"{first['parameter']}: seen {first['seen']}, wanted {first['wanted']}"
            raise Problem(ProblemKind.INVALID, sentence, faults=faults)
        return only


def routes(desk: KpiDesk) -> APIRouter:
    """Return the routes of KPIs."""
    router = APIRouter(prefix="/api/v1", tags=["kpis"])
    router.include_router(_routes(desk))

    @router.get("/signals", summary="Signals: what rules of alerts look at", **_answers(SignalList))
    def signals(asked: Annotated[SignalsAsked, Query()]) -> Response:
        """Readings of now against their targets, and the chances of open work to miss its deadline, with evidence."""
        return _answer(desk.signals(asked))

    return router


def _routes(desk: KpiDesk) -> APIRouter:
    router = APIRouter(prefix="/kpis")

    @router.get("", summary="Every KPI, with its reading of now", **_answers(KpiList))
    def kpis(_: Annotated[NothingAsked, Query()]) -> Response:
        """Readings of now are made every few seconds; a KPI without a source yet is listed with what it lacks."""
        return _answer(desk.listed())

    @router.get("/{kpi}", summary="One KPI, with its reading of now", **_answers(DefinedDocument))
    def kpi(kpi: str, _: Annotated[NothingAsked, Query()]) -> Response:
        """The declaration, what the KPI is in words and by steps, and the reading that lists show."""
        return _answer(desk.one(kpi))

    @router.get("/{kpi}/readings", summary="Readings of a KPI, by days and dimensions", **_answers(ReadingsDocument))
    def readings(kpi: str, asked: Annotated[ReadingsAsked, Query()]) -> Response:
        """From what is kept up to date beside the cases. With the customer, days are widened to whole months."""
        return _answer(desk.readings(kpi, asked))

    @router.get("/{kpi}/cases", summary="The cases behind a figure", **_answers(BehindList))
    def cases(kpi: str, asked: Annotated[BehindAsked, Query()]) -> Response:
        """What weighs most first: by what it is worth, then by how long it took."""
        return _answer(desk.behind(kpi, asked))

    @router.get("/{kpi}/at-risk", summary="Open work that may miss its deadline", **_answers(RiskList))
    def at_risk(kpi: str, asked: Annotated[RiskAsked, Query()]) -> Response:
        """Chances are learnt from how long the same step took others; how good they were is told beside them."""
        return _answer(desk.at_risk(kpi, asked))

    @router.get("/{kpi}/published", summary="Figures as they were published", **_answers(PublishedList))
    def published(kpi: str, asked: Annotated[PublishedAsked, Query()]) -> Response:
        """What was told of days and months that are over; none is ever changed, another one takes its place."""
        return _answer(desk.published(kpi, asked))

    @router.get("/{kpi}/restatements", summary="Published figures that changed", **_answers(RestatementList))
    def restatements(kpi: str, asked: Annotated[RestatementsAsked, Query()]) -> Response:
        """The former and the new value, when and why."""
        return _answer(desk.restatements(kpi, asked))

    return router


def _only(asked: BaseModel) -> dict[Dimension, str | None]:
    """Return the values asked for, by dimension."""
    values = {each: getattr(asked, each.value, None) for each in Dimension}
    return {each: value or None for each, value in values.items() if value is not None}


@contextmanager
def _named(declaration: Declaration) -> Generator[None]:
    """Turn what cannot be answered into problems."""
    try:
        yield
    except NoCells:
        raise Problem(ProblemKind.NOT_FOUND, f"{declaration.name} {_no_cells(declaration)}") from None
    except (NotTold, TooMany, NoDeadline) as error:
        raise Problem(ProblemKind.INVALID, str(error)) from error


def _no_cells(declaration: Declaration) -> str:
    match declaration.formula.kind:
        case Kind.NONE:
            return f"has no source yet: it lacks {declaration.formula.lacks}"
        case Kind.GAUGE:
            return "is counted from events, not from cases: /api/v1/orphans lists what has waited too long for a case"
        case _:
            return "has no readings so far: ask again once the cases have been looked at"


def _refuse_unfit(declaration: Declaration, asked: ReadingsAsked) -> None:
    """Refuse all that the kind of a KPI has no answer to, which would otherwise be a figure of something else."""
    name, kind = declaration.name, declaration.formula.kind
    seen: list[str] = []
    if asked.every is not None and kind in TIMELESS:
        seen.append(f"seen every={asked.every}, wanted none: {name} is of what stands now, and of no days")
    if kind not in (Kind.LAG, Kind.NONE):
        wanted = f"wanted none: only a lag has it, and {name} is of kind {kind}"
        seen += [f"seen {each}=true, {wanted}" for each in ("equal_maturity", "curve") if getattr(asked, each)]
    if seen:
        raise Problem(ProblemKind.INVALID, "; ".join(seen))


def _window(declaration: Declaration, asked: FigureAsked, moment: Moment) -> Window | None:
    """Return the days asked for; None of what has none. Raises Problem."""
    now = window_of_now(declaration, moment)
    if now is None:
        if asked.first is not None or asked.last is not None:
            raise Problem(
                ProblemKind.INVALID, f"seen from or to, wanted neither: {declaration.name} is of what stands now"
            )
        return None
    last = asked.last or now.last
    first = asked.first or last - (now.last - now.first)
    if not first <= last:
        raise Problem(ProblemKind.INVALID, f"seen from {first} to {last}, wanted from no later than to")
    if (last - first).days > MOST_DAYS:
        raise Problem(ProblemKind.INVALID, f"seen {(last - first).days:,} days, wanted {MOST_DAYS:,} at most")
    return Window(first, last)


def _part_walked(store: KpiReader, snapshot: Snapshot) -> float | None:
    """Return which part of all cases was looked at anew, by their ids; None: they are not looked at."""
    walked = store.walked()
    return None if walked is None else round((walked + 1) / (1 + max(walked, last_case(snapshot))), 3)


def _behind(each: Behind, counting: Counting, snapshot: Snapshot) -> BehindDocument:
    observation, key = each.observation, Key.decode(each.observation.case)
    money = observation.amount
    return BehindDocument(
        case=CaseReference(observation.process, key.type, key.value, snapshot.scope(key)),
        part=observation.part,
        day=None if observation.day == NO_DAY else observation.day.isoformat(),
        ending=observation.ending,
        word=observation.word,
        began=_instant(observation.began),
        ended=_instant(observation.ended),
        due=_instant(observation.due),
        seconds=each.seconds,
        day_seconds=counting.day_seconds_of(observation.region),
        hit=observation.hit,
        counts_as=each.counts_as,
        times=observation.times,
        amount=None if money is None else text_of(money.amount),
        currency=None if money is None else money.currency,
        hours=text_of(observation.hours),
        dimensions={name.value: value for name, value in observation.dimensions.items()},
        parts=_parts(observation.split),
        not_split=observation.split.value if isinstance(observation.split, Unsplit) else None,
    )


def _parts(split: Split | Unsplit | None) -> dict[LatencyPart, float] | None:
    if not isinstance(split, Split):
        return None
    return {part: length / MICROSECONDS for part, length in zip(LatencyPart, split, strict=True)}


def _risk(each: Risk, snapshot: Snapshot) -> RiskDocument:
    observation, key = each.behind.observation, Key.decode(each.behind.observation.case)
    money, passed = observation.amount, observation.due is not None and observation.due < snapshot.now
    return RiskDocument(
        case=CaseReference(observation.process, key.type, key.value, snapshot.scope(key)),
        part=observation.part,
        began=_instant(observation.began),
        due=_instant(observation.due),
        due_passed=passed,
        told_until=_instant(each.behind.seen_to or None) if passed else None,
        chance=None if each.chance is None else each.chance.share,
        learnt_from=None if each.chance is None else each.chance.learnt_from,
        amount=None if money is None else text_of(money.amount),
        currency=None if money is None else money.currency,
        dimensions={name.value: value for name, value in observation.dimensions.items()},
    )


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def _latest(content: bytes) -> LatestDocument:
    return msgspec.json.decode(content, type=LatestDocument)


def _answer(document: Any) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")


def _answers(document: type) -> Mapping[str, Any]:
    schema = {"$ref": f"#/components/schemas/{document.__name__}"}
    told = {"description": "Found", "content": {"application/json": {"schema": schema}}}
    return {"response_class": Response, "responses": {200: told}}
