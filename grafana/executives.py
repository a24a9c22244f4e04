"""Executives: are we turning work into cash, is it better or worse than last month, and what is stuck worth?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from grafana.panels import (
    GREEN,
    NO_ANSWER,
    RED,
    STANDINGS,
    Column,
    Placed,
    Query,
    Section,
    bars,
    board,
    choice,
    figure,
    rows,
    trend,
)
from grafana.series import TOTAL, family_of, headline, level, of_total, quantile_of, with_info
from kpis.ageing import Ageing
from kpis.families import HAS_ANSWER, OPEN, SAMPLE_SIZE, WITHOUT_AMOUNT

LAG, VALUE, RISK = "billing-readiness-lag", "unbilled-approved-value", "money-at-risk"
SHARES = ("timely-billing-rate", "released-by-first-cut-off", "untouched-billing-rate")
HOURS = "/ 3600"
_BUSINESS = "Business hours: those in which the region's offices are open. "
_BEYOND = (
    'A line is missing where there is no answer; "at least" where so few have ended that the quantile is not reached.'
)


def _told(expr: str) -> str:
    """Return a series by what a KPI is called and who owns it."""
    return f"max by (title, group, owner) (({expr}) {with_info('title, group, owner')})"


def _months(name: str) -> Query:
    """Return by how much a KPI's headline changed in 30 days, as a share."""
    change = f"{headline(name)} / {headline(name, ' offset 30d')} - 1"
    return Query(change, name.replace("-", " "), now=True)


STANDING = f"throughline:kpi_standing{{{TOTAL}}}"


def executives() -> dashboard.Dashboard:
    """Return the dashboard."""
    return board(
        "throughline-executives",
        "Throughline: executives",
        "Are we turning work into cash, is it better or worse than last month, and what is stuck worth?",
        [_cash(), _stuck(), _standings()],
        [choice("region", "Region", f'label_values({HAS_ANSWER.name}{{region!=""}}, region)', "^$")],
        span="now-90d",
    )


def _cash() -> Section:
    waits = trend(
        "How long does approved work wait for billing?",
        f"{_BUSINESS}Half (median) and nine in ten (p90) of all that was approved were released to billing within so"
        f" long, unfinished work included. {_BEYOND}",
        "suffix: h",
        Query(f"{quantile_of(LAG, '0.5', TOTAL)} {HOURS}", "median{{bound}}"),
        Query(f"{quantile_of(LAG, '0.9', TOTAL)} {HOURS}", "p90{{bound}}"),
        Query(f"{level('target', LAG)} {HOURS}", "target"),
        Query(f"{level('warning', LAG)} {HOURS}", "warning"),
    )
    unbilled = trend(
        "What is approved work worth that has no invoice?",
        "In the reporting currency, at today's rates. What has no known amount, or no rate, is not in it: see beside.",
        "short",
        Query(f"{family_of(VALUE)}{{{TOTAL}}}", "{{currency}}"),
    )
    in_time = figure(
        "Which share is billed in time?",
        "Invoiced when due; released by the first cut-off it was eligible for; and without anybody's help.",
        "percentunit",
        *(Query(f"{family_of(name)}{{{TOTAL}}}", name.replace("-", " ")) for name in SHARES),
    )
    changed = figure(
        "Better or worse than 30 days ago?",
        "Change of the figure. All three are good when low: red is a rise.",
        "percentunit",
        _months(LAG),
        _months(VALUE),
        _months(RISK),
        steps=((None, GREEN), (0.0001, RED)),
    )
    return Section(
        "Is work turned into cash?",
        [Placed(waits, 12, 9), Placed(unbilled, 12, 9), Placed(in_time, 12, 5), Placed(changed, 12, 5)],
    )


