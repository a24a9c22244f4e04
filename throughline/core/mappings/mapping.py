"""A mapping, compiled: which inputs it is for, and the drafts of events that it makes of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from hashlib import sha256
from typing import Any, Final, NamedTuple, cast

import msgspec

from throughline.core.expressions import Expression, NoAnswer
from throughline.core.mappings.form import Input
from throughline.core.mappings.misfit import Lack, Misfit, shown
from throughline.core.mappings.path import Path
from throughline.core.mappings.value import Scope, Value, evaluate
from throughline.core.number import scalar_text

MOST_PAIRS: Final = 10_000
FAILURE: Final = "failure"


class Draft(msgspec.Struct, gc=False):
    """An event as a mapping means it, not yet held against the rules for events; ``data`` as a sender would write it.

    None where the mapping says nothing: then what the input's envelope says holds.
    """

    type: Any
    id: str
    source: Any = None
    time: Any = None
    recorded: Any = None
    subject: Any = None
    correlation_ids: tuple[str, ...] = ()
    causation_id: Any = None
    sequence: Any = None
    data: dict[str, Any] = {}


class Spoilt(NamedTuple):
    """An event that cannot be made of an input, with the reason; ``place`` says which one, empty for the only one."""

    lack: Lack
    sentence: str
    place: str = ""


class Fit(NamedTuple):
    """Whether an input is one that a mapping is for, and why not."""

    fits: bool
    why: str = ""


@dataclass(frozen=True)
class Signature:
    """How a webhook's sender signs; ``secret_env`` names the variable that holds the secret."""

    header: str
    algorithm: str
    encoding: str
    prefix: str
    secret_env: str


@dataclass(frozen=True)
class Amounts:
    each: Path
    name: Value
    amount: Value


@dataclass(frozen=True)
class End:
    """One end of stated pairs: a type of key with its values, and scope fields."""

    type: str
    value: Value
    scope: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True)
class Pairs:
    from_: End
    to: End
    each: Path | None = None
    qualifier: str | None = None


@dataclass(frozen=True)
class EventMaker:
    """One ``event`` of a mapping; ``envelope`` and ``data`` hold its values by the names of ``Draft`` and of events."""

    type: Value
    each: Path | None = None
    when: Expression | None = None
    id: Value | None = None
    key: Value | None = None
    outcome: Value | None = None
    correlation_id: Value | None = None
    envelope: Mapping[str, Value] = field(default_factory=dict[str, Value])
    data: Mapping[str, Value] = field(default_factory=dict[str, Value])
    error: Mapping[str, Value] = field(default_factory=dict[str, Value])
    amounts: Amounts | None = None
    relations: tuple[Pairs, ...] = ()


@dataclass(frozen=True)
class InputMapping:
    """A mapping. ``version`` is a digest of its content; ``at`` is where its types are looked for."""

    name: str
    title: str
    input: Input
    types: tuple[str, ...]
    at: Path
    version: str
    events: tuple[EventMaker, ...]
    when: Expression | None = None
    signature: Signature | None = None
    file: str = ""

    def fit(self, scope: Scope) -> Fit:
        """Say whether an input is one that this mapping is for: by its type, then by the condition."""
        if self.types:
            found = scalar_text(self.at.find(scope.input))
            if found not in self.types:
                return Fit(False, f"{self.at.text}: seen {shown(found)}, wanted {' or '.join(self.types)}")
        return self.holds(scope)

    def holds(self, scope: Scope) -> Fit:
        """Say whether the condition holds of an input whose type fits."""
        if self.when is None:
            return Fit(True)
        try:
            held = evaluate(self.when, scope)
        except Misfit as misfit:
            return Fit(False, f"when: {misfit.sentence}")
        if isinstance(held, NoAnswer):
            return Fit(False, f"when gives no answer: {held.why[:200]}")
        return Fit(held is True, "" if held is True else "when is not true")

    def apply(self, input: Any, input_id: str | None) -> list[Draft | Spoilt]:
        """Return what becomes of an input that fits. Never raises on anything a sender wrote.

        ``input_id`` is what its envelope says; without one, and where the mapping names none, it is a digest of the
        input, so that the same input gives the same events however often it is sent.
        """
        made: list[Draft | Spoilt] = []
        scope = Scope(input)
        for number, maker in enumerate(self.events, start=1):
            made += _make(maker, scope, input_id, "" if number == 1 else f"#{number}")
        return made


def _make(maker: EventMaker, scope: Scope, input_id: str | None, suffix: str) -> Iterator[Draft | Spoilt]:
    if maker.each is None:
        yield from _made(maker, scope, input_id, suffix, None)
        return
    try:
        elements = maker.each.elements(scope.root(maker.each.root))
    except Misfit as misfit:
        yield Spoilt(misfit.lack, f"each: {misfit.sentence}")
        return
    for position, (parent, item) in enumerate(elements, start=1):
        yield from _made(maker, scope.beside(item, parent), input_id, suffix, position)


def _made(
    maker: EventMaker, scope: Scope, input_id: str | None, suffix: str, position: int | None
) -> Iterator[Draft | Spoilt]:
    try:
        if _wanted(maker, scope):
            yield _draft(maker, scope, input_id, suffix, position)
    except Misfit as misfit:
        place = "" if position is None else f"{maker.each.text if maker.each else ''} element {position}"
        yield Spoilt(misfit.lack, misfit.sentence, place)


