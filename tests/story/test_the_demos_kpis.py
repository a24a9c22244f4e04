"""KPIs of the firm, told from its own record of what happened and counted one by one, against those of the product.

What is counted here shares nothing with the product: the firm's lives, its wall calendars, and sums over lists.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from kpis.catalogue import load_catalogue
from kpis.cell import Cell, Place, Summing, cells_of, replace
from kpis.declaration import Headline
from kpis.observation import Observation
from kpis.observe import Observer
from kpis.reading import Lag, Reading, Share, Stock
from kpis.scratch import every_case, read_from_scratch
from lineage.acceptance import Acceptances
from lineage.definitions import load_definitions
from lineage.derive import Context
from lineage.engine import Engine, Limits
from lineage.process import Definitions
from lineage.read import CaseReader, Snapshot, Stated
from lineage.sight import Reporting, SourceSight
from tests.story.test_the_demos_truth import reports
from throughline.core.estate import Estate, load_estate
from throughline.core.instants import MICROSECONDS, MINUTE
from throughline.demo.chronicle import Life
from throughline.demo.firm import REGIONS
from throughline.demo.plan import Plan, plan
from throughline.demo.product import DEFINITIONS

SEEDS = (1, 7)
FOLLOWED = ("billing-readiness-lag", "sync-latency", "sla-adherence", "money-at-risk", "failure-rate", "throughput")
BILLED = {
    "time-to-bill": ("time.approved", "billing.released", "invoice.issued"),
    "expense-to-bill": ("expense.approved", "billing.released", "invoice.issued"),
    "milestone-to-invoice": ("milestone.approved", "billing.released", "invoice.issued"),
    "subscription-to-invoice": ("schedule_line.due", "invoice.issued", "revenue.recognised"),
}


class Wait(NamedTuple):
    """One wait of one life: from when to when, how it ended, and the life."""

    life: Life
    began: int
    until: int
    ending: str  # done, open, or what the firm calls it


@cache
def told(seed: int) -> Plan:
    return plan(seed, "small")


def waits(told: Plan, spans: dict[str, tuple[str, str]]) -> Iterator[Wait]:
    """Yield every wait that has begun and can be measured, round by round."""
    for life in told.lives:
        if life.process not in spans or not life.applies or life.provisional:
            continue
        for number in range(1, life.round + 1):
            start, end = spans[life.process]
            began, done = first(told, life, start, number), first(told, life, end, number)
            closed = life.closed.get(number)
            if began is None or (done is not None and done < began - 5 * MINUTE) or passed(told, life, end, number):
                continue
            if done is not None and (closed is None or done <= closed):
                yield Wait(life, began, done, "done")
            elif closed is not None and closed <= told.ends:
                yield Wait(life, began, closed, life.ended_as or "rejected" if number == life.round else "rejected")
            else:
                yield Wait(life, began, told.ends, "open")


def first(told: Plan, life: Life, step: str, number: int) -> int | None:
    times = [
        mark.time
        for mark in life.marks
        if (mark.step, mark.round, mark.category) == (step, number, None) and mark.time <= told.ends
    ]
    return min(times, default=None)


def passed(told: Plan, life: Life, step: str, number: int) -> bool:
    """Tell whether a step was never seen although what comes after it was."""
    path = ("time.posted", *BILLED[life.process][1:])
    later = path[path.index(step) + 1 :]
    seen = any(first(told, life, each, number) is not None for each in later)
    return seen and first(told, life, step, number) is None


def office_seconds(region: str, start: int, end: int) -> int:
    """Count the seconds of open office between two instants, day by day on the wall calendar."""
    place, total = REGIONS[region], 0
    day = place.local(start).date()
    while place.at(day, place.opens) < end:
        if place.is_workday(day):
            total += max(0, min(end, place.at(day, place.closes)) - max(start, place.at(day, place.opens)))
        day += timedelta(days=1)
    return total // MICROSECONDS


def quantile(ages: list[tuple[int, str]], share: float) -> int | None:
    """Return when a share of all was done, from each wait by itself; None: it never was."""
    unfinished, done = 1.0, 0.0
    for age in sorted({age for age, ending in ages if ending != "open"}):
        at_risk = sum(1 for other, _ in ages if other >= age)
        here = [ending for other, ending in ages if other == age and ending != "open"]
        done += unfinished * here.count("done") / at_risk
        unfinished *= 1 - len(here) / at_risk
        if done >= share - 1e-9:
            return age
    return None


@cache
def read(folder: Path, seed: int) -> dict[str, Reading]:
    """Return the readings of some KPIs over what the engine makes of the firm's reports."""
    definitions, estate, plan = load_definitions(DEFINITIONS), load_estate(DEFINITIONS), told(seed)
    engine = Engine.open(folder / f"{seed}.db", definitions, estate)
    engine.fold(reports(plan, plan.happenings), plan.ends)
    while engine.settle(plan.ends) or engine.tick(plan.ends):
        pass
    reader = CaseReader(folder / f"{seed}.db", definitions, estate, Limits(), lambda: plan.ends)
    kpis = load_catalogue(DEFINITIONS, definitions).kpis
    found: dict[str, Reading] = {}
    with reader.snapshot() as snapshot:
        for name in (
            "billing-readiness-lag",
            "time-entry-sync-latency",
            "unbilled-approved-value",
            "released-by-first-cut-off",
        ):
            kpi = dataclasses.replace(kpis[name], minimum_sample=1)
            found[name] = read_from_scratch(snapshot, kpi, estate).readings[()]
    reader.close()
    engine.close()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


