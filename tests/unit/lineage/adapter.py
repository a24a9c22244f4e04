"""Asks the real engine what the model is asked: the same world, arriving in some order, in some batches."""

from __future__ import annotations

from typing import Any, NamedTuple

from lineage.engine import Engine, Limits
from lineage.process import Definitions, NewRound, Process, Step, StepKind, Version
from lineage.saving import CASES, DEVIATIONS, EMPTY, SYNTHETIC
from lineage.store import WAITING
from tests.identity_model.declaration import Declaration, ProcessDeclaration
from tests.identity_model.worlds import Arrival
from tests.unit.lineage.outcome import outcome
from throughline.core.estate import load_estate

ESTATE = load_estate(None)


class Observed(NamedTuple):
    """What the engine holds: the ``outcome`` in the model's shape, and the rows it derived, batch by batch and anew.

    ``counted``: how many cases it says there are by state, and deviations by kind; ``found``: how many rows there are.
    """

    outcome: dict[str, Any]
    rows: dict[str, list[tuple[Any, ...]]]
    rows_anew: dict[str, list[tuple[Any, ...]]]
    counted: dict[str, dict[str, int]]
    found: dict[str, dict[str, int]]


def observe(
    arrivals: list[Arrival], declaration: Declaration, now: int, fan_out_limit: int = 1_000, ticking: bool = False
) -> Observed:
    """Fold a world as it arrives, and return what is then held; ``ticking``: time passes between its steps, too."""
    definitions = definitions_of(declaration)
    limits = Limits(declaration.orphan_time, declaration.bulk_limit, fan_out_limit)
    engine = Engine.open(":memory:", definitions, ESTATE, limits)
    try:
        for step in arrivals:
            if step.restart:
                engine = Engine(engine.store.connection, definitions, ESTATE, limits)
            if step.events:
                engine.fold(step.events, now)
            engine.state(step.statements, now)
            if ticking:
                tick(engine, now)
        settle(engine, now)
        held = outcome(engine, now, declaration.orphan_time)
        rows = derived_rows(engine)
        engine.derive_all()
        settle(engine, now)
        tick(engine, now)
        return Observed(held, rows, derived_rows(engine), counted(engine), found(engine))
    finally:
        engine.close()


def settle(engine: Engine, now: int) -> None:
    """Do what was put off."""
    while engine.settle(now):
        pass


def tick(engine: Engine, now: int) -> None:
    """Do what time alone has made due."""
    while engine.tick(now):
        pass


def counted(engine: Engine) -> dict[str, dict[str, int]]:
    """Return the counts that are kept beside the rows."""
    counters = engine.store.counters()
    cases = {state: count for state, count in counters.get(CASES, {}).items() if state != EMPTY}
    return {CASES: cases, DEVIATIONS: counters.get(DEVIATIONS, {}), WAITING: counters.get(WAITING, {})}


def found(engine: Engine) -> dict[str, dict[str, int]]:
    """Return the same by looking at every row."""
    states = engine.store.rows(
        "SELECT CASE synthetic WHEN 1 THEN ? ELSE state END AS label, count(*) FROM cases WHERE state <> ?"
        " GROUP BY label",
        SYNTHETIC,
        EMPTY,
    )
    kinds = engine.store.rows(
        "SELECT kind, count(*) FROM deviation JOIN cases ON id = case_id WHERE synthetic = 0 GROUP BY kind"
    )
    waiting = engine.store.waiting_among(row[0] for row in engine.store.rows("SELECT value FROM waiting"))
    return {
        CASES: dict(states),
        DEVIATIONS: dict(kinds),
        WAITING: {label: count for label, count in waiting.items() if count},
    }


def derived_rows(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the engine derived, by names and texts in place of ids, so that it does not depend on the order."""
    store = engine.store
    processes = {number: name for name, number in store.processes().items()}
    texts = dict(store.rows("SELECT id, text FROM value"))
    cases = {row[0]: (processes[row[1]], row[2]) for row in store.rows("SELECT id, process, name FROM cases")}
    return {
        "cases": sorted(
            (*cases[row[0]], *map(str, row[1:]))
            for row in store.rows(
                "SELECT id, state, step, waits_for, due, began, last, held, amount, currency, hours, synthetic, wake_at"
                " FROM cases WHERE state <> 'empty'"
            )
        ),
        "deviation": sorted(
            (*cases[row[0]], *row[1:]) for row in store.rows("SELECT case_id, kind, step, round, since FROM deviation")
        ),
        "sight": sorted((*cases[row[0]], *row[1:]) for row in store.rows("SELECT case_id, source, at FROM sight")),
        "waiting": sorted(
            (processes[row[0]], texts[row[1]], row[2], row[3])
            for row in store.rows("SELECT process, value, since, orphan FROM waiting")
        ),
        "bulk": sorted(
            (processes[row[0]], texts[row[1]])
            for row in store.rows(
                "SELECT DISTINCT bulk.process, bulk.value FROM bulk JOIN posted USING (process, value)"
            )
        ),
        "stale": store.rows("SELECT case_id FROM stale"),
    }


def definitions_of(declaration: Declaration) -> Definitions:
    """Return what lineage works with: each process in one version, with one step for each type that isn't a link."""
    return Definitions(
        processes={process.name: _process(process) for process in declaration.processes},
        key_types={name: declaration.key_type(name) for name in declaration.keys},
    )


def _process(declared: ProcessDeclaration) -> Process:
    steps = tuple(
        Step(name=kind, kind=StepKind.STANDARD, types=frozenset({kind}), systems=())
        for kind in sorted(declared.types - declared.links)
    )
    return Process(
        name=declared.name,
        title=declared.name,
        name_key=declared.name_key,
        aliases=declared.aliases,
        carriers=declared.carriers,
        relations=declared.relations,
        versions=(Version("1", None, steps, new_round=NewRound()),),
        passes=declared.passes,
        links=declared.links,
        unique=declared.unique,
    )
