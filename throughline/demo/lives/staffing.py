"""Staffing: people found for requests, and the time that is expected of each assignment every week from then on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from random import Random

from throughline.demo.chronicle import Chronicle, Happening, Life, Weeks, minutes
from throughline.demo.faults import Fault, deal_out
from throughline.demo.firm import Assignment, Entity, Firm, Size
from throughline.demo.lives.routes import Befalls, Piece, Route, Stop, Way, begin, go_on
from throughline.demo.lives.time_entries import Entry, Gaps

CONFIRMED = "assignment.confirmed"
AFTER_ALL_STOPS = 5
STAFFING = Route(
    "staffing",
    (
        Stop("staffing.requested", "scheduling", ("staffing_request", "project", "practice"), ("project",)),
        Stop("candidate.proposed", "scheduling", ("staffing_request", "worker"), workdays=1, person=True),
        Stop(
            CONFIRMED,
            "scheduling",
            ("staffing_request", "assignment", "worker", "starts_on", "planned_hours", "week"),
            ("assignment",),
            workdays=1,
            person=True,
        ),
        Stop("assignment.synced", "erp", ("assignment",)),
        Stop("assignment.synced", "psa", ("assignment",)),
    ),
    {
        Fault.LOST: Befalls(4),
        Fault.BELATED: Befalls(1),
        Fault.RESENT: Befalls(3),
        Fault.SENT_BACK: Befalls(1, "staffing.rejected"),
        Fault.CANCELLED: Befalls(2, "staffing.cancelled"),
        Fault.NEVER_SUBMITTED: Befalls(AFTER_ALL_STOPS),
        Fault.SUBMITTED_LATE: Befalls(AFTER_ALL_STOPS),
    },
)
OF_TIME = (Fault.NEVER_SUBMITTED, Fault.SUBMITTED_LATE)
SHOWN_WEEK = 1  # in it the time of some assignments comes late or never
LATER = 14  # weeks after the first day, in which new projects begin


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a new project made, and by what: nobody is needed before the play ends."""

    id: str
    project: str
    practice: str
    entity: Entity
    time: int
    told: Happening


@dataclass(frozen=True)
class Staffed:
    """Who is being sought in the first week, and whose time will come late or never: by assignment and week."""

    pieces: tuple[Piece, ...]
    gaps: Gaps


def seek(rng: Random, begins: date, firm: Firm, size: Size) -> Staffed:
    """Return the requests for some of the firm's assignments; each begins with the second week."""
    assignments = firm.assignments[: size.routed]
    faults = deal_out(rng, len(assignments), dict.fromkeys(STAFFING.faults, STAFFING.share))
    pieces = tuple(sought(n, each, begins, faults.get(n)) for n, each in enumerate(assignments))
    gaps = {(str(p.knows["assignment"]), SHOWN_WEEK): p.fault for p in pieces if p.fault in OF_TIME and p.fault}
    return Staffed(pieces, gaps)


def sought(number: int, assignment: Assignment, begins: date, fault: Fault | None) -> Piece:
    entity = assignment.contract.entity
    starts = begins + timedelta(weeks=1)
    life = Life(STAFFING.process, f"SR-{700 + number}", entity.region, entity.code, None, entity.currency)
    knows = {
        "staffing_request": life.name,
        "project": assignment.contract.project,
        "practice": assignment.contract.practice,
        "worker": assignment.worker,
        "assignment": assignment.id,
        "starts_on": starts.isoformat(),
        "planned_hours": "20",
        "week": week_name(starts),
    }
    return Piece(life, knows, fault)


def week_name(day: date) -> str:
    return "{}-W{:02}".format(*day.isocalendar())


def tell_staffing(
    chronicle: Chronicle, rng: Random, begins: date, staffed: Staffed, requests: Iterable[Request], entries: list[Entry]
) -> None:
    """Tell the first week's requests and those of new projects; ``entries`` is all the time."""
    for piece in staffed.pieces:
        start = piece.region.at(piece.region.workday(begins), time(9)) + minutes(rng, 5, 240)
        begin(chronicle, rng, STAFFING, piece, start)
        expect(piece, entries)
    for number, request in enumerate(requests):
        answer(chronicle, rng, begins, number, request)


def expect(piece: Piece, entries: list[Entry]) -> None:
    """Write down the weeks from the first day of a confirmed assignment on, and when their time was submitted first."""
    if piece.life.last(CONFIRMED) is None:
        return
    name = str(piece.knows["assignment"])
    weeks = piece.life.weeks[name] = Weeks(date.fromisoformat(str(piece.knows["starts_on"])))
    for entry in entries:
        for mark in entry.life.marks if entry.assignment.id == name else ():
            if mark.step == "time.submitted":
                weeks.did(entry.worked_on, mark.time)


def answer(chronicle: Chronicle, rng: Random, begins: date, number: int, request: Request) -> None:
    """Tell how a new project's request is answered: with somebody who begins after the play."""
    entity, starts = request.entity, begins + timedelta(weeks=LATER)
    life = Life(STAFFING.process, request.id, entity.region, entity.code, None, entity.currency)
    life.did("staffing.requested", request.time, "scheduling")
    life.keys = {"project": request.project}
    knows = {
        "staffing_request": request.id,
        "worker": f"W-{900 + number}",
        "assignment": f"AS-{8000 + number}",
        "starts_on": starts.isoformat(),
        "planned_hours": "24",
        "week": week_name(starts),
    }
    piece = Piece(life, knows)
    life.knows = piece.knows
    chronicle.lives.append(life)
    go_on(chronicle, rng, STAFFING, piece, Way(request.time, request.told), 1)
    if life.last(CONFIRMED) is not None:
        life.weeks[knows["assignment"]] = Weeks(starts)
