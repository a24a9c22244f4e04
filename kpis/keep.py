"""Keeping cells up to date: what a case contributed before is taken back, and what it contributes now is added.

Nothing depends on what changed a case: it is looked at as it stands, and held against what is stored of it. So a case
that is looked at twice, or after further changes, ends the same, and a crash leaves nothing half done. What has left
the lineage store cannot be looked at any more: what is kept of it is forgotten, and what it is in stays (forget.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

import msgspec
import structlog

from kpis.book import AnyCell, Book, Item, book_of
from kpis.case import Case
from kpis.catalogue import Catalogue
from kpis.cell import Summing
from kpis.codec import NO_MARKS, Contributed, Entry
from kpis.declaration import Declaration, Kind
from kpis.forget import Leaving, Tidied, forget_cases, useless_after
from kpis.latency import Known, KnownSpan, Traced
from kpis.look import Seen, cases_there, ids_after, said_of, see
from kpis.observation import Ending, Observation
from kpis.observe import Observer
from kpis.spans import SpanReader, Whereabouts
from kpis.spot import Grain, Spot
from kpis.store import LEFT, KpiWriter, VersionRow, transaction
from kpis.terms import terms_of, terms_text, told_as_text
from lineage.changes import Changes, Position, changes_after, position_of
from lineage.definitions import state_fingerprint
from lineage.process import Definitions
from lineage.read import Snapshot
from lineage.removal import CASES_LEFT
from lineage.retention import SWEPT
from throughline.core.estate import Estate
from throughline.core.expressions import Condition

ARITHMETIC = 7
"""Goes up with each change of how cases are observed or added up: then all of them are looked at anew."""
_WITHOUT_TERMS = 4
"""The arithmetic of the last release that noted versions without their terms."""

MADE_BY = "made_by"
LATE_DATA = "late data"
WENT_ON = "what was open went on"
STATED = "a statement"
DECLARED_ANEW = "a declaration changed"
DERIVED_ANEW = "processes, the estate or Throughline itself changed"
STORED_ANEW = "the lineage store was made anew"
BACKFILLED = "backfill"
_WALK_WHY = "walk_why"  # why all cases are looked at
_FORMER = "former_forgotten"  # whether those were that left before followers were told of it: "1"
_TIDIED = "tidied"  # the sweep of the lineage store after which spans were gone through last
NOT_KEPT = frozenset({Kind.NONE, Kind.GAUGE})
MOST_NEAR = 1_000  # cells of a version that are kept in memory
ROWS_AT_ONCE = 20_000  # of the queue: what changes often is looked at once for many of its rows
CASES_AT_ONCE = 500
CASES_IN_SIGHT = 50  # that one snapshot is for


_log = structlog.get_logger(__name__)

Snapshots = Callable[[], AbstractContextManager[Snapshot]]


@dataclass(frozen=True)
class Kept:
    """One version of a KPI whose cells are kept up to date."""

    row: VersionRow
    declaration: Declaration
    observer: Observer
    book: Book


Spotted = tuple[Item, tuple[Spot, ...]]
"""What is booked, and the cells that it is counted in."""


class Change(NamedTuple):
    """What one case no longer contributes to a KPI, and what it contributes new; ``stays``: all that it does now."""

    case: int
    gone: list[Spotted]
    come: list[Spotted]
    stays: tuple[Item, ...]


def change_of(case: int, before: tuple[Item, ...], after: tuple[Item, ...], book: Book) -> Change:
    """Return what changes where a case contributed something before and contributes something now."""
    gone, come = _less(before, after), _less(after, before)
    return Change(case, [(each, book.spots(each)) for each in gone], [(each, book.spots(each)) for each in come], after)


def _less(some: tuple[Item, ...], others: tuple[Item, ...]) -> list[Item]:
    """Return what of some is not among others, each of which stands for one."""
    if not others:
        return list(some)
    left, found = list(others), list[Item]()
    for each in some:
        if each in left:
            left.remove(each)
        else:
            found.append(each)
    return found


class Booking(NamedTuple):
    """What is added to a cell, or taken back from it (``times`` -1), of a case."""

    item: Item
    times: int
    case: int


Bookings = Mapping[Spot, Sequence[Booking]]
"""What is booked in each cell that changes."""


def bookings_of(changes: Iterable[Change]) -> Bookings:
    """Return what changes mean for each cell: of each case what it contributes new before what it no longer does."""
    found: dict[Spot, list[Booking]] = {}
    for change in changes:
        for spotted, times in ((change.come, 1), (change.gone, -1)):
            for each, spots in spotted:
                booking = Booking(each, times, change.case)
                for spot in spots:
                    some = found.get(spot)
                    if some is None:
                        found[spot] = [booking]
                    else:
                        some.append(booking)
    return found


@dataclass
class _Found:
    """What there is of some cases: what they contributed and do now, what that was told by, and what is new of them.

    ``split_by``: by which events' traces latencies are split, each by its seq with the case. The last three are as
    ``Reasons`` has them.
    """

    before: dict[int, Contributed] = field(default_factory=dict[int, Contributed])
    after: dict[int, Contributed | None] = field(default_factory=dict[int, Contributed | None])
    spans: dict[bytes, Sequence[KnownSpan]] = field(default_factory=dict[bytes, Sequence[KnownSpan]])
    split_by: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    said: dict[int, int] = field(default_factory=dict[int, int])
    newest: dict[int, int] = field(default_factory=dict[int, int])
    caused: dict[int, int] = field(default_factory=dict[int, int])


class Reasons(NamedTuple):
    """Why cases changed: ``why`` all did, or, where that is None, by what is new since they were looked at before.

    ``said``: when people last said something of each; ``newest``: the last of its events, by seq. ``caused``: of a case
    of which neither is new, the one by which it changed.
    """

    why: str | None
    before: Mapping[int, Contributed]
    said: Mapping[int, int]
    newest: Mapping[int, int]
    caused: Mapping[int, int]

    def of(self, case: int) -> tuple[str, ...]:
        """Return why a case changed; late data where nobody can tell."""
        if self.why is not None:
            return (self.why,)
        asked = set[int]()
        while case not in asked:
            asked.add(case)
            was = self.before[case].marks if case in self.before else NO_MARKS
            said = self.said.get(case, 0) > was.said
            if self.newest.get(case, -1) > was.folded:
                return (STATED, LATE_DATA) if said else (LATE_DATA,)
            if said:
                return (STATED,)
            case = self.caused.get(case, case)
        return (LATE_DATA,)


def touched_by(changes: Iterable[Change], reasons: Reasons) -> list[tuple[int, str]]:
    """Return the days of which anything changes, each with why; sorted.

    Of data that is new of waits that were open, and of nothing else of that day and case, that is the reason.
    """
    found: set[tuple[int, str]] = set()
    for change in changes:
        whys, gone, come = reasons.of(change.case), _by_day(change.gone), _by_day(change.come)
        for day in gone.keys() | come.keys():
            data = WENT_ON if _went_on(gone.get(day, []), come.get(day, [])) else LATE_DATA
            found |= {(day, data if why == LATE_DATA else why) for why in whys}
    return sorted(found)


def _by_day(some: Iterable[Spotted]) -> dict[int, list[Item]]:
    """Return items by the days of whose cells they are."""
    found: dict[int, list[Item]] = {}
    for item, spots in some:
        for spot in spots:
            if spot.grain is Grain.DAY:
                found.setdefault(spot.place.day.toordinal(), []).append(item)
    return found


def _went_on(gone: Sequence[Item], come: Sequence[Item]) -> bool:
    """Tell whether all that changed are waits that were open, each of which is there still since its beginning."""
    began = {(each.part, each.began) for each in gone if isinstance(each, Observation) and each.ending is Ending.OPEN}
    since = {(each.part, each.began) for each in come if isinstance(each, Observation)}
    return len(gone) == len(began) == len(come) and began == since


def book_in(book: Book, cells: MutableMapping[Spot, AnyCell], bookings: Bookings) -> None:
    """Take back what cases contributed before and add what they do now.

    Cells with nothing left are empty; those that are stale must be counted anew.
    """
    for spot, some in bookings.items():
        cell = cells.get(spot)
        if cell is None:
            cell = cells[spot] = book.blank()
        for item, times, _ in some:
            book.enter(cell, spot, item, times)


class Keeper:
    """Keeps the cells of every KPI of a catalogue up to date with a lineage store."""

    def __init__(
        self,
        store: KpiWriter,
        catalogue: Catalogue,
        definitions: Definitions,
        estate: Estate,
        looked_at: Callable[[int], None] = lambda _: None,
        spans: SpanReader | None = None,
    ) -> None:
        """``looked_at`` is told how many cases each piece of work has looked at; ``spans`` None: there are none."""
        self._looked_at = looked_at
        self._store = store
        self._catalogue = catalogue
        self._estate = estate
        self._made_by = f"{ARITHMETIC}/{state_fingerprint(definitions)}/{estate.fingerprint}"
        self._kept: dict[int, Kept] = {}
        self._declared_anew: frozenset[int] = frozenset()  # those that take the place of another
        self._concerned: dict[tuple[str, str], list[tuple[int, Kept]]] = {}  # by the version of a process
        # Cells that were of use, by version, with their ids: as they are stored, while no transaction is under way.
        self._near: dict[int, dict[Spot, tuple[int, AnyCell]]] = {}
        self._ahead: Changes | None = None  # read, and not worked off yet
        self._leaving = Leaving()
        self._left = 0  # how many cases had left the lineage store when that was read
        self._swept = 0  # when the last sweep of the lineage store began, as far as that was read
        self._former: int | None = None  # the last case that was looked for among those that are there; None: none is
        self._tidied: int | None = None  # after which one spans were gone through last; None: not read yet
        self._tidying: tuple[int, Tidied] | None = None  # after which one they are, and how far
        self._spans = spans

    @property
    def kept(self) -> Mapping[int, Kept]:
        """Return the versions that are kept up to date, by their numbers."""
        return self._kept

    def begin(self, snapshot: Snapshot) -> None:
        """Find the version of each KPI, and begin to look at all cases where one is new or stored anew."""
        store = self._store
        self._concerned.clear()
        with transaction(store):
            self._note_terms()
        self._keep_known()
        anew = store.position() is None or store.meta().get(MADE_BY) != self._made_by
        if anew:
            self._forget_all_that_left(snapshot)
        with transaction(store):
            if store.position() is None:
                store.set_meta(_FORMER, "1")
            if anew:
                self._begin_anew(snapshot, DERIVED_ANEW)
                store.set_meta(MADE_BY, self._made_by)
            known, newest = _by_identity(store.versions()), {row.kpi: row for row in store.versions()}
            for name, declaration in self._catalogue.kpis.items():
                if declaration.formula.kind in NOT_KEPT:
                    continue
                row = known.get(identity_of(declaration))
                if row is None:
                    row = self._add_version(declaration, newest.get(name), snapshot.now)
                elif row.told_as != (terms := terms_text(declaration, ARITHMETIC)):
                    store.tell_as(row.number, terms)
                self._keep(row, declaration)
            store.supersede(self._kept)
            self._declared_anew = self._taking_over(store.versions())
        self._former = None if store.meta().get(_FORMER) else -1

    def _note_terms(self) -> None:
        """Note the terms of versions that an earlier release noted without, of those that are as they were declared.

        What was published since such a version was first seen is of it, as its predecessor may have answered until
        then.
        """
        for row in self._store.versions():
            declaration = self._catalogue.kpis.get(row.kpi)
            if row.told_as is None and declaration is not None and row.digest == former_digest_of(declaration):
                self._store.tell_as(row.number, terms_text(declaration, _WITHOUT_TERMS))
                self._store.tell_published_as(row.kpi, row.since, told_as_text(declaration, None))

    def _add_version(self, declaration: Declaration, former: VersionRow | None, now: int) -> VersionRow:
        """Note another version of a KPI, and begin to look at all cases for it."""
        store, digest = self._store, digest_of(declaration)
        row = store.add_version(declaration.name, declaration.version, digest, now, terms_text(declaration, ARITHMETIC))
        self._begin_walk(DECLARED_ANEW)
        if former is not None and _is_of_our_arithmetic(former):
            store.forget_touched(declaration.name, BACKFILLED)  # this version touches these days for what it is
            if former.version == declaration.version:
                _log.warning(
                    "kpi_declared_anew_under_one_version",
                    kpi=declaration.name,
                    version=declaration.version,
                    wanted="another `version` in its declaration, by which figures before and after are told apart",
                )
        return row

    def _taking_over(self, rows: Sequence[VersionRow]) -> frozenset[int]:
        """Return the versions that take the place of another, which was declared otherwise."""
        former = {row.kpi for row in rows if row.number not in self._kept and _is_of_our_arithmetic(row)}
        return frozenset(number for number, kept in self._kept.items() if kept.declaration.name in former)

    def _keep_known(self) -> None:
        """Keep the versions that are there already."""
        known = _by_identity(self._store.versions())
        for declaration in self._catalogue.kpis.values():
            row = known.get(identity_of(declaration)) if declaration.formula.kind not in NOT_KEPT else None
            if row is not None:
                self._keep(row, declaration)

    def _keep(self, row: VersionRow, declaration: Declaration) -> None:
        observer = Observer(declaration, self._estate)
        summing = Summing(declaration, observer.counting, self._estate.calendars)
        self._kept[row.number] = Kept(row, declaration, observer, book_of(declaration, summing))

    def backfill(self, snapshot: Snapshot) -> None:
        """Forget what was looked at, and begin to look at every case anew."""
        self._forget_all_that_left(snapshot)
        with transaction(self._store):
            self._begin_anew(snapshot, BACKFILLED)

    def _begin_anew(self, snapshot: Snapshot, why: str) -> None:
        self._near.clear()
        self._ahead = None
        self._leaving.begin_anew()
        if snapshot.store.counter(CASES_LEFT, "") < int(self._store.meta().get(LEFT, 0)):
            # It is an older copy, in which some are back: those would count twice.
            self._store.drop_remnants()
            self._note_left(snapshot)
        self._store.begin_anew(position_of(snapshot.store))
        self._begin_walk(why)

    def _note_left(self, snapshot: Snapshot) -> None:
        self._left = snapshot.store.counter(CASES_LEFT, "")
        self._store.set_meta(LEFT, str(self._left))

    def _begin_walk(self, why: str) -> None:
        if self._store.walked() is None or why != DECLARED_ANEW:
            self._store.set_meta(_WALK_WHY, why)
        self._store.set_walked(-1)

    def follow(self, snapshots: Snapshots) -> bool:
        """Work off a piece of what changed, and look at one of all cases; return whether there is more to do.

        ``snapshots`` opens a snapshot as a context: a short one for each piece of work.
        """
        if self._ahead is None and not self._read_ahead(snapshots):
            return True
        changes = self._ahead
        assert changes is not None  # it was read
        if changes.retired:
            self._forget(changes.retired, changes.position)
            self._ahead = None
            return True
        some, rest = changes.split(CASES_AT_ONCE)
        if some.cases or some.position != self._store.position():  # nothing to look at where spans split no latency
            self.look_at(snapshots, some.cases, position=some.position)
        self._ahead = rest
        walking = False if rest else self._walk(snapshots)
        return some.left or walking or self._forget_former(snapshots) or self._tidy(snapshots)

    def _read_ahead(self, snapshots: Snapshots) -> bool:
        """Read which cases changed; where that can no longer be told, begin to look at all of them, and say False."""
        position = self._store.position()
        assert position is not None  # ``begin`` has set it
        with snapshots() as snapshot:
            self._ahead = changes_after(snapshot.store, position, ROWS_AT_ONCE)
            self._swept = int(snapshot.store.meta().get(SWEPT, 0))
            if self._ahead is None:
                with transaction(self._store):
                    self._begin_anew(snapshot, STORED_ANEW)
            elif self._ahead.spans_of:
                # Cases that are not known here yet are looked at later, and see these spans then.
                self._ahead = self._ahead.and_of_spans(self._store.cases_split_by(self._ahead.spans_of), position)
            elif self._ahead.retired:
                self._left = snapshot.store.counter(CASES_LEFT, "")
        return self._ahead is not None

    def _forget(self, cases: Sequence[int], position: Position | None = None) -> None:
        """Forget what is kept of cases that have left; what they are in stays as it is.

        Nobody looks at one of them before the position is behind all that tells that it left, so to do it again does
        nothing.
        """
        store = self._store
        before = store.contributed(cases)
        with transaction(store):
            forget_cases(store, {number: kept.book for number, kept in self._kept.items()}, before)
            store.count(_tallied({}, before), "tally_left")
            store.set_meta(LEFT, str(self._left))
            if position is not None:
                store.set_position(position)

    def _forget_all_that_left(self, snapshot: Snapshot) -> None:
        """Forget those that have left, before all that is kept of cases goes: they are not among those looked at."""
        position = self._store.position()
        if position is None or position_of(snapshot.store).store != position.store:
            return
        self._left = snapshot.store.counter(CASES_LEFT, "")
        left = sorted(self._leaving.among(snapshot.store, position))
        for start in range(0, len(left), CASES_AT_ONCE):
            self._forget(left[start : start + CASES_AT_ONCE])

    def _forget_former(self, snapshots: Snapshots) -> bool:
        """Forget, once and a piece at a time, those that left before anybody was told of it; return whether to go on.

        What is kept of a case that is not there leaves otherwise where the change that took the case away is worked
        off: so where all changes are, those that are not there have left.
        """
        store = self._store
        if self._former is None:
            return False
        with snapshots() as snapshot:
            if position_of(snapshot.store) != store.position():
                return False
            ids = store.contributing_after(self._former, CASES_AT_ONCE)
            gone = set(ids) - cases_there(snapshot, ids)
            self._left = snapshot.store.counter(CASES_LEFT, "")
        if gone:
            self._forget(sorted(gone))
        self._former = ids[-1] if ids else None
        if not ids:
            with transaction(store):
                store.set_meta(_FORMER, "1")
        return bool(ids)

    def _tidy(self, snapshots: Snapshots) -> bool:
        """After each sweep of the lineage store forget which spans split latencies that are no more, a piece at a time.

        Return whether there is more to do.
        """
        store = self._store
        if self._tidied is None:
            self._tidied = int(store.meta().get(_TIDIED, 0))
        if self._swept <= self._tidied:
            return False
        began, at = self._tidying or (self._swept, Tidied())
        with snapshots() as snapshot:
            useless, at = useless_after(store, snapshot, at)
        is_done = at == Tidied(None, None)
        with transaction(store):
            store.drop_split_by(useless.split_by)
            store.drop_spans(useless.traces)
            if is_done:
                store.set_meta(_TIDIED, str(began))
        self._tidying = None if is_done else (began, at)
        if is_done:
            self._tidied = began
        return not is_done

    def behind(self, snapshot: Snapshot) -> int:
        """Return how many saves of cases have not been worked off."""
        position = self._store.position()
        return 0 if position is None else max(0, position_of(snapshot.store).seq - position.seq)

    def _walk(self, snapshots: Snapshots) -> bool:
        walked = self._store.walked()
        if walked is None:
            return False
        with snapshots() as snapshot:
            ids = ids_after(snapshot, walked, CASES_AT_ONCE)
        if ids:
            self.look_at(snapshots, ids, walked=ids[-1], why=self._store.meta().get(_WALK_WHY, LATE_DATA))
            return True
        with transaction(self._store):
            self._store.set_walked(None)
            for row in self._store.versions():
                if row.number not in self._kept:
                    self._store.drop_version(row.number)
        self._declared_anew = frozenset()
        return False

    def look_at(
        self,
        snapshots: Snapshots,
        cases: Sequence[int],
        *,
        position: Position | None = None,
        walked: int | None = None,
        why: str | None = None,
    ) -> None:
        """Bring the cells up to date with some cases, in one transaction with how far that is.

        Those that have left stay as they were, to be forgotten. ``why`` they are looked at; None: as they changed, by
        data or by what people said (``Reasons``).

        No snapshot is open for long, and none while that is written: the log of the lineage store grows for as long as
        one is.
        """
        store, found = self._store, self._find(snapshots, cases)
        before, after = found.before, found.after
        with self._forgetting(), transaction(store):
            store.put_contributed({case: each for case, each in after.items() if each is not None or case in before})
            store.put_spans(found.spans)
            store.put_split_by(found.split_by)
            store.count(_tallied(before, after))
            self._looked_at(len(after))
            reasons = Reasons(why, before, found.said, found.newest, found.caused)
            for number, changes in self._changes(before, after).items():
                is_declared_anew = why is not None and number in self._declared_anew
                told = reasons._replace(why=DECLARED_ANEW) if is_declared_anew else reasons
                self._enter(self._kept[number], changes, told)
            if position is not None:
                store.set_position(position)
            if walked is not None:
                store.set_walked(walked)

    def _find(self, snapshots: Snapshots, cases: Sequence[int]) -> _Found:
        """Return what there is of cases, and of those that change with them; of none that has left."""
        store, found = self._store, _Found()
        ahead, at, passed = list(dict.fromkeys(cases)), store.position(), set[int]()
        assert at is not None  # ``begin`` has set it
        while ahead:
            some, ahead = ahead[:CASES_IN_SIGHT], ahead[CASES_IN_SIGHT:]
            traced: dict[str, Traced] = {}
            with snapshots() as snapshot:
                passed |= self._leaving.among(snapshot.store, at)
                some = [each for each in some if each not in passed]
                found.before |= store.contributed(some)
                seen = see(snapshot, some, traced)
                found.said |= said_of(snapshot, [each for each in some if each not in seen])
                found.said |= {number: each.marks.said for number, each in seen.items()}
                found.newest |= {number: each.newest for number, each in seen.items()}
                further = self._upstream(snapshot, some, found.before, seen)
                told_by, places = self._told_by(snapshot, seen)
            found.spans |= self._read_spans(places, traced)
            found.split_by += told_by
            found.after |= self._contributions(some, seen)
            found.caused = further | found.caused
            ahead += sorted(further.keys() - found.after.keys() - set(ahead) - passed)
        return found

    @contextmanager
    def _forgetting(self) -> Generator[None]:
        """Forget the cells in memory where a transaction that changes them fails."""
        try:
            yield
        except BaseException:
            self._near.clear()
            raise

    def look(self, snapshot: Snapshot, cases: Iterable[int]) -> dict[int, Contributed | None]:
        """Return what cases contribute as they stand; None: nothing."""
        ids, traced = list(cases), dict[str, Traced]()
        seen = see(snapshot, ids, traced)
        self._read_spans(self._told_by(snapshot, seen)[1], traced)
        return self._contributions(ids, seen)

    def _told_by(
        self, snapshot: Snapshot, seen: Mapping[int, Seen]
    ) -> tuple[list[tuple[int, int]], Whereabouts | None]:
        """Return by which events' traces latencies are split, each by its seq with the case, and where spans are."""
        if self._spans is None:
            return [], None
        told_by = [
            (fact, number)
            for number, each in seen.items()
            for _, kept in self._concerning(each.case)
            for fact in kept.observer.told_by(each.case)
        ]
        return [(fact.seq, number) for fact, number in told_by], self._spans.find(
            snapshot, (fact for fact, _ in told_by)
        )

    def _read_spans(self, places: Whereabouts | None, traced: dict[str, Traced]) -> Known:
        """Fill in the spans of traces; return what is new of them, to be stored."""
        if self._spans is None or places is None:
            return {}
        found = self._spans.read(places)
        traced |= found.traced
        return found.known

    def _contributions(self, cases: Iterable[int], seen: Mapping[int, Seen]) -> dict[int, Contributed | None]:
        return {number: self._contributed(seen[number]) if number in seen else None for number in cases}

    def _contributed(self, seen: Seen) -> Contributed:
        case = seen.case
        entries: dict[int, Entry] = {}
        for number, kept in self._concerning(case):
            observed = kept.observer.observe(case)
            if observed.concerned:
                entries[number] = Entry(observed.observations, observed.left_out, observed.contributions)
        return Contributed(case.process.name, case.name, entries, seen.holds, seen.marks)

    def _concerning(self, case: Case) -> list[tuple[int, Kept]]:
        """Return the versions of KPIs that are about the process and steps of a case."""
        version = case.process.name, case.course.version.number
        found = self._concerned.get(version)
        if found is None:
            found = [(number, kept) for number, kept in self._kept.items() if kept.observer.concerns(case)]
            self._concerned[version] = found
        return found

    def _upstream(
        self,
        snapshot: Snapshot,
        cases: Iterable[int],
        before: Mapping[int, Contributed],
        seen: Mapping[int, Seen],
    ) -> dict[int, int]:
        """Return the cases whose money is counted elsewhere, or no longer is, as these hold up other money now.

        Each with one of these.
        """
        found: dict[int, int] = {}
        for case in cases:
            former, now = before.get(case), seen.get(case)
            held, holds = former.holds if former else (), now.holds if now else ()
            if held != holds:
                process = now.case.process.name if now else former.process if former else ""
                found |= dict.fromkeys(snapshot.following.upstream(process, {*held, *holds}), case)
        return found

    def _changes(
        self, before: Mapping[int, Contributed], after: Mapping[int, Contributed | None]
    ) -> dict[int, list[Change]]:
        """Return what changed, by version."""
        found: dict[int, list[Change]] = {}
        for case, now in after.items():
            former = before.get(case)
            numbers = {*(former.entries if former else ()), *(now.entries if now else ())} & self._kept.keys()
            for number in numbers:
                book = self._kept[number].book
                held, holds = _items(former, number, book), _items(now, number, book)
                if held != holds:
                    found.setdefault(number, []).append(change_of(case, held, holds, book))
        return found

    def _enter(self, kept: Kept, changes: Sequence[Change], reasons: Reasons) -> None:
        """Bring the cells of one version up to date."""
        store, number, book = self._store, kept.row.number, kept.book
        near, bookings = self._near.setdefault(number, {}), bookings_of(changes)
        for spot, (known, content) in store.cells_at(number, bookings.keys() - near.keys()).items():
            near[spot] = known, book.decode(content)
        cells = {spot: near[spot][1] for spot in bookings if spot in near}
        ids = {spot: near[spot][0] for spot in cells}
        book_in(book, cells, bookings)
        store.touch((kept.declaration.name, *each) for each in touched_by(changes, reasons))
        for spot, cell in cells.items():
            if not cell.empty:
                ids[spot] = self._put(kept, spot, ids.get(spot), cell)
        self._note_behind(kept, changes, bookings, ids)
        for spot, cell in cells.items():
            if book.is_stale(cell) and not cell.empty:
                self._put(kept, spot, ids[spot], self._counted_anew(kept, spot, ids[spot]))
        gone = [spot for spot, cell in cells.items() if cell.empty]
        store.drop_cells([ids[spot] for spot in gone if spot in ids])
        for spot in gone:
            near.pop(spot, None)
        if len(near) > MOST_NEAR:
            near.clear()

    def _put(self, kept: Kept, spot: Spot, number: int | None, cell: AnyCell) -> int:
        """Store a cell, and keep it in memory; return its id."""
        book = kept.book
        number = self._store.put_cell(kept.row.number, spot, number, book.standing(cell), book.encode(cell))
        self._near[kept.row.number][spot] = number, cell
        return number

    def _note_behind(self, kept: Kept, changes: Iterable[Change], bookings: Bookings, ids: Mapping[Spot, int]) -> None:
        """Note which cases are behind which cells: one that lost an observation may still be, by another."""
        gone: list[tuple[int, int]] = []
        for change in changes:
            if change.gone:
                left = {spot for _, spots in change.gone for spot in spots}
                left -= {spot for each in change.stays for spot in kept.book.spots(each)}
                gone += ((ids[spot], change.case) for spot in left if spot in ids)
        come: list[tuple[int, int]] = []
        for spot, some in bookings.items():
            number = ids.get(spot)  # none: nothing of it is left
            if number is not None:
                come += [(number, case) for case in {each.case for each in some if each.times > 0}]
        self._store.drop_behind(gone)
        self._store.put_behind(come)

    def _counted_anew(self, kept: Kept, spot: Spot, cell_id: int) -> AnyCell:
        """Return a cell counted from what is behind it, and what is of cases that have left."""
        number, book = kept.row.number, kept.book
        remnant = self._store.remnants([cell_id]).get(cell_id)
        cell = book.blank() if remnant is None else book.decode(remnant.content)
        cases = self._store.cases_behind(number, spot.grain, spot.place)
        for contributed in self._store.contributed_to(number, cases).values():
            for each in book.items(contributed.entries[number]):
                if spot in book.spots(each):
                    book.enter(cell, spot, each, 1)
        return cell


