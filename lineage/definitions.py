"""Definitions: the shipped pack and, on top of it, what the firm's own folder adds and replaces.

A folder holds process files (``process:`` at the top) and ``keys.yaml`` (key types), in any depth, and ``estate.yaml``
beside them; mappings (``mapping:`` at the top) are read elsewhere (throughline/core/mappings). A process
or a key type of the firm's replaces the pack's of the same name as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from lineage.definition_checks import courses, key_faults, parse_effective, process_faults
from lineage.follow_checks import follow_faults
from lineage.process import (
    Check,
    Deadline,
    Definitions,
    Ending,
    Expectation,
    Expression,
    Follow,
    NewRound,
    Process,
    Step,
    Version,
)
from lineage.process_file import (
    Course,
    DueForm,
    EndingForm,
    KeysFile,
    KeyTypeForm,
    NewRoundForm,
    ProcessFile,
    VersionForm,
)
from throughline.core.calendar import parse_duration
from throughline.core.errors import ConfigurationError, Fault
from throughline.core.estate import ESTATE_FILE, load_estate
from throughline.core.expressions import compile_condition
from throughline.core.faults import show
from throughline.core.forms import Examined, examine, nearest
from throughline.core.instants import format_instant
from throughline.core.key import DEFAULT_PLACEHOLDERS, KeyType
from throughline.core.mappings.folder import is_mapping, read_mappings
from throughline.core.yaml_file import YamlDocument, further, read_yaml, yaml_files

KPI = "kpi"
KINDS = ("process", "keys", "mapping", KPI)  # the entries by which a file is known
PROCESSES = "processes"  # the folder in which every file is a process
KPIS = "kpis"  # the folder in which every file is a KPI; package kpis reads those


def pack_folder() -> Path:
    """Return the folder of the shipped processes and key types."""
    return Path(str(files("lineage") / "pack"))


def load_definitions(folder: Path | None) -> Definitions:
    """Read the pack and the firm's folder; raise ConfigurationError with every fault in all their files."""
    found, faults = _read(folder)
    if faults:
        raise ConfigurationError(faults)
    return Definitions(
        {name: _process(cast(ProcessFile, each.form)) for name, each in sorted(found.processes.items())},
        {name: _key_type(name, form) for name, form in sorted(found.key_types.items())},
    )


def validate_folder(folder: Path) -> list[Fault]:
    """Return every fault of a definitions folder, its estate included; none: it can be used."""
    _, faults = _read(folder)
    try:
        load_estate(folder)
    except ConfigurationError as error:
        faults += error.faults
    return faults + read_mappings(folder)[1]


@dataclass
class _Found:
    """What was read so far, later folders on top of earlier ones."""

    processes: dict[str, Examined[ProcessFile]] = field(default_factory=dict[str, Examined[ProcessFile]])
    key_types: dict[str, KeyTypeForm] = field(default_factory=dict[str, KeyTypeForm])
    key_names: set[str] = field(default_factory=set[str])  # those of faulty entries included


def _read(folder: Path | None) -> tuple[_Found, list[Fault]]:
    found, faults = _Found(), list[Fault]()
    for each in (pack_folder(), folder):
        if each is not None:
            faults += _read_folder(each, found)
    for process in found.processes.values():
        key_names = frozenset(found.key_names)
        faults += [fault for fault in process_faults(process, key_names) if process.judges(fault)]
    own = [each for each in found.processes.values() if not Path(each.document.file).is_relative_to(pack_folder())]
    faults += follow_faults(own, found.processes)
    return found, sorted(faults, key=lambda fault: (fault.file, fault.line or 0, fault.column or 0))


def _read_folder(folder: Path, found: _Found) -> Iterator[Fault]:
    if not folder.is_dir():
        yield Fault(str(folder), None, "", "no such folder", "a folder of definitions")
        return
    here: dict[str, str] = {}
    for path in yaml_files(folder):
        if path == folder / ESTATE_FILE:
            continue
        if KPIS in path.relative_to(folder).parts[:-1]:
            continue
        document, faults = read_yaml(path)
        if is_mapping(path, folder, None if document is None else document.content):
            continue  # read_mappings tells of it
        yield from faults
        if document is not None:
            yield from further(_take(document, path, folder, found, here), faults)


def _take(document: YamlDocument, path: Path, folder: Path, found: _Found, here: dict[str, str]) -> Iterator[Fault]:
    content: Any = document.content
    names: list[str] = list(cast(Any, content)) if isinstance(content, dict) else []
    if "process" in names or PROCESSES in path.relative_to(folder).parts[:-1]:
        yield from _take_process(document, found, here)
    elif "keys" in names:
        yield from _take_keys(document, found)
    elif path.parent == folder and KPI not in names:
        yield _unknown_kind(document, names)


