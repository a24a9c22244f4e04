"""The Prometheus rules: promtool takes them, each alert fires when it should and is quiet when it should be."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main

from kpis.clock import Counting
from kpis.declaration import Bound, Good
from kpis.figures import Figure, Standing, standing_of
from tests.docs.test_what_docs_name_exists import commands
from tests.unit.kpis.golden import CATALOGUE
from throughline.cli.main import app
from throughline.core.estate import load_estate
from throughline.core.yaml_file import load_yaml

REPOSITORY = Path(__file__).parents[3]
PROMETHEUS = REPOSITORY / "grafana" / "prometheus"
RULES = {path.name: load_yaml(path).content for path in sorted((PROMETHEUS / "rules").glob("*.yml"))}
HERE = {"job": "throughline", "instance": "t:1"}
GIB = 1024**3

pytestmark = pytest.mark.needs("prometheus")

Series = Mapping[str, str]
"""Values a minute each, in promtool's notation, by name and labels; each has the labels of ``HERE``, too."""


class Story(NamedTuple):
    """What makes an alert fire, and what must not. ``at``: when it is looked at; ``labels``: those of the alert.

    ``value``: as the summary shows it; ``action``: as it is sent, where a template decides about it.
    """

    alert: str
    at: str
    fires: Series
    quiet: Series
    labels: Mapping[str, str]
    value: str = ""
    action: str = ""


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """Return the rules of a kind by name."""
    return {
        rule[kind]: rule
        for file in RULES.values()
        for group in file["groups"]
        for rule in group["rules"]
        if kind in rule
    }


def requests(outcome: str) -> str:
    return f'throughline_requests_total{{part="collector", door="json", outcome="{outcome}"}}'


def bucket(bound: str) -> str:
    return f'throughline_journal_commit_seconds_bucket{{part="collector", le="{bound}"}}'


DOOR = {"door": "json"}
API, COLLECTOR = {"part": "api"}, {"part": "collector"}
FREE, KEPT = 'throughline_disk_free_bytes{part="api"}', 'throughline_disk_kept_free_bytes{part="api"}'
READ_AT = 'throughline_kpi_read_timestamp_seconds{part="watch"}'
TIMES_READ = 'throughline_kpi_latest_seconds_count{part="watch"}'
LAG = 'kpi="billing-readiness-lag"'
OF_LAG = {"part": "watch", "kpi": "billing-readiness-lag", "title": "Lag", "owner": "finance-ops"}
LOW_LAG = {**OF_LAG, "kind": "lag", "good": "low"}
LOW_ATTEMPTS = {**LOW_LAG, "kpi": "failure-rate", "kind": "attempts"}
HIGH_SHARE = {**LOW_LAG, "kpi": "sla-adherence", "kind": "share", "good": "high"}
LEARNT = {"flow": "psa → erp"}


def info(declared: Mapping[str, str] = LOW_LAG) -> Series:
    labels = ", ".join(f'{name}="{value}"' for name, value in declared.items())
    return {f'throughline_kpi_info{{{labels}, unit="seconds"}}': "1x3000"}


def of_kpi(values: str, declared: Mapping[str, str] = LOW_LAG, labels: str = "") -> Series:
    """Return the headline of a KPI with its levels (100, and 200 or 50) and what it declares."""
    whose, good = f'part="watch", kpi="{declared["kpi"]}"{labels}', declared["good"]
    return {
        f"throughline_kpi_headline{{{whose}}}": values,
        f'throughline_kpi_target{{{whose}, good="{good}"}}': "100x3000",
        f'throughline_kpi_warning{{{whose}, good="{good}"}}': "200x3000" if good == "low" else "50x3000",
        f"throughline_kpi_has_answer{{{whose}}}": "1x3000",
        **info(declared),
    }


