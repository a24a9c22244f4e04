"""The shipped processes, against the table that describes them."""

from __future__ import annotations

import pytest

from lineage.definitions import deadline_text, load_definitions
from lineage.process import Every, Process, StepKind
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
    "pipeline-to-forecast": """
        *committed                 opportunity.committed     crm        -              system
        demand_forecasted          demand.forecasted         scheduling within_4_h     system
        !forecast_updated          forecast.updated          fpna       within_1_bd    system""",
    "contract-to-billing-terms": """
        *signed                    contract.signed           crm        -              system
        terms_approved             terms.approved            crm        within_2_bd    person
        terms_synced               terms.synced              psa        within_4_h     system
        !terms_synced_erp          terms.synced_erp          erp        within_4_h     system""",
    "staffing": """
        *requested                 staffing.requested        scheduling -              system
        proposed                   candidate.proposed        scheduling within_2_bd    person
        confirmed                  assignment.confirmed      scheduling within_5_bd    person
        !synced                    assignment.synced         erp,psa    within_4_h     system""",
    "assignment-change": """
        *changed                   assignment.changed        scheduling -              system
        cost_forecast_updated      cost_forecast.updated     erp        within_4_h     system
        !project_team_notified     project_team.notified     erp        within_4_h     system""",
    "expense-to-bill": """
        *submitted                 expense.submitted         expense    -              system
        approved                   expense.approved          expense    within_5_bd    person
        posted                     expense.posted            erp        within_1_bd    system
        released                   billing.released          erp        by_the_billing_cut-off system
        !issued                    invoice.issued            erp        within_5_bd    system
        ecorrected                 invoice.corrected         erp        -              system""",
    "subscription-to-invoice": """
        *due                       schedule_line.due         erp        -              system
        issued                     invoice.issued            erp        within_2_bd    system
        !revenue_recognised        revenue.recognised        erp        within_5_bd    system""",
    "change-order": """
        *approved                  change_order.approved     crm        -              system
        project_budget_revised     project_budget.revised    psa        within_1_bd    system
        billing_plan_updated       billing_plan.updated      erp        within_1_bd    system
        !margin_forecast_updated   margin_forecast.updated   fpna       within_1_bd    system""",
    "subcontractor-cost": """
        *requested                 purchase_order.requested  procurement -             system
        approved                   purchase_order.approved   procurement within_3_bd   person
        ?supplier_invoice_received supplier_invoice.received procurement -             customer
        cost_posted                cost.posted               erp        within_2_bd    system
        !project_cost_synced       project_cost.synced       psa        within_1_bd    system""",
    "capacity-sync": """
        *changed                   resource.changed          hcm        -              system
        availability_updated       availability.updated      scheduling within_4_h     system
        !synced                    resource.synced           psa,erp    within_1_bd    system""",
    "payroll-feed": """
        *approved                  time.approved_for_payroll psa        -              system
        loaded                     payroll.loaded            payroll    by_the_payroll_cut-off system
        !confirmed                 payroll.confirmed         payroll    within_1_bd    system""",
    "customer-master": """
        *changed                   account.changed           crm        -              system
        synced                     account.synced            erp        within_4_h     system
        !synced_psa                account.synced_psa        psa        within_4_h     system""",
    "forecast-cycle": """
        *revised                   forecast.revised          scheduling -              system
        received                   forecast.received         fpna       within_4_h     system
        scenario_returned          scenario.returned         scheduling within_2_bd    system
        !report_refreshed          report.refreshed          bi         within_1_bd    system""",
    "actuals-to-plan": """
        *posted                    actuals.posted            erp        -              system
        loaded                     actuals.loaded            fpna       within_1_bd    system
        !report_refreshed          report.refreshed          bi         within_4_h     system""",
    "billing-run": """
        *started                   billing_run.started       billing    -              system
        !completed                 billing_run.completed     billing    within_4_h     system""",
    "period-close": """
        *ended                     period.ended              erp        -              system
        costs_complete             costs.complete            erp        within_3_bd    person
        revenue_posted             revenue.posted            erp        within_5_bd    system
        !closed                    period.closed             erp        within_8_bd    person""",
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


