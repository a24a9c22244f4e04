"""PostgreSQL as a store: statements written for SQLite as it takes them, one writer to a schema, failures named.

Only imported where a store is there: the driver (psycopg) is an extra of the package.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

import psycopg
from psycopg import errors
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import StrDumper

from throughline.core.errors import StoreUnavailable
from throughline.core.sql import Dialect, Rows
from throughline.core.store_url import Schema

CONNECT_SECONDS = 5
LOCK_SECONDS = 5
_STREAMED_AT_ONCE = 2_000
_numbers = count(1)  # of what is streamed: several results may be open at a time
_SERVER_NOTICES_IN_SECONDS = 10  # that a writer's machine is gone, whose lock is then free

_BEGIN = {"BEGIN IMMEDIATE": "BEGIN", "BEGIN": "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"}
_LIST = r"\(SELECT value FROM json_each\((\?|:\w+)\)\)"
_MARK = re.compile(r"NULLIF\(\?, ''\)|\?|(?<![:\w]):(\w+)")


class Statement(NamedTuple):
    """A statement as PostgreSQL takes it; at the places in ``emptied`` an empty text stands for NULL."""

    text: str
    emptied: frozenset[int] = frozenset()


@lru_cache(maxsize=2_000)
def translated(sql: str) -> Statement:
    """Return a statement in PostgreSQL's words and the driver's marks."""
    if sql in _BEGIN:
        return Statement(_BEGIN[sql])
    text = re.sub(rf"NOT IN {_LIST}", r"<> ALL(\1)", sql)
    text = re.sub(rf"IN {_LIST}", r"= ANY(\1)", text)
    text = re.sub(r"json_each\(\?\) AS asked", "unnest(?::bigint[]) AS asked(value)", text)
    text = re.sub(r" INDEXED BY \w+", "", text)
    text = re.sub(r"CROSS JOIN (\w+ \w+) ON", r"JOIN \1 ON", text)
    text = text.replace("group_concat(", "string_agg(")
    emptied: list[int] = []
    marks = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal marks
        if found[1] is not None:
            return f"%({found[1]})s"
        if found[0] != "?":
            emptied.append(marks)
        marks += 1
        return "%s"

    return Statement(_MARK.sub(mark, text.replace("%", "%%")), frozenset(emptied))


class _Text(StrDumper):
    """Writes a NUL, which PostgreSQL has no place for, as the sign for what could not be read."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\x00", "\ufffd") if "\x00" in obj else obj)


class PostgresConnection:
    """A connection to a schema, as throughline.core.sql has it. Closing is safe twice."""

    def __init__(self, place: Schema, *, writes: bool) -> None:
        """Raise StoreUnavailable where the server cannot be reached, or refuses."""
        self._place = place
        with _failures_named(place):
            self._raw = psycopg.connect(
                place.url.libpq,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                application_name="throughline engine" if writes else "throughline",
                keepalives_idle=_SERVER_NOTICES_IN_SECONDS,
            )
        self._raw.adapters.register_dumper(int, Int8BinaryDumper)
        self._raw.adapters.register_dumper(str, _Text)
        try:
            self.execute(f'SET search_path TO "{place.name}"')
            self.execute(f"SET lock_timeout TO '{LOCK_SECONDS}s'")
            self.execute("SET jit TO off")
        except BaseException:
            self.close()
            raise

    @property
    def dialect(self) -> Dialect:
        return "postgresql"

    @property
    def broken(self) -> bool:
        return self._raw.closed

    def execute(self, sql: str, parameters: Any = (), /) -> Rows:
        statement = translated(sql)
        with _failures_named(self._place):
            cursor = self._raw.cursor(binary=True)
            if statement.emptied:
                parameters = _with_nulls(statement.emptied, parameters)
            cursor.execute(statement.text.encode(), parameters or ())
            return cursor

    def executemany(self, sql: str, rows: Iterable[Any], /) -> None:
        statement = translated(sql)
        some = [_with_nulls(statement.emptied, row) for row in rows] if statement.emptied else list(rows)
        if some:
            with _failures_named(self._place):
                self._raw.cursor().executemany(statement.text.encode(), some)

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        with _failures_named(self._place), self._raw.cursor(f"rows_{next(_numbers)}", binary=True) as cursor:
            cursor.itersize = _STREAMED_AT_ONCE
            cursor.execute(translated(sql).text.encode())
            yield from cursor

    def array(self, items: Iterable[Any], /) -> list[Any]:
        return list(items)

    def has_tables(self) -> bool:
        return self.execute("SELECT to_regclass('meta') IS NOT NULL").fetchone()[0]

    def make_durable(self) -> None:
        """Nothing: a commit of the server is durable, unless its owner has set it otherwise."""

    def settle(self) -> None:
        """Let the planner know what the tables hold."""
        self.execute("ANALYZE")

    def size(self) -> int:
        (size,) = self.execute(
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = to_regnamespace(?)",
            (self._place.name,),
        ).fetchone()
        return size

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._raw.close()


