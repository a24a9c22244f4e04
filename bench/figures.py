"""What is measured: each figure with its unit, floor and goal, in the order in which the table shows them.

Floors and goals are those this product set itself for two cores and the embedded default.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Better(StrEnum):
    """Which way a figure gets better."""

    MORE = "more"
    LESS = "less"


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    group: str
    says: str
    unit: str
    better: Better = Better.LESS
    floor: float | None = None
    goal: float | None = None


SPANS = "spans over OTLP/HTTP, protobuf, 512 a request"
BATCHES = "business events, 100 a request"
FAR = "the same, where no batch sees a case twice"
SINGLES = "business events, one a request"
HALF = "at half of the peak rate of updated cases"
HIGH = "at four fifths of it"
WHOLE = "the service as a whole, with these events stored"
START = "until it is there"

FIGURES = (
    Figure("spans_cpu", SPANS, "CPU a span, all processes", "µs", floor=50, goal=10),
    Figure("spans_rate", SPANS, "acknowledged", "/s", Better.MORE, 30_000, 120_000),
    Figure("spans_folded_rate", SPANS, "found by trace id", "/s", Better.MORE, 30_000, 120_000),
    Figure("spans_gzip_rate", SPANS, "acknowledged, gzipped by the sender", "/s", Better.MORE),
    Figure("spans_shown", SPANS, "last answer to last trace shown", "ms"),
    Figure("spans_disk", SPANS, "disk a span", "B"),
    Figure("batches_cpu", BATCHES, "CPU an event, all processes", "µs"),
    Figure("batches_cpu_collector", BATCHES, "of it in the collector", "µs"),
    Figure("batches_cpu_engine", BATCHES, "of it in the engine", "µs"),
    Figure("batches_ack_rate", BATCHES, "acknowledged", "/s", Better.MORE),
    Figure("batches_rate", BATCHES, "into updated cases", "/s", Better.MORE, 15_000, 40_000),
    Figure("memberships_rate", BATCHES, "memberships of cases", "/s", Better.MORE),
    Figure("far_cpu_engine", FAR, "CPU an event in the engine", "µs"),
    Figure("far_rate", FAR, "into updated cases", "/s", Better.MORE),
    Figure("singles_cpu", SINGLES, "CPU an event, all processes", "µs"),
    Figure("singles_cpu_collector", SINGLES, "of it in the collector", "µs"),
    Figure("singles_ack_rate", SINGLES, "acknowledged", "/s", Better.MORE),
    Figure("singles_rate", SINGLES, "into updated cases", "/s", Better.MORE, 3_000, 15_000),
    Figure("half_rate", HALF, "events sent", "/s", Better.MORE),
    Figure("half_ack_p50", HALF, "acknowledged, p50", "ms"),
    Figure("half_ack_p99", HALF, "acknowledged, p99", "ms", floor=50, goal=10),
    Figure("half_visible_p50", HALF, "arrival to visible in lineage, p50", "ms"),
    Figure("half_visible_p99", HALF, "arrival to visible in lineage, p99", "ms", floor=250, goal=50),
    Figure("half_lookup_p50", HALF, "look-up of a case by any key meanwhile, p50", "ms"),
    Figure("half_lookup_p99", HALF, "look-up of a case by any key meanwhile, p99", "ms", floor=50, goal=5),
    Figure("high_ack_p99", HIGH, "acknowledged, p99", "ms"),
    Figure("high_visible_p50", HIGH, "arrival to visible in lineage, p50", "ms"),
    Figure("high_visible_p99", HIGH, "arrival to visible in lineage, p99", "ms", floor=1_000, goal=100),
    Figure(
        "invoice_4000", WHOLE, "one invoice over 4,000 cases: arrival to all of them right", "ms", floor=2_000, goal=200
    ),
    Figure("disk", WHOLE, "disk an event, all databases and figures, at rest", "B", floor=1_000, goal=300),
    Figure("disk_logs", WHOLE, "the same as the last is folded, with the logs of large batches", "B"),
    Figure("memory", WHOLE, "memory of all processes, shared pages once, most", "MiB", floor=1_024, goal=512),
    Figure("memory_resident", WHOLE, "memory of all processes, resident, most", "MiB"),
    Figure("killed_accepting", WHOLE, "kill -9 of all under load to accepting again", "s", floor=10, goal=1),
    Figure("killed_caught_up", WHOLE, "kill -9 of all under load to caught up", "s", floor=30, goal=3),
    Figure("sender_cpu", WHOLE, "the sender's own CPU an event (100 a request)", "µs"),
    Figure("start_help", START, "throughline --help", "ms", floor=200),
    Figure("start_settings", START, "throughline settings", "ms"),
    Figure("start_processes", START, "throughline processes list", "ms"),
    Figure("start_cases", START, "throughline cases --limit 1, beside serve", "ms"),
    Figure("start_serve", START, "throughline serve with an empty data folder, until all parts are ready", "ms"),
)

BY_NAME = {figure.name: figure for figure in FIGURES}

Measured = dict[str, float]
"""Figures of one size, by name."""


def is_met(figure: Figure, value: float, wanted: float) -> bool:
    """Tell whether a value is as good as is wanted."""
    return value >= wanted if figure.better is Better.MORE else value <= wanted
