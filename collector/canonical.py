"""From what a sender wrote to a canonical event, or to the reason why not: one pure function for every door.

A door reads its protocol's envelope and hands over the fields as plain Python values: text, ``Number``, int, float,
bool, None, and lists and mappings of these. What is not a fact (nested objects, arrays of objects) is left out here;
the raw payload keeps it. Nothing is ever cut: an event with a value beyond a limit is set aside, and says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from collector.business import (
    decimal_amounts,
    decimal_text,
    iso_currency,
    read_failure,
    read_relations,
    truth,
)
from collector.setaside import Reason, SetAside, Unfit, shown
from throughline.core.event import Event, Failure, FieldValue, seal
from throughline.core.instants import MINUTE, format_instant, parse_instant
from throughline.core.number import Number, scalar_text
from throughline.core.text import has_control_characters

MOST_AHEAD: Final = 10 * MINUTE  # a time further after its own receipt than this is no time
MOST_FIELDS: Final = 1_000
MOST_ELEMENTS: Final = 10_000
LONGEST_TEXT: Final = 8_192
LONGEST_ELEMENT: Final = 1_024
LONGEST_NAME: Final = 256
LONGEST_IDENTITY: Final = 1_024  # in UTF-8: an index of PostgreSQL takes 2,704 bytes, of source and type together
NESTING: Final = 64
RESERVED_PREFIX: Final = "throughline."
HEARTBEAT: Final = "source.heartbeat"

# Members of ``data`` that have a place of their own in the event, so that they are no fields.
OWN_PLACE: Final = frozenset(
    {
        "amount",
        "amounts",
        "currency",
        "hours",
        "error",
        "outcome",
        "system",
        "instance",
        "flow",
        "relations",
        "synthetic",
        "sequence",
    }
)


class Envelope(msgspec.Struct, gc=False):
    """What a protocol's envelope says of an event; identity and times untyped, as the sender wrote them.

    ``time`` and ``recorded`` are RFC 3339 texts or microseconds since the epoch. ``correlation_ids`` join the
    event's own ``correlation_id``; ``facts`` are fields that the envelope gives. ``failed`` is what the envelope says
    of the outcome (a span's status). ``system``, ``instance`` and ``flow`` hold where the data names none.
    """

    source: object
    id: object
    type: object
    time: object = None
    recorded: object = None
    subject: object = None
    correlation_ids: tuple[str, ...] = ()
    causation_id: object = None
    sequence: object = None
    trace_id: str | None = None
    span_id: str | None = None
    facts: Mapping[str, Any] | None = None
    failed: bool = False
    synthetic: object = None
    system: str | None = None
    instance: str | None = None
    flow: str | None = None


def canonical_event(
    envelope: Envelope, data: Mapping[str, Any], received: int, nesting: int = NESTING
) -> Event | SetAside:
    """Return the event that a sender means, sealed, or why it is set aside. Never raises on anything a sender wrote.

    A value of ``data`` may nest arrays and objects ``nesting`` deep.
    """
    try:
        return _event(envelope, data, received, nesting)
    except Unfit as unfit:
        return unfit.set_aside


def _event(envelope: Envelope, data: Mapping[str, Any], received: int, nesting: int) -> Event:
    kind = identity_text("type", envelope.type)
    if kind.startswith(RESERVED_PREFIX):
        raise Unfit(Reason.RESERVED_TYPE, f"type: seen {shown(kind)}, but types throughline.* are ours alone")
    time, recorded = _times(envelope, received)
    if kind == HEARTBEAT:
        _check_until(data.get("until"), received)
    get = data.get
    fields, texts = _fields(data, nesting)
    if envelope.facts or envelope.correlation_ids:
        _add_envelope(fields, envelope)
    failed, error = _outcome(get("outcome"), get("error"), envelope)
    amount, amounts, currency, hours = get("amount"), get("amounts"), get("currency"), get("hours")
    amount = None if amount is None else decimal_text("amount", amount)
    amounts = None if amounts is None else decimal_amounts(amounts)
    if currency is not None:
        currency = iso_currency(currency)
    elif amount is not None or amounts is not None:
        raise Unfit(Reason.BAD_CURRENCY, "currency: seen none beside an amount, wanted a code of ISO 4217 such as EUR")
    relations, subject = get("relations"), envelope.subject
    system = envelope.system if get("system") is None else get("system")
    instance = envelope.instance if get("instance") is None else get("instance")
    flow = envelope.flow if get("flow") is None else get("flow")
    return seal(
        Event(
            source=identity_text("source", envelope.source),
            id=identity_text("id", envelope.id),
            type=kind,
            time=time,
            received=0,
            digest=b"",
            failed=failed,
            fields=fields,
            relations=[] if relations is None else read_relations(relations),
            amount=amount,
            currency=currency,
            amounts=amounts,
            hours=None if hours is None else decimal_text("hours", hours),
            error=error,
            system=None if system is None else _place("system", system),
            instance=None if instance is None else _place("instance", instance),
            flow=None if flow is None else _place("flow", flow),
            trace_id=envelope.trace_id,
            span_id=envelope.span_id,
            recorded=recorded,
            subject=None if subject is None else _place("subject", subject),
            causation_id=None if envelope.causation_id is None else _place("causationid", envelope.causation_id),
            sequence=_sequence(data) if envelope.sequence is None else _place("sequence", envelope.sequence),
            synthetic=truth("synthetic", get("synthetic")) is True or truth("synthetic", envelope.synthetic) is True,
            texts=texts,
        ),
        received,
    )


def identity_text(name: str, value: object) -> str:
    """Return type, id or source; raise Unfit where it is missing, too long, or has control characters."""
    if type(value) is not str or not value:
        raise Unfit(Reason.MISSING_IDENTITY, f"{name}: seen {shown(value)}, wanted a text that is not empty")
    _check_bytes(name, value)
    if has_control_characters(value) or value.isspace():
        raise Unfit(Reason.BAD_TEXT, f"{name}: seen {shown(value)}, wanted text without control characters")
    return value


def _times(envelope: Envelope, received: int) -> tuple[int, int | None]:
    time, recorded = envelope.time, envelope.recorded
    time = None if time is None else _instant("time", time, received)
    recorded = None if recorded is None else _instant("recordedtime", recorded, received)
    if time is not None:
        return time, recorded
    if recorded is not None:
        return recorded, recorded
    raise Unfit(Reason.NO_TIME, "time: seen neither time nor recordedtime, wanted when it happened, with zone")


def _instant(name: str, value: object, received: int) -> int:
    if isinstance(value, str):
        try:
            instant = parse_instant(value)
        except ValueError as error:
            raise Unfit(Reason.BAD_TIME, f"{name}: {error}") from None
    elif isinstance(value, int):
        instant = value
    else:
        raise Unfit(Reason.BAD_TIME, f"{name}: seen {shown(value)}, wanted an RFC 3339 time with zone")
    if instant < 0:
        raise Unfit(Reason.BAD_TIME, f"{name}: seen {shown(value)}, wanted a time from 1970 on")
    if instant > received + MOST_AHEAD:
        receipt = format_instant(received)
        raise Unfit(Reason.TIME_AHEAD, f"{name}: seen {shown(value)}, more than 10 min after its receipt ({receipt})")
    return instant


def _check_until(until: object, received: int) -> None:
    if not isinstance(until, str):
        raise Unfit(
            Reason.BAD_TIME, f"until: seen {shown(until)}, wanted up to when the source has reported everything"
        )
    _instant("until", until, received)


def _fields(data: Mapping[str, Any], nesting: int) -> tuple[dict[str, FieldValue], dict[str, str] | None]:
    """Return the scalars and arrays of scalars that have no place of their own, and the texts of odd numbers."""
    fields: dict[str, FieldValue] = {}
    texts: dict[str, str] | None = None
    for name, value in data.items():
        if value is None:
            continue
        if name in OWN_PLACE:
            if type(value) is not str:
                check_nesting(name, value, nesting)
            continue
        kind = cast(type[Any], type(value))
        if kind is str:
            if len(value) > LONGEST_TEXT:
                raise _too_long(name, value, LONGEST_TEXT)
            fields[name] = value
        elif kind is bool:
            fields[name] = value
        elif kind is list:
            elements = _elements(name, value)
            if elements is None:
                check_nesting(name, value, nesting)
            else:
                fields[name] = elements
        elif kind is int or kind is float or kind is Number:
            number, text = _number(name, value)
            fields[name] = number
            if text is not None:
                texts = {name: text} if texts is None else texts | {name: text}
        else:
            check_nesting(name, value, nesting)
            continue
        if len(name) > LONGEST_NAME:
            raise _too_long("the name of a field", name, LONGEST_NAME)
    if len(fields) > MOST_FIELDS:
        raise Unfit(Reason.TOO_LARGE, f"data: seen {len(fields)} fields, wanted at most {MOST_FIELDS:,}")
    return fields, texts


def check_nesting(name: str, value: object, nesting: int) -> None:
    """Raise Unfit where a value nests deeper than is allowed; level by level, so that no depth is too much for it."""
    level = _branches([value])
    for _ in range(nesting):
        if not level:
            return
        level = _branches([item for branch in level for item in branch])
    if level:
        raise Unfit(Reason.TOO_LARGE, f"{shown(name)}: seen values nested deeper than {nesting}, wanted less")


def _branches(items: Iterable[Any]) -> list[Iterable[Any]]:
    """Return what those among the items hold that hold anything."""
    return [
        cast("Iterable[Any]", item.values() if type(item) is dict else item)
        for item in items
        if type(item) in (dict, list)
    ]


def _number(name: str, value: int | float | Number) -> tuple[int | float, str | None]:
    """Return a number that every format can hold, and its text where ``str()`` of it says something else."""
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return value, None
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unfit(Reason.BAD_NUMBER, f"{name}: seen a number beyond all bounds, wanted a finite one")
    text = str(value)
    if len(text) > LONGEST_ELEMENT:
        raise _too_long(name, text, LONGEST_ELEMENT)
    return number, None if text == str(number) else text


def _elements(name: str, values: list[Any]) -> list[str] | None:
    """Return the elements of an array as texts, null as the empty text; None where one is no scalar."""
    if len(values) > MOST_ELEMENTS:
        raise Unfit(Reason.TOO_LARGE, f"{name}: seen {len(values)} elements, wanted at most {MOST_ELEMENTS:,}")
    elements: list[str] = []
    for value in values:
        text = "" if value is None else value if type(value) is str else scalar_text(value)
        if text is None:
            return None
        if len(text) > LONGEST_ELEMENT:
            raise _too_long(f"an element of {name}", text, LONGEST_ELEMENT)
        elements.append(text)
    return elements


def _too_long(name: str, text: str, longest: int) -> Unfit:
    return Unfit(Reason.TOO_LARGE, f"{name[:LONGEST_NAME]}: seen {len(text)} characters, wanted at most {longest:,}")


def _add_envelope(fields: dict[str, FieldValue], envelope: Envelope) -> None:
    """Add the envelope's facts where the data has none of that name, and its correlation ids to the data's own."""
    if envelope.facts:
        for name, value in _fields(envelope.facts, NESTING)[0].items():
            fields.setdefault(name, value)
    own = fields.get("correlation_id")
    ids = [] if own is None else list(own) if isinstance(own, list) else [scalar_text(own) or ""]
    ids += [given for given in envelope.correlation_ids if given]
    distinct = list(dict.fromkeys(ids))
    for value in distinct:
        if len(value) > LONGEST_ELEMENT:
            raise _too_long("correlation_id", value, LONGEST_ELEMENT)
    if distinct and not (len(distinct) == 1 and own is not None):
        fields["correlation_id"] = distinct[0] if len(distinct) == 1 else distinct


def _outcome(outcome: object, error: object, envelope: Envelope) -> tuple[bool, Failure | None]:
    """Return whether it failed, and why; a failure of which nothing is said has the category unknown."""
    if outcome is None or outcome == "success":
        failed = envelope.failed
    elif outcome == "failure":
        failed = True
    else:
        raise Unfit(Reason.BAD_OUTCOME, f"outcome: seen {shown(outcome)}, wanted success or failure")
    if error is not None:
        return failed, read_failure(error)
    return failed, Failure() if failed else None


def _place(name: str, value: object) -> str:
    text = scalar_text(value)
    if text is None:
        raise Unfit(Reason.BAD_FIELD, f"{name}: seen {shown(value)}, wanted text")
    _check_bytes(name, text)
    return text


def _check_bytes(name: str, text: str) -> None:
    """Raise Unfit for a text that an index of a database would not take."""
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    if size > LONGEST_IDENTITY:
        raise Unfit(Reason.TOO_LARGE, f"{name}: seen {size:,} bytes in UTF-8, wanted at most {LONGEST_IDENTITY:,}")


def _sequence(data: Mapping[str, Any]) -> str | None:
    for name in ("sequence", "control_number"):
        value = data.get(name)
        if value is not None and not isinstance(value, list | Mapping):
            return _place(name, value)
    return None
