"""A running serve, from outside: it starts, takes events in, survives what is killed, and stops."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.service.serving import DOORS, event, options, run, runs, serving, until
from tests.tokens import person, write_tokens
from throughline.serve.processes import can_copy

pytestmark = pytest.mark.serial


def test_events_in_are_cases_out_also_after_each_part_was_killed(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        addresses = dict(serve.addresses)
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1")))
        for number, part in enumerate(("engine", "collector", "watch", "api"), 2):
            serve.kill(part)
            until(lambda: serve.get("/readyz").status == 200 if answers(serve.addresses["api"]) else False, "readiness")
            position = serve.send(event(f"e{number}", "time.submitted", time_entry=f"TE-{number}"))
            assert serve.folded(position)["counts"]["events"] == number
        cases = serve.get("/api/v1/cases", process="time-to-bill").json["cases"]
        assert [case["name"] for case in cases] == ["TE-1", "TE-2", "TE-3", "TE-4", "TE-5"]
        assert serve.addresses == addresses
        assert serve.stop() == 0
    assert not (tmp_path / "data" / "addresses.json").exists()
    assert not (tmp_path / "data" / "parts.json").exists()


def answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as caller:
        return caller.connect_ex((host, int(port))) == 0


def test_what_was_taken_in_is_there_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        position = serve.send(event("e1", "time.submitted", time_entry="TE-1"))
        assert serve.stop(signal.SIGINT) == 0
    with serving(tmp_path / "data") as serve:
        assert serve.folded(position)["counts"]["cases"]["open"] == 1
        serve.send(event("e1", "time.submitted", time_entry="TE-1"))
        assert serve.folded(serve.send(event("e2", "time.approved", time_entry="TE-1")))["counts"]["events"] == 2


def test_parts_end_with_a_killed_supervisor_and_the_next_serve_waits_for_them(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        position = serve.send(event("e1", "time.submitted", time_entry="TE-1"))
        parts = [pid for name, pid in serve.parts.items() if name != "supervisor"]
        os.kill(serve.process.pid, signal.SIGKILL)
        serve.process.wait()
        until(lambda: not (serve.data / "addresses.json").exists(), "the addresses to be forgotten")
    with serving(tmp_path / "data") as serve:
        assert not any(runs(pid) for pid in parts)
        serve.folded(position)


@pytest.mark.skipif(not can_copy(), reason="this system does not allow for copies")
def test_parts_are_copies_of_the_supervisor_that_share_its_memory(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1")))
        parts = {name: pid for name, pid in serve.parts.items() if name != "supervisor"}
        names = {name: Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0") for name, pid in parts.items()}
        assert names == {name: f"throughline {name}" for name in parts}
        assert len(os.listdir(f"/proc/{serve.parts['supervisor']}/task")) == 1
        shared = {name: 1 - memory(pid, "Pss") / memory(pid, "Rss") for name, pid in parts.items()}
        assert min(shared.values()) > 0.2, shared


def memory(pid: int, of: str) -> int:
    """Return KiB of a process: resident (Rss), or with its share of what others have as well (Pss)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(of + ":"))


AS_PROGRAMS = """
import sys
from throughline.serve import run
run.can_copy = lambda: False
from throughline.cli.main import app
app()
"""


def test_where_the_system_allows_for_no_copies_parts_are_programs(tmp_path: Path) -> None:
    with serving(tmp_path / "data", by=("-c", AS_PROGRAMS)) as serve:
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1")))
        for part in ("engine", "collector", "watch", "api"):
            assert Path(f"/proc/{serve.parts[part]}/cmdline").read_text().split("\0")[-2:] == [part, ""]
        serve.kill("engine")
        serve.folded(serve.send(event("e2", "time.approved", time_entry="TE-1")))
        assert serve.stop() == 0


def test_definitions_that_changed_hold_from_when_a_part_starts_again(tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "estate.yaml").write_text("firm: {name: Aldine}\n")
    with serving(tmp_path / "data", "--definitions", str(folder)) as serve:
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1")))
        (folder / "estate.yaml").write_text("firm: {nme: Aldine}\n")
        os.kill(serve.parts["engine"], signal.SIGKILL)
        until(lambda: serve.process.poll() is not None, "a refusal")
    assert "estate.yaml:1" in (tmp_path / "data.log").read_text()


def test_a_second_serve_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        second = run(*options(tmp_path / "data"))
        assert second.returncode == 1
        assert f"in use by another throughline serve (process {serve.process.pid})" in second.stderr
        assert "--data DIR" in second.stderr
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1")))


def test_a_closed_standard_output_does_no_harm(tmp_path: Path) -> None:
    with serving(tmp_path / "data", before=("sh", "-c", 'exec "$@" >&-', "serve")) as serve:
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1")))
        assert serve.stop() == 0


