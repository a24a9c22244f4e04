"""Of what the firm's own syncs consist: how long work lay, was worked on, and was under way, by what systems did.

Like the truth, this reads happenings, their causes and lives, and nothing that any system reported. A system works on
each happening for a moment, and hands over what it sends at the end of that; all else of a passing is waiting until
something is handed over or worked on, and transport after that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from throughline.core.instants import MICROSECONDS
from throughline.demo.chronicle import Happening
from throughline.demo.plan import Plan
from throughline.demo.systems.telemetry import SENDING_TAKES, WORK_TAKES
from throughline.demo.waits import DONE, Wait


class Stretch(NamedTuple):
    """From when to when a system did something, whether it worked, and since when what it took was under way."""

    start: int
    end: int
    works: bool
    under_way: int


Stretches = Mapping[str, list[Stretch]]
"""By the first happening of a chain, what systems did for it."""


class Parts(NamedTuple):
    """How long the parts of one passing took, in microseconds."""

    waiting: int
    transport: int
    processing: int


def latency_parts(told: Plan, passings: Iterable[tuple[str, Wait]]) -> dict[str, Decimal | int | None]:
    """Return of what passings consist that are done, each told with what ends it, by the paths of a reading."""
    ends = {(each.type, each.time): each for each in told.happenings if each.error is None}
    chains = _chains(told.happenings)
    stretches = _stretches(told.happenings, chains)
    found: list[Parts] = []
    for kind, wait in passings:
        if wait.ending == DONE:
            parts = _parts(wait, stretches[chains[ends[kind, wait.until].id]])
            found += [] if parts is None else [parts]
    told_of: dict[str, Decimal | int | None] = {"answer.parts.split": len(found)}
    for name, lengths in zip(Parts._fields, zip(*found, strict=True), strict=True):
        told_of[f"answer.parts.{name}.mean"] = Decimal(sum(lengths)) / len(found) / MICROSECONDS
    return told_of


def _chains(happenings: Iterable[Happening]) -> dict[str, str]:
    """Return, by happening, the one with which its chain began: each follows the first of its causes."""
    causes = {each.id: each.causes for each in happenings}

    def first(name: str) -> str:
        while causes[name]:
            name = causes[name][0]
        return name

    return {name: first(name) for name in causes}


def _stretches(happenings: Iterable[Happening], chains: Mapping[str, str]) -> Stretches:
    every = list(happenings)
    queued = {cause for each in every if each.flow is not None for cause in each.causes}
    sent = {each.id: each.time - SENDING_TAKES for each in every if each.id in queued}
    found: defaultdict[str, list[Stretch]] = defaultdict(list)
    for each in every:
        begins = each.time - WORK_TAKES
        under_way = min(begins, sent.get(each.causes[0], begins)) if each.causes else begins
        found[chains[each.id]].append(Stretch(begins, each.time, True, under_way))
        if each.id in sent:
            found[chains[each.id]].append(Stretch(sent[each.id], each.time, False, sent[each.id]))
    return found


def _parts(wait: Wait, stretches: Iterable[Stretch]) -> Parts | None:
    """Split a passing at every instant at which anything began or ended; each piece between is of one kind."""
    seen = [each for each in stretches if each.start < wait.until and each.end > wait.began]
    if not seen:
        return None
    first = min(each.under_way for each in seen)
    cuts = sorted({wait.began, wait.until, first, *(at for each in seen for at in (each.start, each.end))})
    lengths = dict.fromkeys(Parts._fields, 0)
    for start, end in pairwise(cuts):
        if start >= wait.began and end <= wait.until:
            works = any(each.works and each.start <= start and each.end >= end for each in seen)
            lengths["processing" if works else "waiting" if end <= first else "transport"] += end - start
    return Parts(**lengths)
