"""What vendors send, and what mappings make of it: every case of tests/cases/mappings.

A folder holds a mapping, an input as it comes in, and what becomes of it. `python -m
tests.unit.collector.test_mapping_cases` writes the latter anew, to be read before it is believed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.cloudevents import STRUCTURED
from collector.intake import Incoming, read
from collector.json_bodies import content_type_of
from collector.otlp import JSON
from collector.reading import Door, Reading, Signal
from throughline.core.event import Event
from throughline.core.instants import format_instant, parse_instant
from throughline.core.mappings.folder import Mappings, read_mapping
from throughline.core.mappings.form import Input
from throughline.core.mappings.mapping import InputMapping
from throughline.core.yaml_file import load_yaml

CASES = Path(__file__).parents[2] / "cases" / "mappings"
NAMES = sorted(path.name for path in CASES.iterdir())
RECEIVED = parse_instant("2026-11-30T00:00:00Z")


def mapping_of(case: str) -> InputMapping:
    mapping, faults = read_mapping(load_yaml(CASES / case / "mapping.yaml"))
    assert [str(fault) for fault in faults] == []
    assert mapping is not None
    return mapping


def read_case(case: str) -> Reading:
    mapping = mapping_of(case)
    body = (CASES / case / "input.json").read_bytes()
    signal, content_type = {
        Input.CLOUDEVENT: (Signal.EVENTS, STRUCTURED),
        Input.JSON: (Signal.JSON, content_type_of(mapping.name)),
        Input.LOG: (Signal.LOGS, JSON),
        Input.SPAN: (Signal.TRACES, JSON),
    }[mapping.input]
    incoming = Incoming(Door.JSON, signal, "test", content_type, {}, body)
    return read(incoming, RECEIVED, 64, Mappings([mapping]))


def document(reading: Reading) -> dict[str, Any]:
    return {
        "events": [event_document(event) for event in reading.events],
        "set_aside": [
            {"index": each.index, "reason": each.set_aside.reason, "sentence": each.set_aside.sentence}
            for each in reading.rejected
        ],
        "spans": len(reading.spans),
    }


def event_document(event: Event) -> dict[str, Any]:
    """Return what an event says, without what it leaves open."""
    said = {
        name: value
        for name, value in msgspec.structs.asdict(event).items()
        if name not in ("received", "digest") and value not in (None, [], {}, False)
    }
    said["time"] = format_instant(event.time)
    return msgspec.to_builtins(said)


@pytest.mark.parametrize("case", NAMES)
def test_an_input_becomes_what_the_case_says(case: str) -> None:
    assert document(read_case(case)) == json.loads((CASES / case / "events.json").read_text("utf-8"))


@pytest.mark.parametrize("case", NAMES)
def test_the_same_input_gives_the_same_events_again(case: str) -> None:
    assert read_case(case).events == read_case(case).events


def test_the_cases_cover_every_kind_of_input() -> None:
    assert {mapping_of(case).input for case in NAMES} == set(Input)


if __name__ == "__main__":
    for name in NAMES:
        text = json.dumps(document(read_case(name)), indent=1, ensure_ascii=False)
        (CASES / name / "events.json").write_text(text + "\n", "utf-8")
