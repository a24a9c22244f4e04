"""The engine gives the outcome that is written out by hand, for every golden case, in every order and batching."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from random import Random

import pytest

from tests.identity_model.golden import GoldenCase, golden_paths, load
from tests.identity_model.worlds import Arrival
from tests.unit.lineage.adapter import observe

ALL_ORDERS_UP_TO = 3
SEEDED_ORDERS = 6  # tests/cases has them all


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_the_engine_gives_the_outcome_written_by_hand_in_every_order(path: Path) -> None:
    case = load(path)
    for arrivals in orders(case):
        assert observe(arrivals, case.declaration, case.now).outcome == case.expected


def orders(case: GoldenCase) -> list[list[Arrival]]:
    """Return every order of a few events and statements one by one, of many a sample, and all events in one batch."""
    steps = [Arrival([event], []) for event in case.events.values()]
    steps += [Arrival([], [statement]) for statement in case.statements]
    said = [Arrival([], [statement]) for statement in case.statements]
    at_once = [Arrival(list(case.events.values()), []), *said]
    return [at_once, list(reversed(at_once)), *sampled(steps)]


def sampled(steps: list[Arrival]) -> list[list[Arrival]]:
    if len(steps) <= ALL_ORDERS_UP_TO:
        return [list(order) for order in permutations(steps)]
    shuffle = Random(11).sample
    return [shuffle(steps, len(steps)) for _ in range(SEEDED_ORDERS)]
