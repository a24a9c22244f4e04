"""Whatever a file holds that is said to be a log, its entries are read, told as unread, or the log is unreadable."""

from __future__ import annotations

import gzip
import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.event_logs import clinic, orders
from tests.hostile.mutations import mutated
from throughline.core.errors import LastingError
from throughline.exchange.csv_file import Columns
from throughline.exchange.entry import Entry, Unread
from throughline.exchange.formats import LogFormat, Reading, open_log
from throughline.exchange.log_file import LogFile

EXAMPLES = 150
BUSY = [HealthCheck.too_slow]  # a machine may be
LOG = clinic.rows(2)
CLINIC = Columns(case="patient", activity="handling", time="time")


def _seeds() -> dict[LogFormat, list[bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        ocel = orders.write_json(Path(folder) / "o.json").read_bytes()
        database = orders.write_sqlite(Path(folder) / "o.db").read_bytes()
    line = b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "a.b", "time": "2025-11-02T16:04:11Z"}\n'
    return {
        LogFormat.CSV: [clinic.as_csv(LOG).encode()],
        LogFormat.XES: [clinic.as_xes(LOG).encode()],
        LogFormat.OCEL_JSON: [ocel],
        LogFormat.OCEL_SQLITE: [database],
        LogFormat.NDJSON: [line * 3],
    }


SEEDS = _seeds()


def read_all(path: Path, format: LogFormat | None) -> int:
    """Read a log to its end, however it is; return how many entries there were."""
    columns = CLINIC if format is LogFormat.CSV else Columns()
    count = 0
    try:
        for entry in open_log(LogFile(path), Reading(format=format, columns=columns)).log.entries():
            count += 1
            if isinstance(entry, Entry):
                assert isinstance(json.loads(entry.body), dict)
            else:
                assert isinstance(entry, Unread)
                assert entry.sentence
    except LastingError as error:
        assert str(error)  # noqa: PT017 - most of these are no logs
    return count


@pytest.mark.parametrize("format", LogFormat)
def test_an_unchanged_log_is_read(tmp_path: Path, format: LogFormat) -> None:
    path = tmp_path / "log"
    path.write_bytes(SEEDS[format][0])
    assert read_all(path, format) >= 2


@pytest.mark.parametrize("format", LogFormat)
@given(data=st.data())
@settings(max_examples=EXAMPLES, suppress_health_check=BUSY)
def test_a_changed_log_is_read_as_far_as_it_goes(format: LogFormat, data: st.DataObject) -> None:
    content = data.draw(mutated(SEEDS[format]))
    said = data.draw(st.sampled_from([format, None]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(data.draw(st.sampled_from([bytes, gzip.compress]))(content))
        read_all(path, said)


HOSTILE = {
    "an entity of entities": (LogFormat.XES, '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><log>&d;</log>'),
    "deep lists": (LogFormat.XES, "<log><trace>" + '<list key="a">' * 50_000),
    "a long text": (LogFormat.XES, f'<log><trace><string key="concept:name" value="{"x" * 2_000_000}"/>'),
    "deep JSON": (LogFormat.OCEL_JSON, '{"objectTypes": ' + "[" * 100_000),
    "objects of no type": (LogFormat.OCEL_JSON, '{"objectTypes": 7, "eventTypes": {}, "objects": "x", "events": [1]}'),
    "deep lines": (LogFormat.NDJSON, "[" * 100_000 + "\n{}\n"),
    "a line of megabytes": (LogFormat.NDJSON, '"' + "x" * 5_000_000),
    "numbers beyond all bounds": (LogFormat.NDJSON, '{"data": 1e999999999}\n{"data": %s}\n' % ("9" * 10_000)),
    "a quote that never ends": (LogFormat.CSV, 'patient,handling,time\n"' + "x" * 500_000),
    "commas": (LogFormat.CSV, "patient,handling,time\n" + "," * 500_000),
    "NULs": (LogFormat.CSV, "patient,handling,time\n" + "\0" * 1_000),
    "columns of one name": (LogFormat.CSV, "patient,patient,handling,time\na,b,c,2025-11-02T16:04:11Z\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_log_that_means_harm_does_none(tmp_path: Path, name: str) -> None:
    format, content = HOSTILE[name]
    path = tmp_path / "log"
    path.write_text(content)
    read_all(path, format)


def test_a_database_of_other_tables_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE event (ocel_id, ocel_type)")
        database.execute("INSERT INTO event VALUES (x'ff', 7)")
        database.commit()
    assert read_all(path, LogFormat.OCEL_SQLITE) == 0
