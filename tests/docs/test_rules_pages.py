"""The pages of rules against what holds them: golden cases, closed lists, limits, tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lineage.fact import CaseState, DeviationKind, StepStatus
from lineage.tables import metadata
from throughline.core.settings import Settings

REPOSITORY = Path(__file__).parents[2]
IDENTITY = (REPOSITORY / "docs" / "reference" / "identity.md").read_text("utf-8")
DERIVED = (REPOSITORY / "docs" / "reference" / "derived-state.md").read_text("utf-8")
STORE = (REPOSITORY / "docs" / "why" / "lineage-store.md").read_text("utf-8")
GLOSSARY = (REPOSITORY / "docs" / "glossary.md").read_text("utf-8")
GOLDEN = [path.name for path in (REPOSITORY / "tests" / "cases" / "identity").glob("*.yaml")]
CASES_OF_IDENTITY = 22
BY_RANDOM_WORLDS = set(range(16, 25))  # readings that the comparison with the model holds, and no case of their own


def test_every_close_reading_of_identity_has_a_golden_case_and_no_case_reads_what_is_not_there() -> None:
    readings = {
        int(number) for number in re.findall(r"^(\d+)\. ", IDENTITY.partition("## The rules, read closely")[2], re.M)
    }
    assert readings == set(range(1, len(readings) + 1))
    golden = {int(name.split("-")[1]) for name in GOLDEN if name.startswith("read-")}
    assert golden <= readings
    assert readings - golden <= BY_RANDOM_WORLDS


def test_every_case_that_identity_must_get_right_is_golden() -> None:
    assert {int(name[:2]) for name in GOLDEN if name[:2].isdigit()} == set(range(1, CASES_OF_IDENTITY + 1))


def test_the_limits_that_identity_names_are_the_defaults() -> None:
    settings = Settings()
    assert f"bulk limit ({settings.bulk_limit:,})" in IDENTITY
    assert f"orphan time ({settings.orphan_hours:g} h by receipt)" in IDENTITY


@pytest.mark.parametrize(("row", "words"), [("case", CaseState), ("step", StepStatus), ("deviation", DeviationKind)])
def test_derived_state_lists_each_closed_list_whole(
    row: str, words: type[CaseState | StepStatus | DeviationKind]
) -> None:
    (listed,) = re.findall(rf"^\| {row} \| (.*) \|$", DERIVED, re.M)
    assert set(listed.split(", ")) == {word.value for word in words}


def test_every_table_of_the_store_is_on_its_page() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", STORE, re.M)) == set(metadata.tables)


def test_the_glossary_knows_each_kind_of_deviation_and_its_words_once() -> None:
    words = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", GLOSSARY, re.M)
    assert len(words) == len(set(words))
    for kind in DeviationKind:
        assert kind.value.replace("_", " ") in GLOSSARY
