"""Mapping files: every fault is told at once, with its place; those that ship with the tests have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from throughline.core.errors import ConfigurationError
from throughline.core.mappings.folder import Mappings, load_mappings, read_mapping, read_mappings
from throughline.core.mappings.form import Input
from throughline.core.mappings.mapping import InputMapping
from throughline.core.yaml_file import parse_yaml

CASES = Path(__file__).parents[3] / "cases" / "mappings"
GOOD = """mapping: {name}
input: cloudevent
types: [{types}]
{more}
event: {{type: invoice.posted}}
"""


def faults(text: str) -> list[str]:
    _, found = read_mapping(parse_yaml(text.encode(), "m.yaml"))
    return [str(fault).removeprefix("m.yaml:") for fault in sorted(found, key=lambda fault: fault.line or 0)]


def made(name: str, types: str = "a.b", more: str = "") -> InputMapping:
    mapping, found = read_mapping(parse_yaml(GOOD.format(name=name, types=types, more=more).encode(), "m.yaml"))
    assert [str(fault) for fault in found] == []
    assert mapping is not None
    return mapping


FAULTY = """mapping: Our ERP
input: cloudevent
types: []
when: input.data.total + 1
event:
  each: input.lines[
  id: constant
  type: throughline.link
  time: tomorrow
  amount: totalAmount
  outcome: ok
  error: {category: broken}
  hours: {path: item.minutes, as: minor_units}
  correlation_id: {cel: "input.data.("}
  relations:
    - from: {invoice: input.id}
      to: {}
  fields:
    currency: EUR
    project: {path: input.project, cel: input.project}
    due: {path: input.due, as: local}
    state: {path: input.state, otherwise: open}
    nothing: {as: text}
    when: {path: items.x}
"""


def test_every_fault_is_told_at_once_with_its_place() -> None:
    assert [line.partition(": seen ")[0] for line in faults(FAULTY)] == [
        "1:1: mapping",
        "3:1: types",
        "4:1: when",
        "6:3: event.each",
        "7:3: event.id",
        "8:3: event.type",
        "9:3: event.time",
        "10:3: event.amount",
        "10:3: event.amount",
        "11:3: event.outcome",
        "12:11: event.error.category",
        "13:3: event.hours",
        "14:3: event.correlation_id",
        "17:7: event.relations[0].to",
        "19:5: event.fields.currency",
        "20:5: event.fields.project",
        "21:5: event.fields.due",
        "22:32: event.fields.state.otherwise",
        "23:5: event.fields.nothing",
        "24:5: event.fields.when",
    ]


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ("{type: a.b, amount: input.n}", "amount without currency, wanted currency beside it"),
        ("{type: a.b, amount: total, currency: EUR}", "or a path such as input.amount"),
        ("{type: a.b, amount: {cel: 1.1 * 2.0}, currency: EUR}", "wanted a path: money and hours are exact"),
        ("{type: a.b, currency: Euro}", "wanted a code of ISO 4217 such as EUR"),
        ("{type: a.b, id: x}", "wanted a path, such as input.id"),
        ("{type: a.b, key: input.id}", "key without each"),
        ("{type: a.b, fields: {x: item.id}}", "item and parent are there with each"),
        ("{type: a.b, when: item.x == 1}", "undeclared reference to 'item"),
        ("{type: a.b, when: 'input.x ='}", "line 1, column 9"),
        ("{type: throughline.link}", "are ours alone"),
        ("{tpye: a.b}", "perhaps type"),
    ],
)
def test_a_fault_says_what_was_wanted(event: str, wanted: str) -> None:
    told = faults(f"mapping: m\ninput: log\ntypes: x\nevent: {event}")
    assert any(wanted in line for line in told), told


@pytest.mark.parametrize("event", ["{}", "[{}]"])
def test_a_fault_of_form_hides_no_other_however_many_events_there_are(event: str) -> None:
    entries = "type: throughline.x, amount: {path: input.n, as: minor_unit, digits: 2}, currency: EUR, hours: lots"
    told = faults(f"mapping: m\ninput: log\ntypes: x\nevent: {event.replace('{}', '{' + entries + '}')}")
    assert len(told) == 3, told
    assert [word in line for word, line in zip(("minor_unit", "ours alone", "'lots'"), told, strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mapping: m\ninput: json\nevent: []", "at least one event"),
        ("mapping: m\ninput: json\nevent: {type: a.b}", "time: where the input says when it happened"),
        ("mapping: m\ninput: json\ntypes: x\nevent: {type: a.b, time: input.t}", "types_at: where they are looked for"),
        ("mapping: m\ninput: span\nevent: {type: a.b}", "types: what its inputs have at input.name"),
        (
            "mapping: m\ninput: log\ntypes: x\nsignature: {header: x, secret_env: a-b}\nevent: {type: a.b}",
            "the name of an environment variable, not the secret",
        ),
    ],
)
def test_a_mapping_without_what_it_needs_is_told(text: str, wanted: str) -> None:
    assert any(wanted in line for line in faults(text)), faults(text)


def test_a_definitions_folder_tells_the_faults_of_all_its_mappings(tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "empty.yaml").write_text("")
    (tmp_path / "mappings" / "broken.yaml").write_text("mapping: [")
    (tmp_path / "one.yaml").write_text(GOOD.format(name="same", types="a.b", more=""))
    (tmp_path / "two.yaml").write_text(GOOD.format(name="same", types="a.b", more="whn: 'true'"))
    (tmp_path / "three.yaml").write_text(GOOD.format(name="same", types="a.c", more=""))
    (tmp_path / "keys.yaml").write_text("keys: {}")
    with pytest.raises(ConfigurationError) as caught:
        load_mappings(tmp_path)
    told = [str(fault).removeprefix(f"{tmp_path}/") for fault in caught.value.faults]
    assert [line.split(": ")[0] for line in told] == [
        "mappings/broken.yaml:1:11",
        "mappings/empty.yaml",
        "three.yaml:1:1",
        "two.yaml:4:1",
    ]
    assert "perhaps when" in told[-1]


def test_the_mappings_of_the_cases_have_no_fault() -> None:
    mappings, found = read_mappings(CASES)
    assert [str(fault) for fault in found] == []
    assert sorted(mappings.by_name) == sorted(path.name for path in CASES.iterdir())


def test_a_version_is_that_of_the_content_and_not_of_its_layout() -> None:
    assert made("one").version == made("one", more="# a remark").version
    assert made("one").version != made("one", types="a.c").version
    assert Mappings([made("one")]).version != Mappings([made("one"), made("two")]).version
    assert Mappings().version == ""


def test_the_more_specific_mapping_is_asked_first_and_then_by_name() -> None:
    every, last = made("a-every"), made("z-last", more="when: input.data.x == 1")
    mappings = Mappings([every, last, made("b-also")])
    chosen: Any = mappings.choose(Input.CLOUDEVENT, {"type": "a.b", "data": {"x": 1}})
    assert chosen is last
    assert mappings.choose(Input.CLOUDEVENT, {"type": "a.b", "data": {"x": 2}}) is every
    assert mappings.choose(Input.CLOUDEVENT, {"type": "a.b"}) is every  # a condition without an answer does not fit
    assert mappings.choose(Input.CLOUDEVENT, {"type": "a.c", "data": {"x": 1}}) is None
    assert mappings.choose(Input.LOG, {"type": "a.b"}) is None
