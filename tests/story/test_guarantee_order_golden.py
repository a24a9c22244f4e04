"""G3: the 22 cases of identity hold in full public documents of the shipped processes, in every order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from math import factorial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lineage.engine import Engine, Limits
from lineage.process import Definitions
from lineage.read import Snapshot
from lineage.trace_documents import TraceReader, cases_of_trace
from tests.guarantees.shown import (
    PACK,
    Shown,
    arrive,
    case_documents,
    listed,
    read,
    show,
    snapshot_of,
    stored_rows,
)
from tests.identity_model.golden import GoldenCase, golden_paths, load
from tests.identity_model.worlds import Arrival
from throughline.core.estate import load_estate
from throughline.core.instants import format_instant
from throughline.core.journal import JournalReader
from throughline.core.key import Key

ESTATE = load_estate(Path(__file__).parents[1] / "guarantees")
ALL_ORDERS_UP_TO = 720
SEEDED_ORDERS = 20
NO_JOURNAL = Path(__file__).parent / "none.db"
AS_SHIPPED = [path for path in golden_paths() if path.stem[0].isdigit() and "\ndeclare:" not in path.read_text("utf-8")]


@pytest.mark.parametrize("path", AS_SHIPPED, ids=lambda path: path.stem)
def test_full_documents_say_what_is_written_by_hand(path: Path) -> None:
    case = load(path)
    definitions = pack_of(case)
    engine = fold(steps_of(case), case, definitions)
    snapshot = snapshot_of(engine, definitions, ESTATE, limits_of(case), case.now)
    shown = show(engine, snapshot, ESTATE)
    assert outcome_in_documents(shown, case) == outcome_by_hand(case)
    assert sources_in_status(shown) == {name: case.expected[name] for name in COUNTERS}
    for process, key, words in said_more(case):
        for word, wanted in words.items():
            CHECKS[word](read(shown.cases[process, key]), wanted, case, snapshot)
    engine.close()


@pytest.mark.parametrize("path", AS_SHIPPED, ids=lambda path: path.stem)
def test_full_documents_are_the_same_to_the_byte_in_every_order(path: Path) -> None:
    case = load(path)
    definitions = pack_of(case)
    first: Any = None
    for order in orders_of(case):
        engine = fold(order, case, definitions)
        snapshot = snapshot_of(engine, definitions, ESTATE, limits_of(case), case.now)
        told = case_documents(snapshot), listed(snapshot), stored_rows(engine)
        engine.close()
        first = first or told
        assert told == first


def pack_of(case: GoldenCase) -> Definitions:
    """Return the shipped processes that a case puts in force."""
    return Definitions(
        {process.name: PACK.processes[process.name] for process in case.declaration.processes}, PACK.key_types
    )


def limits_of(case: GoldenCase) -> Limits:
    return Limits(bulk_limit=case.declaration.bulk_limit)


def steps_of(case: GoldenCase) -> list[Arrival]:
    steps = [Arrival([event], []) for event in case.events.values()]
    return steps + [Arrival([], [statement]) for statement in case.statements]


def orders_of(case: GoldenCase) -> Iterator[list[Arrival]]:
    """Yield every order of a few steps, 20 of many, and last all events in one batch before what people said."""
    steps = steps_of(case)
    if factorial(len(steps)) <= ALL_ORDERS_UP_TO:
        yield from map(list, permutations(steps))
    else:
        shuffle = Random(7).sample
        yield from (shuffle(steps, len(steps)) for _ in range(SEEDED_ORDERS))
    yield [Arrival(list(case.events.values()), []), *steps[len(case.events) :]]


def fold(order: list[Arrival], case: GoldenCase, definitions: Definitions) -> Engine:
    return arrive(order, definitions, ESTATE, limits_of(case), [case.now])


COUNTERS = ("placeholders", "ambiguous", "lacking_scope")


def outcome_by_hand(case: GoldenCase) -> dict[str, Any]:
    """Return what the case expects of identity, as far and in the form in which documents tell it."""
    found: dict[str, Any] = {"waiting": {}}
    for process in case.declaration.processes:
        expected = case.expected[process.name]
        for name, each in expected["cases"].items():
            said = {word: each[word] for word in ("provisional", "conflict", "members", "denied", "relations")}
            # A document shows an alias in conflict as what it is; by identity it acts as a carrier.
            found[process.name, name] = said | {"keys": sorted({*each["aliases"], *each["carriers"]})}
        for text, events in expected["waiting"].items():
            homeless = [event for event in events if not has_home(text, event, case)]
            if homeless:
                found["waiting"].setdefault(text, (len(homeless), text in case.expected["orphan_values"]))
    return found


def has_home(text: str, event: tuple[str, str], case: GoldenCase) -> bool:
    """Tell whether a process that knows an event's type holds the value: no record says then that it waits there."""
    (kind,) = {each.type for each in case.events.values() if (each.source, each.id) == event}
    return any(
        kind in PACK.processes[process.name].types
        and any(text in (*each["aliases"], *each["carriers"]) for each in case.expected[process.name]["cases"].values())
        for process in case.declaration.processes
    )


