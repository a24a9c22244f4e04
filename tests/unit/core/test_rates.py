from __future__ import annotations

from datetime import date
from decimal import Decimal

from throughline.core.estate import read_estate
from throughline.core.rates import RateOfDay, Rates
from throughline.core.yaml_file import parse_yaml

ESTATE = read_estate(
    parse_yaml(
        b"""
firm: {reporting_currency: EUR}
rates:
  - {currency: USD, rate: 0.92, from: 2026-11-01}
  - {currency: USD, rate: "0.90", from: 2026-07-01}
  - {currency: GBP, rate: 1.17, from: 2026-07-01}
""",
        "estate.yaml",
    )
)
RATES = Rates(ESTATE.firm.reporting_currency, ESTATE.rates)


def test_the_latest_rate_from_that_day_or_an_earlier_one_on_is_in_force() -> None:
    july, november = date(2026, 7, 1), date(2026, 11, 1)
    assert RATES.on("USD", july) == RateOfDay(Decimal("0.90"), july)
    assert RATES.on("USD", date(2026, 10, 31)) == RateOfDay(Decimal("0.90"), july)
    assert RATES.on("USD", november) == RateOfDay(Decimal("0.92"), november)
    assert RATES.on("USD", date(2030, 1, 1)) == RateOfDay(Decimal("0.92"), november)


def test_a_day_before_all_rates_and_a_currency_without_any_have_none() -> None:
    assert RATES.on("USD", date(2026, 6, 30)) is None
    assert RATES.on("JPY", date(2026, 11, 1)) is None


def test_the_reporting_currency_is_worth_itself() -> None:
    assert RATES.on("EUR", date(1970, 1, 1)) == RateOfDay(Decimal(1), None)
