"""Signals: named numbers at a time with evidence; the only thing that rules of alerts look at.

Who finds something out (a KPI that is read, open work that is judged) makes signals, and who has rules takes them, so
neither knows the other. A signal is the same in a program and as JSON: times RFC 3339 in UTC, numbers decimal texts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from throughline.core.case_reference import CaseReference
from throughline.core.dimension import Dimension


class SignalKind(StrEnum):
    """What a number says; closed.

    reading: the figure of a KPI, held against its target. risk: the chance (0 to 1) that open work misses its deadline.
    """

    READING = "reading"
    RISK = "risk"


class Unit(StrEnum):
    """The unit of a number. ``percent``: a share, 0 to 1."""

    SECONDS = "seconds"
    PERCENT = "percent"
    RECORDS = "records"
    MONEY = "money"
    HOURS = "hours"
    PER_HOUR = "per_hour"
    PER_RECORD = "per_record"


class Standing(StrEnum):
    """How a figure stands against target and warning level."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Calibration(Struct, frozen=True):
    """How good numbers like one were: of so many, the mean of what was ``said``, and the share that ``happened``.

    ``low`` and ``high``: between what that share lies at 95 %.
    """

    count: int
    said: float
    happened: float
    low: float
    high: float


class Evidence(Struct, frozen=True, kw_only=True):
    """What led to a number. ``kpi``, ``version``: whose arithmetic it is. ``look_up``: the GET that tells all of it.

    ``count``: of how many it is, or was learnt; null: of none. ``low`` and ``high``: between what it lies at 95 %;
    null: nobody can say. ``calibration`` null: too little like it is decided. ``known_to``: up to when sources have
    told. ``target``, ``warning``: the levels that a standing is against, as declared. ``amount``, in ``currency``: what
    the work is worth; null: not known.
    """

    kpi: str
    version: str
    look_up: str
    count: int | None = None
    low: float | None = None
    high: float | None = None
    calibration: Calibration | None = None
    known_to: datetime | None = None
    target: str | None = None
    warning: str | None = None
    amount: Decimal | None = None
    currency: str | None = None


class Signal(Struct, frozen=True, kw_only=True):
    """A named number at a time, with what led to it. Raises ValueError where it has neither a number nor a reason.

    ``name``: what is asked: the id of a KPI. ``value`` null: there is no answer, for the reason ``why_not``; never 0.
    ``at_least``: it is greater than that, and nobody can say by how much. ``of``: the values of dimensions that it is
    of; empty: of all. ``case``, ``part``: the wait that it is of, where it is of one; ``due``: its deadline.
    ``standing``: against the KPI's levels; null: it has none, or it cannot be told.
    """

    kind: SignalKind
    name: str
    value: Decimal | None
    why_not: str | None
    unit: Unit
    at: datetime
    evidence: Evidence
    of: Mapping[Dimension, str | None]
    currency: str | None = None
    at_least: bool = False
    standing: Standing | None = None
    case: CaseReference | None = None
    part: str | None = None
    due: datetime | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.why_not is None):
            raise ValueError(f"seen value {self.value} and reason {self.why_not!r}, wanted one of them")

    @property
    def subject(self) -> Hashable:
        """Return what it is about: that of two signals is equal where they are of the same thing at other times."""
        of = tuple(sorted((name.value, value or "", value is None) for name, value in self.of.items()))
        case = self.case
        named = None if case is None else (case.process, case.key_type, case.name, tuple(sorted(case.scope.items())))
        return self.kind, self.name, of, named, self.part
