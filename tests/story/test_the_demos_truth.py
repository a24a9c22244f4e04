"""The firm's own record of what happened, against what the lineage engine makes of its reports: no sockets between."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pytest

from collector.cloudevents import read_cloudevents
from lineage.definitions import load_definitions
from lineage.document import encode_document
from lineage.engine import Engine, Limits
from lineage.read import CaseReader
from throughline.core.estate import load_estate
from throughline.core.event import Event
from throughline.core.instants import format_instant
from throughline.demo.chronicle import Happening
from throughline.demo.counted import count_once
from throughline.demo.firm import SYSTEMS, role_of
from throughline.demo.plan import Plan, plan
from throughline.demo.play import heartbeat, seen_until
from throughline.demo.product import DEFINITIONS
from throughline.demo.systems.message import Order
from throughline.demo.systems.speech import facts, source_of
from throughline.demo.truth import CaseTruth, tell_truth
from throughline.demo.verify import Difference, Document, compare, tally_documents, tally_truth


def order_of(happening: Happening) -> Order:
    error = None if happening.error is None else asdict(happening.error)
    return Order(
        happening.id,
        happening.type,
        happening.time,
        happening.reported,
        happening.fields,
        flow=happening.flow,
        error=error,
    )


def event_of(system: str, order: Order, received: int) -> Event:
    body = facts(order) | {"system": role_of(system)}
    text = json.dumps(
        {
            "specversion": "1.0",
            "id": order.id,
            "source": source_of(system),
            "type": order.type,
            "time": format_instant(order.time),
            "data": body,
        }
    )
    (event,) = read_cloudevents("application/cloudevents+json", {}, text.encode(), received).events
    return event


def reports(told: Plan, happenings: Iterable[Happening]) -> list[Event]:
    """Return what the systems report, each on time, with their last heartbeats."""
    until = seen_until(told)
    last = {system: until(role_of(system), "") for system in SYSTEMS}
    return [
        *(event_of(each.system, order_of(each), each.reported) for each in happenings),
        *(event_of(system, heartbeat(system, at), at) for system, at in last.items()),
    ]


def reconstructed(folder: Path, events: list[Event], now: int) -> list[Document]:
    """Return every case document that the engine makes of some events."""
    definitions, estate = load_definitions(DEFINITIONS), load_estate(DEFINITIONS)
    engine = Engine.open(folder / "store.db", definitions, estate)
    engine.fold(events, now)
    while engine.settle(now) or engine.tick(now):
        pass
    reader = CaseReader(folder / "store.db", definitions, estate, Limits(), lambda: now)
    with reader.snapshot() as snapshot:
        ids = [row[0] for row in snapshot.store.rows("SELECT id FROM cases")]
        documents = [snapshot.document(view) for view in snapshot.views(ids).values()]
    reader.close()
    engine.close()
    return [json.loads(encode_document(document)) for document in documents if document.members]


def truths(told: Plan) -> list[CaseTruth]:
    return count_once(told.lives, [tell_truth(life, told.ends, seen_until(told)) for life in told.lives])


def differences(folder: Path, told: Plan, happenings: Iterable[Happening]) -> list[Difference]:
    return compare(truths(told), reconstructed(folder, reports(told, happenings), told.ends))


@pytest.mark.parametrize(("seed", "weeks"), [(7, 5), (3, 3), (19, 8)])
def test_every_case_is_reconstructed_as_it_happened(tmp_path: Path, seed: int, weeks: int):
    told = plan(seed, "small", weeks)
    assert differences(tmp_path, told, told.happenings) == []


def test_money_that_one_piece_of_work_holds_up_twice_is_in_both_sums_once(tmp_path: Path):
    told = plan(3, "small", 3)
    happened, documents = truths(told), reconstructed(tmp_path, reports(told, told.happenings), told.ends)
    twice = [each for each in happened if each.counted_in]
    assert twice
    assert all(isinstance(each.exposure, tuple) for each in twice)
    assert tally_truth(happened).money == tally_documents(documents).money
    assert tally_truth(happened).money != tally_truth(each._replace(counted_in=frozenset()) for each in happened).money


@pytest.mark.parametrize(
    "kind",
    [
        "time.posted",
        "invoice.paid",
        "document.registered",
        "opportunity.rejected",
        "assignment.synced",
        "report.refreshed",
    ],
)
def test_a_report_that_is_kept_back_is_a_difference(tmp_path: Path, kind: str):
    told = plan(7, "small")
    kept_back = next(each for each in told.happenings if each.type == kind and each.error is None)
    assert differences(tmp_path, told, [each for each in told.happenings if each is not kept_back])
