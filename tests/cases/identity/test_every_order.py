"""Every golden case in every order of arrival, and the case of the large batch at its full size."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from random import Random

import pytest

from tests.identity_model.declaration import Declaration
from tests.identity_model.four_processes import FOUR_PROCESSES, TIME_TO_BILL
from tests.identity_model.golden import START, golden_paths, load
from tests.identity_model.worlds import Arrival, event
from tests.unit.lineage.adapter import observe
from throughline.core.event import Event
from throughline.core.key import Key

ALL_ORDERS_UP_TO = 5
SEEDED_ORDERS = 40
LARGE = 4_000
BATCH = 300
SEEDS = 20


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_a_golden_case_holds_in_every_order_of_arrival(path: Path) -> None:
    case = load(path)
    steps = [Arrival([event], []) for event in case.events.values()]
    steps += [Arrival([], [statement]) for statement in case.statements]
    for arrivals in orders(steps):
        assert observe(arrivals, case.declaration, case.now).outcome == case.expected


def orders(steps: list[Arrival]) -> list[list[Arrival]]:
    """Return every order of a few steps, and of many a sample."""
    if len(steps) <= ALL_ORDERS_UP_TO:
        return [list(order) for order in permutations(steps)]
    shuffle = Random(3).sample
    return [shuffle(steps, len(steps)) for _ in range(SEEDED_ORDERS)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_invoice_reaches_one_of_thousands_that_were_approved_in_its_batch(seed: int) -> None:
    approved = [work(f"approved-{n}", "time.approved", time_entry=f"T{n}", batch="R") for n in range(1, LARGE + 1)]
    released = work("released", "billing.released", time_entry="T1", billing_event="B1")
    issued = work("issued", "invoice.issued", billing_event="B1", invoice="I1", batch="R", legal_entity="DE01")
    order = Random(seed).sample([*approved, released, issued], LARGE + 2)
    arrivals = [Arrival(order[start : start + BATCH], []) for start in range(0, len(order), BATCH)]

    declaration = Declaration((TIME_TO_BILL,), FOUR_PROCESSES.key_types)
    held = observe(arrivals, declaration, START).outcome["time-to-bill"]

    assert held["waiting"] == {}
    assert {name: case["members"] for name, case in held["cases"].items()} == {
        Key("time_entry", f"T{n}").encode(): {("/psa", f"approved-{n}"): "name"} for n in range(2, LARGE + 1)
    } | {
        Key("time_entry", "T1").encode(): {
            ("/psa", "approved-1"): "name",
            ("/psa", "released"): "name",
            ("/psa", "issued"): "carrier",
        }
    }


def work(event_id: str, event_type: str, **fields: str) -> Event:
    return event(event_type, dict(fields), [], False, event_id, "/psa", 0)
