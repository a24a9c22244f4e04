"""Ageing: the classes by which what stands is told apart by how old it is; pure.

Ages go on by themselves, so no cell tells them apart: a cell holds when each wait began, and a reading takes its age.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from kpis.clock import Counting


class Ageing(StrEnum):
    """A class of ages, in days of a KPI's clock; closed, and every age is in one of them."""

    UNDER_1_DAY = "under_1_day"
    UNDER_7_DAYS = "1_to_7_days"
    UNDER_30_DAYS = "7_to_30_days"
    UNDER_90_DAYS = "30_to_90_days"
    OVER_90_DAYS = "over_90_days"


_BELOW: Mapping[Ageing, int] = {
    Ageing.UNDER_1_DAY: 1,
    Ageing.UNDER_7_DAYS: 7,
    Ageing.UNDER_30_DAYS: 30,
    Ageing.UNDER_90_DAYS: 90,
}
"""The days that an age of a class has not reached; those of the class before it has."""


def class_of(age: int, counting: Counting, region: str | None) -> Ageing:
    """Return the class of an age in seconds of a KPI's clock; a business day is that of the record's region."""
    day = counting.day_seconds_of(region)
    return next((each for each, days in _BELOW.items() if age < days * day), Ageing.OVER_90_DAYS)
