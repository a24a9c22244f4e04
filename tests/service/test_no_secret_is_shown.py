"""Secrets of every kind are planted wherever somebody may put one; then all that Throughline shows is searched."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.certificates import make_pair
from tests.service.serving import Serving, call, event, run, serving, until
from tests.tokens import person, sender, write_tokens

MARK = "hunter2"  # in every secret that is planted
SENDER, PERSON = f"tlt_{MARK}-of-psa-sync-4f9a1c", f"tlt_{MARK}-of-ana-77ab02"
UNKNOWN = f"tlt_{MARK}-of-nobody-91d3ee"
SIGNING = f"{MARK}-that-signs-webhooks"
PASSWORD = f"{MARK}pw"
VARIABLE = "DESK_WEBHOOK_SECRET"
BASIC = base64.b64encode(f"ana:{PASSWORD}".encode()).decode()
STORE = f"postgresql+psycopg://throughline:{PASSWORD}@db.example/throughline"
MAPPING = f"""mapping: desk
input: json
event: {{type: ticket.repaired, id: input.id, time: input.at, fields: {{ticket: input.no}}}}
signature: {{header: X-Desk, secret_env: {VARIABLE}}}
"""
STRUCTURED = {"content-type": "application/cloudevents+json"}
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
WRONG_HEADERS = (
    f"Bearer {UNKNOWN}",
    f"bearer  {UNKNOWN}",
    f"Bearer {UNKNOWN}, Bearer {SENDER}",
    f"Basic {BASIC}",
    f"Token {UNKNOWN}",
    UNKNOWN,
    f"Bearer {SENDER} {PERSON}",
    f"Bearer {UNKNOWN}é",
)
BAD_EVENTS: tuple[dict[str, Any], ...] = (
    {"time": f"Bearer {UNKNOWN}"},
    {"time": STORE},
    {"time": UNKNOWN},
    {"source": f"https://ana:{PASSWORD}@erp.example/x", "time": "soon"},
    {"id": UNKNOWN, "time": "soon"},
    {"type": f"throughline.{UNKNOWN}"},
    {"time": "soon", "data": {"password": PASSWORD, "note": f"sent Authorization: Bearer {UNKNOWN}"}},
    {"time": "soon", "data": {"headers": {"x-api-key": PASSWORD}, "url": f"https://{PASSWORD}@erp.example"}},
    {"data": {"time_entry": "TE-1", "amount": f"password={PASSWORD}", "currency": "EUR"}},
    {"data": {"time_entry": "TE-1", "error": {"category": f"secret={PASSWORD}"}}},
)

pytestmark = [pytest.mark.serial, pytest.mark.needs("openssl")]


class Shown:
    """All that was shown so far: what, and where."""

    def __init__(self, serve: Serving) -> None:
        self._serve = serve
        self.texts: list[tuple[str, str]] = []

    def note(self, where: str, *texts: object) -> None:
        self.texts += [(where, str(text)) for text in texts]

    def ask(self, url: str, body: object = None, **headers: str) -> int:
        """Send a request, note all of its answer, and return its status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._serve.call(url, body, named)
        self.note(url.partition("?")[0].rpartition(":")[2], answer.text, answer.headers)
        return answer.status

    def run(self, *arguments: str, **environment: str) -> int:
        """Run a command, note all that it prints, and return its exit code."""
        done = run(*arguments, **environment)
        self.note(f"throughline {arguments[0]}", done.stdout, done.stderr)
        return done.returncode

    def secrets(self) -> list[tuple[str, str]]:
        """Return where a secret was shown, with the text around it."""
        found = [(where, text.index(MARK), text) for where, text in self.texts if MARK in text]
        return [(where, text[max(0, at - 80) : at + 60]) for where, at, text in found]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serving]:
    tokens = write_tokens(tmp_path / "tokens.yaml", psa=sender(SENDER), ana=person(PERSON))
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    (definitions / "desk.yaml").write_text(MAPPING)
    pair = make_pair(tmp_path, "ours")
    options = {"tokens": tokens, "definitions": definitions, "tls-certificate": pair.certificate, "tls-key": pair.key}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    environment = {VARIABLE: SIGNING, "THROUGHLINE_PORT": STORE, "THROUGHLINE_TOKEN": PERSON}
    with serving(tmp_path / "data", *words, "--log-level", "debug", **environment) as running:
        running.secret = PERSON
        yield running


