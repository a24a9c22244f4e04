"""Several processes that would keep the KPIs of one database: one does, another goes on where it is killed.

The others are parts of a serve (``python -m throughline.serve.part watch``) beside the one whose store it is.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from kpis.store import SCHEMA
from tests.service.serving import Serving, event, run, serving, until
from throughline.core.postgresql import who_leads
from throughline.core.settings import encode_settings, load_settings
from throughline.core.store_url import Schema, StoreUrl
from throughline.serve.lifeline import Orders, give
from throughline.serve.supervisor import python_part

pytestmark = [pytest.mark.serial, pytest.mark.needs("postgresql")]

BETWEEN = {"from": "2026-03-01", "to": "2026-03-31"}
ASKED: tuple[tuple[str, dict[str, str]], ...] = (
    ("billing-readiness-lag/readings", {**BETWEEN, "every": "day"}),
    ("billing-readiness-lag/readings", {**BETWEEN, "by": "customer"}),
    ("billing-readiness-lag/cases", BETWEEN),
    ("timely-billing-rate/at-risk", {}),
    ("retries/readings", {**BETWEEN, "by": "system"}),
    ("retries/cases", BETWEEN),
    ("unbilled-approved-value/readings", {"by": "region"}),
    ("unbilled-approved-value/cases", {}),
)
# Who wrote, in the order of what was written: each commit of the leader moves how far it has worked off.
WATCHED = """
CREATE TABLE public.wrote (number bigint GENERATED ALWAYS AS IDENTITY, pid integer);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.wrote (pid) VALUES (pg_backend_pid()); RETURN NULL; END';
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON throughline_kpis.contributed
    FOR EACH STATEMENT EXECUTE FUNCTION public.note()
"""


def told(numbers: range) -> list[dict[str, Any]]:
    """Return what happens to some time entries: all are approved, two in three are released."""
    found: list[dict[str, Any]] = []
    for number in numbers:
        entry = {"time_entry": f"TE-{number}", "amount": "100.00", "currency": "EUR", "region": "EMEA"}
        day = 1 + number % 5
        found.append(event(f"a{number}", "time.approved", f"2026-03-0{day}T09:00:00Z", **entry, system="psa"))
        if number % 3:
            found.append(event(f"r{number}", "billing.released", "2026-03-06T12:00:00Z", "/erp", **entry, system="erp"))
    return found


def began(serve: Serving) -> int:
    answer = serve.get("/api/v1/kpis/billing-readiness-lag/readings", **BETWEEN)
    return sum(each["beside"]["began"] for each in answer.json["readings"]) if answer.status == 200 else -1


def figures(serve: Serving) -> list[Any]:
    """Return what is told of some KPIs, and what is behind them."""
    answers = [serve.get(f"/api/v1/kpis/{path}", **asked) for path, asked in ASKED]
    assert not [each.text for each in answers if each.status != 200]
    return [each.json for each in answers]


def leading(url: str, among: Iterable[int]) -> int | None:
    """Return which of some processes keeps KPIs: its is the connection that holds the lock."""
    with psycopg.connect(url) as connection:
        asked = "SELECT client_port FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory' AND"
        lock = f"(classid::bigint << 32) | objid::bigint = hashtextextended('throughline {SCHEMA}', 0)"
        row = connection.execute(f"{asked} granted AND {lock}".encode()).fetchone()
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{line[9]}]" for line in lines if row and int(line[1].rpartition(":")[2], 16) == row[0]}
    return next((pid for pid in among if sockets & open_files(pid)), None)


def open_files(pid: int) -> set[str]:
    found: set[str] = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found.add(str(each.readlink()))
    return found


class Watching:
    """A process that would keep KPIs."""

    def __init__(self, data: Path, url: str, clock: str) -> None:
        settings = load_settings({"data": data, "store": url, "clock": clock}, os.environ)
        heard, report = os.pipe()
        with (data.parent / "watching.log").open("ab") as log:
            self.process = subprocess.Popen(
                python_part("watch"), stdin=subprocess.PIPE, stderr=log, pass_fds=[report], process_group=0
            )
        os.close(report)
        assert self.process.stdin is not None
        self.process.stdin.write(give(Orders({}, msgspec.Raw(encode_settings(settings)), report)))
        self.process.stdin.flush()
        with os.fdopen(heard, "rb") as pipe:
            assert pipe.readline() == b"ready\n"

    def close(self) -> None:
        with self.process:  # which closes its pipe
            self.process.kill()


def test_of_several_one_keeps_figures_and_another_goes_on_where_it_is_killed(
    tmp_path: Path, database: StoreUrl
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("2026-03-09T12:00:00Z")
    url, place = database.libpq, Schema(database, SCHEMA)
    with ExitStack() as stack:
        here = stack.enter_context(serving(tmp_path / "here", "--clock", str(clock)))
        here.send(*told(range(60)))
        there = stack.enter_context(serving(tmp_path / "there", "--clock", str(clock), "--store", url))
        until(lambda: who_leads(place) is not None, "the leader")
        until(lambda: there.get("/api/v1/kpis").status == 200, "its tables")
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in WATCHED.split(";\n"):
                connection.execute(statement.encode())
        others = [stack.enter_context(closing(Watching(there.data, url, str(clock)))) for _ in range(2)]

        def leader() -> int | None:
            own = there.parts.get("watch")  # none, while it is begun again
            return leading(url, [*([own] if own else ()), *(each.process.pid for each in others)])

        for number in range(4):
            there.send(*told(range(number * 15, number * 15 + 15)))
            if number:
                before = leader()
                assert before is not None
                os.kill(before, signal.SIGKILL)  # the serve's own is begun again, and stands by
                until(lambda before=before: leader() not in (None, before), "another leader")
            until(lambda number=number: began(there) == number * 15 + 15, "all of them in the figure")
        assert began(here) == 60
        until(lambda: figures(here) == figures(there), "the same figures")
        with psycopg.connect(url) as connection:
            wrote = [pid for (pid,) in connection.execute("SELECT pid FROM public.wrote ORDER BY number")]
        turns = [pid for pid, _ in groupby(wrote)]
        assert len(turns) == len(set(turns)) == 4, turns  # who had lost the lead wrote no more
        assert run("kpis", "backfill", "--wait", "--data", str(there.data)).returncode == 0
        assert figures(here) == figures(there)
        assert not (there.data / "kpis.db").exists()
