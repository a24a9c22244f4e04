"""The CloudEvents conformance suite, and the rules of CloudEvents 1.0.2, against a running collector.

``tests/cases/cloudevents`` holds the suite's cases. It checks that a receiver parses; what more there is to being taken
here is said beside each case that is not: data is a JSON object, and an event has a time.
"""

from __future__ import annotations

import base64
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from ruamel.yaml import YAML

from tests.running_collector import BATCH, CLOUDEVENT, RunningCollector, cloudevent, events
from throughline.core.event import Event
from throughline.core.instants import format_instant
from throughline.core.journal import JOURNAL_FILE, JournalReader, RawRequest

CASES = Path(__file__).parents[2] / "cases" / "cloudevents"
FEATURE = CASES / "http-protocol-binding.feature"
JSON = "application/json"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    with RunningCollector(tmp_path_factory.mktemp("data")) as running:
        yield running


def post(collector: RunningCollector, headers: Mapping[str, str], body: bytes) -> httpx2.Response:
    return collector.client.post(collector.events_url, content=body, headers=dict(headers))


def taken(collector: RunningCollector, answer: httpx2.Response) -> Event:
    """Return the one event that a request brought."""
    assert (answer.status_code, answer.json()["accepted"], answer.json()["set_aside"]) == (202, 1, []), answer.text
    return events(collector.data)[-1]


def raw_request(collector: RunningCollector, position: str) -> RawRequest:
    reader = JournalReader(collector.data / JOURNAL_FILE)
    try:
        (raw,) = reader.requests(int(position[1:]))
        return raw
    finally:
        reader.close()


