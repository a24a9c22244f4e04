"""Cursors go round, and nothing else is taken for one."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.core.cursor import read_cursor, write_cursor
from throughline.core.problem import Problem, ProblemKind


@given(st.text(), st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_goes_round(name: str, number: int) -> None:
    assert read_cursor(write_cursor((name, number)), tuple[str, int]) == (name, number)


@given(st.text())
def test_any_other_text_is_a_problem_and_nothing_worse(text: str) -> None:
    with contextlib.suppress(Problem):
        name, number = read_cursor(text, tuple[str, int])
        assert isinstance(name, str)
        assert isinstance(number, int)


@pytest.mark.parametrize("text", ["", "x", "é", write_cursor(("a",)), write_cursor((1, "a")), "A" * 5000])
def test_a_cursor_of_another_list_is_a_problem(text: str) -> None:
    with pytest.raises(Problem, match="cursor") as raised:
        read_cursor(text, tuple[str, int])
    assert raised.value.kind is ProblemKind.INVALID


def test_a_problem_document_says_what_rfc_9457_wants() -> None:
    assert Problem(ProblemKind.NOT_FOUND, "no case TE-1", candidates=[]).document() == {
        "type": "urn:throughline:problem:not-found",
        "title": "There is no such thing",
        "status": 404,
        "detail": "no case TE-1",
        "candidates": [],
    }


@pytest.mark.parametrize("number", [1 << 63, (1 << 64) - 1])
def test_a_number_that_no_row_can_have_is_refused(number: int) -> None:
    with pytest.raises(Problem):
        read_cursor(write_cursor((number,)), tuple[int])
