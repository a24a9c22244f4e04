"""Status: waiting for a position."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lineage.engine import Engine, Limits
from lineage.process import Definitions
from throughline.api.status import Positions, StatusAsked, wait_for
from throughline.core.estate import load_estate


def test_it_waits_until_it_is_so_and_no_longer_than_allowed() -> None:
    answers = iter([False, False, True])
    assert asyncio.run(wait_for(lambda: next(answers), 20.0)) is True
    assert asyncio.run(wait_for(lambda: False, 0.01)) is False
    assert asyncio.run(wait_for(lambda: True, 0.0)) is True


def test_a_position_is_folded_once_nothing_behind_it_is_deferred(tmp_path: Path) -> None:
    positions = Positions(tmp_path / "store.db")
    assert not positions.has("j1")  # there is no store yet
    engine = Engine.open(tmp_path / "store.db", Definitions({}, {}), load_estate(None), Limits())
    assert positions.has("j0")
    engine.fold([], 0, 7)
    assert positions.has("j7")
    assert not positions.has("j8")
    assert not positions.has("s1")
    engine.store.connection.execute("INSERT INTO stale (case_id) VALUES (1)")
    assert not positions.has("j7")
    engine.close()
    positions.close()
    positions.close()


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10.0), ("500ms", 0.5), ("1m", 60.0), ("2", 2.0), ("0.5s", 0.5)])
def test_a_wait_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert StatusAsked.model_validate({"wait": text}).wait == seconds


def test_who_gives_no_wait_waits_for_nothing() -> None:
    assert StatusAsked.model_validate({}).wait == 0.0
    assert StatusAsked.model_json_schema()["properties"]["wait"]["type"] == "string"
    assert "default" not in StatusAsked.model_json_schema()["properties"]["wait"]
