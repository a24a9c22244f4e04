"""What a process declares, read and checked: the values that linking and derivation work with.

The YAML form, its JSON Schema and its faults are in ``lineage/definitions.py``; these types are what it gives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, Protocol

from throughline.core.calendar import Duration, Unit
from throughline.core.instants import HOUR
from throughline.core.key import KeyType

_ASKS_SYSTEMS = re.compile(r"\bsystem\b")
_SHORTEST_DAY = 22 * HOUR  # no zone leaps further than two hours into summer time


class StepKind(StrEnum):
    INITIAL = "initial"
    STANDARD = "standard"
    TERMINAL = "terminal"
    ERROR = "error"
    TERMINAL_ERROR = "terminal-error"


ERROR_KINDS = frozenset({StepKind.ERROR, StepKind.TERMINAL_ERROR})


class WaitsFor(StrEnum):
    """For whom a step waits; only ``system`` may wake on-call."""

    SYSTEM = "system"
    PERSON = "person"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Deadline:
    """Exactly one of the three is set: ``within`` a duration of the predecessor, by a field, or to a cut-off."""

    within: Duration | None = None
    by_field: str | None = None
    by_cutoff: str | None = None


class Expression(Protocol):
    """A compiled CEL condition over ``facts`` (a map of the case's latest facts)."""

    source: str

    def holds(self, facts: Mapping[str, object]) -> bool | None:
        """Return the outcome; None where the facts do not allow one (a missing field, a type that does not fit)."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One milestone. ``systems`` are roles: with more than one, the step is done when each has reported."""

    name: str
    kind: StepKind
    types: frozenset[str]
    systems: tuple[str, ...]
    waits_for: WaitsFor = WaitsFor.SYSTEM
    deadline: Deadline | None = None
    optional: bool = False
    owner: str | None = None
    amount_covers: bool = False  # complete_when: amount_covers


@dataclass(frozen=True, slots=True)
class NewRound:
    """What opens the next round: one of the types ``after`` (a rejection), or ``each`` initial step.

    After a rejection the initial step is due ``deadline`` later and waits for ``waits_for``.
    """

    after: frozenset[str] = frozenset()
    each: bool = False
    deadline: Deadline | None = None
    waits_for: WaitsFor = WaitsFor.PERSON


@dataclass(frozen=True, slots=True)
class Ending:
    """A type that ends a case, other than a terminal step. ``end`` (from, to) ends only that end of a stated pair."""

    type: str
    ended_as: str  # cancelled, voided, written_off, superseded, …
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    message: str
    condition: Expression
    step: str | None = None  # checked once this step is seen; None: always


class Every(StrEnum):
    """The stretches of time in each of which something is expected again."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What should recur once a step was seen: one of ``types`` in every period, of the case or of each object.

    ``per`` is the key type of these objects, None: the case itself. ``from_field`` and ``until_field`` name the fields
    that say from when until when, ``period_field`` the one by which an event tells its period. ``ended_by`` are types
    that end it for the object that they bear. ``within`` is how long after a period's end it is due.
    """

    name: str
    types: frozenset[str]
    systems: tuple[str, ...]
    every: Every
    after: str
    per: str | None = None
    from_field: str | None = None
    until_field: str | None = None
    period_field: str | None = None
    ended_by: frozenset[str] = frozenset()
    within: Duration | None = None
    waits_for: WaitsFor = WaitsFor.SYSTEM
    owner: str | None = None


class Meaning(NamedTuple):
    """What one event type means in one version: its rank among events of equal time, and what it does to a case.

    Types without a meaning rank before all steps (-1); a rejection ranks after all steps, an ending after that.
    """

    rank: int
    steps: tuple[int, ...]
    rejects: bool
    ending: Ending | None


@dataclass(frozen=True)
class Version:
    """One version of a process, in force from ``effective_from`` (microseconds; None: from the beginning)."""

    number: str
    effective_from: int | None
    steps: tuple[Step, ...]
    owner: str | None = None
    applies_when: Expression | None = None
    new_round: NewRound = NewRound()
    ended_by: tuple[Ending, ...] = ()
    checks: tuple[Check, ...] = ()
    expects: tuple[Expectation, ...] = ()

    def owner_of(self, part: str | None) -> str | None:
        """Return the team that owns a step or an expectation, else the process; None: nobody says."""
        own = (each.owner for each in (*self.steps, *self.expects) if each.name == part)
        return next((owner for owner in own if owner is not None), self.owner)

    @cached_property
    def asks_systems(self) -> bool:
        """Return whether a condition may look at what each system told (``facts.system``)."""
        conditions = [check.condition for check in self.checks]
        if self.applies_when is not None:
            conditions.append(self.applies_when)
        return any(_ASKS_SYSTEMS.search(condition.source) for condition in conditions)

    @cached_property
    def step_of_type(self) -> dict[str, tuple[int, ...]]:
        """Return the indexes of the steps that each event type reports."""
        table: dict[str, tuple[int, ...]] = {}
        for index, step in enumerate(self.steps):
            for event_type in step.types:
                table[event_type] = (*table.get(event_type, ()), index)
        return table

    @cached_property
    def ending_of_type(self) -> dict[str, Ending]:
        return {ending.type: ending for ending in self.ended_by}

    @cached_property
    def meanings(self) -> dict[str, Meaning]:
        """Return what each event type of this version means."""
        return {kind: self._meaning(kind) for kind in (*self.step_of_type, *self.new_round.after, *self.ending_of_type)}

    def _meaning(self, event_type: str) -> Meaning:
        steps = self.step_of_type.get(event_type, ())
        rejects = event_type in self.new_round.after
        ending = self.ending_of_type.get(event_type)
        if ending is not None:
            return Meaning(len(self.steps) + 1, steps, rejects, ending)
        return Meaning(len(self.steps) if rejects else steps[0], steps, rejects, None)

    @cached_property
    def terminals(self) -> tuple[int, ...]:
        """Return the indexes of the terminal steps."""
        return tuple(i for i, step in enumerate(self.steps) if step.kind is StepKind.TERMINAL)

    @cached_property
    def terminal(self) -> int | None:
        """Return the index of the first terminal step."""
        return self.terminals[0] if self.terminals else None

    @cached_property
    def terminal_errors(self) -> frozenset[int]:
        """Return the indexes of the steps with which a case ends in an error."""
        return frozenset(i for i, step in enumerate(self.steps) if step.kind is StepKind.TERMINAL_ERROR)

    @cached_property
    def path(self) -> tuple[int, ...]:
        """Return the indexes of the steps that show how far a round came: neither error steps nor optional."""
        return tuple(i for i, step in enumerate(self.steps) if not step.optional and step.kind not in ERROR_KINDS)

    @cached_property
    def required(self) -> tuple[int, ...]:
        """Return the indexes of the steps that a round must pass: the path up to the first terminal step."""
        return tuple(i for i in self.path if self.terminal is None or i <= self.terminal)

    @cached_property
    def places(self) -> tuple[int | None, ...]:
        """Return the place of each step on the path, None for one that is not on it."""
        place = {index: place for place, index in enumerate(self.path)}
        return tuple(place.get(index) for index in range(len(self.steps)))

    @cached_property
    def shortest(self) -> tuple[int | None, ...]:
        """Return the least elapsed microseconds that each step's ``within`` can mean; None where it has none."""
        return tuple(
            None if step.deadline is None or step.deadline.within is None else _least(step.deadline.within)
            for step in self.steps
        )

    def is_due_by_field(self, index: int) -> bool:
        deadline = self.steps[index].deadline
        return deadline is not None and deadline.by_field is not None

    @cached_property
    def covering(self) -> frozenset[int]:
        """Return the indexes of the steps that are done when amounts cover."""
        return frozenset(i for i, step in enumerate(self.steps) if step.amount_covers)


def _least(duration: Duration) -> int:
    """Return the shortest elapsed time that a length of business time can take."""
    return duration.count * (_SHORTEST_DAY if duration.unit is Unit.BUSINESS_DAYS else HOUR)


class Follow(NamedTuple):
    """That a process goes on with the work of another: its cases hold, by a type of key, what cases of that hold."""

    process: str
    by: str


@dataclass(frozen=True)
class Process:
    """A process: its keys by role, its links, and its versions, oldest first."""

    name: str
    title: str
    name_key: str
    aliases: tuple[str, ...]
    carriers: tuple[str, ...]  # most specific first
    relations: tuple[str, ...]
    versions: tuple[Version, ...]
    passes: frozenset[tuple[str, str]] = frozenset()
    links: frozenset[str] = frozenset()
    unique: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])  # key type → scope fields
    follows: tuple[Follow, ...] = ()

    @cached_property
    def types(self) -> frozenset[str]:
        """Return every event type the process declares, over all its versions, ``links`` included."""
        found: set[str] = set(self.links)
        for version in self.versions:
            for step in version.steps:
                found |= step.types
            found |= version.new_round.after
            found |= {ending.type for ending in version.ended_by}
            for expectation in version.expects:
                found |= expectation.types | expectation.ended_by
        return frozenset(found)

    @cached_property
    def only_expected(self) -> frozenset[str]:
        """Return the types that this process knows by ``expects`` alone: nobody misses a case of it for them."""
        found = set(self.types - self.links)
        for version in self.versions:
            found -= version.meanings.keys()
        return frozenset(found)

    @cached_property
    def expects_by(self) -> frozenset[str]:
        """Return the key types by whose values expectations count."""
        every = (expectation for version in self.versions for expectation in version.expects)
        return frozenset(expectation.per for expectation in every if expectation.per is not None)

    def leads_by(self, key_type: str) -> bool:
        """Tell whether a key of a type may tell which piece of work a case is about: relations are context only."""
        return self.roles.get(key_type, "relation") != "relation"

    @cached_property
    def roles(self) -> dict[str, str]:
        """Return the role (name, alias, carrier, relation) of each key type."""
        roles = dict.fromkeys(self.relations, "relation")
        roles.update(dict.fromkeys(self.carriers, "carrier"))
        roles.update(dict.fromkeys(self.aliases, "alias"))
        roles[self.name_key] = "name"
        return roles

    def version_at(self, instant: int) -> Version:
        """Return the version in force at an instant; before the first one, the first."""
        chosen = self.versions[0]
        for version in self.versions:
            if version.effective_from is None or version.effective_from <= instant:
                chosen = version
        return chosen


