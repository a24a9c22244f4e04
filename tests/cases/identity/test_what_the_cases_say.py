"""What the golden cases say of steps, states and deviations, in the shipped definitions of their processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lineage.definitions import load_definitions
from lineage.engine import Engine, Limits
from lineage.fact import CaseState, Derived
from lineage.process import Definitions, Process
from lineage.read import Snapshot
from tests.identity_model.declaration import ProcessDeclaration
from tests.identity_model.four_processes import FOUR_PROCESSES
from tests.identity_model.golden import GoldenCase, golden_paths, load
from tests.unit.lineage.adapter import ESTATE, settle, tick
from tests.unit.lineage.reading import read

SHIPPED = load_definitions(None)


@pytest.mark.parametrize("declared", FOUR_PROCESSES.processes, ids=lambda declared: declared.name)
def test_the_model_is_told_of_a_shipped_process_what_its_definition_says(declared: ProcessDeclaration) -> None:
    shipped = SHIPPED.processes[declared.name]
    assert (shipped.name_key, shipped.aliases, shipped.carriers, shipped.relations) == (
        declared.name_key,
        declared.aliases,
        declared.carriers,
        declared.relations,
    )
    assert (shipped.passes, shipped.links, shipped.types) == (declared.passes, declared.links, declared.types)
    assert {name: tuple(scope) for name, scope in shipped.unique.items()} == declared.unique
    for key in declared.keys:
        assert SHIPPED.key_types[key].scope == FOUR_PROCESSES.key_type(key).scope


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_the_steps_states_and_deviations_are_those_that_the_case_says(path: Path, tmp_path: Path) -> None:
    golden = load(path)
    with folded(golden, tmp_path) as snapshot:
        for name, cases in golden.derived.items():
            for case, said in cases.items():
                derived = derive(snapshot, name, case)
                if "rounds" in said:
                    assert steps_seen(derived, SHIPPED.processes[name]) == said["rounds"]
                if "state" in said:
                    assert derived.state is CaseState(said["state"])
                kinds = {str(deviation.kind) for deviation in derived.deviations}
                assert set(said.get("deviations", {}).get("has", [])) <= kinds
                assert not set(said.get("deviations", {}).get("has_not", [])) & kinds


@contextmanager
def folded(golden: GoldenCase, folder: Path) -> Iterator[Snapshot]:
    """Fold a golden case in the shipped processes that it names, with the keys that it changes, and read it."""
    processes = {
        declared.name: replace(
            SHIPPED.processes[declared.name],
            aliases=declared.aliases,
            carriers=declared.carriers,
            relations=declared.relations,
            passes=declared.passes,
        )
        for declared in golden.declaration.processes
    }
    keys = {name: golden.declaration.key_type(name) for name in golden.declaration.keys}
    definitions = Definitions(processes, keys)
    limits = Limits(golden.declaration.orphan_time, golden.declaration.bulk_limit)
    path = folder / "store.db"
    engine = Engine.open(path, definitions, ESTATE, limits)
    engine.fold(list(golden.events.values()), golden.now)
    engine.state(golden.statements, golden.now)
    settle(engine, golden.now)
    tick(engine, golden.now)
    reader = read(path, definitions, limits, golden.now)
    try:
        with reader.snapshot() as snapshot:
            yield snapshot
    finally:
        reader.close()
        engine.close()


def derive(snapshot: Snapshot, process: str, case: str) -> Derived:
    """Return the whole derived state of a case by its interned name."""
    number = snapshot.process_ids[process]
    return snapshot.view(snapshot.store.cases_by_name(number, [case])[case]).derived


def steps_seen(derived: Derived, process: Process) -> list[list[str]]:
    """Return the steps that succeeded, by round, each as the type that reports it."""
    types = {step.name: next(iter(step.types)) for version in process.versions for step in version.steps}
    return [[types[step.step] for step in each.steps if step.first is not None] for each in derived.rounds]
