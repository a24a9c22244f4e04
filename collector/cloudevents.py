"""CloudEvents 1.0 over HTTP: structured, binary and batched JSON, to canonical events.

Formats: CloudEvents 1.0.2, its JSON format and HTTP protocol binding, with the extensions correlationid, causationid,
recordedtime, sequence, traceparent and bam, and the names that Camunda and Dynatrace have for some. Two leniencies:
``application/json`` without ``ce-`` headers is taken as structured where it holds an object, as a batch where it holds
an array; and in binary mode a form that holds a JSON object is taken as one, since that is the type that clients add by
themselves where an SDK gives them none.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast
from urllib.parse import unquote_to_bytes

import msgspec

from collector.canonical import LONGEST_IDENTITY, NESTING, Envelope, canonical_event
from collector.json_array import UNREADABLE, decode_json, is_array, split_batch
from collector.json_fault import json_fault
from collector.mapped import NO_MAPPINGS, InputOrigin, take_mapped
from collector.reading import Reading, Refusal, Refused, Rejected, bound_records
from collector.setaside import Reason, SetAside, Unfit, shown
from throughline.core.mappings.folder import Mappings
from throughline.core.mappings.form import Input
from throughline.core.number import Number, scalar_text
from throughline.core.traceparent import TRACEPARENT

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"  # what urllib and curl say where they were told nothing
HEADER_PREFIX: Final = "ce-"

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_ESCAPED = re.compile(r"\\(.)")

_json = msgspec.json.Decoder(float_hook=Number)


def read_cloudevents(
    content_type: str,
    headers: Mapping[str, str],
    body: bytes,
    received: int,
    nesting: int = NESTING,
    mappings: Mappings = NO_MAPPINGS,
) -> Reading:
    """Read a request; ``headers`` holds its ``ce-`` headers by lower-case name.

    An event that a mapping is for becomes what that makes of it; one nested deeper than ``nesting`` is set aside.
    Raises Refused where the request as a whole can't be read: another media type, broken JSON or encoding.
    """
    media_type = _media_type(content_type)
    reading = Reading(events=[], rejected=[])
    taking = _Taking(reading, received, nesting, mappings if mappings.has(Input.CLOUDEVENT) else None)
    if media_type == STRUCTURED or (media_type == JSON and not headers and not is_array(body)):
        _take(taking, 0, decode_json(body), body)
    elif media_type == BATCH or (media_type == JSON and not headers):
        batch = split_batch(body)
        bound_records(len(batch))
        for index, raw in enumerate(batch):
            _take_raw(taking, index, bytes(raw))
    elif headers and not media_type.startswith("application/cloudevents"):
        event = _binary_event(media_type, headers, body)
        _take(taking, 0, event, None)
    else:
        raise Refused(
            Refusal.UNSUPPORTED,
            f"seen content type {shown(content_type)}, wanted {STRUCTURED}, {BATCH}, or ce- headers beside {JSON}",
        )
    return reading


def _media_type(content_type: str) -> str:
    media_type, _, parameters = content_type.partition(";")
    charset = parameters.lower().partition("charset=")[2].partition(";")[0].strip().strip('"')
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise Refused(Refusal.UNSUPPORTED, f"seen charset {shown(charset)}, wanted UTF-8")
    return media_type.strip().lower()


class _Taking(NamedTuple):
    """What is the same for all events of a request; ``mappings`` is None where none is for CloudEvents."""

    reading: Reading
    received: int
    nesting: int
    mappings: Mappings | None


def _is_object(body: bytes) -> bool:
    return body[:64].lstrip()[:1] == b"{"


def _take_raw(taking: _Taking, index: int, raw: bytes) -> None:
    try:
        event = _json.decode(raw)
    except UNREADABLE as error:
        set_aside = SetAside(Reason.NO_EVENT, f"the event is no JSON: {json_fault(error, raw)}")
        taking.reading.rejected.append(Rejected(index, set_aside, STRUCTURED, raw))
    else:
        _take(taking, index, event, raw)


def _take(taking: _Taking, index: int, event: object, raw: bytes | None) -> None:
    """Add one event, or why it is set aside, to the reading; ``raw`` is None where it came in binary mode."""
    reading = taking.reading
    try:
        attributes = _attributes(event)
        envelope = _envelope(attributes, reading)
        if taking.mappings is not None and _take_mapped(taking, taking.mappings, index, attributes, envelope, raw):
            return
        outcome = canonical_event(envelope, _data(attributes), taking.received, taking.nesting)
    except Unfit as unfit:
        outcome = unfit.set_aside
    if not isinstance(outcome, SetAside):
        reading.events.append(outcome)
        return
    attributes: Mapping[str, Any] = _aliased(cast("Mapping[str, Any]", event)) if isinstance(event, Mapping) else {}
    body = raw if raw is not None else _structured(attributes)
    source, event_id, kind = (_name(attributes.get(name)) for name in ("source", "id", "type"))
    reading.rejected.append(Rejected(index, outcome, STRUCTURED, body, source, event_id, kind))


def _take_mapped(
    taking: _Taking,
    mappings: Mappings,
    index: int,
    attributes: Mapping[str, Any],
    envelope: Envelope,
    raw: bytes | None,
) -> bool:
    """Add what a mapping makes of an event; return whether one made anything of it."""
    mapping = mappings.choose(Input.CLOUDEVENT, attributes)
    if mapping is None:
        return False
    input = {name: value for name, value in attributes.items() if name != _RAW_DATA}
    if input.get("data") is None and input.get("data_base64") is not None:
        input["data"] = _from_base64(input["data_base64"])
    origin = InputOrigin(index, STRUCTURED, raw if raw is not None else _structured(attributes))
    return take_mapped(taking.reading, mapping, input, envelope, origin, taking.received, taking.nesting)


def _name(value: object) -> str | None:
    return str(value)[:LONGEST_IDENTITY] if isinstance(value, str) else None


def _attributes(event: object) -> Mapping[str, Any]:
    if not isinstance(event, Mapping):
        raise Unfit(Reason.NO_EVENT, f"seen {shown(event)}, wanted a CloudEvent, which is an object")
    attributes = cast("Mapping[str, Any]", event)
    if attributes.get("data_base64") is not None and attributes.get("data") is not None:
        raise Unfit(Reason.NO_EVENT, "seen data and data_base64, wanted one of them")
    if attributes.get("specversion") != "1.0":
        attributes = _aliased(attributes)
        version = attributes.get("specversion")
        if version == "1.0":
            return attributes
        raise Unfit(Reason.NO_EVENT, f'specversion: seen {shown(version)}, wanted "1.0"')
    return attributes


def _aliased(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event that is no CloudEvent but names its type as Dynatrace does as one; any other as it is.

    Without ``data``, what is no attribute of a CloudEvent is its data: such events are flat.
    """
    if "specversion" in members or "event.type" not in members:
        return members
    event = {name: members[alias] for alias, name in _DYNATRACE.items() if alias in members}
    event |= {name: value for name, value in members.items() if name in _PLAIN or name in _HEARD}
    rest = {name: value for name, value in members.items() if name not in event and name not in _DYNATRACE}
    return {"data": rest, **event, "specversion": "1.0"}


