"""A real serve whose store is in a real PostgreSQL: all is there, and nothing is lost where either is killed."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from tests.guarantees.blows import Blow, Sudden, end_all, end_supervisor
from tests.postgresql_server import Postgresql, ServerKilled
from tests.service.beside import Beside
from tests.service.serving import Serving, event, options, run, serving, until
from tests.service.test_guarantee_kills import Life, endure
from throughline.core.store_url import StoreUrl

pytestmark = [pytest.mark.serial, pytest.mark.needs("postgresql")]

SUBMITTED, POSTED = "time.submitted", "time.posted"
PASSWORD = "hush-hush-7"
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def url(database: StoreUrl) -> str:
    """The URL as a person gives it, with a password that nobody is to see."""
    return database.libpq.replace("postgresql://postgres@", f"postgresql+psycopg://postgres:{PASSWORD}@")


def reason_of(serve: Serving, part: str) -> str:
    parts = {each["part"]: each["reason"] for each in serve.get("/readyz").json["parts"]}
    return parts[part] or ""


def is_ready(serve: Serving) -> bool:
    return serve.get("/readyz").status == 200


def submitted(*numbers: int) -> list[dict[str, Any]]:
    return [event(f"t{number}", SUBMITTED, time_entry=f"T{number}") for number in numbers]


def attempts(serve: Serving) -> int:
    days = {"from": "2026-03-01", "to": "2026-03-31"}
    found = serve.get("/api/v1/kpis/retries/readings", **days)
    if found.status != 200:
        return 0
    return sum(each["beside"]["began"] for each in found.json["readings"])


def log_of(data: Path) -> str:
    return (data.parent / f"{data.name}.log").read_text()


def test_it_shows_all_that_a_store_in_the_folder_shows_and_never_its_password(tmp_path: Path, url: str) -> None:
    data = tmp_path / "data"
    with serving(data, THROUGHLINE_STORE=url) as serve:
        position = serve.send(
            *submitted(*range(20)),
            event("p1", POSTED, source="/erp", time_entry="T1", erp_document="D1"),
            event("p2", POSTED, source="/erp", erp_document="D2"),
        )
        assert serve.folded(position)["counts"]["events"] == 22
        assert [each["type"] for each in serve.get("/api/v1/cases/time-to-bill/T1").json["members"]] == [
            SUBMITTED,
            POSTED,
        ]
        assert len(serve.get("/api/v1/cases", limit=500).json["cases"]) == 21
        assert serve.get("/api/v1/records", type="erp_document", value="D1").json["records"][0]["case_count"] == 1
        assert serve.get("/api/v1/orphans").json["orphans"] == []
        words = ("statements", "link", "time_entry=T2", "erp_document=D2", "--why", "seen", "--by", "ana")
        stated = run(*words, "--data", str(data))
        assert stated.returncode == 0, stated.stderr
        until(lambda: len(serve.get("/api/v1/cases/time-to-bill/T2").json["members"]) == 2, "the link")
        until(lambda: "throughline_store_bytes" in serve.get("/metrics").text, "the engine's metrics")
        until(lambda: attempts(serve) == 22, "twenty submitted and two posted in the figures")
        assert is_ready(serve)
    assert not list(data.glob("store*"))
    shown = run("settings", THROUGHLINE_STORE=url, COLUMNS="400").stdout
    assert "postgresql+psycopg://" in shown
    for text in (shown, log_of(data), *(path.read_text() for path in data.glob("*.json"))):
        assert PASSWORD not in text


def test_while_the_server_is_away_events_are_taken_and_then_folded_once(
    tmp_path: Path, url: str, postgresql: Postgresql
) -> None:
    with serving(tmp_path / "data", "--store", url) as serve:
        serve.folded(serve.send(*submitted(1, 2)))
        postgresql.kill()
        try:
            position = serve.send(*submitted(2, 3))
            until(lambda: not is_ready(serve), "readiness to say no")
            assert re.search("see that (it|the server) runs", reason_of(serve, "engine"))
            assert serve.get("/api/v1/cases").status == 503
            refused = serve.get("/api/v1/kpis")
            assert refused.status == 503
            assert re.search("see that (it|the server) runs", refused.json["detail"])
            until(lambda: "figures stand still: " in reason_of(serve, "watch"), "the figures to wait, too")
        finally:
            postgresql.start()
        assert serve.folded(position)["counts"]["events"] == 3
        until(lambda: is_ready(serve), "readiness")
        until(lambda: attempts(serve) == 3, "the figures to go on")
        assert reason_of(serve, "watch") == ""


def test_a_server_that_hangs_keeps_nobody_waiting_who_does_not_ask_for_cases(
    tmp_path: Path, url: str, postgresql: Postgresql
) -> None:
    with serving(tmp_path / "data", "--store", url) as serve, ThreadPoolExecutor(60) as others:
        serve.folded(serve.send(*submitted(1)))
        with postgresql.hanging():
            position = serve.send(*submitted(1, 2))
            asked = [others.submit(serve.get, "/api/v1/cases") for _ in range(50)]  # more than there are threads
            figures = others.submit(serve.get, "/api/v1/kpis")
            waits = [others.submit(serve.get, "/api/v1/status", folded=position, wait="60s") for _ in range(5)]
            until(lambda: serve.get("/healthz").status == 200, "an answer")
            assert "the server does not answer" in reason_of(serve, "engine")
            assert "throughline_requests_total" in serve.get("/metrics").text
            assert not any(each.done() for each in waits)
            serve.send(*submitted(3))
            told = figures.result()
            assert told.status == 503
            assert "see that" in told.json["detail"]
        assert all(each.result().json["reached"] for each in waits)
        assert {each.result().status for each in asked} <= {200, 503}
        until(lambda: is_ready(serve), "readiness")
        assert serve.get("/api/v1/status").json["counts"]["events"] == 3
        until(lambda: attempts(serve) == 3, "the figures to go on")


def test_once_its_server_was_started_again_nobody_is_refused(tmp_path: Path, url: str, postgresql: Postgresql) -> None:
    with serving(tmp_path / "data", "--store", url) as serve, ThreadPoolExecutor(8) as others:
        serve.folded(serve.send(*submitted(1)))
        until(lambda: attempts(serve) == 1, "the first figure")
        for each in [others.submit(serve.get, f"/api/v1/{what}") for what in ("cases", "kpis") for _ in range(8)]:
            assert each.result().status == 200
        postgresql.kill()
        postgresql.start()
        assert [serve.get("/api/v1/cases").status for _ in range(8)] == [200] * 8
        assert [serve.get("/api/v1/kpis").status for _ in range(8)] == [200] * 8


def test_after_a_failover_the_standby_holds_the_store(tmp_path: Path) -> None:
    with ExitStack() as stack:
        primary = stack.enter_context(closing(Postgresql()))
        url = primary.fresh().libpq
        standby = stack.enter_context(closing(Postgresql(primary)))
        stack.callback(primary.start)
        both = url.replace(primary.address, f"{primary.address.removesuffix('/')},{standby.address}")
        serve = stack.enter_context(serving(tmp_path / "data", "--store", both))
        serve.folded(serve.send(*submitted(1, 2)))
        until(lambda: standby.has_all_of(primary), "the standby")
        primary.kill()
        position = serve.send(*submitted(2, 3))
        until(lambda: not is_ready(serve), "readiness to say no")
        standby.ask("SELECT pg_promote()")
        assert serve.folded(position)["counts"]["events"] == 3
        until(lambda: is_ready(serve), "readiness")
        until(lambda: attempts(serve) == 3, "the figures of all three")


def test_a_serve_that_starts_while_its_server_is_away_opens_its_doors(
    tmp_path: Path, url: str, postgresql: Postgresql
) -> None:
    data = tmp_path / "data"
    with serving(data, "--store", url) as serve:
        serve.folded(serve.send(*submitted(1)))
    postgresql.kill()
    try:
        with serving(data, "--store", url) as serve:
            position = serve.send(*submitted(1, 2))
            postgresql.start()
            assert serve.folded(position)["counts"]["events"] == 2
    finally:
        postgresql.start()


def test_whatever_is_killed_each_acknowledged_event_counts_exactly_once(
    tmp_path: Path, database: StoreUrl, postgresql: Postgresql
) -> None:
    chance = Random(30)
    server = ServerKilled(postgresql)
    blows: list[Blow] = [Sudden("engine"), server, Sudden("engine"), server, server, Sudden("collector"), Sudden("api")]
    lives = [Life(chance.sample(blows, 7), end) for end in (end_supervisor, end_all, end_supervisor, None)]
    assert sum(len(life.blows) + (life.end is not None) for life in lives) >= 30
    endure(tmp_path, lives, url=database)


def test_a_rebuild_takes_the_place_of_the_former_store_beside_a_running_serve(tmp_path: Path, url: str) -> None:
    data = tmp_path / "data"
    with serving(data, "--store", url) as serve:
        serve.folded(serve.send(*submitted(1, 2)))
        preview = run("rebuild", "--preview", "--data", str(data), "--store", url)
        assert "No case would stand otherwise" in preview.stdout, preview.stderr
        with Beside(serve) as beside:
            done = run("rebuild", "--data", str(data), THROUGHLINE_STORE=url)
        assert "the running serve works on it" in done.stdout, done.stderr
        assert beside.answers == {200}
        assert serve.folded(beside.position)["counts"]["events"] == 2 + beside.sent
    with serving(data, "--store", url) as serve:
        serve.folded(serve.send(*submitted(3)))
        assert serve.get("/api/v1/status").json["counts"]["events"] == 3 + beside.sent
    assert not (data / "store.json").exists()


def test_a_copy_of_the_former_store_does_not_hold_the_engine_up(tmp_path: Path, url: str, database: StoreUrl) -> None:
    data = tmp_path / "data"
    with serving(data, "--store", url) as serve, psycopg.connect(database.libpq) as copy:
        serve.folded(serve.send(*submitted(1, 2)))
        copy.execute("LOCK TABLE throughline.cases IN ACCESS SHARE MODE")
        assert run("rebuild", "--data", str(data), "--store", url).returncode == 0
        until(lambda: "former_store_not_removed" in log_of(data), "the engine to leave it")
        assert serve.folded(serve.send(*submitted(3)))["counts"]["events"] == 3
        assert "store_unavailable" not in log_of(data)
    with psycopg.connect(database.libpq) as connection:
        connection.execute("CREATE SCHEMA throughline_3")  # as a rebuild leaves it that is killed
    with serving(data, "--store", url) as serve, psycopg.connect(database.libpq) as connection:
        assert serve.get("/api/v1/status").json["counts"]["events"] == 3
        left = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'throughline%' ORDER BY 1"
        ).fetchall()
        assert left == [("throughline",), ("throughline_kpis",)]


def test_a_second_serve_on_the_same_database_is_refused(tmp_path: Path, url: str) -> None:
    with serving(tmp_path / "one", "--store", url):
        refused = run(*options(tmp_path / "two", "--store", url))
    assert refused.returncode == 1
    assert "another throughline serve works on this store" in refused.stderr
    assert "give a database of its own to each" in refused.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("/test_", "/none_"), "does not exist"),
        (("127.0.0.1:", "127.0.0.1:1/"), "see that the server runs"),
        (("postgresql+psycopg", "mysql"), "wanted the URL of a PostgreSQL database"),
        ((PASSWORD, f"{PASSWORD}%"), "seen a % that begins no code"),
        (("/test_", "/test_?colour=blue&x="), "a parameter colour that the driver does not know"),
    ],
)
def test_a_url_that_will_never_do_is_refused_with_what_to_do(
    tmp_path: Path, url: str, change: tuple[str, str], said: str
) -> None:
    refused = run(*options(tmp_path / "data", "--store", url.replace(*change)))
    assert refused.returncode != 0
    assert said in refused.stderr
    assert PASSWORD not in refused.stderr


def test_without_its_url_a_folder_whose_store_is_in_a_database_is_not_taken_for_whole(tmp_path: Path, url: str) -> None:
    data = tmp_path / "data"
    with serving(data, "--store", url) as serve:
        serve.folded(serve.send(*submitted(1)))
    for words in (options(data), ["rebuild", "--data", str(data)]):
        refused = run(*words)
        assert refused.returncode == 1
        assert "give it with --store URL" in refused.stderr
        assert PASSWORD not in refused.stderr


def test_a_store_of_the_folder_moves_into_the_database_with_all_that_it_has(tmp_path: Path, url: str) -> None:
    data = tmp_path / "data"
    with serving(data) as serve:
        serve.folded(serve.send(*submitted(1, 2)))
        early = run("rebuild", "--data", str(data), "--store", url)
        assert early.returncode == 1
        assert "only while no serve runs" in early.stderr
    refused = run(*options(data, "--store", url))
    assert refused.returncode == 1
    assert "to take it there, run `throughline rebuild" in refused.stderr
    moved = run("rebuild", "--data", str(data), "--store", url)
    assert "No case stands otherwise than before." in moved.stdout, moved.stderr
    assert not list(data.glob("store*"))
    assert (data / "kpis.db").exists()
    with serving(data, "--store", url) as serve:
        assert serve.folded(serve.send(*submitted(2, 3)))["counts"]["events"] == 3
        until(lambda: attempts(serve) == 3, "the figures of what was there, and of what came")
    assert not list(data.glob("kpis*.db*"))


def test_copies_and_checks_of_the_folder_say_where_the_store_is(tmp_path: Path, url: str) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    with serving(data, "--store", url) as serve:
        serve.folded(serve.send(*submitted(1, 2)))
        copied = run("backup", str(kept), "--data", str(data), COLUMNS="300")
        verified = run("verify", "--data", str(data), COLUMNS="300")
        read = run("verify", "--data", str(data), "--json", THROUGHLINE_STORE=url)
    refused = run("restore", str(kept), "--only-store", "--data", str(data))
    assert "such as pg_dump" in copied.stdout, copied.stderr
    assert "The store is not read: it is in postgresql+psycopg://" in verified.stdout, verified.stderr
    found = {each["file"]: (each["values"], each["faults"]) for each in json.loads(read.stdout)["files"]}
    assert found["throughline"] == (3, [])  # a block and two cases
    assert "kpis.db" not in found
    assert found["throughline_kpis"][1] == []
    assert json.loads(read.stdout)["not_read"] is None
    assert "restore it there, as with pg_restore" in refused.stderr
    for said in (copied.stdout, verified.stdout, read.stdout, refused.stderr):
        assert PASSWORD not in said
    restored = tmp_path / "restored"
    assert run("restore", str(kept), "--data", str(restored)).returncode == 0
    with serving(restored, "--store", url) as serve:
        assert serve.folded(serve.send(*submitted(2, 3)))["counts"]["events"] == 3


def test_a_store_that_was_lost_with_its_server_is_made_anew_from_the_journal(
    tmp_path: Path, url: str, postgresql: Postgresql
) -> None:
    data, other = tmp_path / "data", postgresql.fresh().libpq
    with serving(data, "--store", url) as serve:
        serve.folded(serve.send(*submitted(1, 2)))
    done = run("rebuild", "--data", str(data), "--store", other)
    assert "The store is made anew." in done.stdout, done.stderr
    with serving(data, "--store", other) as serve:
        assert serve.folded(serve.send(*submitted(2, 3)))["counts"]["events"] == 3


def test_values_that_were_changed_are_found(tmp_path: Path, url: str, database: StoreUrl) -> None:
    data = tmp_path / "data"
    with serving(data, "--store", url) as serve:
        serve.folded(serve.send(*submitted(1, 2), event("t3", SUBMITTED) | {"traceparent": TRACEPARENT}))
        until(lambda: attempts(serve) == 2, "the figures")
    with psycopg.connect(database.libpq) as connection:
        connection.execute("UPDATE throughline_kpis.contributed SET content = 'torn' WHERE case_id = 1")
        connection.execute("UPDATE throughline.block SET content = 'torn'")
        connection.execute("UPDATE throughline.cases SET facts = substr(facts, 1, 3) WHERE name LIKE '%T2'")
        connection.execute("UPDATE throughline.trace SET spans = 'torn'")
    found = run("verify", "--data", str(data), "--store", url, COLUMNS="300")
    assert found.returncode == 1
    assert "damaged, 3 faults" in found.stdout
    assert "damaged, 1 faults" in found.stdout
    for fault in (
        "contributed 1: content cannot",
        "block 1: content cannot be read",
        "facts cannot be read",
        f"trace {TRACE.upper()}: spans cannot",
    ):
        assert fault in found.stdout


def test_a_damaged_table_is_left_alone_and_the_store_made_anew_elsewhere(
    tmp_path: Path, url: str, database: StoreUrl, postgresql: Postgresql
) -> None:
    data, other = tmp_path / "data", postgresql.fresh().libpq
    with serving(data, "--store", url) as serve:
        serve.folded(serve.send(*submitted(1, 2)))
        postgresql.damage(database, "throughline.cases")
        position = serve.send(*submitted(2, 3))
        until(lambda: "database_damaged" in log_of(data), "the engine to come upon it")
        assert serve.get("/api/v1/cases").status == 503
        found = run("verify", "--data", str(data), "--store", url, COLUMNS="300")
        assert found.returncode == 1
        assert "cases: invalid page in block 0" in found.stdout, found
        assert "docs/how-to/keep-the-store-in-postgresql.md says what to do." in found.stdout
    assert run("rebuild", "--data", str(data), "--store", other).returncode == 0
    with serving(data, "--store", other) as serve:
        assert serve.folded(position)["counts"]["events"] == 3