@dataclass(frozen=True)
class Definitions:
    """Everything of a definitions folder that lineage needs."""

    processes: Mapping[str, Process]
    key_types: Mapping[str, KeyType]

    @cached_property
    def processes_of_type(self) -> dict[str, tuple[Process, ...]]:
        """Return the processes that declare each event type."""
        table: dict[str, tuple[Process, ...]] = {}
        for process in self.processes.values():
            for event_type in process.types:
                table[event_type] = (*table.get(event_type, ()), process)
        return table

    @cached_property
    def owners(self) -> frozenset[str]:
        """Return every team that owns a process, a step or an expectation."""
        versions = [version for process in self.processes.values() for version in process.versions]
        owners = {part.owner for each in versions for part in (each, *each.steps, *each.expects)}
        return frozenset(owner for owner in owners if owner is not None)

    @cached_property
    def followers(self) -> dict[str, tuple[Follow, ...]]:
        """Return, by process, those that follow it. One of the pack's that does not fit a firm's own is left out."""
        table: dict[str, tuple[Follow, ...]] = {}
        for process in self.processes.values():
            for name, by in process.follows:
                upstream = self.processes.get(name)
                if upstream is not None and upstream.leads_by(by) and process.leads_by(by):
                    table[name] = (*table.get(name, ()), Follow(process.name, by))
        return table
