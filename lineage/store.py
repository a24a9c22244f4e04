"""The lineage store: SQL in, plain values out. One process writes; readers open it read-only."""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from operator import attrgetter
from typing import Any

import msgspec
import zstandard

from lineage.buckets import Lanes, places_to_read, places_to_write, spread
from lineage.fact import Fact
from lineage.seen import SeenRow, seen_to_read, seen_to_write
from lineage.texts import texts_to_read, texts_to_write
from lineage.upgrade import make
from throughline.core.event import Event, encode_block, identity_digest
from throughline.core.sql import Connection
from throughline.core.statement import Statement

BLOCK_EVENTS = 64  # larger ones are hardly smaller on disk, and cost more to read one event from
_ZSTD_LEVEL = 3
_DIGESTS_AT_ONCE = 500
_REMEMBERED_TEXTS = 50_000  # at least as many, at most twice
_ARRAY_32 = b"\xdd"  # msgpack's head of an array with four bytes of length
ARRAY_HEAD = 5
_BLANK = msgspec.Raw(b"\xc0")  # msgpack's nil: the event that stood there is no longer kept
EMPTY_ARRAY = _ARRAY_32 + bytes(4)

_facts = msgspec.msgpack.Decoder(list[Fact])
_fact = msgspec.msgpack.Decoder(Fact)
_event = msgspec.msgpack.Decoder(Event)
_block = msgspec.msgpack.Decoder(list[msgspec.Raw])
_statement = msgspec.msgpack.Decoder(Statement)
encode = msgspec.msgpack.Encoder().encode
_time = attrgetter("time")


class Role(IntEnum):
    """Which role a value near a case has."""

    TIE = 1
    HOLD = 2
    RELATION = 3


class Edge(IntEnum):
    """Which kind of link an edge without a name is; ``a`` is the alias, or the old carrier."""

    TIE = 1
    HOLD = 2
    PASS = 3
    RELATION = 4


# The counters of values at which events wait for a case, and of those that are orphans.
WAITING, VALUES, ORPHANS = "waiting", "values", "orphans"


class Patience(IntEnum):
    """What was found of a value whose first event has waited too long."""

    YOUNG = 0  # none has, or it has not been looked at
    ORPHAN = 1
    HOUSED = 2  # no orphan: other processes have a home for what waits there
    SYNTHETIC = 3  # an orphan of probe traffic, which counts nowhere


class CaseRow:
    """A case: its id, process, name (interned text) and the facts of the events that name it.

    ``state``, ``wake_at`` and ``marks`` are as stored; ``state`` is "" where the case is not stored yet. The facts
    change by ``add`` and ``drop`` only, so that those which stay need not be encoded again.
    """

    __slots__ = ("_body", "facts", "id", "marks", "name", "process", "state", "wake_at")

    def __init__(
        self,
        id: int,
        process: int,
        name: str,
        stored: bytes = EMPTY_ARRAY,
        state: str = "",
        wake_at: int | None = None,
        marks: int = 0,
    ) -> None:
        self.id = id
        self.process = process
        self.name = name
        self.facts = _facts.decode(stored) if stored is not EMPTY_ARRAY else []
        self._body = stored[ARRAY_HEAD:]
        self.state = state
        self.wake_at = wake_at
        self.marks = marks

    def add(self, fact: Fact) -> None:
        """Add a fact; they stand in the order of their times, so that deriving hardly ever has to sort them."""
        facts = self.facts
        if not facts or facts[-1].time <= fact.time:
            facts.append(fact)
            self._body += encode(fact)
        else:
            insort_right(facts, fact, key=_time)
            self._body = b"".join(map(encode, facts))

    def drop(self, fact: Fact) -> None:
        self.facts.remove(fact)
        self._body = b"".join(map(encode, self.facts))

    def clear(self) -> None:
        """Drop every fact."""
        self.facts = []
        self._body = b""

    def encoded(self) -> bytearray:
        """Return the facts as they are stored: a msgpack array whose head has always the same length."""
        return bytearray(_ARRAY_32 + len(self.facts).to_bytes(4, "big") + self._body)


CASE_COLUMNS = "id, process, name, facts, state, wake_at, marks"