@pytest.fixture
def shown(serve: Serving) -> Shown:
    return Shown(serve)


def plant_in_headers(serve: Serving, shown: Shown) -> None:
    doors = {
        "api": ("/api/v1/cases", None),
        "http": ("/v1/events", [event("e", "time.submitted", time_entry="TE-1")]),
        "otlp_http": ("/v1/traces", {}),
    }
    for authorization in WRONG_HEADERS:
        for door, (path, body) in doors.items():
            encoded = authorization.encode().decode("latin-1")
            assert shown.ask(serve.url(path, door), body, authorization=encoded) in (401, 429)
        assert shown.ask(serve.url("/metrics", "http"), authorization=encoded) in (401, 429)
    trusted = grpc.ssl_channel_credentials(Path(str(serve.certificate)).read_bytes())
    for authorization in (f"Bearer {UNKNOWN}", f"Basic {BASIC}", f"Bearer {PERSON}"):
        with grpc.secure_channel(serve.addresses["otlp_grpc"], trusted) as channel:
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(TRACES)(b"", metadata=[("authorization", authorization)], timeout=20)  # type: ignore[misc]
            assert isinstance(refused.value, grpc.Call)
            shown.note("gRPC", refused.value.details(), refused.value.trailing_metadata())


def plant_in_urls(serve: Serving, shown: Shown) -> None:
    for door, authorization in (("api", PERSON), ("http", SENDER), ("otlp_http", SENDER)):
        for path in (
            f"/{UNKNOWN}",
            f"/v1/json/{UNKNOWN}",
            f"/api/v1/cases/x/{UNKNOWN}",
            f"/api/v1/quarantine/{UNKNOWN}",
        ):
            assert shown.ask(serve.url(path, door), authorization=f"Bearer {authorization}") in (404, 405)
        query = f"?access_token={UNKNOWN}&url=https://ana:{PASSWORD}@erp.example"
        assert shown.ask(serve.url(f"/api/v1/cases{query}", door), authorization=f"Bearer {authorization}") in (
            404,
            422,
        )
    assert shown.ask(serve.url(f"/api/v1/cases?process={UNKNOWN}&limit={STORE}")) == 422
    assert shown.ask(serve.url(f"/api/v1/cases?cursor={UNKNOWN}")) == 422


def plant_in_bodies(serve: Serving, shown: Shown) -> None:
    events_url = serve.url("/v1/events", "http")
    known = {"authorization": f"Bearer {SENDER}", "content_type": "application/cloudevents+json"}
    for number, changed in enumerate(BAD_EVENTS):
        bad = event(f"bad-{number}", "time.submitted", time_entry="TE-1") | changed
        assert shown.ask(events_url, bad, **known) in (202, 422), bad
    good = event("good", "time.submitted", time_entry="TE-9") | {"authorization": f"Bearer {UNKNOWN}"}
    assert shown.ask(events_url, good, **known) in (202, 422)
    desk = {"id": "1", "no": "T-1", "at": STORE}
    for signature in (SIGNING, "", f"sha256={SIGNING}"):
        assert shown.ask(serve.url("/v1/json/desk", "http"), desk, x_desk=signature) in (401, 429)
    for body in (
        {"verb": UNKNOWN},
        {"verb": "link", "pair": {"from": {UNKNOWN: PASSWORD}}, "why": STORE, "x": UNKNOWN},
    ):
        assert shown.ask(serve.url("/api/v1/statements"), body) == 422
    assert shown.ask(serve.url("/api/v1/quarantine/replay"), {"by": "ana", "token": UNKNOWN}) == 422


def plant_in_what_is_no_request(serve: Serving) -> None:
    """Speak without TLS to doors that have it, and break off in the middle of a header."""
    for door in ("api", "http", "otlp_http"):
        host, _, port = serve.addresses[door].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as plain:
            plain.sendall(f"GET /{UNKNOWN} HTTP/1.1\r\nauthorization: Bearer {PERSON}\r\n".encode())


