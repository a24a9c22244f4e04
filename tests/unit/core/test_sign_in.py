"""Failed sign-ins are slowed down by address, in bounded memory; allowances fill up as time goes by."""

from __future__ import annotations

import pytest

from throughline.core.allowance import Allowance
from throughline.core.sign_in import Patience
from throughline.core.token import Limit


def test_an_allowance_lets_a_burst_through_and_then_its_rate() -> None:
    allowance = Allowance(Limit(rate=2, burst=10), now=100.0)
    assert allowance.wait(100.0) == 0
    allowance.charge(10)
    assert allowance.wait(100.0) == pytest.approx(0.5)
    assert allowance.wait(100.5) == 0
    allowance.charge(1)
    assert allowance.wait(1_000.0) == 0
    allowance.charge(10)
    assert allowance.wait(1_000.0) > 0, "what was not used does not add up beyond the burst"


def test_an_allowance_may_be_overdrawn_and_is_waited_for_then() -> None:
    allowance = Allowance(Limit(rate=10, burst=10), now=0.0)
    allowance.charge(110)
    assert allowance.wait(0.0) == pytest.approx(10.1)
    assert allowance.wait(9.9) > 0
    assert allowance.wait(10.2) == 0


def test_patience_ends_after_a_few_failures_and_comes_back() -> None:
    patience = Patience(Limit(rate=0.5, burst=3))
    assert [patience.spend("10.0.0.1", 0.0) for _ in range(5)] == [None, None, None, 2, 2]
    assert patience.spend("10.0.0.2", 0.0) is None
    assert patience.spend("10.0.0.1", 2.0) is None


def test_one_network_of_ipv6_is_one_caller() -> None:
    patience = Patience(Limit(rate=0.5, burst=1))
    assert patience.spend("2001:db8::1", 0.0) is None
    assert patience.spend("2001:db8::2", 0.0) is not None
    assert patience.spend("2001:db8:0:1::1", 0.0) is None


def test_patience_remembers_at_most_so_many_addresses() -> None:
    patience = Patience(Limit(rate=0.5, burst=1), most=100)
    for number in range(10_000):
        patience.spend(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert len(patience) == 100
    assert patience.spend("10.0.39.15", 0.0) is not None, "the latest are remembered"
