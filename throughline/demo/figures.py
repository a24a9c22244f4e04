"""Figures: what the firm itself says of each KPI that it can know, to be held against what the product says.

Like the truth, this reads lives, the firm's expectations, working time and rates, and nothing that any system reported.
A figure is told by the paths of the product's public document of a reading: ``beside.done``, ``answer.hits``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from itertools import pairwise
from math import inf
from typing import NamedTuple

from throughline.core.instants import MICROSECONDS, MINUTE, format_instant, to_datetime
from throughline.demo.chronicle import Life, Mark
from throughline.demo.compared import COMPARED, Figure
from throughline.demo.expectations import COURSES, SYSTEM
from throughline.demo.firm import REGIONS
from throughline.demo.latencies import latency_parts
from throughline.demo.plan import Plan
from throughline.demo.truth import CaseTruth
from throughline.demo.verify import exposure
from throughline.demo.waits import (
    DONE,
    OPEN,
    Spans,
    Wait,
    done,
    office_seconds,
    quantile,
    seconds_of,
    step_of,
    waits,
    whole_wait,
)

Told = Mapping[str, Decimal | int | None]
"""What a reading must say, by path; None: that there is nothing of it."""

READY: Spans = {
    "time-to-bill": ("time.approved", "billing.released"),
    "expense-to-bill": ("expense.approved", "billing.released"),
    "milestone-to-invoice": ("milestone.approved", "billing.released"),
}
BILLED: Spans = READY | {"subscription-to-invoice": ("schedule_line.due", "invoice.issued")}
INVOICED: Spans = {process: (approved, "invoice.issued") for process, (approved, _) in READY.items()}
RELEASED: Spans = dict.fromkeys(READY, ("billing.released", "invoice.issued")) | {
    "subscription-to-invoice": BILLED["subscription-to-invoice"]
}
POSTED: Spans = {
    "time-to-bill": ("time.approved", "time.posted"),
    "expense-to-bill": ("expense.approved", "expense.posted"),
}


class Asked(NamedTuple):
    """Which waits a KPI is about: by the hours of the office or as time goes by, each round or the whole."""

    spans: Spans
    office: bool = True
    whole: bool = False


def one(process: str, start: str, end: str) -> Spans:
    return {process: (start, end)}


DEAL, STAFFING = "opportunity-to-project", "staffing"
OLD = 40  # workdays, after which what is not invoiced may never be
AT_ONCE = {"time-to-bill": 15 * MINUTE}
"""How soon what was approved must be in the ERP, where the firm asks for more than that it is there when it is due."""
LAGS = {
    "project-setup-cycle-time": Asked(one(DEAL, "project.created", "project.activated"), whole=True),
    "approval-to-activation": Asked(one(DEAL, "opportunity.approved", "project.activated"), whole=True),
    "staffing-fulfilment-time": Asked(one(STAFFING, "staffing.requested", "assignment.confirmed"), whole=True),
    "billing-readiness-lag": Asked(BILLED),
    "invoice-cycle-time": Asked(INVOICED),
    "close-cycle-time": Asked(one("period-close", "period.ended", "period.closed")),
    "time-entry-sync-latency": Asked(one("time-to-bill", *POSTED["time-to-bill"]), office=False),
    "billing-cycle-duration": Asked(one("billing-run", "billing_run.started", "billing_run.completed"), office=False),
}
UNBILLED = "unbilled-approved-value"
STOCKS: Mapping[str, Spans] = {
    "projects-awaiting-erp-activation": one(DEAL, "project.created", "project.activated"),
    "staffing-request-ageing": one(STAFFING, "staffing.requested", "assignment.confirmed"),
    "unsynchronised-assignments": one(STAFFING, "assignment.confirmed", "assignment.synced"),
    "unbilled-approved-hours": one("time-to-bill", "time.approved", "invoice.issued"),
    UNBILLED: INVOICED,
    "approved-milestones-not-invoiced": one("milestone-to-invoice", "milestone.approved", "invoice.issued"),
    "unsynchronised-project-cost": one("subcontractor-cost", "cost.posted", "project_cost.synced"),
    "forecast-revisions-not-received": one("forecast-cycle", "forecast.revised", "forecast.received"),
    "client-records-out-of-sync": one("customer-master", "account.changed", "account.synced_psa"),
}
IN_MONEY = {UNBILLED, "approved-milestones-not-invoiced", "unsynchronised-project-cost"}
IN_HOURS = {"unbilled-approved-hours"}


class Astray(NamedTuple):
    """Which deviations a KPI is about; empty: any."""

    kinds: frozenset[str] = frozenset()
    processes: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    money: bool = False


AT_RISK = "money-at-risk"
DEVIATIONS = {
    "contract-terms-out-of-line": Astray(frozenset({"policy_violation"}), frozenset({"contract-to-billing-terms"})),
    "duplicates": Astray(frozenset({"duplicate"})),
    "policy-violations": Astray(frozenset({"policy_violation"})),
    "payroll-late-or-missing": Astray(frozenset({"overdue", "failed"}), frozenset({"payroll-feed"})),
    "time-never-submitted": Astray(frozenset({"overdue"}), frozenset({STAFFING}), frozenset({"time_submitted"})),
    "delayed-invoices": Astray(frozenset({"overdue"}), frozenset(BILLED), frozenset({"issued"}), money=True),
    AT_RISK: Astray(money=True),
}


TEAMS: Mapping[str, str] = {
    "opportunity-to-project": "pmo",
    "change-order": "pmo",
    "pipeline-to-forecast": "resource-management",
    "staffing": "resource-management",
    "assignment-change": "resource-management",
    "capacity-sync": "resource-management",
    "forecast-cycle": "fpna",
    "actuals-to-plan": "fpna",
    "subcontractor-cost": "procurement",
    "payroll-feed": "payroll",
}
"""Who sees to the work of a process; finance does to that of all others."""
FINANCE = "finance-ops"


CLASSES: Mapping[str, tuple[float, float]] = {
    "under_1_day": (0, 1),
    "1_to_7_days": (1, 7),
    "7_to_30_days": (7, 30),
    "30_to_90_days": (30, 90),
    "over_90_days": (90, inf),
}
"""Days of open office from which and below which something is of a class of ages."""


class Apart(NamedTuple):
    """What the product must say of a KPI by the values of one dimension; None: the value that is unknown."""

    kpi: str
    by: str
    told: Mapping[str | None, Told]


def apart(told: Plan, truths: Iterable[CaseTruth]) -> list[Apart]:
    """Return what the product must say of what stands by team, by age and by the cut-off that it misses."""
    return [
        Apart(AT_RISK, "owner", _at_risk_by_team(truths)),
        Apart(UNBILLED, "ageing", _unbilled_by_age(told)),
        Apart(UNBILLED, "cutoff", _unbilled_by_cutoff(told)),
    ]


def _at_risk_by_team(truths: Iterable[CaseTruth]) -> dict[str | None, Told]:
    by_team: dict[str | None, list[CaseTruth]] = {}
    for truth in truths:
        by_team.setdefault(TEAMS.get(truth.process, FINANCE), []).append(truth)
    return {team: _astray(some, DEVIATIONS[AT_RISK]) for team, some in by_team.items()}


def _unbilled_by_age(told: Plan) -> dict[str | None, Told]:
    aged = [(_office_days(wait, told.ends), wait) for wait in _open(told, STOCKS[UNBILLED])]
    return {
        name: _held([wait.life for days, wait in aged if low <= days < high]) for name, (low, high) in CLASSES.items()
    }


def _unbilled_by_cutoff(told: Plan) -> dict[str | None, Told]:
    lives: dict[str | None, list[Life]] = {}
    for wait in _open(told, STOCKS[UNBILLED]):
        lives.setdefault(_next_cutoff(told, wait.life), []).append(wait.life)
    return {cutoff: _held(some) for cutoff, some in lives.items()}


def _next_cutoff(told: Plan, life: Life) -> str | None:
    """Return the cut-off that a life must be ready by, and when that is next."""
    for step in COURSES[life.process].path:
        if step.term.cutoff is not None and done(told, life, step.type, life.round) is None:
            at = REGIONS[life.region].cutoff(told.ends, step.term.cutoff)
            return f"{step.term.cutoff} {format_instant(at)}"
    return None


def _open(told: Plan, spans: Spans) -> list[Wait]:
    return [wait for wait in waits(told, spans) if wait.ending == OPEN]


def _held(lives: Iterable[Life]) -> Told:
    some = list(lives)
    return {"answer.records": len(some)} | _money("answer.money", ((life.amount, life.currency) for life in some))


def figures(told: Plan, truths: Iterable[CaseTruth]) -> dict[str, Told]:
    """Return what the product must say of every KPI that the firm can know; ``truths`` are those of all lives."""
    known = list(truths)
    found: dict[str, Told] = {name: _lag(told, asked) for name, asked in LAGS.items()}
    found |= {name: _stock(told, name, spans) for name, spans in STOCKS.items()}
    found |= {name: _astray(known, asked) for name, asked in DEVIATIONS.items()}
    found |= {name: share(told) for name, share in SHARES.items()}
    found |= {name: _answer(count(told)) for name, count in COMPARED.items()}
    found |= _hops(told)
    found["leakage-at-risk"] = _old(told)
    found["margin-not-synchronised"] = _margin(told)
    found["utilisation-reporting-latency"] = _reported(told)
    found["correlation-coverage"] = _coverage(told)
    found["budget-burn-age"] = {"answer.age": _since(told, "subcontractor-cost", "project_cost.synced")}
    return found


def _lag(told: Plan, asked: Asked) -> Told:
    return _of_waits(list(waits(told, asked.spans, whole=asked.whole)), office=asked.office)


def _of_waits(found: list[Wait], *, office: bool) -> Told:
    ages = [(seconds_of(wait, office=office), wait.ending) for wait in found]
    return _standing(found) | {"answer.median.done": quantile(ages, 0.5), "answer.p90.done": quantile(ages, 0.9)}


def _hops(told: Plan) -> dict[str, Told]:
    """Return what is told of flows: how long work took from one system to the next, how often, and what went wrong."""
    found: list[Wait] = []
    passed, tries, failures, in_time, of = 0, 0, 0, 0, 0
    for process, start, end in _passings():
        here = list(waits(told, one(process, start, end)))
        found += here
        hits, misses = _timely(here, partial(_due, end))
        in_time, of = in_time + hits, of + hits + misses
        for life in told.lives:
            if life.process != process or not life.applies or life.provisional:
                continue
            for number in range(1, life.round + 1):
                tried = [mark for mark in life.marks if (mark.step, mark.round) == (end, number)]
                passed += done(told, life, end, number) is not None
                tries += len(tried)
                failures += sum(mark.category is not None for mark in tried)
    return {
        "sync-latency": _of_waits(found, office=False),
        "throughput": {"answer.records": passed},
        "failure-rate": _share(failures, tries),
        "sla-adherence": _share(in_time, of),
    }


def parts_of_passings(told: Plan) -> Told:
    """Return of what the passings between systems consist, as the spans of these tell it."""
    found = ((end, wait) for process, start, end in _passings() for wait in waits(told, one(process, start, end)))
    return latency_parts(told, found)


def _passings() -> Iterator[tuple[str, str, str]]:
    """Yield where work passes to another system, and no person or customer is waited for."""
    for process, course in COURSES.items():
        for first, second in pairwise(course.steps):
            if {first.role, first.also} != {second.role, second.also} and second.turn == SYSTEM:
                yield process, first.type, second.type


def _standing(found: Iterable[Wait]) -> dict[str, Decimal | int | None]:
    endings = Counter(wait.ending for wait in found)
    others = {f"beside.otherwise.{word}": n for word, n in endings.items() if word not in (DONE, OPEN)}
    return {"beside.done": endings[DONE], "beside.open": endings[OPEN], **others}


def _stock(told: Plan, name: str, spans: Spans) -> Told:
    still = [wait.life for wait in _open(told, spans)]
    found: dict[str, Decimal | int | None] = {"answer.records": len(still)}
    if name in IN_HOURS:
        found["answer.hours"] = sum((life.knows["hours"] for life in still), Decimal(0))
    if name in IN_MONEY:
        found |= _money("answer.money", ((life.amount, life.currency) for life in still))
    return found


def _old(told: Plan) -> Told:
    """Return what has waited for its invoice for very long."""
    return _held(wait.life for wait in _open(told, INVOICED) if _office_days(wait, told.ends) >= OLD)


def _office_days(wait: Wait, now: int) -> float:
    """Return how many days of open office a wait has lasted."""
    region, day = REGIONS[wait.life.region], to_datetime(now).date()
    usual = (region.at(day, region.closes) - region.at(day, region.opens)) // MICROSECONDS
    return office_seconds(wait.life.region, wait.began, now) / usual


def _margin(told: Plan) -> Told:
    """Return what is left of the amounts that are approved and not posted; of expenses the ERP alone tells the cost."""
    still = [wait.life for wait in _open(told, POSTED)]
    margins = [(_margin_of(life), life.currency) for life in still]
    return {"answer.records": len(still)} | _money("answer.money", margins)


def _margin_of(life: Life) -> Decimal | None:
    cost = life.knows["cost_amount"] if life.process == "time-to-bill" else None
    return None if cost is None or life.amount is None else life.amount - cost


def _reported(told: Plan) -> Told:
    """Return how long after the end of the day worked hours were approved."""
    found: list[Wait] = []
    for life in told.lives:
        if life.process == "time-to-bill" and life.applies and not life.provisional:
            began = REGIONS[life.region].end_of_day(life.knows["worked_on"])
            found += whole_wait(told, life, began, "time.approved")
    return _of_waits(found, office=False)


def _money(path: str, amounts: Iterable[tuple[Decimal | None, str]]) -> dict[str, Decimal | int | None]:
    sums: dict[str, Decimal] = {}
    unknown = 0
    for amount, currency in amounts:
        if amount is None:
            unknown += 1
        else:
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    found: dict[str, Decimal | int | None] = {f"{path}.{currency}": amount for currency, amount in sums.items()}
    return found | {f"{path}.unknown": unknown}


def _astray(truths: Iterable[CaseTruth], asked: Astray) -> Told:
    held: list[tuple[Decimal | None, str]] = []
    count = 0
    for truth in truths:
        if not _is_astray(truth, asked):
            continue
        count += not asked.money
        worth = exposure(truth)
        if asked.money and worth is not None and not truth.counted_in:
            count += 1
            held.append(worth if isinstance(worth, tuple) else (None, ""))
    return {"answer.records": count} | (_money("answer.money", held) if asked.money else {})


def _is_astray(truth: CaseTruth, asked: Astray) -> bool:
    if truth.state in ("provisional", "not_applicable") or (asked.processes and truth.process not in asked.processes):
        return False
    return any(
        each.open and (not asked.kinds or each.kind in asked.kinds) and (not asked.steps or each.step in asked.steps)
        for each in truth.deviations
    )


def _cut_off(told: Plan) -> Told:
    """Return how much was released by the first cut-off after its approval; what is not due yet counts for nothing."""
    return _in_time(waits(told, READY), lambda wait: REGIONS[wait.life.region].cutoff(wait.began))


def _setup(told: Plan) -> Told:
    """Return how many deals were activated within three workdays; what ended otherwise before that was no success."""
    found = waits(told, LAGS["approval-to-activation"].spans, whole=True)
    return _in_time(found, lambda wait: REGIONS[wait.life.region].plus_workdays(wait.began, 3), otherwise=True)


def _billed(told: Plan) -> Told:
    """Return how much of what was released was invoiced when it was due."""
    return _in_time(waits(told, RELEASED), partial(_due, "invoice.issued"))


def _due(kind: str, wait: Wait) -> int | None:
    life = wait.life
    soon = AT_ONCE.get(life.process) if kind == "time.posted" else None
    if soon is not None:
        return wait.began + soon
    step = step_of(life, kind)
    return None if step is None else step.term.due(wait.began, REGIONS[life.region], life.due_at)


def _in_time(found: Iterable[Wait], due: Callable[[Wait], int | None], *, otherwise: bool = False) -> Told:
    hits, misses = _timely(found, due, otherwise=otherwise)
    return _share(hits, hits + misses)


def _timely(found: Iterable[Wait], due: Callable[[Wait], int | None], *, otherwise: bool = False) -> tuple[int, int]:
    """Return how many waits were over when they were due, and how many were not; of those due at no time neither."""
    hits = misses = 0
    for wait in found:
        until = due(wait)
        if until is None:
            continue
        if wait.ending == DONE and wait.until <= until:
            hits += 1
        elif wait.until > until or (otherwise and wait.ending not in (DONE, OPEN)):
            misses += 1
    return hits, misses


def _posted(told: Plan) -> Told:
    found = list(waits(told, POSTED))
    return _share(sum(wait.ending == DONE for wait in found), len(found))


def _corrected(told: Plan) -> Told:
    issued = [life for life in told.lives if life.process == "invoice-to-cash" and not life.provisional]
    return _share(sum(life.ended_as == "superseded" for life in issued), len(issued))


def _untouched(told: Plan) -> Told:
    """Return how much was released without anybody acting after its approval."""
    times = {each.id: each.time for each in told.happenings}
    through = [wait for wait in waits(told, READY) if wait.ending == DONE]

    def touched(wait: Wait) -> bool:
        return any(wait.began < times[touch] <= wait.until for touch in wait.life.touches)

    return _share(sum(not touched(wait) for wait in through), len(through))


def _share(hits: int, of: int) -> Told:
    return {"answer.hits": hits, "answer.of": of}


UNREACHED = frozenset({"timeout", "unavailable", "rate_limit", "authentication", "authorization"})


def _unreached(told: Plan) -> Told:
    """Return how often a system did not answer, or let nobody in."""
    marks = _tried(told)
    return _share(sum(mark.category in UNREACHED for _, mark in marks), len(marks))


def _tried(told: Plan) -> list[tuple[Life, Mark]]:
    """Return every try at a step of the process that a life goes through."""
    steps = {
        name: {step.type for step in (*course.path, *course.asides, *course.troubles)}
        for name, course in COURSES.items()
    }
    lives = (life for life in told.lives if life.applies and not life.provisional)
    return [(life, mark) for life in lives for mark in life.marks if mark.step in steps[life.process]]


def _again(told: Plan) -> Told:
    """Return how many tries came after one of the same system at the step that failed."""
    tries: dict[tuple[int, int, str, str], list[Mark]] = {}
    for life, mark in _tried(told):
        tries.setdefault((id(life), mark.round, mark.step, mark.system), []).append(mark)
    in_turn = [sorted(some, key=lambda mark: mark.time) for some in tries.values()]
    again = sum(before.category is not None for some in in_turn for before, _ in pairwise(some))
    return _share(again, sum(map(len, in_turn)))


def _answer(figure: Figure) -> Told:
    return {name if "." in name else f"answer.{name}": value for name, value in figure.items()}


def _coverage(told: Plan) -> Told:
    """Return of how many happenings the work is known; a document that belongs to nothing tells of none."""
    lone = sum(len(life.marks) for life in told.lives if life.provisional)
    return {"answer.numerator": len(told.happenings) - lone, "answer.denominator": len(told.happenings)}


def _since(told: Plan, process: str, kind: str) -> int:
    marks = (mark for life in told.lives if life.process == process for mark in life.marks)
    times = [mark.time for mark in marks if mark.step == kind and mark.category is None]
    return (told.ends - max(times)) // MICROSECONDS


SHARES: Mapping[str, Callable[[Plan], Told]] = {
    "released-by-first-cut-off": _cut_off,
    "project-setup-success-rate": _setup,
    "posting-completeness": _posted,
    "invoice-error-rate": _corrected,
    "untouched-billing-rate": _untouched,
    "timely-billing-rate": _billed,
    "retries": _again,
    "api-dependency-health": _unreached,
}
