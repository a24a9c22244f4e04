"""Requests that an OpenAPI document allows, and many that it doesn't: what each parameter and body may be, and more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.hostile.mutations import PIECES

ODD = [piece.decode("latin-1") for piece in PIECES]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


class Operation(NamedTuple):
    """One operation: its method and path, with the schemas of its parameters, its body and its answers."""

    method: str
    path: str
    parameters: Mapping[tuple[str, str], Mapping[str, Any]]
    body: Mapping[str, Any] | None
    answers: Mapping[str, Mapping[str, Any]]


class Question(NamedTuple):
    """One request of an operation."""

    method: str
    target: str
    body: bytes | None


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of an OpenAPI document."""
    return [
        Operation(
            method.upper(),
            path,
            {(each["in"], each["name"]): each["schema"] for each in operation.get("parameters", ())},
            _content(operation.get("requestBody")),
            {status: schema for status, answer in operation["responses"].items() if (schema := _content(answer))},
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _content(answer: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    content = (answer or {}).get("content", {})
    return next((media["schema"] for media in content.values() if "schema" in media), None)


def questions(operation: Operation, known: Mapping[str, list[str]]) -> st.SearchStrategy[Question]:
    """Return requests of an operation; ``known`` are values by the name of a parameter that lead to something."""
    given = {place: _parameter(*place, schema, known) for place, schema in operation.parameters.items()}
    always = {place: value for place, value in given.items() if place[0] == "path"}
    sometimes = {place: value for place, value in given.items() if place[0] == "query"}
    body = st.none() if operation.body is None else _body(operation.body)
    more = st.dictionaries(st.sampled_from(["scope.legal_entity", "type", "hostile"]), st.sampled_from(ODD), max_size=1)
    return st.builds(
        lambda values, rest, content: _question(operation, values, rest, content),
        st.fixed_dictionaries(always, optional=sometimes),
        st.just({}) | more,
        body,
    )


def _question(
    operation: Operation, values: Mapping[tuple[str, str], Any], more: Mapping[str, str], body: bytes | None
) -> Question:
    path = operation.path
    for (place, name), value in values.items():
        if place == "path":
            path = path.replace("{" + name + "}", quote(str(value), safe="")).replace(
                "{" + name + ":path}", quote(value)
            )
    query = {name: value for (place, name), value in values.items() if place == "query"} | more
    target = path + ("?" + urlencode(query, doseq=True, errors="surrogatepass") if query else "")
    return Question(operation.method, target, body)


def _parameter(
    place: str, name: str, schema: Mapping[str, Any], known: Mapping[str, list[str]]
) -> st.SearchStrategy[Any]:
    odd = st.sampled_from([piece for piece in ODD if place == "query" or piece.strip("./")]) | st.text(min_size=1)
    right = _right(schema).map(_text)
    if name in known:
        right = st.sampled_from(known[name]) | right
    return right | right | odd


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [str(each) for each in value]
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _right(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a schema allows, as far as its keywords here are understood."""
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of(*(_right(each) for each in schema[several]))
    match schema.get("type"):
        case "integer":
            return st.integers(schema.get("minimum", -10), schema.get("maximum", 1_000))
        case "number":
            return st.integers(0, 10**6).map(lambda cents: cents / 100)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            return st.lists(_right(schema.get("items", {})), max_size=3)
        case "object":
            members = {name: _right(each) for name, each in schema.get("properties", {}).items()}
            if not members and isinstance(schema.get("additionalProperties"), Mapping):
                return st.dictionaries(st.sampled_from(["time_entry", "invoice", "x"]), _right({}), max_size=3)
            required = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {name: each for name, each in members.items() if name in required},
                optional={name: each for name, each in members.items() if name not in required},
            )
        case "string" if schema.get("format") == "date-time":
            return st.datetimes().map(lambda moment: moment.isoformat() + "Z")
        case _:
            return st.sampled_from(["TE-1", "time-to-bill", "1.5", "j1", "10ms", "ab" * 16]) | st.text(max_size=20)


def _body(schema: Mapping[str, Any]) -> st.SearchStrategy[bytes]:
    right = _right(schema)
    spoilt = st.builds(_spoilt, right, st.text(max_size=8), ANYTHING)
    return (right | spoilt | ANYTHING).map(lambda content: json.dumps(content).encode()) | st.sampled_from(PIECES)


def _spoilt(content: Any, name: str, value: Any) -> Any:
    """Return an object with a member of any kind in the place of one of its own, or beside them."""
    if not isinstance(content, dict):
        return value
    names = sorted(content)
    return content | {names[len(name) % len(names)] if names and len(name) % 2 else name: value}