def beyond_warning(declared: Mapping[str, str], command: str) -> Story:
    action = f"For finance-ops: see what it is made of (`throughline kpis explain {declared['kpi']}`), then the records"
    fires, quiet = (
        of_kpi(f"{value}x30", declared) for value in ((250, 150) if declared["good"] == "low" else (30, 70))
    )
    return Story("KpiBeyondWarning", "20m", fires, quiet, declared, action=f"{action} behind it (`{command}`).")


def off_target(declared: Mapping[str, str], command: str) -> Story:
    action = "For finance-ops: see its trend (dashboard Executives), and the records behind it"
    fires, quiet = (
        of_kpi(f"{value}x1600", declared) for value in ((150, 90) if declared["good"] == "low" else (70, 110))
    )
    return Story("KpiOffTarget", "25h", fires, quiet, declared, action=f"{action} (`{command}`).")


def flow_beyond_warning(declared: Mapping[str, str], command: str) -> Story:
    """Quiet is a KPI that is told by no flow, and sync latency by each."""
    flow = f', flow="{LEARNT["flow"]}"'
    beyond = "250x30" if declared["good"] == "low" else "30x30"
    explain = f"throughline kpis explain {declared['kpi']} --where 'flow=psa → erp'"
    action = "For finance-ops: follow the run book of the flow, where estate.yaml declares one. See what it is made of"
    return Story(
        "FlowBeyondWarning",
        "20m",
        of_kpi(beyond, declared, flow),
        of_kpi(beyond, declared) | of_kpi("250x30", {**LOW_LAG, "kpi": "sync-latency"}, flow),
        {**declared, **LEARNT},
        action=f"{action} (`{explain}`), then the records behind it (`{command}`).",
    )


