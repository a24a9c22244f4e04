"""The machine's clock jumps forward and back while a serve runs: nothing is lost, let go or forgiven for it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.service.serving import Answer, Serving, event, run, serving, until
from tests.service.shifted_clock import ShiftedClock
from tests.tokens import person, secret, sender, write_tokens
from throughline.core.clock import RealClock
from throughline.core.instants import DAY, format_instant, parse_instant
from throughline.core.journal import JOURNAL_FILE, JournalReader

pytestmark = [pytest.mark.serial, pytest.mark.needs("cc")]

ANA, PSA, ERP = "a-secret-of-ana-s", "a-secret-of-psa-s", "a-secret-of-erp-s"
BATCH = "application/cloudevents-batch+json"
FORWARD, BACK = 700, -100  # days; longer than anything is kept, and not before the events
BUDGET = 20  # sign-ins that may fail at once
MORE = 8


def send(serve: Serving, number: int, shown: str) -> Answer:
    told = [event(f"e{number}", "time.submitted", time_entry=f"TE-{number}")]
    headers = {"content-type": BATCH, "authorization": f"Bearer {shown}"}
    return serve.call(serve.url("/v1/events", "http"), told, headers)


def stands_at(serve: Serving, days: float) -> None:
    """Wait until the serve's own clock says so."""
    wanted = RealClock().now() + days * DAY
    until(lambda: abs(parse_instant(serve.get("/api/v1/status").json["now"]) - wanted) < DAY, "the clock")


def refused_sign_ins(serve: Serving, count: int) -> int:
    """Return how many of so many failing sign-ins were told to wait."""
    return [send(serve, 0, "nobody-s").status for _ in range(count)].count(429)


def events_kept(data: Path) -> list[str]:
    with closing(JournalReader(data / JOURNAL_FILE)) as journal:
        return [each.id for record in journal.after(0, 100) for each in record.events]


def test_a_clock_that_jumps_loses_nothing_lets_nothing_go_and_forgives_no_failed_sign_in(tmp_path: Path) -> None:
    clock, data = ShiftedClock(tmp_path), tmp_path / "data"
    ends = format_instant(RealClock().now() + 30 * DAY)
    tokens = write_tokens(
        tmp_path / "tokens.yaml", ana=person(ANA), psa=sender(secret(PSA, expires=ends)), erp=sender(ERP)
    )
    words = ("--tokens", str(tokens))
    with serving(data, *words, **clock.environment) as serve:
        serve.secret, parts = ANA, dict(serve.parts)
        first = send(serve, 1, PSA)
        assert first.status == 202, first.text
        serve.folded(first.json["position"])

        clock.stand(FORWARD)
        stands_at(serve, FORWARD)
        expired = send(serve, 2, PSA)
        assert (expired.status, "expired" in expired.text) == (401, True)
        serve.folded(send(serve, 2, ERP).json["position"])
        until(lambda: jumps(data) >= 1, "the engine to notice")
        assert refused_sign_ins(serve, BUDGET + MORE) >= 1

        clock.stand(BACK)
        stands_at(serve, BACK)
        clock.stand(FORWARD)
        assert refused_sign_ins(serve, MORE) >= MORE - 2  # what comes back in the time that really went by
        clock.stand(BACK)
        stands_at(serve, BACK)
        serve.folded(send(serve, 3, PSA).json["position"])
        assert serve.get("/readyz").status == 200
        assert serve.get("/api/v1/status").json["counts"]["events"] == 3
        assert {serve.get(f"/api/v1/cases/time-to-bill/TE-{number}").status for number in (1, 2, 3)} == {200}
        assert serve.parts == parts

    clock.stand(0)
    assert events_kept(data) == ["e1", "e2", "e3"]
    with serving(data, *words, **clock.environment) as serve:
        serve.secret = ANA
        assert serve.folded(send(serve, 4, PSA).json["position"])["counts"]["events"] == 4
    assert run("verify", "--data", str(data)).returncode == 0
    assert "Traceback" not in data.with_suffix(".log").read_text()


def jumps(data: Path) -> int:
    lines: list[dict[str, Any]] = [json.loads(line) for line in data.with_suffix(".log").read_text().splitlines()]
    return [line["event"] for line in lines].count("clock_jumped")
