"""A store that has folded another journal, or other statements, than those beside it: nothing is taken for folded."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.serving import PATIENCE_SECONDS, Serving, command, event, options, run, serving, until

pytestmark = pytest.mark.serial

PAIR = {"from": {"time_entry": "TE-2"}, "to": {"billing_event": "B-1"}}


def submitted(name: str) -> dict[str, object]:
    return event(f"s-{name}", "time.submitted", time_entry=name)


def taken_away(data: Path, name: str) -> None:
    for path in data.glob(f"{name}*"):
        path.unlink()


def put_back(kept: Path, data: Path, name: str) -> None:
    taken_away(data, name)
    for path in kept.glob(f"{name}*"):
        shutil.copy(path, data / path.name)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder whose journal has three records and that has one statement; ``early`` is a copy after one of them.

    ``other`` is a folder of another serve, with more records.
    """
    parent = tmp_path_factory.mktemp("made")
    folder = parent / "data"
    with serving(folder) as serve:
        serve.folded(serve.send(submitted("TE-1")))
    shutil.copytree(folder, parent / "early")
    with serving(folder) as serve:
        released = event("r", "billing.released", time_entry=["TE-1", "TE-2"], billing_event="B-1")
        serve.folded(serve.send(submitted("TE-2"), released))
        serve.folded(serve.send(event("f", "invoice.issued", billing_event="B-1", invoice="I-1", legal_entity="DE01")))
        state(serve, "unlink")
        assert issued(serve) == {"TE-1": True, "TE-2": False}
    with serving(parent / "other") as serve:
        for number in range(5):
            serve.folded(serve.send(submitted(f"TE-9{number}")))
    return parent


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """Return the folder, for a test to spoil."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "data"


def state(serve: Serving, verb: str) -> None:
    said = {"verb": verb, "pair": PAIR, "all": True, "by": "ana", "why": "wrong billing run"}
    serve.folded(serve.post("/api/v1/statements", said).json["position"])


def issued(serve: Serving) -> dict[str, bool]:
    """Return whether the invoice reached each entry."""
    members = {name: serve.get(f"/api/v1/cases/time-to-bill/{name}").json["members"] for name in ("TE-1", "TE-2")}
    return {name: any(each["event_id"] == "f" for each in some) for name, some in members.items()}


def refusal(data: Path) -> str:
    """Start a serve that must refuse; return its words."""
    done = subprocess.run(
        command(*options(data)), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert not (data / "addresses.json").exists()
    return done.stderr


@pytest.mark.parametrize(
    ("spoil", "seen"),
    [
        (lambda data: taken_away(data, "journal.db"), "journal.db: seen records up to j0, wanted j3"),
        (
            lambda data: put_back(data.parent / "early", data, "journal.db"),
            "journal.db: seen records up to j1, wanted j3",
        ),
        (lambda data: put_back(data.parent / "other", data, "journal.db"), "journal.db: seen j3 received at"),
    ],
    ids=["removed", "older", "another"],
)
def test_a_journal_that_is_not_the_one_folded_is_refused_until_a_rebuild_folds_it_whole(
    data: Path, spoil: Callable[[Path], None], seen: str
) -> None:
    spoil(data)
    words = refusal(data)
    assert seen in words
    assert "throughline rebuild" in words
    done = run("rebuild", "--data", str(data))
    assert done.returncode == 0, done.stderr
    with serving(data) as serve:
        assert issued(serve) == {"TE-1": True, "TE-2": False}
        status = serve.folded(serve.send(submitted("TE-3")))
        assert status["received"] == status["folded"]
        assert serve.get("/api/v1/cases/time-to-bill/TE-3").json["state"] == "open"
        another = "other" in str(spoil.__code__.co_consts)
        assert serve.get("/api/v1/cases/time-to-bill/TE-94").status == (200 if another else 404)
        assert {each["duplicates"] for each in status["sources"]} == {0}
    with serving(data) as serve:
        assert issued(serve) == {"TE-1": True, "TE-2": False}


def test_statements_that_are_not_those_folded_are_refused_until_a_rebuild_takes_both(data: Path) -> None:
    taken_away(data, "decisions.db")
    words = refusal(data)
    assert "decisions.db: seen statements up to s0, wanted s1" in words
    assert "throughline rebuild" in words
    done = run("rebuild", "--data", str(data))
    assert done.returncode == 0, done.stderr
    with serving(data) as serve:
        assert issued(serve) == {"TE-1": True, "TE-2": False}
        state(serve, "link")
        assert issued(serve) == {"TE-1": True, "TE-2": True}
    with serving(data) as serve:
        assert issued(serve) == {"TE-1": True, "TE-2": True}


def test_a_serve_whose_journal_is_taken_away_stops_and_says_so(data: Path) -> None:
    with serving(data) as serve:
        taken_away(data, "journal.db")
        until(lambda: serve.process.poll() is not None, "its end")
    assert serve.process.returncode != 0
    assert "journal.db: seen records up to j0, wanted j3" in (data.parent / "data.log").read_text()
