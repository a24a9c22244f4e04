"""The engine and the slow, obvious model agree on random worlds, however they arrive."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.identity_model.model import outcome
from tests.identity_model.worlds import NOW, World, arrivals, seeds, worlds
from tests.unit.lineage.adapter import observe

fan_out_limits = st.sampled_from((1_000, 0))  # derive all behind a carrier at once, or nothing
few = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@few
@given(worlds(max_statements=0), seeds, fan_out_limits)
def test_the_engine_holds_what_the_model_holds_in_any_order_and_batching(world: World, seed: int, limit: int) -> None:
    agree(world, seed, limit)


@few
@given(worlds(), seeds, fan_out_limits)
def test_they_agree_on_what_people_say(world: World, seed: int, limit: int) -> None:
    agree(world, seed, limit)


@few
@given(worlds(bulk_limits=(0, 1, 2)), seeds, fan_out_limits)
def test_they_agree_when_carriers_become_bulk_and_cease_to_be(world: World, seed: int, limit: int) -> None:
    agree(world, seed, limit)


def agree(world: World, seed: int, fan_out_limit: int) -> None:
    """Let a world arrive in two ways: the engine holds the same after both, what the model holds, and nothing stale."""
    plain = observe(arrivals(world, 0), world.declaration, NOW)
    assert plain.outcome == outcome(world.events, world.statements, world.declaration, NOW)
    assert plain.rows == plain.rows_anew
    assert plain.counted == plain.found
    assert observe(arrivals(world, seed), world.declaration, NOW, fan_out_limit, ticking=bool(seed % 2)) == plain
