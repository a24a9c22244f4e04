"""The journal's reader reads beside its writer, and waits for a file that isn't there yet."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.entry import Entry
from collector.journal_file import JournalFile
from throughline.core.event import Event, encode_block
from throughline.core.journal import (
    JOURNAL_FILE,
    JournalReader,
    LogFact,
    RawRequest,
    SpanFact,
    encode_array,
    join_arrays,
    parse_position,
    position_text,
)

TRACE, OTHER = bytes(15) + b"\x01", bytes(15) + b"\x02"


def event(number: int) -> Event:
    return Event("/psa", f"e-{number}", "time.approved", 1, 2, b"d" * 16, False, {})


def span(trace_id: bytes, number: int, start: int) -> SpanFact:
    return SpanFact(trace_id, number.to_bytes(8, "big"), start, start + 1, False, "post", "erp")


def write(
    file: JournalFile, events: int = 0, spans: list[SpanFact] | None = None, logs: list[LogFact] | None = None
) -> None:
    spans, logs = spans or [], logs or []
    request = RawRequest(5, "cloudevents", "events", "me", "application/json", b"")
    block = encode_block([event(number) for number in range(events)])
    arrays = encode_array(spans), encode_array(logs)
    file.write([Entry(request, block, events, arrays[0], len(spans), arrays[1], len(logs), (), 100)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / JOURNAL_FILE


def test_a_file_that_is_not_there_yet_has_nothing_to_read(path: Path) -> None:
    reader = JournalReader(path)
    assert (reader.last(), reader.after(0, 10), reader.quarantine(), reader.requests(1)) == (0, [], [], [])
    assert reader.record(1) is None
    file = JournalFile(path)
    file.open()
    write(file, 1)
    assert reader.last() == 1
    assert [record.id for record in reader.after(0, 10)] == [1]
    reader.close()
    reader.close()
    file.close()


def test_records_come_in_order_after_a_position_and_within_limits(path: Path) -> None:
    file = JournalFile(path)
    file.open()
    for events in (3, 3, 3, 10, 1):
        write(file, events)
    reader = JournalReader(path)
    assert [record.id for record in reader.after(0, 10)] == [1, 2, 3, 4, 5]
    assert [record.id for record in reader.after(2, 2)] == [3, 4]
    assert [record.id for record in reader.after(0, 10, most_events=7)] == [1, 2]
    assert [record.id for record in reader.after(3, 10, most_events=5)] == [4]
    assert [record.id for record in reader.after(2, 10, most_bytes=1)] == [3]
    assert [record.id for record in reader.after(2, 10, most_bytes=1_000_000)] == [3, 4, 5]
    assert reader.after(5, 10) == []
    record = reader.record(4)
    assert record is not None
    assert len(record.events) == 10
    reader.close()
    file.close()


def test_a_trace_is_read_out_of_its_records_each_span_once(path: Path) -> None:
    file = JournalFile(path)
    file.open()
    write(file, spans=[span(TRACE, 1, 30), span(OTHER, 2, 10)])
    write(file, spans=[span(TRACE, 3, 20), span(TRACE, 1, 30)], logs=[LogFact(TRACE, None, 5, "INFO", "a", "erp")])
    write(file, 1)
    reader = JournalReader(path)
    assert reader.spans_of_trace([1, 2, 3, 99], TRACE) == [span(TRACE, 3, 20), span(TRACE, 1, 30)]
    assert reader.spans_of_trace([1], OTHER) == [span(OTHER, 2, 10)]
    assert reader.spans_of_trace([], TRACE) == []
    assert [log.text for log in reader.logs_of_trace([1, 2], TRACE)] == ["a"]
    reader.close()
    file.close()


@given(st.lists(st.integers(0, 40_000).filter(lambda n: n < 40 or n > 65_500 or n % 997 == 0), max_size=4))
def test_arrays_join_whatever_their_lengths(lengths: list[int]) -> None:
    arrays = [msgspec.msgpack.encode(list(range(length))) for length in lengths]
    assert msgspec.msgpack.decode(join_arrays(arrays, lengths)) == [n for length in lengths for n in range(length)]


def test_a_large_array_joins_too() -> None:
    lengths = [15, 16, 65_535, 65_536]
    arrays = [msgspec.msgpack.encode([0] * length) for length in lengths]
    assert len(msgspec.msgpack.decode(join_arrays(arrays, lengths))) == sum(lengths)


def test_a_position_is_read_back() -> None:
    assert parse_position(position_text(17)) == 17
    for text in ("", "j", "17", "s17", "j-1", "j1.0", "j\u0661"):
        with pytest.raises(ValueError, match="wanted a position"):
            parse_position(text)
