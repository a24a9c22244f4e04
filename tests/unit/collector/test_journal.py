"""The journal's writer: one commit for all that wait, an answer after it, and a refusal where it can't be written."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from collector.entry import Entry, Quarantined
from collector.journal import Journal
from collector.journal_file import Boundary, JournalFile, Written
from collector.reading import Refusal, Refused
from throughline.core.errors import StoreUnavailable
from throughline.core.event import Event, encode_block
from throughline.core.journal import (
    FORMAT,
    JOURNAL_FILE,
    JournalFormatUnknown,
    JournalReader,
    LogFact,
    RawRequest,
    SpanFact,
    encode_array,
)

NOTHING = encode_array([])


class Counter:
    """Keeps the sizes of the groups that were committed, and counts failures."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.failures = 0

    def committed(self, entries: int, seconds: float, written: Written) -> None:
        self.groups.append(entries)

    def commit_failed(self) -> None:
        self.failures += 1


def event(number: int) -> Event:
    return Event("/psa", f"e-{number}", "time.approved", 1, 2, b"d" * 16, False, {"time_entry": f"TE-{number}"})


def span(number: int) -> SpanFact:
    return SpanFact(bytes(15) + b"\x01", number.to_bytes(8, "big"), number, number + 5, False, "post", "erp")


def log(number: int) -> LogFact:
    return LogFact(bytes(15) + b"\x01", None, number, "INFO", f"line {number}", "erp")


def quarantined(body: bytes = b"{}", received: int = 7) -> Quarantined:
    return Quarantined(
        received, "cloudevents", "me", None, "e-1", None, "no_time", "why", "events", "application/json", body
    )


def entry(*numbers: int, received: int = 5, size: int = 100, set_aside: tuple[Quarantined, ...] = ()) -> Entry:
    request = RawRequest(received, "cloudevents", "events", "me", "application/json", b"body %d" % len(numbers))
    return Entry(
        request if numbers else None,
        encode_block([event(number) for number in numbers]),
        len(numbers),
        encode_array([span(number) for number in numbers]),
        len(numbers),
        encode_array([log(number) for number in numbers]),
        len(numbers),
        set_aside,
        size,
    )


def run(
    folder: Path, story: Callable[[Journal], Awaitable[None]], most_bytes: int = 10_000, **given: object
) -> Counter:
    """Let a journal live for the length of a story."""
    counter = Counter()

    async def live() -> None:
        journal = Journal(folder / JOURNAL_FILE, most_bytes, counter, **given)  # type: ignore[arg-type]
        await journal.open()
        try:
            await story(journal)
        finally:
            await journal.close()
            await journal.close()

    asyncio.run(live())
    return counter


async def append_soon(journal: Journal, later: Entry) -> int:
    """Append once the journal takes entries again."""
    while True:
        try:
            return await journal.append(later)
        except Refused:
            await asyncio.sleep(0.01)


def stored(folder: Path) -> list[str]:
    reader = JournalReader(folder / JOURNAL_FILE)
    try:
        return [taken.id for record in reader.after(0, 1_000) for taken in record.events]
    finally:
        reader.close()


