"""Instants: read from RFC 3339, written as RFC 3339."""

from __future__ import annotations

import pytest

from throughline.core.instants import format_instant, parse_instant


@pytest.mark.parametrize(
    "text", ["2016-12-31T23:59:60Z", "2016-12-31T23:59:60.5z", "2017-01-01T08:59:60+09:00", "2016-12-31 15:59:60-08:00"]
)
def test_a_leap_second_is_the_last_microsecond_of_its_minute(text: str) -> None:
    assert format_instant(parse_instant(text)) == "2016-12-31T23:59:59.999999Z"


@pytest.mark.parametrize(
    "text", ["2016-12-31T22:59:60Z", "2016-12-31T23:59:60+01:00", "2016-02-30T23:59:60Z", "2016-12-31T23:59:61Z"]
)
def test_any_other_second_beyond_59_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="which is no date"):
        parse_instant(text)
