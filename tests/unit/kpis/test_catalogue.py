"""KPI files: what may be written in them, and every fault of what may not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kpis.catalogue import load_catalogue, validate_kpis
from kpis.declaration import (
    Bound,
    Declaration,
    Dimension,
    Good,
    Headline,
    Hit,
    InTime,
    Kind,
    KpiClock,
    Measure,
    Rounds,
    Unfinished,
    Unit,
)
from lineage.definitions import load_definitions, validate_folder
from throughline.core.calendar import Duration
from throughline.core.calendar import Unit as Length
from throughline.core.errors import ConfigurationError

DEFINITIONS = load_definitions(None)
LAG = """kpi: approval-lag
version: 2
title: Approval lag
group: ours
question: How long does a time entry wait for its approval?
unit: seconds
clock: business
formula:
  kind: lag
  of: {process: time-to-bill, from: submitted, to: approved, where: 'facts.practice == "cloud"'}
  rounds: whole
population: facts.region != "GCC"
dimensions: [region, practice]
good: low
headline: p90
target: 2 bd
warning: 3 bd
minimum_sample: 5
owner: pmo
source: our handbook, page 12
"""


def folder_with(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def read(folder: Path, text: str = LAG, name: str = "approval-lag") -> Declaration:
    return load_catalogue(folder_with(folder, kpis__own=text), DEFINITIONS).kpis[name]


def faults(folder: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_catalogue(folder, DEFINITIONS)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def test_a_kpi_of_the_firm_stands_beside_the_shipped_ones(tmp_path: Path) -> None:
    found = read(tmp_path)
    (span,) = found.formula.of
    assert (found.version, found.group, found.owner, found.source) == ("2", "ours", "pmo", "our handbook, page 12")
    assert (found.unit, found.clock, found.good, found.headline) == (
        Unit.SECONDS,
        KpiClock.BUSINESS,
        Good.LOW,
        Headline.P90,
    )
    assert (found.formula.kind, found.formula.rounds) == (Kind.LAG, Rounds.WHOLE)
    assert (span.process, span.from_step, span.to_step) == ("time-to-bill", "submitted", "approved")
    assert span.where is not None
    assert found.population is not None
    assert (span.where.holds({"practice": "cloud"}), found.population.holds({"region": "GCC"})) == (True, False)
    assert found.target == Bound("2 bd", None, Duration(2, Length.BUSINESS_DAYS))
    assert (found.minimum_sample, found.unfinished) == (5, Unfinished.CENSORED)
    assert found.dimensions == (Dimension.REGION, Dimension.PRACTICE)
    assert len(load_catalogue(tmp_path, DEFINITIONS).kpis) == len(load_catalogue(None, DEFINITIONS).kpis) + 1


def test_a_kpi_may_lie_beside_the_processes_too(tmp_path: Path) -> None:
    folder_with(tmp_path, lag=LAG)
    assert "approval-lag" in load_catalogue(tmp_path, DEFINITIONS).kpis
    assert validate_folder(tmp_path) == []


def test_what_is_in_the_folder_of_kpis_is_none_of_the_processes_business(tmp_path: Path) -> None:
    folder_with(tmp_path, kpis__broken="kpi: [", kpis__keys="keys: {}")
    assert validate_folder(tmp_path) == []
    broken, *_ = validate_kpis(tmp_path, DEFINITIONS)
    assert broken.file.endswith("broken.yaml")


def test_other_files_are_left_to_others(tmp_path: Path) -> None:
    folder_with(tmp_path, estate="firm: {", notes="notes: [", keys="keys: {a: {}}")
    assert validate_kpis(tmp_path, DEFINITIONS) == []


def test_a_kpi_of_the_same_name_replaces_the_shipped_one(tmp_path: Path) -> None:
    own = LAG.replace("approval-lag", "billing-readiness-lag")
    assert read(tmp_path, own, "billing-readiness-lag").group == "ours"


def test_shipped_kpis_that_do_not_fit_a_firms_own_process_are_left_out_and_say_why(tmp_path: Path) -> None:
    own = """process: customer-master
title: Ours
keys: {name: account_change}
steps:
  - {step: asked, kind: initial, types: [account.asked], system: crm}
  - {step: known, kind: terminal, types: [account.known], system: erp}
