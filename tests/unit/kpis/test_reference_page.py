"""The page on KPI declarations against the form: every entry is described, none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from kpis.catalogue import load_catalogue
from kpis.declaration import Kind
from kpis.declaration_checks import ENTRIES
from kpis.declaration_file import FormulaForm, KpiFile, SideForm, SpanForm
from lineage.definitions import load_definitions

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "kpi.md").read_text("utf-8")


def rows(head: str) -> list[list[str]]:
    table = PAGE[PAGE.index(f"| {head} |") :].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]


def described(head: str) -> set[str]:
    return {name for row in rows(head) for name in re.findall(r"`(\w+)`", row[0])}


def entries(form: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in form.model_fields.items()}


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("entry", entries(KpiFile)),
        ("kind", {kind.value for kind in Kind}),
        ("entry of a formula", entries(FormulaForm)),
        ("entry of `of`", entries(SpanForm)),
        ("entry of a side", entries(SideForm)),
    ],
)
def test_a_table_has_every_entry(head: str, expected: set[str]) -> None:
    assert described(head) == expected


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_is_told_with_the_entries_that_it_takes(kind: Kind) -> None:
    (row,) = (row for row in rows("kind") if row[0] == f"`{kind.value}`")
    taken = {entry for several in ENTRIES[kind].wants for entry in several} | set(ENTRIES[kind].takes)
    assert set(re.findall(r"`(\w+)`", row[2])) == taken


def test_its_example_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "kpis").mkdir()
    for number, example in enumerate(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)):
        (tmp_path / "kpis" / f"{number}.yaml").write_text(example)
    assert "approval-lag" in load_catalogue(tmp_path, load_definitions(None)).kpis
