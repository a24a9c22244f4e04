"""Facts: events as a case sees them, and what is derived from them.

``derive`` (lineage/derive.py) is a pure function of facts, definitions, estate, watermarks and now. A set of facts is
a join-semilattice under union by (source, id): any order, duplication or batching gives the same set.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from throughline.core.calendar import Duration
from throughline.core.event import FieldValue
from throughline.core.statement import AcceptedAs

# Of the enums below, what is asked in inner loops is kept there under a name: Python 3.11 finds a member by a call.


class Fact(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One event as a case sees it: what derivation needs and nothing else; stored with the case or the value.

    ``aliases``, ``carriers`` and ``relations`` are the interned ids of values that this event links to the case.
    ``amount``, ``currency`` and ``hours`` are this case's own share (its entry in ``amounts``, or the whole where the
    event names only it), None where the event does not tell it; at a carrier ``amount`` is that one's own total and no
    case's. ``amounts`` is kept for events that reach cases
    through an alias or a carrier: amounts by normalised value of the name. ``from_names`` and ``to_names`` hold the
    interned names at either end of stated pairs name → name (for endings such as *superseded*). ``uniques`` holds (key
    type, interned key, scope text) of values declared unique within a scope. ``shared``: the event names other cases
    beside this one, or stands at several values of one type.
    """

    seq: int
    source: str
    id: str
    type: str
    time: int
    received: int
    failed: bool = False
    category: str | None = None
    system: str | None = None
    instance: str | None = None
    amount: str | None = None
    currency: str | None = None
    hours: str | None = None
    fields: dict[str, FieldValue] = {}
    aliases: tuple[int, ...] = ()
    carriers: tuple[int, ...] = ()
    relations: tuple[int, ...] = ()
    amounts: dict[str, str] | None = None
    from_names: tuple[str, ...] = ()
    to_names: tuple[str, ...] = ()
    uniques: tuple[tuple[str, str, str], ...] = ()
    trace_id: str | None = None
    synthetic: bool = False
    message: str | None = None  # of a failure, as its system words it, cut to what a line holds
    shared: bool = False


class Via(StrEnum):
    """The role of the key by which an event came to a case."""

    NAME = "name"
    ALIAS = "alias"
    CARRIER = "carrier"


class Member(NamedTuple):
    """One fact of a case, how it came, and whether a person's statement took it off the case (``denied``)."""

    fact: Fact
    via: Via
    denied: bool = False


class CaseState(StrEnum):
    OPEN = "open"
    DONE = "done"
    ENDED = "ended"
    PROVISIONAL = "provisional"
    NOT_APPLICABLE = "not_applicable"


class StepStatus(StrEnum):
    WAITING = "waiting"
    PARTIAL = "partial"
    DONE = "done"
    UNCONFIRMED = "unconfirmed"
    OVERDUE = "overdue"
    FAILED = "failed"
    SKIPPED = "skipped"


class DeviationKind(StrEnum):
    OVERDUE = "overdue"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    OUT_OF_ORDER = "out_of_order"
    MISSING_MASTER_DATA = "missing_master_data"
    CONFLICTING_KEYS = "conflicting_keys"
    POLICY_VIOLATION = "policy_violation"
    ORPHAN = "orphan"


class StepState(msgspec.Struct, frozen=True):
    """Where one step of one round stands. Times are microseconds; ``reason`` says why it is unconfirmed or failed."""

    step: str
    kind: str
    status: StepStatus
    waits_for: str
    systems: tuple[str, ...]
    optional: bool = False
    first: int | None = None
    last: int | None = None
    due: int | None = None
    systems_seen: tuple[str, ...] = ()
    reason: str | None = None
    blind_since: int | None = None
    events: tuple[int, ...] = ()  # indexes into the members as ``in_order`` sorts them, successes and failures


class RoundState(msgspec.Struct, frozen=True):
    """One pass of the case through its process; ``opened_by`` is the index of the event that opened it.

    Indexes count the members as ``in_order`` (lineage/rounds.py) sorts them.
    """

    round: int
    steps: tuple[StepState, ...]
    opened_by: int | None = None


