"""The fixed workload of business events: which events there are, and in which order they arrive.

Groups of 40 cases: 38 time entries, a milestone and an opportunity, 8 events each, and one invoice that reaches 39 of
them through their billing event. Two consecutive events of a case are some 480 other events apart, so that a full batch
of the engine (8,000) sees most events of a case; ``FAR`` apart it sees one, as where old work is caught up on.
5 % of the events arrive late, after their successors; 1 % arrive twice. One case in 50 is a month old, so that
deadlines pass.

The same seed, first group and begin give the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import NamedTuple

from throughline.core.instants import DAY, HOUR, format_instant

GROUP = 40
STEPS = 8
TIME_ENTRIES = 38
APART = 60  # cases begun between two steps of a case; eight times as many events
FAR = 1_200
DUPLICATES = 0.01
LATE = 0.05
SPAN = 2 * HOUR  # the time in which all that is not old happens
OLD_EVERY, OLD_BY = 50, 30 * DAY

_REMEMBERED = 500  # recent events, of which some arrive again
_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd: multiplying by it scatters trace ids over 128 bits
_MASK = (1 << 128) - 1


class Entity(NamedTuple):
    """A legal entity, and where its ERP speaks from."""

    name: str
    region: str
    currency: str
    erp: str


ENTITIES = (
    Entity("DE01", "EMEA", "EUR", "erp-emea"),
    Entity("US01", "AMER", "USD", "erp-amer"),
    Entity("UK01", "EMEA", "GBP", "erp-emea"),
    Entity("JP01", "APAC", "JPY", "erp-apac"),
)


@dataclass(frozen=True, slots=True)
class Workload:
    """How many events, from which group of cases on; ``begin`` is the time of the first, in microseconds."""

    events: int
    begin: int
    seed: int = 1
    first_group: int = 0
    apart: int = APART

    @property
    def groups(self) -> int:
        """How many groups of cases the events make up, the last ones perhaps in part."""
        whole = (GROUP * STEPS + 1) * (1 + DUPLICATES)
        return -(-self.events // int(whole)) + 1


class Arrival(NamedTuple):
    """One event as its sender writes it; ``cases`` is how many cases it belongs to, 0 if it came before."""

    body: bytes
    cases: int


def arrivals(workload: Workload) -> Iterator[Arrival]:
    """Yield the events of a workload as JSON CloudEvents, in the order in which they arrive."""
    random = Random(workload.seed)
    recent: deque[bytes] = deque(maxlen=_REMEMBERED)
    left = workload.events
    for event in _late(_in_time(workload), random, workload.apart * STEPS):
        if not left:
            return
        yield event
        left -= 1
        recent.append(event.body)
        if left and random.random() < DUPLICATES:
            yield Arrival(recent[random.randrange(len(recent))], 0)
            left -= 1


def _late(events: Iterator[Arrival], random: Random, most: int) -> Iterator[Arrival]:
    """Hold some events back, by up to ``most`` * 3 others: as many as lie between four steps of a case."""
    held: dict[int, list[Arrival]] = {}
    number = 0
    for number, event in enumerate(events):
        if random.random() < LATE:
            held.setdefault(number + 1 + random.randrange(3 * most), []).append(event)
        else:
            yield event
        yield from held.pop(number, ())
    for at in sorted(held):
        yield from held[at]


def _in_time(workload: Workload) -> Iterator[Arrival]:
    """Yield the events in the order in which they happen: one case begins at each tick, and goes on later."""
    first = workload.first_group * GROUP
    cases = workload.groups * GROUP
    ticks = cases + STEPS * workload.apart
    tick = max(SPAN // ticks, 1)
    for at in range(ticks):
        time = workload.begin + at * tick
        for step in range(STEPS):
            number = at - step * workload.apart
            if 0 <= number < cases:
                yield Arrival(_event_of_case(first + number, step, time), 1)
        ended = at - (STEPS - 1) * workload.apart - 1
        if ended >= 0 and ended % GROUP == GROUP - 1:
            yield Arrival(_invoice((first + ended) // GROUP, time), TIME_ENTRIES + 2)


# What the events of a case say.


class Said(NamedTuple):
    """One event: its type, who tells it, which transfer it belongs to, and the rest of its data as JSON members.

    A transfer is what one hop between systems shares: trace and correlation id. A time entry has three: submitted and
    approved, carried to the ERP and posted there, released.
    """

    type: str
    system: str
    transfer: int
    data: str


def _event_of_case(number: int, step: int, time: int) -> bytes:
    place = number % GROUP
    if place < TIME_ENTRIES:
        said = _TIME_ENTRY[step](number)
    elif place == TIME_ENTRIES:
        said = _milestone(number, step)
    else:
        said = _opportunity(number, step)
    if number % OLD_EVERY == 0:
        time -= OLD_BY
    return _written(f"{number:x}-{step}", said, _entity(number), _transfer(number, said.transfer), time)


def _invoice(group: int, time: int) -> bytes:
    entity = ENTITIES[group % len(ENTITIES)]
    said = Said("invoice.issued", "erp", 9, f'"billing_event":"B-{group:06}","invoice":"INV-{group:06}"')
    return _written(f"i{group:x}", said, entity, _transfer(group * GROUP, 9), time)


def _entity(number: int) -> Entity:
    return ENTITIES[number // GROUP % len(ENTITIES)]


def _transfer(number: int, which: int) -> int:
    """Return the number of the transfer between systems that told of a step; it names the trace and correlation."""
    return (number << 4 | which) * _SPREAD & _MASK


def _written(event_id: str, said: Said, entity: Entity, transfer: int, time: int) -> bytes:
    source = entity.erp if said.system == "erp" else said.system
    return (
        f'{{"specversion":"1.0","id":"{event_id}","source":"/bench/{source}","type":"{said.type}",'
        f'"time":"{_at(time // 1_000_000)}.{time // 1000 % 1000:03}Z","correlationid":"{transfer >> 64:016x}",'
        f'"traceparent":"00-{transfer:032x}-{transfer >> 32 & 0xFFFFFFFFFFFFFFFF | 1:016x}-01",'
        f'"data":{{{said.data},"region":"{entity.region}","legal_entity":"{entity.name}","practice":"cloud",'
        f'"system":"{said.system}","instance":"{source}","flow":"bench-{said.system}"}}}}'
    ).encode()


@lru_cache(4096)
def _at(second: int) -> str:
    return format_instant(second * 1_000_000).removesuffix("Z")


def _time_entry(number: int) -> str:
    return f'"time_entry":"TE-{number:08}"'


def _submitted(number: int) -> Said:
    entity = _entity(number)
    return Said(
        "time.submitted",
        "psa",
        0,
        f'{_time_entry(number)},"timesheet":"TS-{number // 5:07}",{_whose(number)},"worker":"W-{number % 997}",'
        f'"assignment":"A-{number % 2003}","hours":"7.5","amount":"{900 + number % 600}.00",'
        f'"currency":"{entity.currency}","rate":"150.00","billable":true',
    )


def _whose(number: int) -> str:
    return f'"project":"PRJ-{number // 400}","customer":"CU-{number // 4000}"'


def _approved(number: int) -> Said:
    return Said("time.approved", "psa", 0, f'{_time_entry(number)},"timesheet":"TS-{number // 5:07}"')


def _rejected(number: int) -> Said:
    return Said("time.rejected", "psa", 0, f'{_time_entry(number)},"reason":"wrong project"')


def _sent_to_erp(number: int) -> Said:
    return Said("time.approved", "psa", 1, f'{_time_entry(number)},{_whose(number)},"batch":"RUN-{number // 200}"')


def _refused_by_erp(number: int) -> Said:
    return Said(
        "time.posted",
        "erp",
        1,
        f'{_time_entry(number)},{_whose(number)},"batch":"RUN-{number // 200}","outcome":"failure",'
        '"error":{"category":"timeout","code":"504","message":"the ERP did not answer","retryable":true,"attempt":1}',
    )


def _posted(number: int) -> Said:
    return Said(
        "time.posted",
        "erp",
        1,
        f'{_time_entry(number)},"erp_document":"D-{number:08}",{_whose(number)},"batch":"RUN-{number // 200}",'
        f'"contract":"CON-{number // 2000}"',
    )


def _registered(number: int) -> Said:
    return Said("document.registered", "erp", 1, f'{_time_entry(number)},"erp_document":"D-{number:08}"')


def _posted_in_ledger(number: int) -> Said:
    return Said("time.posted", "erp", 1, f'"erp_document":"D-{number:08}","ledger":"L-4","period":"2026-11"')


def _released(number: int) -> Said:
    return Said("billing.released", "erp", 2, f'{_time_entry(number)},"billing_event":"B-{number // GROUP:06}"')


_PLAIN = (
    _submitted,
    _approved,
    _sent_to_erp,
    _posted,
    _registered,
    _posted_in_ledger,
    _released,
    _released,
)
_TROUBLED = (
    _submitted,
    _refused_by_erp,
    _approved,
    _refused_by_erp,
    _posted,
    _registered,
    _posted_in_ledger,
    _released,
)
_RETURNED = (
    _submitted,
    _rejected,
    _submitted,
    _approved,
    _posted,
    _registered,
    _posted_in_ledger,
    _released,
)


def _story(number: int) -> tuple[Callable[[int], Said], ...]:
    """Return how a time entry goes: one in ten is rejected once, one in twenty fails twice on its way."""
    return _RETURNED if number % 10 == 3 else _TROUBLED if number % 20 == 7 else _PLAIN


def _step(step: int) -> Callable[[int], Said]:
    return lambda number: _story(number)[step](number)


_TIME_ENTRY = tuple(_step(step) for step in range(STEPS))

_MILESTONE = (
    ("milestone.completed", "psa", ""),
    ("milestone.rejected", "psa", ""),
    ("milestone.completed", "psa", ""),
    ("milestone.rejected", "psa", ""),
    ("milestone.completed", "psa", ',"amount":"20000.00","currency":"EUR"'),
    ("milestone.approved", "psa", ""),
    ("billing.released", "erp", ',"billing_event":"B-{group:06}"'),
    ("revenue.recognised", "erp", ',"amount":"20000.00","currency":"EUR"'),
)


def _milestone(number: int, step: int) -> Said:
    kind, system, more = _MILESTONE[step]
    more = more.format(group=number // GROUP)
    return Said(kind, system, step // 2, f'"milestone":"M-{number:08}","project":"PRJ-{number // 400}"{more}')


_OPPORTUNITY = (
    ("opportunity.approved", "crm", '"customer":"CU-{customer}","amount":"480000.00","currency":"EUR"'),
    ("customer.validated", "erp", '"customer":"CU-{customer}"'),
    ("project.created", "psa", '"outcome":"failure","error":{{"category":"missing_master_data","code":"C-17"}}'),
    ("project.created", "psa", '"project":"PRJ-O{number}"'),
    ("project.activated", "erp", '"project":"PRJ-O{number}"'),
    ("staffing.requested", "scheduling", '"project":"PRJ-O{number}","staffing_request":"SR-{number}"'),
    ("billing_schedule.created", "erp", '"contract":"CON-O{number}"'),
    ("margin_baseline.published", "fpna", '"margin":"0.31"'),
)


def _opportunity(number: int, step: int) -> Said:
    kind, system, more = _OPPORTUNITY[step]
    more = more.format(number=number, customer=number // 4000)
    return Said(kind, system, step // 2, f'"opportunity":"OPP-{number:08}",{more}')


# By what a record can be asked for.


def keys_of_case(number: int) -> list[tuple[str, str]]:
    """Return keys, as type and value, that lead to a time entry's case once all of its events are folded."""
    group = number // GROUP
    return [
        ("time_entry", f"TE-{number:08}"),
        ("erp_document", f"D-{number:08}"),
        ("timesheet", f"TS-{number // 5:07}"),
        ("billing_event", f"B-{group:06}"),
        ("correlation_id", f"{_transfer(number, 1) >> 64:016x}"),
    ]


