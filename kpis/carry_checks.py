"""What is wrong with ``carries`` of flows in ``estate.yaml``: it names steps of processes, unknown to the estate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lineage.process import Definitions
from throughline.core.errors import Fault
from throughline.core.estate import ESTATE_FILE
from throughline.core.estate_file import Carry, EstateFile
from throughline.core.faults import Location, show
from throughline.core.forms import Examined, examine, nearest
from throughline.core.yaml_file import read_yaml


def carry_faults(folder: Path, definitions: Definitions) -> Iterator[Fault]:
    """Yield the processes and steps that flows of a definitions folder carry and that there are none of.

    What else is wrong with the file is for those to say who load it.
    """
    path = folder / ESTATE_FILE
    document = read_yaml(path)[0] if path.exists() else None
    if document is None or document.content is None:
        return
    examined = examine(document, EstateFile)
    for name, flow in examined.form.flows.items() if examined.form else ():
        for n, carry in enumerate(flow.carries):
            yield from _faults(examined, ("flows", name, "carries", n), carry, definitions)


def _faults(examined: Examined[EstateFile], here: Location, carry: Carry, definitions: Definitions) -> Iterator[Fault]:
    process = definitions.processes.get(carry.process)
    if process is None:
        wanted = f"a process: {nearest(carry.process, definitions.processes)}"
        yield examined.fault((*here, "process"), show(carry.process), wanted)
        return
    steps = {step.name for version in process.versions for step in version.steps}
    for entry, step in (("from", carry.from_), ("to", carry.to)):
        if step not in steps:
            yield examined.fault((*here, entry), show(step), f"a step of {carry.process}: {nearest(step, steps)}")
    if carry.from_ == carry.to:
        yield examined.fault((*here, "to"), show(carry.to), "another step than that with which a record is ready")
