"""How fast figures follow the fold: in what time it leaves, as people wait for it and not for them; pure."""

from __future__ import annotations

from collections.abc import Sequence

_CHANGED, _IDLE = 20, 600  # readings of now may take one part in so many of the time, while cases change or do not
_CAUGHT_UP, _FAR_BEHIND = 5, 1_000  # and once they follow again, where the last were so many changes behind
_SHARING, _STANDING_BACK = 3, 9  # times as long as a piece of work took is rested after it
_LONGEST_REST = 5.0  # seconds: on a machine that is busy with others a piece of work takes long, and says little


class Pace:
    """Says how long to rest after a piece of work; it is asked after each."""

    def __init__(self) -> None:
        self._last = 0  # record of the journal that had come in when it was asked before

    def rest(self, worked: float, folded: int, last: int) -> float:
        """Return how many seconds to rest after so many of work.

        ``folded`` and ``last`` are the last record that is folded and the last that came in. While nothing waits to be
        folded there is no rest; while something does, three parts of four are left to it. Where that which waited when
        this was asked before still waits, the fold is behind, and gets nine parts of ten. No rest is longer than
        5 seconds.
        """
        behind, self._last = folded < self._last, last
        if folded >= last:
            return 0.0
        return min(worked * (_STANDING_BACK if behind else _SHARING), _LONGEST_REST)


class Sparing:
    """Says whether a work is to be done again, that is to take no more than one part in so many of the time."""

    def __init__(self) -> None:
        self._done_at = float("-inf")
        self._took = 0.0

    def is_due(self, at: float, parts: int) -> bool:
        """Tell it at a time in seconds."""
        return at - self._done_at >= self._took * parts

    def note(self, at: float, took: float) -> None:
        """Note that it was done at a time, and how many seconds of work it took."""
        self._done_at, self._took = at, took


class Rereading:
    """Says whether the readings of now are to be made again: the sooner, the more is other than when they were."""

    def __init__(self) -> None:
        self._sparing = Sparing()
        self._changed = True
        self._behind = 0
        self._blind: Sequence[Sequence[str]] = ()

    def note_change(self) -> None:
        """Note that cases changed, or that all of them were looked at."""
        self._changed = True

    def is_due(self, at: float, behind: int, blind: Sequence[Sequence[str]]) -> bool:
        """Tell it at a time in seconds. ``behind``: how many changes wait; ``blind``: of which sources nothing comes.

        They are to take no more than a 20th of the time, or a 600th while nothing changes; a fifth where they were made
        of part of the cases and can be made of all.
        """
        follows_again = behind <= _FAR_BEHIND < self._behind
        changed = self._changed or blind != self._blind
        return self._sparing.is_due(at, _CAUGHT_UP if follows_again else _CHANGED if changed else _IDLE)

    def begin(self, behind: int, blind: Sequence[Sequence[str]]) -> None:
        """Note that they are made, of what there is now."""
        self._changed, self._behind, self._blind = False, behind, blind

    def note(self, at: float, took: float) -> None:
        """Note that they were made at a time, and how many seconds of work it took."""
        self._sparing.note(at, took)
