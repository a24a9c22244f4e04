"""The mappings of a definitions folder: read with all faults, and found by the type of an input."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

from throughline.core.errors import ConfigurationError, Fault
from throughline.core.faults import show
from throughline.core.forms import examine
from throughline.core.mappings.compiling import LONGEST_VERSION, compile_mapping
from throughline.core.mappings.form import Input, MappingFile
from throughline.core.mappings.mapping import InputMapping
from throughline.core.mappings.path import Path as ValuePath
from throughline.core.mappings.path import Segment
from throughline.core.mappings.value import Scope
from throughline.core.number import scalar_text
from throughline.core.yaml_file import YamlDocument, load_yaml, yaml_files

MAPPINGS: Final = "mappings"  # the folder in which every file is a mapping
KIND: Final = "mapping"  # the entry by which a file is known


class Mappings:
    """All mappings, looked up by kind of input and its type: many cost no more than one."""

    def __init__(self, mappings: Iterable[InputMapping] = ()) -> None:
        self.by_name = {mapping.name: mapping for mapping in sorted(mappings, key=lambda each: each.name)}
        self._by_type: dict[Input, dict[ValuePath, dict[str, list[InputMapping]]]] = {}
        for mapping in sorted(self.by_name.values(), key=_rank):
            of_path = self._by_type.setdefault(mapping.input, {}).setdefault(mapping.at, {})
            for kind in dict.fromkeys(mapping.types):
                of_path.setdefault(kind, []).append(mapping)

        # Where all look for their types in one member, that is asked first: most inputs are none of theirs.
        self._simple: dict[Input, tuple[str, frozenset[str]]] = {}
        for input, by_path in self._by_type.items():
            (path, by_type), *others = by_path.items()
            name = path.segments[0] if len(path.segments) == 1 else None
            if isinstance(name, str) and not others:
                self._simple[input] = name, frozenset(by_type)

    def __bool__(self) -> bool:
        return bool(self.by_name)

    @property
    def version(self) -> str:
        """Return a digest of all of them; empty where there is none."""
        if not self.by_name:
            return ""
        versions = "\n".join(f"{name} {mapping.version}" for name, mapping in self.by_name.items())
        return sha256(versions.encode()).hexdigest()[:LONGEST_VERSION]

    def has(self, input: Input) -> bool:
        """Tell whether there is any for a kind of input."""
        return input in self._by_type

    def places(self, input: Input) -> tuple[tuple[tuple[Segment, ...], frozenset[str]], ...]:
        """Return where types are looked for, each with the types known there: what else stands there is not mapped."""
        return tuple((path.segments, frozenset(by_type)) for path, by_type in self._by_type.get(input, {}).items())

    def candidates(self, input: Input, content: Any) -> list[InputMapping]:
        """Return the mappings whose types have that of an input, in the order in which they are asked."""
        found: list[InputMapping] = []
        for path, by_type in self._by_type.get(input, {}).items():
            kind = scalar_text(path.find(content))
            if kind is not None:
                found += by_type.get(kind, ())
        return found if len(found) < 2 else sorted(found, key=_rank)

    def types(self, input: Input) -> dict[str, str]:
        """Return the types that mappings of a kind of input look for, each with the name of one of them."""
        return {kind: each.name for each in self.by_name.values() if each.input is input for kind in each.types}

    def choose(self, input: Input, content: Any) -> InputMapping | None:
        """Return the mapping that an input is for: the first that fits, those with a condition before those without."""
        simple = self._simple.get(input)
        if simple is not None:
            kind = content.get(simple[0])
            if isinstance(kind, str) and kind not in simple[1]:
                return None
        for mapping in self.candidates(input, content):
            if mapping.holds(Scope(content)).fits:
                return mapping
        return None


def _rank(mapping: InputMapping) -> tuple[bool, str]:
    """Order mappings: the more specific first, then by name."""
    return mapping.when is None, mapping.name


def is_mapping(path: Path, folder: Path, content: Any) -> bool:
    """Tell whether a file of a definitions folder is a mapping: by its place, or by what it says."""
    named = isinstance(content, dict) and KIND in cast("dict[str, Any]", content)
    return named or MAPPINGS in path.relative_to(folder).parts[:-1]


def load_mappings(folder: Path | None) -> Mappings:
    """Read the mappings of a definitions folder; raise ConfigurationError with every fault in all their files."""
    mappings, faults = read_mappings(folder)
    if faults:
        raise ConfigurationError(faults)
    return mappings


def read_mappings(folder: Path | None) -> tuple[Mappings, list[Fault]]:
    """Return the mappings of a definitions folder that have no fault, and the faults of the others.

    A file that is no YAML counts here only in a folder of mappings: elsewhere it is told as what it may have been.
    """
    found: list[InputMapping] = []
    faults: list[Fault] = []
    for path in yaml_files(folder) if folder is not None and folder.is_dir() else ():
        assert folder is not None
        try:
            document = load_yaml(path)
        except ConfigurationError as error:
            faults += error.faults if is_mapping(path, folder, None) else ()
            continue
        if is_mapping(path, folder, document.content):
            mapping, wrong = read_mapping(document)
            faults += wrong
            if mapping is not None:
                faults += _twice(document, mapping, found)
                found.append(mapping)
    return Mappings(found), faults


def read_mapping(document: YamlDocument) -> tuple[InputMapping | None, list[Fault]]:
    """Return the mapping of one file, or its faults."""
    return compile_mapping(examine(document, MappingFile))


def _twice(document: YamlDocument, mapping: InputMapping, found: list[InputMapping]) -> list[Fault]:
    before = [other.file for other in found if other.name == mapping.name]
    if not before:
        return []
    return [document.fault(("mapping",), f"{show(mapping.name)}, which is in {before[0]} too", "each mapping once")]
