"""CEL: conditions over the facts of a case, and expressions over what a door was given.

Conditions are compiled once and remembered by the facts they look at: an evaluation takes about 5 µs; the same facts
come again and again, so outcomes are kept by the values of the fields that a condition names. CEL has no clock and no
state, so equal facts give equal outcomes. Expressions see plain values, of which they are given only what they name:
CEL copies all that it is given, each time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple, cast

from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]

from throughline.core.number import Number

REMEMBERED = 4_096  # outcomes by condition
_ABSENT = object()
_ENVIRONMENT = cel.NewEnv(variables={"facts": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
_WORD = re.compile(r"\bfacts\b")
_FIELD = re.compile(r"""\bfacts\s*(?:\.\s*([A-Za-z_]\w*)\b(?!\s*\()|\[\s*(?:"(\w+)"|'(\w+)')\s*\])""")
_FAULT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")


class Condition:
    """One compiled condition: an ``Expression`` of lineage/process.py."""

    def __init__(self, source: str, program: cel.Expression) -> None:
        self.source = source
        self._program = program
        self._fields = fields_of(source)
        self._outcome = lru_cache(REMEMBERED, typed=True)(self._evaluate_fields)

    def __repr__(self) -> str:
        return f"Condition({self.source!r})"

    def holds(self, facts: Mapping[str, object]) -> bool | None:
        """Return the outcome; None where the facts do not allow one (a missing field, a type that does not fit)."""
        if self._fields is None:
            return self._evaluate(facts)
        values = [facts.get(name, _ABSENT) for name in self._fields]
        try:
            return self._outcome(*values)
        except TypeError:  # an array: nothing to remember it by
            return self._evaluate_fields(*values)

    def _evaluate_fields(self, *values: object) -> bool | None:
        fields = self._fields or ()
        return self._evaluate({name: value for name, value in zip(fields, values, strict=True) if value is not _ABSENT})

    def _evaluate(self, facts: Mapping[str, object]) -> bool | None:
        try:
            value: Any = self._program.eval(data={"facts": facts}).value()
        except RuntimeError:  # a text that is no Unicode
            return None
        # An error comes back as a value, its text.
        return value if isinstance(value, bool) else None


def compile_condition(source: str) -> Condition:
    """Compile a condition; raise ValueError with the line and column of each fault in it."""
    program = _compiled(_ENVIRONMENT, source)
    _want_truth(program)
    return Condition(source, program)


def _compiled(environment: cel.Env, source: str) -> cel.Expression:
    try:
        return environment.compile(source)
    except RuntimeError as error:
        found = [f"line {line}, column {column}: {text}" for line, column, text in _FAULT.findall(str(error))]
        raise ValueError("; ".join(found) or str(error)) from error


def _want_truth(program: cel.Expression) -> None:
    kind = program.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        raise ValueError(f"line 1, column 1: a condition gives true or false, this gives {kind.name().lower()}")


def fields_of(source: str) -> tuple[str, ...] | None:
    """Return the fields that a condition looks at; None where it looks at the facts as a whole.

    Words in its texts and comments may count too: one field too many costs memory, one too few a wrong outcome.
    """
    fields = [dot or double or single for dot, double, single in _FIELD.findall(source)]
    return tuple(dict.fromkeys(fields)) if len(fields) == len(_WORD.findall(source)) else None


class NoAnswer(NamedTuple):
    """What an expression gives where what it is given does not allow an answer; ``why`` in CEL's words."""

    why: str


class Expression:
    """One compiled expression over variables that hold plain values of any form."""

    def __init__(self, source: str, program: cel.Expression, variables: tuple[str, ...]) -> None:
        self.source = source
        self.gives = program.return_type().name().lower()  # dyn where only the values say
        self._program = program
        parts = {name: paths_of(source, name) for name in variables}
        self.parts = {name: paths for name, paths in parts.items() if paths != ()}

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return what it gives, NoAnswer where that is an error; ``values`` as ``prune`` returns them, by variable."""
        try:
            outcome: Any = self._program.eval(data=dict(values))
            # An error comes back as a value of its own type.
            return NoAnswer(str(outcome.value())) if outcome.type() == cel.Type.ERROR else outcome.value()
        except RuntimeError as error:  # a text that is no Unicode
            return NoAnswer(str(error))


@cache
def _environment(variables: tuple[str, ...]) -> cel.Env:
    return cel.NewEnv(variables=dict.fromkeys(variables, cel.Type.DYN))


def compile_expression(source: str, variables: tuple[str, ...], *, condition: bool = False) -> Expression:
    """Compile an expression over variables; raise ValueError with the line and column of each fault in it."""
    program = _compiled(_environment(variables), source)
    if condition:
        _want_truth(program)
    return Expression(source, program, variables)


_CHAIN = r"""((?:\s*\.\s*[A-Za-z_]\w*\b(?!\s*\()|\s*\[\s*(?:"\w+"|'\w+')\s*\])*)"""
_LINK = re.compile(r"\w+")


def paths_of(source: str, variable: str) -> tuple[tuple[str, ...], ...] | None:
    """Return the members of a variable that an expression looks at, outermost first; None: at the variable as a whole.

    Words in its texts and comments may count too: one path too many costs time, one too few a wrong outcome.
    """
    chains = re.findall(rf"\b{variable}\b{_CHAIN}", source)
    paths = {tuple(_LINK.findall(chain)) for chain in chains}
    if () in paths:
        return None
    return tuple(sorted(path for path in paths if not any(path[:n] in paths for n in range(1, len(path)))))


def prune(value: Any, paths: tuple[tuple[str, ...], ...] | None) -> Any:
    """Return what an expression is to see of a value: the paths that it names, in the types that CEL has.

    Numbers beyond CEL's become floating-point ones.
    """
    if paths is None or not isinstance(value, Mapping):
        return _plain(value)
    pruned: dict[str, Any] = {}
    for path in paths:
        _graft(pruned, cast("Mapping[str, Any]", value), path)
    return pruned


def _graft(target: dict[str, Any], value: Mapping[str, Any], path: tuple[str, ...]) -> None:
    for name in path[:-1]:
        if name not in value:
            return
        inner = value[name]
        if not isinstance(inner, Mapping):
            target[name] = _plain(inner)
            return
        value, target = cast("Mapping[str, Any]", inner), target.setdefault(name, {})
    if path[-1] in value:
        target[path[-1]] = _plain(value[path[-1]])


def _plain(value: Any) -> Any:
    if isinstance(value, Number):
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 63:
        return float(value) if -_LARGEST < value < _LARGEST else str(value)
    return value


_LARGEST = 10**300  # beyond it a float may not do
