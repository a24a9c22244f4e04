"""Plans: what events of one shape draw, worked out once and filled in for each of them.

Most events look like thousands before them: of one type and outcome, with one plain value of each of the same key
types. What they draw differs in the values only. A plan is what ``draw`` (lineage/links.py) makes of such an event
whose values are place marks, so that the rules stand there alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from lineage.links import Drawing, EdgeKind, KeyReader, Keys, Owned, Side, Stand, draw
from lineage.process import Definitions, Process
from throughline.core.event import Event

Pick = Callable[[tuple[str, ...]], tuple[str, ...]]
"""Takes the values at certain places."""


class Shape(NamedTuple):
    """What decides the plan of an event: type, outcome, and the types of its keys, each with one value."""

    type: str
    failed: bool
    kinds: tuple[str, ...]


_TIE: Final = EdgeKind.TIE
NOTHING_TO_COUNT = Keys({}, (), 0, 0)
_MOST_PLANS = 10_000


class Wiring:
    """Draws the links of events in all processes of some definitions."""

    def __init__(self, definitions: Definitions) -> None:
        self._reader = KeyReader(definitions.key_types.values())
        self._processes_of_type = definitions.processes_of_type
        self._plans: dict[tuple[str, bool, tuple[str, ...]], Plan] = {}  # by shape

    def draw(self, event: Event) -> tuple[Keys, list[Drawing]]:
        """Return what was stated and counted while an event was read, and what it does in each process of its type."""
        plain = self._reader.read_plain(event)
        if plain is not None:
            kinds, values = plain
            plan = self._plans.get((event.type, event.failed, kinds))
            if plan is None:
                plan = self._plan(Shape(event.type, event.failed, kinds))
            return NOTHING_TO_COUNT, plan.fill(values)
        keys = self._reader.read(event)
        processes = self._processes_of_type.get(event.type, ())
        drawings = [draw(process, keys, event.failed) for process in processes]
        return keys, [drawing for drawing in drawings if drawing is not None]

    def _plan(self, shape: Shape) -> Plan:
        if len(self._plans) >= _MOST_PLANS:  # a sender that never sends the same twice
            self._plans.clear()
        plan = self._plans[shape] = Plan(self._processes_of_type.get(shape.type, ()), shape)
        return plan


class _Part(NamedTuple):
    """What one process does with events of a shape."""

    process: Process
    stand: Stand
    at: Pick
    owned: tuple[tuple[int, Pick, Pick, Pick], ...]
    edges: tuple[tuple[EdgeKind, int, int], ...]


class Plan:
    """What events of one shape draw, by process."""

    def __init__(self, processes: Sequence[Process], shape: Shape) -> None:
        marks = {kind: Side((str(place),), 1) for place, kind in enumerate(shape.kinds)}
        keys = Keys(marks, (), 0, 0)
        drawings = [draw(process, keys, shape.failed) for process in processes]
        self._parts = [_part(drawing) for drawing in drawings if drawing is not None]

    def fill(self, values: tuple[str, ...]) -> list[Drawing]:
        """Return the drawings of an event with these values, in the order of the shape's kinds."""
        drawings: list[Drawing] = []
        for process, stand, at, owned, edges in self._parts:
            mine = [
                Owned(values[owner], aliases(values), carriers(values), relations(values))
                for owner, aliases, carriers, relations in owned
            ]
            lines = tuple([_edge(kind, values[a], values[b]) for kind, a, b in edges]) if edges else ()
            drawings.append(Drawing(process, stand, at(values), tuple(mine), lines, False))
        return drawings


def _part(drawing: Drawing) -> _Part:
    return _Part(
        drawing.process,
        drawing.stand,
        _pick(drawing.at),
        tuple(
            (int(each.owner), _pick(each.aliases), _pick(each.carriers), _pick(each.relations))
            for each in drawing.owned
        ),
        tuple((kind, int(a), int(b)) for kind, a, b in drawing.edges),
    )


def _pick(marks: tuple[str, ...]) -> Pick:
    places = tuple(map(int, marks))
    if len(places) > 1:
        return itemgetter(*places)
    return itemgetter(slice(places[0], places[0] + 1) if places else slice(0))


def _edge(kind: EdgeKind, a: str, b: str) -> tuple[EdgeKind, str, str]:
    """Return an edge; of two aliases the lesser first, as ``draw`` has it."""
    return (kind, b, a) if kind is _TIE and b < a else (kind, a, b)
