"""The form of mapping files. Its JSON Schema is published beside the others (lineage/schemas).

Whether paths, expressions and constants make sense is checked in throughline/core/mappings/compiling.py.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from throughline.core.estate_file import Zone
from throughline.core.forms import Form, OneOrMore
from throughline.core.mappings.conversion import MOST_DIGITS, As
from throughline.core.mappings.path import is_path

MAPPING = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class Input(StrEnum):
    """What a mapping maps."""

    CLOUDEVENT = "cloudevent"
    LOG = "log"
    SPAN = "span"
    JSON = "json"


Scalar = str | bool | int | float
PathText = Annotated[str, Field(max_length=500, description="such as input.data.invoiceId or item.lines[*].id")]
Cel = Annotated[str, Field(max_length=10_000, description="CEL over input, and over item and parent beside each")]


class ValueForm(Form):
    """Where a value comes from: a path, an expression or a constant; and what it is read as."""

    path: Annotated[tuple[PathText, ...], OneOrMore()] = Field(default=(), description="several: the first that finds")
    cel: Cel | None = None
    value: Scalar | None = Field(default=None, description="a constant")
    as_: As | None = Field(default=None, alias="as", description="what it is read as")
    digits: int | None = Field(default=None, ge=0, le=MOST_DIGITS, description="of minor_units: 2 for cents")
    zone: Zone | None = Field(default=None, description="of local: the zone of times without one")
    format: str | None = Field(default=None, max_length=100, description="of local: such as %d.%m.%Y %H:%M")
    table: dict[str, Scalar | None] | None = Field(default=None, description="a word of theirs: ours, null for none")
    otherwise: Scalar | None = Field(
        default=None, description="for a word that the table lacks; without, it is a fault"
    )


class _OrScalar:
    """Annotates a value that may be written as one scalar: a path where it begins like one, else a constant."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_entries, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": ["string", "number", "boolean"]}, handler(schema)]}


def _entries(value: Any) -> Any:
    if isinstance(value, str) and is_path(value):
        return {"path": value}
    return {"value": value} if isinstance(value, str | bool | int | float) else value


Value = Annotated[ValueForm, _OrScalar()]


class ErrorForm(Form):
    """Why it failed; looked at only where the outcome is failure."""

    category: Value | None = None
    code: Value | None = None
    message: Value | None = None
    retryable: Value | None = None
    attempt: Value | None = None


class AmountsForm(Form):
    """Amounts by name, where one event covers many."""

    each: PathText = Field(description="the array; item is its element here")
    name: Value
    amount: Value


class RelationForm(Form):
    """Stated pairs: of every value at one end with every value at the other, or element by element with each."""

    each: PathText | None = Field(default=None, description="an array; item is its element here")
    from_: dict[str, Value] = Field(alias="from", description="one type of key, and scope fields after it")
    to: dict[str, Value]
    qualifier: str | None = None


class EventForm(Form):
    """One event, or with each one for every element of an array."""

    each: PathText | None = Field(default=None, description="an array; item is its element, parent what holds it")
    when: Cel | None = Field(default=None, description="only where this is true")
    type: Value
    id: Value | None = Field(default=None, description="by default the input's own; with each, /key follows it")
    key: Value | None = Field(default=None, description="of the element; by default its position, from 1 on")
    source: Value | None = None
    time: Value | None = None
    recorded_time: Value | None = None
    subject: Value | None = None
    outcome: Value | None = None
    error: ErrorForm | None = None
    amount: Value | None = None
    currency: Value | None = None
    amounts: AmountsForm | None = None
    hours: Value | None = None
    relations: tuple[RelationForm, ...] = ()
    correlation_id: Value | None = None
    causation_id: Value | None = None
    sequence: Value | None = None
    system: Value | None = None
    instance: Value | None = None
    flow: Value | None = None
    synthetic: Value | None = None
    fields: dict[Annotated[str, Field(max_length=100)], Value] = Field(
        default_factory=dict[str, ValueForm], description="keys and facts by name; what is null or absent is left out"
    )


class SignatureForm(Form):
    """How a webhook's sender signs: HMAC over the body, byte for byte, as sent."""

    header: str = Field(min_length=1, max_length=100, description="that carries the signature")
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field(default="", max_length=50, description="before the signature, such as sha256=")
    secret_env: str = Field(min_length=1, max_length=200, description="the environment variable that holds the secret")


class MappingFile(Form):
    """A mapping: which inputs it is for, and the events that they become."""

    mapping: str = Field(max_length=100, json_schema_extra={"pattern": MAPPING})
    title: str = Field(default="", max_length=200)
    input: Input
    types: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...], OneOrMore()] = Field(
        default=(), description="the type, event name or span name of the inputs it is for; optional for json"
    )
    types_at: PathText | None = Field(default=None, description="where else types are looked for")
    when: Cel | None = Field(default=None, description="CEL over input; without a clear true it does not fit")
    signature: SignatureForm | None = None
    event: Annotated[tuple[EventForm, ...], Field(max_length=20), OneOrMore()]
