"""The model's outcome depends on the set of events and statements only; its worlds hold what the rules speak of."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from tests.identity_model.model import Outcome, outcome
from tests.identity_model.worlds import NOW, World, arrivals, seeds, worlds


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(bulk_limits=(1, 2, 50_000)), seeds)
def test_any_order_of_the_same_events_gives_the_same_outcome(world: World, seed: int) -> None:
    steps = arrivals(world, seed)
    arrived = [event for step in steps for event in step.events]
    said = [statement for step in steps for statement in step.statements]
    assert outcome(arrived, said, world.declaration, NOW) == of(world)


def of(world: World) -> Outcome:
    return outcome(world.events, world.statements, world.declaration, NOW)


def cases(world: World) -> list[dict[str, object]]:
    found = of(world)
    return [case for process in world.declaration.processes for case in found[process.name]["cases"].values()]


SITUATIONS = {
    "a conflict": lambda world: any(case["conflict"] for case in cases(world)),
    "a provisional case that holds a carrier": lambda world: any(
        case["provisional"] and case["carriers"] for case in cases(world)
    ),
    "an event by alias and one by carrier": lambda world: any(
        {"alias", "carrier"} <= set(case["members"].values()) for case in cases(world)
    ),
    "a denied event": lambda world: any(case["denied"] for case in cases(world)),
    "a waiting value": lambda world: any(of(world)[name]["waiting"] for name in ("work", "cash")),
    "an ambiguous pairing": lambda world: of(world)["ambiguous"],
    "a lack of scope": lambda world: of(world)["lacking_scope"],
    "an orphan beside a value that waits": lambda world: of(world)["orphan_values"] and not all_orphans(world),
    "a bulk carrier": lambda world: of(world) != of(unlimited(world)),
    "a statement that matters": lambda world: world.statements and of(world) != of(unsaid(world)),
}


def all_orphans(world: World) -> bool:
    found = of(world)
    waiting = {value for process in world.declaration.processes for value in found[process.name]["waiting"]}
    return waiting <= set(found["orphan_values"])


def unlimited(world: World) -> World:
    declaration = world.declaration
    return world._replace(declaration=type(declaration)(declaration.processes, declaration.key_types))


def unsaid(world: World) -> World:
    return world._replace(statements=[])


@pytest.mark.parametrize("name", SITUATIONS)
def test_worlds_come_to_every_situation_that_the_rules_speak_of(name: str) -> None:
    find(
        worlds(bulk_limits=(1, 2)),
        SITUATIONS[name],
        settings=settings(max_examples=2_000, phases=[Phase.generate], derandomize=True, database=None),
    )
