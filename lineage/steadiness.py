"""Whether the clock can be trusted with what cannot be undone: nothing is let go on the word of a clock that jumped."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from throughline.core.instants import DAY, HOUR, MICROSECONDS

SETTLED_AFTER_START = HOUR
SETTLED_AFTER_JUMP = DAY
_JUMP = HOUR

_log = structlog.get_logger(__name__)


class Steadiness:
    """Compares a clock with time that cannot be set; both in microseconds.

    A clock that moved by an hour or more against it jumped: it is steady again after a day. After a start it takes an
    hour, as a machine may start with a wrong clock. A sleep of the machine may count as a jump.
    """

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._steady_at = monotonic() + SETTLED_AFTER_START
        self._ahead: int | None = None  # of the monotonic time

    def holds(self, now: int) -> bool:
        """Return whether the clock, which says that it is ``now``, has been steady for long enough."""
        at = self._monotonic()
        before, self._ahead = self._ahead, now - at
        if before is not None and abs(self._ahead - before) >= _JUMP:
            self._steady_at = at + SETTLED_AFTER_JUMP
            _log.warning(
                "clock_jumped",
                by_seconds=(self._ahead - before) // MICROSECONDS,
                nothing_is_let_go_for_hours=SETTLED_AFTER_JUMP // HOUR,
            )
        return at >= self._steady_at