def test_what_lies_in_the_current_folder_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("collector", "lineage", "http", "uvicorn"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not this one')\n")
    monkeypatch.chdir(tmp_path)
    with serving(Path("data")) as serve:
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1")))


@pytest.mark.parametrize("door", DOORS)
def test_a_port_in_use_is_named_with_its_option(tmp_path: Path, door: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        arguments = options(tmp_path / "data", door, f"127.0.0.1:{port}")
        refused = run(*arguments)
    assert refused.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in refused.stderr
    assert door in refused.stderr
    assert not (tmp_path / "data" / "addresses.json").exists()


def test_definitions_with_faults_are_refused_with_all_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    (folder / "processes").mkdir(parents=True)
    (folder / "processes" / "a.yaml").write_text("process: a\ntitle: 7\nstepps: []\n")
    (folder / "estate.yaml").write_text("firm: {nme: X}\n")
    refused = run(*options(tmp_path / "data", "--definitions", str(folder)))
    assert refused.returncode != 0
    assert "a.yaml:2" in refused.stderr
    assert "a.yaml:3" in refused.stderr
    assert "estate.yaml:1" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_missing_definitions_folder_is_refused(tmp_path: Path) -> None:
    refused = run(*options(tmp_path / "data", "--definitions", str(tmp_path / "none")))
    assert refused.returncode != 0
    assert "wanted a folder of definitions" in refused.stderr


KEYS = """
process: approvals
title: Approvals
owner: somebody
keys:
  name: approval
  carriers: [{carrier}]
steps:
  - {{step: asked, kind: initial, types: [approval.asked], system: erp}}
  - {{step: given, kind: terminal, types: [approval.given], within: 1 bd}}
"""


def test_changed_keys_need_a_rebuild_and_serve_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    (folder / "processes").mkdir(parents=True)
    path = folder / "processes" / "approvals.yaml"
    keys = folder / "keys.yaml"
    keys.write_text("keys:\n  approval: {}\n")
    path.write_text(KEYS.format(carrier="batch"))
    with serving(tmp_path / "data", "--definitions", str(folder)) as serve:
        serve.folded(serve.send(event("e1", "approval.asked", approval="A-1", batch="B-1")))
    path.write_text(KEYS.format(carrier="invoice"))
    refused = run(*options(tmp_path / "data", "--definitions", str(folder)))
    assert refused.returncode != 0
    assert "rebuild" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_bad_options_are_all_said_at_once(tmp_path: Path) -> None:
    refused = run("serve", "--data", str(tmp_path), "--http", "here", "--bulk-limit", "0", "--api", "0.0.0.0:0")
    assert refused.returncode != 0
    assert "--http: seen 'here', wanted HOST:PORT" in refused.stderr
    assert "--bulk-limit" in refused.stderr


def test_a_door_open_to_others_needs_tokens(tmp_path: Path) -> None:
    refused = run(*options(tmp_path / "data", "--api", "0.0.0.0:0"))
    assert refused.returncode != 0
    assert "THROUGHLINE_TOKENS" in refused.stderr


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = run(*options(tmp_path / "file" / "data"))
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr


def test_tokens_guard_the_api(tmp_path: Path) -> None:
    tokens = write_tokens(tmp_path / "tokens.yaml", ana=person("a-secret-of-ana-s"))
    with serving(tmp_path / "data", "--tokens", str(tokens)) as serve:
        assert serve.get("/api/v1/status").status == 401
        assert serve.get("/healthz").status == 200
        shown = run("cases", "--data", str(serve.data), "--json", THROUGHLINE_TOKEN="a-secret-of-ana-s")
        assert shown.returncode == 0, shown.stderr
        refused = run("cases", "--data", str(serve.data))
        assert refused.returncode == 1
        assert "A token is needed" in refused.stderr
        assert "THROUGHLINE_TOKEN" in refused.stderr


def test_a_clock_that_stands_is_shown_and_rules_what_is_overdue(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("2026-03-02T09:00:00Z")
    with serving(tmp_path / "data", "--clock", str(clock)) as serve:
        serve.folded(serve.send(event("e1", "time.submitted", time_entry="TE-1", region="EMEA")))
        status = serve.get("/api/v1/status").json
        assert status["clock"]["kind"] == "file"
        assert status["now"] == "2026-03-02T09:00:00Z"
        case = serve.get("/api/v1/cases/time-to-bill/TE-1").json
        assert case["members"][0]["received"] == "2026-03-02T09:00:00Z"
        due = case["waits_for"]["due"]
        clock.write_text("2026-03-20T09:00:00Z")
        until(lambda: serve.get("/api/v1/status").json["now"] == "2026-03-20T09:00:00Z", "the clock")
        late = serve.get("/api/v1/cases/time-to-bill/TE-1").json["rounds"][0]["steps"][1]
        assert (late["due"], late["status"]) == (due, "unconfirmed")
