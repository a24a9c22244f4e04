"""What mappings make of an input, held against the same rules as what senders write themselves (canonical.py)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from collector.canonical import LONGEST_IDENTITY, Envelope, canonical_event, check_nesting
from collector.reading import Reading, Refusal, Refused, Rejected, bound_records
from collector.setaside import Reason, SetAside, Unfit
from throughline.core.mappings.folder import Mappings
from throughline.core.mappings.mapping import Draft, InputMapping, Spoilt

NO_MAPPINGS: Final = Mappings()


class InputOrigin(msgspec.Struct, frozen=True):
    """Where an input stands in its request, and the input as a request of its own."""

    index: int
    content_type: str
    body: bytes


def take_mapped(
    reading: Reading,
    mapping: InputMapping,
    input: Any,
    envelope: Envelope,
    origin: InputOrigin,
    received: int,
    nesting: int,
) -> bool:
    """Add what a mapping makes of an input to the reading; return whether it made anything of it.

    An event that it can't make is set aside, and the others are taken. All that are set aside of one input share its
    body: taken again, those that were taken already are duplicates.
    """
    try:
        check_nesting(mapping.name, input, nesting)
    except Unfit as unfit:
        reading.rejected.append(Rejected(origin.index, unfit.set_aside, origin.content_type, origin.body))
        return True
    own_id = envelope.id if isinstance(envelope.id, str) else None
    made = mapping.apply(input, own_id)
    bound_records(len(reading.events) + len(reading.rejected) + len(made))
    for draft in made:
        if isinstance(draft, Spoilt):
            outcome = SetAside(Reason(draft.lack.value), _sentence(mapping, draft))
            reading.rejected.append(Rejected(origin.index, outcome, origin.content_type, origin.body))
            continue
        drawn = drawn_up(envelope, draft)
        outcome = canonical_event(drawn, draft.data, received, nesting)
        if isinstance(outcome, SetAside):
            sentence = f"{outcome.sentence} (mapping {mapping.name})"
            outcome = SetAside(outcome.reason, sentence)
            names = (_name(drawn.source), _name(drawn.id), _name(drawn.type))
            reading.rejected.append(Rejected(origin.index, outcome, origin.content_type, origin.body, *names))
        else:
            reading.events.append(outcome)
    if made:
        reading.mapped.append(mapping.name)
    return bool(made)


def drawn_up(envelope: Envelope, draft: Draft) -> Envelope:
    """Return the envelope of an event that a mapping made: what it says itself, else what came with the input."""
    return Envelope(
        source=envelope.source if draft.source is None else draft.source,
        id=draft.id,
        type=draft.type,
        time=envelope.time if draft.time is None else draft.time,
        recorded=envelope.recorded if draft.recorded is None else draft.recorded,
        subject=envelope.subject if draft.subject is None else draft.subject,
        correlation_ids=envelope.correlation_ids + draft.correlation_ids,
        causation_id=envelope.causation_id if draft.causation_id is None else draft.causation_id,
        sequence=envelope.sequence if draft.sequence is None else draft.sequence,
        trace_id=envelope.trace_id,
        span_id=envelope.span_id,
        facts=envelope.facts,
        failed=envelope.failed and draft.data.get("outcome") is None,
        synthetic=envelope.synthetic,
        system=envelope.system,
        instance=envelope.instance,
        flow=envelope.flow,
    )


def _sentence(mapping: InputMapping, spoilt: Spoilt) -> str:
    place = f"{spoilt.place}: " if spoilt.place else ""
    return f"{place}{spoilt.sentence} (mapping {mapping.name})"


def _name(value: object) -> str | None:
    return str(value)[:LONGEST_IDENTITY] if isinstance(value, str) else None


def unknown_mapping(name: str, wanted: str) -> Refused:
    """Return the refusal of a mapping that there is not."""
    return Refused(Refusal.NOT_FOUND, f"seen the mapping {name[:100]!r}, wanted {wanted}")
