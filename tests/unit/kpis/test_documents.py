"""What is shown of an answer says how it is to be read."""

from __future__ import annotations

import pytest

from kpis.ask import Answered, Part
from kpis.clock import Counting
from kpis.declaration import Headline, KpiClock, Unit
from kpis.distribution import Estimate
from kpis.documents import ShareDocument, StockDocument, ToldAsDocument, reading_documents, readings_document
from kpis.reading import Stock
from kpis.store import VersionRow
from tests.unit.kpis.golden import FOLDER, answers, golden
from throughline.cli.kpis import as_told


@pytest.mark.parametrize(
    ("name", "counted"),
    [("project-setup-success-rate-to-be-told", False), ("sla-adherence", True), ("posting-completeness", True)],
)
def test_a_share_says_whether_it_is_counted_or_read_from_a_curve(name: str, counted: bool) -> None:
    case = golden(FOLDER / f"{name}.yaml")
    counting = Counting(case.declaration.clock, case.estate.calendars)
    part = Part(None, answers(case, [case.events]).readings, None)
    (reading,) = reading_documents(case.declaration, counting, part, case.scope.by, "EUR")
    assert isinstance(reading.answer, ShareDocument)
    assert reading.answer.counted is counted
    assert (reading.answer.share == pytest.approx(reading.answer.hits / reading.answer.of)) is counted


def test_readings_of_money_say_in_which_currency_they_are() -> None:
    case = golden(FOLDER / "unbilled-approved-value.yaml")
    counting = Counting(case.declaration.clock, case.estate.calendars)
    answered = Answered(case.declaration, VersionRow(1, case.declaration.name, "1", "", 0, True), [], 0, {})
    assert readings_document(counting, answered, (), case.now, "CHF").told_as.currency == "CHF"


def test_a_stock_says_how_far_off_its_median_age_may_be() -> None:
    case = golden(FOLDER / "staffing-request-ageing.yaml")
    counting = Counting(case.declaration.clock, case.estate.calendars)
    ((values, made),) = answers(case, [case.events]).readings.items()
    assert isinstance(made.answer, Stock)
    sketched = made._replace(answer=made.answer._replace(median_age=Estimate(60.0, 0.005)))
    for answered, error in ((made, 0.0), (sketched, 0.005)):
        part = Part(None, {values: answered}, None)
        (reading,) = reading_documents(case.declaration, counting, part, case.scope.by, "EUR")
        assert isinstance(reading.answer, StockDocument)
        assert reading.answer.median_age_error == error


def test_readings_say_how_the_version_tells_them_that_they_are_by() -> None:
    case = golden(FOLDER / "billing-readiness-lag.yaml")
    counting = Counting(case.declaration.clock, case.estate.calendars)
    version = VersionRow(1, case.declaration.name, "1", "", 0, True)
    answered = Answered(case.declaration, version, [], 0, {})
    document = readings_document(counting, answered, (), case.now, "EUR")
    assert document.told_as == ToldAsDocument(KpiClock.BUSINESS, Unit.SECONDS, Headline.MEDIAN, None, 30_600)
    found = {"told_as": {"clock": "business", "day_seconds": 30_600}}
    kpi = {"id": "a", "clock": "elapsed", "day_seconds": 86_400}
    assert as_told(kpi, found) == {"id": "a", "clock": "business", "day_seconds": 30_600}
