"""OTLP messages of our own: wire-compatible with OpenTelemetry's, but with the fields that we read only.

``attributes`` are declared as maps: repeated key/value entries and a map have the same wire form, and a map is looked
up instead of walked, which makes reading a span three times as fast as with the stock classes. Order matters inside
``kvlist_value`` (a stated pair's end), so that one stays a list. Fields that are not declared are skipped, and kept
as unknown fields when a message is written again.

Source of field numbers: opentelemetry-proto 1.x (collector/{trace,logs,metrics}/v1, trace/v1, logs/v1, metrics/v1,
common/v1, resource/v1) and google/rpc/{status,error_details}.proto.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.unknown_fields import UnknownFieldSet

_PACKAGE: Final = "throughline.otlp"
_KINDS: Final = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "fixed32": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED32,
    "fixed64": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED64,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
}
# message -> fields, each "kind name = number"; kind is a scalar above, another message, "[kind]" for a list of it, or
# "map" for text -> AnyValue. A message's name in front of "|" makes all its fields alternatives (a oneof).
_MESSAGES: Final = {
    "AnyValue|value": (
        "string string_value = 1",
        "bool bool_value = 2",
        "int64 int_value = 3",
        "double double_value = 4",
        "ArrayValue array_value = 5",
        "KeyValueList kvlist_value = 6",
        "bytes bytes_value = 7",
    ),
    "ArrayValue": ("[AnyValue] values = 1",),
    "KeyValue": ("string key = 1", "AnyValue value = 2"),
    "KeyValueList": ("[KeyValue] values = 1",),
    "Resource": ("map attributes = 1",),
    "Scope": ("string name = 1", "string version = 2"),
    "TracesRequest": ("[ResourceSpans] resource_spans = 1",),
    "ResourceSpans": ("Resource resource = 1", "[ScopeSpans] scope_spans = 2"),
    "ScopeSpans": ("Scope scope = 1", "[Span] spans = 2"),
    "Span": (
        "bytes trace_id = 1",
        "bytes span_id = 2",
        "bytes parent_span_id = 4",
        "string name = 5",
        "int32 kind = 6",
        "fixed64 start_time_unix_nano = 7",
        "fixed64 end_time_unix_nano = 8",
        "map attributes = 9",
        "[SpanEvent] events = 11",
        "Status status = 15",
    ),
    "SpanEvent": ("fixed64 time_unix_nano = 1", "string name = 2", "map attributes = 3"),
    "Status": ("string message = 2", "int32 code = 3"),
    "LogsRequest": ("[ResourceLogs] resource_logs = 1",),
    "ResourceLogs": ("Resource resource = 1", "[ScopeLogs] scope_logs = 2"),
    "ScopeLogs": ("Scope scope = 1", "[LogRecord] log_records = 2"),
    "LogRecord": (
        "fixed64 time_unix_nano = 1",
        "int32 severity_number = 2",
        "string severity_text = 3",
        "AnyValue body = 5",
        "map attributes = 6",
        "bytes trace_id = 9",
        "bytes span_id = 10",
        "fixed64 observed_time_unix_nano = 11",
        "string event_name = 12",
    ),
    "MetricsRequest": ("[ResourceMetrics] resource_metrics = 1",),
    "ResourceMetrics": ("Resource resource = 1", "[ScopeMetrics] scope_metrics = 2"),
    "ScopeMetrics": ("Scope scope = 1", "[Metric] metrics = 2"),
    "Metric": (
        "string name = 1",
        "Points gauge = 5",
        "Points sum = 7",
        "Points histogram = 9",
        "Points exponential_histogram = 10",
        "Points summary = 11",
    ),
    "Points": ("[Point] data_points = 1",),
    "Point": (),
    "PartialSuccess": ("int64 rejected = 1", "string error_message = 2"),
    "Response": ("PartialSuccess partial_success = 1",),
    "RpcStatus": ("int32 code = 1", "string message = 2", "[Any] details = 3"),
    "Any": ("string type_url = 1", "bytes value = 2"),
    "RetryInfo": ("Duration retry_delay = 1",),
    "Duration": ("int64 seconds = 1",),
}


class Wire:
    """The message classes by name, made once per process; upb's classes carry no static types."""

    def __init__(self) -> None:
        pool = descriptor_pool.DescriptorPool()
        pool.Add(_file())  # pyright: ignore[reportUnknownMemberType]
        self._classes: dict[str, Any] = {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))  # pyright: ignore[reportUnknownMemberType]
            for name in (message.partition("|")[0] for message in _MESSAGES)
        }

    def __getattr__(self, name: str) -> Any:
        return self._classes[name]


@cache
def wire() -> Wire:
    """Return the message classes; built at the first call, in about 2 ms."""
    return Wire()


RESOURCE_ATTRIBUTES: Final = 1
SPAN_ATTRIBUTES: Final = 9
SPAN_EVENT_ATTRIBUTES: Final = 3
LOG_ATTRIBUTES: Final = 6


def make_whole(message: Any, attributes: int) -> None:
    """Give a message back those attributes with a field that we don't know; ``attributes`` is the number of its map.

    An entry of a map with such a field is kept as unknown as a whole (protobuf's way with maps), though it is a key and
    a value like others: a later version of OTLP may add to them.
    """
    unknown = cast("Any", UnknownFieldSet)(message)
    if not len(unknown):
        return
    for field in unknown:
        if field.field_number == attributes and field.wire_type == _LENGTH_DELIMITED:
            pair = wire().KeyValue.FromString(field.data)
            if pair.key not in message.attributes:
                message.attributes[pair.key].CopyFrom(pair.value)


_LENGTH_DELIMITED: Final = 2


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="throughline/otlp.proto", package=_PACKAGE, syntax="proto3")
    for heading, fields in _MESSAGES.items():
        name, _, oneof = heading.partition("|")
        message = file.message_type.add(name=name)
        if oneof:
            message.oneof_decl.add(name=oneof)
        for field in fields:
            _add_field(message, field, oneof)
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, text: str, oneof: str) -> None:
    kind, name, _, number = text.split()
    field = message.field.add(name=name, number=int(number), label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
    if oneof:
        field.oneof_index = 0
    if kind == "map":
        entry = message.nested_type.add(name="AttributesEntry", options=descriptor_pb2.MessageOptions(map_entry=True))
        _add_field(entry, "string key = 1", "")
        _add_field(entry, "AnyValue value = 2", "")
        kind = f"[{message.name}.AttributesEntry]"
    if kind.startswith("["):
        field.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
        kind = kind[1:-1]
    if kind in _KINDS:
        field.type = _KINDS[kind]
    else:
        field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
