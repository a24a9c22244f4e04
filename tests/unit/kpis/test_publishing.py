"""What was published stays readable: only late data, people and other definitions change a figure, and say so."""

from __future__ import annotations

import dataclasses

import msgspec

from kpis.ask import Asker
from kpis.declaration import Headline, KpiClock, Unit
from kpis.keep import DECLARED_ANEW, LATE_DATA, STATED, WENT_ON, former_digest_of
from kpis.publish import OPEN, PUBLISHED, STOOD, Publisher
from kpis.published import RestatementsAsked, restated_page
from kpis.scratch import moment_of
from kpis.store import APART, KpiWriter, PublishedRow, transaction
from kpis.terms import ToldAs, told_as, told_as_of, told_as_text
from tests.unit.kpis.golden import FOLDER, Golden, event, golden, instant
from tests.unit.kpis.test_keeping import World
from throughline.core.estate import Estate, read_estate
from throughline.core.instants import DAY, HOUR
from throughline.core.statement import End, Statement, Verb
from throughline.core.yaml_file import YamlDocument

# Approved on Monday 2 November 2026; two released on Tuesday, one is open still.
LAG = golden(FOLDER / "billing-readiness-lag.yaml")._replace(
    events=[
        event(1, "2026-11-02 10:00 time.approved T-1 region=EMEA", "time_entry", "Europe/Berlin"),
        event(2, "2026-11-02 10:00 time.approved T-2 region=EMEA", "time_entry", "Europe/Berlin"),
        event(3, "2026-11-02 10:00 time.approved T-3 region=EMEA", "time_entry", "Europe/Berlin"),
        event(4, "2026-11-03 10:00 billing.released T-1 system=erp", "time_entry", "Europe/Berlin"),
        event(5, "2026-11-03 11:00 billing.released T-2 system=erp", "time_entry", "Europe/Berlin"),
    ],
    now=instant("2026-11-10 12:00", "Europe/Berlin"),
)


def published(world: World) -> list[PublishedRow]:
    """Publish all there is to publish, and return everything that was."""
    world.follow()
    publisher = Publisher(world.store, Asker(world.store, world.catalogue, world.case.estate), world.catalogue)
    with world.snapshot() as snapshot:
        moment = moment_of(snapshot, world.case.estate)
    while publisher.publish(moment):
        pass
    return world.store.published(world.case.declaration.name)


def days(rows: list[PublishedRow]) -> list[tuple[str | None, str]]:
    """Return the figures of days on which anything was, and why each was published."""
    return [(row.value, row.why) for row in rows if row.every == "day" and row.records]


def world_of(case: Golden, store: KpiWriter) -> World:
    world = World(case, store)
    world.fold(case.events)
    return world


def test_a_day_is_published_once_it_is_mature(store: KpiWriter) -> None:
    world = world_of(LAG, store)
    world.case = world.case._replace(now=LAG.now - DAY)
    assert published(world) == []
    world.case = world.case._replace(now=LAG.now)
    assert days(published(world)) == [("34200", PUBLISHED)]  # T-2: 9 h 30 min of business time
    assert days(published(world)) == [("34200", PUBLISHED)]


def test_what_ends_later_is_no_restatement(store: KpiWriter) -> None:
    world = world_of(LAG, store)
    published(world)
    world.fold([event(6, "2026-11-11 10:00 billing.released T-3 system=erp", "time_entry", "Europe/Berlin")])
    world.case = world.case._replace(now=LAG.now + 2 * DAY)
    assert days(published(world)) == [("34200", PUBLISHED)]


def test_late_data_restates_a_figure_and_both_stay_readable(store: KpiWriter) -> None:
    world = world_of(LAG, store)
    (first,) = published(world)
    late = "2026-11-02 12:00 billing.released T-3 system=erp received='2026-11-10 11:00'"
    world.fold([event(6, late, "time_entry", "Europe/Berlin")])
    world.case = world.case._replace(now=LAG.now + DAY)
    assert days(published(world)) == [("34200", PUBLISHED), ("30600", LATE_DATA)]
    ((former, now),) = store.restated(LAG.declaration.name, 0, 10)
    assert (former, now.value, now.at) == (first, "30600", LAG.now + DAY)
    assert now.as_of == first.as_of