def trace_of_case(number: int) -> str:
    """Return the trace id of the transfer in which a time entry was posted."""
    return f"{_transfer(number, 1):032x}"


class OneInvoice(NamedTuple):
    """An invoice that reaches many cases, the events that these begin with, and names of some of the cases."""

    cases: list[bytes]
    invoice: bytes
    names: list[str]


def one_invoice(cases: int, tag: str, time: int) -> OneInvoice:
    """Return so many time entries, submitted, posted and released under one billing event, and its invoice."""
    entity = ENTITIES[0]
    names = [f"TE-{tag}-{number}" for number in range(cases)]
    begun: list[bytes] = []
    for number, name in enumerate(names):
        for step, (kind, system, more) in enumerate(
            (
                ("time.submitted", "psa", f'"project":"PRJ-{tag}","amount":"900.00","currency":"EUR"'),
                ("time.approved", "psa", f'"timesheet":"TS-{tag}-{number // 5}"'),
                ("time.posted", "erp", f'"erp_document":"D-{tag}-{number}"'),
                ("billing.released", "erp", f'"billing_event":"B-{tag}"'),
            )
        ):
            said = Said(kind, system, 0, f'"time_entry":"{name}",{more}')
            begun.append(_written(f"{tag}-{number}-{step}", said, entity, number + 1, time + step))
    said = Said("invoice.issued", "erp", 0, f'"billing_event":"B-{tag}","invoice":"INV-{tag}"')
    return OneInvoice(begun, _written(f"{tag}-i", said, entity, 7, time + 10), names)
