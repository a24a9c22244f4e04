"""A case as KPIs see it: what lineage joined and decided, and nothing that a clock could change; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from kpis.declaration import Dimension
from kpis.latency import Traced
from kpis.money import Money
from lineage.amounts import decimal_of, latest_hours, latest_share
from lineage.case_facts import facts_of, seen_by_conditions
from lineage.due import Place, place_of
from lineage.fact import CaseState, Derived, Deviation, Exposure, Member, StepStatus
from lineage.process import Process
from lineage.rounds import Course, follow, in_order
from throughline.core.event import FieldValue
from throughline.core.key import Key


class Unconfirmed(NamedTuple):
    """A step that is past due, where the systems that would report it have not told so far."""

    step: str
    systems: tuple[str, ...]
    due: int


@dataclass(frozen=True, slots=True)
class Case:
    """One case. ``name`` is its interned name; ``facts`` are what conditions see; ``keys`` its values by key type.

    ``by_id`` holds the keys beside its name by the ids under which its events name them.

    ``amount`` and ``hours`` are the latest that its events tell of this very case; None: they are unknown. ``exposure``
    is what it holds up; ``counted_elsewhere``: sums count that in another case, downstream. ``unconfirmed``: what may
    be late as well. ``dimensions`` are those that are the same for all that it contributes. ``memo`` is for what
    several KPIs work out of it alike.
    ``traced`` holds the spans of the traces that its latencies are split by, by the ids of these.
    """

    process: Process
    name: str
    state: CaseState
    synthetic: bool
    course: Course
    place: Place
    facts: Mapping[str, object]
    keys: Mapping[str, tuple[str, ...]]
    by_id: Mapping[int, Key]
    amount: Money | None
    hours: Decimal | None
    deviations: tuple[Deviation, ...]
    unconfirmed: tuple[Unconfirmed, ...]
    exposure: Exposure | None
    counted_elsewhere: bool
    dimensions: Mapping[Dimension, str | None]
    memo: dict[object, Any] = field(default_factory=dict[object, Any], compare=False)
    traced: Mapping[str, Traced] = field(default_factory=dict[str, Traced])


def case_of(
    process: Process,
    name: str,
    members: Iterable[Member],
    derived: Derived,
    keys: Mapping[int, Key],
    *,
    counted_elsewhere: bool = False,
    traced: Mapping[str, Traced] | None = None,
) -> Case:
    """Return the case of an interned name from its members in any order, and what lineage derived from them.

    ``keys``: its aliases, carriers and relations by id; the name is added to them, unless it is the word of an alias.
    """
    version, ordered = in_order(process, members)
    facts = facts_of(ordered)
    own = Key.decode(name)
    place, by_type = place_of(facts), _by_type([own, *keys.values()] if own.type == process.name_key else keys.values())
    share = latest_share(version, reversed(ordered), name)
    hours = latest_hours(reversed(ordered))
    return Case(
        process=process,
        name=name,
        state=derived.state,
        synthetic=derived.synthetic,
        course=follow(version, ordered, name),
        place=place,
        facts=seen_by_conditions(version, ordered, name, facts),
        keys=by_type,
        by_id=keys,
        amount=None if share is None else money_of(*share),
        hours=None if hours is None else decimal_of(hours),
        deviations=derived.deviations,
        unconfirmed=_unconfirmed(derived),
        exposure=derived.exposure,
        counted_elsewhere=counted_elsewhere,
        dimensions=_dimensions(process, place, facts, by_type),
        traced={} if traced is None else traced,
    )


def _unconfirmed(derived: Derived) -> tuple[Unconfirmed, ...]:
    """Return the steps of an open case that may be late: of its last round, and of what should recur."""
    if derived.state is not CaseState.OPEN:
        return ()
    steps = derived.rounds[-1].steps if derived.rounds else ()
    found = [(each.step, each.systems, each.due) for each in steps if each.status is StepStatus.UNCONFIRMED]
    found += [
        (each.expect, each.systems, each.due) for each in derived.expected if each.status is StepStatus.UNCONFIRMED
    ]
    return tuple(Unconfirmed(step, systems, due) for step, systems, due in found if due is not None)


def _dimensions(
    process: Process, place: Place, facts: Mapping[str, FieldValue], keys: Mapping[str, tuple[str, ...]]
) -> dict[Dimension, str | None]:
    customers = keys.get("customer", ())
    return {
        Dimension.PROCESS: process.name,
        Dimension.REGION: place.region,
        Dimension.LEGAL_ENTITY: place.legal_entity,
        Dimension.PRACTICE: text_of(facts.get("practice")),
        Dimension.CUSTOMER: customers[0] if len(customers) == 1 else None,
    }


def money_of(amount: str, currency: str) -> Money | None:
    """Return an amount of money; None where its text is no number."""
    number = decimal_of(amount)
    return None if number is None else Money(number, currency)


def text_of(value: object) -> str | None:
    """Return a fact as the value of a dimension; None where there is none, or a list."""
    return None if value is None or isinstance(value, list) else str(value)


def _by_type(keys: Iterable[Key]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key in sorted(set(keys)):
        found[key.type] = (*found.get(key.type, ()), key.value)
    return found
