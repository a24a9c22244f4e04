from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.distribution import ACCURACY, EXACT, LONGEST, Distribution, bin_of, last_like, restored, value_of

seconds = st.one_of(st.integers(0, 300), st.integers(0, 10**6), st.integers(0, LONGEST))
many = st.lists(seconds, min_size=1, max_size=50).map(lambda values: values * (EXACT // len(values) + 1))


def rank(values: list[int], share: float) -> int:
    return sorted(values)[max(1, ceil(share * len(values) - 1e-9)) - 1]


def test_up_to_some_values_every_second_is_counted() -> None:
    found = Distribution([5, 86_401, 5, 0])
    assert (found.counts, found.exact, found.size) == ({0: 1, 5: 2, 86_401: 1}, True, 4)
    quantiles = [found.quantile(share) for share in (0.25, 0.5, 0.75, 0.76, 1)]
    assert quantiles == [(0, 0), (5, 0), (5, 0), (86_401, 0), (86_401, 0)]


def test_of_nothing_there_is_no_quantile() -> None:
    assert Distribution().quantile(0.5) is None


@given(seconds)
def test_what_stands_for_a_bin_is_near_to_all_of_it(value: int) -> None:
    assert abs(value_of(bin_of(value)) - value) <= ACCURACY * value * (1 + 1e-12)


@given(seconds)
def test_the_last_second_that_a_bin_stands_for_is_its_last_one(value: int) -> None:
    last = last_like(value_of(bin_of(value)))
    assert bin_of(last) == bin_of(value) < bin_of(last + 1) or last >= LONGEST
    assert value <= last


def test_under_a_hundred_seconds_bins_are_single_seconds() -> None:
    assert [value_of(bin_of(value)) for value in range(100)] == list(range(100))
    assert bin_of(LONGEST) < 2_000


def test_what_is_longer_than_anything_counts_as_the_longest() -> None:
    assert Distribution([LONGEST + 5]).counts == {LONGEST: 1}
    assert bin_of(10**15) == bin_of(LONGEST)


@given(many, st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_of_many_is_as_near_as_it_says(values: list[int], share: float) -> None:
    found = Distribution(values).quantile(share)
    assert found is not None
    assert found.error == ACCURACY
    assert abs(found.seconds - rank(values, share)) <= ACCURACY * rank(values, share) + 1e-9
    assert len(values) > EXACT


some = st.one_of(st.lists(seconds, max_size=30), st.lists(seconds, max_size=30).map(lambda values: values * 40))


@given(st.lists(some, max_size=4))
def test_parts_add_up_to_the_whole_in_any_order(parts: list[list[int]]) -> None:
    whole = Distribution(value for part in parts for value in part)
    for order in (parts, parts[::-1]):
        sum_ = Distribution()
        for part in order:
            sum_.merge(Distribution(part))
        assert sum_ == whole


@given(st.lists(seconds, max_size=60), st.lists(seconds, max_size=60))
def test_what_is_taken_back_leaves_what_there_was(kept: list[int], taken: list[int]) -> None:
    found = Distribution(taken + kept)
    found.merge(Distribution(taken), -1)
    assert found == Distribution(kept)


def test_few_that_are_left_of_many_are_to_be_counted_anew() -> None:
    found = Distribution(range(1_000, 1_000 + EXACT + 1))
    assert (found.exact, found.stale) == (False, False)
    found.add(1_000, -1)
    assert (found.exact, found.stale, found.size) == (False, True, EXACT)
    found.add(5_000)
    assert not found.stale
    for value in (*range(1_001, 1_000 + EXACT + 1), 5_000):
        found.add(value, -1)
    assert found == Distribution()


def test_what_was_never_counted_cannot_be_taken_back() -> None:
    with pytest.raises(ValueError, match="seen 2 to take back, wanted at most 1"):
        Distribution([5]).add(5, -2)
    with pytest.raises(ValueError, match="wanted none or more"):
        Distribution([-1])


@given(st.lists(seconds, max_size=40))
def test_it_is_restored_as_it_was(values: list[int]) -> None:
    found = Distribution(values)
    assert restored(found.counts, found.exact) == found
    assert sum(found.values().values()) == len(values)
