"""CEL conditions over the facts of a case, compiled once and remembered by the facts they look at.

An evaluation takes about 5 µs; the same facts come again and again, so outcomes are kept by the values of the fields
that a condition names. CEL has no clock and no state, so equal facts give equal outcomes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]

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
    try:
        program = _ENVIRONMENT.compile(source)
    except RuntimeError as error:
        found = [f"line {line}, column {column}: {text}" for line, column, text in _FAULT.findall(str(error))]
        raise ValueError("; ".join(found) or str(error)) from error
    kind = program.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        raise ValueError(f"line 1, column 1: a condition gives true or false, this gives {kind.name().lower()}")
    return Condition(source, program)


def fields_of(source: str) -> tuple[str, ...] | None:
    """Return the fields that a condition looks at; None where it looks at the facts as a whole.

    Words in its texts and comments may count too: one field too many costs memory, one too few a wrong outcome.
    """
    fields = [dot or double or single for dot, double, single in _FIELD.findall(source)]
    return tuple(dict.fromkeys(fields)) if len(fields) == len(_WORD.findall(source)) else None
