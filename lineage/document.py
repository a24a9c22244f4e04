"""The public document of one case: what the API, the commands and golden files show. Its form is kept stable.

Equal sets of events give equal bytes at the same moment: nothing in it depends on the order of arrival. Times are RFC
3339 in UTC, amounts and hours decimal text. The JSON Schema in ``schemas/case.schema.json`` is made from these types by
``python -m lineage.document``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lineage.fact import (
    Accepted,
    CaseState,
    Derived,
    Deviation,
    DeviationKind,
    Expected,
    Exposure,
    Member,
    RoundState,
    StepState,
    StepStatus,
    Via,
    Waits,
)
from lineage.process import Process, StepKind, WaitsFor
from lineage.rounds import in_order
from throughline.core.case_reference import CaseReference
from throughline.core.event import Event, FieldValue, identity_digest
from throughline.core.instants import format_instant
from throughline.core.key import Key, KeyType
from throughline.core.statement import AcceptedAs

_NONE_SET_ASIDE: Mapping[bytes, Iterable[Event]] = {}
SCHEMA_ID = "urn:throughline:schema:case"

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Decimal = Annotated[str, Meta(pattern=r"^-?\d+(\.\d+)?$")]


class KeyDocument(Struct, frozen=True):
    """A business key: its type, its normalised value, and the scope fields that say who issued it."""

    type: str
    value: str
    scope: dict[str, str]


class KeysDocument(Struct, frozen=True):
    """The keys of a case, by the role of their type in the process."""

    name: list[KeyDocument]
    aliases: list[KeyDocument]
    carriers: list[KeyDocument]
    relations: list[KeyDocument]


class StepDocument(Struct, frozen=True):
    """One step of one round. ``event_ids`` are the events that reported it, failures among them, in time order."""

    step: str
    kind: StepKind
    status: StepStatus
    waits_for: WaitsFor
    systems: list[str]
    systems_seen: list[str]
    optional: bool
    first: Time | None
    last: Time | None
    due: Time | None
    reason: str | None
    blind_since: Time | None
    event_ids: list[str]


class RoundDocument(Struct, frozen=True):
    """One pass of the case through its process. ``opened_by``: id of the event that opened it; null for the first."""

    round: int
    opened_by: str | None
    steps: list[StepDocument]


class AcceptedDocument(Struct, frozen=True, rename={"accepted_as": "as"}):
    """That a person settled it: as what, who, when, why; ``statement`` is the id of what they stated."""

    accepted_as: AcceptedAs
    by: str
    at: Time
    why: str
    statement: str


class DeviationDocument(Struct, frozen=True):
    """Where the case left its process. ``open`` is false once evidence closed it, or a person (``accepted``)."""

    kind: DeviationKind
    step: str | None
    round: int | None
    since: Time
    open: bool
    reason: str
    accepted: AcceptedDocument | None


class ExposureDocument(Struct, frozen=True):
    """What is held up: an empty object where nothing is. An amount or hours that are not known are null, never 0."""

    amount: Decimal | UnsetType | None = UNSET
    currency: str | UnsetType | None = UNSET
    hours: Decimal | UnsetType | None = UNSET


class WaitsDocument(Struct, frozen=True):
    """What the case waits for. ``who``: system, person or customer; ``systems``: the roles yet to report."""

    step: str
    round: int
    who: WaitsFor
    systems: list[str]
    owner: str | None
    due: Time | None


class ExpectedDocument(Struct, frozen=True):
    """A period of what should recur that has not come: one past due, or the next. ``key`` null: of the case itself."""

    expect: str
    period: int
    key: KeyDocument | None
    status: StepStatus
    who: WaitsFor
    systems: list[str]
    owner: str | None
    due: Time
    reason: str | None
    blind_since: Time | None


class ContentDocument(Struct, frozen=True):
    """Another content that came under the source and id of an event; it was set aside and counts for nothing."""

    digest: str
    received: Time
    type: str
    time: Time
    outcome: Literal["success", "failure"]
    amount: str | None
    currency: str | None
    hours: str | None
    fields: dict[str, FieldValue]


class MemberDocument(Struct, frozen=True):
    """One event of the case. ``role``: the role of the key by which it came; ``denied``: a person took it off.

    ``other_contents``: what else came under its source and id, those received first before others.
    """

    event_id: str
    source: str
    type: str
    time: Time
    received: Time
    role: Via
    outcome: Literal["success", "failure"]
    category: str | None
    message: str | None
    system: str | None
    trace_id: str | None
    denied: bool
    other_contents: list[ContentDocument]


class CaseDocument(Struct, frozen=True):
    """One case of one process. ``exposure`` is null where what is held up is wholly unknown.

    ``counted_in``: cases downstream in which sums count it, at most 20; empty where they count it here.
    """

    process: str
    version: str
    key_type: str
    name: str
    scope: dict[str, str]
    state: CaseState
    ended_as: str | None
    synthetic: bool
    owner: str | None
    began: Time | None
    last: Time | None
    keys: KeysDocument
    rounds: list[RoundDocument]
    deviations: list[DeviationDocument]
    exposure: ExposureDocument | None
    counted_in: list[CaseReference]
    waits_for: WaitsDocument | None
    expects: list[ExpectedDocument]
    members: list[MemberDocument]


def case_document(
    process: Process,
    name: Key,
    derived: Derived,
    members: Iterable[Member],
    keys_by_role: Mapping[str, Iterable[Key]],
    key_types: Mapping[str, KeyType],
    other_contents: Mapping[bytes, Iterable[Event]] = _NONE_SET_ASIDE,
    counted_in: Sequence[CaseReference] = (),
) -> CaseDocument:
    """Return the document of a case from the members that ``derived`` was derived from, in any order.

    ``keys_by_role`` gives the case's keys by role (name, alias, carrier, relation). ``name`` is the key of an alias
    where the case is provisional. ``other_contents`` are those set aside, by the digest of their (source, id).
    ``counted_in``: where sums count the exposure instead.
    """
    version, ordered = in_order(process, members)
    keys = {role: sorted(set(found), key=_key_order(process)) for role, found in keys_by_role.items()}
    return CaseDocument(
        process=process.name,
        version=version.number,
        key_type=name.type,
        name=name.value,
        scope=_scope(name, key_types),
        state=derived.state,
        ended_as=derived.ended_as,
        synthetic=derived.synthetic,
        owner=version.owner,
        began=_time(derived.began),
        last=_time(derived.last),
        keys=KeysDocument(
            *([_key(key, key_types) for key in keys.get(role, [])] for role in ("name", "alias", "carrier", "relation"))
        ),
        rounds=[_round(each, ordered) for each in derived.rounds],
        deviations=[_deviation(each) for each in derived.deviations],
        exposure=exposure_document(derived.exposure),
        counted_in=list(counted_in),
        waits_for=_waits(derived.waits),
        expects=[_expected(each, key_types) for each in derived.expected],
        members=[_member(each, other_contents) for each in ordered],
    )


def encode_document(document: CaseDocument) -> bytes:
    """Return the one JSON text of a document: fields in the order of the schema, scope fields by name."""
    return _encoder.encode(document)


_encoder = msgspec.json.Encoder(order="deterministic")


def case_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a case document."""
    (root,), components = msgspec.json.schema_components([CaseDocument], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Throughline case document",
        **root,
        "$defs": components,
    }


