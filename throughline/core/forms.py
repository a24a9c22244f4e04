"""Forms: the pydantic models of what people write in YAML, held against a file so that no fault hides another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
    return cast(Any, value) if isinstance(value, list | tuple) else [value]


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
    origins: Mapping[Location, tuple[int, ...]]

    @property
    def whole(self) -> bool:
        """Say whether the form is all that the document says."""
        return self.form is not None and not self.faults

    def lacks(self, location: Location) -> bool:
        """Say whether the document has nothing at a place of the form: what was left out as faulty is not lacking."""
        content: Any = self.document.content
        for part in _original(location, self.origins):
            try:
                content = content[part]
            except (LookupError, TypeError):
                return True
        return content is None

    def fault(self, location: Location, seen: str, wanted: str) -> Fault:
        """Return a fault at a place of the form, told by its place in the document."""
        return self.document.fault(_original(location, self.origins), seen, wanted)


ATTEMPTS = 10  # an entry that goes may take the one around it with it, and so on


def examine(document: YamlDocument, model: type[Model]) -> Examined[Model]:
    """Hold a document against a form and keep what can be kept, so that later checks find their faults as well."""
    faults: tuple[Fault, ...] = ()
    left_out: set[Location] = set()
    origins: dict[Location, tuple[int, ...]] = {}
    for _ in range(ATTEMPTS):
        origins = {}
        content = _without(document.content, left_out, (), (), origins)
        try:
            return Examined(document, model.model_validate(content), faults, origins)
        except ValidationError as error:
            found = faults_of(error, document.file, document.place_of)
            faults = faults or tuple(_hinted(fault, model) for fault in found)
            left_out |= {_original(_existing(content, each["loc"]), origins) for each in error.errors()}
        if () in left_out:
            break
    return Examined(document, None, faults, origins)


def _without(
    content: Any, left_out: set[Location], here: Location, new: Location, origins: dict[Location, tuple[int, ...]]
) -> Any:
    """Copy the content without some entries; ``origins`` gets, for each list of the copy, its items' first indexes."""
    if isinstance(content, dict):
        held = cast(dict[str, Any], content)
        return {
            name: _without(value, left_out, (*here, name), (*new, name), origins)
            for name, value in held.items()
            if (*here, name) not in left_out
        }
    if isinstance(content, list):
        items = cast(list[Any], content)
        origins[new] = tuple(n for n in range(len(items)) if (*here, n) not in left_out)
        return [_without(items[n], left_out, (*here, n), (*new, m), origins) for m, n in enumerate(origins[new])]
    return content


def _original(location: Location, origins: Mapping[Location, tuple[int, ...]]) -> Location:
    """Return the place in the document of a place in the copy."""
    found: Location = ()
    for depth, part in enumerate(location):
        places = origins.get(location[:depth], ())
        found = (*found, places[part] if isinstance(part, int) and part < len(places) else part)
    return found


def _existing(content: Any, location: Location) -> Location:
    """Return the part of a place that the content has: of what is missing, what lacks it."""
    found: Location = ()
    for part in location:
        if isinstance(content, str):  # of a text no part is an entry
            break
        held: object = content
        if isinstance(part, int) and isinstance(held, dict):  # a list of one, written without brackets
            continue
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            break
        found = (*found, part)
    return found


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known words as the end of a sentence, led by the one that was probably meant."""
    listed = sorted(set(known))
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
