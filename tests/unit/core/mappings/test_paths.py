"""Value paths: what they find, and what is no path."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.core.mappings.misfit import Misfit
from throughline.core.mappings.path import MOST_FOUND, is_path, parse_path

INPUT: dict[str, Any] = {
    "id": "7",
    "none": None,
    "a name.with dots": 1,
    "document-type": "x",
    "data": {"lines": [{"id": "a", "tags": ["p", "q"]}, {"id": None}, {"tags": []}, "scalar"]},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("input.id", "7"),
        ("input", INPUT),
        ("input.none", None),
        ("input.absent.deeper", None),
        ("input.id.deeper", None),
        ('input["a name.with dots"]', 1),
        ("input['id']", "7"),
        ("input.document-type", "x"),
        ("input.data.lines[0].id", "a"),
        ("input.data.lines[-1]", "scalar"),
        ("input.data.lines[9]", None),
        ("input.data[0]", None),
        ("input.data.lines[*].id", ["a"]),
        ("input.data.lines[*].tags[*]", ["p", "q"]),
        ("input.absent[*]", []),
    ],
)
def test_a_path_finds_what_stands_there(text: str, found: Any) -> None:
    assert parse_path(text).find(INPUT) == found


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("input.", 7),
        ("input..id", 7),
        ("input[", 6),
        ("input[x]", 6),
        ('input["x]', 6),
        ("input.a]", 8),
        ("input.a b", 8),
        ("input[1.5]", 6),
    ],
)
def test_what_is_no_path_is_told_with_its_column(text: str, column: int) -> None:
    with pytest.raises(ValueError, match=rf"at column {column}, wanted "):
        parse_path(text)


@pytest.mark.parametrize("text", ["inputs.x", "items", "data.x", ""])
def test_a_text_that_begins_with_no_root_is_no_path(text: str) -> None:
    assert not is_path(text)
    with pytest.raises(ValueError, match="wanted a path that begins with input, item or parent"):
        parse_path(text)


def test_a_path_of_too_many_parts_is_none() -> None:
    with pytest.raises(ValueError, match="more than 50 parts"):
        parse_path("input" + ".a" * 51)


def test_elements_come_with_the_object_that_holds_their_array() -> None:
    job = {"id": 1, "steps": [{"id": 2}, {"id": 3}]}
    found = parse_path("input.jobs[*].steps").elements({"jobs": [job, {"id": 9}]})
    assert found == [(job, {"id": 2}), (job, {"id": 3})]


def test_an_object_in_place_of_an_array_is_its_only_element() -> None:
    assert parse_path("input.steps").elements({"steps": {"id": 2}}) == [({"steps": {"id": 2}}, {"id": 2})]


def test_something_else_in_place_of_an_array_is_told() -> None:
    with pytest.raises(Misfit, match="wanted an array"):
        parse_path("input.steps").elements({"steps": "none"})


@pytest.mark.parametrize("text", ["input.x", "input.x[*]"])
def test_more_elements_than_allowed_are_refused_and_not_cut(text: str) -> None:
    with pytest.raises(Misfit, match="more than 10,000 elements"):
        parse_path(text).elements({"x": [0] * (MOST_FOUND + 1)})


@given(st.text(max_size=60))
def test_any_text_is_a_path_or_told_why_not(text: str) -> None:
    for root in ("input", ""):
        with contextlib.suppress(ValueError, Misfit):
            parse_path(root + text).find(INPUT)