def same_counts(reading: Reading, found: list[Wait]) -> None:
    endings = Counter(wait.ending for wait in found)
    assert (reading.beside.done, reading.beside.open) == (endings.pop("done"), endings.pop("open", 0))
    assert dict(reading.beside.competing) == dict(endings)


@pytest.mark.parametrize("seed", SEEDS)
def test_billing_readiness_lag_is_that_of_the_firm(folder: Path, seed: int) -> None:
    reading = read(folder, seed)["billing-readiness-lag"]
    found = list(waits(told(seed), {process: steps[:2] for process, steps in BILLED.items()}))
    same_counts(reading, found)
    ages = [(office_seconds(wait.life.region, wait.began, wait.until), wait.ending) for wait in found]
    assert isinstance(reading.answer, Lag)
    for headline, share in ((Headline.MEDIAN, 0.5), (Headline.P90, 0.9)):
        reached = reading.answer.quantiles[headline]
        assert reached is not None
        assert (None if reached.beyond else reached.age) == quantile(ages, share)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_latency_of_time_entries_is_that_of_the_firm(folder: Path, seed: int) -> None:
    reading = read(folder, seed)["time-entry-sync-latency"]
    found = list(waits(told(seed), {"time-to-bill": ("time.approved", "time.posted")}))
    same_counts(reading, found)
    ages = [(max(0, wait.until - wait.began) // MICROSECONDS, wait.ending) for wait in found]
    assert isinstance(reading.answer, Lag)
    reached = reading.answer.quantiles[Headline.MEDIAN]
    assert reached is not None
    assert reached.age == quantile(ages, 0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_approved_and_not_invoiced_is_worth_what_the_firm_says(folder: Path, seed: int) -> None:
    reading = read(folder, seed)["unbilled-approved-value"]
    spans = {process: (steps[0], steps[2]) for process, steps in BILLED.items() if process != "subscription-to-invoice"}
    still = [wait.life for wait in waits(told(seed), spans) if wait.ending == "open"]
    worth: dict[str, Decimal] = {}
    for life in still:
        if life.amount is not None:
            worth[life.currency] = worth.get(life.currency, Decimal(0)) + life.amount
    assert isinstance(reading.answer, Stock)
    assert {currency: part.amount for currency, part in reading.answer.sums.parts.items()} == worth
    assert reading.answer.sums.unknown == sum(1 for life in still if life.amount is None)
    assert reading.answer.records == len(still) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_share_that_made_its_first_cut_off_is_that_of_the_firm(folder: Path, seed: int) -> None:
    reading = read(folder, seed)["released-by-first-cut-off"]
    hits = misses = 0
    spans = {process: steps[:2] for process, steps in BILLED.items() if process != "subscription-to-invoice"}
    for wait in waits(told(seed), spans):
        cutoff = REGIONS[wait.life.region].cutoff(wait.began)
        if wait.ending == "done" and wait.until <= cutoff:
            hits += 1
        elif wait.until > cutoff:
            misses += 1
    assert isinstance(reading.answer, Share)
    assert (reading.answer.hits, reading.answer.of) == (hits, hits + misses)
    assert hits
    assert misses


@pytest.mark.parametrize("batch", [40, 333])
def test_cells_that_follow_the_engine_are_those_made_from_scratch(batch: int) -> None:
    """Events come in any order; after each batch every case that looks otherwise is taken back and added anew."""
    definitions, estate, plan = load_definitions(DEFINITIONS), load_estate(DEFINITIONS), told(7)
    events = Random(batch).sample(reports(plan, plan.happenings), k=len(plan.happenings) // 2)
    catalogue = load_catalogue(DEFINITIONS, definitions).kpis
    kpis = [catalogue[name] for name in FOLLOWED]
    observers = [Observer(kpi, estate) for kpi in kpis]
    sums = [Summing(kpi, observer.counting, estate.calendars) for kpi, observer in zip(kpis, observers, strict=True)]
    kept: list[dict[Place, Cell]] = [{} for _ in kpis]
    held: list[dict[tuple[str, str], tuple[Observation, ...]]] = [{} for _ in kpis]
    engine = Engine.open(":memory:", definitions, estate)
    for start in range(0, len(events), batch):
        engine.fold(events[start : start + batch], plan.ends)
        cases = list(every_case(snapshot_of(engine, definitions, estate, plan.ends)))
        for observer, summing, cells, before in zip(observers, sums, kept, held, strict=True):
            now = {(case.process.name, case.name): observer.observe(case).observations for case in cases}
            for name in before.keys() | now.keys():
                replace(summing, cells, before.pop(name, ()), now.get(name, ()))
            before.update(now)
    cases = list(every_case(snapshot_of(engine, definitions, estate, plan.ends)))
    engine.close()
    for observer, summing, cells in zip(observers, sums, kept, strict=True):
        assert cells == cells_of(summing, (each for case in cases for each in observer.observe(case).observations))
    assert all(kept)


def snapshot_of(engine: Engine, definitions: Definitions, estate: Estate, now: int) -> Snapshot:
    context = Context(now, SourceSight(Reporting(estate), {}, now), estate.calendars)
    return Snapshot(engine.store, definitions, Stated([], Acceptances({})), context, Limits())
