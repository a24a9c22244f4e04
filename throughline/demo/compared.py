"""What the firm itself says of figures that compare one piece of work with others: who was busy, how near plans came.

Like the truth, this reads lives, the firm's working time and its rates, and nothing that any system reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar

from throughline.core.instants import DAY
from throughline.demo.chronicle import Life
from throughline.demo.firm import REGIONS
from throughline.demo.plan import Plan
from throughline.demo.stuck import RATES

Figure = Mapping[str, Decimal | int]
"""A figure by the names of its parts."""

Name = TypeVar("Name")

WRITTEN_OFF = "written_off"
WEEKDAYS = 5
HORIZON = 30 * DAY
ENGAGED = ("opportunity-to-project", "time-to-bill", "milestone-to-invoice")


def standing(life: Life, kind: str) -> int | None:
    """Return when a step was last done that still stands; None where it was sent back, cancelled, or never done."""
    if life.provisional or life.ended_as not in (None, WRITTEN_OFF):
        return None
    times = [mark.time for mark in life.marks if (mark.step, mark.round, mark.category) == (kind, life.round, None)]
    return max(times, default=None)


def of(told: Plan, *processes: str) -> Iterator[Life]:
    return (life for life in told.lives if life.process in processes)


def week_name(day: date) -> str:
    return "{}-W{:02}".format(*day.isocalendar())


def utilisation(told: Plan) -> Figure:
    """Return billable approved hours over what everybody could have worked, on the days that are over."""
    changes: dict[str, list[tuple[date, Life]]] = {}
    for life in of(told, "capacity-sync"):
        at = standing(life, "resource.changed")
        if at is not None:
            since = REGIONS[life.region].local(at).date()
            changes.setdefault(life.knows["worker"], []).append((since, life))
    today = REGIONS["EMEA"].local(told.ends).date()
    possible = sum((_possible(each, today) for each in changes.values()), Decimal(0))
    billable = (life for life in of(told, "time-to-bill") if life.applies and _approved(life) is not None)
    worked = sum((life.knows["hours"] for life in billable if life.knows["worked_on"] < today), Decimal(0))
    return {"numerator": worked, "denominator": possible}


def _possible(changes: list[tuple[date, Life]], today: date) -> Decimal:
    """Return the hours of one worker up to a day, each day by what was last said of him."""
    day, hours = min(since for since, _ in changes), Decimal(0)
    away = {each for _, life in changes for each in _leave(life)}
    while day < today:
        _, life = max((each for each in changes if each[0] <= day), key=lambda each: each[0])
        if REGIONS[life.region].is_workday(day) and day not in away:
            hours += Decimal(life.knows["weekly_hours"]) / WEEKDAYS
        day += timedelta(days=1)
    return hours


def _leave(life: Life) -> Iterator[date]:
    if "leave_from" in life.knows:
        first, last = (date.fromisoformat(life.knows[name]) for name in ("leave_from", "leave_to"))
        yield from (first + timedelta(days=n) for n in range((last - first).days + 1))


def _approved(life: Life) -> Decimal | None:
    return None if standing(life, "time.approved") is None else life.knows["hours"]


def planned_hours(told: Plan) -> Figure:
    """Return how far planned hours were from worked ones, by worker and week."""
    planned: dict[tuple[str, str], Decimal] = {}
    for life in of(told, "staffing"):
        if standing(life, "assignment.confirmed") is not None:
            at = life.knows["worker"], life.knows["week"]
            planned[at] = planned.get(at, Decimal(0)) + Decimal(life.knows["planned_hours"])
    worked: dict[tuple[str, str], Decimal] = {}
    for life in of(told, "time-to-bill"):
        hours = _approved(life)
        if hours is not None:
            at = life.keys["worker"], week_name(life.knows["worked_on"])
            worked[at] = worked.get(at, Decimal(0)) + hours
    return _nearness(planned, worked)


def _nearness(forecast: Mapping[Name, Decimal], actual: Mapping[Name, Decimal]) -> Figure:
    both = forecast.keys() & actual.keys()
    if not both:
        return {"beside.done": 0}  # nothing is compared, so there is no answer
    return {
        "difference": sum((abs(forecast[at] - actual[at]) for at in both), Decimal(0)),
        "actual": sum((abs(actual[at]) for at in both), Decimal(0)),
        "matched": len(both),
    }


def forecasts(told: Plan) -> Figure:
    """Return how far forecasts were from what was posted, as they stood a month before."""
    actual: dict[tuple[str, str, str], Decimal] = {}
    first: dict[tuple[str, str, str], int] = {}
    for life in of(told, "actuals-to-plan"):
        at = standing(life, "actuals.posted")
        if at is not None:
            name = _measured(life)
            actual[name] = actual.get(name, Decimal(0)) + converted(life)
            first[name] = min(first.get(name, at), at)
    latest: dict[tuple[str, str, str], tuple[int, Decimal]] = {}
    for life in of(told, "forecast-cycle"):
        name = _measured(life)
        for time, until in _revisions(life):
            cut = first.get(name, 0) - HORIZON
            if time <= cut and (until is None or until > cut):
                latest[name] = max(latest.get(name, (0, Decimal(0))), (time, converted(life)))
    return _nearness({name: amount for name, (_, amount) in latest.items()}, actual)


def _measured(life: Life) -> tuple[str, str, str]:
    return life.knows["measure"], life.entity, life.knows["period"]


def _revisions(life: Life) -> Iterator[tuple[int, int | None]]:
    """Yield when a forecast was told, and until when it stood."""
    for mark in life.marks:
        if mark.step == "forecast.revised" and mark.category is None:
            yield mark.time, life.closed.get(mark.round)


def reports(told: Plan) -> Figure:
    """Return how far what reports show is from what was posted."""
    shown: dict[str, Decimal] = {}
    posted: dict[str, Decimal] = {}
    for life in of(told, "actuals-to-plan"):
        if standing(life, "actuals.posted") is not None and "report" in life.keys:
            posted[life.keys["report"]] = converted(life)
        if standing(life, "report.refreshed") is not None:
            shown[life.keys["report"]] = Decimal(life.knows["shown"]) * RATES[life.currency]
    return _nearness(shown, posted)


def touches(told: Plan) -> Figure:
    """Return how often a person acted, over the engagements that there are: once for an approval of many entries."""
    alive = [life for life in of(told, *ENGAGED) if life.applies and not life.provisional and life.marks]
    projects = {project for life in alive for project in _projects(life)}
    return {"numerator": len({each for life in alive for each in life.touches}), "denominator": len(projects)}


def _projects(life: Life) -> Iterable[str]:
    return life.knows.get("projects") or [life.knows[name] for name in ("project",) if name in life.knows]


def leakage(told: Plan) -> Figure:
    """Return what was given up, and what was left of contracts whose project is closed, converted."""
    given_up = [
        life
        for life in of(told, "time-to-bill", "expense-to-bill", "milestone-to-invoice", "subscription-to-invoice")
        if life.ended_as == WRITTEN_OFF and life.applies
    ]
    left, closed = Decimal(0), 0
    for contract in told.closed:
        worth = _of_contract(told, contract, "contract-to-billing-terms", "contract.signed")
        if worth:
            changes = _of_contract(told, contract, "change-order", "change_order.approved")
            taken = _of_contract(told, contract, "invoice-to-cash", "invoice.issued")
            taken += [life for life in given_up if life.knows.get("contract") == contract]
            left += max(Decimal(0), total([*worth, *changes]) - total(taken))
            closed += 1
    lost = total(given_up)
    return {"amount": lost + left, "given_up": lost, "left": left, "beside.done": closed}


def _of_contract(told: Plan, contract: str, process: str, kind: str) -> list[Life]:
    def is_of(life: Life) -> bool:
        return contract in (life.name, life.keys.get("contract"), life.knows.get("contract"))

    return [life for life in of(told, process) if is_of(life) and standing(life, kind) is not None]


def converted(life: Life) -> Decimal:
    return (life.amount or Decimal(0)) * RATES[life.currency]


def total(lives: Iterable[Life]) -> Decimal:
    return sum((converted(life) for life in lives), Decimal(0))


COMPARED = {
    "billable-utilisation": utilisation,
    "utilisation-forecast-variance": planned_hours,
    "forecast-accuracy": forecasts,
    "reporting-consistency": reports,
    "manual-touches-per-engagement": touches,
    "revenue-leakage": leakage,
}
