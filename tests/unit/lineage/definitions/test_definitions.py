from __future__ import annotations

from pathlib import Path

import pytest

from lineage.definitions import (
    deadline_text,
    fingerprint,
    load_definitions,
    pack_folder,
    process_document,
    state_fingerprint,
    validate_folder,
)
from lineage.process import Deadline, Process, StepKind, WaitsFor
from throughline.core.calendar import Duration, Unit
from throughline.core.errors import ConfigurationError
from throughline.core.instants import parse_instant
from throughline.core.key import DEFAULT_PLACEHOLDERS

KEYS = """
keys:
  ticket: {normalise: upper, strip_prefix: T-, placeholders: [none, N/A]}
  order: {scope: [shop], normalise: [upper, strip_leading_zeros]}
"""
REPAIR = """
process: repair
title: From a ticket to a repaired thing
owner: workshop
keys:
  name: ticket
  carriers: [order]
  relations: [customer]
  unique: {order: [shop]}
passes: [[order, order]]
links: [ticket.merged]
steps:
  - {step: opened, kind: initial, types: [ticket.opened], system: crm}
  - {step: ordered, types: [parts.ordered, parts.taken], system: [erp, procurement], within: 2 bd, owner: store}
  - {step: repaired, kind: terminal, types: [ticket.repaired], waits_for: person, by_field: promised_on}
new_round: each
ended_by:
  - ticket.cancelled
  - {type: ticket.replaced, as: superseded, end: to}
checks:
  - {check: cheap, that: "facts.cost <= facts.cap", message: It costs more than agreed, step: ordered}
"""


