"""What is denser than any sender's data is refused while it is still bytes; honest data of the same size is taken."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from collector.intake import Incoming, read
from collector.json_fault import json_fault
from collector.reading import Door, Refusal, Refused, Signal
from tests.hostile.protobuf import field, log, logs, span, traces

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
BATCH = "application/cloudevents-batch+json"
SIZE = 16 * 1024 * 1024
RECEIVED = 1_790_000_000_000_000


def filled(before: bytes, unit: bytes, after: bytes) -> bytes:
    return before + unit * ((SIZE - len(before) - len(after)) // len(unit)) + after


def taken(signal: Signal, media_type: str, body: bytes) -> int:
    reading = read(Incoming(Door.OTLP_HTTP, signal, "s", media_type, {}, body), RECEIVED, 64)
    return len(reading.events) + len(reading.spans)


DENSE = {
    "a batch of nothing": (Signal.EVENTS, BATCH, filled(b"[", b"{},", b"{}]")),
    "numbers": (Signal.EVENTS, BATCH, filled(b"[", b"1e1,", b"1]")),
    "resources in JSON": (Signal.TRACES, JSON, filled(b'{"resourceSpans":[', b"{},", b"{}]}")),
    "resources": (Signal.TRACES, PROTOBUF, b"\x0a\x00" * (SIZE // 2)),
    "scopes": (Signal.LOGS, PROTOBUF, field(1, b"\x12\x00" * (SIZE // 2 - 10))),
    "spans": (Signal.TRACES, PROTOBUF, field(1, field(2, b"\x12\x00" * (SIZE // 2 - 10)))),
    "events of a span": (
        Signal.TRACES,
        PROTOBUF,
        traces(span(field(9, field(1, b"throughline.x")), b"\x5a\x00" * 1_000_000)),
    ),
    "metrics": (Signal.METRICS, PROTOBUF, field(1, field(2, b"\x12\x00" * (SIZE // 2 - 10)))),
    "resources written longer than need be": (Signal.LOGS, PROTOBUF, b"\x8a\x00\x00" * (SIZE // 3)),
}


@pytest.mark.parametrize("name", DENSE)
def test_a_body_of_nothing_is_refused_before_it_is_decoded(name: str) -> None:
    with pytest.raises(Refused) as refused:
        taken(*DENSE[name])
    assert refused.value.refusal is Refusal.TOO_LARGE


def test_as_many_honest_spans_and_log_records_as_fit_are_taken() -> None:
    assert taken(Signal.TRACES, PROTOBUF, traces(*[span()] * 50_000)) == 50_000
    assert taken(Signal.LOGS, PROTOBUF, logs(*[log()] * 50_000)) == 50_000


def test_a_batch_of_large_events_is_taken() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "a.b", "time": "2025-11-02T16:04:11Z"}
    batch = json.dumps([event | {"data": {"time_entry": ["TE-1"] * 5_000}}] * 30).encode()
    assert taken(Signal.EVENTS, BATCH, batch) == 30


def test_what_is_wrong_with_a_text_is_said_in_little_memory() -> None:
    text = b'{"a":"' + b"\\" * SIZE
    tracemalloc.start()
    try:
        assert json_fault(ValueError("cut short"), text) == "cut short"
        assert tracemalloc.get_traced_memory()[1] < SIZE // 2
    finally:
        tracemalloc.stop()


def test_the_beginning_of_a_log_record_is_shown_without_reading_all_of_it() -> None:
    body = logs(log(field(5, field(5, b"\x0a\x00" * 2_000_000)), field(9, b"t" * 16), name=b""))
    tracemalloc.start()
    try:
        reading = read(Incoming(Door.OTLP_HTTP, Signal.LOGS, "s", PROTOBUF, {}, body), RECEIVED, 64)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()
    (fact,) = reading.logs
    assert fact.text.startswith("[null,null,")
    assert len(fact.text) == 1_024