def said(number: int, verb: Verb, at: int) -> Statement:
    """Return what a person says: that T-3 is of the sheet that was released, or that it is not."""
    return Statement(
        verb=verb,
        a=End("time_entry", "T-3"),
        b=End("timesheet", "S-3"),
        all=True,
        events=(),
        process=None,
        why="it was written by hand",
        by="ana",
        authenticated=True,
        number=number,
        id=f"s{number}",
        at=at,
    )


def test_what_people_said_restates_a_figure_and_is_told_apart_from_late_data(store: KpiWriter) -> None:
    world = world_of(LAG, store)
    sheet = "2026-11-02 12:00 billing.released - system=erp timesheet=S-3"
    world.fold([event(6, sheet, "time_entry", "Europe/Berlin")])
    assert days(published(world)) == [("34200", PUBLISHED)]
    world.case = world.case._replace(now=LAG.now + DAY)
    world.state(said(1, Verb.LINK, world.case.now))
    assert days(published(world))[1:] == [("30600", STATED)]
    world.case = world.case._replace(now=LAG.now + 2 * DAY)
    world.state(said(2, Verb.UNLINK, world.case.now))
    world.follow()
    late = "2026-11-03 10:30 billing.released T-3 system=erp received='2026-11-12 13:00'"
    world.fold([event(7, late, "time_entry", "Europe/Berlin")])
    assert days(published(world))[2:] == [("32400", f"{STATED}{APART}{LATE_DATA}")]


def test_data_that_is_folded_after_a_statement_is_late_data_whenever_it_was_received(store: KpiWriter) -> None:
    """As what is set aside is, when it is taken again: it keeps the time of its receipt."""
    world = world_of(LAG, store)
    world.state(said(1, Verb.LINK, LAG.now - 2 * HOUR), said(2, Verb.UNLINK, LAG.now - HOUR))
    published(world)
    late = "2026-11-03 10:30 billing.released T-3 system=erp received='2026-11-03 10:31'"
    world.fold([event(7, late, "time_entry", "Europe/Berlin")])
    world.case = world.case._replace(now=LAG.now + DAY)
    assert days(published(world))[1:] == [("32400", LATE_DATA)]


def test_that_people_took_away_all_events_of_a_case_is_told_of_them(store: KpiWriter) -> None:
    world = World(LAG._replace(events=[]), store)
    told = [
        "2026-11-02 10:00 time.approved T-1 region=EMEA",
        "2026-11-03 10:00 billing.released T-1 system=erp",
        "2026-11-02 10:00 time.approved - region=EMEA erp_document=E-3",
        "2026-11-02 12:00 billing.released - system=erp erp_document=E-3",
    ]
    world.fold([event(n, each, "time_entry", "Europe/Berlin") for n, each in enumerate(told)])
    alias = msgspec.structs.replace(said(1, Verb.LINK, LAG.now - HOUR), b=End("erp_document", "E-3"))
    world.state(alias)
    assert [row.records for row in published(world) if row.every == "day" and row.records] == [2]
    world.case = world.case._replace(now=LAG.now + DAY)
    world.state(msgspec.structs.replace(alias, verb=Verb.UNLINK, number=2, id="s2", at=LAG.now + HOUR))
    last = [row for row in published(world) if row.every == "day" and row.records][-1]
    assert (last.records, last.why) == (1, STATED)


