"""Each format is read as the events that it means, the same each time, and what is not kept is counted."""

from __future__ import annotations

import gzip
import json
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.event_logs import clinic, orders
from throughline.core.errors import LastingError
from throughline.exchange.csv_file import Columns
from throughline.exchange.entry import Entry, LogUnreadable, Unread
from throughline.exchange.formats import LogFormat, OpenLog, Reading, likely_format, open_log
from throughline.exchange.log_file import LogFile

CLINIC = Columns(case="patient", activity="handling", time="time")


def opened(path: Path, **reading: Any) -> OpenLog:
    return open_log(LogFile(path), Reading(**reading))


def events(log: OpenLog) -> list[dict[str, Any]]:
    return [json.loads(entry.body) for entry in log.log.entries() if isinstance(entry, Entry)]


def unread(log: OpenLog) -> list[Unread]:
    return [entry for entry in log.log.entries() if isinstance(entry, Unread)]


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def xes(event: str, trace: str = '<string key="concept:name" value="C-1"/>', head: str = "") -> str:
    return f"{head}<log><trace>{trace}<event>{event}</event></trace></log>"


STEP = '<string key="concept:name" value="Pay"/><date key="time:timestamp" value="2026-03-02T10:00:00+01:00"/>'


def test_a_log_is_recognised_by_how_it_begins(tmp_path: Path) -> None:
    log = clinic.rows(2)
    paths = {
        LogFormat.CSV: written(tmp_path / "a", clinic.as_csv(log)),
        LogFormat.XES: written(tmp_path / "b", clinic.as_xes(log)),
        LogFormat.OCEL_JSON: orders.write_json(tmp_path / "c"),
        LogFormat.OCEL_SQLITE: orders.write_sqlite(tmp_path / "d"),
        LogFormat.NDJSON: written(tmp_path / "e", '{"specversion": "1.0", "events": 1}\n'),
    }
    assert {kind: likely_format(LogFile(path)) for kind, path in paths.items()} == {kind: kind for kind in paths}


@pytest.mark.parametrize("text", ["", "[1]", "<log><object-types/></log>"])
def test_what_begins_like_no_log_is_refused_with_what_there_is(tmp_path: Path, text: str) -> None:
    with pytest.raises(LastingError, match=r"ocel|JSON"):
        likely_format(LogFile(written(tmp_path / "a", text)))


def test_a_row_of_csv_is_an_event_of_its_case(tmp_path: Path) -> None:
    log = opened(written(tmp_path / "clinic.csv", clinic.as_csv(clinic.rows(1))), columns=CLINIC, key="patient")
    first = events(log)[0]
    assert first["type"] == "csv.registration"
    assert first["source"] == "/log/clinic"
    assert first["time"] == "2017-01-02T08:17:00Z"
    assert first["data"]["patient"] == "P-1"
    assert first["data"]["activity"] == "Registration"
    assert first["data"].keys() == {"patient", "activity", "employee"}


def test_equal_rows_of_csv_are_two_events_and_the_same_two_each_time(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv", "case;activity;timestamp\n1;Pay;2026-03-02T10:00:00Z\n1;Pay;2026-03-02T10:00:00Z\n"
    )
    first, again = events(opened(path)), events(opened(path))
    assert first == again
    assert len({each["id"] for each in first}) == 2


def test_a_time_without_zone_is_sent_as_it_stands_unless_the_zone_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "case,activity,timestamp\n1,Pay,2026-07-02 10:00:00\n")
    assert [each["time"] for each in events(opened(path))] == ["2026-07-02 10:00:00"]
    assert [each["time"] for each in events(opened(path, zone="Europe/Berlin"))] == ["2026-07-02T08:00:00Z"]
    with pytest.raises(LastingError, match="wanted a time zone"):
        opened(path, zone="Europe/Nowhere")


def test_a_row_of_another_length_or_without_a_case_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "case,activity,timestamp\n1,Pay\n ,Pay,2026-03-02T10:00:00Z\n")
    assert [(each.place, each.reason) for each in unread(opened(path))] == [
        ("line 2", "no_event"),
        ("line 3", "no_event"),
    ]


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "id,what,at\n")
    with pytest.raises(LastingError, match=r"--case-column: seen 'case'.*wanted .*'what'"):
        opened(path)


def test_rows_for_a_mapping_are_objects_of_texts(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "sheet,hours,note\nTS-1,7.50,\n")
    assert events(opened(path, mapping="sheets")) == [{"sheet": "TS-1", "hours": "7.50"}]


def test_a_trace_of_xes_is_a_case_and_its_attributes_stand_on_its_events(tmp_path: Path) -> None:
    trace = '<string key="concept:name" value="C-1"/><string key="channel" value="web"/>'
    event = STEP + '<float key="cost" value="12.50"/><boolean key="urgent" value="true"/><int key="amount" value="3"/>'
    (found,) = events(opened(written(tmp_path / "a.xes", xes(event, trace))))
    assert (found["type"], found["time"]) == ("xes.pay", "2026-03-02T09:00:00Z")
    assert found["data"] == {
        "case": "C-1", "activity": "Pay", "case_channel": "web", "cost": 12.5, "urgent": True, "xes_amount": 3
    }  # fmt: skip
    assert b"12.50" in next(
        entry.body for entry in opened(tmp_path / "a.xes").log.entries() if isinstance(entry, Entry)
    )


def test_a_transition_other_than_complete_is_a_type_of_its_own(tmp_path: Path) -> None:
    event = STEP + '<string key="lifecycle:transition" value="start"/>'
    (found,) = events(opened(written(tmp_path / "a.xes", xes(event))))
    assert found["type"] == "xes.pay.start"


