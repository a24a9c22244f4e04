"""Derived state of one case: a pure function of facts, definitions, estate, watermarks and now.

The rules are those of docs/reference/derived-state.md. ``derive`` gives everything, for the case document;
``summary`` gives the same without rounds and what recurs, for the fold, where the look of each is not worth building.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import structs

from lineage.acceptance import NONE_SAID, accept
from lineage.deviations import Conflict, orphan
from lineage.due import Context
from lineage.expectations import Bearing
from lineage.exposure import exposure, exposure_of
from lineage.fact import CaseState, Derived, Deviation, Member, RoundState, StepStatus, Via
from lineage.process import Process, Version
from lineage.rounds import in_order
from lineage.standing import Standing, stand, waits
from lineage.steps import round_states
from throughline.core.key import Key
from throughline.core.statement import Statement

__all__ = ["Conflict", "Context", "derive", "summary"]

_NO_ALIASES: Mapping[int, Key] = {}
_NONE_HOUSED: frozenset[int] = frozenset()
_NONE_BORNE: Bearing = {}
_UNCONFIRMED: Final = StepStatus.UNCONFIRMED


def derive(
    process: Process,
    members: Iterable[Member],
    conflict: Conflict | None,
    context: Context,
    *,
    name: str,
    aliases: Mapping[int, Key] = _NO_ALIASES,
    provisional: bool = False,
    housed: frozenset[int] = _NONE_HOUSED,
    bearing: Bearing = _NONE_BORNE,
    said: Sequence[Statement] = NONE_SAID,
) -> Derived:
    """Return the derived state of the case called ``name`` (an interned key, of an alias where it is provisional).

    ``members`` are a set: any order, repeated or not. ``aliases`` gives the key of each alias value, by interned id,
    that stands for this case after statements; it is asked only where the events carry several. ``housed`` are the seqs
    of events of a provisional case that have a case in another process, and so are no orphans. ``bearing`` gives the
    keys by which expectations count, of each event. ``said`` are the statements about exceptions of the case.
    """
    version, ordered = in_order(process, members)
    if provisional:
        return _provisional(process, version, ordered, context, name, housed, said)
    standing = stand(process, version, ordered, conflict, context, name, aliases, bearing)
    if said:
        standing = _settled(standing, said, process, conflict, context, name, aliases, bearing)
    whole = _derived(standing, round_states(standing, context), context, name)
    return structs.replace(whole, expected=standing.awaited.expected) if standing.awaited.expected else whole


def summary(
    process: Process,
    members: Iterable[Member],
    conflict: Conflict | None,
    context: Context,
    *,
    name: str,
    aliases: Mapping[int, Key] = _NO_ALIASES,
    provisional: bool = False,
    housed: frozenset[int] = _NONE_HOUSED,
    bearing: Bearing = _NONE_BORNE,
    said: Sequence[Statement] = NONE_SAID,
) -> Derived:
    """Return what ``derive`` returns, with ``rounds`` and ``expected`` left empty: what the fold stores of a case."""
    version, ordered = in_order(process, members)
    if provisional:
        return _provisional(process, version, ordered, context, name, housed, said)
    standing = stand(process, version, ordered, conflict, context, name, aliases, bearing)
    if said:
        standing = _settled(standing, said, process, conflict, context, name, aliases, bearing)
    return _derived(standing, (), context, name)


def _settled(
    standing: Standing,
    said: Sequence[Statement],
    process: Process,
    conflict: Conflict | None,
    context: Context,
    name: str,
    aliases: Mapping[int, Key],
    bearing: Bearing,
) -> Standing:
    """Close the deviations that people accepted, unless what came later speaks against it."""

    def known(at: int) -> tuple[Deviation, ...]:
        members = [member for member in standing.course.members if member.fact.received <= at]
        if not members:
            return ()
        version, ordered = in_order(process, members)
        return stand(process, version, ordered, conflict, context, name, aliases, bearing).deviations

    return structs.replace(standing, deviations=accept(standing.deviations, said, known))


def _derived(standing: Standing, rounds: tuple[RoundState, ...], context: Context, name: str) -> Derived:
    course = standing.course
    began, last, synthetic = _span(course.members)
    return Derived(
        state=standing.state,
        version=course.version.number,
        rounds=rounds,
        deviations=standing.deviations,
        exposure=None if synthetic else exposure(standing, name),
        waits=waits(standing),
        ended_as=standing.ended_as,
        began=began,
        last=last,
        synthetic=synthetic,
        wake_at=_wake_at(standing, context.now),
        sight=_sight(standing, context),
    )


def _span(members: list[Member]) -> tuple[int | None, int | None, bool]:
    """Return when the first and last events happened that are not denied, and whether the case is synthetic."""
    first = last = None
    synthetic = False
    for fact, via, denied in members:
        if not denied:
            first = fact.time if first is None else first
            last = fact.time
            synthetic = synthetic or (fact.synthetic and not fact.shared and via is not Via.CARRIER)
    return first, last, synthetic


def _wake_at(standing: Standing, now: int) -> int | None:
    wakes = [each.due for each in standing.pendings if each.due is not None and each.due > now]
    recurs_at = standing.awaited.wake_at
    if recurs_at is not None:
        wakes.append(recurs_at)
    return min(wakes, default=None)


def _sight(standing: Standing, context: Context) -> tuple[tuple[str, int], ...]:
    """Return whose watermarks, from which instant on, would confirm the steps that are past due unconfirmed."""
    found: set[tuple[str, int]] = set()
    for each in (*standing.awaited.expected, *standing.awaited.unseen):
        if each.status is _UNCONFIRMED:
            seen = context.sight.watermark(each.systems, standing.place.legal_entity)
            found |= {(seen.source, each.due)} if seen.declared and seen.source is not None else set()
    steps = standing.pendings
    if standing.missed:
        steps = [*steps, *(each.step for each in standing.missed)]
    for _, due, _, status, watermark in steps:
        source = None if watermark is None or not watermark.declared else watermark.source
        if status is _UNCONFIRMED and due is not None and source is not None:
            found.add((source, due))
    return tuple(sorted(found))


def _provisional(
    process: Process,
    version: Version,
    members: list[Member],
    context: Context,
    name: str,
    housed: frozenset[int],
    said: Sequence[Statement],
) -> Derived:
    """Return the state of events under an alias without a name: no steps, no deadlines, an orphan once they are old."""
    began, last, synthetic = _span(members)
    homeless = [
        member
        for member in members
        if member.via is Via.ALIAS and member.fact.seq not in housed and member.fact.type not in process.only_expected
    ]
    deviation, wake_at = orphan(homeless, context)

    def known(at: int) -> tuple[Deviation, ...]:
        found, _ = orphan([member for member in homeless if member.fact.received <= at], context)
        return () if found is None else (found,)

    deviations = accept(() if deviation is None else (deviation,), said, known)
    held = any(each.open for each in deviations) and not synthetic
    return Derived(
        state=CaseState.PROVISIONAL,
        version=version.number,
        rounds=(),
        deviations=deviations,
        exposure=exposure_of(version, homeless, name) if held else None,
        waits=None,
        ended_as=None,
        began=began,
        last=last,
        synthetic=synthetic,
        wake_at=wake_at,
    )
