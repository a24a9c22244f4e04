"""The commands ``mappings``: what a firm sees of a mapping before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.test_commands import command
from throughline.core.errors import ConfigurationError, ThroughlineError

CASES = Path(__file__).parents[2] / "cases" / "mappings"
ERP = json.loads((CASES / "erp-invoice-posted" / "input.json").read_text("utf-8"))


@pytest.fixture
def sample(tmp_path: Path) -> Any:
    def written(text: str) -> Path:
        path = tmp_path / "sample"
        path.write_text(text, "utf-8")
        return path

    return written


def tried(path: Path, *more: str) -> tuple[int, list[dict[str, Any]]]:
    code, printed = command("mappings", "try", str(path), "--definitions", str(CASES), "--json", *more)
    return code, json.loads(printed)


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_each_case_is_tried_with_the_outcome_that_a_door_gives(case: str) -> None:
    _, trials = tried(CASES / case / "input.json", "--mapping", case)
    expected = json.loads((CASES / case / "events.json").read_text("utf-8"))
    events = [each["event"] for trial in trials for each in trial["events"]]
    assert [(each["type"], each["id"]) for each in events] == [
        (each["type"], each["id"]) for each in expected["events"]
    ]
    aside = [each for trial in trials for each in trial["set_aside"]]
    assert [each["sentence"] for each in aside] == [each["sentence"] for each in expected["set_aside"]]


def test_a_trial_says_which_processes_and_steps_an_event_would_reach_and_by_which_keys() -> None:
    code, (trial,) = tried(CASES / "erp-invoice-posted" / "input.json")
    assert (code, trial["mapping"], trial["door"]) == (0, "erp-invoice-posted", "/v1/events")
    reached = {each["process"]: each for each in trial["events"][0]["reach"]["processes"]}
    assert reached["time-to-bill"]["steps"] == ["issued"]
    assert reached["time-to-bill"]["by"] == "name"
    assert reached["time-to-bill"]["keys"]["name"] == [["time_entry", "TE-88"], ["time_entry", "TE-89"]]
    _, words = command("mappings", "try", str(CASES / "erp-invoice-posted" / "input.json"), "--definitions", str(CASES))
    assert "→ time-to-bill (issued) by its name time entry TE-88, time entry TE-89" in words


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ERP),
        json.dumps([ERP]),
        "\ufeff" + json.dumps(ERP),
        "HTTP/1.1 200 OK\r\ncontent-type: application/cloudevents+json\r\n\r\n" + json.dumps(ERP),
        "> POST /hook HTTP/1.1\n> content-type: application/json\n\n" + json.dumps(ERP),
        "ce-specversion: 1.0\nce-id: erp-1\nce-source: /erp/de\nce-type: erp.invoice.posted\n"
        "ce-time: 2026-11-02T16:04:11Z\ncontent-type: application/json\n\n" + json.dumps(ERP["data"]),
    ],
)
def test_a_sample_may_be_as_curl_saved_it(sample: Any, text: str) -> None:
    code, (trial,) = tried(sample(text))
    assert (code, trial["mapping"]) == (0, "erp-invoice-posted")
    assert trial["events"][0]["event"]["amount"] == "3375.50"


def test_one_sample_a_line_is_one_trial_each(sample: Any) -> None:
    other = ERP | {"type": "erp.invoice.postd"}
    code, trials = tried(sample(f"{json.dumps(ERP)}\n{json.dumps(other)}\n"))
    assert [each["mapping"] for each in trials] == ["erp-invoice-posted", None]
    assert trials[1]["why"] == [
        "no mapping has its type 'erp.invoice.postd'; the nearest is 'erp.invoice.posted' (erp-invoice-posted)"
    ]
    assert code == 0  # it comes in as it is
    assert trials[1]["events"][0]["reach"]["processes"] == []


def test_a_sample_that_a_condition_keeps_out_says_so(sample: Any) -> None:
    draft = ERP | {"data": ERP["data"] | {"header": ERP["data"]["header"] | {"status": "DRAFT"}}}
    _, (trial,) = tried(sample(json.dumps(draft)))
    assert trial["why"] == ["erp-invoice-posted: when is not true"]


def test_json_that_fits_nothing_fails_and_says_why_of_each_mapping(sample: Any) -> None:
    code, (trial,) = tried(sample('{"x": 1}'), "--mapping", "dynamics-sales-invoice-posted")
    assert (code, trial["mapping"]) == (0, None)
    assert "input.BusinessEventId: seen nothing, wanted SalesInvoicePostedBusinessEvent" in trial["why"][0]
    assert trial["events"][0]["event"]["type"] == "json.dynamics-sales-invoice-posted"


@pytest.mark.parametrize("text", ["{", "not json", "{}\n{", "[" * 100_000])
def test_a_file_that_is_no_sample_is_told(sample: Any, text: str) -> None:
    with pytest.raises(ThroughlineError, match="no JSON"):
        tried(sample(text))


def test_what_is_named_and_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    for arguments in (
        ("show", "erp-invoice-postd"),
        ("try", str(CASES / "anaplan-task" / "input.json"), "--mapping", "x"),
    ):
        with pytest.raises(ThroughlineError, match=r"wanted .*erp-invoice-posted"):
            command("mappings", *arguments, "--definitions", str(CASES))
    with pytest.raises(ThroughlineError, match="cannot be read"):
        command("mappings", "try", str(tmp_path / "nowhere"), "--definitions", str(CASES))


def test_mappings_are_listed_and_shown_as_documents_and_in_words() -> None:
    _, listed = command("mappings", "list", "--definitions", str(CASES), "--json")
    _, shown = command("mappings", "show", "oracle-fbdi-callback", "--definitions", str(CASES), "--json")
    documents = {each["mapping"]: each for each in json.loads(listed)}
    assert documents["oracle-fbdi-callback"]["becomes"] == ["import_job.completed", "import_step.completed"]
    assert documents["oracle-fbdi-callback"].items() <= json.loads(shown).items()
    assert "erp-invoice-posted" in command("mappings", "list", "--definitions", str(CASES))[1]
    assert (
        "input.data.header.totalCents"
        in command("mappings", "show", "erp-invoice-posted", "--definitions", str(CASES))[1]
    )
    assert command("mappings", "list")[1].startswith("There is no mapping")


def test_faults_are_told_by_each_command_that_reads_the_folder(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("mapping: bad\ninput: log\nevent: {type: a.b}\n")
    code, told = command("mappings", "validate", "--definitions", str(tmp_path))
    assert code == 1
    assert "wanted types" in told
    code, everything = command("processes", "validate", str(tmp_path))
    assert code == 1
    assert "bad.yaml" in everything
    with pytest.raises(ConfigurationError, match="wanted types"):
        command("mappings", "list", "--definitions", str(tmp_path))
    assert command("mappings", "validate", "--definitions", str(CASES))[0] == 0
