"""The fields of an event that have a form of their own: decimals, currencies, failures, stated pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, cast

import msgspec

from collector.setaside import Reason, Unfit, shown
from throughline.core.currency import currencies
from throughline.core.event import ERROR_CATEGORIES, Failure, Relation
from throughline.core.number import Number, scalar_text

LONGEST_DECIMAL: Final = 40
LARGEST_EXPONENT: Final = 30
MOST_PAIRS: Final = 10_000
LONGEST_KEY: Final = 1_024
LONGEST_MESSAGE: Final = 8_192

_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)


_json = msgspec.json.Decoder(float_hook=Number)


def decimal_text(name: str, value: object) -> str:
    """Return a decimal exactly as written; raise Unfit for anything that is no finite decimal of plausible length."""
    text = scalar_text(value)
    if text is not None and not isinstance(value, bool) and len(text) <= LONGEST_DECIMAL:
        if _PLAIN.fullmatch(text):
            return text
        if _DECIMAL.fullmatch(text) and abs(Decimal(text).adjusted()) <= LARGEST_EXPONENT:
            return text
    raise Unfit(
        Reason.BAD_NUMBER,
        f'{name}: seen {shown(value)}, wanted a decimal of at most {LONGEST_DECIMAL} characters, such as "1125.00"',
    )


def decimal_amounts(value: object) -> dict[str, str] | None:
    """Return amounts by name; None where there are none; raise Unfit where one is no decimal."""
    value = unfolded(value)
    if not isinstance(value, Mapping):
        raise Unfit(Reason.BAD_NUMBER, f'amounts: seen {shown(value)}, wanted an object such as {{"TE-88": "1125.00"}}')
    amounts = cast("Mapping[str, Any]", value)
    if len(amounts) > MOST_PAIRS:
        raise Unfit(Reason.TOO_LARGE, f"amounts: seen {len(amounts)} names, wanted at most {MOST_PAIRS}")
    read: dict[str, str] = {}
    for name, amount in amounts.items():
        if amount is not None:
            read[_key_text("amounts", name)] = decimal_text(f"amounts of {shown(name)}", amount)
    return read or None


def iso_currency(value: object) -> str:
    """Return an ISO 4217 code; raise Unfit for anything else."""
    if isinstance(value, str) and value in currencies():
        return value
    raise Unfit(Reason.BAD_CURRENCY, f"currency: seen {shown(value)}, wanted a code of ISO 4217 such as EUR")


def unfolded(value: object) -> object:
    """Return what a JSON text of an object or an array holds, as span attributes carry it; anything else as given."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return _json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return value
    return value


def read_failure(value: object) -> Failure:
    """Read ``error``: {category, code, message, retryable, attempt}; raise Unfit where a member has another form."""
    value = unfolded(value)
    if not isinstance(value, Mapping):
        raise Unfit(Reason.BAD_ERROR, f'error: seen {shown(value)}, wanted an object such as {{"category": "timeout"}}')
    error = cast("Mapping[str, Any]", value)
    category = error.get("category")
    if category is None:
        category = "unknown"
    elif not isinstance(category, str) or category not in ERROR_CATEGORIES:
        wanted = ", ".join(sorted(ERROR_CATEGORIES))
        raise Unfit(Reason.BAD_ERROR, f"error.category: seen {shown(category)}, wanted one of {wanted}")
    return Failure(
        category=category,
        code=_error_text("code", error.get("code")),
        message=_error_text("message", error.get("message")),
        retryable=truth("error.retryable", error.get("retryable"), Reason.BAD_ERROR),
        attempt=_attempt(error.get("attempt")),
    )


def _error_text(member: str, value: object) -> str | None:
    if value is None:
        return None
    text = scalar_text(value)
    if text is None:
        raise Unfit(Reason.BAD_ERROR, f"error.{member}: seen {shown(value)}, wanted text")
    if len(text) > LONGEST_MESSAGE:
        raise Unfit(Reason.TOO_LARGE, f"error.{member}: seen {len(text)} characters, wanted at most {LONGEST_MESSAGE}")
    return text


def _attempt(value: object) -> int | None:
    if value is None:
        return None
    text = scalar_text(value)
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Unfit(Reason.BAD_ERROR, f"error.attempt: seen {shown(value)}, wanted a whole number from 0 on")
    return int(text)


def truth(name: str, value: object, reason: Reason = Reason.BAD_FIELD) -> bool | None:
    """Return true or false, also from its text; None where absent; raise Unfit for anything else."""
    if value is None or isinstance(value, bool):
        return value
    if value == "true" or value == "false":
        return value == "true"
    raise Unfit(reason, f"{name}: seen {shown(value)}, wanted true or false")


def read_relations(value: object) -> list[Relation]:
    """Read ``relations``, a list of {from, to, qualifier}; raise Unfit where one is malformed.

    An end is an object of one member, type: value. Scope fields of that end stand in its member ``scope``, or beside
    it. Which member is the key is for definitions to say (``KeyReader``): a door knows no key types, and the order in
    which a sender wrote them means nothing, so they are kept in the order of their names.
    """
    value = unfolded(value)
    if not isinstance(value, list):
        raise _bad_relation(value)
    pairs = cast("list[Any]", value)
    if len(pairs) > MOST_PAIRS:
        raise Unfit(Reason.TOO_LARGE, f"relations: seen {len(pairs)} pairs, wanted at most {MOST_PAIRS}")
    return [_relation(pair) for pair in pairs]


def _relation(pair: object) -> Relation:
    if not isinstance(pair, Mapping):
        raise _bad_relation(pair)
    members = cast("Mapping[str, Any]", pair)
    from_type, from_value, from_scope = _end(members.get("from"), members)
    to_type, to_value, to_scope = _end(members.get("to"), members)
    qualifier = members.get("qualifier")
    if qualifier is not None and type(qualifier) is not str:
        raise _bad_relation(members)
    return Relation(from_type, from_value, to_type, to_value, qualifier, from_scope, to_scope)


def _end(end: object, pair: object) -> tuple[str, str, dict[str, str] | None]:
    if not isinstance(end, Mapping) or not end:
        raise _bad_relation(pair)
    members = dict(cast("Mapping[str, Any]", end))
    scope_member = members.pop("scope", None)
    if not members or not (scope_member is None or isinstance(scope_member, Mapping)):
        raise _bad_relation(pair)
    (kind, value), *further = sorted(members.items())
    scope = dict(further) | dict(cast("Mapping[str, Any]", scope_member or {}))
    texts = {name: _end_text(text, pair) for name, text in scope.items() if text is not None}
    return _key_text("relations", kind), _end_text(value, pair), texts or None


def _end_text(value: object, pair: object) -> str:
    """Return the text of a key at an end; a null value is the empty text, which is a placeholder."""
    text = "" if value is None else scalar_text(value)
    if text is None:
        raise _bad_relation(pair)
    return _key_text("relations", text) if text else ""


def _key_text(name: str, text: str) -> str:
    if not text:
        raise Unfit(Reason.BAD_RELATION if name == "relations" else Reason.BAD_NUMBER, f"{name}: an empty name")
    if len(text) > LONGEST_KEY:
        raise Unfit(Reason.TOO_LARGE, f"{name}: seen a text of {len(text)} characters, wanted at most {LONGEST_KEY}")
    return text


def _bad_relation(seen: object) -> Unfit:
    wanted = '{"from": {"invoice": "INV-33"}, "to": {"time_entry": "TE-88"}, "qualifier": "bills"}'
    return Unfit(Reason.BAD_RELATION, f"relations: seen {shown(seen)}, wanted a list of pairs such as {wanted}")
