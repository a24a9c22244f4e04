"""The command ``rebuild``, beside a running serve and without one: changed keys are applied to the past."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.service.beside import Beside
from tests.service.serving import Serving, command, event, run, serving, until

pytestmark = pytest.mark.serial

KEYS = "keys:\n  ticket: {}\n  serial_number: {}\n"
PROCESS = """process: repair
title: From a ticket to a repaired thing
keys:
  name: ticket
  NUMBER: [serial_number]
steps:
  - {step: opened, kind: initial, types: [ticket.opened], system: crm}
  - {step: repaired, kind: terminal, types: [ticket.repaired], system: erp}
"""
RELATED, ALIAS = PROCESS.replace("NUMBER", "relations"), PROCESS.replace("NUMBER", "aliases")
OPENED = event("1", "ticket.opened", ticket="T-1", serial_number="SN-1")
REPAIRED = event("2", "ticket.repaired", source="/erp", serial_number="SN-1")


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "keys.yaml").write_text(KEYS)
    (folder / "repair.yaml").write_text(RELATED)
    return folder


def rebuilt(data: Path, definitions: Path, *more: str) -> dict[str, Any]:
    done = run("rebuild", "--data", str(data), "--definitions", str(definitions), "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def state_of(serve: Serving) -> str:
    return serve.get("/api/v1/cases/repair/T-1").json["state"]


def test_a_running_serve_takes_the_rebuilt_store_over_while_events_come_in(tmp_path: Path, definitions: Path) -> None:
    data = tmp_path / "data"
    with serving(data, "--definitions", str(definitions)) as serve:
        serve.folded(serve.send(OPENED, REPAIRED))
        assert state_of(serve) == "open"
        (definitions / "repair.yaml").write_text(ALIAS)
        preview = rebuilt(data, definitions, "--preview")
        assert preview["by_process"] == {"repair": [{"before": "open", "after": "done", "cases": 1}]}
        assert state_of(serve) == "open"
        with Beside(serve) as beside:
            assert rebuilt(data, definitions)["changed"] == 1
        assert state_of(serve) == "done"
        assert beside.answers == {200}
        assert serve.folded(beside.position)["counts"]["events"] == 2 + beside.sent
        assert serve.parts.keys() == {"supervisor", "collector", "engine", "watch", "api"}
        serve.kill("engine")
        serve.folded(serve.send(event("3", "ticket.opened", ticket="T-2")))
    with serving(data, "--definitions", str(definitions)) as serve:
        assert state_of(serve) == "done"
        assert [each.name for each in data.glob("store*.db")] == ["store.db"]


def test_without_a_serve_the_next_one_finds_the_store_made_anew(tmp_path: Path, definitions: Path) -> None:
    data = tmp_path / "data"
    with serving(data, "--definitions", str(definitions)) as serve:
        serve.folded(serve.send(OPENED, REPAIRED))
    (definitions / "repair.yaml").write_text(ALIAS)
    refused = run("serve", "--data", str(data), "--definitions", str(definitions))
    assert refused.returncode == 1
    assert "throughline rebuild" in refused.stderr
    assert rebuilt(data, definitions)["changed"] == 1
    with serving(data, "--definitions", str(definitions)) as serve:
        assert state_of(serve) == "done"


def test_a_store_made_with_other_definitions_than_those_of_the_serve_is_not_taken_over(
    tmp_path: Path, definitions: Path
) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    other.mkdir()
    (other / "keys.yaml").write_text(KEYS)
    (other / "repair.yaml").write_text(ALIAS)
    with serving(data, "--definitions", str(definitions)) as serve:
        serve.folded(serve.send(OPENED, REPAIRED))
        words = ["rebuild", "--data", str(data), "--definitions", str(other), "--patience", "2"]
        refused = run(*words)
        assert refused.returncode == 1
        assert "nothing has changed" in refused.stderr
        serve.folded(serve.send(event("3", "ticket.opened", ticket="T-2")))
        assert state_of(serve) == "open"


def test_a_rebuild_that_is_cut_off_leaves_all_as_it_was(tmp_path: Path, definitions: Path) -> None:
    data = tmp_path / "data"
    with serving(data, "--definitions", str(definitions)) as serve:
        serve.folded(serve.send(OPENED, REPAIRED))
        words = command("rebuild", "--data", str(data), "--definitions", str(definitions))
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            until(lambda: bool([*data.glob("store-2.db*")]) or process.poll() is not None, "a store being made")
            process.send_signal(signal.SIGKILL)
        assert state_of(serve) == "open"
        assert rebuilt(data, definitions)["changed"] == 0
        serve.folded(serve.send(event("3", "ticket.opened", ticket="T-2")))
        assert state_of(serve) == "open"


def test_faults_of_all_files_are_told_at_once_and_nothing_is_made(tmp_path: Path, definitions: Path) -> None:
    (tmp_path / "data").mkdir()
    (definitions / "repair.yaml").write_text("process: repair\ntitel: x\n")
    (definitions / "estate.yaml").write_text("systems: 3\n")
    refused = run("rebuild", "--data", str(tmp_path / "data"), "--definitions", str(definitions))
    assert refused.returncode == 1
    assert "repair.yaml:2" in refused.stderr
    assert "estate.yaml:1" in refused.stderr
    assert not [*(tmp_path / "data").glob("store*")]
