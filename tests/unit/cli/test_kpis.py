"""What the commands ``kpis …`` print of documents, from an API that answers with these."""

from __future__ import annotations

import csv
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest

from kpis.ask import Part
from kpis.clock import Counting
from kpis.defined import definition_document
from kpis.documents import kpi_document, reading_documents, told_as_document
from kpis.terms import told_as
from tests.unit.kpis.golden import DEFINITIONS, FOLDER, answers, golden
from throughline.cli.kpi_export import export
from throughline.cli.kpis import cases, explain, figure_text, list_kpis, published, restatements, risks, show_kpi
from throughline.core.errors import StartRefused

REPOSITORY = Path(__file__).parents[3]
Documents = dict[str, Any]
Serve = Callable[[Mapping[str, Documents]], str]
LAG = "billing-readiness-lag"
UNBILLED = "unbilled-approved-value"
"""Of three records one is of USD, and one has no amount."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Answer at a path with a document; give the URL."""
    monkeypatch.setenv("COLUMNS", "200")
    servers: list[ThreadingHTTPServer] = []

    def start(documents: Mapping[str, Documents]) -> str:
        class Door(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = msgspec.json.encode(documents[self.path.partition("?")[0]])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def documents(name: str, **changed: Any) -> dict[str, Documents]:
    """Return what an API answers about the KPI of a golden case; ``changed``: other entries of its reading."""
    case = golden(FOLDER / f"{name}.yaml")
    kpi, counting = case.declaration, Counting(case.declaration.clock, case.estate.calendars)
    part = Part(None, answers(case, [case.events]).readings, None)
    made = [msgspec.to_builtins(each) for each in reading_documents(kpi, counting, part, case.scope.by, "EUR")]
    readings = [{**each, **changed} for each in made]
    at, path = "2026-11-13T09:00:00Z", f"/api/v1/kpis/{kpi.name}"
    shown = msgspec.to_builtins(kpi_document(kpi, counting))
    definition = msgspec.to_builtins(definition_document(kpi, DEFINITIONS, case.estate))
    latest: Documents = {"kpi": shown, "at": at, "reading": readings[0], "compared": None}
    listed: Documents = {"kpis": [latest], "left_out": {}, "unheard": [], "waits": None}
    listed |= {"behind": 0, "walking": False, "walked": None}
    told = msgspec.to_builtins(told_as_document(told_as(kpi, "EUR"), case.estate.calendars))
    found = {"kpi": kpi.name, "version": kpi.version, "told_as": told, "complete": True, "at": at, "readings": readings}
    return {
        "/api/v1/kpis": listed,
        path: {**latest, "definition": definition},
        f"{path}/readings": {**found, "cases": 3, "left_out": {}},
        f"{path}/cases": {"kpi": kpi.name, "cases": [], "total": 0, "times": 0, "next": None, "no_longer_kept": 0},
    }


def test_a_list_counts_beside_a_sum_what_has_no_amount(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    list_kpis(serve(documents(UNBILLED)), None, False)
    assert "EUR 145.00 (1 of 3 without amount)" in capsys.readouterr().out


@pytest.mark.parametrize("width", ["40", "60", "80"])
def test_a_list_cuts_no_id_and_no_figure_and_says_what_it_leaves_out(
    serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    list_kpis(serve(documents(UNBILLED)), None, False)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split()[:3] == ["kpi", "now", "standing"]
    assert sum(UNBILLED in line.split() for line in lines) == 1
    assert sum("EUR 145.00" in line for line in lines) == 1
    assert "(1 of 3 without amount)" in " ".join(lines)
    assert "what is asked." in " ".join(lines)
    assert max(map(len, lines)) <= int(width)


def test_a_list_says_why_there_is_no_answer(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    none = {"value": None, "at_least": False, "unit": "seconds", "currency": None, "standing": None}
    list_kpis(serve(documents(LAG, figure=none, why_not="3 of at least 20")), None, False)
    told = capsys.readouterr().out
    assert "no answer (3 of at least 20)  –         ≤ 5 bd of the median" in told


@pytest.mark.parametrize(
    ("standing", "told"), [("good", "good"), ("warning", "warning"), ("bad", "bad"), (None, "not known")]
)
def test_a_list_tells_in_a_word_how_a_figure_stands(
    serve: Serve, capsys: pytest.CaptureFixture[str], standing: str | None, told: str
) -> None:
    figure = {"value": 97_200.0, "at_least": True, "unit": "seconds", "currency": None, "standing": standing}
    list_kpis(serve(documents(LAG, figure=figure)), None, False)
    assert f"  {told}  " in capsys.readouterr().out.partition(LAG)[2].partition("≤ 5 bd")[0]


def test_a_list_tells_a_target_as_the_most_or_the_least_that_is_good(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    found = documents(LAG)
    found["/api/v1/kpis"]["kpis"][0]["kpi"] |= {"target": "99 %", "headline": None, "good": "high"}
    list_kpis(serve(found), None, False)
    assert "  ≥ 99 %  " in capsys.readouterr().out


def test_what_has_no_target_stands_neither_good_nor_bad(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    list_kpis(serve(documents(UNBILLED)), None, False)
    assert "EUR 145.00 (1 of 3 without amount)  –         –  " in capsys.readouterr().out


def test_a_list_tells_how_far_a_look_at_every_case_is(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    told = documents(UNBILLED)
    told["/api/v1/kpis"] |= {"walking": True, "walked": 0.279}
    list_kpis(serve(told), None, False)
    assert "Every case is looked at anew just now (27 % so far): figures may change." in capsys.readouterr().out


def test_a_stock_has_no_minimum_in_documents() -> None:
    told = documents(UNBILLED)[f"/api/v1/kpis/{UNBILLED}"]
    assert (told["kpi"]["minimum_sample"], told["definition"]["minimum_sample"]) == (None, None)


def test_show_tells_each_currency_of_a_sum_with_its_rate(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    show_kpi(UNBILLED, (), (), serve(documents(UNBILLED)), None, False)
    told = capsys.readouterr().out
    assert "3 records, EUR 145.00, 1 of unknown amount" in told
    assert "EUR 100 of 1 record " in told
    assert "USD 50 of 1 record at a rate of 0.9 since 2026-11-04" in told


def test_explain_tells_each_currency_of_a_sum_with_its_rate(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    explain(UNBILLED, (), (), serve(documents(UNBILLED)), None, False)
    told = capsys.readouterr().out
    assert "    EUR 100 of 1 record\n    USD 50 of 1 record at a rate of 0.9 since 2026-11-04\n" in told


def test_explain_says_of_how_many_there_is_an_answer_where_that_matters(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(UNBILLED, (), (), serve(documents(UNBILLED)), None, False)
    assert "Unfinished work is counted.\n" in capsys.readouterr().out
    lag = "billing-readiness-lag"
    explain(lag, (), (), serve(documents(lag)), None, False)
    assert "Unfinished work lasts longer than it has (censored); without any there is no answer.\n" in (
        capsys.readouterr().out
    )


def test_explain_counts_what_was_given_up_as_in_the_figure(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """Two contracts are closed, and two entries were written off; a third contract goes on."""
    explain("revenue-leakage", (), (), serve(documents("revenue-leakage")), None, False)
    assert "  in it        4, 1 not over yet\n  otherwise    2 given up\n" in capsys.readouterr().out


def test_explain_tells_the_hours_that_a_count_is_divided_by(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    told = documents("throughput")
    explain("throughput", (), (), serve(told), None, False)
    assert "  numerator    3 records\n  denominator  36 hours\n" in capsys.readouterr().out
    del told["/api/v1/kpis/throughput/readings"]["readings"][0]["answer"]["hours"]  # of a release that told none
    explain("throughput", (), (), serve(told), None, False)
    assert "denominator  " not in capsys.readouterr().out


def test_what_has_no_rate_is_told_as_not_in_the_sum(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    found = documents(UNBILLED)
    for money in (each["answer"]["money"] for each in found[f"/api/v1/kpis/{UNBILLED}/readings"]["readings"]):
        money["by_currency"][1] |= {"rate": None, "rate_since": None}
        money |= {"known": 1, "unknown": 2}
    url = serve(found)
    show_kpi(UNBILLED, (), (), url, None, False)
    list_kpis(url, None, False)
    told = capsys.readouterr().out
    assert "USD 50 of 1 record, no rate: not in the sum" in told
    assert "(2 of 3 without amount or rate)" in told


def test_a_sum_in_the_reporting_currency_is_told_once(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    name = "unbilled-approved-value-by-ageing"
    explain(UNBILLED, (), (), serve(documents(name)), None, False)
    assert " at a rate of " not in capsys.readouterr().out


def test_an_export_has_how_many_are_without_amount(serve: Serve, tmp_path: Path) -> None:
    url = serve(documents(UNBILLED))
    for name in ("r.csv", "r.parquet"):
        export(tmp_path / name, [UNBILLED], (), (), url, None)
    (line,) = csv.DictReader((tmp_path / "r.csv").read_text().splitlines())
    (row,) = import_module("pyarrow.parquet").read_table(tmp_path / "r.parquet").to_pylist()
    assert (line["value"], line["without_amount"]) == ("145.0", "1")
    assert (row["value"], row["without_amount"]) == (145.0, 1)


@pytest.mark.parametrize("command", [show_kpi, explain, cases, risks])
@pytest.mark.parametrize("where", ["foo=bar", "every=day", "foo="])
def test_a_dimension_that_a_kpi_is_not_told_by_is_refused_with_those_that_it_is(
    serve: Serve, command: Callable[..., None], where: str
) -> None:
    found = documents(UNBILLED)
    told_by = ", ".join(found[f"/api/v1/kpis/{UNBILLED}"]["kpi"]["dimensions"])
    name = where.partition("=")[0]
    with pytest.raises(StartRefused) as caught:
        command(UNBILLED, (), ("region=EMEA", where), serve(found), None, False)
    assert str(caught.value) == f"--where: seen {name}, wanted {told_by}: those are what {UNBILLED} is told by"


def test_an_export_that_lacks_pyarrow_says_how_to_install_it_as_the_how_to_and_the_package_do(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StartRefused) as caught:
        export(tmp_path / "r.parquet", [UNBILLED], (), (), serve(documents(UNBILLED)), None)
    (hint,) = re.findall(r"`(.*)`", str(caught.value))
    assert f"`{hint}`" in (REPOSITORY / "docs" / "how-to" / "read-kpis.md").read_text("utf-8")
    package = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert [hint.partition("pip install ")[2].strip("'")] == package["optional-dependencies"]["parquet"]


@pytest.mark.parametrize(("count", "told"), [(0, "0 cases."), (1, "1 case."), (2, "2 cases.")])
def test_one_case_is_told_as_one(serve: Serve, capsys: pytest.CaptureFixture[str], count: int, told: str) -> None:
    found = documents(UNBILLED)
    found[f"/api/v1/kpis/{UNBILLED}/readings"]["cases"] = count
    show_kpi(UNBILLED, (), (), serve(found), None, False)
    assert f"It concerns {told}" in capsys.readouterr().out


def test_how_far_off_a_distribution_may_be_is_told_where_it_is_not_exact(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    lag, name = "billing-readiness-lag", "billing-readiness-lag-two-currencies"
    for command in (show_kpi, explain):
        command(lag, (), (), serve(documents(name)), None, False)
        assert " within " not in capsys.readouterr().out
        found = documents(name)
        for each in found[f"/api/v1/kpis/{lag}/readings"]["readings"]:
            each["answer"]["error"] = 0.005
        command(lag, (), (), serve(found), None, False)
        assert ", each within 0.5%" in capsys.readouterr().out


def test_how_far_off_a_median_age_may_be_is_told(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    name = "staffing-request-ageing"
    found = documents(name)
    for each in found[f"/api/v1/kpis/{name}/readings"]["readings"]:
        each["answer"]["median_age_error"] = 0.005
    show_kpi(name, (), (), serve(found), None, False)
    assert ", median age within 0.5%" in capsys.readouterr().out


def test_a_source_that_never_told_is_no_time_of_1970(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    found = documents(UNBILLED, known_to="1970-01-01T00:00:00Z")
    for command in (show_kpi, explain):
        command(UNBILLED, (), (), serve(found), None, False)
        told = capsys.readouterr().out
        assert "nothing told so far: a source that would tell has never reported" in told
        assert "1970" not in told


@pytest.mark.parametrize("at_risk", [0, 1])
def test_that_chances_were_not_held_against_what_came_of_them_is_said(
    serve: Serve, capsys: pytest.CaptureFixture[str], at_risk: int
) -> None:
    case: Documents = {"process": "time-to-bill", "key_type": "time_entry", "name": "TE-1", "scope": {}}
    line: Documents = {"case": case, "due": "2026-11-13T09:00:00Z", "due_passed": False, "chance": None, "amount": None}
    found: Documents = {
        "kpi": "sla-adherence",
        "at_risk": [line] * at_risk,
        "missed": 0,
        "calibration": [],
        "next": None,
    }
    path, asked = "/api/v1/kpis/sla-adherence/at-risk", ("sla-adherence", (), ())
    risks(*asked, serve({path: found}), None, False)
    assert "How good such chances are nobody can say yet" in capsys.readouterr().out
    some = {"from": 0.2, "to": 0.3, "count": 10, "said": 0.25, "missed": 0.3, "low": 0.1, "high": 0.6}
    risks(*asked, serve({path: {**found, "calibration": [some]}}), None, False)
    told = capsys.readouterr().out
    assert "Of 10 with a chance of 20% to 30% (mean 25%) 30% missed it." in told
    assert "nobody can say yet" not in told
    for said, verdict in ((0.05, "low"), (0.7, "high")):
        risks(*asked, serve({path: {**found, "calibration": [{**some, "said": said}]}}), None, False)
        told = capsys.readouterr().out
        assert f"(mean {said:.0%}) 30% missed it: such chances were too {verdict}." in " ".join(told.split())


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("billing-readiness-lag", "median > 4.0 bd, p90 > 4.0 bd, p99 > 4.0 bd, 1 without a value"),
        ("posting-completeness", "50.0%, 1 without a value"),
    ],
)
def test_a_lag_and_a_share_are_told_by_value_as_well(
    serve: Serve, capsys: pytest.CaptureFixture[str], name: str, line: str
) -> None:
    url = serve(documents(name))
    show_kpi(name, (), (), url, None, False)
    assert f"by value: {line}" in " ".join(capsys.readouterr().out.split())
    explain(name, (), (), url, None, False)
    assert f"\n  by value     {line}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("budget", "line"),
    [
        ("3.99", "3 more may miss before the target is missed"),
        ("0.00", "0 more may miss before the target is missed"),
        ("-0.01", "1 more missed than the target allows"),
        ("-11.50", "12 more missed than the target allows"),
        ("-1234.00", "1,234 more missed than the target allows"),
    ],
)
def test_what_is_left_of_the_error_budget_is_told(
    serve: Serve, capsys: pytest.CaptureFixture[str], budget: str, line: str
) -> None:
    found, name = documents("sla-adherence"), "sla-adherence"
    for each in found[f"/api/v1/kpis/{name}/readings"]["readings"]:
        each["answer"]["budget"] = budget
    url = serve(found)
    show_kpi(name, (), (), url, None, False)
    assert line in capsys.readouterr().out
    explain(name, (), (), url, None, False)
    assert f"\n  budget       {line}\n" in capsys.readouterr().out


def test_a_share_without_a_budget_tells_none(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    name = "sla-adherence"
    found = documents(name)
    for each in found[f"/api/v1/kpis/{name}/readings"]["readings"]:
        each["answer"]["budget"] = None
    for command in (show_kpi, explain):
        command(name, (), (), serve(found), None, False)
        told = capsys.readouterr().out
        assert "budget   " not in told
        assert "before the target" not in told
        assert "the target allows" not in told


@pytest.mark.parametrize(
    ("unit", "value", "told"),
    [
        ("per_hour", "0.00138888", "0.0014 per hour"),
        ("per_hour", "0.0149", "0.015 per hour"),
        ("per_hour", "0.5", "0.50 per hour"),
        ("per_hour", "0", "0.00 per hour"),
        ("per_hour", "1234.567", "1,234.57 per hour"),
        ("percent", "0.0004", "0.04%"),
        ("percent", "0.005", "0.5%"),
        ("percent", "0", "0.0%"),
        ("percent", "-0.0004", "-0.04%"),
        ("percent", "0.9534", "95.3%"),
    ],
)
def test_a_small_figure_is_not_told_as_none(unit: str, value: str, told: str) -> None:
    figure = {"value": value, "unit": unit, "at_least": False, "currency": None}
    assert figure_text({"clock": "elapsed", "unit": unit}, figure) == told


def test_what_no_amount_is_known_of_is_not_told_by_value(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("staffing-fulfilment-time", "sla-adherence"):
        explain(name, (), (), serve(documents(name)), None, False)
        assert "by value" not in capsys.readouterr().out


def money(currency: str | None, value: str, **entries: Any) -> Documents:
    told = {"clock": "elapsed", "unit": "money", "headline": None, "currency": currency, "day_seconds": 86_400}
    at = "2026-11-13T09:00:00Z"
    return {"every": "day", "day": "2026-11-01", "value": value, "told_as": told, "published": at, **entries}


def test_published_money_is_told_in_its_own_currency_if_that_is_known(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = {"at_least": False, "version": "1", "as_of": None, "records": 1, "why": "published", "replaced": None}
    found = [money("EUR", "95", **rest), money(None, "7", **rest)]
    url = serve({f"/api/v1/kpis/{UNBILLED}/published": {"published": found, "next": None}})
    published(UNBILLED, (), url, None, False)
    told = capsys.readouterr().out
    assert "EUR 95.00" in told
    assert "7.00 (its currency is not known)" in told


def test_each_side_of_a_restatement_is_told_in_its_own_currency(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    was, now = money("EUR", "95"), money("USD", "100")
    sides = {"was": "95", "was_at_least": False, "now": "100", "now_at_least": False}
    told_as = {"was_told_as": was["told_as"], "told_as": now["told_as"], "was_published": was["published"]}
    versions = {"was_version": "1", "version": "1", "at": was["published"], "why": "late data"}
    each = {"every": "day", "day": "2026-11-01", **sides, **told_as, **versions}
    url = serve({f"/api/v1/kpis/{UNBILLED}/restatements": {"restatements": [each], "next": None}})
    restatements(UNBILLED, (), url, None, False)
    told = capsys.readouterr().out
    assert "EUR 95.00 " in told
    assert "USD 100.00 " in told
    assert "(elapsed)" not in told
