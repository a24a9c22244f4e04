"""Makers of small worlds for hypothesis: few values and many events, so that everything meets everything.

A world holds what the rules speak of: late ties, conflicts, two alias types, several carriers that pass to each other
and to themselves, scopes, placeholders, stated pairs, failures, several values on a side, contents under one id, types
that no process declares, and statements of every kind. What can be left out is left out first when a failure shrinks.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

from hypothesis import strategies as st

from tests.identity_model.declaration import Declaration, ProcessDeclaration
from throughline.core.event import Event, Failure, FieldValue, Relation, content_digest
from throughline.core.instants import HOUR, MINUTE
from throughline.core.key import KeyType
from throughline.core.statement import End, EventRef, Statement, Verb

WORK = ProcessDeclaration(
    name="work",
    name_key="entry",
    aliases=("doc", "pay"),
    carriers=("bill", "inv", "lot", "run"),
    relations=("cust",),
    links=frozenset({"work.linked"}),
    types=frozenset({"work.done", "both.done", "work.linked"}),
)
CASH = ProcessDeclaration(
    name="cash",
    name_key="inv",
    aliases=("pay",),
    carriers=("bill", "run"),
    relations=("cust", "entry"),
    types=frozenset({"cash.done", "both.done"}),
)
KEY_TYPES = {
    "entry": KeyType("entry", normalise=("upper",)),
    "doc": KeyType("doc", strip_prefix="no-"),
    "inv": KeyType("inv", scope=("entity",)),
}
# The more often a value or a type is written here, the more often it is drawn.
VALUES = {
    "entry": ("E1", "E1", "E2", "E2", "E3", "e1", "n/a", " N/A"),
    "doc": ("D1", "D1", "D2", "D2", "no-D1", "unknown"),
    "pay": ("P1", "P1", "P2", "P2", ""),
    "bill": ("B1", "B1", "B1", "B2", "0"),
    "inv": ("I1", "I1", "I1", "I2", "I2", "n/a"),
    "lot": ("L1",),
    "run": ("R1", "R1", "R2", "null"),
    "cust": ("C1", "n/a"),
}
TYPES = ("work.done", "work.done", "work.done", "both.done", "both.done", "cash.done", "work.linked", "nobody.knows")
PASSES = (("bill", "inv"), ("inv", "inv"), ("inv", "lot"), ("inv", "bill"), ("run", "run"), ("lot", "bill"))
ENTITIES = ("A", "B", "", "unknown")
IDS = tuple(f"e{number}" for number in range(8))
SOURCES = ("/one", "/two")
NOW = 80 * HOUR + MINUTE  # events are received from 0 to 10 h: some are orphans by now, some are not
LATEST_RECEIPT = 10

# What an event most often carries: one shape for each kind of link, and each kind of post.
SHAPES = (
    ("entry",),
    ("doc",),
    ("doc",),
    ("bill",),
    ("bill",),
    ("inv",),
    ("inv",),
    ("run",),
    ("entry", "doc"),
    ("entry", "pay"),
    ("doc", "pay"),
    ("entry", "bill"),
    ("entry", "inv"),
    ("doc", "inv"),
    ("pay", "bill"),
    ("bill", "inv"),
    ("inv", "lot"),
    ("entry", "doc", "bill"),
    ("doc", "pay", "inv"),
    ("entry", "cust"),
    ("doc", "cust"),
    ("inv", "run"),
)


class World(NamedTuple):
    """What happened and was said; the model and the real thing are asked about it."""

    declaration: Declaration
    events: list[Event]
    statements: list[Statement]


class Arrival(NamedTuple):
    """One step of how a world arrives: a batch of events, or statements; ``restart``: the engine anew before it."""

    events: list[Event]
    statements: list[Statement]
    restart: bool = False


def event(
    event_type: str,
    fields: dict[str, FieldValue],
    relations: list[Relation],
    failed: bool,
    event_id: str,
    source: str,
    received: int,
) -> Event:
    """Return an event with its digest; ``received`` in hours."""

    def build(digest: bytes) -> Event:
        return Event(
            source=source,
            id=event_id,
            type=event_type,
            time=0,
            received=received * HOUR,
            digest=digest,
            failed=failed,
            fields=fields,
            relations=relations,
            error=Failure() if failed else None,
        )

    return build(content_digest(build(b"")))


@st.composite
def values(draw: st.DrawFn, key_type: str) -> FieldValue:
    """Return one value, most often, or several."""
    one = st.sampled_from(VALUES[key_type])
    if draw(st.integers(0, 2)) < 2:
        return draw(one)
    return draw(st.lists(one, min_size=1, max_size=3))


@st.composite
def ends(draw: st.DrawFn) -> tuple[str, str, dict[str, str] | None]:
    key_type = draw(st.sampled_from(sorted(VALUES)))
    value = draw(st.sampled_from(VALUES[key_type]))
    beside: dict[str, str] = {}
    if key_type == "inv" and draw(st.booleans()):
        beside["entity"] = draw(st.sampled_from(ENTITIES))
    if draw(st.integers(0, 9)) == 9:  # a second key: no end of a pair
        other = draw(st.sampled_from(sorted({*VALUES} - {key_type})))
        beside[other] = draw(st.sampled_from(VALUES[other]))
    if "entity" in beside and draw(st.booleans()):  # as sent with the scope before the key
        beside[key_type] = value
        return "entity", beside.pop("entity"), beside
    return key_type, value, beside or None


@st.composite
def relations(draw: st.DrawFn) -> Relation:
    if draw(st.booleans()):  # two of one type: what self-passes and ties within a type need
        key_type = draw(st.sampled_from(("inv", "run", "doc")))
        one = st.sampled_from(VALUES[key_type])
        return Relation(key_type, draw(one), key_type, draw(one))
    (from_type, from_value, from_scope), (to_type, to_value, to_scope) = draw(ends()), draw(ends())
    return Relation(from_type, from_value, to_type, to_value, None, from_scope, to_scope)


@st.composite
def events(draw: st.DrawFn) -> Event:
    fields: dict[str, FieldValue] = {name: draw(values(name)) for name in draw(st.sampled_from(SHAPES))}
    if draw(st.integers(0, 9)) < 9:
        fields["entity"] = draw(st.sampled_from(("A", "A", "A", "A", "A", "B", "B", " A", "n/a")))
    return event(
        event_type=draw(st.sampled_from(TYPES)),
        fields=fields,
        relations=draw(st.one_of(st.just([]), st.just([]), st.lists(relations(), max_size=2))),
        failed=draw(st.integers(0, 5)) == 5,
        event_id=draw(st.sampled_from(IDS)),
        source=draw(st.sampled_from(SOURCES)),
        received=draw(st.integers(0, LATEST_RECEIPT)),
    )


PAIRS = (
    ("entry", "bill"),
    ("entry", "doc"),
    ("doc", "inv"),
    ("doc", "pay"),
    ("bill", "inv"),
    ("inv", "inv"),
    ("entry", "inv"),
    ("pay", "bill"),
    ("doc", "doc"),
    ("inv", "pay"),
    ("run", "run"),
    ("entry", "entry"),
)


@st.composite
def statements(draw: st.DrawFn, number: int, events: list[Event]) -> Statement:
    """Return a statement; the events that it gives are those of the world, most often."""
    a, b = draw(st.sampled_from(PAIRS))
    if draw(st.booleans()):
        a, b = b, a
    covers = draw(st.sampled_from(("all", "events", "both")))
    known = sorted({EventRef(event.source, event.id) for event in events})
    refs = st.sampled_from([*known, EventRef("/one", "never seen")])
    return Statement(
        verb=draw(st.sampled_from((Verb.UNLINK, Verb.LINK))),
        a=draw(_pair_end(a)),
        b=draw(_pair_end(b)),
        all=covers != "events",
        events=tuple(draw(st.lists(refs, min_size=1, max_size=3, unique=True))) if covers != "all" else (),
        by="ana",
        authenticated=False,
        why="so",
        process=draw(st.sampled_from((None, None, "work", "cash"))),
        number=number,
        id=f"s{number}",
        at=draw(st.integers(0, 3)),
    )


@st.composite
def _pair_end(draw: st.DrawFn, key_type: str) -> End:
    value = draw(st.sampled_from(VALUES[key_type]))
    return End(
        key_type, value, {"entity": draw(st.sampled_from(("A", "A", "A", "B", "n/a")))} if key_type == "inv" else {}
    )


@st.composite
def declarations(draw: st.DrawFn, bulk_limits: tuple[int, ...]) -> Declaration:
    passes = frozenset(draw(st.lists(st.sampled_from(PASSES), max_size=4, unique=True)))
    mine = frozenset(pair for pair in passes if set(pair) <= set(CASH.carriers))
    processes = (
        ProcessDeclaration(**{**vars(WORK), "passes": passes}),
        ProcessDeclaration(**{**vars(CASH), "passes": mine}),
    )
    return Declaration(processes, KEY_TYPES, bulk_limit=draw(st.sampled_from(bulk_limits)))


@st.composite
def worlds(
    draw: st.DrawFn, max_events: int = 12, max_statements: int = 3, bulk_limits: tuple[int, ...] = (50_000,)
) -> World:
    """Return a world of a few events and statements."""
    least = draw(st.sampled_from((1, 6, max_events - 2)))
    happened = draw(st.lists(events(), min_size=least, max_size=max_events))
    count = draw(st.integers(0, max_statements))
    return World(
        declaration=draw(declarations(bulk_limits)),
        events=happened,
        statements=[draw(statements(number, happened)) for number in range(1, count + 1)],
    )


def arrivals(world: World, seed: int) -> list[Arrival]:
    """Return one way in which a world may arrive: any order, some events twice, in batches, with restarts.

    Seed 0 is the plainest one: all events in one batch, then what people said. Where an event or a statement comes
    hangs on the seed and on itself alone, so that a failing world can lose the others one by one.
    """
    if seed == 0:
        return [Arrival(world.events, []), Arrival([], world.statements)]
    placed: list[tuple[float, Arrival]] = []
    for event in world.events:
        for copy in ("first", "again"):
            name = (seed, copy, event.source, event.id, event.received, event.digest)
            if copy == "first" or _chance("copy", *name) < 0.2:
                placed.append((_chance("place", *name), Arrival([event], [], _chance("restart", *name) < 0.05)))
    for statement in world.statements:
        placed.append((_chance("place", seed, statement.number), Arrival([], [statement])))
    steps: list[Arrival] = []
    for place, step in sorted(placed, key=lambda pair: pair[0]):
        joins = bool(steps and steps[-1].events and step.events) and _chance("batch", seed, place) < seed % 5 / 5
        if joins and not step.restart:
            steps[-1] = steps[-1]._replace(events=steps[-1].events + step.events)
        else:
            steps.append(step)
    return steps


def _chance(*names: object) -> float:
    """Return a number from 0 to 1 that hangs on the names alone."""
    return crc32(repr(names).encode()) / 2**32


seeds = st.integers(0, 2**16)