_DYNATRACE: Final = {"event.type": "type", "event.provider": "source", "event.id": "id", "timestamp": "time"}


def _envelope(attributes: Mapping[str, Any], reading: Reading) -> Envelope:
    get = attributes.get
    time, recorded = _time("time", get("time")), _time("recordedtime", get("recordedtime"))
    envelope = Envelope(get("source"), get("id"), get("type"), time, recorded, get("subject"))
    for name, value in attributes.items():
        if name in _PLAIN or value is None:
            continue
        if name == "traceparent":
            _add_trace(envelope, value, reading)
        elif name == "correlationid" or name == "bamtxid":
            envelope.correlation_ids += (_correlation(name, value),)
        elif name == "causationid":
            envelope.causation_id = value
        elif name == "sequence":
            envelope.sequence = value
        elif name == "synthetic":
            envelope.synthetic = value
        elif name == "group":  # Camunda's name for what belongs together
            envelope.correlation_ids += (_correlation(name, value),)
        elif name == "traceid" and "traceparent" not in attributes:  # Camunda's, too
            _add_trace_id(envelope, value, reading)
        elif name.startswith("bam"):
            envelope.facts = {**(envelope.facts or {}), name: _bam_fact(name, value)}
    return envelope


_PLAIN: Final = frozenset({"specversion", "id", "source", "type", "time", "recordedtime", "subject", "data"})
_HEARD: Final = frozenset({"traceparent", "correlationid", "bamtxid", "causationid", "sequence", "group", "traceid"})


