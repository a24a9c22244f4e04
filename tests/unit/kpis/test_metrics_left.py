"""What the part that keeps KPIs leaves for /metrics: what it counts, and the readings of now."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from kpis.keep import transaction
from kpis.store import FILE_NAME, METRICS_ROW, READINGS_ROW, metrics_left, open_kpi_writer


def leave(folder: Path, **rows: str) -> None:
    store = open_kpi_writer(folder / FILE_NAME)
    with closing(store.connection), transaction(store):
        for name, text in rows.items():
            store.set_meta(name, text)


def test_both_are_told_together(tmp_path: Path) -> None:
    leave(tmp_path, **{METRICS_ROW: "a 1\n", READINGS_ROW: "b 2\n"})
    assert metrics_left(tmp_path) == "a 1\nb 2\n"


def test_one_is_told_while_the_other_is_not_there_yet(tmp_path: Path) -> None:
    leave(tmp_path, **{METRICS_ROW: "a 1\n"})
    assert metrics_left(tmp_path) == "a 1\n"


def test_nothing_is_told_where_nothing_was_left(tmp_path: Path) -> None:
    assert metrics_left(tmp_path) is None
    leave(tmp_path)
    assert metrics_left(tmp_path) is None
