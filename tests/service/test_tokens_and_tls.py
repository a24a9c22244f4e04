"""Tokens and TLS at a running serve: official senders, changes without a restart, and what cannot be used."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import URLError

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tests.certificates import Pair, make_pair
from tests.running_collector import events
from tests.service.serving import Serving, event, run, serving, until
from tests.tokens import person, sender, write_tokens

OLD, NEW = "an-old-secret-of-psa-s", "a-new-secret-of-psa-s"
ANA, BI = "a-secret-of-ana-s", "a-secret-of-bi-s"

pytestmark = [pytest.mark.serial, pytest.mark.needs("openssl")]


@pytest.fixture(autouse=True)
def no_authorities_of_this_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP library of the exporter prefers those to the file that it is told to trust."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path, "first")


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    return write_tokens(tmp_path / "tokens.yaml", psa=sender(OLD), ana=person(ANA), bi=sender(BI, scopes=("read",)))


@pytest.fixture
def serve(tmp_path: Path, pair: Pair, tokens: Path) -> Iterator[Serving]:
    tls = ("--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    with serving(tmp_path / "data", "--tokens", str(tokens), *tls) as running:
        running.secret = ANA
        yield running


def log(serve: Serving) -> str:
    return serve.data.with_name("data.log").read_text()


def send_events(serve: Serving, secret: str, number: int) -> bool:
    body = [event(f"ce-{number}", "time.submitted", time_entry=f"TE-{number}")]
    headers = {"content-type": "application/cloudevents-batch+json", "authorization": f"Bearer {secret}"}
    return serve.call(serve.url("/v1/events", "http"), body, headers).status == 202


class Exporting:
    """Exports one log record after another by an official exporter, which says what became of each."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self.results: list[LogRecordExportResult] = []
        self.provider = LoggerProvider(resource=Resource({"service.name": "psa", "throughline.system": "psa"}))
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self))

    def export(self, batch: Any) -> LogRecordExportResult:
        self.results.append(self._exporter.export(batch))
        return self.results[-1]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def send(self, name: str) -> bool:
        record = {"time_entry": name, "throughline.id": name}
        self.provider.get_logger("test").emit(event_name="time.submitted", timestamp=10**18, attributes=record)
        return self.results[-1] is LogRecordExportResult.SUCCESS


def exporting(serve: Serving, kind: str, secret: str) -> Exporting:
    certificate = str(serve.certificate)
    if kind == "grpc":
        trusted = grpc.ssl_channel_credentials(Path(certificate).read_bytes())
        metadata = (("authorization", f"Bearer {secret}"),)
        endpoint = f"https://{serve.addresses['otlp_grpc']}"
        return Exporting(GrpcLogExporter(endpoint=endpoint, credentials=trusted, headers=metadata, timeout=20))
    headers = {"authorization": f"Bearer {secret}"}
    endpoint = serve.url("/v1/logs", "otlp_http")
    return Exporting(HttpLogExporter(endpoint=endpoint, headers=headers, certificate_file=certificate, timeout=20))


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_official_exporters_send_with_a_token_over_tls(serve: Serving, kind: str) -> None:
    known, unknown = exporting(serve, kind, OLD), exporting(serve, kind, "nobody-s-secret")
    assert known.send("TE-1")
    assert not unknown.send("TE-2")
    assert [each.fields["time_entry"] for each in events(serve.data)] == ["TE-1"]


def test_a_secret_is_changed_under_traffic_and_nothing_is_refused_or_lost(serve: Serving, tokens: Path) -> None:
    numbers = count()
    young, stop = threading.Event(), threading.Event()
    sent: list[tuple[str, bool]] = []

    def senders(secret: str) -> list[Callable[[int], bool]]:
        http, over_grpc = exporting(serve, "http", secret), exporting(serve, "grpc", secret)
        return [
            lambda number: send_events(serve, secret, number),
            lambda number: http.send(f"TE-{number}"),
            lambda number: over_grpc.send(f"TE-{number}"),
        ]

    def send(old: Callable[[int], bool], new: Callable[[int], bool]) -> None:
        while not stop.is_set():
            number = next(numbers)
            sent.append((f"TE-{number}", (new if young.is_set() else old)(number)))

    threads = [threading.Thread(target=send, args=pair) for pair in zip(senders(OLD), senders(NEW), strict=True)]
    for thread in threads:
        thread.start()

    def sent_more(by: int) -> None:
        wanted = len(sent) + by
        until(lambda: len(sent) >= wanted, "more to be sent")

    try:
        sent_more(30)
        write_tokens(tokens, psa=sender(OLD, NEW), ana=person(ANA))
        until(lambda: send_events(serve, NEW, next(numbers)), "the new secret to be taken")
        young.set()
        sent_more(30)
        write_tokens(tokens, psa=sender(NEW), ana=person(ANA))
        until(lambda: not send_events(serve, OLD, next(numbers)), "the old secret to be taken no more")
        sent_more(30)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [name for name, taken in sent if not taken] == []
    kept = [str(each.fields["time_entry"]) for each in events(serve.data)]
    assert {name for name, _ in sent} - set(kept) == set()
    assert len(set(kept)) == len(kept)


