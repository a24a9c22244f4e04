"""What the part that keeps KPIs leaves for /metrics: what it counts, and the readings of now."""

from __future__ import annotations

from kpis.store import METRICS_ROW, READINGS_ROW, KpiWriter, metrics_left, transaction


def leave(store: KpiWriter, **rows: str) -> None:
    with transaction(store):
        for name, text in rows.items():
            store.set_meta(name, text)


def test_both_are_told_together(store: KpiWriter) -> None:
    leave(store, **{METRICS_ROW: "a 1\n", READINGS_ROW: "b 2\n"})
    assert metrics_left(store.connection) == "a 1\nb 2\n"


def test_one_is_told_while_the_other_is_not_there_yet(store: KpiWriter) -> None:
    leave(store, **{METRICS_ROW: "a 1\n"})
    assert metrics_left(store.connection) == "a 1\n"


def test_nothing_is_told_where_nothing_was_left(store: KpiWriter) -> None:
    assert metrics_left(store.connection) is None