def test_a_month_is_restated_for_all_that_changed_its_days(store: KpiWriter) -> None:
    world = world_of(LAG, store)
    world.fold(
        [
            event(6, "2026-11-03 10:00 time.approved T-4 region=EMEA", "time_entry", "Europe/Berlin"),
            event(7, "2026-11-02 12:00 billing.released - system=erp timesheet=S-3", "time_entry", "Europe/Berlin"),
        ]
    )
    world.case = world.case._replace(now=instant("2026-12-09 12:00", "Europe/Berlin"))
    published(world)
    world.state(said(1, Verb.LINK, world.case.now))
    late = "2026-11-03 12:00 billing.released T-4 system=erp received='2026-12-09 11:00'"
    world.fold([event(8, late, "time_entry", "Europe/Berlin")])
    rows = published(world)
    assert [row.why for row in rows if row.every == "month"] == [PUBLISHED, f"{STATED}{APART}{LATE_DATA}"]


def test_another_definition_restates_what_it_works_out_otherwise(store: KpiWriter) -> None:
    world = world_of(LAG, store)
    published(world)
    world.declare(dataclasses.replace(LAG.declaration, clock=KpiClock.ELAPSED, version="2"))
    rows = published(world)
    assert days(rows) == [("34200", PUBLISHED), ("90000", DECLARED_ANEW)]
    assert [row.version for row in rows] == ["1", "2"]


def test_each_value_is_told_as_it_was_declared_when_it_was_published(store: KpiWriter) -> None:
    world = world_of(LAG, store)
    published(world)
    world.declare(dataclasses.replace(LAG.declaration, clock=KpiClock.ELAPSED, headline=Headline.P99, version="2"))
    published(world)
    ((former, now),) = store.restated(LAG.declaration.name, 0, 10)
    assert told_as_of(former) == ToldAs(KpiClock.BUSINESS, Unit.SECONDS, LAG.declaration.headline)
    assert told_as_of(now) == ToldAs(KpiClock.ELAPSED, Unit.SECONDS, Headline.P99)


def test_what_an_earlier_release_published_is_told_by_the_version_that_is_there_since(store: KpiWriter) -> None:
    world = world_of(LAG, store)
    rows = published(world)
    before = rows[0]._replace(at=store.versions()[0].since - 1)
    with transaction(store):
        store.publish(before)
        store.connection.execute("UPDATE published SET told_as = NULL")
        former = former_digest_of(LAG.declaration)
        store.connection.execute("UPDATE version SET told_as = NULL, digest = ?", (former,))
    world.declare(LAG.declaration)
    told = [told_as_of(row) for row in store.published(LAG.declaration.name)]
    assert told == [*(told_as(LAG.declaration, None) for _ in rows), None]


WRITTEN_OFF = golden(FOLDER / "a-sum-of-what-was-written-off.yaml")
MONEY = WRITTEN_OFF._replace(events=WRITTEN_OFF.events[:2])  # EUR 100, all of it on one day
AT_PAR = [{"currency": "EUR", "rate": "1", "from": "2026-01-01"}]


def reporting(currency: str, rates: object = ()) -> Estate:
    firm = {"firm": {"reporting_currency": currency}, "rates": list(rates)}
    return read_estate(YamlDocument("estate.yaml", firm, {}, {}))


def told_money(rows: list[PublishedRow]) -> list[tuple[str | None, str | None]]:
    """Return the figures of the days on which anything was, each with its currency."""
    return [
        (row.value, told.currency)
        for row in rows
        if row.every == "day" and row.records and (told := told_as_of(row)) is not None
    ]


def test_money_keeps_the_currency_in_which_it_was_told(store: KpiWriter) -> None:
    world = world_of(MONEY, store)
    world.declare(MONEY.declaration, reporting("EUR"))
    assert told_money(published(world)) == [("100", "EUR")]
    world.declare(MONEY.declaration, reporting("USD", [{"currency": "EUR", "rate": "1.2", "from": "2026-01-01"}]))
    assert told_money(published(world)) == [("100", "EUR"), ("120.0", "USD")]
    (day,) = restated_page(MONEY.declaration.name, store, RestatementsAsked(), MONEY.estate.calendars).restatements
    assert day.was_told_as is not None
    assert day.told_as is not None
    assert (day.was_told_as.currency, day.told_as.currency) == ("EUR", "USD")


