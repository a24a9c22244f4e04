"""G2: an engine that is cut off at any commit, just before or just after it, goes on where it was.

What was not committed is gone with the connection, as with a killed process; the next engine reads on from the
positions that it finds. Duplicates are counted like everything else, so that a record folded twice would show.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineage.census import sources
from lineage.engine import Engine
from tests.guarantees.firm import ARCHIVE, ERP, ESTATE, PSA, happened
from tests.guarantees.shown import DEFAULTS, PACK, Shown, show, snapshot_of
from throughline.core.database import SqliteConnection
from throughline.core.event import Event
from throughline.core.instants import DAY, HOUR, format_instant, parse_instant
from throughline.core.journal import MAPPING, Record
from throughline.core.statement import End, EventRef, Statement, Verb

BEGAN = parse_instant("2026-03-02T09:00:00Z")
NOW = BEGAN + 6 * DAY


class Side(StrEnum):
    BEFORE = "before"
    AFTER = "after"


class CutOff(Exception):
    """The process ends here."""


class Fragile(SqliteConnection):
    """A connection whose process ends at the nth commit; 0: never."""

    side = Side.BEFORE
    nth = 0
    commits = 0

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *parameters)
        self.commits += 1
        if self.commits == self.nth and self.side is Side.BEFORE:
            raise CutOff
        done = super().execute(sql)
        if self.commits == self.nth:
            raise CutOff
        return done


def journal() -> list[Record]:
    """Return a journal in which records repeat events, and a later one has an earlier content of one."""
    said: dict[str, Any] = {"legal_entity": "DE01"}
    submitted = [happened(f"s{n}", "time.submitted", BEGAN, PSA, time_entry=f"T{n}", **said) for n in range(4)]
    posted = happened("p1", "time.posted", BEGAN + HOUR, ERP, erp_document="D1", **said)
    tied = happened("d1", "document.registered", BEGAN + 2 * HOUR, ERP, time_entry="T1", erp_document="D1", **said)
    released = happened("r1", "billing.released", BEGAN, ERP, time_entry=["T1", "T2"], billing_event="B1", **said)
    issued = happened("i1", "invoice.issued", BEGAN + DAY, ERP, billing_event="B1", invoice="I1", **said)
    other = happened("s3", "time.approved", BEGAN, PSA, received=BEGAN, time_entry="T3", **said)
    beats = [
        happened("b1", "source.heartbeat", NOW, PSA, received=NOW),
        happened("b2", "source.heartbeat", NOW, ARCHIVE, received=NOW, until=format_instant(NOW)),
    ]
    contents: list[list[Event]] = [
        submitted,
        [posted, submitted[0]],
        [issued],
        [submitted[1], tied],
        [released, released],
        [other],
        beats,
        [posted, issued, *submitted],
    ]
    return [Record(number, NOW, MAPPING, events, [], []) for number, events in enumerate(contents, 1)]


STATEMENTS = [
    Statement(
        verb=verb,
        a=End("time_entry", "T2"),
        b=End("billing_event", "B1"),
        all=True,
        events=(EventRef(ERP, "r1"),),
        by="ana",
        authenticated=True,
        why="the wrong run",
        number=number,
        id=f"s{number}",
        at=NOW + number,
    )
    for number, verb in enumerate((Verb.UNLINK, Verb.LINK, Verb.UNLINK), 1)
]


def work(engine: Engine) -> Iterator[Callable[[], object]]:
    """Yield what there is to do, one step after another, from where the engine stands."""
    folded, stated = engine.positions()
    for record in journal()[folded:]:
        yield lambda record=record: engine.fold_records([record], NOW)
        yield lambda: engine.settle(NOW)
    yield lambda: engine.state(STATEMENTS[stated:], NOW)
    yield lambda: engine.settle(NOW)
    yield lambda: engine.tick(NOW)


def live(path: Path, side: Side, nth: int) -> tuple[Engine, bool]:
    """Return an engine that did its work, begun by one that was cut off; and whether it was."""
    was_cut_off = False
    while True:
        connection = sqlite3.connect(path, isolation_level=None, factory=Fragile)
        connection.side, connection.nth = side, 0 if was_cut_off else nth
        connection.execute("PRAGMA journal_mode = WAL")
        try:
            engine = Engine(connection, PACK, ESTATE, DEFAULTS)
            for step in work(engine):
                step()
            return engine, was_cut_off
        except CutOff:
            connection.close()
            was_cut_off = True


def told(engine: Engine) -> tuple[Shown, list[dict[str, Any]]]:
    """Return all that is shown, and the sources with their counts of duplicates."""
    snapshot = snapshot_of(engine, PACK, ESTATE, DEFAULTS, NOW)
    seen = show(engine, snapshot, ESTATE), msgspec.to_builtins(sources(snapshot, ESTATE))
    engine.close()
    return seen


@pytest.mark.parametrize("side", Side)
def test_an_engine_cut_off_at_any_commit_goes_on_where_it_was(tmp_path: Path, side: Side) -> None:
    undisturbed, _ = live(tmp_path / "undisturbed.db", side, 0)
    wanted = told(undisturbed)
    assert sum(source["duplicates"] for source in wanted[1]) == 10
    for nth in count(1):
        engine, was_cut_off = live(tmp_path / f"{nth}.db", side, nth)
        assert told(engine) == wanted
        if not was_cut_off:
            break
    assert nth > len(journal()) + len(STATEMENTS)
