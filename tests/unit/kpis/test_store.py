"""A transaction of the store of KPIs leaves it as it was where anything is raised, whatever ended it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from kpis.store import KpiWriter, open_kpi_writer, transaction


def fill_up(store: KpiWriter) -> None:
    store.set_meta("made_by", "nobody")
    store.connection.execute("ROLLBACK")
    raise OSError("the disk is full")


def test_what_ends_a_transaction_by_itself_is_what_is_told(tmp_path: Path) -> None:
    """As a disk does that is full when it is to be committed: there is nothing left to be rolled back then."""
    with closing((store := open_kpi_writer(tmp_path / "kpis.db")).connection):
        with pytest.raises(OSError, match="full"), transaction(store):
            fill_up(store)
        assert "made_by" not in store.meta()
        with transaction(store):
            store.set_meta("made_by", "us")
        assert store.meta()["made_by"] == "us"