def test_as_much_of_another_currency_is_another_figure(store: KpiWriter) -> None:
    world = world_of(MONEY, store)
    world.declare(MONEY.declaration, reporting("EUR"))
    published(world)
    world.declare(MONEY.declaration, reporting("USD", AT_PAR))
    assert told_money(published(world)) == [("100", "EUR"), ("100", "USD")]


def test_money_that_an_earlier_release_published_is_of_no_known_currency_and_is_not_restated_for_that(
    store: KpiWriter,
) -> None:
    world = world_of(MONEY, store)
    rows, versions = published(world), store.versions()
    with transaction(store):
        told = '{"clock":"elapsed","unit":"money","headline":null}'
        assert told_as_text(MONEY.declaration, None) == told
        store.connection.execute("UPDATE published SET told_as = ?", (told,))
    world.declare(MONEY.declaration)
    with world.snapshot() as snapshot:
        world.keeper.backfill(snapshot)
    assert told_money(published(world)) == [("100", None)]
    assert len(store.published(MONEY.declaration.name)) == len(rows)
    assert [row._replace(complete=True) for row in store.versions()] == versions


def test_the_terms_of_a_version_are_of_no_currency(store: KpiWriter) -> None:
    """Else another reporting currency, or the release that keeps it, would make every version another one."""
    world = world_of(MONEY, store)
    before = store.versions()
    world.declare(MONEY.declaration, reporting("USD"))
    world.follow()
    assert store.versions() == [row._replace(complete=True) for row in before]


def test_another_headline_restates_what_it_works_out_otherwise_also_after_a_look_at_every_case(
    store: KpiWriter,
) -> None:
    world = world_of(LAG, store)
    published(world)
    with world.snapshot() as snapshot:
        world.keeper.backfill(snapshot)
    world.follow()
    world.declare(dataclasses.replace(LAG.declaration, headline=Headline.P90, version="2b"))
    rows = published(world)
    assert [(row.version, row.why) for row in rows if row.every == "day" and row.records] == [
        ("1", PUBLISHED),
        ("2b", DECLARED_ANEW),
    ]


def test_a_definition_that_changes_while_every_case_is_looked_at_is_told_as_the_reason(store: KpiWriter) -> None:
    world = world_of(LAG, store)
    published(world)
    with world.snapshot() as snapshot:
        world.keeper.backfill(snapshot)
    world.declare(dataclasses.replace(LAG.declaration, clock=KpiClock.ELAPSED, version="2"))
    assert days(published(world)) == [("34200", PUBLISHED), ("90000", DECLARED_ANEW)]


def test_a_share_is_published_once_nothing_of_it_is_left_to_be_told(store: KpiWriter) -> None:
    share = golden(FOLDER / "timely-billing-rate.yaml")
    world = World(share._replace(now=LAG.now), store)
    told = [
        "2026-11-02 10:00 billing.released T-1 region=EMEA system=erp",
        "2026-11-03 10:00 invoice.issued T-1 system=erp legal_entity=DE01 invoice=I-1",
        "2026-11-02 10:00 billing.released T-2 region=EMEA system=erp",
    ]
    world.fold([event(n, each, "time_entry", "Europe/Berlin") for n, each in enumerate(told)])
    assert days(published(world)) == []
    last = "2026-11-05 10:00 invoice.issued T-2 system=erp legal_entity=DE01 invoice=I-2"
    world.fold([event(9, last, "time_entry", "Europe/Berlin")])
    assert days(published(world)) == [("1", PUBLISHED)]


POSTED = golden(FOLDER / "posting-completeness.yaml")._replace(now=instant("2026-12-31 12:00", "UTC"), events=[])
STILL_OPEN = f"{PUBLISHED}{APART}{OPEN}"


def told(world: World, number: int, *lines: str) -> list[tuple[str | None, str]]:
    """Return the figures of days after some more was told."""
    world.fold([event(number + n, each, "time_entry", "UTC") for n, each in enumerate(lines)])
    return days(published(world))