STORIES = [
    Story("ThroughlineDown", "3m", {"up": "0x5"}, {"up": "1 0 1 1 1"}, {}),
    Story(
        "ThroughlinePartNotReady",
        "3m",
        {'throughline_ready{part="api", of="engine"}': "0x5", 'throughline_ready{part="api", of="collector"}': "1x5"},
        {'throughline_ready{part="api", of="engine"}': "1 0 1 1"},
        {**API, "of": "engine"},
    ),
    Story(
        "ThroughlinePartRestarts",
        "10m",
        {'process_start_time_seconds{part="engine"}': "1 1 2 2 3 3 4 4 4 4 4"},
        {'process_start_time_seconds{part="engine"}': "1 1 2 2 3 3 3 3 3 3 3"},
        {"part": "engine"},
        "3",
    ),
    Story(
        "ThroughlineDoorsRefuse",
        "15m",
        {requests("overloaded"): "0+3x20", requests("unavailable"): "0x20"},
        {requests("overloaded"): "7x20", requests("accepted"): "0+9x20"},
        DOOR,
    ),
    Story(
        "ThroughlineSendersRefused",
        "30m",
        {requests("unauthenticated"): "0+1x40"},
        {requests("unauthenticated"): "0 1 1 1x40", requests("too_slow"): "0+9x40"},
        {**DOOR, "outcome": "unauthenticated"},
    ),
    Story(
        "ThroughlineEventsSetAside",
        "5m",
        {
            'throughline_set_aside_total{part="collector", door="json", reason="no_time"}': "0 0 2 2 2 2",
            'throughline_set_aside_total{part="collector", door="json", reason="bad_time"}': "4x6",
        },
        {'throughline_set_aside_total{part="collector", door="json", reason="no_time"}': "4x6"},
        {"reason": "no_time"},
    ),
    Story(
        "ThroughlineCommitsFail",
        "4m",
        {'throughline_journal_commit_failures_total{part="collector"}': "0 0 1 1 1"},
        {'throughline_journal_commit_failures_total{part="collector"}': "3x6"},
        COLLECTOR,
    ),
    Story(
        "ThroughlineCommitsSlow",
        "30m",
        {bucket("0.1"): "0+1x40", bucket("1"): "0+9x40", bucket("+Inf"): "0+9x40"},
        {bucket("0.1"): "0+8x40", bucket("1"): "0+9x40", bucket("+Inf"): "0+9x40"},
        {},
    ),
    Story(
        "ThroughlineQueueFills",
        "3m",
        {'throughline_journal_queue_bytes{part="collector"}': f"{GIB // 16}x5"},
        {'throughline_journal_queue_bytes{part="collector"}': f"{GIB // 64}x5"},
        COLLECTOR,
        "64Mi",
    ),
    Story(
        "ThroughlineFoldLags",
        "8m",
        {'throughline_fold_lag_seconds{part="api"}': "90x10"},
        {'throughline_fold_lag_seconds{part="api"}': "90 90 90 10 90 90 NaN NaN NaN"},
        API,
        "1m 30s",
    ),
    Story(
        "ThroughlineBlindToSources",
        "12m",
        {'throughline_blind_sources{part="api"}': "2x15"},
        {'throughline_blind_sources{part="api"}': "0x5 2 2 2 0x9"},
        API,
        "2",
    ),
    Story(
        "ThroughlineDiskFills",
        "8h",
        {FREE: f"{100 * GIB}-{GIB // 8}x480", KEPT: f"{GIB // 8}x480"},
        {FREE: f"{100 * GIB}-{GIB // 1024}x480", KEPT: f"{GIB // 8}x480"},
        API,
    ),
    Story(
        "ThroughlineDiskAlmostFull",
        "3m",
        {FREE: f"{GIB // 8 + GIB // 16}x5", KEPT: f"{GIB // 8}x5"},
        {FREE: f"{GIB}x5", KEPT: f"{GIB // 8}x5"},
        API,
        "192Mi",
    ),
    Story(
        "ThroughlineGuardFileFaults",
        "7m",
        {
            'throughline_guard_file_faults{part="collector"}': "1x10",
            'throughline_api_guard_file_faults{part="api"}': "0x10",
        },
        {
            'throughline_guard_file_faults{part="collector"}': "0x10",
            'throughline_api_guard_file_faults{part="api"}': "0x10",
        },
        COLLECTOR,
    ),
    Story(
        "ThroughlineFilesRunOut",
        "12m",
        {'process_open_fds{part="collector"}': "960x15", 'process_max_fds{part="collector"}': "1024x15"},
        {'process_open_fds{part="collector"}': "500x15", 'process_max_fds{part="collector"}': "1024x15"},
        COLLECTOR,
        "93.75%",
    ),
    Story(
        "ThroughlineApiFails",
        "25m",
        {'throughline_api_requests_total{part="api", status="5xx"}': "0+1x40"},
        {
            'throughline_api_requests_total{part="api", status="5xx"}': "3x40",
            'throughline_api_requests_total{part="api", status="2xx"}': "0+9x40",
        },
        {},
    ),
    beyond_warning(LOW_LAG, "throughline kpis cases billing-readiness-lag"),
    beyond_warning(LOW_ATTEMPTS, "throughline kpis cases failure-rate --counts-as hit"),
    beyond_warning(HIGH_SHARE, "throughline kpis cases sla-adherence --counts-as miss"),
    off_target(LOW_LAG, "throughline kpis cases billing-readiness-lag"),
    off_target(LOW_ATTEMPTS, "throughline kpis cases failure-rate --counts-as hit"),
    off_target(HIGH_SHARE, "throughline kpis cases sla-adherence --counts-as miss"),
    flow_beyond_warning(LOW_LAG, "throughline kpis cases billing-readiness-lag --where 'flow=psa → erp'"),
    flow_beyond_warning(LOW_ATTEMPTS, "throughline kpis cases failure-rate --where 'flow=psa → erp' --counts-as hit"),
    flow_beyond_warning(HIGH_SHARE, "throughline kpis cases sla-adherence --where 'flow=psa → erp' --counts-as miss"),
    Story(
        "KpiLostItsAnswer",
        "26h",
        {f'throughline_kpi_has_answer{{part="watch", {LAG}}}': "1x1400 0x200", **info()},
        {f'throughline_kpi_has_answer{{part="watch", {LAG}}}': "0x1600", **info()},
        OF_LAG,
    ),
    Story(
        "KpisNotKeptUpToDate",
        "130m",
        {READ_AT: "100x180", TIMES_READ: "7x180"},
        {READ_AT: "100x60 200x120", TIMES_READ: "7x60 8x120"},
        {"part": "watch"},
    ),
    Story(
        "KpisFallBehind",
        "60m",
        {'throughline_kpi_behind_changes{part="watch"}': "1000+100x60"},
        {'throughline_kpi_behind_changes{part="watch"}': "9000-100x60"},
        {"part": "watch"},
        "7000",
    ),
]


