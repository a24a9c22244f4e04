"""Rebuilding: the store made anew beside the one in force, from its events, the statements and the definitions.

What is told once and never derived (events, which of their contents stands, traces, watermarks, counts of deliveries)
is copied; links, facts and all derived state are made anew from it with the definitions given. What was believed of a
case, and since when, is history and goes over as it is; beliefs that no longer hold close as *restated*. Nothing is
sent anywhere, and the store in force is only read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column, MetaData, Table

from lineage.engine import JOURNAL, JOURNAL_RECEIVED, Engine
from lineage.fold import DRAWN
from lineage.journal_retention import RELEASED
from lineage.logs import journal_fault, statements_fault
from lineage.places import Place, is_there, open_reading, open_writing, remove
from lineage.process import Definitions
from lineage.removal import RETIRED_COUNT, RETIRED_UNTIL
from lineage.retention import REACHED, SWEPT
from lineage.run import MOST_BYTES, MOST_EVENTS, MOST_RECORDS, Subject, open_engine
from lineage.saving import CASES, DEVIATIONS
from lineage.seen import PackedSeen
from lineage.store import WAITING, StoreReader, StoreWriter
from lineage.tables import Text, cases, metadata, schema
from lineage.traces import SPAN_COUNTERS, forget_spans, whole_traces
from lineage.upgrade import make, refuse_other_format
from throughline.core.decisions import FILE_NAME as DECISIONS_FILE
from throughline.core.decisions import DecisionReader
from throughline.core.journal import JOURNAL_FILE, JournalReader
from throughline.core.key import Key
from throughline.core.sql import Connection
from throughline.core.statement import Statement

_COPIED = (
    "block",
    "counted",
    "counted_index",
    "seen",
    "other_content",
    "retired",
    "trace",
    "kept_span",
    "watermark",
    "event_type",
)
_KEPT_META = (RETIRED_UNTIL, SWEPT, REACHED)
_COPIED_AT_ONCE = 5_000
_EVERY_ONE = 2**62
_RECOUNTED = DRAWN | {CASES, DEVIATIONS, WAITING}


class Progress(NamedTuple):
    """How far a rebuild is, in events: of those that were stored when it began, then those received since."""

    stage: str
    done: int
    of: int


Tell = Callable[[Progress], None]


def rebuild(subject: Subject, place: Place, tell: Tell, *, whole: bool = False, former: Place | None = None) -> Changes:
    """Make the store anew at ``place``, up to all that is durable by now; complete and closed once this returns.

    Return which cases stand otherwise than in the store in force, of what both had folded when this began. Where there
    is no store yet, it is made from the journal alone. ``whole``: a journal or statements that are others than those
    folded are folded from their beginning, beside what the store has. ``former``: a store to go on from that is not the
    one in force. Raises StoreUnavailable or sqlite3.Error where a
    file or the database cannot be read or written; then nothing stands at ``place``.
    """
    old = former or subject.place
    found = Changes({}, [])
    try:
        known = is_there(old)
        fault = _fault_of_journal(old, subject.data) if whole and known else None
        if known:
            _copy(old, place, fault, tell)
        with closing(open_engine(subject, place)) as engine:
            if known:
                _make_anew(engine, old, subject, tell, whole)
                found = _compare(engine.store.connection)
            repeated = engine.store.counters().get("duplicates", {})
            catch_up(engine, subject, tell)
            if fault is not None:
                _count_no_more(engine, repeated)
            engine.store.connection.settle()
    except BaseException:
        remove(place)
        raise
    return found


def _make_anew(engine: Engine, old: Place, subject: Subject, tell: Tell, whole: bool) -> None:
    now = subject.clock.now
    with _reading(old) as source, closing(DecisionReader(subject.data / DECISIONS_FILE)) as decisions:
        statements = StoreReader(source).statements()
        if whole and statements_fault(StoreReader(source), decisions):
            statements = _lost(statements, decisions)
        beliefs = [each for each in _beliefs(source) if _can_be(each[0], each[1], subject.definitions)]
    _place_all(engine, now, tell)
    engine.state(statements, now())
    _settle(engine, now())
    _recall(engine, beliefs, now())


def _fault_of_journal(old: Place, data: Path) -> str | None:
    with _reading(old) as source, closing(JournalReader(data / JOURNAL_FILE)) as journal:
        return journal_fault(StoreReader(source), journal)


def _count_no_more(engine: Engine, repeated: dict[str, int]) -> None:
    """Put the count of events that came again back to what it was: we have read them again, nobody sent them."""
    with engine.transaction():
        engine.store.connection.execute("DELETE FROM counter WHERE name = 'duplicates'")
        engine.store.count(("duplicates", source, count) for source, count in repeated.items())


def _lost(statements: Sequence[Statement], decisions: DecisionReader) -> list[Statement]:
    """Return the statements that the log does not hold, with numbers below those that the log gives."""
    logged = {each.id for each in decisions.after(0, _EVERY_ONE)}
    lost = [each for each in statements if each.id not in logged]
    return [msgspec.structs.replace(each, number=index - len(lost)) for index, each in enumerate(lost)]


def catch_up(engine: Engine, subject: Subject, tell: Tell) -> None:
    """Fold what the journal and the log of statements hold beyond what the store has."""
    with (
        closing(JournalReader(subject.data / JOURNAL_FILE)) as journal,
        closing(DecisionReader(subject.data / DECISIONS_FILE)) as decisions,
    ):
        done = 0
        while records := journal.after(engine.positions()[0], MOST_RECORDS, MOST_EVENTS, MOST_BYTES):
            engine.fold_records(records, subject.clock.now())
            done += sum(len(record.events) for record in records)
            tell(Progress("received since", done, done))
        while statements := decisions.after(engine.positions()[1], MOST_RECORDS):
            engine.state(statements, subject.clock.now())
        _settle(engine, subject.clock.now())


def _settle(engine: Engine, now: int) -> None:
    while engine.settle(now) or engine.tick(now):
        pass


# What is copied.


@contextmanager
def _reading(place: Place) -> Generator[Connection]:
    """Open one state of a store."""
    with closing(open_reading(place)) as connection:
        connection.execute("BEGIN")
        yield connection


def _copy(old: Place, new: Place, fault: str | None, tell: Tell) -> None:
    """Copy what is told once. ``fault``: why the journal is another than the one folded, so that it is folded whole.

    Then what is known by the ids of its records, the spans, is left to be told by it.
    """
    with _reading(old) as source, closing(open_writing(new)) as target:
        reader = StoreReader(source)
        refuse_other_format(source, old)
        make(target)
        for statement in schema(target.dialect, _FORMER.metadata):
            target.execute(statement)
        target.execute("BEGIN IMMEDIATE")
        for table in _COPIED:
            tell(Progress(f"copying {table}", 0, 0))
            _put_rows(target, metadata.tables[table], _rows_to_copy(table, source, target))
        if fault is not None:
            forget_spans(StoreWriter(target))
        counters = source.execute("SELECT name, label, count FROM counter")
        left = _RECOUNTED if fault is None else _RECOUNTED | SPAN_COUNTERS
        kept = [row for row in counters if row[0] not in left]
        target.executemany("INSERT INTO counter (name, label, count) VALUES (?, ?, ?)", kept)
        retired = [(name.removeprefix(RETIRED_COUNT), *rest) for name, *rest in kept if name.startswith(RETIRED_COUNT)]
        target.executemany("INSERT INTO counter (name, label, count) VALUES (?, ?, ?)", retired)
        meta = [each for each in reader.meta().items() if each[0] in _KEPT_META]
        target.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", meta)
        if fault is None:
            folded = [each for each in reader.positions().items() if each[0] in (JOURNAL, JOURNAL_RECEIVED, RELEASED)]
            target.executemany("INSERT INTO position (name, value) VALUES (?, ?)", folded)
        _put_rows(target, _FORMER, source.stream(_ROWS))
        target.execute("COMMIT")


def _rows_to_copy(table: str, source: Connection, target: Connection) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a table; those that stand otherwise on a server, where they come from a file, as there."""
    if source.dialect != target.dialect:
        if table in ("counted", "counted_index"):
            return iter(())
        if table == "seen":
            return ((0, *row) for row in PackedSeen(source).rows())
        if table == "trace":
            return ((0, *row) for row in whole_traces(source))
    columns = ", ".join(metadata.tables[table].columns.keys())
    return source.stream(f"SELECT {columns} FROM {table}")


