"""The inputs of a file, and what a door would make of each with the firm's mappings: by the very code of the doors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from collector.cloudevents import STRUCTURED
from collector.intake import Incoming, read
from collector.json_array import is_array, split_batch
from collector.json_bodies import content_type_of, find_mapping, unmapped_type
from collector.reading import Door, Reading, Refused, Signal
from lineage.check import Origin
from throughline.cli.samples import Sample, sample_of
from throughline.core.errors import StartRefused
from throughline.core.event import Event
from throughline.core.mappings.folder import Mappings
from throughline.core.mappings.form import Input
from throughline.core.mappings.mapping import InputMapping
from throughline.core.mappings.value import Scope

_OTLP = {
    Signal.LOGS: ("resourceLogs", "scopeLogs", "logRecords"),
    Signal.TRACES: ("resourceSpans", "scopeSpans", "spans"),
}
_INPUTS = {Signal.LOGS: Input.LOG, Signal.TRACES: Input.SPAN}
_JSON_SOURCE = "/json/"
_OWN_FORMS = frozenset({"specversion", "event.type"})  # members of what the door of CloudEvents takes
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


class Taken(NamedTuple):
    """What a door makes of one input, and how that came to be."""

    reading: Reading
    origin: Origin


class Doors:
    """The doors as they would stand with a firm's mappings; ``wanted`` names the one of the JSON door, if it is that.

    Raises StartRefused where there is no such mapping for JSON.
    """

    def __init__(self, mappings: Mappings, wanted: str | None, nesting: int) -> None:
        try:
            self._wanted = None if wanted is None else find_mapping(mappings, wanted)
        except Refused as refused:
            raise StartRefused(f"--mapping: {refused.sentence}") from None
        self._mappings = mappings
        self._nesting = nesting

    def inputs(self, file: Path) -> Iterator[Sample]:
        """Give the inputs of a file, each as a request of its own. Raises StartRefused where it cannot be read."""
        for body in _bodies(file):
            for each in _elements(body):
                yield from self._inputs(each)

    def take(self, sample: Sample, received: int) -> Taken:
        """Return what becomes of an input; raises Refused where the door would refuse it."""
        incoming = Incoming(Door.JSON, sample.signal, "check", sample.content_type, sample.headers, sample.body)
        try:
            reading = read(incoming, received, self._nesting, self._mappings)
        except Refused as refused:
            raise Refused(refused.refusal, refused.sentence + self._where_else(sample)) from None
        if reading.mapped:
            return Taken(reading, Origin(reading.mapped[0]))
        if reading.rejected and not reading.events:
            return Taken(self._told(sample, reading), Origin())
        return Taken(reading, self._as_sent(sample, reading.events))

    def _inputs(self, body: bytes) -> Iterator[Sample]:
        content = _decoded(body)
        if self._wanted is not None:
            yield Sample(Input.JSON, Signal.JSON, content_type_of(self._wanted.name), {}, body, content)
            return
        sample = sample_of(content, body, {})
        if sample.signal in _OTLP:
            yield from _records(sample)
        else:
            yield Sample(Input.CLOUDEVENT, Signal.EVENTS, STRUCTURED, {}, body, content)

    def _told(self, sample: Sample, reading: Reading) -> Reading:
        """Return what was set aside with what to do where the input belongs at another door."""
        where = self._where_else(sample)
        if not where:
            return reading
        rejected = [
            msgspec.structs.replace(
                each, set_aside=msgspec.structs.replace(each.set_aside, sentence=each.set_aside.sentence + where)
            )
            for each in reading.rejected
        ]
        return msgspec.structs.replace(reading, rejected=rejected)

    def _where_else(self, sample: Sample) -> str:
        """Say that an object that is no CloudEvent comes in under the name of a mapping."""
        content = sample.content
        if self._wanted is not None or not isinstance(content, dict) or _OWN_FORMS & content.keys():
            return ""
        fitting = [
            each.name
            for each in self._mappings.by_name.values()
            if each.input is Input.JSON and each.types and each.fit(Scope(cast("Any", content))).fits
        ]
        name = " or ".join(fitting) or "NAME"
        return f"; JSON of another form comes in at /v1/json/MAPPING, and is checked with --mapping {name}"

    def _as_sent(self, sample: Sample, events: Sequence[Event]) -> Origin:
        """Say why no mapping took an input that came in as it is."""
        if self._wanted is not None:
            return Origin(unfit=_why(self._wanted, sample))
        if not events:
            return Origin()
        if sample.signal is Signal.EVENTS:
            unfit = "; ".join(
                _why(each, sample) for each in self._mappings.candidates(Input.CLOUDEVENT, sample.content)
            )
            return Origin(unfit=unfit or None, nearest=_nearest(self._mappings, events[0].type))
        name = self._mappings.types(_INPUTS[sample.signal]).get(events[0].type)
        unfit = None if name is None else f"{name}: its condition does not hold, or it makes no event of this"
        return Origin(unfit=unfit, nearest=_nearest(self._mappings, events[0].type))


def taken_before(mappings: Mappings, event: Event) -> Origin:
    """Return what can be told of an event that a door took before: what came in is not at hand any more."""
    name = event.source.removeprefix(_JSON_SOURCE) if event.source.startswith(_JSON_SOURCE) else None
    if name is not None and event.type == unmapped_type(name):
        return Origin(unfit=f"{name} did not fit what came in under its name")
    of_type = [each for each in mappings.by_name.values() if event.type in each.types]
    if not of_type or any(event.type in _becomes(each) for each in mappings.by_name.values()):
        return Origin(nearest=_nearest(mappings, event.type))
    names = " and ".join(each.name for each in of_type)
    return Origin(unfit=f"{names}: did not fit, or was not in force when it came in")


def _becomes(mapping: InputMapping) -> list[object]:
    return [maker.type.constant for maker in mapping.events if maker.type.is_constant]


def _nearest(mappings: Mappings, kind: str) -> str | None:
    """Say which type like this one a mapping is for; None where there is none like it."""
    known = {kind: each.name for each in mappings.by_name.values() for kind in each.types}
    close = get_close_matches(kind, known, n=1)
    return f"mapping {known[close[0]]} is for {close[0]}" if close and close[0] != kind else None


def _why(mapping: InputMapping, sample: Sample) -> str:
    return f"{mapping.name}: {mapping.fit(Scope(sample.content)).why or 'it makes no event of this'}"


def _bodies(file: Path) -> Iterator[bytes]:
    """Give what stands in a file: it as a whole where it is one JSON value, else line by line."""
    try:
        with file.open("rb") as content:
            head = content.read(64).lstrip()[:1]
            content.seek(0)
            if head == b"[":
                yield content.read()
                return
            lines = (line for line in content if line.strip())
            first = next(lines, None)
            if first is None:
                return
            if _decoded(first) is None:
                whole = b"".join((first, *lines))
                lines = iter((whole,) if _decoded(whole) is not None else whole.splitlines())
                first = next(lines)
            yield first
            yield from lines
    except OSError as error:
        raise StartRefused(
            f"{file} cannot be read ({error.strerror}): give a file of CloudEvents or other JSON, one a line"
        ) from None


def _elements(body: bytes) -> Iterator[bytes]:
    """Give the elements of an array, as a door reads a batch; anything else as it is."""
    if not is_array(body):
        yield body
        return
    try:
        elements = split_batch(body)
    except Refused:
        elements = [body]
    for each in elements:
        yield bytes(each)


def _decoded(body: bytes) -> Any:
    """Return what a JSON text holds; None where it is none, or null."""
    try:
        return msgspec.json.decode(body)
    except _UNREADABLE:
        return None


def _records(sample: Sample) -> Iterator[Sample]:
    """Give the records of an OTLP request, each byte for byte as a request of its own; one of another form as it is."""
    try:
        alone = list(_alone(sample.body, _OTLP[sample.signal]))
    except msgspec.DecodeError:
        alone = [sample.body]
    for body in alone:
        yield sample._replace(body=body)


def _alone(body: bytes, names: tuple[str, str, str]) -> Iterator[bytes]:
    of_resources, of_scopes, of_records = names
    for resource in _members.decode(msgspec.json.decode(body, type=dict[str, msgspec.Raw])[of_resources]):
        for scope in _members.decode(resource.get(of_scopes, b"[]")):
            for record in _elements_of.decode(scope.get(of_records, b"[]")):
                content = {of_resources: [{**resource, of_scopes: [{**scope, of_records: [record]}]}]}
                yield msgspec.json.encode(content)


_members = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_elements_of = msgspec.json.Decoder(list[msgspec.Raw])
