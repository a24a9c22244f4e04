"""The reference pages against the forms: every entry is described, none that does not exist, and examples are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from lineage import process_file
from lineage.definitions import load_definitions
from throughline.core import estate_file
from throughline.core.estate import load_estate
from throughline.core.mappings import form
from throughline.core.mappings.conversion import As
from throughline.core.mappings.folder import read_mapping
from throughline.core.yaml_file import parse_yaml

PAGES = Path(__file__).parents[4] / "docs" / "reference"
PROCESS = (PAGES / "process.md").read_text("utf-8")
ESTATE = (PAGES / "estate.md").read_text("utf-8")
MAPPING = (PAGES / "mapping.md").read_text("utf-8")


def examples(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)


def described(page: str, head: str) -> set[str]:
    """Return the entries that the table under a head describes."""
    table = page[page.index(f"| {head} |") :].split("\n\n", 1)[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def entries(form: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in form.model_fields.items()}


COURSE = entries(process_file.Course)
DUE = entries(process_file.DueForm)


@pytest.mark.parametrize(
    ("page", "head", "expected"),
    [
        (PROCESS, "entry", entries(process_file.ProcessFile)),
        (PROCESS, "entry of `keys`", entries(process_file.KeysForm)),
        (PROCESS, "entry of a key type", entries(process_file.KeyTypeForm)),
        (PROCESS, "entry of a step", entries(process_file.StepForm)),
        (PROCESS, "entry of `new_round`", entries(process_file.NewRoundForm) - DUE | {"within"}),
        (PROCESS, "entry of `ended_by`", entries(process_file.EndingForm)),
        (PROCESS, "entry of a check", entries(process_file.CheckForm)),
        (PROCESS, "entry of an expectation", entries(process_file.ExpectForm)),
        (PROCESS, "entry of `follows`", entries(process_file.FollowForm)),
        (PROCESS, "entry of a version", entries(process_file.VersionForm) - COURSE),
        (MAPPING, "entry", entries(form.MappingFile)),
        (MAPPING, "entry of a value", entries(form.ValueForm)),
        (MAPPING, "entry of an event", entries(form.EventForm)),
        (MAPPING, "entry of `error`", entries(form.ErrorForm)),
        (MAPPING, "entry of `amounts`", entries(form.AmountsForm)),
        (MAPPING, "entry of a relation", entries(form.RelationForm)),
        (MAPPING, "entry of `signature`", entries(form.SignatureForm)),
        (MAPPING, "conversion", {word.value for word in As}),
        (ESTATE, "entry of `firm`", entries(estate_file.Firm)),
        (ESTATE, "entry of a region", entries(estate_file.Region)),
        (ESTATE, "entry of a legal entity", entries(estate_file.LegalEntity)),
        (ESTATE, "entry of an instance", entries(estate_file.Instance)),
        (ESTATE, "entry of a flow", entries(estate_file.Flow)),
        (ESTATE, "entry of a source", entries(estate_file.Source)),
        (ESTATE, "entry of a cut-off", entries(estate_file.Cutoff)),
        (ESTATE, "entry of a rule", entries(estate_file.CutoffRule)),
        (ESTATE, "entry of a rate", entries(estate_file.Rate)),
        (ESTATE, "entry of a team", entries(estate_file.Team)),
    ],
)
def test_a_page_describes_the_entries_that_there_are(page: str, head: str, expected: set[str]) -> None:
    assert described(page, head) == expected


def test_the_examples_of_the_process_page_are_read_as_they_stand(tmp_path: Path) -> None:
    repair, keys, upkeep, cash, call = examples(PROCESS)
    files = {"processes/repair": repair, "processes/upkeep": upkeep, "processes/cash": cash, "processes/call": call}
    for name, text in (*files.items(), ("keys", f"{keys}  machine: {{}}\n")):
        (tmp_path / f"{name}.yaml").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    definitions = load_definitions(tmp_path)
    assert len(definitions.processes["repair"].versions[0].steps) == 5
    assert definitions.processes["upkeep"].versions[0].expects[0].systems == ("erp",)
    assert [version.number for version in definitions.processes["courtesy-call"].versions] == ["1", "2"]
    assert definitions.followers["repair"] == (("repair-to-cash", "repair_order"),)


def test_the_example_of_the_estate_page_uses_every_part_and_is_read_as_it_stands(tmp_path: Path) -> None:
    (text,) = examples(ESTATE)
    (tmp_path / "estate.yaml").write_text(text, "utf-8")
    assert load_estate(tmp_path).declared.model_fields_set == entries(estate_file.EstateFile)


def test_the_pages_name_every_role_and_kind() -> None:
    for word in estate_file.Role:
        assert f"`{word}`" in ESTATE
    for word in (*process_file.StepKind, *process_file.WaitsFor):
        assert f"`{word}`" in PROCESS


def test_the_mapping_of_the_page_has_no_fault() -> None:
    (text,) = examples(MAPPING)
    mapping, faults = read_mapping(parse_yaml(text.encode(), "mapping.md"))
    assert [str(fault) for fault in faults] == []
    assert mapping is not None
