"""The one number of a reading, and why there is none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kpis.distribution import Distribution
from kpis.figures import AMOUNTS_NOT_KNOWN, HOURS_NOT_KNOWN, NOTHING_WAITS, figure_of, why_none
from kpis.money import Converted, Sums
from kpis.reading import NO_DATA, Reading, Stock, beside_of
from tests.unit.kpis.test_exposition import KPIS


def stock(records: int, amount: Decimal | None = None, hours: Decimal | None = None) -> Reading:
    converted = Converted(amount, "EUR", 0, records, ())
    return Reading(Stock(records, converted, Sums(), hours, records, Distribution(), None), None, beside_of({}))


@pytest.mark.parametrize(
    ("kpi", "reading", "why"),
    [
        ("money-at-risk", stock(2), AMOUNTS_NOT_KNOWN),
        ("money-at-risk", stock(2, Decimal(7)), None),
        ("unbilled-approved-hours", stock(2), HOURS_NOT_KNOWN),
        ("staffing-request-ageing", stock(0), NOTHING_WAITS),
        ("money-at-risk", Reading(None, NO_DATA, beside_of({})), NO_DATA),
    ],
)
def test_a_reading_without_a_number_says_why(kpi: str, reading: Reading, why: str | None) -> None:
    assert why_none(KPIS[kpi], reading) == why
    assert (figure_of(KPIS[kpi], reading).value is None) == (why is not None)
