"""The store of one of several engines: reads and changes only what is locked, and writes what all of them touch last.

Rows that every batch changes (counters, types of events, watermarks, what is put off, positions) are written in sorted
order right before the commit, so that batches wait for each other there, briefly and never in a circle. Ids come from
counters that are moved aside of the batch: those of a batch that is rolled back stay unused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from lineage.fact import Fact
from lineage.locks import Gone, Locks, NotLocked, Wanted
from lineage.saving import CASES, EMPTY
from lineage.seen import SeenRow
from lineage.store import EMPTY_ARRAY, CaseRow, Edge, Role, StoreWriter, encode
from throughline.core.errors import StoreUnavailable
from throughline.core.event import Event
from throughline.core.sql import Connection

_CLAIMED: Final = 0  # the seq of a row of ``seen`` whose event this batch may count; it counts from 1
_NO_SPANS: Final = encode([])
_CHANGES: Final = "hashtextextended('throughline changes', 0)"  # the lock of the queue of changed cases
_NEXT: Final = {
    "next/seq": "SELECT coalesce(max(first + count), 1) FROM block",
    "next/value": "SELECT coalesce(max(id) + 1, 1) FROM value",
    "next/case": "SELECT coalesce(max(id) + 1, 1) FROM cases",
}


OF_A_PART: Final = frozenset({"journal", "journal_received"})  # positions


class Fenced(StoreUnavailable):
    """Another engine has taken this part over; nothing of the batch is stored."""


class SharedStore(StoreWriter):
    """``aside`` is a second connection, which commits by itself."""

    def __init__(self, connection: Connection, aside: Connection, locks: Locks, part: str) -> None:
        self._aside = aside
        self._part = part
        self._seat = f"epoch/{part}"
        self.epoch = 0  # none: nothing is fenced
        self.at: Callable[[str], None] = lambda _: None
        self._locks = locks
        super().__init__(connection)
        self._begin()

    def _begin(self) -> None:
        self._counted: Counter[tuple[str, str]] = Counter()
        self._types: list[tuple[str, str, int, int, bytes, str]] = []
        self._marks: list[tuple[str, int | None, int | None]] = []
        self._late: dict[int, bool] = {}  # cases to be derived later, and those that are derived now
        self._positions: dict[str, int] = {}
        self._claimed: list[bytes] = []
        self._traces: list[bytes] = []
        self._changed: list[int] = []

    def begin_ids(self) -> None:
        """Let the counters of ids begin behind all that are used; for who is alone."""
        for name, sql in _NEXT.items():
            self.connection.execute(
                f"INSERT INTO position (name, value) VALUES (?, ({sql})) ON CONFLICT (name) DO UPDATE"
                " SET value = excluded.value WHERE excluded.value > position.value",
                (name,),
            )

    def _reserve(self, name: str, count: int) -> int:
        """Return the first of some ids that nobody else gets."""
        after = self._aside.execute(
            "UPDATE position SET value = value + ? WHERE name = ? RETURNING value", (count, name)
        ).fetchone()[0]
        return after - count

    # Locking.

    def lock(self, wanted: Wanted) -> None:
        """Lock what a batch wants, in sorted order. Raises Gone where some of it is not there."""
        self._begin()
        for table, ids in (("value", wanted.values), ("cases", wanted.cases)):
            locked = self.rows(
                f"SELECT id FROM {table} WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id FOR NO KEY UPDATE",
                self.array(sorted(ids)),
            )
            if len(locked) < len(ids):
                raise Gone
        self._locks.values, self._locks.cases = wanted.values, wanted.cases
        self._claim("seen", "digest", "seq, received, content", (_CLAIMED, 0, b""), wanted.digests, self._claimed)
        self._claim("trace", "trace_id", "spans", (_NO_SPANS,), wanted.traces, self._traces)

    def _claim(
        self, table: str, key: str, others: str, blank: tuple[Any, ...], keys: Iterable[bytes], claimed: list[bytes]
    ) -> None:
        """Lock rows by keys, whether they are there or not: where one is not, a blank one keeps its place."""
        claimed += sorted(keys)
        marks = ", ".join("?" * (1 + len(blank)))
        self.many(
            f"INSERT INTO {table} (bucket, {key}, {others}) VALUES (0, {marks}) ON CONFLICT DO NOTHING",
            [(each, *blank) for each in claimed],
        )
        self.rows(
            f"SELECT 1 FROM {table} WHERE bucket = 0 AND {key} IN (SELECT value FROM json_each(?))"
            f" ORDER BY {key} FOR NO KEY UPDATE",
            self.array(claimed),
        )

    def values_of(self, cases: Iterable[int]) -> set[int]:
        """Return the values that the facts of cases name."""
        found: set[int] = set()
        for row in super().cases_by_id(cases).values():
            for fact in row.facts:
                found.update(fact.aliases, fact.carriers, fact.relations)
        return found

    def spread(self, wanted: Wanted) -> None:
        """Add what a batch is likely to lead to as well; what is missing turns out when it does."""
        some = self.array(list(wanted.values))
        wanted.cases.update(
            row[0]
            for row in self.rows(
                "SELECT DISTINCT case_id FROM near WHERE value IN (SELECT value FROM json_each(?)) AND role = ?",
                some,
                int(Role.TIE),
            )
        )
        wanted.values.update(self.values_of(wanted.cases))
        new = set(wanted.values)
        while new:
            new = self._linked(new) - wanted.values
            wanted.values.update(new)

    def _linked(self, values: Iterable[int]) -> set[int]:
        """Return the values that links lead to from values, and the other ends of ties."""
        processes, some = self.array(list(self.processes().values())), self.array(list(values))
        which = "process IN (SELECT value FROM json_each(?)) AND kind IN"
        rows = self.rows(
            f"SELECT b FROM edge WHERE {which} (1, 2, 3) AND a IN (SELECT value FROM json_each(?))"
            f" UNION SELECT a FROM edge WHERE {which} (1) AND b IN (SELECT value FROM json_each(?))",
            processes,
            some,
            processes,
            some,
        )
        return {row[0] for row in rows}

    def forget_ids(self) -> None:
        """Drop what is remembered of ids."""
        self._young, self._old = {}, {}

    def flush(self) -> None:
        """Write what all engines touch."""
        super().count((*key, self._counted[key]) for key in sorted(self._counted) if self._counted[key])
        super().put_types(sorted(self._types))
        self.many(
            "INSERT INTO watermark (source, last_receipt, until) VALUES (?, ?, ?) ON CONFLICT (source) DO UPDATE"
            " SET last_receipt = GREATEST(watermark.last_receipt, excluded.last_receipt),"
            " until = GREATEST(watermark.until, excluded.until)",
            sorted(self._marks, key=lambda row: row[0]),
        )
        for wanted, cases in groupby(sorted(self._late), key=self._late.__getitem__):
            (super().put_off if wanted else super().drop_put_off)(list(cases))
        self._hold_part()
        for name, position in sorted(self._positions.items()):
            super().set_position(name, position)
        for table, key, blank, claimed in (
            ("seen", "digest", f"seq = {_CLAIMED}", self._claimed),
            ("trace", "trace_id", "length(spans) = 1", self._traces),
        ):
            self.connection.execute(
                f"DELETE FROM {table} WHERE bucket = 0 AND {key} IN (SELECT value FROM json_each(?)) AND {blank}",
                (self.array(claimed),),
            )
        self._tell_changes()

    def _tell_changes(self) -> None:
        """Tell those who follow, who read on from the last row: in the order in which batches are committed."""
        if self._changed:
            self.rows(f"SELECT pg_advisory_xact_lock({_CHANGES})")
            super().note_changed(self._changed)

    def _hold_part(self) -> None:
        """See that nobody has taken this engine's part over, and that nobody does before the commit."""
        if self.epoch and self.one("SELECT value FROM position WHERE name = ? FOR SHARE", self._seat) != self.epoch:
            raise Fenced(f"another engine has taken over the part {self._part}: this one must end")

    def take_over(self) -> None:
        """Fence who had this part before: what is under way there can no longer be committed."""
        self.epoch = self._aside.execute(
            "INSERT INTO position (name, value) VALUES (?, 1)"
            " ON CONFLICT (name) DO UPDATE SET value = position.value + 1 RETURNING value",
            (self._seat,),
        ).fetchone()[0]

    # What all engines touch is written last.

    def count(self, rows: Iterable[tuple[str, str, int]]) -> None:
        for name, label, count in rows:
            self._counted[name, label] += count

    def put_types(self, rows: Iterable[tuple[str, str, int, int, bytes, str]]) -> None:
        self._types += rows

    def put_watermarks(self, rows: Iterable[tuple[str, int | None, int | None]]) -> None:
        self._marks += rows

    def note_changed(self, cases: Iterable[int]) -> None:
        self._changed += cases

    def note_spans(self, seqs: Sequence[int]) -> None:
        self._changed += (-seq for seq in seqs)

    def put_off(self, cases: Iterable[int]) -> None:
        self._late.update(dict.fromkeys(cases, True))

    def drop_put_off(self, cases: Iterable[int]) -> None:
        self._late = dict.fromkeys(cases, False) | self._late

    def set_position(self, name: str, value: int) -> None:
        """Set a position; those of the journal are this engine's part's."""
        self._positions[self._named_position(name)] = value

    def positions(self) -> dict[str, int]:
        found = super().positions()
        return found | {name: found.get(self._named_position(name), 0) for name in OF_A_PART}

    def _named_position(self, name: str) -> str:
        return f"{name}/{self._part}" if name in OF_A_PART else name

    # Ids.

    def _intern(self, texts: list[str]) -> dict[str, int]:
        ids = self.value_ids(texts)
        new = [text for text in dict.fromkeys(texts) if text not in ids]
        if new:
            first = self._reserve("next/value", len(new))
            self._aside.executemany(
                "INSERT INTO value (id, text) VALUES (?, ?) ON CONFLICT DO NOTHING",
                sorted(((first + index, text) for index, text in enumerate(new)), key=lambda row: row[1]),
            )
            ids |= self.value_ids(new)
        self._young.update(ids)
        return ids

    def add_events(self, events: Sequence[Event]) -> int:
        self.next_seq = self._reserve("next/seq", len(events))
        return super().add_events(events)

    def new_cases(self, process: int, names: Iterable[str]) -> dict[str, CaseRow]:
        wanted = [(process, name) for name in names]
        if wanted and not self._locks.alone:
            raise NotLocked(names=wanted)
        self.name_cases(wanted)
        return super().cases_by_name(process, [name for _, name in wanted])

    def name_cases(self, names: Iterable[tuple[int, str]]) -> set[int]:
        """Return the ids of cases; those that have no row yet get an empty one, which can be locked."""
        by_process: dict[int, set[str]] = {}
        for process, name in names:
            by_process.setdefault(process, set()).add(name)
        found: set[int] = set()
        for process, some in sorted(by_process.items()):
            ids = self._named(process, some)
            new = sorted(some - ids.keys())
            if new:
                self._put_empty(process, new)
                ids = self._named(process, some)
            found.update(ids.values())
        return found

    def _named(self, process: int, names: Iterable[str]) -> dict[str, int]:
        rows = self._aside.execute(
            "SELECT name, id FROM cases WHERE process = ? AND name IN (SELECT value FROM json_each(?))",
            (process, self.array(names)),
        )
        return dict(rows.fetchall())

    def _put_empty(self, process: int, names: Sequence[str]) -> None:
        first = self._reserve("next/case", len(names))
        self._aside.execute("BEGIN IMMEDIATE")
        try:
            put = 0
            for index, name in enumerate(names):
                put += self._aside.execute(
                    "INSERT INTO cases (id, process, name, facts, state, held, synthetic, marks)"
                    " VALUES (?, ?, ?, ?, ?, 0, 0, 0) ON CONFLICT (process, name) DO NOTHING",
                    (first + index, process, name, EMPTY_ARRAY, EMPTY),
                ).rowcount
            self._aside.execute(
                "INSERT INTO counter (name, label, count) VALUES (?, ?, ?)"
                " ON CONFLICT (name, label) DO UPDATE SET count = counter.count + excluded.count",
                (CASES, EMPTY, put),
            )
        except BaseException:
            self._aside.execute("ROLLBACK")
            raise
        self._aside.execute("COMMIT")

    # Nothing is read that is not locked.

    def cases_by_name(self, process: int, names: Iterable[str]) -> dict[str, CaseRow]:
        found = super().cases_by_name(process, names)
        self._locks.require_cases(row.id for row in found.values())
        if found:
            self.at("read")
        return found

    def cases_by_id(self, ids: Iterable[int]) -> dict[int, CaseRow]:
        wanted = set(ids)
        self._locks.require_cases(wanted)
        found = super().cases_by_id(wanted)
        if found:
            self.at("read")
        return found

    def near(self, process: int, role: Role, values: Iterable[int]) -> dict[int, dict[int, int | None]]:
        wanted = set(values)
        self._locks.require(wanted)
        return super().near(process, role, wanted)

    def near_counts(self, process: int, role: Role, values: Iterable[int], at_most: int) -> dict[int, int]:
        wanted = set(values)
        self._locks.require(wanted)
        return super().near_counts(process, role, wanted, at_most)

    def edges_from(self, process: int, kind: Edge, values: Iterable[int]) -> dict[int, set[int]]:
        wanted = set(values)
        self._locks.require(wanted)
        return super().edges_from(process, kind, wanted)

    def edges_to(self, process: int, kind: Edge, values: Iterable[int]) -> dict[int, set[int]]:
        wanted = set(values)
        self._locks.require(wanted)
        return super().edges_to(process, kind, wanted)

    def posted(self, process: int, values: Iterable[int]) -> dict[int, list[Fact]]:
        wanted = set(values)
        self._locks.require(wanted)
        return super().posted(process, wanted)

    def seen(self, digests: Sequence[bytes]) -> dict[bytes, SeenRow]:
        return {digest: row for digest, row in super().seen(digests).items() if row.seq != _CLAIMED}
