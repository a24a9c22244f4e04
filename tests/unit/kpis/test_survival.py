"""Curves of endings, against what was worked out by hand and against lifelines, which shares no line with them."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from lifelines.utils import qth_survival_time

from kpis.survival import Lives, Point, Reached, curve_of, cut


class Wait(NamedTuple):
    """One wait: watched from an age on (0: from its beginning) to another, and how it ended (None: not yet)."""

    entry: int
    exit: int
    ending: str | None


def lives(waits: list[Wait]) -> Lives:
    def ages(ending: str | None) -> Counter[float]:
        return Counter(float(wait.exit) for wait in waits if wait.ending == ending)

    entered = Counter(float(wait.entry) for wait in waits if wait.entry)
    return Lives(ages("done"), ages("competing"), ages(None), entered)


def test_a_curve_by_hand_without_competitors() -> None:
    # 6 watched; 1 of 6 done at 2; one cut at 3; 2 of 4 at 5; the last two cut at 9: 5/6, then 5/6 × 2/4 = 5/12.
    curve = curve_of(Lives(done={2: 1, 5: 2}, open={3: 1, 9: 2}))
    assert curve.points[0] == pytest.approx(Point(2, 6, 5 / 6, 1 / 6, 0, 5 / 6 * (1 / 30) ** 0.5, 1))
    assert curve.points[1] == pytest.approx(Point(5, 4, 5 / 12, 7 / 12, 0, 5 / 12 * (1 / 30 + 2 / 8) ** 0.5, 2))
    assert curve.reaches(0.5) == Reached(5)
    assert curve.reaches(0.9) == Reached(9, beyond=True)


def test_a_curve_by_hand_with_a_competitor() -> None:
    # The example of docs/why/kpis.md: 4 at risk at 30,600, one done, one rejected; 2 at risk at 66,600, one done.
    curve = curve_of(Lives(done={30_600: 1, 66_600: 1}, competing={30_600: 1}, open={122_400: 1}))
    assert [(point.survival, point.done, point.competing) for point in curve.points] == [
        (0.5, 0.25, 0.25),
        (0.25, 0.5, 0.25),
    ]
    assert curve.reaches(0.5) == Reached(66_600)
    assert curve.reaches(0.9) == Reached(122_400, beyond=True)


def test_a_curve_by_hand_with_delayed_entry() -> None:
    # From the beginning: 2 waits, done at 1 and 6. Entered at 3 and at 1, both still open at 9. At 1 two are at risk
    # (who enters at 1 is not yet), at 6 three: 1/2, then 1/2 × 2/3 = 1/3.
    curve = curve_of(Lives(done={1: 1, 6: 1}, open={9: 2}, entered={3: 1, 1: 1}))
    assert [(point.at_risk, point.survival) for point in curve.points] == [(2, 0.5), (3, pytest.approx(1 / 3))]


def test_an_end_and_a_cut_at_one_age_count_as_first_the_end() -> None:
    assert curve_of(Lives(done={5: 1}, open={5: 1})).points[0].survival == 0.5


def test_nothing_known_is_no_answer() -> None:
    curve = curve_of(Lives({}))
    assert (curve.points, curve.at(5), curve.reaches(0.5), curve.chance(1, 2)) == ((), None, None, None)


def test_where_all_are_unfinished_the_half_is_later_than_the_oldest() -> None:
    assert curve_of(Lives({}, open={3: 2, 7: 1})).reaches(0.5) == Reached(7, beyond=True)


def test_where_all_ended_otherwise_the_half_is_never_reached() -> None:
    curve = curve_of(Lives({}, competing={4: 2}))
    assert curve.reaches(0.5) == Reached(4, beyond=True)
    assert curve.at(100) == (4, 2, 0, 0, 1, 0, 2)


def test_it_says_nothing_from_where_nobody_was_watched_though_others_enter_later() -> None:
    curve = curve_of(Lives(done={1: 1, 2: 1, 20: 5}, entered={10: 5}))
    assert (curve.broken_at, curve.reaches(0.5), curve.reaches(0.9)) == (2, Reached(1), None)
    assert (curve.at(1), curve.at(2)) == (curve.points[0], None)
    late_only = curve_of(Lives(done={20: 5}, entered={10: 5}))
    assert (late_only.broken_at, late_only.reaches(0.5), late_only.at(20)) == (0, None, None)


def test_a_half_is_reached_though_floats_fall_short_of_it() -> None:
    # 6 without any cut: the product of 5/6, 4/5 and 3/4 is a half.
    assert curve_of(Lives({1: 1, 2: 1, 3: 1, 4: 3})).reaches(0.5) == Reached(3)


def test_the_chance_of_being_done_in_time_is_that_of_those_still_unfinished() -> None:
    curve = curve_of(Lives({1: 2, 5: 1, 9: 1}))
    assert curve.chance(2, 5) == pytest.approx(0.5)  # two are left after 1, one of them is done by 5
    assert curve.chance(0, 5) == pytest.approx(0.75)
    assert curve.chance(9, 10) is None  # nothing is unfinished then


def test_cohorts_are_cut_at_one_age() -> None:
    before = Lives(done={2: 1, 8: 2}, competing={3: 1, 9: 1}, open={1: 1, 7: 1}, entered={1: 1, 6: 1})
    assert cut(before, 5) == Lives({2: 1}, {3: 1}, {1: 1, 5: 3}, {1: 1})
    assert cut(before, 9).size == before.size


def test_a_cut_changes_nothing_of_the_curve_before_it() -> None:
    before = Lives(done={2: 1, 5: 3, 8: 2}, competing={3: 1, 9: 1}, open={1: 1, 7: 1}, entered={1: 1, 6: 1})
    assert curve_of(cut(before, 5)).points == curve_of(before).points[:3]


watched = st.builds(
    lambda entry, stay, ending: Wait(entry, entry + stay, ending),
    st.one_of(st.just(0), st.integers(1, 20)),
    st.integers(1, 40),
    st.sampled_from(["done", None]),
)


@given(st.lists(watched, min_size=1, max_size=40))
def test_it_agrees_with_kaplan_and_meier_of_lifelines(waits: list[Wait]) -> None:
    # lifelines counts who enters at an age as at risk at it; ours enter after it, so its entries are half a second on.
    entry = [wait.entry + 0.5 if wait.entry else 0 for wait in waits]
    curve = curve_of(lives(waits))
    assume(curve.broken_at is None)
    fitter = KaplanMeierFitter().fit([w.exit for w in waits], [w.ending == "done" for w in waits], entry=entry)
    for point in curve.points:
        assert point.survival == pytest.approx(fitter.survival_function_at_times(point.age).iloc[0], abs=1e-9)
        assert point.done == pytest.approx(1 - point.survival)
    reached = curve.reaches(0.5)
    assert reached is not None
    # A half that floats just miss is a half to us.
    assert qth_survival_time(0.5 + 1e-9, fitter.survival_function_) == (inf if reached.beyond else reached.age)


from_the_beginning = st.lists(
    st.tuples(st.integers(1, 1_000), st.sampled_from(["done", "competing", None])),
    min_size=2,
    max_size=40,
    unique_by=lambda each: each[0],  # lifelines moves equal ages apart by chance
)


@given(from_the_beginning)
def test_it_agrees_with_aalen_and_johansen_of_lifelines(found: list[tuple[int, str | None]]) -> None:
    waits = [Wait(0, age, ending) for age, ending in found]
    curve = curve_of(lives(waits))
    for number, ending in ((1, "done"), (2, "competing")):
        if all(wait.ending != ending for wait in waits):
            continue
        fitter = AalenJohansenFitter(calculate_variance=False).fit(
            [wait.exit for wait in waits],
            [{"done": 1, "competing": 2, None: 0}[wait.ending] for wait in waits],
            event_of_interest=number,
        )
        for point in curve.points:
            theirs = fitter.cumulative_density_.loc[point.age].iloc[0]
            assert getattr(point, ending) == pytest.approx(theirs, abs=1e-9)


competed = st.builds(
    lambda entry, stay, ending: Wait(entry, entry + stay, ending),
    st.one_of(st.just(0), st.integers(1, 20)),
    st.integers(1, 12),
    st.sampled_from(["done", "competing", None]),
)


@given(st.lists(competed, min_size=1, max_size=40))
def test_it_agrees_with_a_count_of_each_wait_by_itself(waits: list[Wait]) -> None:
    """With ties, competitors and delayed entry: those who are at risk at an age are counted one by one."""
    survival, done, competing = 1.0, 0.0, 0.0
    curve = curve_of(lives(waits))
    points = {point.age: point for point in curve.points}
    for age in range(1, 40):
        if curve.broken_at is not None and age >= curve.broken_at:
            return
        at_risk = [wait for wait in waits if wait.entry < age <= wait.exit]
        of = [sum(1 for wait in at_risk if (wait.exit, wait.ending) == (age, word)) for word in ("done", "competing")]
        if at_risk and any(of):
            done += survival * of[0] / len(at_risk)
            competing += survival * of[1] / len(at_risk)
            survival *= 1 - sum(of) / len(at_risk)
            assert points[age][:5] == pytest.approx((age, len(at_risk), survival, done, competing))


@given(st.lists(competed, min_size=1, max_size=40))
def test_shares_add_up_and_only_grow(waits: list[Wait]) -> None:
    curve = curve_of(lives(waits))
    before = Point(0, 0, 1, 0, 0, 0, 0)
    for point in curve.points:
        assert point.survival + point.done + point.competing == pytest.approx(1)
        assert point.done >= before.done
        assert point.competing >= before.competing
        before = point
    assert [point.age for point in curve.points] == sorted({point.age for point in curve.points})


def test_no_share_is_above_one_however_many_are_added_up() -> None:
    for size in range(2, 400):
        for lives in (Lives(done=dict.fromkeys(range(size), 1)), Lives({}, competing=dict.fromkeys(range(size), 1))):
            last = curve_of(lives).points[-1]
            assert max(last.done, last.competing) <= 1
            assert last.done + last.competing == pytest.approx(1)
