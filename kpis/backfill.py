"""The order to look at every case anew, left for the process that keeps KPIs, which alone writes their figures.

It is a file of the data folder, or, in a database, a row: who keeps KPIs may be on another machine.
"""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from kpis.store import KpiReader, KpiWriter, transaction
from lineage.places import Place
from throughline.core.store_url import Schema

BACKFILL_FILE: Final = "kpis-backfill"
_ROW: Final = "backfill"  # in meta


def order_backfill(place: Place) -> None:
    """Have every case looked at anew. Raises StoreUnavailable, or OSError."""
    if not isinstance(place, Schema):
        place.with_name(BACKFILL_FILE).touch(mode=0o600)
        return
    from throughline.core.postgresql import open_beside  # only here: it loads the driver

    connection = open_beside(place)
    try:
        connection.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_ROW, uuid4().hex),
        )
    finally:
        connection.close()


def ordered_backfill(place: Place, store: KpiReader) -> str | None:
    """Return which order has not begun to be done; None: none."""
    if not isinstance(place, Schema):
        return BACKFILL_FILE if place.with_name(BACKFILL_FILE).exists() else None
    rows = store.rows("SELECT value FROM meta WHERE name = ?", _ROW)
    return rows[0][0] if rows else None


def take_order(place: Place, store: KpiWriter, order: str) -> None:
    """Forget an order, once what it wants has begun; one that was given since stays."""
    if not isinstance(place, Schema):
        place.with_name(BACKFILL_FILE).unlink(missing_ok=True)
        return
    with transaction(store):
        store.connection.execute("DELETE FROM meta WHERE name = ? AND value = ?", (_ROW, order))
