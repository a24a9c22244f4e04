"""KPIs as Prometheus sees them: no answer is no sample, labels are closed, names keep to the conventions."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kpis.ask import Part
from kpis.clock import Counting
from kpis.declaration import Declaration, Dimension, Good, Headline, Kind
from kpis.distribution import Distribution, Estimate
from kpis.documents import reading_documents
from kpis.exposition import expose_readings
from kpis.families import SHARED, families_of
from kpis.figures import Standing, region_of
from kpis.intervals import Interval
from kpis.latency import LatencyPart, PartOfLatency, Parts, Unsplit
from kpis.latest import Current
from kpis.money import Converted, Money, Sums, convert
from kpis.reading import (
    NO_DATA,
    Answer,
    Balance,
    Beside,
    Lag,
    Newest,
    Pace,
    Ratio,
    Reading,
    Share,
    Stock,
    Total,
    Variance,
)
from kpis.survival import Curve, Reached
from tests.unit.kpis.golden import CATALOGUE
from throughline.core.estate import Estate, read_estate
from throughline.core.instants import MICROSECONDS
from throughline.core.metrics import expose_samples
from throughline.core.rates import Rates
from throughline.core.yaml_file import YamlDocument

KPIS = CATALOGUE.kpis
READ_AT = 1_800_000_000
BEHIND = 3
BUSINESS_DAY = {"EMEA": 30_600, "AMER": 28_800}
ESTATE = read_estate(
    YamlDocument(
        "estate",
        {
            "firm": {"reporting_currency": "EUR", "default_region": "EMEA"},
            "regions": {
                "EMEA": {"timezone": "Europe/Berlin", "country": "DE", "open": "09:00-17:30"},
                "AMER": {"timezone": "America/New_York", "country": "US", "open": "09:00-17:00"},
            },
            "legal_entities": {"DE01": {"region": "EMEA"}, "US01": {"region": "AMER"}},
        },
        {},
        {},
    )
)
NOTHING_BESIDE = Beside(0, 0, 0, {}, {})
LAG = KPIS["billing-readiness-lag"]
RATE = KPIS["sla-adherence"]
VALUE = KPIS["unbilled-approved-value"]

Series = tuple[str, tuple[tuple[str, str], ...]]


def series(name: str, **labels: str) -> Series:
    return name, tuple(sorted(labels.items()))


def told(*currents: Current, estate: Estate = ESTATE) -> dict[Series, float]:
    """Return every sample that stands in the text, as a scraper reads it."""
    text = expose_samples(expose_readings((), currents, estate, READ_AT * MICROSECONDS, BEHIND))
    return {
        series(sample.name, **sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names(samples: Mapping[Series, float]) -> set[str]:
    return {name for name, _ in samples}


def current(kpi: Declaration, answer: Answer | None, beside: Beside = NOTHING_BESIDE, **values: str | None) -> Current:
    dimensions = {Dimension(name): value for name, value in values.items()}
    return Current(kpi, dimensions, Reading(answer, None if answer else NO_DATA, beside, 5 * MICROSECONDS), None)


def lag(**quantiles: Reached | None) -> Lag:
    reached = {headline: quantiles.get(headline.value) for headline in Headline}
    return Lag(reached, dict.fromkeys(Headline), 0, Curve((), None), 0.0)


def share(value: float = 0.9, *, budget: Decimal | None = None) -> Share:
    return Share(value, 90, 100, Interval(0.82, 0.94), 0.0, 0.95, 0, budget)


def worth(*amounts: Money | None) -> Converted:
    return convert(Sums(amounts), Rates("EUR", ()), date(2026, 11, 2))


def stock(*amounts: Money | None, hours: Decimal | None = None, median: float | None = None) -> Stock:
    age = None if median is None else Estimate(median, 0.0)
    return Stock(len(amounts), worth(*amounts), Sums(amounts), hours, 0, Distribution(), age)


def test_quantiles_are_samples_of_one_family_whose_meaning_is_the_question() -> None:
    samples = told(current(LAG, lag(median=Reached(66_600), p90=Reached(90_000))))
    assert samples[series("throughline_kpi_billing_readiness_lag_seconds", quantile="0.5")] == 66_600
    assert samples[series("throughline_kpi_billing_readiness_lag_seconds", quantile="0.9")] == 90_000
    assert families_of(LAG)[0].meaning.startswith(LAG.question)


def test_a_quantile_that_is_not_reached_is_no_sample_of_the_figure_but_what_it_is_at_least() -> None:
    samples = told(current(LAG, lag(median=Reached(66_600), p90=Reached(122_400, beyond=True))))
    assert series("throughline_kpi_billing_readiness_lag_seconds", quantile="0.9") not in samples
    assert samples[series("throughline_kpi_billing_readiness_lag_seconds_at_least", quantile="0.9")] == 122_400
    assert series("throughline_kpi_billing_readiness_lag_seconds", quantile="0.99") not in samples, "nobody can tell"


def test_the_headline_is_the_quantile_that_the_levels_speak_of() -> None:
    kpi = dataclasses.replace(LAG, headline=Headline.P90)
    samples = told(current(kpi, lag(median=Reached(7), p90=Reached(8, beyond=True))))
    assert series("throughline_kpi_headline", kpi=kpi.name) not in samples
    assert samples[series("throughline_kpi_headline_at_least", kpi=kpi.name)] == 8
    assert samples[series("throughline_kpi_has_answer", kpi=kpi.name)] == 1


def test_a_kpi_that_nobody_reads_is_told_to_have_no_answer() -> None:
    text = expose_samples(
        expose_readings(KPIS.values(), [current(LAG, lag(median=Reached(1)))], ESTATE, READ_AT, BEHIND)
    )
    answers = {
        sample.labels["kpi"]: sample.value
        for family in text_string_to_metric_families(text)
        if family.name == "throughline_kpi_has_answer"
        for sample in family.samples
    }
    assert answers == {name: float(name == LAG.name) for name in KPIS}
    assert "throughline_kpi_money_at_risk_amount" in text, "every family is there from the start"


@pytest.mark.parametrize("kpi", KPIS.values(), ids=KPIS)
def test_no_answer_is_no_sample_and_said_to_be_none(kpi: Declaration) -> None:
    samples = told(current(kpi, None))
    assert samples[series("throughline_kpi_has_answer", kpi=kpi.name)] == 0
    own = {family.name for family in families_of(kpi)} | {
        "throughline_kpi_headline",
        "throughline_kpi_headline_at_least",
    }
    assert names(samples) & own == set()
    assert series("throughline_kpi_target", kpi=kpi.name, good=kpi.good.value) in samples or kpi.target is None


def test_what_waits_for_nobody_has_no_age_and_no_answer_to_that() -> None:
    kpi = KPIS["staffing-request-ageing"]
    assert told(current(kpi, stock(median=None)))[series("throughline_kpi_has_answer", kpi=kpi.name)] == 0
    waiting = told(current(kpi, stock(None, median=300.0)))
    assert waiting[series("throughline_kpi_staffing_request_ageing_seconds", quantile="0.5")] == 300


def test_a_share_has_its_interval_its_sample_and_its_error_budget() -> None:
    samples = told(current(RATE, share(0.9, budget=Decimal(-9)), flow="psa-erp-time"))
    where = {"kpi": RATE.name, "flow": "psa-erp-time"}
    assert samples[series("throughline_kpi_sla_adherence_ratio", flow="psa-erp-time")] == 0.9
    assert samples[series("throughline_kpi_interval_low", **where)] == 0.82
    assert samples[series("throughline_kpi_interval_high", **where)] == 0.94
    assert samples[series("throughline_kpi_sample_size", **where)] == 100
    assert samples[series("throughline_kpi_error_budget", **where)] == -9
    assert samples[series("throughline_kpi_target", **where, good="high")] == 0.99
    assert samples[series("throughline_kpi_sla_adherence_by_value_ratio", flow="psa-erp-time")] == 0.95


def test_money_is_in_the_reporting_currency_with_what_is_unknown_beside_it() -> None:
    samples = told(current(VALUE, stock(Money(Decimal("400.50"), "EUR"), Money(Decimal(7), "GBP"), None)))
    assert samples[series("throughline_kpi_unbilled_approved_value_amount", currency="EUR")] == 400.5
    assert samples[series("throughline_kpi_without_amount", kpi=VALUE.name)] == 2


def test_money_of_which_nothing_is_known_is_no_answer_and_not_nothing() -> None:
    samples = told(current(VALUE, stock(None, None)))
    assert "throughline_kpi_unbilled_approved_value_amount" not in names(samples)
    assert samples[series("throughline_kpi_has_answer", kpi=VALUE.name)] == 0
    assert samples[series("throughline_kpi_without_amount", kpi=VALUE.name)] == 2
    nothing = told(current(VALUE, stock()))
    assert nothing[series("throughline_kpi_unbilled_approved_value_amount", currency="EUR")] == 0


@pytest.mark.parametrize(
    ("name", "answer", "sample", "value"),
    [
        ("unbilled-approved-hours", stock(None, hours=Decimal("7.5")), "throughline_kpi_unbilled_approved_hours", 7.5),
        ("duplicates", stock(None, None), "throughline_kpi_duplicates_records", 2),
        ("throughput", Pace(12, 0.5, 24.0), "throughline_kpi_throughput_per_hour", 0.5),
        ("budget-burn-age", Newest(90), "throughline_kpi_budget_burn_age_seconds", 90),
    ],
)
def test_a_figure_is_in_the_unit_that_its_name_ends_with(name: str, answer: Answer, sample: str, value: float) -> None:
    samples = told(current(KPIS[name], answer))
    assert samples[series(sample)] == value
    assert samples[series("throughline_kpi_headline", kpi=name)] == value


def test_what_is_compared_is_told_with_what_stands_above_and_below_the_line() -> None:
    ratio, accuracy = KPIS["billable-utilisation"], KPIS["forecast-accuracy"]
    of_hours = Ratio(0.75, Decimal(30), Decimal(40))
    near = Variance(0.9, Decimal(10), Decimal(95), Decimal(100), 3)
    samples = told(current(ratio, of_hours), current(accuracy, near), current(RATE, share()))
    assert samples[series("throughline_kpi_billable_utilisation_ratio")] == 0.75
    assert samples[series("throughline_kpi_forecast_accuracy_ratio")] == 0.9
    assert samples[series("throughline_kpi_sample_size", kpi=accuracy.name)] == 3
    for kpi, above, below in ((ratio, 30, 40), (accuracy, 10, 100), (RATE, 90, 100)):
        assert samples[series("throughline_kpi_numerator", kpi=kpi.name)] == above
        assert samples[series("throughline_kpi_denominator", kpi=kpi.name)] == below


def test_what_was_lost_is_money_with_what_is_unknown_beside_it() -> None:
    lost = worth(Money(Decimal(7), "EUR"), None)
    samples = told(current(KPIS["revenue-leakage"], Balance(lost, lost, lost, Sums())))
    assert samples[series("throughline_kpi_revenue_leakage_amount", currency="EUR")] == 7
    assert samples[series("throughline_kpi_without_amount", kpi="revenue-leakage")] == 1


def test_a_sum_of_money_is_told_as_a_stock_is() -> None:
    kpi = dataclasses.replace(VALUE, formula=dataclasses.replace(VALUE.formula, kind=Kind.SUM))
    total = Total(1, worth(Money(Decimal(3), "EUR")), None, 1)
    assert told(current(kpi, total))[series("throughline_kpi_unbilled_approved_value_amount", currency="EUR")] == 3


@pytest.mark.parametrize(
    ("values", "region"),
    [({}, "EMEA"), ({"region": "AMER"}, "AMER"), ({"legal_entity": "US01"}, "AMER"), ({"process": "x"}, "EMEA")],
    ids=str,
)
def test_a_target_of_business_days_is_as_long_as_the_days_of_the_region(values: dict[str, str], region: str) -> None:
    samples = told(current(LAG, None, **values))
    days = BUSINESS_DAY[region]
    assert samples[series("throughline_kpi_target", kpi=LAG.name, good="low", **values)] == 5 * days
    assert samples[series("throughline_kpi_warning", kpi=LAG.name, good="low", **values)] == 7 * days


@pytest.mark.parametrize(("values", "region"), [({"region": "AMER"}, "AMER"), ({"legal_entity": "DE01"}, "EMEA")])
def test_a_reading_of_a_region_stands_by_the_same_day_as_its_metric(values: dict[str, str], region: str) -> None:
    """Five business days are 144,000 s in AMER and 153,000 s in EMEA: 150,000 s are too long for one of them."""
    counting = Counting(LAG.clock, ESTATE.calendars)
    reading = Reading(lag(median=Reached(150_000)), None, NOTHING_BESIDE, 0)
    by = tuple(Dimension(name) for name in values)
    part = Part(None, {tuple(values.values()): reading}, None)
    whose = partial(region_of, estate=ESTATE)
    (shown,) = reading_documents(LAG, counting, part, by, "EUR", whose=whose)
    target = told(current(LAG, None, **values))[series("throughline_kpi_target", kpi=LAG.name, good="low", **values)]
    assert (shown.figure.standing is Standing.GOOD) == (target >= 150_000)
    assert shown.day_seconds == BUSINESS_DAY[region]


def test_a_share_of_which_some_is_to_be_told_is_at_least_that_and_no_quotient() -> None:
    rate = KPIS["project-setup-success-rate"]
    samples = told(current(rate, Share(0.3, 30, 40, Interval(0.18, 0.45), 0.6, None, 0, None)))
    assert samples[series("throughline_kpi_headline_at_least", kpi=rate.name)] == 0.3
    shared = {name for name, labels in samples if ("kpi", rate.name) in labels}
    assert not shared & {"throughline_kpi_headline", "throughline_kpi_numerator", "throughline_kpi_denominator"}
    decided = told(current(rate, Share(0.75, 30, 40, Interval(0.6, 0.86), 0.0, None, 0, None)))
    assert decided[series("throughline_kpi_headline", kpi=rate.name)] == 0.75
    assert decided[series("throughline_kpi_numerator", kpi=rate.name)] == 30


def test_labels_are_closed() -> None:
    """A value that records say and nothing declares, or a customer, makes no series; one that is not said is told."""
    own = "throughline_kpi_billing_readiness_lag_seconds"
    of = lag(median=Reached(1))
    samples = told(
        *(current(LAG, of, **{name: "PRJ-9"}) for name in ("region", "legal_entity", "customer", "practice"))
    )
    assert own not in names(samples)
    assert not [labels for _, labels in samples if "PRJ-9" in dict(labels).values()]
    assert told(current(LAG, of, region=None))[series(own, quantile="0.5", region="unknown")] == 1


def test_whose_work_it_is_is_another_label_than_whose_kpi_it_is() -> None:
    at_risk = KPIS["money-at-risk"]
    samples = told(current(at_risk, None, owner="pmo"), current(at_risk, None, ageing="over_90_days"))
    assert samples[series("throughline_kpi_has_answer", kpi=at_risk.name, work_owner="pmo")] == 0
    assert samples[series("throughline_kpi_has_answer", kpi=at_risk.name, ageing="over_90_days")] == 0


def test_what_stands_beside_is_told_of_every_reading() -> None:
    beside = Beside(9, 4, 3, {"cancelled": 2}, {"beginning not seen": 1, "no due time known": 2})
    samples = told(current(LAG, None, beside))
    for name, value in (("sample_size", 9), ("open", 3), ("unknown", 3), ("known_to_timestamp_seconds", 5)):
        assert samples[series(f"throughline_kpi_{name}", kpi=LAG.name)] == value
    assert samples[series("throughline_kpi_read_timestamp_seconds")] == READ_AT
    assert samples[series("throughline_kpi_read_behind_changes")] == BEHIND


def test_what_a_kpi_declares_is_told_once() -> None:
    samples = told(current(LAG, None)._replace(days=90), current(LAG, None, region="EMEA"))
    (info,) = (dict(labels) for name, labels in samples if name == "throughline_kpi_info")
    assert (info["owner"], info["unit"], info["good"]) == ("finance-ops", "seconds", Good.LOW.value)
    assert samples[series("throughline_kpi_window_seconds", kpi=LAG.name)] == 90 * 86_400


def test_a_title_may_hold_what_the_format_would_stumble_over() -> None:
    kpi = dataclasses.replace(LAG, title='a "b"\n\\c', question="one\ntwo?")
    (info,) = (dict(labels) for name, labels in told(current(kpi, None)) if name == "throughline_kpi_info")
    assert info["title"] == kpi.title


def test_every_family_has_a_name_of_its_own() -> None:
    found = [family.name for family in (*SHARED, *(family for kpi in KPIS.values() for family in families_of(kpi)))]
    assert len(found) == len(set(found))
    assert all(re.fullmatch(r"throughline(_[a-z]+)+", name) for name in found)


@pytest.mark.needs("prometheus")
def test_promtool_finds_nothing_wrong_with_the_text() -> None:
    """But for hours of work, which are no length of time: they stay hours."""
    answers = {
        "billing-readiness-lag": lag(median=Reached(1), p90=Reached(2, beyond=True)),
        "sla-adherence": share(budget=Decimal(1)),
        "unbilled-approved-value": stock(Money(Decimal(3), "EUR")),
        "unbilled-approved-hours": stock(None, hours=Decimal("7.5")),
    }
    currents = [current(KPIS[name], answer) for name, answer in answers.items()]
    text = expose_samples(expose_readings(KPIS.values(), currents, ESTATE, READ_AT, BEHIND))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.stdout + done.stderr).splitlines() == [
        'throughline_kpi_unbilled_approved_hours use base unit "seconds" instead of "hours"'
    ]


def test_parts_of_latencies_are_told_apart_by_a_closed_label_and_how_many_could_be_split() -> None:
    sync = KPIS["sync-latency"]
    each = PartOfLatency(60.0, 120.0, 90.0, 0.2, 0.0)
    parts = Parts(30, {Unsplit.NO_TRACE.value: 4, Unsplit.GONE.value: 3}, dict.fromkeys(LatencyPart, each))
    samples = told(current(sync, lag(p90=Reached(900))._replace(parts=parts), flow="psa-erp-time"))
    name, where = "throughline_kpi_sync_latency", {"flow": "psa-erp-time"}
    for part in ("waiting", "transport", "processing"):
        assert samples[series(f"{name}_part_seconds", quantile="0.5", latency_part=part, **where)] == 60
        assert samples[series(f"{name}_part_seconds", quantile="0.9", latency_part=part, **where)] == 120
        assert samples[series(f"{name}_part_mean_seconds", latency_part=part, **where)] == 90
    assert samples[series(f"{name}_split_records", **where)] == 30
    assert samples[series(f"{name}_not_split_records", **where)] == 7


def test_where_too_few_latencies_could_be_split_no_part_is_a_sample_and_least_of_all_0() -> None:
    parts = Parts(0, {Unsplit.NO_SPANS.value: 25}, {})
    samples = told(current(KPIS["sync-latency"], lag(p90=Reached(900))._replace(parts=parts)))
    assert not [name for name, _ in samples if "_part_" in name]
    assert samples[series("throughline_kpi_sync_latency_not_split_records")] == 25
    assert samples[series("throughline_kpi_sync_latency_split_records")] == 0
    assert not [each for each in told(current(LAG, lag())) if "split" in each[0]]
