"""Classes of ages: each age is in one, to the second, in days of the KPI's clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.ageing import Ageing, class_of
from kpis.clock import Counting
from kpis.declaration import KpiClock
from tests.unit.kpis.test_cells import ESTATE

DAY = 86_400
ELAPSED, BUSINESS = (Counting(clock, ESTATE.calendars) for clock in (KpiClock.ELAPSED, KpiClock.BUSINESS))
FIRST = {"under_1_day": 0, "1_to_7_days": 1, "7_to_30_days": 7, "30_to_90_days": 30, "over_90_days": 90}


@pytest.mark.parametrize("counting", [ELAPSED, BUSINESS])
@pytest.mark.parametrize(("name", "days"), FIRST.items())
def test_a_class_begins_with_its_first_day_to_the_second(counting: Counting, name: str, days: int) -> None:
    names = list(FIRST)
    first = days * counting.day_seconds
    assert class_of(first, counting, None) == name
    if days:
        assert class_of(first - 1, counting, None) == names[names.index(name) - 1]


@given(st.integers(0, 400 * DAY), st.integers(0, 400 * DAY))
def test_what_is_older_is_never_of_a_younger_class(one: int, other: int) -> None:
    order = list(Ageing)
    younger, older = (order.index(class_of(age, ELAPSED, None)) for age in sorted((one, other)))
    assert younger <= older
