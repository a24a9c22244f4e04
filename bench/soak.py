"""``python -m bench.soak``: half of the peak for half an hour; do latency and memory stay as they are?

The load is one open loop from beginning to end. Minute by minute it is told how long an event took from arrival to
visible, how long a look-up took, and what the service's processes used. Beside what the service keeps in memory of what
it has stored, nothing may grow.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from bench.prober import Probe, Probing
from bench.rows import BATCH, BATCH_LANES, PROBES_PER_SECOND, Bench, measure_batches, percentile, some_lookups
from bench.sender import Load, sending
from bench.service import Service, running
from bench.workload import arrivals

PEAK_EVENTS = 100_000  # by which the peak is measured
MINUTE_SECONDS = 60.0


class Minute(NamedTuple):
    """What one minute was like: latencies in ms, memory in MiB (shared pages once), bytes on disk an event.

    ``cpu``: the share of a core that each part used.
    """

    number: int
    events: int
    acknowledged_p99: float
    visible_p50: float
    visible_p99: float
    lookup_p99: float
    memory: float
    disk: float
    cpu: dict[str, float]


def soak(folder: Path, minutes: int, share: float, seed: int) -> Iterator[Minute]:
    """Put a service under a share of its peak for some minutes, and yield what each was like."""
    bench = Bench(folder, PEAK_EVENTS, seed)
    with running(folder) as service:
        measure_batches(bench, service)
        rate = bench.measured["batches_rate"] * share
        events = int(rate * MINUTE_SECONDS) * minutes
        path, _ = bench.frames(events, BATCH)
        probes = int(PROBES_PER_SECOND * (MINUTE_SECONDS - 1))
        load = Load(path, service.addresses["http"], connections=BATCH_LANES, rate=rate / BATCH)
        with sending(load) as under_way:
            for number in range(1, minutes + 1):
                yield _minute(bench, service, number, probes, int(rate * MINUTE_SECONDS))
            under_way.result()


def _minute(bench: Bench, service: Service, number: int, probes: int, events: int) -> Minute:
    before, began = service.cpu(), time.monotonic()
    probe = Probe(
        service.addresses["http"],
        service.addresses["api"],
        PROBES_PER_SECOND,
        [arrival.body for arrival in arrivals(bench.workload(probes))],
        some_lookups(bench, probes),
    )
    with Probing(probe) as probing:
        probed = probing.result()
    took = time.monotonic() - began
    after = service.cpu()
    return Minute(
        number,
        events,
        percentile(probed.acknowledged, 99) * 1e3,
        percentile(probed.visible, 50) * 1e3,
        percentile(probed.visible, 99) * 1e3,
        percentile(probed.looked_up, 99) * 1e3,
        service.memory().proportional,
        sum(service.disk_bytes().values()) / (PEAK_EVENTS + events * number),
        {part: (seconds - before.get(part, 0.0)) / took for part, seconds in after.items()},
    )


def _line(minute: Minute) -> str:
    cpu = ", ".join(f"{part} {share:.2f}" for part, share in minute.cpu.items() if share >= 0.005)
    return (
        f"{minute.number:3}: acknowledged p99 {minute.acknowledged_p99:,.0f} ms, visible p50 {minute.visible_p50:,.0f}"
        f" p99 {minute.visible_p99:,.0f}, looked up p99 {minute.lookup_p99:,.0f}; {minute.memory:,.0f} MiB,"
        f" {minute.disk:,.0f} B an event; cores: {cpu}"
    )


def main() -> None:
    """Measure and print; see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--share", type=float, default=0.5, help="of the peak rate")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the minutes to a file")
    given = parser.parse_args()
    console = Console(highlight=False)
    minutes: list[Minute] = []
    with tempfile.TemporaryDirectory(prefix="throughline-soak-") as folder:
        for minute in soak(Path(folder), given.minutes, given.share, seed=1):
            minutes.append(minute)
            console.print(_line(minute), soft_wrap=True)
            if given.json:
                given.json.write_text(json.dumps([each._asdict() for each in minutes], indent=1))
    third = max(len(minutes) // 3, 1)
    for what, values in (
        ("arrival to visible, p99, ms", [each.visible_p99 for each in minutes]),
        ("memory, MiB", [each.memory for each in minutes]),
    ):
        first, last = (sum(some) / len(some) for some in (values[:third], values[-third:]))
        console.print(f"{what}: {first:,.0f} in the first third, {last:,.0f} in the last ({last / first:.2f} times)")


if __name__ == "__main__":
    main()