def open_writer(place: Schema) -> PostgresConnection:
    """Open a schema for its one writer, made if need be.

    Raises StoreUnavailable where the server cannot be used now, or while another writer has the schema open.
    """
    connection = PostgresConnection(place, writes=True)
    try:
        for name, value in (("tcp_keepalives_idle", 10), ("tcp_keepalives_interval", 5), ("tcp_keepalives_count", 3)):
            connection.execute(f"SET {name} TO {value}")
        connection.execute("SET idle_in_transaction_session_timeout TO '60s'")
        connection.execute("SELECT pg_advisory_lock(hashtextextended(?, 0))", (f"throughline {place.name}",))
        connection.execute("SET client_min_messages TO warning")
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{place.name}"')
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(place: Schema) -> PostgresConnection:
    """Open a schema read-only, beside its writer. Raises StoreUnavailable where the server cannot be used now."""
    connection = PostgresConnection(place, writes=False)
    try:
        connection.execute("SET default_transaction_read_only TO on")
    except BaseException:
        connection.close()
        raise
    return connection


def is_there(place: Schema) -> bool:
    with closing(open_reader(place)) as connection:
        return connection.has_tables()


def remove(place: Schema) -> None:
    """Remove a schema; waits a little for those who read it."""
    with closing(PostgresConnection(place, writes=True)) as connection:
        connection.execute("SET client_min_messages TO warning")
        connection.execute(f'DROP SCHEMA IF EXISTS "{place.name}" CASCADE')


def rename(place: Schema, wanted: Schema) -> None:
    with closing(PostgresConnection(place, writes=True)) as connection:
        connection.execute(f'ALTER SCHEMA "{place.name}" RENAME TO "{wanted.name}"')


def _with_nulls(emptied: frozenset[int], row: Any) -> tuple[Any, ...]:
    return tuple([None if index in emptied and value == "" else value for index, value in enumerate(row)])


_FAULTS = {
    errors.LockNotAvailable: "another process has it open: see that no other serve or rebuild works on this store",
    errors.DiskFull: "the server's disk is full: free space there",
    errors.InsufficientPrivilege: "its user may not do this: grant it CREATE on the database",
    errors.ReadOnlySqlTransaction: "the server takes no writes, as a standby does: give the primary's URL",
    errors.TooManyConnections: "the server takes no more connections: raise max_connections",
    errors.UndefinedTable: "its tables are not there: they are being made just now, or another generation is in force",
}


@contextmanager
def _failures_named(place: Schema) -> Generator[None]:
    """Turn a failure of the server, or of the way to it, into StoreUnavailable; leave faults in statements alone."""
    try:
        yield
    except psycopg.Error as error:
        sentence = next((said for kind, said in _FAULTS.items() if isinstance(error, kind)), None)
        if sentence is None and not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            raise
        said = " ".join(str(error).split())
        known = sentence or "the server cannot be reached, or ended the connection: see that it runs"
        raise StoreUnavailable(f"{place}: {known} ({said})") from error
