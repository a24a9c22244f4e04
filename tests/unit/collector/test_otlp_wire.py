"""Our OTLP messages read what a later version of OTLP adds to as well: nothing that they know is lost."""

from __future__ import annotations

from collector.otlp import PROTOBUF, read_logs, read_traces
from tests.hostile.protobuf import TIME, field, log, logs, span, text, traces
from throughline.core.instants import parse_instant

RECEIVED = parse_instant("2026-11-02T16:05:00Z")
LATER = b"\x18\x07"  # a field of KeyValue that our descriptor does not know


def pair(key: str, value: str) -> bytes:
    return field(1, key.encode()) + field(2, text(value)) + LATER


RESOURCE = field(1, field(1, pair("service.name", "erp")))


def test_an_attribute_of_a_log_record_with_a_later_field_is_read() -> None:
    record = log(field(6, pair("invoice", "I-1")), name=b"invoice.issued")
    (event,) = read_logs(PROTOBUF, logs(record, resource=RESOURCE), RECEIVED).events
    assert (event.source, event.fields) == ("erp", {"invoice": "I-1"})


def test_an_attribute_of_a_span_and_of_its_events_with_a_later_field_is_read() -> None:
    happened = field(11, b"\x09" + TIME + field(3, pair("throughline.event", "time.failed")))
    stated = span(field(9, pair("throughline.event", "time.posted")), happened)
    found = read_traces(PROTOBUF, traces(stated, resource=RESOURCE), RECEIVED).events
    assert [event.type for event in found] == ["time.posted", "time.failed"]
