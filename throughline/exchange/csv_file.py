"""CSV: rows of case, activity and time become events; with a mapping rows go as they are to its door."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from throughline.core.errors import LastingError
from throughline.exchange.entry import Entry, LogUnreadable, Unread, cloud_event, content_identity
from throughline.exchange.log_file import LogFile
from throughline.exchange.names import ACTIVITY, Names
from throughline.exchange.times import zoned

CASE = "case"
COMPLETE = "complete"
_DELIMITERS = ",;\t|"
_LONGEST_CELL = 1024 * 1024


class Columns(NamedTuple):
    """Which columns say what; ``identity`` and ``transition`` may be missing."""

    case: str = "case"
    activity: str = "activity"
    time: str = "timestamp"
    identity: str | None = None
    transition: str | None = None


class Rows:
    """The rows of a CSV file, each with the number of its line; the delimiter is the likeliest of the first line."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        csv.field_size_limit(_LONGEST_CELL)

    def header(self) -> list[str]:
        """Return the names of the columns. Raises LogUnreadable where the first line is none."""
        return self._columns(_delimiter(self.file.head()))

    def _columns(self, delimiter: str) -> list[str]:
        text = self.file.head().decode("utf-8", "replace")
        try:
            return [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter), list[str]())]
        except csv.Error as error:
            raise LogUnreadable(f"{self.file.path}:1: no CSV in UTF-8 ({error})") from error

    def __iter__(self) -> Iterator[tuple[int, dict[str, str] | Unread]]:
        delimiter = _delimiter(self.file.head())
        with self.file.open() as content:
            lines = codecs.getreader("utf-8-sig")(content)
            reader = csv.reader(lines, delimiter=delimiter)
            try:
                columns = [name.strip() for name in next(reader, list[str]())]
                for cells in reader:
                    if cells:
                        yield reader.line_num, _row(columns, cells, reader.line_num)
            except (csv.Error, UnicodeError) as error:
                raise LogUnreadable(f"{self.file.path}:{reader.line_num + 1}: no CSV in UTF-8 ({error})") from error


def _delimiter(head: bytes) -> str:
    first = head.decode("utf-8", "replace").partition("\n")[0]
    return max(_DELIMITERS, key=first.count)


def _row(columns: list[str], cells: list[str], line: int) -> dict[str, str] | Unread:
    if len(cells) != len(columns):
        sentence = f"seen {len(cells)} cells, wanted {len(columns)} as in the first line"
        return Unread(f"line {line}", "no_event", sentence)
    return dict(zip(columns, cells, strict=True))


class CsvLog:
    """A CSV file whose rows say case, activity and time. Raises LastingError where a column is missing."""

    def __init__(
        self, file: LogFile, columns: Columns, names: Names, source: str, zone: ZoneInfo | None, key: str
    ) -> None:
        self._rows = Rows(file)
        self._columns = columns
        self._names = names
        self._source = source
        self._zone = zone
        self._key = names.key_of(key)
        _want_columns(self._rows.header(), columns, file)

    def entries(self) -> Iterator[Entry | Unread]:
        for line, row in self._rows:
            yield row if isinstance(row, Unread) else self._entry(line, row)

    def done(self) -> float:
        return self._rows.file.done()

    def _entry(self, line: int, row: Mapping[str, str]) -> Entry | Unread:
        columns = self._columns
        place = f"line {line}"
        case, activity = row[columns.case].strip(), row[columns.activity].strip()
        for column, value in ((columns.case, case), (columns.activity, activity)):
            if not value:
                return Unread(place, "no_event", f"{column}: seen nothing, wanted a value in each row")
        transition = row[columns.transition].strip() if columns.transition else ""
        kind = self._names.type_of(activity, "" if transition.lower() == COMPLETE else transition)
        data: dict[str, Any] = {**self._names.add, self._key: case, ACTIVITY: activity}
        own = {columns.case, columns.activity, columns.time, columns.identity}
        data |= {self._names.field_of(name): value for name, value in row.items() if name not in own and value.strip()}
        identity = row[columns.identity] if columns.identity else f"{line}-{content_identity(row)}"
        return Entry(place, cloud_event(self._source, identity, kind, zoned(row[columns.time], self._zone), data), kind)


def _want_columns(header: list[str], columns: Columns, file: LogFile) -> None:
    options = ("--case-column", "--activity-column", "--time-column", "--id-column", "--transition-column")
    missing = [
        f"{option}: seen {name!r}"
        for option, name in zip(options, columns, strict=True)
        if name is not None and name not in header
    ]
    if len(set(header)) < len(header):
        missing.append("two columns of one name")
    if missing:
        wanted = ", ".join(repr(name) for name in header)
        raise LastingError(f"{file.path}: {'; '.join(missing)}; wanted a column of the first line: {wanted}")


class MappedRows:
    """A CSV file whose rows are for a mapping: each a JSON object of texts, empty cells left out."""

    def __init__(self, file: LogFile) -> None:
        self._rows = Rows(file)

    def entries(self) -> Iterator[Entry | Unread]:
        for line, row in self._rows:
            if isinstance(row, Unread):
                yield row
            else:
                filled = {name: value for name, value in row.items() if value}
                yield Entry(f"line {line}", msgspec.json.encode(filled))

    def done(self) -> float:
        return self._rows.file.done()
