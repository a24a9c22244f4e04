"""What a running collector answers those whose token is not for what they send, or who send more than their share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tests.running_collector import RunningCollector, cloudevent, events, records
from tests.tokens import person, sender, write_tokens

PSA, BUSY, BI, DESK = "a-secret-of-psa-s", "a-secret-of-busy-s", "a-secret-of-bi-s", "a-secret-of-desk-s"
OTLP, PATIENT = "a-secret-of-otlp-s", "a-secret-of-patient-s"
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
FLUSH_MILLISECONDS = 30_000


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    file = write_tokens(
        tmp_path_factory.mktemp("tokens") / "tokens.yaml",
        psa=sender(PSA, sources=["/psa/*"]),
        busy=sender(BUSY, rate=0.01, burst=5),
        bi=person(BI),
        desk=sender(DESK, mappings=["desk"]),
        otlp=sender(OTLP, rate=0.01, burst=1),
        patient=sender(PATIENT, rate=20, burst=10),
    )
    definitions = tmp_path_factory.mktemp("definitions")
    for name in ("desk", "crm"):
        event = "{type: ticket.repaired, id: input.id, time: input.at}"
        (definitions / f"{name}.yaml").write_text(f"mapping: {name}\ninput: json\nevent: {event}\n")
    settings = {"tokens": str(file), "definitions": str(definitions)}
    with RunningCollector(tmp_path_factory.mktemp("data"), settings) as running:
        yield running


def shown(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def grpc_error(collector: RunningCollector, secret: str) -> grpc.Call:
    with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(TRACES)(b"", timeout=20, metadata=[("authorization", f"Bearer {secret}")])  # type: ignore[misc]
        assert isinstance(error.value, grpc.Call)
        return error.value


def test_a_token_without_the_scope_is_told_which_was_wanted(collector: RunningCollector) -> None:
    answer = collector.send(cloudevent(1), headers=shown(BI))
    assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden")
    assert answer.json()["detail"] == "the token of bi has the scope read, write, wanted ingest"
    protobuf = {"content-type": "application/x-protobuf", **shown(BI)}
    export = collector.client.post(collector.url("/v1/traces", "otlp_http"), content=b"", headers=protobuf)
    assert (export.status_code, Status.FromString(export.content).code) == (403, 7)
    refused = grpc_error(collector, BI)
    assert refused.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "wanted ingest" in str(refused.details())


def test_only_who_may_send_is_given_leave_to(collector: RunningCollector) -> None:
    for secret, status in ((PSA, 200), (BI, 403), ("unknown", 401)):
        headers = {"webhook-request-origin": "events.example.com", **shown(secret)}
        answer = collector.client.options(collector.url("/v1/events"), headers=headers)
        assert (answer.status_code, "webhook-allowed-origin" in answer.headers) == (status, status == 200)


def test_a_request_with_an_event_of_another_source_is_refused_as_a_whole(collector: RunningCollector) -> None:
    before = len(records(collector.data))
    mine, theirs = cloudevent(10, source="/psa/emea"), cloudevent(11, source="/erp")
    answer = collector.send(mine, theirs, headers=shown(PSA))
    assert answer.status_code == 403
    assert answer.json()["detail"] == "seen an event of the source '/erp', which psa may not send; wanted /psa/*"
    assert len(records(collector.data)) == before
    assert collector.send(mine, headers=shown(PSA)).status_code == 202


def test_a_token_for_a_mapping_is_for_no_other(collector: RunningCollector) -> None:
    body = {"id": "1", "at": "2025-11-02T16:04:11Z"}
    assert collector.client.post(collector.url("/v1/json/desk"), json=body, headers=shown(DESK)).status_code == 202
    other = collector.client.post(collector.url("/v1/json/crm"), json=body, headers=shown(DESK))
    assert (other.status_code, "wanted desk" in other.json()["detail"]) == (403, True)


def test_who_sends_more_than_its_rate_is_told_when_to_come_back_and_others_go_on(collector: RunningCollector) -> None:
    assert collector.send(*map(cloudevent, range(20, 30)), headers=shown(BUSY)).status_code == 202
    limited = collector.send(cloudevent(31), headers=shown(BUSY))
    assert (limited.status_code, limited.json()["reason"]) == (429, "rate_limited")
    assert limited.headers["retry-after"] == "60"
    assert collector.send(cloudevent(32, source="/psa/x"), headers=shown(PSA)).status_code == 202
    assert collector.metric('throughline_requests_total{door="cloudevents",outcome="rate_limited"}') == 1


def test_over_grpc_it_is_told_so_by_a_retry_info(collector: RunningCollector) -> None:
    metadata = [("authorization", f"Bearer {OTLP}")]
    with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
        channel.unary_unary(TRACES)(b"", timeout=20, metadata=metadata)  # type: ignore[misc]
    refused = grpc_error(collector, OTLP)
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = Status.FromString(dict(refused.trailing_metadata())["grpc-status-details-bin"]).details
    info = RetryInfo()
    assert details[0].Unpack(info)
    assert info.retry_delay.seconds == 60


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_an_official_exporter_beyond_its_rate_comes_back_and_loses_nothing(
    collector: RunningCollector, kind: str
) -> None:
    exporter: Any = (
        GrpcLogExporter(endpoint=f"http://{collector.addresses['otlp_grpc']}", headers=tuple(shown(PATIENT).items()))
        if kind == "grpc"
        else HttpLogExporter(endpoint=collector.url("/v1/logs", "otlp_http"), headers=shown(PATIENT))
    )
    provider = LoggerProvider(resource=Resource({"service.name": f"patient-{kind}"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_export_batch_size=10))
    logger = provider.get_logger("test")
    for number in range(60):
        record = {"time_entry": f"TE-{number}", "throughline.id": f"{number}"}
        logger.emit(event_name="time.submitted", timestamp=10**18, attributes=record)
    assert provider.force_flush(FLUSH_MILLISECONDS)
    provider.shutdown()
    kept = [each.fields["time_entry"] for each in events(collector.data) if each.source == f"patient-{kind}"]
    assert sorted(set(kept), key=str) == sorted((f"TE-{number}" for number in range(60)), key=str)
    door = {"grpc": "otlp_grpc", "http": "otlp_http"}[kind]
    assert collector.metric(f'throughline_requests_total{{door="{door}",outcome="rate_limited"}}') > 0


def test_failed_sign_ins_from_an_address_do_not_hold_up_a_known_sender_there(collector: RunningCollector) -> None:
    series = 'throughline_failed_sign_ins_total{door="cloudevents",reason="unknown_token"}'
    collector.send(cloudevent(0), headers=shown("nobody-s-secret"))
    before = collector.metric(series)
    with ThreadPoolExecutor(8) as callers:
        failed = [
            callers.submit(collector.send, cloudevent(number), headers=shown("nobody-s-secret"))
            for number in range(200)
        ]
        known = [collector.send(cloudevent(n, source="/psa/y"), headers=shown(PSA)) for n in range(1_000, 1_050)]
    assert {answer.status_code for answer in known} == {202}
    answers = [each.result() for each in failed]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers if answer.status_code == 429)
    assert collector.metric(series) - before == 200
    assert grpc_error(collector, "nobody-s-secret").code() is grpc.StatusCode.RESOURCE_EXHAUSTED