def folder_with(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def read(folder: Path, text: str = REPAIR, name: str = "repair") -> Process:
    return load_definitions(folder_with(folder, keys=KEYS, repair=text)).processes[name]


def faults(folder: Path) -> list[str]:
    """Return the faults of a folder, each as line, place and what was seen and wanted."""
    with pytest.raises(ConfigurationError) as caught:
        load_definitions(folder)
    found = [str(fault) for fault in caught.value.faults]
    return [fault.replace(f"{folder}/", "") for fault in found]


def test_a_process_of_the_firm_stands_beside_the_shipped_ones(tmp_path: Path) -> None:
    process = read(tmp_path)
    (version,) = process.versions
    opened, ordered, repaired = version.steps
    assert (version.number, version.effective_from, version.owner) == ("1", None, "workshop")
    assert (opened.kind, opened.systems, opened.deadline) == (StepKind.INITIAL, ("crm",), None)
    assert ordered.deadline == Deadline(within=Duration(2, Unit.BUSINESS_DAYS))
    assert (ordered.types, ordered.owner) == ({"parts.ordered", "parts.taken"}, "store")
    assert (repaired.systems, repaired.waits_for) == (("erp", "procurement"), WaitsFor.PERSON)
    assert repaired.deadline == Deadline(by_field="promised_on")
    assert version.new_round.each
    assert [(each.type, each.ended_as, each.end) for each in version.ended_by] == [
        ("ticket.cancelled", "cancelled", None),
        ("ticket.replaced", "superseded", "to"),
    ]
    assert version.checks[0].condition.holds({"cost": 3, "cap": 2}) is False
    assert (process.unique, process.passes) == ({"order": ("shop",)}, {("order", "order")})
    assert set(load_definitions(tmp_path).processes) == {"repair", *load_definitions(None).processes}


def test_key_types_say_how_values_are_read(tmp_path: Path) -> None:
    folder_with(tmp_path, keys=KEYS)
    key_types = load_definitions(tmp_path).key_types
    assert key_types["ticket"].value(" t-ab7 ") == "AB7"
    assert key_types["ticket"].value("n/a") is None
    assert key_types["ticket"].value("unknown") == "UNKNOWN"
    assert key_types["order"].value("0017a") == "17A"
    assert (key_types["order"].scope, key_types["order"].placeholders) == (("shop",), DEFAULT_PLACEHOLDERS)


def test_a_process_or_key_type_of_the_same_name_replaces_the_shipped_one(tmp_path: Path) -> None:
    keys = "keys:\n  invoice: {normalise: upper}\n  ticket: {}\n  order: {}\n"
    folder_with(tmp_path, keys=keys, processes__billing=REPAIR.replace("process: repair", "process: time-to-bill"))
    found, shipped = load_definitions(tmp_path), load_definitions(None)
    assert found.processes["time-to-bill"].name_key == "ticket"
    assert (found.key_types["invoice"].scope, found.key_types["customer"]) == ((), shipped.key_types["customer"])
    assert list(found.processes) == list(shipped.processes)


def test_versions_are_in_force_one_after_the_other(tmp_path: Path) -> None:
    head = REPAIR[: REPAIR.index("steps:")]
    step = "{step: %s, kind: %s, types: [ticket.%s], system: crm}"
    steps = f"[{step % ('opened', 'initial', 'opened')}, {step % ('repaired', 'terminal', 'repaired')}]"
    versions = f"""versions:
  - {{version: 1, steps: {steps}}}
  - {{version: "2", effective_from: 2026-07-01, owner: new-shop, steps: {steps}}}
  - {{version: 3b, effective_from: "2026-07-02T00:00:00+02:00", steps: {steps}}}
"""
    process = read(tmp_path, head + versions)
    assert [(each.number, each.owner) for each in process.versions] == [
        ("1", "workshop"),
        ("2", "new-shop"),
        ("3b", "workshop"),
    ]
    instants = ("2026-06-30T23:59:59Z", "2026-07-01T00:00:00Z", "2026-07-01T22:00:00Z")
    assert [process.version_at(parse_instant(each)).number for each in instants] == ["1", "2", "3b"]


FAULTY = """process: Repair
title: From a ticket to a repaired thing
onwer: workshop
applies_when: facts.cost ==
keys:
  name: tikket
  aliases: [order]
  carriers: [order, batch]
  unique: {ticket: [shop]}
passes: [[order, invoice]]
links: [ticket.merged, throughline.statement]
steps:
  - {step: opened, kind: initial, types: [ticket.opened], system: timekeeping, within: 1 h}
  - {step: ordered, types: [source.heartbeat], within: 2 days}
  - {types: [ticket.lost]}
  - {step: ordered, types: [ticket.merged, opened], within: 4 h, by_field: due_date}
  - {step: repaired, kind: final, types: [ticket.opened], waits_for: somebody}
new_round: {after: [ticket.rejected], within: soon}
ended_by: [ticket.rejected, {type: ticket.cancelled, end: middle}]
checks:
  - {check: cheap, that: "1 + 1", message: Too much, step: orderd}
expects:
  - {expect: ordered, types: [ticket.merged, visited], every: week, after: orderd, per: worker, within: 2 weeks}
  - {expect: visits, types: [ticket.visited], every: year, after: ordered}
  - {expect: Visits, types: [a.b], every: day, after: opened, until_field: last-day, ended_by: [source.heartbeat]}
"""


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    folder_with(
        tmp_path,
        keys="keys:\n  ticket: {normalise: title_case}\n  order: {}\n  amount: {}\n",
        faulty=FAULTY,
        processes__broken="process: [unclosed\n",
        processes__empty="",
        notes="notes: something else\n",
    )
    wanted = """
faulty.yaml:1:1: process: seen 'Repair', wanted lower-case words
faulty.yaml:3:1: onwer: seen 'workshop', wanted no such entry: its name is unknown here; perhaps owner
faulty.yaml:4:1: applies_when: seen 'facts.cost ==', wanted a condition in CEL; line 1, column 14
faulty.yaml:6:3: keys.name: seen 'tikket', wanted a key type of keys.yaml: ticket, or another
faulty.yaml:8:14: keys.carriers[0]: seen 'order', which is in aliases already, wanted one role
faulty.yaml:9:12: keys.unique.ticket: seen 'ticket', wanted a carrier or relation
faulty.yaml:10:18: passes[0][1]: seen 'invoice', wanted a carrier
faulty.yaml:11:24: links[1]: seen 'throughline.statement', wanted a type that senders may send
faulty.yaml:13:59: steps[0].system[0]: seen 'timekeeping', wanted
faulty.yaml:13:80: steps[0].within: seen a deadline of an initial step, wanted no deadline
faulty.yaml:14:29: steps[1].types[0]: seen 'source.heartbeat', wanted a type that senders may send
faulty.yaml:14:48: steps[1].within: seen '2 days', wanted a whole number from 1 to 999 and a unit
faulty.yaml:15:5: steps[2].step: seen nothing, wanted this entry, which is required
faulty.yaml:16:6: steps[3].step: seen 'ordered' again, wanted each step once
faulty.yaml:16:29: steps[3].types[0]: seen 'ticket.merged', wanted a type that is not in links
faulty.yaml:16:44: steps[3].types[1]: seen 'opened', wanted an event type
faulty.yaml:16:66: steps[3].by_field: seen within and by_field, wanted one of within, by_field, by_cutoff
faulty.yaml:17:22: steps[4].kind: seen 'final', wanted 'initial', 'standard', 'terminal', 'error'
faulty.yaml:17:59: steps[4].waits_for: seen 'somebody', wanted
faulty.yaml:18:39: new_round.within: seen 'soon', wanted
faulty.yaml:19:12: ended_by[0]: seen 'ticket.rejected', wanted a type that does not open a new round
faulty.yaml:19:54: ended_by[1].end: seen 'middle', wanted
faulty.yaml:21:20: checks[0].that: seen '1 + 1', wanted a condition in CEL; line 1, column 1: a condition gives true
faulty.yaml:21:54: checks[0].step: seen 'orderd', wanted a step: ordered, or another
faulty.yaml:23:6: expects[0].expect: seen 'ordered', which is a step, wanted a name of its own
faulty.yaml:23:31: expects[0].types[0]: seen 'ticket.merged', wanted a type that is not in links
faulty.yaml:23:46: expects[0].types[1]: seen 'visited', wanted an event type
faulty.yaml:23:69: expects[0].after: seen 'orderd', wanted a step: ordered, or another
faulty.yaml:23:84: expects[0].per: seen 'worker', wanted a carrier or relation: order, or another
faulty.yaml:23:97: expects[0].within: seen '2 weeks', wanted a whole number from 1 to 999 and a unit
faulty.yaml:24:47: expects[1].every: seen 'year', wanted 'day', 'week' or 'month'
faulty.yaml:25:6: expects[2].expect: seen 'Visits', wanted lower-case letters
faulty.yaml:25:63: expects[2].until_field: seen 'last-day', wanted a field of events
faulty.yaml:25:97: expects[2].ended_by[0]: seen 'source.heartbeat', wanted a type that senders may send
keys.yaml:2:12: keys.ticket.normalise
keys.yaml:4:3: keys.amount: seen 'amount', wanted another name
notes.yaml:1:1: notes: seen 'notes', wanted one of keys, kpi, mapping, process at the top
processes/broken.yaml:2:1: seen
processes/empty.yaml: seen
""".strip().splitlines()
    found = faults(tmp_path)
    missing = [each for each in wanted if not any(each in fault for fault in found)]
    assert missing == [], "\n".join(found)


HEAD = "process: p\ntitle: T\nkeys: {name: project}\n"
STEPS = """steps:
  - {step: a, kind: initial, types: [x.a], system: crm}
  - {step: b, kind: terminal, types: [x.b]}
"""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (HEAD + STEPS.replace("initial", "standard"), "seen no initial step, wanted a step with kind: initial"),
        (HEAD + STEPS.replace("terminal", "error"), "seen no terminal step"),
        (HEAD, "seen neither steps nor versions"),
        (HEAD + "steps: []\n", "at least 1 entries"),
        (HEAD + STEPS.replace(", system: crm", ""), "a first step without system"),
        (HEAD + STEPS.replace("x.b", "x.a"), "seen 'x.a', which reports a in the same system"),
        (HEAD + STEPS.replace("types: [x.b]", "types: [x.b], optional: true"), "an optional terminal step"),
        (HEAD + STEPS + "  - {step: c, kind: error, types: [x.c], within: 4 h}\n", "a deadline of an error step"),
        (HEAD + STEPS + "new_round: {within: 3 bd}\n", "new_round: seen nothing, wanted after"),
        (HEAD + STEPS + "new_round: always\n", "'each'"),
        (HEAD + STEPS + "new_round: {each: each, after: [x.r]}\n", "both after and each"),
        (HEAD + STEPS + "new_round: {each: each, within: 3 bd}\n", "new_round: seen a deadline"),
        (HEAD + STEPS + "ended_by: [x.c, x.c]\n", "seen 'x.c' more than once"),
        (HEAD + STEPS + "versions:\n  - {version: 1, steps: []}\n", "steps: seen steps beside versions"),
        (
            HEAD + "versions:\n  - {version: 1}\n  - {version: 1, effective_from: 2026-07-01}\n",
            "seen '1', wanted each version once",
        ),
        (
            HEAD
            + "versions:\n  - version: 1\n    "
            + STEPS.replace("\n", "\n    ")
            + "\n  - version: 2\n    "
            + STEPS.replace("\n", "\n    "),
            "no effective_from",
        ),
        (
            HEAD
            + "versions:\n  - {version: 1, effective_from: 2026-07-01}\n  - {version: 2, effective_from: 2026-06-30}\n",
            "later than the version before",
        ),
        (HEAD + "versions:\n  - {version: 1, effective_from: 2026-07-01T00:00:00}\n", "a time with zone"),
        (
            HEAD + STEPS + "checks: [{check: c, that: 'true', message: m}, {check: c, that: 'true', message: m}]\n",
            "each check once",
        ),
        (HEAD.replace("project", "system") + STEPS, "a key type of keys.yaml"),
        (HEAD.replace("title: T\n", "") + STEPS, "title: seen nothing"),
        (HEAD + STEPS + HEAD, "the name 'process' again"),
        ("title: T\n" + STEPS, "process: seen nothing"),
    ],
)
def test_each_kind_of_fault_is_found(tmp_path: Path, text: str, wanted: str) -> None:
    folder_with(tmp_path, processes__p=text)
    found = faults(tmp_path)
    assert any(wanted in fault for fault in found), "\n".join(found)
    assert all(fault.startswith("processes/p.yaml:") for fault in found)


