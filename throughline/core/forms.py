"""Forms: the pydantic models of what people write in YAML, held against a file so that no fault hides another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from throughline.core.errors import Fault
from throughline.core.faults import Location, errors_of, faults_of, path_text
from throughline.core.yaml_file import YamlDocument


class Form(BaseModel):
    """What a person writes: frozen, and an entry of an unknown name is a fault.

    ``stand_ins`` of the form of a file: what is put in the place of a required entry that is missing or faulty, so that
    the rest can be checked. By place, with ``*`` for any place in a list.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    stand_ins: ClassVar[Mapping[Location, Any]] = {}


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


Model = TypeVar("Model", bound=Form)


@dataclass(frozen=True)
class Examined(Generic[Model]):
    """A document held against its form.

    ``form`` is what is left of it without the faulty entries, for further checks; None where nothing is. With
    faults, what ``form`` lacks may have been written, only wrongly. ``left_out`` and ``stood_in`` are the places of
    the document that ``form`` lacks, and those where something else stands in it.
    """

    document: YamlDocument
    form: Model | None
    faults: tuple[Fault, ...]
    origins: Mapping[Location, tuple[int, ...]]
    left_out: frozenset[Location] = frozenset()
    stood_in: frozenset[Location] = frozenset()

    @property
    def whole(self) -> bool:
        """Say whether the form is all that the document says."""
        return self.form is not None and not self.faults

    def lacks(self, location: Location) -> bool:
        """Say whether the document has nothing at a place of the form: what was left out as faulty is not lacking."""
        return self.written(location) is None

    def written(self, location: Location) -> Any:
        """Return what the document has at a place of the form, as it was written; None for nothing."""
        content: Any = self.document.content
        for part in self.place(location):
            try:
                content = content[part]
            except (LookupError, TypeError):
                return None
        return content

    def place(self, location: Location) -> Location:
        """Return the place in the document of a place in the form."""
        return _original(location, self.origins)

    def whole_at(self, location: Location) -> bool:
        """Say whether the form has at a place, and below it, all that the document says there."""
        at = self.place(location)
        return not any(place[: len(at)] == at or at[: len(place)] == place for place in self.left_out | self.stood_in)

    def judges(self, fault: Fault) -> bool:
        """Say whether a fault is one of what was written, not of what stands in for it."""
        paths = [path_text(place) for place in self.stood_in]
        return not any(fault.path == path or fault.path.startswith((f"{path}.", f"{path}[")) for path in paths)

    def fault(self, location: Location, seen: str, wanted: str) -> Fault:
        """Return a fault at a place of the form, told by its place in the document."""
        return self.document.fault(_original(location, self.origins), seen, wanted)


ATTEMPTS = 10  # an entry that goes may take the one around it with it, and so on


def examine(document: YamlDocument, model: type[Model]) -> Examined[Model]:
    """Hold a document against a form and keep what can be kept, so that later checks find their faults as well."""
    faults: tuple[Fault, ...] = ()
    left_out: set[Location] = set()
    stood_in: dict[Location, Any] = {}
    origins: dict[Location, tuple[int, ...]] = {}
    for _ in range(ATTEMPTS):
        origins = {}
        content = _without(document.content, left_out, stood_in, (), (), origins)
        try:
            form = model.model_validate(content)
            return Examined(document, form, faults, origins, frozenset(left_out), frozenset(stood_in))
        except ValidationError as error:
            found = faults_of(error, document.file, document.place_of)
            faults = faults or tuple(_hinted(fault, model) for fault in found)
            for each in errors_of(error):
                place = _original(each["loc"], origins)
                pattern = tuple("*" if isinstance(part, int) else part for part in place)
                if each["type"] == "missing" and pattern in model.stand_ins:
                    stood_in[place] = model.stand_ins[pattern]
                else:
                    left_out.add(_original(_existing(content, each["loc"]), origins))
        if () in left_out:
            break
    return Examined(document, None, faults, origins)


def _without(
    content: Any,
    left_out: set[Location],
    stood_in: Mapping[Location, Any],
    here: Location,
    new: Location,
    origins: dict[Location, tuple[int, ...]],
) -> Any:
    """Copy the content without some entries, and with what stands in for others.

    ``origins`` gets, for each list of the copy, its items' first indexes.
    """
    if isinstance(content, dict):
        held = cast(dict[str, Any], content)
        kept = {
            name: _without(value, left_out, stood_in, (*here, name), (*new, name), origins)
            for name, value in held.items()
            if (*here, name) not in left_out
        }
        return kept | {place[-1]: value for place, value in stood_in.items() if place[:-1] == here}
    if isinstance(content, list):
        items = cast(list[Any], content)
        origins[new] = tuple(n for n in range(len(items)) if (*here, n) not in left_out)
        return [
            _without(items[n], left_out, stood_in, (*here, n), (*new, m), origins) for m, n in enumerate(origins[new])
        ]
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
