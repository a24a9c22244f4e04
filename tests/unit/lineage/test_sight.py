from __future__ import annotations

import pytest

from lineage.fact import Sight, Watermark
from lineage.sight import Heard, Reporting, SourceSight, unheard_sources
from throughline.core.estate import Estate, read_estate
from throughline.core.instants import HOUR, MINUTE, parse_instant
from throughline.core.yaml_file import parse_yaml

FIRM = """
legal_entities: {DE01: {}, FR01: {}, US01: {}}
sources:
  - {source: /psa, role: psa, every: 15 min}
  - {source: /erp/de, role: erp, legal_entities: [DE01], mode: poll, every: 1 h}
  - {source: /erp/us, role: erp, legal_entities: [US01], mode: poll, every: 1 h}
  - {source: /crm, role: crm}
"""
NOW = parse_instant("2026-11-03T12:00:00Z")


def estate(text: str = FIRM) -> Estate:
    return read_estate(parse_yaml(text.encode(), "estate.yaml"))


def see(heard: dict[str, Heard], text: str = FIRM) -> Sight:
    return SourceSight(Reporting(estate(text)), heard, NOW)


HEARD = {
    "/psa": Heard(NOW - 20 * MINUTE),
    "/erp/de": Heard(NOW - 10 * MINUTE, NOW - HOUR),
    "/erp/us": Heard(NOW - 3 * HOUR, NOW - 4 * HOUR),
    "/crm": Heard(NOW - 90 * HOUR),
}


def test_who_has_never_told_up_to_when_it_has_reported_is_named() -> None:
    sources = estate().sources
    assert unheard_sources(sources, HEARD, NOW) == []
    some = {"/crm": HEARD["/crm"], "/erp/de": Heard(NOW - HOUR), "/unknown": Heard(NOW)}
    assert unheard_sources(sources, some, NOW) == ["/psa", "/erp/de", "/erp/us"]  # of one no heartbeat came


def test_a_source_that_sends_is_seen_up_to_its_last_receipt() -> None:
    assert see({"/psa": Heard(NOW - 5 * MINUTE)}).watermark(("psa",), "DE01") == Watermark(
        NOW - 5 * MINUTE, "/psa", None, True
    )


def test_a_polled_source_is_seen_up_to_what_its_heartbeat_says() -> None:
    assert see(HEARD).watermark(("erp",), "DE01") == Watermark(NOW - HOUR, "/erp/de", None, True)
    unheard = {"/erp/de": Heard(NOW - MINUTE)}
    assert see(unheard).watermark(("erp",), "DE01") == Watermark(None, "/erp/de", None, True)


def test_silent_for_longer_than_its_cadence_it_is_blind_and_its_watermark_stays() -> None:
    assert see(HEARD).watermark(("psa",), None) == Watermark(NOW - 20 * MINUTE, "/psa", NOW - 5 * MINUTE, True)
    assert see({"/psa": Heard(NOW - 15 * MINUTE)}).watermark(("psa",), None).blind_since is None
    assert see(HEARD).watermark(("crm",), None).blind_since is None  # no cadence


def test_the_lowest_watermark_of_a_role_counts() -> None:
    us = Watermark(NOW - 4 * HOUR, "/erp/us", NOW - 2 * HOUR, True)
    assert see(HEARD).watermark(("erp",), None) == us  # any of them may report for an unknown entity
    assert see(HEARD).watermark(("erp",), "US01") == us
    assert see(HEARD).watermark(("psa", "erp"), "DE01").source == "/erp/de"


def test_a_source_that_never_reported_is_the_lowest() -> None:
    heard = {name: each for name, each in HEARD.items() if name != "/psa"}
    assert see(heard).watermark(("erp", "psa"), "US01") == Watermark(None, "/psa", None, True)


@pytest.mark.parametrize(
    ("roles", "entity"),
    [(("fpna",), None), (("erp",), "FR01"), (("erp",), "XX99"), (("psa", "fpna"), "DE01"), ((), None)],
)
def test_without_a_declared_source_nothing_can_be_said(roles: tuple[str, ...], entity: str | None) -> None:
    assert see(HEARD).watermark(roles, entity) == Watermark(None, None, None, False)


def test_a_source_without_entities_covers_all_of_them() -> None:
    assert see(HEARD).watermark(("psa",), "XX99").source == "/psa"


def test_an_estate_without_sources_sees_nothing() -> None:
    assert not see(HEARD, "firm: {}").watermark(("psa",), "DE01").declared


def test_reporting_sources_are_remembered_within_bounds() -> None:
    reporting = Reporting(estate())
    found = {reporting.sources_of(("psa",), f"entity {n}") for n in range(1_000)}
    assert [[source.source for source in sources] for sources in found] == [["/psa"]]
    assert len(reporting._found) == 1
