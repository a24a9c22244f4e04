"""The commands ``processes list|show|validate``: what should happen, as defined; they need no server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from kpis.catalogue import validate_kpis
from lineage.definitions import load_definitions, process_document, validate_folder
from lineage.process import Process
from throughline.cli.printing import console, print_json
from throughline.cli.words import spoken
from throughline.core.errors import StartRefused
from throughline.core.settings import load_settings


def list_processes(folder: Path | None, as_json: bool) -> None:
    """Print every process of the shipped pack and the folder."""
    processes = _processes(folder)
    if as_json:
        print_json([process_document(process) for process in processes.values()])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("process", "case", "steps", "owner"):
        table.add_column(title, overflow="fold")
    for process in processes.values():
        version = process.versions[-1]
        steps = " → ".join(spoken(step.name) for step in version.steps)
        table.add_row(process.name, spoken(process.name_key), steps, version.owner or "–")
    console().print(table)


def show_process(name: str, folder: Path | None, as_json: bool) -> None:
    """Print one process; raises StartRefused where there is none of that name."""
    processes = _processes(folder)
    if name not in processes:
        raise StartRefused(f"seen the process {name!r}, wanted one of {', '.join(processes)}")
    document = process_document(processes[name])
    if as_json:
        print_json(document)
        return
    out = console()
    out.print(Text.assemble((document["process"], "bold"), "  ", document["title"]))
    keys = document["keys"]
    out.print(f"  name      {keys['name']}")
    for role in ("aliases", "carriers", "relations"):
        if keys[role]:
            out.print(f"  {role:<9} {', '.join(keys[role])}")
    for old, new in document["passes"]:
        out.print(f"  passes    {old} → {new}")
    for follow in document["follows"]:
        out.print(f"  follows   {follow['process']} by {follow['by']}")
    for version in document["versions"]:
        since = f" from {version['effective_from']}" if version["effective_from"] else ""
        out.print(f"\nversion {version['version']}{since}, owned by {version['owner'] or 'nobody'}", style="bold")
        if version["applies_when"]:
            out.print(f"  applies when {version['applies_when']}")
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("step", "kind", "system", "waits for", "due", "event types"):
            table.add_column(title, overflow="fold")
        for step in version["steps"]:
            table.add_row(
                Text(spoken(step["step"])),
                step["kind"] + (", optional" if step["optional"] else ""),
                ", ".join(step["systems"]),
                step["waits_for"],
                step["due"] or "–",
                ", ".join(step["types"]),
            )
        out.print(table)
        for ending in version["ended_by"]:
            out.print(f"  ended as {spoken(ending['as'])} by {ending['type']}")
        for check in version["checks"]:
            out.print(f"  check {check['check']}: {check['message']}")
        for expectation in version["expects"]:
            out.print(f"  expects {_expected(expectation)}")


def _expected(expectation: dict[str, Any]) -> str:
    """Say what should recur: ``time submitted every week per assignment after confirmed (time.submitted by psa)``."""
    per = f" per {spoken(expectation['per'])}" if expectation["per"] else ""
    after = f"every {expectation['every']}{per} after {spoken(expectation['after'])}"
    by = f"{', '.join(expectation['types'])} by {', '.join(expectation['systems'])}"
    due = f", within {expectation['within']} of its end" if expectation["within"] else ""
    return f"{spoken(expectation['expect'])} {after}{due} ({by})"


def validate(folder: Path, as_json: bool) -> bool:
    """Print every fault of a definitions folder; return whether there is none.

    KPIs name processes and steps, so they are held against the processes once these have no fault.
    """
    faults = validate_folder(folder) or validate_kpis(folder, load_definitions(folder))
    if as_json:
        print_json([_fault(fault) for fault in faults])
        return not faults
    out = console()
    for fault in faults:
        out.print(str(fault), style="red", soft_wrap=True)
    if faults:
        out.print(f"{len(faults)} fault{'s' if len(faults) != 1 else ''}; nothing of {folder} would be used.")
    else:
        out.print(f"{folder} can be used: {_named(folder)}.")
    return not faults


def _named(folder: Path) -> str:
    """Name the processes of a folder without faults, and those shipped ones that stay beside them."""
    found, shipped = _processes(folder), load_definitions(None).processes
    own = [name for name in found if name not in shipped or _differs(found[name], shipped[name])]
    others = [name for name in found if name not in own]
    yours = f"your {_several(own)}" if own else "it declares no process"
    return f"{yours}, beside the shipped {', '.join(others)}" if others else yours


def _differs(one: Process, other: Process) -> bool:
    return process_document(one) != process_document(other)


def _several(names: list[str]) -> str:
    return f"process {names[0]}" if len(names) == 1 else f"processes {', '.join(names)}"


def _fault(fault: object) -> dict[str, object]:
    return {name: getattr(fault, name) for name in ("file", "line", "column", "path", "seen", "wanted")}


def _processes(folder: Path | None) -> dict[str, Process]:
    settings = load_settings({"definitions": folder}, os.environ)
    return dict(load_definitions(settings.definitions).processes)