def test_equal_events_of_a_trace_are_told_apart_wherever_the_trace_stands(tmp_path: Path) -> None:
    trace = f'<trace><string key="concept:name" value="C-1"/><event>{STEP}</event><event>{STEP}</event></trace>'
    other = trace.replace("C-1", "C-2")
    alone = events(opened(written(tmp_path / "a.xes", f"<log>{trace}</log>")))
    behind = events(opened(written(tmp_path / "b.xes", f"<log>{other}{trace}</log>")))
    assert len({each["id"] for each in alone}) == 2
    assert [each["id"] for each in behind[2:]] == [each["id"] for each in alone]


def test_a_name_of_a_trace_counts_also_behind_its_events(tmp_path: Path) -> None:
    text = f'<log><trace><event>{STEP}</event><string key="concept:name" value="C-7"/></trace></log>'
    (found,) = events(opened(written(tmp_path / "a.xes", text)))
    assert found["data"]["case"] == "C-7"


def test_an_event_of_xes_without_a_case_or_activity_is_told(tmp_path: Path) -> None:
    assert [each.place for each in unread(opened(written(tmp_path / "a.xes", xes(STEP, trace=""))))] == [
        "trace 1 event 1"
    ]
    assert "concept:name" in unread(opened(written(tmp_path / "b.xes", xes(""))))[0].sentence


def test_what_of_xes_has_no_place_is_counted(tmp_path: Path) -> None:
    event = STEP + '<string key="a" value="1"><string key="b" value="2"/></string><list key="l"><values/></list>'
    log = opened(written(tmp_path / "a.xes", xes(event)))
    events(log)
    assert {what: each.count for what, each in log.left.counts.items()} == {
        "attributes inside attributes": 2,
        "lists and containers": 1,
    }


def test_a_document_type_is_refused_so_that_entities_stand_for_nothing(tmp_path: Path) -> None:
    head = '<?xml version="1.0"?><!DOCTYPE log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    event = '<string key="concept:name" value="&b;"/>'
    with pytest.raises(LogUnreadable, match="DOCTYPE"):
        events(opened(written(tmp_path / "a.xes", xes(event, head=head))))


@pytest.mark.parametrize("text", ["<log><trace></log>", "<html/>", "<log><trace>"])
def test_broken_xml_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(LogUnreadable):
        events(opened(written(tmp_path / "a.xes", text), format="xes"))


def test_every_format_is_read_under_gzip_too_and_one_cut_short_is_told(tmp_path: Path) -> None:
    plain = written(tmp_path / "a.xes", clinic.as_xes(clinic.rows(30)))
    zipped = tmp_path / "a.xes.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert events(opened(zipped)) == events(opened(plain))
    zipped.write_bytes(zipped.read_bytes()[:-40])
    with pytest.raises(LogUnreadable, match="compressed"):
        events(opened(zipped))


def test_ocel_in_json_and_in_sqlite_give_the_same_events(tmp_path: Path) -> None:
    as_json = opened(orders.write_json(tmp_path / "orders.json"))
    as_tables = opened(orders.write_sqlite(tmp_path / "orders.sqlite"))
    assert events(as_json) == events(as_tables)
    for log in (as_json, as_tables):
        assert {what: each.count for what, each in log.left.counts.items()} == {
            "attributes and relations of objects without events": 1,
            "relations to objects that are not there": 1,
        }


def test_a_table_of_objects_needs_no_more_than_their_ids(tmp_path: Path) -> None:
    path = orders.write_sqlite(tmp_path / "orders.sqlite")
    whole = events(opened(path))
    with closing(sqlite3.connect(path)) as database:
        database.executescript("DROP TABLE object_Item; CREATE TABLE object_Item (ocel_id TEXT)")
    assert events(opened(path)) == whole


def test_objects_of_ocel_become_keys_and_what_is_said_of_them_events(tmp_path: Path) -> None:
    found = {each["id"]: each for each in events(opened(orders.write_json(tmp_path / "orders.json")))}
    created = found["e1"]
    assert created["type"] == "ocel.create_purchase_order"
    assert created["data"] == {
        "activity": "Create Purchase Order",
        "ocel_amount": 3,
        "purchase_order": "O-1",
        "purchase_order_qualifiers": "order",
        "item": ["I-1", "I-2"],
        "item_qualifiers": ["first item", "other item"],
    }
    described = found["object:Purchase Order:O-1"]
    assert (described["type"], described["time"]) == ("ocel.purchase_order.described", "2026-03-02T09:00:00Z")
    assert described["data"] == {
        "purchase_order": "O-1",
        "price": 12.5,
        "relations": [
            {"from": {"purchase_order": "O-1"}, "to": {"item": item}, "qualifier": "comprises"}
            for item in ("I-1", "I-2")
        ],
    }
    changed = found["object:Purchase Order:O-1@2026-03-03T10:00:00Z"]
    assert (changed["type"], changed["data"]["price"]) == ("ocel.purchase_order.changed", 13.25)
    assert set(found) == {"e1", "e2", described["id"], changed["id"]}


def test_lines_that_are_no_event_are_told_and_the_others_sent_as_they_stand(tmp_path: Path) -> None:
    line = '{"specversion": "1.0",  "type": "a.b"}'
    log = opened(written(tmp_path / "a", f"{line}\n\nnothing\n{line}\n"), format="ndjson")
    assert [entry.body.decode() for entry in log.log.entries() if isinstance(entry, Entry)] == [line, line]
    assert [each.place for each in unread(log)] == ["line 3"]


def test_memory_stays_flat_over_a_large_log(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xes", clinic.as_xes(clinic.rows(4_000)))
    assert path.stat().st_size > 4_000_000
    log = opened(path)
    tracemalloc.start()
    try:
        count = sum(1 for _ in log.log.entries())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count > 15_000
    assert most < 3_000_000
