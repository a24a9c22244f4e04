"""The page of operating it names every fault that the code can tell of a machine, and none that it can't."""

from __future__ import annotations

import re
from pathlib import Path

from throughline.core.database import DAMAGED, PASSING_SENTENCES
from throughline.core.metric_names import METRICS
from throughline.core.open_files import RESERVED
from throughline.core.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "operate.md").read_text()
SAID = re.compile(r'_log\.(warning|error|exception)\(\s*"(\w+)"')


def rows(title: str) -> list[list[str]]:
    """Return the cells of the table whose first column has a title."""
    table = PAGE.partition(f"| {title} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def test_it_has_every_sentence_on_what_may_pass() -> None:
    assert sorted(row[0].strip("| ") for row in rows("it says")) == sorted({*PASSING_SENTENCES, DAMAGED})


def test_it_has_every_warning_and_error_of_the_log_with_its_level() -> None:
    sources = [
        path.read_text()
        for package in ("throughline", "collector", "lineage", "kpis")
        for path in (ROOT / package).rglob("*.py")
    ]
    logged = {
        (name, "warning" if level == "warning" else "error") for text in sources for level, name in SAID.findall(text)
    }
    told = {(name, row[1]) for row in rows("event in the log") for name in re.findall(r"`(\w+)`", row[0])}
    assert told == logged


def test_what_it_watches_exists() -> None:
    watched = "".join(row[0] for row in rows("watch"))
    assert set(re.findall(r"throughline_\w+", watched)) <= {metric.name for metric in METRICS}
    named = {name for row in rows("watch") for name in re.findall(r"`([a-z]+_[a-z]+)`", row[1] + row[2])}
    assert named <= {*Settings.model_fields}
    assert f"and {RESERVED} more" in PAGE
