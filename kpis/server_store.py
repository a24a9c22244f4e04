"""The store of KPIs in a database, as its one writer changes it: by statements of many rows, told from other writers.

A file gives rows one by one as fast; of a server each answer is a way there and back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from kpis.codec import encode_place
from kpis.spot import Spot
from kpis.store import LEAD, KpiWriter
from throughline.core.sql import Connection

_UNKNOWN: Final = -1


def leading_writer(connection: Connection) -> ServerWriter:
    """Return the writer of tables that are made: from now on it alone can change them."""
    (lead,) = connection.execute(
        "INSERT INTO position (name, store, value) VALUES (?, '', 1)"
        " ON CONFLICT (name) DO UPDATE SET value = position.value + 1 RETURNING value",
        (LEAD,),
    ).fetchone()
    return ServerWriter(connection, lead)


class ServerWriter(KpiWriter):
    """Cells that are put are written with the commit; nobody asks for them before."""

    def __init__(self, connection: Connection, lead: int) -> None:
        super().__init__(connection, lead)
        self._put: dict[int, tuple[Any, ...]] = {}  # by the cell's id
        self._last_cell = _UNKNOWN

    def begin(self) -> None:
        self._put = {}
        super().begin()

    def commit(self) -> None:
        if self._put:
            columns = zip(*self._put.values(), strict=True)
            self.connection.execute(
                "INSERT INTO cell (id, kpi, grain, day, place, stands, content) SELECT * FROM unnest(?::bigint[],"
                " ?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::bigint[], ?::bytea[])"
                " ON CONFLICT (id) DO UPDATE SET stands = excluded.stands, content = excluded.content",
                [list(column) for column in columns],
            )
        super().commit()

    def cells_at(self, kpi: int, spots: Iterable[Spot]) -> dict[Spot, tuple[int, bytes]]:
        wanted = {(int(spot.grain), spot.place.day.toordinal(), encode_place(spot.place)): spot for spot in spots}
        if not wanted:
            return {}
        rows = self.rows(
            "SELECT cell.grain, cell.day, cell.place, id, content"
            " FROM unnest(?::bigint[], ?::bigint[], ?::text[]) AS asked(grain, day, place)"
            " JOIN cell ON kpi = ? AND cell.grain = asked.grain AND cell.day = asked.day AND cell.place = asked.place"
            " AND hashtextextended(cell.place, 0) = hashtextextended(asked.place, 0)",
            *([each[index] for each in wanted] for index in range(3)),
            kpi,
        )
        return {wanted[grain, day, place]: (number, content) for grain, day, place, number, content in rows}

    def put_cell(self, kpi: int, spot: Spot, number: int | None, stands: int, content: bytes) -> int:
        number = number or self._next_cell()
        place = spot.place
        self._put[number] = number, kpi, int(spot.grain), place.day.toordinal(), encode_place(place), stands, content
        return number

    def _next_cell(self) -> int:
        """Return an id that no cell has had since this writer began; those of what is rolled back stay unused."""
        if self._last_cell == _UNKNOWN:
            self._last_cell = self.rows("SELECT max(id) FROM cell")[0][0] or 0
        self._last_cell += 1
        return self._last_cell

    def drop_cells(self, ids: Iterable[int]) -> None:
        gone = list(ids)
        for number in gone:
            self._put.pop(number, None)
        for table, column in (("behind", "cell"), ("cell", "id")):
            self.connection.execute(
                f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))",
                (self.connection.array(gone),),
            )

    def put_behind(self, rows: Iterable[tuple[int, int]]) -> None:
        self._put_pairs("behind (cell, case_id)", rows)

    def drop_behind(self, rows: Iterable[tuple[int, int]]) -> None:
        pairs = list(rows)
        if pairs:
            self.connection.execute(
                "DELETE FROM behind USING unnest(?::bigint[], ?::bigint[]) AS gone(cell, case_id)"
                " WHERE behind.cell = gone.cell AND behind.case_id = gone.case_id",
                _columns(pairs),
            )

    def put_split_by(self, rows: Iterable[tuple[int, int]]) -> None:
        self._put_pairs("split_by (seq, case_id)", rows)

    def _put_pairs(self, table: str, rows: Iterable[tuple[int, int]]) -> None:
        pairs = list(rows)
        if pairs:
            self.connection.execute(
                f"INSERT INTO {table} SELECT * FROM unnest(?::bigint[], ?::bigint[]) ON CONFLICT DO NOTHING",
                _columns(pairs),
            )


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [left for left, _ in pairs], [right for _, right in pairs]
