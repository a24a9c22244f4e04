"""Routes: the way of a kind of work whose systems simply pass it on, declared as stops and what may befall it there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from random import Random
from typing import NamedTuple

from throughline.demo.chronicle import (
    Chronicle,
    Error,
    Fields,
    Happening,
    Life,
    Post,
    last_reading,
    minutes,
    next_night,
    travel,
)
from throughline.demo.faults import Fault, deal_out
from throughline.demo.firm import REGIONS, erp_of, role_of
from throughline.demo.worktime import Region

POLLED = "fpna"
REFUSED = Error("validation", "422", "the target refused the record")
UNREACHED = Error("unavailable", "503", "the target did not answer", retryable=True)


class Stop(NamedTuple):
    """One step of a route: which role reports it, what that system knows of the piece, and which keys become known.

    It comes so many workdays after the stop before (0: the same day), within ``spread`` minutes of opening hours.
    ``person``: somebody decides it. ``sometimes``: many pieces have no such stop. ``says``: what it tells by another
    word than the one by which it is known.
    """

    type: str
    role: str
    knows: tuple[str, ...]
    gives: tuple[str, ...] = ()
    workdays: int = 0
    spread: tuple[int, int] = (5, 90)
    person: bool = False
    sometimes: bool = False
    says: Mapping[str, str] = {}


class Befalls(NamedTuple):
    """What befalls a share of the pieces at a stop: ``type`` is the event that sends it back or ends it.

    ``late``: what is belated comes so many workdays after the stop before. ``changes``: what is known otherwise there,
    or when it begins again; a rule that this breaks is checked once the step ``flags`` is seen (None: always). A stop
    past the last one is left to who goes on from there.
    """

    stop: int
    type: str = ""
    late: int = 3
    changes: Mapping[str, str] = {}
    flags: str | None = None


@dataclass(frozen=True, eq=False)
class Route:
    """The way of one process's work; ``share`` of the pieces befalls each of ``faults``, at least one piece each."""

    process: str
    stops: tuple[Stop, ...]
    faults: Mapping[Fault, Befalls]
    share: float = 0.04


@dataclass(frozen=True)
class Piece:
    """A piece of work on a route: its life, and all that any of its systems knows of it."""

    life: Life
    knows: Fields
    fault: Fault | None = None

    @property
    def region(self) -> Region:
        return REGIONS[self.life.region]


@dataclass
class Way:
    """How far a piece has come: when it was last passed on, by which happening, and whether past its last stop."""

    at: int
    cause: Happening | None = None
    through: bool = False


def send_all(
    chronicle: Chronicle,
    rng: Random,
    route: Route,
    pieces: Iterable[Piece],
    begins: date,
    weeks: int,
    days: tuple[int, ...] = (0, 1, 2, 3, 4),
) -> list[tuple[Piece, Way]]:
    """Send pieces on their way, spread over the weeks; those with faults so early that each shows in the end."""
    known = list(pieces)
    faults = deal_out(rng, len(known), dict.fromkeys(route.faults, route.share))
    found: list[tuple[Piece, Way]] = []
    for number, each in enumerate(known):
        fault = faults.get(number)
        piece = replace(each, fault=fault)
        week = 0 if fault else number * weeks // len(known)
        day = piece.region.workday(begins + timedelta(weeks=week, days=rng.choice(days)))
        start = piece.region.at(day, time(9)) + minutes(rng, 5, 240)
        if not chronicle.over(start):
            found.append((piece, begin(chronicle, rng, route, piece, start)))
    return found


def begin(chronicle: Chronicle, rng: Random, route: Route, piece: Piece, start: int) -> Way:
    """Tell a piece from its first stop on, as far as it gets."""
    chronicle.lives.append(piece.life)
    piece.life.knows = piece.knows
    if piece.fault is not None:
        piece.life.stories.append(piece.fault.value)
    return go_on(chronicle, rng, route, piece, Way(start), 0)


def go_on(chronicle: Chronicle, rng: Random, route: Route, piece: Piece, way: Way, number: int) -> Way:
    """Tell a piece from a stop on, as far as it gets."""
    befalls = route.faults[piece.fault] if piece.fault else None
    for place, stop in enumerate(route.stops[number:], start=number):
        if stop.sometimes and rng.random() < SELDOM:
            continue
        at = way.at if place == 0 else after(rng, piece.region, way.at, stop)
        passing = Passing(piece, stop, at)
        if befalls is not None and befalls.stop == place:
            if piece.fault not in PASSING:
                return turn_aside(chronicle, rng, route, passing, befalls, way)
            passing = hold_up(chronicle, rng, passing, befalls, way)
        if chronicle.over(passing.at) or not pass_on(chronicle, rng, passing, way):
            return way
    way.through = True
    return way


class Passing(NamedTuple):
    """A piece about to be at a stop."""

    piece: Piece
    stop: Stop
    at: int


PASSING = frozenset({Fault.BELATED, Fault.RESENT, Fault.RULE_BROKEN})


