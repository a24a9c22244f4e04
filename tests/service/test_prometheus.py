"""A real Prometheus scrapes a running Throughline in which a firm lives: every panel and every rule finds data.

A query that finds nothing is broken, or what it asks for is told by nobody.
"""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from kpis.catalogue import load_catalogue
from kpis.families import HAS_ANSWER, HEADLINE, READ_AT, READ_BEHIND
from lineage.definitions import load_definitions
from tests.prometheus_server import Prometheus, prometheus
from tests.service.boards import BOARDS, RULES, Asked, asked, rules, selectors, variables
from tests.service.serving import call, until
from throughline.core.estate import load_estate
from throughline.core.instants import MICROSECONDS
from throughline.demo.plan import plan
from throughline.demo.play import IN_A_HURRY, play
from throughline.demo.product import DEFINITIONS
from throughline.demo.questions import wait_until_folded
from throughline.demo.run import stage

DAY = 86_400
JOB = "throughline"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

pytestmark = [pytest.mark.needs("prometheus"), pytest.mark.serial]


class Watched(NamedTuple):
    """A Prometheus that has scraped a firm's weeks."""

    prometheus: Prometheus
    api: str

    def fails(self, each: Asked) -> str | None:
        """Return why a query is no good; None where it finds a number."""
        values = self.prometheus.values(each.expression)
        if not values:
            return f"{each.where}: nothing is found by {each.expression}"
        if all(math.isnan(value) for value in values):
            return f"{each.where}: no number is found by {each.expression}"
        return None

    def choices(self, name: str, variable: str) -> list[str]:
        """Return what can be chosen as a variable of a dashboard."""
        label, series = variables(BOARDS[name])[variable]
        return self.prometheus.get(f"label/{label}/values", **{"match[]": series})


def a_month_ago(now: float) -> str:
    """Return what the KPIs told 30 days ago, as far as it is asked for, in OpenMetrics' text format."""
    kpis = load_catalogue(DEFINITIONS, load_definitions(DEFINITIONS)).kpis
    regions = ("", *(f',region="{region}"' for region in load_estate(DEFINITIONS).regions))
    lines: list[str] = []
    for family, value in ((HEADLINE.name, 1), ("throughline:kpi_standing", 0)):
        lines.append(f"# TYPE {family} gauge")
        for kpi in kpis:
            for region in regions:
                labels = f'{{job="{JOB}",instance="here",part="watch",kpi="{kpi}"{region}}}'
                lines += (f"{family}{labels} {value} {now - 30 * DAY + at:.0f}" for at in range(-240, 1_200, 60))
    return "\n".join([*lines, "# EOF\n"])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Generator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    firm = plan(7, "small")
    with ExitStack() as stack:
        on = stack.enter_context(stage(firm, folder / "firm"))
        targets = [on.product.addresses.api]
        server = stack.enter_context(prometheus(folder / "prometheus", {JOB: targets}, RULES, a_month_ago(time.time())))
        until(lambda: len(server.values("throughline_ready")) > 0, "the first scrape")
        ended = play(firm, on.programs, on.clock, IN_A_HURRY, lambda _: None)
        wait_until_folded(on.api, ended.position)
        # By all scrapes and rules since. What is read before all is counted stays for twenty times what it took.
        read = f"min_over_time({READ_AT.name}[5s]) >= {firm.ends // MICROSECONDS}"
        of_all = f"max_over_time({READ_BEHIND.name}[5s]) == 0"
        until(lambda: len(server.values(f"{read} and {of_all}")) > 0, "readings of all at the firm's last moment", 300)
        yield Watched(server, on.product.addresses.api)


@pytest.mark.parametrize("name", BOARDS)
def test_every_query_of_a_dashboard_finds_data(watched: Watched, name: str) -> None:
    found = list(asked(name, {}))
    assert found
    assert [fault for fault in map(watched.fails, found) if fault] == []


@pytest.mark.parametrize(("name", "variable"), [(name, each) for name in BOARDS for each in variables(BOARDS[name])])
def test_there_is_something_to_choose(watched: Watched, name: str, variable: str) -> None:
    assert watched.choices(name, variable)


def test_every_query_finds_data_for_each_region(watched: Watched) -> None:
    (name,) = (name for name in BOARDS if "region" in variables(BOARDS[name]))
    regions = watched.choices(name, "region")
    assert {"EMEA", "AMER", "APAC"} <= set(regions)
    found = list(asked(name, {"region": regions}))
    assert len(found) == (len(regions) + 1) * len(list(asked(name, {})))
    assert [fault for fault in map(watched.fails, found) if fault] == []


def test_every_rule_asks_for_series_that_are_there(watched: Watched) -> None:
    asked_for = [Asked(each.where, selector) for each in rules() for selector in selectors(each.expression)]
    assert len(asked_for) > 30
    assert [fault for fault in map(watched.fails, asked_for) if fault] == []


def test_prometheus_is_content_with_every_rule(watched: Watched) -> None:
    loaded = [rule for group in watched.prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in loaded} == {each.where.partition(": ")[2] for each in rules()}
    assert [(rule["name"], rule.get("lastError")) for rule in loaded if rule["health"] != "ok"] == []


def test_promtool_finds_nothing_wrong_with_what_a_running_service_tells(watched: Watched) -> None:
    text = call(f"http://{watched.api}/metrics").text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    complaints = {line for line in (done.stdout + done.stderr).splitlines() if "approved_hours" not in line}
    assert complaints == set(), "hours of work are no length of time"


def test_a_question_that_belongs_to_a_trace_is_found_by_it(watched: Watched) -> None:
    def exemplars() -> set[str]:
        now = time.time()
        query = {"query": "throughline_api_seconds_bucket", "start": str(now - 300), "end": str(now + 60)}
        found = watched.prometheus.get("query_exemplars", **query)
        return {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}

    answer = call(f"http://{watched.api}/api/v1/status", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    assert answer.status == 200
    until(lambda: TRACE in exemplars(), "the trace")


def test_every_kpi_is_told_with_or_without_an_answer(watched: Watched) -> None:
    found = watched.prometheus.get("label/kpi/values", **{"match[]": HAS_ANSWER.name})
    assert set(found) == load_catalogue(DEFINITIONS, load_definitions(DEFINITIONS)).kpis.keys()


def test_an_empty_and_a_broken_query_would_be_noticed(watched: Watched) -> None:
    assert "nothing is found" in str(watched.fails(Asked("here", 'throughline_ready{of="cellar"}')))
    assert "no number is found" in str(watched.fails(Asked("here", "throughline_ready * NaN")))
    with pytest.raises(OSError, match="400"):
        watched.fails(Asked("here", "rate(throughline_ready)"))
    assert watched.fails(Asked("here", "throughline_ready")) is None