def test_a_missing_part_is_not_told_of_a_file_in_which_it_was_written_wrongly(tmp_path: Path) -> None:
    folder_with(tmp_path, processes__p=HEAD + STEPS.replace("initial", "first"))
    (fault,) = faults(tmp_path)
    assert "seen 'first'" in fault


def test_two_steps_may_share_a_type_where_their_systems_tell_them_apart(tmp_path: Path) -> None:
    text = HEAD + STEPS.replace("types: [x.b]", "types: [x.a], system: erp")
    assert len(read(tmp_path, text, "p").versions[0].step_of_type["x.a"]) == 2


def test_one_process_in_two_files_is_a_fault(tmp_path: Path) -> None:
    folder_with(tmp_path, processes__a=HEAD + STEPS, processes__b=HEAD + STEPS)
    (fault,) = faults(tmp_path)
    assert fault.startswith("processes/b.yaml:1:1: process: seen 'p', which is in ")


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        load_definitions(tmp_path / "nowhere")


def test_other_kinds_of_files_may_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    folder_with(tmp_path, kpis__lag="kpi: billing-readiness-lag\n", estate="firm: {name: N}\n")
    assert validate_folder(tmp_path) == []


def test_validating_a_folder_looks_at_its_estate_too(tmp_path: Path) -> None:
    folder_with(tmp_path, processes__p=HEAD, estate="firms: {}\n")
    assert [Path(fault.file).name for fault in validate_folder(tmp_path)] == ["p.yaml", "estate.yaml"]


