"""From what was told of a few cases to figures, by looking at all of it each time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from typing import NamedTuple

from throughline.core.event import Event
from throughline.core.instants import MICROSECONDS, MINUTE

APPROVED, RELEASED, REJECTED, CANCELLED = "approved", "released", "rejected", "cancelled"
CLOCKS_DIFFER = 5 * MINUTE
LATE_AFTER = 2 * 86_400  # seconds


class Wait(NamedTuple):
    """A wait from approval to release: how it stands (done, competing, open, unknown), and its age in seconds."""

    standing: str
    age: int


@dataclass
class Round:
    approved: int | None = None
    released: int | None = None
    left: int | None = None  # when something other than the release ended it
    begun: bool = False  # a step was seen in it


def word_of(event: Event) -> str:
    return event.type.partition(".")[2]


def standing_events(events: Iterable[Event]) -> list[Event]:
    """Return, of each event, the content that was received first (docs/reference/event.md), in the order of time."""
    first: dict[tuple[str, str], Event] = {}
    for each in events:
        known = first.get((each.source, each.id))
        if known is None or each.received < known.received:
            first[each.source, each.id] = each
    return sorted(first.values(), key=lambda each: each.time)


def rounds_of(events: Iterable[Event]) -> list[Round]:
    """Return the rounds of a case: each rejection opens one, unless nothing was done since the one before."""
    rounds = [Round()]
    cancelled: int | None = None
    for each in events:
        word, now = word_of(each), rounds[-1]
        if word == APPROVED:
            now.approved = each.time if now.approved is None else now.approved
            now.begun = True
        elif word == RELEASED:
            now.released = each.time if now.released is None else now.released
            now.begun = True
        elif word == CANCELLED:
            cancelled = each.time if cancelled is None else cancelled
        elif cancelled is None and (len(rounds) == 1 or now.begun):
            now.left = each.time
            rounds.append(Round())
    rounds[-1].left = cancelled
    return rounds


def waits_of(events: Iterable[Event], now: int) -> list[Wait]:
    """Return the waits of a case at a moment: one of each round in which either end was seen."""
    found: list[Wait] = []
    for each in rounds_of(events):
        began, done, left = each.approved, each.released, each.left
        if began is None and done is None:
            continue
        if began is None or (done is not None and done < began - CLOCKS_DIFFER):
            found.append(Wait("unknown", 0))
        elif done is not None and (left is None or done <= left):
            found.append(Wait("done", seconds(began, done)))
        elif left is not None:
            found.append(Wait("competing", seconds(began, left)))
        else:
            found.append(Wait("open", seconds(began, now)))
    return found


def seconds(start: int, end: int) -> int:
    return max(0, end - start) // MICROSECONDS


class LagFigure(NamedTuple):
    """How many waits there are, by how they stand, and the ages by which half and nine in ten of them were done.

    An age with ``>``: later than that.
    """

    began: int
    done: int
    competing: int
    open: int
    unknown: int
    median: str
    p90: str


def lag(waits: Iterable[Wait]) -> LagFigure | None:
    """Return the figure of a lag; None where nothing can be measured.

    The share that was done by an age grows at each age at which something was done, by the share that was there until
    then times those done among those watched: what is open is watched up to its age, and counts for nothing later.
    """
    known = list(waits)
    count = {word: sum(each.standing == word for each in known) for word in ("done", "competing", "open", "unknown")}
    measured = [each for each in known if each.standing != "unknown"]
    if not measured:
        return None
    left, share = Fraction(1), Fraction(0)
    reached: list[tuple[int, Fraction]] = []
    for age in sorted({each.age for each in measured}):
        watched = sum(each.age >= age for each in measured)
        done = sum(each.age == age and each.standing == "done" for each in measured)
        ended = sum(each.age == age and each.standing != "open" for each in measured)
        share += left * Fraction(done, watched)
        left *= 1 - Fraction(ended, watched)
        reached.append((age, share))
    oldest = max(each.age for each in measured)

    def until(wanted: Fraction) -> str:
        return next((str(age) for age, share in reached if share >= wanted), f"> {oldest}")

    began = len(measured)
    return LagFigure(began, *count.values(), until(Fraction(1, 2)), until(Fraction(9, 10)))


class ShareFigure(NamedTuple):
    """How many were done in time, of how many of which that is decided, and Wilson's interval at 95 %."""

    hits: int
    of: int
    low: float
    high: float


def in_time(waits: Iterable[Wait]) -> ShareFigure | None:
    """Return how many waits were done within two days; None of none. Open ones count once they are late."""
    known = list(waits)
    hits = sum(each.standing == "done" and each.age <= LATE_AFTER for each in known)
    misses = sum(each.standing != "unknown" and each.age > LATE_AFTER for each in known)
    of = hits + misses
    if not of:
        return None
    # The ends of Wilson's interval are the shares p for which |p - hits/of| = z √(p (1 - p) / of).
    z = 1.959963984540054
    a, b, c = 1 + z * z / of, -(2 * hits / of + z * z / of), (hits / of) ** 2
    root = sqrt(max(0.0, b * b - 4 * a * c))
    return ShareFigure(hits, of, (-b - root) / (2 * a), (-b + root) / (2 * a))


class SumFigure(NamedTuple):
    """How many cases were released, what they are worth by currency, and of how many nobody knows."""

    records: int
    amounts: dict[str, Decimal]
    unknown: int


def released(cases: Iterable[list[Event]]) -> SumFigure:
    """Return what the cases are worth that were ever released; each by what was told of it last."""
    records, unknown = 0, 0
    amounts: dict[str, Decimal] = {}
    for events in cases:
        if all(each.released is None for each in rounds_of(events)):
            continue
        records += 1
        told = [each for each in events if each.amount is not None and each.currency is not None]
        if told:
            amount, currency = told[-1].amount, told[-1].currency
            assert amount is not None
            assert currency is not None
            amounts[currency] = amounts.get(currency, Decimal(0)) + Decimal(amount)
        else:
            unknown += 1
    return SumFigure(records, amounts, unknown)