def _put_rows(target: Connection, table: Table, rows: Iterator[tuple[Any, ...]]) -> None:
    names = table.columns.keys()
    sql = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    while some := list(islice(rows, _COPIED_AT_ONCE)):
        target.executemany(sql, some)


# What is made anew.


def _place_all(engine: Engine, now: Callable[[], int], tell: Tell) -> None:
    store = engine.store
    total = store.next_seq - 1
    stored = store.events_after(0)
    while batch := list(islice(stored, MOST_EVENTS)):
        engine.place(list(store.standing(dict(batch)).items()), now())
        while engine.settle(now()):
            pass
        tell(Progress("events", batch[-1][0], total))


# What was believed.

_Belief = tuple[str, str, str, str, int, int, int | None, str | None]
"""Process and case by name, kind, step, round, when it opened and closed, and how."""


def _beliefs(source: Connection) -> list[_Belief]:
    """Return every belief, of cases whose last event is gone, too."""
    return source.execute(
        "SELECT process_name.name, cases.name, kind, belief.step, round, opened_at, closed_at, closed_as FROM belief"
        " JOIN cases ON cases.id = case_id JOIN process_name ON process_name.id = process"
    ).fetchall()


def _can_be(process: str, name: str, definitions: Definitions) -> bool:
    """Return whether a case of that name can be called so by the definitions as they are now."""
    defined = definitions.processes.get(process)
    return defined is not None and Key.decode(name).type in (defined.name_key, *defined.aliases)


