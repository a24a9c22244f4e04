"""The ways in which systems tell what they did: log records, spans, and CloudEvents one by one or in batches."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any, Protocol
from urllib.parse import quote

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, format_span_id, format_trace_id

from throughline.core.instants import format_instant
from throughline.demo.firm import NAMESPACE, instance_of, role_of
from throughline.demo.systems.message import Addresses, Headers, Order
from throughline.demo.systems.telemetry import NANOSECONDS, Telemetry

REFUSED_FROM = 300
SECONDS = 30


class Speech(Protocol):
    """How one system tells what it did; ``flush`` returns the position of the last acknowledgement, where told."""

    def tell(self, order: Order) -> Headers: ...

    def flush(self) -> str | None: ...

    def close(self) -> None: ...


class Refused(Exception):
    """The product did not take what a system told."""


def facts(order: Order) -> dict[str, Any]:
    """Return an order's fields as a sender writes them, its outcome included."""
    body = dict(order.fields)
    if order.flow is not None:
        body["flow"] = order.flow
    if order.error is not None:
        body |= {"outcome": "failure", "error": order.error}
    return body


class LogSpeech:
    """Log records with an event name; ``own_ids`` says whether they carry ids of their own."""

    def __init__(self, telemetry: Telemetry, *, own_ids: bool) -> None:
        self._telemetry = telemetry
        self._own_ids = own_ids
        self._again: list[LogRecord] = []

    def tell(self, order: Order) -> Headers:
        span = self._telemetry.begin(order, {})
        attributes = facts(order)
        if self._own_ids:
            attributes["event.id"] = order.id
        record = LogRecord(
            timestamp=order.time * NANOSECONDS,
            observed_timestamp=order.reported * NANOSECONDS,
            context=trace.set_span_in_context(span),
            severity_number=SeverityNumber.ERROR if order.error else SeverityNumber.INFO,
            attributes=attributes,
            event_name=order.type,
        )
        self._telemetry.logger.emit(record)
        self._again += [record] * (order.copies - 1)
        headers = self._telemetry.send(order, span)
        span.end(order.time * NANOSECONDS)
        return headers

    def flush(self) -> str | None:
        """Send what waits, and then once more what this system sends twice."""
        _flush(self._telemetry)
        again, self._again = self._again, []
        for record in again:
            self._telemetry.logger.emit(record)
        if again:
            _flush(self._telemetry)
        return None

    def close(self) -> None:
        self._telemetry.close()


class SpanSpeech:
    """Spans that say which event they are; one told twice is exported twice."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def tell(self, order: Order) -> Headers:
        attributes = {f"throughline.{name}": value for name, value in facts(order).items() if name != "error"}
        span = self._telemetry.begin(order, {"throughline.event": order.type, **attributes})
        headers = self._telemetry.send(order, span)
        span.end(order.time * NANOSECONDS)
        if order.copies > 1 and isinstance(span, ReadableSpan):
            self._telemetry.spans.on_end(span)
        return headers

    def flush(self) -> str | None:
        _flush(self._telemetry)
        return None

    def close(self) -> None:
        self._telemetry.close()


def _flush(telemetry: Telemetry) -> None:
    if not telemetry.flush():
        raise Refused("telemetry was not acknowledged in time")


class CloudSpeech:
    """CloudEvents over HTTP, beside spans of its own; ``batched`` collects them until the next flush."""

    def __init__(self, system: str, telemetry: Telemetry, addresses: Addresses, *, batched: bool) -> None:
        self._telemetry = telemetry
        self._role = role_of(system)
        self._instance = instance_of(system)
        self._source = source_of(system)
        host, _, port = addresses.http.rpartition(":")
        self._connection = HTTPConnection(host, int(port), timeout=SECONDS)
        self._batched = batched
        self._batch: list[dict[str, Any]] = []
        self._position: str | None = None

    def tell(self, order: Order) -> Headers:
        span = self._telemetry.begin(order, {})
        event = self._event(order, span)
        for _ in range(order.copies):
            if self._batched:
                self._batch.append(event)
            else:
                self._send_alone(event)
        headers = self._telemetry.send(order, span)
        span.end(order.time * NANOSECONDS)
        return headers

    def _event(self, order: Order, span: Span) -> dict[str, Any]:
        context = span.get_span_context()
        body = facts(order)
        run = body.pop("correlation_id", None)
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": order.id,
            "source": self._source,
            "type": order.type,
            "time": format_instant(order.time),
            "recordedtime": format_instant(order.reported),
            "datacontenttype": "application/json",
            "traceparent": f"00-{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}-01",
            "data": body | {"system": self._role, "instance": self._instance},
        }
        if run is not None:
            event["correlationid"] = run
        return event

    def _send_alone(self, event: dict[str, Any]) -> None:
        """Send one event in binary mode: its attributes as headers, its data as the body."""
        headers = {
            f"ce-{name}": quote(str(value), safe=" !#$&'()*+,/:;=?@[]")
            for name, value in event.items()
            if name not in ("data", "datacontenttype")
        }
        self._post(event["data"], headers | {"content-type": "application/json"})

    def flush(self) -> str | None:
        batch, self._batch = self._batch, []
        if batch:
            self._post(batch, {"content-type": "application/cloudevents-batch+json"})
        _flush(self._telemetry)
        return self._position

    def _post(self, body: object, headers: dict[str, str]) -> None:
        self._connection.request("POST", "/v1/events", json.dumps(body).encode(), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= REFUSED_FROM:
            raise Refused(f"{answer.status}: {text.decode(errors='replace')[:400]}")
        reply = json.loads(text)
        if reply.get("set_aside"):
            raise Refused(f"set aside: {reply['set_aside']}")
        self._position = reply["position"]

    def close(self) -> None:
        self._connection.close()
        self._telemetry.close()


CLOUD_SYSTEMS = ("crm", "erp-apac", "fpna", "hcm", "payroll", "bi")


def source_of(system: str) -> str:
    """Return the ``source`` under which a system's events arrive."""
    return f"/{NAMESPACE}/{system}" if system in CLOUD_SYSTEMS else f"{NAMESPACE}/{system}"


def speech_of(system: str, addresses: Addresses, seed: str) -> Speech:
    """Return the way in which a system of the firm speaks: there are five ways."""

    def telemetry(transport: str) -> Telemetry:
        return Telemetry(system, role_of(system), transport, addresses, seed)

    match system:
        case "psa" | "procurement":
            return LogSpeech(telemetry("grpc"), own_ids=True)
        case "erp-emea" | "erp-uk" | "billing":
            return LogSpeech(telemetry("http"), own_ids=False)
        case "erp-amer":
            return LogSpeech(telemetry("grpc"), own_ids=False)
        case "scheduling" | "expense":
            return SpanSpeech(telemetry("http"))
        case "crm" | "bi":
            return CloudSpeech(system, telemetry("http"), addresses, batched=False)
        case "erp-apac" | "fpna" | "hcm" | "payroll":
            return CloudSpeech(system, telemetry("http"), addresses, batched=True)
        case _:
            raise ValueError(f"no such system: {system}")