def half_posted(store: KpiWriter) -> World:
    """Return a firm of whose two entries of 2 November one is posted, as of the day on which that is published."""
    world = World(POSTED, store)
    approved = [f"2026-11-02 09:00 time.approved {name}" for name in "AB"]
    assert told(world, 1, *approved, "2026-11-02 09:30 time.posted A system=erp") == []
    world.case = world.case._replace(now=POSTED.now + DAY)
    assert days(published(world)) == [("0.5", STILL_OPEN)]
    return world


def test_a_share_is_published_after_sixty_days_though_some_is_open_and_changes_as_that_goes_on(
    store: KpiWriter,
) -> None:
    world = half_posted(store)
    world.case = world.case._replace(now=POSTED.now + 7 * DAY)
    ended = ("0.5", STILL_OPEN), ("1", WENT_ON)
    assert told(world, 4, "2027-01-07 09:30 time.posted B system=erp") == [*ended]
    found = told(world, 5, "2026-11-02 09:00 time.approved C received='2027-01-07 11:00'")
    assert found == [*ended, ("0.666666667", f"{LATE_DATA}{APART}{OPEN}")]
    assert told(world, 6, "2027-01-07 10:00 time.posted C system=erp")[3:] == [("1", WENT_ON)]


def test_late_data_beside_what_was_open_is_told_as_well(store: KpiWriter) -> None:
    world = half_posted(store)
    late = "2026-11-02 09:00 time.approved C received='2027-01-07 11:00'"
    found = told(world, 4, "2027-01-01 09:30 time.posted B system=erp", late)
    assert found[1:] == [("0.666666667", APART.join((LATE_DATA, WENT_ON, OPEN)))]


def test_a_wait_that_began_otherwise_is_late_data_though_it_was_open(store: KpiWriter) -> None:
    world = half_posted(store)
    earlier = "2026-11-02 08:00 time.approved B received='2027-01-01 09:00'"
    found = told(world, 4, earlier, "2027-01-01 09:30 time.posted B system=erp")
    assert found[1:] == [("1", LATE_DATA)]


def test_what_begins_late_is_late_data_also_once_it_has_ended(store: KpiWriter) -> None:
    """The figure was of nothing that was open; it stays while what is new is open, and is read again as that ends."""
    share = golden(FOLDER / "timely-billing-rate.yaml")._replace(now=instant("2026-11-20 12:00", "UTC"))
    world = World(share, store)
    billed = "2026-11-02 10:00 billing.released A system=erp", "2026-11-03 10:00 invoice.issued A system=erp"
    assert told(world, 1, "2026-11-02 09:00 time.approved A", *billed) == [("1", PUBLISHED)]
    late = "2026-11-02 10:00 billing.released B system=erp received='2026-11-20 10:00'"
    assert told(world, 4, "2026-11-02 09:00 time.approved B received='2026-11-20 10:00'", late) == [("1", PUBLISHED)]
    found = told(world, 6, "2026-11-20 11:00 invoice.issued B system=erp")
    assert found == [("1", PUBLISHED), ("0.5", LATE_DATA)]


def test_a_share_that_is_no_answer_yet_waits_for_what_is_open_as_well(store: KpiWriter) -> None:
    few = dataclasses.replace(POSTED.declaration, minimum_sample=3)
    world = World(POSTED._replace(declaration=few), store)
    assert told(world, 1, "2026-11-02 09:00 time.approved A", "2026-11-02 09:00 time.approved B") == []
    world.case = world.case._replace(now=POSTED.now + DAY)
    assert days(published(world)) == [(None, STILL_OPEN)]


def test_what_stands_is_published_as_it_stood_when_a_day_began(store: KpiWriter) -> None:
    stock = golden(FOLDER / "unbilled-approved-value.yaml")
    world = world_of(stock, store)
    first = days(published(world))
    assert [why for _, why in first] == [STOOD]
    assert days(published(world)) == first
    world.case = world.case._replace(now=stock.now + DAY)
    assert len(days(published(world))) == 2
