"""The page of the event against the doors' own decoders: examples are taken, or set aside for the reason named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.canonical import (
    LONGEST_ELEMENT,
    LONGEST_IDENTITY,
    LONGEST_NAME,
    LONGEST_TEXT,
    MOST_ELEMENTS,
    MOST_FIELDS,
    OWN_PLACE,
)
from collector.cloudevents import STRUCTURED, read_cloudevents
from collector.http_answers import receipt_answer
from collector.intake import Receipt
from collector.otlp import JSON, read_logs, read_traces
from collector.reading import MOST_RECORDS, Reading
from collector.setaside import Reason
from throughline.core.event import ERROR_CATEGORIES, Event
from throughline.core.instants import parse_instant
from throughline.core.key import MOST_BYTES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "event.md").read_text("utf-8")
RECEIVED = parse_instant("2026-03-21T00:00:00Z")
EXAMPLES = re.findall(r"```json accepted ?(\w*)\n(.*?)```", PAGE, re.DOTALL)
GOOD: dict[str, Any] = json.loads(EXAMPLES[0][1])
ROWS = re.findall(r"^\| `(\w+)` \|[^|]*\| (?:`(\{.*\})`)? ?\|$", PAGE, re.MULTILINE)
MANY = "…more than 10,000 elements…"


def read(door: str, body: bytes) -> Reading:
    match door:
        case "logs":
            return read_logs(JSON, body, RECEIVED)
        case "traces":
            return read_traces(JSON, body, RECEIVED)
        case _:
            return read_cloudevents(STRUCTURED, {}, body, RECEIVED)


def merged(event: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return an event with members replaced; those of ``data`` one by one."""
    data = change.get("data", {})
    if not isinstance(data, dict):
        return event | change
    return event | change | {"data": event["data"] | data}


def table_under(head: str) -> set[str]:
    table = PAGE[PAGE.index(f"| {head} |") :].split("\n\n", 1)[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize(("door", "text"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_is_accepted(door: str, text: str) -> None:
    reading = read(door, text.encode())
    assert [rejected.set_aside.sentence for rejected in reading.rejected] == []
    assert len(reading.events) == 1


def test_the_page_has_an_example_of_each_door() -> None:
    assert {door for door, _ in EXAMPLES} == {"", "logs", "traces"}


@pytest.mark.parametrize("door", ["logs", "traces"])
def test_the_same_event_in_each_form_means_the_same(door: str) -> None:
    (cloud,) = read("", EXAMPLES[0][1].encode()).events
    (other,) = read(door, next(text for at, text in EXAMPLES if at == door).encode()).events

    def meaning(event: Event) -> Event:
        return msgspec.structs.replace(event, source="", id="", digest=b"")

    assert meaning(other) == meaning(cloud)
    assert other.source == "psa/emea"
    assert other.id == ("01JQ6" if door == "logs" else "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0")


@pytest.mark.parametrize(("reason", "change"), [row for row in ROWS if row[1]], ids=lambda text: text[:24])
def test_what_is_set_aside_is_so_for_that_reason(reason: str, change: str) -> None:
    event = merged(GOOD, json.loads(change))
    if MANY in change:
        event["data"]["time_entry"] = [f"TE-{number}" for number in range(MOST_ELEMENTS + 1)]
    (rejected,) = read("", json.dumps(event).encode()).rejected
    assert rejected.set_aside.reason == reason


def test_every_reason_is_on_the_page() -> None:
    assert {reason for reason, _ in ROWS} == {reason.value for reason in Reason}


def test_every_member_with_a_place_of_its_own_is_on_the_page() -> None:
    assert table_under("member") == OWN_PLACE


def test_every_category_is_on_the_page() -> None:
    listed = PAGE[PAGE.index("`category` is one of") :].split("A failure travels", 1)[0]
    assert set(re.findall(r"`(\w+)`", listed)) - {"category"} == ERROR_CATEGORIES


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    limits = dict(re.findall(r"^\| ([^|]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE))
    assert [int(number.replace(",", "")) for number in limits.values()] == [
        MOST_RECORDS,
        MOST_FIELDS,
        MOST_ELEMENTS,
        LONGEST_TEXT,
        LONGEST_ELEMENT,
        LONGEST_IDENTITY,
        MOST_BYTES,
        LONGEST_NAME,
    ]


def test_the_answer_on_the_page_is_what_a_sender_gets() -> None:
    shown = json.loads(re.findall(r"```json answer\n(.*?)```", PAGE, re.DOTALL)[0])
    bad = GOOD | {"time": "2026-03-02T16:04:11"}
    reading = read_cloudevents("application/json", {}, json.dumps([bad, GOOD]).encode(), RECEIVED)
    assert json.loads(receipt_answer(Receipt(reading, 0, "j17")).body) == shown
