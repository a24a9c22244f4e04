"""Distributions of seconds that can be added up, and taken apart again, in any order; pure.

Up to ``EXACT`` values each second is counted. Beyond that bins are: those of DDSketch (C. Masson, J. E. Rim, H. K.
Lee: DDSketch, a fast and fully-mergeable quantile sketch with relative-error guarantees, VLDB 2019), with whole-number
edges made by integer arithmetic, so that they are equal on every machine. A quantile read from bins is within
``ACCURACY`` of a value of that rank, as a share of it.

What a distribution holds depends on the multiset of its values only. There is one exception that the caller has to
know of: bins do not tell seconds, so one that falls back to ``EXACT`` values must be counted anew (``stale``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import cache
from math import ceil
from typing import NamedTuple

EXACT = 2_000  # values
# 1/200, as whole numbers: a bin from ``low`` reaches to the last whole number below low × 201/199.
_ABOVE, _BELOW = 201, 199
ACCURACY = 0.005
LONGEST = 100 * 366 * 86_400  # seconds; what is longer counts as this


class Estimate(NamedTuple):
    """A value read from a distribution; ``error`` is how far off it may be, as a share of it."""

    seconds: float
    error: float


@cache
def _ends() -> tuple[int, ...]:
    """Return the last whole number of each bin: single seconds at first, then ever wider."""
    ends: list[int] = []
    low = 0
    while low <= LONGEST:
        ends.append(low * _ABOVE // _BELOW)
        low = ends[-1] + 1
    return tuple(ends)


def bin_of(seconds: int) -> int:
    """Return the bin of a whole number of seconds, which is not negative."""
    return bisect_left(_ends(), min(seconds, LONGEST))


def value_of(place: int) -> float:
    """Return what stands for all values of a bin: none of them is further off than ``ACCURACY``, as a share of it."""
    low, high = _ends()[place - 1] + 1 if place else 0, _ends()[place]
    return float(low) if low == high else 2 * low * high / (low + high)


def last_like(seconds: float) -> int:
    """Return the last whole second that what stands for a bin stands for."""
    return _ends()[bin_of(int(seconds))]


class Distribution:
    """Counts of seconds. ``counts`` are by second while ``exact``, else by bin; none of them is zero."""

    __slots__ = ("counts", "exact", "size")

    def __init__(self, values: Iterable[int] = ()) -> None:
        self.counts: dict[int, int] = {}
        self.exact = True
        self.size = 0
        for seconds in values:
            self.add(seconds)

    @property
    def stale(self) -> bool:
        """Tell whether it must be counted anew: it has few values, and holds bins from when it had more."""
        return not self.exact and self.size <= EXACT

    def add(self, seconds: int, count: int = 1) -> None:
        """Count a value; a negative count takes it back. Raises ValueError where there is not so much to take back."""
        if seconds < 0:
            raise ValueError(f"seen {seconds} seconds, wanted none or more")
        self._enter(min(seconds, LONGEST) if self.exact else bin_of(seconds), count)

    def merge(self, other: Distribution, times: int = 1) -> None:
        """Add another one; ``times`` -1 takes it away. Raises ValueError where that leaves less than nothing."""
        if self.exact and not other.exact:
            self._to_bins()
        as_they_are = self.exact == other.exact
        for place, count in other.counts.items():
            self._enter(place if as_they_are and self.exact == other.exact else bin_of(place), count * times)

    def quantile(self, share: float) -> Estimate | None:
        """Return the least value that at least this share of all values does not exceed; None of nothing."""
        if self.size == 0:
            return None
        rank, below = max(1, ceil(share * self.size - 1e-9)), 0
        for place in sorted(self.counts):
            below += self.counts[place]
            if below >= rank:
                return Estimate(self._value(place), 0.0 if self.exact else ACCURACY)
        raise AssertionError("a rank beyond the size")

    def values(self) -> dict[float, int]:
        """Return the counts by seconds, ascending; of bins by what stands for them."""
        return {self._value(place): self.counts[place] for place in sorted(self.counts)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distribution) and self.exact == other.exact and self.counts == other.counts

    def __repr__(self) -> str:
        return f"Distribution({dict(sorted(self.counts.items()))}, exact={self.exact})"

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def _value(self, place: int) -> float:
        return float(place) if self.exact else value_of(place)

    def _enter(self, place: int, count: int) -> None:
        left = self.counts.get(place, 0) + count
        if left < 0:
            raise ValueError(f"seen {-count} to take back, wanted at most {left - count}")
        if left:
            self.counts[place] = left
        else:
            self.counts.pop(place, None)
        self.size += count
        if self.exact and self.size > EXACT:
            self._to_bins()
        elif not self.size:
            self.exact = True

    def _to_bins(self) -> None:
        binned: dict[int, int] = {}
        for seconds, count in self.counts.items():
            place = bin_of(seconds)
            binned[place] = binned.get(place, 0) + count
        self.counts, self.exact = binned, False


def restored(counts: Mapping[int, int], exact: bool) -> Distribution:
    """Return a distribution as it was stored."""
    found = Distribution()
    found.counts, found.exact, found.size = dict(counts), exact, sum(counts.values())
    return found