def reasons(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [entry["reason"] for entry in answer.json()["set_aside"]]


# The feature of the HTTP binding


class Scenario(NamedTuple):
    """A scenario of the feature for one content type: the request, and what is to be read from it."""

    name: str
    headers: dict[str, str]
    body: bytes
    attributes: dict[str, str]
    data: Any


def scenarios() -> Iterator[Scenario]:
    """Read the feature; its outlines have one column of examples, and texts between three quotes."""
    for outline in FEATURE.read_text().split("Scenario Outline: ")[1:]:
        steps, _, examples = outline.partition("Examples:")
        for content_type in re.findall(r"^\s*\| (.*?)\s*\|", examples, re.MULTILINE)[1:]:
            filled = steps.replace("<contentType>", content_type)
            request, data = (
                textwrap.dedent(text).strip("\n") for text in re.findall(r'"""\n(.*?)"""', filled, re.DOTALL)
            )
            head, _, body = request.partition("\n\n")
            headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
            assert int(headers.pop("Content-Length")) == len(body)
            del headers["Host"]
            rows = re.findall(r"^\s*\|\s*(\w+)\s*\| (.*?)\s*\|$", filled, re.MULTILINE)
            yield Scenario(filled.splitlines()[0], headers, body.encode(), dict(rows[1:]), json.loads(data))


@pytest.mark.parametrize("scenario", list(scenarios()), ids=lambda scenario: scenario.name)
def test_a_scenario_of_the_http_binding_is_read_as_it_says(collector: RunningCollector, scenario: Scenario) -> None:
    answer = post(collector, scenario.headers, scenario.body)
    event = taken(collector, answer)
    assert event.fields == scenario.data
    wanted = dict(scenario.attributes)
    kept = raw_request(collector, answer.json()["position"])
    binary = "ce-id" in scenario.headers
    data_type = kept.content_type if binary else json.loads(kept.body)["datacontenttype"]
    assert wanted.pop("datacontenttype") == data_type
    assert wanted.pop("specversion") == "1.0"
    assert wanted.pop("time") == format_instant(event.time)
    assert wanted == {"id": event.id, "type": event.type, "source": event.source}


def test_all_scenarios_were_found() -> None:
    assert [scenario.name.partition(" (")[0] for scenario in scenarios()] == [
        *["Binary content mode"] * 2,
        *["Structured content mode"] * 2,
    ]


# The samples


def samples() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each sample of the suite with the name that it has here."""
    for file in sorted(CASES.glob("*.yaml")):
        for number, sample in enumerate(YAML(typ="safe").load_all(file), start=1):
            yield f"{file.stem} {number}", sample


def request_of(sample: Mapping[str, Any], mode: str) -> tuple[dict[str, str], bytes]:
    """Return the request that the suite's own sender makes of a sample, in that mode."""
    attributes = {
        name: str(value).strip() for name, value in sample["ContextAttributes"].items() if name != "Extensions"
    }
    if hasattr(time := sample["ContextAttributes"].get("time"), "isoformat"):
        attributes["time"] = time.isoformat().replace("+00:00", "") + "Z"
    attributes |= {name: text.strip() for name, text in sample["ContextAttributes"].get("Extensions", {}).items()}
    headers: dict[str, str] = dict(sample.get("TransportExtensions", {}))
    if mode == "structured":
        event = {**attributes, "data": json.loads(sample["Data"])}
        return headers | {"content-type": f"{CLOUDEVENT}; charset=UTF-8"}, json.dumps(event).encode()
    data_type = attributes.pop("datacontenttype", None)
    headers |= {f"ce-{name}": value for name, value in attributes.items()}
    return headers | ({"content-type": data_type} if data_type else {}), sample["Data"].encode()


NO_JSON = "data of another type than JSON, of which nothing could be asked here"
NO_OBJECT = "JSON, but no object"
OLD = "of version 0.3, which is none of 1.0"
NO_TIME = "without a time, by which alone an event has a place in its case"
OUTCOMES: dict[str, tuple[int, str]] = {
    "v1 1": (202, ""),
    "v1 2": (202, ""),
    "v1_minimum 1": (415, NO_JSON),
    "v1_minimum 2": (415, NO_JSON),
    "v1_minimum 3": (422, NO_OBJECT),
    "v1_minimum 4": (422, NO_TIME),
    "v1_minimum 5": (422, NO_OBJECT),
    "v1_minimum 6": (415, NO_JSON),
    "v03 1": (422, OLD),
    "v03_minimum 1": (415, NO_JSON),
    "v03_minimum 2": (415, NO_JSON),
    "v03_minimum 3": (422, OLD),
    "v03_minimum 4": (422, OLD),
    "v03_minimum 5": (422, OLD),
    "v03_minimum 6": (415, NO_JSON),
}
SAMPLES = dict(samples())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_of_the_suite_is_taken_or_it_is_said_why_not(collector: RunningCollector, name: str) -> None:
    sample = SAMPLES[name]
    answer = post(collector, *request_of(sample, sample.get("Mode", "binary")))
    status, _ = OUTCOMES[name]
    assert answer.status_code == status, answer.text
    if status == 202:
        event = taken(collector, answer)
        assert (event.id, event.type) == (sample["ContextAttributes"]["id"], sample["ContextAttributes"]["type"])
        assert event.fields == json.loads(sample["Data"])


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_a_minimal_sample_with_an_object_and_a_time_is_taken_in_every_mode(
    collector: RunningCollector, mode: str
) -> None:
    sample = SAMPLES["v1_minimum 4"]
    timed = sample | {"ContextAttributes": sample["ContextAttributes"] | {"time": "2018-04-05T03:56:24Z"}}
    event = taken(collector, post(collector, *request_of(timed, mode)))
    assert event.fields == {"msg": "Hello, 🌎!"}


def test_every_sample_was_found() -> None:
    assert OUTCOMES.keys() == SAMPLES.keys()
    assert len(SAMPLES) == sum(text.count("ContextAttributes:") for text in map(Path.read_text, CASES.glob("*.yaml")))


# The HTTP binding, 3


def binary(**changed: str | None) -> dict[str, str]:
    headers: dict[str, str | None] = {
        "ce-specversion": "1.0",
        "ce-type": "com.example.someevent",
        "ce-id": "1234",
        "ce-source": "/mycontext",
        "ce-time": "2018-04-05T03:56:24Z",
        "content-type": JSON,
    }
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return {name: value for name, value in headers.items() if value is not None}


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/json", "application/vnd.firm.time+json", "Application/JSON;charset=UTF-8", None],
)
def test_in_binary_mode_any_json_type_declares_json(collector: RunningCollector, content_type: str | None) -> None:
    event = taken(collector, post(collector, binary(content_type=content_type), b'{"a": 1}'))
    assert event.fields == {"a": 1}