class StoreReader:
    """Every question that resolving, deriving and showing ask of the store."""

    def __init__(self, connection: Connection, lanes: Lanes | None = None) -> None:
        """``lanes`` are what is kept for all readers of the store."""
        self.connection = connection
        self.array = connection.array
        lanes = lanes or Lanes()
        self._seen = seen_to_read(connection)
        self.trace_places = places_to_read(connection, "trace", lanes, spread)
        self._texts = texts_to_read(connection, lanes)
        self._inflate = zstandard.ZstdDecompressor()
        self._deflate = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)

    def warm(self) -> None:
        """Read into memory what tells where keys are, which else the first look-up waits for."""
        self.trace_places.where([bytes(16)])
        self._texts.ids([""])

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        return self.connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, *parameters: Any) -> Any | None:
        """Return the first column of the first row; None where there is no row."""
        row = self.connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def processes(self) -> dict[str, int]:
        return dict(self.rows("SELECT name, id FROM process_name"))

    def value_ids(self, texts: Iterable[str]) -> dict[str, int]:
        """Return the ids of those texts that are interned."""
        return self._texts.ids(texts)

    def scoped_texts(self, text: str, limit: int) -> list[str]:
        """Return the first interned texts of one type and value, with whatever scope, in the order of texts."""
        return self._texts.scoped(text, limit)

    def value_texts(self, ids: Iterable[int]) -> dict[int, str]:
        return dict(
            self.rows("SELECT id, text FROM value WHERE id IN (SELECT value FROM json_each(?))", self.array(ids))
        )

    def cases_by_name(self, process: int, names: Iterable[str]) -> dict[str, CaseRow]:
        rows = self.rows(
            f"SELECT {CASE_COLUMNS} FROM cases WHERE process = ? AND name IN (SELECT value FROM json_each(?))",
            process,
            self.array(names),
        )
        return {row[2]: CaseRow(*row) for row in rows}

    def cases_by_id(self, ids: Iterable[int]) -> dict[int, CaseRow]:
        rows = self.rows(
            f"SELECT {CASE_COLUMNS} FROM cases WHERE id IN (SELECT value FROM json_each(?))", self.array(ids)
        )
        return {row[0]: CaseRow(*row) for row in rows}

    def near(self, process: int, role: Role, values: Iterable[int]) -> dict[int, dict[int, int | None]]:
        """Return for each value the cases near it in that role, with the earliest time of a tie."""
        found: dict[int, dict[int, int | None]] = {value: {} for value in values}
        for value, case_id, since in self.rows(
            "SELECT value, case_id, since FROM near"
            " WHERE value IN (SELECT value FROM json_each(?)) AND process = ? AND role = ?",
            self.array(found),
            process,
            int(role),
        ):
            found[value][case_id] = since
        return found

    def near_counts(self, process: int, role: Role, values: Iterable[int], at_most: int) -> dict[int, int]:
        """Count the cases near each value, up to a limit."""
        return dict(
            self.rows(
                "SELECT asked.value, (SELECT count(*) FROM (SELECT 1 FROM near WHERE near.value = asked.value"
                " AND process = ? AND role = ? LIMIT ?) AS counted) FROM json_each(?) AS asked",
                process,
                int(role),
                at_most,
                self.array(values),
            )
        )

    def edges_from(self, process: int, kind: Edge, values: Iterable[int]) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {value: set() for value in values}
        for a, b in self.rows(
            "SELECT DISTINCT a, b FROM edge WHERE process = ? AND kind = ? AND a IN (SELECT value FROM json_each(?))",
            process,
            int(kind),
            self.array(found),
        ):
            found[a].add(b)
        return found

    def edges_to(self, process: int, kind: Edge, values: Iterable[int]) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {value: set() for value in values}
        for a, b in self.rows(
            "SELECT DISTINCT a, b FROM edge WHERE process = ? AND kind = ? AND b IN (SELECT value FROM json_each(?))",
            process,
            int(kind),
            self.array(found),
        ):
            found[b].add(a)
        return found

    def edge_seqs(self, process: int, kind: Edge, a: int, b: int) -> list[int]:
        """Return the events that drew an edge."""
        return [
            row[0]
            for row in self.rows(
                "SELECT seq FROM edge WHERE process = ? AND kind = ? AND a = ? AND b = ?", process, int(kind), a, b
            )
        ]

    def posted(self, process: int, values: Iterable[int]) -> dict[int, list[Fact]]:
        """Return the facts of events that stand at each value."""
        found: dict[int, list[Fact]] = {value: [] for value in values}
        for value, fact in self.rows(
            "SELECT value, fact FROM posted WHERE value IN (SELECT value FROM json_each(?)) AND process = ?",
            self.array(found),
            process,
        ):
            found[value].append(_fact.decode(fact))
        return found

    def seen(self, digests: Sequence[bytes]) -> dict[bytes, SeenRow]:
        """Return what is known of (source, id)s by their digests."""
        return self._seen.find(digests)

    def keyed(
        self, table: str, column: str, columns: str, places: Mapping[int, Sequence[bytes]]
    ) -> Iterator[tuple[Any, ...]]:
        """Yield columns of the rows that a table has in buckets under keys in ``column``."""
        for bucket, keys in places.items():
            for start in range(0, len(keys), _DIGESTS_AT_ONCE):
                some = [bound(key) for key in keys[start : start + _DIGESTS_AT_ONCE]]
                marks = ",".join("?" * len(some))
                yield from self.connection.execute(
                    f"SELECT {columns} FROM {table} WHERE bucket = ? AND {column} IN ({marks})", (bucket, *some)
                )

    def other_contents(self, digest: bytes) -> dict[bytes, Event]:
        """Return the contents that were set aside under one (source, id), by content digest."""
        rows = self.rows("SELECT content, event FROM other_content WHERE digest = ?", digest)
        return {content: _event.decode(event) for content, event in rows}

    def other_contents_of(self, digests: Sequence[bytes]) -> dict[bytes, list[Event]]:
        """Return the contents set aside under several (source, id), those received first before others."""
        found: dict[bytes, list[Event]] = {}
        for start in range(0, len(digests), _DIGESTS_AT_ONCE):
            some = digests[start : start + _DIGESTS_AT_ONCE]
            marks = ",".join("?" * len(some))
            for digest, event in self.connection.execute(
                f"SELECT digest, event FROM other_content WHERE digest IN ({marks}) ORDER BY received, content", some
            ):
                found.setdefault(digest, []).append(_event.decode(event))
        return found

    def other_contents_after(self, digest: bytes, content: bytes, limit: int) -> list[tuple[bytes, Event]]:
        """Return contents that were set aside, after one of them, by the digest of (source, id) and their own."""
        rows = self.rows(
            "SELECT digest, event FROM other_content WHERE (digest, content) > (?, ?) ORDER BY digest, content LIMIT ?",
            digest,
            content,
            limit,
        )
        return [(each, _event.decode(event)) for each, event in rows]

    def event(self, seq: int) -> Event:
        """Return the event of a seq."""
        return self.events([seq])[seq]

    def events(self, seqs: Iterable[int]) -> dict[int, Event]:
        """Return events by seq; each block is read once, and only the events asked for are decoded."""
        found: dict[int, Event] = {}
        first, content = -1, list[msgspec.Raw]()
        for seq in sorted(set(seqs)):
            if not first <= seq < first + len(content):
                row = self.connection.execute(
                    "SELECT first, content FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1", (seq,)
                ).fetchone()
                first, content = row[0], _block.decode(self._inflate.decompress(row[1]))
            found[seq] = _event.decode(content[seq - first])
        return found

    def first_after(self, seq: int) -> int | None:
        """Return the first seq of the first block that begins after a seq; None where there is none."""
        return self.one("SELECT min(first) FROM block WHERE first > ?", seq)

    def block(self, first: int) -> dict[int, Event]:
        """Return the events that are kept of the block that begins with a seq, by seq."""
        found: dict[int, Event] = {}
        for (content,) in self.rows("SELECT content FROM block WHERE first = ?", first):
            raws = _block.decode(self._inflate.decompress(content))
            found.update((seq, _event.decode(raw)) for seq, raw in enumerate(raws, first) if raw != _BLANK)
        return found

    def events_after(self, seq: int) -> Iterator[tuple[int, Event]]:
        """Give the events after a seq with their seqs, in order; one question a block, so that none stays open."""
        at = self.one("SELECT max(first) FROM block WHERE first <= ?", seq + 1) or 0
        while row := self.connection.execute(
            "SELECT first, content FROM block WHERE first >= ? ORDER BY first LIMIT 1", (at,)
        ).fetchone():
            first, content = row[0], _block.decode(self._inflate.decompress(row[1]))
            for index, raw in enumerate(content):
                if first + index > seq and raw != _BLANK:
                    yield first + index, _event.decode(raw)
            at = first + 1

    def standing(self, numbered: Mapping[int, Event]) -> dict[int, Event]:
        """Return those among stored events, by seq, whose content stands."""
        stands = self._seen.standing({seq: identity_digest(each.source, each.id) for seq, each in numbered.items()})
        return {seq: event for seq, event in numbered.items() if seq in stands}

    def positions(self) -> dict[str, int]:
        return dict(self.rows("SELECT name, value FROM position"))

    def watermarks(self) -> dict[str, tuple[int | None, int | None]]:
        """Return (last receipt, until) by source."""
        return {
            source: (receipt, until)
            for source, receipt, until in self.rows("SELECT source, last_receipt, until FROM watermark")
        }

    def statements(self) -> list[Statement]:
        """Return the statements that are applied, in order."""
        return [_statement.decode(row[0]) for row in self.rows("SELECT content FROM statement ORDER BY number")]

    def statements_after(self, number: int) -> list[Statement]:
        """Return the statements that are applied, in order, after one of them."""
        rows = self.rows("SELECT content FROM statement WHERE number > ? ORDER BY number", number)
        return [_statement.decode(row[0]) for row in rows]

    def waiting_among(self, values: Iterable[int]) -> dict[str, int]:
        """Return at how many of some values events wait for a case, and how many are orphans, by their counters."""
        ((waiting, orphans),) = self.rows(
            "SELECT count(DISTINCT value), count(DISTINCT CASE orphan WHEN ? THEN value END) FROM waiting"
            " WHERE value IN (SELECT value FROM json_each(?))",
            int(Patience.ORPHAN),
            self.array(values),
        )
        return {VALUES: waiting, ORPHANS: orphans}

    def counter(self, name: str, label: str) -> int:
        return self.one("SELECT count FROM counter WHERE name = ? AND label = ?", name, label) or 0

    def counters(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for name, label, count in self.rows("SELECT name, label, count FROM counter WHERE count <> 0"):
            found.setdefault(name, {})[label] = count
        return found

    def meta(self) -> dict[str, str]:
        return dict(self.rows("SELECT name, value FROM meta"))


class StoreWriter(StoreReader):
    """Every change of the store; the caller opens and commits transactions."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        make(connection)
        self._seen = self._seen_writer = seen_to_write(connection)
        self.trace_places = self.trace_index = places_to_write(connection, "trace", "trace_id", spread)
        self._texts = texts_to_write(connection)
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self.next_seq = self._next("SELECT first + count FROM block ORDER BY first DESC LIMIT 1", 1)
        self.next_value = self._next("SELECT max(id) + 1 FROM value", 1)
        self.next_case = self._next("SELECT max(id) + 1 FROM cases", 1)

    def _next(self, sql: str, otherwise: int) -> int:
        return self.one(sql) or otherwise

    def name_processes(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids of processes, new ones added in the order of their names."""
        known = self.processes()
        for name in sorted(set(names) - known.keys()):
            known[name] = max(known.values(), default=0) + 1
            self.connection.execute("INSERT INTO process_name (id, name) VALUES (?, ?)", (known[name], name))
        return known

    def intern(self, texts: Iterable[str]) -> dict[str, int]:
        """Return the ids of texts, interning those that are new; those of late are remembered."""
        ids: dict[str, int] = {}
        unsure: list[str] = []
        young, old = self._young, self._old
        for text in texts:
            known = young.get(text)
            if known is None:
                known = old.get(text)
                if known is None:
                    unsure.append(text)
                    continue
                young[text] = known
            ids[text] = known
        if unsure:
            ids |= self._intern(unsure)
        if len(young) > _REMEMBERED_TEXTS:
            self._old, self._young = young, {}
        return ids

    def _intern(self, texts: list[str]) -> dict[str, int]:
        ids = self.value_ids(texts)
        new = [text for text in dict.fromkeys(texts) if text not in ids]
        first, self.next_value = self.next_value, self.next_value + len(new)
        ids.update(zip(new, range(first, self.next_value), strict=True))
        self._texts.add(first, new)
        self._young.update(ids)
        return ids

    def add_events(self, events: Sequence[Event]) -> int:
        """Keep events whole; they take the next seqs in order, of which the first is returned."""
        rows: list[tuple[int, int, bytes]] = []
        for start in range(0, len(events), BLOCK_EVENTS):
            some = list(events[start : start + BLOCK_EVENTS])
            rows.append((self.next_seq + start, len(some), self._deflate.compress(encode_block(some))))
        self.connection.executemany("INSERT INTO block (first, count, content) VALUES (?, ?, ?)", rows)
        self.next_seq += len(events)
        return self.next_seq - len(events)

    def new_cases(self, process: int, names: Iterable[str]) -> dict[str, CaseRow]:
        """Return rows for cases that have none yet, by name; they are stored when they are saved."""
        made = {
            name: CaseRow(number, process, name) for number, name in enumerate(dict.fromkeys(names), self.next_case)
        }
        self.next_case += len(made)
        return made

    def blank_events(self, seqs: Iterable[int]) -> None:
        """Keep events no more; the others of their blocks keep their seqs. The last block stays, to count on from."""
        gone = set(seqs)
        firsts = {self.one("SELECT max(first) FROM block WHERE first <= ?", seq) for seq in gone}
        for first, count, content in [
            row for each in firsts for row in self.rows("SELECT first, count, content FROM block WHERE first = ?", each)
        ]:
            raws = _block.decode(self._inflate.decompress(content))
            left = [_BLANK if seq in gone else raw for seq, raw in enumerate(raws, first)]
            if first + count < self.next_seq and all(raw == _BLANK for raw in left):
                self.connection.execute("DELETE FROM block WHERE first = ?", (first,))
            else:
                self.connection.execute(
                    "UPDATE block SET content = ? WHERE first = ?", (self._deflate.compress(encode(left)), first)
                )

    def forget_values(self, texts: Mapping[int, str]) -> None:
        """Give up the ids of texts; they are interned anew if they come again. The greatest id stays."""
        gone = {value: text for value, text in texts.items() if value + 1 != self.next_value}
        self._texts.forget(gone)
        for text in gone.values():
            self._young.pop(text, None)
            self._old.pop(text, None)

    def put_seen(self, first: int, new: Sequence[tuple[bytes, int, bytes]], replaced: Iterable[SeenRow]) -> None:
        """Let events stand that came with seqs from one on, as (digest, receipt, content's digest); others no more."""
        self._seen_writer.put(first, new, replaced)

    def drop_seen(self, digests: Sequence[bytes]) -> None:
        """Forget what is known of (source, id)s by their digests."""
        self._seen_writer.drop(digests)

    def put_other_content(self, digest: bytes, event: Event) -> None:
        """Keep a content that does not count; of equal contents the least receipt."""
        self.connection.execute(
            "INSERT INTO other_content (digest, content, received, event) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (digest, content) DO UPDATE SET received = excluded.received, event = excluded.event"
            " WHERE excluded.received < other_content.received",
            (digest, event.digest, event.received, encode(event)),
        )

    def drop_other_content(self, digest: bytes, content: bytes) -> None:
        self.connection.execute("DELETE FROM other_content WHERE digest = ? AND content = ?", (digest, content))

    def put_ties(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        """Add (value, process, case, time) ties; of equal ones the earliest time."""
        self.many(
            "INSERT INTO near (value, process, role, case_id, since) VALUES (?, ?, 1, ?, ?)"
            " ON CONFLICT (value, process, role, case_id) DO UPDATE SET since = excluded.since"
            " WHERE excluded.since < near.since",
            rows,
        )

    def put_near(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        """Add (value, process, role, case) holds and relations."""
        self.many("INSERT INTO near (value, process, role, case_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)

    def drop_near(self, value: int, process: int, role: int, case_id: int) -> None:
        self.connection.execute(
            "DELETE FROM near WHERE value = ? AND process = ? AND role = ? AND case_id = ?",
            (value, process, role, case_id),
        )

    def drop_edge(self, process: int, kind: int, a: int, b: int, seq: int) -> None:
        self.connection.execute(
            "DELETE FROM edge WHERE process = ? AND kind = ? AND a = ? AND b = ? AND seq = ?",
            (process, kind, a, b, seq),
        )

    def drop_posted(self, value: int, process: int, seq: int) -> None:
        self.connection.execute("DELETE FROM posted WHERE value = ? AND process = ? AND seq = ?", (value, process, seq))

    def put_edges(self, rows: Iterable[tuple[int, int, int, int, int]]) -> None:
        """Add (process, kind, a, b, seq) edges."""
        self.many("INSERT INTO edge (process, kind, a, b, seq) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)

    def put_posted(self, rows: Iterable[tuple[int, int, int, bytearray]]) -> None:
        """Add (value, process, seq, fact) of events that stand at a value."""
        self.many(
            "INSERT INTO posted (value, process, seq, fact) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (value, process, seq) DO UPDATE SET fact = excluded.fact",
            rows,
        )

    def many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self.connection.executemany(sql, rows)

    def count(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """Add to counters by (name, label)."""
        self.many(
            "INSERT INTO counter (name, label, count) VALUES (?, ?, ?)"
            " ON CONFLICT (name, label) DO UPDATE SET count = counter.count + excluded.count",
            rows,
        )

    def put_types(self, rows: Iterable[tuple[str, str, int, int, bytes, str]]) -> None:
        """Add (source, type, count, receipt, digest, fields); of the samples that with the latest receipt stays."""
        self.many(
            "INSERT INTO event_type (source, type, count, last, content, fields) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (source, type) DO UPDATE SET count = event_type.count + excluded.count,"
            " fields = CASE WHEN (excluded.last, excluded.content) > (event_type.last, event_type.content)"
            " THEN excluded.fields ELSE event_type.fields END,"
            " content = CASE WHEN (excluded.last, excluded.content) > (event_type.last, event_type.content)"
            " THEN excluded.content ELSE event_type.content END,"
            " last = CASE WHEN excluded.last > event_type.last THEN excluded.last ELSE event_type.last END",
            ((source, kind, count, last, bound(digest), fields) for source, kind, count, last, digest, fields in rows),
        )

    def put_statement(self, statement: Statement) -> None:
        self.connection.execute(
            "INSERT INTO statement (number, content) VALUES (?, ?)"
            " ON CONFLICT (number) DO UPDATE SET content = excluded.content",
            (statement.number, encode(statement)),
        )

    def put_watermarks(self, rows: Iterable[tuple[str, int | None, int | None]]) -> None:
        """Set (source, last receipt, until)."""
        self.many(
            "INSERT INTO watermark (source, last_receipt, until) VALUES (?, ?, ?) ON CONFLICT (source)"
            " DO UPDATE SET last_receipt = excluded.last_receipt, until = excluded.until",
            rows,
        )

    def put_off(self, cases: Iterable[int]) -> None:
        """Have cases derived later."""
        rows = [(case_id,) for case_id in cases]
        self.many("INSERT INTO stale (case_id) VALUES (?) ON CONFLICT DO NOTHING", rows)

    def drop_put_off(self, cases: Iterable[int]) -> None:
        """Note that cases are derived."""
        self.many("DELETE FROM stale WHERE case_id = ?", [(case_id,) for case_id in cases])

    def note_changed(self, cases: Iterable[int]) -> None:
        """Tell those who follow that cases were saved."""
        self.many("INSERT INTO changed (case_id) VALUES (?)", ((case_id,) for case_id in cases))

    def note_spans(self, seqs: Sequence[int]) -> None:
        """Tell those who follow that spans came of the traces of events, by their seqs, that were there before."""
        if seqs:
            self.many("INSERT INTO changed (case_id) VALUES (?)", ((-seq,) for seq in seqs))

    def set_position(self, name: str, value: int) -> None:
        self.connection.execute(f"INSERT INTO position (name, value) VALUES (?, ?) {_SET_VALUE}", (name, value))

    def set_meta(self, name: str, value: str) -> None:
        self.connection.execute(f"INSERT INTO meta (name, value) VALUES (?, ?) {_SET_VALUE}", (name, value))


_SET_VALUE = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"

bound = bytearray  # the driver looks for adapters of bytes, which takes four times as long as binding
