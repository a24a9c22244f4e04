"""The dashboards: what is checked in is what the code makes, and every panel asks what Prometheus understands."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
import typer.main
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.build import FOLDER, dashboards
from kpis.catalogue import load_catalogue
from kpis.families import SHARED, families_of
from lineage.definitions import load_definitions
from tests.docs.test_what_docs_name_exists import COMMAND, commands, is_command
from tests.service.boards import BOARDS, GRAFANA, RULES, asked, panels, rules, selectors, variables
from throughline.cli.main import app
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Kind
from throughline.core.yaml_file import load_yaml

ALL = [
    *(each for name in BOARDS for each in asked(name, {})),
    *rules(),
    *(variable for board in BOARDS.values() for variable in variables(board).values()),
]
NOT_OURS = re.compile(r"process_\w+|up|ALERTS")


@cache
def known() -> set[str]:
    """Return every name that a series may have: what the product declares, and what rules record."""
    shipped = load_catalogue(None, load_definitions(None)).kpis.values()
    names = {family.name for family in (*SHARED, *(family for kpi in shipped for family in families_of(kpi)))}
    for metric in METRICS:
        histogram = {f"{metric.name}_bucket", f"{metric.name}_count"}
        names |= histogram if metric.kind is Kind.HISTOGRAM else {metric.name}
    recorded = {each.where.partition(": ")[2] for each in rules() if ":" in each.where.partition(": ")[2]}
    return names | recorded


@pytest.mark.parametrize("name", dashboards())
def test_what_is_checked_in_is_what_the_code_makes(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == dashboards()[name], "make dashboards"


def test_there_is_nothing_else() -> None:
    assert {path.name for path in FOLDER.iterdir()} == dashboards().keys()


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_grafana_s_own_model_reads_back_the_same(board: dict[str, Any]) -> None:
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(board))) == board


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.where)
def test_a_query_is_well_formed_and_names_what_is_declared(each: Any) -> None:
    names = {re.split(r"[{\[ ]", selector)[0] for selector in selectors(each.expression)}
    assert names
    assert {name for name in names - known() if not NOT_OURS.fullmatch(name)} == set()


def test_a_query_that_is_broken_or_names_what_nobody_declares_would_be_noticed() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        selectors("rate(throughline_requests_total[5m]")
    assert selectors("rate(a[5m]) / (b offset 1d)") == ["a", "b"]
    assert "throughline_requests" not in known()


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_panel_asks_a_question_and_says_how_to_read_its_answer(board: dict[str, Any]) -> None:
    for panel in panels(board):
        assert panel["title"].endswith("?")
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["noValue"], "what no series means"
        assert panel["datasource"]["uid"] == "${datasource}"
    titles = [panel["title"] for panel in panels(board)]
    assert len(titles) == len(set(titles))
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_number_is_that_of_now_and_not_the_last_that_there_was(board: dict[str, Any]) -> None:
    single = [panel for panel in panels(board) if panel["type"] in ("stat", "bargauge", "table")]
    assert single
    assert [panel["title"] for panel in single if not all(target["instant"] for target in panel["targets"])] == []


def test_no_query_takes_no_answer_for_nothing() -> None:
    """What fills a gap with 0 would say that all is well where nobody knows."""
    assert [each.where for each in ALL if re.search(r"\bvector\(|or on\(\)|absent", each.expression)] == []


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_the_pages_that_panels_lead_to_exist(board: dict[str, Any]) -> None:
    named = re.findall(r"docs/[\w/.-]+\.md", json.dumps([panel["description"] for panel in panels(board)]))
    assert [page for page in named if not (GRAFANA.parent / page).exists()] == []


def test_provisioning_names_one_data_source_and_the_folder_of_dashboards() -> None:
    (source,) = load_yaml(GRAFANA / "provisioning" / "datasources" / "throughline.yaml").content["datasources"]
    assert (source["type"], source["uid"]) == ("prometheus", "throughline-prometheus")
    (provider,) = load_yaml(GRAFANA / "provisioning" / "dashboards" / "throughline.yaml").content["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)


def test_every_command_that_panels_and_alerts_name_exists() -> None:
    known = dict(commands(typer.main.get_command(app)))
    texts = [panel["description"] for board in BOARDS.values() for panel in panels(board)]
    texts += [path.read_text("utf-8") for path in RULES]
    named = [words for text in texts for words in COMMAND.findall(text)]
    assert len(named) > 5
    assert [words for words in named if not is_command(words, known)] == []