def _items(contributed: Contributed | None, number: int, book: Book) -> tuple[Item, ...]:
    entry = contributed.entries.get(number) if contributed is not None else None
    return book.items(entry) if entry is not None else ()


def _tallied(
    before: Mapping[int, Contributed], after: Mapping[int, Contributed | None]
) -> Iterable[tuple[int, str, int]]:
    counted: Counter[tuple[int, str]] = Counter()
    for contributed, times in ((before, -1), (after, 1)):
        for each in contributed.values():
            for number, entry in each.entries.items() if each is not None else ():
                counted[number, "" if entry.left_out is None else entry.left_out.value] += times
    return [(number, label, count) for (number, label), count in counted.items() if count]


class Identity(NamedTuple):
    """What makes a version of a KPI: where any of it is another, so is the version."""

    kpi: str
    digest: str
    version: str


def identity_of(declaration: Declaration) -> Identity:
    """Return which version of a KPI a declaration is."""
    return Identity(declaration.name, digest_of(declaration), declaration.version)


def _by_identity(rows: Iterable[VersionRow]) -> dict[Identity, VersionRow]:
    return {Identity(row.kpi, row.digest, row.version): row for row in rows}


def _is_of_our_arithmetic(row: VersionRow) -> bool:
    """Tell whether it is by a declaration alone that a version differs from what is kept now."""
    terms = terms_of(row)
    return terms is None or terms.arithmetic == ARITHMETIC


def digest_of(declaration: Declaration) -> str:
    """Return what changes with all that decides what the figure of a KPI is, and with nothing else."""
    return _digest([*_decisive(declaration, ARITHMETIC), declaration.unit, declaration.headline])


def former_digest_of(declaration: Declaration) -> str:
    """Return the digest of a version that an earlier release noted without its terms."""
    return _digest(_decisive(declaration, _WITHOUT_TERMS))


def _decisive(declaration: Declaration, arithmetic: int) -> list[object]:
    """Return what decides what a case contributes to a KPI."""
    return [
        arithmetic,
        declaration.clock,
        declaration.formula,
        declaration.population,
        declaration.unfinished,
        declaration.dimensions,
    ]


def _digest(decisive: list[object]) -> str:
    return sha256(msgspec.json.encode(decisive, enc_hook=_plain)).hexdigest()[:32]


def _plain(value: object) -> object:
    """Return a condition as it is written: nothing else in a declaration is no plain value."""
    assert isinstance(value, Condition)
    return value.source
