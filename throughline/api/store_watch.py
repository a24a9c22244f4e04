"""What is asked of the store again and again: how far it is folded, and what its engine says of itself.

Asked with a connection and a thread of their own, so that nobody who reads cases makes it wait, and nobody who waits
for it keeps others waiting: a server that hangs answers nothing, and does not say so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Any, Final, NamedTuple, TypeVar, cast

from lineage.engine import JOURNAL, STATEMENTS
from lineage.engine_metrics import METRICS_ROW
from lineage.places import Place, open_reading
from lineage.sight import Heard
from lineage.store import StoreReader
from throughline.core.database import failures_named
from throughline.core.errors import StoreUnavailable
from throughline.core.sql import Connection

ANSWER_SECONDS: Final = 5.0
_CACHE_MIB = 1
_T = TypeVar("_T")


class Folded(NamedTuple):
    """The last record and statement whose effect is in the store, but for cases put off (``settled``: none is)."""

    record: int
    statement: int
    settled: bool


class Watch:
    """Asks what stands at a place, one question at a time; who asks what is being asked gets the same answer.

    Closing is safe twice, and waits for nothing.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "store-watch")
        self._lock = Lock()
        self._closed = False
        self._asked: dict[Callable[[Connection], Any], Future[Any]] = {}

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._thread.submit(self._let_go)
                self._thread.shutdown(wait=False)

    def ask(self, question: Callable[[Connection], _T]) -> Future[_T]:
        """Return the answer to come; StoreUnavailable where there is no store, or none that answers."""
        with self._lock:
            if self._closed:
                return _refused(StoreUnavailable(f"{self._place} is no longer asked: another one is in force"))
            asked = self._asked.get(question)
            if asked is None or asked.done():
                asked = self._asked[question] = self._thread.submit(self._answer, question)
            return cast("Future[_T]", asked)

    def _answer(self, question: Callable[[Connection], _T]) -> _T:
        try:
            with failures_named(self._place):
                if self._connection is None:
                    self._connection = self._open()
                return question(self._connection)
        except sqlite3.DatabaseError as error:
            self._let_go()
            raise StoreUnavailable(f"{self._place}: {error}") from error
        except StoreUnavailable:
            self._let_go()
            raise

    def _open(self) -> Connection:
        connection = open_reading(self._place, _CACHE_MIB, ANSWER_SECONDS)
        try:
            if connection.has_table("meta"):
                return connection
            raise StoreUnavailable(f"{self._place} is being made just now")
        except BaseException:
            connection.close()
            raise

    def _let_go(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.close()
        self._connection = None


class StoreWatch(Watch):
    """Asks the lineage store."""

    def folded(self) -> Future[Folded]:
        """Return the answer to come; StoreUnavailable where there is no store, or none that answers."""
        return self.ask(_folded)

    def metrics(self) -> Future[str | None]:
        """Return the answer to come: the engine's metrics, None where it left none; else as ``folded``."""
        return self.ask(_metrics)

    def heard(self) -> Future[dict[str, Heard]]:
        """Return the answer to come: what came from each source; else as ``folded``."""
        return self.ask(_heard)


def _folded(connection: Connection) -> Folded:
    store = StoreReader(connection)
    positions = store.positions()
    settled = store.one("SELECT 1 FROM stale LIMIT 1") is None
    return Folded(positions.get(JOURNAL, 0), positions.get(STATEMENTS, 0), settled)


def _metrics(connection: Connection) -> str | None:
    return StoreReader(connection).one("SELECT value FROM meta WHERE name = ?", METRICS_ROW)


def _heard(connection: Connection) -> dict[str, Heard]:
    return {source: Heard(*marks) for source, marks in StoreReader(connection).watermarks().items()}


def _refused(error: StoreUnavailable) -> Future[Any]:
    refused = Future[Any]()
    refused.set_exception(error)
    return refused
