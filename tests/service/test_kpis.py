"""KPIs of a running serve: figures follow what comes in, whatever is killed; by API and by the commands."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.service.serving import Serving, command, event, run, serving, until

pytestmark = pytest.mark.serial

EMEA = {"region": "EMEA", "legal_entity": "DE01", "practice": "cloud", "customer": "ACME"}
LAG = "/api/v1/kpis/billing-readiness-lag"


def approved(number: int, hour: int = 9) -> dict[str, Any]:
    entry, day = f"TE-{number}", 1 + number % 5
    told = {"time_entry": entry, "amount": "100.00", "currency": "EUR", "system": "psa", **EMEA}
    return event(f"a{number}", "time.approved", f"2026-03-0{day}T{hour:02}:00:00Z", **told)


def released(number: int) -> dict[str, Any]:
    told = {"time_entry": f"TE-{number}", "system": "erp", **EMEA}
    return event(f"r{number}", "billing.released", "2026-03-06T12:00:00Z", "/erp", **told)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clock").write_text("2026-03-09T12:00:00Z")
    return tmp_path


def readings(serve: Serving, **asked: str | int) -> dict[str, Any]:
    answer = serve.get(f"{LAG}/readings", **{"from": "2026-03-01", "to": "2026-03-31", **asked})
    assert answer.status == 200, answer.text
    return answer.json


def began(serve: Serving) -> int:
    return sum(each["beside"]["began"] for each in readings(serve)["readings"])


def done(serve: Serving) -> int:
    return sum(each["beside"]["done"] for each in readings(serve)["readings"])


def test_figures_follow_what_comes_in_whatever_is_killed(folder: Path) -> None:
    with serving(folder / "data", "--clock", str(folder / "clock")) as serve:
        serve.send(*(approved(n) for n in range(30)))
        until(lambda: began(serve) == 30, "thirty approved entries in the figure")
        serve.kill("watch")
        serve.send(*(released(n) for n in range(20)))
        until(lambda: done(serve) == 20, "twenty releases after the part was killed")
        serve.kill("engine")
        serve.kill("watch")
        serve.send(*(released(n) for n in range(20, 25)), *(released(n) for n in range(5)))
        until(lambda: done(serve) == 25, "five more, and none counted twice")
        (only,) = readings(serve)["readings"]
        assert only["beside"] == {"began": 30, "done": 25, "open": 5, "otherwise": {}, "unknown": {}}
        before = readings(serve, by="region", every="week")["readings"]
        assert run("kpis", "backfill", "--wait", "--data", str(folder / "data")).returncode == 0
        assert readings(serve, by="region", every="week")["readings"] == before
        ready = serve.get("/readyz").json
        assert {"part": "watch", "ready": True, "reason": None} in ready["parts"]
        until(lambda: 'throughline_kpi_walking{part="watch"} 0.0' in serve.get("/metrics").text, "its metrics")
    with serving(folder / "data", "--clock", str(folder / "clock")) as serve:
        assert readings(serve, by="region", every="week")["readings"] == before


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("kpis")
    (folder / "clock").write_text("2026-03-09T12:00:00Z")
    with serving(folder / "data", "--clock", str(folder / "clock")) as serve:
        serve.send(*(approved(n) for n in range(30)), *(released(n) for n in range(25)))
        until(lambda: done(serve) == 25, "the figures")
        until(lambda: serve.get(LAG).json["reading"] is not None, "the reading of now")
        yield serve


def said(serve: Serving, *words: str) -> str:
    done = run("kpis", *words, "--data", str(serve.data), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(serve: Serving, *words: str) -> str:
    done = run("kpis", *words, "--data", str(serve.data), COLUMNS="200")
    assert done.returncode == 1
    return done.stderr


def test_every_kpi_of_the_catalogue_is_listed_also_those_without_a_source(serve: Serving) -> None:
    listed = serve.get("/api/v1/kpis").json
    assert len(listed["kpis"]) > 50
    lacking = [each for each in listed["kpis"] if each["kpi"]["lacks"]]
    assert {each["kpi"]["id"] for each in lacking} >= {"probe-success", "reconciliation-match-rate", "completeness"}
    assert all(each["reading"] is None for each in lacking)
    assert listed["unheard"] == []  # nothing is declared
    text = said(serve, "list")
    assert "Never told" not in text
    assert "billing-readiness-lag" in text
    assert "no source yet" in text


def test_behind_a_figure_are_its_cases_those_that_weigh_most_first(serve: Serving) -> None:
    asked = {"from": "2026-03-01", "to": "2026-03-31"}
    whole = serve.get(f"{LAG}/cases", **asked, limit=1000).json
    assert (whole["total"], len(whole["cases"]), whole["next"]) == (30, 30, None)
    seconds = [each["seconds"] for each in whole["cases"]]
    assert seconds == sorted(seconds, reverse=True)
    paged: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = serve.get(f"{LAG}/cases", **asked, limit=7, **cursor).json
        paged += page["cases"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert paged == whole["cases"]
    bar = serve.get(f"{LAG}/cases", **asked, ending="done", at_least=seconds[-1], below=seconds[-1] + 1).json
    assert {each["seconds"] for each in bar["cases"]} == {seconds[-1]}
    assert bar["total"] == seconds.count(seconds[-1])
    first = whole["cases"][0]["case"]
    assert serve.get(f"/api/v1/cases/{first['process']}/{first['name']}").status == 200


def test_a_customer_has_figures_by_whole_months(serve: Serving) -> None:
    (only,) = readings(serve, by="customer", **{"from": "2026-03-02", "to": "2026-03-02"})["readings"]
    assert (only["by"], only["first"], only["last"]) == ({"customer": "ACME"}, "2026-03-01", "2026-03-31")
    assert only["beside"]["began"] == 30


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/kpis/nothing/readings", 404, "wanted the id of a KPI"),
        (f"{LAG}/readings?by=colour", 422, "seen 'colour'"),
        (f"{LAG}/readings?by=flow", 422, "those are what billing-readiness-lag is told by"),
        (f"{LAG}/readings?from=2026-03-09&to=2026-03-01", 422, "wanted from no later than to"),
        (f"{LAG}/readings?from=0001-01-01", 422, "wanted 3,700 at most"),
        (f"{LAG}/readings?from=yesterday", 422, "from: seen 'yesterday', wanted a date"),
        (f"{LAG}/readings?from=20260301", 422, "from: seen '20260301', wanted a date"),
        (f"{LAG}/readings?every=day&by=customer", 422, "by month"),
        (f"{LAG}/readings?by=customer&by=instance", 422, "are told apart"),
        (f"{LAG}/cases?cursor=rubbish", 422, "cursor"),
        (f"{LAG}/cases?limit=0", 422, "limit"),
        ("/api/v1/kpis/money-at-risk/readings?from=2026-03-01", 422, "of what stands now"),
        (
            "/api/v1/kpis/money-at-risk/readings?every=week",
            422,
            "seen every=week, wanted none: money-at-risk is of what",
        ),
        ("/api/v1/kpis/throughput/readings?curve=true", 422, "seen curve=true, wanted none: only a lag has"),
        (
            "/api/v1/kpis/correlation-coverage/readings?equal_maturity=true&every=day&curve=true",
            422,
            "of no days; seen equal_maturity=true, wanted none: only a lag has it, and correlation-coverage is of",
        ),
        ("/api/v1/kpis/money-at-risk/readings?ageing=old", 422, "ageing: seen 'old', wanted 'under_1_day'"),
        (f"{LAG}/readings?ageing=under_1_day", 422, "those are what billing-readiness-lag is told by"),
        (f"{LAG}/readings?region=EMEA&region=AMER", 422, 'region: seen ["EMEA", "AMER"], wanted one value'),
        ("/api/v1/kpis?region=EMEA", 422, "region: seen 'EMEA', wanted no such entry"),
        (f"{LAG}?region=EMEA", 422, "region: seen 'EMEA', wanted no such entry"),
        ("/api/v1/signals?name=nothing", 404, "wanted the id of a KPI"),
        ("/api/v1/signals?kind=feeling", 422, "kind"),
        ("/api/v1/signals?cursor=rubbish", 422, "cursor"),
        ("/api/v1/kpis/probe-success/readings", 404, "no source yet: it lacks checks that Throughline starts itself"),
        ("/api/v1/kpis/correlation-coverage/cases", 404, "is counted from events, not from cases"),
        (f"{LAG}/cases?counts_as=hit", 422, "is no share of anything"),
        (f"{LAG}/cases?category=timeout", 422, "those are what billing-readiness-lag is told by"),
        ("/api/v1/kpis/failure-rate/readings?category=time-out", 422, "category: seen 'time-out', wanted timeout, or"),
        ("/api/v1/kpis/money-at-risk/cases?owner=finance_ops", 422, "owner: seen 'finance_ops', wanted finance-ops,"),
        ("/api/v1/kpis/sla-adherence/at-risk?process=nothing", 422, "process: seen 'nothing', wanted one of"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(serve: Serving, path: str, status: int, words: str) -> None:
    answer = serve.call(serve.url(path))
    assert answer.status == status, answer.text
    assert words in answer.json["detail"]


def test_the_commands_say_what_the_api_does(serve: Serving, tmp_path: Path) -> None:
    days = ("--from", "2026-03-01", "--to", "2026-03-31")
    shown = json.loads(said(serve, "show", "billing-readiness-lag", *days, "--by", "region", "--json"))
    assert shown["readings"] == readings(serve, by="region")["readings"]
    assert "EMEA" in said(serve, "show", "billing-readiness-lag", *days, "--by", "region")
    told = said(serve, "explain", "billing-readiness-lag", *days, "--where", "region=EMEA")
    parted = said(serve, "show", "unbilled-approved-hours", "--by", "cutoff").splitlines()
    assert any(line.startswith("none ") for line in parted)  # nothing declares when billing cuts off
    assert "30: 25 done, 5 unfinished" in told
    assert "Definition: The median of how long it takes from approved to released in time-to-bill" in told
    assert "Population: Cases of time-to-bill, expense-to-bill" in told
    assert "Numerator: waits that are done by an age" in told
    assert "Denominator: all waits that began in the window" in told
    assert "What weighs most, of 30" in told
    assert "TE-" in said(serve, "cases", "billing-readiness-lag", *days, "--ending", "open")
    assert "Nothing of it was published" in said(serve, "published", "billing-readiness-lag")
    assert "No published figure" in said(serve, "restatements", "billing-readiness-lag")
    assert "seen 'x'" in refused(serve, "show", "billing-readiness-lag", "--where", "x")
    assert "wanted the id of a KPI" in refused(serve, "show", "nothing")
    for words in (
        ("show", "failure-rate"),
        ("explain", "failure-rate"),
        ("cases", "failure-rate"),
        ("risks", "sla-adherence"),
    ):
        assert "flow: seen 'nothing', wanted" in refused(serve, *words, "--where", "flow=nothing")
    assert ".csv or .parquet" in refused(serve, "export", str(tmp_path / "r.txt"))
    assert "cannot be written: No such file" in refused(serve, "export", str(tmp_path / "nowhere" / "r.csv"))
    assert "--by: seen colour, wanted" in refused(serve, "export", str(tmp_path / "r.csv"), "--by", "colour")


def test_one_kpi_says_what_it_is_and_lists_do_not(serve: Serving) -> None:
    definition = serve.get(LAG).json["definition"]
    assert definition["population"].startswith("Cases of time-to-bill")
    assert (definition["minimum_sample"], definition["condition"]) == (20, None)
    assert {"process": "time-to-bill", "from": "approved", "to": "released"}.items() <= definition["steps"][0].items()
    assert all("definition" not in each for each in serve.get("/api/v1/kpis").json["kpis"])
    assert json.loads(said(serve, "explain", "billing-readiness-lag", "--json"))["definition"] == definition


def test_every_kpi_is_explained_whatever_its_kind(serve: Serving) -> None:
    until(lambda: serve.get("/api/v1/kpis/correlation-coverage").json["reading"] is not None, "the reading of a gauge")
    kinds: dict[str, str] = {}
    for each in serve.get("/api/v1/kpis").json["kpis"]:
        kinds.setdefault("none" if each["kpi"]["lacks"] else each["kpi"]["kind"], each["kpi"]["id"])
    told = {kind: said(serve, "explain", kpi) for kind, kpi in kinds.items()}
    assert "No source yet: it lacks" in told["none"]
    assert "throughline orphans" in told["gauge"]
    assert len(told) > 8
    assert "No source yet" in said(serve, "show", "probe-success")
    listed = said(serve, "list")
    assert "15 min of the p90" in listed
    assert "Read 2026-03-09 12:00 UTC" in listed


def test_why_figures_stand_still_is_said_while_they_do(folder: Path) -> None:
    """Somebody has kpis.db open in a tool, in the midst of a change: nothing can be written into it."""
    with serving(folder / "data", "--clock", str(folder / "clock")) as serve:
        serve.send(*(approved(n) for n in range(30)))
        until(lambda: began(serve) == 30, "thirty approved entries in the figure")
        assert serve.get("/api/v1/kpis").json["waits"] is None
        with closing(sqlite3.connect(folder / "data" / "kpis.db", timeout=60, isolation_level=None)) as tool:
            tool.execute("BEGIN IMMEDIATE")
            serve.send(*(released(n) for n in range(20)))
            until(lambda: serve.get("/api/v1/kpis").json["waits"] is not None, "the reason why nothing is counted")
            why = "figures stand still: another process holds the file"
            assert serve.get("/api/v1/kpis").json["waits"].startswith(why)
            assert "Figures stand still: another process holds the file" in said(serve, "list")
            backfill = subprocess.Popen(
                command("kpis", "backfill", "--wait", "--data", str(serve.data)), stderr=subprocess.PIPE, text=True
            )
            try:
                assert backfill.stderr is not None
                assert "Figures stand still: another process holds the file" in backfill.stderr.readline()
                tool.execute("ROLLBACK")
                assert backfill.wait(60) == 0
            finally:
                backfill.kill()
                backfill.communicate()
        until(lambda: done(serve) == 20, "what came meanwhile")
        assert serve.get("/api/v1/kpis").json["waits"] is None


OWN = """
kpi: approval-to-release
version: {version}
title: Approval to release
group: work to bill
question: How long does an approved time entry wait for its release?
unit: seconds
clock: {clock}
formula:
  kind: lag
  of: {{process: time-to-bill, from: approved, to: released}}
