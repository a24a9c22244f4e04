"""Observations: what one case contributes to one KPI, free of now; docs/why/kpis.md says why they are as they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import msgspec

from kpis.contribution import Contribution
from kpis.declaration import Dimension
from kpis.latency import Split, Unsplit
from kpis.money import Money


class Ending(StrEnum):
    """How a wait stands: ``open`` has not ended, ``unknown`` cannot be measured."""

    DONE = "done"
    COMPETING = "competing"
    OPEN = "open"
    UNKNOWN = "unknown"


class Unknown(StrEnum):
    """Why a wait cannot be measured."""

    BEGINNING_NOT_SEEN = "beginning not seen"
    PASSED_OVER = "end not seen, though a later step was"
    OUT_OF_ORDER = "ended before it began"
    BEFORE_WATCHING = "over before watching began"
    NO_DUE_TIME = "no due time known"
    NOT_CONFIRMED = "past due, for all that its source has told"


class LeftOut(StrEnum):
    """Why a case counts for nothing in a KPI."""

    SYNTHETIC = "synthetic"
    PROVISIONAL = "provisional"
    NOT_APPLICABLE = "not applicable"
    POPULATION = "outside of the population"


class Observation(msgspec.Struct, frozen=True):
    """One wait of one case, or one occurrence in it: a wait that was over at once, or that goes on.

    Instants are microseconds; ``day`` is that of its beginning, or of its end if that is all. ``part`` tells apart what
    a case contributes. ``word``: of a competing ending what it was, of an unknown one the reason. ``seconds``: by the
    KPI's clock, from beginning to end; None while it is open or unknown. ``gone``: the seconds that it had lasted when
    watching began. ``due``: when it had to end to be in time; ``due_age``: how old it is then, in seconds. ``hit``: of
    a share, whether it hits as it stands; None: that is for ``due`` to say. ``times``: how many such there are, of what
    was over at once. ``split``: of a latency that is over what it consists of, or why nobody can tell.
    """

    process: str
    case: str
    part: str
    day: date
    dimensions: Mapping[Dimension, str | None]
    ending: Ending
    began: int | None
    ended: int | None
    word: str | None = None
    seconds: int | None = None
    gone: int = 0
    due: int | None = None
    due_age: int | None = None
    hit: bool | None = None
    amount: Money | None = None
    hours: Decimal | None = None
    region: str | None = None
    times: int = 1
    split: Split | Unsplit | None = None


class Observed(NamedTuple):
    """What a case contributes to a KPI. ``concerned``: the KPI is about its process and steps.

    ``left_out``: why it contributes nothing though it is concerned. ``contributions``: of a kind that compares across
    cases (``MATCHED``), and then instead of observations.
    """

    observations: tuple[Observation, ...] = ()
    concerned: bool = False
    left_out: LeftOut | None = None
    contributions: tuple[Contribution, ...] = ()

    @property
    def looked_at(self) -> bool:
        """Tell whether the case would show what the KPI asks for, if there was any of it."""
        return self.concerned and self.left_out is None
