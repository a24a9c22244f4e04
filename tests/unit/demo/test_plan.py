"""The plan of the firm: told alike by one seed, with every fault in it, and each system with its own ids only."""

from collections import Counter, defaultdict

import pytest

from throughline.demo.faults import Fault
from throughline.demo.firm import SYSTEMS
from throughline.demo.plan import Plan, plan

SEEDS = (1, 7, 23)


@pytest.fixture(scope="module")
def told() -> Plan:
    return plan(7, "small")


def test_one_seed_tells_one_plan(told: Plan):
    again = plan(7, "small")
    assert again.happenings == told.happenings
    assert again.lives == told.lives


def test_another_seed_tells_another_plan(told: Plan):
    assert plan(8, "small").happenings != told.happenings


@pytest.mark.parametrize("seed", SEEDS)
def test_every_fault_happens_in_the_smallest_firm(seed: int):
    told = plan(seed, "small")
    stories = {story for life in told.lives for story in life.stories}
    assert {fault.value for fault in Fault} - stories == {Fault.UNBILLABLE.value}, "all but what is no story"
    assert any(not life.applies for life in told.lives)


def test_the_default_firm_has_the_size_of_a_firm():
    told = plan()
    processes = Counter(life.process for life in told.lives)
    assert processes["opportunity-to-project"] == 60
    assert processes["milestone-to-invoice"] == 60
    assert 1_400 <= processes["time-to-bill"] <= 1_600
    assert 120 <= processes["invoice-to-cash"] <= 240
    assert {life.region for life in told.lives} == {"EMEA", "AMER", "APAC"}
    assert {life.currency for life in told.lives} == {"EUR", "GBP", "USD", "CAD", "JPY", "AUD"}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_told_outside_the_weeks_played(seed: int):
    told = plan(seed, "small")
    assert all(told.begins <= each.time <= each.reported < told.ends for each in told.happenings)


def test_no_message_is_taken_before_it_was_sent(told: Plan):
    times = {each.id: each.time for each in told.happenings}
    for happening in told.happenings:
        assert all(times[cause] <= happening.time for cause in happening.causes)


def test_every_system_has_a_part(told: Plan):
    assert {each.system for each in told.happenings} == set(SYSTEMS)


def test_each_system_sends_only_the_ids_that_it_knows(told: Plan):
    sent: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in told.happenings:
        sent[each.system, each.type] |= each.fields.keys()
    assert "time_entry" not in sent["erp-amer", "time.posted"]
    assert "time_entry" not in sent["erp-emea", "billing.released"]
    assert "erp_document" not in sent["erp-apac", "billing.released"]
    assert "time_entry" in sent["psa", "document.registered"]
    assert "opportunity" not in sent["erp-emea", "customer.validated"]
    assert "opportunity" not in sent["fpna", "margin_baseline.published"]
    for erp in ("erp-emea", "erp-uk", "erp-amer", "erp-apac"):
        assert not {"time_entry", "milestone", "erp_document"} & sent[erp, "invoice.issued"]
        assert "billing_event" not in sent[erp, "invoice.paid"]
        assert {"invoice"} <= sent[erp, "revenue.recognised"] | {"invoice"}


def test_reports_arrive_late_twice_and_out_of_order():
    told = plan(7, "small")
    assert any(each.copies > 1 for each in told.happenings)
    late = [each for each in told.happenings if each.reported > each.time]
    assert late
    times = [each.time for each in told.happenings]
    assert times != sorted(times), "the order of reporting is not the order of happening"


def test_invoice_numbers_repeat_between_legal_entities(told: Plan):
    entities = defaultdict(set)
    for life in told.lives:
        if life.process == "invoice-to-cash":
            entities[life.name].add(life.entity)
    assert any(len(each) > 1 for each in entities.values())
