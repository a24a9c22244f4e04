"""A store on disk, filled by the engine, and a reader beside it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lineage.engine import Engine, Limits
from lineage.process import Definitions
from lineage.read import CaseReader, Snapshot
from lineage.trace_documents import TraceDocument
from tests.identity_model.declaration import Declaration
from tests.identity_model.worlds import Arrival
from tests.unit.lineage.adapter import ESTATE, definitions_of, settle


@contextmanager
def reader_of(folder: Path, arrivals: Sequence[Arrival], declaration: Declaration, now: int) -> Generator[CaseReader]:
    """Fold what arrives, one arrival a batch, and give a reader of the outcome at ``now``."""
    definitions = definitions_of(declaration)
    limits = Limits(declaration.orphan_time, declaration.bulk_limit)
    path = folder / "store.db"
    engine = Engine.open(path, definitions, ESTATE, limits)
    for position, arrival in enumerate(arrivals, 1):
        engine.fold(arrival.events, now, position)
        engine.state(arrival.statements, now)
    settle(engine, now)
    engine.tick(now)
    reader = read(path, definitions, limits, now)
    try:
        yield reader
    finally:
        reader.close()
        engine.close()
        for file in folder.iterdir():
            file.unlink()


def read(path: Path, definitions: Definitions, limits: Limits, now: int) -> CaseReader:
    return CaseReader(path, definitions, ESTATE, limits, lambda: now)


def no_traces(_: Snapshot, __: Sequence[str]) -> list[TraceDocument]:
    return []
