"""Lineage of one record: the same from every order of arrival, found by any key, with the shortest evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineage.cases import Filter, list_cases
from lineage.fact import CaseState
from lineage.lookup import Found, Part, cases_of
from lineage.read import CaseReader, Snapshot
from lineage.record import find_records
from tests.guarantees.firm import happened
from tests.identity_model.four_processes import FOUR_PROCESSES
from tests.identity_model.golden import FOLDER, GoldenCase, golden_paths, load
from tests.identity_model.worlds import Arrival
from tests.unit.lineage.reading import no_traces, reader_of
from throughline.core.key import Key
from throughline.core.problem import Problem


def arrivals(case: GoldenCase) -> list[Arrival]:
    return [Arrival([event], []) for event in case.events.values()] + [Arrival([], [each]) for each in case.statements]


def orders(case: GoldenCase) -> list[list[Arrival]]:
    steps = arrivals(case)
    at_once = [Arrival(list(case.events.values()), []), *steps[len(case.events) :]]
    return [at_once, steps[::-1]]


def record(reader: CaseReader, kind: str, value: str, **scope: str) -> dict[str, Any]:
    with reader.snapshot() as snapshot:
        page = find_records(snapshot, kind, value, scope, no_traces, None, 100)
    (only,) = json.loads(msgspec.json.encode(page.records))
    return only


def everything(reader: CaseReader, case: GoldenCase) -> bytes:
    """Return all that the reader tells of all keys of all events."""
    keys = {
        (name, value)
        for event in case.events.values()
        for name, raw in event.fields.items()
        if name in case.declaration.keys
        for value in (raw if isinstance(raw, list) else [str(raw)])
        if case.declaration.key_type(name).value(value)
    }
    with reader.snapshot() as snapshot:
        found = [find_records(snapshot, *key, {}, no_traces, None, 100) for key in sorted(keys)]
        lines = [each.line for each in list_cases(snapshot, Filter(), None, 100)]
    assert all(page.next is None for page in found)
    return msgspec.json.encode([[page.records for page in found], lines])


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_what_is_told_is_the_same_to_the_byte_from_every_order(path: Path, tmp_path: Path) -> None:
    case = load(path)
    told: set[bytes] = set()
    for order in orders(case):
        with reader_of(tmp_path, order, case.declaration, case.now) as reader:
            told.add(everything(reader, case))
    assert len(told) == 1


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_each_case_is_found_by_its_name_with_a_reason_for_each_member(path: Path, tmp_path: Path) -> None:
    case = load(path)
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader, reader.snapshot() as snapshot:
        for process, outcome in case.expected.items():
            for text, expected in outcome["cases"].items() if isinstance(outcome, dict) and "cases" in outcome else ():
                key = Key.decode(text)
                page = find_records(snapshot, key.type, key.value, {}, no_traces, None, 100)
                (found,) = [
                    lineage
                    for found in page.records
                    for lineage in found.cases
                    if lineage.case.process == process and lineage.role in ("name", "alias")
                    if (lineage.case.name, tuple(lineage.case.scope.values())) == (key.value, key.scope)
                ]
                members = {*expected["members"], *expected["denied"]}
                assert {(each.source, each.event_id) for each in found.case.members} == members
                assert {(why.event.source, why.event.id) for why in found.why} == members


def golden(name: str) -> GoldenCase:
    return load(FOLDER / f"{name}.yaml")


def links(why: list[dict[str, Any]], event: str) -> list[tuple[str, str, str, str]]:
    """Return the chain of one event as (kind, from, to, by)."""
    (found,) = [each for each in why if each["event"]["id"] == event]
    return [
        (
            link["kind"],
            link["from"]["value"],
            link["to"]["value"],
            link["event"]["id"] if link["event"] else link["statement"],
        )
        for link in found["links"]
    ]


def test_evidence_goes_from_the_name_over_what_it_holds_to_where_the_event_stands(tmp_path: Path) -> None:
    case = golden("15-a-corrected-invoice")
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader:
        (lineage,) = record(reader, "time_entry", "T1")["cases"]
    assert links(lineage["why"], "released") == []
    assert links(lineage["why"], "issued") == [("hold", "T1", "B1", "released")]
    assert links(lineage["why"], "paid") == [
        ("hold", "T1", "B1", "released"),
        ("pass", "B1", "I1", "issued"),
        ("pass", "I1", "I2", "corrected"),
    ]


def test_a_record_is_found_by_any_key_with_the_role_it_has(tmp_path: Path) -> None:
    case = golden("03-two-entries-on-one-invoice")
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader:
        found = record(reader, "billing_event", "B1")
    roles = {(each["case"]["process"], each["case"]["name"]): each["role"] for each in found["cases"]}
    assert roles[("time-to-bill", "T1")] == roles[("time-to-bill", "T2")] == "carrier"
    assert found["case_count"] == len(found["cases"])
    assert found["waiting"] is None


def test_what_waits_in_one_process_and_has_a_case_in_another_does_not_wait(tmp_path: Path) -> None:
    case = golden("03-two-entries-on-one-invoice")
    with reader_of(tmp_path, arrivals(case), FOUR_PROCESSES, case.now) as reader:
        assert reader.definitions.processes.keys() >= {"time-to-bill", "milestone-to-invoice"}
        found = record(reader, "billing_event", "B1")
    assert found["case_count"] == 2
    assert found["waiting"] is None


def test_what_waits_at_a_value_is_told_with_it(tmp_path: Path) -> None:
    case = golden("06-before-the-orphan-time")
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader:
        found = record(reader, "invoice", "I9")
        orphan = golden("06-an-invoice-of-nothing")
    assert found["cases"] == []
    assert found["waiting"]["events"] == 1
    assert found["waiting"]["orphan"] is False
    with reader_of(tmp_path, arrivals(orphan), orphan.declaration, orphan.now) as reader:
        waiting = record(reader, "invoice", "I9")["waiting"]
    assert waiting["orphan"] is True
    assert waiting["exposure"] == {"amount": orphan.events["issued"].amount, "currency": "EUR", "hours": None}


def test_an_orphan_whose_value_names_a_case_holds_nothing_up_itself(tmp_path: Path) -> None:
    case = golden("06-with-a-case-of-its-own")
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader:
        found = record(reader, "invoice", "I9")
    assert [each["role"] for each in found["cases"]] == ["name"]
    assert found["waiting"]["orphan"] is True
    assert found["waiting"]["exposure"] == {}


def test_a_person_who_took_an_event_off_is_told_with_it(tmp_path: Path) -> None:
    case = golden("14-a-wrong-billing-run")
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader:
        (lineage,) = record(reader, "time_entry", "T2")["cases"]
    (statement,) = lineage["statements"]
    assert (statement["why"], statement["by"], statement["verb"]) == ("wrong billing run", "ana", "unlink")
    denied = {why["event"]["id"]: why["denied_by"] for why in lineage["why"]}
    assert denied == {"submitted-2": None, "released": statement["id"]}


def test_a_link_that_only_a_person_drew_says_so(tmp_path: Path) -> None:
    case = golden("read-13-linked-by-a-person-alone")
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader, reader.snapshot() as snapshot:
        by_statement = [
            link
            for each in list_cases(snapshot, Filter(), None, 10)
            for found in find_records(snapshot, each.line.key_type, each.line.name, {}, no_traces, None, 9).records
            for lineage in found.cases
            for why in lineage.why
            for link in why.links
            if link.event is None
        ]
    assert [(link.kind, link.start.value, link.end.value, link.statement) for link in by_statement] == [
        ("tie", "T1", "D1", case.statements[0].id)
    ]


def test_scopes_make_different_records_of_one_value(tmp_path: Path) -> None:
    case = golden("09-invoice-numbers-of-two-entities")
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader, reader.snapshot() as snapshot:
        invoices = {
            tuple(value.values())
            for event in case.events.values()
            if (value := {"legal_entity": event.fields.get("legal_entity")}) and "invoice" in event.fields
        }
        value = next(str(event.fields["invoice"]) for event in case.events.values() if "invoice" in event.fields)
        page = find_records(snapshot, "invoice", value, {}, no_traces, None, 100)
        assert {tuple(each.key.scope.values()) for each in page.records} == invoices
        assert len(invoices) == 2
        entity = str(min(invoices)[0])
        (only,) = find_records(snapshot, "invoice", value, {"legal_entity": entity}, no_traces, None, 100).records
        assert only.key.scope == {"legal_entity": entity}


def test_a_placeholder_is_no_record(tmp_path: Path) -> None:
    case = golden("01-one-case-of-four-steps")
    with (
        reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader,
        reader.snapshot() as snapshot,
    ):
        assert find_records(snapshot, "time_entry", "n/a", {}, no_traces, None, 100).records == []


@pytest.mark.parametrize("value", ["TE\u00a07", "TE\u30007", "TE\u200c7", "TE\u00ad7"])
def test_a_key_with_a_space_or_a_joiner_of_any_script_is_a_record(value: str, tmp_path: Path) -> None:
    case = golden("01-one-case-of-four-steps")
    (first, *_) = case.events.values()
    named = msgspec.structs.replace(first, fields={"time_entry": value}, digest=b"named")
    with reader_of(tmp_path, [Arrival([named], [])], case.declaration, case.now) as reader:
        assert record(reader, "time_entry", value)["cases"][0]["case"]["name"] == value


@pytest.mark.parametrize(
    ("kind", "value", "scope", "sentence"),
    [
        ("colour", "T1", {}, "wanted a type of key"),
        ("time_entry", "a\x1fb", {}, "control characters"),
        ("time_entry", "a\tb", {}, "control characters"),
        ("time_entry", "T1", {"legal_entity": "DE01"}, "does not have"),
        ("invoice", "I1", {"region": "DE01"}, "wanted legal_entity"),
    ],
)
def test_a_key_that_is_none_is_a_problem(
    kind: str, value: str, scope: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    case = golden("01-one-case-of-four-steps")
    with (
        reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader,
        reader.snapshot() as snapshot,
        pytest.raises(Problem, match=sentence),
    ):
        find_records(snapshot, kind, value, scope, no_traces, None, 100)


def test_pages_of_a_record_give_each_case_once(tmp_path: Path) -> None:
    case = golden("03-two-entries-on-one-invoice")
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader, reader.snapshot() as snapshot:
        whole = find_records(snapshot, "billing_event", "B1", {}, no_traces, None, 100)
        names: list[tuple[str, str]] = []
        place = None
        for _ in range(20):
            page = find_records(snapshot, "billing_event", "B1", {}, no_traces, place, 1)
            names += [(each.case.process, each.case.name) for found in page.records for each in found.cases]
            place = page.next
            if place is None:
                break
    assert names == [(each.case.process, each.case.name) for found in whole.records for each in found.cases]
    assert len(names) > 1


def test_lists_go_by_process_and_name_page_by_page(tmp_path: Path) -> None:
    case = golden("03-two-entries-on-one-invoice")
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader, reader.snapshot() as snapshot:
        whole = list_cases(snapshot, Filter(), None, 100)
        first = list_cases(snapshot, Filter(), None, 1)
        rest = list_cases(snapshot, Filter(), first[-1].place, 100)
        states = (CaseState.DONE, CaseState.OPEN)
        assert [each.line.state for each in list_cases(snapshot, Filter(states=states), None, 100)] == [
            each.line.state for each in whole if each.line.state in states
        ]
        assert list_cases(snapshot, Filter(states=(CaseState.ENDED,)), None, 100) == []
        assert list_cases(snapshot, Filter(processes=("no-such",)), None, 100) == []
    assert first + rest == whole
    assert [each.place for each in whole] == sorted(each.place for each in whole)
    assert len(whole) > 1


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_who_holds_a_carrier_is_what_the_resolver_says_page_by_page(path: Path, tmp_path: Path) -> None:
    case = load(path)
    with reader_of(tmp_path, arrivals(case), case.declaration, case.now) as reader, reader.snapshot() as snapshot:
        for value, text in snapshot.store.rows("SELECT id, text FROM value"):
            for number, process in snapshot.processes.items():
                if Key.decode(text).type not in process.carriers:
                    continue
                reach = snapshot.resolver.holders(number, value)
                names = {row.name for row in snapshot.store.cases_by_id(reach.cases).values() if row.facts}
                named = {found.name for found in pages(snapshot, Key.decode(text), process.name, 1)}
                assert {name for name in named if name.startswith(process.name_key)} == names
                assert len(named) - len(names) == len(reach.provisional)
                assert pages(snapshot, Key.decode(text), process.name, 1) == pages(
                    snapshot, Key.decode(text), process.name, 100
                )


def pages(snapshot: Snapshot, key: Key, process: str, limit: int, part: Part = Part.CARRIER) -> list[Found]:
    """Return all cases that have a key in one part, read in pages."""
    found: list[Found] = []
    after = None
    while page := cases_of(snapshot, key, (part,), after, limit, within=process):
        found += page
        after = page[-1][:3]
    return found


@pytest.mark.parametrize("limit", [1, 7, 400])
def test_a_value_that_very_many_cases_have_is_paged_as_others_are(limit: int, tmp_path: Path) -> None:
    entries = [f"T{number:03}" for number in range(300)]
    events = [
        happened(entry, "time.submitted", 1, time_entry=entry, project="P1" if number % 3 else "P2")
        for number, entry in enumerate(entries)
    ]
    arrived = [Arrival(events[::-1], [])]
    with reader_of(tmp_path, arrived, FOUR_PROCESSES, 10**15) as reader, reader.snapshot() as snapshot:
        found = pages(snapshot, Key("project", "P1"), "time-to-bill", limit, Part.RELATION)
    assert [Key.decode(each.name).value for each in found] == [entry for n, entry in enumerate(entries) if n % 3]


TWO_WAYS = """
says: Two chains of equal length lead to one invoice.
processes: [time-to-bill]
common: {legal_entity: DE01}
events:
  z-first: {type: billing.released, time_entry: T1, billing_event: B1}
  a-second: {type: billing.released, time_entry: T1, billing_event: B2}
  again: {type: billing.released, time_entry: T1, billing_event: B2}
  pass-1: {type: invoice.issued, billing_event: B1, invoice: I1}
  pass-2: {type: invoice.issued, billing_event: B2, invoice: I1}
  paid: {type: invoice.paid, invoice: I1}
expected: {time-to-bill: {}}
"""


def test_of_equal_chains_the_one_whose_events_come_first_is_told(tmp_path: Path) -> None:
    written = tmp_path / "two-ways.yaml"
    written.write_text(TWO_WAYS)
    case = load(written)
    for order in (arrivals(case), arrivals(case)[::-1]):
        with reader_of(tmp_path, order, case.declaration, case.now) as reader:
            (lineage,) = record(reader, "time_entry", "T1")["cases"]
        assert links(lineage["why"], "paid") == [("hold", "T1", "B2", "a-second"), ("pass", "B2", "I1", "pass-2")]
