"""Random stories: any events of a process at few times, so that ties, repeats and contradictions are common."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from lineage.deviations import Conflict
from lineage.fact import Member, Via
from lineage.process import Process
from tests.derived_state.processes import INVOICE_TO_CASH, PIPELINE_TO_FORECAST, STAFFING, TIME_TO_BILL, UPKEEP
from tests.derived_state.timeline import MONDAY, event
from throughline.core.instants import HOUR, MINUTE
from throughline.core.key import Key

PROCESSES = (TIME_TO_BILL, INVOICE_TO_CASH, PIPELINE_TO_FORECAST, STAFFING, UPKEEP)
NAME = "N-1"
ALIASES = {1: Key("erp_document", "D-1"), 2: Key("erp_document", "D-2"), 3: Key("other", "X-1")}
HOURS_TOLD = 14 * 24


class Told(NamedTuple):
    """A story of one process, with what else a derivation takes."""

    process: Process
    members: list[Member]
    conflict: Conflict | None
    provisional: bool


def _traits(process: Process) -> list[dict[str, Any]]:
    """Return what may be peculiar about an event; most have nothing."""
    own, other = (Key(process.name_key, name).encode() for name in (NAME, "N-2"))
    return [
        {},
        {},
        {"via": Via.ALIAS},
        {"via": Via.CARRIER},
        {"denied": True},
        {"synthetic": True},
        {"failed": True, "category": "timeout"},
        {"failed": True, "category": "missing_master_data"},
        {"system": "erp"},
        {"system": "psa"},
        {"amount": "100", "currency": "EUR"},
        {"amount": "40.5", "currency": "EUR", "hours": "7.5"},
        {"amount": "1E+2", "currency": "USD"},
        {"amount": "-5.00", "currency": None},
        {"amounts": {NAME: "30.00", "N-2": "1.00"}, "currency": "EUR", "via": Via.CARRIER},
        {"aliases": (1,)},
        {"aliases": (2, 3)},
        {"aliases": (1, 2)},
        {"uniques": (("project", Key("project", "P-1").encode(), "DE01"),)},
        {"uniques": (("project", Key("project", "P-2").encode(), "DE01"),)},
        {"from_names": (own,)},
        {"from_names": (other,), "to_names": (own,)},
        {"fields": {"due_date": "2026-11-03", "legal_entity": "DE01"}},
        {"fields": {"due_date": "2026-11-06", "rate": 120.0}},
        {"fields": {"due_date": "soon", "rate_card": 100.0, "approver": "nobody"}},
        {"fields": {"billable": False}},
        {"fields": {"first_day": "2026-11-03", "last_day": "2026-11-06", "visited_on": "2026-11-05"}},
        {"fields": {"first_day": "someday", "last_day": "2026-11-04"}},
        {"fields": {"visited_on": "2026-11-03"}},
        {"fields": {"billable": True, "rate": 90.0}},
    ]


_times = st.integers(0, 40).map(lambda third: third * (HOUR // 3)) | st.integers(0, HOURS_TOLD).map(
    lambda hour: hour * HOUR
)


def _members(process: Process) -> st.SearchStrategy[Member]:
    steps = [step.name for version in process.versions for step in version.steps]
    kinds = st.sampled_from(steps) | st.sampled_from([*sorted(process.types), "x.other"])
    traits = st.lists(st.sampled_from(_traits(process)), max_size=2)
    return st.builds(_member, st.integers(0, 99), kinds, _times, st.integers(0, 100), traits)


def _member(number: int, kind: str, after: int, delay: int, traits: list[dict[str, Any]]) -> Member:
    chosen: dict[str, Any] = {"time": MONDAY + after, "received": MONDAY + after + delay * HOUR + MINUTE}
    for trait in traits:
        chosen.update(trait)
    source = ("/psa", "/erp")[number % 2]
    return event(kind, "mon 00:00", source=source, id=str(number // 2), **chosen)


@st.composite
def stories(draw: st.DrawFn) -> Told:
    """Draw a story; no two of its events have the same source and id."""
    process = draw(st.sampled_from(PROCESSES))
    members = draw(st.lists(_members(process), max_size=9, unique_by=lambda each: (each.fact.source, each.fact.id)))
    conflict = draw(st.none() | st.just(Conflict(("erp_document=D-1",), MONDAY + HOUR)))
    return Told(process, members, conflict, draw(st.sampled_from([False, False, False, True])))


moments = (st.integers(0, 5 * 24) | st.integers(0, HOURS_TOLD + 24 * 7)).map(lambda hour: MONDAY + hour * HOUR)
"""Moments in the weeks that stories tell of, and after them."""

heard = st.fixed_dictionaries(
    {}, optional={role: st.none() | moments for role in ("psa", "erp", "crm", "scheduling", "fpna")}
)
"""How far some roles have reported."""
