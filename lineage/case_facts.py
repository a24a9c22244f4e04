"""Facts of a case: the latest value of each field that its events tell; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lineage.amounts import latest_hours, latest_share
from lineage.fact import Member, Via
from lineage.process import Version
from throughline.core.event import FieldValue

_CARRIER: Final = Via.CARRIER


def facts_of(members: list[Member]) -> dict[str, FieldValue]:
    """Return the latest facts of a case: of successful events that name it or its alias, each field's last value.

    Events that came by a carrier fill in only what those leave open. ``members`` are in order.
    """
    carried: dict[str, FieldValue] = {}
    own: dict[str, FieldValue] = {}
    for fact, via, denied in members:
        if not denied and not fact.failed:
            (carried if via is _CARRIER else own).update(fact.fields)
    if not carried:
        return own
    carried.update(own)
    return carried


def seen_by_conditions(
    version: Version, members: list[Member], name: str, facts: Mapping[str, FieldValue]
) -> dict[str, object]:
    """Return what conditions see: the facts, and the case's own ``amount``, ``currency`` and ``hours`` as texts.

    ``system`` holds the facts as each system told them, where a condition may ask for that.
    """
    seen: dict[str, object] = {**facts}
    if version.asks_systems:
        roles = {member.fact.system for member in members} - {None}
        seen["system"] = {role: facts_of([m for m in members if m.fact.system == role]) for role in roles if role}
    own = latest_share(version, reversed(members), name)
    if own is not None:
        seen["amount"], seen["currency"] = own
    hours = latest_hours(reversed(members))
    if hours is not None:
        seen["hours"] = hours
    return seen
