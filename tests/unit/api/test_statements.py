"""The API's shell and the statements: what is taken, what is refused and in which words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from lineage.engine import Limits
from lineage.process import Definitions, Process, Step, StepKind, Version
from lineage.read import CaseReader
from tests.tokens import person, sender, sign_ins
from throughline.api.access import Access
from throughline.api.app import create_app
from throughline.api.statements import LARGEST_BODY_BYTES, StatementList, routes
from throughline.core.decisions import FILE_NAME, DecisionLog, DecisionReader
from throughline.core.estate import load_estate
from throughline.core.guards import NO_GUARDS
from throughline.core.key import KeyType
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Meter, Part
from throughline.core.token import SignInFault

STEP = Step("submitted", StepKind.INITIAL, frozenset({"time.submitted"}), ("psa",))
TIME_TO_BILL = Process(
    name="time-to-bill",
    title="Time to bill",
    name_key="time_entry",
    aliases=("erp_document",),
    carriers=("billing_event", "invoice"),
    relations=("project",),
    versions=(Version("1", None, (STEP,)),),
    passes=frozenset({("billing_event", "invoice"), ("invoice", "invoice")}),
)
INVOICE_TO_CASH = Process(
    name="invoice-to-cash",
    title="Invoice to cash",
    name_key="invoice",
    aliases=(),
    carriers=("payment",),
    relations=(),
    versions=(Version("1", None, (STEP,)),),
)
DEFINITIONS = Definitions(
    processes={process.name: process for process in (TIME_TO_BILL, INVOICE_TO_CASH)},
    key_types={
        "time_entry": KeyType("time_entry", normalise=("upper",)),
        "erp_document": KeyType("erp_document"),
        "billing_event": KeyType("billing_event"),
        "invoice": KeyType("invoice", scope=("legal_entity",)),
        "payment": KeyType("payment"),
        "project": KeyType("project"),
    },
)


def client(path: Path, access: Access, base_url: str = "http://localhost") -> TestClient:
    ticks = count(1_000_000)
    log = DecisionLog(path / FILE_NAME, now=lambda: next(ticks))
    reader = DecisionReader(path / FILE_NAME)
    cases = CaseReader(path / "store.db", DEFINITIONS, load_estate(None), Limits(), lambda: 0)
    made = [routes(log, reader, DEFINITIONS, cases)]
    app = create_app(made, [StatementList], access, Meter(Part.API, METRICS))
    app.router.add_event_handler("shutdown", log.close)
    app.router.add_event_handler("shutdown", reader.close)
    app.router.add_event_handler("shutdown", cases.close)
    return TestClient(app, base_url, raise_server_exceptions=False)


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[TestClient]:
    with client(tmp_path, Access(NO_GUARDS.sign_ins)) as caller:
        yield caller


def unlink(**changes: Any) -> dict[str, Any]:
    asked = {
        "verb": "unlink",
        "pair": {"from": {"time_entry": "te-88"}, "to": {"invoice": "INV-33", "legal_entity": "DE01"}},
        "all": True,
        "by": "ana",
        "why": "wrong billing run",
    }
    return {name: value for name, value in (asked | changes).items() if value is not None}


def test_a_statement_is_recorded_and_listed_newest_first_page_by_page(caller: TestClient) -> None:
    made = [caller.post("/api/v1/statements", json=unlink(why=f"reason {n}")) for n in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 201]
    assert made[0].json() | {"id": ""} == {
        "id": "",
        "position": "s1",
        "at": "1970-01-01T00:00:01Z",
        "verb": "unlink",
        "process": None,
        "pair": {"from": {"time_entry": "te-88"}, "to": {"invoice": "INV-33", "legal_entity": "DE01"}},
        "all": True,
        "events": [],
        "by": "ana",
        "authenticated": False,
        "why": "reason 0",
    }
    first = caller.get("/api/v1/statements", params={"limit": 2}).json()
    assert first["statements"] == [made[2].json(), made[1].json()]
    assert caller.get("/api/v1/statements", params={"limit": 2, "cursor": first["next"]}).json() == {
        "statements": [made[0].json()],
        "next": None,
    }


@pytest.mark.parametrize(
    "pair",
    [
        {"from": {"erp_document": "D-1"}, "to": {"time_entry": "TE-1"}},
        {"from": {"erp_document": "D-1"}, "to": {"erp_document": "D-2"}},
        {"from": {"erp_document": "D-1"}, "to": {"billing_event": "B-2"}},
        {"from": {"billing_event": "B-1"}, "to": {"invoice": "I-1", "legal_entity": "DE01"}},
        {"from": {"invoice": "I-1", "legal_entity": "DE01"}, "to": {"invoice": "I-2", "legal_entity": "DE01"}},
    ],
)
def test_every_kind_of_pair_is_taken(caller: TestClient, pair: dict[str, Any]) -> None:
    assert caller.post("/api/v1/statements", json=unlink(pair=pair)).status_code == 201


@pytest.mark.parametrize(
    ("changes", "parameter", "sentence"),
    [
        ({"pair": {"from": {"time_entry": "T1"}, "to": {"time_entry": "T2"}}}, "pair", "never two names"),
        (
            {"pair": {"from": {"time_entry": "T1"}, "to": {"project": "P1"}}},
            "pair",
            "name and relation in time-to-bill",
        ),
        ({"pair": {"from": {"time_entry": "T1"}, "to": {"payment": "P1"}}}, "pair", "together in no process"),
        ({"pair": {"from": {"erp_document": "D1"}, "to": {"erp_document": " D1"}}}, "pair", "two different keys"),
        ({"process": "invoice-to-cash"}, "pair", "together in no process that is meant"),
        ({"process": "cash"}, "process", "one of invoice-to-cash, time-to-bill"),
        ({"pair": {"from": {"time_entry": "T1"}, "to": {"invoice": "I1"}}}, "pair.to", "invoice without legal_entity"),
        ({"pair": {"from": {"time_entry": "n/a"}, "to": {"payment": "I1"}}}, "pair.from.time_entry", "no placeholder"),
        ({"pair": {"from": {"time_entry": "a\0b"}, "to": {"payment": "I1"}}}, "pair.from.time_entry", "no placeholder"),
        ({"pair": {"from": {"entry": "T1"}, "to": {"payment": "I1"}}}, "pair.from", "one key with its scope"),
        ({"pair": {"from": {"time_entry": "T1", "x": "y"}, "to": {"payment": "I1"}}}, "pair.from", "one key"),
        ({"pair": {"from": {}, "to": {"payment": "I1"}}}, "pair.from", "seen nothing"),
        ({"all": False}, "all", "`events`"),
        ({"by": None}, "by", "who states this"),
        ({"by": "  "}, "by", "at least 1"),
        ({"why": None}, "why", "required"),
        ({"verb": "remove"}, "verb", "'link' or 'unlink'"),
        ({"verb": 7}, "verb", "'link' or 'unlink'"),
        ({"colour": "red"}, "colour", "unknown"),
        ({"events": [{"source": "/erp"}], "all": False}, "events[0].id", "required"),
    ],
)
def test_what_has_no_meaning_is_refused_with_what_was_seen_and_wanted(
    caller: TestClient, changes: dict[str, Any], parameter: str, sentence: str
) -> None:
    answer = caller.post("/api/v1/statements", json=unlink(**changes))
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert problem["faults"][0]["parameter"] == parameter
    assert sentence in problem["detail"]
    assert caller.get("/api/v1/statements").json() == {"statements": [], "next": None}


def test_a_statement_may_be_of_all_events_and_of_given_ones(caller: TestClient) -> None:
    events = [{"source": "/erp", "id": "1"}]
    assert caller.post("/api/v1/statements", json=unlink(events=events)).json()["events"] == events
    assert caller.post("/api/v1/statements", json=unlink(events=events, all=False)).json()["all"] is False


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json; charset=utf-8", 422),
        (b"null", "application/json", 422),
        (b" " * (LARGEST_BODY_BYTES + 1), "application/json", 413),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem(
    caller: TestClient, body: bytes, content_type: str, status: int
) -> None:
    answer = caller.post("/api/v1/statements", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["status"]) == (status, status)


@pytest.mark.parametrize(
    "query", ["cursor=x", "limit=0", "limit=1001", "limit=many", "limit=99999999999999999999", "cusor=x", "cursor=%00"]
)
def test_a_bad_parameter_is_a_problem(caller: TestClient, query: str) -> None:
    answer = caller.get(f"/api/v1/statements?{query}")
    assert answer.status_code == 422
    assert "wanted" in answer.json()["detail"]


def test_paths_and_methods_that_are_not_there_are_problems(caller: TestClient) -> None:
    assert caller.get("/api/v1/nothing").json()["type"] == "urn:throughline:problem:not-found"
    assert caller.delete("/api/v1/statements").json()["type"] == "urn:throughline:problem:method-not-allowed"


def test_the_openapi_document_has_the_schema_of_a_statement_and_loads_nothing_from_elsewhere(
    caller: TestClient,
) -> None:
    document = caller.get("/openapi.json").json()
    body = document["paths"]["/api/v1/statements"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    of_links, of_exceptions = body["oneOf"]
    assert of_links["required"] == ["verb", "pair", "why"]
    assert of_links["properties"]["events"]["items"]["required"] == ["source", "id"]
    assert of_exceptions["required"] == ["verb", "process", "case", "why"]
    assert "written_off" in json.dumps(of_exceptions["properties"]["as"])
    assert caller.get("/docs").status_code == 404


def test_the_openapi_document_refers_to_what_it_has_and_publishes_refusals_as_problems(caller: TestClient) -> None:
    document = caller.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    references = set(re.findall(r'"\$ref": *"([^"]*)"', json.dumps(document)))
    assert references
    assert references <= {f"#/components/schemas/{name}" for name in schemas}
    assert "HTTPValidationError" not in schemas
    refusal = caller.get("/api/v1/statements?limit=0")
    published = document["paths"]["/api/v1/statements"]["get"]["responses"]["default"]["content"]
    assert list(published) == [refusal.headers["content-type"]]
    Draft202012Validator(schemas["Problem"]).validate(refusal.json())


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:80"])
def test_a_name_that_a_page_points_here_is_not_served(caller: TestClient, host: str) -> None:
    assert caller.get("/api/v1/statements", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:80", "10.0.0.7"])
def test_addresses_of_this_machine_are_served(caller: TestClient, host: str) -> None:
    assert caller.get("/api/v1/statements", headers={"host": host}).status_code == 200


def test_a_request_that_a_foreign_page_sent_is_refused(caller: TestClient) -> None:
    foreign = caller.post("/api/v1/statements", json=unlink(), headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert caller.post("/api/v1/statements", json=unlink(), headers={"origin": "http://localhost:3000"}).is_success


def test_with_tokens_each_request_needs_one_that_is_known(tmp_path: Path) -> None:
    access = Access(sign_ins(ana=person("a-secret-of-ana-s"), ben=person("a-secret-of-ben-s")))
    with client(tmp_path, access, "http://throughline.example") as caller:

        def post(**headers: str) -> tuple[int, dict[str, Any]]:
            answer = caller.post("/api/v1/statements", json=unlink(by="somebody"), headers=headers)
            return answer.status_code, answer.json()

        assert caller.get("/api/v1/statements").status_code == 401
        assert caller.get("/api/v1/statements").headers["www-authenticate"].startswith("Bearer")
        assert caller.get("/openapi.json").status_code == 401
        assert caller.get("/api/v1/statements", headers={"authorization": "Bearer a-secret-of-ana-s"}).is_success
        assert post(authorization="Basic a-secret-of-ana-s")[0] == 401
        assert post(authorization="Bearer a-secret-of-eve-s")[0] == 401
        assert post(authorization="Bearer ")[0] == 401
        status, statement = post(authorization="Bearer a-secret-of-ben-s")
        assert (status, statement["by"], statement["authenticated"]) == (201, "ben", True)


def test_only_a_person_with_the_scope_write_changes_something(tmp_path: Path) -> None:
    tokens = {
        "ana": person("a-secret-of-ana-s"),
        "bob": person("a-secret-of-bob-s", scopes=("read",)),
        "psa": sender("a-secret-of-psa-s"),
        "grafana": sender("a-secret-of-grafana-s", scopes=("read",)),
    }
    with client(tmp_path, Access(sign_ins(**tokens)), "http://throughline.example") as caller:

        def asked(name: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
            headers = {"authorization": f"Bearer a-secret-of-{name}-s"}
            body = unlink(by="somebody") if method == "POST" else None
            answer = caller.request(method, "/api/v1/statements", json=body, headers=headers)
            return answer.status_code, answer.json()

        assert [asked(name)[0] for name in tokens] == [200, 200, 403, 200]
        assert [asked(name, "POST")[0] for name in tokens] == [201, 403, 403, 403]
        _, problem = asked("bob", "POST")
        assert problem["scope"] == "write"
        assert problem["detail"] == "the token of bob has the scope read, wanted write"
        assert [each["by"] for each in asked("ana")[1]["statements"]] == ["ana"]


def test_failed_sign_ins_are_counted_and_slowed_down_and_never_a_known_token(tmp_path: Path) -> None:
    failed: list[SignInFault] = []
    access = Access(sign_ins(ana=person("a-secret-of-ana-s")), failed.append)
    with client(tmp_path, access, "http://throughline.example") as caller:
        answers = [caller.get("/api/v1/statements", headers={"authorization": "Bearer nope"}) for _ in range(30)]
        assert [answer.status_code for answer in answers[:20]] == [401] * 20
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) > 0
        assert failed == [SignInFault.UNKNOWN_TOKEN] * 30
        known = caller.get("/api/v1/statements", headers={"authorization": "Bearer a-secret-of-ana-s"})
        assert known.status_code == 200
