"""From a mapping file to a mapping: every path, expression and constant checked, all faults at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from throughline.core.errors import Fault
from throughline.core.event import ERROR_CATEGORIES
from throughline.core.expressions import Expression, compile_expression
from throughline.core.faults import Location, show
from throughline.core.forms import Examined, nearest
from throughline.core.mappings.conversion import As, Detail, convert
from throughline.core.mappings.form import (
    MAPPING,
    AmountsForm,
    EventForm,
    Input,
    MappingFile,
    RelationForm,
    ValueForm,
)
from throughline.core.mappings.mapping import Amounts, End, EventMaker, InputMapping, Pairs, Signature
from throughline.core.mappings.misfit import Misfit
from throughline.core.mappings.path import INPUT, ITEM, PARENT, ROOTS, Path, parse_path
from throughline.core.mappings.value import Value

RESERVED_TYPES: Final = "throughline."
LONGEST_VERSION: Final = 16
TYPES_AT: Final = {Input.CLOUDEVENT: "input.type", Input.LOG: "input.event_name", Input.SPAN: "input.name"}
OUTCOMES: Final = ("success", "failure")
# Entries of an event by the names of the envelope, and by those that data has.
ENVELOPE: Final = {
    "source": "source",
    "time": "time",
    "recorded_time": "recorded",
    "subject": "subject",
    "causation_id": "causation_id",
    "sequence": "sequence",
}
DATA: Final = ("amount", "currency", "hours", "system", "instance", "flow", "synthetic")
ERROR: Final = ("category", "code", "message", "retryable", "attempt")
# Entries of ``data`` that have an entry of their own in a mapping.
OWN_ENTRIES: Final = frozenset({*DATA, "amounts", "error", "outcome", "relations", "sequence"})
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ALONE = (INPUT,)

Check = Callable[[Any], str | None]  # of a constant: what was wanted, where it is not that


def compile_mapping(examined: Examined[MappingFile]) -> tuple[InputMapping | None, list[Fault]]:
    """Return the mapping of a file with its faults; None where it has any."""
    compiling = _Compiling(examined)
    mapping = compiling.mapping(examined.form) if examined.form is not None else None
    faults = [*examined.faults, *compiling.faults]
    return (None if faults else mapping), faults


def _version(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()[:LONGEST_VERSION]


class _Compiling:
    """Builds the parts of one mapping, and collects what is wrong with them."""

    def __init__(self, examined: Examined[MappingFile]) -> None:
        self._examined = examined
        self.faults: list[Fault] = []
        self._input = examined.form.input if examined.form is not None else None

    def _fault(self, here: Location, seen: str, wanted: str) -> None:
        self.faults.append(self._examined.fault(here, seen, wanted))

    def mapping(self, form: MappingFile) -> InputMapping:
        if not re.fullmatch(MAPPING, form.mapping):
            self._fault(("mapping",), show(form.mapping), "lower-case words joined by -, such as erp-invoice")
        faulty = any(fault.path.startswith("types") for fault in self._examined.faults)
        if not form.types and form.input is not Input.JSON and not faulty:
            self._fault(("types",), "no types", f"types: what its inputs have at {TYPES_AT[form.input]}")
        if form.types_at is None and form.types and form.input is Input.JSON and self._examined.lacks(("types_at",)):
            self._fault(("types",), "types of json inputs", "types_at: where they are looked for")
        if not form.event and not self._examined.faults:
            self._fault(("event",), "no event", "what an input becomes: at least one event")
        if form.signature is not None:
            self._signature(form)
        at = self._path(("types_at",), form.types_at or TYPES_AT.get(form.input, INPUT), _ALONE)
        return InputMapping(
            name=form.mapping,
            title=form.title,
            input=form.input,
            types=form.types,
            at=at or parse_path(INPUT),
            version=_version(self._examined.document.content),
            when=self._condition(("when",), form.when, _ALONE),
            events=tuple(self._event(self._place(n), each) for n, each in enumerate(form.event)),
            signature=None if form.signature is None else Signature(**form.signature.model_dump()),
            file=self._examined.document.file,
        )

    def _place(self, n: int) -> Location:
        content: Any = self._examined.document.content
        return ("event", n) if isinstance(content.get("event"), list) else ("event",)

    def _signature(self, form: MappingFile) -> None:
        if form.input is not Input.JSON:
            self._fault(("signature",), f"a signature on {form.input}", "input: json, which is what webhooks send")
        if form.signature is not None and not _VARIABLE.fullmatch(form.signature.secret_env):
            self._fault(
                ("signature", "secret_env"), "something else", "the name of an environment variable, not the secret"
            )

    def _event(self, here: Location, form: EventForm) -> EventMaker:
        roots: tuple[str, ...] = _ALONE if form.each is None else ROOTS
        each = None if form.each is None else self._path((*here, "each"), form.each, _ALONE)
        if form.key is not None and form.each is None:
            self._fault((*here, "key"), "key without each", "each, or id: an event without elements has only its id")
        if form.currency is None and self._examined.lacks((*here, "currency")):
            for name in ("amount", "amounts"):
                if getattr(form, name) is not None:
                    self._fault((*here, name), f"{name} without currency", "currency beside it")
        if self._input is Input.JSON and all(self._examined.lacks((*here, name)) for name in ("time", "recorded_time")):
            self._fault(here, "no time", "time: where the input says when it happened, such as input.createdAt")
        value = self._reader(here, form, roots)
        identity = None if form.id is None else self._value((*here, "id"), "id", form.id, roots)
        if identity is not None and identity.is_constant:
            self._fault((*here, "id"), "a constant", "a path, such as input.id: an id tells each input from all others")
        return EventMaker(
            type=self._value((*here, "type"), "type", form.type, roots, _event_type),
            each=each,
            when=self._condition((*here, "when"), form.when, roots),
            id=identity,
            key=value("key"),
            outcome=value("outcome", _one_of(OUTCOMES)),
            correlation_id=value("correlation_id"),
            envelope=self._filled(value, ENVELOPE),
            data=self._filled(value, {name: name for name in DATA}) | self._fields(here, form, roots),
            error=self._error(here, form, roots),
            amounts=None if form.amounts is None else self._amounts((*here, "amounts"), form.amounts, roots),
            relations=tuple(
                self._pairs((*here, "relations", n), pairs, roots) for n, pairs in enumerate(form.relations)
            ),
        )

    def _reader(self, here: Location, form: EventForm, roots: tuple[str, ...]) -> Callable[..., Value | None]:
        def read(name: str, check: Check | None = None) -> Value | None:
            found: ValueForm | None = getattr(form, name)
            if found is None:
                return None
            return self._value((*here, name), name, found, roots, check or _CONSTANTS.get(name))

        return read

    def _filled(self, value: Callable[..., Value | None], names: Mapping[str, str]) -> dict[str, Value]:
        found = {there: value(name) for name, there in names.items()}
        return {name: each for name, each in found.items() if each is not None}

    def _fields(self, here: Location, form: EventForm, roots: tuple[str, ...]) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        for name, found in form.fields.items():
            place = (*here, "fields", name)
            if name in OWN_ENTRIES:
                self._fault(place, show(name), f"{name} as an entry of the event itself, not among its fields")
            fields[name] = self._value(place, name, found, roots)
        return fields

    def _error(self, here: Location, form: EventForm, roots: tuple[str, ...]) -> dict[str, Value]:
        error: dict[str, Value] = {}
        for name in ERROR:
            found: ValueForm | None = getattr(form.error, name, None)
            if found is not None:
                check = _one_of(sorted(ERROR_CATEGORIES)) if name == "category" else None
                error[name] = self._value((*here, "error", name), f"error.{name}", found, roots, check)
        return error

    def _amounts(self, here: Location, form: AmountsForm, roots: tuple[str, ...]) -> Amounts | None:
        each = self._path((*here, "each"), form.each, roots)
        name = self._value((*here, "name"), "amounts", form.name, ROOTS)
        amount = self._value((*here, "amount"), "amounts", form.amount, ROOTS, _decimal)
        return None if each is None else Amounts(each, name, amount)

    def _pairs(self, here: Location, form: RelationForm, roots: tuple[str, ...]) -> Pairs:
        each = None if form.each is None else self._path((*here, "each"), form.each, roots)
        inner = roots if form.each is None else ROOTS
        from_, to = self._end((*here, "from"), form.from_, inner), self._end((*here, "to"), form.to, inner)
        return Pairs(from_, to, each, form.qualifier)

    def _end(self, here: Location, members: Mapping[str, ValueForm], roots: tuple[str, ...]) -> End:
        if not members:
            self._fault(here, "nothing", "a type of key and where its value comes from, such as invoice: input.id")
            return End("", Value(""))
        values = {name: self._value((*here, name), "relations", each, roots) for name, each in members.items()}
        kind, *scope = values
        return End(kind, values[kind], {name: values[name] for name in scope})

    # One path, one expression, one value.

    def _path(self, here: Location, text: str, roots: tuple[str, ...]) -> Path | None:
        try:
            path = parse_path(text)
        except ValueError as error:
            seen, _, wanted = str(error).removeprefix("seen ").partition(", wanted ")
            self._fault(here, seen, wanted)
            return None
        if path.root not in roots:
            self._fault(here, show(text), f"a path from {' or '.join(roots)}: {ITEM} and {PARENT} are there with each")
            return None
        return path

    def _condition(self, here: Location, source: str | None, roots: tuple[str, ...]) -> Expression | None:
        return None if source is None else self._expression(here, source, roots, condition=True)

    def _expression(
        self, here: Location, source: str, roots: tuple[str, ...], *, condition: bool = False
    ) -> Expression | None:
        try:
            return compile_expression(source, roots, condition=condition)
        except ValueError as error:
            self._fault(here, show(source), f"{'a condition' if condition else 'an expression'} in CEL; {error}")
            return None

    def _value(
        self, here: Location, name: str, form: ValueForm, roots: tuple[str, ...], check: Check | None = None
    ) -> Value:
        self._ways(here, form)
        paths = [self._path(here, text, roots) for text in form.path]
        expression = None if form.cel is None else self._expression(here, form.cel, roots)
        exact = name in ("amount", "amounts", "hours")
        if expression is not None and exact and expression.gives == "double":
            self._fault(here, f"{show(form.cel)}, a floating-point number", "a path: money and hours are exact")
        self._constants(here, form, check)
        return Value(
            name=name,
            paths=tuple(path for path in paths if path is not None),
            expression=expression,
            constant=form.value,
            to=form.as_,
            detail=Detail(form.digits or 0, form.zone, form.format),
            table=form.table,
            otherwise=form.otherwise,
            exact=exact,
        )

    def _ways(self, here: Location, form: ValueForm) -> None:
        """Find entries of a value that contradict each other, or that lack one another."""
        ways = [way for way in ("path", "cel", "value") if getattr(form, way) not in (None, ())]
        if "cel" in ways and len(ways) > 1:
            self._fault(here, " and ".join(ways), "one of them (value beside path: where the path finds nothing)")
        if not ways and all(self._examined.lacks((*here, way)) for way in ("path", "cel", "value")):
            self._fault(here, "nothing that gives a value", "path, cel or value")
        if form.otherwise is not None and form.table is None:
            self._fault((*here, "otherwise"), "otherwise without table", "table beside it")
        if form.as_ is None and not self._examined.lacks((*here, "as")):
            return  # it is told already
        for entry, needed in (("digits", As.MINOR_UNITS), ("zone", As.LOCAL)):
            given = getattr(form, entry) is not None
            if given != (form.as_ is needed) and (given or self._examined.lacks((*here, entry))):
                wanted = f"{entry} beside as: {needed}, and only there"
                self._fault((*here, entry) if given else here, f"{entry}: {'' if given else 'nothing'}", wanted)
        if form.format is not None and form.as_ is not As.LOCAL:
            self._fault((*here, "format"), show(form.format), f"format beside as: {As.LOCAL}, and only there")

    def _constants(self, here: Location, form: ValueForm, check: Check | None) -> None:
        """Hold constants, those of a table included, against what their place allows."""
        if check is None or form.as_ not in (None, As.TEXT, As.DECIMAL):
            return
        constants = {(*here, "value") if form.path else here: form.value, (*here, "otherwise"): form.otherwise}
        constants |= {(*here, "table", word): ours for word, ours in (form.table or {}).items()}
        for place, constant in constants.items():
            wanted = None if constant is None else check(constant)
            if wanted is not None:
                self._fault(place, show(constant), wanted)


def _event_type(constant: Any) -> str | None:
    if not isinstance(constant, str) or constant.startswith(RESERVED_TYPES):
        return f"a type such as invoice.posted; types {RESERVED_TYPES}* are ours alone"
    return None


def _one_of(words: Any) -> Check:
    def check(constant: Any) -> str | None:
        return None if constant in words else nearest(str(constant), words)

    return check


def _currency(constant: Any) -> str | None:
    fits = isinstance(constant, str) and _CODE.fullmatch(constant)
    return None if fits else "a code of ISO 4217 such as EUR, or a path such as input.currency"


def _decimal(constant: Any) -> str | None:
    try:
        convert(constant, As.DECIMAL, Detail())
    except Misfit:
        return 'a decimal such as "1125.00", or a path such as input.amount'
    return None


def _truth(constant: Any) -> str | None:
    return None if isinstance(constant, bool) else "true or false"


def _time(constant: Any) -> str | None:
    return "a path such as input.time, not a constant: each event has its own time"


_CONSTANTS: Final[Mapping[str, Check]] = {
    "amount": _decimal,
    "hours": _decimal,
    "currency": _currency,
    "synthetic": _truth,
    "time": _time,
    "recorded_time": _time,
}