class Gate:
    """Holds the writer at a boundary until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, boundary: Boundary) -> None:
        if boundary is Boundary.APPENDED:
            self.reached.set()
            assert self.opened.wait(20)


def test_what_was_appended_is_there_once_its_position_is_known(tmp_path: Path) -> None:
    async def story(journal: Journal) -> None:
        assert await journal.append(entry(1, 2)) == 1
        assert stored(tmp_path) == ["e-1", "e-2"]
        assert await journal.append(entry(3)) == 2
        assert journal.last() == 2

    run(tmp_path, story)
    assert stored(tmp_path) == ["e-1", "e-2", "e-3"]


def test_a_record_holds_all_that_its_requests_brought(tmp_path: Path) -> None:
    async def story(journal: Journal) -> None:
        await journal.append(entry(1, 2))

    run(tmp_path, story)
    reader = JournalReader(tmp_path / JOURNAL_FILE)
    (record,) = reader.after(0, 10)
    assert record.events == [event(1), event(2)]
    assert record.spans == [span(1), span(2)]
    assert record.logs == [log(1), log(2)]
    assert (record.id, record.received, record.mapping) == (1, 5, "canonical/1")
    assert reader.requests(1) == [RawRequest(5, "cloudevents", "events", "me", "application/json", b"body 2")]
    reader.close()


def test_entries_that_come_during_a_commit_share_the_next_one(tmp_path: Path) -> None:
    gate = Gate()

    async def story(journal: Journal) -> None:
        first = journal.append(entry(1))
        await asyncio.get_running_loop().run_in_executor(None, gate.reached.wait, 20)
        others = [journal.append(entry(number, received=number)) for number in (2, 3, 4)]
        assert journal.waiting() == (3, 300)
        assert not first.done()
        gate.opened.set()
        assert await asyncio.gather(first, *others) == [1, 2, 2, 2]

    assert run(tmp_path, story, at=gate).groups == [1, 3]
    assert stored(tmp_path) == ["e-1", "e-2", "e-3", "e-4"]


def test_nothing_is_answered_before_the_commit(tmp_path: Path) -> None:
    gate = Gate()

    async def story(journal: Journal) -> None:
        position = journal.append(entry(1))
        await asyncio.get_running_loop().run_in_executor(None, gate.reached.wait, 20)
        done, _ = await asyncio.wait([position], timeout=0.05)
        assert not done
        assert stored(tmp_path) == []
        gate.opened.set()
        assert await position == 1

    run(tmp_path, story, at=gate)


def test_too_much_waiting_is_refused_with_a_time_to_come_back(tmp_path: Path) -> None:
    gate = Gate()

    async def story(journal: Journal) -> None:
        positions = [journal.append(entry(1, size=900))]
        await asyncio.get_running_loop().run_in_executor(None, gate.reached.wait, 20)
        positions.append(journal.append(entry(2, size=900)))
        with pytest.raises(Refused) as refused:
            journal.append(entry(3, size=200))
        assert (refused.value.refusal, refused.value.retry_after) == (Refusal.OVERLOADED, 1)
        positions.append(journal.append(entry(4, size=100)))
        gate.opened.set()
        await asyncio.gather(*positions)

    run(tmp_path, story, most_bytes=1_000, at=gate)
    assert stored(tmp_path) == ["e-1", "e-2", "e-4"]


def test_an_entry_larger_than_all_that_may_wait_is_taken_when_nothing_waits(tmp_path: Path) -> None:
    async def story(journal: Journal) -> None:
        assert await journal.append(entry(1, size=5_000)) == 1

    run(tmp_path, story, most_bytes=1_000)


def test_closing_writes_what_waits_and_then_refuses(tmp_path: Path) -> None:
    async def story(journal: Journal) -> None:
        positions = [journal.append(entry(number)) for number in range(20)]
        await journal.close()
        assert max(await asyncio.gather(*positions)) == journal.last()
        with pytest.raises(Refused) as refused:
            journal.append(entry(99))
        assert refused.value.refusal is Refusal.UNAVAILABLE

    run(tmp_path, story)
    assert len(stored(tmp_path)) == 20


def test_a_sender_that_went_away_does_not_stop_the_others(tmp_path: Path) -> None:
    gate = Gate()

    async def story(journal: Journal) -> None:
        gone = journal.append(entry(1))
        await asyncio.get_running_loop().run_in_executor(None, gate.reached.wait, 20)
        gone.cancel()
        kept = journal.append(entry(2))
        gate.opened.set()
        assert await kept == 2

    run(tmp_path, story, at=gate)


def test_quarantine_keeps_the_very_same_event_once_and_counts_it(tmp_path: Path) -> None:
    async def story(journal: Journal) -> None:
        await journal.append(entry(1, set_aside=(quarantined(b"x" * 5_000, 7), quarantined(b"other", 7))))
        await journal.append(entry(set_aside=(quarantined(b"x" * 5_000, 9),)))

    run(tmp_path, story)
    reader = JournalReader(tmp_path / JOURNAL_FILE)
    first, second = reader.quarantine()
    assert (first.times, first.received, first.last_received) == (2, 7, 9)
    assert (second.times, second.reason, second.sentence, second.signal) == (1, "no_time", "why", "events")
    assert reader.quarantined_body(first.id) == ("application/json", b"x" * 5_000)
    assert reader.quarantine(after=first.id) == [second]
    assert reader.last() == 1  # a request of which nothing was taken leaves no record
    reader.close()


def small(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 3}")


class LimitedFile(JournalFile):
    """A file on a disk that is full after a few pages, until there is room."""

    room = False

    def open(self) -> None:
        super().open()
        if not self.room:
            assert self._connection is not None
            small(self._connection)


def test_a_full_disk_refuses_all_that_wait_and_heals_by_itself(tmp_path: Path) -> None:
    counter = Counter()
    large = quarantined(bytes(range(256)) * 64 + b"".join(bytes([n % 251, n % 241]) for n in range(40_000)))

    async def story() -> None:
        journal = Journal(tmp_path / JOURNAL_FILE, 10_000_000, counter)
        limited = LimitedFile(tmp_path / JOURNAL_FILE)
        journal._file = limited
        await journal.open()
        await journal.append(entry(1))
        with pytest.raises(Refused) as refused:
            await journal.append(entry(2, set_aside=(large,)))
        assert refused.value.refusal is Refusal.UNAVAILABLE
        assert refused.value.retry_after
        assert "disk is full" in refused.value.sentence
        assert str(tmp_path) not in refused.value.sentence
        limited.room = True
        assert await append_soon(journal, entry(3, set_aside=(large,))) == 2
        await journal.close()

    asyncio.run(story())
    assert counter.failures >= 1
    assert stored(tmp_path) == ["e-1", "e-3"]


def test_a_folder_that_comes_later_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "later"

    async def story(journal: Journal) -> None:
        assert not journal.state().open
        with pytest.raises(Refused) as refused:
            journal.append(entry(1))
        assert refused.value.refusal is Refusal.UNAVAILABLE
        folder.mkdir()
        assert await append_soon(journal, entry(1)) == 1

    run(folder, story)


def test_a_fault_of_ours_ends_the_writer_and_says_so(tmp_path: Path) -> None:
    def fault(boundary: Boundary) -> None:
        raise ZeroDivisionError

    async def story(journal: Journal) -> None:
        position = journal.append(entry(1))
        with pytest.raises(ZeroDivisionError):
            await journal.ended
        with pytest.raises(Refused):
            await position

    run(tmp_path, story, at=fault)


def test_the_file_is_opened_so_that_a_commit_survives_a_power_cut(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / JOURNAL_FILE)
    file.open()
    assert file._connection is not None
    assert file._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    file.close()
    file.close()
    with pytest.raises(StoreUnavailable):
        file.write([entry(1)])


def test_a_journal_of_another_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL_FILE
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.execute("CREATE TABLE record (other)")
    connection.close()
    with pytest.raises(JournalFormatUnknown):
        JournalFile(path).open()
    with pytest.raises(JournalFormatUnknown):
        JournalReader(path).last()
