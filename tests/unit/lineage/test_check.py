"""Check: each finding is found in the event that has it and in no other, and flows are told apart."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.check import CheckDocument, Checker
from tests.guarantees.firm import ERP, PSA, happened
from tests.guarantees.shown import PACK
from throughline.core.event import Event, Relation
from throughline.core.instants import parse_instant

AT = parse_instant("2026-03-02T09:00:00Z")
PAIRS = [Relation("time_entry", "T1", "billing_event", "B1"), Relation("time_entry", "T2", "billing_event", "B2")]
SEVERAL: dict[str, Any] = {"time_entry": ["T1", "T2"], "billing_event": ["B1", "B2"]}


def event(kind: str, source: str = PSA, flow: str | None = "timesheets", more: Any = None, **fields: Any) -> Event:
    return happened("1", kind, AT, source, more={"flow": flow, "trace_id": "0" * 31 + "1", **(more or {})}, **fields)


def check(*events: Event) -> CheckDocument:
    checker = Checker(PACK)
    checker.look(events)
    return checker.document()


@pytest.mark.parametrize(
    ("told", "findings"),
    [
        (event("time.approved", time_entry="T1"), []),
        (event("time.posted", erp_document="D1"), []),
        (event("invoice.issued", invoice="I1", legal_entity="DE01"), []),
        (event("billing.released", more={"relations": PAIRS}, **SEVERAL), []),
        (event("erp.thing", time_entry="T1"), ["unmapped"]),
        (event("time.approved", customer="C1"), ["no_key"]),
        (event("time.approved", time_entry="n/a"), ["no_key", "placeholder"]),
        (event("time.approved", time_entry="T1", customer="unknown"), ["placeholder"]),
        (event("invoice.issued", invoice="I1"), ["no_key", "lacking_scope"]),
        (event("billing.released", **SEVERAL), ["ambiguous"]),
        (event("time.approved", time_entry="T1", more={"trace_id": None}), ["uncorrelated"]),
        (event("time.approved", time_entry="T1", correlation_id="R", more={"trace_id": None}), []),
    ],
)
def test_an_event_has_the_findings_that_it_should(told: Event, findings: list[str]) -> None:
    (flow,) = check(told).flows
    assert [each.finding.value for each in flow.findings] == findings


def test_a_flow_counts_by_which_key_its_events_come() -> None:
    (flow,) = check(
        event("time.approved", time_entry="T1"),
        event("time.posted", erp_document="D1"),
        event("time.posted", correlation_id="R1"),
        event("time.posted"),
    ).flows
    assert (flow.events, flow.by_name, flow.by_alias, flow.by_carrier) == (4, 1, 1, 1)
    assert flow.coverage == "75.0"


def test_only_all_is_a_hundred_percent() -> None:
    (flow,) = check(*[event("time.approved", time_entry="T1")] * 1999, event("time.approved")).flows
    assert flow.coverage == "99.9"


def test_a_finding_names_the_first_event_that_has_it_and_what_to_change() -> None:
    first = event("invoice.issued", source=ERP, invoice="I1")
    (flow,) = check(first, event("invoice.issued", source=PSA, invoice="I2")).flows
    found = next(each for each in flow.findings if each.finding == "lacking_scope")
    assert (found.events, found.example_source, found.example_id, found.type) == (2, ERP, "1", "invoice.issued")
    assert "legal_entity" in found.sentence


def test_flows_are_told_apart_and_events_without_one_by_their_source() -> None:
    flows = check(
        event("time.approved", time_entry="T1"),
        event("time.approved", flow=None, time_entry="T1"),
        event("time.approved", flow=None, source=ERP),
        event("source.heartbeat", flow=None, source="/firm/crm"),
    ).flows
    assert [(flow.flow, flow.source, flow.coverage) for flow in flows] == [
        (None, ERP, "0.0"),
        (None, PSA, "100.0"),
        ("timesheets", None, "100.0"),
    ]


def test_without_events_there_is_no_flow_and_no_percentage() -> None:
    assert check().flows == []
