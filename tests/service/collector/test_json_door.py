"""`POST /v1/json/MAPPING` at a running collector: signed or not, known or not, and what is durable then."""

from __future__ import annotations

import base64
import gzip
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.running_collector import RunningCollector, events, records
from tests.tokens import sender, write_tokens
from throughline.core.journal import JOURNAL_FILE, MAPPING, JournalReader

SECRET = "not-a-real-secret-of-anybody"
VARIABLE = "DESK_WEBHOOK_SECRET"
PLAIN = """mapping: desk
input: json
event: {type: ticket.repaired, id: input.id, time: input.at, fields: {ticket: input.no}}
"""
SIGNED = PLAIN.replace("desk", "desk-signed", 1) + (
    f"signature: {{header: X-Desk-Signature, prefix: sha256=, secret_env: {VARIABLE}}}\n"
)
BASE64 = PLAIN.replace("desk", "desk-base64", 1) + (
    f"signature: {{header: X-Desk, algorithm: sha512, encoding: base64, secret_env: {VARIABLE}}}\n"
)
TICKET = {"id": 1, "no": "T-1", "at": "2025-11-02T16:04:11Z"}
BODY = json.dumps(TICKET).encode()
TOKEN = "a-token-of-sixteen-and-more"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    definitions = tmp_path_factory.mktemp("definitions")
    for name, text in (("plain", PLAIN), ("signed", SIGNED), ("base64", BASE64)):
        (definitions / f"{name}.yaml").write_text(text)
    tokens = write_tokens(
        tmp_path_factory.mktemp("tokens") / "tokens.yaml", psa=sender(TOKEN, scopes=("ingest", "read"))
    )
    settings = {"definitions": str(definitions), "tokens": str(tokens)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, SECRET)
        with RunningCollector(tmp_path_factory.mktemp("data"), settings) as running:
            yield running


def post(collector: RunningCollector, name: str, body: bytes, **headers: str) -> httpx2.Response:
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    return collector.client.post(collector.url(f"/v1/json/{name}"), content=body, headers=named)


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


def test_a_signed_body_is_taken_without_a_token_and_journalled_with_its_mapping(collector: RunningCollector) -> None:
    answer = post(collector, "desk-signed", BODY, x_desk_signature=signed(BODY), content_type="application/json")
    assert answer.status_code == 202, answer.text
    assert (answer.json()["accepted"], answer.json()["set_aside"]) == (1, [])
    event = events(collector.data)[-1]
    assert (event.type, event.id, event.fields) == ("ticket.repaired", "1", {"ticket": "T-1"})
    assert records(collector.data)[-1].mapping.startswith(f"{MAPPING}+")
    reader = JournalReader(collector.data / JOURNAL_FILE)
    (request,) = reader.requests(reader.last())
    reader.close()
    assert (request.sender, request.content_type) == ("webhook desk-signed", "application/json;mapping=desk-signed")


def test_a_signature_in_base64_over_the_body_as_sent_is_taken(collector: RunningCollector) -> None:
    body = gzip.compress(BODY)
    signature = base64.b64encode(hmac.new(SECRET.encode(), body, "sha512").digest()).decode()
    answer = post(collector, "desk-base64", body, x_desk=signature, content_encoding="gzip")
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_desk_signature": signed(BODY).removeprefix("sha256=")},
        {"x_desk_signature": signed(BODY + b" ")},
        {"x_desk_signature": signed(BODY, "another secret")},
        {"x_desk_signature": "sha256=é"},
        {"authorization": f"Bearer {TOKEN}"},
    ],
)
def test_a_body_that_is_not_signed_so_is_refused_and_says_nothing_of_the_secret(
    collector: RunningCollector, headers: dict[str, str]
) -> None:
    before = collector.metric('throughline_requests_total{door="json",outcome="unauthenticated"}')
    encoded = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
    answer = collector.client.post(collector.url("/v1/json/desk-signed"), content=BODY, headers=encoded)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "X-Desk-Signature" in answer.json()["detail"]
    assert SECRET not in answer.text
    assert signed(BODY) not in answer.text
    assert collector.metric('throughline_requests_total{door="json",outcome="unauthenticated"}') == before + 1


def test_a_mapping_without_signature_takes_those_who_have_a_token(collector: RunningCollector) -> None:
    assert post(collector, "desk", BODY).status_code == 401
    answer = post(collector, "desk", BODY, authorization=f"Bearer {TOKEN}")
    assert answer.status_code == 202


def test_what_cannot_be_taken_is_answered_as_at_the_door_of_events(collector: RunningCollector) -> None:
    token = {"authorization": f"Bearer {TOKEN}"}
    bad = json.dumps([TICKET | {"id": 7, "at": "2025-11-02T16:04:11"}]).encode()
    answer = post(collector, "desk", bad, **token)
    assert (answer.status_code, answer.json()["set_aside"][0]["reason"]) == (422, "bad_time")
    both = json.dumps([TICKET, {"id": 8}]).encode()
    answer = post(collector, "desk", both, **token)
    assert (answer.status_code, answer.json()["set_aside"][0]["reason"]) == (202, "no_time")
    assert post(collector, "desk", b"{", **token).status_code == 400
    assert post(collector, "desk", BODY, content_type="text/csv", **token).status_code == 415
    assert collector.client.get(collector.url("/v1/json/desk")).status_code == 405


def test_an_unknown_mapping_is_a_404_with_the_nearest(collector: RunningCollector) -> None:
    assert post(collector, "dsek", BODY).status_code == 401, "which mappings there are is told only to senders"
    answer = post(collector, "dsek", BODY, authorization=f"Bearer {TOKEN}")
    assert answer.status_code == 404
    assert "wanted desk, or another" in answer.json()["detail"]


def test_a_collector_does_not_start_without_the_secret_of_a_signature(tmp_path: Path) -> None:
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    (definitions / "signed.yaml").write_text(SIGNED.replace(VARIABLE, "NEVER_SET_BY_ANYBODY"))
    with pytest.raises(AssertionError, match="before it was open"):
        RunningCollector(tmp_path / "data", {"definitions": str(definitions)})
