"""What a sample would become, by the very code that the doors run, and which processes it would reach."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import msgspec

from collector.canonical import NESTING
from collector.intake import Incoming, read
from collector.json_bodies import content_type_of
from collector.reading import Door, Reading, Refused, Signal
from lineage.process import Definitions
from lineage.reach import Reach, reach
from throughline.cli.samples import Sample
from throughline.core.event import Event
from throughline.core.instants import format_instant
from throughline.core.mappings.folder import Mappings
from throughline.core.mappings.form import Input
from throughline.core.mappings.mapping import InputMapping
from throughline.core.mappings.value import Scope
from throughline.core.number import scalar_text


class TriedEvent(msgspec.Struct, frozen=True):
    """An event that a sample would become, as a sender might write it, and where it would go."""

    event: dict[str, Any]
    reach: Reach


class TriedFault(msgspec.Struct, frozen=True):
    """An event that would be set aside."""

    reason: str
    sentence: str


class Trial(msgspec.Struct, frozen=True):
    """What would become of one sample, counted from 1. ``why`` says why no mapping fits, or what else to know."""

    sample: int
    input: str
    mapping: str | None
    version: str | None
    door: str
    why: list[str]
    events: list[TriedEvent]
    set_aside: list[TriedFault]


def try_sample(
    number: int, sample: Sample, mappings: Mappings, definitions: Definitions, wanted: str | None, now: int
) -> Trial:
    """Return what would become of a sample that came in now; ``wanted`` names the mapping to hold it against."""
    known = Mappings([mappings.by_name[wanted]]) if wanted else mappings
    if sample.input is not Input.JSON:
        return _tried(number, sample, known, definitions, None, now)
    chosen = [known.by_name[wanted]] if wanted else _fitting(sample, known)
    if not chosen:
        return Trial(number, sample.input, None, None, "/v1/json/MAPPING", _misfits(sample, known), [], [])
    trials = [_tried(number, sample, known, definitions, each, now) for each in chosen]
    best = min(trials, key=lambda trial: (not trial.events, bool(trial.set_aside)))
    others = [each.name for each in chosen if best.door != _door(sample, each)]
    if not others:
        return best
    sentence = f"it fits {', '.join(others)} as well; its sender names one of them in the path"
    return msgspec.structs.replace(best, why=[*best.why, sentence])


def _fitting(sample: Sample, mappings: Mappings) -> list[InputMapping]:
    """Return the mappings under whose names a sender may send this JSON, the most specific first."""
    fitting = [
        each for each in mappings.by_name.values() if each.input is Input.JSON and each.fit(Scope(sample.content)).fits
    ]
    return sorted(fitting, key=lambda each: (not each.types, each.when is None, each.name))


def _tried(
    number: int, sample: Sample, known: Mappings, definitions: Definitions, chosen: InputMapping | None, now: int
) -> Trial:
    """Return what a door would make of a sample; ``chosen`` is the mapping that a sender of JSON names."""
    door = _door(sample, chosen)
    content_type = content_type_of(chosen.name) if chosen is not None else sample.content_type
    incoming = Incoming(Door.JSON, sample.signal, "trial", content_type, sample.headers, sample.body)
    try:
        reading = read(incoming, now, NESTING, known)
    except Refused as refused:
        return Trial(number, sample.input, None, None, door, [refused.sentence], [], [])
    name = reading.mapped[0] if reading.mapped else None
    return Trial(
        number,
        sample.input,
        name,
        known.by_name[name].version if name else None,
        door,
        [] if name else _unmapped(sample, known, chosen),
        [TriedEvent(event_document(event), reach(event, definitions)) for event in reading.events],
        _faults(reading),
    )


def _unmapped(sample: Sample, known: Mappings, chosen: InputMapping | None) -> list[str]:
    if chosen is None:
        return _misfits(sample, known)
    return [f"{chosen.name}: {chosen.fit(Scope(sample.content)).why or 'it makes no event of this'}"]


def _faults(reading: Reading) -> list[TriedFault]:
    return [TriedFault(each.set_aside.reason, each.set_aside.sentence) for each in reading.rejected]


def _door(sample: Sample, chosen: InputMapping | None) -> str:
    if chosen is not None:
        return f"/v1/json/{chosen.name}"
    return {Signal.TRACES: "/v1/traces", Signal.LOGS: "/v1/logs"}.get(sample.signal, "/v1/events")


def _misfits(sample: Sample, mappings: Mappings) -> list[str]:
    """Say why no mapping is for a sample; only what can be said of it as a whole."""
    of_kind = [each for each in mappings.by_name.values() if each.input is sample.input]
    if not of_kind:
        return [f"no mapping has input: {sample.input}"]
    if sample.input in (Input.LOG, Input.SPAN):
        return [f"no mapping has the type of any of its records; known are {', '.join(mappings.types(sample.input))}"]
    near = [each for each in of_kind if scalar_text(each.at.find(sample.content)) in each.types or not each.types]
    if near:
        return [f"{each.name}: {each.fit(Scope(sample.content)).why}" for each in near]
    seen = scalar_text(of_kind[0].at.find(sample.content)) or ""
    close = get_close_matches(seen, mappings.types(sample.input), n=1)
    nearest = close[0] if close else next(iter(mappings.types(sample.input)))
    return [f"no mapping has its type {seen!r}; the nearest is {nearest!r} ({mappings.types(sample.input)[nearest]})"]


def event_document(event: Event) -> dict[str, Any]:
    """Return an event as a sender might write it, without what it leaves open."""
    said: dict[str, Any] = {
        "type": event.type,
        "id": event.id,
        "source": event.source,
        "time": format_instant(event.time),
        "recorded_time": None if event.recorded is None else format_instant(event.recorded),
        "subject": event.subject,
        "outcome": "failure" if event.failed else "success",
        "error": None if event.error is None else _structure(event.error),
        "amount": event.amount,
        "currency": event.currency,
        "amounts": event.amounts,
        "hours": event.hours,
        "system": event.system,
        "instance": event.instance,
        "flow": event.flow,
        "sequence": event.sequence,
        "causation_id": event.causation_id,
        "synthetic": event.synthetic or None,
        "fields": {name: event.text(name) or value for name, value in event.fields.items()},
        "relations": [_pair(each) for each in event.relations],
    }
    return {name: value for name, value in said.items() if value not in (None, [], {})}


def _structure(struct: msgspec.Struct) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(struct).items() if value is not None}


def _pair(relation: Any) -> dict[str, Any]:
    pair: dict[str, Any] = {
        "from": {relation.from_type: relation.from_value} | (relation.from_scope or {}),
        "to": {relation.to_type: relation.to_value} | (relation.to_scope or {}),
    }
    return pair if relation.qualifier is None else pair | {"qualifier": relation.qualifier}