def promtool(folder: Path, series: Series, **asked: Any) -> subprocess.CompletedProcess[str]:
    """Ask promtool of the rules, given the values of some series."""
    here = ", ".join(f'{name}="{value}"' for name, value in HERE.items())
    given = [
        {"series": name[:-1] + f", {here}}}" if name.endswith("}") else f"{name}{{{here}}}", "values": values}
        for name, values in series.items()
    ]
    test = {"interval": "1m", "input_series": given, **asked}
    content = {
        "rule_files": [str(PROMETHEUS / "rules" / name) for name in RULES],
        "evaluation_interval": "1m",
        "tests": [test],
    }
    (folder / "test.yml").write_text(json.dumps(content))
    command = ["promtool", "test", "rules", str(folder / "test.yml")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def told(text: str, labels: Mapping[str, str], value: str) -> str:
    """Return an annotation as it is sent."""
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)
    return re.sub(r"\{\{ \$value[^}]*\}\}", value, text)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.alert)
def test_an_alert_fires(story: Story, tmp_path: Path) -> None:
    rule = rules("alert")[story.alert]
    labels = {**HERE, **story.labels}
    annotations = {name: told(text, labels, story.value) for name, text in rule["annotations"].items()}
    expected = {
        "exp_labels": {**labels, **rule["labels"]},
        "exp_annotations": annotations | ({"action": story.action} if story.action else {}),
    }
    asked = {"eval_time": story.at, "alertname": story.alert, "exp_alerts": [expected]}
    done = promtool(tmp_path, story.fires, alert_rule_test=[asked])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.alert)
def test_an_alert_is_quiet(story: Story, tmp_path: Path) -> None:
    asked = {"eval_time": story.at, "alertname": story.alert, "exp_alerts": []}
    done = promtool(tmp_path, story.quiet, alert_rule_test=[asked])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "series",
    [
        {READ_AT: "_x90 100x90", TIMES_READ: "_x90 7x90"},
        {READ_AT: "100x180", TIMES_READ: "7x59 8x60 9x60"},
        {READ_AT: "100x59 200x120", TIMES_READ: "1x180"},
    ],
    ids=["Prometheus is young", "the clock is a file that stands still", "Throughline was started again"],
)
def test_readings_are_not_said_to_be_old_that_nobody_knows_to_be(series: Series, tmp_path: Path) -> None:
    for at in ("60m", "130m", "178m"):
        asked = {"eval_time": at, "alertname": "KpisNotKeptUpToDate", "exp_alerts": []}
        done = promtool(tmp_path, series, alert_rule_test=[asked])
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_story() -> None:
    assert {story.alert for story in STORIES} == rules("alert").keys()


STANDINGS = {None: -1, Standing.GOOD: 0, Standing.WARNING: 1, Standing.BAD: 2}


