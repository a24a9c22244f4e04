"""The commands ``mappings list|show|validate|try``: a firm's own words made events; they need no server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from rich.table import Table
from rich.text import Text

from lineage.definitions import load_definitions
from lineage.reach import ProcessReach, Reach
from throughline.cli.mapping_trial import Trial, TriedEvent, try_sample
from throughline.cli.printing import console, print_json
from throughline.cli.samples import read_samples
from throughline.cli.words import moment, spoken
from throughline.core.clock import RealClock
from throughline.core.errors import Fault, StartRefused
from throughline.core.forms import nearest
from throughline.core.mappings.folder import Mappings, load_mappings, read_mappings
from throughline.core.mappings.mapping import InputMapping
from throughline.core.settings import load_settings
from throughline.core.yaml_file import load_yaml


def list_mappings(folder: Path | None, as_json: bool) -> None:
    """Print every mapping of the folder."""
    mappings = load_mappings(_folder(folder)).by_name.values()
    if as_json:
        print_json([_document(mapping) for mapping in mappings])
        return
    out = console()
    if not mappings:
        out.print(
            "There is no mapping: events come in as they are. docs/how-to/write-a-mapping.md shows how to write one."
        )
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("mapping", "input", "types", "becomes", "version"):
        table.add_column(title, overflow="fold")
    for mapping in mappings:
        table.add_row(
            mapping.name,
            mapping.input,
            ", ".join(mapping.types) or "any",
            ", ".join(_becomes(mapping)),
            mapping.version,
        )
    out.print(table)


def show_mapping(name: str, folder: Path | None, as_json: bool) -> None:
    """Print one mapping; raises StartRefused where there is none of that name."""
    mapping = _mapping(load_mappings(_folder(folder)), name)
    content: Any = load_yaml(Path(mapping.file)).content
    if as_json:
        print_json(_document(mapping) | {"content": content})
        return
    out = console()
    out.print(Text.assemble((mapping.name, "bold"), "  ", mapping.title))
    out.print(f"  version  {mapping.version}, of {mapping.file}", soft_wrap=True)
    out.print(f"  maps     {mapping.input}, where {mapping.at.text} is {' or '.join(mapping.types) or 'anything'}")
    if mapping.when is not None:
        out.print(f"  when     {mapping.when.source}")
    if mapping.signature is not None:
        out.print(f"  signed   in {mapping.signature.header}, by the secret in {mapping.signature.secret_env}")
    for maker in mapping.events:
        out.print(f"  event    {_type(maker.type)}{f', each of {maker.each.text}' if maker.each else ''}")
        for entry, value in (*maker.envelope.items(), *maker.data.items()):
            source = ", ".join(path.text for path in value.paths) or (value.expression and value.expression.source)
            out.print(f"    {entry:<16} {source or repr(value.constant)}{f' as {value.to}' if value.to else ''}")


def validate(folder: Path | None, as_json: bool) -> bool:
    """Print every fault of the mappings of a folder; return whether there is none."""
    where = _folder(folder)
    mappings, faults = read_mappings(where)
    if as_json:
        print_json([_fault(fault) for fault in faults])
        return not faults
    out = console()
    for fault in faults:
        out.print(str(fault), style="red", soft_wrap=True)
    if faults:
        out.print(f"{len(faults)} fault{'s' if len(faults) != 1 else ''}; nothing of {where} would be used.")
    else:
        names = ", ".join(mappings.by_name) or "there is none"
        out.print(f"{len(mappings.by_name)} mapping{'s' if len(mappings.by_name) != 1 else ''} can be used: {names}.")
    return not faults


def try_file(file: Path, name: str | None, folder: Path | None, as_json: bool) -> bool:
    """Print what each sample of a file would become; return whether every one becomes an event, and none is spoilt."""
    where = _folder(folder)
    definitions, mappings = load_definitions(where), load_mappings(where)
    if name is not None:
        _mapping(mappings, name)
    now = RealClock().now()
    trials = [
        try_sample(number, sample, mappings, definitions, name, now)
        for number, sample in enumerate(read_samples(file), start=1)
    ]
    if as_json:
        print_json(trials)
    else:
        for trial in trials:
            _print_trial(trial)
    return all(trial.events and not trial.set_aside for trial in trials)


def _print_trial(trial: Trial) -> None:
    out = console()
    out.print(Text.assemble((f"sample {trial.sample}", "bold"), f"  {trial.input}, at {trial.door}"))
    if trial.mapping is not None:
        out.print(f"  mapping {trial.mapping}, version {trial.version}")
    for why in trial.why:
        out.print(Text(f"  {'note' if trial.mapping else 'no mapping'}  {why}", "yellow"), soft_wrap=True)
    for event in trial.events:
        _print_event(event)
    for fault in trial.set_aside:
        out.print(Text(f"  set aside   {fault.reason}: {fault.sentence}", "red"), soft_wrap=True)


_NOT_REPEATED = ("type", "id", "source", "time", "outcome", "fields", "relations", "error", "amounts")


def _print_event(tried: TriedEvent) -> None:
    out, event = console(), tried.event
    line = f"  {moment(event['time'])}  {event['type']}  {event['outcome']}  {event['source']}  id {event['id']}"
    out.print(Text(line, "bold"), soft_wrap=True)
    said = {name: value for name, value in event.items() if name not in _NOT_REPEATED} | event.get("fields", {})
    for name, value in (*said.items(), *event.get("error", {}).items(), *event.get("amounts", {}).items()):
        shown = ", ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)
        out.print(f"      {name:<16} {shown}", soft_wrap=True)
    for pair in event.get("relations", ()):
        ends = [", ".join(f"{kind} {value}" for kind, value in pair[end].items()) for end in ("from", "to")]
        out.print(f"      {pair.get('qualifier', 'relation'):<16} {' – '.join(ends)}", soft_wrap=True)
    for sentence in reach_sentences(event["type"], tried.reach):
        out.print(f"    {sentence}", soft_wrap=True)


def reach_sentences(kind: str, found: Reach) -> list[str]:
    """Say in words where an event would go."""
    if not found.processes:
        near = f": perhaps {' or '.join(found.nearest)}" if found.nearest else ""
        return [f"→ no process knows the type {kind}{near}"]
    sentences = [_process_sentence(each) for each in found.processes]
    if found.placeholders:
        sentences.append(f"! {found.placeholders} of its keys are placeholders, which count as none")
    if found.lacking_scope:
        sentences.append(f"! {found.lacking_scope} of its keys lack the field that says who issued the number")
    return sentences


def _process_sentence(found: ProcessReach) -> str:
    where = " and ".join(spoken(step) for step in found.steps) or "no step, but a link or an ending"
    if found.by is None:
        return f"→ {found.process} ({where}), but no case: none of its keys {', '.join(found.wanted)}"
    keys = ", ".join(f"{spoken(kind)} {value}" for kind, value in found.keys.get(found.by, ()))
    others = [
        f"{role} {', '.join(f'{spoken(kind)} {value}' for kind, value in keys)}"
        for role, keys in found.keys.items()
        if role != found.by
    ]
    return f"→ {found.process} ({where}) by its {found.by} {keys}" + (f"; {'; '.join(others)}" if others else "")


def _mapping(mappings: Mappings, name: str) -> InputMapping:
    if name not in mappings.by_name:
        raise StartRefused(f"seen the mapping {name!r}, wanted {nearest(name, mappings.by_name)}")
    return mappings.by_name[name]


def _document(mapping: InputMapping) -> dict[str, Any]:
    return {
        "mapping": mapping.name,
        "title": mapping.title,
        "input": mapping.input,
        "types": list(mapping.types),
        "types_at": mapping.at.text,
        "when": None if mapping.when is None else mapping.when.source,
        "becomes": _becomes(mapping),
        "signed": mapping.signature is not None,
        "version": mapping.version,
        "file": mapping.file,
    }


def _becomes(mapping: InputMapping) -> list[str]:
    return list(dict.fromkeys(_type(maker.type) for maker in mapping.events))


def _type(value: Any) -> str:
    if value.is_constant:
        return str(value.constant)
    return (
        str(value.expression.source) if value.expression is not None else " or ".join(path.text for path in value.paths)
    )


def _fault(fault: Fault) -> dict[str, object]:
    return {name: getattr(fault, name) for name in ("file", "line", "column", "path", "seen", "wanted")}


def _folder(folder: Path | None) -> Path | None:
    return load_settings({"definitions": folder}, os.environ).definitions
