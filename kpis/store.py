"""The store of KPIs: what each case contributes, the cells that it adds up to, and what was published.

It stands where the lineage store does: a file of the data folder, ``kpis.db``, or a schema of the same database. One
process writes it (kpis/run.py), others open it read-only. All but what was published can be made anew from the
lineage store. docs/why/kpis.md says why the tables look as they do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from kpis.cell import Place
from kpis.codec import Contributed, decode_contributed, decode_entry, decode_place, encode_contributed, encode_place
from kpis.contribution import NO_DAY
from kpis.latency import Known, KnownSpan
from kpis.spot import Grain, Spot
from lineage.changes import KPIS, Position
from lineage.places import Place as Stand
from lineage.places import open_reading
from throughline.core.database import Durability, open_writer
from throughline.core.errors import LastingError, StoreUnavailable
from throughline.core.sql import Connection
from throughline.core.store_url import Schema, StoreUrl

FILE_NAME: Final = KPIS.file
SCHEMA: Final = KPIS.schema
FORMAT: Final = "1"
CHANGES: Final = KPIS.row  # the position in the queue of changed cases; lineage/changes.py reads it
APART: Final = "; "  # of the reasons why a figure changed, where there are several
METRICS_ROW: Final = "metrics"  # in meta: what the writer counts, for /metrics
READINGS_ROW: Final = "readings"  # in meta: the readings of now, for /metrics; apart, as they are long and made seldom
WALK: Final = "walk"  # the id of the last case that was looked at while all are; no row: none are
LEFT: Final = "left"  # in meta: how many cases had left the lineage store when cases were last forgotten
LEAD: Final = "lead"  # how often the one writer of the tables in a database was another one
_CACHE_MIB = 32
_READER_CACHE_MIB = 8
_NONE = NO_DAY.toordinal()
_TRACES_AT_ONCE = 500
_ALL: Final = 2**62
Tally = Literal["tally", "tally_left"]

_NO_LEAD: Final = 0  # nothing is fenced

_ADDED: Final = ("split_by", "thinned")  # the last table of each time that some were added to this format
_ADDED_COLUMNS: Final = (("version", "told_as"), ("published", "told_as"))

_encode_spans = msgspec.msgpack.Encoder().encode
_decode_spans = msgspec.msgpack.Decoder(list[KnownSpan]).decode


class KpiStoreUnknown(LastingError):
    """The store of KPIs was written by another version of Throughline."""


class Fenced(StoreUnavailable):
    """Another process keeps KPIs now; nothing of the transaction is stored."""


class VersionRow(NamedTuple):
    """A version of a KPI by its number; ``since``: when it was first seen, microseconds.

    ``told_as``: its terms as they are kept (kpis/terms.py); None: an earlier version of Throughline noted it.
    """

    number: int
    kpi: str
    version: str
    digest: str
    since: int
    complete: bool
    told_as: str | None = None


class RemnantRow(NamedTuple):
    """Of a cell, what of it is of cases that have left: how many records, and how many of them are not over."""

    records: int
    stands: int
    content: bytes


class PublishedRow(NamedTuple):
    """A figure of a day, or of the month that begins with it (``every``), and when and why it was published.

    ``value``: a decimal text; None: no answer. ``as_of``: the instant as of which it was read. ``told_as``: how the
    value is told, as it is kept (kpis/terms.py); None: an earlier release published it, by terms that nobody knows.
    """

    id: int
    kpi: str
    every: str
    day: int
    version: str
    at: int
    value: str | None
    at_least: bool
    records: int
    as_of: int | None
    why: str
    told_as: str | None = None


_PUBLISHED = ", ".join(PublishedRow._fields[:-1])


class KpiReader:
    """Every question that is asked of the store of KPIs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._telling: set[str] = set()  # the tables that say how figures are told, as far as that was asked

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        return self.connection.execute(sql, parameters).fetchall()

    def position(self) -> Position | None:
        """Return how far the lineage store is worked off; None: not at all."""
        rows = self.rows("SELECT store, value FROM position WHERE name = ?", CHANGES)
        return Position(*rows[0]) if rows else None

    def walked(self) -> int | None:
        """Return the last case that was looked at while all are being looked at; None: they all have been."""
        rows = self.rows("SELECT value FROM position WHERE name = ?", WALK)
        return rows[0][0] if rows else None

    def versions(self) -> list[VersionRow]:
        """Return the versions that have cells, oldest first."""
        columns = f"number, kpi, version, digest, since, complete, {self._told_as('version')}"
        found = self.rows(f"SELECT {columns} FROM version ORDER BY number")
        return [VersionRow(*row)._replace(complete=bool(row[5])) for row in found]

    def _told_as(self, table: str) -> str:
        """Return the column by which figures are told; nothing where an earlier version keeps these figures."""
        if table not in self._telling:
            if not self.connection.has_column(table, "told_as"):
                return "NULL"
            self._telling.add(table)
        return "told_as"

    def contributed(self, cases: Iterable[int]) -> dict[int, Contributed]:
        """Return what cases contribute, of those that contribute anything."""
        return {case_id: decode_contributed(content) for case_id, content in self._contributed(cases)}

    def contributed_to(self, kpi: int, cases: Iterable[int]) -> dict[int, Contributed]:
        """Return what cases contribute to one version alone, of those that contribute anything."""
        return {case_id: decode_entry(content, kpi) for case_id, content in self._contributed(cases)}

    def _contributed(self, cases: Iterable[int]) -> list[tuple[int, bytes]]:
        return self.rows(
            "SELECT case_id, content FROM contributed WHERE case_id IN (SELECT value FROM json_each(?))",
            self.connection.array(cases),
        )

    def spans_known(self, traces: Iterable[bytes]) -> Known:
        """Return the spans that are kept of traces, of those that there are any of."""
        wanted, found = list(traces), dict[bytes, Sequence[KnownSpan]]()
        for start in range(0, len(wanted), _TRACES_AT_ONCE):
            some = wanted[start : start + _TRACES_AT_ONCE]
            marks = ", ".join("?" * len(some))
            for trace_id, spans in self.rows(f"SELECT trace_id, spans FROM traced WHERE trace_id IN ({marks})", *some):
                found[trace_id] = _decode_spans(spans)
        return found

    def cases_split_by(self, seqs: Iterable[int]) -> list[int]:
        """Return the cases that have latencies which are split by the traces of events."""
        among = "SELECT DISTINCT case_id FROM split_by WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY case_id"
        return [row[0] for row in self.rows(among, self.connection.array(seqs))]

    def split_by_after(self, row: tuple[int, int], limit: int) -> list[tuple[int, int]]:
        """Return (seq of an event, case) pairs after one, in order: by its trace latencies of the case are split."""
        sql = "SELECT seq, case_id FROM split_by WHERE (seq, case_id) > (?, ?) ORDER BY seq, case_id LIMIT ?"
        return [(seq, case) for seq, case in self.rows(sql, *row, limit)]

    def cells(self, kpi: int, grain: Grain, first: int | None, last: int | None) -> dict[Place, bytes]:
        """Return the cells of a version whose days (ordinals) lie between two, both included; None: from or to any."""
        found = self.rows(
            "SELECT day, place, content FROM cell WHERE kpi = ? AND grain = ? AND day BETWEEN ? AND ?",
            kpi,
            int(grain),
            *_between(first, last),
        )
        return {decode_place(day, place): content for day, place, content in found}

    def standing_cells(self, kpi: int, grain: Grain) -> dict[Place, bytes]:
        """Return the cells of a version, of any day, that hold what is not over."""
        found = self.rows(
            "SELECT day, place, content FROM cell WHERE kpi = ? AND grain = ? AND stands > 0", kpi, int(grain)
        )
        return {decode_place(day, place): content for day, place, content in found}

    def places(self, kpi: int, grain: Grain) -> list[Place]:
        """Return every set of dimension values that has a cell, of any day (the first there is)."""
        found = self.rows("SELECT DISTINCT place FROM cell WHERE kpi = ? AND grain = ?", kpi, int(grain))
        return [decode_place(1, place) for (place,) in found]

    def newest_cells(self, kpi: int, grain: Grain) -> dict[Place, bytes]:
        """Return, of each set of dimension values, the cell of the last day that has one."""
        found = self.rows(
            "SELECT cell.day, cell.place, content"
            " FROM (SELECT place, max(day) AS day FROM cell WHERE kpi = ? AND grain = ? GROUP BY place) AS newest"
            " CROSS JOIN cell cell ON kpi = ? AND grain = ? AND cell.day = newest.day AND cell.place = newest.place",
            kpi,
            int(grain),
            kpi,
            int(grain),
        )
        return {decode_place(day, place): content for day, place, content in found}

    def cases_behind(self, kpi: int, grain: Grain, place: Place) -> list[int]:
        """Return the cases behind one cell."""
        found = self.rows(
            "SELECT case_id FROM behind JOIN cell ON cell.id = behind.cell"
            " WHERE kpi = ? AND grain = ? AND day = ? AND place = ?",
            kpi,
            int(grain),
            place.day.toordinal(),
            encode_place(place),
        )
        return [row[0] for row in found]

    def cases_of_cells(
        self, kpi: int, grain: Grain, first: int | None, last: int | None, standing: bool, *, latest: int = _ALL
    ) -> list[int]:
        """Return the cases behind the cells of some days (ordinals), or of those only that hold what is not over.

        ``latest``: so many at most, of the last days.
        """
        found = self.rows(
            "SELECT case_id FROM cell JOIN behind ON behind.cell = cell.id"
            f" WHERE kpi = ? AND grain = ? AND day BETWEEN ? AND ?{' AND stands > 0' if standing else ''}"
            " GROUP BY case_id ORDER BY max(day) DESC, case_id LIMIT ?",
            kpi,
            int(grain),
            *_between(first, last),
            latest,
        )
        return [row[0] for row in found]

    def remnants_of(
        self, kpi: int, grain: Grain, first: int | None, last: int | None, standing: bool
    ) -> list[tuple[Place, int, int]]:
        """Return of which cells of some days cases have left: how many records, and how many of them are not over.

        ``standing``: only those cells that hold what is not over.
        """
        if not self.connection.has_table("remnant"):  # an earlier version of Throughline kept these figures last
            return []
        found = self.rows(
            "SELECT day, place, records, remnant.stands FROM cell JOIN remnant ON remnant.cell = cell.id"
            f" WHERE kpi = ? AND grain = ? AND day BETWEEN ? AND ?{' AND cell.stands > 0' if standing else ''}",
            kpi,
            int(grain),
            *_between(first, last),
        )
        return [(decode_place(day, place), records, stands) for day, place, records, stands in found]

    def remnants(self, cells: Iterable[int]) -> dict[int, RemnantRow]:
        """Return what of cells is of cases that have left, of those of which any is."""
        found = self.rows(
            "SELECT cell, records, stands, content FROM remnant WHERE cell IN (SELECT value FROM json_each(?))",
            self.connection.array(cells),
        )
        return {cell: RemnantRow(*rest) for cell, *rest in found}

    def is_thinned(self, kpi: str, first: int, last: int) -> bool:
        """Tell whether cases of days (ordinals, both included), or of none, had left that no version counts."""
        sql = "SELECT 1 FROM thinned WHERE kpi = ? AND (day BETWEEN ? AND ? OR day = ?) LIMIT 1"
        return bool(self.rows(sql, kpi, first, last, _NONE))

    def days_left(self) -> list[tuple[str, int]]:
        """Return (KPI, day) of which cases have left, whether any version counts them still or not."""
        if not self.connection.has_table("thinned"):
            return []
        return self.rows(f"{_DAYS_OF_REMNANTS} WHERE cell.grain = ? UNION SELECT kpi, day FROM thinned", int(Grain.DAY))

    def contributing_after(self, case: int, limit: int) -> list[int]:
        """Return cases that contribute anything, after one, in order."""
        return [
            row[0]
            for row in self.rows(
                "SELECT case_id FROM contributed WHERE case_id > ? ORDER BY case_id LIMIT ?", case, limit
            )
        ]

    def traces_after(self, trace: bytes, limit: int) -> list[bytes]:
        """Return traces whose spans are kept, after one, in order."""
        sql = "SELECT trace_id FROM traced WHERE trace_id > ? ORDER BY trace_id LIMIT ?"
        return [row[0] for row in self.rows(sql, trace, limit)]

    def tally(self, kpi: int) -> dict[str, int]:
        """Return how many cases a version concerns, by the reason why they count for nothing; "": they count."""
        return dict(self.rows("SELECT label, count FROM tally WHERE kpi = ? AND count <> 0", kpi))

    def first_day(self, kpi: int) -> int | None:
        """Return the first day that has a cell, as an ordinal; what belongs to no day has none."""
        found = self.rows(
            "SELECT min(day) FROM cell WHERE kpi = ? AND grain = ? AND day > ?", kpi, int(Grain.DAY), _NONE
        )
        return found[0][0]

    def first_published(self) -> int | None:
        """Return when the first figure of any KPI was published, in microseconds; None: none was so far."""
        rows = self.rows("SELECT at FROM published ORDER BY id LIMIT 1")
        return rows[0][0] if rows else None

    def published(self, kpi: str, after: int = 0, limit: int = _ALL) -> list[PublishedRow]:
        """Return what was published of a KPI, in that order, after an id."""
        sql = f"SELECT {self._columns} FROM published WHERE kpi = ? AND id > ? ORDER BY id LIMIT ?"
        return [_published(row) for row in self.rows(sql, kpi, after, limit)]

    def published_of(
        self,
        kpi: str,
        after: int,
        limit: int,
        every: str | None,
        days: tuple[int | None, int | None],
        standing: bool,
    ) -> list[tuple[PublishedRow, int | None]]:
        """Return what was published of a KPI, as above, each with when another figure took its place.

        ``every``: only of days, or of months. ``days``: from and to (ordinals, both included). ``standing``: only those
        whose place none took.
        """
        replaced = (
            "SELECT min(later.at) FROM published AS later WHERE later.kpi = published.kpi"
            " AND later.every = published.every AND later.day = published.day AND later.id > published.id"
        )
        rows = self.rows(
            f"SELECT replaced, {_PUBLISHED}, told_as FROM (SELECT ({replaced}) AS replaced, {_PUBLISHED},"
            f" {self._told_as('published')} AS told_as FROM published"
            " WHERE kpi = ? AND id > ? AND (? = '' OR every = ?) AND day BETWEEN ? AND ?) AS told"
            f"{' WHERE replaced IS NULL' if standing else ''} ORDER BY id LIMIT ?",
            kpi,
            after,
            every or "",
            every or "",
            *_between(*days),
            limit,
        )
        return [(_published(row), replaced) for replaced, *row in rows]

    def all_published(self) -> list[PublishedRow]:
        """Return what was published of every KPI, in that order."""
        return [_published(row) for row in self.rows(f"SELECT {self._columns} FROM published ORDER BY id")]

    @property
    def _columns(self) -> str:
        """The columns of a published figure."""
        return f"{_PUBLISHED}, {self._told_as('published')}"

    def restated(self, kpi: str, after: int, limit: int) -> list[tuple[PublishedRow, PublishedRow]]:
        """Return figures that took the place of others, after an id, each with the one before it."""
        former = (
            "SELECT max(id) FROM published AS earlier WHERE earlier.kpi = published.kpi"
            " AND earlier.every = published.every AND earlier.day = published.day AND earlier.id < published.id"
        )
        rows = self.rows(
            f"SELECT former, {_PUBLISHED}, told_as FROM (SELECT ({former}) AS former, {_PUBLISHED},"
            f" {self._told_as('published')} AS told_as FROM published"
            " WHERE kpi = ? AND id > ?) AS told WHERE former IS NOT NULL ORDER BY id LIMIT ?",
            kpi,
            after,
            limit,
        )
        before = self.rows(
            f"SELECT {self._columns} FROM published WHERE id IN (SELECT value FROM json_each(?))",
            self.connection.array(row[0] for row in rows),
        )
        by_id = {row[0]: _published(row) for row in before}
        return [(by_id[former], _published(row)) for former, *row in rows]

    def standing_published(self, kpi: str, every: str, first: int, last: int) -> dict[int, PublishedRow]:
        """Return the figures in force of some days (ordinals, both included), by day."""
        found = self.rows(
            f"SELECT {self._columns} FROM published WHERE kpi = ? AND every = ? AND day BETWEEN ? AND ? ORDER BY id",
            kpi,
            every,
            first,
            last,
        )
        return {row[3]: _published(row) for row in found}

    def last_published(self) -> int:
        """Return the id of the last figure that was published; 0: none was."""
        return self.rows("SELECT max(id) FROM published")[0][0] or 0

    def latest(self) -> dict[str, bytes]:
        """Return the readings of now by KPI, as they are shown."""
        return dict(self.rows("SELECT kpi, content FROM latest"))

    def meta(self) -> dict[str, str]:
        return dict(self.rows("SELECT name, value FROM meta"))


