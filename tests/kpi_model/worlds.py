"""Makers of small worlds for hypothesis: a few cases of two processes, told late, twice, corrected, in any order."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from hypothesis import strategies as st

from tests.kpi_model.model import APPROVED, CANCELLED, REJECTED, RELEASED
from throughline.core.event import Event, content_digest
from throughline.core.instants import DAY, MINUTE

PROCESSES = {"time-to-bill": ("time_entry", "time"), "expense-to-bill": ("expense", "expense")}
BEGINS = 1_772_409_600_000_000  # 2 March 2026
DAYS = 6
NOW = BEGINS + DAYS * DAY + 30 * MINUTE
SLOT = 3 * MINUTE  # times are multiples of it, so that some lie within what clocks may differ by, and some do not
SLOTS = DAYS * DAY // SLOT
WORDS = (APPROVED, APPROVED, APPROVED, RELEASED, RELEASED, RELEASED, REJECTED, CANCELLED)


class Case(NamedTuple):
    process: str
    name: str


class World(NamedTuple):
    """All that is told, by case; how it comes is in ``batches``, some of it twice."""

    told: dict[Case, list[Event]]
    batches: list[list[Event]]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return a world of a few cases."""
    told: dict[Case, list[Event]] = {}
    for number in range(draw(st.integers(1, 5))):
        case = Case(draw(st.sampled_from(sorted(PROCESSES))), f"C{number}")
        told[case] = draw(events_of(case))
    every = [each for events in told.values() for each in events]
    again = draw(st.lists(st.sampled_from(every), max_size=3)) if every else []
    coming = draw(st.permutations([*every, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(coming)), max_size=3)))
    return World(told, [coming[start:end] for start, end in zip([0, *cuts], [*cuts, len(coming)], strict=True)])


@st.composite
def events_of(draw: st.DrawFn, case: Case) -> list[Event]:
    """Return what is told of a case: no two things of one time, each perhaps corrected later."""
    times = st.integers(1, 8) | st.integers(1, SLOTS - 1)
    words = draw(st.lists(st.sampled_from(WORDS), max_size=5))
    corrected = [draw(st.booleans()) and draw(st.booleans()) for _ in words]
    slots = draw(st.lists(times, min_size=len(words) * 2, max_size=len(words) * 2, unique=True))
    found: list[Event] = []
    for number, word in enumerate(words):
        found.append(draw(event(case, number, word, slots[2 * number], 1)))
        if corrected[number]:
            found.append(draw(event(case, number, word, slots[2 * number + 1], 2)))
    return found


@st.composite
def event(draw: st.DrawFn, case: Case, number: int, word: str, slot: int, telling: int) -> Event:
    """Return one telling of an event; of two of one id that which was received first stands."""
    key, subject = PROCESSES[case.process]
    worth = draw(st.sampled_from([None, "10.00", "0.10", "250", "-5"])) if word in (APPROVED, RELEASED) else None
    time = BEGINS + slot * SLOT
    draft = Event(
        source="/psa",
        id=f"{case.name}-{number}",
        type="billing.released" if word == RELEASED else f"{subject}.{word}",
        time=time,
        received=NOW - telling * MINUTE,
        digest=b"",
        failed=False,
        fields={key: case.name},
        amount=worth,
        currency=None if worth is None else draw(st.sampled_from(["EUR", "USD"])),
    )
    return msgspec.structs.replace(draft, digest=content_digest(draft))
