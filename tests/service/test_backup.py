"""The commands ``backup`` and ``restore``: taken while events come in, whole or refused, and what it shows again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.beside import Beside
from tests.service.serving import Serving, event, run, serving

pytestmark = pytest.mark.serial

STATEMENT = {
    "verb": "link",
    "pair": {"from": {"time_entry": "TE-1"}, "to": {"billing_event": "B-1"}},
    "all": True,
    "by": "ana",
    "why": "billed by hand",
}


def shown(serve: Serving) -> object:
    """Return what the API shows of the first time entry, and what was stated."""
    return serve.get("/api/v1/records", type="time_entry", value="TE-1").json, serve.get("/api/v1/statements").json


def test_a_backup_taken_under_way_shows_the_same_again_and_goes_on(tmp_path: Path) -> None:
    data, kept, again = tmp_path / "data", tmp_path / "kept", tmp_path / "again"
    with serving(data) as serve:
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1", amount="90.00", currency="EUR")))
        serve.folded(serve.post("/api/v1/statements", STATEMENT).json["position"])
        with Beside(serve) as beside:
            done = run("backup", str(kept), "--data", str(data), "--json")
            sent = beside.sent
        assert done.returncode == 0, done.stderr
        assert beside.answers == {200}
        before = shown(serve)
    assert run("restore", str(kept), "--check").returncode == 0
    restored = run("restore", str(kept), "--data", str(again), "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout) == json.loads(done.stdout)
    with serving(again) as serve:
        counts = serve.folded(serve.send(event("e2", "time.approved", time_entry="TE-2")))["counts"]
        assert 2 <= counts["events"] <= 2 + sent
        assert shown(serve) == before


def test_a_damaged_backup_is_refused_whole_with_every_fault(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    with serving(data) as serve:
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1")))
    assert run("backup", str(kept), "--data", str(data)).returncode == 0
    content = bytearray((kept / "store.db").read_bytes())
    content[len(content) // 2] ^= 1
    (kept / "store.db").write_bytes(content)
    (kept / "journal.db").unlink()
    refused = run("restore", str(kept), "--data", str(tmp_path / "again"))
    assert refused.returncode == 1
    assert "store.db: seen" in refused.stderr
    assert "journal.db: not there" in refused.stderr
    assert not [*(tmp_path / "again").glob("*.db")]


def test_neither_overwrites_what_is_there(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    with serving(data) as serve:
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1")))
        assert run("backup", str(kept), "--data", str(data)).returncode == 0
        assert "is there already" in run("backup", str(kept), "--data", str(data)).stderr
        assert "in use" in run("restore", str(kept), "--data", str(data)).stderr
    assert "holds data already" in run("restore", str(kept), "--data", str(data)).stderr
    assert "there is no data" in run("backup", str(tmp_path / "other"), "--data", str(tmp_path / "none")).stderr
