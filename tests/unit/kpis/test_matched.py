"""What is compared across cases: it adds up, is taken back and stored in any order, and is read the same from parts."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.catalogue import load_catalogue
from kpis.cell import Place
from kpis.contribution import (
    NO_DAY,
    PLAIN,
    Closed,
    Contribution,
    Leave,
    Missing,
    Named,
    Part,
    Standing,
    Stated,
    Told,
    Unusable,
    Worth,
)
from kpis.declaration import Declaration, Dimension
from kpis.matched import MatchedCell, matched_cells, place_of, replace_matched
from kpis.money import Money
from kpis.reading import Beside, Moment, Ratio, Reading
from kpis.reading_matched import Days, matched_readings
from lineage.definitions import load_definitions
from lineage.sight import Reporting, SourceSight
from throughline.core.estate import load_estate
from throughline.core.instants import parse_instant
from throughline.core.rates import Rates

ESTATE = load_estate(None)
CATALOGUE = load_catalogue(None, load_definitions(None))
NOW = parse_instant("2026-12-01T00:00:00Z")
MOMENT = Moment(NOW, date(2026, 12, 1), SourceSight(Reporting(ESTATE), {}, NOW), Rates("EUR", ()))
MONDAY = date(2026, 11, 2)

amounts = st.decimals(-1000, 1000, places=2)
moneys = st.one_of(st.none(), st.builds(Money, amounts, st.sampled_from(["EUR", "JPY", PLAIN])))
days = st.integers(0, 40).map(lambda n: MONDAY + timedelta(days=n))
instants = st.integers(NOW, NOW + 5)
tolds = st.one_of(
    st.builds(Worth, moneys),
    st.builds(Named, st.sampled_from("abc")),
    st.builds(Stated, instants, st.one_of(st.none(), instants), st.sampled_from("ab"), st.booleans(), moneys),
    st.builds(
        Standing,
        days,
        instants,
        st.sampled_from([None, "EMEA"]),
        st.one_of(st.none(), st.decimals(0, 60, places=1)),
        st.one_of(st.none(), st.builds(Leave, days, st.one_of(st.none(), days))),
    ),
    st.builds(Closed, instants, days),
    st.builds(Unusable, st.sampled_from(Missing)),
)
contributions = st.builds(
    Contribution,
    st.sampled_from(Part),
    st.sampled_from([(), ("W-1",), ("W-1", "2026-W45")]),
    st.one_of(st.just(NO_DAY), days),
    st.fixed_dictionaries({Dimension.REGION: st.sampled_from([None, "EMEA"])}),
    tolds,
)
# What one case contributes, as it changes over time.
histories = st.lists(st.lists(st.lists(contributions, max_size=3), min_size=1, max_size=4), max_size=8)


@given(histories, st.integers(0, 1_000))
def test_cells_kept_up_to_date_are_those_made_from_scratch(cases: list[list[list[Contribution]]], seed: int) -> None:
    chance, kept = Random(seed), dict[Place, MatchedCell]()
    held: list[list[Contribution]] = [[] for _ in cases]
    steps = [(number, n) for number, case in enumerate(cases) for n in range(len(case))]
    for number, n in chance.sample(steps, len(steps)):  # the same case changes back and forth
        replace_matched(kept, held[number], cases[number][n])
        held[number] = cases[number][n]
    whole = matched_cells(each for case in held for each in case)
    assert kept == whole
    assert {place: cell.to_plain() for place, cell in kept.items()} == {
        place: cell.to_plain() for place, cell in whole.items()
    }


@given(st.lists(contributions, min_size=1, max_size=20))
def test_cells_whose_contributions_are_all_taken_back_are_gone(found: list[Contribution]) -> None:
    cells = matched_cells(found)
    replace_matched(cells, found, [])
    assert cells == {}


@given(st.lists(contributions, max_size=20), contributions)
def test_what_was_never_added_cannot_be_taken_back(found: list[Contribution], other: Contribution) -> None:
    cell = matched_cells([*found, other])[place_of(other)]
    for each in [other, *(each for each in found if place_of(each) == place_of(other))]:
        cell.enter(each, -1)
    assert cell.empty
    with pytest.raises(ValueError, match="to take back"):
        cell.enter(other, -1)
    assert cell.empty


@given(st.lists(contributions, max_size=20))
def test_contributions_and_cells_are_read_as_they_were_written(found: list[Contribution]) -> None:
    assert [Contribution.from_plain(each.to_plain()) for each in found] == found
    for cell in matched_cells(found).values():
        assert MatchedCell.from_plain(cell.to_plain()) == cell


def kpi(name: str) -> Declaration:
    return dataclasses.replace(CATALOGUE.kpis[name], minimum_sample=1)


def brought(part: Part, told: Told, *match: str, day: date = NO_DAY, region: str | None = None) -> Contribution:
    return Contribution(part, match, day, {Dimension.REGION: region}, told)


def hours(number: str) -> Worth:
    return Worth(Money(Decimal(number), PLAIN))


EVER = Days()


def reading(name: str, found: list[Contribution], window: Days = EVER) -> Reading:
    made = matched_readings(kpi(name), ESTATE.calendars, MOMENT, matched_cells(found), window, ())
    return made[()]


def at_work(weekly: str, since: date = MONDAY, region: str | None = None) -> Contribution:
    return brought(Part.DENOMINATOR, Standing(since, 0, None, Decimal(weekly), None), "W-1", region=region)


def test_months_that_lie_whole_in_the_window_give_the_same_ratio_as_their_days() -> None:
    found = [at_work("40"), *(brought(Part.NUMERATOR, hours("4"), "W-1", day=MONDAY + timedelta(n)) for n in range(5))]
    november = Days(date(2026, 11, 1), date(2026, 11, 30))
    month = [each._replace(day=date(2026, 11, 1)) if each.day != NO_DAY else each for each in found]
    assert reading("billable-utilisation", month, november) == reading("billable-utilisation", found, november)
    assert isinstance(reading("billable-utilisation", found, november).answer, Ratio)


def test_capacity_belongs_to_where_a_worker_was_on_each_day() -> None:
    found = [at_work("40", region="EMEA"), at_work("20", MONDAY + timedelta(3), "AMER")]
    found += [brought(Part.NUMERATOR, hours("8"), "W-1", day=MONDAY, region="EMEA")]
    week = Days(MONDAY, MONDAY + timedelta(6))
    made = matched_readings(
        kpi("billable-utilisation"), ESTATE.calendars, MOMENT, matched_cells(found), week, (Dimension.REGION,)
    )
    assert {values: made[values].answer for values in made} == {
        ("AMER",): Ratio(0.0, Decimal(0), Decimal(8)),  # Thursday and Friday at 4 h
        ("EMEA",): Ratio(8 / 24, Decimal(8), Decimal(24)),
    }


def test_days_that_are_not_over_give_no_capacity_and_count_no_hours() -> None:
    today = MOMENT.today
    found = [at_work("40", today - timedelta(1)), brought(Part.NUMERATOR, hours("3"), "W-1", day=today)]
    assert reading("billable-utilisation", found).answer == Ratio(0.0, Decimal(0), Decimal(8))


def test_leave_without_an_end_lasts_until_the_next_change() -> None:
    away = Standing(MONDAY + timedelta(1), 1, None, None, Leave(MONDAY + timedelta(1), None))
    back = Standing(MONDAY + timedelta(4), 2, None, Decimal(40), None)
    found = [at_work("40"), *(brought(Part.DENOMINATOR, told, "W-1") for told in (away, back))]
    found += [brought(Part.NUMERATOR, hours("8"), "W-1", day=MONDAY)]
    answer = reading("billable-utilisation", found, Days(MONDAY, MONDAY + timedelta(6))).answer
    assert answer == Ratio(0.5, Decimal(8), Decimal(16))  # Monday and Friday


def test_fewer_than_the_minimum_sample_give_no_answer() -> None:
    declared = dataclasses.replace(kpi("utilisation-forecast-variance"), minimum_sample=2)
    found = [brought(part, hours("8"), "W-1", "2026-W45", day=MONDAY) for part in (Part.NUMERATOR, Part.DENOMINATOR)]
    made = matched_readings(declared, ESTATE.calendars, MOMENT, matched_cells(found), Days(), ())[()]
    assert (made.answer, made.why_not, made.beside.done) == (None, "1 of at least 2", 1)


def lost(amount: str | None, region: str) -> Contribution:
    told = Worth(None if amount is None else Money(Decimal(amount), "EUR"))
    return brought(Part.ENDED, told, day=MONDAY, region=region)


def test_a_balance_tells_of_how_many_cases_that_were_given_up_it_is() -> None:
    november = Days(date(2026, 11, 1), date(2026, 11, 30))
    one = reading("revenue-leakage", [lost("270", "EMEA")], november)
    assert one.beside == Beside(1, 0, 0, {"given up": 1}, {})
    found = [lost("270", "EMEA"), lost("30", "AMER"), lost("40", "AMER"), lost(None, "AMER")]
    cells = matched_cells(found)
    made = matched_readings(kpi("revenue-leakage"), ESTATE.calendars, MOMENT, cells, november, (Dimension.REGION,))
    assert {region: each.beside.began for (region,), each in made.items()} == {"EMEA": 1, "AMER": 2}
    declared = dataclasses.replace(kpi("revenue-leakage"), minimum_sample=4)
    whole = matched_readings(declared, ESTATE.calendars, MOMENT, cells, november, ())[()]
    assert (whole.answer, whole.why_not) == (None, "3 of at least 4")  # what one is worth nobody told


def by_practice(found: list[Contribution]) -> dict[str | None, Reading]:
    made = matched_readings(
        kpi("billable-utilisation"),
        ESTATE.calendars,
        MOMENT,
        matched_cells(found),
        Days(MONDAY, MONDAY + timedelta(6)),
        (Dimension.PRACTICE,),
    )
    return {practice: each for (practice,), each in made.items()}


def booked(worker: str, practice: str, number: str) -> Contribution:
    return Contribution(Part.NUMERATOR, (worker,), MONDAY, {Dimension.PRACTICE: practice}, hours(number))


def works(worker: str) -> Contribution:
    return Contribution(Part.DENOMINATOR, (worker,), NO_DAY, {}, Standing(MONDAY, 0, None, Decimal(40), None))


def test_who_works_for_one_practice_only_could_have_worked_for_that() -> None:
    made = by_practice([works("W-1"), works("W-2"), booked("W-1", "cloud", "10"), booked("W-2", "data", "20")])
    assert {practice: each.answer for practice, each in made.items()} == {
        "cloud": Ratio(0.25, Decimal(10), Decimal(40)),
        "data": Ratio(0.5, Decimal(20), Decimal(40)),
    }


def test_of_who_works_for_several_practices_nobody_can_say_how_much_of_which_and_no_share_is_0() -> None:
    made = by_practice([works("W-1"), booked("W-1", "cloud", "10"), booked("W-1", "data", "20")])
    assert {practice: (each.answer, each.beside.unknown) for practice, each in made.items()} == {
        "cloud": (None, {Missing.ONLY_NUMERATOR: 1}),
        "data": (None, {Missing.ONLY_NUMERATOR: 1}),
        None: (None, {Missing.ONLY_DENOMINATOR: 1}),
    }


def test_who_works_for_nobody_counts_where_no_practice_is_known() -> None:
    made = by_practice([works("W-1"), works("W-2"), booked("W-1", "cloud", "10")])
    assert made["cloud"].answer == Ratio(0.25, Decimal(10), Decimal(40))
    assert made[None].answer == Ratio(0.0, Decimal(0), Decimal(40))
