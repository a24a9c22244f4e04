"""What a store needs of its database, so that the same statements run on SQLite and on PostgreSQL.

Statements are written once, as SQLite takes them and as far as they go in what both take: an upsert is
``ON CONFLICT … DO``, whose right sides name the table. What PostgreSQL writes otherwise is translated
(throughline/core/postgresql.py says what): marks, lists of values, and hints for SQLite's planner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

Dialect = Literal["sqlite", "postgresql"]


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection that commits by itself what stands outside of BEGIN … COMMIT.

    ``BEGIN IMMEDIATE`` opens a transaction of a writer, ``BEGIN`` one that only reads, from one state. It may be handed
    from one thread to another, one at a time. Raises StoreUnavailable, or sqlite3.OperationalError, for what passes.
    """

    @property
    def dialect(self) -> Dialect: ...

    @property
    def driver(self) -> Any:
        """The driver's own connection."""
        ...

    @property
    def broken(self) -> bool:
        """Whether it can no longer be used, and another one may."""
        ...

    def execute(self, sql: str, parameters: Any = ..., /) -> Rows: ...

    def executemany(self, sql: str, rows: Iterable[Any], /) -> object: ...

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Give rows one by one, of a result that need not fit into memory; within a transaction."""
        ...

    def array(self, items: Iterable[Any], /) -> object:
        """Return numbers or texts as the one parameter that ``IN (SELECT value FROM json_each(?))`` takes."""
        ...

    def claim(self) -> None:
        """Be the only engine of the database from now on, whichever generation it writes, until this is closed.

        Raises StoreUnavailable where another is. The lock of a data folder does as much for the files in it.
        """
        ...

    def has_table(self, name: str) -> bool: ...

    def has_column(self, table: str, name: str) -> bool: ...

    def make_durable(self) -> None:
        """Make what is committed outlive a power cut. Raises OSError."""
        ...

    def settle(self) -> None:
        """Leave what was written in bulk in good order for those who read it."""
        ...

    def shorten_log(self) -> None:
        """Begin the log anew where it has grown long: it goes on at its end for as long as there is always a reader.

        Waits for those who read just now, half a second at most: then the next call may do it.
        """
        ...

    def size(self) -> int:
        """Return the bytes that the tables take."""
        ...

    def close(self) -> None: ...