good: low
minimum_sample: 1
owner: pmo
source: delivery handbook, page 12
"""


def published(data: Path) -> int:
    with closing(sqlite3.connect(data / "kpis.db", timeout=60)) as tool:
        kpi = ("approval-to-release",)
        return tool.execute("SELECT count(*) FROM published WHERE kpi = ? AND records > 0", kpi).fetchone()[0]


def test_each_value_of_a_restatement_is_told_as_it_was_published(folder: Path) -> None:
    """Approved on Monday at 9:00 and released on Friday at 12:00: 4 business days of 8 hours, and 3 hours."""
    (folder / "clock").write_text("2026-03-20T12:00:00Z")
    own, data = folder / "definitions" / "kpis" / "own.yaml", folder / "data"
    own.parent.mkdir(parents=True)
    words = ("--clock", str(folder / "clock"), "--definitions", str(folder / "definitions"))
    path = "/api/v1/kpis/approval-to-release"

    def is_answered(serve: Serving, version: str, done: int = 5) -> bool:
        answer = serve.get(f"{path}/readings", **{"from": "2026-03-02", "to": "2026-03-02"})
        if answer.status != 200 or answer.json["version"] != version or not answer.json["complete"]:
            return False
        return answer.json["readings"][0]["beside"]["done"] == done

    own.write_text(OWN.format(version=1, clock="business"))
    with serving(data, *words) as serve:
        serve.send(*(approved(n) for n in range(25)), *(released(n) for n in range(25)))
        until(lambda: is_answered(serve, "1"), "the figures")
    with serving(data, *words):  # what is mature is published at a start, and each minute
        until(lambda: published(data) > 0, "what is published first")
    first = published(data)
    own.write_text(OWN.format(version=2, clock="elapsed"))
    with serving(data, *words) as serve:
        until(lambda: is_answered(serve, "2"), "the other version")
    with serving(data, *words) as serve:
        until(lambda: published(data) > first, "what is restated")
        restated = serve.get(f"{path}/restatements").json["restatements"]
        (each,) = (each for each in restated if (each["every"], each["day"]) == ("day", "2026-03-02"))
        assert (each["was"], each["now"], each["why"]) == ("126000", "356400", "a declaration changed")
        unit = {"unit": "seconds", "headline": "median", "currency": None}
        assert each["was_told_as"] == {"clock": "business", **unit, "day_seconds": 28_800}
        assert each["told_as"] == {"clock": "elapsed", **unit, "day_seconds": 86_400}
        told = said(serve, "restatements", "approval-to-release")
        assert "4.4 bd (business, median)" in told
        assert "4 d 3 h (elapsed, median)" in told
        asked = {"every": "day", "from": "2026-03-02", "to": "2026-03-02"}
        former, now = serve.get(f"{path}/published", **asked).json["published"]
        assert (former["value"], former["why"], former["replaced"]) == ("126000", "published", now["published"])
        assert (now["value"], now["version"], now["records"], now["replaced"]) == ("356400", "2", 5, None)
        told = said(serve, "published", "approval-to-release", "--every", "day", "--from", "2026-03-02", "--standing")
        assert "4 d 3 h" in told
        assert "it stands" in told
        assert "4.4 bd" not in told


def test_up_to_when_sources_have_told_is_said(folder: Path) -> None:
    """Of two declared sources of the ERP one was never heard of: nobody can say that what is open is open still."""
    (folder / "definitions").mkdir()
    (folder / "definitions" / "estate.yaml").write_text(
        "sources: [{source: /erp, role: erp, every: 1 h}, {source: /erp/other, role: erp, every: 1 h}]"
    )
    definitions, clock = str(folder / "definitions"), str(folder / "clock")
    with serving(folder / "data", "--clock", clock, "--definitions", definitions) as serve:
        serve.send(*(approved(n) for n in range(30)), *(released(n) for n in range(25)))
        until(lambda: done(serve) == 25, "the figures")
        days = ("--from", "2026-03-01", "--to", "2026-03-31")
        told = said(serve, "show", "billing-readiness-lag", *days, "--where", "region=EMEA")
        assert "Only region EMEA." in told
        assert "Of some of it nothing told so far" in " ".join(told.split())
        assert serve.get("/api/v1/kpis").json["unheard"] == ["/erp/other"]
        assert "Never told how far they have reported: /erp/other." in said(serve, "list")
        assert "known up to  nothing told so far" in said(serve, "explain", "billing-readiness-lag", *days)


def test_of_a_share_each_number_leads_to_its_cases(serve: Serving) -> None:
    days = ("--from", "2026-03-01", "--to", "2026-03-31")
    told = said(serve, "explain", "untouched-billing-rate", *days)
    shown = serve.get("/api/v1/kpis/untouched-billing-rate/readings", **{"from": "2026-03-01", "to": "2026-03-31"})
    (reading,) = shown.json["readings"]
    hits, of, began = reading["answer"]["hits"], reading["answer"]["of"], reading["beside"]["began"]
    assert (hits, of, began) == (25, 25, 30)
    assert "not counted  5: not over yet" in told
    asked = {"from": "2026-03-01", "to": "2026-03-31", "limit": 1}
    counted = {
        word: serve.get("/api/v1/kpis/untouched-billing-rate/cases", counts_as=word, **asked).json["total"]
        for word in ("hit", "miss", "pending", "neither")
    }
    assert (counted["hit"], counted["miss"]) == (hits, of - hits)
    assert sum(counted.values()) == began
    assert "pending" in said(serve, "cases", "untouched-billing-rate", *days, "--counts-as", "pending")


def test_signals_are_told_page_by_page_and_each_says_where_to_look_it_up(serve: Serving) -> None:
    asked = {"kind": "reading", "by": "region"}
    whole = serve.get("/api/v1/signals", **asked, limit=1000).json
    found = {each["name"]: each for each in whole["signals"]}
    assert (whole["next"], whole["not_whole"]) == (None, [])
    lag = found["billing-readiness-lag"]
    (listed,) = serve.get(f"{LAG}/readings", by="region").json["readings"]
    assert float(lag["value"]) == listed["figure"]["value"]
    assert (lag["of"], lag["standing"]) == ({"region": "EMEA"}, listed["figure"]["standing"])
    looked_up = serve.get(lag["evidence"]["look_up"]).json
    assert [each["figure"] for each in looked_up["readings"]] == [listed["figure"]]
    paged: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = serve.get("/api/v1/signals", **asked, limit=3, **cursor).json
        paged += page["signals"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [each["name"] for each in paged] == [each["name"] for each in whole["signals"]]
    assert serve.get("/api/v1/signals", kind="risk", name="sla-adherence").json["signals"] == []  # all of it is late
    told = said(serve, "signals", "--kpi", "billing-readiness-lag", "--kpi", "probe-success")
    assert "reading billing-readiness-lag" in told
    assert "no source yet: it lacks checks" in told
    assert serve.get("/api/v1/signals", kind="risk").json["signals"] == []  # of the first KPI, and others follow
    assert "time entry TE-24 in time-to-bill, due" in said(serve, "signals", "--kind", "risk")
    assert "There is no such signal." in said(serve, "signals", "--kind", "risk", "--kpi", "sla-adherence")
    assert "wanted the id of a KPI" in refused(serve, "signals", "--kpi", "nothing")


def test_readings_are_exported_as_they_are(serve: Serving, tmp_path: Path) -> None:
    words = ("--kpi", "billing-readiness-lag", "--from", "2026-03-01", "--to", "2026-03-31", "--by", "region")
    for name in ("r.csv", "r.parquet"):
        assert "1 readings written" in said(serve, "export", str(tmp_path / name), *words)
    (line,) = csv.DictReader((tmp_path / "r.csv").read_text().splitlines())
    (row,) = import_module("pyarrow.parquet").read_table(tmp_path / "r.parquet").to_pylist()
    assert (line["kpi"], line["region"], line["began"], line["done"]) == ("billing-readiness-lag", "EMEA", "30", "25")
    assert (row["kpi"], row["region"], row["began"], row["done"]) == ("billing-readiness-lag", "EMEA", 30, 25)
    assert float(line["value"]) == row["value"] == readings(serve)["readings"][0]["figure"]["value"]
    for told in (line, row):
        assert (told["clock"], told["unit"], told["headline"]) == ("business", "seconds", "median")
    assert (line["known_to"] or None) == row["known_to"] == readings(serve, by="region")["readings"][0]["known_to"]
