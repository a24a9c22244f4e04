"""Reading what people write: YAML 1.2, plain values only, every fault at once with its file, line and column.

Values are those that JSON has: mappings with text names, lists, texts, numbers, true, false and nothing. So a
published JSON Schema says all there is to say about a file, and a date is a text until a model reads it as a date.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from throughline.core.errors import ConfigurationError, Fault
from throughline.core.faults import Location, Place, faults_of, path_text

MAX_BYTES = 4 * 1024 * 1024
MAX_VALUES = 200_000  # counted after anchors are expanded, so that a few lines cannot stand for billions
MAX_DEPTH = 50

Model = TypeVar("Model", bound=BaseModel)
Read = TypeVar("Read")

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """What one file says (``content``), and where each part of it stands."""

    file: str
    content: Any
    names: dict[Location, Place] = field(repr=False)
    values: dict[Location, Place] = field(repr=False)

    def place_of(self, location: Location) -> Place | None:
        """Return where an entry stands: its name in a mapping, its value in a list.

        Parts of a location that the file does not have (a missing entry, the name of a variant) lead to the
        nearest part around it that the file has. None for an empty file.
        """
        at: Location = ()
        for part in location:
            if (*at, part) in self.values:
                at = (*at, part)
        return self.names.get(at) or self.values.get(at)

    def line_of(self, location: Location) -> int | None:
        """Return the line of an entry, counted from 1; see ``place_of``."""
        place = self.place_of(location)
        return place.line if place else None

    def fault(self, location: Location, seen: str, wanted: str) -> Fault:
        """Return a fault that stands at an entry of this file."""
        place = self.place_of(location)
        line, column = place if place else (None, None)
        return Fault(self.file, line, path_text(location), seen, wanted, column)


def load_yaml(path: Path) -> YamlDocument:
    """Read a file; raises ConfigurationError with every fault of its form."""
    return _faultless(*read_yaml(path))


def read_yaml(path: Path) -> tuple[YamlDocument | None, list[Fault]]:
    """Read a file and return what of it can be read, to be checked further, and every fault of its form."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [Fault(str(path), None, "", error.strerror or str(error), "a file that can be read")]
    return read_yaml_text(content, str(path))


def parse_yaml(content: bytes, file: str) -> YamlDocument:
    """Read the bytes of a file named ``file``; raises ConfigurationError with every fault of its form."""
    return _faultless(*read_yaml_text(content, file))


def read_yaml_text(content: bytes, file: str) -> tuple[YamlDocument | None, list[Fault]]:
    """Read the bytes of a file named ``file``; see ``read_yaml``."""
    reading = _Reading(file)
    try:
        root = _compose(_text(content, file), file)
        value = reading.value(root, (), 0) if root is not None else None
    except ConfigurationError as error:
        return None, [*reading.faults, *error.faults]
    return YamlDocument(file, value, reading.names, reading.values), reading.faults


def _faultless(document: YamlDocument | None, faults: list[Fault]) -> YamlDocument:
    if document is None or faults:
        raise ConfigurationError(faults)
    return document


