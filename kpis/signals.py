"""Signals of KPIs: readings of now against their targets, and open work that may miss its deadline; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote, urlencode

from msgspec.structs import replace

from kpis.declaration import Declaration, Dimension
from kpis.documents import (
    KpiDocument,
    PaceDocument,
    ReadingDocument,
    ShareDocument,
    StockDocument,
    TotalDocument,
    VarianceDocument,
)
from kpis.risk import FEWEST_LEARNT, Bin, Risk, bin_like
from throughline.core.case_reference import CaseReference
from throughline.core.instants import to_datetime
from throughline.core.signal import Calibration, Evidence, Signal, SignalKind, Unit

ASKED_OF_RISKS = (Dimension.PROCESS, Dimension.FLOW, Dimension.REGION, Dimension.LEGAL_ENTITY)
"""The dimensions whose values may be asked for of what is at risk."""

NO_READING = "no reading yet"
TOO_FEW_ALIKE = f"fewer than {FEWEST_LEARNT} like it were seen, or none for so long"


def signal_of_reading(kpi: KpiDocument, version: str, reading: ReadingDocument | None, at: int) -> Signal:
    """Return the signal of a reading of now, by a version of a KPI; ``reading`` None: there is none so far."""
    evidence = Evidence(
        kpi=kpi.id,
        version=version,
        look_up=_readings_path(kpi, reading),
        target=kpi.target,
        warning=kpi.warning,
    )
    none = Signal(
        kind=SignalKind.READING,
        name=kpi.id,
        value=None,
        why_not=NO_READING if kpi.lacks is None else f"no source yet: it lacks {kpi.lacks}",
        unit=kpi.unit,
        at=to_datetime(at),
        evidence=evidence,
        of={},
    )
    return none if reading is None else _read(none, reading)


def _read(signal: Signal, reading: ReadingDocument) -> Signal:
    figure, answer = reading.figure, reading.answer
    value = None if figure.value is None else Decimal(str(figure.value))
    interval = (answer.low, answer.high) if isinstance(answer, ShareDocument) else (None, None)
    return replace(
        signal,
        value=value,
        why_not=reading.why_not,
        currency=figure.currency,
        at_least=figure.at_least,
        standing=figure.standing,
        of={Dimension(name): each for name, each in reading.by.items()},
        evidence=replace(
            signal.evidence,
            count=_count(reading),
            low=interval[0],
            high=interval[1],
            known_to=None if reading.known_to is None else datetime.fromisoformat(reading.known_to),
        ),
    )


def _count(reading: ReadingDocument) -> int:
    """Return of how many a figure is."""
    match reading.answer:
        case ShareDocument(of=count):
            return count
        case StockDocument(records=count) | TotalDocument(records=count) | PaceDocument(records=count):
            return count
        case VarianceDocument(matched=count):
            return count
        case _:
            return reading.beside.began


def _readings_path(kpi: KpiDocument, reading: ReadingDocument | None) -> str:
    if reading is None:
        return _path(kpi.id, "", {})
    days = {"from": reading.first, "to": reading.last} if reading.first is not None else {}
    return _path(kpi.id, "/readings", {**days, **reading.by})


def signal_of_risk(
    declaration: Declaration, version: str, risk: Risk, calibration: Sequence[Bin], case: CaseReference, at: int
) -> Signal:
    """Return the signal of an open wait: the chance that it misses its deadline, and how good such chances were.

    ``version``: that of the declaration by which the KPI answers.
    """
    observation, chance = risk.behind.observation, risk.chance
    values = {each: observation.dimensions.get(each) for each in declaration.dimensions}
    money = observation.amount
    return Signal(
        kind=SignalKind.RISK,
        name=declaration.name,
        value=None if chance is None else Decimal(f"{chance.share:.6f}"),
        why_not=TOO_FEW_ALIKE if chance is None else None,
        unit=Unit.PERCENT,
        at=to_datetime(at),
        of=values,
        case=case,
        part=observation.part,
        due=None if observation.due is None else to_datetime(observation.due),
        evidence=Evidence(
            kpi=declaration.name,
            version=version,
            look_up=_path(
                declaration.name, "/at-risk", {each.value: values[each] for each in ASKED_OF_RISKS if each in values}
            ),
            count=None if chance is None else chance.learnt_from,
            calibration=None if chance is None else _calibration(calibration, chance.share),
            amount=None if money is None else money.amount,
            currency=None if money is None else money.currency,
        ),
    )


def _calibration(bins: Sequence[Bin], share: float) -> Calibration | None:
    like = bin_like(bins, share)
    return None if like is None else Calibration(like.waits, like.said, like.missed, *like.interval)


def _path(kpi: str, what: str, asked: Mapping[str, str | None]) -> str:
    """Return the path of a request; a value that nobody knows is asked for as an empty one."""
    query = urlencode({name: value or "" for name, value in asked.items()})
    return f"/api/v1/kpis/{quote(kpi, safe='')}{what}{'?' if query else ''}{query}"