def _wanted(maker: EventMaker, scope: Scope) -> bool:
    if maker.when is None:
        return True
    held = evaluate(maker.when, scope)
    if not isinstance(held, bool):
        why = held.why[:200] if isinstance(held, NoAnswer) else f"seen {shown(held)}"
        raise Misfit(Lack.FAILED, f"when gives no answer: {why}")
    return held


def _draft(maker: EventMaker, scope: Scope, input_id: str | None, suffix: str, position: int | None) -> Draft:
    data: dict[str, Any] = {}
    outcome = None if maker.outcome is None else maker.outcome.of(scope)
    if outcome is not None:
        data["outcome"] = outcome
    _fill(data, maker.data, scope)
    if outcome == FAILURE and maker.error:
        data["error"] = _filled(maker.error, scope)
    if maker.amounts is not None:
        data["amounts"] = _amounts(maker.amounts, scope)
    if maker.relations:
        data["relations"] = _relations(maker.relations, scope)
    envelope = _filled(maker.envelope, scope)
    for name, lack in _REQUIRED.items():
        if name in maker.envelope and name not in envelope:
            raise Misfit(lack, f"{name}: seen nothing, wanted it where the mapping looks for it")
    return Draft(
        type=maker.type.of(scope),
        id=_id(maker, scope, input_id, position) + suffix,
        correlation_ids=_texts(maker.correlation_id, scope),
        data=data,
        **envelope,
    )


_REQUIRED: Final[Mapping[str, Lack]] = {"time": Lack.NO_TIME, "source": Lack.MISSING}


def _fill(data: dict[str, Any], values: Mapping[str, Value], scope: Scope) -> None:
    for name, value in values.items():
        found = value.of(scope)
        if found is not None:
            data[name] = found


def _filled(values: Mapping[str, Value], scope: Scope) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    _fill(filled, values, scope)
    return filled


def _id(maker: EventMaker, scope: Scope, input_id: str | None, position: int | None) -> str:
    """Return an event's id: the input's, and behind it the key of the element, by default its position."""
    own = input_id or None
    if maker.id is not None:
        own = scalar_text(maker.id.of(scope))
        if not own:
            raise Misfit(Lack.MISSING, "id: seen nothing, wanted what tells this input from all others")
    own = own or content_id(scope.input)
    if position is None:
        return own
    if maker.key is None:
        return f"{own}/{position}"
    key = scalar_text(maker.key.of(scope))
    if not key:
        raise Misfit(Lack.MISSING, "key: seen nothing, wanted what tells this element from the others")
    return f"{own}/{key}"


def content_id(input: Any) -> str:
    """Return an id for an input that has none: a digest of its content, whatever the order of its members."""
    return sha256(_sorted.encode(input)).hexdigest()


_sorted = msgspec.json.Encoder(order="sorted", enc_hook=str)


def _texts(value: Value | None, scope: Scope) -> tuple[str, ...]:
    found = None if value is None else value.of(scope)
    several = cast("list[Any]", found) if isinstance(found, list) else [] if found is None else [found]
    return tuple(text for text in map(scalar_text, several) if text)


def _amounts(amounts: Amounts, scope: Scope) -> dict[str, Any]:
    by_name: dict[str, Any] = {}
    for parent, item in amounts.each.elements(scope.root(amounts.each.root)):
        here = scope.beside(item, parent)
        name, amount = scalar_text(amounts.name.of(here)), amounts.amount.of(here)
        if name is None or amount is None:
            continue
        by_name[name] = _sum(by_name[name], amount) if name in by_name else amount
    return by_name


def _sum(one: Any, other: Any) -> str:
    """Return the exact sum of two decimals: an invoice may bill one time entry in several lines."""
    try:
        return f"{_EXACT.add(Decimal(str(one)), Decimal(str(other))):f}"
    except ArithmeticError:
        raise Misfit(Lack.BAD_NUMBER, f"amounts: seen {shown(one)} and {shown(other)}, wanted decimals") from None


_EXACT = Context(prec=100, Emax=200, traps=[InvalidOperation, Inexact, Overflow])


def _relations(relations: tuple[Pairs, ...], scope: Scope) -> list[dict[str, Any]]:
    stated: list[dict[str, Any]] = []
    for pairs in relations:
        if pairs.each is None:
            _state(stated, pairs, scope)
        else:
            for parent, item in pairs.each.elements(scope.root(pairs.each.root)):
                _state(stated, pairs, scope.beside(item, parent))
    return stated


def _state(stated: list[dict[str, Any]], pairs: Pairs, scope: Scope) -> None:
    """State pairs of every value at one end with every one at the other; none where an end has nothing yet."""
    from_values, to_values = _texts(pairs.from_.value, scope), _texts(pairs.to.value, scope)
    if len(stated) + len(from_values) * len(to_values) > MOST_PAIRS:
        raise Misfit(Lack.TOO_LARGE, f"relations: seen more than {MOST_PAIRS:,} pairs, wanted fewer")
    from_scope, to_scope = _filled(pairs.from_.scope, scope), _filled(pairs.to.scope, scope)
    for from_value in from_values:
        for to_value in to_values:
            pair: dict[str, Any] = {
                "from": {pairs.from_.type: from_value, "scope": from_scope},
                "to": {pairs.to.type: to_value, "scope": to_scope},
            }
            if pairs.qualifier is not None:
                pair["qualifier"] = pairs.qualifier
            stated.append(pair)
