"""Whatever is asked of the API, also at random, is answered as its OpenAPI document says, never as a fault of ours."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.hostile.openapi import Operation, operations, questions
from tests.service.serving import Serving, event, serving

pytestmark = pytest.mark.xdist_group("any_question")

EXAMPLES = 60  # of each operation
SLOW = {"/metrics"}


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Generator[Serving]:
    with serving(tmp_path_factory.mktemp("any") / "data") as serve:
        events = [
            event("e1", "time.submitted", time_entry="TE-1", legal_entity="DE01", amount="10.00", currency="EUR"),
            event("e2", "time.posted", time_entry="TE-1", erp_document="D-1", invoice="I-1", outcome="failure"),
            event("e3", "ticket.opened", ticket="T-1"),
            event("e3", "ticket.opened", ticket="T-2"),
            event("e4", "invoice.issued", invoice="I-2", time_entry=["TE-1", "TE-2"], legal_entity="DE01"),
            event("e5", "time.submitted", time_entry="TE-3") | {"time": "yesterday"},
        ]
        serve.folded(serve.send(*events))
        yield serve


@pytest.fixture(scope="module")
def known(serve: Serving) -> dict[str, list[str]]:
    """Values that lead to something, by the name of a parameter."""
    found = {
        "process": ["time-to-bill", "invoice-to-cash"],
        "name": ["TE-1", "TE-2", "I-1"],
        "type": ["time_entry", "invoice"],
        "value": ["TE-1", "I-1", "D-1"],
        "id": [entry["id"] for entry in serve.get("/api/v1/quarantine").json["entries"]],
        "trace_id": ["ab" * 16],
    }
    pages = (serve.get(f"/api/v1/{of}", limit=1).json for of in ("cases", "events", "unmapped", "quarantine"))
    return found | {"cursor": [page["next"] for page in pages if page["next"]]}


class Caller:
    """Asks on one connection, and holds each answer to the document."""

    def __init__(self, serve: Serving) -> None:
        host, _, port = serve.addresses["api"].rpartition(":")
        self.document: dict[str, Any] = serve.get("/openapi.json").json
        self._connection = HTTPConnection(host, int(port), timeout=20)

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, target: str, body: bytes | None) -> tuple[int, str, bytes]:
        headers = {} if body is None else {"content-type": "application/json"}
        self._connection.request(method, target, body, headers)
        with self._connection.getresponse() as answer:
            return answer.status, answer.headers.get("content-type", ""), answer.read()

    def holds(self, operation: Operation, status: int, media_type: str, content: bytes) -> None:
        """Hold an answer to what the document says of it."""
        assert status < 500, content
        if status >= 400:
            assert media_type == "application/problem+json"
            self._fits({"$ref": "#/components/schemas/Problem"}, json.loads(content))
        elif schema := operation.answers.get(str(status)):
            self._fits(schema, json.loads(content))

    def _fits(self, schema: Any, content: Any) -> None:
        whole = {**schema, "components": self.document["components"]}
        assert [error.message for error in Draft202012Validator(whole).iter_errors(content)] == []


@pytest.fixture(scope="module")
def caller(serve: Serving) -> Generator[Caller]:
    with closing(Caller(serve)) as caller:
        yield caller


@given(data=st.data())
@settings(max_examples=EXAMPLES * 18, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_question_is_answered_as_the_document_says(
    caller: Caller, known: dict[str, list[str]], data: st.DataObject
) -> None:
    operation = data.draw(st.sampled_from([each for each in operations(caller.document) if each.path not in SLOW]))
    asked = data.draw(questions(operation, known))
    caller.holds(operation, *caller.ask(*asked))


def test_the_log_has_no_fault_of_ours(serve: Serving) -> None:
    log = (serve.data.parent / "data.log").read_text()
    assert "Traceback" not in log, log[-4_000:]
    assert "request_failed" not in log, log[-4_000:]