def test_header_names_are_of_either_case(collector: RunningCollector) -> None:
    headers = {name.upper(): value for name, value in binary(ce_id="upper").items()}
    assert taken(collector, post(collector, headers, b"{}")).id == "upper"


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("Euro%20%e2%82%ac", "Euro €"),
        ("%41bc", "Abc"),
        ("100%2525", "100%25"),
        ('"quoted \\"text\\""', 'quoted "text"'),
        ("with space", "with space"),
    ],
)
def test_header_values_are_unquoted_and_decoded_once(collector: RunningCollector, header: str, subject: str) -> None:
    assert taken(collector, post(collector, binary(ce_subject=header), b"{}")).subject == subject


@pytest.mark.parametrize("header", ["%C0%A0", "%ff", "%E2%82"])
def test_header_values_that_are_no_utf8_are_rejected(collector: RunningCollector, header: str) -> None:
    assert post(collector, binary(ce_subject=header), b"{}").status_code == 400


def test_the_content_type_decides_the_mode_and_attributes_come_from_the_payload(collector: RunningCollector) -> None:
    headers = binary(content_type=CLOUDEVENT, ce_id="of the header")
    assert taken(collector, post(collector, headers, json.dumps(cloudevent(1)).encode())).id == "e-1"


@pytest.mark.parametrize("content_type", ["application/cloudevents+avro", "application/cloudevents", "text/plain"])
def test_an_event_format_that_is_not_known_is_refused(collector: RunningCollector, content_type: str) -> None:
    assert post(collector, {"content-type": content_type}, json.dumps(cloudevent(1)).encode()).status_code == 415


@pytest.mark.parametrize("left_out", ["ce-id", "ce-source", "ce-type", "ce-specversion"])
def test_in_binary_mode_no_required_attribute_may_be_absent(collector: RunningCollector, left_out: str) -> None:
    headers = binary()
    del headers[left_out]
    assert reasons(post(collector, headers, b"{}"))


# The JSON format, 2 to 4


def structured(collector: RunningCollector, **changed: Any) -> httpx2.Response:
    event = cloudevent(7) | changed
    sent = {name: value for name, value in event.items() if value is not ...}
    return post(collector, {"content-type": CLOUDEVENT}, json.dumps(sent).encode())


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
@pytest.mark.parametrize("value", [None, ..., "", 5, {}])
def test_a_required_attribute_is_a_text_that_is_not_empty(
    collector: RunningCollector, name: str, value: object
) -> None:
    assert reasons(structured(collector, **{name: value}))


@pytest.mark.parametrize("name", ["subject", "dataschema", "datacontenttype", "correlationid", "traceparent", "ownone"])
def test_an_attribute_that_is_null_is_absent(collector: RunningCollector, name: str) -> None:
    assert taken(collector, structured(collector, **{name: None})).fields == {"time_entry": "TE-7"}


@pytest.mark.parametrize("value", ["value", 5, -5, True, "2018-04-05T17:31:00Z"])
def test_extensions_of_any_type_do_no_harm(collector: RunningCollector, value: object) -> None:
    assert taken(collector, structured(collector, comexampleextension1=value)).fields == {"time_entry": "TE-7"}


