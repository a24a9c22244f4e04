"""The model gives the outcome that is written out by hand, for every golden case and in every order."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from tests.identity_model.golden import golden_paths, load
from tests.identity_model.model import outcome

Item = TypeVar("Item")
ALL_ORDERS_UP_TO = 5
SEEDED_ORDERS = 60


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_the_model_gives_the_outcome_written_by_hand_in_every_order(path: Path) -> None:
    case = load(path)
    for order in orders(list(case.events.values())):
        assert outcome(order, case.statements, case.declaration, case.now) == case.expected


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_the_order_of_statements_in_a_list_does_not_matter(path: Path) -> None:
    case = load(path)
    events = list(case.events.values())
    for statements in orders(case.statements):
        assert outcome(events, statements, case.declaration, case.now) == case.expected


def test_there_are_the_22_cases_that_any_implementation_must_get_right() -> None:
    numbers = {path.name[:2] for path in golden_paths()}
    assert {f"{number:02}" for number in range(1, 23)} <= numbers


def orders(items: list[Item]) -> list[list[Item]]:
    """Return every order of a few items, and of many a sample."""
    if len(items) <= ALL_ORDERS_UP_TO:
        return [list(order) for order in permutations(items)]
    shuffle = Random(7).sample
    return [shuffle(items, len(items)) for _ in range(SEEDED_ORDERS)]
