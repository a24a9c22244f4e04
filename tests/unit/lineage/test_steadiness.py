"""A clock that jumped lets nothing go until it has been steady for a day."""

from __future__ import annotations

from lineage.steadiness import SETTLED_AFTER_JUMP, SETTLED_AFTER_START, Steadiness
from throughline.core.instants import DAY, HOUR, MINUTE, parse_instant

BEGAN = parse_instant("2026-03-02T09:00:00Z")


class Passing:
    """Time that passes evenly, whatever a clock says."""

    def __init__(self) -> None:
        self.at = 0

    def __call__(self) -> int:
        return self.at


def test_a_clock_is_trusted_an_hour_after_the_start() -> None:
    passing = Passing()
    steadiness = Steadiness(passing)
    assert not steadiness.holds(BEGAN)
    passing.at = SETTLED_AFTER_START
    assert steadiness.holds(BEGAN + passing.at)


def test_a_clock_that_jumped_is_trusted_a_day_later_whichever_way_it_went() -> None:
    for jump in (36 * 365 * DAY, -HOUR):
        passing = Passing()
        steadiness = Steadiness(passing)
        steadiness.holds(BEGAN)
        passing.at = 2 * DAY
        assert steadiness.holds(BEGAN + passing.at)
        assert not steadiness.holds(BEGAN + passing.at + jump)
        passing.at += SETTLED_AFTER_JUMP - MINUTE
        assert not steadiness.holds(BEGAN + passing.at + jump)
        passing.at += MINUTE
        assert steadiness.holds(BEGAN + passing.at + jump)


def test_a_clock_that_is_set_by_minutes_or_drifts_is_trusted() -> None:
    passing = Passing()
    steadiness = Steadiness(passing)
    for hours in range(200):
        passing.at = hours * HOUR
        trusted = steadiness.holds(BEGAN + passing.at + hours * MINUTE)
    assert trusted
