"""Senders on every door at once, which send again what was not acknowledged, as official senders do, and keep account.

Each event names one time entry, or a document of one, of the one process that declares its type: it belongs to exactly
one case. Each payload has its own event ids, and is sent again unchanged until it is acknowledged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple, Protocol

import grpc
import httpx2
import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from throughline.core.instants import MINUTE, format_instant

STEPS = ("time.submitted", "time.approved", "time.posted", "time.posted")
EVENTS_OF_A_CASE = 16
EVENTS_OF_A_PAYLOAD = 3
CALL_SECONDS = 5.0
PAUSE_SECONDS = 0.03  # between payloads, so that there is traffic all the time but no load test
AGAIN_SECONDS = 0.05
POSITION = "throughline-position"

# OTLP says which answers a client sends again after; everything else would be a fault of ours.
PASSING_STATUS = frozenset({429, 502, 503, 504})
PASSING_CODES = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
# A sender that finds the door closed tries the same door again soon, not after two minutes.
CHANNEL = (
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
)

EventKey = tuple[str, str]  # source and id


class Told(NamedTuple):
    """One event as a sender means it, before it takes the form of its door."""

    source: str
    number: int
    kind: str
    time: int
    data: dict[str, Any]


def told(source: str, number: int, began: int) -> Told:
    """Return the n-th event of a source; every fourth speaks of the entry by its document only."""
    step = number % len(STEPS)
    entry, document = f"{source}-{number // EVENTS_OF_A_CASE}", f"D-{source}-{number // len(STEPS)}"
    keys = ({"time_entry": entry}, {"time_entry": entry}, {"time_entry": entry, "erp_document": document})
    data = {"erp_document": document} if step == len(keys) else keys[step]
    return Told(source, number, STEPS[step], began + number % 60 * MINUTE, {**data, "legal_entity": "DE01"})


class Sent(NamedTuple):
    """The answer to a payload that was acknowledged: the position at which it is durable."""

    position: str


class Passing(Exception):
    """Not acknowledged for a reason that passes: the sender sends the same again."""


class Door(Protocol):
    """One way in: makes a payload of events, says their keys, and sends it once."""

    name: str

    def payload(self, events: list[Told]) -> tuple[list[EventKey], Any]: ...

    def send(self, payload: Any) -> Sent:
        """Raise Passing where it has to be sent again."""
        ...

    def close(self) -> None: ...


class Accounts:
    """What was sent and what was acknowledged, by several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.sent: list[EventKey] = []
        self.acknowledged: list[EventKey] = []
        self.positions: list[str] = []
        self.repeated = 0
        self.faults: list[BaseException] = []

    def note_sent(self, keys: list[EventKey]) -> None:
        with self._changed:
            self.sent += keys

    def note_repeated(self) -> None:
        with self._changed:
            self.repeated += 1

    def note_acknowledged(self, keys: list[EventKey], answer: Sent) -> None:
        with self._changed:
            self.acknowledged += keys
            self.positions.append(answer.position)
            self._changed.notify_all()

    def note_fault(self, fault: BaseException) -> None:
        with self._changed:
            self.faults.append(fault)
            self._changed.notify_all()

    def wait_for(self, more: int, seconds: float) -> None:
        """Wait until so many more events are acknowledged; fail with the fault of a sender, or where they never are."""
        with self._changed:
            wanted = len(self.acknowledged) + more
            reached = self._changed.wait_for(lambda: self.faults or len(self.acknowledged) >= wanted, seconds)
        if self.faults:
            raise self.faults[0]
        assert reached, f"waited in vain for {more} more events to be acknowledged"


class Sender:
    """Sends through one door until it is stopped, and then until its last payload is acknowledged."""

    def __init__(self, door: Door, accounts: Accounts, began: int, stop: threading.Event, per_payload: int) -> None:
        self._door = door
        self._accounts = accounts
        self._began = began
        self._stop = stop
        self._per_payload = per_payload
        self.thread = threading.Thread(target=self._run, name=door.name)

    def _run(self) -> None:
        try:
            numbers = count()
            while not self._stop.is_set():
                events = [told(self._door.name, next(numbers), self._began) for _ in range(self._per_payload)]
                keys, payload = self._door.payload(events)
                self._accounts.note_sent(keys)
                self._accounts.note_acknowledged(keys, self._deliver(payload))
                self._stop.wait(PAUSE_SECONDS)
        except BaseException as fault:
            self._accounts.note_fault(fault)
        finally:
            self._door.close()

    def _deliver(self, payload: Any) -> Sent:
        again = threading.Event()
        while True:
            with suppress(Passing):
                return self._door.send(payload)
            self._accounts.note_repeated()
            again.wait(AGAIN_SECONDS)


# The doors.

Addresses = Callable[[], Mapping[str, str]]


