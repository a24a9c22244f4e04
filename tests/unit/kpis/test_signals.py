"""Signals say what readings and chances say, with what led to them, and never 0 where there is no answer."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from kpis.ask import Part, Window
from kpis.clock import Counting
from kpis.declaration import Dimension
from kpis.documents import kpi_document, reading_documents
from kpis.intervals import Interval
from kpis.observation import Ending
from kpis.risk import BINS, Bin, Chance, Risk, bin_like
from kpis.signals import NO_READING, TOO_FEW_ALIKE, signal_of_reading, signal_of_risk
from tests.unit.kpis.golden import CATALOGUE, FOLDER, answers, golden
from tests.unit.kpis.test_cells import ESTATE, MONDAY, kpi, observation
from tests.unit.kpis.test_risk import seen
from throughline.core.case_reference import CaseReference
from throughline.core.instants import DAY, HOUR, to_datetime
from throughline.core.signal import Calibration, Signal, SignalKind, Standing, Unit

CASE = CaseReference("time-to-bill", "time_entry", "TE-88", {})
CALIBRATION = [Bin(0.3, 0.4, 80, 0.35, 0.3, Interval(0.21, 0.41)), Bin(0.9, 1.0, 10, 0.95, 1.0, Interval(0.72, 1.0))]


def signals_of(name: str, days: tuple[date, date] | None = None) -> list[Signal]:
    """Return the signals of the readings of a golden case."""
    case = golden(FOLDER / f"{name}.yaml")
    counting = Counting(case.declaration.clock, case.estate.calendars)
    part = Part(None if days is None else Window(*days), answers(case, [case.events]).readings, None)
    made = reading_documents(case.declaration, counting, part, case.scope.by, "EUR")
    return [signal_of_reading(kpi_document(case.declaration, counting), "7", each, case.now) for each in made]


def test_a_reading_is_a_signal_with_its_interval_and_the_request_that_tells_all_of_it() -> None:
    days = date(2026, 11, 1), date(2026, 11, 2)
    (signal,) = signals_of("failure-rate", days)
    assert (signal.kind, signal.name, signal.unit) == (SignalKind.READING, "failure-rate", Unit.PERCENT)
    assert (signal.value, signal.why_not, signal.standing) == (Decimal("0.25"), None, Standing.BAD)
    assert (signal.of, signal.case) == ({Dimension.FLOW: "psa → erp"}, None)
    assert signal.at == to_datetime(golden(FOLDER / "failure-rate.yaml").now)
    evidence = signal.evidence
    assert (evidence.kpi, evidence.version, evidence.count) == ("failure-rate", "7", 4)
    assert (evidence.low, evidence.high) == (pytest.approx(0.0456, abs=1e-4), pytest.approx(0.6994, abs=1e-4))
    target = CATALOGUE.kpis["failure-rate"].target
    assert target is not None
    assert evidence.target == target.text
    path = "/api/v1/kpis/failure-rate/readings?from=2026-11-01&to=2026-11-02&flow=psa+%E2%86%92+erp"
    assert evidence.look_up == path


def test_money_is_a_number_in_a_currency_and_what_stands_is_of_no_days() -> None:
    (signal,) = signals_of("unbilled-approved-value")
    assert (signal.value, signal.currency, signal.unit) == (Decimal("145.00"), "EUR", Unit.MONEY)
    assert (signal.evidence.count, signal.evidence.low) == (3, None)
    assert signal.evidence.look_up == "/api/v1/kpis/unbilled-approved-value/readings"


def test_what_has_not_been_reached_is_at_least_that() -> None:
    (signal,) = signals_of("billing-readiness-lag-all-unfinished")
    assert signal.at_least
    assert signal.value is not None
    assert signal.value > 0


def test_no_answer_says_why_and_is_never_0() -> None:
    (nothing,) = signals_of("policy-violations-no-data")
    assert (nothing.value, nothing.why_not, nothing.standing) == (None, "no data", None)
    for name, why_not in (
        ("billing-readiness-lag", NO_READING),
        ("probe-success", "no source yet: it lacks checks that Throughline starts itself"),
    ):
        declaration = CATALOGUE.kpis[name]
        document = kpi_document(declaration, Counting(declaration.clock, ESTATE.calendars))
        signal = signal_of_reading(document, "1", None, MONDAY)
        assert (signal.value, signal.why_not) == (None, why_not)
        assert signal.evidence.look_up == f"/api/v1/kpis/{name}"


WAITING = seen(observation(0, Ending.OPEN, due_age=2 * 3_600), 1_800)


def test_a_chance_is_a_signal_of_a_case_with_how_good_such_chances_were() -> None:
    risk = Risk(WAITING, Chance(0.37, 412))
    signal = signal_of_risk(kpi("sla-adherence"), "7", risk, CALIBRATION, CASE, MONDAY + HOUR)
    assert (signal.kind, signal.name, signal.unit) == (SignalKind.RISK, "sla-adherence", Unit.PERCENT)
    assert (signal.value, signal.why_not, signal.at) == (Decimal("0.37"), None, to_datetime(MONDAY + HOUR))
    assert (signal.case, signal.part, signal.due) == (CASE, WAITING.observation.part, to_datetime(MONDAY + 2 * HOUR))
    evidence = signal.evidence
    assert (evidence.kpi, evidence.version, evidence.count) == ("sla-adherence", "7", 412)
    assert evidence.calibration == Calibration(80, 0.35, 0.3, 0.21, 0.41)
    assert (evidence.amount, evidence.currency) == (Decimal(10), "EUR")
    assert evidence.look_up.startswith("/api/v1/kpis/sla-adherence/at-risk?process=")


def test_of_too_little_like_it_no_chance_is_told() -> None:
    signal = signal_of_risk(kpi("sla-adherence"), "7", Risk(WAITING, None), CALIBRATION, CASE, MONDAY)
    assert (signal.value, signal.why_not) == (None, TOO_FEW_ALIKE)
    assert (signal.evidence.count, signal.evidence.calibration) == (None, None)


def test_of_chances_that_nothing_decided_had_nobody_says_how_good_they_were() -> None:
    risk = Risk(WAITING, Chance(0.55, 412))
    signal = signal_of_risk(kpi("sla-adherence"), "7", risk, CALIBRATION, CASE, MONDAY + DAY)
    assert (signal.value, signal.evidence.calibration) == (Decimal("0.55"), None)


@pytest.mark.parametrize(("share", "low"), [(0.3, 0.3), (0.39999, 0.3), (0.4, None), (0.9, 0.9), (1.0, 0.9)])
def test_a_chance_is_judged_by_the_bin_that_it_would_be_counted_in(share: float, low: float | None) -> None:
    like = bin_like(CALIBRATION, share)
    assert (None if like is None else like.low) == low
    whole = [Bin(n / BINS, (n + 1) / BINS, 1, 0.0, 0.0, Interval(0.0, 1.0)) for n in range(BINS)]
    assert bin_like(whole, share) is not None