@pytest.mark.parametrize("has_warning", [True, False], ids=["warning", "no warning"])
@pytest.mark.parametrize("good", Good)
def test_a_kpi_stands_as_lists_and_the_api_say(good: Good, has_warning: bool, tmp_path: Path) -> None:
    """Also where a quantile is at least so much: beyond what is lower, and nobody can say of what is higher."""
    low, high = Decimal(100), Decimal(200)
    target, warning = (low, high) if good is Good.LOW else (high, low)
    kpi = dataclasses.replace(
        CATALOGUE.kpis["duplicates"],
        good=good,
        target=Bound("", target),
        warning=Bound("", warning) if has_warning else None,
    )
    counting = Counting(kpi.clock, load_estate(None).calendars)
    figures = [Figure(None), *(Figure(Decimal(n), bound) for n in (90, 100, 150, 200, 250) for bound in (False, True))]
    series, expected = dict[str, str](), list[dict[str, Any]]()
    for number, figure in enumerate(figures):
        whose = f'kpi="kpi-{number}"'
        series[f'throughline_kpi_target{{{whose}, good="{good}"}}'] = str(target)
        series[f"throughline_kpi_has_answer{{{whose}}}"] = "0" if figure.value is None else "1"
        if has_warning:
            series[f'throughline_kpi_warning{{{whose}, good="{good}"}}'] = str(warning)
        if figure.value is not None:
            name = "throughline_kpi_headline_at_least" if figure.at_least else "throughline_kpi_headline"
            series[f"{name}{{{whose}}}"] = str(figure.value)
        labels = "".join(f', {name}="{value}"' for name, value in HERE.items())
        standing = STANDINGS[standing_of(kpi, figure, counting)]
        expected.append({"labels": f"throughline:kpi_standing{{{whose}{labels}}}", "value": standing})
    asked = {"expr": "throughline:kpi_standing", "eval_time": "0m", "exp_samples": expected}
    done = promtool(tmp_path, series, promql_expr_test=[asked])
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_kpi_without_a_target_stands_nowhere(tmp_path: Path) -> None:
    series = {f"throughline_kpi_headline{{{LAG}}}": "5", f"throughline_kpi_has_answer{{{LAG}}}": "1"}
    done = promtool(tmp_path, series, promql_expr_test=[{"expr": "throughline:kpi_standing", "eval_time": "0m"}])
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_sample_configuration_and_its_rules() -> None:
    command = ["promtool", "check", "config", str(PROMETHEUS / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"{name}\n  SUCCESS" in done.stdout for name in RULES)


@pytest.mark.parametrize("rule", rules("alert").values(), ids=lambda rule: rule["alert"])
def test_an_alert_says_whose_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"].get("owner") == "throughline-operators" or "group_left (title, owner" in rule["expr"]
    assert rule["labels"]["severity"] in ("page", "ticket", "info")
    assert rule["annotations"].keys() == {"summary", "action", "runbook"}
    page, _, part = rule["annotations"]["runbook"].partition("#")
    titles = re.findall(r"^#+ (.+)$", (REPOSITORY / page).read_text(), re.MULTILINE)
    assert not part or part in {re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in titles}


@pytest.mark.parametrize(
    "command", [command for story in STORIES for command in re.findall(r"`throughline (.+?)`", story.action)]
)
def test_the_commands_that_an_action_gives_take_what_stands_after_them(command: str) -> None:
    known = dict(commands(typer.main.get_command(app)))
    words = shlex.split(command)
    name = " ".join(words[:2])
    asked = known[name].make_context(name, words[2:]).params
    assert asked["counts_as"] in (["hit"], ["miss"]) if "--counts-as" in words else not asked.get("counts_as")
    assert asked["where"] == ["flow=psa → erp"] if "--where" in words else not asked["where"]


def test_the_how_to_lists_every_alert_as_it_is() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "prometheus-and-grafana.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (page|ticket|info) \| (.+) \|$", page, re.MULTILINE)
    shown = {"of": "part", "title": "KPI"}

    def plain(text: str) -> str:
        text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: f"*{shown.get(found[1], found[1])}*", text)
        return re.sub(r"\{\{ \$value[^}]*\}\}B?", "*n*", text).replace("*instance*", "an instance")

    wanted = [
        (name, rule["labels"]["severity"], plain(rule["annotations"]["summary"]))
        for name, rule in rules("alert").items()
    ]
    assert sorted(rows) == sorted(wanted)
