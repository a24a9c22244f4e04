"""G3: case 12 of identity with a batch of thousands, in seeded orders; and the bulk limit, which is a setting."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from itertools import pairwise, permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lineage.document import encode_document
from lineage.engine import Engine, Limits
from lineage.generations import STORE_FILE
from lineage.read import Snapshot
from lineage.run import Subject, open_engine
from tests.guarantees.firm import ESTATE, happened
from tests.guarantees.shown import DEFAULTS, PACK, Shown, arrive, read, show, show_after, snapshot_of, stored_rows
from tests.identity_model.worlds import Arrival
from tests.unit.lineage.adapter import settle, tick
from throughline.core.clock import RealClock
from throughline.core.event import Event
from throughline.core.instants import HOUR, parse_instant
from throughline.core.key import Key

ENTRIES = 4_000
ORDERS = 20
MOST_CUTS = 12
BEGAN = parse_instant("2026-03-02T08:00:00Z")
NOW = BEGAN + 9 * HOUR
NAMES = [f"T{number}" for number in range(1, ENTRIES + 1)]
RELEASED = happened("released", "billing.released", BEGAN + HOUR, time_entry="T1", billing_event="B1")
ISSUED = happened(
    "issued", "invoice.issued", BEGAN + 2 * HOUR, billing_event="B1", invoice="I1", batch="R", legal_entity="DE01"
)
SHOWN = ("T1", "T2", "T77", f"T{ENTRIES}")


def seeded(events: list[Event], seed: int) -> list[Arrival]:
    """Return all events in a seeded order, in a few batches of any size."""
    chance = Random(seed)
    order = chance.sample(events, len(events))
    cuts = sorted(chance.sample(range(1, len(order)), chance.randint(1, MOST_CUTS)))
    return [Arrival(order[start:end], []) for start, end in pairwise([0, *cuts, len(order)])]


def one_by_one() -> Iterator[list[Arrival]]:
    approved = [happened(f"approved {name}", "time.approved", BEGAN, time_entry=name, batch="R") for name in NAMES]
    yield from (seeded([*approved, RELEASED, ISSUED], seed) for seed in range(ORDERS))


def by_one_event() -> Iterator[list[Arrival]]:
    approved = happened("approved all", "time.approved", BEGAN, time_entry=NAMES, batch="R")
    yield from ([Arrival([each], []) for each in order] for order in permutations([approved, RELEASED, ISSUED]))


@pytest.mark.parametrize("orders", [one_by_one, by_one_event])
def test_an_invoice_reaches_the_one_entry_of_4000_that_it_bills_in_every_order(
    orders: Callable[[], Iterator[list[Arrival]]],
) -> None:
    told: set[str] = set()
    for arrivals in orders():
        with closing(arrive(arrivals, PACK, ESTATE, DEFAULTS, [NOW])) as engine:
            if not told:
                says_what_case_12_says(engine)
            told.add(fingerprint(engine))
    assert len(told) == 1


def says_what_case_12_says(engine: Engine) -> None:
    snapshot = snapshot_of(engine, PACK, ESTATE, DEFAULTS, NOW)
    documents = documents_of(snapshot, "time-to-bill", NAMES)
    done = [row[:2] for row in stored_rows(engine)["cases"] if row[2] == "done"]
    assert done == [("time-to-bill", Key("time_entry", "T1").encode())]
    assert types(documents.pop("T1")) == ["time.approved", "billing.released", "invoice.issued"]
    assert len(documents) == ENTRIES - 1
    assert {tuple(types(document)) for document in documents.values()} == {("time.approved",)}


def types(document: dict[str, Any]) -> list[str]:
    return [each["type"] for each in document["members"]]


def documents_of(snapshot: Snapshot, process: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    kind = PACK.processes[process].name_key
    rows = snapshot.store.cases_by_name(snapshot.process_ids[process], [Key(kind, name).encode() for name in names])
    found = (snapshot.document(snapshot.view(row)) for row in rows.values())
    return {document.name: read(encode_document(document)) for document in found}


def fingerprint(engine: Engine) -> str:
    """Return a digest of all stored rows, and of the documents of some cases."""
    documents = documents_of(snapshot_of(engine, PACK, ESTATE, DEFAULTS, NOW), "time-to-bill", SHOWN)
    assert len(documents) == len(SHOWN)
    return sha256(repr((stored_rows(engine), sorted(documents.items()))).encode()).hexdigest()


# The bulk limit: above it a carrier's own events are shown with the carrier, and folded into no case.

FEW = ("T1", "T2", "T3", "T4")
RUN = [
    *(happened(f"approved {name}", "time.approved", BEGAN, time_entry=name, correlation_id="X") for name in FEW),
    happened("failed", "time.posted", BEGAN + HOUR, failed="timeout", correlation_id="X"),
]


@pytest.mark.parametrize(("limit", "members"), [(4, 2), (3, 1)], ids=["not above it", "above it"])
def test_the_bulk_limit_is_a_setting_that_holds_in_every_order(limit: int, members: int) -> None:
    limits = Limits(bulk_limit=limit)
    told: list[Shown] = []
    for order in permutations(RUN):
        steps = [Arrival([event], []) for event in order]
        told.append(show_after(steps, ESTATE, NOW, limits=limits))
    counted = {len(read(document)["members"]) for document in told[0].cases.values()}
    assert counted == {members}
    assert all(each == told[0] for each in told)


def test_a_changed_bulk_limit_shows_what_it_would_have_shown_from_the_start(tmp_path: Path) -> None:
    steps = [Arrival([event], []) for event in RUN]
    wanted = {limit: show_after(steps, ESTATE, NOW, limits=Limits(bulk_limit=limit)) for limit in (3, 4)}
    with closing(arrive(steps, PACK, ESTATE, Limits(bulk_limit=4), [NOW], str(tmp_path / STORE_FILE))) as engine:
        engine.store.set_meta("bulk_limit", "4")
    for limit in (3, 4, 3):
        limits = Limits(bulk_limit=limit)
        subject = Subject(tmp_path, PACK, ESTATE, limits, RealClock())
        with closing(open_engine(subject)) as engine:
            settle(engine, NOW)
            tick(engine, NOW)
            assert show(engine, snapshot_of(engine, PACK, ESTATE, limits, NOW), ESTATE) == wanted[limit]
    assert wanted[3] != wanted[4]


def test_an_event_that_tells_the_amount_of_each_entry_costs_each_entry_the_same() -> None:
    """Counted in calls, which do not hang on the machine."""
    few, many = (calls_to_fold(count) for count in (200, 800))
    assert many < 5 * few


def calls_to_fold(count: int) -> int:
    names = NAMES[:count]
    amounts = {"amounts": dict.fromkeys(names, "1.00"), "currency": "EUR"}
    released = happened("released", "billing.released", BEGAN, time_entry=names, billing_event="B1", more=amounts)
    calls = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    with closing(Engine.open(":memory:", PACK, ESTATE, DEFAULTS)) as engine:
        sys.setprofile(note)
        try:
            engine.fold([released], NOW)
        finally:
            sys.setprofile(None)
    return calls
