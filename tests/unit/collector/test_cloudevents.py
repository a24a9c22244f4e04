"""CloudEvents over HTTP in each of their modes, read as their specification says."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.cloudevents import BATCH, JSON, STRUCTURED, header_text, read_cloudevents
from collector.reading import Reading, Refusal, Refused
from collector.setaside import Reason
from throughline.core.instants import parse_instant

RECEIVED = parse_instant("2026-11-02T16:05:00Z")
DATA = {"time_entry": "TE-88", "amount": "1125.00", "currency": "EUR"}


def attributes(**changed: Any) -> dict[str, Any]:
    given = {"specversion": "1.0", "id": "e-1", "source": "/psa", "type": "time.approved"}
    return given | {"time": "2026-11-02T16:04:11Z", "data": DATA} | changed


def structured(**changed: Any) -> Reading:
    return read_cloudevents(STRUCTURED, {}, json.dumps(attributes(**changed)).encode(), RECEIVED)


def binary(headers: dict[str, str], body: bytes = b"", content_type: str = "application/json") -> Reading:
    basic = {"ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "/psa", "ce-type": "time.approved"}
    return read_cloudevents(content_type, basic | {"ce-time": "2026-11-02T16:04:11Z"} | headers, body, RECEIVED)


def refusal(content_type: str, body: bytes, headers: dict[str, str] | None = None) -> Refusal:
    with pytest.raises(Refused) as refused:
        read_cloudevents(content_type, headers or {}, body, RECEIVED)
    return refused.value.refusal


def test_the_three_modes_give_the_same_event() -> None:
    body = json.dumps(attributes()).encode()
    one = read_cloudevents(f"{STRUCTURED}; charset=UTF-8", {}, body, RECEIVED)
    batch = read_cloudevents(BATCH, {}, b"[" + body + b"]", RECEIVED)
    bare = binary({}, json.dumps(DATA).encode())
    assert one.events == batch.events == bare.events
    assert one.events[0].fields == {"time_entry": "TE-88"}
    assert one.events[0].amount == "1125.00"


def test_plain_json_is_taken_as_one_event_or_a_batch() -> None:
    body = json.dumps(attributes()).encode()
    assert read_cloudevents(JSON, {}, body, RECEIVED).events == structured().events
    assert read_cloudevents(JSON, {}, b" \n[" + body + b"," + body + b"]", RECEIVED).events == structured().events * 2
    assert read_cloudevents(BATCH, {}, b"[]", RECEIVED).events == []


def test_a_batch_with_bad_events_among_good_ones_takes_the_good_ones() -> None:
    events = [attributes(), attributes(id=""), 7, attributes(id="e-2"), attributes(specversion="0.3"), None]
    reading = read_cloudevents(BATCH, {}, json.dumps(events).encode(), RECEIVED)
    assert [event.id for event in reading.events] == ["e-1", "e-2"]
    assert [(rejected.index, rejected.set_aside.reason) for rejected in reading.rejected] == [
        (1, Reason.MISSING_IDENTITY),
        (2, Reason.NO_EVENT),
        (4, Reason.NO_EVENT),
        (5, Reason.NO_EVENT),
    ]


def test_one_event_of_a_batch_in_broken_text_does_not_cost_the_others() -> None:
    good = json.dumps(attributes()).encode()
    deep = b"[" * 5_000 + b"]" * 5_000
    reading = read_cloudevents(BATCH, {}, b"[" + good + b', {"id": "\\ud800"}, ' + deep + b"]", RECEIVED)
    assert len(reading.events) == 1
    assert [rejected.body for rejected in reading.rejected] == [b'{"id": "\\ud800"}', deep]
    assert {rejected.set_aside.reason for rejected in reading.rejected} == {Reason.NO_EVENT}


def test_a_batch_of_too_many_events_is_refused_as_a_whole() -> None:
    assert len(read_cloudevents(BATCH, {}, b"[" + b"0," * 99_999 + b"0]", RECEIVED).rejected) == 100_000
    assert refusal(BATCH, b"[" + b"0," * 100_000 + b"0]") is Refusal.TOO_LARGE


def test_what_is_set_aside_can_be_taken_again_as_it_was() -> None:
    body = b'{"specversion":"1.0","id":"e-1","source":"/psa","type":"t","data":{"n":1.50}}'
    rejected = read_cloudevents(BATCH, {}, b"[" + body + b"]", RECEIVED).rejected[0]
    assert (rejected.content_type, rejected.body) == (STRUCTURED, body)
    assert (rejected.source, rejected.event_id, rejected.type) == ("/psa", "e-1", "t")


def test_an_event_in_binary_mode_is_set_aside_as_a_structured_one() -> None:
    rejected = binary({"ce-type": "throughline.x", "ce-traceparent": "no"}, b'{"n":1.50}').rejected[0]
    assert rejected.content_type == STRUCTURED
    again = read_cloudevents(STRUCTURED, {}, rejected.body, RECEIVED).rejected[0]
    assert again.set_aside == rejected.set_aside
    assert b'"data":{"n":1.50}' in rejected.body


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("Euro%20%E2%82%AC", "Euro €"),
        ("100%25", "100%"),
        ('"quoted \\"text\\" %22"', 'quoted "text" "'),
        ("%zz", "%zz"),
        ("ACME+x", "ACME+x"),
    ],
)
def test_headers_are_unquoted_and_percent_decoded_once(written: str, meant: str) -> None:
    assert header_text(written) == meant
    assert binary({"ce-subject": written}).events[0].subject == meant


def test_headers_that_are_no_utf8_refuse_the_request() -> None:
    assert refusal(JSON, b"", {"ce-id": "%ff"}) is Refusal.MALFORMED


def test_data_in_base64_is_read_where_it_holds_json() -> None:
    encoded = base64.b64encode(json.dumps(DATA).encode()).decode()
    assert structured(data=None, data_base64=encoded).events == structured().events
    for odd in ("!!", base64.b64encode(b"<xml/>").decode(), 5):
        assert structured(data=None, data_base64=odd).rejected[0].set_aside.reason is Reason.NO_EVENT


@pytest.mark.parametrize("data", ["text", 5, [1], True])
def test_data_that_is_no_object_sets_the_event_aside(data: object) -> None:
    assert structured(data=data).rejected[0].set_aside.reason is Reason.NO_EVENT


@pytest.mark.parametrize("name", ["time", "recordedtime"])
@pytest.mark.parametrize("value", [1700000000, 1700000000.5, True, ["2026-11-02T16:04:11Z"], {}])
def test_a_time_that_is_no_text_sets_the_event_aside(name: str, value: object) -> None:
    reading = structured(**{name: value})
    assert [each.set_aside.reason for each in reading.rejected] == [Reason.BAD_TIME]


def test_an_event_needs_no_data() -> None:
    assert structured(data=None).events[0].fields == {}
    assert binary({}).events[0].fields == {}


def test_extensions_of_correlation_causation_and_bam_are_heard() -> None:
    taken = structured(
        correlationid="c-1",
        causationid="e-0",
        bamtxid="tx-7",
        bampid="time-to-bill",
        bamptxcompleted=True,
        sequence=5,
        recordedtime="2026-11-02T16:04:12Z",
        partitionkey="p",
    ).events[0]
    assert taken.fields["correlation_id"] == ["c-1", "tx-7"]
    assert (taken.fields["bampid"], taken.fields["bamptxcompleted"]) == ("time-to-bill", True)
    assert (taken.causation_id, taken.sequence) == ("e-0", "5")
    assert taken.recorded == parse_instant("2026-11-02T16:04:12Z")
    assert "partitionkey" not in taken.fields
    assert binary({"ce-bamptxcompleted": "true"}).events[0].fields == {"bamptxcompleted": True}


def test_a_trace_is_taken_from_traceparent() -> None:
    taken = structured(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").events[0]
    assert (taken.trace_id, taken.span_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        7,
    ],
)
def test_an_invalid_traceparent_is_ignored_and_counted(traceparent: object) -> None:
    reading = structured(traceparent=traceparent)
    assert reading.events[0].trace_id is None
    assert reading.ignored_traceparents == 1


def test_a_trace_id_alone_is_taken_where_there_is_no_traceparent() -> None:
    trace_id = "0AF7651916CD43DD8448EB211C80319C"
    taken = structured(traceid=trace_id).events[0]
    assert (taken.trace_id, taken.span_id) == (trace_id.lower(), None)
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01"
    for both in ({"traceid": trace_id, "traceparent": parent}, {"traceparent": parent, "traceid": trace_id}):
        assert structured(**both).events[0].trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("trace_id", ["", "0" * 32, "order-7", 7])
def test_an_invalid_trace_id_is_ignored_and_counted(trace_id: object) -> None:
    reading = structured(traceid=trace_id)
    assert reading.events[0].trace_id is None
    assert reading.ignored_traceparents == 1


def test_a_group_is_a_correlation_id() -> None:
    assert structured(group="order-7").events[0].fields["correlation_id"] == "order-7"
    assert binary({"ce-group": "order-7"}).events[0].fields == {"correlation_id": "order-7"}


DYNATRACE = {"event.type": "time.approved", "event.provider": "/psa", "event.id": "e-1"}


@pytest.mark.parametrize(
    "event",
    [
        DYNATRACE | {"timestamp": "2026-11-02T16:04:11Z", **DATA},
        DYNATRACE | {"time": "2026-11-02T16:04:11Z", "data": DATA},
        DYNATRACE | {"id": "e-1", "event.id": "e-0", "time": "2026-11-02T16:04:11Z", **DATA},
    ],
    ids=["flat", "data", "both"],
)
def test_a_plain_event_may_name_its_type_and_source_as_dynatrace_does(event: dict[str, Any]) -> None:
    body = json.dumps(event).encode()
    assert read_cloudevents(JSON, {}, body, RECEIVED).events == structured().events
    assert read_cloudevents(JSON, {}, b"[" + body + b"]", RECEIVED).events == structured().events


def test_a_plain_event_of_dynatraces_that_is_set_aside_says_whose_it_is() -> None:
    body = json.dumps(DYNATRACE).encode()
    (rejected,) = read_cloudevents(JSON, {}, body, RECEIVED).rejected
    assert (rejected.set_aside.reason, rejected.body) == (Reason.NO_TIME, body)
    assert (rejected.source, rejected.event_id, rejected.type) == ("/psa", "e-1", "time.approved")


def test_an_event_with_a_specversion_has_a_type_of_its_own() -> None:
    (rejected,) = structured(type=None, **{"event.type": "time.approved"}).rejected
    assert rejected.set_aside.reason is Reason.MISSING_IDENTITY


@pytest.mark.parametrize(
    ("text", "half"),
    [
        (rb"cut \ud83d", "\\ud83d"),
        (rb"cut \ud83dhere", "\\ud83d"),
        (rb"\\\udc00", "\\udc00"),
        (rb"\ud83d\u0041", "\\ud83d"),
    ],
)
def test_half_a_character_is_named_where_it_stands(text: bytes, half: str) -> None:
    body = b'{"id": "' + text + b'"}'
    at = body.index(half.encode())
    with pytest.raises(Refused) as refused:
        read_cloudevents(STRUCTURED, {}, body, RECEIVED)
    assert (
        refused.value.sentence == f"the body is no JSON: half a character at byte {at} ({half} without its other half)"
    )
    (rejected,) = read_cloudevents(BATCH, {}, b"[" + body + b"]", RECEIVED).rejected
    assert half in rejected.set_aside.sentence


@pytest.mark.parametrize("text", [rb"\ud83d\ude00", rb"\\ud83d", rb"plain"])
def test_a_whole_character_is_not_blamed_for_another_fault(text: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_cloudevents(STRUCTURED, {}, b'{"id": "' + text + b'", }', RECEIVED)
    assert "half a character" not in refused.value.sentence


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 5_000, b'{"a":1} x', b"\xef\xbb\xbf{}"])
def test_a_body_that_is_no_json_refuses_the_request(body: bytes) -> None:
    assert refusal(STRUCTURED, body) is Refusal.MALFORMED
    assert refusal(BATCH, body) is Refusal.MALFORMED
    if body:
        headers = {"ce-specversion": "1.0"}
        assert refusal(JSON, body, headers) is Refusal.MALFORMED


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/cloudevents+avro", "application/cloudevents-batch+avro"],
)
def test_other_media_types_refuse_the_request(content_type: str) -> None:
    assert refusal(content_type, b"{}") is Refusal.UNSUPPORTED


def test_other_encodings_than_utf8_refuse_the_request() -> None:
    assert refusal(f"{STRUCTURED}; charset=iso-8859-1", b"{}") is Refusal.UNSUPPORTED


def test_binary_data_of_another_type_refuses_the_request() -> None:
    assert refusal("text/xml", b"<x/>", {"ce-specversion": "1.0"}) is Refusal.UNSUPPORTED


@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded", "application/hal+json"])
def test_binary_data_of_no_type_or_of_one_that_clients_add_is_json(content_type: str) -> None:
    assert binary({}, json.dumps(DATA).encode(), content_type).events == structured().events


def test_a_form_is_no_event() -> None:
    form = "application/x-www-form-urlencoded"
    assert refusal(form, b"time_entry=TE-88", {"ce-specversion": "1.0"}) is Refusal.UNSUPPORTED
    assert refusal(form, json.dumps(attributes()).encode()) is Refusal.UNSUPPORTED


def test_binary_data_of_no_type_that_is_no_json_refuses_the_request() -> None:
    assert refusal("", b"<x/>", {"ce-specversion": "1.0"}) is Refusal.MALFORMED


def test_numbers_stay_exactly_as_written() -> None:
    body = json.dumps(attributes(data={})).replace(
        '"data": {}', '"data": {"amount": 1125.00, "currency": "EUR", "rate": 1.10}'
    )
    taken = read_cloudevents(STRUCTURED, {}, body.encode(), RECEIVED).events[0]
    assert taken.amount == "1125.00"
    assert taken.text("rate") == "1.10"


@given(st.binary(max_size=200), st.sampled_from([STRUCTURED, BATCH, JSON, "", "text/x"]), st.booleans())
def test_no_body_raises_anything_but_a_refusal(body: bytes, content_type: str, in_headers: bool) -> None:
    with contextlib.suppress(Refused):
        read_cloudevents(content_type, {"ce-id": "x"} if in_headers else {}, body, RECEIVED)