@pytest.mark.parametrize(
    ("time", "meant"),
    [
        ("2018-04-05T17:31:00Z", "2018-04-05T17:31:00Z"),
        ("2018-04-05t17:31:00z", "2018-04-05T17:31:00Z"),
        ("2018-04-05T17:31:00.123456789Z", "2018-04-05T17:31:00.123456Z"),
        ("2018-04-05T19:31:00+02:00", "2018-04-05T17:31:00Z"),
        ("2018-04-05T17:31:00-00:00", "2018-04-05T17:31:00Z"),
    ],
)
def test_a_time_is_any_of_rfc_3339(collector: RunningCollector, time: str, meant: str) -> None:
    assert format_instant(taken(collector, structured(collector, time=time)).time) == meant


@pytest.mark.parametrize("data", ["I'm just a string", '{"time_entry": "TE-7"}', 1.5, [1], True])
def test_data_that_is_another_json_value_than_an_object_sets_the_event_aside(
    collector: RunningCollector, data: object
) -> None:
    """A text stays one, though JSON is written in it: the format forbids to read it further."""
    assert reasons(structured(collector, data=data)) == ["no_event"]
    assert reasons(post(collector, binary(), json.dumps(data).encode())) == ["no_event"]


def test_data_may_be_absent_or_null(collector: RunningCollector) -> None:
    for data in (..., None):
        assert taken(collector, structured(collector, data=data)).fields == {}


def test_data_in_base64_is_decoded(collector: RunningCollector) -> None:
    encoded = base64.b64encode(b'{"time_entry": "TE-7"}').decode()
    for data_type in (JSON, ...):
        answer = structured(collector, data=..., data_base64=encoded, datacontenttype=data_type)
        assert taken(collector, answer).fields == {"time_entry": "TE-7"}


@pytest.mark.parametrize("encoded", ["no base64!", "eA==", "", 5])
def test_data_in_base64_that_is_none_sets_the_event_aside(collector: RunningCollector, encoded: object) -> None:
    assert reasons(structured(collector, data=..., data_base64=encoded)) == ["no_event"]


def test_data_in_both_forms_at_once_sets_the_event_aside(collector: RunningCollector) -> None:
    encoded = base64.b64encode(b'{"time_entry": "TE-8"}').decode()
    assert reasons(structured(collector, data_base64=encoded)) == ["no_event"]


def test_the_batch_of_the_specification_is_taken_but_for_data_that_is_no_json(collector: RunningCollector) -> None:
    first = {"specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext/4", "id": "B234-1234-1234"}
    first |= {"time": "2018-04-05T17:31:00Z", "comexampleextension1": "value", "comexampleothervalue": 5}
    second = first | {"source": "/mycontext/9", "id": "C234-1234-1234", "datacontenttype": JSON}
    first |= {"datacontenttype": "application/vnd.apache.thrift.binary", "data_base64": "AAEC"}
    second |= {"data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True}}
    answer = post(collector, {"content-type": f"{BATCH}; charset=UTF-8"}, json.dumps([first, second]).encode())
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    assert [(entry["index"], entry["reason"]) for entry in answer.json()["set_aside"]] == [(0, "no_event")]
    assert events(collector.data)[-1].fields == {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True}


def test_an_empty_batch_is_a_success(collector: RunningCollector) -> None:
    answer = post(collector, {"content-type": BATCH}, b"[]")
    assert (answer.status_code, answer.json()["accepted"], answer.json()["set_aside"]) == (202, 0, [])


def test_one_event_is_no_batch_and_a_batch_is_no_event(collector: RunningCollector) -> None:
    assert post(collector, {"content-type": BATCH}, json.dumps(cloudevent(7)).encode()).status_code == 400
    assert reasons(post(collector, {"content-type": CLOUDEVENT}, json.dumps([cloudevent(7)]).encode())) == ["no_event"]
