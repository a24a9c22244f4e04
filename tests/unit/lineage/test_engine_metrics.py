"""What the engine tells of itself: every event by what became of it, and the cases it derived."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from lineage.engine import Engine
from lineage.engine_metrics import METRICS_ROW, EngineMeter
from lineage.run import Batch, Subject
from tests.stored_store import BEGAN, DEFINITIONS, ESTATE, LIMITS, NOW, events
from tests.unit.core.test_metrics import sample
from tests.unit.lineage.test_counted_once_across_buckets import earlier
from throughline.core.clock import RealClock
from throughline.core.event import Event
from throughline.core.instants import HOUR


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(tmp_path, DEFINITIONS, ESTATE, LIMITS, RealClock())


def fold(engine: Engine, meter: EngineMeter, batch: list[Event]) -> None:
    fresh = engine.fold(batch, BEGAN + 4 * HOUR)
    meter.folded(Batch(len(batch), fresh, engine.too_old, engine.replaced, 1), 0.0)


def left(engine: Engine) -> str:
    return engine.store.meta()[METRICS_ROW]


def test_every_event_is_counted_by_what_became_of_it(subject: Subject) -> None:
    engine, meter = Engine.open(":memory:", DEFINITIONS, ESTATE, LIMITS), EngineMeter(subject)
    fold(engine, meter, events())
    fold(engine, meter, [*events()[1:], earlier(events()[0])])
    fold(engine, meter, events()[:1])
    meter.rested(engine, NOW)
    text, count = left(engine), len(events())
    outcomes = {"new": count, "duplicate": count, "replaced": 1, "too_old": 0}
    assert {
        outcome: sample(text, "throughline_folded_events_total", outcome=outcome) for outcome in outcomes
    } == outcomes
    engine.close()


def test_the_cases_it_derived_and_those_whose_time_had_come_are_counted(subject: Subject) -> None:
    engine, meter = Engine.open(":memory:", DEFINITIONS, ESTATE, LIMITS), EngineMeter(subject)
    fold(engine, meter, events())
    meter.rested(engine, NOW)
    derived = sample(left(engine), "throughline_derived_cases_total")
    assert derived > 0
    assert sample(left(engine), "throughline_due_cases_total") == 0
    while engine.tick(NOW):
        pass
    EngineMeter(subject).rested(engine, NOW)
    assert sample(left(engine), "throughline_due_cases_total") > 0
    assert sample(left(engine), "throughline_derived_cases_total") > derived
    engine.close()


def test_another_engine_after_a_failure_goes_on_counting(subject: Subject) -> None:
    meter, told = EngineMeter(subject, itertools.count(step=60).__next__), list[float]()
    for batch in (events(), events()[:1]):
        engine = Engine.open(":memory:", DEFINITIONS, ESTATE, LIMITS)
        fold(engine, meter, batch)
        meter.rested(engine, NOW)
        told.append(sample(left(engine), "throughline_derived_cases_total"))
        engine.close()
    assert told[1] > told[0] > 0
