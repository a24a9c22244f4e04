"""What really happens in the firm: happenings for its systems to act out, and the life of each piece of work.

A happening is what one system will do and report. A life is what the firm itself knows about one piece of work;
it is written down beside the happenings and never read back from anything that was reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from throughline.core.instants import DAY, HOUR, MINUTE

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Error:
    """Why a system could not do what it was asked; ``category`` is one of the product's published ones."""

    category: str
    code: str
    message: str
    retryable: bool = False
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that one system does at ``time`` and reports at ``reported`` (both microseconds), ``copies`` times.

    ``causes`` are the happenings whose message it took from a queue; ``flow`` names that queue.
    """

    id: str
    system: str
    type: str
    time: int
    fields: Fields
    reported: int
    causes: tuple[str, ...] = ()
    flow: str | None = None
    error: Error | None = None
    copies: int = 1
    sequence: int = 0


class Mark(NamedTuple):
    """A step of a life that was done, or failed with a category of error."""

    step: str
    round: int
    time: int
    system: str
    category: str | None = None


class Flag(NamedTuple):
    """A deviation that the firm knows of, beyond what steps and deadlines tell."""

    deviation: str
    step: str | None
    round: int | None


@dataclass
class Weeks:
    """What is expected every week of one assignment: from a first day on, and when each week's was there first."""

    begins: date
    came: dict[date, int] = field(default_factory=dict[date, int])

    def did(self, day: date, time: int) -> None:
        """Write down what came for the week of a day; the first counts."""
        monday = day - timedelta(days=day.weekday())
        self.came[monday] = min(self.came.get(monday, time), time)


@dataclass
class Life:
    """One piece of work as the firm knows it, and how it went; ``closed`` says when a round was cut short.

    ``amount`` None: nobody has said what it is worth. ``weeks``: by assignment, what must come every week. ``knows``:
    what else the firm knows of it, by the words of its systems. ``touches``: the happenings by which a person acted.
    ``anew``: the rounds that nobody rejected, and that were left for another one.
    """

    process: str
    name: str
    region: str
    entity: str
    amount: Decimal | None
    currency: str
    scope: dict[str, str] = field(default_factory=dict[str, str])
    keys: dict[str, str] = field(default_factory=dict[str, str])
    marks: list[Mark] = field(default_factory=list[Mark])
    flags: list[Flag] = field(default_factory=list[Flag])
    stories: list[str] = field(default_factory=list[str])
    paid: list[Decimal] = field(default_factory=list[Decimal])
    round: int = 1
    rejected_at: int | None = None
    closed: dict[int, int] = field(default_factory=dict[int, int])
    ended_as: str | None = None
    weeks: dict[str, Weeks] = field(default_factory=dict[str, "Weeks"])
    knows: Fields = field(default_factory=Fields)
    touches: list[str] = field(default_factory=list[str])
    anew: set[int] = field(default_factory=set[int])
    applies: bool = True
    provisional: bool = False
    due_at: int | None = None

    def did(self, step: str, time: int, system: str) -> None:
        self.marks.append(Mark(step, self.round, time, system))

    def failed(self, step: str, time: int, system: str, category: str) -> None:
        self.marks.append(Mark(step, self.round, time, system, category))

    def rejected(self, time: int) -> None:
        """Write down a rejection: what follows belongs to the next round."""
        self.closed[self.round] = time
        self.round += 1
        self.rejected_at = time

    def again(self, time: int) -> None:
        """Write down that it begins anew, without any rejection: what follows belongs to the next round."""
        self.closed[self.round] = time
        self.anew.add(self.round)
        self.round += 1
        self.rejected_at = None

    def end(self, word: str, time: int) -> None:
        """Write down that the life is over by something other than its last step."""
        self.closed[self.round] = time
        self.ended_as = word

    def flag(self, deviation: str, step: str | None = None, round: int | None = None) -> None:
        self.flags.append(Flag(deviation, step, round))

    def last(self, step: str) -> int | None:
        """Return when the step was last done, in any round."""
        times = [mark.time for mark in self.marks if mark.step == step and mark.category is None]
        return max(times, default=None)


class Post(NamedTuple):
    """How a report travels: how long after the fact, and how many times."""

    delay: int = 0
    copies: int = 1


PUNCTUAL = Post()


@dataclass
class Chronicle:
    """The firm's history while it is being written: everything that happens, and every life.

    ``closed``: when the work under each contract was over, by the contract's id.
    """

    begins: int
    ends: int
    happenings: list[Happening] = field(default_factory=list[Happening])
    lives: list[Life] = field(default_factory=list[Life])
    closed: dict[str, int] = field(default_factory=dict[str, int])

    def tell(
        self,
        system: str,
        kind: str,
        time: int,
        fields: Fields,
        *,
        after: Happening | tuple[Happening, ...] | None = None,
        flow: str | None = None,
        error: Error | None = None,
        post: Post = PUNCTUAL,
    ) -> Happening:
        """Write down one happening; it is reported within the time told, at the latest shortly before the end."""
        causes = (after,) if isinstance(after, Happening) else after or ()
        number = len(self.happenings) + 1
        reported = max(time, min(time + post.delay, self.ends - HOUR))
        happening = Happening(
            id=f"{system}-{number:06d}",
            system=system,
            type=kind,
            time=time,
            fields=fields,
            reported=reported,
            causes=tuple(cause.id for cause in causes),
            flow=flow,
            error=error,
            copies=post.copies,
            sequence=number,
        )
        self.happenings.append(happening)
        return happening

    def over(self, time: int) -> bool:
        """Tell whether a time lies past what is played."""
        return time >= self.ends - MINUTE


NIGHTLY_AT = 2 * HOUR
UNREAD_DAYS = 3


def next_night(at: int) -> int:
    """Return when what happens now is read out of FP&A: at two in the morning, UTC."""
    return at - (at - NIGHTLY_AT) % DAY + DAY


def last_reading(ends: int) -> int:
    """Return when FP&A was read out for the last time: since then the nightly job does not run, unnoticed."""
    return next_night(ends - (UNREAD_DAYS + 1) * DAY)


def travel(rng: Random) -> Post:
    """Draw how a report travels: most at once, some twice, some hours late and so out of order."""
    roll = rng.random()
    if roll < LATE:
        return Post(delay=rng.randint(2 * HOUR, 30 * HOUR))
    if roll < LATE + TWICE:
        return Post(copies=2)
    return PUNCTUAL


LATE = 0.05
TWICE = 0.04


def minutes(rng: Random, low: int, high: int) -> int:
    """Draw a length of time between two numbers of minutes, never on a whole minute."""
    return rng.randint(low * 60, high * 60 - 1) * 1_000_000 + rng.randint(1, 999) * 1000


def money(amount: Decimal) -> str:
    """Write an amount as systems send it: a decimal text."""
    return format(amount, "f")