def hold_up(chronicle: Chronicle, rng: Random, passing: Passing, befalls: Befalls, way: Way) -> Passing:
    """Return how a piece gets to a stop all the same: late, by hand after a failure, or against a rule."""
    piece, stop, at = passing
    match piece.fault:
        case Fault.BELATED:
            return passing._replace(at=piece.region.plus_workdays(way.at, befalls.late) + minutes(rng, 5, 60))
        case Fault.RESENT:
            refuse(chronicle, passing, way, UNREACHED)
            later = piece.region.plus_workdays(at, 1) + minutes(rng, 5, 60)
            return Passing(piece, stop._replace(person=True), later)
        case _:
            piece.life.flag("policy_violation", befalls.flags)
            return passing._replace(piece=replace(piece, knows=piece.knows | dict(befalls.changes)))


def turn_aside(chronicle: Chronicle, rng: Random, route: Route, passing: Passing, befalls: Befalls, way: Way) -> Way:
    """Tell what keeps a piece from a stop: it is lost, refused, sent back, ended, or begun again."""
    piece, _, at = passing
    match piece.fault:
        case Fault.REFUSED:
            refuse(chronicle, passing, way, REFUSED)
        case Fault.SENT_BACK | Fault.SENT_BACK_LEFT:
            return send_back(chronicle, rng, route, piece, befalls, at)
        case Fault.CANCELLED | Fault.WRITTEN_OFF:
            end(chronicle, route, piece, befalls, at)
        case Fault.BEGUN_AGAIN:
            piece.life.again(at)
            anew = replace(piece, fault=None, knows=piece.knows | dict(befalls.changes))
            return go_on(chronicle, rng, route, anew, Way(at), 0)
        case _:
            pass  # lost: nobody says anything
    return way


SELDOM = 0.3


def after(rng: Random, region: Region, before: int, stop: Stop) -> int:
    start = region.plus_workdays(before, stop.workdays) if stop.workdays else region.next_opening(before)
    return start + minutes(rng, *stop.spread)


def pass_on(chronicle: Chronicle, rng: Random, passing: Passing, way: Way) -> bool:
    """Tell that a piece came to a stop; False where its system is not read out again before the end."""
    piece, stop, at = passing
    post = travel(rng)
    if stop.role == POLLED:
        post = Post(delay=next_night(at) - at)
        if next_night(at) > last_reading(chronicle.ends):
            return False
    system = system_of(stop.role, piece)
    body = known_of(piece, stop) | ({"actor_kind": "person"} if stop.person else {})
    cause, flow = passed_by(way, system)
    way.at, way.cause = at, chronicle.tell(system, stop.type, at, body, after=cause, flow=flow, post=post)
    if stop.person:
        piece.life.touches.append(way.cause.id)
    piece.life.did(stop.type, at, stop.role)
    piece.life.keys |= {name: str(piece.knows[name]) for name in stop.gives}
    return True


def passed_by(way: Way, system: str) -> tuple[Happening | None, str | None]:
    """Return the message that a system takes, and its queue; what is read out at night sends none."""
    cause = way.cause
    if cause is None or cause.system in (POLLED, system):
        return None, None
    return cause, f"{role_of(cause.system)}-{role_of(system)}"


def system_of(role: str, piece: Piece) -> str:
    return erp_of(piece.life.entity) if role == "erp" else role


def where(piece: Piece) -> Fields:
    return {"region": piece.life.region, "legal_entity": piece.life.entity}


def known_of(piece: Piece, stop: Stop) -> Fields:
    told = ((name, stop.says.get(name, name)) for name in stop.knows)
    return where(piece) | {name: piece.knows[word] for name, word in told if word in piece.knows}


def refuse(chronicle: Chronicle, passing: Passing, way: Way, error: Error) -> None:
    """Tell that a stop failed."""
    piece, stop, at = passing
    system = system_of(stop.role, piece)
    cause, flow = passed_by(way, system)
    chronicle.tell(system, stop.type, at, known_of(piece, stop), after=cause, flow=flow, error=error)
    piece.life.failed(stop.type, at, stop.role, error.category)


def send_back(chronicle: Chronicle, rng: Random, route: Route, piece: Piece, befalls: Befalls, at: int) -> Way:
    """Tell a rejection and, unless the piece is left lying, its second round."""
    decide(chronicle, route, piece, befalls, at, "it does not say what it must")
    piece.life.rejected(at)
    again = piece.region.plus_workdays(at, 1) + minutes(rng, 5, 60)
    if piece.fault is Fault.SENT_BACK_LEFT or chronicle.over(again):
        return Way(at)
    return go_on(chronicle, rng, route, replace(piece, fault=None), Way(again), 0)


def end(chronicle: Chronicle, route: Route, piece: Piece, befalls: Befalls, at: int) -> None:
    assert piece.fault is not None
    decide(chronicle, route, piece, befalls, at, "no longer wanted")
    piece.life.end("written_off" if piece.fault is Fault.WRITTEN_OFF else "cancelled", at)


def decide(chronicle: Chronicle, route: Route, piece: Piece, befalls: Befalls, at: int, reason: str) -> None:
    """Tell that a person sent a piece back or ended it, in the system where the work began."""
    first = route.stops[0]
    name = first.knows[0]
    body = where(piece) | {name: piece.knows[name], "reason": reason, "actor_kind": "person"}
    piece.life.touches.append(chronicle.tell(system_of(first.role, piece), befalls.type, at, body).id)