_DAYS_OF_REMNANTS: Final = (
    "SELECT DISTINCT version.kpi, cell.day FROM remnant"
    " JOIN cell ON cell.id = remnant.cell JOIN version ON version.number = cell.kpi"
)


def _between(first: int | None, last: int | None) -> tuple[int, int]:
    return (-_ALL if first is None else first), (_ALL if last is None else last)


def _published(row: Any) -> PublishedRow:
    return PublishedRow(*row)._replace(at_least=bool(row[7]))


class KpiWriter(KpiReader):
    """Every change of the store of KPIs; each within ``transaction``."""

    def __init__(self, connection: Connection, lead: int = _NO_LEAD) -> None:
        """``lead``: by which this writer is told from those before and after it; none: there is no other."""
        super().__init__(connection)
        self._lead = lead

    def begin(self) -> None:
        """Begin a transaction. Raises Fenced where another process has taken the lead; none does until it ends."""
        self.connection.execute("BEGIN IMMEDIATE")
        if self._lead != _NO_LEAD and not self._leads():
            self.roll_back()
            raise Fenced("another process keeps KPIs now: this one has written nothing more")

    def _leads(self) -> bool:
        return self.rows("SELECT value FROM position WHERE name = ? FOR SHARE", LEAD) == [(self._lead,)]

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def roll_back(self) -> None:
        self.connection.execute("ROLLBACK")

    def cells_at(self, kpi: int, spots: Iterable[Spot]) -> dict[Spot, tuple[int, bytes]]:
        """Return the ids and contents of cells of a version, of those that are there."""
        found: dict[Spot, tuple[int, bytes]] = {}
        for spot in spots:
            rows = self.rows(
                "SELECT id, content FROM cell WHERE kpi = ? AND grain = ? AND day = ? AND place = ?",
                kpi,
                int(spot.grain),
                spot.place.day.toordinal(),
                encode_place(spot.place),
            )
            if rows:
                found[spot] = rows[0]
        return found

    def put_cell(self, kpi: int, spot: Spot, number: int | None, stands: int, content: bytes) -> int:
        """Store a cell, under its id where it has one; return that. ``stands``: how much in it is not over."""
        if number is not None:
            self.connection.execute("UPDATE cell SET stands = ?, content = ? WHERE id = ?", (stands, content, number))
            return number
        day, place = spot.place.day.toordinal(), encode_place(spot.place)
        (made,) = self.connection.execute(
            "INSERT INTO cell (kpi, grain, day, place, stands, content) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (kpi, int(spot.grain), day, place, stands, content),
        ).fetchone()
        return made

    def drop_cells(self, ids: Iterable[int]) -> None:
        rows = [(number,) for number in ids]
        self.connection.executemany("DELETE FROM behind WHERE cell = ?", rows)
        self.connection.executemany("DELETE FROM cell WHERE id = ?", rows)

    def put_behind(self, rows: Iterable[tuple[int, int]]) -> None:
        """Note (cell, case) pairs."""
        self.connection.executemany("INSERT INTO behind (cell, case_id) VALUES (?, ?) ON CONFLICT DO NOTHING", rows)

    def drop_behind(self, rows: Iterable[tuple[int, int]]) -> None:
        self.connection.executemany("DELETE FROM behind WHERE cell = ? AND case_id = ?", rows)

    def put_contributed(self, contributed: Mapping[int, Contributed | None]) -> None:
        """Store what cases contribute; None: nothing."""
        rows = [(case, encode_contributed(each)) for case, each in contributed.items() if each is not None]
        self.connection.executemany(
            "INSERT INTO contributed (case_id, content) VALUES (?, ?)"
            " ON CONFLICT (case_id) DO UPDATE SET content = excluded.content",
            rows,
        )
        gone = [(case,) for case, each in contributed.items() if each is None]
        self.connection.executemany("DELETE FROM contributed WHERE case_id = ?", gone)

    def forget_cases(self, cases: Iterable[int]) -> None:
        """Forget what cases contribute; what is behind which cell by ``drop_behind``."""
        self.connection.execute(
            "DELETE FROM contributed WHERE case_id IN (SELECT value FROM json_each(?))",
            (self.connection.array(cases),),
        )

    def put_remnants(self, remnants: Mapping[int, RemnantRow]) -> None:
        """Store what of cells is of cases that have left, all of it."""
        self.connection.executemany(
            "INSERT INTO remnant (cell, records, stands, content) VALUES (?, ?, ?, ?) ON CONFLICT (cell)"
            " DO UPDATE SET records = excluded.records, stands = excluded.stands, content = excluded.content",
            [(cell, *row) for cell, row in remnants.items()],
        )

    def drop_remnants(self) -> None:
        """Forget what is of cases that have left; the cells themselves stay as they are until all are made anew."""
        self._note_thinned("")
        for table in ("remnant", "tally_left"):
            self.connection.execute(f"DELETE FROM {table}")

    def _note_thinned(self, condition: str, *parameters: int) -> None:
        self.connection.execute(
            f"INSERT INTO thinned (kpi, day) {_DAYS_OF_REMNANTS} WHERE cell.grain = ?{condition}"
            " ON CONFLICT DO NOTHING",
            (int(Grain.DAY), *parameters),
        )

    def put_thinned(self, days: Iterable[tuple[str, int]]) -> None:
        """Note (KPI, day) of which cases have left that no version counts."""
        self.connection.executemany("INSERT INTO thinned (kpi, day) VALUES (?, ?) ON CONFLICT DO NOTHING", days)

    def drop_split_by(self, rows: Iterable[tuple[int, int]]) -> None:
        """Forget (seq of an event, case) pairs."""
        self.connection.executemany("DELETE FROM split_by WHERE seq = ? AND case_id = ?", rows)

    def drop_spans(self, traces: Iterable[bytes]) -> None:
        """Forget the spans of traces."""
        self.connection.executemany("DELETE FROM traced WHERE trace_id = ?", [(each,) for each in traces])

    def put_spans(self, spans: Known) -> None:
        """Keep the spans of traces, all that are known of each."""
        self.connection.executemany(
            "INSERT INTO traced (trace_id, spans) VALUES (?, ?)"
            " ON CONFLICT (trace_id) DO UPDATE SET spans = excluded.spans",
            [(trace_id, _encode_spans(list(some))) for trace_id, some in spans.items()],
        )

    def put_split_by(self, rows: Iterable[tuple[int, int]]) -> None:
        """Note (seq of an event, case) pairs: by its trace latencies of the case are split."""
        self.connection.executemany("INSERT INTO split_by (seq, case_id) VALUES (?, ?) ON CONFLICT DO NOTHING", rows)

    def count(self, rows: Iterable[tuple[int, str, int]], table: Tally = "tally") -> None:
        """Add to tallies by (version, label)."""
        self.connection.executemany(
            f"INSERT INTO {table} (kpi, label, count) VALUES (?, ?, ?)"
            f" ON CONFLICT (kpi, label) DO UPDATE SET count = {table}.count + excluded.count",
            rows,
        )

    def set_position(self, position: Position) -> None:
        self._set_position(CHANGES, position.store, position.seq)

    def set_walked(self, case: int | None) -> None:
        """Note the last case that was looked at; None: all have been, so that every version answers."""
        if case is None:
            self.connection.execute("DELETE FROM position WHERE name = ?", (WALK,))
            self.connection.execute("UPDATE version SET complete = 1")
        else:
            self._set_position(WALK, "", case)

    def _set_position(self, name: str, store: str, value: int) -> None:
        self.connection.execute(
            "INSERT INTO position (name, store, value) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET store = excluded.store, value = excluded.value",
            (name, store, value),
        )

    def add_version(self, kpi: str, version: str, digest: str, since: int, told_as: str) -> VersionRow:
        """Note a version that no case has been looked at for."""
        (number,) = self.connection.execute(
            "INSERT INTO version (kpi, version, digest, since, complete, told_as) VALUES (?, ?, ?, ?, 0, ?)"
            " RETURNING number",
            (kpi, version, digest, since, told_as),
        ).fetchone()
        return VersionRow(number, kpi, version, digest, since, False, told_as)

    def tell_as(self, number: int, told_as: str) -> None:
        """Keep other terms of a version."""
        self.connection.execute("UPDATE version SET told_as = ? WHERE number = ?", (told_as, number))

    def supersede(self, kept: Iterable[int]) -> None:
        """Let no version but some be found by its digest: the others are no longer kept up to date, if they come back.

        They answer until those that take their place do.
        """
        self.connection.execute(
            "UPDATE version SET digest = '' WHERE number NOT IN (SELECT value FROM json_each(?))",
            (self.connection.array(kept),),
        )

    def drop_version(self, number: int) -> None:
        """Forget a version with its cells; what was published of it stays, also of days of which cases have left."""
        self._note_thinned(" AND cell.kpi = ?", number)
        self.connection.execute("DELETE FROM remnant WHERE cell IN (SELECT id FROM cell WHERE kpi = ?)", (number,))
        self.connection.execute("DELETE FROM tally_left WHERE kpi = ?", (number,))
        self.connection.execute("DELETE FROM behind WHERE cell IN (SELECT id FROM cell WHERE kpi = ?)", (number,))
        self.connection.execute("DELETE FROM cell WHERE kpi = ?", (number,))
        self.connection.execute("DELETE FROM tally WHERE kpi = ?", (number,))
        self.connection.execute("DELETE FROM version WHERE number = ?", (number,))

    def touch(self, rows: Iterable[tuple[str, int, str]]) -> None:
        """Note (KPI, day, why) of which something changed; each reason once, in the order in which they came."""
        self.connection.executemany(
            "INSERT INTO touched (kpi, day, why) VALUES (?, ?, ?) ON CONFLICT (kpi, day) DO UPDATE"
            f" SET why = touched.why || '{APART}' || excluded.why"
            " WHERE touched.why NOT LIKE '%' || excluded.why || '%'",
            rows,
        )

    def forget_touched(self, kpi: str, why: str) -> None:
        """Forget the days of a KPI of which something changed for one reason alone."""
        self.connection.execute("DELETE FROM touched WHERE kpi = ? AND why = ?", (kpi, why))

    def take_touched(self, until: int, limit: int, last_of: Callable[[int], int]) -> list[tuple[str, int, str]]:
        """Return some (KPI, day, why) of days up to one, in order, and forget them; all of a month together.

        ``last_of`` gives the last day of the month of a day.
        """
        sql = "SELECT kpi, day, why FROM touched WHERE day <= ? ORDER BY kpi, day LIMIT ?"
        rows = self.connection.execute(sql, (until, limit)).fetchall()
        if len(rows) == limit:
            kpi, last, _ = rows[-1]
            rest = "SELECT kpi, day, why FROM touched WHERE kpi = ? AND day > ? AND day <= ? ORDER BY day"
            rows += self.connection.execute(rest, (kpi, last, min(last_of(last), until))).fetchall()
        self.connection.executemany("DELETE FROM touched WHERE kpi = ? AND day = ?", [(row[0], row[1]) for row in rows])
        return rows

    def publish(self, row: PublishedRow) -> None:
        """Append a figure; its id is given here."""
        marks = ", ".join("?" * (len(row) - 1))
        self.connection.execute(
            f"INSERT INTO published ({', '.join(PublishedRow._fields[1:])}) VALUES ({marks})",
            row._replace(at_least=int(row.at_least))[1:],
        )

    def tell_published_as(self, kpi: str, since: int, told_as: str) -> None:
        """Note how the figures of a KPI are told that were published since an instant, of those of which it is not."""
        self.connection.execute(
            "UPDATE published SET told_as = ? WHERE kpi = ? AND at >= ? AND told_as IS NULL", (told_as, kpi, since)
        )

    def put_latest(self, contents: Mapping[str, bytes]) -> None:
        """Store the readings of now by KPI; those of others go."""
        self.connection.execute("DELETE FROM latest")
        self.connection.executemany("INSERT INTO latest (kpi, content) VALUES (?, ?)", contents.items())

    def begin_anew(self, position: Position) -> None:
        """Forget what cases contribute, to look at all of them.

        What was published stays, spans that were read, and what is of cases that have left: nobody can look at them.
        """
        for table in ("contributed", "behind", "tally", "split_by"):
            self.connection.execute(f"DELETE FROM {table}")
        self.connection.execute("DELETE FROM cell WHERE id NOT IN (SELECT cell FROM remnant)")
        self.connection.execute(
            "UPDATE cell SET stands = (SELECT stands FROM remnant WHERE remnant.cell = cell.id),"
            " content = (SELECT content FROM remnant WHERE remnant.cell = cell.id)"
        )
        self.connection.execute("INSERT INTO tally (kpi, label, count) SELECT kpi, label, count FROM tally_left")
        self.connection.execute("UPDATE version SET complete = 0")
        self.set_position(position)

    def set_meta(self, name: str, value: str) -> None:
        self.connection.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


