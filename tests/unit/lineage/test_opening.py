"""Opening a store for its engine: others are let in before what of it is kept in memory is read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from lineage.engine import Engine
from lineage.run import RebuildNeeded, Subject, open_engine
from lineage.store import StoreReader
from tests.stored_store import DEFINITIONS, ESTATE, LIMITS, NOW, events
from throughline.core.clock import RealClock


def subject(data: Path) -> Subject:
    return Subject(data, DEFINITIONS, ESTATE, LIMITS, RealClock())


def test_who_waits_is_let_in_before_the_store_is_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    remember = Engine._remember  # pyright: ignore[reportPrivateUsage]

    def remembering(engine: Engine) -> None:
        told.append("read")
        remember(engine)

    monkeypatch.setattr(Engine, "_remember", remembering)

    def admit(store: StoreReader) -> None:
        told.append(f"let in at format {store.meta().get('format', 'of Alembic')}")

    with closing(open_engine(subject(tmp_path), admit=admit)) as engine:
        engine.fold(events(), NOW)
    assert told == ["let in at format of Alembic", "read"]


def test_who_refuses_to_let_others_in_keeps_the_store_closed(tmp_path: Path) -> None:
    def refuse(_: StoreReader) -> None:
        raise RebuildNeeded("not this one")

    with pytest.raises(RebuildNeeded, match="not this one"):
        open_engine(subject(tmp_path), admit=refuse)
    open_engine(subject(tmp_path)).close()
