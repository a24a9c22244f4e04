"""A signal has a number or a reason, is the same as JSON, and is known again at another time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from throughline.core.case_reference import CaseReference
from throughline.core.dimension import Dimension
from throughline.core.signal import Calibration, Evidence, Signal, SignalKind, Standing, Unit

AT = datetime(2026, 3, 9, 12, tzinfo=UTC)
EVIDENCE = Evidence(kpi="sla-adherence", version="1", look_up="/api/v1/kpis/sla-adherence/at-risk")
RISK = Signal(
    kind=SignalKind.RISK,
    name="sla-adherence",
    value=Decimal("0.37"),
    why_not=None,
    unit=Unit.PERCENT,
    at=AT,
    of={Dimension.FLOW: "psa-erp-time", Dimension.REGION: None},
    case=CaseReference("time-to-bill", "time_entry", "TE-88", {}),
    part="1 posted psa-erp-time",
    due=AT + timedelta(hours=1),
    evidence=msgspec.structs.replace(
        EVIDENCE,
        count=412,
        calibration=Calibration(80, 0.35, 0.3, 0.21, 0.41),
        amount=Decimal("1125.00"),
        currency="EUR",
    ),
)
READING = Signal(
    kind=SignalKind.READING,
    name="sla-adherence",
    value=Decimal("0.981"),
    why_not=None,
    unit=Unit.PERCENT,
    at=AT,
    of={},
    standing=Standing.WARNING,
    evidence=msgspec.structs.replace(EVIDENCE, count=412, low=0.96, high=0.99, target="99 %", warning="95 %"),
)


@pytest.mark.parametrize("signal", [RISK, READING])
def test_it_is_the_same_after_a_way_as_json(signal: Signal) -> None:
    text = msgspec.json.encode(signal)
    assert msgspec.json.decode(text, type=Signal) == signal
    shown = msgspec.json.decode(text)
    assert (shown["value"], shown["at"]) == (str(signal.value), "2026-03-09T12:00:00Z")


@pytest.mark.parametrize(("value", "why_not"), [(None, None), (Decimal(0), "no data")])
def test_it_has_a_number_or_the_reason_why_there_is_none(value: Decimal | None, why_not: str | None) -> None:
    with pytest.raises(ValueError, match="wanted one of them"):
        msgspec.structs.replace(READING, value=value, why_not=why_not)


def test_it_is_of_the_same_thing_at_another_time_whatever_the_number() -> None:
    later = msgspec.structs.replace(RISK, value=None, why_not="too few", at=AT + timedelta(days=1), due=None)
    assert later.subject == RISK.subject
    others = [
        msgspec.structs.replace(RISK, of={Dimension.FLOW: "psa-erp-time", Dimension.REGION: ""}),
        msgspec.structs.replace(RISK, part="2 posted psa-erp-time"),
        msgspec.structs.replace(RISK, case=CaseReference("time-to-bill", "time_entry", "TE-88", {"region": "EMEA"})),
        READING,
    ]
    assert len({RISK.subject, *(each.subject for each in others)}) == 5
