"""The disk is full, or read-only, while a serve runs: the engine waits and goes on, and readiness says why."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.service.disks import fill, remount, small_disk
from tests.service.injected import injected
from tests.service.serving import Serving, event, options, run, serving, until
from throughline.core.errors import StoreUnavailable
from throughline.core.release import RELEASE_FILE, Release, read_release, write_release

pytestmark = pytest.mark.serial

MANY = 150
BATCH = {"content-type": "application/cloudevents-batch+json"}
FILES = [f"{name}.db{beside}" for name in ("journal", "store", "decisions") for beside in ("", "-wal")]
STATEMENT = {
    "verb": "link",
    "pair": {"from": {"time_entry": "TE-1"}, "to": {"billing_event": "B-1"}},
    "all": True,
    "by": "ana",
    "why": "billed by hand",
}


def bulky(first: int, count: int) -> list[dict[str, Any]]:
    """Return events that do not compress."""
    return [
        event(f"e{n}", "time.submitted", time_entry=f"TE-{n}", note=random.Random(n).randbytes(600).hex())
        for n in range(first, first + count)
    ]


def reason(serve: Serving, part: str) -> str:
    return next(each["reason"] or "" for each in serve.get("/readyz").json["parts"] if each["part"] == part)


def faults(serve: Serving) -> list[dict[str, Any]]:
    lines = serve.data.with_suffix(".log").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["level"] in ("error", "critical")]


def test_on_a_full_disk_the_engine_waits_and_folds_all_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", "8m") as disk:
        with serving(disk, "--free-bytes", "0") as serve:
            serve.folded(serve.send(*bulky(0, 3)))
            parts = dict(serve.parts)
            os.kill(parts["engine"], signal.SIGSTOP)
            position = serve.send(*bulky(3, MANY))
            ballast = fill(disk)
            os.kill(parts["engine"], signal.SIGCONT)
            until(lambda: "it waits: the disk is full: free space" in reason(serve, "engine"), "readiness to say why")

            kept = run("backup", str(disk / "kept"), "--data", str(serve.data))
            assert kept.returncode == 1
            assert f"{disk}" in kept.stderr
            assert "the disk is full: free space" in kept.stderr
            rebuilt = run("rebuild", "--data", str(serve.data))
            assert rebuilt.returncode == 1
            assert "free space" in rebuilt.stderr
            assert "Traceback" not in kept.stderr + rebuilt.stderr
            left = {path.name for path in disk.iterdir()}
            assert not [name for name in left if "draft" in name or "store-" in name or "kept" in name]

            ballast.unlink()
            assert serve.folded(position)["counts"]["events"] == 3 + MANY
            until(lambda: serve.get("/readyz").status == 200, "readiness")
            assert serve.parts == parts
        said = [line for line in faults(serve) if line["event"] == "store_unavailable"]
    assert len(said) == 1
    assert "free space" in said[0]["why"]


@pytest.mark.needs("strace")
def test_on_a_disk_that_takes_nothing_any_more_all_wait_and_go_on(tmp_path: Path) -> None:
    """As of a disk that the system makes read-only beneath files that are open: every write of them fails."""
    with serving(tmp_path / "data") as serve:
        serve.folded(serve.send(*bulky(0, 3)))
        serve.folded(serve.post("/api/v1/statements", STATEMENT).json["position"])
        parts = dict(serve.parts)
        os.kill(parts["engine"], signal.SIGSTOP)
        position = serve.send(*bulky(3, 3))
        with injected(serve, ("collector", "engine", "api"), "pwrite64,ftruncate", "error=EROFS", FILES):
            os.kill(parts["engine"], signal.SIGCONT)
            refused = serve.call(serve.url("/v1/events", "http"), bulky(6, 1), BATCH)
            assert refused.status == 503
            assert "the disk reports an error: check it" in refused.text
            assert serve.post("/api/v1/statements", STATEMENT).status == 503
            until(lambda: "the disk reports an error" in reason(serve, "engine"), "readiness to say why")
            assert "the disk reports an error" in reason(serve, "collector")
            assert serve.get("/api/v1/cases/time-to-bill/TE-1").status == 200
        assert serve.folded(position)["counts"]["events"] == 6
        until(lambda: serve.get("/readyz").status == 200, "readiness")
        assert serve.folded(serve.send(*bulky(6, 1)))["counts"]["events"] == 7
        assert serve.folded(serve.post("/api/v1/statements", STATEMENT).json["position"])["reached"]
        assert serve.parts == parts
    said = [line["event"] for line in faults(serve)]
    assert said.count("store_unavailable") == said.count("journal_refused") == 1
    assert "Traceback" not in serve.data.with_suffix(".log").read_text()


def test_in_a_folder_that_is_read_only_no_serve_starts_and_it_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", "32m") as disk:
        with serving(disk, "--free-bytes", "0") as serve:
            serve.folded(serve.send(*bulky(0, 3)))
        remount(disk, "ro")
        refused = run(*options(disk))
        assert refused.returncode == 1
        assert "cannot be written (Read-only file system)" in refused.stderr
        assert "--data DIR" in refused.stderr
        assert run("verify", "--data", str(disk)).returncode == 0
        remount(disk, "rw")
        with serving(disk, "--free-bytes", "0") as serve:
            assert serve.folded(serve.send(*bulky(3, 1)))["counts"]["events"] == 4


def test_a_full_disk_leaves_what_was_said_of_who_may_go(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        write_release(disk, Release(3, 30))
        ballast = fill(disk)
        with pytest.raises(StoreUnavailable, match=f"{RELEASE_FILE}: the disk is full: free space"):
            write_release(disk, Release(4, 40))
        assert read_release(disk) == Release(3, 30)
        assert {path.name for path in disk.iterdir()} == {ballast.name, RELEASE_FILE}
        ballast.unlink()
        write_release(disk, Release(4, 40))
        assert read_release(disk) == Release(4, 40)
