"""OTLP requests, protobuf or JSON, to canonical events, span facts and log facts.

A span with attribute ``throughline.event`` is an event at its end; so is a span event that has it, at its own time;
so is a log record with an EventName. Every span gives a span fact; a log record that is no event gives a log fact
where it names its trace. Counts within a request (``Rejected.index``) run over its spans or its log records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.message import DecodeError

from collector.canonical import LONGEST_IDENTITY, NESTING, Envelope, canonical_event
from collector.density import bound_groups
from collector.mapped import NO_MAPPINGS, InputOrigin, take_mapped
from collector.otlp_error import gather_error
from collector.otlp_input import Screen, log_input, span_input
from collector.otlp_json import logs_message, metrics_message, traces_message
from collector.otlp_wire import (
    LOG_ATTRIBUTES,
    RESOURCE_ATTRIBUTES,
    SPAN_ATTRIBUTES,
    SPAN_EVENT_ATTRIBUTES,
    make_whole,
    wire,
)
from collector.reading import Reading, Refusal, Refused, Rejected, bound_records
from collector.setaside import Reason, SetAside
from throughline.core.journal import LogFact, SpanFact
from throughline.core.mappings.folder import Mappings
from throughline.core.mappings.form import Input
from throughline.core.number import scalar_text

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
PREFIX: Final = "throughline."
EVENT: Final = "throughline.event"
CONVERSATION: Final = "messaging.message.conversation_id"
STATUS_ERROR: Final = 2
LONGEST_LOG_TEXT: Final = 1_024
_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)


class Origin(NamedTuple):
    """What the resource says of all that comes under it; ``source`` None where it has no service.name."""

    source: str | None
    service: str
    system: str | None
    instance: str | None
    flow: str | None


def read_traces(
    media_type: str, body: bytes, received: int, nesting: int = NESTING, mappings: Mappings = NO_MAPPINGS
) -> Reading:
    """Read a traces request; raises Refused where it can't be decoded, or where not one of its spans has valid ids."""
    request = _decoded(media_type, body, "TracesRequest", traces_message, nesting)
    marked = media_type != PROTOBUF or PREFIX.encode() in body  # most requests state nothing of ours: look no further
    reading = Reading(events=[], spans=[], rejected=[])
    screen = Screen(mappings, Input.SPAN, "name", plain)
    wanted, names, further = screen.wanted, screen.own, screen.looks_further
    index = 0
    for resource_spans in request.resource_spans:
        if not resource_spans.scope_spans:
            continue
        origin = _origin(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            bound_records(index + len(scope_spans.spans))
            for span in scope_spans.spans:
                if not _valid_ids(span):
                    reading.invalid_spans += 1
                    index += 1
                    continue
                if marked or wanted:
                    make_whole(span, SPAN_ATTRIBUTES)
                if wanted and (span.name in names or (further and screen.lets_through("", span.attributes))):
                    place = _Place(index, resource_spans.resource, scope_spans.scope, origin)
                    if not _take_mapped_span(reading, place, span, mappings, received, nesting):
                        _take_marked(reading, place, span, received)
                elif marked:
                    _take_marked(
                        reading, _Place(index, resource_spans.resource, scope_spans.scope, origin), span, received
                    )
                else:
                    reading.spans.append(_span_fact(span, origin, None, origin))
                index += 1
    if index and reading.invalid_spans == index:
        raise Refused(Refusal.MALFORMED, "no span has a trace id of 16 bytes and a span id of 8, not all zeros")
    return reading


def read_logs(
    media_type: str, body: bytes, received: int, nesting: int = NESTING, mappings: Mappings = NO_MAPPINGS
) -> Reading:
    """Read a logs request; raises Refused where it can't be decoded, for JSON also where it nests too deeply."""
    request = _decoded(media_type, body, "LogsRequest", logs_message, nesting)
    reading = Reading(events=[], logs=[], rejected=[])
    screen = Screen(mappings, Input.LOG, "event_name", plain)
    index = 0
    for resource_logs in request.resource_logs:
        if not resource_logs.scope_logs:
            continue
        origin = _origin(resource_logs.resource)
        for scope_logs in resource_logs.scope_logs:
            bound_records(index + len(scope_logs.log_records))
            for record in scope_logs.log_records:
                make_whole(record, LOG_ATTRIBUTES)
                place = _Place(index, resource_logs.resource, scope_logs.scope, origin)
                kind = record.event_name or _text_attribute(record.attributes, "event.name")
                mapped = screen.wanted and screen.lets_through(kind or "", record.attributes)
                if not (mapped and _take_mapped_log(reading, place, record, kind, mappings, received, nesting)):
                    _take_log(reading, place, record, kind, received)
                index += 1
    return reading


def read_metrics(media_type: str, body: bytes, nesting: int = NESTING) -> Reading:
    """Count the points of a metrics request, which are not kept; raises Refused where it can't be decoded."""
    request = _decoded(media_type, body, "MetricsRequest", metrics_message, nesting)
    points = sum(
        len(kind.data_points)
        for resource_metrics in request.resource_metrics
        for scope_metrics in resource_metrics.scope_metrics
        for metric in scope_metrics.metrics
        for kind in (metric.gauge, metric.sum, metric.histogram, metric.exponential_histogram, metric.summary)
    )
    return Reading(metric_points=points)


class _Place(NamedTuple):
    """Where in a request a span or log record stands."""

    number: int
    resource: Any
    scope: Any
    origin: Origin


def _decoded(media_type: str, body: bytes, name: str, from_json: Callable[[bytes, int], Any], nesting: int) -> Any:
    if media_type == JSON:
        return from_json(body, nesting)
    bound_groups(body)
    try:
        return getattr(wire(), name).FromString(body)
    except DecodeError as error:
        raise Refused(Refusal.MALFORMED, f"the body is no {name} of OTLP") from error


def _origin(resource: Any) -> Origin:
    make_whole(resource, RESOURCE_ATTRIBUTES)
    attributes = resource.attributes
    service = _text_attribute(attributes, "service.name")
    namespace = _text_attribute(attributes, "service.namespace")
    return Origin(
        source=f"{namespace}/{service}" if namespace and service else service,
        service=service or "",
        system=_text_attribute(attributes, "throughline.system"),
        instance=_text_attribute(attributes, "throughline.instance"),
        flow=_text_attribute(attributes, "throughline.flow"),
    )


def _text_attribute(attributes: Any, name: str) -> str | None:
    return (scalar_text(plain(attributes[name])) or None) if name in attributes else None


def _valid_ids(span: Any) -> bool:
    trace_id, span_id = span.trace_id, span.span_id
    return len(trace_id) == 16 and len(span_id) == 8 and trace_id != _NO_TRACE and span_id != _NO_SPAN


def _span_fact(span: Any, origin: Origin, event: str | None, own: Origin) -> SpanFact:
    """Return the fact of a span; ``own`` is the origin with what the span itself says of system, instance and flow."""
    parent, status = span.parent_span_id, span.status
    return SpanFact(
        span.trace_id,
        span.span_id,
        span.start_time_unix_nano // 1000,
        span.end_time_unix_nano // 1000,
        status.code == STATUS_ERROR,
        span.name,
        origin.service,
        span.kind,
        parent if len(parent) == 8 else None,
        own.flow,
        own.system,
        own.instance,
        status.message or None,
        event,
    )


def _take_marked(reading: Reading, place: _Place, span: Any, received: int) -> None:
    """Add a span's fact, and its events where it or its span events state one."""
    attributes = span.attributes
    own = _own_origin(attributes, place.origin)
    kind = _text_attribute(attributes, EVENT)
    reading.spans.append(_span_fact(span, place.origin, kind, own))
    conversation = _text_attribute(attributes, CONVERSATION)
    if EVENT in attributes:
        failed = span.status.code == STATUS_ERROR
        data = _prefixed_fields(attributes)
        gather_error(data, failed, _text_attribute(attributes, "error.type"), span.status.message)
        envelope = _span_envelope(span, own, 0, kind, span.end_time_unix_nano, conversation)
        envelope.failed = failed
        _take_event(reading, place, span, envelope, data, received)
    bound_records(len(span.events))
    for number, event in enumerate(span.events, start=1):
        make_whole(event, SPAN_EVENT_ATTRIBUTES)
        if EVENT in event.attributes:
            data = _prefixed_fields(event.attributes)
            gather_error(data, False, _text_attribute(event.attributes, "error.type"), "")
            kind = _text_attribute(event.attributes, EVENT)
            inner = _own_origin(event.attributes, own)
            envelope = _span_envelope(span, inner, number, kind, event.time_unix_nano, conversation)
            _take_event(reading, place, span, envelope, data, received)


def _own_origin(attributes: Any, origin: Origin) -> Origin:
    system = _text_attribute(attributes, "throughline.system")
    instance = _text_attribute(attributes, "throughline.instance")
    flow = _text_attribute(attributes, "throughline.flow")
    if system is None and instance is None and flow is None:
        return origin
    return origin._replace(
        system=system or origin.system, instance=instance or origin.instance, flow=flow or origin.flow
    )


def _span_envelope(
    span: Any, origin: Origin, number: int, kind: str | None, nanoseconds: int, conversation: str | None
) -> Envelope:
    """Return the envelope of a span's own event (number 0) or of its span event, counted from 1."""
    trace_id, span_id = span.trace_id.hex(), span.span_id.hex()
    return Envelope(
        source=origin.source,
        id=f"{trace_id}-{span_id}-{number}",
        type=kind,
        time=nanoseconds // 1000 if nanoseconds else None,
        correlation_ids=(conversation,) if conversation else (),
        trace_id=trace_id,
        span_id=span_id,
        system=origin.system,
        instance=origin.instance,
        flow=origin.flow,
    )


def _prefixed_fields(attributes: Any) -> dict[str, Any]:
    start = len(PREFIX)
    return {name[start:]: plain(attributes[name]) for name in attributes if name.startswith(PREFIX) and name != EVENT}


def _take_log(reading: Reading, place: _Place, record: Any, kind: str | None, received: int) -> None:
    """Add a log record's event, or its log fact where it is none."""
    attributes = record.attributes
    trace_id, span_id = _valid(record.trace_id, 16), _valid(record.span_id, 8)
    nanoseconds = record.time_unix_nano or record.observed_time_unix_nano
    if not kind:
        if trace_id is not None:
            reading.logs.append(_log_fact(record, trace_id, span_id, nanoseconds // 1000, place.origin.service))
        return
    plain_attributes = {name: plain(attributes[name]) for name in attributes}
    data = _log_fields(plain_attributes)
    envelope = _log_envelope(place, record, kind, plain_attributes)
    gather_error(data, data.get("outcome") == "failure", scalar_text(plain_attributes.get("error.type")), "")
    _take_event(reading, place, record, envelope, data, received)


def _log_envelope(place: _Place, record: Any, kind: str | None, attributes: Mapping[str, Any]) -> Envelope:
    trace_id, span_id = _valid(record.trace_id, 16), _valid(record.span_id, 8)
    nanoseconds = record.time_unix_nano or record.observed_time_unix_nano
    conversation = attributes.get(CONVERSATION)
    origin = place.origin
    return Envelope(
        source=origin.source,
        id=scalar_text(attributes.get("event.id")) or _log_id(place.scope, record, attributes),
        type=kind,
        time=nanoseconds // 1000 if nanoseconds else None,
        correlation_ids=(conversation,) if isinstance(conversation, str) else (),
        trace_id=None if trace_id is None else trace_id.hex(),
        span_id=None if span_id is None else span_id.hex(),
        system=origin.system,
        instance=origin.instance,
        flow=origin.flow,
    )


def _take_mapped_log(
    reading: Reading,
    place: _Place,
    record: Any,
    kind: str | None,
    mappings: Mappings,
    received: int,
    nesting: int,
) -> bool:
    """Add what a mapping makes of a log record; return whether one made anything of it."""
    input = log_input(record, kind, place.resource, place.scope, plain)
    mapping = mappings.choose(Input.LOG, input)
    if mapping is None:
        return False
    envelope = _log_envelope(place, record, kind, input["attributes"])
    alone = InputOrigin(place.number, PROTOBUF, _alone(place, record))
    return take_mapped(reading, mapping, input, envelope, alone, received, nesting)


def _take_mapped_span(
    reading: Reading, place: _Place, span: Any, mappings: Mappings, received: int, nesting: int
) -> bool:
    """Add what a mapping makes of a span, and its fact; return whether one made anything of it."""
    input = span_input(span, place.resource, place.scope, plain)
    mapping = mappings.choose(Input.SPAN, input)
    if mapping is None:
        return False
    own = _own_origin(span.attributes, place.origin)
    conversation = _text_attribute(span.attributes, CONVERSATION)
    envelope = _span_envelope(span, own, 0, None, span.end_time_unix_nano, conversation)
    envelope.failed = span.status.code == STATUS_ERROR
    alone = InputOrigin(place.number, PROTOBUF, _alone(place, span))
    taken = take_mapped(reading, mapping, input, envelope, alone, received, nesting)
    if taken:
        reading.spans.append(_span_fact(span, place.origin, mapping.name, own))
    return taken


def _valid(identifier: bytes, length: int) -> bytes | None:
    return identifier if len(identifier) == length and any(identifier) else None


def _log_fact(record: Any, trace_id: bytes, span_id: bytes | None, time: int, service: str) -> LogFact:
    body = _beginning(record.body, [LONGEST_LOG_TEXT])
    text = scalar_text(body)
    if text is None and body is not None:
        text = msgspec.json.encode(body).decode()
    return LogFact(trace_id, span_id, time, record.severity_text, (text or "")[:LONGEST_LOG_TEXT], service)


def _beginning(value: Any, left: list[int]) -> Any:
    """Return as much of a value as its beginning is shown of: so many elements, at all depths together."""
    which = value.WhichOneof("value")
    if which not in ("array_value", "kvlist_value"):
        return plain(value)
    shown: list[tuple[str, Any]] = []
    for element in getattr(value, which).values:
        left[0] -= 1
        if left[0] < 0:
            break
        key, inner = ("", element) if which == "array_value" else (element.key, element.value)
        shown.append((key, _beginning(inner, left)))
    return [inner for _, inner in shown] if which == "array_value" else dict(shown)


def _log_fields(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a log record; a name with our prefix wins over the same name without it."""
    fields = {
        name: value
        for name, value in attributes.items()
        if not name.startswith(PREFIX) and name not in ("event.name", "event.id")
    }
    for name, value in attributes.items():
        if name.startswith(PREFIX):
            fields[name[len(PREFIX) :]] = value
    return fields


def _log_id(scope: Any, record: Any, attributes: Mapping[str, Any]) -> str:
    """Return the id of a log record that states none: the same for a re-sent record, whenever it was observed."""
    content = (
        scope.name,
        scope.version,
        record.event_name,
        record.time_unix_nano,
        record.trace_id,
        record.span_id,
        attributes,
        plain(record.body),
    )
    return sha256(_sorted.encode(content)).hexdigest()


_sorted = msgspec.msgpack.Encoder(order="sorted")


def plain(value: Any) -> Any:
    """Return an AnyValue as a plain value: text, bool, int, float, bytes, list, dict in the sender's order, or None."""
    which = value.WhichOneof("value")
    if which == "string_value":
        return value.string_value
    if which is None:
        return None
    if which == "array_value":
        return [plain(element) for element in value.array_value.values]
    if which == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, which)


def _take_event(
    reading: Reading, place: _Place, element: Any, envelope: Envelope, data: dict[str, Any], received: int
) -> None:
    """Add an event, or why it is set aside, with the span or log record as a request of its own."""
    _lift_extensions(data, envelope)
    if envelope.source is None:
        outcome = SetAside(Reason.MISSING_IDENTITY, "source: the resource has no service.name, wanted one")
    else:
        outcome = canonical_event(envelope, data, received)
    if not isinstance(outcome, SetAside):
        reading.events.append(outcome)
        return
    names = (
        value[:LONGEST_IDENTITY] if isinstance(value, str) else None
        for value in (envelope.source, envelope.id, envelope.type)
    )
    reading.rejected.append(Rejected(place.number, outcome, PROTOBUF, _alone(place, element), *names))


def _lift_extensions(data: dict[str, Any], envelope: Envelope) -> None:
    """Move what a CloudEvent states by extensions from the attributes of the same names to the envelope."""
    if "recordedtime" in data:
        envelope.recorded = data.pop("recordedtime")
    if "subject" in data:
        envelope.subject = data.pop("subject")
    if "causationid" in data:
        envelope.causation_id = data.pop("causationid")
    for name in ("correlationid", "bamtxid"):
        if name in data:
            envelope.correlation_ids += (scalar_text(data.pop(name)) or "",)


def _alone(place: _Place, element: Any) -> bytes:
    """Return a request that holds one span or log record only, the same bytes for the same content."""
    if element.DESCRIPTOR.name == "Span":
        request = wire().TracesRequest()
        group = request.resource_spans.add()
        scope = group.scope_spans.add()
        scope.spans.add().CopyFrom(element)
    else:
        request = wire().LogsRequest()
        group = request.resource_logs.add()
        scope = group.scope_logs.add()
        scope.log_records.add().CopyFrom(element)
    group.resource.CopyFrom(place.resource)
    scope.scope.CopyFrom(place.scope)
    return request.SerializeToString(deterministic=True)
