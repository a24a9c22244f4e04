"""What is shown in a page is told from what is not answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import Block, blocks_of, prints, shows


@pytest.mark.parametrize(
    ("shown", "answered", "same"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"a": "…"}, {"a": "anything"}, True),
        ({"at": "2026-03-02T16:04:11Z"}, {"at": "2027-01-01T00:00:00.5Z"}, True),
        ({"at": "2026-03-02T16:04:11Z"}, {"at": "soon"}, False),
        ([1, 2], [1, 2, 3], False),
        ([1, "…"], [1, 2, 3], True),
        ([1, "…"], [2, 2, 3], False),
        (None, 0, False),
    ],
)
def test_an_answer_is_as_shown_or_not(shown: Any, answered: Any, same: bool) -> None:
    assert shows(shown, answered) is same


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("done  2026-03-02 16:04\n", "done 2027-01-01 00:00   \n\n", True),
        ("done", "open", False),
        ("a … c", "a b\nb c", True),
        ("a … c", "a b d", False),
        ("TE-1 ───", "TE-1 ──────", True),
        ("a", "a b", False),
    ],
)
def test_a_print_is_as_shown_or_not(shown: str, printed: str, same: bool) -> None:
    assert prints(shown, printed) is same


def test_blocks_are_found_with_what_they_say(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n\n```sh\nls\n```\n\n```json answer\n{}\n```\n")
    assert blocks_of(page) == [Block("sh", "", "ls\n", 3), Block("json", "answer", "{}\n", 7)]
