"""Conversions: exact, and a fault instead of a guess."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.core.instants import format_instant, parse_instant
from throughline.core.mappings.conversion import As, Detail, convert
from throughline.core.mappings.misfit import Lack, Misfit
from throughline.core.number import Number

BERLIN = Detail(zone=ZoneInfo("Europe/Berlin"))
CENTS = Detail(digits=2)
NONE = Detail()


@pytest.mark.parametrize(
    ("value", "to", "detail", "read"),
    [
        (7, As.TEXT, NONE, "7"),
        (True, As.TEXT, NONE, "true"),
        (Number("1.10"), As.DECIMAL, NONE, "1.10"),
        ("1125.00", As.DECIMAL, NONE, "1125.00"),
        ("1.125,50", As.DECIMAL_COMMA, NONE, "1125.50"),
        ("-1125,5", As.DECIMAL_COMMA, NONE, "-1125.5"),
        ("1125", As.DECIMAL_COMMA, NONE, "1125"),
        (112550, As.MINOR_UNITS, CENTS, "1125.50"),
        ("-5", As.MINOR_UNITS, CENTS, "-0.05"),
        (1125, As.MINOR_UNITS, NONE, "1125"),
        (450, As.MINUTES, NONE, "7.5"),
        (100, As.MINUTES, NONE, "1.6667"),
        (600, As.MINUTES, NONE, "10"),
        ("2026-11-02T17:04:11+01:00", As.INSTANT, NONE, "2026-11-02T16:04:11Z"),
        (1672408275, As.EPOCH_S, NONE, "2022-12-30T13:51:15Z"),
        (Number("1672408275.25"), As.EPOCH_S, NONE, "2022-12-30T13:51:15.250000Z"),
        ("1672408275000", As.EPOCH_MS, NONE, "2022-12-30T13:51:15Z"),
        (1672408275000000, As.EPOCH_US, NONE, "2022-12-30T13:51:15Z"),
        ("/Date(1672408275000)/", As.DOTNET, NONE, "2022-12-30T13:51:15Z"),
        ("/Date(1672408275000+0200)/", As.DOTNET, NONE, "2022-12-30T13:51:15Z"),
        ("2026-11-02T17:04:11", As.LOCAL, BERLIN, "2026-11-02T16:04:11Z"),
        ("2026-11-02 17:04", As.LOCAL, BERLIN, "2026-11-02T16:04:00Z"),
        ("2026-07-01", As.LOCAL, BERLIN, "2026-06-30T22:00:00Z"),
        ("02.11.2026", As.LOCAL, Detail(zone=ZoneInfo("Europe/Berlin"), format="%d.%m.%Y"), "2026-11-01T23:00:00Z"),
        ("2026-10-25T02:30:00", As.LOCAL, BERLIN, "2026-10-25T00:30:00Z"),  # twice that day: the first
    ],
)
def test_a_value_is_read_exactly(value: Any, to: As, detail: Detail, read: str) -> None:
    assert convert(value, to, detail) == read


@pytest.mark.parametrize(
    ("value", "to", "detail", "lack"),
    [
        ("NaN", As.DECIMAL, NONE, Lack.BAD_NUMBER),
        (float("nan"), As.DECIMAL, NONE, Lack.BAD_NUMBER),
        ("Infinity", As.DECIMAL, NONE, Lack.BAD_NUMBER),
        ("1_000", As.DECIMAL, NONE, Lack.BAD_NUMBER),
        ("1,125.00", As.DECIMAL, NONE, Lack.BAD_NUMBER),
        ("1e999", As.MINOR_UNITS, CENTS, Lack.BAD_NUMBER),
        ("9" * 41, As.DECIMAL, NONE, Lack.BAD_NUMBER),
        ("1125.50", As.DECIMAL_COMMA, NONE, Lack.BAD_NUMBER),
        ("1,", As.DECIMAL_COMMA, NONE, Lack.BAD_NUMBER),
        (Number("11.5"), As.MINOR_UNITS, CENTS, Lack.BAD_NUMBER),
        ("soon", As.MINUTES, NONE, Lack.BAD_NUMBER),
        ("2026-11-02T17:04:11", As.INSTANT, NONE, Lack.BAD_TIME),  # a time without zone
        ("2026-11-02T17:04:11Z", As.LOCAL, BERLIN, Lack.BAD_TIME),  # one with two
        ("2026-03-29T02:30:00", As.LOCAL, BERLIN, Lack.BAD_TIME),  # the clock left it out
        ("tomorrow", As.LOCAL, BERLIN, Lack.BAD_TIME),
        ("0001-01-01", As.LOCAL, BERLIN, Lack.BAD_TIME),
        ("-1", As.EPOCH_S, NONE, Lack.BAD_TIME),
        ("99999999999999999", As.EPOCH_S, NONE, Lack.BAD_TIME),
        ("Date(1)", As.DOTNET, NONE, Lack.BAD_TIME),
        ({"a": 1}, As.TEXT, NONE, Lack.BAD_FIELD),
    ],
)
def test_what_cannot_be_read_is_a_fault_with_what_was_seen_and_wanted(
    value: Any, to: As, detail: Detail, lack: Lack
) -> None:
    with pytest.raises(Misfit, match=r"seen .*wanted ") as caught:
        convert(value, to, detail)
    assert caught.value.lack is lack


@given(st.integers(min_value=-(10**18), max_value=10**18), st.integers(min_value=0, max_value=4))
def test_minor_units_lose_nothing(units: int, digits: int) -> None:
    assert Decimal(convert(units, As.MINOR_UNITS, Detail(digits=digits))) * 10**digits == units


@given(st.integers(min_value=0, max_value=4_102_444_800_000_000))
def test_every_way_to_write_an_instant_means_the_same(instant: int) -> None:
    text = format_instant(instant)
    assert convert(instant, As.EPOCH_US, NONE) == text
    assert parse_instant(convert(text, As.INSTANT, NONE)) == instant


@given(st.text(max_size=50), st.sampled_from(As))
def test_any_text_is_read_or_told(text: str, to: As) -> None:
    with contextlib.suppress(Misfit):
        assert isinstance(convert(text, to, Detail(digits=2, zone=ZoneInfo("UTC"))), str)
