"""Whatever is killed while a store is rebuilt beside a serve: the former goes on or the new one, never a half."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lineage.generations import POINTER
from tests.guarantees.blows import Aimed, end, end_all, running
from tests.service.beside import Beside
from tests.service.serving import PATIENCE_SECONDS, Serving, command, event, run, serving, until
from tests.service.test_rebuild import ALIAS, KEYS, RELATED

pytestmark = pytest.mark.serial

MANY = 40
NEXT = "store-2.db"


class Firm:
    """A data folder, its definitions and its clock: a serve and a rebuild of them."""

    def __init__(self, folder: Path) -> None:
        self.data, self.definitions, self.clock = folder / "data", folder / "definitions", folder / "clock"
        self.definitions.mkdir()
        (self.definitions / "keys.yaml").write_text(KEYS)
        self.define(RELATED)
        self.clock.write_text("2026-03-02T09:00:00Z")
        self.words = ("--definitions", str(self.definitions), "--clock", str(self.clock))

    def define(self, process: str) -> None:
        (self.definitions / "repair.yaml").write_text(process)

    @property
    def rebuilding(self) -> list[str]:
        return command("rebuild", "--data", str(self.data), *self.words, "--json")

    def rebuilt(self) -> int:
        """Rebuild; return how many cases stand otherwise."""
        done = run("rebuild", "--data", str(self.data), *self.words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["changed"]


@pytest.fixture
def firm(tmp_path: Path) -> Firm:
    return Firm(tmp_path)


def tickets() -> list[dict[str, Any]]:
    opened = [event(f"o{n}", "ticket.opened", ticket=f"T-{n}", serial_number=f"SN-{n}") for n in range(MANY)]
    return [*opened, *(event(f"r{n}", "ticket.repaired", source="/erp", serial_number=f"SN-{n}") for n in range(MANY))]


def states(serve: Serving) -> set[str]:
    """Return the states of the tickets that were repaired."""
    lines = serve.get("/api/v1/cases", process="repair", limit=1000).json["cases"]
    return {line["state"] for line in lines if line["name"].startswith("T-")}


def digest(serve: Serving) -> str:
    """Return the digest of every case document."""
    lines = serve.get("/api/v1/cases", process="repair", limit=1000).json["cases"]
    documents = [serve.get(f"/api/v1/cases/repair/{line['name']}").text for line in lines]
    return sha256("\n".join(documents).encode()).hexdigest()


def assert_stands(firm: Firm, serve: Serving, state: str) -> None:
    """Hold that the store is whole: another rebuild changes nothing, to the byte."""
    assert states(serve) == {state}
    before = digest(serve)
    assert firm.rebuilt() == 0
    assert digest(serve) == before


def stores(firm: Firm) -> set[str]:
    return {each.name for each in firm.data.iterdir() if each.name.startswith(("store", ".store"))}


def test_the_engine_is_killed_again_and_again_while_the_store_is_rebuilt(firm: Firm) -> None:
    with serving(firm.data, *firm.words) as serve:
        serve.folded(serve.send(*tickets()))
        firm.define(ALIAS)
        with Beside(serve) as beside, subprocess.Popen(firm.rebuilding, stdout=subprocess.PIPE) as rebuilding:
            until(lambda: (firm.data / NEXT).exists(), "a store being made")
            while rebuilding.poll() is None and not (firm.data / POINTER).exists():
                end(running(serve, "engine"))
            assert rebuilding.wait(PATIENCE_SECONDS) == 0
        assert beside.answers == {200}
        assert serve.folded(beside.position)["counts"]["events"] == 2 * MANY + beside.sent
        assert_stands(firm, serve, "done")


@pytest.mark.needs("strace")
def test_the_engine_is_killed_as_it_takes_the_rebuilt_store_over(firm: Firm) -> None:
    with serving(firm.data, *firm.words) as serve:
        serve.folded(serve.send(*tickets()))
        firm.define(ALIAS)
        with subprocess.Popen(firm.rebuilding, stdout=subprocess.PIPE) as rebuilding:
            Aimed("swap", "engine", "openat", 1, NEXT).strike(serve)
            assert rebuilding.wait(PATIENCE_SECONDS) == 0
        assert (
            serve.folded(serve.send(event("more", "ticket.opened", ticket="U-1")))["counts"]["events"] == 2 * MANY + 1
        )
        assert_stands(firm, serve, "done")


def killed_at(firm: Firm, call: str, file: Path | None) -> Sequence[str]:
    """Return the command of a rebuild that is killed as it enters its first call of a kind, on a file or on any."""
    aim = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when=1", *(["-P", str(file)] if file else [])]
    return ["strace", "-f", "-qq", "-o", os.devnull, *aim, *firm.rebuilding]


@pytest.mark.needs("strace")
@pytest.mark.parametrize(("call", "state"), [("rename", "open"), ("fsync", "done")])  # before it is named, and after
def test_the_rebuild_is_killed_as_it_names_the_new_store(firm: Firm, call: str, state: str) -> None:
    with serving(firm.data, *firm.words) as serve:
        serve.folded(serve.send(*tickets()))
        firm.define(ALIAS)
        words = killed_at(firm, call, firm.data if call == "fsync" else None)
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # else it renames files of its own
        killed = subprocess.run(words, stdout=subprocess.DEVNULL, check=False, env=environment)
        assert killed.returncode == -9
        assert (firm.data / NEXT).exists()
        until(lambda: states(serve) == {state}, "the store in force")
        serve.folded(serve.send(event("more", "ticket.opened", ticket="U-1")))
        assert serve.stop() == 0
    firm.define(RELATED if state == "open" else ALIAS)  # those by which the store in force was made
    with serving(firm.data, *firm.words) as serve:
        assert stores(firm) <= {"store.db", "store.db-wal", "store.db-shm"}
        firm.define(ALIAS)
        assert firm.rebuilt() == (MANY if state == "open" else 0)
        assert_stands(firm, serve, "done")


def test_all_is_killed_between_the_new_store_and_the_former(firm: Firm) -> None:
    with serving(firm.data, *firm.words) as serve:
        serve.folded(serve.send(*tickets()))
        firm.define(ALIAS)
        with subprocess.Popen(firm.rebuilding, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as rebuilding:
            until(lambda: (firm.data / POINTER).exists(), "the new store to be named")
            rebuilding.kill()
            end_all(serve)
    (firm.data / "addresses.json").unlink(missing_ok=True)
    with serving(firm.data, *firm.words) as serve:
        assert (
            serve.folded(serve.send(event("more", "ticket.opened", ticket="U-1")))["counts"]["events"] == 2 * MANY + 1
        )
        assert_stands(firm, serve, "done")