def test_the_shipped_pack_is_without_faults() -> None:
    assert validate_folder(pack_folder()) == []


def test_a_process_as_a_document_holds_plain_values_only(tmp_path: Path) -> None:
    document = process_document(read(tmp_path))
    (version,) = document["versions"]
    assert document["keys"] == {
        "name": "ticket",
        "aliases": [],
        "carriers": ["order"],
        "relations": ["customer"],
        "unique": {"order": ["shop"]},
    }
    assert version["steps"][1] == {
        "step": "ordered",
        "kind": "standard",
        "types": ["parts.ordered", "parts.taken"],
        "systems": ["erp", "procurement"],
        "waits_for": "system",
        "due": "within 2 bd",
        "complete_when": None,
        "optional": False,
        "owner": "store",
    }
    assert version["new_round"] == {"after": [], "each": True, "due": None, "waits_for": "person"}
    assert version["checks"][0]["that"] == "facts.cost <= facts.cap"


@pytest.mark.parametrize(
    ("deadline", "text"),
    [
        (None, None),
        (Deadline(within=Duration(72, Unit.ELAPSED_HOURS)), "within 72 elapsed_h"),
        (Deadline(by_field="due_date"), "by due_date"),
        (Deadline(by_cutoff="billing"), "by the billing cut-off"),
    ],
)
def test_a_deadline_reads_as_people_say_it(deadline: Deadline | None, text: str | None) -> None:
    assert deadline_text(deadline) == text


