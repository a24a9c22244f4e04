"""Forms: the pydantic models of what people write in YAML, held against a file so that no fault hides another."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from throughline.core.errors import Fault
from throughline.core.faults import Location, faults_of
from throughline.core.yaml_file import YamlDocument


class Form(BaseModel):
    """What a person writes: frozen, and an entry of an unknown name is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class OneOrMore:
    """Annotates a sequence that may be written without brackets where it has one item only."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


class OrText:
    """Annotates a form that may also be written as one text: ``read`` gives the entries that the text stands for."""

    def __init__(self, read: Callable[[str], dict[str, Any]], schema: JsonSchemaValue) -> None:
        self._read = read
        self._schema = schema

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def entries(value: Any) -> Any:
            return self._read(value) if isinstance(value, str) else value

        return core_schema.no_info_before_validator_function(entries, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [self._schema, handler(schema)]}


def _listed(value: Any) -> Any:
    return cast(Any, value) if isinstance(value, list) else [value]


Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Examined(Generic[Model]):
    """A document held against its form.

    ``form`` is what is left of it without the faulty entries, for further checks; None where nothing is. With
    faults, what ``form`` lacks may have been written, only wrongly.
    """

    document: YamlDocument
    form: Model | None
    faults: tuple[Fault, ...]

    @property
    def whole(self) -> bool:
        """Say whether the form is all that the document says."""
        return self.form is not None and not self.faults


def examine(document: YamlDocument, model: type[Model]) -> Examined[Model]:
    """Hold a document against a form and keep what can be kept, so that later checks find their faults as well."""
    try:
        return Examined(document, model.model_validate(document.content), ())
    except ValidationError as error:
        faults = tuple(_hinted(fault, model) for fault in faults_of(error, document.file, document.place_of))
        content = copy.deepcopy(document.content)
        for found in error.errors(include_url=False):
            _remove(content, found["loc"])
    try:
        return Examined(document, model.model_validate(content), faults)
    except ValidationError:
        return Examined(document, None, faults)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known words as the end of a sentence, led by the one that was probably meant."""
    listed = sorted(known)
    close = get_close_matches(word, listed, n=1)
    everything = f"one of {', '.join(listed)}" if listed else "none, as none is declared"
    return f"{close[0]}, or another {everything}" if close and len(listed) > 1 else everything


def _hinted(fault: Fault, model: type[BaseModel]) -> Fault:
    """Name the entry that was probably meant where its name is unknown."""
    if not fault.wanted.startswith("no such entry"):
        return fault
    name = fault.path.rsplit(".", 1)[-1]
    close = get_close_matches(name, _entry_names(model), n=1)
    return replace(fault, wanted=f"{fault.wanted}; perhaps {close[0]}") if close else fault


def _entry_names(model: type[BaseModel]) -> list[str]:
    schema = model.model_json_schema()
    nodes: list[dict[str, Any]] = [schema, *schema.get("$defs", {}).values()]
    return sorted({name for node in nodes for name in node.get("properties", {})})


def _remove(content: Any, location: Location) -> None:
    """Remove a faulty entry; where the fault is in a list, the entry that holds the list goes."""
    around: list[tuple[Any, str | int]] = []
    for part in location:
        if isinstance(part, int) != isinstance(content, list) or not isinstance(content, list | dict):
            break
        held: Any = cast(Any, content)
        if part not in (range(len(held)) if isinstance(part, int) else held):
            break
        around.append((held, part))
        content = held[part]
    while around and isinstance(around[-1][0], list):
        around.pop()
    if around:
        holder, part = around[-1]
        del holder[part]
