"""How long the journal is kept: records go by age and size, once they are folded; docs/reference/retention.md.

Of a record that goes the store keeps the spans that failed, for as long as it keeps an event of their trace. What it
then knows of the record is durable before the collector is told that the record may go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from lineage.engine import JOURNAL, Engine
from lineage.store import StoreWriter
from lineage.traces import release_spans
from throughline.core.instants import DAY
from throughline.core.journal import JournalReader, Record, RecordSize
from throughline.core.release import Release, read_release, write_release

RELEASED = "journal_released"  # a position: the last record that may go
MOST_RECORDS = 100
MOST_BYTES = 8 * 1024 * 1024  # as stored


class JournalLimits(NamedTuple):
    """How long records are kept (microseconds from receipt) and how many bytes all of them may take."""

    keep: int = 30 * DAY
    bytes: int = 20 * 1024**3


DEFAULT_LIMITS = JournalLimits()


def release_some(engine: Engine, journal: JournalReader, data: Path, limits: JournalLimits, now: int) -> bool:
    """Let some records go that are past a limit; return whether there were any.

    Raises StoreUnavailable where the disk does not take who may go; then the next call says so again.
    """
    positions = engine.store.positions()
    released, folded = positions.get(RELEASED, 0), positions.get(JOURNAL, 0)
    past = _past(journal, released, folded, limits, now)
    if not past:
        _say_again(journal, data, released)
        return False
    last = past[-1]
    records = journal.after(released, MOST_RECORDS)
    with engine.transaction():
        _let_go(engine.store, [record for record in records if record.id <= last.record])
        engine.store.set_position(RELEASED, last.record)
    engine.store.connection.make_durable()
    write_release(data, Release(last.record, last.received))
    return True


def _say_again(journal: JournalReader, data: Path, released: int) -> None:
    """Tell the collector what it was not told when it was decided, as the disk did not take it."""
    said = read_release(data)
    received = journal.received(released) if released and (said is None or said.record < released) else None
    if received is not None:
        write_release(data, Release(released, received))


def _past(journal: JournalReader, released: int, folded: int, limits: JournalLimits, now: int) -> Sequence[RecordSize]:
    """Return the oldest records that are past a limit, as many as one piece may have."""
    excess = journal.bytes_in_use() - limits.bytes
    excess -= sum(each.bytes for each in journal.sizes(0, released)) if excess > 0 else 0
    found: list[RecordSize] = []
    size = 0
    for each in journal.sizes(released, folded, MOST_RECORDS):
        if each.received > now - limits.keep and size >= excess:
            break
        found.append(each)
        size += each.bytes
        if size > MOST_BYTES:
            break
    return found


def _let_go(store: StoreWriter, records: Iterable[Record]) -> None:
    for record in records:
        release_spans(store, record)
