"""Business time: durations, opening hours, holidays and cut-offs of a region."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    HOURS = "h"  # elapsed hours within opening hours
    BUSINESS_DAYS = "bd"  # the same local time, n business days on, counted from the next opening
    ELAPSED_HOURS = "elapsed_h"  # plain hours, nights and weekends included


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of business time, such as 4 h or 3 bd."""

    count: int
    unit: Unit
