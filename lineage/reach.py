"""Where one event would go by the definitions alone: its keys by role, and the processes and steps that know it.

Nothing is read from a store: whether a case holds the key of an event is not known here.
"""

from __future__ import annotations

from difflib import get_close_matches

import msgspec

from lineage.links import KeyReader, draw
from lineage.process import Definitions, Process
from throughline.core.event import Event
from throughline.core.key import Key


class ProcessReach(msgspec.Struct, frozen=True):
    """One process that knows an event's type. ``by``: the role of the keys that bring the event to cases, null: none.

    ``keys`` are the event's keys that the process knows, by role, each as type and value; ``wanted`` are the types of
    keys that would bring it to a case, where it has none of them.
    """

    process: str
    steps: list[str]
    by: str | None
    keys: dict[str, list[tuple[str, str]]]
    wanted: list[str]


class Reach(msgspec.Struct, frozen=True):
    """Where an event goes. ``nearest``: event types like its own that some process knows, where none knows this one."""

    processes: list[ProcessReach]
    nearest: list[str]
    placeholders: int
    lacking_scope: int


def reach(event: Event, definitions: Definitions) -> Reach:
    """Return where an event would go."""
    known = definitions.processes_of_type
    keys = KeyReader(definitions.key_types.values()).read(event)
    found: list[ProcessReach] = []
    for process in known.get(event.type, ()):
        drawing = draw(process, keys, event.failed)
        by_role = _by_role(process, {kind: side.values for kind, side in keys.sides.items()})
        found.append(
            ProcessReach(
                process=process.name,
                steps=[step.name for step in process.versions[-1].steps if event.type in step.types],
                by=None if drawing is None else drawing.stand.value,
                keys=by_role,
                wanted=[] if drawing is not None else [process.name_key, *process.aliases, *process.carriers],
            )
        )
    nearest = [] if found else get_close_matches(event.type, sorted(known), n=3)
    return Reach(found, nearest, keys.placeholders, keys.lacking_scope)


def _by_role(process: Process, values: dict[str, tuple[str, ...]]) -> dict[str, list[tuple[str, str]]]:
    by_role: dict[str, list[tuple[str, str]]] = {}
    for role, kinds in (
        ("name", (process.name_key,)),
        ("alias", process.aliases),
        ("carrier", process.carriers),
        ("relation", process.relations),
    ):
        found = [(kind, Key.decode(text).value) for kind in kinds for text in values.get(kind, ())]
        if found:
            by_role[role] = found
    return by_role