def _unknown_kind(document: YamlDocument, names: list[str]) -> Fault:
    if not names:
        return document.fault((), "nothing that names its kind", f"{nearest('', KINDS)} at the top")
    return document.fault((names[0],), show(names[0]), f"{nearest(names[0], KINDS)} at the top")


def _take_process(document: YamlDocument, found: _Found, here: dict[str, str]) -> Iterator[Fault]:
    examined = examine(document, ProcessFile)
    yield from examined.faults
    if examined.form is None:
        return
    if ("process",) in examined.stood_in:
        found.processes[document.file] = examined
        return
    name = examined.form.process
    if name in here:
        yield document.fault(("process",), f"{show(name)}, which is in {here[name]} too", "each process once")
    here.setdefault(name, document.file)
    found.processes[name] = examined


def _take_keys(document: YamlDocument, found: _Found) -> Iterator[Fault]:
    named: Any = document.content["keys"]
    found.key_names.update(cast(dict[str, Any], named) if isinstance(named, dict) else ())
    examined = examine(document, KeysFile)
    yield from examined.faults
    yield from key_faults(examined)
    if examined.form is not None:
        found.key_types.update(examined.form.keys)


def _key_type(name: str, form: KeyTypeForm) -> KeyType:
    placeholders = DEFAULT_PLACEHOLDERS
    if form.placeholders is not None:
        placeholders = frozenset(text.strip().lower() for text in form.placeholders)
    return KeyType(name, form.scope, form.normalise, form.strip_prefix, placeholders)


def _process(form: ProcessFile) -> Process:
    return Process(
        name=form.process,
        title=form.title,
        name_key=form.keys.name,
        aliases=form.keys.aliases,
        carriers=form.keys.carriers,
        relations=form.keys.relations,
        versions=tuple(_version(course, form.owner) for _, course in courses(form)),
        passes=frozenset(form.passes),
        links=frozenset(form.links),
        unique=dict(sorted(form.keys.unique.items())),
        follows=tuple(Follow(each.process, each.by) for each in form.follows),
    )


def _version(form: Course, owner: str | None) -> Version:
    number, effective = "1", None
    if isinstance(form, VersionForm):
        number, effective = form.version, form.effective_from
    return Version(
        number=number,
        effective_from=None if effective is None else parse_effective(effective),
        steps=tuple(_steps(form)),
        owner=form.owner or owner,
        applies_when=None if form.applies_when is None else _condition(form.applies_when),
        new_round=NewRound() if form.new_round is None else _new_round(form.new_round),
        ended_by=tuple(_ending(ending) for ending in form.ended_by),
        checks=tuple(Check(check.check, check.message, _condition(check.that), check.step) for check in form.checks),
        expects=tuple(_expectations(form)),
    )


def _steps(form: Course) -> Iterator[Step]:
    """Yield the steps; one without a system has that of the step before."""
    systems: tuple[str, ...] = ()
    for step in form.steps:
        systems = tuple(role.value for role in step.system) or systems
        yield Step(
            name=step.step,
            kind=step.kind,
            types=frozenset(step.types),
            systems=systems,
            waits_for=step.waits_for,
            deadline=_deadline(step),
            optional=step.optional,
            owner=step.owner,
            amount_covers=step.complete_when == "amount_covers",
        )


def _expectations(form: Course) -> Iterator[Expectation]:
    """Yield what should recur; without a system it is reported by that of the step after which it does."""
    systems = {step.name: step.systems for step in _steps(form)}
    for each in form.expects:
        yield Expectation(
            name=each.expect,
            types=frozenset(each.types),
            systems=tuple(role.value for role in each.system) or systems[each.after],
            every=each.every,
            after=each.after,
            per=each.per,
            from_field=each.from_field,
            until_field=each.until_field,
            period_field=each.period_field,
            ended_by=frozenset(each.ended_by),
            within=None if each.within is None else parse_duration(each.within),
            waits_for=each.waits_for,
            owner=each.owner,
        )


def _condition(source: str) -> Expression:
    return compile_condition(source)


def _deadline(form: DueForm) -> Deadline | None:
    if form.within is not None:
        return Deadline(within=parse_duration(form.within))
    if form.by_field is None and form.by_cutoff is None:
        return None
    return Deadline(by_field=form.by_field, by_cutoff=form.by_cutoff)


