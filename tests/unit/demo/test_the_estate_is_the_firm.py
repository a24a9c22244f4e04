"""The shipped estate.yaml says of the firm what the firm's own programs live by."""

from collections import defaultdict

from throughline.core.estate import load_estate
from throughline.core.estate_file import Role
from throughline.demo.firm import ENTITIES, REGIONS, SYSTEMS, erp_of, instance_of, role_of
from throughline.demo.plan import plan
from throughline.demo.product import DEFINITIONS
from throughline.demo.stuck import RATES
from throughline.demo.systems.speech import source_of

ESTATE = load_estate(DEFINITIONS)


def test_every_system_is_a_declared_source_with_its_role_and_entities():
    instances = {source.source: source.instance for source in ESTATE.declared.sources}
    declared = {
        source.source: (instances[source.source], source.role.value, source.legal_entities) for source in ESTATE.sources
    }
    entities_of = defaultdict[str, set[str]](set)
    for entity in ENTITIES:
        entities_of[erp_of(entity.code)].add(entity.code)
    assert declared == {
        source_of(system): (instance_of(system), role_of(system), frozenset(entities_of[system])) for system in SYSTEMS
    }


def test_every_role_has_a_system_and_one_erp_two_installations_in_one_region():
    assert {role_of(system) for system in SYSTEMS} == {role.value for role in Role}
    assert {instance_of(erp_of(entity.code)) for entity in ENTITIES if entity.region == "EMEA"} == {
        "erp-emea-1",
        "erp-emea-2",
    }


def test_regions_keep_the_same_hours():
    assert ESTATE.regions.keys() == REGIONS.keys()
    for name, region in REGIONS.items():
        declared = ESTATE.regions[name]
        assert (declared.timezone.key, declared.country) == (region.zone, region.country)
        assert declared.open == tuple(clock.hour * 60 + clock.minute for clock in (region.opens, region.closes))


def test_entities_have_the_same_region_and_currency():
    assert {code: (entity.region, entity.currency) for code, entity in ESTATE.legal_entities.items()} == {
        entity.code: (entity.region, entity.currency) for entity in ENTITIES
    }


def test_rates_are_the_same():
    declared = {rate.currency: rate.rate for rate in ESTATE.rates}
    assert declared | {"EUR": 1} == RATES


def test_every_flow_that_carries_messages_is_declared():
    used = {each.flow for each in plan(7, "small").happenings if each.flow is not None}
    assert used <= ESTATE.flows.keys()
