"""PostgreSQL as a store: statements written for SQLite as it takes them, one writer to a schema, failures named.

Only imported where a store is there: the driver (psycopg) is an extra of the package.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import psycopg.conninfo
from psycopg import errors
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg.types.string import StrDumper

from throughline.core.errors import StartRefused, StoreDamaged, StoreUnavailable
from throughline.core.sql import Dialect, Rows
from throughline.core.store_url import Schema, StoreUrl

if TYPE_CHECKING:
    from psycopg.abc import RV, PQGen

OLDEST = 15  # the major version
CONNECT_SECONDS = 5
LOCK_SECONDS = 5
STANDS_STILL_SECONDS = 60
"""For how long a writer may do nothing, amid a transaction or as the one that leads: then it loses its connection."""
_BATCH_SECONDS = 60  # the longest that a writer waits for the batch of another
_LOOK_SECONDS = 0.1  # how often the driver sees that nothing has come
_STREAMED_AT_ONCE = 2_000
_numbers = count(1)  # of what is streamed: several results may be open at a time
# Either side notices within half a minute that the other's machine is gone; then a writer's lock is free.
_NOTICED_IN_MS = 25_000

_ENGINE = "throughline engine"
_LOCK = "hashtextextended(?, 0)"

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


class _NoAnswer(psycopg.OperationalError):
    """The server has not answered for too long; the connection is closed, as nobody knows what it would say next."""


class _Patient(psycopg.Connection[Any]):
    """Waits no longer than ``seconds`` for an answer.

    The server's own limit is of no use where its machine hangs, and neither are keepalives where only its processes do.
    """

    seconds: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = _LOOK_SECONDS, timeout: float | None = None) -> RV:
        if self.seconds is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(_timed(gen, self.seconds), interval)
        except _NoAnswer:
            self.close()
            raise


def _timed(gen: PQGen[RV], seconds: float) -> PQGen[RV]:
    """Give what the driver waits for, until that is too long: it comes back now and then with nothing ready."""
    until = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until:
                raise _NoAnswer(f"no answer within {seconds:.0f} seconds")
            wanted = gen.send(ready)
    except StopIteration as done:
        return done.value


class PostgresConnection:
    """A connection to a schema, as throughline.core.sql has it. Closing is safe twice."""

    def __init__(self, place: Schema, *, writes: bool, answer_seconds: float | None = None) -> None:
        """Raise StoreUnavailable where the server cannot be reached, or refuses."""
        self._place = place
        with _failures_named(place, _NOT_OPENED):
            self._raw = _Patient.connect(
                place.url.libpq,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                application_name="throughline engine" if writes else "throughline",
                client_encoding="UTF8",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=_NOTICED_IN_MS,
            )
        self._raw.seconds = None if answer_seconds is None else answer_seconds + 1  # the server's own word comes first
        self._raw.adapters.register_dumper(int, Int8Dumper)  # within lists, else as narrow as those of the first
        self._raw.adapters.register_dumper(int, Int8BinaryDumper)
        self._raw.adapters.register_dumper(str, _Text)
        try:
            self.set(
                search_path=f'"{place.name}"',
                lock_timeout=f"{LOCK_SECONDS}s",
                jit="off",
                # Whatever is the rule for others in this database, or for this user.
                default_transaction_isolation="read committed",
                statement_timeout=f"{answer_seconds or 0:.0f}s",
            )
        except BaseException:
            self.close()
            raise

    def set(self, **settings: str) -> None:
        """Set what holds for this connection."""
        asked = ", ".join("set_config(?, ?, false)" for _ in settings)
        self.execute(f"SELECT {asked}", [text for setting in settings.items() for text in setting])

    @property
    def dialect(self) -> Dialect:
        return "postgresql"

    @property
    def driver(self) -> psycopg.Connection:
        return self._raw

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
            cursor.execute(translated(sql).text.encode(), ())
            yield from cursor

    def array(self, items: Iterable[Any], /) -> list[Any]:
        return list(items)

    def claim(self) -> None:
        self.execute(f"SELECT pg_advisory_lock({_LOCK})", (_ENGINE,))

    def has_table(self, name: str) -> bool:
        return self.execute("SELECT to_regclass(?) IS NOT NULL", (name,)).fetchone()[0]

    def has_column(self, table: str, name: str) -> bool:
        columns = "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(?) AND attname = ? AND NOT attisdropped"
        return self.execute(columns, (table, name)).fetchone() is not None

    def make_durable(self) -> None:
        """Nothing: a commit of the server is durable, as long as its fsync is on."""

    def settle(self) -> None:
        """Let the planner know what the tables hold."""
        self.execute("ANALYZE")

    def shorten_log(self) -> None:
        """Nothing: the server looks after its own."""

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


def open_writer(place: Schema, *, shared: bool = False) -> PostgresConnection:
    """Open a schema for its one writer, or for one of those that ``shared`` it, made if need be.

    Raises StoreUnavailable where the server cannot be used now, or while another writer has the schema open.
    """
    connection = _open_to_write(place)
    try:
        kind = "pg_advisory_lock_shared" if shared else "pg_advisory_lock"
        connection.execute(f"SELECT {kind}({_LOCK})", (_writer(place),))
        if shared:
            connection.set(lock_timeout=f"{_BATCH_SECONDS}s")
        _make_schema(connection, place)
    except BaseException:
        connection.close()
        raise
    return connection


def open_candidate(place: Schema) -> PostgresConnection:
    """Open a schema for who would be its one writer, and is once ``lead`` says so.

    A process that has stood still for a minute loses its connection, and with it the lead: it is of use to nobody.
    Raises StoreUnavailable where the server cannot be used now.
    """
    connection = _open_to_write(place)
    try:
        connection.set(idle_session_timeout=f"{STANDS_STILL_SECONDS}s")
    except BaseException:
        connection.close()
        raise
    return connection


def lead(connection: PostgresConnection, place: Schema) -> bool:
    """Be the one writer of a schema, made if need be, for as long as the connection is open; False: another is."""
    if not connection.execute(f"SELECT pg_try_advisory_lock({_LOCK})", (_writer(place),)).fetchone()[0]:
        return False
    _make_schema(connection, place)
    return True


def open_beside(place: Schema) -> PostgresConnection:
    """Open a schema to write a row or two beside its one writer. Raises StoreUnavailable as ``open_candidate``."""
    return _open_to_write(place)


def _open_to_write(place: Schema) -> PostgresConnection:
    connection = PostgresConnection(place, writes=True)
    try:
        connection.set(
            tcp_keepalives_idle="10",
            tcp_keepalives_interval="5",
            tcp_keepalives_count="3",
            idle_in_transaction_session_timeout=f"{STANDS_STILL_SECONDS}s",
            client_min_messages="warning",
        )
        if connection.execute("SELECT current_setting('synchronous_commit') = 'off'").fetchone()[0]:
            connection.set(synchronous_commit="on")  # the journal lets go of what is committed here
    except BaseException:
        connection.close()
        raise
    return connection


def _writer(place: Schema) -> str:
    """Return what the lock of the one writer of a schema is called after."""
    return f"throughline {place.name}"


def _make_schema(connection: PostgresConnection, place: Schema) -> None:
    connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{place.name}"')


def who_leads(place: Schema) -> str | None:
    """Return the one writer of a schema, as far as the server tells; None: there is none now."""
    with closing(PostgresConnection(place, writes=False)) as connection:
        return _holder(connection, _writer(place))


def _holder(connection: PostgresConnection, lock: str) -> str | None:
    """Return who holds a lock of the database."""
    found = connection.execute(
        "SELECT pid, coalesce(host(client_addr), 'its own machine') FROM pg_stat_activity JOIN pg_locks USING (pid)"
        f" WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) | objid::bigint = {_LOCK}"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (lock,),
    ).fetchone()
    return None if found is None else f"process {found[0]} of the server, from {found[1]}"


def check(place: Schema, *beside: str) -> None:
    """See that a database can hold the store in a schema, with those ``beside``, and that no other engine works on it.

    Raises StartRefused where it cannot or another does, and StoreUnavailable where the server cannot be used now.
    """
    with closing(PostgresConnection(place, writes=True)) as connection:
        owned = (_fault_of_owner(connection, name) for name in (place.name, *beside))
        told = (_fault_of_server(connection), _fault_of_rights(connection), *owned)
        faults = [fault for fault in told if fault]
        if faults:
            raise StartRefused("\n".join(f"{place.url}: {fault}" for fault in faults))
        try:
            connection.claim()
        except StoreUnavailable as error:
            raise StartRefused(f"{place.url}: {_taken(place)}") from error


def _fault_of_server(connection: PostgresConnection) -> str | None:
    found = connection.execute(
        "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'), getdatabaseencoding()"
    ).fetchone()
    return fault_of_server(*found)


def fault_of_server(version: int, shown: str, encoding: str) -> str | None:
    """Say why a server or a database can never hold the store; ``version`` is its number, ``shown`` its text."""
    if version < OLDEST * 10_000:
        return f"seen PostgreSQL {shown}, wanted {OLDEST} or later: upgrade the server, or name another"
    if encoding != "UTF8":
        return f"seen a database in {encoding}, wanted UTF8: make one with CREATE DATABASE … ENCODING 'UTF8'"
    return None


def _fault_of_rights(connection: PostgresConnection) -> str | None:
    standby, closed, may, user, database = connection.execute(
        "SELECT pg_is_in_recovery(), current_setting('transaction_read_only'),"
        " has_database_privilege(current_database(), 'CREATE'), current_user, current_database()"
    ).fetchone()
    if standby:
        return "seen a standby, which takes no writes, wanted the primary"
    if closed == "on":
        return f"seen default_transaction_read_only on, for {database} or {user}, wanted off: the store is written"
    return None if may else f"its user may not make a schema: GRANT CREATE ON DATABASE {database} TO {user}"


def _fault_of_owner(connection: PostgresConnection, schema: str) -> str | None:
    """Say whose tables stand where ours are to be, as after a dump was restored by somebody else."""
    found = connection.execute(
        "SELECT pg_get_userbyid(owner), current_user FROM (SELECT nspowner AS owner FROM pg_namespace WHERE nspname = ?"
        " UNION SELECT relowner FROM pg_class WHERE relnamespace = to_regnamespace(?)) AS owners"
        " WHERE NOT pg_has_role(owner, 'USAGE') LIMIT 1",
        (schema, schema),
    ).fetchone()
    if found is None:
        return None
    return (
        f"seen a schema {schema}, or tables in it, of {found[0]}, wanted {found[1]}'s own: restore a dump as its"
        f" user, or as another with pg_restore --no-owner --role={found[1]}"
    )


def _taken(place: Schema) -> str:
    """Say who works on a store that is taken, as far as the server tells."""
    with closing(PostgresConnection(place, writes=False)) as connection:
        found = _holder(connection, _ENGINE)
    who = "" if found is None else f" ({found})"
    return (
        f"another throughline serve works on this store{who}: stop that one, or give a database of its own to each"
        " data folder"
    )


def fault_in(url: StoreUrl) -> str | None:
    """Say what the driver cannot read in a URL, without showing what may be a secret; None where it can."""
    try:
        psycopg.conninfo.conninfo_to_dict(url.libpq)
    except psycopg.ProgrammingError as error:
        found = re.fullmatch(r'invalid URI query parameter: "(\w+)"', str(error).strip())
        return f"a parameter {found[1]} that the driver does not know" if found else "a URL that the driver cannot read"
    return None


def open_reader(place: Schema, answer_seconds: float | None = None) -> PostgresConnection:
    """Open a schema read-only, beside its writer. Raises StoreUnavailable where the server cannot be used now."""
    connection = PostgresConnection(place, writes=False, answer_seconds=answer_seconds)
    try:
        connection.set(default_transaction_read_only="on")
    except BaseException:
        connection.close()
        raise
    return connection


def is_there(place: Schema) -> bool:
    with closing(open_reader(place)) as connection:
        return connection.has_table("meta")


def remove(place: Schema) -> None:
    """Remove a schema; waits a little for those who read it."""
    with closing(PostgresConnection(place, writes=True)) as connection:
        connection.set(client_min_messages="warning")
        connection.execute(f'DROP SCHEMA IF EXISTS "{place.name}" CASCADE')


def rename(place: Schema, wanted: Schema) -> None:
    with closing(PostgresConnection(place, writes=True)) as connection:
        connection.execute(f'ALTER SCHEMA "{place.name}" RENAME TO "{wanted.name}"')


def _with_nulls(emptied: frozenset[int], row: Any) -> tuple[Any, ...]:
    return tuple([None if index in emptied and value == "" else value for index, value in enumerate(row)])


_FAULTS = {
    _NoAnswer: "the server does not answer: see that its machine and its disk do",
    errors.QueryCanceled: "the server takes too long to answer: see what it is busy with, or ask for less",
    errors.IdleInTransactionSessionTimeout: "it ended a connection that stood still: see what held this process up",
    errors.LockNotAvailable: "another process has it open: see that no other serve or rebuild works on this store",
    errors.DiskFull: "the server's disk is full: free space there",
    errors.ProgramLimitExceeded: "the server cannot hold a text that came in, which is a fault of ours: report it",
    errors.InsufficientPrivilege: "its user may not do this: grant it CREATE on the database",
    errors.InvalidSchemaName: "its user may not use the schema: make that his own",
    errors.ReadOnlySqlTransaction: "the server takes no writes, as a standby does: give the primary's URL",
    errors.TooManyConnections: "the server takes no more connections: raise max_connections",
    errors.UndefinedTable: "its tables are not there: they are being made just now, or another generation is in force",
}


_NOT_OPENED = (
    "it cannot be opened: see that the server runs, and that the URL names host, port, user and database rightly"
)
_LOST = "the server cannot be reached, or ended the connection: see that it runs"


DAMAGED = (
    "its tables are damaged: `throughline verify --store URL` says where, and"
    " docs/how-to/keep-the-store-in-postgresql.md what to do"
)


@contextmanager
def _failures_named(place: Schema, otherwise: str = _LOST) -> Generator[None]:
    """Turn a failure of the server, or of the way to it, into StoreUnavailable; leave faults in statements alone.

    Tables that are damaged are one, too: StoreDamaged.
    """
    try:
        yield
    except (errors.DataCorrupted, errors.IndexCorrupted) as error:
        raise StoreDamaged(f"{place}: {DAMAGED} ({' '.join(str(error).split())})") from error
    except psycopg.Error as error:
        sentence = next((said for kind, said in _FAULTS.items() if isinstance(error, kind)), None)
        if sentence is None and not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            raise
        said = " ".join(str(error).split())
        raise StoreUnavailable(f"{place}: {sentence or otherwise} ({said})") from error