# name / aliases / carriers, all lists ended by batch and correlation_id / relations
KEYS = {
    "pipeline-to-forecast": "opportunity / / /",
    "opportunity-to-project": "opportunity / / quote project staffing_request contract / customer",
    "contract-to-billing-terms": "contract / / project /",
    "staffing": "staffing_request / / assignment / project worker",
    "assignment-change": "assignment_change / / / assignment project",
    "time-to-bill": "time_entry / erp_document / billing_event invoice timesheet"
    " / worker assignment project contract customer",
    "expense-to-bill": "expense / erp_document / billing_event invoice expense_report /",
    "milestone-to-invoice": "milestone / / billing_event invoice / project contract",
    "subscription-to-invoice": "billing_schedule_line / / invoice / contract",
    "invoice-to-cash": "invoice / / payment / contract customer",
    "change-order": "change_order / / / contract project",
    "subcontractor-cost": "requisition_line / purchase_order_line / supplier_invoice / project",
    "capacity-sync": "resource_change / / / resource worker",
    "payroll-feed": "payroll_item / / payroll_run / worker time_entry",
    "customer-master": "account_change / / / account",
    "forecast-cycle": "forecast_revision / / report /",
    "actuals-to-plan": "ledger_batch / / load report /",
    "period-close": "entity_period / / /",
    "billing-run": "billing_run / / /",
}


@pytest.mark.parametrize("name", sorted(STEPS))
def test_keys_have_their_roles_in_order(name: str) -> None:
    process = PACK.processes[name]
    own, aliases, carriers, relations = (part.split() for part in KEYS[name].split("/"))
    assert [process.name_key] == own
    assert [list(process.aliases), list(process.relations)] == [aliases, relations]
    assert list(process.carriers) == [*carriers, "batch", "correlation_id"]


def test_carriers_hand_cases_on_where_the_table_says_so() -> None:
    assert {name: process.passes for name, process in PACK.processes.items() if process.passes} == {
        "time-to-bill": REBILLED,
        "expense-to-bill": REBILLED,
        "milestone-to-invoice": REBILLED,
    }
    assert {name: process.links for name, process in PACK.processes.items() if process.links} == {
        "time-to-bill": {"document.registered"},
        "contract-to-billing-terms": {"project.closed"},
    }
    assert {name: process.unique for name, process in PACK.processes.items() if process.unique} == {
        "opportunity-to-project": {"project": ("legal_entity",)}
    }


def test_rejections_wait_three_days_for_a_person() -> None:
    rounds = {name: process.versions[0].new_round for name, process in PACK.processes.items()}
    assert [name for name, each in rounds.items() if each.each] == ["pipeline-to-forecast"]
    rejected = {name: each for name, each in rounds.items() if each.after}
    assert {name: sorted(each.after) for name, each in rejected.items()} == {
        "actuals-to-plan": ["actuals.rejected"],
        "assignment-change": ["assignment_change.rejected"],
        "capacity-sync": ["resource_change.rejected"],
        "change-order": ["change_order.rejected"],
        "contract-to-billing-terms": ["contract.rejected", "terms.rejected"],
        "customer-master": ["account_change.rejected"],
        "expense-to-bill": ["expense.rejected"],
        "forecast-cycle": ["forecast.rejected"],
        "milestone-to-invoice": ["milestone.rejected"],
        "opportunity-to-project": ["opportunity.rejected"],
        "payroll-feed": ["payroll.rejected"],
        "staffing": ["staffing.rejected"],
        "subcontractor-cost": ["purchase_order.rejected"],
        "time-to-bill": ["time.rejected"],
    }
    assert {(deadline_text(each.deadline), each.waits_for.value) for each in rejected.values()} == {
        ("within 3 bd", "person")
    }


def test_cases_end_as_their_object_can() -> None:
    endings = {
        name: [(each.type, each.ended_as, each.end) for each in process.versions[0].ended_by]
        for name, process in PACK.processes.items()
    }
    superseded = endings["invoice-to-cash"].pop()
    assert superseded == ("invoice.corrected", "superseded", "from")
    for name, of_process in endings.items():
        for kind, ended_as, end in of_process:
            assert (ended_as, end) == (kind.rpartition(".")[2], None), name
    assert {name: [kind for kind, _, _ in of_process] for name, of_process in endings.items()} == {
        "actuals-to-plan": ["actuals.cancelled"],
        "assignment-change": ["assignment_change.cancelled"],
        "capacity-sync": ["resource_change.cancelled"],
        "change-order": ["change_order.cancelled"],
        "contract-to-billing-terms": ["contract.cancelled"],
        "customer-master": ["account_change.cancelled"],
        "expense-to-bill": ["expense.cancelled", "expense.written_off"],
        "forecast-cycle": ["forecast.cancelled"],
        "invoice-to-cash": ["invoice.cancelled", "invoice.voided", "invoice.written_off"],
        "milestone-to-invoice": ["milestone.cancelled", "milestone.written_off"],
        "opportunity-to-project": ["opportunity.cancelled"],
        "payroll-feed": ["payroll.cancelled"],
        "billing-run": ["billing_run.cancelled"],
        "period-close": [],
        "pipeline-to-forecast": ["opportunity.cancelled"],
        "staffing": ["staffing.cancelled"],
        "subcontractor-cost": ["purchase_order.cancelled"],
        "subscription-to-invoice": ["schedule_line.cancelled", "schedule_line.written_off"],
        "time-to-bill": ["time.cancelled", "time.written_off"],
    }