"""
    found = load_catalogue(None, load_definitions(folder_with(tmp_path, ours=own)))
    assert list(found.left_out) == ["client-records-out-of-sync"]
    assert "client-records-out-of-sync" not in found.kpis
    assert [fault.path for fault in found.left_out["client-records-out-of-sync"]] == [
        "formula.of[0].from",
        "formula.of[0].to",
        "formula.of[1].from",
        "formula.of[1].to",
    ]


@pytest.mark.parametrize(
    ("formula", "entry", "level"),
    [
        ("{kind: share, per: flow, hit: reached}", "target", "950 %"),
        ("{kind: share, per: flow, hit: reached}", "warning", "-1 %"),
        ("{kind: attempts, attempts: failed}", "warning", "100.1 %"),
        ("{kind: gauge, gauge: correlation_coverage}", "target", "101 %"),
    ],
)
def test_no_share_is_beyond_its_whole(tmp_path: Path, formula: str, entry: str, level: str) -> None:
    folder_with(tmp_path, kpis__k=f'{HEAD}unit: percent\nformula: {formula}\n{entry}: "{level}"\n')
    (found,) = faults(tmp_path)
    assert f":11:1: {entry}: seen '{level}', wanted a share from 0 % to 100 %" in found


@pytest.mark.parametrize(
    ("formula", "level"),
    [
        ("{kind: share, per: flow, hit: reached}", "100 %"),
        ("{kind: attempts, attempts: failed}", "0 %"),
        ("{kind: ratio, numerator: {process: staffing}, denominator: {process: staffing}}", "110 %"),
        ("{kind: ratio, numerator: {process: staffing}, denominator: {process: staffing}}", "-5 %"),
    ],
)
def test_levels_at_the_ends_of_a_share_and_any_of_a_ratio_are_taken(tmp_path: Path, formula: str, level: str) -> None:
    found = read(tmp_path, f'{HEAD}unit: percent\nformula: {formula}\ntarget: "{level}"\n', "k")
    assert found.target is not None


@pytest.mark.parametrize(
    ("entries", "unit", "wanted"),
    [
        ("target: 15 min", "seconds", Bound("15 min", Decimal(900))),
        ('target: "99.5 %"', "percent", Bound("99.5 %", Decimal("0.995"))),
    ],
)
def test_levels_are_read_in_the_unit_of_the_kpi(tmp_path: Path, entries: str, unit: str, wanted: Bound) -> None:
    kind = "{kind: lag, per: flow}" if unit == "seconds" else "{kind: attempts, attempts: failed}"
    found = read(tmp_path, HEAD + f"unit: {unit}\nformula: {kind}\n{entries}\n", "k")
    assert (found.target, found.clock, found.minimum_sample) == (wanted, KpiClock.ELAPSED, 20)


def test_a_share_says_what_hits_and_how_the_unfinished_count(tmp_path: Path) -> None:
    text = """unit: percent
clock: business
formula:
  kind: share
  of: [{process: time-to-bill, from: approved, to: released}]
  hit: in_time
  in_time: {within: 2 bd}
unfinished: late
"""
    found = read(tmp_path, HEAD + text, "k")
    assert (found.formula.hit, found.unfinished) == (Hit.IN_TIME, Unfinished.LATE)
    assert found.formula.in_time == InTime(within=Duration(2, Length.BUSINESS_DAYS))
    due = read(tmp_path, HEAD + text.replace("{within: 2 bd}", "due"), "k")
    assert due.formula.in_time == InTime(due=True)


def test_a_stock_takes_its_measure_and_age(tmp_path: Path) -> None:
    formula = "{kind: stock, of: {process: staffing, from: requested, to: confirmed}, measure: age, older_than: 90 d}"
    found = read(tmp_path, HEAD + f"unit: seconds\nformula: {formula}\n", "k")
    assert (found.formula.measure, found.formula.older_than) == (Measure.AGE, 90 * 86_400)
    assert (found.minimum_sample, found.unfinished) == (1, Unfinished.COUNTED)


HEAD = """kpi: k
version: 1
title: T
group: g
question: Why?
good: low
owner: me
source: here
"""

FAULTY = """kpi: Approval Lag
version: 1
titel: Approval lag
group: ours
question: How long?
unit: percent
clock: business
formula:
  kind: lag
  of:
    - {process: time-to-bil, from: submitted, to: approved}
    - {process: time-to-bill, from: submited, to: approved, where: facts.}
    - {process: time-to-bill, from: submitted, from_field: worked_on, to: approved}
    - {process: time-to-bill, to: approvd}
    - {process: time-to-bill, from: approved, to: approved, at: posted}
  rounds: all
  measure: amount
  hit: in_time
