"""Cells: what cases contribute adds up, and is taken back, in any order and any batches."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.book import ObservedBook
from kpis.catalogue import load_catalogue
from kpis.cell import Cell, Summing, cells_of, place_of
from kpis.clock import Counting
from kpis.codec import decode_cell, encode_cell
from kpis.declaration import Declaration, Dimension
from kpis.distribution import ACCURACY, EXACT
from kpis.keep import book_in, bookings_of, change_of
from kpis.money import Money, Sums
from kpis.observation import Ending, Observation, Unknown
from kpis.reading import Lag, Moment, Reader, Share, Stock
from kpis.spot import Grain, Spot
from lineage.definitions import load_definitions
from lineage.sight import Reporting, SourceSight
from throughline.core.estate import load_estate
from throughline.core.instants import DAY, HOUR, MICROSECONDS, parse_instant
from throughline.core.rates import Rates

ESTATE = load_estate(None)
CATALOGUE = load_catalogue(None, load_definitions(None))
MONDAY = parse_instant("2026-11-02T00:00:00Z")
MONDAY_DAY = date(2026, 11, 2)
NOW = MONDAY + 20 * DAY
MOMENT = Moment(NOW, date(2026, 11, 22), SourceSight(Reporting(ESTATE), {}, NOW), Rates("EUR", ()))


def kpi(name: str) -> Declaration:
    return dataclasses.replace(CATALOGUE.kpis[name], minimum_sample=1)


KPIS = [kpi(name) for name in ("billing-readiness-lag", "sync-latency", "sla-adherence", "unbilled-approved-value")]


def summing(declaration: Declaration) -> Summing:
    return Summing(declaration, Counting(declaration.clock, ESTATE.calendars), ESTATE.calendars)


def reader(declaration: Declaration) -> Reader:
    return Reader(declaration, Counting(declaration.clock, ESTATE.calendars), summing(declaration), MOMENT)


def observation(
    began: int,
    ending: Ending = Ending.DONE,
    seconds: int = 0,
    *,
    amount: str | None = "10",
    currency: str = "EUR",
    region: str | None = None,
    gone: int = 0,
    due_age: int | None = None,
) -> Observation:
    """Return a wait that began so many seconds after Monday's beginning."""
    at = MONDAY + began * MICROSECONDS
    over = ending in (Ending.DONE, Ending.COMPETING)
    words = {Ending.COMPETING: "cancelled", Ending.UNKNOWN: Unknown.PASSED_OVER}
    return Observation(
        process="time-to-bill",
        case=f"time_entry\x1fT-{began}",
        part="1",
        day=ESTATE.calendars.day_of(at, None),
        dimensions={Dimension.REGION: region, Dimension.SYSTEM: "erp"},
        ending=ending,
        began=at,
        ended=at + seconds * MICROSECONDS if over else None,
        word=words.get(ending),
        seconds=seconds if over else None,
        gone=gone,
        due=None if due_age is None else at + due_age * MICROSECONDS,
        due_age=due_age,
        hit=None,
        amount=None if amount is None else Money(Decimal(amount), currency),
        hours=Decimal("7.5"),
        region=region,
    )


class WholeBook(ObservedBook):
    """Books observations by all of their dimensions, as a look at every case does."""

    def spots(self, item: Observation) -> tuple[Spot, ...]:
        return (Spot(Grain.DAY, place_of(item)),)


def changed(
    declaration: Declaration, cells: dict[Spot, Cell], before: list[Observation], after: list[Observation]
) -> set[Spot]:
    """Bring cells up to date with one case; return those to be counted anew."""
    book = WholeBook(declaration, summing(declaration))
    touched = bookings_of([change_of(1, tuple(before), tuple(after), book)])
    book_in(book, cells, touched)
    for spot in touched:
        if cells[spot].empty:
            del cells[spot]
    return {spot for spot in touched if spot in cells and cells[spot].stale}


