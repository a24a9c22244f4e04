"""The engine and the model on many and denser random worlds than the fast tests have time for."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.identity_model.worlds import World, seeds, worlds
from tests.unit.lineage.test_identity_as_the_model_has_it import agree, fan_out_limits

many = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@many
@given(worlds(max_statements=0), seeds, fan_out_limits)
def test_engine_and_model_agree_on_events_alone(world: World, seed: int, limit: int) -> None:
    agree(world, seed, limit)


@many
@given(worlds(max_events=18, max_statements=7), seeds, fan_out_limits)
def test_engine_and_model_agree_on_many_statements(world: World, seed: int, limit: int) -> None:
    agree(world, seed, limit)


@many
@given(worlds(max_events=18, max_statements=4, bulk_limits=(0, 1, 2, 3)), seeds, fan_out_limits)
def test_engine_and_model_agree_around_the_bulk_limit(world: World, seed: int, limit: int) -> None:
    agree(world, seed, limit)
