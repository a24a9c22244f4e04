"""A store whose pages were changed on the disk: found, said, and put back without losing what was acknowledged."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.service.serving import Serving, event, run, serving, until

pytestmark = pytest.mark.serial

MANY = 300


def submitted(first: int, count: int) -> list[dict[str, object]]:
    return [event(f"e{number}", "time.submitted", time_entry=f"TE-{number}") for number in range(first, first + count)]


def damage(path: Path, table: str) -> None:
    """Write over the pages of a table, but for its first one."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        pages = [row[0] for row in connection.execute("SELECT pageno FROM dbstat WHERE name = ?", (table,))]
    with path.open("r+b") as file:
        for page in pages[1:]:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * size)


def count(serve: Serving) -> int:
    return serve.get("/api/v1/status").json["counts"]["cases"]["open"]


def test_a_damaged_store_is_found_and_the_last_backup_and_the_journal_give_it_back(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    with serving(data) as serve:
        serve.folded(serve.send(*submitted(0, MANY)))
        assert run("verify", "--data", str(data)).returncode == 0
        assert run("backup", str(kept), "--data", str(data)).returncode == 0
        serve.folded(serve.send(*submitted(MANY, MANY)))
    damage(data / "store.db", "cases")

    found = run("verify", "--data", str(data), "--json")
    assert found.returncode == 1
    verdicts = {each["file"]: bool(each["faults"]) for each in json.loads(found.stdout)["files"]}
    assert verdicts == {"kpis.db": False, "store.db": True, "decisions.db": False, "journal.db": False}
    refused = run("backup", str(tmp_path / "other"), "--data", str(data))
    assert (refused.returncode, (tmp_path / "other").exists()) == (1, False)
    assert "the file is damaged" in refused.stderr

    with serving(data) as serve:
        serve.send(*submitted(2 * MANY, MANY))  # is durable, whatever the store is like
        answer = serve.get("/api/v1/cases", process="time-to-bill", limit=1000)
        assert answer.status == 503
        assert "throughline verify" in answer.json["detail"]
        assert "in use" in run("restore", str(kept), "--only-store", "--data", str(data)).stderr
        assert serve.stop() == 0
    log = data.with_suffix(".log").read_text()
    assert log.count("database_damaged") == 1
    assert "Traceback" not in log

    restored = run("restore", str(kept), "--only-store", "--data", str(data))
    assert restored.returncode == 0, restored.stderr
    assert (data / "damaged-1" / "store.db").is_file()
    with serving(data) as serve:
        until(lambda: count(serve) == 3 * MANY, "the journal to be folded")
    assert run("verify", "--data", str(data)).returncode == 0


def test_a_store_that_the_journal_no_longer_reaches_is_not_put_back(tmp_path: Path) -> None:
    data, other, kept = tmp_path / "data", tmp_path / "other", tmp_path / "kept"
    for folder, events in ((other, submitted(0, 3)), (data, submitted(10, 1))):
        with serving(folder) as serve:
            for each in events:
                serve.folded(serve.send(each))
    assert run("backup", str(kept), "--data", str(other)).returncode == 0
    refused = run("restore", str(kept), "--only-store", "--data", str(data))
    assert refused.returncode == 1
    assert "journal.db: seen records up to j1, wanted j3, which is folded" in refused.stderr
    assert sorted(path.name for path in data.glob("*.db")) == ["decisions.db", "journal.db", "kpis.db", "store.db"]
    assert not [*data.glob(".store*")]


def test_a_value_that_was_changed_within_its_page_is_found(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data) as serve:
        serve.folded(serve.send(*submitted(0, 3)))
    with closing(sqlite3.connect(data / "journal.db")) as journal:
        journal.execute("UPDATE record SET raw = CAST(substr(raw, 1, 20) || x'ff' || substr(raw, 22) AS BLOB)")
        journal.commit()
    found = run("verify", "--data", str(data))
    assert found.returncode == 1
    assert "record 1: raw cannot be read" in found.stdout
