"""Every door of a running serve as a sender sees it: what it sends there, and what an acknowledgement is.

Each event names one time entry, or a document of one, and only one process declares its type: it belongs to exactly one
case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count, islice
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

from tests.guarantees.firm import ERP, PSA
from throughline.core.instants import MINUTE, format_instant

STEPS = ("time.submitted", "time.approved", "time.posted", "time.posted")
EVENTS_OF_A_CASE = 16
EVENTS_OF_A_PAYLOAD = 3
CALL_SECONDS = 5.0
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
    id: str
    number: int
    kind: str
    time: int
    data: dict[str, str]


def told(door: str, source: str, number: int, began: int) -> Told:
    """Return the nth event that comes by a door.

    Of every third time entry nothing but its submission is told, again and again; of the others each step, and of every
    other posting only the document.
    """
    case, step = divmod(number, EVENTS_OF_A_CASE)
    kind = STEPS[step % len(STEPS)] if case % 3 else STEPS[0]
    data = {"time_entry": f"{door}-{case}", "legal_entity": "DE01"}
    if kind == "time.posted":
        data["erp_document"] = f"D-{door}-{number // len(STEPS)}"
        if step % len(STEPS) == len(STEPS) - 1:
            del data["time_entry"]
    return Told(source, f"{door}-{number}", number, kind, began + number % 60 * MINUTE, data)


Position = str
"""At which a payload is durable, as its acknowledgement says."""


class Passing(Exception):
    """Not acknowledged for a reason that passes: the sender sends the same again."""


class Door(Protocol):
    """One way in: makes payloads, says the keys of the events in them, and sends each once."""

    name: str

    def next_payload(self) -> tuple[list[EventKey], Any]: ...

    def send(self, payload: Any) -> Position:
        """Raise Passing where it has to be sent again."""
        ...

    def close(self) -> None: ...


class Stream:
    """The events that come by one door, a few at a time."""

    def __init__(self, door: str, source: str, began: int, size: int) -> None:
        self._events = (told(door, source, number, began) for number in count())
        self._size = size

    def go_on(self) -> list[Told]:
        return list(islice(self._events, self._size))


class HttpDoor:
    """A door over HTTP; ``addresses`` are looked up each time, as a serve may move."""

    path = ""
    port = ""
    content_type = "application/json"

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses
        self._client = httpx2.Client(timeout=CALL_SECONDS, trust_env=False)

    def post(self, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        url = f"http://{self._addresses[self.port]}{self.path}"
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
        "id": event.id,
        "source": event.source,
        "type": event.kind,
        "time": format_instant(event.time),
    }
    return (event.source, event.id), {**attributes, "data": event.data}


class BatchDoor(HttpDoor):
    """CloudEvents, several in one request."""

    name, path, port = "batches", "/v1/events", "http"
    content_type = "application/cloudevents-batch+json"

    def __init__(self, addresses: Mapping[str, str], began: int) -> None:
        super().__init__(addresses)
        self._stream = Stream(self.name, PSA, began, EVENTS_OF_A_PAYLOAD)

    def next_payload(self) -> tuple[list[EventKey], bytes]:
        made = [cloudevent(event) for event in self._stream.go_on()]
        return [key for key, _ in made], msgspec.json.encode([content for _, content in made])

    def send(self, payload: bytes) -> Position:
        return _receipt(self.post(payload, {}))


class SingleDoor(HttpDoor):
    """CloudEvents one by one, in the binary form."""

    name, path, port = "singles", "/v1/events", "http"

    def __init__(self, addresses: Mapping[str, str], began: int) -> None:
        super().__init__(addresses)
        self._stream = Stream(self.name, ERP, began, 1)

    def next_payload(self) -> tuple[list[EventKey], dict[str, Any]]:
        (event,) = self._stream.go_on()
        key, content = cloudevent(event)
        return [key], content

    def send(self, payload: dict[str, Any]) -> Position:
        attributes = {f"ce-{name}": value for name, value in payload.items() if name != "data"}
        return _receipt(self.post(msgspec.json.encode(payload["data"]), attributes))


def _receipt(answer: httpx2.Response) -> Position:
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert receipt["set_aside"] == [], answer.text
    return receipt["position"]


def attributes(values: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]


def logs(events: list[Told]) -> tuple[list[EventKey], ExportLogsServiceRequest]:
    """Return events as log records, which state their ids."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add(resource=Resource(attributes=attributes({"service.name": events[0].source})))
    records = group.scope_logs.add().log_records
    for event in events:
        said = attributes({"event.id": event.id, **event.data})
        records.append(LogRecord(event_name=event.kind, time_unix_nano=event.time * 1000, attributes=said))
    return [(event.source, event.id) for event in events], request


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

    def __init__(self, addresses: Mapping[str, str], began: int, signal: str, export: Export) -> None:
        super().__init__(addresses)
        self.name, self.path = f"http-{signal}", f"/v1/{signal}"
        self._stream = Stream(self.name, self.name, began, EVENTS_OF_A_PAYLOAD)
        self._export = export

    def next_payload(self) -> tuple[list[EventKey], bytes]:
        keys, request = self._export(self._stream.go_on())
        return keys, request.SerializeToString()

    def send(self, payload: bytes) -> Position:
        answer = self.post(payload, {})
        assert (answer.status_code, answer.content) == (200, b""), answer.text
        return answer.headers[POSITION]


class OtlpGrpcDoor:
    """OTLP over gRPC, logs or spans."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        began: int,
        signal: str,
        export: Export,
        stub: Callable[[grpc.Channel], Any],
    ) -> None:
        self.name = f"grpc-{signal}"
        self._addresses = addresses
        self._stream = Stream(self.name, self.name, began, EVENTS_OF_A_PAYLOAD)
        self._export = export
        self._stub = stub
        self._target = ""
        self._channel: grpc.Channel | None = None

    def next_payload(self) -> tuple[list[EventKey], Any]:
        return self._export(self._stream.go_on())

    def send(self, payload: Any) -> Position:
        target = self._addresses["otlp_grpc"]
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
        return str(metadata[POSITION])

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()


class StatementDoor(HttpDoor):
    """Statements of a person: that time entries are part of billing events. The API has no way to know a repetition."""

    name, path, port = "statements", "/api/v1/statements", "api"

    def __init__(self, addresses: Mapping[str, str]) -> None:
        super().__init__(addresses)
        self._numbers = count()

    def next_payload(self) -> tuple[list[EventKey], dict[str, Any]]:
        number = next(self._numbers)
        pair = {"from": {"time_entry": f"batches-{number}"}, "to": {"billing_event": f"B-{number % 7}"}}
        return [], {"verb": "link", "pair": pair, "all": True, "by": "ana", "why": f"number {number}"}

    def send(self, payload: dict[str, Any]) -> Position:
        answer = self.post(msgspec.json.encode(payload), {})
        assert answer.status_code == 201, answer.text
        return answer.json()["position"]


def doors(addresses: Mapping[str, str], began: int) -> list[Door]:
    """Return every door for events, and the one for statements."""
    return [
        BatchDoor(addresses, began),
        SingleDoor(addresses, began),
        OtlpHttpDoor(addresses, began, "logs", logs),
        OtlpHttpDoor(addresses, began, "traces", spans),
        OtlpGrpcDoor(addresses, began, "logs", logs, LogsServiceStub),
        OtlpGrpcDoor(addresses, began, "traces", spans, TraceServiceStub),
        StatementDoor(addresses),
    ]
