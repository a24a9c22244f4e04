"""Repairing records by commands, at a real serve: replay what was set aside, accept what nobody will mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.service.serving import Serving, event, run, serving, until

DEEP = [[[[[["deep"]]]]]]
STRICT, LENIENT = "4", "64"


def said(serve: Serving, *words: str) -> tuple[int, str]:
    done = run(*words, "--data", str(serve.data), COLUMNS="200")
    return done.returncode, done.stdout + done.stderr


def told(serve: Serving, *words: str) -> Any:
    code, text = said(serve, *words, "--json")
    assert code == 0, text
    return json.loads(text)


def settled(serve: Serving) -> None:
    status = serve.get("/api/v1/status").json
    for position in (status["received"], status["stated"]):
        serve.folded(position)


def test_what_could_not_be_read_is_replayed_after_it_was_mended(tmp_path: Path) -> None:
    """Read as strictly as that, notes are nested too deeply; the setting is mended, and serve started anew."""
    with serving(tmp_path / "data", THROUGHLINE_NESTING=STRICT) as strict:
        strict.send(event("0", "time.submitted", time_entry="T0"))
        for number in (1, 2, 3):
            name = f"T{number}"
            strict.send(event("x", "x.y"), event(str(number), "time.submitted", time_entry=name, notes=DEEP))
        code, text = said(strict, "quarantine", "replay", "q1", "--by", "ana")
        assert (code, "1 × set aside again as too large" in text) == (1, True), text
    with serving(tmp_path / "data", THROUGHLINE_NESTING=LENIENT) as lenient:
        lenient.kill("collector")
        until(lambda: lenient.get("/readyz").json["ready"], "the collector")
        one = told(lenient, "quarantine", "replay", "q1", "--by", "ana")
        assert [each["outcome"] for each in one["replays"]] == ["taken"]
        code, text = said(lenient, "quarantine", "replay", "--reason", "too_large", "--by", "ben")
        assert (code, text.strip()) == (0, "2 × taken again with 1 event.")
        code, text = said(lenient, "quarantine", "replay", "--all", "--by", "ben")
        assert (code, text.strip()) == (0, "Nothing waits that fits.")
        code, text = said(lenient, "quarantine", "replay", "q1", "--by", "ben")
        assert (code, text.strip()) == (0, "1 × was taken before.")
        settled(lenient)
        first = lenient.get("/api/v1/quarantine/q1").json
        assert [(each["by"], each["outcome"]) for each in first["replays"]] == [("ana", "set_aside"), ("ana", "taken")]
        document = lenient.get("/api/v1/cases/time-to-bill/T1").json
        assert [member["received"] for member in document["members"]] == [first["received"]]
        assert lenient.get("/api/v1/quarantine", taken="false").json["entries"] == []
        code, text = said(lenient, "quarantine", "list")
        assert text.count("taken again with 1 event at") == 3
        code, text = said(lenient, "quarantine", "show", "q9")
        assert (code, "wanted the id of an entry" in text) == (1, True)


def test_an_exception_is_accepted_and_withdrawn_by_command_and_a_restart_keeps_it(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        failed = event("2", "time.posted", source="/erp", time_entry="T1", outcome="failure")
        serve.folded(serve.send(event("1", "time.approved", time_entry="T1"), failed))
        words = ("time-to-bill", "time_entry=T1", "--deviation", "failed", "--why", "so", "--by", "ana")
        accepted = told(serve, "statements", "accept", *words, "--as", "waived")
        assert accepted["as"] == "waived"
        settled(serve)
        assert serve.get("/api/v1/cases", deviation="failed").json["cases"] == []
        code, text = said(serve, "statements", "accept", *words, "--as", "waived")
        assert (code, "no open deviation of T1 that fits" in text) == (1, True)
        code, text = said(serve, "show", "time_entry", "T1")
        assert "(accepted as waived by ana)" in text
        assert "ana said accept failed at posted of time_entry T1 as waived: so" in text
    with serving(tmp_path / "data") as serve:
        assert serve.get("/api/v1/cases", deviation="failed").json["cases"] == []
        told(serve, "statements", "withdraw", *words)
        settled(serve)
        assert len(serve.get("/api/v1/cases", deviation="failed").json["cases"]) == 1
        code, text = said(serve, "statements", "list")
        assert [line.split("said ")[1].split(" ")[0] for line in text.splitlines()] == ["withdraw", "accept"]
