"""The fold alone, in one process and without sockets: the inner loop for whoever makes the engine faster.

Run ``python -m bench.fold``. The events go through the door's reading into canonical blocks beforehand; measured is
what the engine does with a record: inflate and decode its block, fold, settle, commit. ``--profile`` prints where the
time goes; for stacks in the machine's own code run it under a sampling profiler.

On a machine that others use, CPU time itself swings by a third: compare the least of several runs.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import pstats
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time

from bench.workload import APART, SPAN, Workload, arrivals
from collector.cloudevents import BATCH, read_cloudevents
from lineage.definitions import load_definitions
from lineage.engine import Engine, Limits
from lineage.run import MOST_EVENTS, Subject, open_engine
from lineage.tables import metadata
from throughline.core.clock import RealClock
from throughline.core.estate import load_estate
from throughline.core.event import decode_block, encode_block
from throughline.core.instants import DAY, parse_instant
from throughline.core.journal import MAPPING, Record, compress, decompress
from throughline.core.sql import Dialect
from throughline.core.store_url import StoreUrl

BEGIN = parse_instant("2026-11-10T08:00:00Z")
DEFINITIONS = Path(__file__).parent / "definitions"
SHOWN = 45


@dataclass(frozen=True)
class Figures:
    """CPU in microseconds an event, over all and in the first and the last tenth; rows and bytes an event.

    ``retired``: the share of events that leave once all of them are older than what is kept; ``cpu_retired``: CPU in
    microseconds for each of these.
    """

    events: int
    memberships: float
    cpu: float
    cpu_first: float
    cpu_last: float
    events_per_second: float
    rows: dict[str, float]
    bytes_by_table: dict[str, float]
    bytes_per_event: float
    retired: float
    cpu_retired: float


def blocks(workload: Workload, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield the canonical blocks of a workload with the receipt of each, compressed as the journal keeps them."""
    events = (arrival.body for arrival in arrivals(workload))
    received = workload.begin + SPAN
    while some := list(islice(events, size)):
        received += 1_000_000
        reading = read_cloudevents(BATCH, {}, b"[" + b",".join(some) + b"]", received)
        assert not reading.rejected, reading.rejected[0]
        yield received, compress(encode_block(reading.events))


def fold_all(engine: Engine, made: list[tuple[int, bytes]]) -> tuple[list[float], float]:
    """Fold every block; return the CPU seconds of each, and the seconds it all took."""
    spent: list[float] = []
    seconds = 0.0
    coming = (
        Record(number, received, MAPPING, decode_block(decompress(block)), [], [])
        for number, (received, block) in enumerate(made, 1)
    )
    record = next(coming)
    for received, _ in made:
        began, before = perf_counter(), process_time()
        ahead: list[Record] = []

        def read_ahead(ahead: list[Record] = ahead) -> list[Record]:
            ahead += islice(coming, 1)
            return ahead

        engine.fold_records([record], received, read_ahead)
        while engine.settle(received):
            pass
        record = ahead[0] if ahead else record
        spent.append(process_time() - before)
        seconds += perf_counter() - began
    return spent, seconds


def retire_all(engine: Engine, received: int) -> tuple[int, float]:
    """Let everything grow older than what is kept; return how many events leave then, and the CPU seconds of that."""
    now = received + Limits().keep + DAY
    while engine.tick(now):
        pass
    before, retired = process_time(), 0
    while (counted := engine.retain(now)) is not None:
        retired += counted.events
    return retired, process_time() - before


_SIZES: dict[Dialect, str] = {
    "sqlite": "SELECT name, sum(pgsize) FROM dbstat GROUP BY name",
    "postgresql": "SELECT relname::text, pg_relation_size(oid) FROM pg_class WHERE relkind IN ('r', 'i')"
    " AND relnamespace = current_schema()::regnamespace",
}


def measure(
    workload: Workload, size: int, folder: Path, profile: cProfile.Profile | None, url: StoreUrl | None = None
) -> Figures:
    """Fold a workload in batches of ``size`` into a new store in a folder, or in a database, which has to be empty.

    CPU is that of this process; a server's is not in it.
    """
    made = list(blocks(workload, size))
    memberships = sum(arrival.cases for arrival in arrivals(workload))
    subject = Subject(folder, load_definitions(DEFINITIONS), load_estate(DEFINITIONS), Limits(), RealClock(), url=url)
    with closing(open_engine(subject)) as engine:
        gc.collect()
        gc.freeze()
        gc.disable()
        if profile is not None:
            profile.enable()
        spent, seconds = fold_all(engine, made)
        if profile is not None:
            profile.disable()
        connection = engine.store.connection
        connection.settle()
        rows = {table: engine.store.one(f"SELECT count(*) FROM {table}") / workload.events for table in metadata.tables}
        sizes = engine.store.rows(_SIZES[connection.dialect])
        size_in_bytes = connection.size()
        retired, cpu_retired = retire_all(engine, made[-1][0])
    tenth = max(len(spent) // 10, 1)
    return Figures(
        workload.events,
        memberships / workload.events,
        sum(spent) / workload.events * 1e6,
        sum(spent[:tenth]) / (tenth * size) * 1e6,
        sum(spent[-tenth - 1 : -1]) / (tenth * size) * 1e6,
        workload.events / seconds,
        {table: count for table, count in rows.items() if count >= 0.001},
        {name: total / workload.events for name, total in sizes if total / workload.events >= 0.5},
        size_in_bytes / workload.events,
        retired / workload.events,
        cpu_retired / max(retired, 1) * 1e6,
    )


def show(figures: Figures) -> None:
    print(
        f"{figures.events:,} events, {figures.memberships:.2f} memberships an event\n"
        f"CPU an event     {figures.cpu:7.1f} µs   (first tenth {figures.cpu_first:.1f}, last {figures.cpu_last:.1f})\n"
        f"events a second  {figures.events_per_second:7,.0f}\n"
        f"rows an event    {sum(figures.rows.values()):7.2f}\n"
        f"bytes an event   {figures.bytes_per_event:7.0f}\n"
        f"retention        {figures.cpu_retired:7.1f} µs an event that leaves ({figures.retired:.0%} of them)"
    )
    for title, table in (("rows", figures.rows), ("bytes", figures.bytes_by_table)):
        line = ", ".join(f"{name} {count:.3g}" for name, count in sorted(table.items(), key=lambda each: -each[1]))
        print(f"{title} by table: {line}")


def main() -> None:
    """Measure and print; see ``--help``."""
    parser = argparse.ArgumentParser(description="Measure the fold alone.")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=MOST_EVENTS, help="events in one batch")
    parser.add_argument("--apart", type=int, default=APART, help="cases begun between two steps of a case")
    parser.add_argument("--store", type=StoreUrl.parse, help="an empty PostgreSQL database, in place of a file")
    parser.add_argument("--profile", action="store_true", help="print where the time goes, by function")
    parser.add_argument("--callers", help="with --profile: who calls the functions of this name")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    profile = cProfile.Profile() if given.profile else None
    workload = Workload(given.events, BEGIN, apart=given.apart)
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        figures = measure(workload, given.batch, Path(folder), profile, given.store)
    if profile is not None:
        stats = pstats.Stats(profile).strip_dirs().sort_stats("tottime")
        stats.print_stats(SHOWN)
        if given.callers:
            stats.print_callers(given.callers)
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(asdict(figures), indent=2) + "\n")


if __name__ == "__main__":
    main()