def _text(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise _one(Fault(file, None, "", f"more than {MAX_BYTES} bytes", "a smaller file"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _one(Fault(file, line, "", "bytes that are not UTF-8", "a text in UTF-8")) from error


def further(faults: Iterable[Fault], before: Iterable[Fault]) -> list[Fault]:
    """Return the faults of a document that stand elsewhere than those of its form: each entry is faulty once."""
    known = {fault.path for fault in before if fault.path}
    return [fault for fault in faults if fault.path not in known]


def validate(document: YamlDocument, model: type[Model]) -> Model:
    """Return the document as a model; raises ConfigurationError with every fault and its place."""
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        raise ConfigurationError(faults_of(error, document.file, document.place_of)) from error


def yaml_files(folder: Path) -> list[Path]:
    """Return the YAML files of a folder and the folders in it, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml") and path.is_file())


def read_each(paths: Iterable[Path], read: Callable[[Path], Read]) -> list[Read]:
    """Read every file; raises one ConfigurationError with the faults of all of them, only after the last one."""
    results: list[Read] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            results.append(read(path))
        except ConfigurationError as error:
            faults += error.faults
    if faults:
        raise ConfigurationError(faults)
    return results


def _one(fault: Fault) -> ConfigurationError:
    return ConfigurationError([fault])


def _compose(text: str, file: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    try:
        return yaml.compose(text)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except MarkedYAMLError as error:
        raise _one(_form_fault(error, file)) from error
    except RecursionError as error:
        raise _one(Fault(file, None, "", "too deep a nesting", f"at most {MAX_DEPTH} levels")) from error
    except YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise _one(Fault(file, line, "", "a character that YAML does not allow", "printable text")) from error


def _form_fault(error: Any, file: str) -> Fault:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    return Fault(file, line, "", str(error.problem or error.context), "one well-formed YAML document", column)


@dataclass(slots=True)
class _Reading:
    """One walk over the nodes of a file: builds plain values, notes places, collects faults."""

    file: str
    faults: list[Fault] = field(default_factory=list[Fault])
    names: dict[Location, Place] = field(default_factory=dict[Location, Place])
    values: dict[Location, Place] = field(default_factory=dict[Location, Place])
    count: int = 0

    def value(self, node: Any, at: Location, depth: int) -> Any:
        self.count += 1
        self.values[at] = _place(node)
        if self.count > MAX_VALUES:
            raise _one(self._new(node, at, f"more than {MAX_VALUES} values", "a smaller file or fewer anchors"))
        if depth > MAX_DEPTH:  # an anchor inside itself never ends
            self._report(node, at, "a value inside itself, or too deep a nesting", f"at most {MAX_DEPTH} levels")
            return None
        match node:
            case MappingNode():
                return self._mapping(node, at, depth + 1)
            case SequenceNode():
                return [self.value(item, (*at, n), depth + 1) for n, item in enumerate(_parts(node))]
            case _:
                return self._scalar(node, at)

    def _mapping(self, node: Any, at: Location, depth: int) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for name_node, value_node in _parts(node):
            name = self._name(name_node, at)
            if name is None:
                continue
            here = (*at, name)
            if name in content:
                first = self.names[here].line
                self._report(name_node, here, f"the name {name!r} again, after line {first}", "each name once")
                continue
            self.names[here] = _place(name_node)
            content[name] = self.value(value_node, here, depth)
        return content

    def _name(self, node: Any, at: Location) -> str | None:
        kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
        if kind == "merge":
            self._report(node, at, "a merge (<<)", "the entries themselves")
            return None
        if not isinstance(node, ScalarNode):
            self._report(node, at, "a mapping or a list as a name", "a text")
            return None
        return text

    def _scalar(self, node: Any, at: Location) -> Any:
        text, kind = str(node.value), str(node.tag).removeprefix(_TAG)
        match kind:
            case "str" | "timestamp" | "value" | "merge":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float":
                return self._number(node, at, text, kind)
            case _:
                self._report(node, at, f"the tag {node.tag}", "a plain value")
                return None

    def _number(self, node: Any, at: Location, text: str, kind: str) -> int | float | None:
        try:
            number = _whole(text) if kind == "int" else float(text.replace("_", ""))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self._report(node, at, text[:60], "a finite number")
            return None
        return number

    def _new(self, node: Any, at: Location, seen: str, wanted: str) -> Fault:
        place = _place(node)
        return Fault(self.file, place.line, path_text(at), seen, wanted, place.column)

    def _report(self, node: Any, at: Location, seen: str, wanted: str) -> None:
        self.faults.append(self._new(node, at, seen, wanted))


def _whole(text: str) -> int:
    digits = text.replace("_", "")
    signless = digits.lstrip("+-")
    return int(digits, 0) if signless[:2].lower() in ("0x", "0o", "0b") else int(digits)


def _parts(node: Any) -> Iterator[Any]:
    return iter(node.value)


def _place(node: Any) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
