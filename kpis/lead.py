"""Who keeps KPIs: of all processes that would, the one that holds the lock of their tables; the others stand by.

The lock belongs to the connection that writes: where that is lost, so are the lock and what was under way. For the case
that somebody between them gives locks away (a pooler of transactions), each lead has a number, and every transaction
begins by seeing that it is still its own (kpis/store.py). A file has one such process, which has the data folder.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import structlog

from kpis.server_store import leading_writer
from kpis.store import (
    FILE_NAME,
    KpiReader,
    KpiStoreUnknown,
    KpiWriter,
    make_kpis,
    open_kpi_reader,
    transaction,
)
from lineage.places import remove
from throughline.core.errors import StoreUnavailable
from throughline.core.sql import Connection
from throughline.core.store_url import Schema

_log = structlog.get_logger(__name__)


class Candidate(NamedTuple):
    """A process that would keep KPIs in a database, by the connection with which it would."""

    connection: Connection
    place: Schema

    def close(self) -> None:
        self.connection.close()

    def lead(self, data: Path | None = None) -> KpiWriter | None:
        """Return the store once nobody else keeps it, made if need be; None while somebody does.

        Figures that were published while they stood in the folder ``data`` go along. Raises StoreUnavailable, and
        KpiStoreUnknown where another version of Throughline made it.
        """
        from throughline.core.postgresql import PostgresConnection, lead

        assert isinstance(self.connection, PostgresConnection)
        if not lead(self.connection, self.place):
            return None
        make_kpis(self.connection, self.place)
        store = leading_writer(self.connection)
        if data is not None:
            take_along(store, data / FILE_NAME)
        return store

    def leader(self) -> str | None:
        """Return who keeps KPIs, as far as the server tells."""
        from throughline.core.postgresql import who_leads

        return who_leads(self.place)


def stand_for(place: Schema) -> Candidate:
    """Be one of those that would keep KPIs. Raises StoreUnavailable."""
    from throughline.core.postgresql import open_candidate  # only here: it loads the driver

    return Candidate(open_candidate(place), place)


def take_along(store: KpiWriter, former: Path) -> None:
    """Put what was published in a file into a database that nothing was published in, and remove the file.

    All else is made anew from the cases; of that spans of traces may be gone from where they are read, and cases have
    left: what was published of their days stands.
    """
    if not former.is_file():
        return
    try:
        with closing((file := open_kpi_reader(former)).connection):
            taken = _taken_along(store, file)
    except (StoreUnavailable, KpiStoreUnknown) as error:
        _log.warning("published_figures_left", file=str(former), why=str(error))
        return
    if taken:
        remove(former)
        _log.info("published_figures_taken_along", file=str(former))
    else:
        _log.warning("published_figures_left", file=str(former), why="figures were published in the database already")


def _taken_along(store: KpiWriter, file: KpiReader) -> bool:
    if store.last_published():
        return False
    with transaction(store):
        for row in file.all_published():
            store.publish(row)
        store.put_thinned(file.days_left())
        if file.connection.has_table("traced"):
            store.connection.executemany(
                "INSERT INTO traced (trace_id, spans) VALUES (?, ?) ON CONFLICT DO NOTHING",
                file.rows("SELECT trace_id, spans FROM traced"),
            )
    return True
