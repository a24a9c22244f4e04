"""A store of a file moves into a database with all that it has, however many buckets of the file that stands in."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from lineage.buckets import BUCKET_KEYS
from lineage.generations import STORE_FILE, next_place
from lineage.rebuild import rebuild
from lineage.run import Subject, open_engine
from lineage.traces import entries_of
from tests.guarantees.shown import case_documents, snapshot_of
from tests.stored_store import DEFINITIONS, ESTATE, LIMITS, NOW, events
from tests.story.test_guarantee_rebuild import Standing, quiet
from throughline.core.journal import MAPPING, Record
from throughline.core.store_url import StoreUrl

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.needs("postgresql")
def test_a_store_of_several_buckets_moves_with_all_that_it_has(tmp_path: Path, database: StoreUrl) -> None:
    told = [msgspec.structs.replace(event, trace_id=TRACE) for event in events()]
    with closing(open_engine(Subject(tmp_path, DEFINITIONS, ESTATE, LIMITS, Standing(NOW)))) as engine:
        engine.store.next_seq = BUCKET_KEYS - 2
        for number, event in enumerate(told, 1):
            engine.fold_records([Record(number, NOW, MAPPING, [event], [], [])], NOW)
            engine.store.connection.execute("UPDATE trace SET bucket = ? WHERE bucket = 0", (number,))
        shown = case_documents(snapshot_of(engine, DEFINITIONS, ESTATE, LIMITS, NOW))
        assert engine.store.one("SELECT count(*) FROM trace") > 1
    moved = Subject(tmp_path, DEFINITIONS, ESTATE, LIMITS, Standing(NOW), url=database)
    place = next_place(tmp_path, database)
    assert rebuild(moved, place, quiet, former=tmp_path / STORE_FILE).total == 0
    with closing(open_engine(moved, place)) as engine:
        assert case_documents(snapshot_of(engine, DEFINITIONS, ESTATE, LIMITS, NOW)) == shown
        ((entry,),) = entries_of(engine.store, [bytes.fromhex(TRACE)]).values()
        assert entry.seqs == tuple(range(BUCKET_KEYS - 2, BUCKET_KEYS + 3))
        assert engine.fold(told, NOW) == 0  # each was counted before
