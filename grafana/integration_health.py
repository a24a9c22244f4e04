"""Integration health, for who is on call: what broke, since when, how much is hit, and what to do."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from grafana.panels import (
    GREEN,
    RED,
    STANDINGS,
    YELLOW,
    Column,
    Placed,
    Query,
    Section,
    bars,
    board,
    choice,
    figure,
    since,
    trend,
)
from grafana.panels import rows as table
from grafana.series import BY_FLOW, by_flow, family_of, flow_level, quantile_of
from kpis.families import ERROR_BUDGET, HAS_ANSWER, INTERVAL_HIGH, INTERVAL_LOW, SAMPLE_SIZE
from throughline.core.metric_names import BLIND_SOURCES, DEVIATIONS, FOLDED_EVENTS, SET_ASIDE

LATENCY, SLA, FAILURES, PACE = "sync-latency", "sla-adherence", "failure-rate", "throughput"
# Sync latency has one level for all flows: what a flow has promised is held by SLA adherence.
_PROMISES = f'throughline:kpi_standing{{{BY_FLOW}, kpi!="sync-latency"}}'


def integration_health() -> dashboard.Dashboard:
    """Return the dashboard."""
    firing = table(
        "What is wrong, and whose is it?",
        "Alerts that fire or are about to. Each says in its annotations what to do first (docs/how-to/"
        "prometheus-and-grafana.md); a flow's run book is in estate.yaml, where that declares one.",
        Column("State", label="alertstate", shown={"firing": ("firing", RED), "pending": ("pending", YELLOW)}),
        Column("Alert", label="alertname"),
        Column("Flow", label="flow"),
        Column("KPI", label="title"),
        Column("Of", label="of"),
        Column("Owner", label="owner"),
        Column("Severity", label="severity"),
        Column(
            "Series",
            query=Query("count by (alertstate, alertname, flow, title, of, owner, severity) (ALERTS)", now=True),
        ),
        sort="State",
        nothing="no alert",
    )
    standing = since(
        "Which flows are beyond a level, and since when?",
        "Those that missed the target of a KPI at any time shown: bad beyond its warning level, a warning before.",
        STANDINGS,
        Query(
            f"{_PROMISES} and on (job, instance, kpi, flow) (max_over_time({_PROMISES}[$__range]) > 0)",
            "{{flow}}: {{kpi}}",
        ),
        nothing="none was",
    )
    latency = trend(
        "How long does a record take through each flow?",
        "Nine in ten (p90) of all that became ready in the source were seen in the target within so long, unfinished"
        ' ones included; "at least" where so few arrived that it is not reached. No line: no answer.',
        "s",
        Query(quantile_of(LATENCY, "0.9", BY_FLOW), "{{flow}}{{bound}}"),
        Query(flow_level("target", LATENCY), "target"),
        Query(flow_level("warning", LATENCY), "warning"),
    )
    in_time = table(
        "Which flows keep their promise?",
        "Share of records that passed in time, with what chance alone can do to it (95 %), and how many more may miss"
        " before the target is missed.",
        Column("Flow", label="flow"),
        Column("In time", "percentunit", query=Query(f"max by (flow) ({family_of(SLA)}{{{BY_FLOW}}})", now=True)),
        Column("from", "percentunit", query=Query(f"max by (flow) ({by_flow(INTERVAL_LOW, SLA)})", now=True)),
        Column("to", "percentunit", query=Query(f"max by (flow) ({by_flow(INTERVAL_HIGH, SLA)})", now=True)),
        Column("Error budget left", query=Query(f"max by (flow) ({by_flow(ERROR_BUDGET, SLA)})", now=True)),
        Column("Records", query=Query(f"max by (flow) ({by_flow(SAMPLE_SIZE, SLA)})", now=True)),
        sort="In time",
    )
    failures = trend(
        "Which share of attempts fails?",
        "By flow. No line: too few attempts for an answer.",
        "percentunit",
        Query(f"{family_of(FAILURES)}{{{BY_FLOW}}}", "{{flow}}"),
        Query(flow_level("target", FAILURES), "target"),
        Query(flow_level("warning", FAILURES), "warning"),
    )
    pace = trend(
        "How many records pass an hour?",
        "By flow, on average over the KPI's window. A flow that stands still falls slowly here: see the levels above.",
        "short",
        Query(f"{family_of(PACE)}{{{BY_FLOW}}}", "{{flow}}"),
    )
    blind = figure(
        "How many sources are silent?",
        "For longer than they say they ever are. What waits for them may have happened: it is not known to be late."
        " /api/v1/status names them.",
        "none",
        Query(BLIND_SOURCES.name, "silent sources", now=True),
        steps=((None, GREEN), (1, RED)),
    )
    deviations = bars(
        "What has gone wrong and is open?",
        "Cases with an open deviation, by kind; one by one in `throughline cases`.",
        "none",
        Query(f"sort_desc({DEVIATIONS.name})", "{{kind}}", now=True),
    )
    apart = bars(
        "Where are client records out of sync?",
        "Changed in the CRM and not arrived in ERP or PSA yet, by region.",
        "none",
        Query(f'{family_of("client-records-out-of-sync")}{{region!=""}}', "{{region}}", now=True),
    )
    unread = trend(
        "What cannot be read, or came twice?",
        "Events an hour that were set aside, by the five commonest reasons, and events that had come before."
        " `throughline quarantine list` shows those set aside; replay them once the sender or its mapping is mended.",
        "short",
        Query(f"topk(5, sum by (reason) (increase({SET_ASIDE.name}[1h])))", "set aside: {{reason}}"),
        Query(f'sum (increase({FOLDED_EVENTS.name}{{outcome="duplicate"}}[1h]))', "duplicates"),
    )
    return board(
        "throughline-integration-health",
        "Throughline: integration health",
        "For who is on call: what broke, since when, how much is hit, and what to do.",
        [
            Section("What broke, and since when?", [Placed(firing, 24, 8), Placed(standing, 24, 10)]),
            Section(
                "How do the flows do?",
                [
                    Placed(latency, 12, 9),
                    Placed(in_time, 12, 9),
                    Placed(failures, 12, 9),
                    Placed(pace, 12, 9),
                ],
            ),
            Section(
                "What do we see, and what not?",
                [
                    Placed(blind, 4, 8),
                    Placed(deviations, 8, 8),
                    Placed(apart, 4, 8),
                    Placed(unread, 8, 8),
                ],
            ),
        ],
        [choice("flow", "Flow", f'label_values({HAS_ANSWER.name}{{flow!=""}}, flow)', ".+", several=True)],
    )
