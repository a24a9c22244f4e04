"""G3: equal sets of events and statements show the same, to the byte, at the same moment, however they arrived."""

from __future__ import annotations

import json
from itertools import permutations
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.engine import Limits
from tests.guarantees.firm import ESTATE, happened
from tests.guarantees.shown import PACK, Shown, arrive, show, snapshot_of
from tests.guarantees.weeks import BEGAN, moments, weeks
from tests.identity_model.worlds import Arrival, World, arrivals, seeds
from tests.unit.lineage.adapter import settle, tick
from throughline.core.instants import DAY, HOUR, format_instant

few = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
limits = st.sampled_from((Limits(), Limits(fan_out_limit=0), Limits(bulk_limit=1)))


@few
@given(weeks(), moments, seeds, limits)
def test_any_arrival_shows_the_same(week: World, now: int, seed: int, limit: Limits) -> None:
    """Any order, batching and repetition; the engine opened anew in between; its clock at ``now`` all the time."""
    wanted = shown(arrivals(week, 0), now, [], limit)
    assert shown(restarting(arrivals(week, seed), seed), now, [], limit) == wanted
    assert_lists_say_what_documents_say(wanted)


@few
@given(weeks(), moments, seeds, limits)
def test_time_that_passes_between_arrivals_changes_nothing(week: World, now: int, seed: int, limit: Limits) -> None:
    """As above, but each step comes at a moment of its own, and what falls due meanwhile is done."""
    steps = arrivals(week, seed)
    assert shown(steps, now, clock(len(steps), now, seed), limit) == shown(arrivals(week, 0), now, [], limit)


@few
@given(weeks(most_events=30, most_statements=3), moments, seeds)
def test_nothing_that_is_stored_is_stale(week: World, now: int, seed: int) -> None:
    """Deriving every case anew changes nothing that is stored or shown."""
    steps = arrivals(week, seed)
    engine = arrive(steps, PACK, ESTATE, Limits(), [*clock(len(steps), now, seed), now])
    before = show(engine, snapshot_of(engine, PACK, ESTATE, Limits(), now), ESTATE)
    engine.derive_all()
    settle(engine, now)
    tick(engine, now)
    assert show(engine, snapshot_of(engine, PACK, ESTATE, Limits(), now), ESTATE) == before
    engine.close()


def shown(steps: list[Arrival], now: int, passing: list[int], limit: Limits) -> Shown:
    engine = arrive(steps, PACK, ESTATE, limit, [*passing, now])
    try:
        return show(engine, snapshot_of(engine, PACK, ESTATE, limit, now), ESTATE)
    finally:
        engine.close()


def restarting(steps: list[Arrival], seed: int) -> list[Arrival]:
    """Open the engine anew before every step, in every third arrival; in the others before very few."""
    return [step._replace(restart=True) for step in steps] if seed % 3 == 0 else steps


def clock(steps: int, now: int, seed: int) -> list[int]:
    """Return the moment of each step: rising from the first week's morning to ``now``."""
    chance = Random(seed)
    return sorted(BEGAN + round(chance.random() * (now - BEGAN)) for _ in range(steps))


def assert_lists_say_what_documents_say(seen: Shown) -> None:
    """What is stored for lists is what deriving a case anew gives."""
    documents = [json.loads(document) for document in seen.cases.values()]
    lines = json.loads(seen.listed)["cases"]
    assert sorted(map(_line_of, documents), key=_key) == sorted(lines, key=_key)


def _key(line: dict[str, Any]) -> tuple[str, str, str, str]:
    return line["process"], line["key_type"], line["name"], repr(line["scope"])


def _line_of(document: dict[str, Any]) -> dict[str, Any]:
    waits = document["waits_for"] or {"step": None, "who": None, "due": None}
    same = ("process", "key_type", "name", "scope", "state", "synthetic", "began", "last", "exposure", "counted_in")
    return {name: document[name] for name in same} | {
        "waits_for_step": waits["step"],
        "waits_for": waits["who"],
        "due": waits["due"],
        "deviations": [
            {name: each[name] for name in ("kind", "step", "round", "since")}
            for each in document["deviations"]
            if each["open"]
        ],
    }


def test_a_conflict_began_when_the_second_name_was_tied_not_when_that_was_heard() -> None:
    tied = [("T1", 3), ("T1", 1), ("T2", 2)]
    events = [
        happened(f"e{hour}", "time.posted", BEGAN + hour * HOUR, time_entry=name, erp_document="D1")
        for name, hour in tied
    ]
    told = [
        shown([Arrival([event], []) for event in order], BEGAN + DAY, [], Limits()) for order in permutations(events)
    ]
    assert all(each == told[0] for each in told)
    for document in told[0].cases.values():
        (conflict,) = [each for each in json.loads(document)["deviations"] if each["kind"] == "conflicting_keys"]
        assert conflict["since"] == format_instant(BEGAN + 2 * HOUR)


def test_a_content_whose_place_another_takes_leaves_nothing_behind() -> None:
    """A release that two entries hold, above the bulk limit, gives way to what came earlier under its id."""
    release = {"billing_event": "B1", "legal_entity": "DE01"}
    events = [
        happened("r1", "billing.released", BEGAN, time_entry=["T1", "T2"], **release),
        happened("e1", "billing.released", BEGAN, received=BEGAN + HOUR, milestone="M1", **release),
        happened("e1", "time.submitted", BEGAN, received=BEGAN, time_entry="T1"),
    ]
    told = [
        shown([Arrival([event], []) for event in order], BEGAN + DAY, [], Limits(bulk_limit=1))
        for order in permutations(events)
    ]
    assert all(each == told[0] for each in told)
    assert json.loads(told[0].status)["counts"]["bulk"] == 0


def test_the_order_in_which_a_sender_writes_the_members_of_an_event_tells_nothing() -> None:
    told: list[Shown] = []
    for amounts in ({"T1": "1.00", " T1": "2.00"}, {" T1": "2.00", "T1": "1.00"}):
        more = {"amounts": amounts, "currency": "EUR"}
        events = [
            happened("e1", "time.submitted", BEGAN, time_entry="T1", more=more),
            happened("e2", "time.posted", BEGAN + HOUR, failed="timeout", time_entry="T1"),
        ]
        told.append(shown([Arrival(events, [])], BEGAN + DAY, [], Limits()))
    assert told[0] == told[1]
    (document,) = told[0].cases.values()
    assert json.loads(document)["exposure"]["amount"] == "2.00"