def schema_text() -> str:
    """Return the JSON Schema as it is kept in ``schemas/case.schema.json``."""
    return msgspec.json.format(msgspec.json.encode(case_schema()), indent=2).decode() + "\n"


def _key_order(process: Process) -> Callable[[Key], tuple[int, Key]]:
    types = [process.name_key, *process.aliases, *process.carriers, *process.relations]
    places = {kind: place for place, kind in enumerate(types)}
    return lambda key: (places.get(key.type, len(places)), key)


def _scope(key: Key, key_types: Mapping[str, KeyType]) -> dict[str, str]:
    key_type = key_types.get(key.type)
    return {} if key_type is None else dict(zip(key_type.scope, key.scope, strict=True))


def _key(key: Key, key_types: Mapping[str, KeyType]) -> KeyDocument:
    return KeyDocument(key.type, key.value, _scope(key, key_types))


def _time(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _round(state: RoundState, members: list[Member]) -> RoundDocument:
    opened_by = None if state.opened_by is None else members[state.opened_by].fact.id
    return RoundDocument(state.round, opened_by, [_step(each, members) for each in state.steps])


def _step(state: StepState, members: list[Member]) -> StepDocument:
    return StepDocument(
        step=state.step,
        kind=StepKind(state.kind),
        status=state.status,
        waits_for=WaitsFor(state.waits_for),
        systems=list(state.systems),
        systems_seen=list(state.systems_seen),
        optional=state.optional,
        first=_time(state.first),
        last=_time(state.last),
        due=_time(state.due),
        reason=state.reason,
        blind_since=_time(state.blind_since),
        event_ids=[members[position].fact.id for position in state.events],
    )


def _deviation(found: Deviation) -> DeviationDocument:
    since = format_instant(found.since)
    accepted = None if found.accepted is None else _accepted(found.accepted)
    return DeviationDocument(found.kind, found.step, found.round, since, found.open, found.reason, accepted)


def _accepted(found: Accepted) -> AcceptedDocument:
    return AcceptedDocument(found.accepted_as, found.by, format_instant(found.at), found.why, found.statement)


def exposure_document(held: Exposure | None) -> ExposureDocument | None:
    """Return what is held up as documents show it."""
    if held is None:
        return ExposureDocument()
    if held.amount is None and held.hours is None:
        return None
    return ExposureDocument(held.amount, held.currency, held.hours)


def _waits(waits: Waits | None) -> WaitsDocument | None:
    if waits is None:
        return None
    return WaitsDocument(
        waits.step, waits.round, WaitsFor(waits.waits_for), list(waits.systems), waits.owner, _time(waits.due)
    )


def _expected(found: Expected, key_types: Mapping[str, KeyType]) -> ExpectedDocument:
    return ExpectedDocument(
        expect=found.expect,
        period=found.period,
        key=None if found.key is None else _key(Key.decode(found.key), key_types),
        status=found.status,
        who=WaitsFor(found.waits_for),
        systems=list(found.systems),
        owner=found.owner,
        due=format_instant(found.due),
        reason=found.reason,
        blind_since=_time(found.blind_since),
    )


def _member(member: Member, other_contents: Mapping[bytes, Iterable[Event]]) -> MemberDocument:
    fact = member.fact
    others = other_contents.get(identity_digest(fact.source, fact.id), ()) if other_contents else ()
    return MemberDocument(
        event_id=fact.id,
        source=fact.source,
        type=fact.type,
        time=format_instant(fact.time),
        received=format_instant(fact.received),
        role=member.via,
        outcome="failure" if fact.failed else "success",
        category=fact.category,
        message=fact.message,
        system=fact.system,
        trace_id=fact.trace_id,
        denied=member.denied,
        other_contents=[_content(each) for each in others],
    )


def _content(event: Event) -> ContentDocument:
    return ContentDocument(
        digest=event.digest.hex(),
        received=format_instant(event.received),
        type=event.type,
        time=format_instant(event.time),
        outcome="failure" if event.failed else "success",
        amount=event.amount,
        currency=event.currency,
        hours=event.hours,
        fields=event.fields,
    )


if __name__ == "__main__":
    print(schema_text(), end="")
