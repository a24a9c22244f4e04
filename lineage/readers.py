"""Connections that read one place, for several threads: each gives one state of it at a time, and is used again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from threading import Semaphore

from lineage.places import Place
from throughline.core.database import failures_named
from throughline.core.errors import StoreUnavailable
from throughline.core.sql import Connection

MOST_READERS = 8
ANSWER_SECONDS = 30.0


class Readers:
    """Gives connections to a place, so many at a time. Closing is safe twice."""

    def __init__(self, place: Place, opened: Callable[[], Connection]) -> None:
        """``opened`` opens one more; it raises StoreUnavailable where that cannot be."""
        self._place = place
        self._opened = opened
        self._idle: LifoQueue[Connection] = LifoQueue()
        self._seats = Semaphore(MOST_READERS)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Open one state of the place; raises StoreUnavailable where it cannot be read now."""
        with self._seat(), failures_named(self._place):
            connection = self._begun()
            try:
                yield connection
            finally:
                with suppress(sqlite3.Error, StoreUnavailable):
                    connection.execute("ROLLBACK")
                if connection.broken:
                    connection.close()
                else:
                    self._idle.put(connection)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    @contextmanager
    def _seat(self) -> Generator[None]:
        if not self._seats.acquire(timeout=ANSWER_SECONDS):
            raise StoreUnavailable(f"{self._place}: all {MOST_READERS} readers have been busy for too long: ask again")
        try:
            yield
        finally:
            self._seats.release()

    def _begun(self) -> Connection:
        """Return a connection that sees one state; those whose server was started again meanwhile are let go."""
        while True:
            try:
                connection, fresh = self._idle.get_nowait(), False
            except Empty:
                connection, fresh = self._opened(), True
            try:
                connection.execute("BEGIN")
            except BaseException as error:
                lost = connection.broken and isinstance(error, StoreUnavailable)
                connection.close()
                if fresh or not lost:
                    raise
            else:
                return connection
