"""What KPIs cost: to keep them up to date beside the fold, and to read them, at several sizes.

``python -m bench.kpis --events 100_000,1_000_000``: no service; CPU of this process, one core.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.fold import BEGIN, DEFINITIONS, blocks, decompress, retire_all
from bench.workload import Workload
from kpis.ask import TIMELESS, Asker, Question, Window
from kpis.catalogue import load_catalogue
from kpis.declaration import Dimension
from kpis.keep import Keeper
from kpis.latest import DAYS, Latest
from kpis.reading import Moment
from kpis.scratch import moment_of
from kpis.spans import SpanReader
from kpis.store import FILE_NAME, KpiReader, open_kpi_writer
from lineage.definitions import load_definitions
from lineage.engine import Engine, Limits
from lineage.generations import STORE_FILE
from lineage.read import CaseReader
from lineage.run import MOST_EVENTS, Subject, open_engine
from throughline.core.clock import RealClock
from throughline.core.estate import load_estate
from throughline.core.event import decode_block
from throughline.core.instants import DAY
from throughline.core.journal import JOURNAL_FILE, JournalReader

SIZES = "30_000,100_000,300_000"
TIMES = 5  # that each question is asked


class Figures(NamedTuple):
    """What one size gave: µs of CPU an event, looks at cases, cells and bytes an event, and ms to read.

    Then everything grew older than what is kept: how many events left, and what that was and leaves.
    """

    fold: float
    upkeep: float
    looked_at: float
    cells: float
    bytes: float
    reading: float
    reading_p99: float
    split: float
    split_p99: float
    latest: float
    retired: float
    forget: float
    rows: float
    rows_left: float
    bytes_left: float


MEANINGS = {
    "fold": "CPU to fold an event, µs",
    "upkeep": "CPU to keep all KPIs up to date, µs an event",
    "looked_at": "looks at a case, an event",
    "cells": "cells an event",
    "bytes": "bytes of kpis.db an event",
    "reading": "a reading of 30 days, mean, ms",
    "reading_p99": "a reading of 30 days, p99, ms",
    "split": "the same by region, mean, ms",
    "split_p99": "the same by region, p99, ms",
    "latest": "the readings of now of all KPIs, ms",
    "retired": "share of the events that left, once all is older than what is kept",
    "forget": "CPU to forget their cases, µs an event that left",
    "rows": "rows by the case an event, before",
    "rows_left": "rows by the case an event, after",
    "bytes_left": "bytes of kpis.db in use an event, after",
}


class _Looks:
    """Counts how many cases were looked at."""

    count = 0

    def __call__(self, cases: int) -> None:
        self.count += cases


def measure(workload: Workload, folder: Path, batches: int) -> Figures:
    """Fold a workload, bring KPIs up to date after each so many batches, and read them."""
    definitions, estate = load_definitions(DEFINITIONS), load_estate(DEFINITIONS)
    catalogue = load_catalogue(DEFINITIONS, definitions)
    made, looks = list(blocks(workload, MOST_EVENTS)), _Looks()
    now = made[-1][0]
    cases = CaseReader(folder / STORE_FILE, definitions, estate, Limits(), lambda: now)
    with (
        closing(open_engine(Subject(folder, definitions, estate, Limits(), RealClock()))) as engine,
        closing(cases),
        closing(JournalReader(folder / JOURNAL_FILE)) as journal,
        closing((store := open_kpi_writer(folder / FILE_NAME)).connection),
    ):
        keeper = Keeper(store, catalogue, definitions, estate, looks, SpanReader(journal, store))
        with cases.snapshot() as snapshot:
            keeper.begin(snapshot)
        keeper.follow(cases.snapshot)
        gc.collect()
        gc.freeze()
        gc.disable()  # as serve does
        fold, upkeep = _kept_beside(engine, keeper, cases, made, batches)
        with cases.snapshot() as snapshot:
            moment = moment_of(snapshot, estate)
        asker = Asker(store, catalogue, estate)
        questions = [_question(asker, kpi, moment) for kpi in (each.declaration.name for each in keeper.kept.values())]
        reading = _times(asker, questions, moment)
        by_region = [Question(each.kpi, each.window, by=(Dimension.REGION,)) for each in questions]
        split = _times(asker, [each for each in by_region if _tells_region(asker, each.kpi)], moment)
        started = perf_counter()
        Latest(asker, catalogue, estate).documents(moment)
        latest = (perf_counter() - started) * 1e3
        gc.enable()
        (cells,), size = store.rows("SELECT count(*) FROM cell")[0], store.connection.size()
        rows = _rows_by_case(store)
        retired, forget = _forgotten(engine, keeper, cases, now)
        rows_left, bytes_left = _rows_by_case(store), _bytes_in_use(store)
    each = 1 / workload.events
    return Figures(
        fold * 1e6 * each,
        upkeep * 1e6 * each,
        looks.count * each,
        cells * each,
        size * each,
        *reading,
        *split,
        latest,
        retired * each,
        forget * 1e6,
        rows * each,
        rows_left * each,
        bytes_left * each,
    )


def _kept_beside(
    engine: Engine, keeper: Keeper, cases: CaseReader, made: Sequence[tuple[int, bytes]], batches: int
) -> tuple[float, float]:
    """Fold blocks, with KPIs after each so many of them; return the CPU seconds of the one and of the other."""
    fold = upkeep = 0.0
    for number, (received, block) in enumerate(made, 1):
        began = process_time()
        engine.fold(decode_block(decompress(block)), received)
        while engine.settle(received):
            pass
        folded = process_time()
        if number % batches == 0 or number == len(made):
            _follow(keeper, cases)
        fold, upkeep = fold + folded - began, upkeep + process_time() - folded
    return fold, upkeep


def _forgotten(engine: Engine, keeper: Keeper, cases: CaseReader, now: int) -> tuple[int, float]:
    """Let everything leave that is older than what is kept; return how many events did, and CPU seconds for each."""
    while engine.tick(now + Limits().keep + DAY) or keeper.follow(cases.snapshot):
        pass  # what is overdue by then has nothing to do with what leaves
    retired, _ = retire_all(engine, now)
    began = process_time()
    _follow(keeper, cases)
    return retired, (process_time() - began) / max(1, retired)


def _follow(keeper: Keeper, cases: CaseReader) -> None:
    while keeper.follow(cases.snapshot):
        pass


def _rows_by_case(store: KpiReader) -> int:
    return sum(store.rows(f"SELECT count(*) FROM {table}")[0][0] for table in ("contributed", "behind"))


def _bytes_in_use(store: KpiReader) -> int:
    """Return how much of the file is not free: it does not shrink."""
    (size,), (free,) = store.rows("PRAGMA page_size")[0], store.rows("PRAGMA freelist_count")[0]
    return store.connection.size() - size * free


def _question(asker: Asker, kpi: str, moment: Moment) -> Question:
    declaration, _ = asker.declared(kpi)
    window = Window(moment.today - timedelta(days=DAYS - 1), moment.today)
    return Question(kpi, None if declaration.formula.kind in TIMELESS else window)


def _tells_region(asker: Asker, kpi: str) -> bool:
    return Dimension.REGION in asker.declared(kpi)[0].dimensions


def _times(asker: Asker, questions: Iterable[Question], moment: Moment) -> tuple[float, float]:
    """Ask each question several times; return the mean and the 99th percentile in ms."""
    took: list[float] = []
    for question in questions:
        for _ in range(TIMES):
            started = perf_counter()
            asker.ask(question, moment)
            took.append((perf_counter() - started) * 1e3)
    return sum(took) / len(took), sorted(took)[len(took) * 99 // 100]


def main() -> None:
    """Measure and print; see ``--help``."""
    parser = argparse.ArgumentParser(description="Measure what KPIs cost.")
    parser.add_argument("--events", default=SIZES, metavar="N,N", help="sizes, in events")
    parser.add_argument("--batches", type=int, default=1, help="after how many batches of events KPIs follow")
    given = parser.parse_args()
    sizes = [int(each) for each in given.events.split(",")]
    found: list[Figures] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
            found.append(measure(Workload(size, BEGIN), Path(folder), given.batches))
    table = Table("", *(f"{size:,} events" for size in sizes))
    for name, meaning in MEANINGS.items():
        table.add_row(meaning, *(f"{getattr(each, name):,.3g}" for each in found))
    table.add_row("upkeep as a share of the fold", *(f"{each.upkeep / each.fold:.0%}" for each in found))
    Console().print(table)


if __name__ == "__main__":
    main()
