"""The formats of logs: which one a file is in, and its reader."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from throughline.core.errors import LastingError
from throughline.exchange.csv_file import CASE, Columns, CsvLog, MappedRows
from throughline.exchange.entry import Log, Tally
from throughline.exchange.log_file import SQLITE, LogFile
from throughline.exchange.names import Names, read_names
from throughline.exchange.ndjson import NdjsonLog
from throughline.exchange.ocel import OcelLog
from throughline.exchange.ocel_json import OcelJson
from throughline.exchange.ocel_sqlite import OcelSqlite
from throughline.exchange.times import read_zone
from throughline.exchange.xes import XesLog

_OCEL_MEMBERS = (b'"objectTypes"', b'"eventTypes"', b'"objects"', b'"events"')


class LogFormat(StrEnum):
    """What a log is written in."""

    NDJSON = "ndjson"
    OCEL_JSON = "ocel-json"
    OCEL_SQLITE = "ocel-sqlite"
    XES = "xes"
    CSV = "csv"


class Reading(NamedTuple):
    """How a log is to be read, as the options of ``throughline import`` say; None where an option is not given.

    ``history``: what is older than what is kept is wanted all the same.
    """

    format: str | None = None
    source: str | None = None
    type_prefix: str | None = None
    key: str | None = None
    names: Path | None = None
    zone: str | None = None
    mapping: str | None = None
    columns: Columns = Columns()
    history: bool = False


class OpenLog(NamedTuple):
    """A log to be read, and what is known of it while it is."""

    format: LogFormat
    log: Log
    names: Names
    left: Tally


def open_log(file: LogFile, reading: Reading) -> OpenLog:
    """Return the reader of a log. Raises LastingError where its format, a name or a column is not to be had."""
    kind = _format(file, reading)
    prefix = reading.type_prefix or ("ocel" if kind in (LogFormat.OCEL_JSON, LogFormat.OCEL_SQLITE) else kind.value)
    names, left = Names(prefix, read_names(reading.names)), Tally()
    source = reading.source or f"/log/{quote(file.name, safe='')}"
    zone, key = read_zone(reading.zone), reading.key or CASE
    match kind:
        case LogFormat.NDJSON:
            log: Log = NdjsonLog(file)
        case LogFormat.XES:
            log = XesLog(file, names, source, zone, key, left)
        case LogFormat.OCEL_JSON:
            log = OcelLog(OcelJson(file), names, source, zone, left)
        case LogFormat.OCEL_SQLITE:
            if file.is_zipped:
                raise LastingError(f"{file.path}: a database is read where it lies: decompress it first with gunzip")
            log = OcelLog(OcelSqlite(file.path), names, source, zone, left)
        case LogFormat.CSV if reading.mapping is not None:
            log = MappedRows(file)
        case LogFormat.CSV:
            log = CsvLog(file, reading.columns, names, source, zone, key)
    return OpenLog(kind, log, names, left)


def _format(file: LogFile, reading: Reading) -> LogFormat:
    kind = _named(reading.format) if reading.format not in (None, "auto") else likely_format(file)
    if reading.mapping is not None and kind is not LogFormat.CSV:
        raise LastingError(f"--mapping is for rows of CSV, and {file.path} is {kind.value}: leave it out")
    return kind


def _named(name: str | None) -> LogFormat:
    try:
        return LogFormat(name or "")
    except ValueError:
        known = ", ".join(("auto", *LogFormat))
        raise LastingError(f"--format: seen {name!r}, wanted one of {known}") from None


def likely_format(file: LogFile) -> LogFormat:
    """Tell the format by how a file begins. Raises LastingError where it begins like none."""
    head = file.head()
    start = head.lstrip()
    if head.startswith(SQLITE):
        return LogFormat.OCEL_SQLITE
    if start.startswith(b"<"):
        if b"<object-types" in head or b"<event-types" in head:
            raise LastingError(f"{file.path} is OCEL in XML, which is not read: have it as JSON or SQLite")
        return LogFormat.XES
    if start.startswith(b"{"):
        first = start.partition(b"\n")[0]
        return LogFormat.NDJSON if b'"specversion"' in first or not _is_ocel(head) else LogFormat.OCEL_JSON
    if start.startswith(b"[") or not start:
        seen = "a JSON array" if start else "an empty file"
        known = ", ".join(LogFormat)
        raise LastingError(f"{file.path}: seen {seen}, wanted a log: {known}")
    return LogFormat.CSV


def _is_ocel(head: bytes) -> bool:
    return any(member in head for member in _OCEL_MEMBERS)
