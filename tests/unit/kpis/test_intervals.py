from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.intervals import wilson


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),  # by hand: (0.8 + 0.1921) / 1.3841 ± 1.96 / 1.3841 × sqrt(0.016 + 0.0096)
        (0, 10, 0.0, 0.2775),  # z² / (10 + z²)
        (10, 10, 0.7225, 1.0),
        (1, 2, 0.0945, 0.9055),
    ],
)
def test_it_is_the_interval_that_was_worked_out_by_hand(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=5e-5)


def test_of_nothing_there_is_no_share() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize(("hits", "of"), [(-1, 3), (4, 3)])
def test_a_part_that_is_none_is_refused(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match="wanted a part of the whole"):
        wilson(hits, of)


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_its_ends_solve_the_equation_of_the_score_and_hold_the_share(pair: tuple[int, int]) -> None:
    hits, of = pair
    found = wilson(hits, of)
    assert found is not None
    assert 0 <= found.low <= hits / of <= found.high <= 1
    for end in found:
        if 0 < end < 1:
            assert (hits / of - end) ** 2 == pytest.approx(1.959963984540054**2 * end * (1 - end) / of, abs=1e-9)