def _time(name: str, value: object) -> str | None:
    if value is None or type(value) is str:
        return value
    raise Unfit(Reason.BAD_TIME, f"{name}: seen {shown(value)}, wanted an RFC 3339 time with zone, as a text")


def _correlation(name: str, value: object) -> str:
    text = scalar_text(value)
    if text is None:
        raise Unfit(Reason.BAD_FIELD, f"{name}: seen {shown(value)}, wanted text")
    return text


def _bam_fact(name: str, value: object) -> object:
    """Return a fact of the bam extension; its Boolean is a text in binary mode."""
    if name == "bamptxcompleted" and value in ("true", "false"):
        return value == "true"
    return value


def _add_trace(envelope: Envelope, traceparent: object, reading: Reading) -> None:
    match = TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    if match is None:
        reading.ignored_traceparents += 1
    else:
        envelope.trace_id, envelope.span_id = match[1], match[2]


def _add_trace_id(envelope: Envelope, trace_id: object, reading: Reading) -> None:
    found = trace_id.lower() if isinstance(trace_id, str) else ""
    if _TRACE_ID.fullmatch(found) is None:
        reading.ignored_traceparents += 1
    else:
        envelope.trace_id = found


def _data(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    data = attributes.get("data")
    if data is None and attributes.get("data_base64") is not None:
        data = _from_base64(attributes["data_base64"])
    if data is None:
        return {}
    if isinstance(data, Mapping):
        return cast("Mapping[str, Any]", data)
    raise Unfit(Reason.NO_EVENT, f"data: seen {shown(data)}, wanted a JSON object")


def _from_base64(encoded: object) -> object:
    try:
        return _json.decode(base64.b64decode(encoded if isinstance(encoded, str) else "!", validate=True))
    except (*UNREADABLE, binascii.Error):
        raise Unfit(Reason.NO_EVENT, "data_base64: seen something else than JSON, wanted a JSON object") from None


def _binary_event(media_type: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    """Return the attributes and data of a request in binary mode.

    Without a content type the data is JSON, as it is in an event without datacontenttype (CloudEvents JSON format
    1.0.2, 3.1.1): the SDK of Python sends it so by default.
    """
    attributes: dict[str, Any] = {
        name.removeprefix(HEADER_PREFIX): header_text(value) for name, value in headers.items()
    }
    attributes.pop("data", None)
    attributes.pop("data_base64", None)
    if not body:
        return attributes
    unsaid = media_type == "" or (media_type == FORM and _is_object(body))
    if not media_type.endswith(("/json", "+json")) and not unsaid:
        raise Refused(Refusal.UNSUPPORTED, f"seen data of content type {shown(media_type)}, wanted {JSON}")
    attributes["data"] = decode_json(body)
    attributes[_RAW_DATA] = body
    return attributes


_RAW_DATA: Final = "\x00raw"  # no attribute's name, so nothing a sender writes can collide with it


def header_text(value: str) -> str:
    """Return the value of a ``ce-`` header: unescape a quoted string, then undo percent-encoding once.

    Source: CloudEvents HTTP protocol binding 1.0.2, 3.1.3.2. Raises Refused where that gives no UTF-8.
    """
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = _ESCAPED.sub(r"\1", value[1:-1])
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeError as error:
        raise Refused(Refusal.MALFORMED, "a ce- header is no percent-encoded UTF-8") from error


def _structured(attributes: Mapping[str, Any]) -> bytes:
    """Return an event that came in binary mode as a structured one, its data byte for byte."""
    event = {name: value for name, value in attributes.items() if name != _RAW_DATA}
    if _RAW_DATA in attributes:
        event["data"] = msgspec.Raw(attributes[_RAW_DATA])
    return msgspec.json.encode(event)