@contextmanager
def transaction(store: KpiWriter) -> Generator[None]:
    """Change the store of KPIs in one transaction; whatever is raised in it leaves the store as it was."""
    store.begin()
    try:
        yield
        store.commit()
    except BaseException:
        # What was raised may have ended it: a connection that is lost, a disk that is full.
        with suppress(StoreUnavailable, sqlite3.OperationalError):
            store.roll_back()
        raise


def kpi_place(data: Path, url: StoreUrl | None) -> Stand:
    """Return where the KPIs of a data folder stand: beside its lineage store, of whichever generation."""
    return data / FILE_NAME if url is None else Schema(url, SCHEMA)


def open_kpi_writer(path: Path) -> KpiWriter:
    """Open the file for its one writer, made if need be.

    A tail lost with the power is worked off again, so a commit does not wait for the disk. Raises StoreUnavailable
    where it cannot be written, and KpiStoreUnknown where another version of Throughline made it.
    """
    connection = open_writer(path, Durability.NORMAL, _CACHE_MIB)
    try:
        make_kpis(connection, path)
    except BaseException:
        connection.close()
        raise
    return KpiWriter(connection)


def open_kpi_reader(place: Stand, answer_seconds: float | None = None) -> KpiReader:
    """Open the store beside its writer. Raises StoreUnavailable where it is not there yet or cannot be read.

    ``answer_seconds``: how long a server may take for one answer.
    """
    connection = open_reading(place, _READER_CACHE_MIB, answer_seconds)
    try:
        if not connection.has_table("meta"):
            raise StoreUnavailable(f"{place}: figures are being made just now: ask again")
        _check(connection, place)
    except BaseException:
        connection.close()
        raise
    return KpiReader(connection)


