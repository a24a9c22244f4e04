"""The shipped catalogue, against the list of what must be in it."""

from __future__ import annotations

import pytest

from kpis.catalogue import load_catalogue
from kpis.declaration import Declaration, Kind, KpiClock, Unit
from lineage.definitions import load_definitions

DEFINITIONS = load_definitions(None)
PACK = load_catalogue(None, DEFINITIONS)

# kind, unit, clock of every KPI; by group
CATALOGUE = {
    "project start": """
        project-setup-cycle-time          lag         seconds  business
        approval-to-activation            lag         seconds  business
        project-setup-success-rate        share       percent  business
        projects-awaiting-erp-activation  stock       records  business
        contract-terms-out-of-line        deviations  records  elapsed""",
    "staffing": """
        staffing-request-ageing           stock       seconds  business
        staffing-fulfilment-time          lag         seconds  business
        unsynchronised-assignments        stock       records  business
        billable-utilisation              ratio       percent  elapsed
        utilisation-forecast-variance     variance    percent  elapsed
        utilisation-reporting-latency     lag         seconds  elapsed""",
    "work to bill": """
        billing-readiness-lag             lag         seconds  business
        released-by-first-cut-off         share       percent  business
        unbilled-approved-hours           stock       hours    business
        unbilled-approved-value           stock       money    business
        time-never-submitted              deviations  records  elapsed
        time-entry-sync-latency           lag         seconds  elapsed
        approved-milestones-not-invoiced  stock       money    business
        invoice-cycle-time                lag         seconds  business
        billing-cycle-duration            lag         seconds  elapsed
        timely-billing-rate               share       percent  business
        untouched-billing-rate            share       percent  business
        invoice-error-rate                share       percent  business
        revenue-leakage                   balance     money    elapsed
        leakage-at-risk                   stock       money    business""",
    "finance": """
        posting-completeness              share       percent  elapsed
        unsynchronised-project-cost       stock       money    business
        budget-burn-age                   age         seconds  elapsed
        delayed-invoices                  deviations  money    elapsed
        margin-not-synchronised           stock       money    business
        close-cycle-time                  lag         seconds  business
        forecast-accuracy                 variance    percent  elapsed
        forecast-revisions-not-received   stock       records  elapsed
        reporting-consistency             variance    percent  elapsed
        payroll-late-or-missing           deviations  records  elapsed""",
    "integration health": """
        sync-latency                      lag         seconds  elapsed
        throughput                        count       per_hour elapsed
        failure-rate                      attempts    percent  elapsed
        sla-adherence                     share       percent  elapsed
        duplicates                        deviations  records  elapsed
        retries                           attempts    percent  elapsed
        api-dependency-health             attempts    percent  elapsed
        probe-success                     none        percent  elapsed
        manual-touches-per-engagement     ratio       per_record elapsed
        manual-reconciliation-effort      none        hours    elapsed
        reconciliation-match-rate         none        percent  elapsed
        client-records-out-of-sync        stock       records  elapsed
        policy-violations                 deviations  records  elapsed
        correlation-coverage              gauge       percent  elapsed
        completeness                      none        percent  elapsed""",
    "money": """
        money-at-risk                     deviations  money    elapsed""",
}
NO_SOURCE_YET = {"probe-success", "manual-reconciliation-effort", "reconciliation-match-rate", "completeness"}


def row(kpi: Declaration) -> tuple[str, str, str, str]:
    return kpi.name, kpi.formula.kind.value, kpi.unit.value, kpi.clock.value


@pytest.mark.parametrize("group", CATALOGUE)
def test_a_group_has_the_kpis_that_it_must_have(group: str) -> None:
    found = {row(kpi) for kpi in PACK.kpis.values() if kpi.group == group}
    assert found == {tuple(line.split()) for line in CATALOGUE[group].strip().splitlines()}


def test_every_shipped_kpi_fits_the_shipped_processes() -> None:
    assert PACK.left_out == {}
    assert {kpi.group for kpi in PACK.kpis.values()} == set(CATALOGUE)


def test_only_these_have_no_source_yet_and_they_say_what_they_lack() -> None:
    without = {name: kpi.formula.lacks for name, kpi in PACK.kpis.items() if kpi.formula.kind is Kind.NONE}
    assert set(without) == NO_SOURCE_YET
    assert all(without.values())


def test_every_kpi_is_owned_and_says_by_what_it_may_be_split() -> None:
    assert [kpi.name for kpi in PACK.kpis.values() if not kpi.owner or not kpi.question.endswith("?")] == []
    split = {name for name, kpi in PACK.kpis.items() if kpi.dimensions}
    assert set(PACK.kpis) - split == {"correlation-coverage"}


def test_a_target_comes_with_a_warning_level_unless_nothing_is_good_enough_beside_it() -> None:
    alone = {name: kpi.target.text for name, kpi in PACK.kpis.items() if kpi.target is not None and kpi.warning is None}
    assert set(alone.values()) == {"0"}
    assert {PACK.kpis[name].unit for name in alone} == {Unit.MONEY}


def test_readiness_covers_all_that_is_billed() -> None:
    spans = PACK.kpis["billing-readiness-lag"].formula.of
    assert [(span.process, span.from_step, span.to_step) for span in spans] == [
        ("time-to-bill", "approved", "released"),
        ("expense-to-bill", "approved", "released"),
        ("milestone-to-invoice", "approved", "released"),
        ("subscription-to-invoice", "due", "issued"),
    ]
    assert PACK.kpis["billing-readiness-lag"].clock is KpiClock.BUSINESS
