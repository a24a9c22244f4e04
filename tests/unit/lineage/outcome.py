"""What the real engine holds of identity, in the plain shape of tests/identity_model."""

from __future__ import annotations

from typing import Any

from lineage.engine import Engine
from lineage.resolve import Joined
from lineage.store import CaseRow
from throughline.core.instants import HOUR

EMPTY = "empty"


def outcome(engine: Engine, now: int, orphan_time: int = 72 * HOUR) -> dict[str, Any]:
    """Return which events belong to which case, as the engine's store and resolver tell it."""
    store, resolver = engine.store, engine.resolver
    resolver.forget()
    ids = store.processes()
    found: dict[str, Any] = {}
    for name, process in ids.items():
        cases: dict[str, Any] = {}
        for case_id, text, state in store.rows("SELECT id, name, state FROM cases WHERE process = ?", process):
            if state == EMPTY:
                continue
            row = store.cases_by_id([case_id])[case_id]
            joined = _joined(engine, row, state)
            cases[text] = _case(engine, joined, state)
        found[name] = {"cases": cases, "waiting": _waiting(engine, process)}
    counters = store.counters()
    for counter in ("placeholders", "ambiguous", "lacking_scope"):
        found[counter] = counters.get(counter, {})
    engine.tick(now)
    found["orphan_values"] = _orphans(engine, now, orphan_time)
    return found


def _joined(engine: Engine, row: CaseRow, state: str) -> Joined:
    if state != "provisional":
        return engine.resolver.join(row)
    alias = engine.store.value_ids([row.name])[row.name]
    return engine.resolver.join_provisional(row.process, engine.resolver.unowned(row.process, alias))


def _case(engine: Engine, joined: Joined, state: str) -> dict[str, Any]:
    members = {(m.fact.source, m.fact.id): m for m in joined.members}
    return {
        "provisional": state == "provisional",
        "conflict": joined.in_conflict,
        "members": {event: str(member.via) for event, member in members.items() if not member.denied},
        "denied": sorted(event for event, member in members.items() if member.denied),
        "aliases": _texts(engine, joined.aliases),
        "carriers": _texts(engine, joined.carriers | joined.conflicting),
        "relations": _texts(engine, joined.relations),
    }


def _texts(engine: Engine, ids: set[int]) -> list[str]:
    return sorted(engine.store.value_texts(ids).values())


def _waiting(engine: Engine, process: int) -> dict[str, list[tuple[str, str]]]:
    rows = [row[0] for row in engine.store.rows("SELECT value FROM waiting WHERE process = ?", process)]
    texts = engine.store.value_texts(rows)
    posted = engine.store.posted(process, rows)
    return {texts[value]: sorted((fact.source, fact.id) for fact in posted[value]) for value in rows}


def _orphans(engine: Engine, now: int, orphan_time: int) -> list[str]:
    store = engine.store
    values = {row[0] for row in store.rows("SELECT value FROM waiting WHERE orphan = 1")}
    found = set(store.value_texts(values).values())
    found |= {
        row[0]
        for row in store.rows("SELECT name FROM cases JOIN deviation ON case_id = cases.id WHERE kind = 'orphan'")
    }
    return sorted(found)
