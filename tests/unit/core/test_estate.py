from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from throughline.core.calendar import Duration, Unit
from throughline.core.errors import ConfigurationError
from throughline.core.estate import Estate, load_estate, read_estate
from throughline.core.estate_file import Mode, Role
from throughline.core.instants import HOUR, MINUTE, parse_instant
from throughline.core.yaml_file import parse_yaml

FIRM = """
firm: {name: Nordwind, reporting_currency: EUR, default_region: EMEA}
regions:
  EMEA: {timezone: Europe/Berlin, country: DE, subdivision: BY, holidays: [2026-12-24]}
  GCC: {timezone: Asia/Dubai, weekend: [friday, saturday], open: "08:00-16:00"}
legal_entities:
  DE01: {region: EMEA, currency: EUR}
  AE01: {region: GCC, currency: AED}
  XX01: {}
instances:
  kantata-emea: {role: psa, legal_entities: [DE01]}
flows:
  psa-erp-time: {from: kantata-emea, to: erp, owner: finance-ops, criticality: critical, recovery_time_objective: 4 h}
sources:
  - {source: /psa/emea, instance: kantata-emea, every: 15 min}
  - {source: /erp, role: erp, mode: poll, every: 1 h, remembers: 72 h}
cutoffs:
  billing:
    default: {every: week, on: friday, at: "17:00"}
    calendars:
      monthly: {every: month, on: last_day, at: "12:00"}
      tokyo: {every: month, on: last_day, at: "12:00", region: GCC}
    legal_entities:
      AE01:
        - {every: month, on: 15, at: "17:00"}
        - {every: month, on: last_business_day, at: "17:00"}
    regions:
      GCC: {every: week, on: thursday, at: "17:00"}
  payroll:
    regions:
      EMEA: {every: month, on: 25, at: "24:00"}
rates:
  - {currency: USD, rate: 0.92, from: 2026-01-01}
teams:
  finance-ops: {contact: finance-ops@nordwind.example}
"""
FOUR_HOURS = Duration(4, Unit.HOURS)
ONE_DAY = Duration(1, Unit.BUSINESS_DAYS)


def estate(text: str = FIRM) -> Estate:
    return read_estate(parse_yaml(text.encode(), "estate.yaml"))


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        estate(text)
    return [str(fault) for fault in caught.value.faults]


def at(text: str) -> int:
    return parse_instant(text)