def test_a_file_of_tokens_that_cannot_be_used_leaves_the_former_in_force_and_says_so(
    serve: Serving, tokens: Path
) -> None:
    good = tokens.read_text()
    tokens.write_text(good.replace('"sender"', '"robot"'))
    until(lambda: serve.get("/readyz").json["parts"][0]["reason"] is not None, "a warning")
    until(lambda: serve.get("/readyz").json["parts"][3]["reason"] is not None, "a warning of the API")
    ready = serve.get("/readyz")
    assert ready.status == 200
    warning = "the file of tokens has 2 faults (the log says which): what it said before stays in force"
    assert [part["reason"] for part in ready.json["parts"]] == [warning, None, None, warning]
    assert send_events(serve, OLD, 1)
    shown = serve.get("/metrics").text
    assert 'throughline_guard_file_faults{part="collector"} 2.0' in shown
    assert 'throughline_api_guard_file_faults{part="api"} 2.0' in shown
    assert "seen 'robot', wanted 'sender' or 'person'" in log(serve)
    tokens.write_text(good)
    until(lambda: serve.get("/readyz").json["parts"][0]["reason"] is None, "the warning to go")


def test_a_certificate_is_changed_without_a_restart_and_our_own_parts_go_on(
    serve: Serving, pair: Pair, tmp_path: Path
) -> None:
    before = exporting(serve, "grpc", OLD)
    assert before.send("TE-1")
    make_pair(tmp_path, "second").put_in_place_of(pair)

    def by_the_new_one() -> bool:
        with suppress(URLError):  # the API has not looked yet, and still shows the former one
            return exporting(serve, "grpc", OLD).send("TE-2") and serve.get("/readyz").status == 200
        return False

    until(by_the_new_one, "the new certificate at all doors")
    assert before.send("TE-3"), "a connection that is open goes on"
    pair.key.write_text("no key\n")
    until(lambda: serve.get("/readyz").json["parts"][0]["reason"] is not None, "a warning")
    assert exporting(serve, "http", OLD).send("TE-4")
    assert serve.get("/metrics").text.count('part="collector"') > 10


def test_commands_and_orders_between_our_own_parts_go_over_tls(serve: Serving, pair: Pair, tmp_path: Path) -> None:
    bad = event("bad", "time.submitted", "yesterday", time_entry="TE-1")
    serve.secret = OLD
    structured = {"content-type": "application/cloudevents+json"}
    assert serve.call(serve.url("/v1/events", "http"), bad, structured).status == 422
    serve.secret = ANA
    replayed = run("quarantine", "replay", "--all", "--data", str(serve.data), "--json", THROUGHLINE_TOKEN=ANA)
    assert replayed.returncode == 1, "it is still what it was"
    assert json.loads(replayed.stdout)["replays"][0]["outcome"] == "set_aside", replayed.stdout
    (entry,) = serve.get("/api/v1/quarantine").json["entries"]
    assert [each["by"] for each in entry["replays"]] == ["ana"]
    file = tmp_path / "events.ndjson"
    file.write_text(json.dumps(event("e-1", "time.submitted", time_entry="TE-7")) + "\n")
    at = ("--data", str(tmp_path / "elsewhere"), "--url")
    trusting = {"THROUGHLINE_TOKEN": OLD, "THROUGHLINE_CA_FILE": str(pair.certificate)}
    imported = run("import", str(file), *at, serve.url("", "http"), **trusting)
    assert imported.returncode == 0, imported.stderr
    untrusted = run("import", str(file), *at, serve.url("", "http"), THROUGHLINE_TOKEN=OLD)
    assert untrusted.returncode == 1
    assert "THROUGHLINE_CA_FILE=FILE" in untrusted.stderr
    assert "Traceback" not in untrusted.stderr


def test_what_changes_something_needs_a_person(serve: Serving) -> None:
    serve.secret = BI
    assert serve.get("/api/v1/cases").status == 200
    refused = serve.post("/api/v1/quarantine/replay", {"by": "ana"})
    assert (refused.status, refused.json["scope"]) == (403, "write")
    serve.secret = OLD
    assert serve.get("/api/v1/cases").status == 403
    assert serve.post("/api/v1/quarantine/replay", {"by": "ana"}).status == 403
    serve.secret = ANA
    assert serve.post("/api/v1/quarantine/replay", {"by": "somebody else"}).status == 200


def test_files_that_cannot_be_used_are_all_said_before_a_start(tmp_path: Path, pair: Pair, tokens: Path) -> None:
    other = make_pair(tmp_path, "other")
    tokens.write_text(tokens.read_text().replace('"read"', '"raed"'))
    refused = run(
        *("serve", "--data", str(tmp_path / "data"), "--tokens", str(tokens)),
        *("--tls-certificate", str(pair.certificate), "--tls-key", str(other.key)),
    )
    assert refused.returncode == 1
    assert "seen 'raed', wanted 'ingest', 'read' or 'write'" in refused.stderr
    assert f"seen no pair with {pair.certificate}" in refused.stderr
    assert not (tmp_path / "data").exists()
