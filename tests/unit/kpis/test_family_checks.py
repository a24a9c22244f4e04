"""Names of KPIs that would give one metric to two of them are refused, as a scrape would have its series twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpis.catalogue import load_catalogue, validate_kpis
from kpis.families import families_of
from tests.unit.kpis.test_catalogue import DEFINITIONS, HEAD, faults, folder_with

SHARE = "unit: percent\nformula: {kind: attempts, attempts: failed}\n"
LAG = "unit: seconds\nformula: {kind: lag, per: flow}\n"
OPEN = "unit: records\nformula: {kind: deviations, measure: records}\n"
WANTED = "wanted a name that gives no metric of another"


def named(name: str, entries: str) -> str:
    return HEAD.replace("kpi: k", f"kpi: {name}") + entries


@pytest.mark.parametrize(
    ("one", "other", "metrics"),
    [
        (("paid", SHARE), ("paid-ratio", SHARE), "throughline_kpi_paid_ratio"),
        (("inx", SHARE), ("inx-by-value", SHARE.replace("failed", "repeated")), "throughline_kpi_inx_by_value_ratio"),
        (
            ("inx", LAG),
            ("inx-seconds", LAG),
            "throughline_kpi_inx_seconds, throughline_kpi_inx_seconds_at_least",
        ),
    ],
)
def test_a_kpi_with_a_metric_of_another_is_refused(
    tmp_path: Path, one: tuple[str, str], other: tuple[str, str], metrics: str
) -> None:
    folder_with(tmp_path, kpis__one=named(*one), kpis__two=named(*other))
    assert faults(tmp_path) == [
        f"kpis/two.yaml:1:1: kpi: seen {other[0]!r}, whose metric {metrics} is that of {one[0]!r} in"
        f" kpis/one.yaml already, {WANTED}"
    ]


def test_a_kpi_with_a_metric_of_a_shipped_one_is_refused(tmp_path: Path) -> None:
    folder_with(tmp_path, kpis__own=named("sync-latency-part", LAG))
    (found,) = faults(tmp_path)
    assert "whose metric throughline_kpi_sync_latency_part_seconds is that of the shipped 'sync-latency'" in found


@pytest.mark.parametrize("name", ["window", "latest"])
def test_a_kpi_with_a_metric_of_throughline_itself_is_refused(tmp_path: Path, name: str) -> None:
    folder_with(tmp_path, kpis__own=named(name, LAG))
    (found,) = faults(tmp_path)
    assert f"whose metric throughline_kpi_{name}_seconds is that of Throughline itself" in found


def test_a_kpi_that_replaces_a_shipped_one_may_have_its_metrics_and_frees_the_others(tmp_path: Path) -> None:
    own = LAG.replace("formula", "clock: business\nformula")  # which no spans split, so that it has no parts
    folder_with(tmp_path, kpis__own=named("sync-latency", own), kpis__part=named("sync-latency-part", LAG))
    assert validate_kpis(tmp_path, DEFINITIONS) == []


def test_it_is_told_beside_other_faults_of_all_files(tmp_path: Path) -> None:
    faulty = named("paid-ratio", SHARE.replace("failed", "failed, steps: aproved"))
    folder_with(tmp_path, kpis__a=named("paid", SHARE), kpis__b=faulty, kpis__c=named("latest", LAG))
    found = "\n".join(faults(tmp_path))
    for each in ("kpis/b.yaml:1:1: kpi: seen 'paid-ratio'", "seen 'steps'", "kpis/c.yaml:1:1: kpi: seen 'latest'"):
        assert each in found


@pytest.mark.parametrize(
    ("sound", "faulty"),
    [
        (named("late", OPEN), named("late-records", OPEN.replace("unit: records", "unit: record"))),
        (named("inx-part", LAG), named("inx", "clock: working\n" + LAG)),
    ],
)
def test_what_stands_in_for_a_faulty_entry_clashes_with_nothing(tmp_path: Path, sound: str, faulty: str) -> None:
    folder_with(tmp_path, kpis__a=sound, kpis__b=faulty)
    (found,) = faults(tmp_path)
    assert "already" not in found


def test_the_shipped_ones_have_each_metric_once() -> None:
    names = [each.name for kpi in load_catalogue(None, DEFINITIONS).kpis.values() for each in families_of(kpi)]
    assert len(names) == len(set(names))
