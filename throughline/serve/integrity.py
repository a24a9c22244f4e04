"""Whether the files of a data folder are as they were written: their pages, and every value that is packed in them.

Of a store in a database: the values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kpis.store import FILE_NAME as KPIS_FILE
from kpis.store import kpi_place
from lineage.generations import STORE_FILE, store_path, store_place
from lineage.places import is_there, open_reading
from lineage.seen import lost_events
from lineage.texts import lost_texts
from throughline.core.database import failures_named, open_reader
from throughline.core.decisions import FILE_NAME as DECISIONS_FILE
from throughline.core.errors import StoreDamaged, StoreUnavailable
from throughline.core.journal import JOURNAL_FILE, decompress
from throughline.core.store_url import Schema, StoreUrl

MOST_FAULTS = 20

_plain = msgspec.msgpack.Decoder().decode


def _deflated(blob: bytes) -> Any:
    return _plain(decompress(blob))


class _Packed(NamedTuple):
    """A column of packed values: its table, what names a row, the column, and what unpacks a value."""

    table: str
    row: str
    column: str
    unpack: Callable[[bytes], Any]

    @property
    def sql(self) -> str:
        return f"SELECT {self.row}, {self.column} FROM {self.table} WHERE {self.column} IS NOT NULL"


class Verdict(NamedTuple):
    """What was found of one file: its bytes, how many packed values were read, and faults, MOST_FAULTS at most."""

    file: str
    bytes: int
    values: int
    faults: list[str]


_PACKED: Mapping[str, tuple[_Packed, ...]] = {
    KPIS_FILE: (
        _Packed("contributed", "case_id", "content", _deflated),
        _Packed("traced", "trace_id", "spans", _plain),
    ),
    STORE_FILE: (
        _Packed("block", "first", "content", _deflated),
        _Packed("cases", "id", "facts", _plain),
        _Packed("posted", "seq", "fact", _plain),
        _Packed("other_content", "digest", "event", _plain),
        _Packed("trace", "trace_id", "spans", _plain),
        _Packed("kept_span", "trace_id", "spans", _plain),
        _Packed("statement", "number", "content", _plain),
    ),
    DECISIONS_FILE: (_Packed("statement", "number", "body", _plain),),
    JOURNAL_FILE: (
        *(_Packed("record", "id", column, _deflated) for column in ("events", "spans", "logs", "raw")),
        _Packed("quarantine", "id", "body", decompress),
    ),
}


def verify(data: Path, tell: Callable[[str], None], url: StoreUrl | None = None) -> list[Verdict]:
    """Read every file of a data folder whole, beside a serve that runs or not; ``tell`` is told which one is read.

    ``url``: the database of its store, where that is in one. Raises StoreUnavailable where it cannot be read now.
    """
    found: list[Verdict] = []
    for name, path in files_of(data).items():
        if path.is_file():
            tell(path.name)
            found.append(verify_file(path, name))
    kpis, store = kpi_place(data, url), store_place(data, url)
    if isinstance(kpis, Schema) and is_there(kpis):
        tell(str(kpis))
        found.append(verify_tables(kpis, KPIS_FILE))
    if isinstance(store, Schema):
        tell(str(store))
        found.append(verify_tables(store))
    return found


def files_of(data: Path) -> dict[str, Path]:
    """Return the databases of a data folder, by what each holds."""
    return {
        KPIS_FILE: data / KPIS_FILE,  # before the store that it follows
        STORE_FILE: store_path(data),
        DECISIONS_FILE: data / DECISIONS_FILE,
        JOURNAL_FILE: data / JOURNAL_FILE,
    }


def verify_file(path: Path, name: str) -> Verdict:
    """Read one file whole; ``name`` says which of them it is."""
    values, faults = 0, list[str]()
    try:
        with failures_named(path), closing(open_reader(path)) as connection:
            connection.text_factory = bytes  # of a value that is none any more
            rows = connection.execute(f"PRAGMA integrity_check({MOST_FAULTS})")
            faults += [text.decode("utf-8", "replace") for (text,) in rows if text != b"ok"]
            for packed in _PACKED.get(name, ()):
                if name == KPIS_FILE and not connection.has_table(packed.table):
                    continue  # one that was added since
                for fault in _read(connection.stream(packed.sql), packed):
                    values += 1
                    faults += [fault] if fault and len(faults) < MOST_FAULTS else []
            if name == STORE_FILE and connection.has_table("value_hash"):  # one of an earlier format has an index
                lost = islice(lost_texts(connection), MOST_FAULTS)
                faults += [f"value {number}: its text is not found by its hash" for number in lost]
            if name == STORE_FILE and connection.has_table("counted"):
                gone = islice(lost_events(connection), MOST_FAULTS)
                faults += [f"event {seq}: it is not found by its digest" for seq in gone]
    except StoreUnavailable as error:
        faults.append(str(error.__cause__ or error))
    return Verdict(path.name, path.stat().st_size, values, faults[:MOST_FAULTS])


def verify_tables(place: Schema, name: str = STORE_FILE) -> Verdict:
    """Read all packed values of a schema; its server has means of its own for indexes (pg_amcheck).

    ``name``: the file in which they stand where there is no database.
    """
    values, faults = 0, list[str]()
    with closing(open_reading(place)) as connection:
        for packed in _PACKED[name]:
            connection.execute("BEGIN")
            try:
                for fault in _read(connection.stream(packed.sql), packed):
                    values += 1
                    faults += [fault] if fault else []
            except StoreDamaged as error:  # nothing further of this table can be read
                faults.append(f"{packed.table}: {error.__cause__}")
            finally:
                connection.execute("ROLLBACK")
        size = connection.size()
    return Verdict(place.name, size, values, faults[:MOST_FAULTS])


def _read(rows: Iterator[tuple[Any, ...]], packed: _Packed) -> Iterator[str]:
    """Give for each value of a column what is wrong with it, an empty text where nothing is."""
    for row, blob in rows:
        try:
            packed.unpack(blob)
        except Exception as error:  # of zstandard or msgspec, or of memory that a torn length asks for
            named = row.hex().upper() if isinstance(row, bytes) else row
            yield f"{packed.table} {named}: {packed.column} cannot be read ({error})"
        else:
            yield ""