def plant_in_commands(serve: Serving, shown: Shown) -> None:
    data, api = ("--data", str(serve.data)), serve.url("")
    userinfo = api.replace("://", f"://ana:{PASSWORD}@")
    wrong = {"THROUGHLINE_TOKEN": UNKNOWN}
    assert shown.run("cases", *data, **wrong) == 1
    assert shown.run("cases", "--url", api, **wrong) == 1
    assert shown.run("cases", "--url", userinfo, **wrong) == 1
    assert shown.run("cases", "--url", api.replace("https", "http"), **wrong) == 1
    assert shown.run("settings", THROUGHLINE_CLOCK=STORE, **wrong) == 0
    assert shown.run("settings", "--json", THROUGHLINE_CLOCK=STORE, THROUGHLINE_STORE_URL=STORE, **wrong) == 0
    assert shown.run("settings", THROUGHLINE_INGEST_TOKENS=f"psa:{SENDER}", THROUGHLINE_HTTP=STORE) == 1
    tokens = serve.data.with_name("tokens.yaml")
    assert shown.run("tokens", "list", "--tokens", str(tokens)) == 0
    spoilt = serve.data.with_name("spoilt.yaml")
    spoilt.write_text(tokens.read_text().replace('"id"', f'"secret": "{UNKNOWN}", "id"'))
    assert shown.run("tokens", "list", "--tokens", str(spoilt)) == 1
    assert shown.run("serve", "--data", str(serve.data.with_name("other")), "--tokens", str(spoilt)) == 1


def look_at_everything(serve: Serving, shown: Shown) -> None:
    listed = serve.get("/api/v1/quarantine").json["entries"]
    assert len(listed) >= len(BAD_EVENTS) - 2
    for path in (
        *("/api/v1/quarantine", "/api/v1/cases", "/api/v1/events", "/api/v1/statements", "/api/v1/status", "/metrics"),
        *("/readyz", "/healthz", "/openapi.json", "/api/v1/unmapped", "/api/v1/orphans"),
        *(f"/api/v1/quarantine/{entry['id']}" for entry in listed),
    ):
        shown.ask(serve.url(path))
    assert shown.run("quarantine", "list", "--data", str(serve.data), THROUGHLINE_TOKEN=PERSON) == 0
    for path in ("/readyz", "/healthz", "/metrics"):
        shown.ask(serve.url(path, "http"))


def test_what_was_planted_is_shown_nowhere(serve: Serving, shown: Shown) -> None:
    plants: tuple[Callable[[Serving, Shown], None], ...] = (
        plant_in_headers,
        plant_in_urls,
        plant_in_bodies,
        plant_in_commands,
    )
    for plant in plants:
        plant(serve, shown)
    plant_in_what_is_no_request(serve)
    spoil_tokens(serve)
    look_at_everything(serve, shown)
    log = serve.data.with_name("data.log")
    serve.stop()
    shown.note("the log", *log.read_text().splitlines())
    assert len(shown.texts) > 100
    assert shown.secrets() == []


def spoil_tokens(serve: Serving) -> None:
    """Write a secret into the file of tokens, where none belongs."""
    tokens = serve.data.with_name("tokens.yaml")
    good = tokens.read_text()
    tokens.write_text(good.replace('"id"', f'"secret": "{UNKNOWN}", "id"'))
    log = serve.data.with_name("data.log")
    until(lambda: log.read_text().count("change_not_taken") >= 2, "the faults in the log")
    tokens.write_text(good)


def test_no_token_is_kept_in_the_data_folder(serve: Serving, shown: Shown) -> None:
    plant_in_headers(serve, shown)
    serve.secret = SENDER
    serve.send(event("e1", "time.submitted", time_entry="TE-1"))
    serve.secret = PERSON
    assert serve.get("/api/v1/cases").status == 200
    unlink = {"verb": "unlink", "pair": {"from": {"time_entry": "TE-1"}, "to": {"invoice": "I", "legal_entity": "L"}}}
    assert serve.post("/api/v1/statements", {**unlink, "all": True, "why": "a test"}).status == 201
    files = [path for path in serve.data.rglob("*") if path.is_file()]
    assert {"journal.db", "decisions.db"} <= {path.name for path in files}
    assert [path.name for path in files if MARK.encode() in path.read_bytes()] == []


def test_the_search_would_find_a_secret(serve: Serving, shown: Shown) -> None:
    answer = call(serve.url("/healthz"), context=None) if serve.certificate is None else serve.get("/healthz")
    shown.note("here", answer.text + json.dumps({"token": PERSON}))
    assert [where for where, _ in shown.secrets()] == ["here"]
