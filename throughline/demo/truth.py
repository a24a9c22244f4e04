"""The truth: what must be seen of each life at a moment, from what the firm itself wrote down about it.

This reads lives, the firm's expectations and its working time, and nothing that any system reported.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from throughline.demo.chronicle import Life, Mark, money
from throughline.demo.expectations import COURSES, PERSON, RESUBMISSION, WEEKLY, Course, ExpectedStep
from throughline.demo.firm import REGIONS
from throughline.demo.worktime import Region

SeenUntil = Callable[[str, str], int]
"""Tells up to when everything is known of a role's systems in a legal entity."""

ORPHAN_AFTER = 72 * 3600 * 1_000_000


class StepTruth(NamedTuple):
    """What was done of a step in one round: its first and last success, and how it stands."""

    round: int
    step: str
    status: str
    first: int | None
    last: int | None


class DeviationTruth(NamedTuple):
    kind: str
    step: str | None
    round: int | None
    open: bool


class Turn(NamedTuple):
    """Which step comes next, whose turn it is, and until when."""

    step: str
    round: int
    waits_for: str
    due: int | None


class CaseTruth(NamedTuple):
    """What must be seen of one life. ``exposure`` None: nothing is held up; UNKNOWN: nobody said what it is worth.

    ``rounds`` 0: none are shown. ``counted_in``: the processes and names in which sums count the exposure instead.
    """

    process: str
    name: str
    scope: dict[str, str]
    state: str
    ended_as: str | None
    rounds: int
    steps: frozenset[StepTruth]
    deviations: frozenset[DeviationTruth]
    exposure: tuple[str, str] | str | None
    turn: Turn | None
    keys: dict[str, str]
    stories: tuple[str, ...]
    counted_in: frozenset[tuple[str, str]] = frozenset()


HOLDING = frozenset({"overdue", "failed", "missing_master_data", "conflicting_keys", "policy_violation"})
UNKNOWN = "unknown"


def tell_truth(life: Life, now: int, seen_until: SeenUntil) -> CaseTruth:
    """Return what must be seen of a life at ``now``."""
    if life.provisional:
        return _unnamed(life, now)
    if not life.applies:
        return _case(life, "not_applicable", 0, set(), set(), None, None)
    return _Judge(life, now, seen_until).case()


def _case(
    life: Life,
    state: str,
    rounds: int,
    steps: set[StepTruth],
    deviations: set[DeviationTruth],
    held: Decimal | str | None,
    turn: Turn | None,
) -> CaseTruth:
    return CaseTruth(
        process=life.process,
        name=life.name,
        scope=life.scope,
        state=state,
        ended_as=life.ended_as,
        rounds=rounds,
        steps=frozenset(steps),
        deviations=frozenset(deviations),
        exposure=(money(held), life.currency) if isinstance(held, Decimal) else held,
        turn=turn,
        keys=life.keys,
        stories=tuple(life.stories),
    )


def _unnamed(life: Life, now: int) -> CaseTruth:
    """Return what must be seen of a document that belongs to nothing: an orphan once it is three days old."""
    first = min(mark.time for mark in life.marks)
    old = now - first > ORPHAN_AFTER
    deviations = {DeviationTruth("orphan", None, None, True)} if old else set[DeviationTruth]()
    return _case(life, "provisional", 0, set(), deviations, life.amount if old else None, None)