def test_without_a_file_nothing_is_declared_and_business_time_is_plain(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        found = load_estate(folder)
        assert (found.regions, found.sources, found.flows) == ({}, (), {})
        assert found.calendars.add(at("2026-12-24T16:00:00Z"), FOUR_HOURS, "EMEA") == at("2026-12-25T12:00:00Z")
        assert found.calendars.cutoff("billing", 0, None, None, None) is None


def test_an_empty_file_declares_nothing() -> None:
    assert estate("# nothing yet\n").sources == ()


def test_a_file_is_read_from_the_definitions_folder(tmp_path: Path) -> None:
    (tmp_path / "estate.yaml").write_text(FIRM)
    assert load_estate(tmp_path).firm.name == "Nordwind"


def test_a_region_has_its_own_holidays_weekend_and_hours() -> None:
    calendars = estate().calendars
    # All Saints' Day is kept in Bavaria; it falls on a Sunday in 2026, so Epiphany of 2027 stands for it.
    assert calendars.add(at("2027-01-05T16:00:00+01:00"), FOUR_HOURS, "EMEA") == at("2027-01-07T12:00:00+01:00")
    assert calendars.add(at("2026-12-23T16:00:00+01:00"), FOUR_HOURS, "EMEA") == at("2026-12-28T12:00:00+01:00")
    assert calendars.add(at("2026-11-05T15:00:00+04:00"), FOUR_HOURS, "GCC") == at("2026-11-08T11:00:00+04:00")


@pytest.mark.parametrize("region", [None, "", "Atlantis"])
def test_an_unknown_region_takes_the_default(region: str | None) -> None:
    assert estate().calendars.add(at("2026-11-06T12:00:00Z"), ONE_DAY, region) == at("2026-11-09T12:00:00Z")


@pytest.mark.parametrize(
    ("calendar", "entity", "region", "cutoff"),
    [
        (None, None, None, "2026-11-06T17:00:00+01:00"),
        (None, None, "GCC", "2026-11-05T17:00:00+04:00"),
        (None, "AE01", "GCC", "2026-11-15T17:00:00+04:00"),
        (None, "AE01", "EMEA", "2026-11-15T17:00:00+04:00"),  # the entity's own zone
        ("monthly", "AE01", "GCC", "2026-11-30T12:00:00+04:00"),
        ("monthly", "AE01", None, "2026-11-30T12:00:00+01:00"),
        ("tokyo", None, "EMEA", "2026-11-30T12:00:00+04:00"),  # the rule's own region
        ("unknown", "DE01", "GCC", "2026-11-05T17:00:00+04:00"),  # passed over: calendar and entity
    ],
)
def test_a_cutoff_is_that_of_the_calendar_else_the_entity_else_the_region(
    calendar: str | None, entity: str | None, region: str | None, cutoff: str
) -> None:
    assert estate().calendars.cutoff("billing", at("2026-11-03T10:00:00Z"), calendar, entity, region) == at(cutoff)


def test_a_cutoff_without_default_leaves_others_without_one() -> None:
    calendars = estate().calendars
    start = at("2026-11-03T10:00:00Z")
    assert calendars.cutoff("payroll", start, None, None, "GCC") is None
    assert calendars.cutoff("payroll", start, None, None, "EMEA") == at("2026-11-26T00:00:00+01:00")


def test_a_date_falls_due_as_its_local_day_ends() -> None:
    calendars = estate().calendars
    assert calendars.field_due("2026-11-30", "EMEA") == at("2026-11-30T23:59:59.999999+01:00")
    assert calendars.field_due("2026-11-30", "GCC") == at("2026-11-30T23:59:59.999999+04:00")
    assert calendars.field_due("2026-11-30T12:00:00-05:00", "GCC") == at("2026-11-30T17:00:00Z")


@pytest.mark.parametrize(
    "value", ["soon", "2026-11-31", "20261130", "2026-11-30T12:00:00", "9999-12-31", "", 7, True, None, ["2026-11-30"]]
)
def test_what_is_neither_a_date_nor_a_time_falls_due_never(value: object) -> None:
    assert estate().calendars.field_due(value, "EMEA") is None


def test_a_field_and_an_instant_have_a_day_in_the_zone_of_the_region() -> None:
    calendars = estate().calendars
    assert calendars.field_day("2026-11-30", "EMEA") == date(2026, 11, 30)
    assert calendars.field_day("2026-11-30T23:30:00Z", "EMEA") == date(2026, 12, 1)
    assert calendars.day_of(at("2026-11-30T23:30:00Z"), "GCC") == date(2026, 12, 1)
    assert [calendars.field_day(value, "EMEA") for value in ("soon", "2026-02-30", "", 20261130, None)] == [None] * 5


def test_a_stretch_of_days_without_a_business_day_has_none() -> None:
    calendars = estate().calendars
    saturday, sunday, monday = (date(2026, 11, day) for day in (28, 29, 30))
    assert calendars.has_business_day(saturday, monday, "EMEA")
    assert not calendars.has_business_day(saturday, sunday, "EMEA")
    assert not calendars.has_business_day(monday, sunday, "EMEA")


def test_a_source_has_role_and_entities_of_its_instance() -> None:
    psa, erp = estate().sources
    assert (psa.source, psa.role, psa.legal_entities, psa.every) == ("/psa/emea", Role.PSA, {"DE01"}, 15 * MINUTE)
    assert (erp.role, erp.legal_entities, erp.mode, erp.every) == (Role.ERP, frozenset(), Mode.POLL, HOUR)


def test_the_only_region_is_the_default_one() -> None:
    calendars = estate("regions: {EMEA: {timezone: Europe/Berlin}}").calendars
    assert calendars.add(at("2026-11-06T16:00:00+01:00"), FOUR_HOURS, None) == at("2026-11-09T12:00:00+01:00")


def test_the_fingerprint_follows_the_content_and_not_its_look() -> None:
    same = "# comment\n" + FIRM.replace(
        "{name: Nordwind, reporting_currency: EUR,", "{reporting_currency: 'EUR', name: Nordwind,"
    )
    other = FIRM.replace("every: 15 min", "every: 20 min")
    assert estate().fingerprint == estate(same).fingerprint != estate(other).fingerprint


FAULTY = """
firm: {default_region: Emea, reporting_currency: Euro}
regions:
  EMEA: {timezone: Europe/Bonn, country: DE, subdivison: BY}
  APAC: {timezone: Asia/Tokyo, country: JP, subdivision: QQ, open: "17:00-09:00", holidays: [2026-02-30]}
  LUNA: {timezone: UTC, country: Moon, weekend: [monday, sometimes]}
legal_entities:
  DE01: {region: EMAE}
instances:
  kantata: {role: timekeeping}
  netsuite: {role: erp, legal_entities: [DE02]}
flows:
  psa-erp: {from: kantata, to: netsiute, recovery_time_objective: soon}
sources:
  - {source: /psa, instance: kantatas}
  - {source: /psa, role: psa}
cutoffs:
  billing:
    default: {every: week, on: 15, at: "17:00"}
    legal_entities: {DE09: {every: month, on: 32, at: "25:00"}}
rates: [{currency: USD, rate: -1, from: 2026-01-01}]
"""


def test_every_fault_is_told_at_once_with_line_and_what_was_wanted() -> None:
    wanted = [
        "firm.reporting_currency: seen 'Euro', wanted a code of ISO 4217, such as EUR",
        "regions.EMEA.timezone: seen 'Europe/Bonn'",
        "perhaps subdivision",
        "regions.APAC.open: seen '17:00-09:00', wanted opening hours",
        "regions.APAC.holidays[0]: seen '2026-02-30', wanted a date",
        "regions.LUNA.weekend[1]: seen 'sometimes'",
        "instances.kantata.role: seen 'timekeeping'",
        "flows.psa-erp.recovery_time_objective: seen 'soon', wanted a length of time",
        "wanted on: a weekday with every: week",
        "seen 32, wanted a day of the week",
        "seen '25:00', wanted a local time",
        "rates[0].rate: seen -1, wanted more than 0",
        "firm.default_region: seen 'Emea', wanted",
        "legal_entities.DE01.region: seen 'EMAE', wanted EMEA",
        "instances.netsuite.legal_entities[0]: seen 'DE02', wanted",
        "flows.psa-erp.to: seen 'netsiute', wanted netsuite",
        "sources[0].instance: seen 'kantatas', wanted kantata",
        "sources[1].source: seen '/psa' again",
    ]
    found = faults(FAULTY)
    assert [each for each in wanted if not any(each in fault for fault in found)] == []
    lines = [int(fault.split(":")[1]) for fault in found]
    assert lines == sorted(lines)
    assert next(fault for fault in found if "kantatas" in fault).startswith("estate.yaml:15:")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("regions: {A: {timezone: UTC, country: Moon}}", "a country by its ISO 3166 code"),
        ("regions: {A: {timezone: UTC, country: DE, subdivision: QQ}}", "a subdivision of DE: BB, BE, BW, BY"),
        ("regions: {A: {timezone: UTC}, B: {timezone: UTC}}", "default_region"),
        ("regions: {A: {timezone: ../../etc/passwd}}", "a time zone of the IANA database"),
        (
            "regions: {A: {timezone: UTC, weekend: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]}}",
            "at most 6",
        ),
        ("sources: [{source: /psa}]", "instance"),
        ("sources: [{source: /erp, role: erp, mode: poll}]", "every, such as 15 min"),
        ("flows: {x: {from: erp, to: psa, owner: nobody}}\nteams: {ops: {}}", "one of ops"),
        ("cutoffs: {billing: {default: {every: week, on: friday, at: '17:00', region: Oz}}}", "none is declared"),
        ("- just\n- a list", "a mapping"),
    ],
)
def test_each_kind_of_fault_is_found(text: str, wanted: str) -> None:
    assert any(wanted in fault for fault in faults(text)), faults(text)


