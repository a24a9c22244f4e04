"""Each figure is the one that was worked out by hand, in whatever order and batches its events arrive."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from kpis.declaration import Kind
from tests.unit.kpis.golden import CATALOGUE, FOLDER, answers, differences, golden, shown
from throughline.core.yaml_file import load_yaml

PATHS = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_figure_is_the_one_worked_out_by_hand(path: Path) -> None:
    case = golden(path)
    found = shown(answers(case, [case.events]))
    assert differences(case.expected, found) == [], found


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_figure_does_not_depend_on_the_order_of_events(path: Path) -> None:
    case = golden(path)
    found = shown(answers(case, [case.events]))
    shuffled = Random(path.stem).sample(case.events, len(case.events))
    assert shown(answers(case, [[each] for each in reversed(case.events)])) == found
    assert shown(answers(case, [shuffled[::2], shuffled[1::2], shuffled])) == found


def test_every_case_says_why() -> None:
    assert [path.name for path in PATHS if len(load_yaml(path).content["why"]) < 20] == []


def test_every_kpi_that_cases_can_tell_has_a_case() -> None:
    """Some have no source yet."""
    told = {name for name, kpi in CATALOGUE.kpis.items() if kpi.formula.kind is not Kind.NONE}
    assert told - {load_yaml(path).content["kpi"] for path in PATHS} == set()
