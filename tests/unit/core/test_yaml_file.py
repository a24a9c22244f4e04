"""What people write is read with every fault at once, each at its exact place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from throughline.core.errors import ConfigurationError, Fault
from throughline.core.yaml_file import MAX_BYTES, load_yaml, parse_yaml, read_each, validate, yaml_files


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: str
    within: str | None = None
    waits_for: Literal["system", "person"] = "system"

    @field_validator("within")
    @classmethod
    def is_duration(cls, text: str) -> str:
        if not text.endswith(" bd"):
            raise ValueError(f"seen {text!r}, wanted a duration, such as 3 bd")
        return text


class Process(BaseModel):
    model_config = ConfigDict(extra="forbid")
    process: str
    since: date = date(2026, 1, 1)
    rate: Decimal = Decimal(0)
    most: int = Field(default=1, ge=1)
    steps: list[Step]


def faults_of(read: Callable[[], object]) -> list[Fault]:
    with pytest.raises(ConfigurationError) as caught:
        read()
    return caught.value.faults


def form_faults(text: str) -> list[Fault]:
    return faults_of(lambda: parse_yaml(text.encode(), "p.yaml"))


def test_it_gives_values_as_json_has_them() -> None:
    text = "a: 0x1F\nb: 010\nc: 1_000\nd: 2.5\ne: ~\nf: true\ng: 2026-01-02\nh: yes\ni: '7'\nj: [1, -2]\n7: k\nl:\n"
    assert parse_yaml(text.encode(), "p.yaml").content == {
        "a": 31,
        "b": 10,
        "c": 1000,
        "d": 2.5,
        "e": None,
        "f": True,
        "g": "2026-01-02",
        "h": "yes",
        "i": "7",
        "j": [1, -2],
        "7": "k",
        "l": None,
    }


def test_it_reads_a_model_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("process: time-to-bill\nsince: 2026-03-01\nrate: 0.1\nsteps:\n- {type: a, within: 3 bd}\n")
    process = validate(load_yaml(path), Process)
    assert process.since == date(2026, 3, 1)
    assert process.rate == Decimal("0.1")
    assert process.steps[0].within == "3 bd"


def test_it_knows_the_place_of_every_entry() -> None:
    document = parse_yaml(b"process: p\nsteps:\n  - type: a\n  -   type: b\n      within: 1 bd\n", "p.yaml")
    assert document.place_of(("steps",)) == (2, 1)
    assert document.place_of(("steps", 1)) == (4, 7)
    assert document.place_of(("steps", 1, "within")) == (5, 7)
    assert document.line_of(("steps", 1, "absent")) == 4
    assert document.line_of(("steps", "SomeVariant", 0, "type")) == 3


def test_it_gives_all_faults_of_a_model_at_once_with_line_and_column() -> None:
    text = (
        "process: p\nsince: soon\nmost: 0\nunknown: 1\nsteps:\n"
        "- type: a\n  within: 3 weeks\n- within: 1 bd\n  waits_for: nobody\n"
    )
    faults = faults_of(lambda: validate(parse_yaml(text.encode(), "p.yaml"), Process))
    assert sorted(str(fault) for fault in faults) == [
        "p.yaml:2:1: since: seen 'soon', wanted a date, such as 2026-11-02",
        "p.yaml:3:1: most: seen 0, wanted at least 1",
        "p.yaml:4:1: unknown: seen 1, wanted no such entry: its name is unknown here",
        "p.yaml:7:3: steps[0].within: seen '3 weeks', wanted a duration, such as 3 bd",
        "p.yaml:8:3: steps[1].type: seen nothing, wanted this entry, which is required",
        "p.yaml:9:3: steps[1].waits_for: seen 'nobody', wanted 'system' or 'person'",
    ]


def test_an_empty_file_lacks_what_is_required() -> None:
    faults = faults_of(lambda: validate(parse_yaml(b"# nothing yet\n", "p.yaml"), Process))
    assert [str(fault) for fault in faults] == ["p.yaml: seen nothing, wanted a mapping (name: value)"]


def test_a_fault_of_ones_own_stands_at_its_entry() -> None:
    document = parse_yaml(b"process: p\nsteps: [{type: a}]\n", "p.yaml")
    fault = document.fault(("steps", 0, "type"), "'a'", "a type with a dot")
    assert str(fault) == "p.yaml:2:10: steps[0].type: seen 'a', wanted a type with a dot"


def test_every_name_given_twice_is_a_fault() -> None:
    faults = form_faults("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert [(fault.line, fault.column, fault.path) for fault in faults] == [(2, 11, "b.c"), (3, 1, "a")]
    assert faults[1].seen == "the name 'a' again, after line 1"


@pytest.mark.parametrize(
    ("text", "line", "column", "seen"),
    [
        ("a: 1\nb: [1, 2\n", 3, 1, "expected ',' or ']'"),
        ("a: 1\n b: 2\n", 2, 3, "mapping values are not allowed here"),
        ("a: *nowhere\n", 1, 4, "found undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, 1, "but found another document"),
        ("a: .inf\n", 1, 4, ".inf"),
        ("a: 1e999\n", 1, 4, "1e999"),
        ("a: !!python/object:os.system x\n", 1, 4, "the tag tag:yaml.org,2002:python/object:os.system"),
        ("a: !secret x\n", 1, 4, "the tag !secret"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3, "a merge (<<)"),
        ("? [a, b]\n: 1\n", 1, 3, "a mapping or a list as a name"),
        ("a: 'x\x07'\n", 1, None, "a character that YAML does not allow"),
    ],
)
def test_what_is_no_plain_yaml_is_a_fault_at_its_place(text: str, line: int, column: int | None, seen: str) -> None:
    (fault,) = form_faults(text)
    assert (fault.file, fault.line, fault.column) == ("p.yaml", line, column)
    assert seen in fault.seen


def test_bytes_that_are_not_utf_8_are_a_fault() -> None:
    (fault,) = faults_of(lambda: parse_yaml(b"a: 1\nb: \xff\n", "p.yaml"))
    assert (fault.line, fault.seen) == (2, "bytes that are not UTF-8")


def test_a_few_lines_that_stand_for_billions_of_values_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    faults = form_faults("\n".join(lines))
    assert "more than 200000 values" in faults[0].seen


def test_a_file_beyond_the_size_limit_is_refused_unread() -> None:
    (fault,) = faults_of(lambda: parse_yaml(b"#" * (MAX_BYTES + 1), "p.yaml"))
    assert fault.wanted == "a smaller file"


@pytest.mark.parametrize("depth", [60, 5000])
def test_nesting_beyond_the_limit_is_refused(depth: int) -> None:
    assert "too deep a nesting" in form_faults("[" * depth + "]" * depth)[0].seen


def test_a_value_inside_itself_is_refused() -> None:
    assert "a value inside itself" in form_faults("a: &x\n  b: *x\n")[0].seen


def test_a_byte_order_mark_says_nothing() -> None:
    assert parse_yaml(b"\xef\xbb\xbfa: 1\n", "p.yaml").content == {"a": 1}


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    (fault,) = faults_of(lambda: load_yaml(tmp_path / "absent.yaml"))
    assert fault.file == str(tmp_path / "absent.yaml")
    assert fault.seen == "No such file or directory"


def test_the_faults_of_a_whole_folder_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.yml").write_text("[")
    (tmp_path / "c.yaml").write_text("fine: 1\n")
    (tmp_path / "notes.txt").write_text("{")
    paths = yaml_files(tmp_path)
    assert [path.name for path in paths] == ["b.yaml", "c.yaml", "a.yml"]
    assert {Path(fault.file).name for fault in faults_of(lambda: read_each(paths, load_yaml))} == {"b.yaml", "a.yml"}


def test_files_without_fault_are_returned_in_order(tmp_path: Path) -> None:
    for name in "ba":
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\n")
    assert [document.content["name"] for document in read_each(yaml_files(tmp_path), load_yaml)] == ["a", "b"]
