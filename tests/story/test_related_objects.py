"""Walking from a record to its relatives: up to what it is part of, and down to what it was made into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineage.related import MOST_CASES
from tests.guarantees.story import Story

BEGAN = "2026-03-02T09:00:00Z"
PROJECT: dict[str, Any] = {"project": "PRJ-9", "legal_entity": "DE01"}
DOWN = MOST_CASES + 5


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """An opportunity became a project, on which two entries were submitted; many more on another one."""
    told = Story(tmp_path / "store.db")
    told.at(BEGAN)
    for number in (9, 10):
        told.happens(
            "project.created",
            opportunity=f"OPP-{number}",
            customer="ACME",
            project=f"PRJ-{number}",
            legal_entity="DE01",
        )
    for name in ("T1", "T2"):
        told.happens("time.submitted", time_entry=name, customer="ACME", **PROJECT)
    for number in range(DOWN):
        told.happens("time.submitted", time_entry=f"X{number:02d}", **PROJECT | {"project": "PRJ-10"})
    yield told
    told.close()


def leads_of(story: Story, kind: str, value: str) -> dict[str, Any]:
    """Return what each key of the record's first case leads to."""
    return {each["key"]["value"]: each for each in story.record(kind, value)["cases"][0]["related"]}


def test_an_opportunity_leads_down_to_the_time_entries_of_its_project(story: Story) -> None:
    down = leads_of(story, "opportunity", "OPP-9")["PRJ-9"]
    assert [(ref["process"], ref["name"], ref["role"]) for ref in down["cases"]] == [
        ("time-to-bill", "T1", "relation"),
        ("time-to-bill", "T2", "relation"),
    ]
    assert (down["case_count"], down["more"]) == (2, False)


def test_a_time_entry_leads_up_to_the_opportunity_of_its_project_and_not_to_its_neighbours(story: Story) -> None:
    leads = leads_of(story, "time_entry", "T1")
    assert [(ref["process"], ref["name"]) for ref in leads["PRJ-9"]["cases"]] == [("opportunity-to-project", "OPP-9")]
    assert (leads["ACME"]["cases"], leads["ACME"]["case_count"]) == ([], 0)
    assert leads["ACME"]["query"] == "/api/v1/records?type=customer&value=ACME"


def test_where_very_many_are_below_some_are_shown_with_the_count_and_the_query_for_the_rest(story: Story) -> None:
    down = leads_of(story, "opportunity", "OPP-10")["PRJ-10"]
    assert [ref["name"] for ref in down["cases"]] == [f"X{number:02d}" for number in range(MOST_CASES)]
    assert (down["case_count"], down["more"]) == (DOWN, True)
    assert down["query"] == "/api/v1/records?type=project&value=PRJ-10"