def _new_round(form: NewRoundForm) -> NewRound:
    return NewRound(frozenset(form.after), form.each is not None, _deadline(form), form.waits_for)


def _ending(form: EndingForm) -> Ending:
    return Ending(form.type, form.as_ or form.type.rsplit(".", 1)[-1], form.end)


def fingerprint(definitions: Definitions) -> str:
    """Return a digest of all that stored links depend on: when it changes, they must be drawn anew (``rebuild``).

    It covers key types in use, roles, passes, unique and the declared event types of each process; nothing else.
    """
    used = {name for process in definitions.processes.values() for name in process.roles}
    key_types = [_key_content(key) for name, key in sorted(definitions.key_types.items()) if name in used]
    processes = [_link_content(process) for _, process in sorted(definitions.processes.items())]
    return _digest([key_types, processes])


def state_fingerprint(definitions: Definitions) -> str:
    """Return a digest of all else that derived state depends on: when it changes, cases are derived anew."""
    documents = [process_document(process) for _, process in sorted(definitions.processes.items())]
    for document in documents:
        del document["follows"]  # it is asked for, never stored
    return _digest(documents)


def _key_content(key: KeyType) -> list[object]:
    return [key.name, key.scope, key.normalise, key.strip_prefix, sorted(key.placeholders)]


def _link_content(process: Process) -> list[object]:
    return [
        [process.name, process.name_key, process.aliases, process.carriers, sorted(process.relations)],
        [sorted(process.passes), sorted(process.types), sorted(process.links), sorted(process.unique.items())],
        sorted(process.only_expected),
    ]


def _digest(content: object) -> str:
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def process_document(process: Process) -> dict[str, Any]:
    """Return a process as a document of plain values: keys by role, and each version with its steps in order."""
    return {
        "process": process.name,
        "title": process.title,
        "keys": {
            "name": process.name_key,
            "aliases": list(process.aliases),
            "carriers": list(process.carriers),
            "relations": list(process.relations),
            "unique": {name: list(scope) for name, scope in process.unique.items()},
        },
        "passes": [list(pair) for pair in sorted(process.passes)],
        "links": sorted(process.links),
        "follows": [follow._asdict() for follow in process.follows],
        "versions": [_version_document(version) for version in process.versions],
    }


def _version_document(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "effective_from": None if version.effective_from is None else format_instant(version.effective_from),
        "owner": version.owner,
        "applies_when": None if version.applies_when is None else version.applies_when.source,
        "steps": [_step_document(step, version.owner) for step in version.steps],
        "new_round": _round_document(version.new_round),
        "ended_by": [{"type": each.type, "as": each.ended_as, "end": each.end} for each in version.ended_by],
        "checks": [
            {"check": check.name, "that": check.condition.source, "message": check.message, "step": check.step}
            for check in version.checks
        ],
        "expects": [_expectation_document(each, version.owner) for each in version.expects],
    }


def _step_document(step: Step, owner: str | None) -> dict[str, Any]:
    return {
        "step": step.name,
        "kind": step.kind.value,
        "types": sorted(step.types),
        "systems": list(step.systems),
        "waits_for": step.waits_for.value,
        "due": deadline_text(step.deadline),
        "complete_when": "amount_covers" if step.amount_covers else None,
        "optional": step.optional,
        "owner": step.owner or owner,
    }


def _expectation_document(expectation: Expectation, owner: str | None) -> dict[str, Any]:
    return {
        "expect": expectation.name,
        "types": sorted(expectation.types),
        "systems": list(expectation.systems),
        "every": expectation.every.value,
        "after": expectation.after,
        "per": expectation.per,
        "from_field": expectation.from_field,
        "until_field": expectation.until_field,
        "period_field": expectation.period_field,
        "ended_by": sorted(expectation.ended_by),
        "within": None if expectation.within is None else str(expectation.within),
        "waits_for": expectation.waits_for.value,
        "owner": expectation.owner or owner,
    }


def _round_document(new_round: NewRound) -> dict[str, Any] | None:
    if not new_round.after and not new_round.each:
        return None
    return {
        "after": sorted(new_round.after),
        "each": new_round.each,
        "due": deadline_text(new_round.deadline),
        "waits_for": new_round.waits_for.value,
    }


def deadline_text(deadline: Deadline | None) -> str | None:
    """Write a deadline as people read it: ``within 4 h``, ``by due_date``, ``by the billing cut-off``."""
    if deadline is None:
        return None
    if deadline.within is not None:
        return f"within {deadline.within}"
    return f"by {deadline.by_field}" if deadline.by_field else f"by the {deadline.by_cutoff} cut-off"
