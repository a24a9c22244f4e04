"""What cases contribute, and how that is added up, never changes under one number of the arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.kpis.arithmetic import RAISE, Noted, changed_under_one_number, is_as_noted, note, noted
from tests.unit.kpis.test_keeping import KEPT

NOTED = noted()


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_golden_case_comes_to_what_it_did_or_the_arithmetic_is_another(path: Path) -> None:
    before, now = NOTED[path.stem], note(path)
    assert not changed_under_one_number(before, now), RAISE
    assert is_as_noted(before, now), "run `python -m tests.unit.kpis.arithmetic`"


def test_another_number_or_another_table_may_come_to_something_else() -> None:
    before = Noted(6, "table", "figure")
    assert changed_under_one_number(before, Noted(6, "table", "another"))
    assert not changed_under_one_number(before, Noted(7, "table", "another"))
    assert not changed_under_one_number(before, Noted(6, "other", "another"))
    assert not changed_under_one_number(before, before)
