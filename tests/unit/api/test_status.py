"""Status: waiting for a position."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest

from lineage.engine import Engine, Limits
from lineage.process import Definitions
from throughline.api.status import StatusAsked, is_folded, until_next_look, wait_for
from throughline.api.store_watch import StoreWatch
from throughline.core.estate import load_estate


def given(answers: Iterator[bool]) -> Callable[[], Awaitable[bool]]:
    async def reached() -> bool:
        return next(answers)

    return reached


def test_it_waits_until_it_is_so_and_no_longer_than_allowed() -> None:
    assert asyncio.run(wait_for(given(iter([False, False, True])), 20.0)) is True
    assert asyncio.run(wait_for(given(repeat(False)), 0.01)) is False
    assert asyncio.run(wait_for(given(repeat(True)), 0.0)) is True


def test_all_who_wait_look_at_the_same_moments_and_so_get_one_answer() -> None:
    looks = {round(now + until_next_look(began, now), 6) for began, now in ((5.0, 5.001), (5.002, 5.002), (4.9, 5.009))}
    assert looks == {5.01}


def test_who_has_waited_for_a_while_looks_less_often() -> None:
    assert until_next_look(5.0, 65.0) > until_next_look(65.0, 65.0)


def test_it_does_not_wait_for_a_look_that_hangs() -> None:
    async def wait() -> bool:
        looks = iter([False])

        async def reached() -> bool:
            for first in looks:
                return first
            return await asyncio.Event().wait()

        return await wait_for(reached, 0.1)

    assert asyncio.run(wait()) is False


def test_a_position_is_folded_once_nothing_behind_it_is_deferred(tmp_path: Path) -> None:
    watch = StoreWatch(tmp_path / "store.db")

    def has(position: str) -> bool:
        return asyncio.run(is_folded(watch, position))

    assert not has("j0")  # there is no store yet
    engine = Engine.open(tmp_path / "store.db", Definitions({}, {}), load_estate(None), Limits())
    assert has("j0")
    engine.fold([], 0, 7)
    assert has("j7")
    assert not has("j8")
    assert not has("s1")
    engine.store.connection.execute("INSERT INTO stale (case_id) VALUES (1)")
    assert not has("j7")
    engine.close()
    watch.close()
    watch.close()
    assert not has("j0")


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10.0), ("500ms", 0.5), ("1m", 60.0), ("2", 2.0), ("0.5s", 0.5)])
def test_a_wait_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert StatusAsked.model_validate({"wait": text}).wait == seconds


def test_who_gives_no_wait_waits_for_nothing() -> None:
    assert StatusAsked.model_validate({}).wait == 0.0
    assert StatusAsked.model_json_schema()["properties"]["wait"]["type"] == "string"
    assert "default" not in StatusAsked.model_json_schema()["properties"]["wait"]
