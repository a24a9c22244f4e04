"""What holds for every story: order, repetition and the passing of time."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from lineage.derive import Context, derive, summary
from lineage.document import case_document, encode_document
from lineage.fact import CaseState, Derived, DeviationKind, Member, StepStatus
from tests.derived_state.processes import UPKEEP
from tests.derived_state.stories import ALIASES, NAME, Told, heard, moments, stories
from tests.derived_state.timeline import PlainCalendars, PlainSight
from throughline.core.key import Key, KeyType

Heard = dict[str, Any]


def derived(told: Told, members: list[Member], now: int, sources: Heard) -> Derived:
    context = Context(now, PlainSight(sources), PlainCalendars())
    name = Key(told.process.name_key, NAME).encode()
    return derive(
        told.process, members, told.conflict, context, name=name, aliases=ALIASES, provisional=told.provisional
    )


def summed(told: Told, now: int, sources: Heard) -> Derived:
    context = Context(now, PlainSight(sources), PlainCalendars())
    name = Key(told.process.name_key, NAME).encode()
    return summary(
        told.process, told.members, told.conflict, context, name=name, aliases=ALIASES, provisional=told.provisional
    )


def document(told: Told, members: list[Member], now: int, sources: Heard) -> bytes:
    name = Key(told.process.name_key, NAME)
    keys = {"name": [name], "alias": list(ALIASES.values())}
    types = {name.type: KeyType(name.type)}
    return encode_document(
        case_document(told.process, name, derived(told, members, now, sources), members, keys, types)
    )


@given(stories(), moments, heard, st.data())
def test_any_order_and_repetition_of_the_same_events_gives_the_same_state_and_bytes(
    told: Told, now: int, sources: Heard, data: st.DataObject
):
    repeated = told.members + (data.draw(st.lists(st.sampled_from(told.members))) if told.members else [])
    arrival = data.draw(st.permutations(repeated))

    assert derived(told, arrival, now, sources) == derived(told, told.members, now, sources)
    assert document(told, arrival, now, sources) == document(told, told.members, now, sources)


@given(stories(), moments, heard)
def test_the_summary_is_the_state_without_rounds_and_what_recurs(told: Told, now: int, sources: Heard):
    whole = derived(told, told.members, now, sources)

    assert summed(told, now, sources) == msgspec.structs.replace(whole, rounds=(), expected=())


@given(stories(), moments, moments, heard)
def test_time_alone_changes_nothing_before_the_wake_up(told: Told, now: int, later: int, sources: Heard):
    before = derived(told, told.members, now, sources)
    until = later if before.wake_at is None else min(later, before.wake_at - 1)
    assume(until > now)

    assert derived(told, told.members, until, sources) == before


@given(stories(), moments, heard)
def test_the_wake_up_lies_ahead_and_something_changes_then(told: Told, now: int, sources: Heard):
    before = summed(told, now, sources)

    if before.wake_at is not None:
        assert before.wake_at > now
        assert summed(told, before.wake_at, sources) != before


@given(stories(), moments, heard, st.sampled_from(["psa", "erp", "scheduling", "fpna", "crm"]), moments)
def test_a_watermark_changes_nothing_before_it_reaches_what_waits_for_it(
    told: Told, now: int, sources: Heard, role: str, reported: int
):
    assume(role in sources)
    before = summed(told, now, sources)
    awaited = [instant for source, instant in before.sight if source == f"/{role}"]
    reached = min(reported, min(awaited) - 1) if awaited else reported
    assume(sources[role] is None or reached >= sources[role])
    after = summed(told, now, {**sources, role: reached})

    # Another source may now be the lowest, and so the one to wait for.
    assert (after.state, after.deviations, after.exposure, after.waits) == (
        before.state,
        before.deviations,
        before.exposure,
        before.waits,
    )


@given(stories(), moments, heard)
def test_overdue_is_only_said_of_what_would_have_been_seen(told: Told, now: int, sources: Heard):
    blind = summed(told, now, {})

    assert not [each for each in blind.deviations if each.kind is DeviationKind.OVERDUE and (each.open or each.ended)]
    for each in summed(told, now, sources).deviations:
        if each.kind is DeviationKind.OVERDUE and (each.open or each.ended):
            assert each.since <= now or each.ended
            assert any(until is not None and until >= each.since for until in sources.values())


@given(stories(), moments, heard)
def test_of_each_kind_a_step_of_a_round_has_at_most_one_deviation(told: Told, now: int, sources: Heard):
    keys = [(each.kind, each.step, each.round) for each in summed(told, now, sources).deviations]

    assert len(keys) == len(set(keys))


@given(stories(), moments, heard)
def test_only_open_cases_wait_hold_and_wake(told: Told, now: int, sources: Heard):
    state = summed(told, now, sources)

    if state.state is not CaseState.OPEN:
        assert state.waits is None
        assert state.exposure is None or state.state is CaseState.PROVISIONAL
        expects = state.state is CaseState.DONE and told.process is UPKEEP
        assert expects or all(state.last is not None and at < state.last for _, at in state.sight)
        wakes = state.wake_at is not None and (state.last is None or state.wake_at >= state.last)
        assert not wakes or state.state is CaseState.PROVISIONAL or expects
    if state.state in (CaseState.PROVISIONAL, CaseState.NOT_APPLICABLE):
        assert state.sight == ()
    if state.state is CaseState.ENDED:
        closing = (DeviationKind.OVERDUE, DeviationKind.FAILED, DeviationKind.MISSING_MASTER_DATA)
        assert not [each for each in state.deviations if each.open and each.kind in closing]
    if state.synthetic:
        assert state.exposure is None


@given(stories(), moments, heard)
def test_steps_and_deviations_say_the_same(told: Told, now: int, sources: Heard):
    state = derived(told, told.members, now, sources)
    found = {(each.kind, each.step, each.round) for each in state.deviations if each.open}

    for current in state.rounds:
        for step in current.steps:
            if step.status is StepStatus.OVERDUE:
                assert (DeviationKind.OVERDUE, step.step, current.round) in found
            if step.status is StepStatus.SKIPPED and state.state is not CaseState.NOT_APPLICABLE:
                assert (DeviationKind.SKIPPED, step.step, current.round) in found
            if step.status is StepStatus.DONE:
                assert step.first is not None
            if (DeviationKind.FAILED, step.step, current.round) in found:
                assert step.status is StepStatus.FAILED
