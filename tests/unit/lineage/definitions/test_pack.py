"""The shipped processes, against the table that describes them."""

from __future__ import annotations

import pytest

from lineage.definitions import deadline_text, load_definitions
from lineage.process import Process, StepKind
from throughline.core.key import DEFAULT_PLACEHOLDERS

PACK = load_definitions(None)
REBILLED = frozenset({("billing_event", "invoice"), ("invoice", "invoice")})

# step, event type, systems, deadline, waits for; * initial, ! terminal, ? optional, e error
STEPS = {
    "opportunity-to-project": """
        *approved                  opportunity.approved      crm        -              system
        customer_validated         customer.validated        erp        within_1_h     system
        project_created            project.created           psa        within_4_h     system
        project_activated          project.activated         erp        within_1_bd    system
        staffing_requested         staffing.requested        scheduling within_4_h     system
        billing_schedule_created   billing_schedule.created  erp        within_2_bd    system
        !margin_baseline_published margin_baseline.published fpna       within_1_bd    system""",
    "time-to-bill": """
        *submitted                 time.submitted            psa        -              system
        approved                   time.approved             psa        within_3_bd    person
        posted                     time.posted               erp        within_4_h     system
        released                   billing.released          erp        by_the_billing_cut-off system
        !issued                    invoice.issued            erp        within_5_bd    system
        ?paid                      invoice.paid              erp        -              customer
        ecorrected                 invoice.corrected         erp        -              system
        edisputed                  invoice.disputed          erp        -              system""",
    "milestone-to-invoice": """
        *completed                 milestone.completed       psa        -              system
        approved                   milestone.approved        psa        within_3_bd    person
        released                   billing.released          erp        within_1_bd    system
        issued                     invoice.issued            erp        within_3_bd    system
        !revenue_recognised        revenue.recognised        erp        within_5_bd    system
        ecorrected                 invoice.corrected         erp        -              system""",
    "invoice-to-cash": """
        *issued                    invoice.issued            erp        -              system
        posted                     invoice.posted            erp        within_4_h     system
        sent                       invoice.sent              erp        within_1_bd    system
        !paid                      invoice.paid              erp        by_due_date    customer
        edisputed                  invoice.disputed          erp        -              system""",
}
MARKS = {StepKind.INITIAL: "*", StepKind.TERMINAL: "!", StepKind.ERROR: "e", StepKind.STANDARD: ""}


def table(process: Process) -> list[list[str]]:
    (version,) = process.versions
    return [
        [
            ("?" if step.optional else MARKS[step.kind]) + step.name,
            ",".join(sorted(step.types)),
            ",".join(step.systems),
            (deadline_text(step.deadline) or "-").replace(" ", "_"),
            step.waits_for.value,
        ]
        for step in version.steps
    ]


@pytest.mark.parametrize("name", sorted(STEPS))
def test_steps_are_those_of_the_table(name: str) -> None:
    assert table(PACK.processes[name]) == [line.split() for line in STEPS[name].strip().splitlines()]


def test_it_ships_these_processes_and_no_other() -> None:
    assert list(PACK.processes) == sorted(STEPS)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        (
            "opportunity-to-project",
            "opportunity / / quote project staffing_request contract batch correlation_id / customer",
        ),
        (
            "time-to-bill",
            "time_entry / erp_document / billing_event invoice timesheet batch correlation_id"
            " / worker assignment project contract customer",
        ),
        ("milestone-to-invoice", "milestone / / billing_event invoice batch correlation_id / project contract"),
        ("invoice-to-cash", "invoice / / payment batch correlation_id / contract customer"),
    ],
)
def test_keys_have_their_roles_in_order(name: str, keys: str) -> None:
    process = PACK.processes[name]
    found = [(process.name_key,), process.aliases, process.carriers, process.relations]
    assert found == [tuple(part.split()) for part in keys.split("/")]


def test_carriers_hand_cases_on_where_the_table_says_so() -> None:
    assert {name: process.passes for name, process in PACK.processes.items()} == {
        "opportunity-to-project": frozenset(),
        "time-to-bill": REBILLED,
        "milestone-to-invoice": REBILLED,
        "invoice-to-cash": frozenset(),
    }
    assert PACK.processes["time-to-bill"].links == {"document.registered"}
    assert PACK.processes["opportunity-to-project"].unique == {"project": ("legal_entity",)}


def test_rejections_wait_three_days_for_a_person_and_other_endings_end() -> None:
    rounds = {name: process.versions[0].new_round for name, process in PACK.processes.items()}
    rejected = {name: each for name, each in rounds.items() if each.after}
    assert {name: sorted(each.after) for name, each in rejected.items()} == {
        "opportunity-to-project": ["opportunity.rejected"],
        "time-to-bill": ["time.rejected"],
        "milestone-to-invoice": ["milestone.rejected"],
    }
    assert {(deadline_text(each.deadline), each.waits_for.value) for each in rejected.values()} == {
        ("within 3 bd", "person")
    }
    endings = {(each.type, each.ended_as, each.end) for p in PACK.processes.values() for each in p.versions[0].ended_by}
    assert endings == {
        ("opportunity.cancelled", "cancelled", None),
        ("time.cancelled", "cancelled", None),
        ("time.written_off", "written_off", None),
        ("milestone.cancelled", "cancelled", None),
        ("milestone.written_off", "written_off", None),
        ("invoice.cancelled", "cancelled", None),
        ("invoice.voided", "voided", None),
        ("invoice.written_off", "written_off", None),
        ("invoice.corrected", "superseded", "from"),
    }


def test_an_invoice_is_paid_when_the_amounts_cover_it() -> None:
    covered = {(p.name, s.name) for p in PACK.processes.values() for s in p.versions[0].steps if s.amount_covers}
    assert covered == {("invoice-to-cash", "paid")}


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [({}, True), ({"billable": True}, True), ({"billable": False}, False), ({"billable": "false"}, False)],
)
def test_time_that_is_not_billable_is_not_to_be_billed(facts: dict[str, object], outcome: bool) -> None:
    condition = PACK.processes["time-to-bill"].versions[0].applies_when
    assert condition is not None
    assert condition.holds(facts) is outcome


def test_only_invoices_are_scoped() -> None:
    scoped = {name: key.scope for name, key in PACK.key_types.items() if key.scope}
    assert scoped == {"invoice": ("legal_entity",)}
    assert {key.placeholders for key in PACK.key_types.values()} == {DEFAULT_PLACEHOLDERS}


def test_every_key_type_is_used() -> None:
    assert set(PACK.key_types) == {name for process in PACK.processes.values() for name in process.roles}