SOURCES = """
firm: {reporting_currency: Euro}
regions: {A: {timezone: UTC}, B: {timezone: UTC}}
sources:
  - {source: /nowhere, role: timekeeping}
  - {source: /erp, role: erp, mode: poll}
  - {source: /psa}
  - {source: /crm, role: crm, mode: poll, every: often}
"""


def test_what_is_lacking_is_told_beside_other_faults_and_what_is_faulty_is_not_lacking() -> None:
    found = faults(SOURCES)
    lacking = [fault for fault in found if "seen 'often'" not in fault and "every, such as 15 min" in fault]
    assert [fault.split(":")[1] for fault in lacking] == ["6"]
    assert [fault.split(":")[1] for fault in found if "neither instance nor role" in fault] == ["7"]
    assert any("several regions" in fault for fault in found)


def test_only_currencies_that_there_are_can_be_declared() -> None:
    text = FIRM.replace("currency: AED", "currency: ZZZ").replace("currency: USD", "currency: USX")
    assert [fault.partition(": ")[2] for fault in faults(text)] == [
        "legal_entities.AE01.currency: seen 'ZZZ', wanted a code of ISO 4217, such as EUR",
        "rates[0].currency: seen 'USX', wanted a code of ISO 4217, such as EUR",
    ]


def test_a_list_of_which_entries_are_faulty_is_not_too_short() -> None:
    text = FIRM.replace('{every: week, on: friday, at: "17:00"}', '{every: week, on: 32, at: "25:00"}')
    assert [fault.split(": ")[1] for fault in faults(text)] == [
        "cutoffs.billing.default[0].on",
        "cutoffs.billing.default[0].at",
    ]


def test_a_name_that_stands_twice_hides_no_other_fault(tmp_path: Path) -> None:
    text = FIRM.replace("  XX01: {}", "  DE01: {}").replace("region: GCC, currency", "region: MARS, currency")
    (tmp_path / "estate.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_estate(tmp_path)
    assert [fault.path for fault in caught.value.faults] == ["legal_entities.AE01.region", "legal_entities.DE01"]