class Accepted(NamedTuple):
    """That a person settled a deviation: how, who, when (microseconds), why, and by which statement (its id)."""

    accepted_as: AcceptedAs
    by: str
    at: int
    why: str
    statement: str


class Deviation(msgspec.Struct, frozen=True):
    """Where a case left its process; ``since`` in microseconds; ``open`` False once it closed.

    ``ended``: it closed with its round or its case, without evidence for the step. ``accepted``: a person closed it.
    """

    kind: DeviationKind
    step: str | None
    round: int | None
    since: int
    reason: str
    open: bool = True
    ended: bool = False
    accepted: Accepted | None = None


class Exposure(msgspec.Struct, frozen=True):
    """What is held up. ``amount`` None: unknown, which is never zero. ``hours`` None: unknown or not told."""

    amount: str | None
    currency: str | None
    hours: str | None


class Waits(msgspec.Struct, frozen=True):
    """What the case waits for, and whose turn it is."""

    step: str
    round: int
    waits_for: str
    systems: tuple[str, ...]
    owner: str | None
    due: int | None


class Expected(msgspec.Struct, frozen=True):
    """A period of what should recur that has not come: one past due, or the next one ahead.

    ``key`` is the interned key that it is expected of, None: the case itself. ``reason`` says why it is unconfirmed.
    """

    expect: str
    period: int
    key: str | None
    status: StepStatus  # waiting, unconfirmed, overdue
    waits_for: str
    systems: tuple[str, ...]
    owner: str | None
    due: int
    reason: str | None = None
    blind_since: int | None = None


class Derived(msgspec.Struct, frozen=True):
    """The derived state of one case.

    ``exposure``: None where nothing is held. ``wake_at``: the earliest future instant at which time alone may change
    this state. ``sight``: (source, instant) pairs: the state may change once that source's watermark reaches it.
    """

    state: CaseState
    version: str
    rounds: tuple[RoundState, ...]
    deviations: tuple[Deviation, ...]
    exposure: Exposure | None
    waits: Waits | None
    ended_as: str | None
    began: int | None
    last: int | None
    synthetic: bool
    wake_at: int | None
    sight: tuple[tuple[str, int], ...] = ()
    expected: tuple[Expected, ...] = ()


class Watermark(NamedTuple):
    """Up to when we know that we have seen everything of a step's reporting sources.

    ``source`` is the lowest of them, ``at`` its watermark (None: it never reported). ``blind_since``: when it fell
    silent for longer than its cadence. ``declared`` False: estate.yaml names no source for that role and entity.
    """

    at: int | None
    source: str | None
    blind_since: int | None
    declared: bool


class Sight(Protocol):
    """What we can see of the firm's sources at one moment."""

    def watermark(self, roles: tuple[str, ...], legal_entity: str | None) -> Watermark: ...


class Calendars(Protocol):
    """Business time of the firm (throughline/core/estate.py)."""

    def add(self, start: int, duration: Duration, region: str | None) -> int:
        """Return the instant a duration after ``start``, in the business time of a region."""
        ...

    def cutoff(
        self, name: str, start: int, calendar: str | None, legal_entity: str | None, region: str | None
    ) -> int | None:
        """Return the first cut-off at or after ``start``: of a named calendar, else the entity's, else the region's."""
        ...

    def field_due(self, value: object, region: str | None) -> int | None:
        """Return when a field falls due: an RFC 3339 time, or a date (its local day's end); None if unreadable."""
        ...

    def field_day(self, value: object, region: str | None) -> date | None:
        """Return the day in a field: a date, or the local day of an RFC 3339 time; None if unreadable."""
        ...

    def day_of(self, instant: int, region: str | None) -> date:
        """Return the local day of an instant."""
        ...

    def has_business_day(self, first: date, last: date, region: str | None) -> bool:
        """Return whether there is a business day from ``first`` to ``last``, both included."""
        ...