def test_a_confirmed_assignment_expects_time_entries_weekly() -> None:
    expected = {name: process.versions[0].expects for name, process in PACK.processes.items()}
    (weekly,) = expected.pop("staffing")
    assert not any(expected.values())
    assert (weekly.name, weekly.types, weekly.every) == ("time_submitted", {"time.submitted"}, Every.WEEK)
    assert (weekly.after, weekly.per, weekly.systems) == ("confirmed", "assignment", ("psa",))
    assert (weekly.from_field, weekly.until_field, weekly.period_field) == ("starts_on", "ends_on", "worked_on")
    assert PACK.processes["staffing"].only_expected == {"time.submitted", "assignment.cancelled"}


SIDES = (
    "contract-to-billing-terms",
    {
        "system": {
            "psa": {"rate_card": "R-1", "billing_method": "time"},
            "erp": {"rate_card": "R-1", "billing_method": "time"},
        }
    },
)
DATES = (
    "assignment-change",
    {
        "starts_on": "2026-11-02",
        "ends_on": "2026-11-30",
        "approved_from": "2026-11-01",
        "approved_until": "2026-11-30",
    },
)
TOTALS = "actuals-to-plan", {"system": {"erp": {"control_total": "1250.50"}, "fpna": {"control_total": 1250.5}}}


@pytest.mark.parametrize(
    ("case", "change", "broken"),
    [
        (SIDES, {}, []),
        (SIDES, {"system": {"psa": {"rate_card": "R-1"}}}, []),
        (SIDES, {"system": {"psa": {"rate_card": "R-1"}, "erp": {"rate_card": "R-2"}}}, ["same_rate_card"]),
        (
            SIDES,
            {"system": {"psa": {"billing_method": "time"}, "erp": {"billing_method": "fixed"}}},
            ["same_billing_method"],
        ),
        (DATES, {}, []),
        (DATES, {"starts_on": "2026-10-31"}, ["within_approved_work"]),
        (DATES, {"ends_on": "2026-12-01"}, ["within_approved_work"]),
        (TOTALS, {}, []),
        (
            TOTALS,
            {"system": {"erp": {"control_total": "1250.50"}, "fpna": {"control_total": "1250.05"}}},
            ["control_totals_equal"],
        ),
    ],
)
def test_checks_break_where_the_facts_say_so(
    case: tuple[str, dict[str, object]], change: dict[str, object], broken: list[str]
) -> None:
    name, facts = case
    checks = PACK.processes[name].versions[0].checks
    assert [each.name for each in checks if each.condition.holds({**facts, **change}) is False] == broken


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


def test_invoices_periods_and_account_changes_are_scoped() -> None:
    scoped = {name: key.scope for name, key in PACK.key_types.items() if key.scope}
    assert scoped == {
        "invoice": ("legal_entity",),
        "entity_period": ("legal_entity",),
        "account_change": ("region",),
    }
    assert {key.placeholders for key in PACK.key_types.values()} == {DEFAULT_PLACEHOLDERS}


def test_every_key_type_is_used_by_a_process() -> None:
    assert set(PACK.key_types) == {name for process in PACK.processes.values() for name in process.roles}


def test_processes_follow_one_another_where_the_same_money_goes_on() -> None:
    followed = {(name, *follow) for name, several in PACK.followers.items() for follow in several}
    assert followed == {
        ("pipeline-to-forecast", "opportunity-to-project", "opportunity"),
        ("opportunity-to-project", "contract-to-billing-terms", "contract"),
        ("time-to-bill", "invoice-to-cash", "invoice"),
        ("expense-to-bill", "invoice-to-cash", "invoice"),
        ("milestone-to-invoice", "invoice-to-cash", "invoice"),
        ("subscription-to-invoice", "invoice-to-cash", "invoice"),
    }
    declared = {(follow.process, each.name, follow.by) for each in PACK.processes.values() for follow in each.follows}
    assert declared == followed  # none is left out for want of a key