population: 1 + 1
dimensions: [region, planet, region, flow, category, ageing]
good: low
headline: p50
target: 3 days
warning: 2 h
minimum_sample: 0
unfinished: late
owner: pmo
"""


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    folder_with(tmp_path, kpis__faulty=FAULTY, kpis__broken="kpi: [unclosed\n", kpis__empty="{}", more="kpi: 7")
    folder_with(tmp_path, kpis__one=LAG, kpis__two=LAG)
    wanted = """
kpis/broken.yaml:2:1: seen
kpis/empty.yaml:1:1: kpi: seen nothing, wanted this entry, which is required
kpis/faulty.yaml:1:1: kpi: seen 'Approval Lag', wanted lower-case words joined by -
kpis/faulty.yaml:1:1: source: seen nothing, wanted this entry, which is required
kpis/faulty.yaml:1:1: title: seen nothing, wanted this entry, which is required
kpis/faulty.yaml:3:1: titel: seen 'Approval lag', wanted no such entry: its name is unknown here; perhaps title
kpis/faulty.yaml:6:1: unit: seen 'percent', wanted the unit of the formula: seconds
kpis/faulty.yaml:11:8: formula.of[0].process: seen 'time-to-bil', wanted a process: time-to-bill, or another
kpis/faulty.yaml:12:31: formula.of[1].from: seen 'submited', wanted a step of time-to-bill: submitted, or another
kpis/faulty.yaml:12:61: formula.of[1].where: seen 'facts.', wanted a condition in CEL
kpis/faulty.yaml:13:7: formula.of[2]: seen from and from_field, wanted one of from, from_field
kpis/faulty.yaml:14:7: formula.of[3]: seen no from, wanted one of from, from_field
kpis/faulty.yaml:14:31: formula.of[3].to: seen 'approvd', wanted a step of time-to-bill: approved, or another
kpis/faulty.yaml:15:47: formula.of[4].to: seen 'approved', wanted another step
kpis/faulty.yaml:15:61: formula.of[4].at: seen 'at', wanted from and to: a wait
kpis/faulty.yaml:16:3: formula.rounds: seen 'all', wanted 'each' or 'whole'
kpis/faulty.yaml:17:3: formula.measure: seen 'measure', wanted an entry of a lag
kpis/faulty.yaml:18:3: formula.hit: seen 'hit', wanted an entry of a lag
kpis/faulty.yaml:19:1: population: seen '1 + 1', wanted a condition in CEL
kpis/faulty.yaml:20:22: dimensions[1]: seen 'planet', wanted 'process', 'flow'
kpis/faulty.yaml:20:30: dimensions[2]: seen 'region' again, wanted each dimension once
kpis/faulty.yaml:20:38: dimensions[3]: seen 'flow', wanted per: flow
kpis/faulty.yaml:20:44: dimensions[4]: seen 'category', wanted attempts
kpis/faulty.yaml:20:54: dimensions[5]: seen 'ageing', wanted kind: stock or deviations; no other can be told by it
kpis/faulty.yaml:22:1: headline: seen 'p50', wanted 'median', 'p90' or 'p99'
kpis/faulty.yaml:23:1: target: seen '3 days', wanted a share, such as "95 %"
kpis/faulty.yaml:24:1: warning: seen '2 h', wanted a share
kpis/faulty.yaml:25:1: minimum_sample: seen 0, wanted at least 1
kpis/faulty.yaml:26:1: unfinished: seen 'late', wanted one of censored, for a lag
kpis/two.yaml:1:1: kpi: seen 'approval-lag', which is in
more.yaml:1:1: kpi: seen 7, wanted a text
""".strip().splitlines()
    found = faults(tmp_path)
    missing = [each for each in wanted if not any(each in fault for fault in found)]
    assert missing == [], "\n".join(found)
    unwanted = [each for each in found if "faulty" in each and not any(want in each for want in wanted)]
    assert unwanted == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("unit: percent\nformula: {kind: share, per: flow}", "a share without hit, wanted hit"),
        ("unit: seconds\nformula: {kind: lag}", "a lag without of, wanted of or per"),
        ("unit: seconds\ntarget: 2 bd\nformula: {kind: lag, per: flow}", "business days need `clock: business`"),
        (
            "unit: seconds\nformula: {kind: lag, per: flow, of: {process: staffing, from: requested, to: synced}}",
            "of, per",
        ),
        ("unit: money\nformula: {kind: deviations, measure: hours}", "'hours', wanted one of records, amount"),
        (
            "unit: money\nformula: {kind: deviations, measure: records}",
            "'money', wanted the unit of the formula: records",
        ),
        ("unit: records\nformula: {kind: deviations, measure: records, deviations: lost}", "'lost', wanted 'overdue'"),
        (
            "unit: records\nformula: {kind: deviations, measure: records, steps: aproved}",
            "'aproved', wanted a step: approved",
        ),
        ("unit: percent\nformula: {kind: attempts, attempts: failed, categories: time_out}", "errors: timeout"),
        (
            "unit: percent\nformula: {kind: attempts, attempts: failed}\ntarget: 95",
            '95, wanted a share, such as "95 %"',
        ),
        ('unit: percent\nformula: {kind: attempts, attempts: failed}\ntarget: "2 %"\nwarning: "1 %"', "no better than"),
        ("unit: seconds\nformula: {kind: lag, per: flow}\ntarget: 2 bd", "a length of time, such as 30 s"),
        (
            "unit: money\nformula: {kind: sum, measure: amount, of: {process: staffing, from: requested, to: synced}}",
            "at or",
        ),
        (
            "unit: percent\nformula: {kind: ratio, numerator: {process: staffing}, denominator: {process: x}}",
            "'x'",
        ),
        (
            "unit: percent\nformula: {kind: share, per: flow, hit: in_time, in_time: {cutoff: b, within: 2 h}}",
            "one of due",
        ),
        ("unit: percent\nformula: {kind: share, per: flow, hit: in_time}", "hit: in_time, wanted in_time beside it"),
        (
            "unit: percent\nformula: {kind: variance, numerator: {process: staffing, at: confirmed},"
            " denominator: {process: time-to-bill, at: approved}, match: worker}",
            "seen 'worker', wanted one of week, month, period among them",
        ),
        (
            "unit: percent\nformula: {kind: ratio, numerator: {process: time-to-bill, at: approved},"
            " denominator: {process: capacity-sync, at: changed, capacity: true}}",
            "seen capacity without match, wanted match",
        ),
        ("unit: percent\nformula: {kind: gauge, gauge: luck}", "'luck', wanted"),
        ("unit: percent\nformula: {kind: none}", "a none without lacks"),
    ],
)
def test_a_fault_says_what_was_seen_and_wanted(tmp_path: Path, text: str, wanted: str) -> None:
    folder_with(tmp_path, kpis__k=HEAD + text)
    assert wanted in "\n".join(faults(tmp_path))


BY_CUTOFF = f"""{HEAD}unit: percent
formula: {{kind: share, per: flow, hit: in_time, in_time: {{cutoff: payday}}}}
"""
CUTOFF = "{default: {every: week, on: friday, at: '18:00'}}"


@pytest.mark.parametrize(
    ("estate", "wanted"),
    [
        (f"cutoffs: {{pay_day: {CUTOFF}, billing: {CUTOFF}}}", "pay_day, or another one of billing, pay_day"),
        ("firm: {name: Nordwind}", "none, as none is declared"),
        ("", "none, as none is declared"),
        (None, "none, as none is declared"),
    ],
)
def test_a_cut_off_that_the_estate_has_not_is_refused(tmp_path: Path, estate: str | None, wanted: str) -> None:
    folder_with(tmp_path, kpis__k=BY_CUTOFF, **({} if estate is None else {"estate": estate}))
    assert faults(tmp_path) == [
        "kpis/k.yaml:10:59: formula.in_time.cutoff: seen 'payday', wanted a cut-off of estate.yaml: " + wanted
    ]


@pytest.mark.parametrize("estate", [f"cutoffs: {{payday: {CUTOFF}}}", "cutoffs: {payday: {default: never}}", "firm: {"])
def test_a_cut_off_that_the_estate_has_or_may_have_is_taken(tmp_path: Path, estate: str) -> None:
    """What is wrong with the estate is for those to say who load it."""
    assert validate_kpis(folder_with(tmp_path, kpis__k=BY_CUTOFF, estate=estate), DEFINITIONS) == []


TEAMS = "teams: {billing-desk: {title: Billing desk}}"


def test_an_owner_that_is_no_team_is_refused_where_teams_are_declared(tmp_path: Path) -> None:
    own = LAG.replace("owner: pmo", "owner: biling-desk")
    (found,) = faults(folder_with(tmp_path, kpis__k=own, estate=TEAMS))
    assert found.startswith(
        "kpis/k.yaml:19:1: owner: seen 'biling-desk', wanted a team of estate.yaml, of a process or of a shipped KPI:"
        " billing-desk, or another one of billing-desk, finance-ops, "
    )


@pytest.mark.parametrize(
    ("owner", "estate"), [("billing-desk", TEAMS), ("pmo", TEAMS), ("integration", TEAMS), ("anybody", "teams: {}")]
)
def test_owners_that_are_known_or_that_nobody_declares_are_taken(tmp_path: Path, owner: str, estate: str) -> None:
    """Of processes is pmo, and integration of shipped KPIs alone."""
    own = LAG.replace("owner: pmo", f"owner: {owner}")
    assert validate_kpis(folder_with(tmp_path, kpis__k=own, estate=estate), DEFINITIONS) == []


def test_a_missing_owner_is_told_once(tmp_path: Path) -> None:
    (found,) = faults(folder_with(tmp_path, kpis__k=LAG.replace("owner: pmo\n", ""), estate=TEAMS))
    assert "owner: seen nothing, wanted this entry, which is required" in found


def test_shipped_kpis_need_no_cut_off_of_the_firm(tmp_path: Path) -> None:
    found = load_catalogue(folder_with(tmp_path, estate="firm: {name: Nordwind}"), DEFINITIONS)
    assert "released-by-first-cut-off" in found.kpis


OF_ANY_NUMBER = {
    "stock": "unit: records\nformula: {kind: stock, measure: records, of:"
    " {process: staffing, from: requested, to: synced}}",
    "sum": "unit: money\nformula: {kind: sum, measure: amount, of: {process: time-to-bill, at: issued}}",
    "count": "unit: per_hour\nformula: {kind: count, per: flow}",
    "deviations": "unit: records\nformula: {kind: deviations, measure: records}",
    "age": "unit: seconds\nformula: {kind: age, of: {process: time-to-bill, at: issued}}",
    "none": "unit: records\nformula: {kind: none, lacks: a source}",
}
SAMPLES = {
    "lag": "unit: seconds\nformula: {kind: lag, per: flow}",
    "attempts": "unit: percent\nformula: {kind: attempts, attempts: failed}",
    "gauge": "unit: percent\nformula: {kind: gauge, gauge: correlation_coverage}",
    "balance": "unit: money\nformula: {kind: balance, numerator: {process: time-to-bill, measure: amount},"
    " denominator: {process: invoice-to-cash, measure: amount}, match: contract}",
}


@pytest.mark.parametrize("kind", OF_ANY_NUMBER)
def test_what_answers_of_any_number_has_no_minimum(tmp_path: Path, kind: str) -> None:
    assert read(tmp_path, HEAD + OF_ANY_NUMBER[kind], "k").least_sample is None
    folder_with(tmp_path, kpis__own=f"{HEAD}minimum_sample: 500\n{OF_ANY_NUMBER[kind]}")
    assert faults(tmp_path) == [
        f"kpis/own.yaml:9:1: minimum_sample: seen 500, wanted no minimum: kind {kind} answers of any number"
    ]


@pytest.mark.parametrize("kind", SAMPLES)
def test_what_says_nothing_of_too_few_has_a_minimum(tmp_path: Path, kind: str) -> None:
    found = read(tmp_path, f"{HEAD}minimum_sample: 500\n{SAMPLES[kind]}", "k")
    assert (found.minimum_sample, found.least_sample) == (500, 500)


def test_flows_carry_what_processes_have(tmp_path: Path) -> None:
    estate = """flows:
  a: {from: psa, to: erp, carries: {process: time-to-bill, from: approvd, to: posted}}
  b:
    from: psa
    to: erp
    carries:
      - {process: time-to-bill, from: posted, to: posted}
      - {process: time-to-bil, from: a, to: b}
"""
    assert faults(folder_with(tmp_path, estate=estate)) == [
        "estate.yaml:2:60: flows.a.carries[0].from: seen 'approvd', wanted a step of time-to-bill: approved, or another"
        " one of approved, corrected, disputed, issued, paid, posted, released, submitted",
        "estate.yaml:7:47: flows.b.carries[0].to: seen 'posted', wanted another step than that with which a record is"
        " ready",
        "estate.yaml:8:10: flows.b.carries[1].process: seen 'time-to-bil', wanted a process: time-to-bill, or another"
        f" one of {', '.join(sorted(DEFINITIONS.processes))}",
    ]
