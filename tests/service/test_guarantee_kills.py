"""G1, G2 across the whole service: whatever is killed, what was acknowledged counts exactly once, and nothing else.

A real serve takes traffic on all doors while its parts are ended by SIGKILL, at random moments and at the boundaries
of what they do. Afterwards the cases hold each event once, and all that is shown equals what an engine shows that folds
the same journal and statements undisturbed.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx2
import msgspec
import pytest

from lineage.census import sources
from lineage.generations import store_place
from lineage.places import Place, open_reading
from lineage.run import MOST_EVENTS, MOST_RECORDS, Subject, open_engine
from tests.guarantees.blows import Aimed, Blow, Sudden, end_all, end_supervisor
from tests.guarantees.firm import ESTATE, FOLDER
from tests.guarantees.senders import Accounts, Traffic
from tests.guarantees.shown import DEFAULTS, PACK, case_documents, listed, read, snapshot_of, status
from tests.service.serving import Serving, serving, until
from tests.unit.lineage.adapter import settle, tick
from throughline.core.clock import FileClock
from throughline.core.decisions import FILE_NAME as DECISIONS_FILE
from throughline.core.decisions import DecisionReader
from throughline.core.instants import DAY, HOUR, format_instant, parse_instant
from throughline.core.journal import JOURNAL_FILE, JournalReader
from throughline.core.key import Key
from throughline.core.statement import statement_document
from throughline.core.store_url import StoreUrl

pytestmark = pytest.mark.serial

BEGAN = parse_instant("2026-03-02T09:00:00Z")
WEEK = 5 * DAY  # passes on the clock in all, so that deadlines fire in between
ROOM = (3, 45)  # events acknowledged between two blows
MOST_STATEMENTS = 100_000


class Life(NamedTuple):
    """One run of a serve: the blows it takes, and how it ends."""

    blows: Sequence[Blow]
    end: Callable[[Serving], None] | None = None


def at_random(seed: int) -> list[Life]:
    """Return lives of the service with over 20 ends in all; its collector and engine are hit most."""
    chance = Random(seed)
    parts = ["collector"] * 3 + ["engine"] * 3 + ["api"]
    ends = (end_supervisor, end_all, end_supervisor, None)
    return [Life([Sudden(part) for part in chance.sample(parts, 6)], end) for end in ends]


WAL, STORE_WAL = "journal.db-wal", "store.db-wal"
BOUNDARIES = [
    Life(
        [
            Aimed("append", "collector", "pwrite64", 3, WAL),
            Aimed("commit", "engine", "pwrite64", 1, STORE_WAL),
            Aimed("fsync", "collector", "fdatasync", 5, WAL),
            Aimed("fold", "engine", "pread64", 3, WAL),
            Aimed("answer", "collector", "write", 5),
        ],
        end_supervisor,
    ),
    Life(
        [
            Aimed("answer", "collector", "write", 8),
            Aimed("commit", "engine", "pwrite64", 22, STORE_WAL),
            Aimed("answer", "collector", "sendmsg", 7),
            Aimed("commit", "engine", "pwrite64", 93, STORE_WAL),
            Aimed("append", "collector", "pwrite64", 10, WAL),
            Aimed("fold", "engine", "pread64", 8, WAL),
            Aimed("fsync", "collector", "fdatasync", 1, WAL),
        ],
        None,
    ),
]


def test_killed_at_random_moments_each_acknowledged_event_counts_exactly_once(tmp_path: Path) -> None:
    lives = at_random(20)
    assert sum(len(life.blows) + (life.end is not None) for life in lives) >= 20
    endure(tmp_path, lives)


@pytest.mark.needs("strace")
def test_killed_at_each_boundary_each_acknowledged_event_counts_exactly_once(tmp_path: Path) -> None:
    endure(tmp_path, BOUNDARIES)


def endure(folder: Path, lives: list[Life], *words: str, url: StoreUrl | None = None) -> Accounts:
    """Let the service live through all this with traffic on, and compare what it shows then; return the accounts.

    ``words`` are further options of serve; ``url``: the database of its store, where it is not in the folder.
    """
    data, clock = folder / "data", folder / "clock"
    more = {} if url is None else {"THROUGHLINE_STORE": url.libpq}
    chance = Random(len(lives))
    now = BEGAN
    set_clock(clock, now)
    with Traffic(BEGAN - 3 * HOUR) as traffic:
        accounts = traffic.accounts
        for number, life in enumerate(lives):
            (data / "addresses.json").unlink(missing_ok=True)
            with serving(data, "--clock", str(clock), "--definitions", str(FOLDER), *words, **more) as serve:
                traffic.addresses.update(serve.addresses)
                if number == 0:
                    traffic.start()
                for blow in life.blows:
                    accounts.wait_for(chance.randint(*ROOM))
                    blow.strike(serve)
                now += WEEK // len(lives)
                set_clock(clock, now)
                accounts.wait_for(ROOM[1])
                if life.end is not None:
                    life.end(serve)
                    continue
                traffic.stop()
                seen = see(serve, now, accounts, store_place(data, url))
    assert accounts.repeated, "no sender had to send anything again"
    assert_each_counts_once(seen, accounts)
    assert_statements_stand(seen, accounts)
    assert_deadlines_fired_once(store_place(data, url))
    assert seen == see_undisturbed(data, folder / "undisturbed", clock)
    return accounts


def set_clock(file: Path, now: int) -> None:
    next_file = file.with_suffix(".next")
    next_file.write_text(format_instant(now))
    os.replace(next_file, file)


class Seen(NamedTuple):
    """What the API shows: a document for each line of the list, what status counts, and what was stated."""

    lines: list[dict[str, Any]]
    documents: list[bytes]
    counts: dict[str, Any]
    sources: list[dict[str, Any]]
    statements: list[dict[str, Any]]


def see(serve: Serving, now: int, accounts: Accounts, store: Place) -> Seen:
    """Ask the API for everything, once all that was acknowledged is folded and all that is due is done."""
    for letter in "js":
        position = max((each for each in accounts.payloads if each[0] == letter), key=lambda each: int(each[1:]))
        serve.folded(position)
    until(lambda: serve.get("/api/v1/status").json["now"] == format_instant(now), "the clock")
    until(lambda: nothing_is_due(store, now), "what is due to be done")
    with httpx2.Client(base_url=f"http://{serve.addresses['api']}/api/v1", timeout=30, trust_env=False) as client:
        lines = pages(client, "/cases", "cases")
        status = client.get("/status").json()
        return Seen(
            lines,
            [document(client, line) for line in lines],
            {name: count for name, count in status["counts"].items() if name != "folded"},
            status["sources"],
            pages(client, "/statements", "statements"),
        )


def pages(client: httpx2.Client, path: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    asked: dict[str, str | int] = {"limit": 500}
    while True:
        page = client.get(path, params=asked).raise_for_status().json()
        found += page[name]
        if page["next"] is None:
            return found
        asked["cursor"] = page["next"]


def document(client: httpx2.Client, line: dict[str, Any]) -> bytes:
    path = f"/cases/{line['process']}/{line['name']}"
    return client.get(path, params={"type": line["key_type"]}).raise_for_status().content


def nothing_is_due(store: Place, now: int) -> bool:
    with closing(open_reading(store)) as connection:
        wake = "SELECT EXISTS (SELECT 1 FROM cases WHERE wake_at <= ?) OR EXISTS (SELECT 1 FROM stale)"
        return not connection.execute(wake, (now,)).fetchone()[0]


def assert_each_counts_once(seen: Seen, accounts: Accounts) -> None:
    """The cases hold what was acknowledged, which by now is all that was sent, each event once; so do the counters."""
    members = Counter(
        (member["source"], member["event_id"])
        for content in seen.documents
        for member in json.loads(content)["members"]
    )
    assert sorted(accounts.acknowledged) == sorted(accounts.sent)
    assert members == Counter(accounts.sent)
    assert seen.counts["events"] == len(accounts.sent)


def assert_statements_stand(seen: Seen, accounts: Accounts) -> None:
    stated = {each["position"]: each for each in seen.statements}
    for position, payload in accounts.payloads.items():
        if position[0] == "s":
            assert {name: stated[position][name] for name in ("pair", "why")} == {
                name: payload[name] for name in ("pair", "why")
            }


def assert_deadlines_fired_once(store: Place) -> None:
    """What is open was believed once and is believed still; nothing else is."""
    with closing(open_reading(store)) as connection:
        believed = connection.execute(
            "SELECT case_id, kind, step, round FROM belief WHERE closed_at IS NULL"
        ).fetchall()
        stands = connection.execute("SELECT case_id, kind, step, round FROM deviation").fetchall()
    assert sorted(believed) == sorted(stands)
    assert [row for row in believed if row[1] == "overdue"]


def see_undisturbed(data: Path, folder: Path, clock: Path) -> Seen:
    """Return what an engine shows that folds the same journal and statements without being disturbed."""
    folder.mkdir()
    subject = Subject(folder, PACK, ESTATE, DEFAULTS, FileClock(clock))
    now = subject.clock.now()
    with (
        closing(open_engine(subject)) as engine,
        closing(JournalReader(data / JOURNAL_FILE)) as journal,
        closing(DecisionReader(data / DECISIONS_FILE)) as decisions,
    ):
        while records := journal.after(engine.positions()[0], MOST_RECORDS, MOST_EVENTS):
            engine.fold_records(records, now)
        statements = decisions.after(0, MOST_STATEMENTS)
        engine.state(statements, now)
        settle(engine, now)
        tick(engine, now)
        snapshot = snapshot_of(engine, PACK, ESTATE, DEFAULTS, now)
        lines = read(listed(snapshot))["cases"]
        documents = case_documents(snapshot)
        return Seen(
            lines,
            [documents[line["process"], key_of(line)] for line in lines],
            read(status(snapshot, ESTATE))["counts"],
            msgspec.to_builtins(sources(snapshot, ESTATE)),
            [msgspec.to_builtins(statement_document(each)) for each in reversed(statements)],
        )


def key_of(line: dict[str, Any]) -> str:
    return Key(line["key_type"], line["name"], tuple(line["scope"].values())).encode()
