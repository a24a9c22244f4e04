"""JSON bodies of any form, by the mapping that their sender names: to canonical events.

What the mapping does not fit is kept as it is: an event of the type that it has in its own words, with its scalars as
fields, at the time of its receipt. No process knows it; it is counted as unmapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from collector.canonical import LONGEST_IDENTITY, OWN_PLACE, Envelope, canonical_event
from collector.json_array import decode_json, is_array, split_batch
from collector.mapped import InputOrigin, take_mapped, unknown_mapping
from collector.reading import Reading, Refusal, Refused, Rejected, bound_records
from collector.setaside import Reason, SetAside, shown
from throughline.core.forms import nearest
from throughline.core.mappings.folder import Mappings
from throughline.core.mappings.form import Input
from throughline.core.mappings.mapping import InputMapping, content_id
from throughline.core.mappings.value import Scope
from throughline.core.number import scalar_text

JSON: Final = "application/json"
_PARAMETER: Final = "mapping="
_UNMAPPED: Final = "json."


def content_type_of(mapping: str) -> str:
    """Return the content type under which a body is kept, so that it can be taken again: it names the mapping."""
    return f"{JSON};{_PARAMETER}{mapping}"


def unmapped_type(mapping: str) -> str:
    """Return the type of an event that a mapping does not fit, where what came in has none of its own."""
    return f"{_UNMAPPED}{mapping}"


def find_mapping(mappings: Mappings, name: str) -> InputMapping:
    """Return the mapping of that name for JSON bodies; raise Refused with the nearest one."""
    known = {name: each for name, each in mappings.by_name.items() if each.input is Input.JSON}
    if name in known:
        return known[name]
    if name in mappings.by_name:
        raise unknown_mapping(name, f"one with input: json; that one is for a {mappings.by_name[name].input}")
    raise unknown_mapping(name, nearest(name, known))


def read_json(content_type: str, body: bytes, received: int, nesting: int, mappings: Mappings) -> Reading:
    """Read a body, an object or an array of objects; ``content_type`` as ``content_type_of`` returns it.

    Raises Refused where the body is no JSON, or the mapping is not known.
    """
    mapping = find_mapping(mappings, content_type.partition(_PARAMETER)[2])
    reading = Reading(events=[], rejected=[])
    taking = _Taking(reading, mapping, received, nesting)
    if not is_array(body):
        _take(taking, decode_json(body), InputOrigin(0, content_type, body))
        return reading
    batch = split_batch(body)
    bound_records(len(batch))
    for index, raw in enumerate(batch):
        origin = InputOrigin(index, content_type, bytes(raw))
        try:
            input = decode_json(origin.body)
        except Refused as refused:
            outcome = SetAside(Reason.NO_EVENT, refused.sentence)
            reading.rejected.append(Rejected(index, outcome, content_type, origin.body))
        else:
            _take(taking, input, origin)
    return reading


class _Taking(NamedTuple):
    """What is the same for all inputs of a request."""

    reading: Reading
    mapping: InputMapping
    received: int
    nesting: int


def _take(taking: _Taking, input: object, origin: InputOrigin) -> None:
    reading, mapping, received, nesting = taking
    if not isinstance(input, Mapping):
        outcome = SetAside(Reason.NO_EVENT, f"seen {shown(input)}, wanted an object")
        reading.rejected.append(Rejected(origin.index, outcome, origin.content_type, origin.body))
        return
    content = cast("Mapping[str, Any]", input)
    envelope = Envelope(source=f"/json/{mapping.name}", id=None, type=None)
    fits = mapping.fit(Scope(content)).fits
    if not fits or not take_mapped(reading, mapping, content, envelope, origin, received, nesting):
        _keep_unmapped(taking, content, origin)


def _keep_unmapped(taking: _Taking, content: Mapping[str, Any], origin: InputOrigin) -> None:
    reading, mapping, received, nesting = taking
    kind = scalar_text(mapping.at.find(content)) if mapping.types else None
    named = kind is not None and kind.isprintable() and bool(kind.strip()) and len(kind) <= LONGEST_IDENTITY
    try:
        identity = content_id(content)
    except RecursionError:
        identity = "?"  # nested too deeply: set aside as such
    envelope = Envelope(
        source=f"/json/{mapping.name}",
        id=identity,
        type=kind if named else unmapped_type(mapping.name),
        time=received,
    )
    data = {name: value for name, value in content.items() if name not in OWN_PLACE}
    outcome = canonical_event(envelope, data, received, nesting)
    if isinstance(outcome, SetAside):
        reading.rejected.append(Rejected(origin.index, outcome, origin.content_type, origin.body))
    else:
        reading.events.append(outcome)


def json_media_type(content_type: str) -> None:
    """Raise Refused for a body that says to be no JSON; one that says nothing is taken for it."""
    media_type, _, parameters = content_type.partition(";")
    name = media_type.strip().lower()
    charset = parameters.lower().partition("charset=")[2].partition(";")[0].strip().strip('"')
    if name not in ("", JSON, "text/json") and not name.endswith("+json"):
        raise Refused(Refusal.UNSUPPORTED, f"seen content type {shown(content_type)}, wanted {JSON}")
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise Refused(Refusal.UNSUPPORTED, f"seen charset {shown(charset)}, wanted UTF-8")
