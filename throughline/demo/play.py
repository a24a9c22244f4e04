"""Playing the plan: simulated time goes on step by step, and every system does and reports what is due."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from throughline.core.instants import DAY, HOUR, format_instant
from throughline.demo.broker import Broker
from throughline.demo.chronicle import NIGHTLY_AT, last_reading
from throughline.demo.firm import SYSTEMS
from throughline.demo.plan import Plan
from throughline.demo.systems.message import Done, Order

SIGN_OF_LIFE = 6 * HOUR
POLLED = "fpna"
PUSHING = len(SYSTEMS) - 1
LAST = "crm"  # speaks last, so that the position of its answer lies after everything else
CLOCK_IS_READ_SECONDS = 0.012  # the product reads its clock file again every five milliseconds
HEARTBEAT = "source.heartbeat"


class Systems(Protocol):
    def carry_out(self, orders: dict[str, list[Order]]) -> list[Done]: ...


class ClockFile:
    """The time at which the product stands; moved on by writing the file anew."""

    def __init__(self, path: Path, now: int) -> None:
        self._path = path
        self.move(now)

    def move(self, now: int) -> None:
        beside = self._path.with_suffix(".new")
        beside.write_text(format_instant(now))
        os.replace(beside, self._path)


class Progress(NamedTuple):
    """How far the play is: simulated time, and reports made so far."""

    now: int
    reports: int


class Played(NamedTuple):
    """What was played: the last position, how many different reports were made, and how many of them twice."""

    position: str
    reports: int
    copies: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the play goes: in steps of ``tick``, over ``seconds`` at least (0: as fast as it goes).

    ``tick`` must divide the times of heartbeats. After a step it waits until the product has seen the new time.
    """

    seconds: float = 0.0
    tick: int = HOUR
    clock_is_read_seconds: float = CLOCK_IS_READ_SECONDS


def play(plan: Plan, systems: Systems, clock: ClockFile, pace: Pace, watch: Callable[[Progress], None]) -> Played:
    """Play the plan to its end; the position returned is that of the last heartbeat of the last system.

    The clock moves before anything is reported, and nothing that is due is left unreported when it moves on.
    """
    broker = Broker(plan.happenings)
    reports = 0
    started = time.monotonic()
    for now in range(plan.begins + pace.tick, plan.ends + 1, pace.tick):
        wait_for(started + pace.seconds * (now - plan.begins) / (plan.ends - plan.begins))
        orders = with_heartbeats(broker.due(now), now, last_reading(plan.ends))
        if orders:
            clock.move(now)
            time.sleep(pace.clock_is_read_seconds)
        while orders:
            reports += carry_out(broker, systems, orders)
            orders = broker.due(now)
        watch(Progress(now, reports))
    copies = sum(happening.copies - 1 for happening in plan.happenings)
    return Played(close_the_books(plan, broker, systems), reports + PUSHING, copies)


IN_A_HURRY = Pace(tick=2 * HOUR)


def wait_for(moment: float) -> None:
    left = moment - time.monotonic()
    if left > 0:
        time.sleep(left)


def carry_out(broker: Broker, systems: Systems, orders: dict[str, list[Order]]) -> int:
    for done in systems.carry_out(orders):
        broker.answered(done)
    return sum(map(len, orders.values()))


def with_heartbeats(orders: dict[str, list[Order]], now: int, last_night: int) -> dict[str, list[Order]]:
    """Add the signs of life that are due: of the systems that push every few hours, of the polled one at night."""
    for system in SYSTEMS:
        read = now % DAY == NIGHTLY_AT and now <= last_night
        due = read if system == POLLED else now % SIGN_OF_LIFE == 0
        if due:
            orders.setdefault(system, []).append(heartbeat(system, now))
    return orders


def heartbeat(system: str, now: int, word: str = "beat") -> Order:
    return Order(f"{system}-{word}-{format_instant(now)}", HEARTBEAT, now, now, {"until": format_instant(now)})


def close_the_books(plan: Plan, broker: Broker, systems: Systems) -> str:
    """Have every system that pushes say that it has reported everything, and return the last position."""
    assert broker.left == 0, "every cause is reported before the end"
    ends = plan.ends
    others = [system for system in SYSTEMS if system not in (POLLED, LAST)]
    systems.carry_out({system: [heartbeat(system, ends, "end")] for system in others})
    (last,) = systems.carry_out({LAST: [heartbeat(LAST, ends, "end")]})
    assert last.position is not None, "the last system hears a position"
    return last.position


def seen_until(plan: Plan) -> Callable[[str, str], int]:
    """Return up to when the product can have seen everything of a role: of the polled one until it was last read."""
    last_night = last_reading(plan.ends)

    def until(role: str, _entity: str) -> int:
        return last_night if role == POLLED else plan.ends

    return until