class _Judge:
    """Weighs one life at one moment, round by round."""

    def __init__(self, life: Life, now: int, seen_until: SeenUntil) -> None:
        self.life = life
        self.now = now
        self.seen_until = seen_until
        self.course: Course = COURSES[life.process]
        self.region: Region = REGIONS[life.region]
        self.steps: set[StepTruth] = set()
        self.deviations = {DeviationTruth(flag.deviation, flag.step, flag.round, True) for flag in life.flags}

    def case(self) -> CaseTruth:
        last = self.course.steps[-1]
        state = "ended" if self.life.ended_as else "done" if self.done(self.life.round, last) else "open"
        turn: Turn | None = None
        for number in range(1, self.life.round + 1):
            current = number == self.life.round
            self.note_failures(number, closed=not current or state == "ended")
            self.note_seen(number)
            self.note_skipped(number)
            self.note_late(number)
            self.note_cut_short(number)
            if current and state == "open":
                turn = self.note_turn(number)
        self.note_weeks()
        return _case(self.life, state, self.life.round, self.steps, self.deviations, self.held(state), turn)

    def successes(self, number: int, step: str) -> list[int]:
        return sorted(m.time for m in self.life.marks if m.step == step and m.round == number and m.category is None)

    def reported(self, number: int, step: ExpectedStep) -> int | None:
        """Return when a step was reported by every role that must; None where one of them has not."""
        marks = [m for m in self.life.marks if m.step == step.type and m.round == number and m.category is None]
        if step.also is None:
            return min((mark.time for mark in marks), default=None)
        firsts = [min((m.time for m in marks if m.system == role), default=None) for role in (step.role, step.also)]
        first, second = firsts
        return None if first is None or second is None else max(first, second)

    def failures(self, number: int, step: str) -> list[Mark]:
        return sorted(m for m in self.life.marks if m.step == step and m.round == number and m.category is not None)

    def paid(self) -> Decimal:
        return sum(self.life.paid, Decimal(0))

    def done(self, number: int, step: ExpectedStep) -> int | None:
        """Return when a step of a round was done; None where it was not, or not in full."""
        if step.type != self.course.covered:
            return self.reported(number, step)
        times = self.successes(number, step.type)
        return times[-1] if times and self.paid() >= (self.life.amount or 0) else None

    def farthest(self, number: int) -> int:
        """Return the place of the farthest step seen in a round; -1 where none was."""
        seen = [place for place, step in enumerate(self.course.path) if self.successes(number, step.type)]
        return max(seen, default=-1)

    def failing(self, number: int, step: str) -> Mark | None:
        """Return the last failure of a step that nothing has made good since."""
        failures = self.failures(number, step)
        if not failures:
            return None
        last = max(failures, key=lambda mark: mark.time)
        path = [each.type for each in self.course.path]
        later = path[path.index(step) :]
        good = any(time > last.time for name in later for time in self.successes(number, name))
        return None if good else last

    def note_failures(self, number: int, *, closed: bool) -> None:
        for step in self.course.steps:
            failures = self.failures(number, step.type)
            if failures:
                category = failures[0].category
                kind = "missing_master_data" if category == "missing_master_data" else "failed"
                is_open = self.failing(number, step.type) is not None and not closed
                self.deviations.add(DeviationTruth(kind, step.word, number, is_open))

    def note_seen(self, number: int) -> None:
        for step in (*self.course.path, *self.course.asides, *self.course.troubles):
            times = self.successes(number, step.type)
            if self.failing(number, step.type) is not None:
                status = "failed"
            elif not times:
                continue
            elif self.done(number, step) is not None:
                status = "done"
            elif step.type == self.course.covered:
                status = "partial"
            else:
                continue  # half reported: it waits, or is late, as if nothing were there
            self.steps.add(StepTruth(number, step.word, status, min(times, default=None), max(times, default=None)))

    def note_skipped(self, number: int) -> None:
        for place, step in enumerate(self.course.steps):
            if place < self.farthest(number) and not self.successes(number, step.type):
                if self.failing(number, step.type) is None:
                    self.steps.add(StepTruth(number, step.word, "skipped", None, None))
                self.deviations.add(DeviationTruth("skipped", step.word, number, True))

    def note_late(self, number: int) -> None:
        """Note the steps that were done, but after they were due."""
        before: int | None = None
        for place, step in enumerate(self.course.steps):
            done = self.done(number, step)
            due = self.due(number, place, before)
            if done is not None and due is not None and due < done:
                self.deviations.add(DeviationTruth("overdue", step.word, number, False))
            before = done

    def note_cut_short(self, number: int) -> None:
        """Note a step that was due before a rejection or an ending closed its round."""
        closed = self.life.closed.get(number)
        place = self.next_place(number)
        if closed is not None and place is not None:
            due = self.due(number, place, self.done_before(number, place))
            if due is not None and due < closed:
                self.deviations.add(DeviationTruth("overdue", self.course.steps[place].word, number, False))

    def due(self, number: int, place: int, before: int | None) -> int | None:
        if place == 0:
            return RESUBMISSION.due(self.life.rejected_at, self.region, None) if number > 1 else None
        return self.course.steps[place].term.due(before, self.region, self.life.due_at)

    def note_turn(self, number: int) -> Turn:
        """Note what an open life waits for, and every step that was due before we last saw its systems."""
        place = self.next_place(number)
        assert place is not None, "an open life waits for something"
        step = self.course.steps[place]
        due = self.due(number, place, self.done_before(number, place))
        self.note_pending(number, step, due)
        for later in self.course.steps[place + 1 :]:
            if later.term.due_date:
                self.note_pending(number, later, self.life.due_at)
        turn = PERSON if place == 0 and number > 1 else step.turn
        return Turn(step.word, number, turn, due)

    def next_place(self, number: int) -> int | None:
        """Return the place of the first step not done at or after the farthest one seen."""
        start = max(0, self.farthest(number))
        steps = enumerate(self.course.steps)
        return next((place for place, step in steps if place >= start and self.done(number, step) is None), None)

    def done_before(self, number: int, place: int) -> int | None:
        """Return when the nearest step before a place was done."""
        for step in reversed(self.course.steps[:place]):
            done = self.done(number, step)
            if done is not None:
                return done
        return None

    def note_pending(self, number: int, step: ExpectedStep, due: int | None) -> None:
        status = "waiting"
        if due is not None and due <= self.now:
            status = "overdue" if self.seen_until(step.role, self.life.entity) >= due else "unconfirmed"
        if status == "overdue":
            self.deviations.add(DeviationTruth("overdue", step.word, number, True))
        times = self.successes(number, step.type)
        if (not times or step.also) and self.failing(number, step.type) is None:
            first, last = min(times, default=None), max(times, default=None)
            self.steps.add(StepTruth(number, step.word, status, first, last))

    def note_weeks(self) -> None:
        """Note the weeks whose time came late or never, as far as we have seen; an ended life expects no more."""
        until = min(self.now, self.life.closed.get(self.life.round, self.now) if self.life.ended_as else self.now)
        for weeks in self.life.weeks.values():
            monday = weeks.begins - timedelta(days=weeks.begins.weekday())
            while (due := self.week_due(monday)) <= until:
                came = weeks.came.get(monday)
                if came is None or came > due:
                    year, week, _ = monday.isocalendar()
                    is_open = came is None and self.life.ended_as is None
                    self.deviations.add(DeviationTruth("overdue", WEEKLY.word, year * 100 + week, is_open))
                monday += timedelta(weeks=1)

    def week_due(self, monday: date) -> int:
        due = WEEKLY.term.due(self.region.end_of_day(monday + timedelta(days=6)), self.region, None)
        assert due is not None
        return due

    def held(self, state: str) -> Decimal | str | None:
        """Return what an open life holds up, UNKNOWN where nobody said so; None where nothing is wrong with it."""
        if state != "open":
            return None
        wrong = any(each.open and each.kind in HOLDING for each in self.deviations)
        awaited = self.life.round > 1 and self.farthest(self.life.round) < 0
        partly = self.course.covered is not None and bool(self.life.paid)
        if not (wrong or awaited or partly):
            return None
        amount = self.life.amount
        if amount is None:
            return UNKNOWN
        return max(amount - self.paid(), Decimal(0)) if self.course.covered else amount