observations = st.builds(
    observation,
    st.integers(0, 3 * 86_400),
    st.sampled_from(list(Ending)),
    st.integers(0, 500_000),
    amount=st.one_of(st.none(), st.decimals(-100, 1000, places=2).map(str)),
    currency=st.sampled_from(["EUR", "JPY"]),
    region=st.sampled_from([None, "EMEA"]),
    gone=st.sampled_from([0, 0, 100]),
    due_age=st.one_of(st.none(), st.integers(0, 100_000)),
)
# What one case contributes, as it changes over time.
histories = st.lists(st.lists(st.lists(observations, max_size=3), min_size=1, max_size=4), max_size=8)


@pytest.mark.parametrize("declaration", KPIS, ids=lambda each: each.name)
@given(histories, st.integers(0, 1_000))
def test_cells_kept_up_to_date_are_those_made_from_scratch(
    declaration: Declaration, cases: list[list[list[Observation]]], seed: int
) -> None:
    chance = Random(seed)
    kept: dict[Spot, Cell] = {}
    held: list[list[Observation]] = [[] for _ in cases]
    steps = [(number, n) for number, case in enumerate(cases) for n in range(len(case))]
    for number, n in chance.sample(steps, len(steps)):  # the same case changes back and forth
        changed(declaration, kept, held[number], cases[number][n])
        held[number] = cases[number][n]
    whole = cells_of(summing(declaration), (each for case in held for each in case))
    assert {spot.place: cell for spot, cell in kept.items()} == whole


@given(st.lists(observations, min_size=1, max_size=20))
def test_a_cell_whose_observations_are_all_taken_back_is_gone(found: list[Observation]) -> None:
    cells: dict[Spot, Cell] = {}
    changed(KPIS[0], cells, [], found)
    assert changed(KPIS[0], cells, found, []) == set()
    assert cells == {}


amounts = st.lists(st.sampled_from(["10", "2.50", "0", "-4", None]), max_size=5)