class HttpDoor:
    """What all doors over HTTP have in common; ``addresses`` are asked anew each time, as a serve may move."""

    path = ""
    port = ""
    content_type = ""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._client = httpx2.Client(timeout=CALL_SECONDS, trust_env=False)

    def post(self, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        url = f"http://{self._addresses()[self.port]}{self.path}"
        try:
            answer = self._client.post(url, content=body, headers={"content-type": self.content_type, **headers})
        except httpx2.TransportError as error:
            raise Passing from error
        if answer.status_code in PASSING_STATUS:
            raise Passing
        return answer

    def close(self) -> None:
        self._client.close()


def cloudevent(event: Told) -> tuple[EventKey, dict[str, Any]]:
    attributes = {
        "specversion": "1.0",
        "id": f"{event.number}",
        "source": event.source,
        "type": event.kind,
        "time": format_instant(event.time),
    }
    return (event.source, f"{event.number}"), {**attributes, "data": event.data}


class BatchDoor(HttpDoor):
    """CloudEvents, several in one request."""

    name, path, port = "batches", "/v1/events", "http"
    content_type = "application/cloudevents-batch+json"

    def payload(self, events: list[Told]) -> tuple[list[EventKey], bytes]:
        made = [cloudevent(event) for event in events]
        return [key for key, _ in made], msgspec.json.encode([content for _, content in made])

    def send(self, payload: bytes) -> Sent:
        return _receipt(self.post(payload, {}))


class SingleDoor(HttpDoor):
    """CloudEvents one by one, in the binary form."""

    name, path, port, content_type = "singles", "/v1/events", "http", "application/json"

    def payload(self, events: list[Told]) -> tuple[list[EventKey], dict[str, Any]]:
        (event,) = events
        key, content = cloudevent(event)
        return [key], content

    def send(self, payload: dict[str, Any]) -> Sent:
        attributes = {f"ce-{name}": value for name, value in payload.items() if name != "data"}
        return _receipt(self.post(msgspec.json.encode(payload["data"]), attributes))


def _receipt(answer: httpx2.Response) -> Sent:
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert receipt["set_aside"] == [], answer.text
    return Sent(receipt["position"])


def attributes(values: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]


def logs(events: list[Told]) -> tuple[list[EventKey], ExportLogsServiceRequest]:
    """Return events as log records, which state their ids."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add(resource=Resource(attributes=attributes({"service.name": events[0].source})))
    records = group.scope_logs.add().log_records
    for event in events:
        said = attributes({"event.id": f"{event.number}", **event.data})
        records.append(LogRecord(event_name=event.kind, time_unix_nano=event.time * 1000, attributes=said))
    return [(event.source, f"{event.number}") for event in events], request


def spans(events: list[Told]) -> tuple[list[EventKey], ExportTraceServiceRequest]:
    """Return events as spans, whose ids follow from those of the spans."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(resource=Resource(attributes=attributes({"service.name": events[0].source})))
    keys: list[EventKey] = []
    for event in events:
        trace_id = msgspec.json.encode(event.source)[:8].ljust(8) + (event.number // EVENTS_OF_A_CASE + 1).to_bytes(8)
        span_id = (event.number + 1).to_bytes(8)
        said = {"event": event.kind, **event.data}
        span = Span(
            trace_id=trace_id,
            span_id=span_id,
            name="sync",
            start_time_unix_nano=event.time * 1000,
            end_time_unix_nano=event.time * 1000,
            attributes=attributes({f"throughline.{name}": value for name, value in said.items()}),
        )
        group.scope_spans.add(spans=[span])
        keys.append((event.source, f"{trace_id.hex()}-{span_id.hex()}-0"))
    return keys, request


Export = Callable[[list[Told]], tuple[list[EventKey], Any]]


class OtlpHttpDoor(HttpDoor):
    """OTLP over HTTP in protobuf, logs or spans."""

    port, content_type = "otlp_http", "application/x-protobuf"

    def __init__(self, addresses: Addresses, signal: str, export: Export) -> None:
        super().__init__(addresses)
        self.name, self.path = f"http-{signal}", f"/v1/{signal}"
        self._export = export

    def payload(self, events: list[Told]) -> tuple[list[EventKey], bytes]:
        keys, request = self._export(events)
        return keys, request.SerializeToString()

    def send(self, payload: bytes) -> Sent:
        answer = self.post(payload, {})
        assert (answer.status_code, answer.content) == (200, b""), answer.text
        return Sent(answer.headers[POSITION])


class OtlpGrpcDoor:
    """OTLP over gRPC, logs or spans."""

    def __init__(self, addresses: Addresses, signal: str, export: Export, stub: Callable[[grpc.Channel], Any]) -> None:
        self.name = f"grpc-{signal}"
        self._addresses = addresses
        self._export = export
        self._stub = stub
        self._target = ""
        self._channel: grpc.Channel | None = None

    def payload(self, events: list[Told]) -> tuple[list[EventKey], Any]:
        return self._export(events)

    def send(self, payload: Any) -> Sent:
        target = self._addresses()["otlp_grpc"]
        if self._channel is None or target != self._target:
            self.close()
            self._channel, self._target = grpc.insecure_channel(target, CHANNEL), target
        try:
            answer, call = self._stub(self._channel).Export.with_call(payload, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            if error.code() in PASSING_CODES:
                raise Passing from error
            raise
        assert not answer.HasField("partial_success"), answer
        metadata = {**dict(call.initial_metadata()), **dict(call.trailing_metadata())}
        return Sent(str(metadata[POSITION]))

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()


def doors(addresses: Addresses) -> list[tuple[Door, int]]:
    """Return every door, with how many events go into one of its payloads."""
    return [
        (BatchDoor(addresses), EVENTS_OF_A_PAYLOAD),
        (SingleDoor(addresses), 1),
        (OtlpHttpDoor(addresses, "logs", logs), EVENTS_OF_A_PAYLOAD),
        (OtlpHttpDoor(addresses, "traces", spans), EVENTS_OF_A_PAYLOAD),
        (OtlpGrpcDoor(addresses, "logs", logs, LogsServiceStub), EVENTS_OF_A_PAYLOAD),
        (OtlpGrpcDoor(addresses, "traces", spans, TraceServiceStub), EVENTS_OF_A_PAYLOAD),
    ]
