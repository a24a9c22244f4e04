"""Faults in words: what a pydantic model found wrong, said as what was seen and what was wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sized
from typing import Any, NamedTuple

from pydantic import ValidationError

from throughline.core.errors import Fault
from throughline.core.masking import masked

Location = tuple[str | int, ...]

_SHOWN = 60
_LOOKED_AT = 1_000  # characters: what is not shown anyway need not be masked
_WANTED = {
    "missing": "this entry, which is required",
    "extra_forbidden": "no such entry: its name is unknown here",
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "decimal_type": "a decimal number",
    "decimal_parsing": "a decimal number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "byte_size": "a size, such as 16 MiB, 64 KiB or a number of bytes",
    "byte_size_unit": "a size, such as 16 MiB, 64 KiB or a number of bytes",
    "dict_type": "a mapping (name: value)",
    "model_type": "a mapping (name: value)",
    "model_attributes_type": "a mapping (name: value)",
    "mapping_type": "a mapping (name: value)",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "date_from_datetime_parsing": "a date, such as 2026-11-02",
    "date_from_datetime_inexact": "a date, such as 2026-11-02",
    "date_parsing": "a date, such as 2026-11-02",
    "date_type": "a date, such as 2026-11-02",
}
_SENTENCES = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_short": "a text of at least {min_length} characters",
    "string_too_long": "a text of at most {max_length} characters",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "decimal_max_digits": "a decimal number of at most {max_digits} digits",
    "decimal_whole_digits": "a decimal number of at most {whole_digits} digits before its point",
    "decimal_max_places": "a decimal number of at most {decimal_places} digits after its point",
    "literal_error": "{expected}",
    "enum": "{expected}",
}


class Place(NamedTuple):
    """Where something stands in a file, counted from 1."""

    line: int
    column: int


def show(value: object) -> str:
    """Return a value as a person would write it, cut short where it is long, what looks like a secret masked."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str) if not isinstance(value, str) else repr(value)
    text = masked(text[:_LOOKED_AT])
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def path_text(location: Location) -> str:
    """Write a location as a path, such as ``steps[2].within``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def faults_of(error: ValidationError, file: str, place_of: Callable[[Location], Place | None]) -> list[Fault]:
    """Return every fault that a model found, with its place in the file.

    Inputs themselves are shown; use it for nothing that may hold a secret.
    """
    return [_fault(found, file, place_of) for found in errors_of(error)]


def errors_of(error: ValidationError) -> list[Any]:
    """Return the errors that are faults: pydantic calls a list too short also where entries of it failed."""
    return [found for found in error.errors(include_url=False) if not _only_seems_short(found)]


def _only_seems_short(found: Any) -> bool:
    written = found["input"]
    return found["type"] == "too_short" and isinstance(written, Sized) and len(written) >= found["ctx"]["min_length"]


def split_sentence(sentence: str) -> tuple[str | None, str]:
    """Split ``seen X, wanted Y`` into both; a sentence of another shape is all *wanted*."""
    seen, comma, wanted = sentence.partition(", wanted ")
    if comma and seen.startswith("seen "):
        return seen.removeprefix("seen "), wanted
    return None, sentence


def wanted_by(found: Any) -> tuple[str | None, str]:
    """Return what was seen, where the check itself said so, and what was wanted, of one error of pydantic's."""
    kind, context = str(found["type"]), found.get("ctx", {})
    if kind in ("value_error", "assertion_error"):
        return split_sentence(str(context["error"]))
    if kind in _SENTENCES:
        bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
        return None, _SENTENCES[kind].format(**bounds)
    message = str(found["msg"])
    return None, _WANTED.get(kind, message[:1].lower() + message[1:])


def _fault(found: Any, file: str, place_of: Callable[[Location], Place | None]) -> Fault:
    location: Location = found["loc"]
    seen, wanted = wanted_by(found)
    if found["type"] == "missing":
        seen = "nothing"
    place = place_of(location)
    line, column = place if place else (None, None)
    return Fault(file, line, path_text(location), seen or show(found["input"]), wanted, column)
