"""The page of refusals says of each what the doors say."""

from __future__ import annotations

import re
from pathlib import Path

from collector.crowd import WHILE_SECONDS
from collector.density import MOST_ELEMENTS
from collector.grpc_door import MOST_AT_ONCE
from collector.http_answers import problem_answer
from collector.otlp_answers import status_code
from collector.reading import MOST_RECORDS, Refusal, Refused
from throughline.core.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "refusals.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| ([A-Z_]+) \| (.+) \| (.+) \|$", re.MULTILINE)


def test_it_has_every_refusal_with_its_status_and_its_code() -> None:
    said = {reason: (int(status), code) for reason, status, code, *_ in ROW.findall(PAGE)}
    assert said == {
        refusal.value: (problem_answer(Refused(refusal, "s"), "POST").status, status_code(refusal).name)
        for refusal in Refusal
    }


def test_its_limits_are_those_in_force() -> None:
    limits = PAGE.partition("## Limits")[2].partition("## When")[0]
    settings = set(re.findall(r"`(\w+)`", limits)) - {refusal.value for refusal in Refusal}
    assert settings <= set(Settings.model_fields)
    for number in (MOST_RECORDS, MOST_ELEMENTS, MOST_AT_ONCE):
        assert f"| {number:,}" in limits
    assert f"for {WHILE_SECONDS:.0f} seconds" in limits
