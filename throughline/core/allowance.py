"""Allowances: how much somebody may do for now, filled up as time goes by (a token bucket)."""

from __future__ import annotations

from throughline.core.token import Limit


class Allowance:
    """What is left of a limit. It may be overdrawn: what comes as one is taken as one, and waited for afterwards.

    Times are in seconds of a clock that only goes forward.
    """

    __slots__ = ("_at", "_left", "limit")

    def __init__(self, limit: Limit, now: float) -> None:
        self.limit = limit
        self._left = limit.burst
        self._at = now

    def wait(self, now: float) -> float:
        """Return the seconds until one is left; 0 where one is."""
        left = self._left + (now - self._at) * self.limit.rate
        self._left = left = min(left, self.limit.burst)
        self._at = now
        return 0.0 if left >= 1.0 else (1.0 - left) / self.limit.rate

    def charge(self, count: float) -> None:
        """Take so much of it."""
        self._left -= count