LINKS_CHANGE = [
    ("name: ticket", "name: order_line"),
    ("carriers: [order]", "carriers: [order, batch]"),
    ("relations: [customer]", "relations: [worker]"),
    ("unique: {order: [shop]}", "unique: {order: []}"),
    ("passes: [[order, order]]", "passes: []"),
    ("links: [ticket.merged]", "links: []"),
    ("parts.taken", "parts.fetched"),
    ("- ticket.cancelled", "- ticket.closed"),
    ("process: repair", "process: mending"),
]
STATE_CHANGES = [
    ("within: 2 bd", "within: 3 bd"),
    ("owner: store", "owner: stock"),
    ("waits_for: person", "waits_for: customer"),
    ("as: superseded", "as: replaced"),
    ("facts.cost <=", "facts.cost <"),
    ("system: crm", "system: psa"),
]
MORE_KEYS = KEYS + "  order_line: {}\n"


def prints(folder: Path, keys: str, text: str) -> tuple[str, str]:
    definitions = load_definitions(folder_with(folder, keys=keys, repair=text))
    return fingerprint(definitions), state_fingerprint(definitions)


@pytest.mark.parametrize(("before", "after"), LINKS_CHANGE)
def test_what_changes_links_changes_the_fingerprint_of_links(tmp_path: Path, before: str, after: str) -> None:
    assert prints(tmp_path, MORE_KEYS, REPAIR)[0] != prints(tmp_path, MORE_KEYS, REPAIR.replace(before, after))[0]


@pytest.mark.parametrize(("before", "after"), STATE_CHANGES)
def test_what_changes_state_only_leaves_the_fingerprint_of_links(tmp_path: Path, before: str, after: str) -> None:
    links, state = prints(tmp_path, MORE_KEYS, REPAIR)
    changed_links, changed_state = prints(tmp_path, MORE_KEYS, REPAIR.replace(before, after))
    assert (links == changed_links, state == changed_state) == (True, False)


@pytest.mark.parametrize("change", [("upper", "lower"), ("T-", "TT-"), ("N/A", "X"), ("[shop]", "[shop, year]")])
def test_how_keys_are_read_is_in_the_fingerprint_of_links(tmp_path: Path, change: tuple[str, str]) -> None:
    assert prints(tmp_path, KEYS, REPAIR)[0] != prints(tmp_path, KEYS.replace(*change), REPAIR)[0]


def test_key_types_that_no_process_uses_are_in_no_fingerprint(tmp_path: Path) -> None:
    assert prints(tmp_path, KEYS, REPAIR) == prints(tmp_path, MORE_KEYS, REPAIR)


def test_comments_and_order_of_entries_are_in_no_fingerprint(tmp_path: Path) -> None:
    lines = REPAIR.strip().splitlines()
    moved = "\n".join(["# a comment", *lines[1:3], lines[0], *lines[3:]])
    assert prints(tmp_path, KEYS, REPAIR) == prints(tmp_path, KEYS, moved)


TORN = """
process: repair
owner: 5
keys:
  name: tiket
  aliases: [tiket]
  carriers: order
steps:
  - {step: opened, kind: initial, types: [ticket.opened], system: crmx}
  - {kind: final, types: [throughline.x], within: 4 hours}
  - {step: done, types: [ticket.opened], by_field: a-b}
applies_when: "facts.x ==="
checks:
  - {check: cheap, that: "1 +", message: m, step: nostep}
  - {check: dear, that: "true", message: m, step: done}
foo: bar
"""


def test_faults_of_form_hide_none_of_meaning_in_the_same_file(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, keys=KEYS, repair=TORN)
    assert {fault.path for fault in validate_folder(folder)} == {
        "title",
        "owner",
        "keys.name",
        "keys.aliases[0]",
        "keys.carriers",
        "steps[0].system[0]",
        "steps[1].step",
        "steps[1].kind",
        "steps[1].types[0]",
        "steps[1].within",
        "steps[2].by_field",
        "applies_when",
        "checks[0].that",
        "checks[0].step",
        "foo",
    }


def test_a_key_type_that_stands_twice_hides_no_other_fault(tmp_path: Path) -> None:
    keys = KEYS + "  ticket: {}\n  system: {}\n  thing: {normalise: uppr}\n"
    folder = folder_with(tmp_path, keys=keys, repair=REPAIR)
    assert [fault.path for fault in validate_folder(folder)] == [
        "keys.ticket",
        "keys.system",
        "keys.thing.normalise[0]",
    ]


def test_a_process_without_a_name_is_checked_all_the_same(tmp_path: Path) -> None:
    nameless = REPAIR.replace("process: repair\n", "").replace("within: 2 bd", "within: 2 days")
    folder = folder_with(tmp_path, keys=KEYS, processes__a=nameless, processes__b=nameless)
    assert [fault.path for fault in validate_folder(folder)] == ["process", "steps[1].within"] * 2


