"""What is shown of an answer says how it is to be read."""

from __future__ import annotations

import pytest

from kpis.ask import Part
from kpis.clock import Counting
from kpis.distribution import Estimate
from kpis.documents import ShareDocument, StockDocument, reading_documents
from kpis.reading import Stock
from tests.unit.kpis.golden import FOLDER, answers, golden


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
