"""Questions to a running serve over HTTP, and the same by the commands: documents as published, refusals in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

from tests.service.serving import Serving, call, event, run, serving, until

pytestmark = pytest.mark.serial

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
DE = {"legal_entity": "DE01", "region": "EMEA"}
ODD_NAME = "TE/9 ä?#%2F&x=1"

EVENTS = [
    event("s1", "time.submitted", "2026-03-02T09:00:00Z", time_entry="TE-1", amount="1125.00", currency="EUR", **DE),
    event("a1", "time.approved", "2026-03-02T10:00:00Z", time_entry="TE-1", customer="ACME", **DE),
    event("p1", "time.posted", "2026-03-02T11:00:00Z", "/erp", time_entry="TE-1", erp_document="D-1", **DE),
    event("s2", "time.submitted", "2026-03-02T09:30:00Z", time_entry="TE-2", amount="80.00", currency="EUR", **DE),
    event("r1", "billing.released", "2026-03-03T09:00:00Z", "/erp", erp_document="D-1", billing_event="B-1", **DE),
    event("i1", "invoice.issued", "2026-03-03T10:00:00Z", "/erp", billing_event="B-1", invoice="INV-1", **DE),
    event("i2", "invoice.issued", "2026-03-03T10:00:00Z", "/erp", invoice="INV-1", legal_entity="US01"),
    event("w1", "invoice.paid", "2026-03-04T10:00:00Z", "/erp", invoice="INV-77", **DE),
    event("odd", "time.submitted", "2026-03-02T09:00:00Z", time_entry=ODD_NAME, **DE),
    event("f1", "time.posted", "2026-03-02T11:00:00Z", "/erp", time_entry="TE-2", outcome="failure", **DE)
    | {"traceparent": f"00-{TRACE}-{SPAN}-01"},
    event("prov", "time.posted", "2026-03-02T11:00:00Z", "/erp", erp_document="D-9", **DE),
]
SPANS = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "sync"}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": TRACE,
                            "spanId": SPAN,
                            "name": "POST /documents",
                            "kind": 3,
                            "startTimeUnixNano": "1772449200000000000",
                            "endTimeUnixNano": "1772449201000000000",
                            "status": {"code": 2, "message": "401"},
                        }
                    ]
                }
            ],
        }
    ]
}


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("questions")
    (folder / "clock").write_text("2026-03-05T12:00:00Z")
    with serving(folder / "data", "--clock", str(folder / "clock")) as serve:
        serve.send(*EVENTS)
        answer = call(f"http://{serve.addresses['otlp_http']}/v1/traces", SPANS)
        assert answer.status == 200, answer.text
        serve.folded(answer.headers["throughline-position"])
        yield serve


def record(serve: Serving, **asked: str) -> dict[str, Any]:
    answer = serve.get("/api/v1/records", **asked)
    assert answer.status == 200, answer.text
    (only,) = answer.json["records"]
    return only


@pytest.mark.parametrize(
    ("kind", "value", "scope", "roles"),
    [
        ("time_entry", "TE-1", {}, [("time-to-bill", "TE-1", "name")]),
        # Who released D-1 did not say whether it is a time entry or an expense; in the other process it has no name.
        ("erp_document", "D-1", {}, [("expense-to-bill", "D-1", "alias"), ("time-to-bill", "TE-1", "alias")]),
        ("billing_event", "B-1", {}, [("expense-to-bill", "D-1", "carrier"), ("time-to-bill", "TE-1", "carrier")]),
        ("customer", "ACME", {}, [("time-to-bill", "TE-1", "relation")]),
        (
            "invoice",
            "INV-1",
            {"scope.legal_entity": "DE01"},
            [
                ("invoice-to-cash", "INV-1", "name"),
                ("expense-to-bill", "D-1", "carrier"),
                ("time-to-bill", "TE-1", "carrier"),
            ],
        ),
    ],
)
def test_a_record_is_found_by_any_key_of_any_system(
    serve: Serving, kind: str, value: str, scope: dict[str, str], roles: list[tuple[str, str, str]]
) -> None:
    found = record(serve, type=kind, value=value, **scope)
    assert [(each["case"]["process"], each["case"]["name"], each["role"]) for each in found["cases"]] == roles


def test_a_value_in_several_scopes_is_several_records(serve: Serving) -> None:
    records = serve.get("/api/v1/records", type="invoice", value="INV-1").json["records"]
    assert [each["key"]["scope"] for each in records] == [{"legal_entity": "DE01"}, {"legal_entity": "US01"}]


def test_a_record_tells_why_each_event_belongs_and_what_it_leads_to(serve: Serving) -> None:
    (lineage,) = record(serve, type="time_entry", value="TE-1")["cases"]
    why = {each["event"]["id"]: [link["to"]["value"] for link in each["links"]] for each in lineage["why"]}
    assert why == {"s1": [], "a1": [], "p1": [], "r1": ["D-1"], "i1": ["D-1", "B-1"]}
    leads = {each["key"]["value"]: [ref["process"] for ref in each["cases"]] for each in lineage["related"]}
    assert leads["INV-1"] == ["invoice-to-cash", "expense-to-bill"]
    assert leads["ACME"] == []


def test_a_record_tells_the_spans_of_its_traces(serve: Serving) -> None:
    (lineage,) = record(serve, type="time_entry", value="TE-2")["cases"]
    (trace,) = lineage["traces"]
    assert [(span["name"], span["outcome"], span["message"]) for span in trace["spans"]] == [
        ("POST /documents", "failure", "401")
    ]
    by_trace = record(serve, trace_id=TRACE.upper())
    assert (by_trace["key"], by_trace["trace_id"]) == (None, TRACE)
    assert [each["case"]["name"] for each in by_trace["cases"]] == ["TE-2"]
    page = serve.get(f"/api/v1/traces/{TRACE}").json
    assert page["spans"] == trace["spans"]
    assert [each["event_id"] for each in page["events"]] == ["f1"]
    assert [(ref["process"], ref["name"]) for ref in page["cases"]] == [("time-to-bill", "TE-2")]


def test_what_waits_at_a_value_is_told(serve: Serving) -> None:
    waiting = serve.get("/api/v1/records", type="invoice", value="INV-77").json["records"][0]
    assert [each["role"] for each in waiting["cases"]] == ["name"]  # invoice-to-cash has a case of that name
    assert waiting["waiting"] == {"events": 1, "since": "2026-03-05T12:00:00Z", "orphan": False, "exposure": {}}


def test_an_unknown_value_is_an_empty_list(serve: Serving) -> None:
    assert serve.get("/api/v1/records", type="time_entry", value="TE-404").json == {"records": [], "next": None}


def test_a_case_is_found_by_its_name_whatever_is_in_it(serve: Serving) -> None:
    assert serve.get(f"/api/v1/cases/time-to-bill/{quote(ODD_NAME, safe='')}").json["name"] == ODD_NAME
    assert serve.get("/api/v1/cases/time-to-bill/D-9").json["state"] == "provisional"


def test_a_name_in_several_scopes_is_answered_with_the_candidates(serve: Serving) -> None:
    path = "/api/v1/cases/invoice-to-cash/INV-1"
    answer = serve.get(path)
    assert answer.status == 409
    assert [each["scope"] for each in answer.json["candidates"]] == [{"legal_entity": "DE01"}, {"legal_entity": "US01"}]
    assert serve.get(path, **{"scope.legal_entity": "US01"}).json["scope"] == {"legal_entity": "US01"}


def names(serve: Serving, **asked: str | int) -> list[str]:
    answer = serve.get("/api/v1/cases", **asked)
    assert answer.status == 200, answer.text
    return [each["name"] for each in answer.json["cases"]]


def test_cases_are_listed_by_filters(serve: Serving) -> None:
    assert names(serve, process="time-to-bill") == ["D-9", "TE-1", "TE-2", ODD_NAME]
    assert names(serve, process="time-to-bill", state="provisional") == ["D-9"]
    assert names(serve, state="provisional") == ["D-1", "D-9"]
    assert names(serve, process="time-to-bill", state="done") == ["TE-1"]
    assert names(serve, deviation="failed") == ["TE-2"]
    assert names(serve, deviation="failed", step="posted") == ["TE-2"]
    assert names(serve, deviation="failed", step="approved") == []
    assert names(serve, min_amount="80", currency="EUR") == ["TE-2"]
    assert names(serve, min_amount="80.01") == []
    assert names(serve, max_amount="80.00") == ["TE-2"]
    assert names(serve, currency="USD") == []
    assert names(serve, since="2026-03-04T00:00:00Z") == ["INV-77"]
    assert names(serve, until="2026-03-02T09:00:00.000001Z", process="time-to-bill") == ["TE-1", ODD_NAME]


def test_pages_of_cases_give_each_once(serve: Serving) -> None:
    whole = serve.get("/api/v1/cases").json["cases"]
    found: list[dict[str, Any]] = []
    page = serve.get("/api/v1/cases", limit=2).json
    for _ in whole:
        found += page["cases"]
        if page["next"] is None:
            break
        page = serve.get("/api/v1/cases", limit=2, cursor=page["next"]).json
    assert found == whole
    assert [(each["process"]) for each in whole] == sorted(each["process"] for each in whole)


def test_a_list_shows_the_same_exposure_as_the_document(serve: Serving) -> None:
    for line in serve.get("/api/v1/cases").json["cases"]:
        scope = {f"scope.{name}": value for name, value in line["scope"].items()}
        case = serve.get(f"/api/v1/cases/{line['process']}/{quote(line['name'], safe='')}", **scope).json
        assert (line["exposure"], line["state"]) == (case["exposure"], case["state"])
        assert len(line["deviations"]) == sum(each["open"] for each in case["deviations"])


def set_aside(serve: Serving, number: int) -> None:
    """Send an event that a door sets aside, once by its content."""
    bad = event(f"bad-{number}", "time.submitted", "yesterday", time_entry="TE-1")
    answer = call(f"http://{serve.addresses['http']}/v1/events", bad, {"content-type": "application/cloudevents+json"})
    assert answer.status == 422


def test_what_a_door_set_aside_is_listed_with_its_reason(serve: Serving) -> None:
    for number in range(3):
        set_aside(serve, number)
    until(lambda: len(serve.get("/api/v1/quarantine").json["entries"]) == 3, "three entries")
    first = serve.get("/api/v1/quarantine", limit=2).json
    rest = serve.get("/api/v1/quarantine", limit=2, cursor=first["next"]).json
    assert [each["event_id"] for each in first["entries"] + rest["entries"]] == ["bad-0", "bad-1", "bad-2"]
    assert first["entries"][0]["reason"] == "bad_time"
    assert rest["next"] is None


def test_a_second_content_under_one_id_is_listed_after_the_doors_and_shown_with_the_first(serve: Serving) -> None:
    for amount in ("10.00", "20.00"):
        money = {"amount": amount, "currency": "EUR"}
        serve.folded(serve.send(event("twice", "time.submitted", time_entry="TE-2x", **money)))
    member = serve.get("/api/v1/cases/time-to-bill/TE-2x").json["members"][0]
    (other,) = member["other_contents"]
    assert other["amount"] in {"10.00", "20.00"}  # received in the same instant, the lesser digest stands
    set_aside(serve, 2)  # the test before may run elsewhere
    until(lambda: len(serve.get("/api/v1/quarantine").json["entries"]) > 1, "an entry of a door")
    entries = serve.get("/api/v1/quarantine").json["entries"]
    first = serve.get("/api/v1/quarantine", limit=len(entries) - 1).json
    (last,) = serve.get("/api/v1/quarantine", limit=1, cursor=first["next"]).json["entries"]
    assert last == entries[-1]
    assert (last["event_id"], last["reason"], last["door"]) == ("twice", "other_content", None)


def test_a_statement_takes_effect_once_its_position_is_folded_and_can_be_undone(serve: Serving) -> None:
    path = "/api/v1/cases/time-to-bill/TE-1"
    before = serve.get(path).json
    asked = {
        "verb": "unlink",
        "pair": {"from": {"erp_document": "D-1"}, "to": {"billing_event": "B-1"}},
        "all": True,
        "by": "ana",
        "why": "wrong billing run",
    }
    answer = serve.post("/api/v1/statements", asked)
    assert answer.status == 201, answer.text
    serve.folded(answer.json["position"])
    after = serve.get(path).json
    assert [each["event_id"] for each in after["members"]] == ["s1", "a1", "p1", "r1"]
    (lineage,) = record(serve, type="time_entry", value="TE-1")["cases"]
    assert [each["why"] for each in lineage["statements"]] == ["wrong billing run"]
    undone = serve.post("/api/v1/statements", asked | {"verb": "link", "why": "it was right"})
    serve.folded(undone.json["position"])
    assert serve.get(path).json == before
    listed = serve.get("/api/v1/statements").json["statements"]
    assert [each["verb"] for each in listed[:2]] == ["link", "unlink"]
    assert listed[1] == answer.json


def test_status_lists_what_traffic_names_and_nobody_declared(serve: Serving) -> None:
    named = event("n1", "time.submitted", time_entry="TE-1", instance="kantata-emea", flow="psa-erp-time")
    status = serve.folded(serve.send(named, named))
    assert status["instances"] == [{"name": "kantata-emea", "declared": False, "events": 1}]
    assert status["flows"] == [{"name": "psa-erp-time", "declared": False, "events": 1, "spans": 0, "failed_spans": 0}]
    sources = {each["source"]: each for each in status["sources"]}
    assert not sources["/psa"]["declared"]
    assert sources["/psa"]["watermark"] is None


def test_status_waits_for_a_position_but_not_for_ever(serve: Serving) -> None:
    answer = serve.get("/api/v1/status", folded="j999999", wait="50ms")
    assert (answer.status, answer.json["reached"]) == (200, False)
    assert serve.get("/api/v1/status").json["reached"] is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/records", 422),
        ("/api/v1/records?type=time_entry", 422),
        ("/api/v1/records?type=nothing&value=1", 422),
        ("/api/v1/records?type=time_entry&value=%00", 422),
        ("/api/v1/records?type=time_entry&value=1&scope.legal_entity=DE01", 422),
        ("/api/v1/records?type=time_entry&value=1&colour=red", 422),
        ("/api/v1/records?type=time_entry&value=1&cursor=x", 422),
        ("/api/v1/records?type=time_entry&value=1&limit=100000", 422),
        ("/api/v1/records?type=time_entry&value=" + "x" * 5000, 422),
        ("/api/v1/records?trace_id=xyz", 422),
        (f"/api/v1/records?trace_id={TRACE}&type=time_entry&value=1", 422),
        ("/api/v1/cases?state=bad", 422),
        ("/api/v1/cases?process=bad", 422),
        ("/api/v1/cases?deviation=bad", 422),
        ("/api/v1/cases?since=yesterday", 422),
        ("/api/v1/cases?min_amount=NaN", 422),
        ("/api/v1/cases?min_amount=1e99999", 422),
        ("/api/v1/cases?limit=0", 422),
        ("/api/v1/cases?limit=1.5", 422),
        ("/api/v1/cases?cursor=AAAA", 422),
        ("/api/v1/cases?colour=red", 422),
        ("/api/v1/orphans?process=bad", 422),
        ("/api/v1/orphans?type=bad", 422),
        ("/api/v1/orphans?until=yesterday", 422),
        ("/api/v1/orphans?cursor=AAAA", 422),
        ("/api/v1/orphans?state=open", 422),
        ("/api/v1/cases/time-to-bill/TE-404", 404),
        ("/api/v1/cases/time-to-bill/", 404),
        ("/api/v1/cases/nothing/TE-1", 404),
        ("/api/v1/cases/time-to-bill/TE-1?colour=red", 422),
        ("/api/v1/cases/time-to-bill/%FF%FE", 404),
        ("/api/v1/cases/time-to-bill/a%00b", 404),
        ("/api/v1/traces/xyz", 422),
        (f"/api/v1/traces/{'0' * 32}", 422),
        (f"/api/v1/traces/{'1' * 32}", 404),
        ("/api/v1/status?folded=x1", 422),
        ("/api/v1/status?folded=j1&wait=soon", 422),
        ("/api/v1/status?folded=j1&wait=3600s", 422),
        ("/api/v1/status?folded=j99999999999999999999&wait=1ms", 422),
        ("/api/v1/quarantine?cursor=x", 422),
        ("/api/v1/nothing", 404),
    ],
)
def test_a_bad_question_is_answered_in_words(serve: Serving, path: str, status: int) -> None:
    answer = call(f"http://{serve.addresses['api']}{path}")
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["detail"]


def test_answers_have_the_form_that_openapi_publishes(serve: Serving) -> None:
    openapi = serve.get("/openapi.json").json
    asked = {
        "RecordsDocument": "/api/v1/records?type=time_entry&value=TE-2",
        "CaseList": "/api/v1/cases",
        "OrphanList": "/api/v1/orphans",
        "CaseDocument": "/api/v1/cases/time-to-bill/TE-1",
        "TracePage": f"/api/v1/traces/{TRACE}",
        "StatusDocument": "/api/v1/status",
        "StatementList": "/api/v1/statements",
        "QuarantineList": "/api/v1/quarantine",
        "HealthDocument": "/readyz",
    }
    answers = [
        operation["responses"]["200"]
        for path in openapi["paths"].values()
        for operation in path.values()
        if "200" in operation["responses"]
    ]
    published = {
        each["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for each in answers
        if "application/json" in each.get("content", {})
    }
    assert asked.keys() <= published
    for name, path in asked.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": openapi["components"]}
        Draft202012Validator(schema).validate(call(f"http://{serve.addresses['api']}{path}").json)


def test_health_readiness_and_metrics_of_all_parts_are_in_one_place(serve: Serving) -> None:
    assert serve.get("/healthz").json == {"status": "ok"}
    ready = serve.get("/readyz")
    assert (ready.status, ready.json["ready"]) == (200, True)
    assert {each["part"] for each in ready.json["parts"]} == {"collector", "engine", "watch", "api"}
    until(lambda: 'throughline_folded_position{part="engine"}' in serve.get("/metrics").text, "the engine's metrics")
    metrics = serve.get("/metrics").text
    assert 'throughline_journal_position{part="collector"}' in metrics
    assert 'throughline_api_requests_total{part="api",status="2xx"}' in metrics


def shown(serve: Serving, *arguments: str) -> str:
    done = run(*arguments, "--data", str(serve.data), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_commands_print_the_documents_of_the_api(serve: Serving) -> None:
    record = serve.get("/api/v1/records", type="time_entry", value="TE-2").json
    assert json.loads(shown(serve, "show", "time_entry", "TE-2", "--json")) == record
    by_trace = serve.get("/api/v1/records", trace_id=TRACE).json
    assert json.loads(shown(serve, "show", "--trace", TRACE, "--json")) == by_trace
    cases = serve.get("/api/v1/cases", process="time-to-bill", deviation="failed").json
    assert json.loads(shown(serve, "cases", "--process", "time-to-bill", "--deviation", "failed", "--json")) == cases


def test_commands_say_in_words_where_a_record_stands(serve: Serving) -> None:
    text = shown(serve, "show", "time_entry", "TE-2")
    assert "time-to-bill" in text
    assert "failed at posted" in text
    assert "EUR 80.00" in text
    assert "POST /documents" in text
    scoped = shown(serve, "show", "invoice", "INV-1", "--scope", "legal_entity=DE01")
    assert "by erp document D-1 → billing event B-1" in scoped
    assert "US01" not in scoped
    assert "TE-2" in shown(serve, "cases", "--state", "open")


def test_commands_say_what_to_do_when_something_is_wrong(serve: Serving, tmp_path: Path) -> None:
    unknown = run("show", "time_entry", "TE-404", "--data", str(serve.data))
    assert unknown.returncode == 1
    assert "Nothing is known of time_entry TE-404" in unknown.stdout
    refused = run("show", "colour", "red", "--data", str(serve.data))
    assert refused.returncode == 1
    assert "wanted a type of key" in refused.stderr
    absent = run("cases", "--url", "http://127.0.0.1:1")
    assert absent.returncode == 1
    assert "throughline serve" in absent.stderr
    other = run("cases", "--url", f"http://{serve.addresses['otlp_http']}")
    assert other.returncode == 1
    for done in (unknown, refused, absent, other):
        assert "Traceback" not in done.stderr
