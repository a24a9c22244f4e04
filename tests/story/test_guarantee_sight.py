"""G7: no data is never zero and never green; overdue is only said of what we would have seen.

The firm's ERP for DE01 reports through two sources: a push source, seen up to its last receipt, and an archive that is
read out once a day, seen up to the ``until`` of its last heartbeat. T1 is approved on Monday at 10:00 local time, so
that its posting is due at 14:00. No ERP reports for JP01.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineage.cases import Filter
from lineage.fact import DeviationKind
from tests.guarantees.firm import ARCHIVE, ERP, PSA
from tests.guarantees.story import Story, open_kinds
from throughline.core.estate import load_estate

APPROVED = "2026-03-02T09:00:00Z"
DUE = "2026-03-02T13:00:00Z"
EVENING = "2026-03-02T18:00:00Z"
NEXT_DAY = "2026-03-03T09:00:00Z"
YEARS_LATER = "2029-03-02T09:00:00Z"


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """T1 of DE01 and T2 of JP01 were approved on Monday morning, in Berlin both."""
    told = Story(tmp_path / "store.db")
    told.at(APPROVED)
    for name, entity in (("T1", "DE01"), ("T2", "JP01")):
        told.happens("time.submitted", time_entry=name, legal_entity=entity)
        told.happens("time.approved", time_entry=name, legal_entity=entity)
    yield told
    told.close()


def stands(story: Story, name: str = "T1") -> tuple[str, str | None, str | None]:
    """Return status, reason and blind since of the posting."""
    step = story.step(name, "posted")
    assert step["due"] == DUE
    return step["status"], step["reason"], step["blind_since"]


def says_nothing_is_wrong(story: Story, name: str = "T1") -> bool:
    wrong = story.lines(Filter(deviations=(DeviationKind.OVERDUE,)))
    return open_kinds(story.document(name)) == [] and name not in {line["name"] for line in wrong}


def test_a_step_past_due_is_unconfirmed_while_its_source_never_reported(story: Story) -> None:
    story.at(YEARS_LATER)
    assert stands(story) == ("unconfirmed", f"source {ERP} has never reported", None)
    assert story.source(ERP) | {"watermark": None, "last_receipt": None, "blind_since": None} == story.source(ERP)
    assert says_nothing_is_wrong(story)


def test_it_stays_unconfirmed_until_the_lowest_source_has_passed_the_due_time(story: Story) -> None:
    story.at("2026-03-02T12:59:00Z")
    story.hear(ERP)
    assert stands(story)[0] == "waiting"
    story.at(EVENING)
    story.hear(ARCHIVE, until="2026-03-02T12:00:00Z")
    assert stands(story)[:2] == ("unconfirmed", f"source {ARCHIVE} has reported until 2026-03-02T12:00:00Z")
    story.hear(ERP)
    assert stands(story)[0] == "unconfirmed"
    assert says_nothing_is_wrong(story)
    story.hear(ARCHIVE, until="2026-03-02T12:59:59.999999Z")
    assert stands(story)[0] == "unconfirmed"
    story.hear(ARCHIVE, until=DUE)
    assert stands(story) == ("overdue", None, None)
    assert open_kinds(story.document("T1")) == [("overdue", "posted")]
    assert [line["name"] for line in story.lines(Filter(deviations=(DeviationKind.OVERDUE,)))] == ["T1"]


def test_what_a_polled_source_sends_says_nothing_of_how_far_it_is_read_out(story: Story) -> None:
    story.hear(ARCHIVE, until="2026-03-02T09:00:00Z")
    story.at(EVENING)
    story.hear(ERP)
    story.happens("time.posted", time_entry="T3", legal_entity="DE01", source=ARCHIVE)
    story.hear(ARCHIVE)  # does not say until when
    story.hear(ARCHIVE, until="soon")
    story.happens("source.heartbeat", source=ARCHIVE, failed="timeout", until=EVENING)
    assert stands(story)[:2] == ("unconfirmed", f"source {ARCHIVE} has reported until 2026-03-02T09:00:00Z")


def test_a_watermark_never_goes_back(story: Story) -> None:
    story.at(EVENING)
    story.hear(ERP)
    story.hear(ARCHIVE, until=EVENING)
    assert stands(story)[0] == "overdue"
    story.hear(ARCHIVE, until="2026-03-02T09:00:00Z")
    story.engine.derive_all()
    story.opened_anew()
    story.at(NEXT_DAY)
    while story.engine.settle(story.now):
        pass
    assert stands(story)[0] == "overdue"
    assert story.source(ARCHIVE)["watermark"] == EVENING


def test_a_source_that_falls_silent_is_blind_and_confirms_nothing_more(story: Story) -> None:
    """The ERP speaks at least every six hours; it was last heard of at eleven."""
    story.at("2026-03-02T11:00:00Z")
    story.hear(ERP)
    story.at(EVENING)
    story.hear(ARCHIVE, until=EVENING)
    story.at(NEXT_DAY)
    silent = "2026-03-02T17:00:00Z"
    reason = f"source {ERP} has reported until 2026-03-02T11:00:00Z, and is silent since {silent}"
    assert stands(story) == ("unconfirmed", reason, silent)
    seen = story.source(ERP)
    assert (seen["watermark"], seen["blind_since"]) == ("2026-03-02T11:00:00Z", silent)
    story.at(YEARS_LATER)
    assert stands(story)[0] == "unconfirmed"
    story.hear(ERP)
    assert stands(story)[0] == "overdue"
    assert story.source(ERP)["blind_since"] is None


def test_without_a_declared_source_it_stays_unconfirmed_and_says_so(story: Story) -> None:
    story.at(EVENING)
    for source in (ERP, "/firm/erp-amer", "/firm/erp-apac", PSA):
        story.hear(source)
    story.hear(ARCHIVE, until=EVENING)
    story.at(YEARS_LATER)
    assert stands(story, "T2") == ("unconfirmed", "no source is declared for erp", None)
    assert says_nothing_is_wrong(story, "T2")
    assert story.source("/firm/erp-apac")["declared"] is False


def test_a_case_of_no_known_entity_waits_for_every_source_of_the_role(story: Story) -> None:
    story.happens("time.approved", time_entry="T4")
    story.at(EVENING)
    story.hear(ERP)
    story.hear(ARCHIVE, until=EVENING)
    assert stands(story, "T1")[0] == "overdue"
    assert stands(story, "T4")[:2] == ("unconfirmed", "source /firm/erp-amer has never reported")
    story.hear("/firm/erp-amer")
    assert stands(story, "T4")[0] == "overdue"


def test_without_an_estate_nothing_is_ever_overdue(tmp_path: Path) -> None:
    told = Story(tmp_path / "store.db", estate=load_estate(None))
    told.at(APPROVED)
    told.happens("time.approved", time_entry="T1")
    told.at(YEARS_LATER)
    told.hear(PSA)
    step = told.step("T1", "posted")
    assert (step["status"], step["reason"]) == ("unconfirmed", "no source is declared for erp")
    assert told.status()["counts"]["deviations"]["overdue"] == 0
    told.close()


def test_an_empty_store_tells_of_no_source_anything(tmp_path: Path) -> None:
    told = Story(tmp_path / "store.db")
    told.at(APPROVED)
    for seen in told.status()["sources"]:
        assert (seen["last_receipt"], seen["watermark"], seen["blind_since"]) == (None, None, None)
    told.close()


def test_what_was_not_seen_has_no_time_no_system_and_no_event(story: Story) -> None:
    story.at(NEXT_DAY)
    document = story.document("T1")
    unseen = [step for step in document["rounds"][0]["steps"] if step["step"] not in ("submitted", "approved")]
    assert len(unseen) == 4
    for step in unseen:
        assert step | NOT_SEEN == step
        assert step["status"] in {"waiting", "unconfirmed"}


NOT_SEEN: dict[str, Any] = {"first": None, "last": None, "systems_seen": [], "event_ids": []}


def test_a_case_that_ended_past_a_due_time_is_called_overdue_once_that_was_seen(story: Story) -> None:
    """Nobody can say that the ERP did not post it on Monday before its sources have told of Monday."""
    story.at(NEXT_DAY)
    for name, entity in (("T1", "DE01"), ("T2", "JP01")):
        story.happens("time.cancelled", time_entry=name, legal_entity=entity)
    story.hear(ERP)
    assert [story.document(name)["deviations"] for name in ("T1", "T2")] == [[], []]
    story.hear(ARCHIVE, until=DUE)
    (missed,) = story.document("T1")["deviations"]
    assert (missed["kind"], missed["step"], missed["since"], missed["open"]) == ("overdue", "posted", DUE, False)
    assert story.document("T2")["deviations"] == []
