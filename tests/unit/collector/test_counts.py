"""What the collector counts of a request: one that is slow leads to its trace, and no other pays for that."""

from __future__ import annotations

import pytest

from collector.counts import SLOW_SECONDS, new_counts
from collector.reading import Door, Reading
from throughline.core.event import Event
from throughline.core.journal import SpanFact
from throughline.core.metrics import Form

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def event(trace: str | None) -> Event:
    return Event(
        source="/psa",
        id="1",
        type="time.submitted",
        time=1,
        received=1,
        digest=b"",
        failed=False,
        synthetic=False,
        fields={},
        trace_id=trace,
    )


def span() -> SpanFact:
    return SpanFact(bytes.fromhex(TRACE), b"12345678", 1, 2, False, "send", "psa")


@pytest.mark.parametrize(
    ("reading", "seconds", "told"),
    [
        (Reading(events=[event(None), event(TRACE)]), SLOW_SECONDS * 2, True),
        (Reading(spans=[span()]), SLOW_SECONDS * 2, True),
        (Reading(events=[event(TRACE)]), SLOW_SECONDS / 2, False),
        (Reading(events=[event(None)]), SLOW_SECONDS * 2, False),
    ],
    ids=["slow", "slow spans", "fast", "without a trace"],
)
def test_a_slow_request_leads_to_its_trace(reading: Reading, seconds: float, told: bool) -> None:
    counts = new_counts()
    counts.door(Door.CLOUDEVENTS).accepted(reading, seconds)
    text = counts.expose((0, 0), 0, 0, 0, Form.OPEN_METRICS)
    assert (f'# {{trace_id="{TRACE}"}}' in text) is told
