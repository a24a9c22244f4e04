from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.money import Converted, Money, Part, Sums, convert, rounded, total
from throughline.core.estate_file import Rate
from throughline.core.rates import Rates

NOVEMBER = date(2026, 11, 2)


def rate(currency: str, rate: str, since: str) -> Rate:
    return Rate.model_validate({"currency": currency, "rate": rate, "from": since})


RATES = Rates("EUR", [rate("USD", "0.90", "2026-07-01"), rate("USD", "0.92", "2026-11-01")])
monies = st.one_of(
    st.none(),
    st.builds(Money, st.decimals(-(10**9), 10**9, places=2), st.sampled_from(["EUR", "USD", "JPY"])),
)


def euro(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def test_two_currencies_stay_apart_until_they_are_converted() -> None:
    sums = Sums([euro("100.10"), usd("50"), usd("25.50"), None])
    assert sums.parts == {"EUR": Part(Decimal("100.10"), 1), "USD": Part(Decimal("75.50"), 2)}
    found = convert(sums, RATES, NOVEMBER)  # 100.10 + 75.50 × 0.92
    assert found[:4] == (Decimal("169.5600"), "EUR", 3, 1)
    assert [(each.currency, each.rate and each.rate.since) for each in found.applied] == [
        ("EUR", None),
        ("USD", date(2026, 11, 1)),
    ]


def test_each_day_has_its_rate_and_each_rate_converts_once() -> None:
    found = total(
        [(Sums([usd("1")]), date(2026, 10, 30)), (Sums([usd("2")]), NOVEMBER), (Sums([usd("4")]), NOVEMBER)], RATES
    )
    assert found.amount == Decimal("0.90") + 6 * Decimal("0.92")
    assert [(each.part.amount, each.part.records) for each in found.applied] == [(1, 1), (6, 2)]


def test_what_has_no_rate_is_unknown_and_not_zero() -> None:
    yen = Money(Decimal(500), "JPY")
    assert convert(Sums([yen, yen]), RATES, NOVEMBER)[:4] == (None, "EUR", 0, 2)
    assert convert(Sums([yen, euro("3")]), RATES, NOVEMBER)[:4] == (3, "EUR", 1, 1)
    assert convert(Sums([None]), RATES, NOVEMBER)[:4] == (None, "EUR", 0, 1)


def test_nothing_at_all_is_worth_nothing() -> None:
    assert convert(Sums(), RATES, NOVEMBER) == Converted(Decimal(0), "EUR", 0, 0, ())


def test_no_digit_is_lost() -> None:
    large, small = Decimal("1e63"), Decimal("1e-60")
    found = Sums([Money(large, "EUR"), Money(small, "EUR"), Money(-large, "EUR")])
    assert found.parts["EUR"].amount == small


def test_what_was_never_added_cannot_be_taken_back() -> None:
    with pytest.raises(ValueError, match="records of EUR"):
        Sums().add(euro("1"), -1)
    with pytest.raises(ValueError, match="unknown amount"):
        Sums().add(None, -1)
    with pytest.raises(ValueError, match="records of EUR"):
        Sums([euro("1")]).add(euro("2"), -1)


@given(st.lists(monies), st.lists(monies))
def test_any_order_of_adding_and_taking_back_gives_the_same(
    kept: list[Money | None], taken: list[Money | None]
) -> None:
    sums = Sums(taken)
    sums.merge(Sums(kept))
    for each in taken:
        sums.add(each, -1)
    assert sums == Sums(kept[::-1])
    assert sums.records == len(kept)
    found, rates = convert(sums, RATES, NOVEMBER), {"EUR": Fraction(1), "USD": Fraction(92, 100)}
    worth = [Fraction(m.amount) * rates[m.currency] for m in kept if m is not None and m.currency in rates]
    assert (found.known, found.unknown) == (len(worth), len(kept) - len(worth))
    assert Fraction(found.amount or 0) == sum(worth)


def test_what_is_shown_is_rounded_half_to_even() -> None:
    assert [str(rounded(Decimal(text))) for text in ("0.125", "0.135", "-7", "1e50")] == [
        "0.12",
        "0.14",
        "-7.00",
        f"1{'0' * 50}.00",
    ]