@given(amounts, amounts)
def test_an_unfinished_wait_weighs_what_it_is_worth_above_nothing(
    kept: list[str | None], taken: list[str | None]
) -> None:
    """Waits that began together: all amounts add up, and a credit weighs as little as what nobody knows."""
    sums, cell = summing(KPIS[0]), Cell()
    waits = {text: observation(HOUR // MICROSECONDS, Ending.OPEN, amount=text) for text in {*kept, *taken}}
    for text in (*taken, *kept):
        sums.enter(cell, MONDAY_DAY, waits[text])
    for text in taken:
        sums.enter(cell, MONDAY_DAY, waits[text], -1)
    stored = decode_cell(encode_cell(cell))
    assert stored == cell
    assert len(cell.pending) == bool(kept)
    for each, more in ((cell, []), (stored, ["3"])):
        for text in more:  # what is read again goes its own way
            sums.enter(each, MONDAY_DAY, observation(HOUR // MICROSECONDS, Ending.OPEN, amount=text))
        worth = [None if text is None else Money(Decimal(text), "EUR") for text in (*kept, *more)]
        for held in each.pending.values():
            assert held.sums == Sums(worth)
            assert held.value == Sums(money if money is not None and money.amount > 0 else None for money in worth)


def test_what_was_never_added_cannot_be_taken_back() -> None:
    with pytest.raises(ValueError, match="seen one done wait to take back"):
        summing(KPIS[0]).enter(Cell(), date(2026, 11, 2), observation(0), -1)


def test_a_cell_that_falls_back_to_few_records_says_that_it_must_be_counted_anew() -> None:
    declaration = KPIS[1]
    found = [observation(n, Ending.DONE, 1_000 + n) for n in range(EXACT + 1)]
    cells: dict[Spot, Cell] = {}
    changed(declaration, cells, [], found)
    assert changed(declaration, cells, [found[0]], []) == {Spot(Grain.DAY, place_of(found[0]))}
    assert changed(declaration, cells, [], [found[0]]) == set()


def lag_of(found: list[Observation]) -> Lag:
    answer = reader(KPIS[1]).lag(cells_of(summing(KPIS[1]), found)).answer
    assert isinstance(answer, Lag)
    return answer


def test_a_lag_of_many_is_as_near_as_it_says() -> None:
    chance = Random(7)
    found = [observation(chance.randrange(80_000), Ending.DONE, chance.randrange(1, 10**6)) for _ in range(3 * EXACT)]
    answer = lag_of(found)
    ages = sorted(each.seconds or 0 for each in found)
    for name, rank in (("median", len(ages) // 2), ("p90", len(ages) * 9 // 10), ("p99", len(ages) * 99 // 100)):
        reached = next(reached for headline, reached in answer.quantiles.items() if headline.value == name)
        assert reached is not None
        assert reached.age == pytest.approx(ages[rank - 1], rel=2 * ACCURACY)
    assert answer.error == ACCURACY
    assert lag_of(found[:EXACT]).error == 0


def test_many_unfinished_waits_are_binned_with_those_that_are_done() -> None:
    done = [observation(n, Ending.DONE, 500_000) for n in range(EXACT)]
    still = [observation(n, Ending.OPEN) for n in range(EXACT)]
    answer = lag_of(done + still)
    assert answer.curve.points[0].at_risk == 2 * EXACT
    assert answer.curve.points[-1].done == 0.5


def test_a_stock_grows_older_without_any_change_of_its_cells() -> None:
    declaration = kpi("forecast-revisions-not-received")
    cells = cells_of(summing(declaration), [observation(3_600, Ending.OPEN)])
    ages: list[float] = []
    for now in (MONDAY + 2 * HOUR, MONDAY + 30 * HOUR):
        moment = dataclasses.replace(MOMENT, now=now)
        counting = Counting(declaration.clock, ESTATE.calendars)
        answer = Reader(declaration, counting, summing(declaration), moment).stock(cells, 1).answer
        assert isinstance(answer, Stock)
        assert answer.median_age is not None
        ages.append(answer.median_age.seconds)
    assert ages == [3_600, 29 * 3_600]


def test_an_unfinished_wait_misses_once_it_is_due_and_not_before() -> None:
    declaration = kpi("sla-adherence")
    cells = cells_of(
        summing(declaration), [observation(0, Ending.OPEN, due_age=900), observation(0, Ending.DONE, 60, due_age=900)]
    )
    counting = Counting(declaration.clock, ESTATE.calendars)
    found: list[tuple[int, int]] = []
    for now in (MONDAY + 900 * MICROSECONDS, MONDAY + 901 * MICROSECONDS):
        moment = dataclasses.replace(MOMENT, now=now)
        answer = Reader(declaration, counting, summing(declaration), moment).share(cells).answer
        assert isinstance(answer, Share)
        found.append((answer.hits, answer.of))
    assert found == [(1, 1), (1, 2)]


def test_windows_are_compared_at_the_age_that_all_of_the_younger_have_had_the_chance_to_reach() -> None:
    declaration, day = kpi("sync-latency"), 86_400
    # Monday's waits take an hour, but for one of three that took two days; Tuesday's of three likewise, so far.
    took = (3_600, 3_600, 2 * day)
    monday = cells_of(summing(declaration), [observation(0, Ending.DONE, seconds) for seconds in took])
    tuesday = cells_of(
        summing(declaration),
        [*(observation(day, Ending.DONE, seconds) for seconds in took[:2]), observation(day, Ending.OPEN)],
    )
    counting = Counting(declaration.clock, ESTATE.calendars)
    moment = dataclasses.replace(MOMENT, now=MONDAY + 2 * DAY + 6 * HOUR)
    answers = Reader(declaration, counting, summing(declaration), moment)
    age = answers.maturity(tuesday, date(2026, 11, 3))
    assert age == 6 * 3_600
    older, younger = answers.lag(monday, age).answer, answers.lag(tuesday, age).answer
    assert isinstance(older, Lag)
    assert isinstance(younger, Lag)
    assert older.quantiles == younger.quantiles
    assert answers.lag(monday).answer != older
