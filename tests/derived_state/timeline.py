"""Stories as time-lines: events at times of the week of Monday 2026-11-02, and what stands at a moment after them.

Time here is plain: an hour is an hour, a business day is a day, the cut-off is the next Friday at noon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lineage.derive import Conflict, Context, derive
from lineage.fact import Derived, Deviation, DeviationKind, Fact, Member, StepState, StepStatus, Via, Watermark
from lineage.process import Process
from throughline.core.calendar import Duration, Unit
from throughline.core.instants import DAY, HOUR, MINUTE, parse_instant, to_datetime
from throughline.core.key import Key

MONDAY = parse_instant("2026-11-02T00:00:00Z")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NOON_OF_FRIDAY = 4 * DAY + 12 * HOUR


def at(text: str) -> int:
    """Return the instant of a text such as ``wed 14:30``; ``wed+1 14:30`` is a week later."""
    day, clock = text.split()
    name, _, weeks = day.partition("+")
    hour, minute = clock.split(":")
    return MONDAY + (_DAYS.index(name) + 7 * int(weeks or 0)) * DAY + int(hour) * HOUR + int(minute) * MINUTE


class PlainCalendars:
    """Business time without nights and weekends; ``asked`` counts what was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def add(self, start: int, duration: Duration, region: str | None) -> int:
        self.asked += 1
        return start + duration.count * (DAY if duration.unit is Unit.BUSINESS_DAYS else HOUR)

    def cutoff(
        self, name: str, start: int, calendar: str | None, legal_entity: str | None, region: str | None
    ) -> int | None:
        self.asked += 1
        if calendar == "none":
            return None
        friday = MONDAY + _NOON_OF_FRIDAY
        weeks = max(0, -((friday - start) // (7 * DAY)))
        return friday + weeks * 7 * DAY

    def field_due(self, value: object, region: str | None) -> int | None:
        self.asked += 1
        try:
            return parse_instant(f"{value}T23:59:59Z")
        except ValueError:
            return None

    def field_day(self, value: object, region: str | None) -> date | None:
        try:
            return date.fromisoformat(str(value)[:10])
        except ValueError:
            return None

    def day_of(self, instant: int, region: str | None) -> date:
        return to_datetime(instant).date()

    def has_business_day(self, first: date, last: date, region: str | None) -> bool:
        return first <= last


@dataclass(frozen=True)
class PlainSight:
    """What was heard of each role; the source of a role is ``/<role>``. Roles not named are not declared."""

    heard: Mapping[str, str | int | None] = field(default_factory=dict[str, "str | int | None"])
    blind: Mapping[str, str] = field(default_factory=dict[str, str])

    def watermark(self, roles: tuple[str, ...], legal_entity: str | None) -> Watermark:
        if not roles or any(role not in self.heard for role in roles):
            return Watermark(None, None, None, False)
        role = min(roles, key=lambda each: (self._instant(each) or -1, each))
        blind = self.blind.get(role)
        return Watermark(self._instant(role), f"/{role}", at(blind) if blind else None, True)

    def _instant(self, role: str) -> int | None:
        heard = self.heard[role]
        return at(heard) if isinstance(heard, str) else heard


def event(kind: str, when: str, **more: Any) -> Member:
    """Return an event that names the case; ``via`` and ``denied`` say otherwise, the rest goes into the fact."""
    via, denied = more.pop("via", Via.NAME), more.pop("denied", False)
    defaults: dict[str, Any] = {
        "seq": 0,
        "source": "/psa",
        "id": f"{kind}@{when}",
        "type": kind,
        "time": at(when),
        "received": at(when),
        "currency": "EUR" if {"amount", "amounts"} & more.keys() else None,
    }
    return Member(Fact(**{**defaults, **more}), via, denied)


def failure(kind: str, when: str, category: str = "timeout", **more: Any) -> Member:
    return event(kind, when, failed=True, category=category, id=f"failed {kind}@{when}", **more)


def context(now: str | int, heard: Mapping[str, str | int | None] | None = None, **more: Any) -> Context:
    sight = more.pop("sight", None) or PlainSight(heard or {})
    return Context(at(now) if isinstance(now, str) else now, sight, PlainCalendars(), **more)


def stands(
    process: Process,
    story: Iterable[Member],
    now: str | int,
    heard: Mapping[str, str | int | None] | None = None,
    *,
    name: str = "N-1",
    conflict: Conflict | None = None,
    aliases: Mapping[int, Key] | None = None,
    provisional: bool = False,
    housed: frozenset[int] = frozenset(),
    bearing: Mapping[int, tuple[str, ...]] | None = None,
    **more: Any,
) -> Derived:
    """Return where the case of a story stands at a moment; ``heard`` says how far each role has reported."""
    return derive(
        process,
        list(story),
        conflict,
        context(now, heard, **more),
        name=Key(process.name_key, name).encode(),
        aliases=aliases or {},
        provisional=provisional,
        housed=housed,
        bearing=bearing or {},
    )


def step_of(derived: Derived, name: str, round_number: int = 0) -> StepState:
    """Return the state of a step in a round, the last one where none is given."""
    chosen = derived.rounds[round_number - 1]
    return next(each for each in chosen.steps if each.step == name)


def status_of(derived: Derived, name: str, round_number: int = 0) -> StepStatus:
    return step_of(derived, name, round_number).status


def open_deviations(derived: Derived) -> list[tuple[str, str | None]]:
    """Return the kind and step of each open deviation, sorted."""
    return sorted((each.kind.value, each.step) for each in derived.deviations if each.open)


def deviation_of(derived: Derived, kind: DeviationKind) -> Deviation:
    """Return the one deviation of a kind."""
    (found,) = (each for each in derived.deviations if each.kind is kind)
    return found
