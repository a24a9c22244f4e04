"""Cycles: which cut-off work still has to be done by, and when that is next; pure.

Cut-offs go by, so no cell tells them apart: it holds by which cut-off, and of which calendar, a step of what stands is
due, and a reading takes the next one from now: what is not done until then misses that one.
"""

from __future__ import annotations

from kpis.case import Case
from kpis.cell import Place
from kpis.declaration import Dimension
from lineage.fact import CaseState
from throughline.core.business_time import BusinessTime
from throughline.core.instants import format_instant

_OF = "/"  # between a cut-off and the calendar that a record names


def cycle_of(case: Case) -> str | None:
    """Return the cut-off, and its calendar where the case names one, by which its next such step is due.

    None: its process has none, or all that have one are done.
    """
    if case.state is not CaseState.OPEN:
        return None
    version, now = case.course.version, case.course.rounds[-1]
    for index in version.required:
        deadline, track = version.steps[index].deadline, now.tracks[index]
        cutoff = None if deadline is None else deadline.by_cutoff
        if cutoff is not None and (track is None or track.done_at is None):
            calendar = case.place.billing_calendar
            return cutoff if calendar is None else f"{cutoff}{_OF}{calendar}"
    return None


def cutoff_of(place: Place) -> str | None:
    """Return what the cut-off of what a cell holds is called, whenever it is: ``billing``; None: it has none."""
    return (place.value(Dimension.CUTOFF) or "").partition(_OF)[0] or None


def next_cutoff(place: Place, calendars: BusinessTime, now: int) -> str | None:
    """Return the next cut-off from now of what a cell holds: ``billing 2026-11-06T18:00:00Z``; None: it has none."""
    cycle = place.value(Dimension.CUTOFF)
    if not cycle:
        return None
    cutoff, _, calendar = cycle.partition(_OF)
    entity, region = place.value(Dimension.LEGAL_ENTITY), place.value(Dimension.REGION)
    at = calendars.cutoff(cutoff, now, calendar or None, entity, region)
    return None if at is None else f"{cutoff} {format_instant(at)}"