FOLLOWER = """
process: {name}
title: What comes after
keys: {{name: {key}, carriers: {carriers}}}
follows: {follows}
steps:
  - {{step: begun, kind: initial, types: [{name}.begun], system: erp}}
  - {{step: ended, kind: terminal, types: [{name}.ended]}}
"""


def followed(folder: Path, name: str, follows: str, key: str = "order", carriers: str = "[]") -> None:
    text = FOLLOWER.format(name=name, key=key, carriers=carriers, follows=follows)
    folder_with(folder, keys=KEYS, repair=REPAIR, **{f"processes__{name}": text})


def test_a_process_follows_others_by_a_key_that_both_have(tmp_path: Path) -> None:
    followed(
        tmp_path, "cash", "[{process: repair, by: order}, {process: invoice-to-cash, by: batch}]", carriers="[batch]"
    )
    followers = load_definitions(tmp_path).followers
    assert followers["repair"] == (("cash", "order"),)
    assert followers["invoice-to-cash"] == (("cash", "batch"),)


@pytest.mark.parametrize(
    ("follows", "told"),
    [
        (
            "{process: repairs, by: order}",
            "5:11: follows[0].process: seen 'repairs', wanted another process: repair, or",
        ),
        ("{process: cash, by: order}", "5:11: follows[0].process: seen 'cash', wanted another process: "),
        ("{process: repair, by: customer}", "wanted a name, alias or carrier of both cash and repair: one of order"),
        ("[{process: repair, by: ticket}]", "5:29: follows[0].by: seen 'ticket', wanted a name, alias or carrier of"),
        ("{process: repair}", "follows[0].by: seen nothing, wanted this entry"),
        ("{process: repair, by: order, after: 3}", "wanted no such entry"),
    ],
)
def test_what_a_process_cannot_follow_is_a_fault_with_its_place(tmp_path: Path, follows: str, told: str) -> None:
    followed(tmp_path, "cash", follows)
    (fault,) = faults(tmp_path)
    assert told in fault


def test_processes_that_follow_one_another_in_a_circle_are_faults_of_each(tmp_path: Path) -> None:
    followed(tmp_path, "cash", "{process: dunning, by: order}")
    followed(tmp_path, "dunning", "{process: cash, by: order}")
    assert [fault.partition("seen ")[2] for fault in faults(tmp_path)] == [
        "cash follows dunning follows cash, wanted processes that follow one another in one direction only",
        "dunning follows cash follows dunning, wanted processes that follow one another in one direction only",
    ]


def test_a_shipped_process_no_longer_follows_one_of_the_firms_that_lacks_the_key(tmp_path: Path) -> None:
    shipped = load_definitions(None).followers
    assert [each.process for each in shipped["milestone-to-invoice"]] == ["invoice-to-cash"]
    folder_with(tmp_path, keys=KEYS, repair=REPAIR.replace("process: repair", "process: milestone-to-invoice"))
    assert "milestone-to-invoice" not in load_definitions(tmp_path).followers


def test_a_shipped_process_that_cannot_follow_any_more_closes_no_circle(tmp_path: Path) -> None:
    keys = "keys: {name: order, carriers: [contract]}"
    text = FOLLOWER.format(
        name="x", key="order", carriers="[]", follows="{process: contract-to-billing-terms, by: contract}"
    )
    mine = text.replace("process: x\n", "process: opportunity-to-project\n").replace(text.splitlines()[3], keys)
    folder_with(tmp_path, keys=KEYS, own=mine)
    (fault,) = faults(tmp_path)
    assert "opportunity-to-project follows contract-to-billing-terms follows opportunity-to-project" in fault
    folder_with(tmp_path, own=mine.replace("contract]}", "project]}").replace("by: contract", "by: project"))
    assert load_definitions(tmp_path).followers["contract-to-billing-terms"] == (("opportunity-to-project", "project"),)


def test_what_follows_what_is_not_stored_so_that_nothing_is_derived_or_drawn_anew_for_it(tmp_path: Path) -> None:
    followed(tmp_path, "cash", "{process: repair, by: order}")
    before = load_definitions(tmp_path)
    followed(tmp_path, "cash", "[]")
    after = load_definitions(tmp_path)
    assert (fingerprint(before), state_fingerprint(before)) == (fingerprint(after), state_fingerprint(after))
    assert process_document(before.processes["cash"])["follows"] == [{"process": "repair", "by": "order"}]