def _stuck() -> Section:
    risk = family_of(RISK)
    stuck = figure(
        "What is stuck worth?",
        "Exposure of all cases with an open deviation, each piece of work once. Unknown amounts are not 0: see beside.",
        "short",
        Query(f"{risk}{{{TOTAL}}}", "{{currency}}"),
    )
    without = figure(
        "Of how many records is the amount unknown?",
        "They are in no sum: their amount, or a rate for it, is not known.",
        "short",
        *(Query(of_total(WITHOUT_AMOUNT, name), name.replace("-", " "), now=True) for name in (VALUE, RISK)),
    )
    return Section("What is stuck?", [Placed(stuck, 6, 8), Placed(without, 6, 8), *_stuck_by(risk)])


def _stuck_by(risk: str) -> list[Placed]:
    """Return what is stuck by process, cut-off, team and age; ``risk``: the family of its figure."""
    by_process = bars(
        "In which processes is it stuck?",
        "As the figure beside it, by process. Piece by piece in `throughline cases`.",
        "short",
        Query(f'sort_desc({risk}{{process!=""}})', "{{process}}", now=True),
    )
    by_team = bars(
        "Who has to see to it?",
        "As the figure above, by the team whose turn it is: the owner of the step that is late, as the process declares"
        " it.",
        "short",
        Query(f'sort_desc({risk}{{work_owner!=""}})', "{{work_owner}}", now=True),
    )
    by_cutoff = bars(
        "Which cut-off does it miss next?",
        "As the figure above, of work that still has a step to do by a cut-off: unless that is done before, it misses"
        " the next one. When that is: `throughline kpis show money-at-risk --by cutoff`.",
        "short",
        Query(f'sort_desc({risk}{{cutoff!=""}})', "{{cutoff}}", now=True),
    )
    by_age = bars(
        "For how long has it been stuck?",
        "As the figure above, by how old the deviations are.",
        "short",
        *(Query(f'{risk}{{ageing="{each.value}"}}', each.value.replace("_", " "), now=True) for each in Ageing),
    )
    return [Placed(by_process, 12, 8), Placed(by_cutoff, 8, 8), Placed(by_team, 8, 8), Placed(by_age, 8, 8)]


def _standings() -> Section:
    standing = rows(
        "Where do our KPIs stand, and where did they 30 days ago?",
        "Each KPI that has a target: good on it, bad beyond its warning level or where it has none, a warning between"
        " (docs/reference/kpis.md). No answer: too little data, or a quantile that is not reached and may yet meet it."
        " Sample: how many waits, attempts or records it is of; `throughline kpis cases` lists what is behind each.",
        Column("KPI", label="title"),
        Column("Group", label="group"),
        Column("Owner", label="owner"),
        Column("Now", shown=STANDINGS, query=Query(_told(STANDING), now=True)),
        Column("30 days ago", shown=STANDINGS, query=Query(_told(f"{STANDING} offset 30d"), now=True)),
        Column("Sample", query=Query(_told(f"{SAMPLE_SIZE.name}{{{TOTAL}}}"), now=True)),
        Column("Open", query=Query(_told(f"{OPEN.name}{{{TOTAL}}}"), now=True)),
        sort="Now",
        falling=True,
    )
    unanswered = rows(
        "Which questions have no answer?",
        "Too little data, a quantile that nobody can tell, or no source yet (docs/reference/kpis.md). None is 0;"
        " `throughline kpis explain` says why.",
        Column("KPI", label="title"),
        Column("Group", label="group"),
        Column("Owner", label="owner"),
        Column(
            "Answer", shown={"0": (NO_ANSWER, "")}, query=Query(_told(f"{HAS_ANSWER.name}{{{TOTAL}}} == 0"), now=True)
        ),
        Column("Sample", query=Query(_told(f"{SAMPLE_SIZE.name}{{{TOTAL}}} and {HAS_ANSWER.name} == 0"), now=True)),
        sort="KPI",
        nothing="all are answered",
    )
    return Section("Where do we stand?", [Placed(standing, 14, 14), Placed(unanswered, 10, 14)])