def make_kpis(connection: Connection, place: Stand) -> bool:
    """Make the tables and columns that are missing, or none; return whether there was no table.

    Raises KpiStoreUnknown.
    """
    is_made = connection.has_table("meta")
    if is_made:
        _check(connection, place)
        is_whole = all(connection.has_table(each) for each in _ADDED)
        if is_whole and all(connection.has_column(*each) for each in _ADDED_COLUMNS):
            return False
    from kpis.tables import added_column, kpi_schema  # only here, as SQLAlchemy takes a third of a second to load

    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in kpi_schema(connection.dialect):
            connection.execute(statement)
        for table, name in _ADDED_COLUMNS:
            if not connection.has_column(table, name):
                connection.execute(added_column(connection.dialect, table, name))
        if not is_made:
            connection.execute("INSERT INTO meta (name, value) VALUES ('format', ?)", (FORMAT,))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return not is_made


def _check(connection: Connection, place: Stand) -> None:
    row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    if row is None or row[0] != FORMAT:
        seen = "none" if row is None else row[0]
        aside = f"rename the schema {place.name}" if isinstance(place, Schema) else "move the file away"
        raise KpiStoreUnknown(
            f"{place}: seen format {seen}, wanted {FORMAT}: another version of Throughline wrote it; run that one,"
            f" or {aside}, and all but what was published is made anew"
        )


def metrics_left(connection: Connection) -> str | None:
    """Return the metrics that the writer left last; None where it left none."""
    rows = connection.execute("SELECT name, value FROM meta WHERE name IN (?, ?)", (METRICS_ROW, READINGS_ROW))
    left = dict(rows.fetchall())
    return "".join(left.get(row, "") for row in (METRICS_ROW, READINGS_ROW)) or None
