"""Hops: where the work of a process passes from one system to the next; pure.

Those that ``estate.yaml`` declares (``carries`` of a flow) come first. Of a process's other steps a hop is learnt: two
required steps, one directly after the other, of different systems, the second of which waits for a system and not for a
person or a customer.
"""

from __future__ import annotations

from typing import NamedTuple

from lineage.process import Version, WaitsFor
from throughline.core.estate import Estate


class Hop(NamedTuple):
    """A wait that belongs to a flow. ``target``: microseconds; None: until the step is due. ``learnt``: undeclared."""

    flow: str
    from_step: str
    to_step: str
    target: int | None = None
    learnt: bool = False


def hops_of(process: str, version: Version, estate: Estate) -> tuple[Hop, ...]:
    """Return the hops of one version of a process, those declared first."""
    declared = tuple(
        Hop(name, carry.from_, carry.to, carry.target)
        for name, flow in estate.flows.items()
        for carry in flow.carries
        if carry.process == process
    )
    known = {(hop.from_step, hop.to_step) for hop in declared}
    return declared + tuple(hop for hop in _learnt(version) if (hop.from_step, hop.to_step) not in known)


class Hops:
    """The hops of an estate by process and version, of which there are few: each is worked out once."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._known: dict[tuple[str, str], tuple[Hop, ...]] = {}

    def of(self, process: str, version: Version) -> tuple[Hop, ...]:
        """Return the hops of one version of a process."""
        found = self._known.get((process, version.number))
        if found is None:
            found = self._known[process, version.number] = hops_of(process, version, self._estate)
        return found


def _learnt(version: Version) -> list[Hop]:
    found: list[Hop] = []
    for before, after in zip(version.required, version.required[1:], strict=False):
        first, second = version.steps[before], version.steps[after]
        if first.systems != second.systems and second.waits_for is WaitsFor.SYSTEM:
            flow = f"{'+'.join(first.systems)} → {'+'.join(second.systems)}"
            found.append(Hop(flow, first.name, second.name, learnt=True))
    return found