def _recall(engine: Engine, beliefs: Sequence[_Belief], now: int) -> None:
    """Put what was believed of cases in the place of what the new store believes since it was made."""
    connection = engine.store.connection
    processes = engine.store.processes()
    with engine.transaction():
        connection.execute("DELETE FROM belief WHERE closed_at IS NOT NULL")  # on the way here, by nobody
        connection.executemany(
            "INSERT INTO belief (case_id, kind, step, round, opened_at, closed_at, closed_as)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (case_id, kind, step, round) DO UPDATE SET"
            " opened_at = excluded.opened_at, closed_at = excluded.closed_at, closed_as = excluded.closed_as",
            [(engine.case_of(processes[process], name), *rest) for process, name, *rest in beliefs],
        )
        connection.execute(
            f"UPDATE belief SET closed_at = NULL, closed_as = NULL WHERE closed_at IS NOT NULL AND {_STANDS}"
        )
        connection.execute(
            f"UPDATE belief SET closed_at = ?, closed_as = 'restated' WHERE closed_at IS NULL AND NOT {_STANDS}", (now,)
        )


_STANDS = """EXISTS (SELECT 1 FROM deviation WHERE deviation.case_id = belief.case_id AND deviation.kind = belief.kind
    AND deviation.step = belief.step AND deviation.round = belief.round)"""

# What a rebuild changes.


class Change(NamedTuple):
    """A case that stands otherwise; None on a side where there is no such case, else values by ``COLUMNS``."""

    process: str
    name: str
    before: tuple[Any, ...] | None
    after: tuple[Any, ...] | None


class Changes(NamedTuple):
    """How many cases stand otherwise, by process and by state before and after (``none``: no such case).

    ``first`` holds the first of them by process and name.
    """

    counted: dict[str, Counter[tuple[str, str]]]
    first: list[Change]

    @property
    def total(self) -> int:
        return sum(sum(of_process.values()) for of_process in self.counted.values())


COLUMNS = ("state", "step", "waits_for", "due", "held", "amount", "currency", "hours", "deviations")
MOST_SHOWN = 20
NO_CASE = "none"
_FORMER = Table(
    "former",
    MetaData(),
    Column("process", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    *(Column(name, cases.c[name].type if name in cases.c else Text) for name in COLUMNS),
)
_ROWS = f"""SELECT process_name.name, cases.name, {", ".join(COLUMNS[:-1])},
    (SELECT group_concat(told, '; ') FROM (SELECT kind || ' ' || step || ' ' || round AS told FROM deviation
        WHERE case_id = cases.id ORDER BY kind, step, round) AS each)
    FROM cases JOIN process_name ON process_name.id = process WHERE state <> 'empty'
    ORDER BY process_name.name, cases.name"""


def _compare(connection: Connection) -> Changes:
    """Compare the rows of cases with those that the former store had, and forget the latter."""
    found = Changes({}, [])
    connection.execute("BEGIN")
    former = connection.stream("SELECT * FROM former ORDER BY process, name")
    for change in _merged(former, connection.stream(_ROWS)):
        sides = tuple(NO_CASE if row is None else str(row[0]) for row in (change.before, change.after))
        found.counted.setdefault(change.process, Counter())[sides[0], sides[1]] += 1
        if len(found.first) < MOST_SHOWN:
            found.first.append(change)
    connection.execute("COMMIT")
    connection.execute("DROP TABLE former")
    return found


def _merged(old: Iterator[tuple[Any, ...]], new: Iterator[tuple[Any, ...]]) -> Iterator[Change]:
    """Yield where two lists of rows, each by process and name, differ."""
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[:2] < right[:2]):
            assert left is not None
            yield Change(left[0], left[1], left[2:], None)
            left = next(old, None)
        elif left is None or right[:2] < left[:2]:
            yield Change(right[0], right[1], None, right[2:])
            right = next(new, None)
        else:
            if left != right:
                yield Change(left[0], left[1], left[2:], right[2:])
            left, right = next(old, None), next(new, None)
