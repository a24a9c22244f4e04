"""What a fact keeps of a failed event's own words."""

from __future__ import annotations

import pytest

from lineage.definitions import load_definitions
from lineage.engine import Engine
from lineage.facts import MESSAGE_LENGTH, bare_fact
from throughline.core.estate import load_estate
from throughline.core.event import Event, Failure


def failed(error: Failure | None, is_failed: bool = True) -> Event:
    return Event("/erp", "e1", "time.posted", 1, 1, b"", is_failed, {"time_entry": "T1"}, error=error)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Failure("timeout", "E-504", "the ERP did not answer"), "the ERP did not answer"),
        (Failure("timeout", "E-504"), "E-504"),
        (Failure("timeout"), None),
        (Failure("timeout", message="x" * 1000), "x" * MESSAGE_LENGTH),
        (None, None),
    ],
)
def test_a_failure_keeps_its_message_or_else_its_code_within_a_line(error: Failure | None, message: str | None):
    assert bare_fact(failed(error), 1).message == message


def test_the_case_that_a_failed_event_names_keeps_its_message():
    engine = Engine.open(":memory:", load_definitions(None), load_estate(None))
    engine.fold([failed(Failure("authentication", message="token expired"))], now=1)
    facts = [fact for row in engine.store.cases_by_id([1, 2, 3]).values() for fact in row.facts]
    engine.close()
    assert [fact.message for fact in facts] == ["token expired"]
