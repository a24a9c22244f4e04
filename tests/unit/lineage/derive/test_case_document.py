"""The case document: its form, its schema, and what it shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from jsonschema import Draft202012Validator, FormatChecker

import lineage.document
from lineage.deviations import Conflict
from lineage.document import case_document, case_schema, encode_document, schema_text
from lineage.fact import Member, Via
from lineage.process import Process
from tests.derived_state.processes import INVOICE_TO_CASH, STAFFING, TIME_TO_BILL
from tests.derived_state.stories import Told, moments, stories
from tests.derived_state.timeline import at, event, failure, stands
from throughline.core.event import Event, identity_digest
from throughline.core.key import Key, KeyType

TYPES = {
    "time_entry": KeyType("time_entry"),
    "invoice": KeyType("invoice", ("legal_entity",)),
    "erp_document": KeyType("erp_document"),
    "billing_event": KeyType("billing_event"),
    "project": KeyType("project"),
}
NAME = Key("time_entry", "N-1")


def shown(
    process: Process, story: list[Member], now: str | int, name: Key = NAME, keys: Any = None, **more: Any
) -> dict[str, Any]:
    derived = stands(process, story, now, {"erp": now, "psa": now}, **more)
    document = case_document(process, name, derived, story, keys or {"name": [name]}, TYPES)
    return json.loads(encode_document(document))


STORY = [
    event("time.submitted", "mon 09:00", amount="100.00", hours="7.5", trace_id="t1", system="psa"),
    event("time.approved", "mon 10:00"),
    failure("time.posted", "mon 11:00", "authentication", via=Via.CARRIER),
    event("billing.released", "mon 12:00", denied=True),
]


def test_it_shows_a_case_with_its_steps_deviations_exposure_and_members():
    found = shown(TIME_TO_BILL, STORY, "mon 15:00")

    assert {name: found[name] for name in ("process", "version", "key_type", "name", "scope", "state", "owner")} == {
        "process": "time-to-bill",
        "version": "1",
        "key_type": "time_entry",
        "name": "N-1",
        "scope": {},
        "state": "open",
        "owner": "finance-ops",
    }
    assert (found["began"], found["last"]) == ("2026-11-02T09:00:00Z", "2026-11-02T11:00:00Z")
    (first,) = found["rounds"]
    assert first["opened_by"] is None
    assert first["steps"][2] == {
        "step": "time.posted",
        "kind": "standard",
        "status": "failed",
        "waits_for": "system",
        "systems": ["erp"],
        "systems_seen": [],
        "optional": False,
        "first": None,
        "last": None,
        "due": "2026-11-02T14:00:00Z",
        "reason": "time.posted failed at 2026-11-02T11:00:00Z: authentication",
        "blind_since": None,
        "event_ids": ["failed time.posted@mon 11:00"],
    }
    assert [(each["kind"], each["step"], each["since"], each["open"]) for each in found["deviations"]] == [
        ("failed", "time.posted", "2026-11-02T11:00:00Z", True),
        ("overdue", "time.posted", "2026-11-02T14:00:00Z", True),
    ]
    assert found["exposure"] == {"amount": "100.00", "currency": "EUR", "hours": "7.5"}
    assert found["waits_for"] == {
        "step": "time.posted",
        "round": 1,
        "who": "system",
        "systems": ["erp"],
        "owner": "finance-ops",
        "due": "2026-11-02T14:00:00Z",
    }
    assert [(each["type"], each["role"], each["outcome"], each["denied"]) for each in found["members"]] == [
        ("time.submitted", "name", "success", False),
        ("time.approved", "name", "success", False),
        ("time.posted", "carrier", "failure", False),
        ("billing.released", "name", "success", True),
    ]
    assert found["members"][0] == {
        "event_id": "time.submitted@mon 09:00",
        "source": "/psa",
        "type": "time.submitted",
        "time": "2026-11-02T09:00:00Z",
        "received": "2026-11-02T09:00:00Z",
        "role": "name",
        "outcome": "success",
        "category": None,
        "message": None,
        "system": "psa",
        "trace_id": "t1",
        "denied": False,
        "other_contents": [],
    }


def test_a_member_shows_what_else_came_under_its_source_and_id():
    member = STORY[0]
    other = Event(
        source=member.fact.source,
        id=member.fact.id,
        type="time.submitted",
        time=member.fact.time,
        received=member.fact.received + 1,
        digest=b"\x01" * 16,
        failed=False,
        fields={"time_entry": "N-2"},
        amount="90.00",
        currency="EUR",
    )
    derived = stands(TIME_TO_BILL, [member], "mon 10:00", {})
    contents = {identity_digest(other.source, other.id): [other]}

    document = case_document(TIME_TO_BILL, NAME, derived, [member], {"name": [NAME]}, TYPES, contents)

    (shown_other,) = json.loads(encode_document(document))["members"][0]["other_contents"]
    assert (shown_other["digest"], shown_other["amount"]) == ("01" * 16, "90.00")
    assert shown_other["fields"] == {"time_entry": "N-2"}


def test_exposure_is_an_empty_object_where_nothing_is_held_and_null_where_it_is_unknown():
    without_amount = [event("time.submitted", "mon 09:00"), failure("time.approved", "mon 10:00")]

    assert shown(TIME_TO_BILL, STORY[:1], "mon 10:00")["exposure"] == {}
    assert shown(TIME_TO_BILL, without_amount, "mon 11:00")["exposure"] is None


def test_it_shows_keys_by_role_in_the_order_of_the_process_each_once():
    keys = {
        "name": [NAME],
        "alias": [Key("erp_document", "D-6"), Key("erp_document", "D-5"), Key("erp_document", "D-6")],
        "carrier": [Key("invoice", "I-1", ("DE01",)), Key("billing_event", "B-7")],
        "relation": [Key("project", "P-1")],
    }

    found = shown(TIME_TO_BILL, STORY, "mon 10:00", keys=keys)["keys"]

    assert [key["value"] for key in found["aliases"]] == ["D-5", "D-6"]
    assert found["carriers"] == [
        {"type": "billing_event", "value": "B-7", "scope": {}},
        {"type": "invoice", "value": "I-1", "scope": {"legal_entity": "DE01"}},
    ]
    assert found["relations"] == [{"type": "project", "value": "P-1", "scope": {}}]


def test_a_scoped_name_shows_its_scope():
    story = [event("invoice.issued", "mon 09:00")]

    found = shown(INVOICE_TO_CASH, story, "mon 10:00", Key("invoice", "I-1", ("DE01",)))

    assert (found["name"], found["scope"]) == ("I-1", {"legal_entity": "DE01"})


def test_a_later_round_names_the_event_that_opened_it():
    story = [*STORY[:2], event("time.rejected", "mon 12:00")]

    assert [each["opened_by"] for each in shown(TIME_TO_BILL, story, "mon 13:00")["rounds"]] == [
        None,
        "time.rejected@mon 12:00",
    ]


def test_the_number_of_an_event_in_the_store_shows_nowhere():
    numbered = [event("time.submitted", "mon 09:00", seq=7, aliases=(4,), carriers=(9,))]
    other = [event("time.submitted", "mon 09:00", seq=8, aliases=(5,), carriers=(2,))]

    assert shown(TIME_TO_BILL, numbered, "mon 10:00") == shown(TIME_TO_BILL, other, "mon 10:00")


def test_the_schema_that_is_kept_is_the_one_of_the_types():
    kept = Path(lineage.document.__file__).parent / "schemas" / "case.schema.json"

    assert kept.read_text() == schema_text(), (
        "make it anew: python -m lineage.document > lineage/schemas/case.schema.json"
    )


def test_the_schema_refuses_what_is_no_case_document():
    validator = Draft202012Validator(case_schema())
    found = shown(TIME_TO_BILL, STORY, "mon 15:00")

    assert validator.is_valid(found)
    assert not validator.is_valid({**found, "state": "sleeping"})
    assert not validator.is_valid({name: value for name, value in found.items() if name != "members"})


@settings(max_examples=50)
@given(stories(), moments)
def test_every_document_fits_the_schema(told: Told, now: int):
    name = Key(told.process.name_key, "N-1")
    types = {name.type: KeyType(name.type)}
    derived = stands(
        told.process, told.members, now, {"erp": now, "psa": now}, conflict=told.conflict, provisional=told.provisional
    )

    document = case_document(told.process, name, derived, told.members, {"name": [name]}, types)

    Draft202012Validator(case_schema(), format_checker=FormatChecker()).validate(json.loads(encode_document(document)))


def test_a_part_seen_step_shows_which_systems_have_reported():
    story = [
        event("staffing.requested", "mon 09:00"),
        event("assignment.confirmed", "mon 10:00"),
        event("assignment.synced", "mon 11:00", system="psa"),
    ]

    derived = stands(STAFFING, story, "mon 12:00", conflict=Conflict((), at("mon 09:00")))
    name = Key("staffing_request", "N-1")
    document = case_document(STAFFING, name, derived, story, {"name": [name]}, {name.type: KeyType(name.type)})

    step = next(each for each in document.rounds[0].steps if each.step == "assignment.synced")
    assert (step.systems, step.systems_seen) == (["erp", "psa"], ["psa"])
