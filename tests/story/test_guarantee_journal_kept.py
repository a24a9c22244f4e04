"""The journal keeps records by age and size once they are folded; what the store needs of them it has by then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from collector.entry import Entry
from collector.journal_file import MOST_TRIMMED, JournalFile
from lineage.engine import Engine
from lineage.generations import STORE_FILE
from lineage.journal_retention import JournalLimits, release_some
from lineage.logs import journal_fault
from lineage.places import open_reading
from lineage.rebuild import rebuild
from lineage.run import Subject
from lineage.seen import PackedSeen
from lineage.trace_documents import TraceReader
from tests.guarantees.firm import ESTATE, happened
from tests.guarantees.shown import DEFAULTS, PACK, snapshot_of
from tests.story.test_guarantee_rebuild import Standing, quiet
from throughline.core.event import encode_block
from throughline.core.instants import DAY, HOUR, parse_instant
from throughline.core.journal import JOURNAL_FILE, JournalReader, RawRequest, SpanFact, encode_array
from throughline.core.release import RELEASE_FILE, Release, read_release

BEGAN = parse_instant("2026-03-02T09:00:00Z")
KEPT = JournalLimits(keep=10 * DAY)
RECORDS = 20  # one a day
TRACE = "0af7651916cd43dd8448eb211c80319c"
NEVER = JournalLimits(keep=1_000 * DAY)


class Folder:
    """A data folder with a journal of a record a day, and the engine that folds it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.writer = JournalFile(data / JOURNAL_FILE)
        self.writer.open()
        for number in range(RECORDS):
            self.writer.write([entry(number)])
        self.journal = JournalReader(data / JOURNAL_FILE)
        self.engine = Engine.open(data / STORE_FILE, PACK, ESTATE, DEFAULTS)

    def fold(self, most: int = RECORDS) -> None:
        self.engine.fold_records(self.journal.after(0, most), BEGAN + RECORDS * DAY)

    def release(self, limits: JournalLimits, days: int) -> Release | None:
        while release_some(self.engine, self.journal, self.data, limits, BEGAN + days * DAY):
            pass
        return read_release(self.data)

    def trim(self) -> list[int]:
        """Let the collector remove what may go; return the records that are left."""
        release = read_release(self.data)
        assert release is not None
        while self.writer.trim(release):
            pass
        return [each.record for each in self.journal.sizes(0, RECORDS)]

    def failed_spans(self) -> list[str]:
        snapshot = snapshot_of(self.engine, PACK, ESTATE, DEFAULTS, BEGAN + RECORDS * DAY)
        return [span.name for found in TraceReader(self.journal).documents(snapshot, [TRACE]) for span in found.spans]

    def close(self) -> None:
        self.engine.close()
        self.journal.close()
        self.writer.close()


def entry(number: int) -> Entry:
    at = BEGAN + number * DAY
    happens = happened(f"e{number}", "time.submitted", at, time_entry=f"T{number}", more={"trace_id": TRACE})
    spans = [
        SpanFact(
            bytes.fromhex(TRACE), f"{number:07}{mark}".encode(), at, at + 1, mark == "f", f"sync {number}{mark}", "c"
        )
        for mark in "of"
    ]
    request = RawRequest(
        at, "cloudevents", "events", "psa", "application/json", Random(number).randbytes(100_000), None
    )
    return Entry(request, encode_block([happens]), 1, encode_array(spans), 2, b"", 0, [], 100)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.close()


def test_records_go_once_they_are_old_and_folded(folder: Folder) -> None:
    folder.fold(15)
    assert folder.release(KEPT, days=18) == Release(9, BEGAN + 8 * DAY)
    assert folder.release(KEPT, days=40) == Release(15, BEGAN + 14 * DAY)
    assert folder.trim() == [16, 17, 18, 19, 20]


def test_what_a_full_disk_did_not_take_is_said_again(folder: Folder) -> None:
    folder.fold(15)
    said = folder.release(KEPT, days=18)
    (folder.data / RELEASE_FILE).unlink()  # as if it had never come to stand there
    assert folder.release(KEPT, days=18) == said
    folder.trim()
    assert folder.release(KEPT, days=18) == said


def test_the_oldest_go_first_where_the_journal_takes_too_much(folder: Folder) -> None:
    folder.fold()
    in_use = folder.journal.bytes_in_use()
    small = JournalLimits(NEVER.keep, in_use // 2)
    assert folder.release(small, days=20) is not None
    left = folder.trim()
    assert left == list(range(left[0], RECORDS + 1))
    assert in_use // 4 < folder.journal.bytes_in_use() <= in_use // 2


def test_what_failed_is_shown_for_as_long_as_an_event_of_its_trace_is_kept(folder: Folder) -> None:
    folder.fold()
    folder.release(KEPT, days=18)
    folder.trim()
    gone = [f"sync {number}f" for number in range(9)]
    kept = [f"sync {number}{mark}" for number in range(9, RECORDS) for mark in "of"]
    assert sorted(folder.failed_spans()) == sorted(gone + kept)


def test_the_last_record_stays_so_that_numbers_go_on(folder: Folder) -> None:
    folder.fold()
    folder.release(KEPT, days=100)
    assert folder.trim() == [RECORDS]
    folder.writer.open()
    assert folder.writer.write([entry(RECORDS)]).record == RECORDS + 1


def test_another_journal_than_the_one_meant_is_left_alone(folder: Folder) -> None:
    assert folder.writer.trim(Release(9, BEGAN)) is False
    assert folder.writer.trim(Release(99, BEGAN)) is False
    assert folder.journal.first() == 1
    assert RECORDS > MOST_TRIMMED


def test_a_store_that_lacks_what_is_no_longer_kept_is_noticed_and_can_be_made_of_the_rest(folder: Folder) -> None:
    folder.fold()
    folder.release(KEPT, days=18)
    folder.trim()
    with closing(Engine.open(":memory:", PACK, ESTATE, DEFAULTS)) as fresh:
        fault = journal_fault(fresh.store, folder.journal)
    assert fault is not None
    assert "seen records from j10 on" in fault
    assert journal_fault(folder.engine.store, folder.journal) is None
    path = folder.data / "store-2.db"
    folder.engine.close()
    (folder.data / STORE_FILE).unlink()
    rebuild(Subject(folder.data, PACK, ESTATE, DEFAULTS, Standing(BEGAN + 20 * DAY + HOUR)), path, quiet)
    with closing(open_reading(path)) as made:
        assert len(list(PackedSeen(made).rows())) == 11
