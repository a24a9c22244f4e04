"""The page of event logs names every format, and its names are those that logs get."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import blocks_of
from throughline.exchange.export import ExportFormat
from throughline.exchange.formats import LogFormat
from throughline.exchange.names import Names, NamesForm, read_names

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "exchange.md"
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "bring-an-event-log.md"


def test_the_page_names_every_format_and_which_way_it_goes() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| .* \| (yes|) ?\| (yes|) ?\|$", PAGE.read_text(), re.MULTILINE)
    assert {name for name, comes_in, _ in rows if comes_in} == set(LogFormat)
    assert {name for name, _, goes_out in rows if goes_out} == set(ExportFormat)


@pytest.mark.parametrize(
    ("row", "prefix", "kind"),
    [
        (r"activity `(.+)` of OCEL \| event type `(.+)`", "ocel", "type"),
        (r"activity `(Pay)` with the transition `start` \| event type `(.+)`; `complete`", "xes", "start"),
        (r"object type `(.+)` \| key type `(.+)`", "ocel", "key"),
        (r"attribute `(org:.+)` \| field `(.+)`", "xes", "field"),
        (r"attribute `(amount)` \| field `(.+)`:", "xes", "field"),
    ],
)
def test_the_names_on_the_page_are_those_that_a_log_gets(row: str, prefix: str, kind: str) -> None:
    found = re.search(row, PAGE.read_text())
    assert found is not None
    names = Names(prefix, NamesForm())
    given = {
        "type": names.type_of,
        "start": lambda raw: names.type_of(raw, "start"),
        "key": names.key_of,
        "field": names.field_of,
    }  # fmt: skip
    assert given[kind](found[1]) == found[2]


def test_the_names_file_on_the_page_can_be_read(tmp_path: Path) -> None:
    (block,) = [block for block in blocks_of(PAGE) if block.language == "yaml"]
    (tmp_path / "names.yaml").write_text(block.text)
    assert read_names(tmp_path / "names.yaml").fields == {"cost:total": "amount"}


def test_the_process_of_the_how_to_has_twenty_lines() -> None:
    (block,) = [block for block in blocks_of(HOW_TO) if block.says == "definitions/processes/patient.yaml"]
    assert block.text.count("\n") == 20
