"""While a batch is committed the records after it are read: what is folded is the same, and so it is if that fails."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import pytest

from lineage.engine import Engine
from tests.guarantees.shown import case_documents, snapshot_of
from tests.stored_store import DEFINITIONS, ESTATE, LIMITS, NOW, events
from throughline.core.journal import Record

Meanwhile = Callable[[], Sequence[Record]] | None


@pytest.fixture
def engine() -> Generator[Engine]:
    engine = Engine.open(":memory:", DEFINITIONS, ESTATE, LIMITS)
    yield engine
    engine.close()


def records() -> list[Record]:
    return [Record(number, event.received, "", [event], [], []) for number, event in enumerate(events(), 1)]


def documents(engine: Engine) -> dict[tuple[str, str], bytes]:
    return case_documents(snapshot_of(engine, DEFINITIONS, ESTATE, LIMITS, NOW))


def test_records_that_were_read_ahead_fold_as_others_do(engine: Engine) -> None:
    beside = Engine.open(":memory:", DEFINITIONS, ESTATE, LIMITS)
    some = records()
    for record, after in zip(some, [*some[1:], None], strict=True):
        beside.fold_records([record], NOW)
        engine.fold_records([record], NOW, lambda after=after: [after] if after else [])
    assert documents(engine) == documents(beside)
    beside.close()


def test_records_that_were_read_ahead_and_never_came_are_forgotten(engine: Engine) -> None:
    first, *others = records()
    engine.fold_records([first], NOW, lambda: others)
    assert engine.fold_records([records()[2]], NOW) == 1
    assert len(documents(engine)) == 2


def test_a_batch_is_stored_though_what_comes_after_it_cannot_be_read(engine: Engine) -> None:
    def fail() -> Sequence[Record]:
        raise OSError("the journal cannot be read")

    with pytest.raises(OSError, match="cannot be read"):
        engine.fold_records(records()[:1], NOW, fail)
    assert engine.positions() == (1, 0)
    assert not engine.store.connection.driver.in_transaction
    assert engine.fold_records(records(), NOW) == 4
