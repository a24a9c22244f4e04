"""Logs of other tools through a running serve: what comes in becomes the right cases, what goes out is all of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

from tests.event_logs import clinic, ocel_reader, orders
from tests.service.serving import Serving, command, event, run, serving, until

pytestmark = pytest.mark.serial

CLOCK = "2026-03-20T09:00:00Z"
AS_CSV = ("--key", "patient", "--case-column", "patient", "--activity-column", "handling", "--time-column", "time")
DE = {"legal_entity": "DE01", "region": "EMEA"}
US = {"legal_entity": "US01"}
TRACED = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "causationid": "s1",
    "sequence": "7",
}
NUMBERS = (
    b'{"rate": 150.50, "factor": 1E+3, "serial": 123456789012345678901234567890, "billable": true, "tags": ["a", null]}'
)
STORY = [
    event("s1", "time.submitted", "2026-03-02T09:00:00Z", time_entry="TE-1", amount="1125.00", currency="EUR", **DE)
    | {"correlationid": "run-1", "bamtxid": "tx-9", "subject": "TE-1", "recordedtime": "2026-03-02T09:00:01.5Z"},
    event("p1", "time.posted", "2026-03-02T11:00:00Z", "/erp", time_entry="TE-1", erp_document="D-1", **DE) | TRACED,
    event(
        "r1", "billing.released", "2026-03-03T09:00:00Z", "/erp", time_entry=["TE-1", "TE-2"], billing_event="B-1",
        amounts={"TE-1": "1125.00", "TE-2": "80.50"}, currency="EUR", **DE,
    ),
    event(
        "i1", "invoice.issued", "2026-03-03T10:00:00Z", "/erp", billing_event="B-1", customer="n/a",
        relations=[
            {"from": {"invoice": "INV-1", "scope": US}, "to": {"billing_event": "B-1"}, "qualifier": "bills"},
        ],
    ),
    event("f1", "time.posted", "2026-03-02T11:00:00Z", "/erp", time_entry="TE-2", outcome="failure",
          error={"category": "timeout", "message": "no answer", "retryable": True, "attempt": 2}),
    event("probe", "time.submitted", "2026-03-02T11:00:00Z", time_entry="TE-3", synthetic=True),
    event("own", "desk.opened", "2026-03-02T12:00:00Z", "/desk a#b", desk="7"),
    event("hb", "source.heartbeat", "2026-03-04T09:00:00Z", "/erp", until="2026-03-04T09:00:00Z"),
]  # fmt: skip


@pytest.fixture
def clinic_definitions(tmp_path: Path) -> Path:
    folder = tmp_path / "definitions"
    (folder / "processes").mkdir(parents=True)
    (folder / "processes" / "patient.yaml").write_text(clinic.PROCESS)
    (folder / "keys.yaml").write_text(clinic.KEYS)
    return folder


def names_of_cases(serve: Serving) -> Iterator[tuple[str, str]]:
    cursor: dict[str, str] = {}
    while True:
        page = serve.get("/api/v1/cases", limit=1000, **cursor).json
        yield from ((each["process"], each["name"]) for each in page["cases"])
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def documents(serve: Serving) -> dict[tuple[str, str], str]:
    """Return every case as the bytes that the API answers, as text."""
    return {
        (process, name): serve.get(f"/api/v1/cases/{process}/{quote(name, safe='')}").text
        for process, name in names_of_cases(serve)
    }


def imported(serve: Serving, path: Path, *options: str) -> dict[str, Any]:
    done = run("import", str(path), "--data", str(serve.data), "--json", *options)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    serve.folded(said["position"])
    return said


def exported(serve: Serving, path: Path, form: str, *options: str) -> Path:
    done = run("export", str(path), "--format", form, "--data", str(serve.data), *options)
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize("form", ["csv", "xes"])
def test_a_log_becomes_cases_that_agree_with_a_computation_from_its_rows(
    tmp_path: Path, clinic_definitions: Path, form: str
) -> None:
    log = clinic.rows(40)
    path = tmp_path / f"clinic.{form}"
    path.write_text(clinic.as_csv(log) if form == "csv" else clinic.as_xes(log))
    wanted: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in log:
        wanted[row.patient][clinic.STEPS[row.activity]].append(row.time.isoformat().replace("+00:00", "Z"))
    options = AS_CSV if form == "csv" else ("--key", "patient")
    with serving(tmp_path / "data", "--definitions", str(clinic_definitions)) as serve:
        said = imported(serve, path, *options)
        assert (said["read"], said["accepted"], said["duplicates"]) == (len(log), len(log), 0)
        again = imported(serve, path, *options)
        assert again["duplicates"] == len(log)
        assert serve.get("/api/v1/status").json["counts"]["events"] == len(log)
        shown = {name: json.loads(text) for (process, name), text in documents(serve).items() if process == "patient"}
    assert shown.keys() == wanted.keys()
    for patient, document in shown.items():
        steps = [step for found in document["rounds"] for step in found["steps"] if step["event_ids"]]
        seen = {step["step"]: (step["first"], step["last"], len(step["event_ids"])) for step in steps}
        assert seen == {step: (min(times), max(times), len(times)) for step, times in wanted[patient].items()}
        assert document["state"] == ("done" if "checked_out" in wanted[patient] else "open")


def test_an_import_that_is_killed_and_a_collector_that_is_killed_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, clinic_definitions: Path
) -> None:
    log = clinic.rows(6_000)
    path = tmp_path / "clinic.csv"
    path.write_text(clinic.as_csv(log))
    with serving(tmp_path / "data", "--definitions", str(clinic_definitions)) as serve:
        notes = serve.data / "imports"
        typed = command("import", str(path), "--data", str(serve.data), "--json", *AS_CSV)
        with subprocess.Popen(typed, stdout=subprocess.DEVNULL) as first:
            until(lambda: any(notes.glob("*.json")), "the first note")
            serve.kill("collector")
            os.kill(first.pid, signal.SIGKILL)
        (note,) = notes.glob("*.json")
        assert 0 < json.loads(note.read_text())["read"] < len(log)
        said = imported(serve, path, *AS_CSV)
        assert said["read"] == len(log)
        assert said["accepted"] == len(log)
        assert list(notes.iterdir()) == []
        counts = serve.get("/api/v1/status").json["counts"]
        assert counts["events"] == len(log)
        assert sum(counts["cases"].values()) == 6_000


def test_events_that_are_exported_and_imported_elsewhere_give_the_same_cases_to_the_byte(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text(CLOCK)
    with serving(tmp_path / "one", "--clock", str(clock)) as serve:
        serve.send(*STORY)
        numbers = json.dumps(event("n1", "time.approved", "2026-03-02T10:00:00Z", time_entry="TE-1")).encode()
        body = b"[" + numbers.replace(b'"data": {', b'"data": {' + NUMBERS[1:-1] + b", ") + b"]"
        position = send_bytes(serve, body)
        other = send_bytes(serve, json.dumps([{**STORY[0], "data": {"time_entry": "TE-8"}}]).encode())
        serve.folded(position)
        serve.folded(other)
        before = documents(serve)
        path = exported(serve, tmp_path / "events.ndjson", "ndjson")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {(each["source"], each["id"]) for each in lines} == {(e["source"], e["id"]) for e in STORY} | {
        ("/psa", "n1")
    }
    assert b'"serial":123456789012345678901234567890' in path.read_bytes()
    assert b'"rate":150.50' in path.read_bytes()
    with serving(tmp_path / "two", "--clock", str(clock)) as serve:
        imported(serve, path)
        after = documents(serve)
        again = exported(serve, tmp_path / "again.ndjson", "ndjson")
    assert sorted(again.read_bytes().splitlines()) == sorted(path.read_bytes().splitlines())
    assert before.keys() == after.keys()
    for name, text in before.items():
        document = json.loads(text)
        for member in document["members"]:
            member["other_contents"] = []  # what does not count is not exported
        assert json.loads(after[name]) == document, name
        if all(not member["other_contents"] for member in json.loads(text)["members"]):
            assert after[name] == text


def send_bytes(serve: Serving, body: bytes) -> str:
    """Send a batch byte for byte, and return its position."""
    path = serve.data.parent / "batch.json"
    path.write_bytes(body)
    sent = subprocess.run(
        ["curl", "-s", f"http://{serve.addresses['http']}/v1/events", "-H",
         "content-type: application/cloudevents-batch+json", "--data-binary", f"@{path}"],
        capture_output=True, check=True,
    )  # fmt: skip
    return json.loads(sent.stdout)["position"]


def test_an_ocel_export_has_the_events_objects_and_relations_that_were_sent(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        serve.folded(serve.send(*STORY))
        as_json = exported(serve, tmp_path / "log.json", "ocel-json")
        first = as_json.read_bytes()
        exported(serve, as_json, "ocel-json")
        tables = exported(serve, tmp_path / "log.sqlite", "ocel-sqlite")
    assert as_json.read_bytes() == first
    Draft202012Validator(ocel_reader.SCHEMA).validate(json.loads(first))
    read, also = ocel_reader.read_json(as_json), ocel_reader.read_sqlite(tables)
    assert {k: v[:2] for k, v in read.events.items()} == {k: v[:2] for k, v in also.events.items()}
    assert (read.objects, read.event_object, read.object_object) == (
        also.objects,
        also.event_object,
        also.object_object,
    )
    names = {(e["source"], e["id"]): f"{e['source'].replace(' ', '%20')} {e['id']}" for e in STORY}
    assert {identity: kind for identity, (kind, _, _) in read.events.items()} == {
        names[e["source"], e["id"]]: e["type"] for e in STORY
    }
    assert read.events["/psa s1"][1] == "2026-03-02T09:00:00.000000Z"
    assert read.events["/psa s1"][2]["amount"] == "1125.00"
    assert read.events["/erp f1"][2]["error_category"] == "timeout"
    assert read.events["/erp i1"][2]["customer"] == "n/a"  # a placeholder is no key
    assert read.events["/psa probe"][2]["synthetic"] is True
    te1, te2, te3 = (f"time_entry=TE-{number}" for number in (1, 2, 3))
    document, released, invoice = "erp_document=D-1", "billing_event=B-1", "invoice=INV-1;legal_entity=US01"
    runs = ("correlation_id=run-1", "correlation_id=tx-9")
    assert read.objects[invoice] == ("invoice", {"value": "INV-1", "legal_entity": "US01"})
    assert read.objects.keys() == {te1, te2, te3, document, released, invoice, *runs}
    assert read.event_object == {
        ("/psa s1", te1, "name"), *(("/psa s1", each, "carrier") for each in runs),
        ("/erp p1", te1, "name"), ("/erp p1", document, "alias"),
        ("/erp r1", te1, "name"), ("/erp r1", te2, "name"), ("/erp r1", released, "carrier"),
        ("/erp i1", released, "carrier"), ("/erp i1", invoice, "name"),
        ("/erp f1", te2, "name"), ("/psa probe", te3, "name"),
    }  # fmt: skip
    assert {each for each in read.object_object if each[2] in ("tie", "hold", "pass", "bills")} == {
        *((te1, each, "hold") for each in runs),
        (te1, document, "tie"), (te1, released, "hold"), (te2, released, "hold"),
        (released, invoice, "pass"), (invoice, released, "bills"),
    }  # fmt: skip


def test_an_export_may_be_of_one_process_and_of_some_time(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        serve.folded(serve.send(*STORY))
        path = exported(
            serve, tmp_path / "some.ndjson", "ndjson", "--process", "time-to-bill", "--since", "2026-03-02T11:00:00Z",
            "--until", "2026-03-03T10:00:00Z",
        )  # fmt: skip
        refused = run("export", str(tmp_path / "x"), "--process", "nothing", "--data", str(serve.data))
        unknown = run("export", str(tmp_path / "x"), "--format", "xml", "--data", str(serve.data))
    assert {json.loads(line)["id"] for line in path.read_text().splitlines()} == {"p1", "r1", "f1", "probe"}
    assert refused.returncode == 1
    assert "wanted one of" in refused.stderr
    assert "ocel-sqlite" in unknown.stderr
    assert not (tmp_path / "x").exists()


def test_an_object_centric_log_comes_in_with_its_relations(tmp_path: Path) -> None:
    folder = tmp_path / "definitions" / "processes"
    folder.mkdir(parents=True)
    (folder.parent / "keys.yaml").write_text("keys:\n  purchase_order: {}\n  item: {}\n")
    (folder / "order.yaml").write_text(
        "process: order\ntitle: An order\nkeys: {name: item, carriers: [purchase_order]}\n"
        "links: [ocel.purchase_order.described]\nsteps:\n"
        "  - {step: created, kind: initial, types: [ocel.create_purchase_order], system: erp}\n"
        "  - {step: shipped, kind: terminal, types: [ocel.ship]}\n"
    )
    path = orders.write_sqlite(tmp_path / "orders.sqlite")
    with serving(tmp_path / "data", "--definitions", str(folder.parent)) as serve:
        said = imported(serve, path)
        assert said["accepted"] == 4
        assert said["not_kept"]["relations to objects that are not there"]["count"] == 1
        assert said["names"]["keys"] == {"Purchase Order": "purchase_order", "item": "item"}
        shown = {name: json.loads(text) for (process, name), text in documents(serve).items() if process == "order"}
    assert {name: document["state"] for name, document in shown.items()} == {"I-1": "done", "I-2": "open"}
    assert [key["value"] for key in shown["I-2"]["keys"]["carriers"]] == ["O-1"]


def test_what_the_door_sets_aside_is_said_with_its_place_and_kept_in_the_quarantine(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("case,activity,timestamp\n1,Pay,2026-03-02 10:00:00\n2,Pay,2026-03-02T10:00:00Z\n")
    with serving(tmp_path / "data") as serve:
        done = run("import", str(path), "--data", str(serve.data))
        assert done.returncode == 0, done.stderr
        assert "2 read, 1 accepted" in done.stdout
        assert "1 bad_time: line 2: time: seen '2026-03-02 10:00:00'" in done.stdout
        assert "--zone UTC" in done.stdout
        assert [each["reason"] for each in serve.get("/api/v1/quarantine").json["entries"]] == ["bad_time"]
        assert imported(serve, path, "--zone", "UTC")["accepted"] == 2


def test_a_dry_run_says_the_names_and_needs_no_serve(tmp_path: Path) -> None:
    path = tmp_path / "clinic.xes"
    path.write_text(clinic.as_xes(clinic.rows(3)))
    done = run("import", str(path), "--dry-run", "--key", "patient", "--url", "http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "xes.triage_and_assessment" in done.stdout
    assert "key patient" in done.stdout
