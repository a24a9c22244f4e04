"""How mapped inputs come in: beside what needs no mapping, set aside one by one, kept where nothing fits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.canonical import NESTING
from collector.cloudevents import BATCH, STRUCTURED, read_cloudevents
from collector.intake import Incoming, entry_of
from collector.json_bodies import content_type_of, read_json
from collector.reading import Door, Reading, Refusal, Refused, Signal
from throughline.core.instants import parse_instant
from throughline.core.mappings.folder import Mappings, read_mapping
from throughline.core.yaml_file import parse_yaml

RECEIVED = parse_instant("2026-11-30T00:00:00Z")
ERP = """mapping: erp-invoice
input: cloudevent
types: erp.invoice.posted
event:
  each: input.data.lines
  key: item.id
  type: invoice.issued
  amount: item.net
  currency: item.currency
  fields: {time_entry: item.timesheetNumber, invoice: input.data.invoiceId}
"""
DESK = """mapping: desk
input: json
types: ticket.closed
types_at: input.kind
event: {type: ticket.repaired, id: input.id, time: input.at, fields: {ticket: input.no}}
"""


def mappings(*texts: str) -> Mappings:
    found = [read_mapping(parse_yaml(text.encode(), "m.yaml")) for text in texts]
    assert [str(fault) for _, faults in found for fault in faults] == []
    return Mappings([mapping for mapping, _ in found if mapping is not None])


BOTH = mappings(ERP, DESK)


def posted(*lines: dict[str, Any], **changed: Any) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": "1", "source": "/erp", "type": "erp.invoice.posted"}
    return event | {"time": "2026-11-02T16:04:11Z", "data": {"invoiceId": "INV-1", "lines": list(lines)}} | changed


def line(number: int, **changed: Any) -> dict[str, Any]:
    return {"id": number, "timesheetNumber": f"TE-{number}", "net": "10.00", "currency": "EUR"} | changed


def cloudevents(*events: dict[str, Any]) -> Reading:
    return read_cloudevents(BATCH, {}, json.dumps(events).encode(), RECEIVED, NESTING, BOTH)


def bodies(content: Any, name: str = "desk", known: Mappings = BOTH) -> Reading:
    return read_json(content_type_of(name), json.dumps(content).encode(), RECEIVED, NESTING, known)


def test_a_mapped_event_and_one_that_needs_no_mapping_come_in_together() -> None:
    plain = {"specversion": "1.0", "id": "2", "source": "/psa", "type": "time.approved", "time": "2026-11-02T16:04:11Z"}
    reading = cloudevents(posted(line(1), line(2)), plain)
    assert [(event.type, event.id) for event in reading.events] == [
        ("invoice.issued", "1/1"),
        ("invoice.issued", "1/2"),
        ("time.approved", "2"),
    ]
    assert reading.events[0].fields == {"time_entry": "TE-1", "invoice": "INV-1"}
    assert (reading.mapped, reading.rejected) == (["erp-invoice"], [])


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"net": "NaN"}, "bad_number"),
        ({"net": "ten"}, "bad_number"),
        ({"currency": None}, "bad_currency"),
        ({"currency": "Euro"}, "bad_currency"),
        ({"timesheetNumber": {"no": 1}}, "bad_field"),
        ({"id": None}, "missing_identity"),
    ],
)
def test_an_element_that_is_spoilt_is_set_aside_and_its_siblings_are_taken(wrong: dict[str, Any], reason: str) -> None:
    reading = cloudevents(posted(line(1), line(2, **wrong), line(3)))
    assert [event.id for event in reading.events] == ["1/1", "1/3"]
    assert [(each.index, each.set_aside.reason) for each in reading.rejected] == [(0, reason)]
    assert "(mapping erp-invoice)" in reading.rejected[0].set_aside.sentence


def test_what_is_set_aside_of_one_input_is_kept_once_and_can_be_taken_again() -> None:
    body = json.dumps(posted(*(line(n, currency=None if n % 2 else "EUR") for n in range(400)))).encode()
    incoming = Incoming(Door.CLOUDEVENTS, Signal.EVENTS, "test", STRUCTURED, {}, body)
    reading = read_cloudevents(STRUCTURED, {}, body, RECEIVED, NESTING, BOTH)
    assert (len(reading.events), len(reading.rejected)) == (200, 200)
    (kept,) = entry_of(incoming, reading, RECEIVED).quarantined
    assert "and 199 more of the same input" in kept.sentence
    again = read_cloudevents(kept.content_type, {}, kept.body, RECEIVED, NESTING, BOTH)
    assert again.events == reading.events


@pytest.mark.parametrize("kind", [{}, [], 5, None, True])
def test_a_type_that_is_no_text_is_set_aside_as_without_mappings(kind: Any) -> None:
    assert [each.set_aside.reason for each in cloudevents(posted(line(1), type=kind)).rejected] == ["missing_identity"]


def test_an_event_in_binary_mode_is_mapped_alike() -> None:
    event = posted(line(1))
    headers = {f"ce-{name}": event[name] for name in ("specversion", "id", "source", "type", "time")}
    reading = read_cloudevents("application/json", headers, json.dumps(event["data"]).encode(), RECEIVED, NESTING, BOTH)
    assert reading.events == cloudevents(event).events


def test_an_event_of_which_a_mapping_makes_nothing_is_kept_as_it_came() -> None:
    (event,) = cloudevents(posted()).events
    assert (event.type, event.fields) == ("erp.invoice.posted", {"invoiceId": "INV-1", "lines": []})


def test_a_body_that_the_mapping_does_not_fit_is_kept_as_unmapped_once() -> None:
    other = {"kind": "ticket.merged", "no": "T-1", "amount": 5, "at": "2026-11-02T16:04:11"}
    first, second = bodies([other, other]).events
    assert first == second
    assert (first.source, first.type, first.time) == ("/json/desk", "ticket.merged", RECEIVED)
    assert first.fields == {"kind": "ticket.merged", "no": "T-1", "at": "2026-11-02T16:04:11"}
    assert [event.type for event in bodies({"no": "T-1"}).events] == ["json.desk"]


def test_a_body_with_elements_that_are_no_objects_is_taken_without_them() -> None:
    good = {"kind": "ticket.closed", "id": 1, "no": "T-1", "at": "2026-11-02T16:04:11Z"}
    reading = bodies([good, 5, good | {"id": 2}, good | {"at": "2026-11-02T16:04:11"}])
    assert [event.id for event in reading.events] == ["1", "2"]
    assert [(each.index, each.set_aside.reason) for each in reading.rejected] == [(1, "no_event"), (3, "bad_time")]
    (rejected,) = [each for each in reading.rejected if each.index == 3]
    assert rejected.content_type == "application/json;mapping=desk"
    assert read_json(rejected.content_type, rejected.body, RECEIVED, NESTING, BOTH).rejected[0].body == rejected.body


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("dsek", "seen the mapping 'dsek', wanted one of desk"),
        ("erp-invoice", "wanted one with input: json; that one is for a cloudevent"),
    ],
)
def test_an_unknown_mapping_is_refused_with_the_nearest(name: str, sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        bodies({}, name)
    assert caught.value.refusal is Refusal.NOT_FOUND
    assert sentence in caught.value.sentence


@pytest.mark.parametrize("depth", [NESTING + 1, 900, 100_000])
def test_a_body_that_nests_too_deeply_is_set_aside_or_refused(depth: int) -> None:
    body = b'{"kind": "ticket.closed", "no": ' + b"[" * depth + b"]" * depth + b"}"
    try:
        reading = read_json(content_type_of("desk"), body, RECEIVED, NESTING, BOTH)
    except Refused as refused:
        assert refused.refusal is Refusal.MALFORMED  # noqa: PT017
        return
    assert [each.set_aside.reason for each in reading.rejected] == ["too_large"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "id", "no", "at", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_whatever_comes_in_is_taken_or_set_aside_or_refused(content: Any) -> None:
    reading = bodies(content)
    given = len(content) if isinstance(content, list) else 1
    assert len(reading.events) + len(reading.rejected) == given
