"""A comparison that finds every kind of difference, and none where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from throughline.core.instants import format_instant, parse_instant
from throughline.demo.truth import UNKNOWN, CaseTruth, DeviationTruth, StepTruth, Turn
from throughline.demo.verify import compare, tally_documents, tally_truth

AT = parse_instant("2026-10-06T12:00:00Z")
TRUTH = CaseTruth(
    process="time-to-bill",
    name="TE-1",
    scope={},
    state="open",
    ended_as=None,
    rounds=1,
    steps=frozenset({StepTruth(1, "submitted", "done", AT, AT), StepTruth(1, "approved", "overdue", None, None)}),
    deviations=frozenset({DeviationTruth("overdue", "approved", 1, True)}),
    exposure=("100.00", "EUR"),
    turn=Turn("approved", 1, "person", AT),
    keys={"project": "PRJ-1"},
    stories=("left without approval",),
)


def step(name: str, status: str, at: int | None) -> dict[str, Any]:
    time = None if at is None else format_instant(at)
    return {"step": name, "status": status, "first": time, "last": time}


def document(**changes: Any) -> dict[str, Any]:
    steps = [step("submitted", "done", AT), step("approved", "overdue", None), step("posted", "waiting", None)]
    return {
        "process": "time-to-bill",
        "name": "TE-1",
        "scope": {},
        "state": "open",
        "ended_as": None,
        "rounds": [{"round": 1, "steps": steps}],
        "deviations": [{"kind": "overdue", "step": "approved", "round": 1, "open": True}],
        "exposure": {"amount": "100", "currency": "EUR", "hours": None},
        "counted_in": [],
        "waits_for": {"step": "approved", "round": 1, "who": "person", "due": format_instant(AT)},
        "keys": {"name": [], "relations": [{"type": "project", "value": "PRJ-1", "scope": {}}]},
    } | changes


def test_equal_sides_have_no_difference():
    assert compare([TRUTH], [document()]) == []


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("state", {"state": "done"}),
        ("ended as", {"ended_as": "cancelled"}),
        ("deviations", {"deviations": []}),
        ("deviations", {"deviations": [{"kind": "overdue", "step": "approved", "round": 1, "open": False}]}),
        ("exposure", {"exposure": {}}),
        ("exposure", {"exposure": None}),
        ("exposure", {"exposure": {"amount": "100", "currency": "USD", "hours": None}}),
        ("counted in", {"counted_in": [{"process": "invoice-to-cash", "name": "I1"}]}),
        ("turn", {"waits_for": {"step": "approved", "round": 1, "who": "system", "due": format_instant(AT)}}),
        ("turn", {"waits_for": {"step": "approved", "round": 1, "who": "person", "due": None}}),
        ("keys", {"keys": {"name": [], "relations": []}}),
        ("steps", {"rounds": [{"round": 1, "steps": [step("submitted", "done", AT + 1)]}]}),
        ("steps", {"rounds": [{"round": 1, "steps": [*document()["rounds"][0]["steps"], step("paid", "done", AT)]}]}),
        ("rounds", {"rounds": [*document()["rounds"], {"round": 2, "steps": []}]}),
    ],
)
def test_one_difference_is_named(what: str, changes: dict[str, Any]):
    (difference,) = compare([TRUTH], [document(**changes)])
    assert difference.what == what
    assert difference.case == "time-to-bill TE-1 (left without approval)"


def test_a_case_that_only_one_side_knows_is_a_difference():
    (missing,) = compare([TRUTH], [])
    (surplus,) = compare([], [document()])
    assert str(missing) == "time-to-bill TE-1 (left without approval): case: truth open, seen nothing"
    assert surplus.truth == "no such thing happened"


def test_both_sides_are_added_up_alike():
    assert tally_truth([TRUTH]) == tally_documents([document()])


def test_what_counts_downstream_is_in_neither_sum():
    told = TRUTH._replace(counted_in=frozenset({("invoice-to-cash", "I1")}))
    seen = document(counted_in=[{"process": "invoice-to-cash", "name": "I1"}])
    assert compare([told], [seen]) == []
    assert tally_truth([told]).money == tally_documents([seen]).money == {}


def test_a_mere_number_of_another_processs_work_is_no_difference_unless_something_is_wrong_with_it():
    number = document(name="D-1", state="provisional", deviations=[], exposure={})
    orphan = {"kind": "orphan", "step": None, "round": None, "open": True}
    assert compare([], [number]) == []
    assert tally_documents([number]) == tally_truth([])
    (surplus,) = compare([], [number | {"deviations": [orphan]}])
    assert surplus.seen == "provisional"


def test_what_nobody_said_the_worth_of_is_unknown_on_both_sides():
    truth = TRUTH._replace(exposure=UNKNOWN)
    assert compare([truth], [document(exposure={"amount": None, "currency": None, "hours": None})]) == []
    (difference,) = compare([truth], [document()])
    assert (difference.what, difference.truth) == ("exposure", "unknown")
