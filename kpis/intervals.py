"""Shares with what chance alone can do to them; pure."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

Z_95 = 1.959963984540054  # the normal quantile of 0.975: an interval of 95 %


class Interval(NamedTuple):
    """Between which values a share lies, the ends included."""

    low: float
    high: float


def wilson(hits: int, of: int, z: float = Z_95) -> Interval | None:
    """Return Wilson's score interval of a share; None of nothing. Raises ValueError unless 0 <= hits <= of.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927). It
    stays within 0 and 1 and holds for few and for extreme shares, where the usual interval is too narrow.
    """
    if not 0 <= hits <= of:
        raise ValueError(f"seen {hits} of {of}, wanted a part of the whole")
    return wilson_around(hits / of, of, z) if of else None


def wilson_around(share: float, of: int, z: float = Z_95) -> Interval:
    """Return Wilson's interval around a share that is no count of hits, but was estimated from so many, 1 at least.

    A curve of unfinished waits gives such a share. Those that are decided are fewer than all that it is of: it is wide.
    """
    square = z * z
    centre = (share + square / (2 * of)) / (1 + square / of)
    half = z / (1 + square / of) * sqrt(share * (1 - share) / of + square / (4 * of * of))
    # At the very ends the formula gives 0 and 1, but for the last digit of a float.
    return Interval(0.0 if share <= 0 else max(0.0, centre - half), 1.0 if share >= 1 else min(1.0, centre + half))
