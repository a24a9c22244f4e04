"""Rounds: what the events of a case say of its steps, in time order; pure, and free of now.

The rules are those of docs/reference/derived-state.md. A position is an index into the members as ``in_order``
sorts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from lineage.amounts import Purse, share
from lineage.fact import Fact, Member, Via
from lineage.process import Ending, Meaning, Process, StepKind, Version

_VIA_RANK = {Via.NAME: 0, Via.ALIAS: 1, Via.CARRIER: 2}


class Track:
    """What one round has seen of one step: positions of its successes and failures, and when it was done.

    ``systems`` are the roles that have reported, of a step with several.
    """

    __slots__ = ("done_at", "failures", "first", "successes", "systems")

    def __init__(self) -> None:
        self.successes: list[int] = []
        self.failures: list[int] | None = None
        self.first: int | None = None
        self.done_at: int | None = None
        self.systems: set[str] | None = None


class Round:
    """One pass of a case; written by ``follow`` only.

    ``rejected_at``: the time of the rejection that opened it. ``closed_at``: when the next round opened. ``moved``:
    a step was tried in it, other than by a rejection. ``far``: the index of the furthest step of the path that was
    seen, at least in part; -1 where none was. ``straight``: the steps of the path were first seen one after the other,
    each done before the next, so that nothing can be skipped or out of order. ``failed``: some step failed. ``tracks``
    has one place per step of the version.
    """

    __slots__ = (
        "closed_at",
        "failed",
        "far",
        "moved",
        "number",
        "opened_by",
        "rejected_at",
        "straight",
        "tracks",
    )

    def __init__(self, number: int, opened_by: int | None, rejected_at: int | None, steps: int) -> None:
        self.number = number
        self.opened_by = opened_by
        self.rejected_at = rejected_at
        self.closed_at: int | None = None
        self.moved = False
        self.far = -1
        self.straight = True
        self.failed = False
        self.tracks: list[Track | None] = [None] * steps

    def track(self, index: int) -> Track:
        """Return the track of a step, a new one where nothing was seen yet."""
        track = self.tracks[index]
        if track is None:
            track = self.tracks[index] = Track()
        return track

    def is_done(self, index: int) -> bool:
        track = self.tracks[index]
        return track is not None and track.done_at is not None

    def is_seen(self, index: int) -> bool:
        track = self.tracks[index]
        return track is not None and track.first is not None


class Course(msgspec.Struct, frozen=True, gc=False):
    """The way a case went: its rounds (at least one), how it ended, and what was paid, by covering step."""

    version: Version
    members: list[Member]
    rounds: list[Round]
    ended: tuple[str, int] | None
    purses: dict[int, Purse]


def in_order(process: Process, members: Iterable[Member]) -> tuple[Version, list[Member]]:
    """Return the version in force and the members in their one order, each event once.

    The version is that of the earliest event that is not denied. The order is time, rank of the type in that version,
    source, id. An event given twice stays by the most direct way it came, and is denied if it is denied by any.
    """
    earliest = before = None
    ordered = True
    found = members if isinstance(members, list) else list(members)
    for fact, _, denied in found:
        time = fact.time
        if not denied and (earliest is None or time < earliest):
            earliest = time
        if before is not None and time <= before:
            ordered = False
        before = time
    if earliest is None:
        earliest = min((member.fact.time for member in found), default=0)
    version = process.version_at(earliest)
    return version, found if ordered else _sorted(version, found)


def _sorted(version: Version, members: list[Member]) -> list[Member]:
    meanings = version.meanings

    def key(member: Member) -> tuple[int, int, str, str, int]:
        fact = member.fact
        meaning = meanings.get(fact.type)
        return fact.time, -1 if meaning is None else meaning.rank, fact.source, fact.id, _VIA_RANK[member.via]

    once: list[Member] = []
    for member in sorted(members, key=key):
        if once and once[-1].fact.id == member.fact.id and once[-1].fact.source == member.fact.source:
            if member.denied:
                once[-1] = once[-1]._replace(denied=True)
        else:
            once.append(member)
    return once


def follow(version: Version, members: list[Member], name: str) -> Course:
    """Read the members (sorted by ``in_order``) of the case of an interned name into rounds and their steps."""
    meanings, terminal_errors = version.meanings, version.terminal_errors
    purses = {index: Purse() for index in version.covering}
    size = len(version.steps)
    each = version.new_round.each
    current = Round(1, None, None, size)
    rounds = [current]
    ended: tuple[str, int] | None = None
    for position, member in enumerate(members):
        fact, _, denied = member
        if denied:
            continue
        meaning = meanings.get(fact.type)
        if purses and not fact.failed:
            _count(purses, meaning, member, name)
        if meaning is None:
            continue
        steps = meaning.steps if len(meaning.steps) < 2 else _meant(version, meaning.steps, fact)
        if fact.failed:
            for index in steps:
                _fail(current, index, position)
            continue
        if each and _begins_again(version, current, steps, fact):
            _close(current, fact.time, purses)
            current, ended = Round(current.number + 1, position, None, size), None
            rounds.append(current)
        directly_again = current.rejected_at is not None and not current.moved
        for index in steps:
            _succeed(current, version, index, position, fact)
            if index in terminal_errors and ended is None and current.is_done(index):
                ended = version.steps[index].name, fact.time
        if meaning.ending is not None and ended is None and _ends(meaning.ending, fact, name):
            ended = meaning.ending.ended_as, fact.time
        if not meaning.rejects:
            current.moved = current.moved or bool(steps)
        elif ended is None and not directly_again:
            _close(current, fact.time, purses)
            current = Round(current.number + 1, position, fact.time, size)
            rounds.append(current)
    _settle(current, purses)
    return Course(version, members, rounds, ended, purses)


def members_by_round(course: Course) -> Iterator[tuple[Round, list[Member]]]:
    """Yield each round with its members: a rejection closes its round, an initial step that opens one belongs to it."""
    starts = [0]
    for each in course.rounds[1:]:
        opened_by = each.opened_by or 0
        starts.append(opened_by if each.rejected_at is None else opened_by + 1)
    ends = [*starts[1:], len(course.members)]
    for each, start, end in zip(course.rounds, starts, ends, strict=True):
        yield each, course.members[start:end]


def _meant(version: Version, steps: tuple[int, ...], fact: Fact) -> tuple[int, ...]:
    """Return the steps that an event reports whose type reports several: those of its system, else all."""
    of_system = tuple(index for index in steps if fact.system in version.steps[index].systems)
    return of_system or steps


def _begins_again(version: Version, current: Round, steps: tuple[int, ...], fact: Fact) -> bool:
    """Return whether a success of the initial step opens a round: the current one has it from that system already."""
    for index in steps:
        if version.steps[index].kind is StepKind.INITIAL:
            track = current.tracks[index]
            if track is not None and track.first is not None:
                return track.done_at is not None or (track.systems is not None and fact.system in track.systems)
    return False


def _fail(current: Round, index: int, position: int) -> None:
    track = current.track(index)
    if track.failures is None:
        track.failures = [position]
    else:
        track.failures.append(position)
    current.moved = current.failed = True


def _succeed(current: Round, version: Version, index: int, position: int, fact: Fact) -> None:
    track = current.tracks[index]
    if track is None:
        track = current.tracks[index] = Track()
    track.successes.append(position)
    if track.first is None:
        track.first = fact.time
        _go_on(current, version, index)
    step = version.steps[index]
    if track.done_at is not None or step.amount_covers:
        return
    if len(step.systems) < 2:
        track.done_at = fact.time
        return
    if track.systems is None:
        track.systems = set()
    if fact.system in step.systems:
        track.systems.add(fact.system)
        if len(track.systems) == len(step.systems):
            track.done_at = fact.time


def _go_on(current: Round, version: Version, index: int) -> None:
    """Note how far the round has come with the first sight of a step, and whether it left the straight path."""
    place = version.places[index]
    if place is None:
        return
    far = current.far
    before = version.path[place - 1] if place else -1
    if far != before or (far >= 0 and not current.is_done(far)):
        current.straight = False
    if index > far:
        current.far = index


def _ends(ending: Ending, fact: Fact, name: str) -> bool:
    if ending.end is None:
        return True
    return name in (fact.from_names if ending.end == "from" else fact.to_names)


def _count(purses: dict[int, Purse], meaning: Meaning | None, member: Member, name: str) -> None:
    """Enter a success into the purses: as a payment of its covering step, else as the amount to be covered."""
    paid = [index for index in meaning.steps if index in purses] if meaning is not None else []
    own = share(member, name)
    for index in paid:
        purses[index].pay(own, member.fact.time)
    if own is not None and not paid:
        for purse in purses.values():
            purse.owe(own, member.fact.time)


def _close(current: Round, time: int, purses: dict[int, Purse]) -> None:
    current.closed_at = time
    _settle(current, purses)


def _settle(current: Round, purses: dict[int, Purse]) -> None:
    """Mark covering steps as done where a payment came in this round and, by its end, the amounts cover."""
    for index, purse in purses.items():
        track = current.tracks[index]
        if track is not None and track.first is not None and purse.covered_at is not None:
            track.done_at = max(track.first, purse.covered_at)