def outcome_in_documents(shown: Shown, case: GoldenCase) -> dict[str, Any]:
    found: dict[str, Any] = {key: identity_in(read(document)) for key, document in shown.cases.items()}
    found["waiting"] = {}
    for document in shown.records.values():
        for record in read(document):
            waits = record["waiting"]
            if waits is not None:
                found["waiting"][text_of(record["key"])] = (waits["events"], waits["orphan"])
    return found


def identity_in(document: dict[str, Any]) -> dict[str, Any]:
    members = document["members"]
    keys = document["keys"]
    return {
        "provisional": document["state"] == "provisional",
        "conflict": "conflicting_keys" in open_kinds(document),
        "members": {(each["source"], each["event_id"]): each["role"] for each in members if not each["denied"]},
        "denied": sorted((each["source"], each["event_id"]) for each in members if each["denied"]),
        "keys": sorted(text_of(key) for key in (*keys["aliases"], *keys["carriers"])),
        "relations": sorted(text_of(key) for key in keys["relations"]),
    }


def text_of(key: dict[str, Any]) -> str:
    return Key(key["type"], key["value"], tuple(key["scope"].values())).encode()


def open_kinds(document: dict[str, Any]) -> set[str]:
    return {each["kind"] for each in document["deviations"] if each["open"]}


def sources_in_status(shown: Shown) -> dict[str, Any]:
    sources = read(shown.status)["sources"]
    return {name: {each["source"]: each[name] for each in sources if each[name]} for name in COUNTERS}


def said_more(case: GoldenCase) -> list[tuple[str, str, dict[str, Any]]]:
    return [(process, key, words) for process, cases in case.derived.items() for key, words in cases.items() if words]


def check_rounds(document: dict[str, Any], wanted: list[list[str]], case: GoldenCase, _: Snapshot) -> None:
    """Compare the steps seen in each round, given by their types, which in the pack are one to a step."""
    step_of = PACK.processes[document["process"]].versions[0]
    names = [{step_of.steps[step].name for kind in kinds for step in step_of.step_of_type[kind]} for kinds in wanted]
    seen = [{step["step"] for step in each["steps"] if step["first"]} for each in document["rounds"]]
    assert seen == names


def check_deviations(document: dict[str, Any], wanted: dict[str, list[str]], case: GoldenCase, _: Snapshot) -> None:
    kinds = open_kinds(document)
    assert kinds.issuperset(wanted.get("has", ()))
    assert kinds.isdisjoint(wanted.get("has_not", ()))


def check_state(document: dict[str, Any], wanted: str, case: GoldenCase, _: Snapshot) -> None:
    assert document["state"] == wanted


def check_shown_by_trace(document: dict[str, Any], wanted: list[str], case: GoldenCase, snapshot: Snapshot) -> None:
    """The events are no members; they show with the trace of the case, which leads to this case alone."""
    (trace_id,) = {each["trace_id"] for each in document["members"]}
    (trace,) = TraceReader(JournalReader(NO_JOURNAL)).documents(snapshot, [trace_id])
    members = {each["event_id"] for each in document["members"]}
    assert members.isdisjoint(wanted)
    assert {each.event_id for each in trace.events} == {*members, *wanted}
    name = Key(document["key_type"], document["name"]).encode()
    assert [each.name for each in cases_of_trace(snapshot, trace_id)] == [name]


def check_set_aside(document: dict[str, Any], wanted: list[str], case: GoldenCase, _: Snapshot) -> None:
    """The contents that do not stand are shown beside the one that does, once each."""
    for event in (case.events[label] for label in wanted):
        (member,) = [
            each for each in document["members"] if (each["source"], each["event_id"]) == (event.source, event.id)
        ]
        assert member["received"] == format_instant(case.events[event.id].received)
        assert [each["received"] for each in member["other_contents"]] == [format_instant(event.received)]


CHECKS = {
    "rounds": check_rounds,
    "deviations": check_deviations,
    "state": check_state,
    "shown_by_trace": check_shown_by_trace,
    "set_aside": check_set_aside,
}
